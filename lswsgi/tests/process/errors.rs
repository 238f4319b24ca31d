//! `--errors lsapi`: what an application logs for a request leaves as STDERR_STREAM packets (lsapi 1.6).

use std::time::Instant;

use lsapi::{PacketType, RequestBuilder};

use crate::support::{Connection, PATIENCE, Response, Start};

fn start(source: &str) -> Start {
    Start::application(source).arg("--errors").arg("lsapi")
}

/// One request to an application whose body is `lines`, with `errors` at hand.
fn respond(lines: &[&str]) -> (Response, String) {
    let body: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    let source = format!(
        "import io, os, sys\ndef application(environ, start_response):\n    errors = environ['wsgi.errors']\n{body}"
    );
    let (mut worker, mut connection) = start(&source).connected();
    let response = connection.get("/x");
    drop(connection);
    worker.wait();
    (response, worker.log())
}

#[test]
fn text_before_any_output_precedes_the_head_in_packets_a_server_takes() {
    let (response, log) = respond(&[
        "for n in range(500): errors.write(f'{n:079}\\n')",
        "errors.write('x' * 40000)",
        "start_response('200 OK', [])",
        "return [b'body']",
    ]);
    let names = response.names();
    let head = names.iter().position(|&name| name == "RESP_HEADER").unwrap();
    assert!(names[1..head].iter().all(|&name| name == "STDERR_STREAM"), "{names:?}");
    assert_eq!(names[head..], ["RESP_HEADER", "RESP_STREAM", "RESP_END"]);
    assert_eq!(response.errors.len(), 80_000);
    assert!(response.errors.starts_with("0".repeat(79).as_bytes()));
    assert!(response.errors.ends_with(&[b'x'; 40_000]));
    assert!(!log.contains("xxx"), "{log}");
}

#[test]
fn text_keeps_its_place_in_the_body_and_leaves_line_by_line() {
    let (response, _) = respond(&[
        "start_response('200 OK', [])",
        "print('two', 'words', file=errors)",
        "yield b'a'",
        "errors.write('half a ')",
        "errors.write('line\\nrest')",
        "yield b'b'",
        "errors.write('flushed')",
        "errors.flush()",
        "errors.write('last')",
    ]);
    assert_eq!(
        response.names()[1..],
        [
            "STDERR_STREAM",
            "RESP_HEADER",
            "RESP_STREAM",
            "STDERR_STREAM",
            "STDERR_STREAM",
            "RESP_STREAM",
            "STDERR_STREAM",
            "STDERR_STREAM",
            "RESP_END"
        ]
    );
    assert_eq!(String::from_utf8(response.errors).unwrap(), "two words\nhalf a line\nrestflushedlast");
    assert_eq!(response.body, b"ab");
}

#[test]
fn the_stream_takes_any_text_and_cannot_be_closed() {
    let (response, _) = respond(&[
        "errors.close()",
        "errors.writelines(['\\u20ac ', '\\udc80 ', 'end\\n'])",
        "facts = [errors.closed, errors.isatty(), errors.writable(), errors.readable(), errors.encoding]",
        "try:",
        "    errors.fileno()",
        "except io.UnsupportedOperation as error:",
        "    facts.append(str(error))",
        "start_response('200 OK', [])",
        "return [repr(facts).encode()]",
    ]);
    assert_eq!(response.errors, "€ \\udc80 end\n".as_bytes());
    assert_eq!(response.text(), "[False, False, True, False, 'utf-8', 'wsgi.errors has no file descriptor']");
}

#[test]
fn a_traceback_belongs_to_the_request_and_the_line_about_it_to_the_runtimes_own_log() {
    let (response, log) = respond(&["raise ValueError('inner')"]);
    assert_eq!(response.names()[1..], ["STDERR_STREAM", "RESP_HEADER", "RESP_STREAM", "RESP_END"]);
    assert_eq!(response.status, 500);
    let errors = String::from_utf8(response.errors).unwrap();
    assert!(errors.starts_with("Traceback") && errors.ends_with("ValueError: inner\n"), "{errors}");
    assert!(log.contains("the application raised ValueError while it handled the request: GET /x"), "{log}");
    assert!(!log.contains("Traceback"), "{log}");
}

