//! `conformance mutants`.

use std::io::{self, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use mock_lsws::scenario::Declared;
use serde::Serialize;
use wildmatch::WildMatch;

use super::{own_program, print, runtime, say};
use crate::cli::MutantsArgs;
use crate::mutants::{self, Bench, Findings, Mutant, MutantFile, MutantOutcome, MutantsError, Proof};
use crate::report::{ReportError, can_be_written};
use crate::subject::{Subject, Wishes};
use crate::{Error, catalog, checkout, exit_code};

/// Cases at a time for each processor: a broken application is waited for more than a sound one.
const JOBS_PER_CPU: usize = 6;

/// The name of the file that is standard output.
const STDOUT: &str = "-";

/// A name closer than this to the one typed is taken for the one meant.
const SIMILAR: f64 = 0.8;

/// Everything found, as JSON.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    findings: &'a Findings,
    scenarios: &'a Proof,
}

pub(super) fn run(args: &MutantsArgs) -> Result<u8, Error> {
    let root = checkout::scenarios(args.scenarios.as_deref())?;
    check(args)?;
    let catalogue = catalog::load(&root, &Declared::default())?;
    let file = MutantFile::load(&root, &catalogue)?;
    let runtime = runtime()?;
    let flaws = match &file.host {
        Some(host) => runtime.block_on(mutants::flaws_of(&Subject::load(host, &root)?))?,
        None => Vec::new(),
    };
    let all = file.mutants(flaws)?;
    let chosen = chosen(&all, &args.names)?;
    if args.list {
        return print(&mutants::listing(&chosen)).map(|()| exit_code::PASSED);
    }
    let spawner = own_program()?;
    let wishes = Wishes {
        binary: args.binary.as_deref(),
        user: args.user.as_deref(),
        checkout: root.parent().unwrap_or(&root),
        spawner: &spawner,
    };
    let jobs = args.jobs.map_or_else(default_jobs, NonZeroUsize::get);
    let (findings, proof) = runtime.block_on(async {
        let bench = Bench::prepare(&chosen, &root, &wishes, &say).await?;
        let findings = mutants::run(&bench, &chosen, args.all_cases, jobs, &say, &progress).await?;
        let proof = Proof::of(&findings.mutants, &catalogue, &file.immune, &|case| bench.why_skipped(case));
        Ok::<_, Error>((findings, proof))
    })?;
    let files = [&args.json, &args.markdown];
    if files.iter().all(|file| file.as_deref() != Some(Path::new(STDOUT))) {
        let mut text = mutants::summary(&findings);
        if args.by_scenario {
            text += &format!("\n{}", mutants::by_scenario(&proof));
        }
        if args.uncaught {
            text += &format!("\n{}", mutants::uncaught(&proof));
        }
        print(&text)?;
    }
    if let Some(path) = &args.markdown {
        write(path, &mutants::markdown(&findings))?;
    }
    if let Some(path) = &args.json {
        // What is in it has names for keys.
        let report = Report { findings: &findings, scenarios: &proof };
        write(path, &(serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"))?;
    }
    let is_caught = findings.mutants.iter().all(MutantOutcome::is_caught);
    Ok(if is_caught && (!args.uncaught || proof.is_whole()) { exit_code::PASSED } else { exit_code::FAILED })
}

/// Those of `all` that `names` are about, in their order.
fn chosen(all: &[Mutant], names: &[String]) -> Result<Vec<Mutant>, Error> {
    let is_meant = |name: &String, mutant: &Mutant| WildMatch::new(name).matches(&mutant.name);
    if let Some(stray) = names.iter().find(|name| !all.iter().any(|mutant| is_meant(name, mutant))) {
        let close = |mutant: &&Mutant| strsim::jaro_winkler(stray, &mutant.name) > SIMILAR;
        let similar = all.iter().find(close).map(|mutant| mutant.name.clone());
        return Err(MutantsError::NoSuchMutant { name: stray.clone(), similar }.into());
    }
    let is_chosen = |mutant: &&Mutant| names.is_empty() || names.iter().any(|name| is_meant(name, mutant));
    Ok(all.iter().filter(is_chosen).cloned().collect())
}

/// One line that shows how far it is; on a terminal only, and gone when it is over.
fn progress(done: usize, total: usize) {
    let mut stderr = io::stderr();
    if stderr.is_terminal() {
        let line = if done < total { format!("[{done}/{total}]") } else { String::new() };
        // A progress line that cannot be written is not worth an error.
        let _ = write!(stderr, "\r\x1b[K{line}");
        let _ = stderr.flush();
    }
}

/// Whether the files can be written: after minutes of running it would be too late to find out.
fn check(args: &MutantsArgs) -> Result<(), Error> {
    let failed = |path: &Path, source| Error::BadReport(ReportError { path: path.to_owned(), source });
    for path in [&args.json, &args.markdown].into_iter().flatten().filter(|path| *path != Path::new(STDOUT)) {
        can_be_written(path).map_err(|source| failed(path, source))?;
    }
    match &args.json {
        Some(path) if args.markdown.as_ref() == Some(path) => {
            Err(failed(path, io::Error::other("two reports would be written to it")))
        }
        _ => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    if path == Path::new(STDOUT) {
        return print(text);
    }
    let failed = |source| MutantsError::NotWritten { path: path.to_owned(), source };
    std::fs::write(path, text).map_err(failed).map_err(Error::from)
}

fn default_jobs() -> usize {
    JOBS_PER_CPU * thread::available_parallelism().map_or(1, NonZeroUsize::get)
}
