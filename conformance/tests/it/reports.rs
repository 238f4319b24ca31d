//! Every report of one run in which everything happens that can happen to a case, and reports of real runs.

use std::fs;
use std::time::Duration;

use conformance::event::{
    Attempt, CaseResult, Event, FORMAT, Failure, FailureKind, Part, Place, Problem, RunStarted, Summary,
    Verdict,
};
use conformance::report::{
    HtmlReport, JsonLines, JsonReport, JunitReport, MarkdownReport, Report, TapReport, TextReport,
};
use mock_lsws::scenario::Class;
use mock_lsws::{Direction, EntryRecord};
use tap_parser::{DirectiveKind, TapParser, TapPlan, TapStatement, TapTest};
use uppsala::XsdValidator;

use crate::support::{self, Scripted, folder, scenario};

/// What Jenkins takes.
const SCHEMA: &str = include_str!("jenkins-junit.xsd");

fn problem(field: &str, expected: Option<&str>, actual: &str) -> Problem {
    Problem { field: field.into(), expected: expected.map(Into::into), actual: actual.into(), place: None }
}

fn failed(kind: FailureKind, problems: Vec<Problem>) -> Part {
    let note = Some("the answer".into());
    let file = "scenarios/wire/x.toml".into();
    Part::Failed(Failure { kind, file, line: 12, column: 1, note, problems })
}

