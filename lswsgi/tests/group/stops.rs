//! Stops at random moments of a request. Whatever was acknowledged is answered, and nothing hangs.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lsapi::{PacketType, RequestBuilder};
use rustix::process::Signal;

use crate::group::{self, Group, application};
use crate::support::{Connection, Event, Response, Start};

/// Stops of each model.
const STOPS: u32 = 250;

/// Groups, or workers, that run at the same time.
const AT_A_TIME: usize = 8;

/// What may pass until all is over: well below the graceful timeout of 23 s, since no request takes long.
const TIME_TO_STOP: Duration = Duration::from_secs(10);

/// Reads what comes, takes its time, and answers in several packets.
const SOURCE: &str = "import time\n\
    def application(environ, start_response):\n\
    \x20   body = environ['wsgi.input'].read()\n\
    \x20   time.sleep(len(body) / 1e6)\n\
    \x20   start_response('200 OK', [])\n\
    \x20   yield b'x' * 1000\n\
    \x20   time.sleep(len(body) / 1e6)\n\
    \x20   yield body\n";

/// Connects until it is refused, and sends requests until the connection ends. Counts those that are `answered`.
fn client(socket: &Path, answered: &AtomicU32) {
    let mut random = fastrand::Rng::new();
    while let Ok(stream) = std::os::unix::net::UnixStream::connect(socket) {
        let mut connection = Connection::new(stream);
        for _ in 0..5 {
            if !request(&mut connection, &mut random, answered) {
                break;
            }
        }
    }
}

/// One request, sent in pieces with pauses between. Returns whether the connection can take another.
fn request(connection: &mut Connection, random: &mut fastrand::Rng, answered: &AtomicU32) -> bool {
    let body = vec![b'b'; random.usize(..4000)];
    let head = RequestBuilder::new("POST", "/").body_len(body.len() as u64).encode();
    let cut = random.usize(..head.len());
    for piece in [&head[..cut], &head[cut..], &body[..]] {
        connection.send_until_closed(piece);
        std::thread::sleep(Duration::from_micros(random.u64(..500)));
    }
    let mut response = Response::default();
    while connection.next(&mut response) != Event::End {
        if response.packets.last() == Some(&PacketType::RespEnd) {
            assert_eq!((response.status, response.body.len()), (200, 1000 + body.len()), "{response:?}");
            answered.fetch_add(1, Ordering::Relaxed);
            return !response.packets.contains(&PacketType::ConnClose);
        }
    }
    let acknowledged = response.packets.iter().any(|&packet| packet != PacketType::ConnClose);
    assert!(!acknowledged, "acknowledged and not answered: {response:?}");
    false
}

/// Starts one after the other, lets it serve, and stops it at a random moment with one of the ways to.
fn stop_often(start: impl Fn() -> Start + Sync) {
    let left = AtomicU32::new(STOPS);
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Ok(round) =
                    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                {
                    stop(start(), round);
                }
            });
        }
    });
}

fn stop(start: Start, round: u32) {
    let mut group = Group::start_only(start);
    let begun = Instant::now();
    with_clients(&group, 2, |answered| {
        // Every tenth while it starts.
        let starts = round.is_multiple_of(10);
        if !starts {
            group::eventually(&group, "an answer", || (answered.load(Ordering::Relaxed) > 0).then_some(()));
            std::thread::sleep(Duration::from_micros(fastrand::u64(..60_000)));
        }
        let ways = [&[Signal::TERM][..], &[Signal::USR1], &[Signal::TERM, Signal::USR1], &[Signal::INT]];
        // What runs in the background of a script ignores SIGINT, and hands that down: until there are handlers, it is lost.
        let ways = if starts { &ways[..3] } else { &ways };
        for &signal in ways[fastrand::usize(..ways.len())] {
            group.signal(signal);
        }
        group.wait_gone(TIME_TO_STOP);
    });
    let status = group.wait();
    let said = group.said();
    // A process that has just been started has no handlers yet, and nothing to answer.
    let is_early = said.is_empty() && status.signal().is_some();
    assert!(status.success() || is_early, "{status} after {:?}:\n{said}", begun.elapsed());
    assert!(!said.contains("Traceback") && !said.contains("not by lswsgi"), "{said}");
}

/// Does `body`, which is told how many requests have been answered, while `count` clients send them until nobody listens.
fn with_clients(group: &Group, count: usize, body: impl FnOnce(&AtomicU32)) {
    /// Clients would never end if `body` panics before the group stops.
    struct Stop<'a>(&'a Group);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.kill();
            }
        }
    }
    let answered = AtomicU32::new(0);
    std::thread::scope(|scope| {
        (0..count).for_each(|_| drop(scope.spawn(|| client(group.socket(), &answered))));
        let _stop = Stop(group);
        body(&answered);
    });
}

#[test]
fn a_group_stopped_at_any_moment_answers_what_it_has_acknowledged() {
    stop_often(|| application(SOURCE, 2));
}

#[test]
fn a_worker_without_a_group_stopped_at_any_moment_answers_what_it_has_acknowledged() {
    stop_often(|| application(SOURCE, 0));
}

#[test]
fn a_signal_to_all_processes_is_one_graceful_stop() {
    for signal in [Signal::TERM, Signal::USR1, Signal::INT] {
        let mut group = Group::start(application(SOURCE, 4));
        with_clients(&group, 4, |_| {
            group::eventually(&group, "four workers", || (group.workers().len() == 4).then_some(()));
            // As `killall lswsgi` does.
            group.members().into_iter().for_each(|pid| group::send(pid, signal));
            group.wait_gone(TIME_TO_STOP);
        });
        assert_eq!(group.wait().code(), Some(0), "{signal:?}:\n{}", group.said());
        let said = group.said();
        assert!(!said.contains("not by lswsgi") && said.matches("template ready").count() == 1, "{said}");
    }
}

#[test]
fn a_connection_on_its_way_to_a_worker_is_served_before_the_group_stops() {
    // The worker imports for itself, so the connection waits for it while the stop begins.
    let source = format!("import time\ntime.sleep(.3)\n{SOURCE}");
    let mut group = Group::start(application(&source, 2).arg("--load").arg("lazy"));
    let mut connection = group.connect();
    connection.send(&RequestBuilder::get("/").encode());
    group.log("started (slot 0)");
    group.signal(Signal::TERM);
    let response = connection.response();
    assert_eq!((response.status, response.body.len()), (200, 1000), "{}", group.said());
    drop(connection);
    assert_eq!(group.wait().code(), Some(0), "{}", group.said());
    assert_eq!(group.said().matches(" started (slot ").count(), 1, "{}", group.said());
}
