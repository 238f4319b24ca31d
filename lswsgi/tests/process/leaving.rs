//! How a worker ends: limits, stops, crashes. No accepted request is lost on the way.

use lsapi::{PacketType, RequestBuilder};
use rustix::process::Signal;

use crate::support::{Connection, Event, Response, Start};

/// Answers at once, waits for a line on standard input's replacement, or dies, as the path says.
const APPLICATION: &str = "import os, sys, time\n\
    def application(environ, start_response):\n\
    \x20   path = environ['PATH_INFO']\n\
    \x20   if path == '/wait':\n\
    \x20       print('running')\n\
    \x20       while not os.path.exists('go'): time.sleep(.005)\n\
    \x20   if path == '/abort': os.abort()\n\
    \x20   if path == '/segv': import ctypes; ctypes.string_at(0)\n\
    \x20   if path == '/exit': sys.exit(3)\n\
    \x20   if path == '/_exit': os._exit(3)\n\
    \x20   write = start_response('200 OK', [])\n\
    \x20   if path == '/late-abort':\n\
    \x20       write(b'part')\n\
    \x20       os.abort()\n\
    \x20   return [b'ok']\n";

const LAST: [&str; 5] = ["REQ_RECEIVED", "RESP_HEADER", "RESP_STREAM", "CONN_CLOSE", "RESP_END"];

#[test]
fn the_request_limit_is_exact_and_the_last_response_says_that_it_is_the_last() {
    let (mut worker, mut connection) = Start::application(APPLICATION).env("LSAPI_MAX_REQS", "3").connected();
    for _ in 0..2 {
        assert!(!connection.get("/").names().contains(&"CONN_CLOSE"));
    }
    assert_eq!(connection.get("/").names(), LAST);
    connection.expect_end();
    assert_eq!(worker.wait().code(), Some(0));
    assert!(worker.log().contains("3 requests served"), "{}", worker.log());
}

#[test]
fn requests_are_counted_over_all_connections() {
    let start = Start::application(APPLICATION).env("LSAPI_MAX_REQS", "2");
    let (mut worker, path) = start.listening();
    assert_eq!(Connection::to(&path).get("/").text(), "ok");
    assert_eq!(Connection::to(&path).get("/").names(), LAST);
    assert_eq!(worker.wait().code(), Some(0));
}

#[test]
fn an_idle_worker_announces_its_end_before_it_leaves() {
    let (mut worker, mut connection) = Start::application(APPLICATION).env("LSAPI_MAX_IDLE", "1").connected();
    connection.get("/");
    let mut rest = Response::default();
    assert_eq!(connection.next(&mut rest), Event::Packet(PacketType::ConnClose));
    connection.expect_end();
    assert_eq!(worker.wait().code(), Some(0));
    assert!(worker.log().contains("no request for 1 s"), "{}", worker.log());
}

#[test]
fn a_request_that_crosses_the_announcement_is_served_whole() {
    let (mut worker, mut connection) = Start::application(APPLICATION).env("LSAPI_MAX_IDLE", "1").connected();
    connection.get("/");
    let mut rest = Response::default();
    assert_eq!(connection.next(&mut rest), Event::Packet(PacketType::ConnClose));
    let response = connection.get("/");
    assert_eq!((response.text(), response.packets.last()), ("ok", Some(&PacketType::RespEnd)));
    connection.expect_end();
    assert_eq!(worker.wait().code(), Some(0));
}

#[test]
fn an_idle_listener_leaves_and_takes_its_socket_along() {
    let (mut worker, path) = Start::application(APPLICATION).env("LSAPI_MAX_IDLE", "1").listening();
    assert_eq!(worker.wait().code(), Some(0));
    assert!(!path.exists());
}

#[test]
fn a_stop_ends_an_idle_connection_at_once_and_a_busy_one_after_its_response() {
    for signal in ["TERM", "USR1", "INT"] {
        let (mut worker, mut connection) = Start::application(APPLICATION).connected();
        connection.get("/");
        worker.signal(signal);
        let mut rest = Response::default();
        assert_eq!(connection.next(&mut rest), Event::Packet(PacketType::ConnClose), "{signal}");
        connection.finish();
        connection.expect_end();
        assert_eq!(worker.wait().code(), Some(0), "{signal}");
        assert!(worker.log().contains("leaving: asked to stop by a signal"), "{}", worker.log());

        let (mut worker, mut connection) = Start::application(APPLICATION).connected();
        connection.send(&RequestBuilder::get("/wait").encode());
        worker.wait_log("running");
        worker.signal(signal);
        if signal != "INT" {
            // As the server does it: both, one after the other.
            worker.signal("USR1");
        }
        std::fs::write(worker.dir.path().join("go"), "").unwrap();
        assert_eq!(connection.response().names(), LAST, "{signal}");
        connection.expect_end();
        assert_eq!(worker.wait().code(), Some(0), "{signal}");
    }
}

