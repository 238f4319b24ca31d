//! What the subcommands do.

use std::io::{self, Write};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use mock_lsws::scenario::{Capability, Declared, Scenario, json_schema};

use crate::cli::{
    Cli, Command, CoverageArgs, DEFAULT_SUBJECT, FlakyArg, InitSubjectArgs, OrderArgs, ProxyArgs, RunArgs,
    SelectArgs, SoakArgs, SoakMode, SubjectArgs, VerdictArgs,
};
use crate::coverage::coverage;
use crate::event::Event;
use crate::explain::explain;
use crate::filter::{Filter, Shard};
use crate::last_run::{LastRun, Recorder};
use crate::proxy::Upstream;
use crate::report::{Progress, Report, ReportError, Reports};
use crate::runner::{self, Order, Plan, Rules};
use crate::soak::{self, Soak, SoakError};
use crate::subject::{Subject, Wishes, init};
use crate::waivers::Waivers;
use crate::{Error, again, catalog, checkout, exit_code, proxy};

/// How often the progress line is renewed while nothing happens.
const PROGRESS: Duration = Duration::from_millis(250);

/// Cases at a time for each processor: most of a case is waiting.
const JOBS_PER_CPU: usize = 4;

/// Does what the command line says and returns the exit code.
#[must_use]
pub fn main_impl(cli: &Cli) -> ExitCode {
    let outcome = match &cli.command {
        Command::Run(args) => run(args),
        Command::Soak(args) => run_soak(args),
        Command::List(args) => list(args).map(|()| exit_code::PASSED),
        Command::Explain(args) => explain_cases(args).map(|()| exit_code::PASSED),
        Command::Coverage(args) => cover(args).map(|()| exit_code::PASSED),
        Command::Schema => print(&format!("{:#}\n", json_schema())).map(|()| exit_code::PASSED),
        Command::InitSubject(args) => init_subject(args).map(|()| exit_code::PASSED),
        Command::Spawner => return mock_lsws::spawner::serve(),
        Command::Proxy(args) => return ExitCode::from(run_proxy(args)),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            anstream::eprintln!("conformance: {}", error.with_causes());
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(args: &RunArgs) -> Result<u8, Error> {
    let harness = |what| move |source| Error::Harness { what, source };
    let root = checkout::scenarios(args.select.scenarios.as_deref())?;
    let subject = subject(args, &root);
    // Mistakes in scenarios come first: they are there whatever the subject.
    let declared = subject.as_ref().map_or_else(|_| Declared::default(), |subject| subject.declares);
    let catalogue = catalog::load(&root, &declared)?;
    let probes = catalog::probes(&root, &declared)?;
    let subject = subject?;
    let waivers = Waivers::load(args.verdict.waivers.as_deref(), &root, &subject.name)?;
    let last_run = LastRun::of(&subject.name, &checkout::subject_file(&args.subject.name, &root), &root);
    let mut filter = filter(&args.select);
    if args.rerun_failed {
        let open = last_run.as_ref().ok_or(Error::NoStateFolder)?.open_cases()?;
        if open.is_empty() {
            return Err(Error::NothingFailed);
        }
        let gone: Vec<_> = open.iter().filter(|id| !catalogue.iter().any(|case| case.id == **id)).collect();
        for id in gone {
            anstream::eprintln!("conformance: {id} failed in the last run and is no case any more");
        }
        filter.only = Some(open);
    }
    let cases = select(&catalogue, &filter, args.select.shard)?;
    Reports::check(&args.reports).map_err(Error::BadReport)?;
    let spawner = own_program()?;
    let runtime = runtime()?;
    let wishes = wishes(&args.subject, &root, &spawner);
    // The copies, if any, are there until the run is over.
    let (place, _copies) = runtime.block_on(subject.deploy(&wishes, &say))?;
    let order = order(&args.order);
    let plan = Plan {
        subject,
        place,
        root,
        cases: cases.into_iter().map(Arc::new).collect(),
        catalogue,
        probes,
        selection: filter.describe(),
        waivers,
        order,
        timeout: args.order.timeout,
        slow: args.order.slow,
        rules: rules(&args.verdict),
        command: again::command_of_cases(args),
        // What was typed behind `run`.
        whole_command: again::command_of_run(std::env::args_os().skip(2), order.seed),
        all_transcripts: args.verbose > 0,
        spawner,
    };
    let reports = Reports::open(&args.reports, args.verbose)?;
    let (sender, receiver) = mpsc::channel();
    let progress = Progress::on_terminal(args.order.slow);
    let recorder = last_run.map(LastRun::recorder);
    // The report has a thread of its own: a slow terminal must not be taken for a slow application.
    let reporter = thread::spawn(move || report(&receiver, reports, recorder, progress));
    let ran = runtime.block_on(runner::run(plan, sender));
    let reported = reporter.join();
    let summary = ran?;
    reported.map_err(|_| harness("the reporter is gone")(io::ErrorKind::BrokenPipe.into()))??;
    Ok(summary.exit_code)
}

fn run_soak(args: &SoakArgs) -> Result<u8, Error> {
    let root = checkout::scenarios(args.scenarios.as_deref())?;
    let subject = Subject::load(&args.subject.name, &root)?;
    if !subject.provides.contains(&Capability::Wsgi) {
        return Err(SoakError::NotWsgi { subject: subject.name }.into());
    }
    let spawner = own_program()?;
    let wishes = wishes(&args.subject, &root, &spawner);
    let runtime = runtime()?;
    // The copies, if any, are there until the soak is over.
    let (place, _copies) = runtime.block_on(subject.deploy(&wishes, &say))?;
    let minutes = u64::from(args.minutes.get()) * 60;
    let clients = match args.mode {
        SoakMode::Group => usize::try_from(args.children).unwrap_or(usize::MAX).saturating_mul(2),
        SoakMode::Worker => 1,
    };
    let soak = Soak {
        subject,
        place,
        spawner: spawner.clone(),
        mode: args.mode,
        length: Duration::from_secs(args.seconds.map_or(minutes, |seconds| seconds.get().into())),
        children: args.children,
        max_requests: args.max_requests.get(),
        clients: args.clients.map_or(clients, NonZeroUsize::get),
        json: args.json.clone(),
    };
    runtime.block_on(soak::run(soak))
}

/// How the subject is to be deployed.
fn wishes<'a>(args: &'a SubjectArgs, root: &'a Path, spawner: &'a Path) -> Wishes<'a> {
    Wishes {
        binary: args.binary.as_deref(),
        user: args.user.as_deref(),
        checkout: root.parent().unwrap_or(root),
        spawner,
    }
}

