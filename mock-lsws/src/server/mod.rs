//! The mock server as a whole: what a test or a program starts and stops.
//!
//! Owns the listening socket, the life of the gateways and the order of starting and stopping. What happens on one
//! client connection is [`http`](crate::http)'s.

mod builder;
mod error;
mod generation;
mod mock_server;

pub use builder::MockServerBuilder;
pub use error::ServeError;
pub use mock_server::MockServer;