#[test]
fn a_stop_ends_a_waiting_listener_at_once() {
    let (mut worker, _path) = Start::application(APPLICATION).listening();
    worker.signal("TERM");
    assert_eq!(worker.wait().code(), Some(0));
}

#[test]
fn a_stop_during_an_import_that_hangs_ends_the_process_at_once() {
    let source = "import threading\n\
        print('importing', flush=True)\n\
        threading.Event().wait()\n";
    for signal in ["TERM", "USR1"] {
        let (mut worker, mut connection) = Start::application(source).connected();
        worker.wait_log("importing");
        worker.signal(signal);
        assert_eq!(worker.wait().code(), Some(0), "{signal}");
        connection.expect_end();
    }
}

#[test]
fn a_crash_is_answered_and_still_looks_like_a_crash() {
    use std::os::unix::process::ExitStatusExt as _;
    for (path, signal) in [("/abort", Signal::ABORT), ("/segv", Signal::SEGV)] {
        let (mut worker, mut connection) = Start::application(APPLICATION).connected();
        let response = connection.get(path);
        assert_eq!((response.status, response.names()), (500, LAST.to_vec()), "{path}");
        connection.expect_end();
        assert_eq!(worker.wait().signal(), Some(signal.as_raw()), "{path}");
    }
}

#[test]
fn an_exit_past_the_interpreter_ends_the_connection_without_the_end_of_a_response() {
    // Nothing runs on the way of os._exit; what must not happen is an end without a head.
    let (mut worker, mut connection) = Start::application(APPLICATION).connected();
    connection.send(&RequestBuilder::get("/_exit").encode());
    assert_eq!(connection.next(&mut Response::default()), Event::Packet(PacketType::ReqReceived));
    connection.expect_end();
    assert_eq!(worker.wait().code(), Some(3));
}

#[test]
fn a_crash_after_the_first_bytes_ends_the_response() {
    use std::os::unix::process::ExitStatusExt as _;
    let (mut worker, mut connection) = Start::application(APPLICATION).connected();
    let response = connection.get("/late-abort");
    assert_eq!((response.status, response.text(), response.names()), (200, "part", LAST.to_vec()));
    assert_eq!(worker.wait().signal(), Some(Signal::ABORT.as_raw()));
}

#[test]
fn an_application_that_exits_gets_a_500_and_the_process_leaves() {
    let (mut worker, mut connection) = Start::application(APPLICATION).connected();
    let response = connection.get("/exit");
    assert_eq!((response.status, response.names()), (500, LAST.to_vec()));
    connection.expect_end();
    assert_eq!(worker.wait().code(), Some(0));
    assert!(worker.log().contains("leaving: the application asked to exit"), "{}", worker.log());
}

#[test]
fn exit_handlers_run_and_threads_that_never_end_are_left_behind() {
    let source = "import atexit, threading\n\
        atexit.register(lambda: print('exit handler ran'))\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   if environ['PATH_INFO'] == '/stuck':\n\
        \x20       threading.Thread(target=threading.Event().wait, name='stuck one').start()\n\
        \x20       threading.Thread(target=threading.Event().wait, name='daemon', daemon=True).start()\n\
        \x20   if environ['PATH_INFO'] == '/slow': atexit.register(threading.Event().wait)\n\
        \x20   return [b'ok']\n";
    let (mut worker, mut connection) = Start::application(source).connected();
    connection.get("/");
    drop(connection);
    assert_eq!(worker.wait().code(), Some(0));
    assert!(worker.log().contains("exit handler ran"), "{}", worker.log());

    for (path, told) in [
        ("/stuck", "threads of the application did not end within 0.3 s: 'stuck one'; leaving without them"),
        ("/slow", "the application's exit handlers did not end within 0.3 s; leaving without them"),
    ] {
        let (mut worker, mut connection) =
            Start::application(source).arg("--exit-timeout").arg("0.3").connected();
        connection.get(path);
        drop(connection);
        assert_eq!(worker.wait().code(), Some(0));
        assert!(worker.log().contains(told), "{}", worker.log());
    }
}

