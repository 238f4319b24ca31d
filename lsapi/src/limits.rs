//! The numbers of the protocol, each with the implementation it comes from.
//!
//! "Reference" is LiteSpeed's C application library, "server" is OpenLiteSpeed 1.9.1 as observed.

/// Bytes of a BEGIN_REQUEST before its first variable part: packet header and nine integers.
pub const BEGIN_REQUEST_FIXED: usize = 44;

/// Bytes of the known-header index: 25 lengths of two bytes, two bytes of padding, 25 offsets of four bytes.
pub const HEADER_INDEX_LEN: usize = 152;

/// Bytes of one entry of the unknown-header array: four 32-bit integers.
pub const UNKNOWN_HEADER_LEN: usize = 16;

/// Largest BEGIN_REQUEST packet accepted by default, in bytes, packet header included.
///
/// The reference stops at [`REFERENCE_REQUEST_PACKET`]. A real server can send more: with its default limits
/// (64 KiB of headers, 32 KiB of URL) a long query string is carried three times (header block, REQUEST_URI and
/// QUERY_STRING), so an application should take [`SERVER_REQUEST_PACKET`] at the least.
pub const MAX_REQUEST_PACKET: usize = 256 * 1024;

/// Largest BEGIN_REQUEST packet the reference accepts: 65 535 bytes pass, 65 536 do not.
pub const REFERENCE_REQUEST_PACKET: usize = 65_535;

/// What a server with default settings may need, in bytes, rounded up: the biggest packet seen was 60 750 bytes for a
/// query string of 20 kB.
pub const SERVER_REQUEST_PACKET: usize = 200 * 1024;

/// Most entries in one environment list; the reference accepts 8192 and refuses 8193.
pub const MAX_ENV_ENTRIES: usize = 8192;

/// Largest payload of RESP_STREAM, STDERR_STREAM, REQ_RECEIVED and INTERNAL_ERROR; the server drops the connection at
/// one byte more, and the reference never sends more.
pub const MAX_STREAM_PAYLOAD: usize = 16_384;

/// Smallest RESP_HEADER payload: the header count and the status.
pub const MIN_RESPONSE_HEADER_PAYLOAD: usize = 8;

/// Largest RESP_HEADER payload the server accepts.
pub const MAX_RESPONSE_HEADER_PAYLOAD: usize = 65_535;

/// Most headers the server accepts in one RESP_HEADER; its table of lengths has no room for more.
pub const MAX_SERVER_RESPONSE_HEADERS: usize = 4095;

/// Most response headers the reference sends; an application keeps to it.
pub const MAX_RESPONSE_HEADERS: usize = 1000;

/// Longest response header line an application should send, in bytes, without the terminating NUL. The server delivers
/// 16 000 and hangs at 16 384.
pub const MAX_RESPONSE_HEADER_LINE: usize = 16_000;
