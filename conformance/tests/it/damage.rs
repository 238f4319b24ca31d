//! A liar between server and application: the runner must see through it, and show what it saw.

use std::fs;

use crate::support::{self, Run};

/// Runs a case against lswsgi behind a proxy that does `damage`. A response without an end is given two seconds.
fn behind_proxy(damage: &str) -> Run {
    let steps = "[[step]]\nrequest = { path = \"/\" }\nexpect = { status = 200, within = \"2s\" }\n";
    behind_proxy_with(damage, steps)
}

fn behind_proxy_with(damage: &str, steps: &str) -> Run {
    behind_proxy_in("worker", damage, steps)
}

fn behind_proxy_in(mode: &str, damage: &str, steps: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("liar.toml");
    let proxy = env!("CARGO_BIN_EXE_conformance");
    let text = format!(
        "name = \"liar\"\nuser = \"self\"\nbinary = {:?}\ncommand = [{proxy:?}, \"proxy\", \"--damage\", {damage:?}, \"--\", \"{{binary}}\", \
         \"-m\", \"{{script}}\"]\n[roles]\nhello = {:?}\n",
        support::lswsgi(),
        support::scenarios().join("apps/hello.wsgi"),
    );
    fs::write(&file, text).unwrap();
    let case = support::scenario(mode, "hello", steps);
    let cases = support::folder(&[("get", &case)]);
    support::run(["run", "--subject", file.to_str().unwrap(), "--scenarios", cases.path().to_str().unwrap()])
}

#[test]
fn without_damage_the_proxy_is_not_noticed() {
    let run = behind_proxy("none");
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
}

#[test]
fn a_response_without_its_end_fails_and_the_transcript_shows_it() {
    let run = behind_proxy("drop-end");
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    let case = run.case("case/get");
    assert!(case.contains("end of the response\n       expected: RESP_END\n"), "{case}");
    let (_, transcript) = case.split_once("transcript:").unwrap();
    assert!(transcript.contains("RESP_HEADER") && transcript.contains("RESP_STREAM"), "{case}");
    assert!(!transcript.contains("RESP_END"), "{case}");
}

#[test]
fn a_wrong_header_count_fails_and_the_transcript_shows_it() {
    for damage in ["count-one-more", "count-one-less"] {
        let run = behind_proxy(damage);
        assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
        let case = run.case("case/get");
        assert!(case.contains("protocol: RESP_HEADER has"), "{damage}: {case}");
        let (_, transcript) = case.split_once("transcript:").unwrap();
        // lswsgi's two lines became three, or one.
        let count = if damage == "count-one-more" { "3 header" } else { "1 header" };
        assert!(transcript.contains(count), "{damage}: {case}");
    }
}

#[test]
fn a_missing_acknowledgement_fails() {
    let run = behind_proxy("drop-ack");
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.case("case/get").contains("neither REQ_RECEIVED nor a PID notice came"), "{}", run.stdout);
}

#[test]
fn a_packet_behind_the_end_fails_whether_or_not_it_is_read() {
    let run = behind_proxy("double-end");
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.case("case/get").contains("protocol: RESP_END came after RESP_END"), "{}", run.stdout);

    // The steps are content with the first end; the look at what is left behind them is not.
    let steps = "[[step]]\nrequest = {}\nexpect_packets = [\"REQ_RECEIVED\", \"RESP_HEADER\", \"RESP_STREAM*\", \"RESP_END\"]\n";
    let run = behind_proxy_with("double-end", steps);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    let case = run.case("case/get");
    assert!(case.contains("connection main after the last response\n"), "{case}");
    assert!(case.contains("actual:   RESP_END"), "{case}");
}

#[test]
fn bytes_behind_the_last_end_fail_even_if_they_are_no_packet() {
    let run = behind_proxy("junk-after-end");
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    let case = run.case("case/get");
    assert!(case.contains("connection main after the last response\n"), "{case}");
}

#[test]
fn log_text_and_empty_pieces_are_allowed_everywhere_and_status_0_is_200() {
    let steps = "[[step]]\nrequest = {}\n\
                 expect_packets = [\"REQ_RECEIVED\", \"RESP_HEADER\", { packet = \"RESP_STREAM\", payload = \"Hello, World!\\n\" }, \"RESP_END\"]\n\
                 [[step]]\nrequest = {}\nexpect = { status = [0, 200], body = \"Hello, World!\\n\" }\n\
                 [[step]]\nexpect_no_bytes = { for = \"100ms\" }\n";
    let run = behind_proxy_with("chatty", steps);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
}

#[test]
fn log_text_counts_where_a_step_asks_for_it() {
    let steps =
        "[[step]]\nrequest = {}\nexpect_packets = [\"REQ_RECEIVED\", \"STDERR_STREAM\", \"RESP_HEADER\"]\n";
    assert_eq!(behind_proxy_with("chatty", steps).code, Some(0));
    assert_eq!(behind_proxy_with("none", steps).code, Some(1));
}

#[test]
fn a_listening_proxy_is_noticed_only_by_its_damage() {
    // Several connections, one of them cut off, and a half that ends before the answer.
    let steps = "[[step]]\nrequest = {}\nexpect = { status = 200 }\n\
                 [[step]]\nreset = \"main\"\n\
                 [[step]]\nconnect = \"second\"\n\
                 [[step]]\non = \"second\"\nrequest = {}\n\
                 [[step]]\nhalf_close = \"second\"\n\
                 [[step]]\non = \"second\"\nexpect = { body = \"Hello, World!\\n\", conn_close = \"allowed\", within = \"2s\" }\n\
                 [[step]]\non = \"second\"\nexpect_eof = {}\n";
    let run = behind_proxy_in("listen", "none", steps);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let run = behind_proxy_in("listen", "drop-end", "[[step]]\nrequest = {}\nexpect = { within = \"2s\" }\n");
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(
        run.case("case/get").contains("end of the response\n       expected: RESP_END\n"),
        "{}",
        run.stdout
    );
}
