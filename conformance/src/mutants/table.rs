//! What people read about mutants.

use std::fmt::Write;
use std::path::Path;

use super::model::{Breakage, Mutant};
use super::outcome::{MutantOutcome, Unsound};
use super::proof::Proof;
use super::run::Findings;
use crate::report::markdown_inline;

/// Cases of no use that are listed before the rest is only counted.
const MOST: usize = 20;

/// The mutants there are.
#[must_use]
pub fn listing(mutants: &[Mutant]) -> String {
    let rows = mutants.iter().map(|mutant| {
        let how = match mutant.breakage {
            Breakage::Damage(_) => "damage",
            Breakage::Replace(_) => "replace",
            Breakage::Start(_) => "start",
            Breakage::Log(_) => "log",
            Breakage::Flaw(_) => "flaw",
        };
        // It may be a path.
        let subject = Path::new(&mutant.subject).file_stem().unwrap_or_default().to_string_lossy();
        [mutant.name.clone(), how.to_owned(), subject.into_owned(), mutant.what.clone()]
    });
    lined_up(["mutant", "by", "subject", "what is broken"], rows)
}

/// The table of mutants, and what is wrong with any of them.
#[must_use]
pub fn summary(findings: &Findings) -> String {
    let rows = findings
        .mutants
        .iter()
        .map(|outcome| [outcome.name.clone(), outcome.what.clone(), caught(outcome), share(outcome)]);
    let mut text = lined_up(["mutant", "what is broken", "caught by", "fails"], rows) + "\n";
    let unsound = findings.unsound.iter().map(|unsound| {
        let Unsound { subject, id, found } = unsound;
        format!("{id} fails although nothing is broken, and counts for nothing: {subject}, {found}\n")
    });
    let unsound: Vec<String> = unsound.collect();
    text.extend(unsound.iter().take(MOST).map(String::as_str));
    if unsound.len() > MOST {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(text, "and {} more", unsound.len() - MOST);
    }
    for outcome in &findings.mutants {
        for missed in &outcome.missed {
            let _ = writeln!(text, "{} is not noticed by {}: it {}", outcome.name, missed.cases, missed.why);
        }
    }
    let count =
        |is: &dyn Fn(&MutantOutcome) -> bool| findings.mutants.iter().filter(|outcome| is(outcome)).count();
    let (all, skipped) = (findings.mutants.len(), count(&MutantOutcome::is_skipped));
    let missed = count(&|outcome| !outcome.is_caught());
    let mutants = if all == 1 { "mutant" } else { "mutants" };
    let _ = write!(text, "{all} {mutants}: {} caught, {missed} not", all - missed - skipped);
    if skipped > 0 {
        let _ = write!(text, ", {skipped} cannot run here");
    }
    text.push('\n');
    text
}

/// The same for a page of a CI job.
#[must_use]
pub fn markdown(findings: &Findings) -> String {
    let mut text = "| mutant | what is broken | caught by | fails |\n|---|---|---|---|\n".to_owned();
    for outcome in &findings.mutants {
        let cells = [&outcome.name, &outcome.what, &caught(outcome), &share(outcome)]
            .map(|cell| markdown_inline(cell));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

/// What has not been proved.
#[must_use]
pub fn uncaught(proof: &Proof) -> String {
    let mut text = String::new();
    let mut section = |title: &str, rows: Vec<[String; 2]>| {
        if !rows.is_empty() {
            let _ = writeln!(text, "{title}:\n{}", lined_up_rows(rows.into_iter()));
        }
    };
    let pairs = |map: &std::collections::BTreeMap<String, String>| -> Vec<[String; 2]> {
        map.iter().map(|(id, what)| [format!("  {id}"), what.clone()]).collect()
    };
    section("no mutant makes these fail", pairs(&proof.uncaught));
    section(
        "said to be immune, and a mutant makes them fail: remove the entry",
        proof.not_immune.iter().map(|id| [format!("  {id}"), String::new()]).collect(),
    );
    section("no mutant can make these fail", pairs(&proof.immune));
    section("not asked here", pairs(&proof.skipped));
    let weak = proof.weak().map(|(id, sharpest)| {
        [format!("  {id}"), format!("{} fails {} of {}", sharpest.mutant, sharpest.fails, sharpest.tried)]
    });
    section(
        "weak: only mutants that break more than half of what they are tried on make these fail",
        weak.collect(),
    );
    let _ = writeln!(
        text,
        "{} must scenarios: {} noticed a mutant, {} none, {} immune, {} not asked, {} weak",
        proof.noticed.len() + proof.uncaught.len() + proof.immune.len() + proof.skipped.len(),
        proof.noticed.len(),
        proof.uncaught.len(),
        proof.immune.len(),
        proof.skipped.len(),
        proof.weak().count(),
    );
    text
}

/// For each scenario the mutant that proves most about it.
#[must_use]
pub fn by_scenario(proof: &Proof) -> String {
    let rows = proof.noticed.iter().map(|(id, sharpest)| {
        [id.clone(), sharpest.mutant.clone(), format!("{} of {}", sharpest.fails, sharpest.tried)]
    });
    lined_up(["scenario", "sharpest mutant", "fails"], rows)
}

fn caught(outcome: &MutantOutcome) -> String {
    match &outcome.first {
        _ if !outcome.missed.is_empty() => "NOT CAUGHT".to_owned(),
        Some(first) => first.clone(),
        None => {
            outcome.skipped.first().map_or_else(String::new, |skipped| format!("skipped: {}", skipped.why))
        }
    }
}

fn share(outcome: &MutantOutcome) -> String {
    format!("{} of {}", outcome.failed.len(), outcome.tried.len())
}

fn lined_up<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    lined_up_rows([head.map(str::to_owned)].into_iter().chain(rows))
}

/// `rows` with columns that line up.
fn lined_up_rows<const N: usize>(rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = rows.collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
