//! Carrying the bytes of one connection between the server and the application.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::damage::Damager;
use super::tampering::Tampering;

/// Bytes read at a time.
const PIECE: usize = 64 * 1024;

/// Carries everything between `server` and `application`, with what `tampering` says done to it, until the application has
/// sent its last byte or nobody takes what it sends. A half that ends is passed on as that; both connections are closed after
/// it.
pub(super) async fn relay(server: UnixStream, application: UnixStream, tampering: &Tampering) {
    let (from_server, to_server) = server.into_split();
    let (from_application, to_application) = application.into_split();
    let there = async {
        // An application that takes no more shows in what comes back.
        there(from_server, to_application, tampering).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = there => {}
        () = back(from_application, to_server, Damager::new(tampering.damage)) => {}
    }
}

async fn there(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, tampering: &Tampering) {
    let mut buffer = vec![0; PIECE];
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        let bytes = buffer.get_mut(..len).unwrap_or_default();
        if !tampering.change_request(bytes) || to.write_all(bytes).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

async fn back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut damager: Damager) {
    let mut buffer = vec![0; PIECE];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(len) => {
                let bytes = damager.pass(buffer.get(..len).unwrap_or_default());
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        }
    }
    // The server may be gone; then nobody misses the rest.
    let _ = to.write_all(&damager.finish()).await;
    let _ = to.shutdown().await;
}
