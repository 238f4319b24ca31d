//! PROTOCOL.md holds together: clauses have their form and number, and what it refers to is there.
//!
//! What it says of bytes is compared by `vectors/`, which clauses have cases by `conformance coverage`.

use std::collections::BTreeSet;

/// A clause: where it stands, its number, and its first line.
struct Clause<'a> {
    section: &'a str,
    id: &'a str,
    line: &'a str,
}

fn document() -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("PROTOCOL.md");
    std::fs::read_to_string(path).unwrap()
}

/// The lines that are text: no code, with the number of the section they stand in.
fn lines(text: &str) -> Vec<(&str, &str)> {
    let (mut section, mut is_code) = ("", false);
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if line.starts_with('#') {
            let title = line.trim_start_matches('#').trim_start();
            let number = title.split(' ').next().unwrap_or_default().trim_end_matches('.');
            section = if number.starts_with(|c: char| c.is_ascii_digit()) { number } else { "" };
        } else if !is_code {
            lines.push((section, line));
        }
    }
    lines
}

fn clauses(text: &str) -> Vec<Clause<'_>> {
    lines(text)
        .into_iter()
        .filter_map(|(section, line)| {
            let (id, _) = line.strip_prefix("* **")?.split_once("**")?;
            Some(Clause { section, id, line })
        })
        .collect()
}

/// What is wrong with the form of `text`.
fn faults(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut last = ("", 0);
    for clause in clauses(text) {
        let Clause { section, id, line } = clause;
        let form = line.strip_prefix(&format!("* **{id}** ("));
        let is_formed = form.and_then(|rest| rest.split_once(") ")).is_some_and(|(marks, words)| {
            let (who, level) = marks.split_once(", ").unwrap_or_default();
            ["app", "server", "both"].contains(&who)
                && ["must", "should", "detail"].contains(&level)
                && !words.is_empty()
        });
        if !is_formed {
            faults.push(format!("no clause: {line}"));
        }
        if let Some((of, number)) = id.rsplit_once('-') {
            let before = if last.0 == of { last.1 } else { 0 };
            if of != section || number.parse() != Ok(before + 1) {
                faults.push(format!("{id} stands in {section} behind {}-{}", last.0, last.1));
            }
            last = (of, before + 1);
        } else if !section.starts_with('6') {
            faults.push(format!("{id} is a check and stands in {section}"));
        }
    }
    let mut is_item = false;
    for (_, line) in lines(text) {
        if line.is_empty() {
            is_item = false;
        } else if line.starts_with("* ") {
            is_item = true;
        } else if is_item && line.len() - line.trim_start().len() != 2 {
            faults.push(format!("not indented by two: {line}"));
        }
    }
    faults
}

/// The numbers in `text` that stand for a clause or a section.
fn references(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "./-_:".contains(c);
    text.split(|c| !is_part(c))
        .map(|word| word.trim_matches(['.', '-', ':', '/']))
        .filter(|word| word.len() > 2 && word.chars().all(|c| c.is_ascii_digit() || ".-".contains(c)))
        .filter(|word| word.starts_with(['1', '2', '3', '4']) && !word.starts_with("127."))
        .filter(|word| matches!(word.as_bytes().get(1), Some(b'.' | b'-')))
        .collect()
}

#[test]
fn every_clause_has_its_form_and_its_number() {
    let text = document();
    assert!(clauses(&text).len() > 300);
    assert_eq!(faults(&text), [""; 0]);
}

#[test]
fn every_check_is_there_once() {
    let text = document();
    let ids: Vec<_> = clauses(&text).iter().map(|clause| clause.id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "a number is there twice");
    assert_eq!(ids.iter().filter(|id| !id.contains('-')).count(), 97);
}

#[test]
fn what_is_referred_to_is_there() {
    let text = document();
    let mut known: BTreeSet<&str> = lines(&text).iter().map(|(section, _)| *section).collect();
    known.extend(clauses(&text).iter().map(|clause| clause.id));
    // The version of the server.
    known.insert("1.9.1");
    let prose = lines(&text).iter().map(|(_, line)| *line).collect::<Vec<_>>().join("\n");
    let references = references(&prose);
    assert!(references.len() > 80, "{references:?}");
    let unknown: Vec<_> = references.into_iter().filter(|word| !known.contains(word)).collect();
    assert_eq!(unknown, [""; 0]);
}

#[test]
fn each_fault_is_found() {
    let faults_of =
        |line: &str| faults(&format!("# 1. A\n## 1.1 B\n* **1.1-1** (app, must) Words.\n{line}\n")).len();
    assert_eq!(faults_of("  More.\n* **1.1-2** (both, detail) Words."), 0);
    for line in [
        "* **1.1-3** (app, must) A number is left out.",
        "* **1.2-1** (app, must) Another section.",
        "* **1.1-2** (app, may) No level.",
        "* **1.1-2** (all, must) Nobody.",
        "* **1.1-2** app, must: no form.",
        "* **W01** (app, must) A check among clauses.",
        "0. A line that is no longer part of the clause.",
        "   Three blanks.",
    ] {
        assert_eq!(faults_of(line), 1, "{line}");
    }
    assert_eq!(
        references("see 1.3-8, (4.3) and 2.5.2-1; not 0.1 s, 16 384, x86-64, HTTP/1.1, 192.0.2.7, 2^31-1")
            .len(),
        3
    );
}
