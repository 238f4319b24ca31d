//! What scenarios/README.md shows is run, and what it says of keys and roles is complete.

use std::fs;
use std::path::Path;

use conformance::catalog;
use conformance::mutants::MutantFile;
use mock_lsws::scenario::{Declared, parse_cases};

use crate::support::{self, folder, lswsgi_file, run_lswsgi};

fn readme() -> String {
    fs::read_to_string(support::scenarios().join("README.md")).unwrap()
}

/// The blocks of TOML in it.
fn blocks() -> Vec<String> {
    let text = readme();
    let blocks = text.split("\n```toml\n").skip(1);
    blocks.map(|block| block.split("\n```").next().unwrap().to_owned() + "\n").collect()
}

/// The blocks that are whole files: the worked example, and one with an application of its own.
fn examples() -> [String; 2] {
    let whole: Vec<String> = blocks().into_iter().filter(|block| block.starts_with("title")).collect();
    whole.try_into().expect("two worked examples")
}

fn example() -> String {
    let [example, _] = examples();
    example
}

fn run_example(text: &str) -> support::Run {
    let cases = folder(&[("three-requests", text)]);
    let (folder, subject) = (cases.path().to_str().unwrap(), lswsgi_file());
    run_lswsgi(&["--scenarios", folder, "--subject", subject.to_str().unwrap()])
}

#[test]
fn the_worked_examples_pass() {
    for example in examples() {
        let run = run_example(&example);
        assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
        assert!(run.last_line().starts_with("1 passed"), "{}", run.stdout);
    }
}

#[test]
fn the_worked_example_fails_as_it_says() {
    let changed = example().replace("LSAPI_MAX_REQS = \"3\"", "LSAPI_MAX_REQS = \"2\"");
    assert_ne!(changed, example());
    let run = run_example(&changed);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
}

#[test]
fn every_other_example_is_a_right_one() {
    let head = "title = \"t\"\nclass = \"must\"\nspec = [\"W01\"]\nwhy = \"w\"\n[start]\nmode = \"listen\"\nrole = \"hello\"\n";
    let is_part = |block: &String| !block.starts_with("title") && !block.starts_with("[[mutant]]");
    let parts: Vec<String> = blocks().into_iter().filter(is_part).collect();
    assert!(parts.len() >= 3, "{}", parts.len());
    for part in parts {
        let text = format!("{head}{part}");
        let cases = parse_cases("readme", Path::new("README.md"), &text, &Declared::default());
        assert!(!cases.unwrap().is_empty(), "{part}");
    }
}

#[test]
fn the_mutant_it_shows_is_a_right_one() {
    let mutants: Vec<String> = blocks().into_iter().filter(|block| block.starts_with("[[mutant]]")).collect();
    let [mutant] = mutants.as_slice() else { panic!("one mutant: {mutants:?}") };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mutants.toml"), mutant).unwrap();
    let cases = catalog::load(&support::scenarios(), &Declared::default()).unwrap();
    let file = MutantFile::load(folder.path(), &cases).unwrap();
    assert_eq!(file.mutants(Vec::new()).unwrap()[0].name, "log-repeats-stops");
}
