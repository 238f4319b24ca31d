//! A worker: one connection at a time, blocking I/O, no async runtime and no Python.
//!
//! * `gate`: who may speak while the worker waits, and how a wait is ended from a signal handler;
//! * `answer`: who owns the response of the request under way, and `last_words`: what it ends with if that changes;
//! * [`inbound`]: the read buffer, request packets and request bodies;
//! * [`outbound`]: the response as it is written;
//! * [`page`]: a response of the runtime's own;
//! * `send`: how its bytes leave;
//! * `error_text`: what the application says on its error stream, until it leaves;
//! * [`exchange`]: both sides of one connection, shared with the objects the application holds;
//! * `connections`: where connections come from;
//! * `next`: taking the next request off one;
//! * `discard`: ending a connection whose last request was not read to its end;
//! * `leave`: why a worker leaves;
//! * [`serve`](mod@serve): the loop over connections and requests.

pub(crate) mod answer;
pub(crate) mod connections;
mod discard;
mod error_text;
pub mod exchange;
pub(crate) mod gate;
pub mod inbound;
pub(crate) mod last_words;
mod leave;
pub(crate) mod next;
pub mod outbound;
pub mod page;
mod send;
pub mod serve;
pub(crate) mod socket;

pub use exchange::{Detach, Exchange};
pub use leave::Leave;
pub(crate) use leave::Recycle;
pub use serve::Handler;
pub(crate) use serve::serve;
