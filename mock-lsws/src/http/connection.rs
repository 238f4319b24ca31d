//! One client connection, from its first head to its end.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::watch;

use super::front::Front;

/// Serves one client until it leaves, the connection is done, or the server stops.
pub(crate) async fn serve_connection(
    front: Arc<Front>,
    stream: TcpStream,
    client: SocketAddr,
    stopping: watch::Receiver<bool>,
) {
    let _ = (front, stream, client, stopping);
}
