//! The command line as it is typed.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use mock_lsws::Address;
use mock_lsws::scenario::{Class, Time};
use serde::Serialize;

use crate::exit_code;
use crate::filter::Shard;
use crate::proxy::Damage;
use crate::report::ReportTarget;

/// Runs LSAPI scenarios against any LSAPI application and reports what is wrong.
#[derive(Debug, Parser)]
#[command(name = "conformance", version, after_help = exit_code::HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the help of `run` ends with.
fn run_help() -> String {
    format!("{EXAMPLES}\n\n{}", exit_code::HELP)
}

/// A way to each of the things people want.
const EXAMPLES: &str = "\
Examples:
  conformance run                                  all must and should cases against lswsgi
  conformance run wire 'lifecycle/max-*'           a folder, and a glob
  conformance run --spec W17 --class must,detail   what tests a clause
  conformance run wire/minimal-get -v              one case, with everything sent and received
  conformance init-subject ./my-app.toml           begin to test your own application ...
  conformance run --subject ./my-app.toml          ... and do
  conformance run --connect /run/x.sock --role pid an application that runs already
  conformance run --rerun-failed                   what failed the last time
  conformance run --shard 2/3 --report junit=c.xml the second of three CI machines
  conformance run wire --until-fail --shuffle      look for what fails now and then";

/// What the help of `soak` ends with.
const SOAK_HELP: &str = "\
The traffic is small and large responses, uploads, streams, slow requests, exceptions, crashes, clients that leave, and
bytes that are no LSAPI, each client on a connection it keeps as a server does. Every second all processes of the subject
are looked at. At the end the medians of the first quarter are compared with those of the last.

Exit codes:
  0    nothing has grown that must not, and every exchange was as expected
  1    descriptors, zombies or shared memory have grown, or an exchange was not as expected
  2    wrong command line, or a subject that runs no WSGI applications
  5    the subject could not be built or started
  130  interrupted by Ctrl-C or SIGTERM

Examples:
  conformance soak --minutes 60                    lswsgi as a group of four, whose workers are replaced all the time
  conformance soak --mode worker --seconds 30      one process that is never replaced: leaks show at once
  conformance soak --json figures.json             and every sample for a plot";

/// What is tested when nobody says.
pub const DEFAULT_SUBJECT: &str = "lswsgi";

/// How long a case may take when nobody says.
pub const DEFAULT_TIMEOUT: &str = "30s";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run cases and report
    #[command(after_help = run_help())]
    Run(Box<RunArgs>),
    /// Send mixed traffic for a long time, and look for what grows
    #[command(after_help = SOAK_HELP)]
    Soak(SoakArgs),
    /// List cases
    List(SelectArgs),
    /// Tell what cases are about, and what happens in them
    Explain(SelectArgs),
    /// Tell which checks and clauses the cases test, and which checks none does
    Coverage(CoverageArgs),
    /// Print the JSON Schema of scenario files
    Schema,
    /// Write a subject file to start from, with everything in it explained
    InitSubject(InitSubjectArgs),
    /// The parent process of applications; started by a run, with its socket as descriptor 0
    #[command(hide = true)]
    Spawner,
    /// Stands between server and application and damages responses; a run must notice
    #[command(hide = true)]
    Proxy(ProxyArgs),
}

/// Of which scenarios.
#[derive(Debug, Args)]
pub struct CoverageArgs {
    /// The folder of scenarios [default: `scenarios` of the checkout]
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
}

/// Which cases.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which cases")]
pub struct SelectArgs {
    /// IDs, folders of IDs or globs such as 'wire/*'; all cases without any. `id` stands for all its `id[k=v]`
    #[arg(value_name = "ID")]
    pub patterns: Vec<String>,
    /// Classes of cases to include; a case named by its ID runs whatever its class
    #[arg(long = "class", value_name = "CLASS", value_delimiter = ',', default_value = "must,should")]
    pub classes: Vec<ClassArg>,
    /// Only cases with this tag, or one of several
    #[arg(long = "tag", value_name = "TAG", value_delimiter = ',')]
    pub tags: Vec<String>,
    /// Only cases that test this clause, such as W17 or 'lsapi 1.7'; repeat it for several
    #[arg(long = "spec", value_name = "CLAUSE")]
    pub clauses: Vec<String>,
    /// Not these: an ID, folder or glob; repeat it for several
    #[arg(long = "exclude", value_name = "ID")]
    pub excluded: Vec<String>,
    /// Only this part of them, such as 2/3: every third case, from the second on
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// The folder of scenarios [default: `scenarios` of the checkout]
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
}

/// What to test.
#[derive(Debug, Args)]
pub struct SubjectArgs {
    /// The application under test: a name from scenarios/subjects, or the path of a subject file
    #[arg(long = "subject", value_name = "SUBJECT", default_value = DEFAULT_SUBJECT)]
    pub name: String,
    /// The subject's binary, instead of the one its file leads to
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// The user the subject runs as, or `self` for your own; without root there is no other [default: the subject file's,
    /// which is `nobody` where it says nothing]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
}

