//! lswsgi as a WSGI application context, alone and as a group.

use std::io::Write as _;

use crate::support::{folder, lswsgi, serve};

/// Says what it was asked, by which process, and gives back a body.
const APP: &str = r#"
import os, time

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["REQUEST_METHOD"] == "POST":
        return iter(lambda: environ["wsgi.input"].read(10000), b"")
    time.sleep(float(environ["QUERY_STRING"] or 0))
    return [f"{environ['SCRIPT_NAME']}|{environ['PATH_INFO']}|{os.getpid()}".encode()]
"#;

/// The process that answers `target`, which comes back in the answer.
fn asked(served: &crate::served::Served, target: &str, expected: &str) -> i32 {
    let answer = served.get(target);
    let (path, pid) =
        answer.text().rsplit_once('|').unwrap_or_else(|| panic!("{answer:?}: {}", served.stderr()));
    assert_eq!((answer.status, path), (200, expected));
    pid.parse().expect("a process id")
}

#[test]
fn one_process_or_a_group_of_eight_answers() {
    let folder = folder(&[("app.wsgi", APP)]);
    for (children, connections) in [("1", "1 connection"), ("8", "8 connections")] {
        let env = format!("LSAPI_CHILDREN={children}");
        let args = ["--max-conns", "8", "--env", &env, "--", lswsgi(), "-m", "app.wsgi"];
        let served = serve(folder.path(), &args);
        assert!(served.ready.contains(&format!("wsgi:/ ({connections})")), "{}", served.ready);
        let pid = asked(&served, "/a%20b/c", "|/a b/c");
        assert!(served.processes().iter().any(|process| process.pid == pid), "{:?}", served.processes());
        // Two at a time, where there is room for two.
        let both = std::thread::scope(|scope| {
            [(); 2]
                .map(|()| scope.spawn(|| asked(&served, "/?0.5", "|/")))
                .map(|one| one.join().expect("an answer"))
        });
        assert_eq!(both[0] == both[1], children == "1", "{both:?}");
        served.stop();
    }
}

#[test]
fn a_chunked_upload_comes_back_byte_for_byte() {
    let folder = folder(&[("app.wsgi", APP)]);
    let served = serve(folder.path(), &["--", lswsgi(), "-m", "app.wsgi"]);
    let body: Vec<u8> =
        (0..300_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let mut request =
        b"POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(70_001) {
        request.extend(format!("{:x}\r\n", chunk.len()).bytes().chain(chunk.iter().copied()).chain(*b"\r\n"));
    }
    request.extend(b"0\r\n\r\n");
    let answer = served.send(&request);
    assert!(answer.is_whole && answer.body == body, "{}, {} bytes", answer.head, answer.body.len());
    served.stop();
}

#[test]
fn a_group_in_the_middle_of_requests_is_gone_with_a_killed_server() {
    let folder = folder(&[("app.wsgi", APP)]);
    let args = ["--max-conns", "8", "--env", "LSAPI_CHILDREN=8", "--", lswsgi(), "-m", "app.wsgi"];
    let served = serve(folder.path(), &args);
    let slow: Vec<_> = (0..8)
        .map(|_| {
            let mut client = served.connect();
            client.write_all(b"GET /?600 HTTP/1.1\r\nHost: test\r\n\r\n").expect("it is sent");
            client
        })
        .collect();
    served.says("template ready");
    // Spawner, its server, manager, template, and a worker for each.
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while served.processes().len() < 12 {
        assert!(std::time::Instant::now() < limit, "{:?}: {}", served.processes(), served.stderr());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    served.kill();
    drop(slow);
}
