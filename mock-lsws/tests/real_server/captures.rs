//! The recorded exchanges, repeated: the same HTTP request, the same application, so the same LSAPI bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::LONG;
use crate::client::{Client, Until};
use crate::played_app::{Link, PlayedApp, Step};
use crate::recording::{Recording, names};
use crate::site::{Site, Vhost};
use crate::view::{View, difference, find};

/// What the client does, in order.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Sends the rest of `request.http`.
    SendAll,
    /// Sends the next bytes of it.
    Send(usize),
    /// Waits until the application has got this many bytes of this exchange, and sees that it does not get more.
    AppHas(usize),
    /// Reads 100 Continue.
    Continue,
    /// Reads the next response; it is the one recorded.
    Response,
    /// The server serves another request on the connection.
    Kept,
    /// The server has closed the connection.
    Closed,
    /// Sends no more.
    HalfClose,
    /// Closes the connection.
    Leave,
    /// Waits until the server is done with the exchange.
    Over,
}
use Act::{AppHas, Closed, Continue, HalfClose, Kept, Leave, Over, Response, Send, SendAll};

/// What a client did in one of the exchanges.
type Exchange = (&'static str, &'static [Act]);

/// Most of them: one request, one answer.
const PLAIN: &[Act] = &[SendAll, Response, Kept];

/// Exchanges that need no others before them.
#[rustfmt::skip]
const SINGLE: &[(Vhost, &str, &[Act])] = &[
    (Vhost::Example, "01-get-simple", PLAIN),
    (Vhost::Example, "03-post-form", PLAIN),
    // BEGIN_REQUEST leaves with the first bytes of the body, the rest as it comes.
    (Vhost::Example, "04-post-split", &[Send(104), AppHas(0), Send(5), AppHas(825), Send(5), AppHas(830), Send(1), Response, Kept]),
    // The answer comes before the upload is over: no more of it is passed on, and the client's connection ends.
    (Vhost::Example, "06-post-chunked", &[Send(112), AppHas(0), Send(10), AppHas(833), Response, SendAll, Closed]),
    (Vhost::Example, "07-post-chunked-onewrite", PLAIN),
    (Vhost::Example, "08-head", PLAIN),
    (Vhost::Example, "10-big-header", PLAIN),
    (Vhost::Example, "11-long-query", PLAIN),
    (Vhost::Example, "13-options", PLAIN),
    (Vhost::Example, "14-http10", &[SendAll, Response, Closed]),
    (Vhost::Example, "16-expect-100", &[Send(99), Continue, AppHas(0), Send(5), Response, Kept]),
    (Vhost::Example, "17-keepalive-two-requests", &[Send(47), Response, Send(47), Response, Kept]),
    (Vhost::Example, "18-post-zero", PLAIN),
    (Vhost::Example, "30-wsgi-get", PLAIN),
    (Vhost::Example, "31-wsgi-root", PLAIN),
    (Vhost::Example, "32-wsgi-noslash", PLAIN),
    (Vhost::Example, "33-wsgi-static", PLAIN),
    (Vhost::Example, "35-wsgi-percent-long", PLAIN),
    // The whole body first; what came late costs the client its connection.
    (Vhost::Example, "37-wsgi-post-split", &[Send(69), AppHas(0), Send(5), AppHas(0), Send(6), Response, Closed]),
    (Vhost::Example, "39-wsgi-head", PLAIN),
    (Vhost::Example, "41-wsgi-dotdot", PLAIN),
    (Vhost::Example, "42-wsgi-second-app", PLAIN),
    (Vhost::Example, "44-wsgi-no-query", PLAIN),
    (Vhost::Example, "45-wsgi-put", PLAIN),
    (Vhost::Example, "47-wsgi-absolute-uri", PLAIN),
    // Gone before the server looks: the answer is thrown away, the LSAPI connection stays as it is.
    (Vhost::Example, "50-abort-waiting", &[SendAll, AppHas(758), Leave, Over]),
    (Vhost::Example, "52-abort-body-incomplete", &[SendAll, AppHas(766), Leave, Over]),
    (Vhost::Example, "53-abort-wsgi-waiting", &[SendAll, AppHas(669), Leave, Over]),
    (Vhost::Example, "57-status-and-headers", PLAIN),
    (Vhost::Example, "58-stderr", PLAIN),
    (Vhost::Example, "59-big-1M", PLAIN),
    (Vhost::Example, "60-concurrent-second-conn", PLAIN),
    // Still away when the server looks.
    (Vhost::ExampleQuickCheck, "62-abort-long-wait", &[SendAll, AppHas(759), Leave, Over]),
    (Vhost::Root, "70-wsgi-root-context", PLAIN),
    (Vhost::Root, "71-wsgi-root-context-slash", PLAIN),
    (Vhost::Root, "72-auth-basic", PLAIN),
];

