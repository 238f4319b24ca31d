//! What is typed behind `fmt`.

use std::path::PathBuf;

use clap::Args;

/// What the help of `fmt` ends with.
pub(super) const HELP: &str = "\
Keys of a scenario, of its [start] and its steps come in a fixed order, an empty line stands between tables, lines have up \
to 120 columns and longer arrays an element a line. Comments and multi-line texts stay as they are, and what a file means \
never changes. Subject files, roles, waivers and mutants keep the order of their keys.

Exit codes:
  0    everything is formatted
  1    with --check: a file is not
  2    wrong command line, or a file cannot be read or written
  3    a file is no TOML; all others have been formatted

Examples:
  conformance fmt                              all files of the folder of scenarios
  conformance fmt scenarios/wire my-app.toml   a folder, and a file
  conformance fmt --check                      for CI: show what would change, change nothing
  conformance fmt - < case.toml                for an editor: standard input to standard output";

/// Which files, and whether to write.
#[derive(Debug, Args)]
pub struct FmtArgs {
    /// Files, and folders with all .toml files below them; `-` is standard input, formatted to standard output [default:
    /// `scenarios` of the checkout]
    #[arg(value_name = "FILE|FOLDER")]
    pub paths: Vec<PathBuf>,
    /// Change nothing; show what would be changed, and end with exit code 1 if anything would
    #[arg(long)]
    pub check: bool,
}
