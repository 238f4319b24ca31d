//! What passed on a connection, and when.
//!
//! A [`Transcript`] collects [`Entry`]s from any number of connections. It shows itself at three levels of
//! [`Detail`], and gives entries as plain data ([`EntryRecord`]) for reports.

mod describe;
mod entry;
mod log;
mod render;

pub use entry::{Bytes, Direction, Entry, EntryRecord, Event, SentKind};
pub use log::Transcript;
pub use render::{Detail, ShowEntry};
