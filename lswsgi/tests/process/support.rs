//! Starting lswsgi on a small application and talking LSAPI to it, blocking and with a deadline on every read.
//!
//! Uses nothing of the workspace but the codec, and no harness: these tests must not share mistakes with one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use lsapi::{AppPacket, DecodeError, PacketType, RequestBuilder};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tempfile::TempDir;

/// Longest any single event may take on a busy machine. Nothing waits this long unless something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Functions in Python that do not end by themselves, each in another way.
pub(crate) const ENDLESS: &str = "
import collections, ctypes, itertools, os, signal, time

def spin():
    while True: pass

def rest():
    time.sleep(3600)

def deaf():
    # Not by way of Python, whose handlers the runtime keeps an eye on.
    ctypes.CDLL(None).signal(signal.SIGTERM, ctypes.c_void_p(1))
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    while True: time.sleep(.01)

def hold():
    # Runs in C: looks for no signal, and never lets the GIL go.
    collections.deque(itertools.repeat(None), maxlen=0)
";

/// A running lswsgi. Killed and reaped when dropped.
pub(crate) struct Worker {
    child: Child,
    pub(crate) log: Log,
    pub(crate) dir: TempDir,
}

/// How to start one.
pub(crate) struct Start {
    pub(crate) dir: TempDir,
    pub(crate) command: Command,
}

impl Start {
    /// lswsgi with `source` as its application, without any environment but PATH.
    pub(crate) fn application(source: &str) -> Self {
        let mut start = Self::scripts();
        let path = start.dir.path().join("app.py");
        std::fs::write(&path, source).expect("the application can be written");
        start.command.arg("-m").arg(path);
        start
    }

    /// lswsgi with no application but the scripts that requests name.
    pub(crate) fn scripts() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lswsgi"));
        command.env_clear().env("PATH", "/bin:/usr/bin");
        Self { dir: tempfile::tempdir().expect("a temporary folder"), command }
    }

    /// lswsgi with an application that is not there.
    pub(crate) fn nothing() -> Self {
        let mut start = Self::scripts();
        start.command.arg("-m").arg(start.dir.path().join("gone.py"));
        start
    }

    /// The folder of the application.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.command.arg(arg);
        self
    }

    /// Calls it `name`, and gives it no variables.
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.command.arg0(name).env_clear();
        self
    }

    /// Hands it one end of a socketpair, as the server does in Worker mode.
    pub(crate) fn connected(mut self) -> (Worker, Connection) {
        let (ours, theirs) = UnixStream::pair().expect("a socketpair");
        self.command.stdin(OwnedFd::from(theirs));
        (self.spawn(), Connection::new(ours))
    }

    /// Lets it listen on a path of its own and waits until it does.
    pub(crate) fn listening(mut self) -> (Worker, PathBuf) {
        let path = self.dir.path().join("app.sock");
        self.command.stdin(Stdio::null()).arg("-a").arg(&path);
        let worker = self.spawn();
        worker.wait_log("serving");
        (worker, path)
    }

    pub(crate) fn spawn(mut self) -> Worker {
        let mut child =
            self.command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("lswsgi starts");
        let log = Log::default();
        let stderr = child.stderr.take().expect("stderr is piped");
        let lines = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                lines.change(|text| text.lines.push(String::from_utf8_lossy(&line).into_owned()));
            }
            lines.change(|text| text.ended = true);
        });
        Worker { child, log, dir: self.dir }
    }
}

impl Worker {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of its standard error that contains `text`.
    pub(crate) fn wait_log(&self, text: &str) -> String {
        self.log.wait(text)
    }

    /// Everything it has said so far.
    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.pid().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits until every signal sent has been delivered: a second one of a kind is lost on a process that still has the first.
    pub(crate) fn wait_signals(&self) {
        let path = format!("/proc/{}/status", self.pid());
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = std::fs::read_to_string(&path).expect("the child is ours");
            let pending = status.lines().filter_map(|line| line.split_once("Pnd:\t"));
            if pending.map(|(_, mask)| mask.trim_start_matches('0')).all(str::is_empty) {
                return;
            }
            assert!(Instant::now() < deadline, "a signal is still pending:\n{status}");
            std::thread::yield_now();
        }
    }

    /// The most memory it has ever had in use, in kB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the child is ours");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it has not ended");
        line.trim().trim_end_matches(" kB").parse().expect("a number of kB")
    }

    /// Waits for its end, and for everything it said until then.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let pid = Pid::from_child(&self.child);
        let process = pidfd_open(pid, PidfdFlags::empty()).expect("the child is ours");
        let patience = PATIENCE.try_into().expect("a small number of seconds");
        let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&patience));
        assert_eq!(ended, Ok(1), "lswsgi did not end; it said:\n{}", self.log());
        let status = self.child.wait().expect("the child is ours");
        self.log.wait_end();
        status
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the process and its descendants have written to standard error.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<(Mutex<Text>, Condvar)>);

#[derive(Default)]
struct Text {
    lines: Vec<String>,
    /// The last process that held the stream has ended.
    ended: bool,
}

impl Log {
    /// Everything so far.
    pub(crate) fn text(&self) -> String {
        self.0.0.lock().expect("no thread panics with the lock").lines.join("\n")
    }

    fn change(&self, change: impl FnOnce(&mut Text)) {
        change(&mut self.0.0.lock().expect("no thread panics with the lock"));
        self.0.1.notify_all();
    }

