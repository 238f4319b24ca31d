//! Responses that come bit by bit.

use std::fs::File;

use lsapi::{PacketType, RequestBuilder};

use crate::site::{BOTH, Site};
use crate::support::{Connection, Event, Response};

/// As many as the sites send.
const EVENTS: usize = 4;

#[test]
fn each_event_arrives_before_the_next_one_is_made() {
    for framework in BOTH {
        for (path, content_type) in [("/events", "text/event-stream"), ("/streamed", "text/plain")] {
            let mut site = Site::start(framework);
            site.connection.send(&RequestBuilder::get(path).encode());
            let mut response = Response::default();
            for number in 0..EVENTS {
                let expected: String = (0..=number).map(|number| format!("data: {number}\n\n")).collect();
                while response.body.len() < expected.len() {
                    let event = site.connection.next(&mut response);
                    assert!(matches!(event, Event::Packet(_)), "{framework:?}: {}", site.worker.log());
                }
                assert_eq!(response.text(), expected, "{framework:?} {path}");
                // Only now can the next one be made.
                File::create(site.worker.dir.path().join(format!("seen-{number}"))).unwrap();
            }
            assert_eq!(site.connection.next(&mut response), Event::Packet(PacketType::RespEnd));
            assert_eq!((response.status, response.chunks.len()), (200, EVENTS), "{framework:?}");
            assert!(response.header("Content-Type").unwrap().starts_with(content_type));
            assert_eq!(response.header("Content-Length"), None);
            site.end();
        }
    }
}

#[test]
fn a_stream_whose_client_leaves_is_closed_and_the_site_goes_on() {
    for framework in BOTH {
        let (worker, path) = Site::prepare(framework).listening();
        let mut client = Connection::to(&path);
        client.send(&RequestBuilder::get("/events").encode());
        let mut response = Response::default();
        while response.body.is_empty() {
            client.next(&mut response);
        }
        client.send(&lsapi::ABORT_REQUEST);
        drop(client);
        for number in 0..EVENTS {
            File::create(worker.dir.path().join(format!("seen-{number}"))).unwrap();
        }
        let mut next = Connection::to(&path);
        assert_eq!(next.get("/page").status, 200, "{framework:?}: {}", worker.log());
        // Noticed with the first event that could not be sent.
        worker.wait_log("closed at event 1");
        assert!(!worker.log().contains("Traceback"), "{framework:?}: {}", worker.log());
    }
}
