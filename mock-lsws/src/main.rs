//! The program `mock-lsws`: parses the command line, does what it says, maps the outcome to an exit code.

#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    match Cli::parse().command {
        // Before any thread exists: the spawner forks.
        Command::Spawner => mock_lsws::spawner::serve(),
        Command::Run(args) => cli::run(*args),
        Command::Serve(args) => cli::serve(*args),
    }
}
