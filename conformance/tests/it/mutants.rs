//! `conformance mutants`, with scenarios and mutants of its own: what is caught, what is not, and what cannot be told.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{self, Run};

/// A case about an application that answers `hello` and prints a line.
fn case(logs: &str, expect: &str) -> String {
    format!(
        "title = \"The title\"\nclass = \"must\"\nspec = [\"W01\"]\nwhy = \"The reason.\"\n{logs}\n\
         [start]\nmode = \"worker\"\nwsgi = '''\n\
         def application(environ, start_response):\n    \
             print(\"served\")\n    \
             start_response(\"200 OK\", [(\"Content-Type\", \"text/plain\")])\n    \
             return [b\"hello\"]\n'''\n\
         [[step]]\nrequest = {{}}\nexpect = {expect}\n"
    )
}

/// A folder of scenarios with the file of mutants `mutants`: a response, a line of the log, a case that no application
/// passes, and one that nothing here can break.
fn folder(mutants: &str) -> tempfile::TempDir {
    let folder = support::folder(&[
        ("hello", &case("", "{ body = \"hello\" }")),
        ("log", &case("logs = [{ line = \"served\", count = 1 }]", "{ status = [0, 200] }")),
        ("unsound", &case("", "{ body = \"goodbye\" }")),
        ("juggle", &support::scenario("worker", "juggler", "[[step]]\nrequest = {}\nexpect = {}\n")),
    ]);
    let host = support::scenarios().join("subjects/wsgi-host.toml");
    fs::write(folder.path().join("mutants.toml"), mutants.replace("HOST", host.to_str().unwrap())).unwrap();
    folder
}

fn mutants(folder: &tempfile::TempDir, args: &[&str]) -> Run {
    let path = folder.path().to_str().unwrap();
    support::run([&["mutants", "--user", "self", "--scenarios", path], args].concat())
}

/// A mutant called `name` that is broken by `how`.
fn mutant(name: &str, how: &str, more: &str) -> String {
    format!("[[mutant]]\nname = '{name}'\nwhat = 'What {name} does'\nsubject = 'HOST'\n{how}\n{more}\n")
}

fn drop_end() -> String {
    mutant("drop-end", "damage = 'drop-end'", "cases = ['case/log']\ncaught_by = ['case/hello']")
}

fn log_twice() -> String {
    let how = "log = [{ line = '^served$', becomes = 'served', times = 2 }]";
    mutant("log-twice", how, "cases = ['case/hello']\ncaught_by = ['case/log']")
}

#[test]
fn mutants_that_are_caught_are_told_with_who_caught_them() {
    let folder = folder(&(drop_end() + &log_twice()));
    let json = folder.path().join("all.json");
    let markdown = folder.path().join("all.md");
    let files = ["--json", json.to_str().unwrap(), "--markdown", markdown.to_str().unwrap()];
    let run = mutants(&folder, &[&files[..], &["--by-scenario"]].concat());
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    insta::assert_snapshot!(run.stdout);
    insta::assert_snapshot!("mutants_markdown", fs::read_to_string(markdown).unwrap());
    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(json["mutants"][1]["failed"], serde_json::json!(["case/log"]));
    assert_eq!(json["scenarios"]["noticed"]["case/hello"]["mutant"], "drop-end");
}

