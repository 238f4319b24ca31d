//! One case in HTML, folded: the line that says what became of it, and everything there is to know behind it.

use std::fmt::{self, Write};

use super::escape::Text;
use super::transcript;
use crate::event::{Attempt, CaseResult, Part, Place, Verdict};

/// The name of an outcome, which is its class too.
pub(super) const fn outcome(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Flaky => "flaky",
        Verdict::Waived { .. } => "waived",
        Verdict::Skipped { .. } => "skipped",
        Verdict::NotRun { .. } => "not-run",
        Verdict::Error { .. } => "error",
    }
}

/// Writes `case`.
pub(super) fn write(out: &mut String, case: &CaseResult) -> fmt::Result {
    let outcome = outcome(&case.verdict);
    let round = if case.round > 1 { format!(" (round {})", case.round) } else { String::new() };
    let searched = format!("{} {} {} {} {outcome}", case.id, case.title, case.class, case.spec.join(" "));
    writeln!(
        out,
        "<details class=\"case {outcome}\" data-outcome=\"{outcome}\" data-text=\"{}\">",
        Text(&searched.to_lowercase())
    )?;
    writeln!(
        out,
        "<summary><span class=\"badge\">{}</span> <code>{}{round}</code> <span class=\"title\">{}</span> \
         <span class=\"time\">{:.2} s</span></summary>",
        outcome.replace('-', " "),
        Text(&case.id),
        Text(&case.title),
        case.duration.as_secs_f64()
    )?;
    writeln!(out, "<div class=\"inside\">\n<p>{}</p>", Text(&case.why))?;
    let slow = if case.slow { ", slow" } else { "" };
    writeln!(
        out,
        "<p class=\"about\">class {}{slow} \u{b7} {}</p>",
        case.class,
        Text(&case.spec.join(", "))
    )?;
    match &case.verdict {
        Verdict::Waived { reason } | Verdict::Skipped { reason } | Verdict::NotRun { reason } => {
            writeln!(out, "<p><b>{}:</b> {}</p>", outcome.replace('-', " "), Text(reason))?;
        }
        Verdict::Error { message } => writeln!(out, "<p><b>not run:</b> {}</p>", Text(message))?,
        Verdict::Passed | Verdict::Failed | Verdict::Flaky => {}
    }
    let wrong: Vec<&Attempt> =
        case.earlier.iter().chain(&case.attempt).filter(|attempt| !attempt.has_passed()).collect();
    for attempt in &wrong {
        if case.earlier.is_empty() {
            self::attempt(out, attempt)?;
        } else {
            writeln!(out, "<details class=\"attempt\" open><summary>attempt {}</summary>", attempt.number)?;
            self::attempt(out, attempt)?;
            writeln!(out, "</details>")?;
        }
    }
    if !matches!(case.verdict, Verdict::Skipped { .. }) {
        command(out, &case.rerun)?;
    }
    writeln!(out, "</div>\n</details>")
}

/// A command to run again. The button beside it comes with the script.
pub(super) fn command(out: &mut String, command: &str) -> fmt::Result {
    writeln!(out, "<p class=\"command\"><span>again</span> <code>{}</code></p>", Text(command))
}

fn attempt(out: &mut String, attempt: &Attempt) -> fmt::Result {
    for (part, heading) in [(&attempt.exchange, None), (&attempt.ending, Some("how it ended"))] {
        let Part::Failed(failure) = part else { continue };
        match heading {
            Some(heading) => writeln!(out, "<h4>{heading}</h4>")?,
            None => {
                let note = failure.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
                let at = format!("{}:{}:{}{note}", failure.file.display(), failure.line, failure.column);
                writeln!(out, "<p class=\"about\">{}</p>", Text(&at))?;
            }
        }
        for problem in &failure.problems {
            writeln!(out, "<table class=\"problem\"><caption>{}</caption>", Text(&problem.field))?;
            if let Some(expected) = &problem.expected {
                writeln!(out, "<tr><th>expected</th><td><code>{}</code></td></tr>", Text(expected))?;
            }
            writeln!(out, "<tr><th>actual</th><td><code>{}</code></td></tr>", Text(&problem.actual))?;
            if let Some(place) = problem.place.and_then(|place| place.show(&attempt.transcript)) {
                writeln!(out, "<tr><th>from</th><td>{}</td></tr>", Text(&place))?;
            }
            writeln!(out, "</table>")?;
        }
    }
    let places: Vec<Place> = attempt
        .failures()
        .flat_map(|failure| &failure.problems)
        .filter_map(|problem| problem.place)
        .collect();
    writeln!(out, "<h4>Transcript</h4>")?;
    transcript::write(out, &attempt.transcript, &places)?;
    if attempt.stderr.is_empty() {
        writeln!(out, "<p>The subject wrote nothing to its stderr.</p>")
    } else {
        writeln!(
            out,
            "<h4>The end of the subject's stderr</h4>\n<pre>{}</pre>",
            Text(&attempt.stderr.join("\n"))
        )
    }
}
