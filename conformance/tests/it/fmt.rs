//! `conformance fmt`: what the canonical form is, that nothing changes its meaning, and what happens to files.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use conformance::catalog;
use conformance::format::canonical;
use mock_lsws::scenario::{Declared, parse_cases};

use crate::support::{self, Run};

/// A scenario written in no way anybody should.
const UGLY: &str = r##"# About the file.

# About the class.
class='must'
title   =  'It says "hello"'
why = "C:\\temp"


spec = [ 'W01' , "W02", ]  # two
may_log = [ # first
  "a",
      # of its own
  "b"
]
timeout = "5s"
[start]
wsgi = '''
def application(environ, start_response):

    x = [ 1,2 ]
'''
files = {"texts/__init__.py"="X = '\n'", plain = {}}
mode="worker"


# What happens.

[[ step ]]
expect = {status=[ 0,200 ],headers={ "X-Name"='value' }}
request={path = "/", env = { A="an escape: \u00e9", B = "tab\t" }}
note = 'it"s'
[[step]]
[[step.parallel]]
[[step.parallel.step]]
expect_packets = ["REQ_RECEIVED|PID_NOTICE", { packet = "RESP_HEADER", status = [0, 200] }, "RESP_STREAM*", "RESP_END|CONN_CLOSE"]
[[step.parallel.step]]
expect = { status = [0, 200], body = { lines = ["SERVER_PROTOCOL=HTTP/1.0", "REQUEST_URI=/app/m?dump=1"], no_line_starts = "HTTP_HOST=" } }
# The end."##;

fn formatted(text: &str) -> String {
    canonical(Path::new("case.toml"), text).unwrap()
}

/// `text` with blanks and empty lines where nobody wants them; what is between triple quotes stays as it is.
fn untidy(text: &str) -> String {
    let mut within = false;
    let mut untidy = String::new();
    for line in text.lines() {
        let was_within = within;
        within ^= (line.matches("'''").count() + line.matches("\"\"\"").count()) % 2 == 1;
        let pair =
            line.split_once(" = ").filter(|(key, _)| key.chars().all(|c| c.is_alphanumeric() || c == '_'));
        untidy += &match pair {
            _ if was_within => line.to_owned(),
            Some((key, value)) => format!("  {key}={value}"),
            None if line.is_empty() => "\n  ".to_owned(),
            None if line.starts_with(['#', '[']) => format!("{line} \t"),
            None => line.to_owned(),
        };
        untidy.push('\n');
    }
    untidy
}

/// `text` with the keys that have an order of their own the other way round: those of the head, of the start, of steps.
fn reversed(text: &str) -> String {
    let mut document: toml_edit::DocumentMut = text.parse().unwrap();
    let reverse = |table: &mut toml_edit::Table| table.sort_values_by(|a, _, b, _| b.cmp(a));
    let root = document.as_table_mut();
    reverse(root);
    if let Some(start) = root.get_mut("start").and_then(toml_edit::Item::as_table_mut) {
        reverse(start);
    }
    if let Some(steps) = root.get_mut("step").and_then(toml_edit::Item::as_array_of_tables_mut) {
        steps.iter_mut().for_each(reverse);
    }
    document.to_string()
}

/// All files of the folder of scenarios.
fn shipped() -> Vec<(PathBuf, String)> {
    let files = catalog::toml_files(&support::scenarios()).unwrap();
    assert!(files.len() > 150, "{}", files.len());
    files.into_iter().map(|file| (file.clone(), fs::read_to_string(file).unwrap())).collect()
}

#[test]
fn the_canonical_form() {
    insta::assert_snapshot!(formatted(UGLY));
}

#[test]
fn all_shipped_files_have_their_canonical_form() {
    for (path, text) in shipped() {
        assert_eq!(formatted(&text), text, "run `conformance fmt {}`", path.display());
        let untidy = untidy(&text);
        assert_ne!(untidy, text);
        assert_eq!(formatted(&untidy), text, "{}", path.display());
    }
}

#[test]
fn what_is_formatted_stays_as_it_is() {
    let once = formatted(UGLY);
    assert_eq!(formatted(&once), once);
    for (path, text) in shipped() {
        let once = formatted(&reversed(&text));
        assert_eq!(formatted(&once), once, "{}", path.display());
    }
}

#[test]
fn no_scenario_means_anything_else_when_it_is_formatted() {
    let declared = Declared::default();
    let mut cases = 0;
    for (path, text) in shipped() {
        // Steps know their lines, and those may change.
        let parse = |text: &str| {
            let cases = parse_cases("case/id", &path, text, &declared).ok()?;
            Some(cases.iter().map(|case| without_places(&format!("{case:#?}"))).collect::<Vec<_>>())
        };
        let before = parse(&text);
        assert_eq!(before, parse(&formatted(&reversed(&text))), "{}", path.display());
        cases += before.map_or(0, |before| before.len());
    }
    assert!(cases > 150, "{cases}");
}

