//! Point 28: a client that is slow holds lswsgi up, and loses nothing.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{folder, lswsgi, serve};

/// Pieces of the response, of 64 KiB each.
const PIECES: usize = 512;

/// Writes down how many pieces it has handed out.
const APP: &str = r#"
import os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    def pieces():
        with open(environ["QUERY_STRING"], "wb", buffering=0) as count:
            for number in range(512):
                count.write(b"x")
                yield bytes([number % 251]) * 65536
    return pieces()
"#;

#[test]
fn point_28_an_application_waits_for_a_slow_client() {
    let folder = folder(&[("app.wsgi", APP)]);
    let served = serve(folder.path(), &["--", lswsgi(), "-m", "app.wsgi"]);
    let count = folder.path().join("count");
    let mut client = served.connect();
    let request = format!("GET /?{} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", count.display());
    client.write_all(request.as_bytes()).expect("it is sent");
    let handed_out = settled(&count);
    assert!(
        (1..PIECES / 2).contains(&handed_out),
        "{handed_out} of {PIECES} were handed out to a client that reads nothing"
    );
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).expect("an answer");
    assert_eq!(len(&count), PIECES, "the rest came when it read");
    let expected: usize = PIECES * 65536;
    assert!(bytes.len() > expected && bytes.ends_with(b"0\r\n\r\n"), "{} bytes", bytes.len());
    served.stop();
}

fn len(path: &Path) -> usize {
    path.metadata().map_or(0, |found| usize::try_from(found.len()).expect("it is short"))
}

/// The length of the file when it has begun to grow, and has not grown for half a second.
fn settled(path: &Path) -> usize {
    let limit = Instant::now() + Duration::from_secs(60);
    let (mut last, mut since) = (0, Instant::now());
    loop {
        let now = len(path);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        if last > 0 && since.elapsed() > Duration::from_millis(500) {
            return last;
        }
        assert!(Instant::now() < limit, "{last} pieces");
        std::thread::sleep(Duration::from_millis(5));
    }
}
