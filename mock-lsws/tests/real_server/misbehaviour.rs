//! The recorded ways to misbehave, repeated: what the client sees is what was seen.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::LONG;
use crate::client::{Client, Until};
use crate::misbehaviour_record::{Connection, Misbehaviour, Response, all};
use crate::played_app::PlayedApp;
use crate::site::{Site, Vhost};
use crate::view::{View, difference, find};

/// The server that was recorded carried state from the lines before: the time is another one.
const TIME_OF_AN_OLD_SERVER: &[&str] =
    &["end-len16", "hdr-after-stream-split", "hdr66000", "hdrcount4096", "magic", "type1", TYPE10];
/// And here the number of sends too: a fresh server sends three times.
const TYPE10: &str = "type10";
/// The real server misreads a RESP_HEADER that comes in pieces: what was recorded has the status of an earlier line, and a
/// fresh server fails. The mock gets it right. How many bytes come in one read, and so in one chunk, is not its to say.
const SLOW_BYTES: &str = "slowbytes";
/// The answer is a file, so its tag holds the number of its inode.
const A_FILE: &str = "ls-loc";

/// The client that was recorded waited this long behind a complete response whether more would come.
const GRACE: f64 = 0.25;
/// And gave up at this time.
const PATIENCE: f64 = 8.01;
/// What the recorded times may be exceeded by on a busy machine.
const SLACK: f64 = 3.0;

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_misbehaviour_looks_the_same_to_the_client() {
    let mut running = JoinSet::new();
    for line in all() {
        running.spawn(async move {
            let name = line.name.clone();
            match tokio::spawn(tokio::time::timeout(2 * LONG, repeat(line))).await {
                Ok(Ok(differences)) => {
                    differences.into_iter().map(|text| format!("{name}: {text}")).collect()
                }
                Ok(Err(_)) => vec![format!("{name}: never came to its end")],
                Err(panic) => vec![format!("{name}: {panic}")],
            }
        });
    }
    let count = running.len();
    assert_eq!(count, 63);
    let mut failures: Vec<String> = running.join_all().await.into_iter().flatten().collect();
    failures.sort();
    assert!(failures.is_empty(), "{} differences in {count} lines:\n{}", failures.len(), failures.join("\n"));
}

/// Plays one line on a server of its own; returns what differed.
async fn repeat(line: Misbehaviour) -> Vec<String> {
    let steps = line.steps();
    let app = PlayedApp::start(move |_| steps.clone());
    let site = Site::start(Vhost::Misbehaviour, app.address()).await;
    let mut client = Client::connect(site.address()).await;
    let request = format!("GET /ext0/{} HTTP/1.1\r\nHost: example.com\r\n\r\n", line.name);
    client.send(request.as_bytes()).await;
    let (response, until) = client.response(false, Duration::from_secs_f64(PATIENCE)).await;
    let answered = client.last_byte;
    let seen = match until {
        Until::Complete if client.is_kept(Site::PROBE).await => Connection::Open,
        Until::Complete | Until::Closed => Connection::Eof,
        Until::GaveUp => Connection::Open,
    };
    let seconds = match (until, seen) {
        (Until::Complete, Connection::Open) => answered.as_secs_f64() + GRACE,
        _ => client.elapsed().as_secs_f64(),
    };
    let outcome = Outcome { response, connection: seen, seconds, sends: app.requests() };
    let mut differences = outcome.differences(&line);
    if let (false, Some(record)) = (differences.is_empty(), site.records().first()) {
        let notes = record.exchanges.iter().flat_map(|exchange| &exchange.notes);
        differences.extend(notes.map(|note| format!("    the mock's log: {note}")));
    }
    site.stop().await;
    differences
}

/// What a client saw.
struct Outcome {
    response: View,
    connection: Connection,
    seconds: f64,
    sends: usize,
}

