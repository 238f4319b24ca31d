//! Applications that run as the owners of their scripts: one for each account, or one daemon for all.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::served::{Answer, Served};
use crate::stand::{get, runs};
use crate::support::{lswsgi_for_all, serve};

/// Writes what is no packet into its connection.
const BROKEN: &str = r#"
import os

def application(environ, start_response):
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + fd).startswith("socket:"):
                os.write(int(fd), b"HTTP/1.1 200 OK\r\n\r\n")
        except OSError:
            pass
    start_response("200 OK", [])
    return []
"#;

/// Users and groups nobody else here has.
const ONE: (u32, u32) = (60_011, 60_012);
const OTHER: (u32, u32) = (60_021, 60_022);

/// Says whom it runs as, and by which processes. With a query it waits for the file that names.
const APP: &str = r#"
import os, time

def application(environ, start_response):
    wanted = environ["QUERY_STRING"]
    while wanted and not os.path.exists(wanted):
        time.sleep(0.01)
    start_response("200 OK", [("Content-Type", "text/plain")])
    groups = ",".join(str(group) for group in os.getgroups())
    return [f"{os.getuid()} {os.getgid()} {groups} {os.getsid(0)} {os.getpid()}".encode()]
"#;

/// Whom an answer was made as, and by which processes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RanAs {
    ids: (u32, u32),
    groups: String,
    started: i32,
    by: i32,
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A site with a script of each account, and one of the tester's, that everybody can reach; lswsgi too.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let site = Self(folder);
        fs::set_permissions(site.path(), Permissions::from_mode(0o755)).expect("it is ours");
        fs::create_dir(site.path().join("html")).expect("a folder in it");
        for (name, text, owner) in [
            ("one.wsgi", APP, Some(ONE)),
            ("broken.wsgi", BROKEN, Some(ONE)),
            ("other.wsgi", APP, Some(OTHER)),
            ("own.wsgi", APP, None),
        ] {
            fs::write(site.path().join("html").join(name), text).expect("a file in it");
            if let Some(owner) = owner.filter(|_| is_root()) {
                site.give(&format!("html/{name}"), owner);
            }
        }
        static BINARY: OnceLock<PathBuf> = OnceLock::new();
        fs::copy(BINARY.get_or_init(lswsgi_for_all), site.path().join("lswsgi")).expect("a copy");
        site
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Makes somebody the owner of what is at `path`.
    fn give(&self, path: &str, (uid, gid): (u32, u32)) {
        chown(self.path().join(path), Some(uid), Some(gid)).expect("root can");
    }

    /// A server for the scripts.
    fn serve(&self, args: &[&str]) -> Served {
        self.serve_command(&[&["--doc-root", "html", "--script-handler", "wsgi"], args].concat(), &[])
    }

    /// A server for what `args` lead to, with lswsgi and its arguments.
    fn serve_command(&self, args: &[&str], words: &[&str]) -> Served {
        let lswsgi = self.path().join("lswsgi");
        let command = ["--", lswsgi.to_str().expect("a path in UTF-8")];
        serve(self.path(), &[args, &command, words].concat())
    }

    /// The options of the daemon form, and the file of its secret.
    fn daemon(&self) -> [&'static str; 4] {
        let secret = self.path().join("secret");
        fs::write(&secret, "0123456789abcdef").expect("a file");
        fs::set_permissions(&secret, Permissions::from_mode(0o600)).expect("it is ours");
        ["--suexec", "daemon", "--suexec-secret", "secret"]
    }
}

fn ran_as(answer: &Answer) -> Option<RanAs> {
    let text = std::str::from_utf8(&answer.body).ok().filter(|_| answer.status == 200)?;
    let words: Vec<&str> = text.split(' ').collect();
    let [uid, gid, groups, started, by] = words[..] else { return None };
    Some(RanAs {
        ids: (uid.parse().ok()?, gid.parse().ok()?),
        groups: groups.to_owned(),
        started: started.parse().ok()?,
        by: by.parse().ok()?,
    })
}

fn asked(served: &Served, script: &str) -> RanAs {
    let answer = served.get(script);
    ran_as(&answer).unwrap_or_else(|| panic!("{answer:?}: {}", served.stderr()))
}

/// A request that waits for the file `until`.
fn waiting(served: &Served, script: &str, until: &Path) -> JoinHandle<RanAs> {
    let (address, target) = (served.address, format!("{script}?{}", until.display()));
    std::thread::spawn(move || {
        let answer = get(address, &target);
        ran_as(&answer).unwrap_or_else(|| panic!("{answer:?}"))
    })
}

