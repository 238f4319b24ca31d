//! Clauses as the references have them: list items of Markdown in one exact form.
//!
//! ```text
//! ## 1.1 Packet header
//!
//! * **1.1-3** (both, must) Bit 0 of the flag tells the byte order of the integers of this packet,
//!   and of this packet only.
//! ```
//!
//! Lines that go on begin with two blanks. A table row whose first cell is a section of PEP 3333 counts as a clause too.

use std::path::Path;

use mock_lsws::FileError;

use super::{Clause, Level, Who};

/// What begins a clause.
const BEGIN: &str = "* **";
/// What begins the row of a section of PEP 3333.
const PEP: &str = "| PEP 3333";

/// The clauses of `text`, which is the content of `path`, in their order.
///
/// # Errors
/// An item that begins like a clause and is none, a number out of its order, and text that runs into a clause.
pub fn read(path: &Path, text: &str) -> Result<Vec<Clause>, FileError> {
    let mut clauses: Vec<Clause> = Vec::new();
    let mut section = "";
    let mut is_open = false;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        let line = line.trim_end();
        let mistake = |message: &str| FileError::at(path, text, start, message);
        if let Some(heading) = line.strip_prefix('#') {
            section = heading.trim_start_matches('#').trim();
            is_open = false;
        } else if let Some(item) = line.strip_prefix(BEGIN) {
            let clause = begun(item, section).ok_or_else(|| {
                mistake(
                    "a clause is `* **1.2-3** (app, must) Text`: app, server or both; must, should or detail",
                )
            })?;
            if let Some(expected) = out_of_order(&clause, &clauses, section) {
                return Err(mistake(&format!("the number of this clause should be {expected}")));
            }
            clauses.push(clause);
            is_open = true;
        } else if let Some(row) = line.strip_prefix(PEP) {
            clauses.push(
                pep_section(row, section).ok_or_else(|| mistake("a row is `| PEP 3333 Section | Text |`"))?,
            );
            is_open = false;
        } else if line.is_empty() {
            is_open = false;
        } else if is_open && let Some(clause) = clauses.last_mut() {
            let more = line.strip_prefix("  ").filter(|more| !more.starts_with(' '));
            let more = more.ok_or_else(|| {
                mistake("a line that goes on with a clause begins with two blanks; other text needs an empty line before it")
            })?;
            clause.text = format!("{} {more}", clause.text);
        }
    }
    Ok(clauses)
}

/// A clause from its first line, without what begins it.
fn begun(item: &str, section: &str) -> Option<Clause> {
    let (number, rest) = item.split_once("** (")?;
    let (marks, text) = rest.split_once(") ")?;
    let (who, level) = marks.split_once(", ")?;
    let who = match who {
        "app" => Who::App,
        "server" => Who::Server,
        "both" => Who::Both,
        _ => return None,
    };
    let level =
        [Level::Must, Level::Should, Level::Detail].into_iter().find(|known| known.name() == level)?;
    // Checks have a name of their own; clauses of the protocol are called after it.
    let id = if number.starts_with(|first: char| first.is_ascii_digit()) {
        format!("lsapi {number}")
    } else {
        number.to_owned()
    };
    Some(Clause { id, who, level, section: section.to_owned(), text: text.to_owned() })
}

/// The number that a clause of a numbered section should have, if it has another.
fn out_of_order(clause: &Clause, before: &[Clause], section: &str) -> Option<String> {
    let number = clause.id.strip_prefix("lsapi ")?;
    let place = section.split(' ').next().unwrap_or_default().trim_end_matches('.');
    let earlier = before.iter().filter(|earlier| earlier.section == section).count();
    let expected = format!("{place}-{}", earlier + 1);
    (number != expected).then_some(expected)
}

/// A section of PEP 3333 from its row, without what begins it.
fn pep_section(row: &str, section: &str) -> Option<Clause> {
    let mut cells = row.split('|').map(str::trim);
    let (name, text) = (cells.next()?, cells.next()?);
    Some(Clause {
        id: format!("PEP 3333 {name}").trim_end().to_owned(),
        who: Who::App,
        level: Level::Must,
        section: section.to_owned(),
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Clause>, String> {
        super::read(Path::new("A.md"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn clauses_are_read_with_their_sections() {
        let text = "# 1. Wire\n\n> * **1-1** (app, must) An example.\n\n## 1.1 Packet header\n\nProse.\n\
                    * **1.1-1** (both, must) One\n  and two.\n* **1.1-2** (server, detail) Three.\n\nMore prose.\n\
                    ### Checks\n* **S07a** (app, should) Four.\n| PEP 3333 | all |\n| PEP 3333 Error Handling | some |\n";
        let clauses = read(text).unwrap();
        let told: Vec<_> = clauses.iter().map(|c| (&*c.id, c.who, c.level, &*c.section, &*c.text)).collect();
        assert_eq!(
            told,
            [
                ("lsapi 1.1-1", Who::Both, Level::Must, "1.1 Packet header", "One and two."),
                ("lsapi 1.1-2", Who::Server, Level::Detail, "1.1 Packet header", "Three."),
                ("S07a", Who::App, Level::Should, "Checks", "Four."),
                ("PEP 3333", Who::App, Level::Must, "Checks", "all"),
                ("PEP 3333 Error Handling", Who::App, Level::Must, "Checks", "some"),
            ]
        );
    }

    #[test]
    fn mistakes_are_placed() {
        let section = "# 3. suEXEC\n";
        for (text, message) in [
            ("* **3-1** (all, must) x\n", "A.md:2:1: a clause is"),
            ("* **3-1** x\n", "A.md:2:1: a clause is"),
            ("* **3-2** (app, must) x\n", "A.md:2:1: the number of this clause should be 3-1"),
            (
                "* **3-1** (app, must) x\n* **3-1** (app, must) y\n",
                "A.md:3:1: the number of this clause should be 3-2",
            ),
            ("* **3-1** (app, must) x is more than\n0. Default\n", "A.md:3:1: a line that goes on"),
        ] {
            let error = read(&format!("{section}{text}")).unwrap_err();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }
}
