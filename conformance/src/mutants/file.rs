//! Reading the file of mutants, with the place of every mistake.

use std::collections::BTreeSet;
use std::path::Path;

use mock_lsws::FileError;
use mock_lsws::scenario::Scenario;
use serde::Deserialize;
use toml::Spanned;

use super::flaws::Flaw;
use super::model::{Breakage, Immune, Mutant};
use super::start::Start;
use crate::cli::DEFAULT_SUBJECT;
use crate::proxy::{Damage, Replace};
use crate::runner::LogChange;
use crate::{Error, checkout, filter};

/// The file in the folder of scenarios.
const FILE: &str = "mutants.toml";

/// What stands before the name of a flaw in the name of its mutant.
const FLAW: &str = "host/";

/// What the file says.
#[derive(Clone, Debug, Default)]
pub struct MutantFile {
    /// The subject that tells its own flaws, if there is one.
    pub host: Option<String>,
    /// The mutants that are written down in the file.
    mutants: Vec<Mutant>,
    /// Scenarios that need no mutant.
    pub immune: Vec<Immune>,
    /// Cases that each flaw of the host is tried on.
    beside: Vec<String>,
    /// More about single flaws of the host.
    more: Vec<More>,
}

/// What the file adds to a flaw.
#[derive(Clone, Debug)]
struct More {
    name: String,
    cases: Vec<String>,
    caught_by: Vec<String>,
    /// Where that is written.
    place: FileError,
}

