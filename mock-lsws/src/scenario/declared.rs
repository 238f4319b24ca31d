//! Figures of its own that a subject declares, for scenarios to refer to as `{subject.NAME}`.

use std::time::Duration;

use serde::Deserialize;

use super::time::Time;

/// What a subject declares, by default what the reference library does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Declared {
    /// The longest BEGIN_REQUEST packet it takes, in bytes: a longer one closes the connection.
    pub max_request_packet: u32,
    /// The time between the limit of a request that will not end and the end of its process.
    pub kill_window: Time,
    /// The processes of a group that serve no requests, beside the one that was started.
    pub helpers: u32,
}

impl Default for Declared {
    fn default() -> Self {
        Self { max_request_packet: 65_535, kill_window: Time(Duration::from_secs(9)), helpers: 0 }
    }
}

impl Declared {
    /// The names there are, as a subject file writes them.
    pub const NAMES: [&str; 3] = ["max_request_packet", "kill_window", "helpers"];

    /// The value of `name` as a scenario would write it: a number, or a duration such as `9s`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        match name {
            "max_request_packet" => Some(self.max_request_packet.to_string()),
            "kill_window" => Some(self.kill_window.to_string()),
            "helpers" => Some(self.helpers.to_string()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_can_be_set_and_asked_for() {
        let declared: Declared =
            toml::from_str("max_request_packet = 262144\nkill_window = '2500ms'\nhelpers = 1").unwrap();
        assert_ne!(declared, Declared::default());
        let values = Declared::NAMES.map(|name| declared.get(name).unwrap());
        assert_eq!(values, ["262144", "2.5s", "1"]);
        assert_eq!(declared.get("kill_windows"), None);
        assert!(toml::from_str::<Declared>("kill_windows = '1s'").is_err());
    }
}
