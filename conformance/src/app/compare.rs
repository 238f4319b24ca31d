//! `conformance compare`.

use super::print;
use crate::cli::CompareArgs;
use crate::compare::{Comparison, markdown, text};
use crate::report::RunDocument;
use crate::{Error, checkout, exit_code};

pub(super) fn run(args: &CompareArgs) -> Result<u8, Error> {
    let (a, b) = (RunDocument::load(&args.a)?, RunDocument::load(&args.b)?);
    let [name_a, name_b] = [&args.a, &args.b].map(|path| checkout::shown(path).display().to_string());
    let comparison = Comparison::of(&a, &b);
    let runs = [(name_a.as_str(), &a), (name_b.as_str(), &b)];
    let render = if args.markdown { markdown } else { text };
    print(&render(&comparison, runs, args.all))?;
    Ok(if comparison.is_worse() { exit_code::FAILED } else { exit_code::PASSED })
}
