//! Load from programs everybody has: more clients than connections, for as long as a leak takes to show.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::served::Served;
use crate::support::{folder, lswsgi, serve};

/// Clients at a time.
const CLIENTS: usize = 64;

/// Connections to the application, and processes in its group.
const CONNECTIONS: usize = 8;

/// What a process may grow by while it works, in KiB: a cache, fragments. A leak of one request's head in a hundred would
/// be more.
const GROWTH: u64 = 4096;

/// Whether `program` is there. Where it has to be, there is no way on without it.
fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdin(Stdio::null()).output().is_ok();
    if !found {
        let what = format!("no {program} to test with: install it with apt-get install {program}");
        assert!(std::env::var_os("CI").is_none(), "{what}");
        eprintln!("SKIPPED: {what}");
    }
    found
}

fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().expect("it is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// lswsgi with eight processes, and a connection for each.
fn group(folder: &Path, more: &[&str]) -> Served {
    let (conns, children) = (CONNECTIONS.to_string(), format!("LSAPI_CHILDREN={CONNECTIONS}"));
    let args = ["--max-conns", &conns, "--env", &children];
    let served = serve(folder, &[&args, more, &["--", lswsgi(), "-m", "app.wsgi"]].concat());
    served.says("template ready");
    served
}

const HELLO: &str = r#"
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
    return [b"hello\n"]
"#;

/// What wrk saw in `seconds`: nothing but answers, and how many.
fn wrk(served: &Served, seconds: u32, more: &[&str]) -> u64 {
    let (clients, time) = (format!("-c{CLIENTS}"), format!("-d{seconds}s"));
    let url = format!("http://{}/", served.address);
    let report =
        run("wrk", &[&["-t2", &clients, &time, "--timeout", "10s", "--latency"], more, &[&url]].concat());
    for line in ["Socket errors", "Non-2xx"] {
        assert!(!report.contains(line), "{report}{}", served.stderr());
    }
    // The slowest of a hundred: "     99%   55.43ms".
    let slow = report.lines().find_map(|line| line.trim().strip_prefix("99%")).map(str::trim);
    let slow = slow.unwrap_or_else(|| panic!("no latencies: {report}"));
    assert!(slow.ends_with("us") || slow.ends_with("ms") || slow.starts_with("1."), "{report}");
    let requests = report.lines().find_map(|line| line.trim().split_once(" requests in "));
    let requests = requests.and_then(|(number, _)| number.parse().ok());
    eprintln!("{report}");
    requests.unwrap_or_else(|| panic!("no number of requests: {report}"))
}

/// Descriptors and memory (KiB) of the processes that stay, by what they are. A manager has a descriptor for each worker,
/// which does not count.
fn measure(served: &Served) -> HashMap<String, (usize, u64)> {
    let mut found = HashMap::new();
    let mut workers = 0;
    let pids = served.processes().into_iter().map(|process| process.pid);
    for pid in std::iter::once(served.pid()).chain(pids) {
        let title = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let name = if title.contains("lswsgi: worker") {
            workers += 1;
            continue;
        } else if title.contains("lswsgi: manager") {
            "manager".to_owned()
        } else if title.contains("lswsgi: template") {
            "template".to_owned()
        } else {
            format!("mock-lsws {pid}")
        };
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("it is ours").count();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        found.insert(name, (descriptors, memory.and_then(|memory| memory.parse().ok()).expect("VmRSS")));
    }
    if let Some((descriptors, _)) = found.get_mut("manager") {
        *descriptors = descriptors.saturating_sub(workers);
    }
    found
}

/// Measures once all connections are closed: the same descriptors as in `before`, if there is one.
fn idle(served: &Served, before: Option<&HashMap<String, (usize, u64)>>) -> HashMap<String, (usize, u64)> {
    let limit = Instant::now() + Duration::from_secs(30);
    let mut last = HashMap::new();
    loop {
        let now = measure(served);
        let descriptors = |all: &HashMap<String, (usize, u64)>| -> HashMap<String, usize> {
            all.iter().map(|(name, (descriptors, _))| (name.clone(), *descriptors)).collect()
        };
        // Without a measurement to compare with: when nothing has changed for longer than connections are kept.
        let is_idle = before.map_or(descriptors(&last) == descriptors(&now), |before| {
            descriptors(before) == descriptors(&now)
        });
        if is_idle {
            return now;
        }
        assert!(
            Instant::now() < limit,
            "descriptors do not go back: {before:?}, now {now:?}: {}",
            served.stderr()
        );
        last = now;
        std::thread::sleep(Duration::from_secs(3));
    }
}

#[test]
fn sixty_four_clients_for_twenty_seconds_see_no_error_and_leave_nothing() {
    if !(is_installed("curl") && is_installed("wrk")) {
        return;
    }
    let folder = folder(&[("app.wsgi", HELLO)]);
    // Idle connections go soon, so that what stays is what has leaked.
    let args = ["--pc-keep-alive-timeout", "1", "--keep-alive-timeout", "1", "--access-log", "access.log"];
    let served = group(folder.path(), &args);
    assert_eq!(run("curl", &["-sS", &format!("http://{}/", served.address)]), "hello\n");
    let mut all = 1 + wrk(&served, 2, &["-H", "Connection: close"]) + wrk(&served, 2, &[]);
    let before = idle(&served, None);
    let requests = wrk(&served, 20, &[]);
    all += requests;
    let after = idle(&served, Some(&before));
    assert!(requests > 2000, "{requests}");
    for (name, (_, memory)) in &after {
        let (_, first) = before[name];
        assert!(
            *memory < first + GROWTH,
            "{name}: {first} KiB before, {memory} KiB after: {before:?} {after:?}"
        );
    }
    eprintln!("descriptors and KiB before {before:?}, after {after:?}");
    let log = fs::read_to_string(folder.path().join("access.log")).expect("the access log");
    let whole = log.lines().filter(|line| line.contains(" 200 6 ")).count();
    assert!(whole as u64 >= all, "{whole} of {all} requests are in the log");
    // The last field is how often the application was sent the request. None was sent again.
    let again = log.lines().find(|line| !(line.ends_with(" 1") || line.ends_with(" 0")));
    assert_eq!(again, None);
    // When its time is over wrk leaves: a request of each client, three times, and no other may be without its answer.
    let cut = log.lines().count() - whole;
    assert!(cut <= 3 * CLIENTS, "{cut} requests without an answer");
    served.stop();
}

const SLOW: &str = r#"
import os, time

def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()}\n".encode()]
"#;

