//! One recorded exchange: what client, server and application said.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::played_app::Step;

/// The folder of the records.
pub(crate) fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/real-server")
}

/// The codec is measured against the bytes of the LSAPI connections too, so they are stored there.
fn lsapi_bytes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../lsapi/tests/captures")
}

/// The names of all recorded exchanges.
pub(crate) fn names() -> BTreeSet<String> {
    let folders = [data(), lsapi_bytes()].map(|folder| std::fs::read_dir(folder).unwrap());
    let entries = folders.into_iter().flatten().map(Result::unwrap).filter(|entry| entry.path().is_dir());
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// A recorded exchange.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    /// What the client sent.
    pub(crate) request: Vec<u8>,
    /// What it got.
    pub(crate) response: Vec<u8>,
    /// What passed on the LSAPI connections, by number.
    pub(crate) links: Vec<RecordedLink>,
}

/// The part of one LSAPI connection that belongs to an exchange.
#[derive(Clone, Debug)]
pub(crate) struct RecordedLink {
    /// Which connection of the recording session it was.
    pub(crate) number: usize,
    /// All the server wrote.
    pub(crate) server_to_app: Vec<u8>,
    app_to_server: Vec<u8>,
    events: Vec<Event>,
}

/// One line of `events.jsonl`.
#[derive(Clone, Debug, Deserialize)]
struct Event {
    /// Seconds since the recording session began.
    t: f64,
    conn: Option<usize>,
    dir: Option<Side>,
    len: Option<usize>,
    #[serde(default)]
    eof: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Side {
    #[serde(rename = "server->app")]
    Server,
    #[serde(rename = "app->server")]
    App,
}

impl Recording {
    /// Reads a folder.
    pub(crate) fn read(name: &str) -> Self {
        let folder = data().join(name);
        let events = std::fs::read_to_string(folder.join("events.jsonl")).unwrap_or_default();
        let events: Vec<Event> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let numbers: BTreeSet<_> = events.iter().filter_map(|event| event.dir.and(event.conn)).collect();
        let link = |number| {
            let bytes = |side| {
                std::fs::read(lsapi_bytes().join(name).join(format!("conn{number:03}.{side}.bin"))).unwrap()
            };
            RecordedLink {
                number,
                server_to_app: bytes("server_to_app"),
                app_to_server: bytes("app_to_server"),
                events: events.iter().filter(|event| event.conn == Some(number)).cloned().collect(),
            }
        };
        Self {
            request: std::fs::read(folder.join("request.http")).unwrap(),
            response: std::fs::read(folder.join("response.http")).unwrap(),
            links: numbers.into_iter().map(link).collect(),
        }
    }
}

/// A wait of the recorded application is repeated, but no longer than this.
const PAUSE: Duration = Duration::from_millis(300);

impl RecordedLink {
    /// What the application did on this connection, which has carried `before` bytes of the server already.
    pub(crate) fn steps(&self, before: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        let (mut expected, mut sent) = (before, 0);
        let mut last = None;
        for event in &self.events {
            match (event.dir, event.len) {
                (Some(Side::Server), Some(len)) => expected += len,
                (Some(Side::App), Some(len)) => {
                    steps.push(Step::Receive(expected));
                    let gap = Duration::from_secs_f64(last.map_or(0.0, |last| event.t - last));
                    if gap >= PAUSE {
                        steps.push(Step::Sleep(PAUSE));
                    }
                    steps.push(Step::Send(self.app_to_server[sent..sent + len].to_vec()));
                    sent += len;
                }
                (Some(Side::Server), None) if event.eof => steps.push(Step::ServerCloses),
                (Some(Side::App), None) if event.eof => steps.push(Step::Close),
                _ => {}
            }
            last = Some(event.t);
        }
        steps.push(Step::Receive(expected));
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of the files are what the events speak of: nothing is left out of a script.
    #[test]
    fn scripts_hold_all_that_was_recorded() {
        for name in names() {
            for link in Recording::read(&name).links {
                let steps = link.steps(7);
                let sent: Vec<u8> = steps
                    .iter()
                    .filter_map(|step| if let Step::Send(bytes) = step { Some(bytes.clone()) } else { None })
                    .flatten()
                    .collect();
                assert!(sent == link.app_to_server, "{name}: bytes of the application are missing");
                let expected = link.server_to_app.len() + 7;
                let last = steps
                    .iter()
                    .rev()
                    .find_map(|step| if let Step::Receive(n) = step { Some(*n) } else { None });
                assert_eq!(last, Some(expected), "{name}: bytes of the server are missing");
            }
        }
    }
}
