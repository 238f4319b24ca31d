//! What a whole run is worth: its exit code and the remarks that go with it.

use crate::Error;
use crate::event::Summary;
use crate::exit_code;

/// What counts as a success.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How many cases have to run.
    pub min: usize,
    /// Whether flaky cases fail the run.
    pub flaky_fails: bool,
    /// Whether waivers that are not needed fail the run.
    pub strict_waivers: bool,
}

impl Rules {
    /// Completes `summary`: what ended the run early, what the waivers are worth, and the exit code. `ran` is
    /// how many cases did, however often.
    pub(super) fn judge(
        &self,
        summary: &mut Summary,
        ran: usize,
        error: Option<&Error>,
        stale_waivers: Vec<String>,
    ) {
        let total = summary.total();
        let is_stale = !stale_waivers.is_empty();
        summary.remarks = stale_waivers;
        summary.error = error.map(Error::with_causes);
        let too_few = ran < self.min;
        if too_few && error.is_none() {
            let cases = if ran == 1 { "case" } else { "cases" };
            summary.remarks.push(format!("{ran} {cases} ran, {} had to: see --min", self.min));
        }
        summary.exit_code = match error {
            Some(error) => error.exit_code(),
            None if total.errors > 0 => exit_code::SUBJECT_NOT_STARTED,
            None if total.failed > 0 => exit_code::FAILED,
            None if is_stale && self.strict_waivers => exit_code::FAILED,
            None if too_few => exit_code::NOTHING_SELECTED,
            None if total.flaky > 0 && self.flaky_fails => exit_code::FLAKY,
            None => exit_code::PASSED,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Counts;

    fn code(must: Counts, rules: Rules, stale: &[&str]) -> (u8, Vec<String>) {
        let mut summary = Summary { must, ..Summary::default() };
        rules.judge(&mut summary, must.ran(), None, stale.iter().map(ToString::to_string).collect());
        (summary.exit_code, summary.remarks)
    }

    #[test]
    fn the_worst_decides() {
        let rules = Rules { min: 1, flaky_fails: true, strict_waivers: true };
        let lax = Rules { min: 0, flaky_fails: false, strict_waivers: false };
        let mut counts = Counts { skipped: 3, ..Counts::default() };
        let (found, remarks) = code(counts, rules, &[]);
        assert_eq!((found, remarks.join("")), (4, "0 cases ran, 1 had to: see --min".into()));
        assert_eq!(code(counts, lax, &[]), (0, vec![]));
        counts.flaky = 1;
        assert_eq!((code(counts, rules, &[]).0, code(counts, lax, &[]).0), (6, 0));
        assert_eq!(code(counts, Rules { min: 2, ..rules }, &[]).0, 4);
        assert_eq!((code(counts, rules, &["stale"]).0, code(counts, lax, &["stale"]).0), (1, 0));
        counts.failed = 1;
        assert_eq!(code(counts, lax, &[]).0, 1);
        counts.errors = 1;
        assert_eq!(code(counts, lax, &[]).0, 5);
        let mut summary = Summary { must: counts, ..Summary::default() };
        rules.judge(&mut summary, 1, Some(&Error::Interrupted), Vec::new());
        assert_eq!(summary.exit_code, 130);
        assert!(summary.error.unwrap().contains("interrupted") && summary.remarks.is_empty());
    }
}
