//! What an application process gets.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use mock_lsws::{
    AppCommand, AppLog, AppProcess, DEFAULT_BACKLOG, Exit, LaunchError, Listener, Resource, Signal,
    StartError, Step, User, socketpair,
};

use crate::support::{block_on, line_of, runs, shell, spawner};

/// Writes down everything a process can see of itself. Signals are those `grep` inherited: the shell blocks its own for
/// moments. The `end` at the end tells that it is whole.
const FACTS: &str = r#"exec >&2
echo argv0 $(tr '\0' '\n' < /proc/$$/cmdline | head -n 1)
for n in /proc/$$/fd/*; do echo fd ${n##*/} $(readlink $n); done
echo fdinfo2 $(grep ^flags: /proc/$$/fdinfo/2)
grep '^Sig\|^Shd' /proc/self/status
set -- $(cut -d ' ' -f 1,5,6 /proc/$$/stat)
echo pid $1
echo pgid $2
echo sid $3
echo cwd $(readlink /proc/$$/cwd)
echo umask $(umask)
echo limit $(grep '^Max open files' /proc/$$/limits)
echo nice $(cut -d ' ' -f 19 /proc/$$/stat)
tr '\0' '\n' < /proc/$$/environ | sed 's/^/env /'
echo end
"#;

struct Facts(Vec<String>);

impl Facts {
    /// Starts a shell that writes down its facts, under the spawner or without, and waits for them.
    fn of(command: impl Fn(AppCommand) -> AppCommand, input: OwnedFd, under_spawner: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        fs::write(&log, "kept\n").unwrap();
        let command = command(shell(FACTS)).log(AppLog::Append(log.clone()));
        let exit = block_on(async {
            if under_spawner {
                let spawner = spawner().await;
                let app = spawner.spawn(&command, input).await.unwrap();
                app.wait().await.unwrap()
            } else {
                AppProcess::spawn(&command, input).unwrap().wait().await.unwrap()
            }
        });
        let text = fs::read_to_string(&log).unwrap();
        assert_eq!(exit, Exit::Code(0), "{text}");
        assert!(text.starts_with("kept\n") && text.ends_with("end\n"), "{text}");
        Self(text.lines().map(str::to_owned).collect())
    }

    fn all(&self, start: &str) -> Vec<&str> {
        self.0.iter().filter_map(|line| line.strip_prefix(start)?.strip_prefix(' ')).collect()
    }

    fn one(&self, start: &str) -> &str {
        let [fact] = self.all(start)[..] else { panic!("{start} in {:?}", self.0) };
        fact
    }

    /// The mask after `name:` in the process status.
    fn signals(&self, name: &str) -> u64 {
        let line = self.0.iter().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim_start_matches([':', '\t']).trim(), 16).unwrap()
    }
}

fn listening(dir: &Path) -> (Listener, OwnedFd) {
    let listener = Listener::unix(&dir.join("app.sock"), DEFAULT_BACKLOG).unwrap();
    let copy = listener.share().unwrap();
    (listener, copy)
}

#[test]
fn both_forms_start_an_application_as_the_real_server_does() {
    let dir = tempfile::tempdir().unwrap();
    for (form, under_spawner) in [("worker", false), ("worker", true), ("group", false), ("group", true)] {
        let (_keep_pair, _keep_listener, input) = if form == "worker" {
            let (app_end, ours) = socketpair().unwrap();
            (Some(ours), None, app_end)
        } else {
            let (listener, input) = listening(dir.path());
            (None, Some(listener), input)
        };
        let facts = Facts::of(|command| command.env("Z", "1").env("A", "x=y"), input, under_spawner);

        // Descriptors: 0 and 1 sockets, 2 the log, and nothing else but what the shell opened for the loop itself.
        let fds = facts.all("fd");
        assert!(fds[0].starts_with("0 socket:") && fds[1].contains("log"), "{form}: {fds:?}");
        assert_eq!(facts.one("argv0"), "/bin/sh");
        // The new session.
        assert_eq!((facts.one("pid"), facts.one("pid")), (facts.one("pgid"), facts.one("sid")), "{form}");
        // Only SIGPIPE, number 13, is ignored, and nothing is blocked or pending.
        assert_eq!(facts.signals("SigIgn"), 1 << 12, "{form}");
        assert_eq!(facts.signals("SigBlk") | facts.signals("SigPnd") | facts.signals("ShdPnd"), 0, "{form}");
        assert_eq!(facts.one("umask"), "0022");
        assert_eq!(facts.one("cwd"), fs::canonicalize("/bin").unwrap().to_str().unwrap());
        // O_APPEND is 02000, and it is open for writing only.
        let flags = facts.one("fdinfo2").split_whitespace().last().unwrap().to_owned();
        let flags = u32::from_str_radix(&flags, 8).unwrap();
        assert_eq!((flags & 0o2000, flags & 3), (0o2000, 1), "{form}");
        // The environment, in order and not inherited.
        let padding = "LSAPI_PADDING=leave_some_room_to_avoid_overwrite_important_env";
        assert_eq!(facts.all("env"), [padding, "Z=1", "A=x=y", "PATH=/bin:/usr/bin"], "{form}");
    }
}