/// Requests that come together.
fn at_once(served: &Served, script: &str, count: usize) -> Vec<RanAs> {
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..count).map(|_| scope.spawn(|| asked(served, script))).collect();
        all.into_iter().map(|one| one.join().expect("an answer")).collect()
    })
}

/// Whom everything runs as that runs as nobody else.
fn own() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

fn eventually(what: &str, seen: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !seen() {
        assert!(Instant::now() < limit, "never came: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Processes that run as a user.
fn of_user(served: &Served, uid: u32) -> usize {
    let status = |pid: i32| fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let runs_as = |pid: i32| {
        let status = status(pid);
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default().to_owned();
        line.split_whitespace().next() == Some(uid.to_string().as_str())
    };
    served.processes().iter().filter(|process| !process.is_zombie() && runs_as(process.pid)).count()
}

#[test]
fn each_account_has_an_application_with_its_share_of_processes() {
    if !is_root() {
        return everything_runs_as_the_server(&["--suexec", "account", "--env", "LSAPI_CHILDREN=1"]);
    }
    // A process for each connection; or a group, which asks for more than an account may have.
    for (more, others) in [(&[][..], 0), (&["--env", "LSAPI_CHILDREN=9"][..], 2)] {
        let site = Site::new();
        let served = site.serve(&[&["--suexec", "account", "--suexec-max-conns", "2"], more].concat());
        assert!(at_once(&served, "/one.wsgi", 8).iter().all(|answer| answer.ids == ONE));
        if others > 0 {
            let started = served.stderr().matches(", uid 60011, gid 60012: process ").count();
            assert_eq!(started, 1, "requests that come together make one application: {}", served.stderr());
        }
        let (one, other) = (asked(&served, "/one.wsgi"), asked(&served, "/other.wsgi"));
        assert_eq!((one.ids, one.groups.as_str()), (ONE, "60012"));
        assert_eq!((other.ids, other.groups.as_str()), (OTHER, "60022"));
        assert_ne!(one.started, other.started);

        // One account has all it may have, and more requests wait.
        let gate = site.path().join("gate");
        let slow: Vec<_> = (0..6).map(|_| waiting(&served, "/one.wsgi", &gate)).collect();
        eventually("two busy processes", || of_user(&served, ONE.0) == 2 + others);
        assert_eq!(asked(&served, "/other.wsgi").ids, OTHER, "the other is not held up");
        fs::write(&gate, "").expect("a file");
        let mut by: Vec<i32> = slow.into_iter().map(|one| one.join().expect("an answer").by).collect();
        by.sort_unstable();
        by.dedup();
        assert!(by.len() <= 2, "{by:?}");
        // A graceful restart keeps what is detached, and the rest is started anew under the same users.
        served.signal(rustix::process::Signal::USR1);
        served.says("the old configuration has served its last request");
        let next = asked(&served, "/one.wsgi");
        assert_eq!((next.ids, next.started == one.started), (ONE, others > 0), "{}", served.stderr());
        let log = served.stop();
        assert!(log.contains(", uid 60011, gid 60012: process "), "{log}");
        assert!(!runs(one.started) && !runs(other.started));
    }
}

#[test]
fn two_groups_of_one_user_are_two_accounts() {
    if !is_root() {
        eprintln!("only root can run applications as others");
        return;
    }
    let site = Site::new();
    let regrouped = (ONE.0, OTHER.1);
    site.give("html/other.wsgi", regrouped);
    // Detached, as an application is: it would be found again by where it listens.
    let served = site.serve(&["--suexec", "account", "--env", "LSAPI_CHILDREN=1"]);
    let (one, other) = (asked(&served, "/one.wsgi"), asked(&served, "/other.wsgi"));
    assert_eq!((one.ids, other.ids), (ONE, regrouped));
    assert_ne!(one.started, other.started);
    served.stop();
}

#[test]
fn an_account_has_the_groups_the_system_knows_of_it_if_the_group_is_its_own() {
    let nobody =
        nix::unistd::User::from_name("nobody").expect("users can be looked up").expect("nobody is one");
    let (uid, gid) = (nobody.uid.as_raw(), nobody.gid.as_raw());
    if !is_root() || uid < 11 || gid < 10 {
        eprintln!("only root can run applications as others, and only as users that are no system users");
        return;
    }
    let name = std::ffi::CString::new(nobody.name).expect("a name");
    let mut known: Vec<u32> = nix::unistd::getgrouplist(&name, nobody.gid)
        .expect("groups can be looked up")
        .into_iter()
        .map(nix::unistd::Gid::as_raw)
        .collect();
    known.sort_unstable();
    let site = Site::new();
    site.give("html/one.wsgi", (uid, gid));
    site.give("html/other.wsgi", (uid, OTHER.1));
    let served = site.serve(&["--suexec", "account"]);
    let (primary, regrouped) = (asked(&served, "/one.wsgi"), asked(&served, "/other.wsgi"));
    let mut groups: Vec<u32> =
        primary.groups.split(',').map(|group| group.parse().expect("a group")).collect();
    groups.sort_unstable();
    assert_eq!((primary.ids, groups), ((uid, gid), known));
    assert_eq!((regrouped.ids, regrouped.groups.as_str()), ((uid, OTHER.1), "60022"));
    served.stop();
}

#[test]
fn of_contexts_the_startup_file_and_the_document_root_tell_the_account() {
    let site = Site::new();
    fs::write(site.path().join("app.wsgi"), APP).expect("a file");
    if is_root() {
        site.give("app.wsgi", OTHER);
        site.give("html", ONE);
    }
    let script = site.path().join("app.wsgi");
    let words = ["-m", script.to_str().expect("a path in UTF-8")];
    for (args, owner) in [
        (&["--doc-root", "html", "--lsapi-context", "/"][..], ONE),
        (&["--doc-root", "html", "--wsgi-context", "/"][..], OTHER),
    ] {
        let served =
            site.serve_command(&[args, &["--suexec", "account", "--suexec-max-conns", "2"]].concat(), &words);
        let answers = at_once(&served, "/", 6);
        let expected = if is_root() { owner } else { own() };
        assert!(answers.iter().all(|answer| answer.ids == expected), "{args:?}: {answers:?}");
        let mut by: Vec<i32> = answers.iter().map(|answer| answer.by).collect();
        by.sort_unstable();
        by.dedup();
        assert!(!is_root() || by.len() <= 2, "{args:?}: {answers:?}");
        served.stop();
    }
}

#[test]
fn what_a_system_user_owns_runs_as_the_servers_user() {
    let args = ["--suexec", "account", "--env", "LSAPI_CHILDREN=1"];
    if !is_root() {
        return everything_runs_as_the_server(&args);
    }
    let site = Site::new();
    let served = site.serve(&args);
    for _ in 0..2 {
        assert_eq!(asked(&served, "/own.wsgi").ids, own());
    }
    let log = served.stop();
    assert_eq!(log.matches("is below minUID 11").count(), 1, "{log}");
}

/// Whoever is not root can become nobody else, and is told so once.
fn everything_runs_as_the_server(args: &[&str]) {
    let site = Site::new();
    site.daemon();
    let served = site.serve(args);
    served.says("suEXEC takes root");
    for script in ["/one.wsgi", "/other.wsgi", "/own.wsgi"] {
        assert_eq!(asked(&served, script).ids, own());
    }
    let log = served.stop();
    assert_eq!(log.matches("suEXEC takes root").count(), 1, "{log}");
}

#[test]
fn one_daemon_serves_each_account_on_connections_of_its_own() {
    let site = Site::new();
    let args = [&site.daemon()[..], &["--suexec-max-conns", "2"]].concat();
    if !is_root() {
        return everything_runs_as_the_server(&args);
    }
    let served = site.serve(&args);
    let gate = site.path().join("gate");
    for _ in 0..3 {
        let (one, other) = (asked(&served, "/one.wsgi"), asked(&served, "/other.wsgi"));
        assert_eq!((one.ids, other.ids), (ONE, OTHER));
        assert_ne!(one.by, other.by, "a process for each connection");
    }
    // No connection of one account is another's, and none has more than its share.
    let slow: Vec<_> = (0..4).map(|_| waiting(&served, "/one.wsgi", &gate)).collect();
    eventually("two busy processes", || of_user(&served, ONE.0) == 2);
    assert_eq!(asked(&served, "/other.wsgi").ids, OTHER);
    fs::write(&gate, "").expect("a file");
    assert!(slow.into_iter().all(|one| one.join().expect("an answer").ids == ONE));
    // One that breaks the protocol until it has no connection left does not take the others' processes with it.
    let other = asked(&served, "/other.wsgi");
    // Connections that have served a request before are not held against it, and there may be two of those.
    for _ in 0..2 {
        assert_eq!(served.get("/broken.wsgi").status, 503);
    }
    served.says("uid 60011, gid 60012: no connection is left");
    assert_eq!(asked(&served, "/other.wsgi"), other);
    // What root owns is not signed for anybody: the daemon takes its default user.
    assert_ne!(asked(&served, "/own.wsgi").ids.0, 0);
    let log = served.stop();
    assert_eq!(log.matches("is below minUID 11").count(), 1, "{log}");
    assert_eq!(log.matches(" started\n").count(), 1, "one daemon for all: {log}");
    assert!(!runs(other.by));
}
