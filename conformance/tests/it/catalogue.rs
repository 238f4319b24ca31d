//! The scenarios of the checkout as a whole: nothing required is missing, nothing in them leads nowhere.

use std::collections::BTreeSet;
use std::path::Path;

use conformance::subject::Subject;
use conformance::{catalog, checkout};
use mock_lsws::scenario::{Declared, Scenario};

use crate::support;

/// Checks that have to be covered by now. Each is named in the `spec` of a scenario as an element of its own.
const REQUIRED: [&str; 29] = [
    "W01", "W02", "W03", "W04", "W05", "W06", "W07", "W08", "W11", "W15", "W17", "W18", "W26", "W29", "S01",
    "S02", "S03", "S04", "S05", "S08", "S09", "N01", "L02", "L04", "L09", "L11", "L16", "L23", "L24",
];

fn cases() -> Vec<Scenario> {
    catalog::load(&support::scenarios(), &Declared::default()).unwrap()
}

#[test]
fn every_required_check_is_named_by_a_scenario() {
    let cases = cases();
    let named: BTreeSet<&str> = cases.iter().flat_map(|case| case.spec.iter().map(String::as_str)).collect();
    let missing: Vec<_> = REQUIRED.iter().filter(|check| !named.contains(**check)).collect();
    assert!(missing.is_empty(), "no scenario names {missing:?}");
}

#[test]
fn the_shipped_subject_plays_every_role_that_is_used() {
    let subject = Subject::load("lswsgi", &support::scenarios()).unwrap();
    for case in cases() {
        assert!(subject.plays(&case.start.role), "{}: role {}", case.id, case.start.role);
    }
    for role in subject.roles() {
        let command = subject.command(role, Path::new("/bin/sh")).unwrap();
        let environment = format!("{command:?}");
        // The roles about stderr are one script, set up in two ways.
        let script = role.strip_suffix("-log").unwrap_or(role);
        let script = support::scenarios().join("apps").join(script).with_extension("wsgi");
        assert!(
            script.is_file() && environment.contains(&*script.to_string_lossy()),
            "{role}: {environment}"
        );
    }
}

#[test]
fn every_role_is_described_in_the_readme() {
    let readme = std::fs::read_to_string(support::scenarios().join("README.md")).unwrap();
    let subject = Subject::load("lswsgi", &support::scenarios()).unwrap();
    for role in subject.roles() {
        assert!(
            readme.contains(&format!("| `{role}` |")),
            "scenarios/README.md does not describe role {role}"
        );
    }
}

#[test]
fn every_recording_is_used_and_decodes() {
    let used: String = cases().iter().map(|case| std::fs::read_to_string(&case.path).unwrap()).collect();
    for entry in support::scenarios().join("recordings").read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "bin") {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(used.contains(&format!("recordings/{name}")), "no scenario sends {name}");
            let bytes = std::fs::read(&path).unwrap();
            lsapi::BeginRequest::decode(&bytes, lsapi::limits::MAX_REQUEST_PACKET).unwrap();
        }
    }
}

#[test]
fn ids_are_paths_and_sorted() {
    let cases = cases();
    assert!(cases.windows(2).all(|pair| pair[0].id < pair[1].id));
    for case in cases {
        assert_eq!(support::scenarios().join(&case.file_id).with_extension("toml"), case.path);
    }
}

#[test]
fn a_link_to_a_folder_above_does_not_multiply_cases() {
    let steps = "[[step]]\nrequest = {}\n";
    let folder = support::folder(&[("one", &support::scenario("worker", "hello", steps))]);
    std::os::unix::fs::symlink("../case", folder.path().join("case/again")).unwrap();
    assert_eq!(catalog::load(folder.path(), &Declared::default()).unwrap().len(), 1);
}

#[test]
fn the_scenarios_are_found_from_below_the_checkout() {
    assert_eq!(checkout::scenarios(None).unwrap(), support::scenarios());
}