/// Exchanges that followed each other: the LSAPI connections are those of the one before.
#[rustfmt::skip]
const SEQUENCES: &[(Vhost, &[Exchange])] = &[
    (Vhost::Example, &[
        ("54-half-close", &[SendAll, HalfClose, Response, Closed]),
        ("55-app-exits-mid-request", &[SendAll, Response, Closed]),
    ]),
    (Vhost::ExamplePhpIni, &[
        ("63-early-answer-incomplete-body", &[SendAll, Response, Closed]),
        ("64-next-request-after-63", PLAIN),
        ("65-early-answer-full-body-unread", PLAIN),
        ("66-next-request-after-65", PLAIN),
        ("67-early-answer-small-body-unread", PLAIN),
        ("68-next-request-after-67", PLAIN),
    ]),
];

// The LSAPI bytes have no exception but REMOTE_PORT. What a client sees has these, besides Date:

/// Chunks are as recorded only if the bytes come in as they came then. None is bigger.
const MANY_CHUNKS: &str = "59-big-1M";
/// The text of these pages is the server's own. Their length is the same.
const OWN_PAGES: &[&str] = &["32-wsgi-noslash", "55-app-exits-mid-request"];
/// The tag of a file has the number of its inode.
const A_FILE: &str = "33-wsgi-static";

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_exchange_is_repeated_byte_for_byte() {
    let single = SINGLE.iter().map(|&(vhost, name, acts)| (vhost, vec![(name, acts)]));
    let rows: Vec<_> = single.chain(SEQUENCES.iter().map(|&(vhost, row)| (vhost, row.to_vec()))).collect();
    let in_table: BTreeSet<_> =
        rows.iter().flat_map(|(_, row)| row.iter().map(|(name, _)| (*name).to_owned())).collect();
    assert_eq!(in_table, names(), "the table and the folders name the same exchanges");

    let count = in_table.len();
    let mut running = JoinSet::new();
    for (vhost, row) in rows {
        running.spawn(repeat(vhost, row));
    }
    let mut failures: Vec<_> = running.join_all().await.into_iter().flatten().collect();
    failures.sort();
    assert!(
        failures.is_empty(),
        "{} differences in {count} exchanges:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Plays exchanges that followed each other; returns what differed.
async fn repeat(vhost: Vhost, row: Vec<Exchange>) -> Vec<String> {
    let names = row.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    match tokio::spawn(tokio::time::timeout(2 * LONG, play(vhost, row))).await {
        Ok(Ok(failures)) => failures,
        Ok(Err(_)) => vec![format!("{names}: never came to its end")],
        Err(panic) => vec![format!("{names}: {panic}")],
    }
}

async fn play(vhost: Vhost, row: Vec<Exchange>) -> Vec<String> {
    let recordings: Vec<_> = row.iter().map(|(name, _)| Recording::read(name)).collect();
    let expected = whole_links(&recordings);
    let scripts: Vec<_> = expected.iter().map(|(_, steps)| steps.clone()).collect();
    let app = PlayedApp::start(move |number| scripts.get(number).cloned().unwrap_or_default());
    let site = Site::start(vhost, app.address()).await;
    let mut failures = Vec::new();
    let mut ports = Vec::new();
    for ((name, acts), recording) in row.iter().zip(&recordings) {
        match perform(acts, recording, name, &site, &app).await {
            Ok(port) => {
                let requests =
                    recording.links.iter().map(|link| mask_ports(&mut link.server_to_app.clone()).len());
                ports.extend(std::iter::repeat_n(port, requests.sum()));
            }
            Err(failure) => failures.push(format!("{name}: {failure}")),
        }
    }
    let whole = failures.is_empty();
    // What is on its way to the application arrives before the server ends, and nothing can follow.
    let total: usize = expected.iter().map(|(bytes, _)| bytes.len()).sum();
    if whole {
        failures.extend(app.until("all that was recorded", |links| received(links) >= total).await.err());
    }
    site.stop().await;
    let names = row.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    failures
        .extend(compare(&expected, &app.links(), &ports).into_iter().map(|text| format!("{names}: {text}")));
    failures
}

/// What passes on each connection over all exchanges of a row, in the order in which they are opened.
fn whole_links(recordings: &[Recording]) -> Vec<(Vec<u8>, Vec<Step>)> {
    let mut links: BTreeMap<usize, (Vec<u8>, Vec<Step>)> = BTreeMap::new();
    for link in recordings.iter().flat_map(|recording| &recording.links) {
        let (bytes, steps) = links.entry(link.number).or_default();
        steps.extend(link.steps(bytes.len()));
        bytes.extend_from_slice(&link.server_to_app);
    }
    links.into_values().collect()
}

fn received(links: &[Link]) -> usize {
    links.iter().map(|link| link.received.len()).sum()
}

/// Does what the client did. Returns its port.
async fn perform(
    acts: &[Act],
    recording: &Recording,
    name: &str,
    site: &Site,
    app: &PlayedApp,
) -> Result<u16, String> {
    let head_only = recording.request.starts_with(b"HEAD ");
    let before = received(&app.links());
    let over_before = site.records().len();
    let mut client = Some(Client::connect(site.address()).await);
    let port = client.as_ref().map_or(0, Client::port);
    let mut request = recording.request.as_slice();
    let mut response = recording.response.as_slice();
    for act in acts {
        let Some(connected) = client.as_mut() else {
            site.until_records(over_before + 1).await?;
            continue;
        };
        match act {
            SendAll => connected.send(std::mem::take(&mut request)).await,
            Send(count) => connected.send(request.split_off(..*count).ok_or("the request is shorter")?).await,
            AppHas(count) => {
                app.until(&format!("{count} bytes"), |links| received(links) - before >= *count).await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
                let seen = received(&app.links()) - before;
                if seen != *count {
                    return Err(format!(
                        "{seen} bytes have reached the application where {count} should have"
                    ));
                }
            }
            Continue => {
                let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
                let until = connected.read_until(LONG, |view| view.bytes().len() >= interim.len()).await;
                if until != Until::Complete {
                    return Err("100 Continue never came".into());
                }
            }
            Response => {
                let (seen, until) = connected.response(head_only, LONG).await;
                let end =
                    View::new(response.to_vec()).end(head_only).ok_or("no further response was recorded")?;
                let expected = View::new(response.split_off(..end).unwrap_or_default().to_vec());
                let text = compare_views(name, &expected, &seen);
                if !text.is_empty() {
                    return Err(format!("{text} (reading ended: {until:?})"));
                }
            }
            Kept | Closed => {
                let kept = connected.is_kept(Site::PROBE).await;
                if kept != matches!(act, Kept) {
                    return Err(format!(
                        "the client's connection was kept: {kept}, which is not what was recorded"
                    ));
                }
            }
            HalfClose => connected.finish_sending().await,
            Leave => client = None,
            Over => return Err("the client is still there".into()),
        }
    }
    if request.is_empty() && response.is_empty() {
        Ok(port)
    } else {
        Err("not all that was recorded was played".into())
    }
}

/// Compares what the client saw.
fn compare_views(name: &str, expected: &View, seen: &View) -> String {
    if name == MANY_CHUNKS && seen.biggest_chunk() > expected.biggest_chunk() {
        return format!("a chunk has {:?} bytes", seen.biggest_chunk());
    }
    let comparable = |view: &View| {
        let view = view.without(if name == A_FILE { &["date", "etag"] } else { &["date"] });
        let view = if OWN_PAGES.contains(&name) { view.blotted() } else { view };
        if name == MANY_CHUNKS { view.unchunked() } else { view }
    };
    difference("the response", comparable(expected).bytes(), comparable(seen).bytes())
}

/// Compares what came on each connection, but for the client's port.
fn compare(expected: &[(Vec<u8>, Vec<Step>)], seen: &[Link], ports: &[u16]) -> Vec<String> {
    let mut failures = Vec::new();
    if expected.len() != seen.len() {
        failures.push(format!("{} LSAPI connections expected, {} opened", expected.len(), seen.len()));
    }
    let mut seen_ports = Vec::new();
    for (number, ((expected, _), seen)) in expected.iter().zip(seen).enumerate() {
        let mut expected = expected.clone();
        let mut seen = seen.received.clone();
        mask_ports(&mut expected);
        seen_ports.extend(mask_ports(&mut seen));
        let text = difference(&format!("LSAPI connection {number}"), &expected, &seen);
        if !text.is_empty() {
            failures.push(text);
        }
    }
    let told: Vec<_> = ports.iter().map(|port| port.to_string().into_bytes()).collect();
    if failures.is_empty() && !ports.is_empty() && seen_ports != told {
        failures.push("REMOTE_PORT is not the port of the client".into());
    }
    failures
}

/// Blots out the values of REMOTE_PORT and returns them.
fn mask_ports(bytes: &mut [u8]) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    let mut at = 0;
    while let Some(found) = find(&bytes[at..], b"REMOTE_PORT\0") {
        at += found + b"REMOTE_PORT\0".len();
        let end = at + bytes[at..].iter().position(|&byte| byte == 0).unwrap_or(0);
        values.push(bytes[at..end].to_vec());
        bytes[at..end].fill(b'#');
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(bytes: &[u8]) -> Link {
        Link { received: bytes.to_vec(), closed: false }
    }

    #[test]
    fn wrong_bytes_connections_and_ports_are_seen() {
        let bytes = Recording::read("01-get-simple").links.remove(0).server_to_app;
        let port: u16 = String::from_utf8(mask_ports(&mut bytes.clone()).remove(0)).unwrap().parse().unwrap();
        let expected = [(bytes.clone(), Vec::new())];
        assert!(compare(&expected, &[link(&bytes)], &[port]).is_empty());
        assert!(!compare(&expected, &[link(&bytes)], &[port + 1]).is_empty(), "another port");
        assert!(!compare(&expected, &[link(&bytes), link(b"")], &[port]).is_empty(), "another connection");
        assert!(!compare(&expected, &[], &[]).is_empty(), "no connection");
        assert!(
            !compare(&expected, &[link(&bytes[..bytes.len() - 1])], &[port]).is_empty(),
            "a byte is missing"
        );
        let twice = [&bytes[..], &bytes[..]].concat();
        assert!(!compare(&expected, &[link(&twice)], &[port, port]).is_empty(), "sent twice");
        for at in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] ^= 0xff;
            assert!(!compare(&expected, &[link(&wrong)], &[port]).is_empty(), "byte {at} is wrong");
        }
    }
}
