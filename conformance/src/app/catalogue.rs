//! What looks at cases without running them: `list`, `explain`, `coverage`, `clauses`; and selecting them for all.

use mock_lsws::scenario::{Declared, Scenario};

use super::{print, say};
use crate::clauses::Clauses;
use crate::cli::{ClausesArgs, CoverageArgs, SelectArgs};
use crate::coverage::Coverage;
use crate::explain::explain;
use crate::filter::{Filter, Shard};
use crate::{Error, catalog, checkout, exit_code};

pub(super) fn list(args: &SelectArgs) -> Result<(), Error> {
    let mut text = String::new();
    for Scenario { id, class, title, .. } in selected(args)? {
        text += &format!("{id}  [{class}] {title}\n");
    }
    print(&text)
}

pub(super) fn explain_cases(args: &SelectArgs) -> Result<(), Error> {
    let root = checkout::scenarios(args.scenarios.as_deref())?;
    // A folder of one's own has no clauses, and its cases can be told all the same.
    let has_clauses = Clauses::file(&root).exists();
    let clauses = if has_clauses { Clauses::load(&root)? } else { Clauses::default() };
    let texts: Vec<String> = selected(args)?.iter().map(|case| explain(case, &clauses)).collect();
    print(&texts.join("\n"))
}

pub(super) fn cover(args: &CoverageArgs) -> Result<u8, Error> {
    let root = checkout::scenarios(args.scenarios.as_deref())?;
    let clauses = Clauses::load(&root)?;
    let cases = catalog::load(&root, &Declared::default())?;
    let coverage = Coverage::of(&clauses, &cases);
    if let Some(prefix) =
        args.strict.iter().find(|prefix| !clauses.all().iter().any(|clause| clause.is_within(prefix)))
    {
        return Err(Error::NoSuchClause { id: prefix.clone() });
    }
    print(&if args.json {
        format!("{}\n", serde_json::to_string_pretty(&coverage).map_err(|error| Error::Output(error.into()))?)
    } else if args.missing || !args.strict.is_empty() {
        coverage.missing_table(&args.strict)
    } else {
        coverage.table()
    })?;
    let is_strict = !args.strict.is_empty();
    Ok(if is_strict && coverage.missing(&args.strict).next().is_some() {
        exit_code::FAILED
    } else {
        exit_code::PASSED
    })
}

/// Prints the list of clauses as the references have it, or says whether the one that is kept is the same.
pub(super) fn clauses(args: &ClausesArgs) -> Result<(), Error> {
    let root = checkout::scenarios(args.scenarios.as_deref())?;
    let made = Clauses::from_references(&root)?;
    if args.check {
        return if Clauses::load(&root)? == made {
            say("the list is what the references say");
            Ok(())
        } else {
            Err(Error::StaleClauses(Clauses::file(&root)))
        };
    }
    print(&made.to_toml().map_err(|error| Error::Output(std::io::Error::other(error)))?)
}

/// The cases `args` select, for a subject that declares what the reference library does.
fn selected(args: &SelectArgs) -> Result<Vec<Scenario>, Error> {
    let root = checkout::scenarios(args.scenarios.as_deref())?;
    let catalogue = catalog::load(&root, &Declared::default())?;
    select(&catalogue, &filter(args), args.shard)
}

pub(super) fn filter(args: &SelectArgs) -> Filter {
    Filter {
        patterns: args.patterns.clone(),
        classes: args.classes.iter().copied().map(Into::into).collect(),
        tags: args.tags.clone(),
        clauses: args.clauses.clone(),
        excluded: args.excluded.clone(),
        only: None,
    }
}

/// The cases of `catalogue` that `filter` selects, or this machine's share of them.
pub(super) fn select(
    catalogue: &[Scenario],
    filter: &Filter,
    shard: Option<Shard>,
) -> Result<Vec<Scenario>, Error> {
    // What is misspelled must not go unnoticed behind what is not.
    if let Some(word) = filter.without_match(catalogue) {
        return Err(Error::NothingSelected { patterns: word });
    }
    let cases: Vec<_> = if let Some(shard) = shard {
        // Shares are those of the whole: what failed of this one must not be shared out again.
        let whole = Filter { only: None, ..filter.clone() };
        let mut share = catalogue.iter().filter(|case| whole.selects(case)).collect();
        shard.take(&mut share);
        share.into_iter().filter(|case| filter.selects(case)).cloned().collect()
    } else {
        catalogue.iter().filter(|case| filter.selects(case)).cloned().collect()
    };
    if cases.is_empty() {
        return Err(Error::NothingSelected { patterns: filter.describe() });
    }
    Ok(cases)
}
