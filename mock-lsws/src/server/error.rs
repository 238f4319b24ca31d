//! A server that cannot start.

use std::io;
use std::net::SocketAddr;

use crate::config::ConfigError;
use crate::{GatewayError, SpawnerError};

/// A server that cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The HTTP address cannot be listened on.
    #[error("cannot listen on {address} for HTTP (in use, or not an address of this machine?): {source}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// An external application cannot be set up.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// What starts applications could not be renewed.
    #[error(transparent)]
    Spawner(#[from] SpawnerError),
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
}
