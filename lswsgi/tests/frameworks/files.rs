//! Files, whole and in part.

use lsapi::RequestBuilder;

use crate::site::{BOTH, Framework, Site};

/// What the sites' file holds.
fn data() -> Vec<u8> {
    (0..250).cycle().take(100_000).collect()
}

#[test]
fn a_file_and_a_file_in_memory_are_sent_whole() {
    for framework in BOTH {
        let mut site = Site::start(framework);
        for path in ["/file", "/memory"] {
            let response = site.connection.get(path);
            assert_eq!(response.status, 200, "{framework:?} {path}: {}", site.worker.log());
            assert!(response.body == data(), "{framework:?} {path}: {} bytes", response.body.len());
            assert_eq!(response.header("Content-Length"), Some("100000"), "{framework:?} {path}");
        }
        assert!(!site.end().contains("warning"));
    }
}

#[test]
fn a_part_of_a_file_is_sent_as_206_with_its_place() {
    let data = data();
    for framework in BOTH {
        let mut site = Site::start(framework);
        for path in ["/file", "/memory"] {
            for (range, from, to) in [
                ("10-19", 10, 20),
                ("0-0", 0, 1),
                ("16380-50000", 16_380, 50_001),
                ("99990-99999", 99_990, 100_000),
            ] {
                let request = RequestBuilder::get(path).header("Range", format!("bytes={range}"));
                let response = site.ask(&request);
                let place = format!("bytes {range}/100000");
                assert_eq!(response.status, 206, "{framework:?} {path} {range}: {}", site.worker.log());
                assert_eq!(response.header("Content-Range"), Some(&*place), "{framework:?} {path}");
                let length = (to - from).to_string();
                assert_eq!(response.header("Content-Length"), Some(&*length), "{framework:?} {path}");
                assert!(response.body == data[from..to], "{framework:?} {path} {range}");
            }
            let beyond = site.ask(&RequestBuilder::get(path).header("Range", "bytes=100000-100001"));
            assert_eq!((beyond.status, beyond.header("Content-Range")), (416, Some("bytes */100000")));
        }
        let log = site.end();
        assert!(!log.contains("warning") && !log.contains("Traceback"), "{framework:?}: {log}");
    }
}

#[test]
fn a_part_is_sent_only_of_the_file_the_client_has_seen() {
    let mut site = Site::start(Framework::Flask);
    let etag = site.connection.get("/file").header("ETag").unwrap().to_owned();
    for (tag, status, length) in [(&*etag, 206, 5), ("\"other\"", 200, 100_000)] {
        let request = RequestBuilder::get("/file").header("Range", "bytes=-5").header("If-Range", tag);
        let response = site.ask(&request);
        assert_eq!((response.status, response.body.len()), (status, length), "{tag}");
    }
    let known = site.ask(&RequestBuilder::get("/file").header("If-None-Match", &etag));
    assert_eq!((known.status, known.body.len()), (304, 0));
    site.end();
}

#[test]
fn django_learns_that_each_of_its_responses_is_closed() {
    let mut site = Site::start(Framework::Django);
    let requests = [
        RequestBuilder::get("/file"),
        RequestBuilder::get("/memory"),
        RequestBuilder::new("HEAD", "/file"),
        RequestBuilder::get("/file").header("Range", "bytes=5-6"),
        RequestBuilder::get("/fail"),
    ];
    for request in &requests {
        site.ask(request);
    }
    assert_eq!(site.connection.get("/closed").text(), requests.len().to_string());
    site.end();
}
