//! Coverage as people read it.

use std::fmt::Write;

use super::{Coverage, Tally};

/// Longer texts of clauses are cut in tables; `explain` has all of them.
const TEXT: usize = 84;

impl Coverage<'_> {
    /// Every clause with its files, then the sections in numbers, then what is missing.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        let width = self.clauses.iter().map(|covered| covered.clause.id.len()).max().unwrap_or_default();
        for covered in &self.clauses {
            let clause = covered.clause;
            if clause.section != section {
                section = &clause.section;
                let _ = writeln!(text, "{section}");
            }
            let _ =
                writeln!(text, "  {:<width$}  {:<6}  {}", clause.id, clause.level.name(), cut(&clause.text));
            let nobody = if clause.is_applications() { "no case" } else { "the server's" };
            if covered.files.is_empty() {
                let _ = writeln!(text, "  {:width$}          {nobody}", "");
            }
            for (file, count) in &covered.files {
                let _ = writeln!(text, "  {:width$}          {file}{}", "", times(*count));
            }
        }
        if !self.others.is_empty() {
            text.push_str("also cited\n");
        }
        for (cited, files) in &self.others {
            for (index, (file, count)) in files.iter().enumerate() {
                let cited = if index == 0 { cited } else { "" };
                let _ = writeln!(text, "  {cited:<width$}          {file}{}", times(*count));
            }
        }
        format!("{text}\n{}\n{}", self.totals(), self.missing_table(&[]))
    }

    /// The sections, each with its numbers.
    #[must_use]
    pub fn totals(&self) -> String {
        let sections = self.sections();
        let width = sections.iter().map(|(section, _)| section.chars().count()).max().unwrap_or_default();
        let mut text = format!("{:width$}  tested  untested  the server's\n", "section");
        let mut row = |section: &str, Tally { tested, untested, servers }: Tally| {
            let _ = writeln!(text, "{section:width$}  {tested:6}  {untested:8}  {servers:12}");
        };
        for (section, tally) in &sections {
            row(section, *tally);
        }
        row("total", sections.iter().map(|(_, tally)| *tally).sum());
        text
    }

    /// The clauses without a case, all or those within one of `prefixes`, one line each.
    #[must_use]
    pub fn missing_table(&self, prefixes: &[String]) -> String {
        let missing: Vec<_> = self.missing(prefixes).collect();
        if missing.is_empty() {
            return "no clause of the application's is without a case\n".into();
        }
        let width = missing.iter().map(|clause| clause.id.len()).max().unwrap_or_default();
        let mut text = String::from("without a case:\n");
        for clause in missing {
            let _ =
                writeln!(text, "  {:<width$}  {:<6}  {}", clause.id, clause.level.name(), cut(&clause.text));
        }
        text
    }
}

fn times(cases: usize) -> String {
    if cases > 1 { format!("  {cases} cases") } else { String::new() }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= TEXT {
        return text.to_owned();
    }
    let kept: String = text.chars().take(TEXT - 3).collect();
    format!("{}...", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mock_lsws::scenario::{Declared, Scenario, parse_cases};

    use super::*;
    use crate::clauses::Clauses;

    fn list() -> Clauses {
        let clause = |id: &str, who: &str, section: &str, text: &str| {
            format!("[[clause]]\nid='{id}'\nwho='{who}'\nlevel='must'\nsection='{section}'\ntext='{text}'\n")
        };
        let text = [
            clause("lsapi 1.1-1", "both", "1.1 Packet header", "A packet begins with `L` and `S`."),
            clause("lsapi 1.1-2", "app", "1.1 Packet header", &"Words ".repeat(30)),
            clause("lsapi 4.1-1", "server", "4.1 Starting", "It starts."),
            clause("W01", "app", "6.1 Requests", "A GET is answered."),
        ];
        toml::from_str(&text.concat()).unwrap()
    }

    fn cases() -> Vec<Scenario> {
        let case = |id: &str, spec: &str| {
            let text = format!(
                "title='t {{n}}'\nclass='must'\nspec=[{spec}]\nwhy='w'\n[matrix]\nn=[1,2]\n[start]\nmode='worker'\nrole='r'\n\
                 [[step]]\npause='1s'"
            );
            parse_cases(id, Path::new("x"), &text, &Declared::default()).unwrap()
        };
        [case("wire/a", "'lsapi 1.1-1', 'W01'"), case("wire/b", "'W01', 'lswsgi Log'")].concat()
    }

    #[test]
    fn every_clause_is_told_with_its_files_and_what_is_missing() {
        insta::assert_snapshot!(Coverage::of(&list(), &cases()).table());
    }

    #[test]
    fn what_is_missing_can_be_asked_for_by_its_beginning() {
        let (list, cases) = (list(), cases());
        let coverage = Coverage::of(&list, &cases);
        let missing = |prefix: &str| coverage.missing(&[prefix.to_owned()]).count();
        assert_eq!((missing("lsapi 1"), missing("lsapi 4"), missing("W")), (1, 0, 0));
        assert_eq!(coverage.missing(&[]).count(), 1);
        assert!(coverage.missing_table(&["W".into()]).starts_with("no clause"));
    }
}
