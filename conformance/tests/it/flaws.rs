//! The scenarios about WSGI, tried on a host with each flaw that they are there to notice: each finds its own and blames
//! no other.
//!
//! The host is the subject `wsgi-host`. Its flaws have the names of the 49 scenarios with a label such as `P01`. The other
//! scenarios of the folder look at the same rules from more sides, so several of them fail with many a flaw; they are run
//! on the host without one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use conformance::catalog;
use mock_lsws::scenario::Declared;

use crate::support;

/// Scenarios that have to fail with the flaw of another one as well.
const MUST_FOLLOW: [(&str, &str); 2] = [
    // It writes the body to be left out in every way there is, and write() is one.
    ("write", "head-without-body"),
    // That the file is closed is half of what it asks, and close() of the wrapper is what closes it.
    ("close-at-end", "file-wrapper-file"),
];

/// In how many parts the flaws are tried, at the same time where there are processors for it.
const PARTS: usize = 4;

/// The label of a scenario and the last part of its ID, for all that have one.
fn labelled() -> BTreeMap<String, String> {
    let cases = catalog::load(&support::scenarios(), &Declared::default()).unwrap();
    let label = |spec: &[String]| spec.iter().find(|clause| is_label(clause)).cloned();
    let wsgi =
        cases.iter().filter_map(|case| Some((label(&case.spec)?, case.file_id.strip_prefix("wsgi/")?)));
    wsgi.map(|(label, name)| (label, name.to_owned())).collect()
}

/// Whether `clause` is one of `P01` to `P49`.
fn is_label(clause: &str) -> bool {
    clause.strip_prefix('P').is_some_and(|number| number.len() == 2 && number.parse::<u8>().is_ok())
}

/// The folder of the subject files.
fn subjects() -> std::path::PathBuf {
    support::scenarios().join("subjects")
}

/// The interpreter that runs the host.
const PYTHON: &str = "/usr/bin/python3";

/// The names of all flaws, as the host tells them.
fn flaws() -> Vec<String> {
    let mut command = Command::new(PYTHON);
    command.args(["-I", "-S", "-B"]).arg(subjects().join("wsgi-host")).arg("--list-flaws");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listing = String::from_utf8(output.stdout).unwrap();
    listing.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Writes the subject file of the host with `flaw` into `folder`, and returns its path.
pub(crate) fn subject_with(flaw: &str, folder: &Path) -> String {
    let host = subjects().join("wsgi-host");
    let mut text = fs::read_to_string(subjects().join("wsgi-host.toml")).unwrap();
    for (from, to) in [
        ("{folder}/wsgi-host", host.display().to_string()),
        ("\"{script}\"]", format!("\"--flaw\", \"{flaw}\", \"{{script}}\"]")),
        // The host is compiled once and not for each case.
        ("\"-B\"", format!("\"-X\", \"pycache_prefix={}\"", folder.display())),
    ] {
        assert!(text.contains(from), "{text}");
        text = text.replace(from, &to);
    }
    let file = folder.join(flaw).with_extension("toml");
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// The scenarios that fail when the host has `flaw`, of those with a label.
fn failing_with(flaw: &str, names: &[String]) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let subject = subject_with(flaw, folder.path());
    let ids: Vec<String> = names.iter().map(|name| format!("wsgi/{name}")).collect();
    let mut args = vec!["run", "--subject", &subject, "--user", "self", "--jobs", "4"];
    args.extend(ids.iter().map(String::as_str));
    let run = support::run(args);
    assert!(matches!(run.code, Some(0 | 1)), "{flaw}: {}{}", run.stdout, run.stderr);
    assert!(!run.stdout.contains("\nskip "), "{flaw}: {}", run.stdout);
    let failed = run.stdout.lines().filter_map(|line| line.strip_prefix("FAIL wsgi/"));
    let names = failed.filter_map(|rest| rest.split(['[', ' ']).next()).map(str::to_owned);
    names.collect()
}

/// Tries the flaws of part `part`.
fn try_part(part: usize) {
    let names: Vec<String> = labelled().into_values().collect();
    for flaw in flaws().iter().skip(part).step_by(PARTS) {
        let followers = MUST_FOLLOW.iter().filter(|(leader, _)| leader == flaw).map(|(_, name)| *name);
        let expected: BTreeSet<String> = followers.chain([flaw.as_str()]).map(str::to_owned).collect();
        assert_eq!(failing_with(flaw, &names), expected, "with the flaw {flaw} these fail, not those");
    }
}

#[test]
fn the_host_without_a_flaw_passes_every_case() {
    let run = support::run(["run", "--subject", "wsgi-host", "wsgi"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.last_line().contains(" passed, 0 failed, 0 skipped"), "{}", run.stdout);
}

#[test]
fn there_is_a_flaw_for_each_of_the_49_scenarios() {
    let labelled = labelled();
    let labels: Vec<String> = (1..=49).map(|number| format!("P{number:02}")).collect();
    assert_eq!(labelled.keys().cloned().collect::<Vec<_>>(), labels);
    let flaws = flaws();
    let names: BTreeSet<String> = flaws.iter().cloned().collect();
    assert_eq!(names, labelled.into_values().collect());
    assert_eq!(names.len(), flaws.len(), "two flaws have one name");
}

#[test]
fn an_unknown_flaw_is_refused_with_the_list() {
    let mut command = Command::new(PYTHON);
    command.args(["-I", "-S", "-B"]).arg(subjects().join("wsgi-host")).args(["--flaw", "wrte", "app.py"]);
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.starts_with("there is no flaw 'wrte'.") && told.contains("\nclose-for-head "), "{told}");
}

#[test]
fn a_flaw_fails_its_scenario_and_no_other_part_1() {
    try_part(0);
}

#[test]
fn a_flaw_fails_its_scenario_and_no_other_part_2() {
    try_part(1);
}

#[test]
fn a_flaw_fails_its_scenario_and_no_other_part_3() {
    try_part(2);
}

#[test]
fn a_flaw_fails_its_scenario_and_no_other_part_4() {
    try_part(3);
}
