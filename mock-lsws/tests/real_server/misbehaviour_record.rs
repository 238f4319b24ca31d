//! One line of `misbehaviour.jsonl`: what an application did, and what a client saw of it.

use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::played_app::Step;
use crate::recording::data;

/// One way to misbehave.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Misbehaviour {
    /// What it is called.
    pub(crate) name: String,
    app: Vec<Deed>,
    /// What came of it.
    pub(crate) client: Seen,
    /// How often the server sent the request.
    pub(crate) sends: usize,
}

/// What the application did.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deed {
    send_hex: Option<String>,
    send_hex_bytewise: Option<String>,
    gap: Option<f64>,
    send: Option<String>,
    send_len: Option<usize>,
    send_sha256: Option<String>,
    sleep: Option<f64>,
    r#do: Option<String>,
}

/// What the client saw.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Seen {
    /// First line of the response.
    pub(crate) status_line: String,
    /// When it had seen everything.
    pub(crate) seconds: f64,
    /// What became of its connection.
    pub(crate) connection: Connection,
    response: String,
}

/// What became of the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Connection {
    /// Still there, with or without a response.
    #[serde(rename = "open")]
    Open,
    /// The server closed it.
    #[serde(rename = "EOF")]
    Eof,
}

/// A recorded response: Date and Server are not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Response {
    /// All of it.
    Whole(Vec<u8>),
    /// The head; behind it stands a page of the server's own.
    OwnPage(Vec<u8>),
    /// How it begins.
    Start(Vec<u8>),
    /// How it begins, and how many bytes it has in all, with Date and Server.
    StartAndLength(Vec<u8>, usize),
}

/// All of them.
pub(crate) fn all() -> Vec<Misbehaviour> {
    let lines = std::fs::read_to_string(data().join("misbehaviour.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Misbehaviour {
    /// What the application does on each connection.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let deeds = self.app.iter().map(|deed| {
            let seconds = Duration::from_secs_f64;
            match deed {
                Deed { send_hex: Some(hex), .. } => Step::Send(from_hex(hex)),
                Deed { send_hex_bytewise: Some(hex), gap: Some(gap), .. } => {
                    Step::Bytewise(from_hex(hex), seconds(*gap))
                }
                Deed { send: Some(words), send_len: Some(length), send_sha256: Some(sum), .. } => {
                    let bytes = generated(&self.name).unwrap_or_else(|| panic!("unknown words: {words}"));
                    assert_eq!(bytes.len(), *length, "{}: {words}", self.name);
                    let seen: String =
                        Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
                    assert_eq!(&seen, sum, "{}: {words}", self.name);
                    Step::Send(bytes)
                }
                Deed { sleep: Some(time), .. } => Step::Sleep(seconds(*time)),
                Deed { r#do: Some(what), .. } if what == "close" => Step::Close,
                deed => panic!("{}: what is {deed:?}?", self.name),
            }
        });
        std::iter::once(Step::Request).chain(deeds).collect()
    }
}

impl Seen {
    /// The response.
    pub(crate) fn response(&self) -> Response {
        let text = self.response.strip_prefix("b'").expect("bytes as Python writes them");
        if let Some(head) = text.strip_suffix("<errpage>") {
            return Response::OwnPage(unescape(head));
        }
        if let Some((start, length)) = text.split_once("~' ...") {
            let length = length.strip_suffix(" bytes").and_then(|length| length.parse().ok());
            return Response::StartAndLength(unescape(start), length.expect("a length"));
        }
        text.strip_suffix('\'')
            .map_or_else(|| Response::Start(unescape(text)), |whole| Response::Whole(unescape(whole)))
    }
}

/// What Python's repr of bytes stands for.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        let byte = match (char, if char == '\\' { rest.next() } else { None }) {
            ('\\', Some('r')) => b'\r',
            ('\\', Some('n')) => b'\n',
            ('\\', Some('x')) => {
                let digits: String = rest.by_ref().take(2).collect();
                u8::from_str_radix(&digits, 16).unwrap()
            }
            ('\\', other) => panic!("what is \\{other:?}?"),
            (plain, _) => u8::try_from(plain).unwrap(),
        };
        bytes.push(byte);
    }
    bytes
}

fn from_hex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "half a byte");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// What some lines say in words, in bytes.
fn generated(name: &str) -> Option<Vec<u8>> {
    let filled = |count: usize| (0..count).map(|k| format!("X-P{k}: {}", "p".repeat(3000))).collect();
    let (headers, stderr, body): (Vec<String>, usize, Vec<u8>) = match name {
        "hdr40000" => (filled(13), 0, b"ok\n".to_vec()),
        "hdr66000" => (filled(22), 0, b"ok\n".to_vec()),
        "hdrcount300" => ((0..300).map(|k| format!("X-P{k}: v")).collect(), 0, b"ok\n".to_vec()),
        "hdrcount4096" => ((0..4095).map(|k| format!("X{k}: v")).collect(), 0, b"ok\n".to_vec()),
        "onehdr30000" => (vec![format!("X-P: {}", "p".repeat(30_000))], 0, b"ok\n".to_vec()),
        "stderr16384" => (Vec::new(), 16_384, b"ok\n".to_vec()),
        "stream16384" => (Vec::new(), 0, vec![b's'; 16_384]),
        _ => return None,
    };
    let mut bytes = packet(7, b"");
    if stderr > 0 {
        bytes.extend(packet(6, &vec![b'e'; stderr]));
    }
    let headers: Vec<_> = std::iter::once("Content-Type: text/plain".to_owned()).chain(headers).collect();
    let headers: Vec<_> = headers.iter().map(|header| format!("{header}\0")).collect();
    bytes.extend(packet(3, &response_header(200, &headers)));
    bytes.extend(packet(4, &body));
    bytes.extend(packet(5, b""));
    Some(bytes)
}

/// A packet to the server.
pub(crate) fn packet(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 8).unwrap();
    [&[b'L', b'S', kind, 0], &length.to_le_bytes()[..], payload].concat()
}

/// The payload of RESP_HEADER.
pub(crate) fn response_header(status: i32, headers: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let count = i32::try_from(headers.len()).unwrap();
    let mut payload = [count.to_le_bytes(), status.to_le_bytes()].concat();
    for header in headers {
        payload.extend(u16::try_from(header.as_ref().len()).unwrap().to_le_bytes());
    }
    payload.extend(headers.iter().flat_map(|header| header.as_ref()));
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_understood() {
        let all = all();
        assert_eq!(all.len(), 63);
        for line in &all {
            assert!(line.steps().len() > 1, "{}", line.name);
            match line.client.response() {
                Response::Whole(bytes) if line.client.status_line == "(nothing)" => assert!(bytes.is_empty()),
                Response::Whole(bytes) | Response::OwnPage(bytes) => {
                    assert!(bytes.starts_with(line.client.status_line.as_bytes()), "{}", line.name);
                }
                Response::Start(_) => assert_eq!(line.name, "hdrcount300"),
                Response::StartAndLength(..) => {
                    assert!(["hdr40000", "stream16384"].contains(&line.name.as_str()));
                }
            }
        }
    }
}
