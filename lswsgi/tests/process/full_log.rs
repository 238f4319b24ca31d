//! A standard error that nobody reads.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

use crate::support::{Connection, Start};

/// Killed and reaped in any case.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_log_that_nobody_reads_does_not_stop_the_application() {
    let source = "import os\n\
        def application(environ, start_response):\n\
        \x20   if environ['PATH_INFO'] == '/fill':\n\
        \x20       os.set_blocking(2, False)\n\
        \x20       try:\n\
        \x20           while True: os.write(2, b'x' * 4096)\n\
        \x20       except BlockingIOError: pass\n\
        \x20       os.set_blocking(2, True)\n\
        \x20   # The runtime has something to say about this one.\n\
        \x20   start_response('299 Reason', [])\n\
        \x20   return [b'ok']\n";
    let mut start = Start::application(source);
    let (ours, theirs) = UnixStream::pair().expect("a socketpair");
    start.command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut worker = Reaped(start.command.spawn().expect("lswsgi starts"));
    // Ours, so that the command does not hold the other end.
    drop(std::mem::replace(&mut start.command, std::process::Command::new("true")));
    let mut connection = Connection::new(ours);
    for target in ["/fill", "/", "/"] {
        assert_eq!(connection.get(target).text(), "ok");
    }
    drop(connection);
    assert_eq!(worker.0.wait().expect("the child is ours").code(), Some(0));
}
