//! One request on its way through an application.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep_until};

use super::app::Gateway;
use super::app_request::{AppRequest, Dispatch, ExchangeRecord};
use super::body::KeptBody;
use super::failure::Failure;
use super::pool::{Asked, Place, Turn};
use super::process::Process;
use super::sending::{Sending, Turned};
use super::tap::Tap;
use crate::http::{BodyLength, Upload, UploadError};
use crate::journal::{ExchangeLog, Level, Note};
use crate::reply::{Piece, Progress, Reply};
use crate::request::{Begin, BodyState};

/// How often a request is sent at most (lsapi 4.3.5).
const MOST_SENDS: u32 = 3;

/// What may gather of a body that comes in fast before the request is sent (lsapi 4.2.3).
const FIRST_BODY: u64 = 70 * 1024;

/// One request on its way. Dropping it in the middle aborts it.
#[derive(Debug)]
pub(crate) struct Exchange {
    gateway: Arc<Gateway>,
    begin: Begin,
    dispatch: Dispatch,
    reply: Reply,
    /// A piece taken from the reply and not handed out yet.
    due: Option<Piece>,
    length: BodyLength,
    body: KeptBody,
    /// All of the body has come.
    has_body: bool,
    /// The packet, once it is known what is said about the body: it is the same each time.
    packet: Option<Arc<[u8]>>,
    log: ExchangeLog,
    /// Sends, and attempts to make a connection for one.
    attempts: u32,
    sends: u32,
    started: Instant,
    next_check: Instant,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// The body comes in, as far as it has to before the request is sent.
    Collecting,
    /// It is in the queue.
    Queued(oneshot::Receiver<Place>),
    /// It has a place, and perhaps a connection.
    Admitted(Place),
    /// It is with the application.
    Sent(Box<Sending>),
    /// A send failed.
    Failed(Failure, Box<Lost>),
    /// Nothing more comes from the application. A last piece may be due behind those of the reply.
    Ending(Option<Piece>),
    /// Nothing more is due.
    Over,
}

/// How long a request that is with the application waits for something else than the application.
#[derive(Clone, Copy, Debug)]
enum Until {
    /// Not at all: there is more to do at once.
    Now,
    /// Until the connection can be read, or written.
    Ready { to_write: bool },
}

/// What is left of a failed send.
#[derive(Debug)]
struct Lost {
    place: Place,
    /// The process of the connection, if it had its own.
    process: Option<Process>,
    /// Whether the connection had completed a request before.
    served: bool,
}

impl Exchange {
    pub(super) fn new(gateway: Arc<Gateway>, request: AppRequest) -> Self {
        let AppRequest { begin, dispatch, transcript } = request;
        let started = Instant::now();
        Self {
            reply: Reply::new(begin.is_head()),
            begin,
            dispatch,
            due: None,
            length: BodyLength::None,
            body: KeptBody::new(),
            has_body: false,
            packet: None,
            log: ExchangeLog::new(transcript, gateway.log.clone()),
            attempts: 0,
            sends: 0,
            started,
            next_check: started + gateway.timing.check,
            phase: Phase::Collecting,
            gateway,
        }
    }

    /// The next piece for the client, after which nothing is read from the application until the next call: that is the
    /// back-pressure. While it waits, the body is taken from `upload` and forwarded. `None` after the last piece, or
    /// when the client is gone.
    pub(crate) async fn next(&mut self, upload: &mut Upload<'_>) -> Option<Piece> {
        loop {
            // An application that never stops talking must not keep others from their turn.
            consume_budget().await;
            if matches!(self.phase, Phase::Over) {
                return None;
            }
            if let Some(piece) = self.due.take().or_else(|| self.reply.next_piece()) {
                if matches!(piece, Piece::End | Piece::Cut | Piece::Page(_) | Piece::Redirect(_)) {
                    self.abort();
                }
                return Some(piece);
            }
            match &mut self.phase {
                Phase::Collecting => self.collect(upload).await,
                Phase::Queued(_) => self.wait_in_queue(upload).await,
                Phase::Admitted(_) => self.send().await,
                Phase::Sent(_) => self.converse(upload).await,
                Phase::Failed(..) => self.fail().await,
                Phase::Ending(piece) => {
                    let piece = piece.take();
                    self.phase = Phase::Over;
                    return piece;
                }
                Phase::Over => return None,
            }
        }
    }

    /// Takes in what has to be there of the body before the request is sent.
    async fn collect(&mut self, upload: &mut Upload<'_>) {
        self.length = upload.length();
        self.has_body = upload.is_complete();
        while !self.has_body {
            let whole = self.dispatch == Dispatch::WholeBody || self.gateway.pool.is_busy();
            let next = if whole || self.body.len() == 0 {
                upload.next().await
            } else if self.body.len() < FIRST_BODY {
                // What has arrived with the first bytes goes out with them.
                tokio::select! {
                    biased;
                    next = upload.next() => next,
                    () = std::future::ready(()) => break,
                }
            } else {
                break;
            };
            if !self.take_body(upload, next) {
                return;
            }
        }
        self.ask(Turn::Last);
    }

