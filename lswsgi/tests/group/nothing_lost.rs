//! Nothing is lost and nothing runs twice: while workers are recycled, killed, and fewer than connections.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lsapi::PacketType;
use rustix::process::Signal;

use crate::group::{self, Group, application};
use crate::pool::{Pool, tended};
use crate::traffic::{self, noting};

/// Requests after which a worker leaves.
const MAX_REQUESTS: u64 = 50;

/// A group of eight that recycles its workers all the time.
fn recycling(pause: &str) -> Group {
    let start = application(&noting(pause), 8).env("LSAPI_MAX_REQS", &MAX_REQUESTS.to_string());
    Group::start(start.env("LSAPI_MAX_IDLE_CHILDREN", "8"))
}

/// Why each worker left, as the manager has logged it.
fn reasons(group: &Group) -> HashMap<u32, String> {
    let mut reasons = HashMap::new();
    for line in group.said().lines() {
        let Some((before, reason)) = line.split_once(" left: ") else { continue };
        let pid = before.rsplit(' ').next().and_then(|pid| pid.parse().ok()).expect("a pid before 'left'");
        assert_eq!(reasons.insert(pid, reason.to_owned()), None, "{line}");
    }
    reasons
}

#[test]
fn twenty_thousand_requests_are_answered_and_run_once_while_workers_are_recycled() {
    const REQUESTS: u64 = 20_000;
    let mut group = recycling("0");
    let outcome = traffic::send(&group, |id| id < REQUESTS);
    assert_eq!(outcome.sent, REQUESTS);
    outcome.expect_all();
    group.signal(Signal::TERM);
    assert_eq!(group.wait().code(), Some(0), "{}", group.said());
    let (reasons, counts) = (reasons(&group), outcome.per_worker());
    let mut recycled = 0;
    for (worker, &count) in &counts {
        assert!(count <= MAX_REQUESTS, "worker {worker} served {count} requests");
        let reason =
            reasons.get(worker).unwrap_or_else(|| panic!("no reason for {worker}:\n{}", group.said()));
        if reason == "stop" {
            continue;
        }
        assert_eq!(*reason, format!("{count} requests served (LSAPI_MAX_REQS)"), "worker {worker}");
        recycled += 1;
    }
    // Those that were there at the end have served up to the limit each.
    let at_least = (REQUESTS - MAX_REQUESTS * (counts.len() as u64 - recycled)) / MAX_REQUESTS;
    assert!(
        recycled >= at_least && at_least > REQUESTS / MAX_REQUESTS - 20,
        "{recycled} of {}",
        counts.len()
    );
}

#[test]
fn of_fifty_workers_that_are_killed_only_the_requests_in_flight_are_lost() {
    const KILLS: usize = 50;
    let group = recycling("0.002");
    let killed = Mutex::new(HashSet::new());
    let outcome = traffic::meanwhile(
        &group,
        |_| (),
        |_| {
            while killed.lock().unwrap().len() < KILLS {
                let workers = group::eventually(&group, "a worker", || {
                    Some(group.workers()).filter(|workers| !workers.is_empty())
                });
                let worker = workers[fastrand::usize(..workers.len())];
                // The table may still have one that is being reaped.
                if killed.lock().unwrap().insert(worker) {
                    group::send(worker, Signal::KILL);
                    std::thread::sleep(Duration::from_millis(fastrand::u64(5..30)));
                }
            }
        },
    );
    let killed = killed.into_inner().unwrap();
    outcome.expect_once();
    assert!(outcome.lost.len() <= KILLS, "{:#?}", outcome.lost);
    let mut blamed = HashSet::new();
    for (id, lost) in &outcome.lost {
        let ran = outcome.ran.get(id).map(|workers| workers[0]);
        // A worker may be killed after it has taken a connection, and before it has said a word on it.
        let Some(worker) = ran.or(lost.worker) else { continue };
        assert!(killed.contains(&worker), "{worker}, which was not killed, lost {id}: {lost}");
        assert!(blamed.insert(worker), "{worker} lost more than the request in flight: {lost}");
    }
    let said = group.said();
    // Of what was killed while it was being forked nothing need be told.
    for worker in killed.iter().filter(|worker| said.contains(&format!("worker {worker} started"))) {
        // One that was leaving by itself may have ended before the signal came.
        let told = [
            format!("worker {worker} was killed by SIGKILL, not by lswsgi"),
            format!("worker {worker} left: "),
        ];
        group::eventually(&group, "told", || {
            told.iter().any(|told| group.said().contains(told)).then_some(())
        });
    }
    assert!(said.contains("was killed by SIGKILL, not by lswsgi"), "{said}");
}