#[test]
fn no_descriptor_but_the_three_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    // Open in this process and without close-on-exec: what a careless parent would pass on.
    let (leak, _other) = std::io::pipe().unwrap();
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    for under_spawner in [false, true] {
        let _ = fs::remove_file(&log);
        // `ls` opens the folder itself, as 3; exec keeps the shell out of it.
        let command = AppCommand::new("/bin/sh")
            .args(["-c", "exec ls /proc/self/fd >&2"])
            .log(AppLog::Append(log.clone()));
        let (input, _ours) = socketpair().unwrap();
        block_on(async {
            if under_spawner {
                let spawner = spawner().await;
                let app = spawner.spawn(&command, input).await.unwrap();
                assert!(app.wait().await.unwrap().success());
            } else {
                assert!(AppProcess::spawn(&command, input).unwrap().wait().await.unwrap().success());
            }
        });
        let fds: Vec<_> = fs::read_to_string(&log).unwrap().split_whitespace().map(str::to_owned).collect();
        assert_eq!(fds, ["0", "1", "2", "3"]);
    }
}

#[test]
fn descriptor_0_can_be_closed() {
    let (input, _ours) = socketpair().unwrap();
    let command = AppCommand::new("/bin/sh").args(["-c", "! test -e /proc/$$/fd/0"]).closed_input();
    let exit = block_on(async { AppProcess::spawn(&command, input).unwrap().wait().await.unwrap() });
    assert_eq!(exit, Exit::Code(0));
}

#[test]
fn writing_to_standard_output_fails_and_does_not_kill() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let (input, _ours) = socketpair().unwrap();
    let command = shell("cat /proc/self/comm; echo status $? >&2").log(AppLog::Append(log.clone()));
    block_on(async { AppProcess::spawn(&command, input).unwrap().wait().await.unwrap() });
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("Broken pipe") && text.contains("status 1"), "{text}");
}

#[test]
fn directory_umask_priority_and_limits_are_as_configured() {
    let dir = tempfile::tempdir().unwrap();
    let here = fs::canonicalize(dir.path()).unwrap();
    let (input, _ours) = socketpair().unwrap();
    let command = |command: AppCommand| {
        let command = command.directory(&here).umask(0o077).nice(7);
        command.limit(Resource::Nofile, Some(64), Some(64))
    };
    let facts = Facts::of(command, input, true);
    assert_eq!((facts.one("cwd"), facts.one("umask")), (here.to_str().unwrap(), "0077"));
    assert_eq!(facts.one("nice"), "7");
    assert!(facts.one("limit").starts_with("Max open files 64 64"), "{}", facts.one("limit"));
}

#[test]
fn settings_of_the_server_in_the_environment_are_followed_and_kept_back() {
    let dir = tempfile::tempdir().unwrap();
    let here = fs::canonicalize(dir.path()).unwrap();
    let log = here.join("other-log");
    let (input, _ours) = socketpair().unwrap();
    let command = shell("env >&2; pwd >&2").env("LS_CWD", &here).env("LS_STDERR_LOG", &log).env("X", "1");
    block_on(async { AppProcess::spawn(&command, input).unwrap().wait().await.unwrap() });
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("X=1\n") && !text.contains("LS_CWD") && !text.contains("LS_STDERR"), "{text}");
    assert!(text.ends_with(&format!("{}\n", here.display())), "{text}");
}

