//! What all client connections share.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

use super::access_log::AccessLog;
use super::record::Observer;
use crate::config::HttpLimits;
use crate::gateway::Applications;
use crate::journal::ServerLog;
use crate::route::Router;

/// What all client connections share.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) router: Router,
    pub(crate) applications: Arc<Applications>,
    pub(crate) limits: HttpLimits,
    /// What applications are told instead of the address a client connected to.
    pub(crate) announced: Option<SocketAddr>,
    pub(crate) log: ServerLog,
    pub(crate) access_log: AccessLog,
    pub(crate) observer: Observer,
    /// Whether exchanges keep transcripts.
    pub(crate) transcripts: bool,
    /// Goes with the last request that uses this.
    pub(crate) _in_use: watch::Sender<()>,
}
