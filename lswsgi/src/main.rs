//! The lswsgi program: parse, run, map the outcome to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match lswsgi::cli::parse() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    match lswsgi::run::run(&arguments) {
        Ok(()) => ExitCode::from(lswsgi::exit_code::OK),
        Err(error) => {
            lswsgi::log::error(format_args!("{error}"));
            ExitCode::from(error.exit_code())
        }
    }
}