    fn wait(&self, text: &str) -> String {
        self.wait_for(PATIENCE, &format!("line with '{text}'"), |lines, _| {
            lines.iter().find(|line| line.contains(text)).cloned()
        })
    }

    /// Waits until no process is left that could write.
    pub(crate) fn wait_end(&self) {
        self.wait_for(PATIENCE, "end", |_, ended| ended.then_some(()));
    }

    /// Waits until `find` finds something in the lines, and whether they have ended; at most `patience`.
    pub(crate) fn wait_for<T>(
        &self,
        patience: Duration,
        what: &str,
        find: impl Fn(&[String], bool) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + patience;
        let mut text = self.0.0.lock().expect("no thread panics with the lock");
        loop {
            if let Some(found) = find(&text.lines, text.ended) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let lines = text.lines.join("\n");
                // Whoever clears up reads it as well.
                drop(text);
                panic!("no {what} in:\n{lines}");
            }
            text = self.0.1.wait_timeout(text, left).expect("no thread panics with the lock").0;
        }
    }
}

/// The server's end of a connection.
pub(crate) struct Connection {
    pub(crate) stream: UnixStream,
    received: Vec<u8>,
}

/// A response, and the packets it came in.
#[derive(Debug, Default)]
pub(crate) struct Response {
    pub(crate) packets: Vec<PacketType>,
    pub(crate) status: i32,
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
    /// Size of each RESP_STREAM payload.
    pub(crate) chunks: Vec<usize>,
    /// Text of all STDERR_STREAM packets.
    pub(crate) errors: Vec<u8>,
    /// The pid in the notice of a worker of a group.
    pub(crate) notice: Option<i32>,
}

impl Response {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The packet types by name, for comparing with what is expected.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.packets.iter().map(|ty| ty.name()).collect()
    }
}

/// What a read brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Packet(PacketType),
    End,
}

impl Connection {
    pub(crate) fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        Self { stream, received: Vec::new() }
    }

    pub(crate) fn to(path: &Path) -> Self {
        Self::new(UnixStream::connect(path).expect("lswsgi accepts"))
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("lswsgi reads");
    }

    /// Sends as much of `bytes` as lswsgi takes before it closes the connection.
    pub(crate) fn send_until_closed(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends a request and reads its response.
    pub(crate) fn get(&mut self, target: &str) -> Response {
        self.send(&RequestBuilder::get(target).encode());
        self.response()
    }

    /// Sends a request with a body and reads its response.
    pub(crate) fn post(&mut self, target: &str, body: &[u8]) -> Response {
        let mut bytes = RequestBuilder::new("POST", target).body_len(body.len() as u64).encode();
        bytes.extend(body);
        self.send(&bytes);
        self.response()
    }

    /// Reads packets up to and with RESP_END.
    pub(crate) fn response(&mut self) -> Response {
        let mut response = Response::default();
        while response.packets.last() != Some(&PacketType::RespEnd) {
            let event = self.next(&mut response);
            assert_eq!(
                event,
                Event::Packet(*response.packets.last().unwrap_or(&PacketType::RespEnd)),
                "{response:?}"
            );
        }
        response
    }

    /// Reads one packet into `response`, or the end of the connection.
    pub(crate) fn next(&mut self, response: &mut Response) -> Event {
        loop {
            match AppPacket::decode(&self.received) {
                Ok((header, packet)) => {
                    match packet {
                        AppPacket::RespHeader(head) => {
                            assert_eq!(head.surplus(), 0, "the head's lines fill it exactly");
                            response.status = head.status();
                            let text = |line: lsapi::HeaderLine<'_>| {
                                String::from_utf8_lossy(line.text()).into_owned()
                            };
                            response.headers = head.lines().map(text).collect();
                        }
                        AppPacket::RespStream(body) => {
                            response.body.extend(body);
                            response.chunks.push(body.len());
                        }
                        AppPacket::PidNotice(pid) => response.notice = Some(pid),
                        AppPacket::Stderr(text) => {
                            assert!(text.len() <= lsapi::limits::MAX_STREAM_PAYLOAD, "{}", text.len());
                            response.errors.extend(text);
                        }
                        _ => {}
                    }
                    let ty = packet.packet_type();
                    response.packets.push(ty);
                    self.received.drain(..header.len);
                    return Event::Packet(ty);
                }
                Err(DecodeError::Incomplete { .. }) => {
                    let mut buf = [0; 65536];
                    match self.stream.read(&mut buf) {
                        Ok(0) => return Event::End,
                        Ok(count) => self.received.extend(&buf[..count]),
                        // Closed with our bytes unread: an end as well.
                        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                            return Event::End;
                        }
                        // The process was stopped and continued, or frozen with the machine under it.
                        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                        Err(error) => panic!("{error}; so far {response:?}"),
                    }
                }
                Err(invalid) => panic!("lswsgi sent {invalid}"),
            }
        }
    }

    /// Expects the end of the connection and nothing before it.
    pub(crate) fn expect_end(&mut self) {
        let mut rest = Response::default();
        assert_eq!(self.next(&mut rest), Event::End);
        assert!(self.received.is_empty(), "{:?}", self.received);
    }

    /// Ends our sending side.
    pub(crate) fn finish(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).expect("the connection is open");
    }
}
