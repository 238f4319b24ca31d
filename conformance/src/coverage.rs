//! Which checks and clauses the cases test, and which checks no case does.

use std::collections::BTreeMap;
use std::fmt::Write;

use mock_lsws::scenario::Scenario;

/// The checks there are of each kind: letters, each with the highest number behind it.
const CHECKS: [(&str, &[(char, u32)]); 2] =
    [("LSAPI", &[('W', 36), ('S', 16), ('N', 10), ('L', 33)]), ("WSGI", &[('P', 49)])];

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
    for check in &known {
        if let Some(covered) = clauses.get(check.as_str()) {
            row(check, covered);
        }
    }
    for (clause, covered) in clauses.iter().filter(|(clause, _)| !known.iter().any(|check| check == *clause))
    {
        row(clause, covered);
    }
    text.push('\n');
    for (kind, letters) in CHECKS {
        let known = checks_of(letters);
        let missing: Vec<&str> =
            known.iter().map(String::as_str).filter(|check| !clauses.contains_key(check)).collect();
        let _ =
            writeln!(text, "{} of {} checks of {kind} have a case", known.len() - missing.len(), known.len());
        if !missing.is_empty() {
            let _ = writeln!(text, "none: {}", missing.join(", "));
        }
    }
    text
}

/// All checks, in their order.
#[must_use]
pub fn checks() -> Vec<String> {
    CHECKS.iter().flat_map(|(_, letters)| checks_of(letters)).collect()
}

fn checks_of(letters: &[(char, u32)]) -> Vec<String> {
    let mut checks = Vec::new();
    for &(letter, last) in letters {
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
        for (id, spec) in [("wire/a", "'W01', 'lsapi 1.3'"), ("wire/b", "'W01'"), ("life/c", "'S07a', 'P49'")]
        {
            let text = format!(
                "title='t {{n}}'\nclass='must'\nspec=[{spec}]\nwhy='w'\n[matrix]\nn=[1,2]\n[start]\nmode='worker'\nrole='r'\n\
                 [[step]]\npause='1s'"
            );
            cases.extend(parse_cases(id, Path::new("x"), &text, &Declared::default()).unwrap());
        }
        let text = coverage(&cases);
        let start = "W01        wire/a  2 cases\n           wire/b  2 cases\nS07a       life/c  2 cases\n\
                     P49        life/c  2 cases\nlsapi 1.3  wire/a  2 cases\n\n\
                     2 of 97 checks of LSAPI have a case\nnone: W02, W03, ";
        assert!(text.starts_with(start), "{text}");
        assert!(!text.contains(", W01") && text.contains(", S07, S08"), "{text}");
        assert!(text.contains("L33\n1 of 49 checks of WSGI have a case\nnone: P01, "), "{text}");
        assert!(text.ends_with(", P47, P48\n"), "{text}");
    }
}
