//! What holds for any bytes of an application.

use lsapi::{CONN_CLOSE, REQ_RECEIVED, RESP_END, RawResponseHeader, pid_notice, put_stderr, put_stream};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Framing, Piece, Progress, Reply};

fn written(put: fn(&[u8], &mut Vec<u8>), bytes: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    put(bytes, &mut packet);
    packet
}

/// One packet, right or nearly so.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just("Content-Type: text/plain".to_owned()),
        Just("Content-Length: 5".to_owned()),
        Just("Content-Length: x".to_owned()),
        Just("Transfer-Encoding: chunked".to_owned()),
        Just("Location: /elsewhere".to_owned()),
        Just("Status: 404 Not Here".to_owned()),
        Just("Status: 304".to_owned()),
        "[ -~]{0,40}",
    ];
    let status = prop_oneof![Just(200), Just(0), Just(100), Just(204), Just(404), any::<i32>()];
    let header = (status, vec(line, 0..4)).prop_map(|(status, lines)| {
        let header = RawResponseHeader::new(status);
        lines.iter().fold(header, |header, line| header.line(line.as_bytes())).encode()
    });
    let stream = vec(any::<u8>(), 0..200).prop_map(|bytes| written(put_stream, &bytes));
    let text = "(Status: [0-9]{3}\r?\n|[A-Z]: [a-z]{0,9}\r?\n|\r?\n|[a-z]{0,9}){0,6}"
        .prop_map(|text| written(put_stream, text.as_bytes()));
    let stderr = vec(any::<u8>(), 0..50).prop_map(|bytes| written(put_stderr, &bytes));
    prop_oneof![
        4 => header,
        4 => stream,
        2 => text,
        1 => stderr,
        1 => Just(REQ_RECEIVED.to_vec()),
        1 => Just(pid_notice(77).to_vec()),
        1 => Just(CONN_CLOSE.to_vec()),
        2 => Just(RESP_END.to_vec()),
    ]
}

/// Bytes of one send, in parts, until something is decided.
fn take_all(reply: &mut Reply, parts: &[&[u8]]) -> Progress {
    reply.begin_send();
    let mut all = parts.iter().map(|part| reply.take(part));
    all.find(|&progress| progress != Progress::More).unwrap_or(Progress::More)
}

fn pieces(reply: &mut Reply) -> Vec<Piece> {
    std::iter::from_fn(|| reply.next_piece()).collect()
}

/// `bytes` in parts that end where `cuts` say, in thousandths.
fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut * bytes.len() / 1000).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let mut start = 0;
    ends.into_iter().map(|end| &bytes[std::mem::replace(&mut start, end)..end]).collect()
}

/// What every sequence of pieces keeps to: one head, bytes only behind it and never more than it declares, one end.
fn check(pieces: &[Piece]) -> Result<(), TestCaseError> {
    let mut declared = None;
    let mut body = 0;
    let mut ended = false;
    for piece in pieces {
        prop_assert!(!ended, "{piece:?} behind the end");
        match piece {
            Piece::Head(head) => {
                prop_assert!(declared.is_none(), "a second head");
                prop_assert!(head.status >= 200, "{} is not final", head.status);
                declared = Some(match head.framing {
                    Framing::None => 0,
                    Framing::Length(length) => length,
                    Framing::Open => u64::MAX,
                });
            }
            Piece::Body(bytes) => {
                prop_assert!(!bytes.is_empty(), "an empty chunk would be the last");
                prop_assert!(bytes.len() <= 8192, "a chunk of {} bytes", bytes.len());
                body += bytes.len() as u64;
                prop_assert!(body <= declared.unwrap_or(0), "more than declared");
            }
            Piece::Interim(_) => {
                prop_assert!(declared.is_none(), "an interim head behind the head");
                declared = Some(0);
            }
            Piece::End | Piece::Redirect(_) => ended = true,
            Piece::Cut | Piece::Page(_) => prop_assert!(false, "{piece:?} is for others to decide"),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn how_bytes_are_cut_changes_nothing(
        packets in vec(packet(), 0..8),
        cuts in vec(0_usize..1000, 0..12),
        head_only in any::<bool>(),
    ) {
        // What stands behind RESP_END counts if it came along with it: the one thing that depends on it.
        let bytes: Vec<u8> =
            packets.into_iter().filter(|packet| *packet != RESP_END).chain([RESP_END.to_vec()]).flatten().collect();
        let [mut whole, mut parts] = [Reply::new(head_only), Reply::new(head_only)];
        prop_assert_eq!(take_all(&mut whole, &[&bytes]), take_all(&mut parts, &cut(&bytes, &cuts)));
        prop_assert_eq!(whole.is_acknowledged(), parts.is_acknowledged());
        prop_assert_eq!(whole.take_notes(), parts.take_notes());
        prop_assert_eq!(pieces(&mut whole), pieces(&mut parts));
    }

    #[test]
    fn a_client_gets_one_response_whatever_an_application_does(
        sends in vec(vec(packet(), 0..8), 1..4),
        cuts in vec(0_usize..1000, 0..12),
        damage in vec((0_usize..1000, any::<u8>()), 0..3),
        head_only in any::<bool>(),
    ) {
        let mut reply = Reply::new(head_only);
        let mut seen = Vec::new();
        'sends: for packets in sends {
            let mut bytes = packets.concat();
            for (at, byte) in &damage {
                let at = at * bytes.len() / 1000;
                if let Some(place) = bytes.get_mut(at) {
                    *place = *byte;
                }
            }
            reply.begin_send();
            for part in cut(&bytes, &cuts) {
                let progress = reply.take(part);
                seen.extend(pieces(&mut reply));
                match progress {
                    Progress::More => reply.flush(),
                    Progress::Violation | Progress::Stuck => break,
                    Progress::Complete { .. } | Progress::Refused(_) | Progress::Redirected => break 'sends,
                }
                seen.extend(pieces(&mut reply));
            }
            reply.flush();
            seen.extend(pieces(&mut reply));
        }
        check(&seen)?;
        prop_assert_eq!(reply.has_started(), seen.iter().any(|piece| !matches!(piece, Piece::Redirect(_))));
    }
}

/// CGI text without an end, in many small lines or one long, is given up: it must not fill the memory.
#[test]
fn endless_header_text_is_refused() {
    for line in [&b"A: b\n"[..], b"x"] {
        let packet = written(put_stream, &line.repeat(16_000 / line.len()));
        let mut reply = Reply::new(false);
        reply.begin_send();
        let progress = (0..100).map(|_| reply.take(&packet)).find(|&progress| progress != Progress::More);
        assert_eq!(progress, Some(Progress::Refused(500)));
    }
}
