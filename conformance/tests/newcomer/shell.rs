//! One shell that is typed into, and everything it starts.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use mock_lsws::{ProcessInfo, descendants};
use rustix::process::{Pid, Signal, kill_process_group};

/// No step takes this long, even on a busy machine.
const LONG: Duration = Duration::from_secs(90);

/// A shell, which ends with the test, and with it all it has started.
pub(crate) struct Shell {
    process: Child,
    stdin: Option<ChildStdin>,
    /// Lines of standard output and error.
    lines: Receiver<String>,
    folder: PathBuf,
    step: usize,
}

impl Shell {
    /// A shell in `folder`, which has `programs` on its PATH before all others, and of the environment the least.
    pub(crate) fn start(folder: &Path, programs: &[PathBuf]) -> Self {
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(programs.iter().cloned().chain(std::env::split_paths(&inherited)));
        let mut process = Command::new("bash")
            .args(["--noprofile", "--norc", "-s"])
            .current_dir(folder)
            .env_clear()
            .env("PATH", path.expect("folders have no colon in their names"))
            .env("HOME", folder)
            .env("TMPDIR", folder)
            .env("LANG", "C.UTF-8")
            // What is started in the background can be ended with it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash is there");
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        // Ends when the last process that could write has closed the pipe.
        std::thread::spawn(move || {
            for line in output.split(b'\n').map_while(Result::ok) {
                let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
            }
        });
        let stdin = process.stdin.take();
        let mut shell = Self { process, stdin, lines, folder: folder.to_owned(), step: 0 };
        // One stream, as on a terminal.
        shell.write("exec 2>&1\n");
        shell
    }

    fn write(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("it has not ended");
        stdin.write_all(text.as_bytes()).expect("the shell reads");
    }

    /// What `commands` print.
    pub(crate) fn run(&mut self, commands: &str) -> String {
        self.step += 1;
        let mark = format!("--- end of step {}", self.step);
        // A program that reads its standard input must not eat the next step.
        self.write(&format!("{{\n{commands}}} < /dev/null\necho '{mark}'\n"));
        let limit = Instant::now() + LONG;
        let mut printed = String::new();
        loop {
            match self.lines.recv_timeout(limit.saturating_duration_since(Instant::now())) {
                Ok(line) if line == mark => return printed,
                Ok(line) => printed.push_str(&format!("{line}\n")),
                Err(RecvTimeoutError::Timeout) => panic!("no end of\n{commands}\n{printed}\n{}", self.logs()),
                Err(RecvTimeoutError::Disconnected) => panic!("the shell ended in\n{commands}\n{printed}"),
            }
        }
    }

    /// The logs in its folder, for a failure.
    pub(crate) fn logs(&self) -> String {
        let logs = ["server.log", "shop/stderr.log"].map(|name| {
            let text = std::fs::read(self.folder.join(name)).unwrap_or_default();
            format!("{name}:\n{}", String::from_utf8_lossy(&text))
        });
        logs.concat()
    }

    /// Leaves the shell: nothing it has started may run any more.
    pub(crate) fn end(mut self) {
        let left = self.descendants();
        assert!(left.is_empty(), "still there: {left:?}\n{}", self.logs());
        self.stdin = None;
        let status = self.process.wait().expect("it can be waited for");
        assert!(status.success(), "{status}");
    }

    fn descendants(&self) -> Vec<ProcessInfo> {
        descendants(self.process.id().cast_signed())
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if self.stdin.take().is_none() {
            return;
        }
        // After a failure. The server is in the shell's group, and what it has started ends with it.
        let all = self.descendants();
        let _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL);
        let _ = self.process.wait();
        let limit = Instant::now() + LONG;
        let runs = |process: &ProcessInfo| ProcessInfo::of(process.pid).is_some_and(|now| !now.is_zombie());
        while all.iter().any(runs) && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
