//! Which part of the configuration a request falls under.

mod router;

pub(crate) use router::{Login, Route, Router};
