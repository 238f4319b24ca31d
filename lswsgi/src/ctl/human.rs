//! Numbers, times and texts as people read them.

use std::fmt::Write as _;

/// So many things; `process` and its like get their plural right.
pub(super) fn count(number: usize, what: &str) -> String {
    let plural = if what.ends_with('s') { "es" } else { "s" };
    format!("{} {what}{}", grouped(number as u64), if number == 1 { "" } else { plural })
}

/// A number with a space after each three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A time, to two or three digits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not below 0, and a cast saturates"
)]
pub(super) fn time(seconds: f64) -> String {
    let whole = seconds as u64;
    match seconds {
        s if s < 0.000_95 => format!("{:.0} us", s * 1e6),
        s if s < 0.009_95 => format!("{:.1} ms", s * 1e3),
        s if s < 0.9995 => format!("{:.0} ms", s * 1e3),
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 60.0 => format!("{whole} s"),
        s if s < 3600.0 => format!("{} min {} s", whole / 60, whole % 60),
        s if s < 86400.0 => format!("{} h {} min", whole / 3600, whole / 60 % 60),
        _ => format!("{} d {} h", grouped(whole / 86400), whole / 3600 % 24),
    }
}

/// Memory.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub(super) fn size(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib < 1023.95 { format!("{mib:.1} MiB") } else { format!("{:.1} GiB", mib / 1024.0) }
}

/// A text from elsewhere, in one line and without what would steer a terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What a client has sent, as [`clean`], and with other than ASCII encoded as in a URL: no character of it turns the line
/// around, or is wider than others.
pub(super) fn ascii(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // What was no text in the first place.
            char::REPLACEMENT_CHARACTER => line.push('?'),
            c if c.is_control() => line.push(' '),
            c if c.is_ascii() => line.push(c),
            c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| {
                // Writing to a String cannot fail.
                let _ = write!(line, "%{byte:02X}");
            }),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_times_and_sizes_read_as_people_write_them() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
        assert_eq!(
            [count(1, "worker"), count(2, "process"), count(1, "process")],
            ["1 worker", "2 processes", "1 process"]
        );
        let times = [0.0, 0.000_3, 0.0012, 0.25, 0.9999, 3.21, 59.9, 61.0, 8000.0, 200_000.0, 1e12];
        let read = [
            "0 us",
            "300 us",
            "1.2 ms",
            "250 ms",
            "1.0 s",
            "3.2 s",
            "59 s",
            "1 min 1 s",
            "2 h 13 min",
            "2 d 7 h",
            "11 574 074 d 1 h",
        ];
        assert_eq!(times.map(time), read);
        assert_eq!([0, 40 << 20, 3 << 30].map(size), ["0.0 MiB", "40.0 MiB", "3.0 GiB"]);
        assert_eq!(clean("GET /\u{1b}[2J\n"), "GET / [2J ");
    }
}
