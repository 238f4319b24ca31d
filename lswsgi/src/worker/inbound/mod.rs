//! What comes in on a connection: request packets and, behind each, a request body.
//!
//! * `buffer`: the one buffer both go through. A read takes as much as there is, so a small body usually comes with its
//!   packet and costs no system call of its own;
//! * `wait`: waiting for a packet, and the reasons not to wait any longer;
//! * `body`: reading a body, as far as it goes;
//! * `silence`: for how long nothing has come.
//!
//! Knows nothing of Python; the objects applications read bodies through are in [`python`](crate::python).

mod body;
mod buffer;
mod silence;
mod wait;

pub use body::BodyError;
pub use buffer::{Inbound, Limits};
pub(crate) use wait::Wait;