/// `shown` without the lines and columns of steps.
fn without_places(shown: &str) -> String {
    let is_place = |line: &str| line.starts_with("line: ") || line.starts_with("column: ");
    shown.lines().filter(|line| !is_place(line.trim())).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_comment_and_every_line_of_a_text_is_kept() {
    let words = |text: &str, mark: &str| {
        let mut found: Vec<String> = text
            .lines()
            .filter_map(|line| line.split_once(mark))
            .map(|(_, rest)| rest.trim().to_owned())
            .collect();
        found.sort();
        found
    };
    for (path, text) in shipped() {
        assert_eq!(words(&text, "# "), words(&formatted(&reversed(&text)), "# "), "{}", path.display());
    }
    assert_eq!(words(UGLY, "# "), words(&formatted(UGLY), "# "));
}

#[test]
fn odd_texts_are_formatted_or_refused() {
    for (text, expected) in [
        ("", ""),
        ("\n\n", ""),
        ("a = 1\n\n[m.b]\nc = 1\n", "a = 1\n\n[m.b]\nc = 1\n"),
        ("# only a comment", "# only a comment\n"),
        ("a.b = 1\na.c=2", "a.b = 1\na.c = 2\n"),
        ("x = [\n]", "x = []\n"),
        ("x = {\n}", "x = {}\n"),
        ("x = {a.b=1}", "x = {a.b=1}\n"),
        ("x=[nan , inf]", "x = [nan, inf]\n"),
        (
            "# about the file\n\nmatrix.a=[1]\ntitle='x'",
            "# about the file\n\ntitle = \"x\"\nmatrix.a = [1]\n",
        ),
        ("x = 'it\"s and it''s'", "refused"),
        ("x=[1,\r\n2]\r\n", "x = [1, 2]\n"),
        ("\"a\"=1 #c", "\"a\" = 1 #c\n"),
        ("x = [\n1, # one\n2 # two\n]", "x = [\n1, # one\n2 # two\n]\n"),
        ("x = 0x80\ny = 1_000\nz = 1979-05-27", "x = 0x80\ny = 1_000\nz = 1979-05-27\n"),
    ] {
        let result = canonical(Path::new("x.toml"), text);
        assert_eq!(result.unwrap_or_else(|_| "refused".into()), expected, "{text:?}");
    }
}

/// Runs `fmt` with `args` in `folder`, with `input`.
fn fmt(folder: &Path, args: &[&str], input: &str) -> Run {
    let mut command = support::program();
    command.current_dir(folder).arg("fmt").args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    support::finished(child.wait_with_output().unwrap())
}

#[test]
fn files_are_replaced_whole_with_mode_and_links_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("deep/a.toml"), folder.path().join("link.toml"));
    fs::create_dir(folder.path().join("deep")).unwrap();
    fs::write(&file, "x=1\n").unwrap();
    fs::write(folder.path().join("deep/right.toml"), "x = 1\n").unwrap();
    fs::write(folder.path().join("deep/other.txt"), "x=1\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("deep/a.toml", &link).unwrap();

    let check = fmt(folder.path(), &["--check", "deep"], "");
    assert_eq!(check.code, Some(1), "{}", check.stderr);
    let diff = "--- deep/a.toml\n+++ deep/a.toml, formatted\n@@ -1 +1 @@\n-x=1\n+x = 1\n";
    assert_eq!(check.stdout, diff);
    assert_eq!(check.stderr, "conformance: 1 of 2 files not formatted\n");
    assert_eq!(fs::read_to_string(&file).unwrap(), "x=1\n");

    let run = fmt(folder.path(), &["link.toml"], "");
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "link.toml\n"), "{}", run.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), "x = 1\n");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(link.is_symlink());
    assert_eq!(fs::read_dir(folder.path().join("deep")).unwrap().count(), 3);
    assert_eq!(fmt(folder.path(), &["--check", "."], "").code, Some(0));
}

#[test]
fn a_wrong_file_is_told_and_the_others_are_formatted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), "x = 1\ny = \n").unwrap();
    fs::write(folder.path().join("b.toml"), "x=1").unwrap();
    let run = fmt(folder.path(), &["."], "");
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(run.stderr.contains("a.toml:2:"), "{}", run.stderr);
    assert_eq!(fs::read_to_string(folder.path().join("b.toml")).unwrap(), "x = 1\n");
    let missing = fmt(folder.path(), &["missing.toml"], "");
    assert_eq!(missing.code, Some(2), "{}", missing.stderr);
    assert!(missing.stderr.contains("missing.toml: cannot be read"), "{}", missing.stderr);
}

#[test]
fn standard_input_is_formatted_to_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let run = fmt(folder.path(), &["-"], "x=1");
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "x = 1\n"), "{}", run.stderr);
    let run = fmt(folder.path(), &["--check", "-"], "x=1");
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let run = fmt(folder.path(), &["-"], "x=");
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(run.stderr.contains("standard input:1:"), "{}", run.stderr);
}
