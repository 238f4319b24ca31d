//! `conformance run`.

use std::io;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use mock_lsws::scenario::Declared;

use super::catalogue::{filter, select};
use super::{own_program, runtime, say, wishes};
use crate::cli::{DEFAULT_SUBJECT, FlakyArg, OrderArgs, RunArgs, VerdictArgs};
use crate::event::Event;
use crate::last_run::{LastRun, Recorder};
use crate::report::{Progress, Report, ReportError, Reports};
use crate::runner::{self, Order, Plan, Rules};
use crate::subject::Subject;
use crate::waivers::Waivers;
use crate::{Error, again, catalog, checkout};

/// How often the progress line is renewed while nothing happens.
const PROGRESS: Duration = Duration::from_millis(250);

/// Cases at a time for each processor: most of a case is waiting.
const JOBS_PER_CPU: usize = 4;

pub(super) fn run(args: &RunArgs) -> Result<u8, Error> {
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
        log_changes: Vec::new(),
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

fn default_jobs() -> usize {
    JOBS_PER_CPU * thread::available_parallelism().map_or(1, NonZeroUsize::get)
}