#[test]
fn the_runtimes_own_variables_are_invisible_to_the_application() {
    let source = "import os\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   names = [name for name in list(os.environ) + list(environ) if 'LSAPI_' in name]\n\
        \x20   return [f'{names} {os.environ[\"KEPT\"]}'.encode()]\n";
    let start = Start::application(source)
        .env("LSAPI_PADDING", "x")
        .env("PHP_LSAPI_CHILDREN", "1")
        .env("KEPT", "yes");
    let (_worker, mut connection) = start.connected();
    assert_eq!(connection.get("/").text(), "[] yes");
}

#[test]
fn a_crash_of_another_thread_lets_the_write_under_way_end() {
    // From its last words to its end the thread has the interpreter, as one that crashes in native code does.
    let source = "import ctypes, os, sys, threading, time\n\
        libc = ctypes.PyDLL(None)\n\
        sys.setswitchinterval(1000)\n\
        def crash():\n\
        \x20   while not os.path.exists('go'): time.sleep(.005)\n\
        \x20   libc.write(2, b'crashing\\n', 9)\n\
        \x20   os.abort()\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   threading.Thread(target=crash).start()\n\
        \x20   yield b'x' * 800_000\n\
        \x20   yield b'never sent: the crashed thread has the interpreter'\n";
    let (mut worker, mut connection) = Start::application(source).connected();
    connection.send(&RequestBuilder::get("/").encode());
    let mut response = Response::default();
    while response.body.is_empty() {
        connection.next(&mut response);
    }
    std::fs::write(worker.dir.path().join("go"), "").unwrap();
    worker.wait_log("crashing");
    let rest = connection.response();
    assert_eq!(response.body.len() + rest.body.len(), 800_000);
    assert_eq!(rest.names()[rest.packets.len() - 2..], ["CONN_CLOSE", "RESP_END"]);
    assert_eq!(worker.wait().code(), None);
}

#[test]
fn a_forked_child_that_crashes_does_not_answer_for_its_parent() {
    let source = "import os\n\
        def application(environ, start_response):\n\
        \x20   child = os.fork()\n\
        \x20   if not child: os.abort()\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [str(os.WTERMSIG(os.waitpid(child, 0)[1])).encode()]\n";
    let (_worker, mut connection) = Start::application(source).connected();
    for _ in 0..2 {
        let response = connection.get("/");
        assert_eq!((response.status, response.text()), (200, "6"));
        assert_eq!(response.names(), ["REQ_RECEIVED", "RESP_HEADER", "RESP_STREAM", "RESP_END"]);
    }
}

#[test]
fn a_forked_child_ends_when_it_is_told_to() {
    let source = "import os, signal, time\n\
        def application(environ, start_response):\n\
        \x20   child = os.fork()\n\
        \x20   while not child: time.sleep(60)\n\
        \x20   os.kill(child, getattr(signal, environ['QUERY_STRING']))\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [str(os.WTERMSIG(os.waitpid(child, 0)[1])).encode()]\n";
    let (_worker, mut connection) = Start::application(source).connected();
    for (name, number) in [("SIGTERM", "15"), ("SIGINT", "2"), ("SIGUSR1", "10"), ("SIGHUP", "1")] {
        assert_eq!(connection.get(&format!("/?{name}")).text(), number);
    }
}

#[test]
fn a_request_that_crosses_the_announcement_has_its_whole_body_timeout() {
    let source = "import time\n\
        def application(environ, start_response):\n\
        \x20   before = time.monotonic()\n\
        \x20   try:\n\
        \x20       environ['wsgi.input'].read()\n\
        \x20   except TimeoutError:\n\
        \x20       start_response('408 Request Timeout', [])\n\
        \x20   return [str(time.monotonic() - before).encode()]\n";
    let start = Start::application(source).env("LSAPI_MAX_IDLE", "1").arg("--body-timeout").arg("1");
    let (_worker, mut connection) = start.connected();
    let mut rest = Response::default();
    assert_eq!(connection.next(&mut rest), Event::Packet(PacketType::ConnClose));
    connection.send(&RequestBuilder::new("POST", "/").body_len(10).encode());
    let response = connection.response();
    assert_eq!(response.status, 408);
    let waited: f64 = response.text().parse().unwrap();
    assert!(waited > 0.9, "{waited} s");
}

