//! The log: what its lines look like, and that a line that comes again and again does not fill it.

use serde_json::Value;

use crate::support::{Connection, Start};

#[test]
fn json_is_an_object_a_line_and_a_traceback_is_one() {
    let source = "def application(environ, start_response):\n    raise ValueError('tab\\t')\n";
    let start = Start::application(source).arg("--log-format").arg("json").arg("--log-level=debug");
    let (mut worker, mut connection) = start.connected();
    connection.get("/page");
    drop(connection);
    worker.wait();
    let log = worker.log();
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let lines: Vec<Value> = log.lines().map(parse).collect();
    for line in &lines {
        assert_eq!(line["pid"], worker.pid(), "{line}");
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
    }
    let find = |level: &str, text: &str| {
        let of_level = lines.iter().filter(|line| line["level"] == level);
        of_level.filter(|line| line["message"].as_str().unwrap().contains(text)).count()
    };
    assert_eq!((find("info", "serving "), find("info", "leaving: ")), (1, 1), "{log}");
    assert_eq!(find("error", "the application raised ValueError"), 1, "{log}");
    assert_eq!(find("error", "Traceback (most recent call last):\n  File "), 1, "{log}");
    let traceback = lines.iter().find(|line| line["source"] == "application").unwrap();
    assert!(traceback["message"].as_str().unwrap().ends_with("\nValueError: tab\t"), "{traceback}");
}

#[test]
fn what_comes_again_and_again_is_counted_and_no_count_is_lost_at_the_end() {
    let source =
        "def application(environ, start_response):\n    start_response('299 Odd', [])\n    return []\n";
    let (mut worker, path) = Start::application(source).listening();
    let mut connection = Connection::to(&path);
    for _ in 0..12 {
        connection.get("/");
    }
    worker.signal("TERM");
    drop(connection);
    worker.wait();
    let log = worker.log();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains(" warning: ")).collect();
    assert_eq!(warnings.len(), 6, "{log}");
    assert!(warnings[5].contains(" warning: repeated 7 more times: the application's status 299"), "{log}");
}

#[test]
fn lines_of_a_stack_that_are_alike_are_all_written() {
    let source = "import threading\n\
        def ping(n):\n\
        \x20   return pong(n - 1) if n else wait()\n\
        def pong(n):\n\
        \x20   return ping(n)\n\
        def wait():\n\
        \x20   import sys; print('deep down', file=sys.stderr, flush=True); threading.Event().wait()\n\
        def application(environ, start_response):\n\
        \x20   ping(10)\n";
    let (worker, mut connection) = Start::application(source).connected();
    connection.send(&lsapi::RequestBuilder::get("/").encode());
    worker.wait_log("deep down");
    worker.signal("QUIT");
    // Stacks begin with the innermost frame.
    worker.wait_log("in application");
    let log = worker.log();
    assert_eq!((log.matches(" in ping").count(), log.matches(" in pong").count()), (11, 10), "{log}");
}
