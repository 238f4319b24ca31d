//! What only shows beside a suEXEC daemon's answers: whom its processes run as, and what of the daemon they still have.
//!
//! Takes root, and no Python: one that cannot be reached by other users is an error page, served by the same process. The
//! answers themselves are the scenarios' to check.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use lsapi::RequestBuilder;
use md5::{Digest as _, Md5};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, capabilities, remove_capability_from_bounding_set,
    set_capabilities, set_capabilities_secure_bits,
};

use crate::support::{Connection, Event, PATIENCE, Response, Start, Worker};

const SECRET: &[u8; 16] = b"dont look at me!";

/// A user and group nobody else here has.
const SOMEBODY: (u32, u32) = (60_011, 60_012);

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("nothing to check: only root can run as others");
    }
    is_root
}

fn with_secret(start: Start, mode: u32) -> Start {
    let path = start.dir().join("secret");
    fs::write(&path, SECRET).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    start.env("LSAPI_SECRET", path.to_str().unwrap())
}

fn daemon(start: Start) -> (Worker, PathBuf) {
    with_secret(start, 0o600).listening()
}

/// A daemon that has from whoever starts it what `prepare` gives to a thread.
fn daemon_after(start: Start, prepare: fn()) -> (Worker, PathBuf) {
    let starting = std::thread::spawn(move || {
        prepare();
        daemon(start)
    });
    starting.join().unwrap()
}

/// A request for a script that is not there, signed for a user.
fn signed(whom: (u32, u32)) -> Vec<u8> {
    sign(RequestBuilder::get("/"), whom)
}

fn sign(request: RequestBuilder, (uid, gid): (u32, u32)) -> Vec<u8> {
    let ugid = [uid.to_ne_bytes(), gid.to_ne_bytes()].concat();
    let digest = Md5::digest([b"0123456789abcdef", &SECRET[..], &ugid].concat());
    let auth = [b"0123456789abcdef", digest.as_slice()].concat();
    let request = request.env("SCRIPT_FILENAME", "/nowhere/app.py");
    request.special_env(b"\0SUEXEC_UGID", &ugid).special_env(b"\0SUEXEC_AUTH", &auth).encode()
}

/// Opens a connection. Returns it with the process that serves it.
fn connect(path: &Path) -> (Connection, i32) {
    let mut connection = Connection::to(path);
    let mut said = Response::default();
    connection.next(&mut said);
    (connection, said.notice.expect("a PID notice"))
}

/// A line of `/proc/PID/status`, as words.
fn status(pid: i32, name: &str) -> Vec<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.split_whitespace().map(str::to_owned).collect()
}

/// Where the descriptors of a process lead, but for the standard ones.
fn descriptors(pid: i32) -> Vec<String> {
    let folder = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let others = folder.filter(|entry| !["0", "1", "2"].iter().any(|number| entry.file_name() == *number));
    others.map(|entry| fs::read_link(entry.path()).unwrap().to_string_lossy().into_owned()).collect()
}

