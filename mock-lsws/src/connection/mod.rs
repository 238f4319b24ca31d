//! One LSAPI connection, from the server's side.
//!
//! Everything that passes goes into a [`Transcript`](crate::Transcript) with its time, and what can happen is told
//! apart: a packet, bytes that are none, an end, a reset, nothing in time. A connection judges single packets as a real
//! server does; whether they make a response is for [`Response`](crate::Response) to say.

mod client;
mod error;
mod pace;
mod response_stream;
mod socket;

pub(crate) use client::{BODY_BLOCK, CONNECT_LIMIT};
pub use client::{Connection, Incoming, within};
pub use error::{ConnectError, SendError};
pub use pace::{DEFAULT_PAUSE, Pace};
pub use response_stream::ResponseStream;
pub(crate) use socket::Socket;
