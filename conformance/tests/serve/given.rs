//! What the server gives to an application it starts: descriptors, environment, limits, signals, ids, session, directory
//! (lsapi 4.1), as the application itself finds it; as root, and as a user who is not.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::served::Served;
use crate::support::{folder, lswsgi, mock_lsws, serve};

/// Prints what it was given into a file, section by section, and ends. Descriptor 3 is its own.
const PROBE: &str = r#"
exec 3>"$1.part"
printf '\n== descriptors\n' >&3
# In a shell of its own: a redirection of this one would show.
(ls -l "/proc/$$/fd" >&3)
# By itself: a shell that starts something blocks its signals for that moment.
printf '\n== status\n' >&3
while IFS= read -r line; do
    printf '%s\n' "$line" >&3
done < "/proc/$$/status"
for file in environ cmdline limits stat fdinfo/0 fdinfo/2; do
    printf '\n== %s\n' "$file" >&3
    cat "/proc/$$/$file" >&3
done
printf '\n== directory\n%s' "$(readlink "/proc/$$/cwd")" >&3
printf '\n== umask\n%s' "$(umask)" >&3
printf '\n== network\n' >&3
cat /proc/net/unix /proc/net/tcp >&3
echo test || printf '\n== written\n%s' "$?" >&3
echo said >&2
mv "$1.part" "$1"
"#;

/// The user tests are run as where they may not be root's.
const NOBODY: u32 = 65534;

/// Who runs the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Whoever runs the test.
    Myself,
    /// Nobody in particular; only root can ask for that.
    Nobody,
}

/// Everybody who can be.
fn everybody() -> Vec<Who> {
    if is_root() { vec![Who::Myself, Who::Nobody] } else { vec![Who::Myself] }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A folder that the probe, a program of its own name, and all users can use.
struct Stand {
    folder: tempfile::TempDir,
    who: Who,
}

/// What the probe was given.
#[derive(Debug)]
struct Given(HashMap<String, String>);

impl Stand {
    fn new(who: Who) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stand = Self { folder, who };
        let shared = fs::Permissions::from_mode(0o777);
        fs::set_permissions(stand.path(), shared.clone()).expect("it is ours");
        for name in ["bin", "out", "run", "temporary"] {
            let folder = stand.path().join(name);
            fs::create_dir(&folder).expect("a folder in it");
            fs::set_permissions(&folder, shared.clone()).expect("it is ours");
        }
        // Reachable for everybody, wherever the programs were built.
        fs::copy(mock_lsws(), stand.path().join("bin/mock-lsws")).expect("a copy of the program");
        fs::copy("/bin/sh", stand.path().join("bin/probe")).expect("a copy of the shell");
        stand
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn join(&self, path: &str) -> String {
        self.path().join(path).to_str().expect("a path in UTF-8").to_owned()
    }

    /// The user the server runs as.
    fn uid(&self) -> u32 {
        if self.who == Who::Nobody { NOBODY } else { rustix::process::geteuid().as_raw() }
    }

    /// Starts the server with the probe as its application, asks it, and returns what the probe found.
    fn given(&self, args: &[&str]) -> Given {
        let out = self.path().join("out/given");
        let _ = fs::remove_file(&out);
        let program = self.join("bin/mock-lsws");
        let mut command = match self.who {
            Who::Myself => Command::new(program),
            Who::Nobody => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(program);
                command
            }
        };
        command.current_dir(self.path()).env("LANG", "C").env("INHERITED", "1");
        let words = self.words();
        let words: Vec<&str> = std::iter::once("--").chain(words.iter().map(String::as_str)).collect();
        let all = [&["--real-cwd", "--init-timeout", "0.5"], args, &words].concat();
        let served = Served::start(command, &all);
        // It is no LSAPI application; what it answers is not the question.
        let client = std::thread::scope(|scope| {
            let asked = scope.spawn(|| served.get("/").status);
            let limit = Instant::now() + Duration::from_secs(60);
            while !out.exists() {
                assert!(Instant::now() < limit, "the probe was never started: {}", served.stderr());
                std::thread::sleep(Duration::from_millis(5));
            }
            asked.join().expect("an answer")
        });
        assert_eq!(client, 503, "{}", served.stderr());
        let bytes = fs::read(&out).expect("it is there");
        served.stop();
        Given::parse(&String::from_utf8_lossy(&bytes))
    }

    /// The command.
    fn words(&self) -> [String; 5] {
        [self.join("bin/probe"), "-c".into(), PROBE.into(), "probe".into(), self.join("out/given")]
    }

    /// As [`given`](Self::given), for an application at a listening socket.
    fn given_with(&self, args: &[&str]) -> Given {
        self.given(&[&["--lsapi-context", "/", "--env", "LSAPI_CHILDREN=2"], args].concat())
    }
}

