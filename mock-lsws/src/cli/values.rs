//! Values of options that several subcommands have.

use std::ffi::OsString;
use std::time::Duration;

/// Longest time taken, in seconds: one day.
const LONGEST: f64 = 86_400.0;

/// `KEY=VALUE`.
pub(super) fn key_value(text: &str) -> Result<(OsString, OsString), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("a variable is written KEY=VALUE".to_owned()),
    }
}

/// `UID:GID`, two numbers.
pub(super) fn ids(text: &str) -> Result<(u32, u32), String> {
    let pair = text.split_once(':').and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)));
    pair.ok_or_else(|| "user and group are written UID:GID, two numbers".to_owned())
}

/// A time in seconds, with or without a fraction.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 =
        text.parse().map_err(|_| "a number of seconds is wanted, 2.5 for example".to_owned())?;
    if number > 0.0 && number <= LONGEST {
        Ok(Duration::from_secs_f64(number))
    } else {
        Err(format!("between 0 and {LONGEST} seconds"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_group_are_two_numbers() {
        assert_eq!(ids("1000:100"), Ok((1000, 100)));
        for text in ["1000", "1000:", ":1", "www:www", "-1:1", "1:2:3"] {
            assert!(ids(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_seconds_with_or_without_a_fraction() {
        assert_eq!(seconds("2.5"), Ok(Duration::from_millis(2500)));
        for text in ["0", "-1", "NaN", "inf", "1s", "", "86401"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
