//! One request, from its head to the end of its response.
//!
//! Owns the way between route, gateway and client: asking for the next piece only when the one before is written, which
//! is the back-pressure; internal redirects; and what is told about the request afterwards.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Instant, SystemTime};

use bytes::BytesMut;
use tokio::net::TcpStream;

use super::delivery::Delivery;
use super::front::Front;
use super::head::{BodyLength, RequestHead};
use super::record::RequestRecord;
use super::upload::Upload;
use super::writer::Writer;
use crate::gateway::{AppRequest, Dispatch, Exchange, ExchangeRecord, Gateway, Way};
use crate::reply::Piece;
use crate::request::{Addresses, Begin};
use crate::route::Route;
use crate::transcript::Transcript;

/// Internal redirects of one request.
const MAX_REDIRECTS: usize = 10;

/// What becomes of the connection behind a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// The next request may follow.
    Next,
    /// It is closed. `unread`: the client may still be sending, and must not lose the response to a reset.
    Close {
        /// Whether bytes of the client are left.
        unread: bool,
    },
}

/// A client, and what it came to.
#[derive(Debug)]
pub(super) struct Client<'a> {
    pub(super) front: &'a Front,
    pub(super) stream: &'a TcpStream,
    pub(super) addresses: Addresses,
}

impl Client<'_> {
    /// Answers one request. `may_stay`: the connection can take another one behind it.
    pub(super) async fn answer(&self, head: &RequestHead, buffer: &mut BytesMut, may_stay: bool) -> After {
        let front = self.front;
        let (started, clock) = (SystemTime::now(), Instant::now());
        let writer = Writer::new(self.stream, front.limits.conn_timeout);
        let keep_alive = head.keep_alive && may_stay;
        let mut delivery = Delivery::new(writer, head.minor, head.is_method("HEAD"), keep_alive);
        let mut upload = Upload::new(self.stream, buffer, head.body)
            .limits(front.limits.max_req_body_size, front.limits.conn_timeout);
        if head.expects_continue {
            upload = upload.expects_continue();
        }
        let login = front.router.login(head);
        if let Some(login) = &login {
            delivery.logged_in(login.realm.clone());
        }
        let mut exchanges = Vec::new();
        let too_large =
            matches!(head.body, BodyLength::Declared(len) if len > front.limits.max_req_body_size);
        let delivered = if too_large {
            delivery.page(413).await
        } else {
            self.route(head, &mut upload, &mut delivery, &mut exchanges).await
        };
        let record = RequestRecord {
            started,
            time_taken: clock.elapsed(),
            user: login.map(|login| login.user),
            referer: head.field("referer").map(<[u8]>::to_vec),
            user_agent: head.field("user-agent").map(<[u8]>::to_vec),
            status: delivery.status(),
            body_bytes: delivery.body_bytes(),
            complete: delivery.is_complete(),
            exchanges,
            ..RequestRecord::new(self.addresses.client, request_line(&head.raw))
        };
        front.tell(&record);
        // Bytes of a body that was not read to its end must not pass for the next request (lsapi 4.2.3).
        let read = upload.discard_arrived();
        if delivered.is_ok() && delivery.is_complete() && delivery.keeps_alive() && read {
            After::Next
        } else {
            After::Close { unread: !read }
        }
    }

    async fn route(
        &self,
        head: &RequestHead,
        upload: &mut Upload<'_>,
        delivery: &mut Delivery<'_>,
        exchanges: &mut Vec<ExchangeRecord>,
    ) -> io::Result<()> {
        let mut route = self.front.router.resolve(head, self.addresses);
        for redirects in 0..=MAX_REDIRECTS {
            let target = match route {
                Route::App { app, begin, dispatch, owner } => {
                    let Some(Way { gateway, runs_as }) = self.front.applications.way(&app, owner).await
                    else {
                        return delivery.page(503).await;
                    };
                    let signed = runs_as.map(|(account, secret)| secret.sign(account.uid, account.gid));
                    let begin = begin.special(signed.into_iter().flatten());
                    let ended = if redirects == 0 {
                        self.application(&gateway, begin, dispatch, upload, delivery, exchanges).await?
                    } else {
                        // What a request is redirected to gets no body.
                        let mut nothing = BytesMut::new();
                        let mut upload = Upload::new(self.stream, &mut nothing, BodyLength::None);
                        self.application(&gateway, begin, dispatch, &mut upload, delivery, exchanges).await?
                    };
                    match ended {
                        None => return Ok(()),
                        Some(target) => target,
                    }
                }
                Route::File(path) => {
                    let readable = redirects > 0 || head.is_method("GET") || head.is_method("HEAD");
                    return if readable {
                        delivery.file(path, head).await
                    } else {
                        delivery.read_only().await
                    };
                }
                Route::Moved(url) => return delivery.moved(url).await,
                Route::Unauthorized(realm) => return delivery.unauthorized(&realm).await,
                Route::Page(status) => return delivery.page(status).await,
            };
            route = self.front.router.redirect(head, self.addresses, &target);
        }
        delivery.page(500).await
    }

    /// Sends the request through an application. Returns where to go instead, for an internal redirect.
    async fn application(
        &self,
        gateway: &Arc<Gateway>,
        begin: Begin,
        dispatch: Dispatch,
        upload: &mut Upload<'_>,
        delivery: &mut Delivery<'_>,
        exchanges: &mut Vec<ExchangeRecord>,
    ) -> io::Result<Option<Vec<u8>>> {
        // A body that is still on its way when a WSGI context takes the request: the real server has given up on the
        // connection by the time it redirects to the application (capture 37).
        if dispatch == Dispatch::WholeBody && !upload.has_arrived() {
            delivery.close();
        }
        let transcript = self.front.transcripts.then(Transcript::new);
        let mut exchange = gateway.exchange(AppRequest { begin, dispatch, transcript });
        let delivered = self.pieces(&mut exchange, upload, delivery).await;
        if !matches!(delivered, Ok(Ended::Response | Ended::Redirect(_))) {
            exchange.abort();
        }
        exchanges.push(exchange.finish());
        Ok(match delivered? {
            Ended::Redirect(target) => Some(target),
            Ended::Response | Ended::Early => None,
        })
    }

    /// Hands on what the application answers. An error is a client that is gone.
    async fn pieces(
        &self,
        exchange: &mut Exchange,
        upload: &mut Upload<'_>,
        delivery: &mut Delivery<'_>,
    ) -> io::Result<Ended> {
        loop {
            match next_piece(exchange, upload, delivery).await? {
                Some(Piece::Head(head)) => delivery.head(&head),
                Some(Piece::Body(bytes)) => delivery.body(bytes),
                Some(Piece::End) => {
                    delivery.end().await?;
                    return Ok(Ended::Response);
                }
                Some(Piece::Page(status)) if delivery.status() == 0 => {
                    delivery.page(status).await?;
                    delivery.close();
                    return Ok(Ended::Response);
                }
                Some(Piece::Redirect(target)) if delivery.status() == 0 => {
                    return Ok(Ended::Redirect(target));
                }
                Some(Piece::Interim(status)) => {
                    delivery.interim(status).await?;
                    delivery.close();
                    return self.nothing_more(exchange, upload).await;
                }
                Some(Piece::Cut | Piece::Page(_) | Piece::Redirect(_)) => {
                    delivery.close();
                    delivery.flush().await?;
                    return Ok(Ended::Response);
                }
                None => {
                    delivery.close();
                    delivery.flush().await?;
                    let status = upload.failure().and_then(super::UploadError::status);
                    if let Some(status) = status.filter(|_| delivery.status() == 0) {
                        delivery.page(status).await?;
                    }
                    return Ok(Ended::Early);
                }
            }
        }
    }

    /// Behind an interim response the real server delivers nothing; the keep-alive timeout ends the connection
    /// (lsapi 4.3.2).
    async fn nothing_more(&self, exchange: &mut Exchange, upload: &mut Upload<'_>) -> io::Result<Ended> {
        let limit = tokio::time::Instant::now() + self.front.limits.keep_alive_timeout;
        let rest = async { while exchange.next(upload).await.is_some() {} };
        let ended = tokio::time::timeout_at(limit, rest).await.is_ok();
        let gone = async {
            // What the client sends is of no use; its end is.
            let mut dropped = [0; 512];
            loop {
                self.stream.readable().await?;
                match self.stream.try_read(&mut dropped) {
                    Ok(0) => return io::Result::Ok(()),
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                    _ => {}
                }
            }
        };
        // Whether the client left or the time was up makes no difference now.
        let _ = tokio::time::timeout_at(limit, gone).await;
        Ok(if ended { Ended::Response } else { Ended::Early })
    }
}