impl Given {
    fn parse(text: &str) -> Self {
        let sections = text.split("\n== ").skip(1).map(|section| {
            let (name, rest) = section.split_once('\n').expect("a section has a name");
            (name.to_owned(), rest.to_owned())
        });
        Self(sections.collect())
    }

    fn section(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    /// The parts of a section that end with NUL.
    fn strings(&self, name: &str) -> Vec<&str> {
        self.section(name).trim_end_matches('\n').split_terminator('\0').collect()
    }

    /// A line of `/proc/PID/status`.
    fn status(&self, key: &str) -> &str {
        let line = self.section("status").lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {key}")).trim()
    }

    /// A set of signals of `/proc/PID/status`.
    fn signals(&self, key: &str) -> u64 {
        u64::from_str_radix(self.status(key), 16).expect("a mask")
    }

    /// Fields of `/proc/PID/stat` behind the name, from the third on.
    fn stat(&self, field: usize) -> i64 {
        let (_, rest) = self.section("stat").rsplit_once(") ").expect("a name in parentheses");
        rest.split_whitespace().nth(field - 3).and_then(|value| value.parse().ok()).expect("a number")
    }

    /// The soft and the hard limit of this name.
    fn limit(&self, name: &str) -> (&str, &str) {
        let line = self.section("limits").lines().find_map(|line| line.strip_prefix(name)).expect("a limit");
        let mut words = line.split_whitespace();
        (words.next().expect("a soft limit"), words.next().expect("a hard limit"))
    }

    /// The descriptors it has open, its own not among them.
    fn descriptors(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = self.links().map(|(fd, _)| fd).filter(|fd| *fd != 3).collect();
        numbers.sort_unstable();
        numbers
    }

    /// What they lead to: `... 0 -> socket:[123]`.
    fn links(&self) -> impl Iterator<Item = (u32, &str)> {
        self.section("descriptors").lines().filter_map(|line| {
            let (start, target) = line.split_once(" -> ")?;
            Some((start.rsplit(' ').next()?.parse().ok()?, target))
        })
    }

    /// What a descriptor leads to.
    fn link(&self, fd: u32) -> &str {
        let found = self.links().find(|(number, _)| *number == fd);
        found.map(|(_, target)| target).unwrap_or_else(|| panic!("no descriptor {fd}: {self:?}"))
    }

    /// Flags of a descriptor, as `open` has them.
    fn flags(&self, fd: u32) -> u32 {
        let text = self.section(&format!("fdinfo/{fd}"));
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:")).expect("flags");
        u32::from_str_radix(flags.trim(), 8).expect("an octal number")
    }

    /// The line of the kernel's tables about the socket that is its descriptor 0.
    fn socket(&self) -> Vec<&str> {
        let link = self.link(0);
        let inode = link.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')).expect("a socket");
        let is_it = |words: &Vec<&str>| words.contains(&inode);
        let lines = self.section("network").lines().map(|line| line.split_whitespace().collect());
        lines.into_iter().find(is_it).unwrap_or_else(|| panic!("no {link} in {}", self.section("network")))
    }
}

/// Bit 16 of the flags in the table of Unix sockets: it listens.
const LISTENS: &str = "00010000";

const PADDING: &str = "LSAPI_PADDING=leave_some_room_to_avoid_overwrite_important_env";

const SIGPIPE: u64 = 1 << 12;

#[test]
fn points_1_to_4_a_generic_application_at_a_listening_socket() {
    for who in everybody() {
        let stand = Stand::new(who);
        let socket = stand.join("run/app.sock");
        // Somebody's socket is in the way: it stays, and another name is taken.
        drop(UnixListener::bind(&socket).expect("a socket"));
        let address = ["--address", &socket, "--run-on-start-up", "0"];
        let given =
            stand.given_with(&[&address[..], &["--env", "Z=1", "--env", "A=b c", "--env", "E="]].concat());

        // Point 1: descriptor 0.
        let line = given.socket();
        assert_eq!(line[3], LISTENS, "{line:?}");
        let suffix = line[7].strip_prefix(&socket).unwrap_or_else(|| panic!("{line:?}"));
        assert!(suffix.len() == 4 && suffix[1..].parse::<u16>().is_ok(), "{suffix}");
        assert_eq!(given.flags(0), 0o2, "blocking, and open for reading and writing");
        assert!(Path::new(&socket).exists(), "what was there stays");
        assert!(!Path::new(line[7]).exists(), "its own is gone with the server");
        // Point 2: the others.
        assert_eq!(given.descriptors(), [0, 1, 2]);
        assert!(given.link(1).starts_with("socket:"), "{}", given.link(1));
        assert_ne!(given.section("written"), "0", "nobody reads what it writes there");
        // Point 3: words and directory.
        assert_eq!(given.strings("cmdline"), stand.words());
        assert_eq!(given.section("directory"), stand.join("bin"));
        // Point 4: session, signals, umask, priority, limits, ids.
        let pid: i64 = given.status("Pid").parse().expect("a number");
        assert_eq!([given.stat(5), given.stat(6)], [pid, pid], "process group and session");
        assert_eq!((given.signals("SigIgn"), given.signals("SigBlk")), (SIGPIPE, 0));
        assert_eq!(given.section("umask"), "0022");
        let own = rustix::process::getpriority_process(None).expect("a priority");
        assert_eq!(given.stat(19), i64::from((own + 1).min(19)));
        let uid = stand.uid();
        assert_eq!(given.status("Uid"), [uid.to_string().as_str(); 4].join("\t"));
        // Environment: in order, and nothing inherited.
        let expected = [PADDING, "LSAPI_CHILDREN=2", "Z=1", "A=b c", "E=", "PATH=/bin:/usr/bin"];
        assert_eq!(given.strings("environ"), expected);
    }
}

#[test]
fn point_1_a_detached_one_gets_the_path_and_is_told_so() {
    for who in everybody() {
        let stand = Stand::new(who);
        let socket = stand.join("run/app.sock");
        drop(UnixListener::bind(&socket).expect("a socket"));
        let given = stand.given_with(&["--address", &socket, "--ext-max-idle-time", "90"]);
        assert_eq!(given.socket()[7], socket);
        assert!(!Path::new(&socket).exists(), "it goes with the server unless it is kept");
        let detached = ["LSAPI_PPID_NO_CHECK=1", "LSAPI_PGRP_MAX_IDLE=90", "LSAPI_KEEP_LISTEN=2"];
        let first = [PADDING, "LSAPI_CHILDREN=2", "PATH=/bin:/usr/bin"];
        assert_eq!(given.strings("environ"), [&first[..], &detached].concat());
        assert!(fs::read_dir(stand.path().join("run")).expect("a folder").next().is_none());
    }
}

#[test]
fn point_1_over_tcp_and_as_one_connection() {
    for who in everybody() {
        let stand = Stand::new(who);
        let given = stand.given_with(&["--address", "127.0.0.1:0"]);
        let line = given.socket();
        assert!(line[1].starts_with("0100007F:") && line[3] == "0A", "it listens at 127.0.0.1: {line:?}");
        let given = stand.given(&["--lsapi-context", "/"]);
        let line = given.socket();
        // Connected (03), and without a path.
        assert_eq!((line[3], line[5], line.len()), ("00000000", "03", 7), "{line:?}");
        assert_eq!(given.flags(0), 0o2);
        assert_eq!(given.descriptors(), [0, 1, 2]);
    }
}

#[test]
fn point_4_umask_priority_and_limits_are_as_configured() {
    for who in everybody() {
        let stand = Stand::new(who);
        let process = ["--umask", "027", "--priority", "7", "--max-conns", "10"];
        let limits = ["--proc-soft-limit", "20", "--proc-hard-limit", "4000", "--mem-soft-limit", "700M"];
        let given = stand.given_with(&[&process[..], &limits].concat());
        assert_eq!(given.section("umask"), "0027");
        let own = rustix::process::getpriority_process(None).expect("a priority");
        assert_eq!(given.stat(19), i64::from(own.max(7)));
        // Three times maxConns and 50 are the least.
        assert_eq!(given.limit("Max processes"), ("80", "4000"));
        let memory = (700_u64 << 20).to_string();
        assert_eq!(given.limit("Max address space"), (memory.as_str(), memory.as_str()));
        let cpu = given.limit("Max cpu time");
        assert_eq!(cpu, ("unlimited", "unlimited"));
        // Never below the server's own.
        let given = stand.given_with(&["--priority", "-20"]);
        assert_eq!(given.stat(19), i64::from(own));
    }
}

#[test]
fn points_2_and_3_directory_and_log_of_the_environment() {
    for who in everybody() {
        let stand = Stand::new(who);
        let (directory, log) = (format!("LS_CWD={}", stand.join("run")), stand.join("out/stderr.log"));
        fs::write(&log, "before\n").expect("a file");
        fs::set_permissions(&log, fs::Permissions::from_mode(0o666)).expect("it is ours");
        let log_file = format!("LS_STDERR_LOG={log}");
        let env = ["--env", &directory, "--env", &log_file, "--env", "LS_NS=1"];
        let given = stand.given_with(&[&env[..], &["--run-on-start-up", "1"]].concat());
        assert_eq!(given.section("directory"), stand.join("run"));
        assert_eq!(given.link(2), log);
        // O_APPEND and O_WRONLY; O_LARGEFILE is the kernel's.
        assert_eq!(given.flags(2) & !0o100_000, 0o2001);
        assert_eq!(given.strings("environ"), [PADDING, "LSAPI_CHILDREN=2", "PATH=/bin:/usr/bin"]);
        let text = fs::read_to_string(&log).expect("it is there");
        assert!(text.starts_with("before\n") && text.contains("said\n"), "{text}");
        // One that is not there is made, with mode 0644.
        let made = stand.join("out/new.log");
        let env = format!("LS_STDERR_LOG={made}");
        stand.given_with(&["--env", &env, "--umask", "000"]);
        let found = fs::metadata(&made).expect("it is made");
        assert_eq!((found.mode() & 0o777, found.uid()), (0o644, stand.uid()));
    }
}

#[test]
fn point_4_another_user_with_its_groups() {
    if !is_root() {
        eprintln!("only root can start applications as other users");
        return;
    }
    let stand = Stand::new(Who::Myself);
    let log = PathBuf::from(stand.join("out/root.log"));
    fs::write(&log, "").expect("a file");
    let env = format!("LS_STDERR_LOG={}", log.display());
    let user = ["--ext-user", "65534", "--env", &env];
    let given = stand.given_with(&user);
    assert_eq!(given.status("Uid"), ["65534"; 4].join("\t"));
    let group = given.status("Gid").split('\t').next().expect("a group").to_owned();
    // Its primary group: those of its account; another: that alone.
    assert!(given.status("Groups").split(' ').any(|one| one == group), "{}", given.status("Groups"));
    assert_eq!(fs::metadata(&log).expect("it is there").uid(), NOBODY, "the log was given to it");
    assert_eq!(given.link(2), log.to_str().expect("a path in UTF-8"));
    let given = stand.given_with(&["--ext-user", "65534", "--ext-group", "4242"]);
    assert_eq!((given.status("Gid"), given.status("Groups")), (["4242"; 4].join("\t").as_str(), "4242"));

    // Bit 7 is CAP_SETUID.
    let may = |given: &Given| given.signals("CapBnd") >> 7 & 1;
    assert_eq!(may(&given), may_switch());
    assert_eq!(may(&stand.given_with(&["--no-ext-app-setuid"])), 0);
}

/// Whether this process has `CAP_SETUID` in its bounding set: a container may have taken it.
fn may_switch() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the kernel tells");
    let set = status.lines().find_map(|line| line.strip_prefix("CapBnd:")).expect("a set");
    u64::from_str_radix(set.trim(), 16).expect("a mask") >> 7 & 1
}

