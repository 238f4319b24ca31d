//! The access log: a line for each request, in the common, combined or JSON format.
//!
//! What a line tells is copied when the request begins, because its packet is gone by the time the application has answered,
//! and written when the response has left, so that it costs the client nothing. Each line is one write of at most 4096 bytes
//! in append mode, which neither files nor pipes mix with those of other processes. A request is never held up: what cannot
//! be written is lost, and counted.
//!
//! * `format`: the formats there are;
//! * `record`: what is known of a request, and how it ended;
//! * `line`: what is written about it;
//! * `file`: where that goes;
//! * `journal`: the access log of this process.
//!
//! When files are opened anew is decided in `rotation`.

mod file;
mod format;
mod journal;
mod line;
mod record;

pub use format::AccessFormat;
pub(crate) use journal::{begin, end, end_by_force, finish, flush, follow, is_on, prepare, sending, start};
pub use record::Ending;
