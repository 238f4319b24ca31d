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
        for (name, owner) in [("one.wsgi", Some(ONE)), ("other.wsgi", Some(OTHER)), ("own.wsgi", None)] {
            let script = site.path().join("html").join(name);
            fs::write(&script, APP).expect("a file in it");
            if let Some((uid, gid)) = owner.filter(|_| is_root()) {
                chown(&script, Some(uid), Some(gid)).expect("root can");
            }
        }
        static BINARY: OnceLock<PathBuf> = OnceLock::new();
        fs::copy(BINARY.get_or_init(lswsgi_for_all), site.path().join("lswsgi")).expect("a copy");
        site
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn serve(&self, args: &[&str]) -> Served {
        let lswsgi = self.path().join("lswsgi");
        let site = ["--doc-root", "html", "--script-handler", "wsgi"];
        let command = ["--", lswsgi.to_str().expect("a path in UTF-8")];
        serve(self.path(), &[&site[..], args, &command].concat())
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
        eprintln!("only root can run applications as others");
        return;
    }
    // A process for each connection; or a group, which asks for more than an account may have.
    for (more, others) in [(&[][..], 0), (&["--env", "LSAPI_CHILDREN=9"][..], 2)] {
        let site = Site::new();
        let served = site.serve(&[&["--suexec", "account", "--suexec-max-conns", "2"], more].concat());
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
    chown(site.path().join("html/other.wsgi"), Some(regrouped.0), Some(regrouped.1)).expect("root can");
    // Detached, as an application is: it would be found again by where it listens.
    let served = site.serve(&["--suexec", "account", "--env", "LSAPI_CHILDREN=1"]);
    let (one, other) = (asked(&served, "/one.wsgi"), asked(&served, "/other.wsgi"));
    assert_eq!((one.ids, other.ids), (ONE, regrouped));
    assert_ne!(one.started, other.started);
    served.stop();
}

#[test]
fn what_a_system_user_owns_runs_as_the_servers_user() {
    let site = Site::new();
    let served = site.serve(&["--suexec", "account", "--env", "LSAPI_CHILDREN=1"]);
    let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    for _ in 0..2 {
        assert_eq!(asked(&served, "/own.wsgi").ids, own);
    }
    if is_root() {
        let log = served.stop();
        assert_eq!(log.matches("is below minUID 11").count(), 1, "{log}");
    } else {
        // Nobody else can become somebody else, and is told so once.
        assert_eq!(asked(&served, "/one.wsgi").ids, own);
        let log = served.stop();
        assert_eq!(log.matches("suEXEC takes root").count(), 1, "{log}");
    }
}

#[test]
fn one_daemon_serves_each_account_on_connections_of_its_own() {
    let site = Site::new();
    fs::write(site.path().join("secret"), "0123456789abcdef").expect("a file");
    fs::set_permissions(site.path().join("secret"), Permissions::from_mode(0o600)).expect("it is ours");
    if !is_root() {
        eprintln!("only root can start a suEXEC daemon");
        return;
    }
    let served = site.serve(&["--suexec", "daemon", "--suexec-secret", "secret", "--suexec-max-conns", "2"]);
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
    // What root owns is not signed for anybody: the daemon takes its default user.
    assert_ne!(asked(&served, "/own.wsgi").ids.0, 0);
    let last = asked(&served, "/one.wsgi").by;
    let log = served.stop();
    assert_eq!(log.matches(" started\n").count(), 1, "one daemon for all: {log}");
    assert!(!runs(last));
}
