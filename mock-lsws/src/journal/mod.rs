//! What the real server would have put in its log about an exchange, in words of our own.

mod exchange_log;
mod note;
mod server_log;

pub(crate) use exchange_log::ExchangeLog;
pub use note::{Level, Note};
pub use server_log::ServerLog;
