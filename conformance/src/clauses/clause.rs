//! One clause.

use serde::{Deserialize, Serialize};

/// A rule that a case can test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// As cases cite it: `lsapi 1.3-4`, `W17`, `P07`, `PEP 3333 Error Handling`.
    pub id: String,
    /// Whose it is.
    pub who: Who,
    /// How much depends on it.
    pub level: Level,
    /// The heading it stands under, with its number if it has one.
    pub section: String,
    /// The rule itself.
    pub text: String,
}

/// Whose a clause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// The application's.
    App,
    /// The server's: no application can be tested for it.
    Server,
    /// Both ends'.
    Both,
}

/// How much depends on a clause, as PROTOCOL.md explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A real server or a real application breaks without it.
    Must,
    /// Robustness.
    Should,
    /// The reference, or the server that was observed, does it so.
    Detail,
}

impl Clause {
    /// Whether an application can be tested for it.
    #[must_use]
    pub fn is_applications(&self) -> bool {
        self.who != Who::Server
    }

    /// Whether its id is `prefix` or below it.
    #[must_use]
    pub fn is_within(&self, prefix: &str) -> bool {
        is_within(&self.id, prefix)
    }
}

/// Whether the clause `id` is `prefix` or below it: `lsapi 1` has `lsapi 1.3-4` and not `lsapi 10`, `L` has `L17` and not
/// `lsapi 1`. Letter case means nothing.
pub(crate) fn is_within(id: &str, prefix: &str) -> bool {
    let Some((head, rest)) = id.split_at_checked(prefix.len()) else { return false };
    let is_cut = |is: fn(char) -> bool| prefix.ends_with(is) && rest.starts_with(is);
    head.eq_ignore_ascii_case(prefix) && !is_cut(|c| c.is_ascii_digit()) && !is_cut(char::is_alphabetic)
}

impl Level {
    /// As it is written in the references.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::Detail => "detail",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_a_number_does() {
        let clause = |id: &str| Clause {
            id: id.into(),
            who: Who::Both,
            level: Level::Must,
            section: String::new(),
            text: String::new(),
        };
        for (id, prefix) in
            [("lsapi 1.3-4", "lsapi 1"), ("lsapi 1.3-4", "lsapi 1.3-4"), ("W17", "W"), ("S07a", "S07")]
        {
            assert!(clause(id).is_within(prefix), "{id} {prefix}");
        }
        for (id, prefix) in [
            ("lsapi 1.10-1", "lsapi 1.1"),
            ("lsapi 1.3-12", "lsapi 1.3-1"),
            ("W17", "S"),
            ("lsapi 1.3-4", "L"),
        ] {
            assert!(!clause(id).is_within(prefix), "{id} {prefix}");
        }
    }
}
