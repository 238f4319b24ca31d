//! One life of an application: the processes at its listening socket, and the connections that lead to them.
//!
//! Owns that processes are told to end only when no request needs them any more (lsapi 4.4). When a life ends is decided by
//! [`Processes`](super::processes::Processes).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use tokio::sync::watch;

use super::process::{Farewell, Process};

/// The processes that share a listening socket, from their start to the moment when others take their place.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) running: Vec<Process>,
    /// When it began.
    pub(super) since: SystemTime,
    lease: Lease,
}

/// What a connection has of the instance that it leads to.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    is_over: Arc<AtomicBool>,
    /// The instance is in use as long as there is one.
    _in_use: watch::Sender<()>,
}

/// That no connection leads to an instance any more.
#[derive(Debug)]
pub(super) struct Unused(watch::Receiver<()>);

/// What becomes of the processes of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// They are told to end when no request needs them.
    Stop,
    /// Others are there already: they are told to end soon, whatever they do.
    Replace,
    /// They stay.
    Stay,
}

impl Instance {
    pub(super) fn new() -> Self {
        let lease = Lease { is_over: Arc::default(), _in_use: watch::Sender::default() };
        Self { running: Vec::new(), since: SystemTime::now(), lease }
    }

    /// For a connection that is made to it.
    pub(super) fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// The processes.
    pub(super) fn pids(&self) -> Vec<i32> {
        self.running.iter().map(|process| process.end().pid).collect()
    }

    /// Ends it. Its connections take no further request.
    pub(super) fn end(self, fate: Fate) {
        self.lease.is_over.store(true, Ordering::SeqCst);
        for process in self.running {
            process.end_by(match fate {
                Fate::Stop => Farewell::Stop(Unused(self.lease._in_use.subscribe())),
                Fate::Replace => Farewell::Replace,
                Fate::Stay => Farewell::Stay,
            });
        }
    }
}

impl Lease {
    /// Whether another instance has taken the place of this one.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

impl Unused {
    /// Waits until it is so.
    pub(super) async fn reached(mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn an_instance_is_unused_when_its_last_connection_is_gone() {
        let instance = Instance::new();
        let unused = Unused(instance.lease._in_use.subscribe());
        let (first, second) = (instance.lease(), instance.lease());
        assert!(!first.is_over());
        instance.end(Fate::Stop);
        assert!(first.is_over());
        drop(first);
        let mut reached = Box::pin(unused.reached());
        assert!(timeout(Duration::from_millis(1), &mut reached).await.is_err());
        drop(second);
        reached.await;
    }
}
