//! Signals that control a worker, and applications that would like to have them.

use lsapi::RequestBuilder;

use crate::support::{Event, Response, Start};

/// Takes every signal it can get in every way there is, and says what it was given.
const GREEDY: &str = "import _signal, asyncio, faulthandler, os, signal, sys
def handler(*_):
    print('the application has it', flush=True)
def take(*names):
    return [signal.signal(getattr(signal, 'SIG' + name), handler) for name in names]
given = take('TERM', 'INT', 'HUP', 'USR1')
given.append(_signal.signal(signal.SIGTERM, handler))
given.append(faulthandler.register(signal.SIGUSR1, file=2))
given.append(signal.signal(signal.SIGRTMAX - 2, signal.SIG_IGN))
loop = asyncio.new_event_loop()
for name in ('TERM', 'INT'):
    loop.add_signal_handler(getattr(signal, 'SIG' + name), handler)
free = take('USR2', 'QUIT')
def application(environ, start_response):
    path = environ['PATH_INFO']
    if path == '/usr2': os.kill(os.getpid(), signal.SIGUSR2)
    if path == '/wait':
        print('running', flush=True)
        while not os.path.exists('go'): __import__('time').sleep(.005)
    if path == '/child':
        child = os.fork()
        if not child:
            signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
            os.kill(os.getpid(), signal.SIGTERM)
            while True: signal.pause()
        given[:] = [os.waitpid(child, 0)[1] >> 8]
    start_response('200 OK', [])
    return [f'{given} {free}'.encode()]
";

#[test]
fn handlers_for_the_signals_that_control_the_process_are_refused_with_one_warning() {
    let (mut worker, mut connection) = Start::application(GREEDY).connected();
    let default = "[None, None, None, None, None, None, None] [None, None]";
    assert_eq!(connection.get("/").text(), default);
    // The other signals are the application's.
    connection.get("/usr2");
    worker.wait_log("the application has it");
    let line = worker.wait_log("--allow-signals");
    assert!(line.contains("warning: ") && line.contains("app.py:5 installs a handler for SIGTERM"), "{line}");
    worker.signal("HUP");
    worker.wait_log("SIGHUP: leaving");
    worker.signal("TERM");
    assert_eq!(connection.next(&mut Response::default()), Event::Packet(lsapi::PacketType::ConnClose));
    connection.finish();
    assert_eq!(worker.wait().code(), Some(0));
    assert_eq!(worker.log().matches("--allow-signals").count(), 1, "{}", worker.log());
    assert_eq!(worker.log().matches("the application has it").count(), 1, "{}", worker.log());
}

#[test]
fn the_warning_names_the_application_and_not_what_it_goes_through() {
    let source = "import asyncio, signal\n\
        loop = asyncio.new_event_loop()\n\
        loop.add_signal_handler(signal.SIGINT, print)\n\
        def application(environ, start_response): pass\n";
    let (worker, _connection) = Start::application(source).connected();
    let line = worker.wait_log("--allow-signals");
    assert!(line.contains("app.py:3 installs a handler for SIGINT"), "{line}");
}

#[test]
fn children_the_application_forks_install_what_they_like() {
    let (_worker, mut connection) = Start::application(GREEDY).connected();
    assert!(connection.get("/child").text().starts_with("[7] "));
}

#[test]
fn the_operator_can_leave_all_signals_to_the_application() {
    let source = "import os, signal\n\
        signal.signal(signal.SIGTERM, lambda *_: print('the application has it', flush=True))\n\
        def application(environ, start_response):\n\
        \x20   os.kill(os.getpid(), signal.SIGTERM)\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'ok']\n";
    let (worker, mut connection) = Start::application(source).arg("--allow-signals").connected();
    for _ in 0..2 {
        assert!(!connection.get("/").names().contains(&"CONN_CLOSE"));
    }
    worker.wait_log("the application has it");
    assert!(!worker.log().contains("warning"), "{}", worker.log());
}

#[test]
fn stop_signals_however_many_are_one_stop() {
    let (mut worker, mut connection) = Start::application(GREEDY).connected();
    connection.send(&RequestBuilder::get("/wait").encode());
    worker.wait_log("running");
    for name in ["TERM", "USR1", "TERM", "USR1", "INT", "TERM"] {
        worker.signal(name);
        worker.wait_signals();
    }
    std::fs::write(worker.dir.path().join("go"), "").unwrap();
    let response = connection.response();
    assert_eq!(response.status, 200);
    assert_eq!(response.names()[response.packets.len() - 2..], ["CONN_CLOSE", "RESP_END"]);
    connection.expect_end();
    assert_eq!(worker.wait().code(), Some(0));
    assert_eq!(worker.log().matches("leaving: ").count(), 1, "{}", worker.log());
}

#[test]
fn a_second_interrupt_ends_the_process_and_takes_its_socket_along() {
    let (mut worker, path) = Start::application(GREEDY).listening();
    let mut connection = crate::support::Connection::to(&path);
    connection.send(&RequestBuilder::get("/wait").encode());
    worker.wait_log("running");
    worker.signal("INT");
    worker.wait_signals();
    worker.signal("INT");
    assert_eq!(worker.wait().code(), Some(130));
    assert!(!path.exists());
}