fn entry(at_us: u64, direction: Direction, name: &str, summary: &str, bytes: &[u8]) -> EntryRecord {
    EntryRecord {
        at_us,
        connection: 1,
        direction,
        name: name.into(),
        summary: summary.into(),
        detail: Vec::new(),
        length: bytes.len(),
        bytes: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn attempt(number: u32, exchange: Part, ending: Part) -> Attempt {
    let (stderr, transcript) = if matches!((&exchange, &ending), (Part::Passed, Part::Passed)) {
        (Vec::new(), Vec::new())
    } else {
        let packets = vec![
            entry(1500, Direction::Sent, "BEGIN_REQUEST", "GET /, no body, 12 bytes", b"LS\x01\x00"),
            entry(2750, Direction::Received, "RESP_END", "", b"LS\x05\x00\x08\x00\x00\x00"),
        ];
        (vec!["a line with <markup> & \u{1b}[31mcolour\u{1b}[0m".into()], packets)
    };
    Attempt { number, duration: Duration::from_millis(250), exchange, ending, stderr, transcript }
}

fn result(id: &str, class: Class, verdict: Verdict, mut attempts: Vec<Attempt>) -> Event {
    let last = attempts.pop();
    let duration = Duration::from_millis(1234);
    Event::CaseFinished(Box::new(CaseResult {
        id: id.into(),
        round: 1,
        title: "A request is answered".into(),
        class,
        spec: vec!["W01".into(), "lsapi 1.6".into()],
        why: "Everything depends on it.".into(),
        duration,
        slow: id.ends_with("slow"),
        verdict,
        attempt: last,
        earlier: attempts,
        rerun: format!("conformance run {id}"),
    }))
}

/// A run with every verdict in it.
fn events() -> Vec<Event> {
    let passed = || Part::Passed;
    let wrong = || {
        let long = "\"Everything that is long enough to look at twice\"";
        let other = "\"Everything that is long enough to look at once\"";
        let problems = vec![
            problem("status", Some("200"), "500"),
            Problem { place: Some(Place { entry: 1, byte: 4 }), ..problem("body", Some(long), other) },
            problem("protocol", None, "two RESP_HEADER packets"),
        ];
        failed(FailureKind::Mismatch, problems)
    };
    let late = || {
        let wanted = Some("the case to be over after 30s");
        failed(FailureKind::Timeout, vec![problem("time", wanted, "this step was still running")])
    };
    let left = || {
        let wanted = Some("none when the application has ended");
        failed(
            FailureKind::Mismatch,
            vec![problem("processes left behind", wanted, "pid 7 (sleep), state S")],
        )
    };
    let reason = |text: &str| text.to_owned();
    let bad = |number| attempt(number, wrong(), Part::NotJudged);
    let good = |number| attempt(number, passed(), passed());
    let mut events = vec![
        Event::RunStarted(RunStarted {
            format: FORMAT,
            tool: "conformance 1.2.3".into(),
            subject: "lswsgi".into(),
            selection: "class must, should".into(),
            cases: Some(12),
            jobs: 8,
            seed: Some(42),
            command: "conformance run".into(),
            whole_command: "conformance run --shuffle=42".into(),
        }),
        Event::CaseStarted { id: "wire/passed".into(), round: 1 },
        result("wire/passed", Class::Must, Verdict::Passed, vec![good(1)]),
        result("wire/slow", Class::Should, Verdict::Passed, vec![good(1)]),
        result("wire/failed", Class::Must, Verdict::Failed, vec![bad(1)]),
        result("wire/late[n=1/2]", Class::Must, Verdict::Failed, vec![attempt(1, late(), Part::NotJudged)]),
        result("life/left", Class::Should, Verdict::Failed, vec![attempt(1, passed(), left())]),
        result("life/both", Class::Must, Verdict::Failed, vec![bad(1), attempt(2, wrong(), left())]),
        Event::CaseAttempt { id: "life/flaky".into(), round: 1, attempt: Box::new(bad(1)) },
        result("life/flaky", Class::Must, Verdict::Flaky, vec![bad(1), good(2)]),
        result(
            "life/waived",
            Class::Detail,
            Verdict::Waived { reason: reason("lsapi 9: it closes") },
            vec![bad(1)],
        ),
        result("life/skipped", Class::Must, Verdict::Skipped { reason: reason("no role `crash`") }, vec![]),
        result(
            "life/skipped-too",
            Class::Must,
            Verdict::Skipped { reason: reason("no role `crash`") },
            vec![],
        ),
        result("life/error", Class::Must, Verdict::Error { message: reason("no temporary folder") }, vec![]),
        result(
            "life/not-run",
            Class::Must,
            Verdict::NotRun { reason: reason("the run was interrupted") },
            vec![],
        ),
    ];
    let mut summary = Summary::default();
    for event in &events {
        if let Event::CaseFinished(result) = event {
            summary.count(result);
        }
    }
    summary.duration = Duration::from_millis(4321);
    summary.remarks = vec!["waivers.toml:3: the waiver for `wire/*` matches no case; remove it".into()];
    summary.error = Some("interrupted; every process of the run has been ended".into());
    summary.exit_code = 130;
    events.push(Event::RunFinished(summary));
    events
}

/// What `make` makes of the events.
fn rendered<'a, R: Report>(bytes: &'a mut Vec<u8>, make: impl FnOnce(&'a mut Vec<u8>) -> R) {
    let mut report = make(bytes);
    for event in events() {
        report.event(&event).unwrap();
    }
}

fn junit() -> String {
    let mut bytes = Vec::new();
    rendered(&mut bytes, JunitReport::new);
    String::from_utf8(bytes).unwrap()
}

/// What the schema objects to in `document`.
fn objections(document: &str) -> Vec<String> {
    let validator = XsdValidator::from_schema(&uppsala::parse(SCHEMA).unwrap()).unwrap();
    let document = uppsala::parse(document).unwrap();
    validator.validate(&document).iter().map(|error| format!("{error:?}")).collect()
}

#[test]
fn text() {
    let mut bytes = Vec::new();
    rendered(&mut bytes, |out| TextReport::new(anstream::StripStream::new(out), 0));
    insta::assert_snapshot!(String::from_utf8(bytes).unwrap());
}

#[test]
fn text_with_all_bytes() {
    let mut bytes = Vec::new();
    rendered(&mut bytes, |out| TextReport::new(anstream::StripStream::new(out), 2));
    insta::assert_snapshot!(String::from_utf8(bytes).unwrap());
}

#[test]
fn junit_xml_that_jenkins_takes() {
    let document = junit();
    assert_eq!(objections(&document), Vec::<String>::new());
    insta::assert_snapshot!(document);
}

#[test]
fn the_schema_does_refuse_something() {
    let damage = [
        ("<testsuites name", "<testsuites skipped=\"1\" name", "skipped"),
        ("<testcase name=", "<testcase nome=", "nome"),
        ("type=\"mismatch\"", "kind=\"mismatch\"", "type"),
        ("<failure", "<properties/><failure", "properties"),
        ("time=\"4.321\"", "time=\"4.3210\"", "4.3210"),
    ];
    for (text, damaged, words) in damage {
        let document = junit();
        assert!(document.contains(text), "{text}");
        let found = objections(&document.replace(text, damaged).replace("</failure><prop", "</failure>"));
        assert!(found.iter().any(|objection| objection.contains(words)), "{words}: {found:?}");
    }
}

#[test]
fn json() {
    let mut bytes = Vec::new();
    rendered(&mut bytes, JsonReport::new);
    insta::assert_snapshot!(String::from_utf8(bytes).unwrap());
}

fn tap_of(events: &[Event]) -> String {
    let mut bytes = Vec::new();
    let mut report = TapReport::new(&mut bytes);
    for event in events {
        report.event(event).unwrap();
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn tap_that_a_parser_reads() {
    let text = tap_of(&events());
    insta::assert_snapshot!(text);
    let statements = TapParser::new().parse(&text).unwrap();
    let points: Vec<&TapTest<'_>> = statements.iter().filter_map(point).collect();
    // In a run of several rounds nobody knows how many there will be.
    assert_eq!(statements.last(), Some(&TapStatement::Plan(TapPlan { count: 13, reason: None })));
    assert_eq!(points.len(), 13);
    let told: Vec<_> = points.iter().map(|point| (point.result, directive(point))).collect();
    let skip = |reason: &'static str| (true, Some(("skip", reason)));
    let todo = (false, Some(("todo", "waived: lsapi 9: it closes")));
    let (good, bad, flaky) = ((true, None), (false, None), (true, None));
    let (no_role, interrupted) = (skip("no role `crash`"), skip("not run: the run was interrupted"));
    assert_eq!(told, [good, good, bad, bad, bad, bad, flaky, todo, no_role, no_role, bad, interrupted, bad]);
    assert_eq!(points[2].desc, Some("wire/failed"));
    assert!(points[2].yaml.contains(&"again: \"conformance run wire/failed\""), "{:?}", points[2].yaml);
    assert!(points[0].yaml.is_empty());
}

fn point<'a, 'b>(statement: &'b TapStatement<'a>) -> Option<&'b TapTest<'a>> {
    if let TapStatement::TestPoint(point) = statement { Some(point) } else { None }
}

fn directive<'a>(point: &TapTest<'a>) -> Option<(&'static str, &'a str)> {
    let directive = point.directive.as_ref()?;
    let kind = if directive.kind == DirectiveKind::Skip { "skip" } else { "todo" };
    Some((kind, directive.reason.unwrap_or_default()))
}

/// What an application could say to break out of a report.
const HOSTILE: &str =
    "</script><b>&amp;\n```\n````\nok 9 - x # SKIP\n]]>|*_[x](y)\\ # TODO \u{1b}[31m\0\u{fffd}\u{9b}1m";

/// A run whose only case failed with hostile words wherever there are words.
fn hostile() -> Vec<Event> {
    let mut events = events();
    let words = || HOSTILE.to_owned();
    events.retain(|event| {
        !matches!(event, Event::CaseFinished(case) if case.id != "wire/failed")
            && !matches!(event, Event::CaseAttempt { .. })
    });
    for event in &mut events {
        match event {
            Event::RunStarted(run) => {
                run.cases = Some(1);
                run.subject = words();
                run.whole_command = words();
            }
            Event::CaseFinished(case) => {
                case.title = words();
                case.why = words();
                let attempt = case.attempt.as_mut().unwrap();
                attempt.stderr = vec![words()];
                attempt.transcript[1].summary = words();
                attempt.exchange =
                    failed(FailureKind::Mismatch, vec![problem("body", Some(HOSTILE), HOSTILE)]);
            }
            Event::RunFinished(summary) => summary.remarks = vec![words()],
            _ => {}
        }
    }
    events
}

#[test]
fn what_a_subject_says_never_becomes_part_of_tap() {
    let text = tap_of(&hostile());
    let statements = TapParser::new().parse(&text).unwrap();
    let points: Vec<_> = statements.iter().filter_map(point).collect();
    assert_eq!(points.len(), 2, "{text}");
    assert!(points.iter().all(|point| !point.result && point.directive.is_none()), "{text}");
    assert!(!text.contains(['\u{1b}', '\0', '\u{9b}']), "{text:?}");
}

#[test]
fn what_a_subject_says_never_becomes_markup() {
    let mut bytes = Vec::new();
    let mut report = MarkdownReport::new(&mut bytes);
    for event in hostile() {
        report.event(&event).unwrap();
    }
    let text = String::from_utf8(bytes).unwrap();
    let mut fence: Option<&str> = None;
    let mut outside = String::new();
    for line in text.lines() {
        match fence {
            None if line.starts_with("```") => fence = Some(line.trim_end_matches("text")),
            None => outside += &format!("{line}\n"),
            Some(open) if line.starts_with(open) => fence = None,
            Some(_) => {}
        }
    }
    assert_eq!(fence, None, "{text}");
    assert!(!outside.contains("<b>") && !outside.contains("</script>"), "{outside}");
    // In HTML, up to the next empty line, nothing of Markdown counts.
    let mut markdown = outside.lines().filter(|line| !line.starts_with("<details>"));
    assert!(markdown.all(|line| !line.contains("[x](y)")), "{outside}");
    assert!(outside.contains("&lt;/script&gt;"), "{outside}");
    assert!(!text.contains(['\u{1b}', '\0', '\u{9b}']), "{text:?}");
    insta::assert_snapshot!(text);
}

#[test]
fn markdown() {
    let mut bytes = Vec::new();
    rendered(&mut bytes, MarkdownReport::new);
    insta::assert_snapshot!(String::from_utf8(bytes).unwrap());
}

#[test]
fn html() {
    let mut bytes = Vec::new();
    rendered(&mut bytes, HtmlReport::new);
    let page = String::from_utf8(bytes).unwrap();
    // What the page looks like and does is in files of its own, and in tests/browser.
    let start = page.find("<style>").unwrap();
    let end = page.find("</style>").unwrap();
    let page = format!("{}{}", &page[..start], &page[end..]);
    let script = page.find("<script>").unwrap();
    insta::assert_snapshot!(&page[..script]);
}

#[test]
fn json_lines_are_the_events_themselves() {
    let mut bytes = Vec::new();
    rendered(&mut bytes, JsonLines::new);
    let text = String::from_utf8(bytes).unwrap();
    let read: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, events());
    insta::assert_snapshot!(text);
}

#[test]
fn fields_of_later_versions_are_passed_over() {
    let line = r#"{"event":"case_started","id":"a/b","round":1,"colour":"green"}"#;
    let event: Event = serde_json::from_str(line).unwrap();
    assert_eq!(event, Event::CaseStarted { id: "a/b".into(), round: 1 });
}

/// A run of a case that passes, one that fails and one that is skipped, with `args`.
fn run(args: &[&str]) -> support::Run {
    let step = |status: u16| format!("[[step]]\nrequest = {{}}\nexpect = {{ status = {status} }}\n");
    let cases = folder(&[
        ("a", &scenario("worker", "hello", &step(200))),
        ("b", &scenario("worker", "hello", &step(404))),
        ("c", &scenario("worker", "juggler", &step(200))),
    ]);
    Scripted::new("exec \"$0\" -m \"$1\"", "").run(&cases, args)
}

#[test]
fn a_run_writes_all_the_reports_that_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let names = [
        "jsonl=a.jsonl",
        "json=a.json",
        "junit=a.xml",
        "tap=a.tap",
        "markdown=a.md",
        "html=a.html",
        "text=a.txt",
    ];
    let targets = names.map(|name| {
        let (format, file) = name.split_once('=').unwrap();
        format!("--report={format}={}", path(file).display())
    });
    let run = run(&targets.each_ref().map(String::as_str));
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    let read = |name: &str| fs::read_to_string(path(name)).unwrap();

    assert_eq!(read("a.txt"), run.stdout);
    assert!(read("a.tap").contains("\nnot ok ") && read("a.md").contains(": 1 of 3 failed\n"));
    assert!(read("a.html").contains(">1 of 3 failed, "));
    assert_eq!(objections(&read("a.xml")), Vec::<String>::new());
    let events: Vec<Event> =
        read("a.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (Event::RunStarted(started), Some(Event::RunFinished(summary))) = (&events[0], events.last()) else {
        panic!("{events:?}");
    };
    assert_eq!((started.format, started.cases), (FORMAT, Some(3)));
    let total = summary.total();
    assert_eq!((total.passed, total.failed, total.skipped, summary.exit_code), (1, 1, 1, 1));
    let json: serde_json::Value = serde_json::from_str(&read("a.json")).unwrap();
    assert_eq!(json["cases"][1]["attempt"]["exchange"]["result"], "failed");
    assert_eq!(json["cases"][1]["attempt"]["ending"]["result"], "not_judged");
    assert_eq!(json["cases"][0]["attempt"]["ending"]["result"], "passed");
}

#[test]
fn a_report_on_standard_output_is_alone_there() {
    let run = run(&["--report", "junit=-"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert_eq!(objections(&run.stdout), Vec::<String>::new());
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_anything_runs() {
    let twice = "json=-";
    for (args, words) in [
        (
            &["--report", "json=/nonexistent/a.json"][..],
            "the report /nonexistent/a.json cannot be written: No such file",
        ),
        (&["--report", "json=/"], "the report / cannot be written: Is a directory"),
        (&["--report", twice, "--report", twice], "standard output cannot be written: two reports"),
        (&["--report", "xml=a"], "there is no format `xml`"),
    ] {
        let run = run(args);
        assert_eq!(run.code, Some(2), "{args:?}: {}", run.stderr);
        assert!(run.stdout.is_empty(), "{}", run.stdout);
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}

#[test]
fn what_a_subject_says_is_text_in_html() {
    let mut bytes = Vec::new();
    let mut report = HtmlReport::new(&mut bytes);
    for event in hostile() {
        report.event(&event).unwrap();
    }
    let page = String::from_utf8(bytes).unwrap();
    assert_eq!(page.matches("</script>").count(), 1, "the one at the end of the page");
    assert_eq!(page.matches("<script").count(), 1);
    assert!(!page.contains("<b>&amp;") && page.contains("&lt;b&gt;&amp;amp;"), "{page}");
    assert!(!page.contains(['\u{1b}', '\0', '\u{9b}']), "{page:?}");
}