    /// Takes in bytes of the body. False: the exchange is over.
    fn take_body(&mut self, upload: &Upload<'_>, next: Result<Option<Bytes>, UploadError>) -> bool {
        match next {
            Ok(None) => self.has_body = true,
            Ok(Some(bytes)) => {
                if let Err(error) = self.body.append(&bytes) {
                    let text = format!("the request body could not be kept in a temporary file: {error}");
                    self.log.note(Note::new(Level::Error, text));
                    self.abort();
                    self.phase = Phase::Ending(Some(self.last_piece(500)));
                    return false;
                }
                self.has_body = upload.is_complete();
            }
            // The front knows what to tell the client, from the upload.
            Err(error) => {
                self.log.note(Note::new(Level::Info, error.to_string()));
                self.abort();
                return false;
            }
        }
        true
    }

    fn ask(&mut self, turn: Turn) {
        self.phase = match self.gateway.pool.ask(turn) {
            Asked::Now(place) => Phase::Admitted(place),
            Asked::Later(place) => Phase::Queued(place),
            Asked::Refused => {
                let text = format!("{}: 503, the application is out of service", self.gateway.config.name);
                self.log.note(Note::new(Level::Notice, text));
                Phase::Ending(Some(self.last_piece(503)))
            }
        };
    }

    /// What the client gets when nothing (more) comes from the application.
    fn last_piece(&self, status: u16) -> Piece {
        if self.reply.has_started() { Piece::Cut } else { Piece::Page(status) }
    }

    async fn wait_in_queue(&mut self, upload: &mut Upload<'_>) {
        let Phase::Queued(place) = &mut self.phase else { return };
        tokio::select! {
            place = place => match place {
                Ok(place) => self.phase = Phase::Admitted(place),
                // All who waited were turned away. Whether it is for good tells the next try.
                Err(_) => self.ask(Turn::Last),
            },
            next = upload.next(), if !self.has_body => { self.take_body(upload, next); }
            () = sleep_until(self.next_check) => self.check(upload),
        }
    }

    /// Makes a connection where none is free, and begins to send.
    async fn send(&mut self) {
        let Phase::Admitted(place) = &mut self.phase else { return };
        let renewals = self.gateway.processes.renewals();
        let link = match place.take_link() {
            Some(link) => Ok(link),
            None => self.gateway.processes.connect(self.gateway.pool.open().saturating_sub(1)).await,
        };
        let Phase::Admitted(place) = std::mem::replace(&mut self.phase, Phase::Over) else { return };
        self.attempts += 1;
        self.phase = match link {
            Ok(link) => {
                let packet = self.packet.get_or_insert_with(|| {
                    let state = match self.length {
                        BodyLength::None => BodyState::None,
                        BodyLength::Declared(length) => BodyState::Declared(length),
                        BodyLength::Chunked if self.has_body => BodyState::Collected(self.body.len()),
                        BodyLength::Chunked => BodyState::Streaming,
                    };
                    self.begin.encode(state).into()
                });
                self.reply.begin_send();
                let tap = Tap::open(self.log.transcript(), &link.address);
                Phase::Sent(Box::new(Sending::new(place, link, tap, Arc::clone(packet))))
            }
            Err(source) => Phase::Failed(
                Failure::Connect { source, renewals },
                Box::new(Lost { place, process: None, served: false }),
            ),
        };
    }

    /// Sends and receives until a piece is due or the phase is over.
    async fn converse(&mut self, upload: &mut Upload<'_>) {
        let Phase::Sent(sending) = &mut self.phase else { return };
        let had_begun = sending.has_begun();
        let turned = sending.turn(&mut self.body, &mut self.reply);
        if !had_begun && sending.has_begun() {
            self.sends += 1;
        }
        for note in self.reply.take_notes() {
            self.log.note(note);
        }
        match turned {
            Turned::Busy => self.wait(Until::Now, upload).await,
            Turned::Took(progress) => {
                self.advance(progress);
                self.due = self.reply.next_piece();
                if self.due.is_none() {
                    self.wait(Until::Now, upload).await;
                }
            }
            Turned::Failed(failure) => {
                // What came before the end is for the client all the same.
                self.reply.flush();
                self.lose(failure);
            }
            Turned::Blocked { wants_to_write } => {
                self.reply.flush();
                // What is due now comes before any more waiting; the next call finds nothing new and comes here again.
                self.due = self.reply.next_piece();
                if self.due.is_none() {
                    self.wait(Until::Ready { to_write: wants_to_write }, upload).await;
                }
            }
        }
        for note in self.reply.take_notes() {
            self.log.note(note);
        }
    }