#[test]
fn who_has_to_notice_and_does_not_fails_the_run() {
    let harmless = "log = [{ line = 'never there' }]";
    let folder = folder(
        &(mutant("harmless", harmless, "caught_by = ['case/hello', 'case/log']")
            + &mutant("useless", "damage = 'drop-end'", "caught_by = ['case/unsound']")
            + &mutant("elsewhere", "damage = 'drop-end'", "caught_by = ['case/juggle']")
            + &drop_end()),
    );
    let run = mutants(&folder, &[]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    insta::assert_snapshot!(run.stdout);
    let run = mutants(&folder, &["drop-end"]);
    assert_eq!(run.code, Some(0), "only the one that is named: {}{}", run.stdout, run.stderr);
}

#[test]
fn must_scenarios_that_never_failed_are_listed() {
    let mutated = folder(&log_twice());
    let run = mutants(&mutated, &["--uncaught"]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    insta::assert_snapshot!(run.stdout);
    let coarse = mutants(&folder(&drop_end()), &["--uncaught"]);
    insta::assert_snapshot!("mutants_weak", coarse.stdout);
    let immune = |id: &str| format!("[[immune]]\nid = '{id}'\nreason = 'Nobody passes {id}.'\n");
    let reasons = log_twice() + &immune("case/hello") + &immune("case/unsound");
    let run = mutants(&folder(&reasons), &["--uncaught"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("case/unsound  Nobody passes case/unsound."), "{}", run.stdout);
    let run = mutants(&folder(&(reasons + &immune("case/log"))), &["--uncaught"]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("remove the entry:\n  case/log"), "{}", run.stdout);
}

#[test]
fn a_start_that_goes_wrong_is_one_of_what_can_be_broken() {
    let variables = "start = { env = { NOTE = 'changed' }, without_env = ['GONE'] }";
    let folder = folder(&mutant("start", variables, "caught_by = ['case/start']"));
    let text = "title = \"t\"\nclass = \"must\"\nspec = [\"W01\"]\nwhy = \"w\"\n\
        [start]\nmode = \"worker\"\nenv = { NOTE = \"given\", GONE = \"there\" }\nwsgi = '''\n\
        import os\n\
        def application(environ, start_response):\n    \
            start_response(\"200 OK\", [(\"Content-Type\", \"text/plain\")])\n    \
            return [\"{} {}\".format(os.environ[\"NOTE\"], os.environ.get(\"GONE\")).encode()]\n'''\n\
        [[step]]\nrequest = {}\nexpect = { body = \"given there\" }\n";
    fs::write(folder.path().join("case/start.toml"), text).unwrap();
    let json = folder.path().join("all.json");
    let run = mutants(&folder, &["--json", json.to_str().unwrap()]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    let found = json["mutants"][0]["noticed"][0]["found"].as_str().unwrap();
    assert_eq!(found, "body: expected \"given there\", got \"changed None\"");
}

/// What Python says of itself, started as it is or (`inside`) with something done in it, with `path` as PYTHONPATH.
fn python(inside: bool, path: Option<&str>) -> String {
    const PYTHON: &str = "/usr/bin/python3";
    const SAY: &str = "import os, sys; print(sys.path, sorted(os.environ.items()), os.environ.get('DONE'))";
    let mut command = Command::new(PYTHON);
    command.current_dir("/").env_clear().envs(path.map(|path| ("PYTHONPATH", path)));
    if inside {
        let start = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/mutants/start.py");
        let changes = r#"{"without_env": [], "env": {}, "without_options": [], "args": [], "before": "",
            "inside": "import sys; sys.stderr.write('done')"}"#;
        command.args(["-I", "-S", "-B"]).arg(start).args([changes, PYTHON]);
    }
    let output = command.args(["-B", "-c", SAY]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), if inside { "done" } else { "" });
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_done_inside_leaves_no_trace() {
    for path in [None, Some("/nowhere"), Some("/nowhere:/elsewhere")] {
        assert_eq!(python(true, path), python(false, path), "PYTHONPATH {path:?}");
    }
}

#[test]
fn files_that_cannot_be_written_are_told_before_anything_runs() {
    let folder = folder(&drop_end());
    for files in
        [&["--json", "/nonexistent/x"][..], &["--markdown", "/"], &["--json", "-", "--markdown", "-"]]
    {
        let run = mutants(&folder, files);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{files:?}: {}", run.stderr);
        assert!(!run.stderr.contains("sound applications"), "{}", run.stderr);
    }
    let run = mutants(&folder, &["--markdown", "-"]);
    assert!(run.stdout.starts_with("| mutant |"), "{}", run.stdout);
}

#[test]
fn a_name_nobody_has_is_told() {
    let run = mutants(&folder(&log_twice()), &["log-twise"]);
    assert_eq!(
        (run.code, run.stderr.contains("did you mean `log-twice`?")),
        (Some(2), true),
        "{}",
        run.stderr
    );
}

#[test]
fn the_list_runs_nothing() {
    let run = mutants(&folder(&(drop_end() + &log_twice())), &["--list"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    insta::assert_snapshot!(run.stdout);
}

#[test]
fn a_wrong_file_is_told_with_its_place() {
    let right = "caught_by = ['case/hello']";
    for (text, message) in [
        (
            mutant("m", "damage = 'drop-ent'", right),
            "mutants.toml:5:10: unknown variant `drop-ent`; did you mean",
        ),
        (mutant("m", "", right), "mutants.toml:2:8: `m` needs one of `damage`"),
        (mutant("m", "damage = 'drop-end'\nlog = []", right), "mutants.toml:2:8: `m` needs one of `damage`"),
        (
            mutant("m", "damage = 'drop-end'", "caught_by = []"),
            "mutants.toml:6:13: `caught_by` names no case",
        ),
        (
            mutant("m", "damage = 'drop-end'", "caught_by = ['case/x']"),
            "mutants.toml:6:14: `case/x` matches no case",
        ),
        (mutant("host/m", "damage = 'drop-end'", right), "mutants.toml:2:8: names that start with `host/`"),
        (drop_end() + &drop_end(), "mutants.toml:9:8: there are two mutants called `drop-end`"),
        (mutant("m", "log = [{ line = '(' }]", right), "mutants.toml:5:17: regex parse error"),
        (
            mutant("m", "replace = { from = 'a', to = 'bc' }", right),
            "mutants.toml:5:11: `from` and `to` have to be",
        ),
        (
            "[[immune]]\nid = 'case/x'\nreason = 'r'\n".into(),
            "mutants.toml:2:6: there is no scenario `case/x`",
        ),
        ("[[immune]]\nid = 'case/log'\nreason = ' '\n".into(), "mutants.toml:3:10: `reason` is empty"),
        ("[[flaw]]\nname = 'none'\n".into(), "mutants.toml:2:8: the host has no flaw of this name"),
    ] {
        let run = mutants(&folder(&text), &[]);
        assert_eq!(run.code, Some(3), "{text}: {}", run.stderr);
        assert!(run.stderr.contains(message), "{text}: {}", run.stderr);
    }
}

#[test]
fn a_host_tells_its_flaws_and_the_file_says_more_about_them() {
    let folder = folder(
        "[host]\nsubject = 'HOST'\nbeside = ['case/log']\n[[flaw]]\nname = 'write'\ncases = ['case/hello']\n",
    );
    let run = mutants(&folder, &["--list"]);
    assert!(run.stdout.contains("host/write "), "{}{}", run.stdout, run.stderr);
    let nothing = folder.path().join("nothing.toml");
    fs::write(&nothing, "name = 'n'\ncommand = ['/bin/false', '{script}']\n[roles]\n").unwrap();
    let text = format!("[host]\nsubject = '{}'\n", nothing.display());
    let run = mutants(&self::folder(&text), &["--list"]);
    assert_eq!(run.code, Some(5), "{}", run.stderr);
    assert!(run.stderr.contains("/bin/false does not tell its flaws"), "{}", run.stderr);
}

#[test]
fn every_mutant_of_the_checkout_is_written_rightly() {
    let run = support::run(["mutants", "--list"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(Path::new(&support::scenarios().join("mutants.toml")).is_file());
    assert!(run.stdout.lines().count() > 100, "{}", run.stdout);
}
