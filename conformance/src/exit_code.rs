//! The exit codes of the `conformance` program. They are part of its interface: scripts depend on them.

/// Every case that ran passed, failed as waived, or passed when it was tried again.
pub const PASSED: u8 = 0;
/// At least one case failed, or with `--strict-waivers` a waiver is not needed.
pub const FAILED: u8 = 1;
/// The command line is wrong, or names something that does not exist.
pub const USAGE: u8 = 2;
/// A scenario, subject or waiver file is wrong; nothing was run.
pub const BAD_SCENARIO: u8 = 3;
/// No case was selected, or fewer ran than `--min` asks for; a run that tests nothing is not a success.
pub const NOTHING_SELECTED: u8 = 4;
/// The application under test, or the machinery it takes to run it and report, could not be built or started.
pub const SUBJECT_NOT_STARTED: u8 = 5;
/// A case passed only when it was tried again, and `--flaky fail` was given.
pub const FLAKY: u8 = 6;
/// Interrupted by Ctrl-C or SIGTERM: 128 and the number of SIGINT, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// The table shown by `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0    every case that ran passed, or failed as a waiver says
  1    a case failed, or with --strict-waivers a waiver is not needed
  2    wrong command line
  3    a scenario, subject or waiver file is wrong; nothing was run
  4    no case was selected, or fewer ran than --min (1) asks for
  5    the subject or the runner itself could not be built or started
  6    a case was flaky, and --flaky fail was given
  130  interrupted by Ctrl-C or SIGTERM";
