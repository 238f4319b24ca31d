//! Applications that fork: the child must not speak on a connection that is its parent's, nor keep it open.

use lsapi::RequestBuilder;

use crate::support::{Connection, Response, Start};

/// The child of a request that runs `child` in it; answers with what `os.waitpid` says of it.
fn forks(child: &str) -> String {
    format!(
        "import atexit, os, sys, time\n\
         atexit.register(lambda: print('exit handler of', os.getpid(), flush=True))\n\
         def application(environ, start_response):\n\
         \x20   pid = os.fork()\n\
         \x20   if pid == 0:\n\
         \x20       {child}\n\
         \x20   status = os.waitpid(pid, 0)[1]\n\
         \x20   start_response('200 OK', [])\n\
         \x20   return [b'%d' % (os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status))]\n"
    )
}

#[test]
fn a_child_that_comes_back_from_its_request_ends_and_says_nothing_on_the_connection() {
    for (child, code) in [
        ("return [b'from the child']", "0"),
        ("return (piece for piece in [b'from', b'the child'])", "0"),
        ("return environ['wsgi.file_wrapper'](open(__file__, 'rb'))", "0"),
        ("start_response('200 OK', [])", "1"),
        ("return None", "0"),
        ("sys.exit()", "0"),
        ("sys.exit(3)", "3"),
        ("sys.exit(259)", "3"),
        ("sys.exit('why')", "1"),
        ("raise ValueError('raised in the child')", "1"),
    ] {
        let (mut worker, mut connection) = Start::application(&forks(child)).connected();
        for _ in 0..2 {
            let response = connection.get("/");
            assert_eq!((response.status, response.text()), (200, code), "{child}; {}", worker.log());
            assert_eq!(response.names(), ["REQ_RECEIVED", "RESP_HEADER", "RESP_STREAM", "RESP_END"]);
        }
        drop(connection);
        assert_eq!(worker.wait().code(), Some(0), "{child}");
        let log = worker.log();
        assert_eq!(log.contains("Traceback") || log.contains("SystemExit: why"), code == "1", "{log}");
        // What is to be cleared away is the parent's.
        assert_eq!(log.matches("exit handler of").count(), 1, "{child}: {log}");
    }
}

#[test]
fn a_child_forked_by_a_generator_does_not_go_on_with_the_body() {
    let source = "import os\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   yield b'one '\n\
        \x20   pid = os.fork()\n\
        \x20   if pid: os.waitpid(pid, 0)\n\
        \x20   yield b'two'\n";
    let (_worker, mut connection) = Start::application(source).connected();
    for _ in 0..2 {
        assert_eq!(connection.get("/").text(), "one two");
    }
}

#[test]
fn a_child_that_lives_on_does_not_keep_the_connection_open() {
    let source = "import os, signal\n\
        def application(environ, start_response):\n\
        \x20   ready, told = os.pipe()\n\
        \x20   pid = os.fork()\n\
        \x20   if pid == 0:\n\
        \x20       signal.alarm(60)\n\
        \x20       os.write(told, b'.')\n\
        \x20       while True: signal.pause()\n\
        \x20   os.read(ready, 1)\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'%d' % pid]\n";
    let (_worker, mut connection) = Start::application(source).env("LSAPI_MAX_REQS", "1").connected();
    let response = connection.get("/");
    connection.expect_end();
    let killed = std::process::Command::new("kill").args(["-KILL", response.text()]).status().unwrap();
    assert!(killed.success(), "the child has ended before the connection: {}", response.text());
}

#[test]
fn a_thread_that_forks_while_a_response_is_sent_has_a_child_that_cannot_write() {
    let source = "import os, sys, threading\n\
        writing = threading.Event()\n\
        def fork(start_response, write):\n\
        \x20   writing.wait()\n\
        \x20   pid = os.fork()\n\
        \x20   if pid == 0:\n\
        \x20       code = 0\n\
        \x20       for action in (lambda: write(b'from the child'), lambda: start_response('200 OK', [])):\n\
        \x20           try: action()\n\
        \x20           except BrokenPipeError: code += 1\n\
        \x20       os._exit(code)\n\
        \x20   print('the child', os.WEXITSTATUS(os.waitpid(pid, 0)[1]), file=sys.stderr)\n\
        def application(environ, start_response):\n\
        \x20   write = start_response('200 OK', [])\n\
        \x20   thread = threading.Thread(target=fork, args=(start_response, write))\n\
        \x20   thread.start()\n\
        \x20   yield b'.'\n\
        \x20   writing.set()\n\
        \x20   yield b'x' * 10_000_000\n\
        \x20   thread.join()\n";
    let (worker, mut connection) = Start::application(source).connected();
    connection.send(&RequestBuilder::get("/").encode());
    let mut response = Response::default();
    while response.body.is_empty() {
        connection.next(&mut response);
    }
    // Only now is the rest read: the fork happens in the middle of the write.
    worker.wait_log("the child 2");
    let rest = connection.response();
    assert_eq!(response.body.len() + rest.body.len(), 10_000_001);
    assert!(rest.body.iter().all(|&byte| byte == b'x'));
}

#[test]
fn a_child_forked_during_the_import_does_not_serve() {
    let source = "import os\n\
        pid = os.fork()\n\
        if pid: os.waitpid(pid, 0)\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'%d' % bool(pid)]\n";
    // Its end must not take the socket away either.
    let (_worker, path) = Start::application(source).listening();
    for _ in 0..2 {
        assert_eq!(Connection::to(&path).get("/").text(), "1");
    }
}

#[test]
fn a_child_forked_when_the_response_is_complete_does_not_go_on_as_the_worker() {
    for ending in ["close", "__del__"] {
        let source = format!(
            "import atexit, os\n\
             atexit.register(lambda: print('exit handler of', os.getpid(), flush=True))\n\
             class Body:\n\
             \x20   def __iter__(self): yield b'whole'\n\
             \x20   def {ending}(self):\n\
             \x20       pid = os.fork()\n\
             \x20       if pid: os.waitpid(pid, 0)\n\
             def application(environ, start_response):\n\
             \x20   start_response('200 OK', [])\n\
             \x20   return Body()\n"
        );
        let (mut worker, mut connection) = Start::application(&source).connected();
        for _ in 0..2 {
            assert_eq!(connection.get("/").text(), "whole", "{ending}");
        }
        drop(connection);
        assert_eq!(worker.wait().code(), Some(0), "{ending}");
        let log = worker.log();
        assert_eq!(log.matches("exit handler of").count(), 1, "{ending}: {log}");
        assert_eq!(log.matches("came back from it and ends here").count(), 2, "{ending}: {log}");
    }
}