/// Whether the secret is anywhere in the memory of a process that it can write to.
fn knows_secret(pid: i32) -> bool {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    maps.lines().filter(|line| line.contains(" rw")).any(|line| {
        let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let [start, end] = [start, end].map(|number| u64::from_str_radix(number, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        let count = memory.read_at(&mut bytes, start).unwrap_or(0);
        bytes[..count].windows(SECRET.len()).any(|window| window == SECRET)
    })
}

/// Waits until a process is a user's.
fn wait_until_user(pid: i32, uid: u32) {
    let deadline = Instant::now() + PATIENCE;
    while status(pid, "Uid") != vec![uid.to_string(); 4] {
        assert!(Instant::now() < deadline, "it is still {:?}", status(pid, "Uid"));
        std::thread::yield_now();
    }
}

/// Waits until a process is gone.
fn wait_gone(pid: i32) {
    let deadline = Instant::now() + PATIENCE;
    while Path::new(&format!("/proc/{pid}")).exists() {
        assert!(Instant::now() < deadline, "process {pid} is still there");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_process_of_a_connection_is_the_users_for_good_and_has_nothing_of_the_daemon() {
    if !is_root() {
        return;
    }
    let (worker, path) = daemon(Start::scripts());
    let daemon = i32::try_from(worker.pid()).unwrap();
    assert!(knows_secret(daemon), "the search finds it where it is");
    let (mut connection, pid) = connect(&path);
    // Until a request has come whole, and whatever of it has: no file, no listening socket, and root's.
    let request = signed(SOMEBODY);
    let (begin, rest) = request.split_at(request.len() - 1);
    connection.send(begin);
    assert_eq!(status(pid, "Uid"), ["0"; 4]);
    let open = descriptors(pid);
    assert!(
        open.iter().all(|target| target.starts_with("socket:") || target.contains("eventfd")),
        "{open:?}"
    );
    let listener = |target: &&String| descriptors(daemon).contains(target);
    assert_eq!(open.iter().filter(listener).filter(|target| target.starts_with("socket:")).count(), 0);
    connection.send(rest);
    assert!(connection.response().status >= 400);
    let line = worker.wait_log("serving a connection as uid 60011, gid 60012");
    assert!(line.contains(&format!("[{pid}]")), "{line}");
    drop(connection);
    worker.wait_log(&format!("process {pid} of uid 60011 "));
}

#[test]
fn a_process_that_serves_a_user_is_that_user_and_knows_no_secret() {
    if !is_root() {
        return;
    }
    // Capabilities a change of user does not take away.
    let (worker, path) = daemon_after(Start::scripts(), || {
        let mut sets = capabilities(None).unwrap();
        sets.inheritable = sets.permitted;
        set_capabilities(None, sets).unwrap();
        set_capabilities_secure_bits(CapabilitiesSecureBits::NO_SETUID_FIXUP).unwrap();
    });
    // What Python does when it starts takes a moment, and is the user's doing already.
    let (mut connection, pid) = connect(&path);
    connection.send(&signed(SOMEBODY));
    worker.wait_log("serving a connection as uid 60011, gid 60012");
    wait_until_user(pid, SOMEBODY.0);
    // With NO_SETUID_FIXUP they go a moment later.
    let deadline = Instant::now() + PATIENCE;
    while status(pid, "CapEff") != ["0000000000000000"] {
        assert!(Instant::now() < deadline, "it still has {:?}", status(pid, "CapEff"));
        std::thread::yield_now();
    }
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid).unwrap(),
        rustix::process::Signal::STOP,
    )
    .unwrap();
    assert_eq!(
        (status(pid, "Gid"), status(pid, "Groups")),
        (vec!["60012".to_owned(); 4], vec!["60012".to_owned()])
    );
    for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        assert_eq!(status(pid, set), ["0000000000000000"], "{set}");
    }
    // A terminal root has started the daemon from is not its own, so it cannot type there.
    assert_eq!(status(pid, "NSsid").first(), Some(&pid.to_string()));
    assert!(!knows_secret(pid));
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    worker.wait_log(&format!("process {pid} of uid 60011 was killed by SIGKILL, not by lswsgi"));
}

#[test]
fn a_process_that_cannot_become_the_user_serves_nothing() {
    if !is_root() {
        return;
    }
    let cases: [(fn(), &str); 2] = [
        (
            || remove_capability_from_bounding_set(CapabilitySet::SETGID).unwrap(),
            "cannot take the user's group",
        ),
        (|| remove_capability_from_bounding_set(CapabilitySet::SETUID).unwrap(), "cannot become the user"),
    ];
    for (prepare, why) in cases {
        let (worker, path) = daemon_after(Start::scripts(), prepare);
        let (mut connection, pid) = connect(&path);
        connection.send(&signed(SOMEBODY));
        connection.expect_end();
        worker.wait_log(why);
        worker.wait_log(&format!("process {pid} of uid 0 "));
    }
}

#[test]
fn a_user_has_the_groups_the_system_knows_of_it() {
    if !is_root() {
        return;
    }
    let mut start = Start::scripts();
    let may_mount =
        Command::new("unshare").args(["-m", "mount", "--bind", "/etc/hosts", "/etc/group"]).output();
    if !may_mount.is_ok_and(|output| output.status.success()) {
        eprintln!("nothing to check: the list of groups cannot be another for a process of ours");
        return;
    }
    let nobody = nix::unistd::User::from_name("nobody").unwrap().expect("a system has a user nobody");
    let groups = start.dir().join("group");
    fs::write(&groups, "here:x:60013:nobody\nelsewhere:x:60014:daemon\nthere:x:60015:daemon,nobody\n")
        .unwrap();
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", "mount --bind \"$0\" /etc/group && exec \"$@\""]);
    command.arg(&groups).arg(start.command.get_program()).env_clear().env("PATH", "/bin:/usr/bin");
    start.command = command;
    let (worker, path) = daemon(start);
    let (mut connection, pid) = connect(&path);
    connection.send(&signed((nobody.uid.as_raw(), 60_012)));
    worker.wait_log(&format!("serving a connection as uid {}, gid 60012", nobody.uid));
    wait_until_user(pid, nobody.uid.as_raw());
    let mut groups = status(pid, "Groups");
    groups.sort();
    assert_eq!(groups, ["60012", "60013", "60015"]);
}

