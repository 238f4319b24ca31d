//! The LSAPI wire protocol: what LiteSpeed Web Server and its applications say to each other.
//!
//! The server opens a stream socket to the application (or hands it one), writes one BEGIN_REQUEST packet
//! followed by the raw request body, and reads packets until RESP_END. There is one request at a time on a
//! connection, and no request id:
//!
//! ```text
//! server -> application   BEGIN_REQUEST  body bytes ...                         [ABORT_REQUEST]
//! application -> server   REQ_RECEIVED   RESP_HEADER  RESP_STREAM*  RESP_END    [CONN_CLOSE]
//! ```
//!
//! Every packet starts with the same eight bytes:
//!
//! ```text
//!  0      1      2      3      4                    8
//! +------+------+------+------+---------------------+
//! | 'L'  | 'S'  | type | flag | length, 4 bytes     |   length counts these eight bytes too
//! +------+------+------+------+---------------------+
//! ```
//!
//! Bit 0 of `flag` tells the byte order of the integers in that packet, see [`ByteOrder`].
//!
//! `PROTOCOL.md` beside this crate's manifest says the rest, clause by clause; comments here cite it as "lsapi 1.3".
//!
//! This crate owns the bytes and nothing else: no sockets, no processes, no policy. Decoding borrows from the
//! caller's buffer, allocates nothing, never writes into its input and never panics; what was decoded can be
//! encoded again byte for byte. Encoding covers both sides, deliberately broken packets included
//! ([`RawRequest`], [`RawResponseHeader`], [`RawHeader`]), because a mock server has to send them.
//!
//! ```
//! use lsapi::{BeginRequest, DecodeError, KnownHeader, RequestBuilder, limits};
//!
//! let bytes = RequestBuilder::get("/hello?x=1").header("Host", "example.com").encode();
//! let request = BeginRequest::decode(&bytes, limits::MAX_REQUEST_PACKET)?;
//! assert_eq!(request.query_string(), Some(&b"x=1"[..]));
//! assert_eq!(request.known_header(KnownHeader::Host), Some(&b"example.com"[..]));
//!
//! // A packet that is still arriving is not an error of the peer.
//! let partial = BeginRequest::decode(&bytes[..5], limits::MAX_REQUEST_PACKET);
//! assert_eq!(partial.unwrap_err(), DecodeError::Incomplete { need: 8 });
//! # Ok::<(), DecodeError>(())
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic),
    warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)
)]

mod app_packet;
mod begin_request;
mod body_length;
mod byte_order;
mod env;
mod error;
mod header_index;
mod known_header;
pub mod limits;
mod packet_header;
mod packet_type;
mod raw_header;
mod raw_request;
mod raw_response_header;
mod read;
mod request_builder;
mod response_encode;
mod response_header;
mod server_packet;

pub use app_packet::AppPacket;
pub use begin_request::BeginRequest;
pub use body_length::BodyLength;
pub use byte_order::ByteOrder;
pub use env::{EnvEntry, EnvIter, EnvList};
pub use error::{DecodeError, Invalid, Reason};
pub use header_index::{KnownHeaders, UnknownHeader, UnknownHeaderEntry, UnknownHeaders};
pub use known_header::KnownHeader;
pub use packet_header::{HEADER_LEN, MAGIC, PacketHeader};
pub use packet_type::PacketType;
pub use raw_header::RawHeader;
pub use raw_request::{RawEnv, RawRequest};
pub use raw_response_header::RawResponseHeader;
pub use request_builder::RequestBuilder;
pub use response_encode::{
    CLOSE_AND_END, CONN_CLOSE, HeadError, REQ_RECEIVED, RESP_END, ResponseHead, pid_notice, put_stderr,
    put_stream, stream_header,
};
pub use response_header::{HeaderLine, HeaderLines, ResponseHeader};
pub use server_packet::{ABORT_REQUEST, ServerPacket};
