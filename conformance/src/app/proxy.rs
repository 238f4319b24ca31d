//! `conformance proxy`.

use mock_lsws::fault::Faults;

use crate::cli::ProxyArgs;
use crate::exit_code;
use crate::proxy::{self, Replace, Tampering, Upstream};

pub(super) fn run(args: &ProxyArgs) -> u8 {
    let upstream =
        args.connect.clone().map_or_else(|| Upstream::Command(args.command.clone()), Upstream::Address);
    let replace = match args.replace.as_slice() {
        [from, to] => Some(Replace { from: from.clone(), to: to.clone() }),
        _ => None,
    };
    let faults = match Faults::of(args.fault.iter().copied()) {
        Ok(faults) => faults,
        Err(error) => {
            anstream::eprintln!("conformance proxy: {error}");
            return exit_code::USAGE;
        }
    };
    match proxy::run(&upstream, Tampering { damage: args.damage, replace, faults }) {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("conformance proxy: {error}");
            exit_code::USAGE
        }
    }
}
