//! Carrying the bytes of one connection with its faults.

use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::lane::{End, Lane, Pieces};
use super::source::Source;
use crate::connection::Socket;

/// Bytes read at once.
const READ_SIZE: usize = 16 * 1024;

/// How long bytes are waited for that make the close of a Unix socket a reset.
const RESET_LIMIT: Duration = Duration::from_secs(1);

/// Bytes, and when they go on.
type Piece = (Instant, Vec<u8>);

/// What a direction came to.
#[derive(Debug, PartialEq, Eq)]
enum Over {
    /// Nothing more comes in it; the other goes on.
    Quiet,
    /// The connection is closed.
    Close,
    /// It is closed, and neither end sees a reset, whatever it has sent.
    Cut,
    /// Whoever gets the bytes of this direction sees a reset.
    Reset,
}

/// How the sender's end of a direction was left.
enum Left {
    /// The sender has ended it.
    Eof,
    /// The sender reset the connection.
    Lost,
    /// A fault has ended it.
    By(End),
    /// Nobody takes the bytes any more.
    Unwanted,
}

/// Carries the bytes between both until the connection is over.
pub(super) async fn relay(server: Socket, application: Socket, app: Lane, back: Lane) {
    let resets = {
        // Only over TCP a reset needs no bytes.
        let leaves_one = app.resets() && !application.is_tcp();
        let mut there = pin!(carry(Source::new(&server, false), &server, &application, app));
        let mut back = pin!(carry(Source::new(&application, leaves_one), &application, &server, back));
        let (mut there_over, mut back_over) = (false, false);
        loop {
            let (over, sink) = tokio::select! {
                over = &mut there, if !there_over => {
                    there_over = true;
                    (over, &application)
                }
                over = &mut back, if !back_over => {
                    back_over = true;
                    (over, &server)
                }
            };
            match over {
                Over::Quiet if there_over && back_over => break None,
                Over::Quiet => {}
                Over::Close => break None,
                Over::Cut => {
                    server.end();
                    application.end();
                    break None;
                }
                Over::Reset => break Some(sink),
            }
        }
    };
    if let Some(sink) = resets {
        // What it sends is not read any more: with unread bytes a close is a reset.
        arm_reset(sink).await;
    }
}

/// Sees to it that the close of `socket` is a reset for its peer.
async fn arm_reset(socket: &Socket) {
    let armed = async {
        while matches!(socket.arm_reset(), Ok(false)) && socket.readable().await.is_ok() {
            if socket.is_closed() {
                return;
            }
        }
    };
    // Where nothing comes it is a close like any other.
    let _ = timeout(RESET_LIMIT, armed).await;
}

/// Carries one direction.
async fn carry(mut source: Source<'_>, from: &Socket, to: &Socket, mut lane: Lane) -> Over {
    let (sender, receiver) = mpsc::channel(lane.capacity());
    let pieces = lane.pieces();
    let (left, _) = tokio::join!(take(&mut source, &mut lane, sender), give(to, receiver, pieces));
    match left {
        Left::Eof => {
            let _ = to.shutdown_write();
            if from.is_gone() { Over::Close } else { Over::Quiet }
        }
        Left::Lost | Left::By(End::Reset) => Over::Reset,
        Left::Unwanted => Over::Quiet,
        Left::By(End::Cut) => Over::Cut,
        Left::By(End::HalfClose) => {
            let _ = to.shutdown_write();
            drop_rest(&mut source, from).await
        }
        Left::By(End::NeverRead) => {
            while !from.is_closed() && from.readable().await.is_ok() {}
            Over::Close
        }
    }
}

/// Reads what the sender sends, as far as it goes on.
async fn take(source: &mut Source<'_>, lane: &mut Lane, sender: mpsc::Sender<Piece>) -> Left {
    let mut buffer = vec![0; READ_SIZE];
    loop {
        if let Some(end) = lane.ended() {
            return Left::By(end);
        }
        let (bytes, left) = match source.read(&mut buffer).await {
            Ok(0) => (lane.finish(), Some(Left::Eof)),
            Ok(len) => (lane.take(buffer.get_mut(..len).unwrap_or_default()), None),
            Err(_) => (lane.finish(), Some(Left::Lost)),
        };
        if !bytes.is_empty() {
            let due = lane.due(Instant::now());
            if sender.send((due, bytes)).await.is_err() {
                return Left::Unwanted;
            }
        }
        if let Some(left) = left {
            return left;
        }
    }
}

/// Writes the pieces when they are due. An error says that nobody takes them.
async fn give(to: &Socket, mut receiver: mpsc::Receiver<Piece>, pieces: Pieces) -> io::Result<()> {
    while let Some((due, bytes)) = receiver.recv().await {
        if due > Instant::now() {
            sleep_until(due).await;
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (len, pause) = pieces.next(rest.len());
            let (piece, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            write_all(to, piece).await?;
            rest = behind;
            if !pause.is_zero() {
                sleep(pause).await;
            }
        }
    }
    Ok(())
}

/// Reads and forgets what still comes.
async fn drop_rest(source: &mut Source<'_>, from: &Socket) -> Over {
    let mut buffer = vec![0; READ_SIZE];
    while let Ok(1..) = source.read(&mut buffer).await {}
    if from.is_gone() { Over::Close } else { Over::Quiet }
}

async fn write_all(to: &Socket, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.send(bytes) {
            Ok(len) => bytes = bytes.get(len..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => to.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
