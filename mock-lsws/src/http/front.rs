//! What all client connections share.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::access_log::AccessLog;
use super::record::Observer;
use crate::config::HttpLimits;
use crate::gateway::Gateway;
use crate::journal::ServerLog;
use crate::route::Router;

/// What all client connections share.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) router: Router,
    /// By the name of the application.
    pub(crate) gateways: HashMap<String, Arc<Gateway>>,
    pub(crate) limits: HttpLimits,
    /// What applications are told instead of the address a client connected to.
    pub(crate) announced: Option<SocketAddr>,
    pub(crate) log: ServerLog,
    pub(crate) access_log: AccessLog,
    pub(crate) observer: Observer,
    /// Whether exchanges keep transcripts.
    pub(crate) transcripts: bool,
}