#[test]
fn a_hundred_processes_are_enough_and_the_next_connection_waits_for_one_to_end() {
    if !is_root() {
        return;
    }
    let (worker, path) = daemon(Start::scripts().env("LSAPI_CHILDREN", "2"));
    let mut all: Vec<_> = (0..100).map(|_| connect(&path)).collect();
    worker.wait_log("all 100 processes are there; further connections wait (LSAPI_CHILDREN)");
    let waiting = Connection::to(&path);
    let _more = [Connection::to(&path), Connection::to(&path)];
    let last = std::thread::spawn(move || {
        let (mut waiting, mut said) = (waiting, Response::default());
        waiting.next(&mut said);
        said.notice.expect("a PID notice")
    });
    let (first, pid) = all.remove(0);
    drop(first);
    let last = last.join().unwrap();
    let log = worker.wait_log(&format!("process {pid} of uid 0 has left"));
    assert!(all.iter().all(|(_, pid)| *pid != last), "{log}");
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", worker.pid())).unwrap();
    assert!(children.split_whitespace().count() <= 100, "{children}");
}

#[test]
fn what_comes_in_slices_and_with_the_next_request_is_served_whole() {
    if !is_root() {
        return;
    }
    let (worker, path) = daemon(Start::scripts());
    let (mut connection, pid) = connect(&path);
    let mut bytes = sign(RequestBuilder::get("/").header("X-Long", "x".repeat(60_000)), SOMEBODY);
    // Not signed: whose the process is has been decided.
    bytes.extend(RequestBuilder::get("/next").env("SCRIPT_FILENAME", "/nowhere/app.py").encode());
    for slice in bytes.chunks(20_000) {
        connection.send(slice);
    }
    let statuses = [connection.response().status, connection.response().status];
    assert!(statuses.iter().all(|&status| status >= 400), "{statuses:?}");
    connection.finish();
    worker.wait_log(&format!("process {pid} of uid 60011 "));
}

#[test]
fn what_is_no_request_ends_its_connection_before_anybody_is_served() {
    if !is_root() {
        return;
    }
    let (worker, path) = daemon(Start::scripts());
    let request = signed(SOMEBODY);
    for first in [&b"GET / HTTP/1.0\r\n\r\n"[..], &lsapi::ABORT_REQUEST, &request[..request.len() / 2], &[]] {
        let (mut connection, pid) = connect(&path);
        connection.send(first);
        connection.finish();
        let mut said = Response::default();
        while connection.next(&mut said) != Event::End {}
        assert!(!said.names().contains(&"RESP_HEADER"), "{said:?}");
        worker.wait_log(&format!("process {pid} of uid 0 has left"));
    }
}

#[test]
fn a_connection_without_a_request_is_not_kept_by_a_process_of_roots() {
    if !is_root() {
        return;
    }
    let (worker, path) = daemon(Start::scripts().env("LSWSGI_HEADER_TIMEOUT", "1"));
    let (mut connection, pid) = connect(&path);
    let mut said = Response::default();
    while connection.next(&mut said) != Event::End {}
    assert_eq!(said.names(), ["CONN_CLOSE"]);
    wait_gone(pid);
    worker.wait_log("no request came for the header timeout");
}

