//! Faults between server and application: what networks, slow peers and broken programs do to a connection.
//!
//! Owns what the faults are, how they are written down, and the relay that brings them about. Whoever makes connections
//! decides which of them get faults: [`Faults::wrap`] takes a socket and returns the one to use in its place.

mod direction;
mod faults;
mod kind;
mod lane;
mod packets;
mod relay;
mod source;

pub use direction::Direction;
pub use faults::{DirectedFault, FaultError, Faults};
pub use kind::Fault;
