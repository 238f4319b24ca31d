//! How a subject gets to run: its user, its files, its place when it runs already.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mock_lsws::{DEFAULT_BACKLOG, Listener};

use crate::support::{self, Run, folder, scenario};

const GET: &str = "[[step]]\nrequest = {}\nexpect = { body = \"Hello, World!\\n\" }\n";

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A folder that nobody but its owner can enter, in one that everybody can.
fn closed_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    folder
}

fn write_program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

/// A run of one case against the subject in `file`, with scenarios that have no probes.
fn run_get(file: &Path, args: &[&str]) -> Run {
    let cases = folder(&[("get", &scenario("worker", "hello", GET))]);
    let paths = ["--subject", file.to_str().unwrap(), "--scenarios", cases.path().to_str().unwrap()];
    support::run([&["run"], &paths[..], args].concat())
}

#[test]
fn a_subject_runs_as_nobody_when_the_runner_is_root() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("id.toml");
    let script = "echo uid $(id -u), groups $(id -G) >&2; exit 3";
    fs::write(&file, format!("name = 'id'\ncommand = ['sh', '-c', '{script}']\n[roles]\nhello = {{}}\n"))
        .unwrap();
    let id = |option| {
        let name = if is_root() { &["nobody"][..] } else { &[] };
        let output = Command::new("id").arg(option).args(name).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let run = run_get(&file, &[]);
    assert_eq!(run.code, Some(5), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains(&format!("uid {}, groups {}\n", id("-u"), id("-G"))), "{}", run.stderr);

    let run = run_get(&file, &["--user", "self"]);
    assert!(run.stderr.contains(&format!("uid {},", rustix::process::geteuid().as_raw())), "{}", run.stderr);

    if !is_root() {
        let run = run_get(&file, &["--user", "root"]);
        assert_eq!(run.code, Some(5));
        assert!(run.stderr.contains("only root can run a subject as `root`"), "{}", run.stderr);
    }
}

/// A subject in a closed folder that tells where it and its files are, then leaves.
fn hidden_subject(folder: &Path) -> PathBuf {
    write_program(
        &folder.join("app"),
        "#!/bin/sh\necho program $0 >&2\ncat \"$1\" \"$2\" \"$3/lines\" >&2\nexit 3\n",
    );
    fs::write(folder.join("hello.x"), "the script\n").unwrap();
    fs::write(folder.join("app.ini"), "the settings\n").unwrap();
    fs::create_dir(folder.join("more")).unwrap();
    fs::write(folder.join("more/lines"), "one of a folder\n").unwrap();
    let file = folder.join("hidden.toml");
    let text = "name = 'hidden'\nbinary = './app'\ncommand = ['{binary}', '{script}', '{folder}/app.ini', '{folder}/more']\n\
                [roles]\nhello = 'hello.x'\n";
    fs::write(&file, text).unwrap();
    file
}

/// The path that `run` says copies are used from.
fn copies(run: &str) -> Option<PathBuf> {
    let (_, rest) = run.split_once("using copies in ")?;
    rest.lines().next().map(PathBuf::from)
}

#[test]
fn files_out_of_the_users_reach_are_copied_for_the_run() {
    let folder = closed_folder();
    let run = run_get(&hidden_subject(folder.path()), &[]);
    assert_eq!(run.code, Some(5), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("the script\n    the settings\n    one of a folder"), "{}", run.stderr);
    let home = if is_root() {
        let closed = format!("{} is closed to nobody, whom hidden runs as", folder.path().display());
        assert!(run.stderr.contains(&closed), "{}", run.stderr);
        let copies = copies(&run.stderr).unwrap();
        assert!(!copies.exists(), "the copies are gone");
        copies
    } else {
        folder.path().to_owned()
    };
    assert!(run.stderr.contains(&format!("program {}", home.display())), "{}", run.stderr);
}