/// Tells the user what happens before anything runs.
fn say(what: &str) {
    anstream::eprintln!("conformance: {what}");
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    let what = "the runtime does not start";
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|source| Error::Harness { what, source })
}

/// The subject that the command line names, or the application it says how to reach.
fn subject(args: &RunArgs, root: &Path) -> Result<Subject, Error> {
    let Some(address) = &args.connect else { return Subject::load(&args.subject.name, root) };
    let role = args.role.as_deref();
    let subject = match role {
        // What is known about the shipped subject says nothing about whatever listens there.
        Some(role) if args.subject.name == DEFAULT_SUBJECT => Subject::single(address, role),
        _ => Subject::load(&args.subject.name, root)?,
    };
    Ok(subject.running_at(address, role, &own_program()?)?)
}

/// This program, which becomes the spawner and the way to applications that run already.
fn own_program() -> Result<PathBuf, Error> {
    let what = "this program cannot find itself";
    std::env::current_exe().map_err(|source| Error::Harness { what, source })
}

/// Writes a subject file, or its text to standard output.
fn init_subject(args: &InitSubjectArgs) -> Result<(), Error> {
    // Without scenarios the file only has no list of roles.
    let root = match (checkout::scenarios(args.scenarios.as_deref()), &args.scenarios) {
        (Err(error), Some(_)) => return Err(error),
        (root, _) => root.ok(),
    };
    let probes = match &root {
        Some(root) => catalog::probes(root, &Declared::default())?,
        None => Vec::new(),
    };
    let Some(name) = &args.target else {
        return match write!(anstream::stdout(), "{}", init::template(None, &probes)) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(Error::Output),
        };
    };
    let path = checkout::subject_file(name, &root.unwrap_or_default());
    init::write(&path, &probes).map_err(|source| Error::NotWritten { path: path.clone(), source })?;
    anstream::eprintln!(
        "conformance: wrote {0}: fill in command and roles, then run `conformance run --subject {0}`",
        checkout::shown(&path).display()
    );
    Ok(())
}

