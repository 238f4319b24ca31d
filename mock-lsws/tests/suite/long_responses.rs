//! `mock-lsws run` and responses that are longer than memory is to hold, or that somebody waits for bit by bit.

use std::fs::{self, File};
use std::io::Read;
use std::process::{Child, ChildStdout, Command, Stdio};

use mock_lsws::exit_code;
use predicates::prelude::*;
use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest as _, Sha256};

use crate::support::{LONG, exe, fixture};

/// What mode `large` of the application sends.
const LARGE: usize = 300 << 20;

/// A run whose output is read here. Ended and reaped also when a test fails.
struct Run {
    child: Child,
    stdout: Option<ChildStdout>,
}

impl Run {
    fn start(args: &[&str], mode: &str) -> Self {
        let mut command = Command::new(exe());
        command.arg("run").args(args).args(["/", "--", "python3"]).arg(fixture()).arg(mode);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take();
        Self { child, stdout }
    }

    fn read(&mut self, bytes: &mut [u8]) {
        self.stdout.as_mut().unwrap().read_exact(bytes).unwrap();
    }

    /// Its exit code and what it said.
    fn end(mut self) -> (Option<i32>, String) {
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.child.wait().unwrap().code(), stderr)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_long_body_passes_through_and_is_never_held() {
    let mut run = Run::start(&[], "large");
    let (mut received, mut expected) = (Sha256::new(), Sha256::new());
    let mut block = vec![0; 1 << 20];
    let cycle: Vec<u8> = (0..=255).cycle().take(block.len()).collect();
    let mut memory = String::new();
    for number in 1..=LARGE / block.len() {
        run.read(&mut block);
        received.update(&block);
        expected.update(&cycle);
        if number == 299 {
            // It still has something to write, so it is still there.
            memory = fs::read_to_string(format!("/proc/{}/status", run.child.id())).unwrap();
        }
    }
    assert_eq!(run.stdout.as_mut().unwrap().read(&mut block).unwrap(), 0, "and nothing more");
    assert_eq!(received.finalize(), expected.finalize());
    assert_eq!(run.end(), (Some(0), String::new()));
    let peak = memory.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
    // What waits to be looked at may be 64 MiB; a whole body would be more than four times that.
    assert!(peak < 120_000, "{peak} kB");
}

#[test]
fn a_piece_can_be_seen_before_the_next_one_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let seen = dir.path().join("seen");
    let mut run = Run::start(&["-i", "--env", &format!("SEEN={}", seen.display())], "two-pieces");
    let expected = b"HTTP/1.1 200\r\nA: b\r\n\r\none\ntwo";
    let mut first = vec![0; expected.len()];
    run.read(&mut first);
    assert_eq!(first, expected);
    File::create(seen).unwrap();
    let mut rest = String::new();
    run.stdout.as_mut().unwrap().read_to_string(&mut rest).unwrap();
    assert_eq!((&*rest, run.end()), (", three", (Some(0), String::new())));
}

#[test]
fn a_body_can_be_saved() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("saved");
    fs::write(&file, "something longer that was there before").unwrap();
    let run = |path: &std::path::Path, more: &[&str]| {
        let mut command = assert_cmd::Command::new(exe());
        command.args(["run", "/", "--output"]).arg(path).args(more).args(["--", "python3"]);
        command.arg(fixture()).arg("hello").timeout(2 * LONG).assert()
    };
    run(&file, &[]).success().stdout("").stderr("");
    assert_eq!(fs::read_to_string(&file).unwrap(), "hello, world\n");
    run(&file, &["-i"]).success().stdout("");
    assert!(fs::read_to_string(&file).unwrap().starts_with("HTTP/1.1 200\r\nContent-Type: text/plain\r\n"));
    let nowhere = dir.path().join("no/such/folder");
    let said = predicates::str::contains("no/such/folder: cannot be written");
    // Told before anything is started.
    run(&nowhere, &["-v"])
        .code(i32::from(exit_code::FILES))
        .stderr(said.and(predicates::str::contains("runs as").not()));
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_run() {
    let mut run = Run::start(&[], "large");
    run.read(&mut [0; 10]);
    drop(run.stdout.take());
    let (code, said) = run.end();
    // The application may complain, as it likes.
    assert_eq!((code, said.contains("mock-lsws:")), (Some(0), false), "{said}");
}

#[test]
fn a_run_whose_output_nobody_reads_can_be_interrupted() {
    let mut run = Run::start(&[], "large");
    run.read(&mut [0; 10]);
    kill_process(Pid::from_child(&run.child), Signal::TERM).unwrap();
    let _stays_open = run.stdout.take();
    let (code, said) = run.end();
    assert_eq!(code, Some(i32::from(exit_code::INTERRUPTED)), "{said}");
}
