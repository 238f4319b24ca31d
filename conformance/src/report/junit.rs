//! The run as JUnit XML, in the dialect Jenkins checks with its own schema.
//!
//! One test suite an area, so that viewers can fold them. That schema knows no properties of single test cases: class and
//! clauses of each case are properties of its suite, under the ID of the case.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstream::adapter::strip_str;
use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestRerun, TestSuite};

use super::{Report, area, failure};
use crate::event::{Attempt, CaseResult, Event, Part, RunStarted, Summary, Verdict};

/// Writes the document at the end of the run.
#[derive(Debug)]
pub struct JunitReport<W> {
    out: W,
    run: Option<RunStarted>,
    cases: Vec<CaseResult>,
}

impl<W: Write> JunitReport<W> {
    /// To `out`.
    pub const fn new(out: W) -> Self {
        Self { out, run: None, cases: Vec::new() }
    }

    fn document(&mut self, summary: &Summary) -> io::Result<String> {
        let subject = self.run.as_ref().map_or("", |run| run.subject.as_str());
        let mut report = quick_junit::Report::new(format!("conformance of {subject}"));
        report.set_time(summary.duration);
        report.add_test_suite(run_suite(self.run.as_ref(), summary));
        self.cases.sort_by(|a, b| (a.round, &a.id).cmp(&(b.round, &b.id)));
        let mut areas: BTreeMap<&str, Vec<&CaseResult>> = BTreeMap::new();
        for case in &self.cases {
            areas.entry(area::split(&case.id).0).or_default().push(case);
        }
        for (area, cases) in areas {
            let mut suite = TestSuite::new(format!("{subject} {area}"));
            suite.set_time(cases.iter().map(|case| case.duration).sum());
            for case in cases {
                if case.round == 1 {
                    let about = format!("{}: {}", case.class, case.spec.join(", "));
                    suite.add_property(Property::new(case.id.as_str(), about));
                }
                suite.add_test_case(test_case(case));
            }
            report.add_test_suite(suite);
        }
        let text = report.to_string().map_err(io::Error::other)?;
        // The schema has no such attribute on the outermost element; the suites keep theirs.
        Ok(text.replacen(&format!(" skipped=\"{}\"", report.skipped), "", 1))
    }
}

impl<W: Write> Report for JunitReport<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunStarted(run) => self.run = Some(run.clone()),
            Event::CaseFinished(result) => self.cases.push((**result).clone()),
            Event::RunFinished(summary) => {
                let document = self.document(summary)?;
                self.out.write_all(document.as_bytes())?;
                self.out.flush()?;
            }
            // The attempts of a case are in its result.
            Event::CaseStarted { .. } | Event::CaseAttempt { .. } => {}
        }
        Ok(())
    }
}

/// The run itself as a suite of one test, so that what is wrong beyond single cases is seen too.
fn run_suite(run: Option<&RunStarted>, summary: &Summary) -> TestSuite {
    let mut suite = TestSuite::new("the run");
    if let Some(run) = run {
        suite.add_property(Property::new("tool", run.tool.as_str()));
        suite.add_property(Property::new("subject", run.subject.as_str()));
        suite.add_property(Property::new("selection", run.selection.as_str()));
        suite.add_property(Property::new("command", run.command.as_str()));
        if let Some(seed) = run.seed {
            suite.add_property(Property::new("seed", seed.to_string()));
        }
    }
    suite.add_property(Property::new("exit code", summary.exit_code.to_string()));
    let mut status = match &summary.error {
        Some(_) => TestCaseStatus::non_success(NonSuccessKind::Error),
        // Code 1 without a failed case: the remarks are why.
        None if summary.exit_code != 0 && summary.total().failed == 0 => {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        }
        None => TestCaseStatus::success(),
    };
    let words: Vec<&str> = summary.error.iter().chain(&summary.remarks).map(String::as_str).collect();
    status.set_type("run").set_message(words.first().copied().unwrap_or_default());
    status.set_description(words.join("\n"));
    let mut case = TestCase::new("the run as a whole", status);
    case.set_classname("conformance");
    suite.add_test_case(case);
    suite
}

fn test_case(result: &CaseResult) -> TestCase {
    let (area, name) = area::split(&result.id);
    let name = if result.round > 1 { format!("{name} #{}", result.round) } else { name.to_owned() };
    let mut status = match &result.verdict {
        Verdict::Passed | Verdict::Flaky => TestCaseStatus::success(),
        Verdict::Failed => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            if let Some(attempt) = &result.attempt {
                status.set_type(kind(attempt)).set_message(message(attempt));
                status.set_description(description(result, attempt));
            }
            status
        }
        Verdict::Error { message } => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("harness").set_message(message.as_str());
            status
        }
        Verdict::Skipped { reason } => skipped("skipped", reason),
        Verdict::NotRun { reason } => skipped("not run", reason),
        Verdict::Waived { reason } => skipped("waived", &format!("waived: {reason}")),
    };
    if let (Verdict::Waived { .. }, Some(attempt)) = (&result.verdict, &result.attempt) {
        status.set_description(description(result, attempt));
    }
    for attempt in &result.earlier {
        let mut rerun = TestRerun::new(NonSuccessKind::Failure);
        rerun.set_type(kind(attempt)).set_message(message(attempt));
        rerun.set_description(description(result, attempt));
        status.add_rerun(rerun);
    }
    let mut case = TestCase::new(name, status);
    case.set_classname(area).set_time(result.duration);
    case.extra.insert("group".into(), result.class.to_string().into());
    case
}

fn skipped(kind: &str, reason: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_type(kind).set_message(reason);
    status
}

fn kind(attempt: &Attempt) -> &'static str {
    if let Part::Failed(failure) = &attempt.exchange { failure.kind.name() } else { "ending" }
}

fn message(attempt: &Attempt) -> String {
    attempt.failures().map(failure::headline).collect::<Vec<_>>().join("; ")
}

/// The block the text report shows, without colours.
fn description(result: &CaseResult, attempt: &Attempt) -> String {
    format!("\n{}", strip_str(&failure::failure_block(result, attempt)))
}