#[test]
fn nothing_is_lost_when_the_template_is_killed_and_another_is_there_within_two_seconds() {
    const KILLS: usize = 10;
    let group = recycling("0.001");
    let outcome = traffic::meanwhile(
        &group,
        |_| (),
        |sent| {
            for kill in 1..=KILLS {
                group.logs(kill, "template ready");
                // Each of them has had to fork workers.
                let before = sent();
                group::eventually(&group, "more requests", || (sent() > before + 200).then_some(()));
                let template = group::eventually(&group, "a template", || group.template());
                group::send(template, Signal::KILL);
                group.logs_within(Duration::from_secs(2), kill + 1, "template ready");
            }
        },
    );
    outcome.expect_all();
    let said = group.said();
    let killed =
        said.lines().filter(|line| line.contains(": template ") && line.contains("was killed by SIGKILL"));
    assert_eq!((killed.count(), said.matches("was killed by").count()), (KILLS, KILLS), "{said}");
}

#[test]
fn more_connections_than_workers_are_all_served_in_turn() {
    let mut group = Group::start(application(&noting("0"), 4).env("LSAPI_MAX_IDLE_CHILDREN", "4"));
    let pools: Vec<Pool> = (0..16).map(|_| Pool::new(group.socket().to_owned())).collect();
    let ask = |pool: &Pool, id: usize| {
        let response = pool.get(&format!("/?{id}")).unwrap_or_else(|lost| panic!("{lost}\n{}", group.said()));
        assert_eq!(response.status, 200, "{}", group.said());
    };
    tended(&pools, || {
        for round in 0..20 {
            pools.iter().enumerate().for_each(|(number, pool)| ask(pool, round * 16 + number));
        }
        // A worker that gives a connection up stays.
        let notes = std::fs::read_to_string(group.dir().join("ids")).unwrap();
        let workers: HashSet<&str> = notes.lines().map(|line| line.split_once(' ').unwrap().1).collect();
        assert_eq!(workers.len(), 4, "{}", group.said());
        // And all at once.
        std::thread::scope(|scope| {
            for (number, pool) in pools.iter().enumerate() {
                scope.spawn(move || (20..40).for_each(|round| ask(pool, round * 16 + number)));
            }
        });
    });
    assert!(group.workers().len() <= 5, "four, and a third of that more");
    group.signal(Signal::TERM);
    assert_eq!(group.wait().code(), Some(0), "{}", group.said());
    let notes = std::fs::read_to_string(group.dir().join("ids")).unwrap();
    let mut ids: Vec<usize> =
        notes.lines().map(|line| line.split_once(' ').unwrap().0.parse().unwrap()).collect();
    ids.sort_unstable();
    assert!(ids.into_iter().eq(0..16 * 40), "each once:\n{notes}");
}

#[test]
fn a_connection_gets_a_worker_also_while_all_are_kept_busy_on_others() {
    const TOO_LONG: Duration = Duration::from_secs(6);
    let start = application(&noting("0.3"), 2).env("LSAPI_EXTRA_CHILDREN", "0");
    let group = Group::start(start);
    let (is_over, begun) = (AtomicBool::new(false), Instant::now());
    std::thread::scope(|scope| {
        for mut connection in [group.connect(), group.connect()] {
            // Each busy before the third one comes.
            assert_eq!(connection.get("/?0").status, 200);
            let is_over = &is_over;
            scope.spawn(move || {
                // The scope waits for these, also if the third is never served.
                while !is_over.load(Ordering::Relaxed) && begun.elapsed() < TOO_LONG {
                    if connection.get("/?0").packets.contains(&PacketType::ConnClose) {
                        return;
                    }
                }
            });
        }
        let response = group.connect().get("/?0");
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(response.status, 200, "{}", group.said());
        assert!(begun.elapsed() < TOO_LONG, "it waited for {:?}", begun.elapsed());
    });
}
