//! In which order keys stand: what a case is about, how it starts, and in a step what is done before what is expected.
//!
//! Only where the order means nothing and the keys are known. Names and values of others (`env`, `[matrix]`, headers) stay
//! in the order of their author.

/// Keys that come first, and those that come last; all others stay between them as they are.
pub(super) struct Order {
    first: &'static [&'static str],
    last: &'static [&'static str],
}

/// The head of a scenario.
pub(super) const HEAD: Order = Order {
    first: &["title", "class", "spec", "why", "tags", "needs", "may_log", "logs", "timeout"],
    last: &[],
};

/// Its `[start]`: short things first, whole programs last.
pub(super) const START: Order = Order {
    first: &["mode", "socket", "address", "role"],
    last: &["core_limit", "secret", "env", "args", "files", "wsgi"],
};

/// One of its steps.
pub(super) const STEP: Order = Order {
    first: &["note", "repeat", "clients", "for", "give_up", "on"],
    last: &[
        "request",
        "send",
        "damage",
        "split",
        "drip",
        "gap",
        "generate",
        "expect",
        "expect_packets",
        "expect_outcome",
        "distinct",
    ],
};

impl Order {
    /// Where `key` stands among others; equal ones keep their order.
    pub(super) fn rank(&self, key: &str) -> usize {
        let place = |keys: &[&str]| keys.iter().position(|known| *known == key);
        match (place(self.first), place(self.last)) {
            (Some(place), _) => place,
            (None, None) => self.first.len(),
            (None, Some(place)) => self.first.len() + 1 + place,
        }
    }
}
