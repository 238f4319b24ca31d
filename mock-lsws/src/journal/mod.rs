//! What the real server would have put in its log about an exchange, in words of our own.

mod note;
mod server_log;

pub use note::{Level, Note};
pub use server_log::ServerLog;