/// How to run them.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// What is tested.
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// An application that runs already. Cases about its process are skipped.
    #[arg(
        long,
        value_name = "ADDR",
        conflicts_with_all = ["binary", "user"],
        help = "An application that runs already: a Unix path, host:port or [v6]:port. Cases about its process are skipped"
    )]
    pub connect: Option<Address>,
    /// The one role that application plays; not needed with a --subject whose requests say which
    #[arg(long, value_name = "ROLE", requires = "connect")]
    pub role: Option<String>,
    /// Which cases to run.
    #[command(flatten)]
    pub select: SelectArgs,
    /// Only what failed in the last run against this subject, or was not run in it
    #[arg(long, help_heading = "Which cases")]
    pub rerun_failed: bool,
    /// In which order and how often.
    #[command(flatten)]
    pub order: OrderArgs,
    /// What counts.
    #[command(flatten)]
    pub verdict: VerdictArgs,
    /// Write another report: jsonl, json, junit or text; repeatable. `-` is standard output, in place of the text report
    #[arg(long = "report", value_name = "FORMAT=FILE", help_heading = "Reports")]
    pub reports: Vec<ReportTarget>,
    /// Show the packet transcript of every case, not only of those that failed; twice: with all bytes in hex
    #[arg(long, short, action = clap::ArgAction::Count, help_heading = "Reports")]
    pub verbose: u8,
}

/// In which order and how often.
#[derive(Debug, Args)]
#[command(next_help_heading = "Order and time")]
pub struct OrderArgs {
    /// How many cases run at the same time [default: four per processor]
    #[arg(long, short, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Run in a random order; with =SEED in the same order as another run
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true)]
    pub shuffle: Option<Option<u64>>,
    /// Run everything this often
    #[arg(long, value_name = "N")]
    pub repeat: Option<NonZeroU32>,
    /// Repeat until a case fails, with --repeat at most that often
    #[arg(long)]
    pub until_fail: bool,
    /// Start no more cases after the first that failed
    #[arg(long)]
    pub fail_fast: bool,
    /// How often a case that failed is tried again; one that passes then is flaky
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub retries: u32,
    /// How long a case may take that does not say so itself
    #[arg(long, value_name = "TIME", default_value = DEFAULT_TIMEOUT, value_parser = duration)]
    pub timeout: Duration,
    /// Mark cases that take longer
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub slow: Duration,
}

/// What counts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Verdict")]
pub struct VerdictArgs {
    /// What flaky cases do to the run
    #[arg(long, value_name = "WHAT", default_value = "pass")]
    pub flaky: FlakyArg,
    /// How many cases have to run, skipped ones not counted, or the run is no success
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub min: usize,
    /// Failures that are accepted [default: waivers.toml in the folder of scenarios]
    #[arg(long, value_name = "FILE")]
    pub waivers: Option<PathBuf>,
    /// A waiver that is not needed fails the run
    #[arg(long)]
    pub strict_waivers: bool,
}

/// How to soak what.
#[derive(Debug, Args)]
pub struct SoakArgs {
    /// How long, in minutes
    #[arg(long, value_name = "N", default_value = "10")]
    pub minutes: NonZeroU32,
    /// How long, in seconds
    #[arg(long, value_name = "N", conflicts_with = "minutes")]
    pub seconds: Option<NonZeroU32>,
    /// What is soaked: it has to run WSGI applications.
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// As what it is started
    #[arg(long, value_name = "MODE", default_value = "group")]
    pub mode: SoakMode,
    /// Processes of a group: LSAPI_CHILDREN
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub children: u32,
    /// Requests after which each of these is replaced: LSAPI_MAX_REQS
    #[arg(long, value_name = "N", default_value = "200")]
    pub max_requests: NonZeroU32,
    /// Clients at the same time [default: twice as many as processes, and one for a worker]
    #[arg(long, value_name = "N")]
    pub clients: Option<NonZeroUsize>,
    /// Write all figures and samples to this file as JSON; `-` is standard output, in place of the table
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// The folder of scenarios, beside which the subjects are [default: `scenarios` of the checkout]
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
}

/// As what a subject is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SoakMode {
    /// A process group on a listening socket: LSAPI_CHILDREN is set
    Group,
    /// One process on a listening socket, which is never replaced
    Worker,
}

/// Where the new subject file goes.
#[derive(Debug, Args)]
pub struct InitSubjectArgs {
    /// A name, for a file in scenarios/subjects, or the path of a file; without it the text goes to standard output. A file
    /// that exists is left alone
    #[arg(value_name = "NAME|FILE")]
    pub target: Option<String>,
    /// The folder of scenarios, whose roles are listed [default: `scenarios` of the checkout]
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
}

/// What to damage, and the command of the application.
#[derive(Debug, Args)]
pub struct ProxyArgs {
    /// The damage to do
    #[arg(long, default_value = "none")]
    pub damage: Damage,
    /// Where the application listens already
    #[arg(long, value_name = "ADDR", conflicts_with = "command")]
    pub connect: Option<Address>,
    /// The application and its arguments
    #[arg(last = true, required_unless_present = "connect")]
    pub command: Vec<std::ffi::OsString>,
}

/// What flaky cases do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FlakyArg {
    /// Nothing: they have passed
    Pass,
    /// The run ends with exit code 6
    Fail,
}

/// A class on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClassArg {
    /// A real server depends on it
    Must,
    /// Robustness that every application owes
    Should,
    /// Behaviour of the reference library
    Detail,
}

impl From<ClassArg> for Class {
    fn from(class: ClassArg) -> Self {
        match class {
            ClassArg::Must => Self::Must,
            ClassArg::Should => Self::Should,
            ClassArg::Detail => Self::Detail,
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    Time::parse(text).map(|time| time.0)
}
