//! What is typed behind `mutants`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

/// What the help of `mutants` ends with.
pub(super) const HELP: &str = "\
A mutant is a sound application with one thing wrong; scenarios/mutants.toml has them, and the host in plain Python tells \
its own flaws. First the sound applications are run: cases that fail there count for nothing. Then each mutant is run on its \
cases, and those that are named for it have to fail.

Exit codes:
  0    every mutant was noticed by all that have to
  1    one was not, or with --uncaught a must scenario is left that never failed
  2    wrong command line
  3    a scenario, subject or mutant file is wrong; nothing was run
  5    a subject or the runner itself could not be built or started
  130  interrupted by Ctrl-C or SIGTERM

Examples:
  conformance mutants                        all of them
  conformance mutants drop-end 'host/*'      one, and all flaws of the host
  conformance mutants --uncaught             are there scenarios whose point nobody has proved?
  conformance mutants drop-end --all-cases   everything that notices this one";

/// Which mutants, and what to tell about them.
#[derive(Debug, Args)]
pub struct MutantsArgs {
    /// Names of mutants or globs such as 'host/*'; all without any
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// List the mutants and run none
    #[arg(long)]
    pub list: bool,
    /// List the must scenarios that no mutant made fail
    #[arg(long, conflicts_with_all = ["names", "list"])]
    pub uncaught: bool,
    /// List for each must scenario the sharpest mutant it noticed: the one that fails the smallest share of its cases
    #[arg(long, conflicts_with = "list")]
    pub by_scenario: bool,
    /// Try each mutant on all must and should cases; this takes hours for all mutants
    #[arg(long)]
    pub all_cases: bool,
    /// Write everything found to this file as JSON; `-` is standard output, in place of the table
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the table to this file as Markdown; `-` is standard output, in place of the table
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// How many cases run at the same time [default: six per processor]
    #[arg(long, short, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// The binary of lswsgi, instead of building it
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// The user the subjects run as, or `self` for your own; without root there is no other [default: the subject files',
    /// which is `nobody` where they say nothing]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The folder of scenarios, with the file of mutants in it [default: `scenarios` of the checkout]
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
}