/// Hands events to the reports until there are no more.
fn report(
    events: &mpsc::Receiver<Event>,
    mut reports: Reports,
    mut recorder: Option<Recorder>,
    mut progress: Progress,
) -> Result<(), ReportError> {
    loop {
        let event = match events.recv_timeout(PROGRESS) {
            Ok(event) => event,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                progress.show();
                continue;
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return reports.finish(),
        };
        progress.clear();
        reports.event(&event);
        if let Some(error) = recorder.as_mut().and_then(|recorder| recorder.event(&event).err()) {
            anstream::eprintln!("conformance: --rerun-failed will not know of this run: {error}");
            recorder = None;
        }
        progress.update(&event);
        progress.show();
    }
}

fn list(args: &SelectArgs) -> Result<(), Error> {
    let mut text = String::new();
    for Scenario { id, class, title, .. } in selected(args)? {
        text += &format!("{id}  [{class}] {title}\n");
    }
    print(&text)
}

fn explain_cases(args: &SelectArgs) -> Result<(), Error> {
    let texts: Vec<String> = selected(args)?.iter().map(explain).collect();
    print(&texts.join("\n"))
}

fn cover(args: &CoverageArgs) -> Result<(), Error> {
    let root = checkout::scenarios(args.scenarios.as_deref())?;
    print(&coverage(&catalog::load(&root, &Declared::default())?))
}

/// The cases `args` select, for a subject that declares what the reference library does.
fn selected(args: &SelectArgs) -> Result<Vec<Scenario>, Error> {
    let root = checkout::scenarios(args.scenarios.as_deref())?;
    let catalogue = catalog::load(&root, &Declared::default())?;
    select(&catalogue, &filter(args), args.shard)
}

/// Writes `text` to standard output.
fn print(text: &str) -> Result<(), Error> {
    match anstream::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Error::Output),
    }
}

fn filter(args: &SelectArgs) -> Filter {
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
fn select(catalogue: &[Scenario], filter: &Filter, shard: Option<Shard>) -> Result<Vec<Scenario>, Error> {
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

fn order(args: &OrderArgs) -> Order {
    let repeat = args.repeat.map(NonZeroU32::get);
    Order {
        jobs: args.jobs.map_or_else(default_jobs, NonZeroUsize::get),
        // A short number: people type it.
        seed: args.shuffle.map(|seed| seed.unwrap_or_else(|| u64::from(fastrand::u32(..)))),
        rounds: if args.until_fail { repeat } else { repeat.or(Some(1)) },
        fail_fast: args.fail_fast || args.until_fail,
        retries: args.retries,
    }
}

fn rules(args: &VerdictArgs) -> Rules {
    Rules { min: args.min, flaky_fails: args.flaky == FlakyArg::Fail, strict_waivers: args.strict_waivers }
}

fn run_proxy(args: &ProxyArgs) -> u8 {
    let upstream =
        args.connect.clone().map_or_else(|| Upstream::Command(args.command.clone()), Upstream::Address);
    match proxy::run(&upstream, args.damage) {
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
