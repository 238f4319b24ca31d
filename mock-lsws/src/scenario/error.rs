//! What is wrong with a scenario, before it is known which file it is from.

/// What is wrong, and the byte it is wrong at.
pub(crate) type Mistake = (usize, String);
