//! The command line as it is typed.

mod compare;
mod fmt;
mod mutants;
mod run;
mod select;
mod soak;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use mock_lsws::Address;
use mock_lsws::fault::DirectedFault;

pub use compare::CompareArgs;
pub use fmt::FmtArgs;
pub use mutants::MutantsArgs;
pub use run::{DEFAULT_SUBJECT, DEFAULT_TIMEOUT, FlakyArg, OrderArgs, RunArgs, SubjectArgs, VerdictArgs};
pub use select::{ClassArg, SelectArgs};
pub use soak::{SoakArgs, SoakMode};

use crate::exit_code;
use crate::proxy::Damage;

/// Runs LSAPI scenarios against any LSAPI application and reports what is wrong.
#[derive(Debug, Parser)]
#[command(name = "conformance", version, after_help = exit_code::HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run cases and report
    #[command(after_help = run::help())]
    Run(Box<RunArgs>),
    /// Send mixed traffic for a long time, and look for what grows
    #[command(after_help = soak::HELP)]
    Soak(SoakArgs),
    /// Run applications that are broken on purpose: the cases have to notice
    #[command(after_help = mutants::HELP)]
    Mutants(MutantsArgs),
    /// Put the reports of two runs side by side
    #[command(after_help = compare::HELP)]
    Compare(CompareArgs),
    /// List cases
    List(SelectArgs),
    /// Tell what cases are about, and what happens in them
    Explain(SelectArgs),
    /// Tell which cases test which clause, and which clauses none does
    #[command(after_help = COVERAGE_HELP)]
    Coverage(CoverageArgs),
    /// Format scenario files
    #[command(after_help = fmt::HELP)]
    Fmt(FmtArgs),
    /// Print the list of clauses as the references have it
    #[command(hide = true)]
    Clauses(ClausesArgs),
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

/// What `coverage --help` ends with.
const COVERAGE_HELP: &str = "\
Clauses are those of lsapi/PROTOCOL.md and scenarios/WSGI.md. No application can be tested for
what only a server has to do: that is told as the server's.

  conformance coverage --missing            what is left to do
  conformance coverage --strict 'lsapi 1'   for CI: exit code 1 if a clause has no case
  conformance run --spec 'lsapi 1.3-4'      run the cases of a clause";

/// Of which scenarios, and how much of it.
#[derive(Debug, Args)]
pub struct CoverageArgs {
    /// Only the clauses without a case
    #[arg(long, conflicts_with = "json")]
    pub missing: bool,
    /// Exit code 1 if one of these clauses has no case: the beginning of their names, such as 'lsapi 1.3', W or P; repeat
    /// it for several
    #[arg(long, value_name = "CLAUSE", conflicts_with = "json")]
    pub strict: Vec<String>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// The folder of scenarios [default: `scenarios` of the checkout]
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
}

/// Of which references.
#[derive(Debug, Args)]
pub struct ClausesArgs {
    /// Print nothing; fail if clauses.toml is not what the references say
    #[arg(long)]
    pub check: bool,
    /// The folder of scenarios, with clauses.toml in it and lsapi/PROTOCOL.md beside it [default: `scenarios` of the
    /// checkout]
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
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
    /// Bytes of requests, and those that take their place, of which there are as many
    #[arg(long, value_names = ["FROM", "TO"], num_args = 2)]
    pub replace: Vec<String>,
    /// What happens to the bytes of each connection, such as app:latency=20ms~5ms or server:cut=100 (`mock-lsws run --help`
    /// has all); repeat it for several
    #[arg(long, value_name = "DIRECTION:FAULT")]
    pub fault: Vec<DirectedFault>,
    /// Where the application listens already
    #[arg(long, value_name = "ADDR", conflicts_with = "command")]
    pub connect: Option<Address>,
    /// The application and its arguments
    #[arg(last = true, required_unless_present = "connect")]
    pub command: Vec<std::ffi::OsString>,
}