#[test]
fn outside_a_request_text_goes_to_standard_error() {
    let source = "import threading\n\
        kept, over = [], threading.Event()\n\
        def later():\n\
        \x20   over.wait()\n\
        \x20   print('between requests', file=kept[0])\n\
        \x20   kept[0].write('no line yet')\n\
        \x20   kept[0].flush()\n\
        class Body(list):\n\
        \x20   def close(self):\n\
        \x20       print('after the response', file=kept[0])\n\
        \x20       over.set()\n\
        \x20       thread.join()\n\
        thread = threading.Thread(target=later)\n\
        def application(environ, start_response):\n\
        \x20   kept.append(environ['wsgi.errors'])\n\
        \x20   thread.start()\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return Body([b'ok'])\n";
    let (mut worker, mut connection) = start(source).connected();
    let response = connection.get("/");
    assert_eq!(response.errors, b"");
    worker.wait_log("after the response");
    worker.wait_log("between requests");
    drop(connection);
    worker.wait();
    assert!(worker.log().contains("no line yet"), "{}", worker.log());
}

#[test]
fn the_environment_decides_without_the_option_and_the_application_does_not_see_it() {
    let source = "import os\n\
        def application(environ, start_response):\n\
        \x20   environ['wsgi.errors'].write('to the server\\n')\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [repr(sorted(name for name in os.environ if name.startswith('LSWSGI'))).encode()]\n";
    let (_worker, mut connection) = Start::application(source).env("LSWSGI_ERRORS", "lsapi").connected();
    let response = connection.get("/");
    assert_eq!(response.errors, b"to the server\n");
    assert_eq!(response.text(), "[]");
}

#[test]
fn a_crash_after_nothing_but_error_text_is_still_answered_with_500() {
    let (response, _) = respond(&["errors.write('last words\\n')", "os.abort()"]);
    assert_eq!(response.errors, b"last words\n");
    assert_eq!(response.status, 500);
    assert_eq!(
        response.names()[1..],
        ["STDERR_STREAM", "RESP_HEADER", "RESP_STREAM", "CONN_CLOSE", "RESP_END"]
    );
}

#[test]
fn a_thread_whose_text_the_server_is_slow_to_take_does_not_disturb_the_response() {
    let source = "import sys, threading, os, time\n\
        def application(environ, start_response):\n\
        \x20   errors = environ['wsgi.errors']\n\
        \x20   thread = threading.Thread(target=lambda: errors.write('thread\\n' * 1_000_000))\n\
        \x20   thread.start()\n\
        \x20   while not os.path.exists('go'): time.sleep(.005)\n\
        \x20   errors.write('main\\n')\n\
        \x20   print('does not wait', file=sys.stderr)\n\
        \x20   start_response('200 OK', [])\n\
        \x20   thread.join()\n\
        \x20   return [b'ok']\n";
    let (worker, mut connection) = start(source).connected();
    connection.send(&RequestBuilder::get("/").encode());
    let mut response = Response::default();
    // Text has come, and far more of it is there than any socket holds: the thread is in its write.
    while response.packets.last() != Some(&PacketType::StderrStream) {
        connection.next(&mut response);
    }
    std::fs::write(worker.dir.path().join("go"), "").unwrap();
    worker.wait_log("does not wait");
    let rest = connection.response();
    assert_eq!((rest.status, rest.text()), (200, "ok"));
    let text = String::from_utf8([response.errors, rest.errors].concat()).unwrap();
    assert_eq!(text.lines().filter(|&line| line == "thread").count(), 1_000_000);
    assert_eq!(text.lines().filter(|&line| line == "main").count(), 1);
}

