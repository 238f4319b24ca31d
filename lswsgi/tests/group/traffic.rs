//! Requests with ids over several connections, and what an application has noted down about each it ran.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::group::Group;
use crate::pool::{Lost, Pool, tended};
use crate::support::Response;

/// Connections that are in use at the same time.
pub(crate) const CONNECTIONS: usize = 8;

/// Notes the id and the worker's pid down before it answers with the pid. A write in append mode is one piece, also between
/// processes.
pub(crate) const APPLICATION: &str = "
import os, time
log = os.open('ids', os.O_WRONLY | os.O_APPEND | os.O_CREAT)
pause = PAUSE

def application(environ, start_response):
    os.write(log, b'%s %d\\n' % (environ['QUERY_STRING'].encode(), os.getpid()))
    if pause: time.sleep(pause)
    start_response('200 OK', [])
    return [b'%d' % os.getpid()]
";

/// The application, with so many seconds between the note and the answer.
pub(crate) fn noting(pause: &str) -> String {
    APPLICATION.replace("PAUSE", pause)
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Requests sent; their ids are the numbers below.
    pub(crate) sent: u64,
    /// Those without a complete answer, by id.
    pub(crate) lost: HashMap<u64, Box<Lost>>,
    /// The workers that ran each id, as they noted down.
    pub(crate) ran: HashMap<u64, Vec<u32>>,
}

/// Sends requests over [`CONNECTIONS`] connections as long as `go_on` says so for the next id.
pub(crate) fn send(group: &Group, go_on: impl Fn(u64) -> bool + Sync) -> Outcome {
    send_and_see(group, go_on, |_| ())
}

fn send_and_see(
    group: &Group,
    go_on: impl Fn(u64) -> bool + Sync,
    see: impl Fn(&Response) + Sync,
) -> Outcome {
    let pools = [Pool::new(group.socket().to_owned())];
    let [pool] = &pools;
    let next = AtomicU64::new(0);
    let (sent, lost) = (AtomicU64::new(0), Mutex::new(HashMap::new()));
    let one_after_the_other = || {
        loop {
            let id = next.fetch_add(1, Ordering::Relaxed);
            if !go_on(id) {
                return;
            }
            sent.fetch_max(id + 1, Ordering::Relaxed);
            match pool.get(&format!("/?{id}")) {
                Ok(response) => {
                    assert_eq!(response.status, 200, "{response:?}\n{}", group.said());
                    see(&response);
                }
                Err(failed) => {
                    lost.lock().expect("no thread panics with the lock").insert(id, failed);
                }
            }
        }
    };
    tended(&pools, || {
        std::thread::scope(|scope| (0..CONNECTIONS).for_each(|_| drop(scope.spawn(one_after_the_other))));
    });
    Outcome {
        sent: sent.into_inner(),
        lost: lost.into_inner().expect("no thread panics with the lock"),
        ran: read(group.dir()),
    }
}

/// Does `what`, which is told how many requests have been sent, while they are sent and `see` is shown the answers; they end
/// when it returns.
pub(crate) fn meanwhile(
    group: &Group,
    see: impl Fn(&Response) + Sync,
    what: impl FnOnce(&dyn Fn() -> u64),
) -> Outcome {
    /// Also when `what` panics: otherwise the requests never end.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let (over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let go_on = |id| {
        sent.fetch_max(id, Ordering::Relaxed);
        !over.load(Ordering::Relaxed)
    };
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| send_and_see(group, go_on, &see));
        {
            let _over = Over(&over);
            what(&|| sent.load(Ordering::Relaxed));
        }
        sender.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn read(dir: &Path) -> HashMap<u64, Vec<u32>> {
    let notes = std::fs::read_to_string(dir.join("ids")).expect("the application has written it");
    let mut ran: HashMap<u64, Vec<u32>> = HashMap::new();
    for line in notes.lines() {
        let (id, pid) = line.split_once(' ').expect("an id and a pid");
        ran.entry(id.parse().expect("an id")).or_default().push(pid.parse().expect("a pid"));
    }
    ran
}

impl Outcome {
    /// Nothing was run twice, and what was answered was run.
    pub(crate) fn expect_once(&self) {
        for (id, workers) in &self.ran {
            assert_eq!(workers.len(), 1, "request {id} was run by {workers:?}");
        }
        let not_run: Vec<u64> =
            (0..self.sent).filter(|id| !self.ran.contains_key(id) && !self.lost.contains_key(id)).collect();
        assert!(not_run.is_empty(), "answered and not run: {not_run:?}");
    }

    /// And nothing was lost.
    pub(crate) fn expect_all(&self) {
        assert!(self.lost.is_empty(), "lost: {:#?}", self.lost);
        self.expect_once();
        assert_eq!(self.ran.len() as u64, self.sent);
    }

    /// How many requests each worker ran.
    pub(crate) fn per_worker(&self) -> HashMap<u32, u64> {
        let mut counts = HashMap::new();
        for &worker in self.ran.values().flatten() {
            *counts.entry(worker).or_default() += 1;
        }
        counts
    }
}