#[test]
fn the_copies_go_even_when_the_run_is_killed() {
    // Only root has somebody to make copies for.
    if !is_root() {
        return;
    }
    let folder = closed_folder();
    let file = hidden_subject(folder.path());
    write_program(&folder.path().join("app"), "#!/bin/sh\nexec sleep 600\n");
    let cases = support::folder(&[("get", &scenario("worker", "hello", GET))]);
    let mut run = support::program()
        .args(["run", "--subject", file.to_str().unwrap(), "--scenarios", cases.path().to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines();
    let copies = lines.find_map(|line| copies(&line.unwrap())).unwrap();
    assert!(copies.is_dir());
    run.kill().unwrap();
    run.wait().unwrap();
    let limit = Instant::now() + Duration::from_secs(20);
    while copies.exists() {
        assert!(Instant::now() < limit, "{} is left", copies.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_library_out_of_the_users_reach_is_named() {
    let closed = closed_folder();
    let open = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(open.path(), Permissions::from_mode(0o755)).unwrap();
    let (library, binary) = (closed.path().join("libhidden.so"), open.path().join("app"));
    let compile = |source: &str, args: &[&str]| {
        let file = open.path().join("source.c");
        fs::write(&file, source).unwrap();
        let status = Command::new("cc").arg(&file).args(args).status().unwrap();
        assert!(status.success(), "the C compiler that links Rust programs");
    };
    compile("int hidden(void) { return 3; }", &["-shared", "-fPIC", "-o", library.to_str().unwrap()]);
    let rpath = format!("-Wl,-rpath,{}", closed.path().display());
    let use_it = ["-o", binary.to_str().unwrap(), library.to_str().unwrap(), &rpath];
    compile("int hidden(void); int main(void) { return hidden(); }", &use_it);
    let file = open.path().join("app.toml");
    fs::write(&file, "name = 'app'\nbinary = './app'\ncommand = ['{binary}']\n[roles]\nhello = {}\n")
        .unwrap();

    let run = run_get(&file, &[]);
    assert_eq!(run.code, Some(5), "{}{}", run.stdout, run.stderr);
    let wanted = if is_root() {
        format!("{}: `nobody` cannot read its library {};", binary.display(), library.display())
    } else {
        "it ended with exit code 3 before".to_owned()
    };
    assert!(run.stderr.contains(&wanted), "{}", run.stderr);
}

#[test]
fn a_new_subject_file_is_one_to_start_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    let init = || support::run(["init-subject", file.to_str().unwrap()]);
    let run = init();
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{}", run.stderr);
    assert!(run.stderr.contains(&format!("--subject {}`", file.display())), "{}", run.stderr);
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("name = \"mine\"\n") && text.contains("#early-end = \"early-end.script\"\n"),
        "{text}"
    );

    // It is right as far as it goes: what is missing is the application.
    let run = support::run(["run", "wire/minimal-get", "--subject", file.to_str().unwrap()]);
    assert_eq!(run.code, Some(5), "{}", run.stderr);
    assert!(
        run.stderr.contains(&format!("{}: no such file", folder.path().join("mine").display())),
        "{}",
        run.stderr
    );

    fs::write(&file, "changed").unwrap();
    let run = init();
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("this file exists and is left as it is"), "{}", run.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), "changed");

    let run = support::run(["init-subject"]);
    assert_eq!(run.code, Some(0));
    assert!(run.stdout.contains("name = \"my-app\"\n"), "{}", run.stdout);
}

/// An application that was running before, ended when the test is over.
struct Running {
    child: Child,
    _listener: Listener,
    folder: tempfile::TempDir,
}

impl Running {
    fn start(app: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = Listener::unix(&folder.path().join("app.sock"), DEFAULT_BACKLOG).unwrap();
        let child = Command::new(support::lswsgi())
            .arg("-m")
            .arg(support::scenarios().join("apps").join(app))
            .stdin(Stdio::from(listener.share().unwrap()))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, _listener: listener, folder }
    }

    fn address(&self) -> String {
        self.folder.path().join("app.sock").to_str().unwrap().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_application_that_runs_already_is_tested_but_for_its_process() {
    let mut running = Running::start("pid.wsgi");
    let address = running.address();
    let args = ["run", "--connect", &address, "--role", "pid", "--jobs", "1"];
    let cases = ["wire/minimal-get", "wire/two-gets", "lifecycle/max-requests-connected"];
    let run = support::run([&args[..], &cases].concat());
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("pass wire/two-gets"), "{}", run.stdout);
    let skipped = format!(
        "skip lifecycle/max-requests-connected: an environment of its own takes a process of this run, and unix:{address} \
         was there before it"
    );
    assert!(run.stdout.contains(&skipped), "{}", run.stdout);
    assert!(run.stdout.contains("skip wire/minimal-get: unix:"), "another role: {}", run.stdout);
    assert!(running.child.try_wait().unwrap().is_none(), "its end is not ours");
}

#[test]
fn a_wrong_role_of_a_running_application_is_noticed() {
    let running = Running::start("pid.wsgi");
    let run = support::run(["run", "wire/minimal-get", "--connect", &running.address(), "--role", "hello"]);
    assert_eq!(run.code, Some(5), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("does not play the role `hello`"), "{}", run.stderr);
}
