//! Answering for an application that cannot be used.
//!
//! A process that ends because its application cannot be imported costs every client a minute: the server connects three
//! times and waits for an answer each time. So it stays and answers, and leaves when another attempt may end differently,
//! which is then made by a clean process.

use std::sync::Arc;

use lsapi::BeginRequest;

use crate::error::Error;
use crate::log;
use crate::watch::Watch;
use crate::worker::serve::Verdict;
use crate::worker::{Detach, Exchange, Handler, Leave, page};

/// Nothing to let go of: Python has not been started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoPython;

impl Detach for NoPython {
    fn detach<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        body()
    }
}

/// Answers every request with 500.
pub(crate) struct Unavailable<'a, D> {
    gil: D,
    exchange: Arc<Exchange>,
    reason: &'a Error,
    watch: Watch,
}

impl<'a, D: Detach> Unavailable<'a, D> {
    /// Answers on `exchange` for an application that cannot be used for `reason`, until `watch` is over.
    pub(crate) fn new(gil: D, exchange: &Arc<Exchange>, reason: &'a Error, watch: Watch) -> Self {
        log::error(format_args!("answering every request with 500: {reason}"));
        Self { gil, exchange: Arc::clone(exchange), reason, watch }
    }
}

impl<D: Detach> Detach for Unavailable<'_, D> {
    fn detach<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        self.gil.detach(body)
    }
}

impl<D: Detach> Handler for Unavailable<'_, D> {
    /// What log lines call the request.
    type Call = String;

    fn prepare(&mut self, request: &BeginRequest<'_>) -> Self::Call {
        let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        let path = text(request.env().get(b"PATH_INFO"));
        format!("{} {}{path}", text(request.request_method()), text(request.script_name()))
    }

    fn run(&mut self, request: Self::Call) -> Verdict {
        log::error(format_args!(
            "500 for {request}, request {} of this process: {}",
            self.exchange.serial(),
            self.reason
        ));
        let try_again = self.watch.is_over();
        if try_again {
            self.exchange.end_after_this();
        }
        page::answer(&self.gil, &self.exchange, 500, page::INTERNAL_ERROR);
        if try_again { Verdict::Leave(Leave::TryAgain) } else { Verdict::Continue }
    }
}