#[test]
fn handlers_run_on_the_stack_a_thread_has_set_aside_for_them() {
    let source = "import ctypes, signal\n\
        class Action(ctypes.Structure):\n\
        \x20   _fields_ = [('handler', ctypes.c_void_p), ('mask', ctypes.c_ubyte * 128), ('flags', ctypes.c_int),\n\
        \x20               ('restorer', ctypes.c_void_p)]\n\
        def on_stack(number):\n\
        \x20   action = Action()\n\
        \x20   assert ctypes.CDLL(None).sigaction(number, None, ctypes.byref(action)) == 0\n\
        \x20   return bool(action.flags & 0x08000000)\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   names = ['SIGTERM', 'SIGUSR1', 'SIGINT', 'SIGHUP', 'SIGSEGV']\n\
        \x20   return [repr([name for name in names if not on_stack(getattr(signal, name))]).encode()]\n";
    let (_worker, mut connection) = Start::application(source).connected();
    assert_eq!(connection.get("/").text(), "[]");
}

#[test]
fn daemon_threads_that_print_without_pause_do_not_make_the_end_a_crash() {
    let source = "import threading\n\
        def work():\n\
        \x20   while True: print('on and on')\n\
        def application(environ, start_response):\n\
        \x20   for _ in range(3): threading.Thread(target=work, daemon=True).start()\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'ok']\n";
    for _ in 0..20 {
        let (mut worker, mut connection) = Start::application(source).connected();
        connection.get("/");
        drop(connection);
        assert_eq!(worker.wait().code(), Some(0));
        assert!(worker.log().contains("leaving: the connection ended"));
    }
}

#[test]
fn what_was_written_and_not_flushed_is_there_when_the_process_has_left() {
    let source = "import ctypes, io\n\
        text = open('text', 'w')\n\
        binary = open('binary', 'wb')\n\
        closed = open('closed', 'w')\n\
        def application(environ, start_response):\n\
        \x20   text.write('text')\n\
        \x20   binary.write(b'binary')\n\
        \x20   closed.close()\n\
        \x20   print('printed', end='')\n\
        \x20   ctypes.CDLL(None).printf(b' by C')\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'ok']\n";
    let (mut worker, mut connection) = Start::application(source).connected();
    connection.get("/");
    drop(connection);
    assert_eq!(worker.wait().code(), Some(0));
    for name in ["text", "binary"] {
        assert_eq!(std::fs::read(worker.dir.path().join(name)).unwrap(), name.as_bytes());
    }
    assert!(worker.log().contains("printed by C"), "{}", worker.log());
}

#[test]
fn signals_that_come_all_at_once_do_no_harm() {
    let source = "import signal, threading\n\
        def application(environ, start_response):\n\
        \x20   own = [signal.SIGRTMAX - 1, signal.SIGRTMAX - 2]\n\
        \x20   signals = [signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGQUIT, *own]\n\
        \x20   for _ in range(10):\n\
        \x20       signal.pthread_sigmask(signal.SIG_BLOCK, signals)\n\
        \x20       for number in signals: signal.pthread_kill(threading.get_ident(), number)\n\
        \x20       signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'unharmed']\n";
    let (mut worker, mut connection) = Start::application(source).connected();
    let response = connection.get("/");
    assert_eq!((response.text(), response.names()), ("unharmed", LAST.to_vec()));
    assert_eq!(worker.wait().code(), Some(0));
}

#[test]
fn a_process_that_has_grown_too_large_leaves_after_its_response() {
    let source = "grown = []\n\
        def application(environ, start_response):\n\
        \x20   grown.append(b'x' * int(environ['QUERY_STRING']))\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'ok']\n";
    let start = Start::application(source).arg("--max-rss").arg("300M");
    let (mut worker, mut connection) = start.connected();
    for _ in 0..3 {
        assert!(!connection.get("/?1000000").names().contains(&"CONN_CLOSE"));
    }
    // Only after it one knows what it has taken: its end is announced as that of an idle connection.
    let response = connection.get("/?300000000");
    assert_eq!((response.text(), response.names().contains(&"CONN_CLOSE")), ("ok", false));
    assert_eq!(connection.next(&mut Response::default()), Event::Packet(PacketType::ConnClose));
    // What has crossed that is served.
    assert_eq!(connection.get("/?0").text(), "ok");
    connection.expect_end();
    assert_eq!(worker.wait().code(), Some(0));
    let line = worker.wait_log("leaving: ");
    assert!(line.ends_with(" MiB of memory used (--max-rss)"), "{line}");
    assert!(!worker.log().contains("after the first request"), "{}", worker.log());

    let (worker, mut connection) = Start::application(source).arg("--max-rss").arg("1M").connected();
    assert_eq!(connection.get("/?0").text(), "ok");
    let line = worker.wait_log("after the first request");
    assert!(line.contains(" warning: ") && line.contains("--max-rss allows 1:"), "{line}");
}
