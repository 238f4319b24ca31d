//! External applications while they serve: processes, connections, and the way of one request through them.
//!
//! Owns the pool of connections, the queue in front of it, how often a request is sent, time limits, and when an
//! application is started. What its bytes mean is the reply's; what the client sees of it is the front's.

mod account;
mod accounts;
mod app;
mod app_request;
mod application;
mod applications;
mod body;
mod exchange;
mod failure;
mod folders;
mod instance;
mod launcher;
mod limit;
mod link;
mod listening;
mod pid_file;
mod pool;
mod process;
mod processes;
mod restart_marker;
mod running;
mod sending;
mod tap;
mod timing;

pub(crate) use account::Account;
pub(crate) use app::Gateway;
pub use app::GatewayError;
pub use app_request::ExchangeRecord;
pub(crate) use app_request::{AppRequest, Dispatch};
pub(crate) use applications::{Applications, Means, Way};
pub(crate) use exchange::Exchange;
pub use launcher::Launcher;
pub use timing::Timing;
