//! The command line as it is typed.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use mock_lsws::scenario::Class;

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
    #[command(after_help = exit_code::HELP)]
    Run(RunArgs),
    /// List cases
    List(SelectArgs),
    /// The parent process of applications; started by a run, with its socket as descriptor 0
    #[command(hide = true)]
    Spawner,
    /// Stands between server and application and damages responses; a run must notice
    #[command(hide = true)]
    Proxy(ProxyArgs),
}

/// Which cases.
#[derive(Debug, Args)]
pub struct SelectArgs {
    /// IDs, folders of IDs or globs such as 'wire/*'; all cases without any
    #[arg(value_name = "ID")]
    pub patterns: Vec<String>,
    /// Classes of cases to include
    #[arg(long = "class", value_delimiter = ',', default_value = "must,should")]
    pub classes: Vec<ClassArg>,
    /// The folder of scenarios [default: `scenarios` of the checkout]
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
}

/// How to run them.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Which cases to run.
    #[command(flatten)]
    pub select: SelectArgs,
    /// The application under test: a name from scenarios/subjects, or the path of a subject file
    #[arg(long, value_name = "SUBJECT", default_value = "lswsgi")]
    pub subject: String,
    /// The subject's binary, instead of the one its file leads to
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// The user the subject runs as, or `self` for your own; without root there is no other [default: the subject file's,
    /// which is `nobody` where it says nothing]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// How many cases run at the same time [default: four per processor]
    #[arg(long, short, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Show the packet transcript of every case, not only of those that failed; twice: with all bytes in hex
    #[arg(long, short, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// What to damage, and the command of the application.
#[derive(Debug, Args)]
pub struct ProxyArgs {
    /// The damage to do
    #[arg(long)]
    pub damage: Damage,
    /// The application and its arguments
    #[arg(last = true, required = true)]
    pub command: Vec<std::ffi::OsString>,
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
