//! The page as a whole.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::case;
use super::escape::Text;
use crate::event::{CaseResult, Counts, Event, RunStarted, Summary};
use crate::report::{Report, area};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Writes the page at the end of the run.
#[derive(Debug)]
pub struct HtmlReport<W> {
    out: W,
    run: Option<RunStarted>,
    cases: Vec<CaseResult>,
}

impl<W: Write> HtmlReport<W> {
    /// To `out`.
    pub const fn new(out: W) -> Self {
        Self { out, run: None, cases: Vec::new() }
    }

    fn page(&mut self, summary: &Summary) -> Result<String, fmt::Error> {
        self.cases.sort_by(|a, b| (a.round, &a.id).cmp(&(b.round, &b.id)));
        let mut page = String::new();
        let subject = self.run.as_ref().map_or("", |run| run.subject.as_str());
        head(&mut page, &format!("conformance of {subject}"))?;
        self.summary(&mut page, summary)?;
        filter(&mut page, summary)?;
        page.write_str("<main id=\"cases\">\n")?;
        for result in &self.cases {
            case::write(&mut page, result)?;
        }
        writeln!(
            page,
            "</main>\n<p id=\"none\" hidden>No case is like that.</p>\n<script>{SCRIPT}</script>\n</body>\n</html>"
        )?;
        Ok(page)
    }

    fn summary(&self, page: &mut String, summary: &Summary) -> fmt::Result {
        let total = summary.total();
        let bad = total.failed + total.errors;
        let (class, words) = match (bad, summary.exit_code) {
            (0, 0) => ("passed", format!("{} passed", total.ran())),
            (0, code) => ("failed", format!("{} passed, exit code {code}", total.ran())),
            _ => ("failed", format!("{bad} of {} failed", total.all())),
        };
        writeln!(page, "<p class=\"verdict {class}\">{words}, {:.1} s</p>", summary.duration.as_secs_f64())?;
        for words in summary.error.iter().chain(&summary.remarks) {
            writeln!(page, "<p class=\"remark\">{}</p>", Text(words))?;
        }
        if let Some(run) = &self.run {
            let seed = run.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
            writeln!(page, "<p class=\"about\">{}, {}{seed}</p>", Text(&run.tool), Text(&run.selection))?;
            case::command(page, &run.whole_command)?;
        }
        page.write_str("<div class=\"tables\">\n")?;
        let classes = [("must", summary.must), ("should", summary.should), ("detail", summary.detail)];
        counts(page, "class", &classes, total)?;
        let areas: Vec<_> = area::counts(&self.cases).into_iter().collect();
        counts(page, "area", &areas, total)?;
        page.write_str("</div>\n")
    }
}

impl<W: Write> Report for HtmlReport<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunStarted(run) => self.run = Some(run.clone()),
            Event::CaseFinished(result) => self.cases.push((**result).clone()),
            Event::RunFinished(summary) => {
                let page = self.page(summary).map_err(io::Error::other)?;
                self.out.write_all(page.as_bytes())?;
                self.out.flush()?;
            }
            // The attempts of a case are in its result.
            Event::CaseStarted { .. } | Event::CaseAttempt { .. } => {}
        }
        Ok(())
    }
}

fn head(page: &mut String, title: &str) -> fmt::Result {
    let sum = |text: &str| STANDARD.encode(Sha256::digest(text));
    writeln!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{}'; \
         script-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{}</h1>",
        sum(STYLE),
        sum(SCRIPT),
        Text(title),
        Text(title)
    )
}

fn counts(page: &mut String, what: &str, rows: &[(&str, Counts)], total: Counts) -> fmt::Result {
    let columns = area::columns(&total);
    write!(page, "<table class=\"counts\"><tr><th>{what}</th>")?;
    for &at in &columns {
        write!(page, "<th>{}</th>", total.named()[at].0)?;
    }
    page.write_str("</tr>\n")?;
    let rows = rows.iter().filter(|(_, row)| row.all() > 0);
    for (name, row) in rows.chain(&[("total", total)]) {
        write!(page, "<tr><th>{}</th>", Text(name))?;
        for &at in &columns {
            let (kind, count) = row.named()[at];
            let class = if count > 0 { kind.replace(' ', "-") } else { "zero".to_owned() };
            write!(page, "<td class=\"{class}\">{count}</td>")?;
        }
        page.write_str("</tr>\n")?;
    }
    page.write_str("</table>\n")
}

/// The filter box and a button for each outcome there is; hidden until the script is there to serve it.
fn filter(page: &mut String, summary: &Summary) -> fmt::Result {
    page.write_str(
        "<form id=\"filter\" role=\"search\" hidden>\n<input type=\"search\" id=\"words\" \
         placeholder=\"filter: id, title, clause\" aria-label=\"filter cases by id, title or clause\" autocomplete=\"off\">\n",
    )?;
    for (kind, count) in summary.total().named().into_iter().filter(|(_, count)| *count > 0) {
        let outcome = if kind == "errors" { "error".to_owned() } else { kind.replace(' ', "-") };
        writeln!(
            page,
            "<button type=\"button\" class=\"{outcome}\" data-outcome=\"{outcome}\" aria-pressed=\"false\">{kind} {count}</button>"
        )?;
    }
    page.write_str("<output id=\"shown\"></output>\n</form>\n")
}
