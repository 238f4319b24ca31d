//! Durations as scenarios write them: `"1s"`, `"1.5s"`, `"500ms"`, `"2min"`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// Longest duration taken, in seconds.
const LONGEST: f64 = 86_400.0;

/// A duration with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

impl Time {
    /// Reads a number directly followed by `ms`, `s` or `min`.
    ///
    /// # Errors
    /// A sentence that says how a duration is written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` is not a duration: write a number and a unit, as in `500ms`, `1.5s` or `2min`")
        };
        let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(unit_at);
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "min" => 60.0,
            _ => return Err(wrong()),
        };
        if !number.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(wrong());
        }
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let seconds = number * seconds;
        // Far more cannot be added to a point in time.
        if seconds.is_finite() && seconds > LONGEST {
            return Err(format!("`{text}` is longer than a day: nothing a case waits for takes that long"));
        }
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_millis(1) {
            return write!(f, "{}ms", self.0.as_secs_f64() * 1000.0);
        }
        write!(f, "{:?}", self.0)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_are_durations() {
        assert_eq!(Time::parse("500ms").unwrap().0, Duration::from_millis(500));
        assert_eq!(Time::parse("1.5s").unwrap().0, Duration::from_millis(1500));
        assert_eq!(Time::parse("2min").unwrap().0, Duration::from_secs(120));
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        for text in ["0ms", "0.25ms", "10ms", "999ms", "1.5s", "90s"] {
            let time = Time::parse(text).unwrap();
            assert_eq!(Time::parse(&time.to_string()), Ok(time), "{time}");
        }
    }

    #[test]
    fn more_than_a_day_is_refused() {
        assert!(Time::parse("1440min").is_ok());
        for text in ["1441min", "300000000000000000min", "18446744073709551615s"] {
            assert!(Time::parse(text).unwrap_err().contains("a day"), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        for text in ["", "5", "s", "-1s", "1 s", "1h", "1sec", "1e400s", "nans", "infs"] {
            assert!(Time::parse(text).unwrap_err().contains("`500ms`"), "{text}");
        }
    }
}