impl Outcome {
    fn differences(&self, line: &Misbehaviour) -> Vec<String> {
        let mut differences = vec![self.response_differs(line)];
        if self.connection != line.client.connection {
            differences
                .push(format!("the connection is {:?}, not {:?}", self.connection, line.client.connection));
        }
        let sends = if line.name == TYPE10 { 3 } else { line.sends };
        if self.sends != sends {
            differences.push(format!("sent {} times, not {sends}", self.sends));
        }
        let recorded = line.client.seconds;
        let in_time = recorded - GRACE..recorded + SLACK;
        if !TIME_OF_AN_OLD_SERVER.contains(&line.name.as_str()) && !in_time.contains(&self.seconds) {
            differences.push(format!("took {:.2} s, not {recorded:.2} s", self.seconds));
        }
        differences.retain(|text| !text.is_empty());
        differences
    }

    fn response_differs(&self, line: &Misbehaviour) -> String {
        let whole = self.response.bytes().len();
        let of_the_day: &[_] =
            if line.name == A_FILE { &["date", "server", "etag"] } else { &["date", "server"] };
        let seen = self.response.without(of_the_day);
        match line.client.response() {
            Response::Whole(expected) if line.name == SLOW_BYTES => {
                let headers = &expected[find(&expected, b"\r\n").unwrap_or(0)..];
                let expected = View::new([b"HTTP/1.1 200 OK", headers].concat()).unchunked();
                difference("the response", expected.bytes(), seen.unchunked().bytes())
            }
            Response::Whole(expected) => {
                difference("the response", View::new(expected).without(of_the_day).bytes(), seen.bytes())
            }
            Response::OwnPage(expected) => {
                let end = find(seen.bytes(), b"\r\n\r\n").map_or(0, |end| end + 4);
                let text = difference("the head", &expected, &seen.bytes()[..end]);
                if text.is_empty() && seen.end(false) != Some(seen.bytes().len()) {
                    return "the page is not as long as its head says".into();
                }
                text
            }
            Response::Start(expected) => start_differs(&expected, &seen),
            Response::StartAndLength(expected, _) if whole < expected.len() => {
                start_differs(&expected, &seen)
            }
            Response::StartAndLength(expected, length) => {
                if whole != length {
                    return format!("the response has {whole} bytes, not {length}");
                }
                start_differs(&expected, &seen)
            }
        }
    }
}

fn start_differs(expected: &[u8], seen: &View) -> String {
    let start = &seen.bytes()[..expected.len().min(seen.bytes().len())];
    difference("the start of the response", expected, start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str) -> Misbehaviour {
        all().into_iter().find(|line| line.name == name).unwrap()
    }

    fn right(line: &Misbehaviour) -> Outcome {
        let bytes = match line.client.response() {
            Response::Whole(bytes) => bytes,
            Response::OwnPage(head) => [head, vec![b'.'; 805]].concat(),
            other => panic!("{other:?}"),
        };
        Outcome {
            response: View::new(bytes),
            connection: line.client.connection,
            seconds: line.client.seconds,
            sends: line.sends,
        }
    }

    #[test]
    fn each_kind_of_difference_is_seen() {
        let ok = line("ok");
        assert_eq!(right(&ok).differences(&ok), [""; 0]);
        let wrong = [
            Outcome { sends: 2, ..right(&ok) },
            Outcome { connection: Connection::Eof, ..right(&ok) },
            Outcome { seconds: 9.0, ..right(&ok) },
            Outcome { response: right(&ok).response.without(&["content-type"]), ..right(&ok) },
            Outcome { response: right(&ok).response.blotted(), ..right(&ok) },
            Outcome { response: View::new(Vec::new()), ..right(&ok) },
        ];
        for outcome in wrong {
            assert_eq!(outcome.differences(&ok).len(), 1);
        }
    }

    #[test]
    fn a_page_may_have_other_words_but_no_other_length() {
        let line = line("close0");
        assert_eq!(right(&line).differences(&line), [""; 0]);
        let mut short = right(&line).response.bytes().to_vec();
        short.pop();
        let outcome = Outcome { response: View::new(short), ..right(&line) };
        assert_eq!(outcome.differences(&line).len(), 1);
    }
}
