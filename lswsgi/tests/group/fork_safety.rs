//! Applications that start threads while they are imported: a fork would not take them along, and the locks they held at
//! that moment would never be released.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::group::{Group, application};
use crate::pool::Pool;

/// Groups of each application.
const GROUPS: u32 = 20;

/// Groups that run at the same time.
const AT_A_TIME: usize = 4;

/// Requests to each group.
const REQUESTS: usize = 20;

/// Answers with the pid, a random number, and the pids in which callbacks after a fork have run. Drops the GIL for a moment.
const APPLICATION: &str = "
import os, random, time
forked = []
os.register_at_fork(after_in_child=lambda: forked.append(os.getpid()))

def application(environ, start_response):
    time.sleep(.001)
    start_response('200 OK', [])
    return [f'{os.getpid()} {random.random()} {forked}'.encode()]
";

const EVENT_LOOP: &str = "
import asyncio, threading
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True, name='event-loop').start()
asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result()
";

const POOL: &str = "
import concurrent.futures
pool = concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix='pool')
pool.submit(int).result()
";

const TICKER: &str = "
import threading, time
def tick():
    while True: time.sleep(.02)
threading.Thread(target=tick, daemon=True, name='ticker').start()
";

const LISTENER: &str = "
import logging.handlers, queue
listener = logging.handlers.QueueListener(queue.Queue(), logging.NullHandler())
listener.start()
";

/// What the workers of one group have answered: per worker, random numbers and the callbacks that have run.
type Answers = HashMap<u32, Vec<(String, String)>>;

/// Starts the groups and sends each its requests, half a second after its start: that is when threads are in the middle of
/// what they do. `look` judges what a group has said and answered.
fn groups(imports: &str, load: &str, look: impl Fn(&Group, &Answers) + Sync) {
    let source = format!("{imports}{APPLICATION}");
    let left = AtomicU32::new(GROUPS);
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                    .is_ok()
                {
                    let group = Group::start(application(&source, 2).arg("--load").arg(load));
                    std::thread::sleep(Duration::from_millis(500));
                    let answers = ask(&group);
                    assert!(answers.len() > 1, "{}", group.said());
                    // A worker that goes on with the generator of its parent gives the same numbers as its siblings.
                    let first: HashSet<_> = answers.values().map(|answers| &answers[0].0).collect();
                    assert_eq!(first.len(), answers.len(), "{}", group.said());
                    look(&group, &answers);
                }
            });
        }
    });
}

/// Both connections stay open, so that both workers are needed. On a busy machine one may be ended between two requests, for
/// the other if that has waited too long, and is replaced as a server would.
fn ask(group: &Group) -> Answers {
    let pools = [Pool::new(group.socket().to_owned()), Pool::new(group.socket().to_owned())];
    let mut answers = Answers::new();
    for number in 0..REQUESTS {
        let response = pools[number % 2].get(&format!("/?{number}"));
        let response = response.unwrap_or_else(|lost| panic!("{lost}: {}", group.said()));
        assert_eq!(response.status, 200, "{}", group.said());
        let mut words = response.text().splitn(3, ' ').map(str::to_owned);
        let mut word = || words.next().expect("three words");
        let pid = word().parse().expect("a pid");
        answers.entry(pid).or_default().push((word(), word()));
    }
    answers
}

/// The template must have noticed the thread called `name`, and have left the import to the workers.
fn imports_in_workers(imports: &str, name: &str) {
    groups(imports, "auto", |group, _| {
        let said = group.said();
        assert!(said.contains("template ready: workers import the application"), "{said}");
        assert!(!said.contains("template ready: application imported"), "{said}");
        assert!(said.contains(name), "{said}");
    });
}

#[test]
fn an_application_with_an_event_loop_in_a_thread_never_hangs() {
    imports_in_workers(EVENT_LOOP, "event-loop");
}

#[test]
fn an_application_that_has_used_a_pool_of_threads_never_hangs() {
    imports_in_workers(POOL, "pool_0");
}

#[test]
fn an_application_with_a_thread_that_does_something_all_the_time_never_hangs() {
    imports_in_workers(TICKER, "ticker");
}

#[test]
fn an_application_with_a_queue_listener_never_hangs() {
    // The thread has no name of its own; from Python 3.10 on: "Thread-1 (_monitor)".
    imports_in_workers(LISTENER, "'Thread-1");
}

#[test]
fn an_application_without_threads_is_imported_once_and_its_callbacks_run_after_each_fork() {
    groups("", "preload", |group, answers| {
        for (pid, answers) in answers {
            let expected = format!("[{pid}]");
            assert!(answers.iter().all(|answer| answer.1 == expected), "{pid}: {answers:?}");
        }
        assert!(group.said().contains("template ready: application imported"), "{}", group.said());
    });
}
