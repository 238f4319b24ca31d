//! The Range header.

/// What a Range header asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything: it says nothing usable, or asks for several parts at once.
    Whole,
    /// From the byte `first` to the byte `last`.
    Range { first: u64, last: u64 },
    /// Nothing of what it asks for is there.
    Outside,
}

/// What `range` asks for of a file with `len` bytes.
pub(super) fn part(range: &[u8], len: u64) -> Part {
    let Some((first, last)) = str::from_utf8(range)
        .ok()
        .and_then(|range| range.trim().strip_prefix("bytes="))
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Part::Whole;
    };
    match (number(first), number(last)) {
        // The last so many bytes.
        (None, Some(count)) if first.is_empty() => match count.min(len) {
            0 => Part::Outside,
            count => Part::Range { first: len - count, last: len - 1 },
        },
        (Some(first), Some(last)) if last < first => Part::Whole,
        (Some(first), _) if first >= len => Part::Outside,
        (Some(first), Some(last)) => Part::Range { first, last: last.min(len - 1) },
        (Some(first), None) if last.is_empty() => Part::Range { first, last: len - 1 },
        _ => Part::Whole,
    }
}

fn number(text: &str) -> Option<u64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood() {
        for (range, expected) in [
            ("bytes=0-0", Part::Range { first: 0, last: 0 }),
            ("bytes=2-4", Part::Range { first: 2, last: 4 }),
            ("bytes=2-", Part::Range { first: 2, last: 9 }),
            ("bytes=2-99", Part::Range { first: 2, last: 9 }),
            ("bytes=-3", Part::Range { first: 7, last: 9 }),
            ("bytes=-99", Part::Range { first: 0, last: 9 }),
            ("bytes=10-", Part::Outside),
            ("bytes=10-12", Part::Outside),
            ("bytes=-0", Part::Outside),
            ("bytes=4-2", Part::Whole),
            ("bytes=0-1,4-5", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("bytes=-", Part::Whole),
            ("lines=1-2", Part::Whole),
            ("bytes=18446744073709551616-", Part::Whole),
        ] {
            assert_eq!(part(range.as_bytes(), 10), expected, "{range}");
        }
        assert_eq!(part(b"bytes=0-", 0), Part::Outside);
    }
}