#[test]
fn threads_that_log_without_end_do_not_keep_the_response_back() {
    let source = "import threading\n\
        def log(errors):\n\
        \x20   while running: errors.write('line\\n')\n\
        def application(environ, start_response):\n\
        \x20   global running, threads\n\
        \x20   if environ['PATH_INFO'] == '/start':\n\
        \x20       running = True\n\
        \x20       threads = [threading.Thread(target=log, args=[environ['wsgi.errors']]) for _ in range(3)]\n\
        \x20       for thread in threads: thread.start()\n\
        \x20   else:\n\
        \x20       running = False\n\
        \x20       for thread in threads: thread.join()\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'done']\n";
    let (_worker, mut connection) = start(source).connected();
    for path in ["/start", "/stop"] {
        connection.send(&RequestBuilder::get(path).encode());
        let deadline = Instant::now() + PATIENCE;
        let mut response = Response::default();
        while response.packets.last() != Some(&PacketType::RespEnd) {
            connection.next(&mut response);
            assert!(Instant::now() < deadline, "no end after {} packets", response.packets.len());
        }
        assert_eq!(response.text(), "done", "{path}");
    }
}

#[test]
fn code_of_the_application_that_runs_inside_start_response_may_log() {
    let (response, log) = respond(&[
        "class Name(str):",
        "    def __repr__(self):",
        "        errors.write('looked at\\n')",
        "        return 'a name'",
        "start_response('200 OK', [(Name('not a token'), 'x')])",
    ]);
    assert_eq!(response.status, 500);
    assert!(response.errors.starts_with(b"looked at\n"), "{:?}", response.errors);
    assert!(!log.contains("Traceback"), "{log}");
}

#[test]
fn text_of_a_forked_child_goes_to_standard_error_and_not_into_the_parents_response() {
    let (response, log) = respond(&[
        "pid = os.fork()",
        "if pid == 0:",
        "    errors.write('said by the child\\n')",
        "    errors.flush()",
        "    os._exit(0)",
        "os.waitpid(pid, 0)",
        "start_response('200 OK', [])",
        "return [b'ok']",
    ]);
    assert_eq!((response.text(), response.errors.len()), ("ok", 0));
    assert!(log.contains("said by the child"), "{log}");
}

#[test]
fn text_for_a_server_that_is_gone_goes_to_standard_error() {
    let source = "def application(environ, start_response):\n\
        \x20   if environ['PATH_INFO'] == '/next':\n\
        \x20       start_response('200 OK', [])\n\
        \x20       return [b'ok']\n\
        \x20   write = start_response('200 OK', [])\n\
        \x20   try:\n\
        \x20       while True: write(b'x' * 10000)\n\
        \x20   except BrokenPipeError:\n\
        \x20       environ['wsgi.errors'].write('nobody listens\\n')\n\
        \x20       raise\n";
    let (worker, path) = start(source).listening();
    let mut connection = Connection::to(&path);
    connection.send(&RequestBuilder::get("/").encode());
    let mut response = Response::default();
    while response.body.is_empty() {
        connection.next(&mut response);
    }
    drop(connection);
    worker.wait_log("nobody listens");
    assert_eq!(Connection::to(&path).get("/next").text(), "ok");
}

#[test]
fn a_stderr_log_takes_everything_unless_the_process_is_roots() {
    let source = "def application(environ, start_response):\n\
        \x20   environ['wsgi.errors'].write('where to?\\n')\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'ok']\n";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.log");
    let (mut worker, mut connection) =
        start(source).env("LSAPI_STDERR_LOG", path.to_str().unwrap()).connected();
    let response = connection.get("/");
    drop(connection);
    worker.wait();
    let log = worker.log();
    if rustix::process::geteuid().is_root() {
        assert_eq!(response.errors, b"where to?\n");
        assert!(log.contains("LSAPI_STDERR_LOG is ignored in a process of root"), "{log}");
        assert!(!path.exists());
    } else {
        assert_eq!(response.errors, b"");
        let file = std::fs::read_to_string(&path).unwrap();
        assert!(file.contains("where to?\n") && file.contains("leaving: the connection ended"), "{file}");
        assert!(log.ends_with("app.log (LSAPI_STDERR_LOG)"), "{log}");
    }
}
