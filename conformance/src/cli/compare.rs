//! What is typed behind `compare`.

use std::path::PathBuf;

use clap::Args;

/// What the help of `compare` ends with.
pub(super) const HELP: &str = "\
A and B are reports of two runs: two subjects, or one before and after a change. Of cases that ran more than once the \
gravest outcome and the shortest time count. Much slower is twice as long and half a second longer.

Exit codes:
  0    B has no failure where A has none
  1    it has: a case failed, could not be run or was not run in B, and was none of that in A
  2    wrong command line, or a file cannot be read
  3    a file is no report of a run, or of a later version

Examples:
  conformance run --report json=a.json; git switch fix; conformance run --report json=b.json
  conformance compare a.json b.json                 what the change has done
  conformance run wsgi --subject wsgi-host --report json=host.json
  conformance compare --all a.json host.json        every case, two subjects
  conformance compare --markdown a.json b.json      for the page of a CI job";

/// Which reports, and how.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The report of the first run, written by `run --report json=FILE` or `jsonl=FILE`
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// The report of the second
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// List every case, with both outcomes and times
    #[arg(long)]
    pub all: bool,
    /// Write Markdown
    #[arg(long)]
    pub markdown: bool,
}