#[test]
fn a_request_that_comes_byte_by_byte_does_not_keep_a_process_of_roots() {
    if !is_root() {
        return;
    }
    let (worker, path) = daemon(Start::scripts().env("LSWSGI_HEADER_TIMEOUT", "1"));
    let (mut connection, pid) = connect(&path);
    let request = signed(SOMEBODY);
    let begun = Instant::now();
    // Never silent for as long as that.
    for byte in request.chunks(1).take_while(|_| Path::new(&format!("/proc/{pid}")).exists()) {
        connection.send_until_closed(byte);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    wait_gone(pid);
    worker.wait_log(&format!("process {pid} of uid 0 has left"));
}

#[test]
fn a_stop_ends_the_processes_and_then_the_daemon() {
    if !is_root() {
        return;
    }
    let (mut worker, path) = daemon(Start::scripts());
    let (mut connection, pid) = connect(&path);
    worker.signal("TERM");
    let mut said = Response::default();
    assert_eq!(connection.next(&mut said), Event::Packet(lsapi::PacketType::ConnClose));
    drop(connection);
    assert_eq!(worker.wait().code(), Some(0));
    wait_gone(pid);
}

#[test]
fn whatever_ends_a_process_the_daemon_sees_it_and_those_that_end_later() {
    if !is_root() {
        return;
    }
    let (mut worker, path) = daemon(Start::scripts());
    // Real-time signals have no names.
    for signal in ["44", "11", "9"] {
        let (_connection, pid) = connect(&path);
        assert!(Command::new("kill").args(["-s", signal, &pid.to_string()]).status().unwrap().success());
        worker.wait_log(&format!("process {pid} of uid 0 "));
        wait_gone(pid);
    }
    worker.signal("TERM");
    assert_eq!(worker.wait().code(), Some(0));
}

#[test]
fn a_connection_whose_end_was_announced_to_the_server_has_one_request_and_no_second_announcement() {
    if !is_root() {
        return;
    }
    let (worker, path) = daemon(Start::scripts());
    for with_body in [false, true] {
        let (mut connection, pid) = connect(&path);
        let request = signed(SOMEBODY);
        let rest = if with_body {
            let (begin, rest) = request.split_at(10);
            connection.send(begin);
            rest
        } else {
            &request[..]
        };
        assert!(Command::new("kill").args(["-s", "TERM", &pid.to_string()]).status().unwrap().success());
        if !with_body {
            let mut said = Response::default();
            assert_eq!(connection.next(&mut said), Event::Packet(lsapi::PacketType::ConnClose));
        }
        connection.send(rest);
        let mut said = Response::default();
        while connection.next(&mut said) != Event::End {}
        let closes = said.names().iter().filter(|name| **name == "CONN_CLOSE").count();
        assert_eq!(closes, usize::from(with_body), "{said:?}");
        worker.wait_log(&format!("process {pid} of uid "));
    }
}

#[test]
fn users_cannot_read_what_is_typed_where_root_has_started_the_daemon() {
    if !is_root() {
        return;
    }
    let start = with_secret(Start::scripts(), 0o600);
    let path = start.dir().join("own.sock");
    let mut start = start.arg("--address").arg(path.to_str().unwrap());
    start.command.stdin(File::open("/etc/passwd").unwrap());
    let worker = start.spawn();
    worker.wait_log("serving the scripts");
    let (_connection, pid) = connect(&path);
    assert_eq!(fs::read_link(format!("/proc/{pid}/fd/0")).unwrap(), Path::new("/dev/null"));
}

#[test]
fn new_log_files_are_for_the_processes_to_open() {
    if !is_root() {
        return;
    }
    let logs = tempfile::tempdir().unwrap();
    fs::set_permissions(logs.path(), Permissions::from_mode(0o777)).unwrap();
    let current = logs.path().join("access.log");
    let (worker, path) = daemon(Start::scripts().env("LSWSGI_ACCESS_LOG", current.to_str().unwrap()));
    let (mut connection, _) = connect(&path);
    connection.send(&signed(SOMEBODY));
    assert!(connection.response().status >= 400);
    let wait = |path: &Path| {
        let deadline = Instant::now() + PATIENCE;
        while !path.metadata().is_ok_and(|there| there.len() > 0) {
            assert!(Instant::now() < deadline, "nothing in {}: {}", path.display(), worker.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    wait(&current);
    fs::rename(&current, logs.path().join("old")).unwrap();
    worker.signal("USR2");
    let deadline = Instant::now() + PATIENCE;
    // It goes there at the next line at the latest, once the daemon has passed the signal on.
    while !current.exists() {
        assert!(Instant::now() < deadline, "no new file: {}", worker.log());
        connection.send(&signed(SOMEBODY));
        assert!(connection.response().status >= 400);
    }
}

#[test]
fn processes_do_not_outlive_the_daemon() {
    if !is_root() {
        return;
    }
    let (mut worker, path) = daemon(Start::scripts());
    let (_connection, pid) = connect(&path);
    worker.signal("KILL");
    worker.wait();
    wait_gone(pid);
}

#[test]
fn what_is_not_fit_for_a_daemon_of_roots_is_refused_before_anything_is_served() {
    if !is_root() {
        return;
    }
    let (mut open, _connection) = with_secret(Start::scripts(), 0o600).connected();
    assert_eq!(open.wait().code(), Some(15));
    assert!(open.log().contains("suEXEC takes a listening socket"), "{}", open.log());
}
