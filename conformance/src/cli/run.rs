//! What is typed behind `run`.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use mock_lsws::Address;
use mock_lsws::scenario::Time;

use super::SelectArgs;
use crate::exit_code;
use crate::report::ReportTarget;

/// What the help of `run` ends with.
pub(super) fn help() -> String {
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

/// What is tested when nobody says.
pub const DEFAULT_SUBJECT: &str = "lswsgi";

/// How long a case may take when nobody says.
pub const DEFAULT_TIMEOUT: &str = "30s";

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
    /// Write another report: jsonl, json, junit, tap, markdown, html or text; repeatable. `-` is standard output, in place of the text report
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

/// What flaky cases do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FlakyArg {
    /// Nothing: they have passed
    Pass,
    /// The run ends with exit code 6
    Fail,
}

fn duration(text: &str) -> Result<Duration, String> {
    Time::parse(text).map(|time| time.0)
}
