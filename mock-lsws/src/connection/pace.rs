//! How bytes are handed to the socket: at once, or in pieces with pauses between them.

use std::time::Duration;

/// Where to cut and how long to wait at each cut.
///
/// ```
/// use std::time::Duration;
/// use mock_lsws::Pace;
///
/// assert_eq!(Pace::whole().pieces(b"abcdef"), [b"abcdef"]);
/// assert_eq!(Pace::split([1, 4]).pieces(b"abcdef"), [&b"a"[..], b"bcd", b"ef"]);
/// assert_eq!(Pace::drip(4, Duration::ZERO).pieces(b"abcdef"), [&b"abcd"[..], b"ef"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    cuts: Cuts,
    pause: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Cuts {
    At(Vec<usize>),
    Every(usize),
}

/// The pause at a cut unless another is set: long enough for a reader that waits to see the first piece alone.
pub const DEFAULT_PAUSE: Duration = Duration::from_millis(2);

impl Pace {
    /// In one piece.
    #[must_use]
    pub const fn whole() -> Self {
        Self { cuts: Cuts::At(Vec::new()), pause: DEFAULT_PAUSE }
    }

    /// Cut at these offsets, counted from the first byte sent. Offsets beyond the end, and 0, cut nothing.
    #[must_use]
    pub fn split(offsets: impl IntoIterator<Item = usize>) -> Self {
        let mut offsets: Vec<usize> = offsets.into_iter().collect();
        offsets.sort_unstable();
        offsets.dedup();
        Self { cuts: Cuts::At(offsets), pause: DEFAULT_PAUSE }
    }

    /// In pieces of `size` bytes, at least 1, with `pause` between them.
    #[must_use]
    pub fn drip(size: usize, pause: Duration) -> Self {
        Self { cuts: Cuts::Every(size.max(1)), pause }
    }

    /// Sets the pause at each cut, [`DEFAULT_PAUSE`] otherwise.
    #[must_use]
    pub const fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// The pause at each cut.
    #[must_use]
    pub const fn pause_length(&self) -> Duration {
        self.pause
    }

    /// The pieces of `bytes`, none of them empty.
    #[must_use]
    pub fn pieces<'a>(&self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        match &self.cuts {
            Cuts::Every(size) => bytes.chunks(*size).collect(),
            Cuts::At(offsets) => {
                let ends = offsets.iter().copied().chain([bytes.len()]);
                let mut start = 0;
                let pieces = ends.filter_map(|end| {
                    let piece = bytes.get(start..end).filter(|piece| !piece.is_empty())?;
                    start = end;
                    Some(piece)
                });
                pieces.collect()
            }
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::whole()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_always_add_up_to_the_whole() {
        let bytes: Vec<u8> = (0..50).collect();
        let paces = [
            Pace::whole(),
            Pace::split([0, 3, 3, 50, 99]),
            Pace::split([99, 1]),
            Pace::drip(0, Duration::ZERO),
            Pace::drip(7, Duration::ZERO),
        ];
        for pace in paces {
            let pieces = pace.pieces(&bytes);
            assert_eq!(pieces.concat(), bytes, "{pace:?}");
            assert!(pieces.iter().all(|piece| !piece.is_empty()));
        }
        assert_eq!(Pace::split([99, 1]).pieces(&bytes).len(), 2);
        assert!(Pace::whole().pieces(b"").is_empty());
    }
}
