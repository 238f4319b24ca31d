//! `mock-lsws serve` as a process of its own, and a client that is no more than a socket.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mock_lsws::{ProcessInfo, descendants};
use rustix::process::{Pid, Signal};

/// Nothing a test waits for takes this long, even on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// A server, and all that belongs to it. Ends with the test.
pub(crate) struct Served {
    process: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The line that said so.
    pub(crate) ready: String,
    stdout: BufReader<ChildStdout>,
    stderr: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// Its folder for temporary files.
    temporary: tempfile::TempDir,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// Status line and headers.
    pub(crate) head: String,
    /// The body, without chunk framing.
    pub(crate) body: Vec<u8>,
    /// Whether a chunked body came to its end.
    pub(crate) is_whole: bool,
}

impl Served {
    /// Starts `mock-lsws serve` on a free port, and waits until it is ready. `command` is that of the program; the rest
    /// is added.
    pub(crate) fn start(mut command: Command, args: &[&str]) -> Self {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        // Whoever the command has it run as.
        std::fs::set_permissions(temporary.path(), std::fs::Permissions::from_mode(0o777))
            .expect("it is ours");
        let mut process = command
            .args(["serve", "--http", "127.0.0.1:0"])
            .args(args)
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(process.stderr.take().expect("a pipe"));
        let text = Arc::clone(&stderr);
        let reader = std::thread::spawn(move || {
            for line in lines.split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                text.lock().expect("nobody panics with it").push_str(&format!("{line}\n"));
            }
        });
        let stdout = BufReader::new(process.stdout.take().expect("a pipe"));
        let address = ([0, 0, 0, 0], 0).into();
        let reader = Some(reader);
        let mut served = Self { process, address, ready: String::new(), stdout, stderr, reader, temporary };
        served.stdout.read_line(&mut served.ready).expect("it writes text");
        let url = served.ready.strip_prefix("http://").and_then(|rest| rest.split_once('/'));
        served.address = url
            .and_then(|(address, _)| address.parse().ok())
            .unwrap_or_else(|| panic!("no ready line but {:?}: {}", served.ready, served.stderr()));
        served
    }

    /// The process id of the server.
    pub(crate) fn pid(&self) -> i32 {
        self.process.id().cast_signed()
    }

    /// What has been written to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().expect("nobody panics with it").clone()
    }

    /// Waits until standard error has `text`.
    pub(crate) fn says(&self, text: &str) {
        self.until(text, |said| said.contains(text));
    }

    /// Waits until standard error is as `seen` wants it.
    pub(crate) fn until(&self, what: &str, seen: impl Fn(&str) -> bool) {
        let limit = Instant::now() + LONG;
        while !seen(&self.stderr()) {
            assert!(Instant::now() < limit, "{what:?} never came: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    /// The answer to GET.
    pub(crate) fn get(&self, target: &str) -> Answer {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").as_bytes())
    }

    /// The answer to a request with `Connection: close`.
    pub(crate) fn send(&self, request: &[u8]) -> Answer {
        Answer::to(self.address, request)
    }

    /// The next line on standard output; empty at its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("it writes text");
        line
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.process), signal).expect("it runs");
    }

    /// Waits until it has ended by itself. Nothing may be left of it then, in processes and in files.
    pub(crate) fn ended(&mut self, all: &[ProcessInfo]) -> ExitStatus {
        let status = self.process.wait().expect("it can be waited for");
        self.left_nothing(all);
        if let Some(reader) = self.reader.take() {
            reader.join().expect("it only reads");
        }
        status
    }

    /// The processes below it.
    pub(crate) fn processes(&self) -> Vec<ProcessInfo> {
        descendants(self.pid())
    }

    /// Stops it as Ctrl-C does, and looks at what is left: nothing, neither processes nor files, and nothing more on
    /// standard output. Returns standard error.
    pub(crate) fn stop(mut self) -> String {
        let processes = self.processes();
        assert!(!processes.is_empty(), "it has at least a spawner");
        self.signal(Signal::INT);
        let status = self.ended(&processes);
        assert!(status.success(), "{status}: {}", self.stderr());
        assert_eq!(self.line(), "");
        self.stderr()
    }

    /// None of these processes runs any more, and no file is left.
    fn left_nothing(&self, processes: &[ProcessInfo]) {
        let running: Vec<_> = processes.iter().filter(|process| runs(process.pid)).collect();
        assert!(running.is_empty(), "{running:?}: {}", self.stderr());
        assert_eq!(self.files(), 0, "files are left in the temporary folder");
    }

    /// Kills it. What it leaves has to be gone some time later.
    pub(crate) fn kill(mut self) {
        let processes = self.processes();
        self.process.kill().expect("it runs");
        self.process.wait().expect("it can be waited for");
        let limit = Instant::now() + LONG;
        while processes.iter().any(|process| runs(process.pid)) || self.files() > 0 {
            assert!(Instant::now() < limit, "left: {:?}, {} files", processes, self.files());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Files it has in its temporary folder.
    pub(crate) fn files(&self) -> usize {
        std::fs::read_dir(self.temporary.path()).expect("it is ours").count()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Without effect on one that has ended. The spawner ends the rest.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn runs(pid: i32) -> bool {
    ProcessInfo::of(pid).is_some_and(|process| !process.is_zombie())
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).expect("it listens");
    client.set_read_timeout(Some(LONG)).expect("a time limit");
    client
}

impl Answer {
    /// The answer of the server at `address` to a request with `Connection: close`.
    pub(crate) fn to(address: SocketAddr, request: &[u8]) -> Self {
        let mut client = connect(address);
        client.write_all(request).expect("it is sent");
        let mut bytes = Vec::new();
        client
            .read_to_end(&mut bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&bytes)));
        Self::parse(&bytes)
    }

    /// The answer these bytes are.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        let mut body = bytes[end + 4..].to_vec();
        let mut is_whole = true;
        if status == 100 {
            return Self::parse(&body);
        }
        if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            (body, is_whole) = unchunked(&body);
        }
        Self { status, head, body, is_whole }
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

/// What came of a chunked body, and whether that was all of it.
fn unchunked(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&bytes[..end]).expect("a size is text");
        let size = usize::from_str_radix(size.trim(), 16).expect("a size is a number");
        if size == 0 {
            return (body, true);
        }
        bytes = &bytes[end + 2..];
        body.extend(&bytes[..size.min(bytes.len())]);
        bytes = bytes.get(size + 2..).unwrap_or_default();
    }
    (body, false)
}
