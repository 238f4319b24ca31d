//! What every `app_to_server.bin` contains, packet by packet.
//!
//! The application was built on the C library, so this shows how that library talks, and that this crate follows it.

use crate::capture::{self, REQUESTS, RESPONSES};
use lsapi::{AppPacket, ByteOrder, limits::MAX_STREAM_PAYLOAD};

/// One answer, taken apart.
#[derive(Debug, PartialEq)]
struct Answer {
    /// The packets, in order, one letter each: `p` PID notice, `r` REQ_RECEIVED, `e` STDERR_STREAM, `h` RESP_HEADER,
    /// `s` RESP_STREAM, `x` RESP_END.
    packets: String,
    /// The pid, where there was a notice.
    pid: Option<i32>,
    status: i32,
    headers: Vec<String>,
    body: usize,
    stderr: String,
}

/// What almost all answers are: acknowledged, status 200, one empty header, body in one packet.
fn usual(packets: &str, pid: Option<i32>, body: usize) -> Answer {
    let headers = vec!["X-N0: ".to_owned()];
    Answer { packets: packets.into(), pid, status: 200, headers, body, stderr: String::new() }
}

/// An answer from a process that had answered before.
fn received(body: usize) -> Answer {
    usual("rhsx", None, body)
}

/// The first answer of a forked process, which announces its pid instead of acknowledging the request.
fn first(pid: i32, body: usize) -> Answer {
    usual("phsx", Some(pid), body)
}

/// What is left when the application dies after the acknowledgement.
fn cut_off(packets: &str, pid: Option<i32>) -> Answer {
    Answer { status: 0, headers: Vec::new(), ..usual(packets, pid, 0) }
}

fn table() -> Vec<(&'static str, Answer)> {
    let long_headers = (0..20).map(|number| format!("X-N{number}: {}", "h".repeat(100))).collect();
    let big_body = format!("rh{}x", "s".repeat(65));
    vec![
        ("01-get-simple/conn000", first(21_006, 826)),
        ("03-post-form/conn000", received(975)),
        ("04-post-split/conn000", received(929)),
        ("06-post-chunked/conn000", received(850)),
        ("07-post-chunked-onewrite/conn000", received(929)),
        ("08-head/conn000", received(772)),
        ("10-big-header/conn000", received(110)),
        ("11-long-query/conn000", usual("rhssx", None, 20_112)),
        ("13-options/conn000", received(114)),
        ("14-http10/conn000", received(691)),
        ("16-expect-100/conn000", received(855)),
        ("17-keepalive-two-requests/conn000", usual("rhsxrhsx", None, 220)),
        ("18-post-zero/conn000", received(833)),
        ("30-wsgi-get/conn000", received(678)),
        ("31-wsgi-root/conn000", received(651)),
        ("35-wsgi-percent-long/conn000", received(684)),
        ("37-wsgi-post-split/conn000", received(735)),
        ("39-wsgi-head/conn000", received(655)),
        ("41-wsgi-dotdot/conn000", received(670)),
        ("42-wsgi-second-app/conn000", first(24_735, 677)),
        ("44-wsgi-no-query/conn000", received(108)),
        ("45-wsgi-put/conn000", received(705)),
        ("47-wsgi-absolute-uri/conn000", received(657)),
        ("50-abort-waiting/conn000", first(27_216, 117)),
        ("52-abort-body-incomplete/conn001", received(156)),
        ("53-abort-wsgi-waiting/conn001", first(27_322, 115)),
        ("54-half-close/conn002", received(123)),
        ("55-app-exits-mid-request/conn002", cut_off("r", None)),
        ("55-app-exits-mid-request/conn003", cut_off("p", Some(27_325))),
        ("55-app-exits-mid-request/conn004", cut_off("p", Some(27_327))),
        ("57-status-and-headers/conn005", Answer { status: 404, headers: long_headers, ..received(133) }),
        ("58-stderr/conn005", Answer { stderr: "to-stderr\n".into(), ..usual("rehsx", None, 115) }),
        ("59-big-1M/conn005", usual(&big_body, None, 121 + 1024 * 1024)),
        ("60-concurrent-second-conn/conn005", received(123)),
        ("62-abort-long-wait/conn000", first(28_561, 118)),
        ("63-early-answer-incomplete-body/conn000", first(30_983, 120)),
        ("64-next-request-after-63/conn000", received(110)),
        ("65-early-answer-full-body-unread/conn000", received(122)),
        ("66-next-request-after-65/conn001", received(110)),
        ("67-early-answer-small-body-unread/conn001", received(119)),
        ("68-next-request-after-67/conn001", received(110)),
        ("70-wsgi-root-context/conn000", first(29_296, 639)),
        ("71-wsgi-root-context-slash/conn000", received(102)),
        ("72-auth-basic/conn000", first(29_684, 801)),
    ]
}

fn take_apart(file: &str, bytes: &[u8]) -> Answer {
    let mut answer = cut_off("", None);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (header, packet) = AppPacket::decode(rest).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(header.order(), ByteOrder::NATIVE, "{file}");
        assert_eq!(header.encode(), rest[..8], "{file}");
        answer.packets.push(match packet {
            AppPacket::PidNotice(pid) => {
                answer.pid = Some(pid);
                'p'
            }
            AppPacket::ReqReceived => 'r',
            AppPacket::Stderr(text) => {
                answer.stderr.push_str(str::from_utf8(text).unwrap());
                'e'
            }
            AppPacket::RespHeader(head) => {
                assert_eq!(head.surplus(), 0, "{file}");
                assert!(head.lines().all(|line| line.is_terminated()), "{file}");
                answer.status = head.status();
                answer.headers =
                    head.lines().map(|line| str::from_utf8(line.text()).unwrap().into()).collect();
                'h'
            }
            AppPacket::RespStream(body) => {
                assert!(body.len() <= MAX_STREAM_PAYLOAD, "{file}");
                answer.body += body.len();
                's'
            }
            AppPacket::RespEnd => 'x',
            AppPacket::ConnClose | AppPacket::InternalError => panic!("{file}: {packet:?}"),
        });
        rest = &rest[header.len..];
    }
    answer
}

#[test]
fn every_response_file_decodes_packet_by_packet_to_its_last_byte() {
    for (file, want) in table() {
        assert_eq!(take_apart(file, &capture::read(file, RESPONSES)), want, "{file}");
    }
}

#[test]
fn every_request_file_has_its_answer_in_the_table() {
    let described: Vec<_> = table().into_iter().map(|(file, _)| file.to_owned()).collect();
    assert_eq!(described, capture::files(RESPONSES));
    assert_eq!(described, capture::files(REQUESTS));
}
