//! The lswsgi program: parse, run, map the outcome to an exit code.

use std::io::Write as _;
use std::process::ExitCode;

use lswsgi::cli::Command;

fn main() -> ExitCode {
    let line = match lswsgi::cli::parse() {
        Ok(line) => line,
        Err(code) => return code,
    };
    let result = match &line.command {
        Some(Command::Check { arguments, json }) => lswsgi::check::check(arguments, *json),
        Some(Command::Ctl(ctl)) => return ExitCode::from(lswsgi::ctl::run(ctl)),
        None if line.print_config => lswsgi::settings::print_config(&line.arguments, line.json),
        None => lswsgi::run::run(&line.arguments),
    };
    let code = match result {
        Ok(()) => lswsgi::exit_code::OK,
        Err(error) => {
            lswsgi::log::error(format_args!("{error}"));
            error.exit_code()
        }
    };
    lswsgi::log::finish();
    let _ = std::io::stdout().flush();
    // Threads of the application may still be running, and must not meet what the C library takes down at an exit.
    lswsgi::leave_now(code)
}
