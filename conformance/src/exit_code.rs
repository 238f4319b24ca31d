//! The exit codes of the `conformance` program. They are part of its interface: scripts depend on them.

/// Every selected case passed or was skipped for a stated reason.
pub const PASSED: u8 = 0;
/// At least one case failed.
pub const FAILED: u8 = 1;
/// The command line is wrong, or names something that does not exist.
pub const USAGE: u8 = 2;
/// A scenario or subject file is wrong; nothing was run.
pub const BAD_SCENARIO: u8 = 3;
/// No case was selected; a run that tests nothing is not a success.
pub const NOTHING_SELECTED: u8 = 4;
/// The application under test, or the machinery it takes to run it and report, could not be built or started.
pub const SUBJECT_NOT_STARTED: u8 = 5;
/// Interrupted by Ctrl-C or SIGTERM: 128 and the number of SIGINT, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// The table shown by `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0    every selected case passed, or was skipped for a stated reason
  1    at least one case failed
  2    wrong command line
  3    a scenario or subject file is wrong; nothing was run
  4    no case was selected
  5    the application under test could not be built or started
  130  interrupted by Ctrl-C or SIGTERM";
