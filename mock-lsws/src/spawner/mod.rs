//! A parent process for applications, as a real server has one.
//!
//! A real web server does not fork applications from its workers: a process of its own does. That matters to
//! applications, because they watch their parent and leave when it dies. Two processes do that work here, both
//! running this program's own binary and both without threads:
//!
//! ```text
//! client (tokio)
//!   └─ keeper     child subreaper; ends all its descendants when the client is gone
//!        └─ server     the parent of the applications; killing it is "the web server died"
//!             └─ application ...
//! ```
//!
//! When the server is killed its applications go to the keeper: they see that their parent is gone, and still none
//! of them can outlive a test, not even one that left its session. Folders the keeper makes go with them. The programs talk over stream sockets, messages in
//! JSON with descriptors beside them.
//!
//! A program that uses [`Spawner::start`] has to offer the keeper as a hidden subcommand and call
//! [`serve`] there, before it starts any thread.

mod client;
mod keeper;
mod link;
mod message;
mod pipe;
mod reap;
mod server;

pub use client::{SpawnedApp, Spawner, SpawnerError};
pub use keeper::serve;