    /// Waits until something happens to a request that is with the application. An application that never stops
    /// talking keeps neither the body nor the timers from their turn.
    async fn wait(&mut self, until: Until, upload: &mut Upload<'_>) {
        let Phase::Sent(sending) = &self.phase else { return };
        let init_timeout = self.gateway.config.init_timeout;
        let gives_up = sending.gives_up_at(self.reply.is_acknowledged(), init_timeout);
        let (gives_up_at, failure) = gives_up.map_or((None, None), |(at, failure)| (Some(at), Some(failure)));
        tokio::select! {
            biased;
            next = upload.next(), if !self.has_body => { self.take_body(upload, next); }
            () = sleep_until(gives_up_at.unwrap_or(self.next_check)), if gives_up_at.is_some() => {
                self.lose(failure.unwrap_or(Failure::InitTimeout));
            }
            () = sleep_until(self.next_check) => {
                self.notice().await;
                self.check(upload);
            }
            () = async {
                if let Until::Ready { to_write } = until {
                    sending.ready(to_write).await;
                }
            } => {}
        }
    }

    /// Says that an application has not acknowledged its request, and tries another process (lsapi 4.3.6).
    async fn notice(&mut self) {
        if !self.reply.is_acknowledged() {
            let name = &self.gateway.config.name;
            let seconds = self.started.elapsed().as_secs();
            let text = format!(
                "{name}: the application has not acknowledged a request for {seconds} s: it may be stuck, or short of \
                 processes"
            );
            self.log.note(Note::new(Level::Notice, text));
            self.gateway.processes.start_another().await;
        }
    }

    /// Looks whether the client of a waiting request has left.
    fn check(&mut self, upload: &mut Upload<'_>) {
        self.next_check = Instant::now() + self.gateway.timing.check;
        if !self.reply.has_started() && upload.client_has_left() {
            self.log.note(Note::new(Level::Info, "the client left while it waited for the response"));
            self.abort();
        }
    }

    /// Goes on as the application's bytes demand.
    fn advance(&mut self, progress: Progress) {
        if matches!(progress, Progress::More | Progress::Stuck) {
            return;
        }
        if progress == Progress::Violation {
            self.lose(Failure::Violation);
            return;
        }
        let Phase::Sent(sending) = std::mem::replace(&mut self.phase, Phase::Ending(None)) else { return };
        match progress {
            Progress::Complete { reusable } => sending.complete(reusable, self.reply.take_rest()),
            Progress::Refused(status) => {
                sending.abort();
                self.phase = Phase::Ending(Some(self.last_piece(status)));
            }
            _ => sending.abort(),
        }
    }

    /// A send has failed.
    fn lose(&mut self, failure: Failure) {
        if let Phase::Sent(sending) = std::mem::replace(&mut self.phase, Phase::Over) {
            let (place, process, served) = sending.fail();
            self.phase = Phase::Failed(failure, Box::new(Lost { place, process, served }));
        }
    }

    /// Decides what follows a failed send.
    async fn fail(&mut self) {
        let Phase::Failed(failure, lost) = &self.phase else { return };
        let gateway = Arc::clone(&self.gateway);
        let (name, attempt) = (&gateway.config.name, self.attempts);
        let text = format!("{name}: attempt {attempt} of {MOST_SENDS} for a request failed: {failure}");
        self.log.note(Note::new(Level::Info, text));
        if matches!(failure, Failure::Violation) && !lost.served {
            for note in gateway.distrust().await {
                self.log.note(note);
            }
        }
        if matches!(failure, Failure::Closed | Failure::Lost(_)) {
            gateway.processes.settle().await;
        }
        if let Some(renewals) = failure.absence() {
            gateway.pool.drop_free();
            gateway.processes.renew(renewals).await;
        }
        if attempt >= MOST_SENDS {
            let why = gateway.processes.explain(failure, lost.process.as_ref()).await;
            let why = why.map(|why| format!("; {why}")).unwrap_or_default();
            let piece = self.last_piece(503);
            let what = if piece == Piece::Cut { "the response is cut short" } else { "503" };
            let text = format!("{name}: {what} after {attempt} attempts: {failure}{why}");
            self.log.note(Note::new(Level::Notice, text));
            self.phase = Phase::Ending(Some(piece));
            return;
        }
        if let Phase::Failed(_, lost) = std::mem::replace(&mut self.phase, Phase::Over) {
            if lost.place.is_within_limit() {
                // On a new connection, even if one has become free.
                self.phase = Phase::Admitted(lost.place);
            } else {
                drop(lost);
                self.ask(Turn::First);
            }
        }
    }

    /// The client is gone (a write to it failed): ABORT_REQUEST and close, if the request is under way.
    pub(crate) fn abort(&mut self) {
        if let Phase::Sent(sending) = std::mem::replace(&mut self.phase, Phase::Over) {
            sending.abort();
        }
    }

    /// What is left to tell. A request that is still under way is aborted.
    pub(crate) fn finish(mut self) -> ExchangeRecord {
        self.abort();
        let (notes, transcript) = self.log.take();
        ExchangeRecord { sends: self.sends, notes, transcript }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.abort();
    }
}
