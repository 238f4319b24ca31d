//! The `conformance` program: reads the command line, runs, turns the outcome into an exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use conformance::cli::Cli;
use conformance::{exit_code, main_impl};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { exit_code::USAGE } else { exit_code::PASSED };
            // Nothing can be done about a terminal that does not take the message.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    main_impl(&cli)
}
