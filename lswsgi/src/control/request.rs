//! What is asked over the control socket, and what is answered: a line of JSON each.

use serde::{Deserialize, Serialize};

/// Longest request, in bytes, with the end of its line.
pub(crate) const LONGEST: usize = 4096;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// How the group is: a [`Status`](super::Status).
    Status,
    /// New code: [`Reloaded`].
    Reload {
        /// To be answered when it is known what has become of it.
        #[serde(default = "yes")]
        wait: bool,
    },
    /// A graceful stop: [`Stopping`]. The connection ends with the group.
    Stop,
    /// What each worker is doing, in the log: [`Signalled`].
    DumpStacks,
    /// New log files: [`Reopened`].
    Reopen,
}

const fn yes() -> bool {
    true
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer<T> {
    /// What was asked for.
    Ok(T),
    /// Why it was not done.
    Error(Refusal),
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    /// What kind of reason it is, for programs.
    pub(crate) kind: Kind,
    /// The reason.
    pub(crate) message: String,
}

/// A kind of reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// The request cannot be understood.
    Request,
    /// Who asks is neither root nor the user the group belongs to.
    Peer,
    /// Too many ask at the same time.
    Busy,
    /// It was tried, and did not work.
    Failed,
    /// Of a later version.
    #[serde(other)]
    Other,
}

/// New code serves, or was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reloaded {
    /// How long that took; `None`: nobody waited for it.
    pub(crate) seconds: Option<f64>,
}

/// The group stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stopping {
    /// Workers that are to end.
    pub(crate) workers: usize,
}

/// Workers write down what they do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signalled {
    /// How many were told to.
    pub(crate) workers: usize,
    /// Where, with a mark for what of it is not UTF-8; `None`: to a standard error that is no file.
    pub(crate) log: Option<String>,
}

/// Log files are opened anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reopened {
    /// Processes that were told to.
    pub(crate) processes: usize,
}

impl<T> Answer<T> {
    /// A refusal.
    pub(crate) fn refuse(kind: Kind, message: impl Into<String>) -> Self {
        Self::Error(Refusal { kind, message: message.into() })
    }
}

impl<T: Serialize> Answer<T> {
    /// The line.
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Numbers and texts always have a form.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_words_with_what_they_need() {
        let parse = |text: &str| serde_json::from_str::<Request>(text);
        assert_eq!(parse(r#"{"command": "status"}"#).unwrap(), Request::Status);
        assert_eq!(parse(r#"{"command": "dump-stacks"}"#).unwrap(), Request::DumpStacks);
        assert_eq!(parse(r#"{"command": "reload"}"#).unwrap(), Request::Reload { wait: true });
        assert_eq!(parse(r#"{"command":"reload","wait":false}"#).unwrap(), Request::Reload { wait: false });
        for wrong in ["", "status", "{}", r#"{"command": "dance"}"#, r#"{"command": "reload", "wiat": true}"#]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn answers_carry_ok_or_error() {
        let ok = Answer::Ok(Stopping { workers: 3 });
        assert_eq!(ok.encode(), b"{\"ok\":{\"workers\":3}}\n");
        let refused = Answer::<()>::refuse(Kind::Busy, "later");
        assert_eq!(refused.encode(), b"{\"error\":{\"kind\":\"busy\",\"message\":\"later\"}}\n");
        let newer = br#"{"error":{"kind":"weather","message":"rain"}}"#;
        let Answer::Error(refusal) = serde_json::from_slice::<Answer<Stopping>>(newer).unwrap() else {
            panic!("a refusal")
        };
        assert_eq!((refusal.kind, &*refusal.message), (Kind::Other, "rain"));
    }
}
