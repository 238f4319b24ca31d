//! Carrying the bytes of one connection between the server and the application.

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::damage::{Damage, Damager};

/// Carries everything between `server` and `application`, damaged on its way back, until the application has sent its
/// last byte or nobody takes what it sends. A half that ends is passed on as that; both connections are closed after it.
pub(super) async fn relay(server: UnixStream, application: UnixStream, damage: Damage) {
    let (mut from_server, to_server) = server.into_split();
    let (from_application, mut to_application) = application.into_split();
    let there = async {
        // An application that takes no more shows in what comes back.
        let _ = copy(&mut from_server, &mut to_application).await;
        let _ = to_application.shutdown().await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = there => {}
        () = back(from_application, to_server, Damager::new(damage)) => {}
    }
}

async fn back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut damager: Damager) {
    let mut buffer = vec![0; 64 * 1024];
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