#[test]
fn point_3_a_wsgi_context_as_the_real_server_starts_it() {
    for who in everybody() {
        let stand = Stand::new(who);
        let given = stand.given(&["--max-conns", "7", "--env", "DJANGO=x"]);
        let folder = stand.path().display();
        let expected = [
            "DJANGO=x",
            &format!("WSGI_ROOT={folder}/"),
            &format!("PYTHONPATH=.:{folder}/"),
            &format!("HOME={folder}"),
            "WSGI_ENV=production",
            "LSAPI_CHILDREN=7",
            "LSAPI_KEEP_LISTEN=2",
            "LSAPI_PPID_NO_CHECK=1",
            "LSAPI_PGRP_MAX_IDLE=300",
            PADDING,
            "LSAPI_MAX_IDLE=60",
            "PATH=/bin:/usr/bin",
        ];
        assert_eq!(given.strings("environ"), expected);
        assert_eq!(given.socket()[3], LISTENS);
        let own = rustix::process::getpriority_process(None).expect("a priority");
        assert_eq!(given.stat(19), i64::from(own.max(3)));
    }
}

/// Prints what of it an application in Python can see. LC_CTYPE is Python's own.
const APP: &str = r#"
import os, resource, sys

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    print("printed", flush=True)
    print("complained", file=sys.stderr, flush=True)
    mask = os.umask(0)
    os.umask(mask)
    seen = {
        "session": os.getsid(0),
        "nice": os.nice(0),
        "umask": oct(mask),
        "uid": os.getuid(),
        "memory": resource.getrlimit(resource.RLIMIT_AS),
        "environ": " ".join(sorted(name for name in os.environ if name != "LC_CTYPE")),
        "root": os.environ["WSGI_ROOT"],
        "mode": os.environ["WSGI_ENV"],
        "home": os.environ["HOME"],
    }
    return ["".join(f"{name}={value}\n" for name, value in seen.items()).encode()]
