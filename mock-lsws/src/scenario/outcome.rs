//! How an exchange may end when it does not matter what is said in it.

use std::fmt;

use serde::{Deserialize, Deserializer};

use super::shorthand::{self, Shorthand};
use super::time::Time;

/// One way an exchange ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A whole and well-formed response, whatever its status.
    Answered,
    /// The connection is closed or reset before a response is whole; what came before that is well formed.
    Closed,
    /// The connection is closed or reset, and not one packet came before that.
    Refused,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Answered, Self::Closed, Self::Refused];

    const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Closed => "closed",
            Self::Refused => "refused",
        }
    }

    /// Whether an exchange that ended in `actual` ended in this way.
    #[must_use]
    pub fn includes(self, actual: Self) -> bool {
        self == actual || (self == Self::Closed && actual == Self::Refused)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The ends that are right; silence never is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectOutcome {
    /// Any of these.
    pub any_of: Vec<Outcome>,
    /// How long the exchange may take.
    pub within: Option<Time>,
}

impl ExpectOutcome {
    /// Whether `actual` is one of them.
    #[must_use]
    pub fn accepts(&self, actual: Outcome) -> bool {
        self.any_of.iter().any(|expected| expected.includes(actual))
    }
}

impl fmt::Display for ExpectOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, outcome) in self.any_of.iter().enumerate() {
            write!(f, "{}{outcome}", if index == 0 { "" } else { " or " })?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutcomeTable {
    any_of: Vec<Outcome>,
    within: Option<Time>,
}

impl Shorthand for ExpectOutcome {
    type Table = OutcomeTable;
    const EXPECTING: &'static str =
        "`answered`, `closed` or `refused`, a list of these, or a table with `any_of`";

    fn from_text(text: &str) -> Result<Self, String> {
        let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.name() == text).ok_or_else(|| {
            let names = Outcome::ALL.map(|outcome| format!("`{outcome}`")).join(", ");
            format!("unknown outcome `{text}`, expected one of {names}")
        })?;
        Ok(Self { any_of: vec![outcome], within: None })
    }

    fn from_table(table: OutcomeTable) -> Result<Self, String> {
        if table.any_of.is_empty() {
            return Err("`any_of` is empty: no end would be right".into());
        }
        Ok(Self { any_of: table.any_of, within: table.within })
    }

    fn from_list(items: Vec<Self>) -> Result<Self, String> {
        if items.iter().any(|item| item.within.is_some()) {
            return Err("a list names outcomes only: write `{ any_of = [...], within = ... }`".into());
        }
        let any_of = items.into_iter().flat_map(|item| item.any_of).collect();
        Self::from_table(OutcomeTable { any_of, within: None })
    }
}

impl<'de> Deserialize<'de> for ExpectOutcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        shorthand::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Holder {
        value: ExpectOutcome,
    }

    fn read(value: &str) -> Result<ExpectOutcome, String> {
        let holder: Result<Holder, _> = toml::from_str(&format!("value = {value}"));
        holder.map(|holder| holder.value).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_refusal_is_a_close_and_a_close_is_not_always_a_refusal() {
        let closed = read("'closed'").unwrap();
        assert!(closed.accepts(Outcome::Refused) && closed.accepts(Outcome::Closed));
        let refused = read("['answered', 'refused']").unwrap();
        assert!(refused.accepts(Outcome::Answered) && !refused.accepts(Outcome::Closed));
        assert_eq!(refused.to_string(), "answered or refused");
        assert!(read("{ any_of = ['answered'], within = '1s' }").unwrap().within.is_some());
    }

    #[test]
    fn mistakes_are_told() {
        assert!(read("'answerd'").unwrap_err().starts_with("unknown outcome `answerd`, expected one of"));
        assert!(read("[]").unwrap_err().contains("no end would be right"));
        assert!(
            read("[{ any_of = ['closed'], within = '1s' }]").unwrap_err().contains("names outcomes only")
        );
    }
}
