//! Who is the parent of the applications.

use crate::Spawner;

/// Who starts the applications, and is their parent.
#[derive(Debug)]
#[non_exhaustive]
pub enum Launcher {
    /// This process itself.
    Here,
    /// A process of its own, as the real server has one; whatever happens, nothing it started is left over.
    Spawner(Spawner),
}
