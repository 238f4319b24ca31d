//! What the subcommands do.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use mock_lsws::scenario::{Declared, Scenario};
use tokio::sync::mpsc;

use crate::cli::{Cli, Command, ProxyArgs, RunArgs, SelectArgs};
use crate::event::{Event, Summary};
use crate::filter::Filter;
use crate::report::{Progress, TextReport};
use crate::runner::{self, Plan};
use crate::subject::{Subject, Wishes};
use crate::{Error, catalog, checkout, exit_code, proxy};

/// Cases at a time for each processor: most of a case is waiting.
const JOBS_PER_CPU: usize = 4;

/// Does what the command line says and returns the exit code.
#[must_use]
pub fn main_impl(cli: &Cli) -> ExitCode {
    let outcome = match &cli.command {
        Command::Run(args) => run(args),
        Command::List(args) => list(args).map(|()| exit_code::PASSED),
        Command::Spawner => return mock_lsws::spawner::serve(),
        Command::Proxy(args) => return ExitCode::from(run_proxy(args)),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            anstream::eprintln!("conformance: {}", with_causes(&error));
            ExitCode::from(error.exit_code())
        }
    }
}

/// An error and the errors behind it that it does not tell itself.
fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

fn run(args: &RunArgs) -> Result<u8, Error> {
    let root = checkout::scenarios(args.select.scenarios.as_deref())?;
    let subject = Subject::load(&args.subject, &root);
    // Mistakes in scenarios come first: they are there whatever the subject.
    let declared = subject.as_ref().map_or_else(|_| Declared::default(), |subject| subject.declares);
    let cases = select(&args.select, &root, &declared)?;
    let subject = subject?;
    let harness = |what| move |source| Error::Harness { what, source };
    let spawner = std::env::current_exe().map_err(harness("this program cannot find itself"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(harness("the runtime does not start"))?;
    let wishes = Wishes {
        binary: args.binary.as_deref(),
        user: args.user.as_deref(),
        checkout: root.parent().unwrap_or(&root),
        spawner: &spawner,
    };
    let say = |what: &str| anstream::eprintln!("conformance: {what}");
    // The copies, if any, are there until the run is over.
    let (place, _copies) = runtime.block_on(subject.deploy(&wishes, &say))?;
    let plan = Plan {
        subject,
        place,
        root,
        cases: cases.into_iter().map(Arc::new).collect(),
        jobs: args.jobs.map_or_else(default_jobs, NonZeroUsize::get),
        rerun: rerun(args),
        all_transcripts: args.verbose > 0,
        spawner,
    };
    let (sender, receiver) = mpsc::unbounded_channel();
    let verbosity = args.verbose;
    // The report has a thread of its own: a slow terminal must not be taken for a slow application.
    let reporter = thread::spawn(move || report(receiver, verbosity));
    let ran = runtime.block_on(runner::run(plan, sender));
    let reported = reporter.join().unwrap_or_else(|_| Err(io::Error::other("the reporter is gone")));
    ran?;
    let summary = reported.map_err(Error::Report)?;
    Ok(if summary.failed == 0 { exit_code::PASSED } else { exit_code::FAILED })
}

/// Renders events until there are no more, and returns the counts.
fn report(mut events: mpsc::UnboundedReceiver<Event>, verbosity: u8) -> io::Result<Summary> {
    let mut text = TextReport::new(anstream::stdout(), verbosity);
    let mut progress = Progress::on_terminal();
    let mut summary = Summary::default();
    let mut has_reader = true;
    while let Some(event) = events.blocking_recv() {
        progress.clear();
        if has_reader {
            match text.event(&event) {
                // Whoever reads has seen enough; the exit code still has to tell the verdict.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => has_reader = false,
                written => written?,
            }
        }
        progress.update(&event);
        if let Event::RunFinished(counts) = event {
            summary = counts;
        }
    }
    Ok(summary)
}

fn list(args: &SelectArgs) -> Result<(), Error> {
    let root = checkout::scenarios(args.scenarios.as_deref())?;
    let cases = select(args, &root, &Declared::default())?;
    let mut out = anstream::stdout().lock();
    for case in cases {
        let Scenario { id, class, title, .. } = case;
        match writeln!(out, "{id}  [{class}] {title}") {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.map_err(Error::Report)?,
        }
    }
    Ok(())
}

/// The cases selected from the folder `root`, for a subject with the figures `declared`.
fn select(args: &SelectArgs, root: &Path, declared: &Declared) -> Result<Vec<Scenario>, Error> {
    let classes = args.classes.iter().copied().map(Into::into).collect();
    let filter = Filter { patterns: args.patterns.clone(), classes };
    let mut cases = catalog::load(root, declared)?;
    cases.retain(|case| filter.selects(case));
    if cases.is_empty() {
        return Err(Error::NothingSelected { patterns: filter.describe() });
    }
    Ok(cases)
}

fn run_proxy(args: &ProxyArgs) -> u8 {
    match proxy::run(&args.command, args.damage) {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("conformance proxy: {error}");
            exit_code::USAGE
        }
    }
}

fn default_jobs() -> usize {
    JOBS_PER_CPU * thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// The command that repeats this run, up to the IDs.
fn rerun(args: &RunArgs) -> String {
    let mut words = match std::env::var_os("CARGO") {
        Some(_) if cfg!(debug_assertions) => vec!["cargo run -p conformance -- run".to_owned()],
        Some(_) => vec!["cargo run --release -p conformance -- run".to_owned()],
        None => {
            let program = std::env::args_os().next().unwrap_or_default();
            vec![Path::new(&program).display().to_string(), "run".to_owned()]
        }
    };
    if args.subject != "lswsgi" {
        words.push(format!("--subject {}", args.subject));
    }
    words.extend(args.user.as_ref().map(|user| format!("--user {user}")));
    for (option, value) in [("--binary", &args.binary), ("--scenarios", &args.select.scenarios)] {
        words.extend(value.as_ref().map(|value| format!("{option} {}", value.display())));
    }
    words.join(" ")
}