"#;

#[test]
fn points_1_to_4_lswsgi_finds_what_the_real_server_gives() {
    let site = folder(&[("app.wsgi", APP)]);
    let socket = site.path().join("app.sock");
    drop(UnixListener::bind(&socket).expect("a socket"));
    let script = site.path().join("app.wsgi");
    let log = site.path().join("stderr.log");
    let log_file = format!("LS_STDERR_LOG={}", log.display());
    let args = ["--real-cwd", "--run-on-start-up", "1", "--umask", "027", "--priority", "9", "--env", "A=1"];
    let more = ["--env", &log_file, "--mem-soft-limit", "3G", "--mem-hard-limit", "4G"];
    let address = ["--address", socket.to_str().expect("a path in UTF-8")];
    let command = ["--", lswsgi(), "-m", script.to_str().expect("a path in UTF-8")];
    let served = serve(site.path(), &[&args[..], &more, &address, &command].concat());
    let answer = served.get("/");
    let seen: HashMap<&str, &str> = answer.text().lines().filter_map(|line| line.split_once('=')).collect();
    let own = rustix::process::getpriority_process(None).expect("a priority");
    let folder = site.path().to_str().expect("a path in UTF-8");
    for (name, expected) in [
        ("nice", own.max(9).to_string()),
        ("umask", "0o27".to_owned()),
        ("uid", rustix::process::geteuid().as_raw().to_string()),
        ("root", format!("{folder}/")),
        ("memory", format!("({}, {})", 3_u64 << 30, 4_u64 << 30)),
        ("mode", "production".to_owned()),
        ("home", folder.to_owned()),
        // Its own settings are not the application's.
        ("environ", "A HOME PATH PYTHONPATH WSGI_ENV WSGI_ROOT".to_owned()),
    ] {
        assert_eq!(seen.get(name).copied(), Some(expected.as_str()), "{name}: {answer:?}");
    }
    // The process that was started leads the session, and has the socket that was made beside the one in the way.
    let pid = seen["session"];
    let table = fs::read_to_string("/proc/net/unix").expect("the kernel tells");
    let listening: Vec<&str> = table.lines().filter(|line| line.contains(LISTENS)).collect();
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").flatten();
    let links = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok()?.to_str().map(str::to_owned));
    let inodes = links.filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()));
    let path = format!("{}.", socket.display());
    let listens = |inode: String| {
        listening.iter().any(|line| line.contains(&format!(" {inode} ")) && line.contains(&path))
    };
    assert!(inodes.into_iter().any(listens), "no socket at {path}NNN: {listening:?}");
    let said = served.stop();
    assert!(said.contains(&format!("process {pid} started")), "{said}");
    // Its standard output leads nowhere, so lswsgi sends what is printed where errors go.
    let logged = fs::read_to_string(&log).expect("it was made");
    for text in ["printed", "complained", "lswsgi 0."] {
        assert!(logged.contains(text) && !said.contains(text), "{text}: {logged}{said}");
    }
    let left: Vec<_> =
        fs::read_dir(site.path()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert!(
        left.iter().all(|name| ["app.wsgi", "app.sock", "stderr.log", "__pycache__"]
            .iter()
            .any(|known| name == known)),
        "{left:?}"
    );
}
