//! The lswsgi program: parse, run, map the outcome to an exit code.

use std::process::ExitCode;

use lswsgi::cli::Command;

fn main() -> ExitCode {
    let line = match lswsgi::cli::parse() {
        Ok(line) => line,
        Err(code) => return code,
    };
    let result = match &line.command {
        Some(Command::Check { arguments, json }) => lswsgi::check::check(arguments, *json),
        None if line.print_config => lswsgi::settings::print_config(&line.arguments, line.json),
        None => lswsgi::run::run(&line.arguments),
    };
    let code = match result {
        Ok(()) => ExitCode::from(lswsgi::exit_code::OK),
        Err(error) => {
            lswsgi::log::error(format_args!("{error}"));
            ExitCode::from(error.exit_code())
        }
    };
    lswsgi::log::finish();
    code
}
