//! `conformance proxy`.

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
    match proxy::run(&upstream, Tampering { damage: args.damage, replace }) {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("conformance proxy: {error}");
            exit_code::USAGE
        }
    }
}