/// How an application's part ended.
#[derive(Debug)]
enum Ended {
    /// With what it had to say, or with what the server says instead.
    Response,
    /// Before that: the request may still be under way.
    Early,
    /// With another place to go to.
    Redirect(Vec<u8>),
}

/// The next piece. What waits to be written is written as soon as there is no piece ready, or enough of it.
async fn next_piece(
    exchange: &mut Exchange,
    upload: &mut Upload<'_>,
    delivery: &mut Delivery<'_>,
) -> io::Result<Option<Piece>> {
    if delivery.is_full() {
        delivery.flush().await?;
    }
    let mut next = pin!(exchange.next(upload));
    let ready = poll_fn(|context| match next.as_mut().poll(context) {
        Poll::Ready(piece) => Poll::Ready(Some(piece)),
        Poll::Pending => Poll::Ready(None),
    });
    if let Some(piece) = ready.await {
        return Ok(piece);
    }
    delivery.flush().await?;
    Ok(next.await)
}

/// The request line of a head.
pub(super) fn request_line(head: &[u8]) -> Vec<u8> {
    let line = head.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    line.map(|line| line.trim_ascii_end().to_vec()).unwrap_or_default()
}

impl Front {
    /// Tells everybody about a request that is over.
    pub(super) fn tell(&self, record: &RequestRecord) {
        self.observer.tell(record);
        self.access_log.write(record);
    }
}

impl RequestRecord {
    /// A record of nothing yet.
    pub(super) fn new(client: SocketAddr, request_line: Vec<u8>) -> Self {
        Self {
            client,
            started: SystemTime::now(),
            time_taken: std::time::Duration::ZERO,
            request_line,
            user: None,
            referer: None,
            user_agent: None,
            status: 0,
            body_bytes: 0,
            complete: false,
            exchanges: Vec::new(),
        }
    }
}
