//! The scenarios of the checkout as a whole: nothing required is missing, nothing in them leads nowhere.

use std::collections::{BTreeMap, BTreeSet};

use conformance::clauses::Clauses;
use conformance::coverage::Coverage;
use conformance::subject::{Place, Subject};
use conformance::waivers::Waivers;
use conformance::{catalog, checkout};
use mock_lsws::scenario::{Declared, Scenario};

use crate::support;

fn cases() -> Vec<Scenario> {
    catalog::load(&support::scenarios(), &Declared::default()).unwrap()
}

/// The sections of README.md about how lswsgi begins, lives and ends.
const LSWSGI: [&str; 7] =
    ["Loading", "Scripts", "Virtual environments", "Leaving", "Process group", "Signals", "Log"];

/// The list of clauses.
fn clauses() -> Clauses {
    Clauses::load(&support::scenarios()).unwrap()
}

/// Whether `cited` is a clause, or an option or section of lswsgi.
fn is_clause(cited: &str, clauses: &Clauses) -> bool {
    match cited.strip_prefix("lswsgi ") {
        Some(option) if option.starts_with('-') => !option.contains(' '),
        Some(section) => LSWSGI.contains(&section),
        None => clauses.find(cited).is_some(),
    }
}

#[test]
fn the_list_of_clauses_is_what_the_references_say() {
    let made = Clauses::from_references(&support::scenarios()).unwrap();
    assert!(clauses() == made, "cargo run -p conformance -- clauses > scenarios/clauses.toml");
    let checks = |letter| {
        made.all()
            .iter()
            .filter(|clause| clause.id.starts_with(letter) && clause.is_within(&clause.id[..3]))
            .count()
    };
    assert_eq!(['W', 'S', 'N', 'L'].map(checks), [36, 17, 10, 34]);
    assert_eq!(made.all().iter().filter(|clause| clause.is_within("P")).count(), 49);
}

#[test]
fn every_clause_of_the_wire_and_of_responses_and_every_check_has_a_case() {
    let (clauses, cases) = (clauses(), cases());
    let coverage = Coverage::of(&clauses, &cases);
    let prefixes = ["lsapi 1", "lsapi 4.3", "W", "S", "N", "L", "P", "PEP"].map(String::from);
    assert_eq!(coverage.missing(&prefixes).map(|clause| &*clause.id).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn every_case_names_its_clauses_and_says_why() {
    let clauses = clauses();
    for case in cases() {
        assert!(!case.spec.is_empty(), "{}: no clause", case.id);
        for cited in &case.spec {
            assert!(is_clause(cited, &clauses), "{}: there is no clause `{cited}`", case.id);
        }
        assert!(case.why.len() > 20 && case.why.ends_with('.'), "{}: why is {:?}", case.id, case.why);
    }
    for wrong in [
        "W1",
        "W37",
        "lsapi",
        "lsapi 1.1",
        "lsapi 1.7-99",
        "",
        "PEP 3333 Rationale and Goals",
        "lswsgi",
        "lswsgi -m x",
    ] {
        assert!(!is_clause(wrong, &clauses), "{wrong}");
    }
}

#[test]
fn the_readme_has_the_sections_about_lswsgi_that_cases_cite() {
    let readme = std::fs::read_to_string(support::scenarios().join("../README.md")).unwrap();
    for heading in LSWSGI {
        assert!(readme.contains(&format!("\n### {heading}\n")), "README.md has no section {heading}");
    }
}

#[test]
fn every_waiver_is_for_a_case_and_cites_a_clause() {
    let clauses = clauses();
    for subject in ["lswsgi", "lswsgi-scripts", "lsphp"] {
        let waivers = Waivers::load(None, &support::scenarios(), subject).unwrap();
        assert_eq!(waivers.stale(&cases(), &BTreeMap::new()), Vec::<String>::new());
        let waived: Vec<_> =
            cases().iter().filter_map(|case| waivers.reason(case).map(str::to_owned)).collect();
        assert!(!waived.is_empty(), "no case is waived for {subject}: is the name right?");
        for reason in waived {
            let cited = reason.split_once(": ").map_or("", |(cited, _)| cited);
            assert!(cited.split(", ").all(|clause| is_clause(clause, &clauses)), "{subject}: {reason}");
        }
    }
}

#[test]
fn no_two_cases_have_one_title_or_one_text() {
    let mut files: Vec<_> = cases().into_iter().map(|case| case.path).collect();
    files.dedup();
    let mut titles = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let title = text.lines().find(|line| line.starts_with("title")).unwrap_or_default().to_owned();
        assert!(titles.insert(title.clone()), "{}: {title} is the title of another case too", file.display());
    }
}

#[test]
fn the_shipped_subject_plays_every_role_that_is_used() {
    let subject = Subject::load("lswsgi", &support::scenarios()).unwrap();
    let scripts = Subject::load("lswsgi-scripts", &support::scenarios()).unwrap();
    assert!(subject.roles().eq(scripts.roles()), "both are lswsgi, and play the same roles");
    for case in cases() {
        let is_played =
            case.start.program.role().is_none_or(|role| subject.plays(role)) || !case.needs.is_empty();
        assert!(is_played, "{}: role {}, and nothing it needs", case.id, case.start.program.name());
    }
    for role in subject.roles() {
        let command = subject.command(role, None, &Place::here("/bin/sh".into())).unwrap();
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
    let subjects = ["lswsgi", "lsphp"].map(|name| Subject::load(name, &support::scenarios()).unwrap());
    for role in subjects.iter().flat_map(Subject::roles) {
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
