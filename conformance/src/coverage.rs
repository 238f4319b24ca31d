//! Which checks and clauses the cases test, and which checks no case does.

use std::collections::BTreeMap;
use std::fmt::Write;

use mock_lsws::scenario::Scenario;

/// The checks there are: a letter, and the highest number behind it.
const CHECKS: [(char, u32); 4] = [('W', 36), ('S', 16), ('N', 10), ('L', 33)];

/// Checks between two numbers.
const BETWEEN: [&str; 2] = ["S07a", "L11a"];

/// What is known of one check or clause.
#[derive(Debug, Default)]
struct Covered<'a> {
    /// Files, each with its number of cases.
    files: BTreeMap<&'a str, usize>,
}

/// A table of what `cases` test, each clause with its files, and the checks without any.
#[must_use]
pub fn coverage(cases: &[Scenario]) -> String {
    let mut clauses: BTreeMap<&str, Covered<'_>> = BTreeMap::new();
    for case in cases {
        for clause in &case.spec {
            *clauses.entry(clause).or_default().files.entry(&case.file_id).or_default() += 1;
        }
    }
    let known = checks();
    let (tested, missing): (Vec<&String>, Vec<&String>) =
        known.iter().partition(|check| clauses.contains_key(check.as_str()));
    let width = clauses.keys().map(|clause| clause.len()).max().unwrap_or_default();
    let mut text = String::new();
    let mut row = |clause: &str, covered: &Covered<'_>| {
        let mut clause = clause;
        for (file, count) in &covered.files {
            let cases = if *count > 1 { format!("  {count} cases") } else { String::new() };
            let _ = writeln!(text, "{clause:<width$}  {file}{cases}");
            clause = "";
        }
    };
    for check in &tested {
        if let Some(covered) = clauses.get(check.as_str()) {
            row(check, covered);
        }
    }
    for (clause, covered) in clauses.iter().filter(|(clause, _)| !known.iter().any(|check| check == *clause))
    {
        row(clause, covered);
    }
    let _ = writeln!(text, "\n{} of {} checks have a case", tested.len(), known.len());
    if !missing.is_empty() {
        let missing: Vec<&str> = missing.into_iter().map(String::as_str).collect();
        let _ = writeln!(text, "none: {}", missing.join(", "));
    }
    text
}

/// All checks, in their order.
#[must_use]
pub fn checks() -> Vec<String> {
    let mut checks = Vec::new();
    for (letter, last) in CHECKS {
        for number in 1..=last {
            let check = format!("{letter}{number:02}");
            let between = BETWEEN.iter().filter(|between| between.starts_with(&check));
            let between: Vec<String> = between.map(ToString::to_string).collect();
            checks.push(check);
            checks.extend(between);
        }
    }
    checks
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mock_lsws::scenario::{Declared, parse_cases};

    use super::*;

    #[test]
    fn clauses_are_told_with_their_files_and_checks_without_any_are_listed() {
        let mut cases = Vec::new();
        for (id, spec) in [("wire/a", "'W01', 'lsapi 1.3'"), ("wire/b", "'W01'"), ("life/c", "'S07a'")] {
            let text = format!(
                "title='t {{n}}'\nclass='must'\nspec=[{spec}]\nwhy='w'\n[matrix]\nn=[1,2]\n[start]\nmode='worker'\nrole='r'\n\
                 [[step]]\npause='1s'"
            );
            cases.extend(parse_cases(id, Path::new("x"), &text, &Declared::default()).unwrap());
        }
        let text = coverage(&cases);
        let start = "W01        wire/a  2 cases\n           wire/b  2 cases\nS07a       life/c  2 cases\n\
                     lsapi 1.3  wire/a  2 cases\n\n2 of 97 checks have a case\nnone: W02, W03, ";
        assert!(text.starts_with(start), "{text}");
        assert!(!text.contains(", W01") && text.contains(", S07, S08"), "{text}");
    }
}