/// A pattern with its place.
type Pattern = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTable {
    host: Option<HostTable>,
    #[serde(default)]
    mutant: Vec<MutantTable>,
    #[serde(default)]
    flaw: Vec<FlawTable>,
    #[serde(default)]
    immune: Vec<ImmuneTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostTable {
    subject: String,
    #[serde(default)]
    beside: Vec<Pattern>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MutantTable {
    name: Spanned<String>,
    what: Spanned<String>,
    subject: Option<String>,
    damage: Option<Damage>,
    replace: Option<Spanned<Replace>>,
    start: Option<Start>,
    log: Option<Vec<LogChange>>,
    #[serde(default)]
    cases: Vec<Pattern>,
    caught_by: Spanned<Vec<Pattern>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlawTable {
    name: Spanned<String>,
    #[serde(default)]
    cases: Vec<Pattern>,
    #[serde(default)]
    caught_by: Vec<Pattern>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImmuneTable {
    id: Pattern,
    reason: Spanned<String>,
}

/// What is wrong, and the byte where.
type Mistake = (usize, String);

impl MutantFile {
    /// Reads the file in the folder `scenarios`, which has the scenarios `catalogue` in it.
    ///
    /// # Errors
    /// [`Error::Unreadable`], or [`Error::BadMutants`] with the place of the mistake.
    pub fn load(scenarios: &Path, catalogue: &[Scenario]) -> Result<Self, Error> {
        let path = scenarios.join(FILE);
        let text = std::fs::read_to_string(&path)
            .map_err(|source| Error::Unreadable { path: path.clone(), source })?;
        Self::parse(&checkout::shown(&path), &text, catalogue).map_err(Error::BadMutants)
    }

    fn parse(path: &Path, text: &str, catalogue: &[Scenario]) -> Result<Self, FileError> {
        let at = |(offset, message): Mistake| FileError::at(path, text, offset, &message);
        let table: FileTable = toml::from_str(text)
            .map_err(|error| at((error.span().map_or(0, |span| span.start), error.message().to_owned())))?;
        let known = |patterns: Vec<Pattern>| known(patterns, catalogue).map_err(at);
        let mut mutants = Vec::new();
        let mut names = BTreeSet::new();
        for table in table.mutant {
            let mutant = mutant(table, catalogue, &mut names).map_err(at)?;
            mutants.push(mutant);
        }
        let mut more = Vec::new();
        for FlawTable { name, cases, caught_by } in table.flaw {
            let place = at((name.span().start, "the host has no flaw of this name".into()));
            let (cases, caught_by) = (known(cases)?, known(caught_by)?);
            more.push(More { name: name.into_inner(), cases, caught_by, place });
        }
        let mut immune = Vec::new();
        for ImmuneTable { id, reason } in table.immune {
            told(&reason, "reason").map_err(at)?;
            if !catalogue.iter().any(|case| case.file_id == *id.get_ref()) {
                return Err(at((id.span().start, format!("there is no scenario `{}`", id.get_ref()))));
            }
            immune.push(Immune { id: id.into_inner(), reason: reason.into_inner() });
        }
        let (host, beside) = match table.host {
            Some(host) => (Some(host.subject), known(host.beside)?),
            None => (None, Vec::new()),
        };
        Ok(Self { host, mutants, immune, beside, more })
    }

    /// All mutants: those of the file, and one for each of `flaws`.
    ///
    /// # Errors
    /// [`Error::BadMutants`] when the file says something about a flaw that is none of these.
    pub fn mutants(&self, flaws: Vec<Flaw>) -> Result<Vec<Mutant>, Error> {
        if let Some(stray) = self.more.iter().find(|more| flaws.iter().all(|flaw| flaw.name != more.name)) {
            return Err(Error::BadMutants(stray.place.clone()));
        }
        let subject = self.host.clone().unwrap_or_default();
        let of_flaw = |flaw: Flaw| {
            let more = self.more.iter().filter(|more| more.name == flaw.name);
            let (mut cases, mut caught_by) = (self.beside.clone(), flaw.caught_by);
            for more in more {
                cases.extend(more.cases.clone());
                caught_by.extend(more.caught_by.clone());
            }
            Mutant {
                name: format!("{FLAW}{}", flaw.name),
                what: flaw.meaning,
                subject: subject.clone(),
                breakage: Breakage::Flaw(flaw.name),
                cases,
                caught_by,
            }
        };
        Ok(self.mutants.iter().cloned().chain(flaws.into_iter().map(of_flaw)).collect())
    }
}

fn mutant(
    table: MutantTable,
    catalogue: &[Scenario],
    names: &mut BTreeSet<String>,
) -> Result<Mutant, Mistake> {
    told(&table.name, "name")?;
    told(&table.what, "what")?;
    let place = table.name.span().start;
    let name = table.name.into_inner();
    if !names.insert(name.clone()) {
        return Err((place, format!("there are two mutants called `{name}`")));
    }
    if name.starts_with(FLAW) {
        return Err((place, format!("names that start with `{FLAW}` are for the flaws the host tells")));
    }
    if let Some(replace) = table.replace.as_ref().filter(|replace| !replace.get_ref().is_right()) {
        let message = "`from` and `to` have to be as long as each other: nothing may move";
        return Err((replace.span().start, message.into()));
    }
    let ways = [
        table.damage.map(Breakage::Damage),
        table.replace.map(|replace| Breakage::Replace(replace.into_inner())),
        table.start.map(|start| Breakage::Start(Box::new(start))),
        table.log.map(Breakage::Log),
    ];
    let mut ways = ways.into_iter().flatten();
    let (Some(breakage), None) = (ways.next(), ways.next()) else {
        let message = format!(
            "`{name}` needs one of `damage`, `replace`, `start` and `log`, which say how it is broken"
        );
        return Err((place, message));
    };
    if table.caught_by.get_ref().is_empty() {
        let message = format!("`caught_by` names no case: which has to notice `{name}`?");
        return Err((table.caught_by.span().start, message));
    }
    Ok(Mutant {
        name,
        what: table.what.into_inner(),
        subject: table.subject.unwrap_or_else(|| DEFAULT_SUBJECT.to_owned()),
        breakage,
        cases: known(table.cases, catalogue)?,
        caught_by: known(table.caught_by.into_inner(), catalogue)?,
    })
}

/// `text`, if it says something.
fn told(text: &Spanned<String>, name: &str) -> Result<(), Mistake> {
    if text.get_ref().trim().is_empty() {
        return Err((text.span().start, format!("`{name}` is empty")));
    }
    Ok(())
}

/// `patterns`, if each matches a case of `catalogue`.
fn known(patterns: Vec<Pattern>, catalogue: &[Scenario]) -> Result<Vec<String>, Mistake> {
    let stray = |pattern: &&Pattern| !catalogue.iter().any(|case| filter::matches(pattern.get_ref(), case));
    if let Some(stray) = patterns.iter().find(stray) {
        return Err((stray.span().start, format!("`{}` matches no case", stray.get_ref())));
    }
    Ok(patterns.into_iter().map(Spanned::into_inner).collect())
}