#[test]
fn clients_beyond_the_connections_wait_their_turn() {
    if !is_installed("curl") {
        return;
    }
    let folder = folder(&[("app.wsgi", SLOW)]);
    let served = group(folder.path(), &[]);
    let mut args = vec!["-sS".to_owned(), "--fail".to_owned(), "--no-progress-meter".to_owned()];
    args.extend(
        ["--parallel", "--parallel-immediate", "--parallel-max", &CLIENTS.to_string()].map(str::to_owned),
    );
    let mut url = String::new();
    let _ = write!(url, "http://{}/?[1-{CLIENTS}]", served.address);
    args.extend([url, "-w".to_owned(), "%{stderr}%{time_total}\n".to_owned()]);
    let start = Instant::now();
    let output = Command::new("curl").args(&args).output().expect("it is installed");
    let time = start.elapsed();
    let (pids, times) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{times}{}", served.stderr());
    assert_eq!(pids.lines().count(), CLIENTS, "{pids}");
    let workers: HashSet<_> = pids.lines().collect();
    assert!(workers.len() <= CONNECTIONS, "{workers:?}");
    // Eight at a time take eight rounds. Whoever came last has waited for the others, and nobody for more than all.
    let round = Duration::from_millis(100);
    let rounds = u32::try_from(CLIENTS / CONNECTIONS).expect("eight");
    assert!(time >= round * rounds, "{time:?}: more than {CONNECTIONS} at a time");
    let slowest = times.lines().filter_map(|time| time.parse().ok()).fold(0.0, f64::max);
    assert!(
        slowest >= (round * (rounds - 2)).as_secs_f64() && slowest <= time.as_secs_f64(),
        "{slowest} {time:?}"
    );
    served.stop();
}
