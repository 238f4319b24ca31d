//! What the subcommands do: each has a file here, and what several need is in this one.

mod catalogue;
mod compare;
mod fmt;
mod init_subject;
mod mutants;
mod proxy;
mod run;
mod soak;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mock_lsws::scenario::json_schema;

use crate::cli::{Cli, Command, SubjectArgs};
use crate::subject::Wishes;
use crate::{Error, exit_code};

/// Does what the command line says and returns the exit code.
#[must_use]
pub fn main_impl(cli: &Cli) -> ExitCode {
    let outcome = match &cli.command {
        Command::Run(args) => run::run(args),
        Command::Soak(args) => soak::run(args),
        Command::Mutants(args) => mutants::run(args),
        Command::Compare(args) => compare::run(args),
        Command::List(args) => catalogue::list(args).map(|()| exit_code::PASSED),
        Command::Explain(args) => catalogue::explain_cases(args).map(|()| exit_code::PASSED),
        Command::Coverage(args) => catalogue::cover(args),
        Command::Fmt(args) => fmt::run(args),
        Command::Clauses(args) => catalogue::clauses(args).map(|()| exit_code::PASSED),
        Command::Schema => print(&format!("{:#}\n", json_schema())).map(|()| exit_code::PASSED),
        Command::InitSubject(args) => init_subject::run(args).map(|()| exit_code::PASSED),
        Command::Spawner => return mock_lsws::spawner::serve(),
        Command::Proxy(args) => return ExitCode::from(proxy::run(args)),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            anstream::eprintln!("conformance: {}", error.with_causes());
            ExitCode::from(error.exit_code())
        }
    }
}

/// How the subject is to be deployed.
fn wishes<'a>(args: &'a SubjectArgs, root: &'a Path, spawner: &'a Path) -> Wishes<'a> {
    Wishes {
        binary: args.binary.as_deref(),
        user: args.user.as_deref(),
        checkout: root.parent().unwrap_or(root),
        spawner,
    }
}

/// Tells the user what happens before anything runs.
fn say(what: &str) {
    anstream::eprintln!("conformance: {what}");
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    let what = "the runtime does not start";
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|source| Error::Harness { what, source })
}

/// This program, which becomes the spawner and the way to applications that run already.
fn own_program() -> Result<PathBuf, Error> {
    let what = "this program cannot find itself";
    std::env::current_exe().map_err(|source| Error::Harness { what, source })
}

/// Writes `text` to standard output.
fn print(text: &str) -> Result<(), Error> {
    match anstream::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Error::Output),
    }
}