#[test]
fn root_starts_applications_as_other_users() {
    if !rustix::process::geteuid().is_root() {
        // Without root the step fails, and says that it takes root.
        let user = User { uid: 0, gid: 0, groups: vec![0] };
        let error = start_error(&shell("true").user(user));
        assert_eq!(error.step, Step::User, "{error}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let log = dir.path().join("log");
    let user = User { uid: 65534, gid: 65534, groups: vec![65534] };
    let (input, _ours) = socketpair().unwrap();
    let command = shell("grep -E '^(Uid|Gid|Groups|Cap(Inh|Prm|Eff|Amb)):' /proc/self/status >&2")
        .log(AppLog::Append(log.clone()))
        .user(user);
    block_on(async { AppProcess::spawn(&command, input).unwrap().wait().await.unwrap() });
    let text = fs::read_to_string(&log).unwrap();
    let facts: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let nobody = ["65534"; 4];
    assert_eq!(facts[0][1..], nobody, "real, effective, saved and file system user: {text}");
    assert_eq!(facts[1][1..], nobody, "and group: {text}");
    assert_eq!(facts[2], ["Groups:", "65534"]);
    assert_eq!(facts.len(), 7, "{text}");
    for privileges in &facts[3..] {
        assert_eq!(privileges[1], "0000000000000000", "no privilege is left: {text}");
    }
}

fn start_error(command: &AppCommand) -> LaunchError {
    let (input, _ours) = socketpair().unwrap();
    let direct = block_on(async { AppProcess::spawn(command, input).map(|_| ()) });
    let (input, _ours) = socketpair().unwrap();
    let spawned = block_on(async { spawner().await.spawn(command, input).await.map(|_| ()) });
    match (direct, spawned) {
        (Err(StartError::Launch(direct)), Err(StartError::Launch(spawned))) => {
            assert_eq!(direct, spawned);
            direct
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn failures_before_the_binary_runs_name_the_step_and_the_cause() {
    let dir = tempfile::tempdir().unwrap();
    let missing = start_error(&AppCommand::new(dir.path().join("no-app")));
    assert!(
        missing.is_not_found() && missing.to_string().contains("no-app: cannot be executed"),
        "{missing}"
    );

    let file = dir.path().join("plain-file");
    fs::write(&file, "").unwrap();
    let error = start_error(&AppCommand::new(&file));
    assert_eq!(error.step, Step::Exec);
    assert!(error.to_string().contains("execute permission"), "{error}");

    let error = start_error(&shell("true").directory(dir.path().join("no-dir")));
    assert_eq!(error.step, Step::Directory);
    assert!(error.to_string().contains("no-dir"), "{error}");

    assert_eq!(start_error(&shell("true").arg("a\0b")).step, Step::Text);
    assert_eq!(start_error(&shell("true").env("K", "a\0b")).step, Step::Text);
}

#[test]
fn commands_that_no_server_would_start_are_refused() {
    let (input, _ours) = socketpair().unwrap();
    let error = block_on(async { AppProcess::spawn(&AppCommand::new("sh"), input).unwrap_err() });
    assert!(error.to_string().contains("absolute path"), "{error}");
    let (input, _ours) = socketpair().unwrap();
    let command = shell("true").log(AppLog::Append("/nowhere/log".into()));
    let error = block_on(async { AppProcess::spawn(&command, input).unwrap_err() });
    assert!(error.to_string().contains("/nowhere/log"), "{error}");
}

#[test]
fn the_end_of_a_process_is_told_again_and_again() {
    let (input, _ours) = socketpair().unwrap();
    block_on(async {
        let mut app = AppProcess::spawn(&shell("exit 9"), input).unwrap();
        assert_eq!(app.wait().await.unwrap(), Exit::Code(9));
        assert_eq!(app.wait().await.unwrap(), Exit::Code(9));
        assert_eq!(app.try_wait().unwrap(), Some(Exit::Code(9)));
        assert!(app.signal(Signal::TERM).is_err(), "it has ended");
    });
}

#[test]
fn signals_reach_a_process_and_show_in_its_end() {
    let (input, _ours) = socketpair().unwrap();
    block_on(async {
        let mut app = AppProcess::spawn(&shell("exec sleep 600"), input).unwrap();
        assert_eq!(app.try_wait().unwrap(), None);
        app.signal(Signal::TERM).unwrap();
        assert_eq!(app.wait().await.unwrap(), Exit::Signal { signal: 15, core: false });
    });
}

#[test]
fn dropping_a_process_ends_its_whole_session() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let (input, _ours) = socketpair().unwrap();
    block_on(async {
        let script = "sleep 600 & echo child $! >&2; wait";
        let app = AppProcess::spawn(&shell(script).log(AppLog::Append(log.clone())), input).unwrap();
        let child: i32 = line_of(&log, "child ").parse().unwrap();
        assert!(runs(child) && runs(app.pid()));
        let pid = app.pid();
        drop(app);
        assert!(mock_lsws::ProcessInfo::of(pid).is_none(), "ended and reaped");
        crate::support::eventually("the end of its child", || (!runs(child)).then_some(()));
    });
}
