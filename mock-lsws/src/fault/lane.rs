//! What the faults of one direction do to its bytes, without the sockets.

use std::time::Duration;

use tokio::time::Instant;

use super::direction::Direction;
use super::kind::Fault;
use super::packets::Packets;

/// Pieces that may be on their way at once where there is latency. Each is one read.
const ON_THEIR_WAY: usize = 64;

/// How often a second a limited bandwidth hands out its share.
const SHARES: u64 = 50;

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Lane {
    packets: Option<Packets>,
    corrupt: Option<(u64, u8)>,
    end: Option<(u64, End)>,
    latency: Option<(Duration, Duration)>,
    pace: Pieces,
    random: fastrand::Rng,
    /// Bytes that came in.
    taken: u64,
    /// Bytes that went on.
    passed: u64,
    /// When the last piece was due.
    last_due: Option<Instant>,
}

/// How a direction ends before its sender ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Cut,
    Reset,
    HalfClose,
    NeverRead,
}

/// In which pieces bytes are written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pieces {
    slice: Option<usize>,
    /// Bytes a second.
    rate: Option<u64>,
}

impl Lane {
    pub(super) fn new(direction: Direction, faults: impl Iterator<Item = Fault>, seed: u64) -> Self {
        let mut lane = Self {
            packets: None,
            corrupt: None,
            end: None,
            latency: None,
            pace: Pieces::default(),
            random: fastrand::Rng::with_seed(seed ^ direction as u64),
            taken: 0,
            passed: 0,
            last_due: None,
        };
        for fault in faults {
            match fault {
                Fault::Latency { time, jitter } => lane.latency = Some((time, jitter)),
                Fault::Bandwidth { rate } => lane.pace.rate = Some(rate),
                Fault::Slice { size } => lane.pace.slice = Some(size),
                Fault::Cut { after } => lane.end = Some((after, End::Cut)),
                Fault::Reset { after } => lane.end = Some((after, End::Reset)),
                Fault::HalfClose { after } => lane.end = Some((after, End::HalfClose)),
                Fault::NeverRead { after } => lane.end = Some((after, End::NeverRead)),
                Fault::Corrupt { at, xor } => lane.corrupt = Some((at, xor)),
                Fault::Duplicate { number } => lane.packets = Some(Packets::new(direction, number)),
            }
        }
        lane
    }

    /// How many pieces may be on their way.
    pub(super) const fn capacity(&self) -> usize {
        if self.latency.is_some() { ON_THEIR_WAY } else { 1 }
    }

    pub(super) const fn pieces(&self) -> Pieces {
        self.pace
    }

    /// Whether it ends with a reset.
    pub(super) fn resets(&self) -> bool {
        matches!(self.end, Some((_, End::Reset)))
    }

    /// How it has ended, if it has.
    pub(super) fn ended(&self) -> Option<End> {
        self.end.filter(|(after, _)| self.passed >= *after).map(|(_, end)| end)
    }

    /// Takes bytes, and returns those that go on.
    pub(super) fn take(&mut self, bytes: &mut [u8]) -> Vec<u8> {
        if let Some((at, xor)) = self.corrupt
            && let Some(byte) = at
                .checked_sub(self.taken)
                .and_then(|offset| usize::try_from(offset).ok())
                .and_then(|offset| bytes.get_mut(offset))
        {
            *byte ^= xor;
        }
        self.taken = self.taken.saturating_add(bytes.len() as u64);
        let out = match &mut self.packets {
            Some(packets) => packets.pass(bytes),
            None => bytes.to_vec(),
        };
        self.limit(out)
    }

    /// What is left when the sender has ended.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let rest = self.packets.as_mut().map(Packets::finish).unwrap_or_default();
        self.limit(rest)
    }

    fn limit(&mut self, mut out: Vec<u8>) -> Vec<u8> {
        if let Some((after, _)) = self.end {
            let left = after.saturating_sub(self.passed);
            out.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        }
        self.passed = self.passed.saturating_add(out.len() as u64);
        out
    }

    /// When bytes that came in at `now` go on. Never before those that came earlier.
    pub(super) fn due(&mut self, now: Instant) -> Instant {
        let Some((time, jitter)) = self.latency else { return now };
        // From the time less the jitter to the time and the jitter.
        let delay = time.saturating_sub(jitter) + jitter.mul_f64(2.0 * self.random.f64());
        let due = self.last_due.map_or(now + delay, |last| last.max(now + delay));
        self.last_due = Some(due);
        due
    }
}

impl Pieces {
    /// The length of the next piece of `len` bytes, and how long nothing follows it.
    pub(super) fn next(&self, len: usize) -> (usize, Duration) {
        let share = self.rate.map(|rate| usize::try_from(rate / SHARES).unwrap_or(usize::MAX).max(1));
        let piece = len.min(self.slice.unwrap_or(usize::MAX)).min(share.unwrap_or(usize::MAX));
        let pause = self.rate.map_or(0.0, |rate| piece as f64 / rate as f64);
        (piece, Duration::from_secs_f64(pause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(fault: &str) -> Lane {
        Lane::new(Direction::Server, std::iter::once(fault.parse().unwrap()), 7)
    }

    fn taken(lane: &mut Lane, bytes: &[u8]) -> Vec<u8> {
        lane.take(&mut bytes.to_vec())
    }

    #[test]
    fn a_byte_is_corrupted_once_and_wherever_the_pieces_begin() {
        for piece in 1..=6 {
            let mut lane = lane("corrupt=4^ff");
            let bytes = b"abcdef".repeat(2);
            let out: Vec<u8> = bytes.chunks(piece).flat_map(|piece| taken(&mut lane, piece)).collect();
            let changed: Vec<_> = (0..bytes.len()).filter(|&at| out[at] != bytes[at]).collect();
            assert_eq!((changed, out[4]), (vec![4], !b'e'), "{piece}");
        }
    }

    #[test]
    fn a_limit_is_exact_and_may_be_none_at_all() {
        let mut cut = lane("cut=4");
        assert_eq!(taken(&mut cut, b"abc"), b"abc");
        assert_eq!(cut.ended(), None);
        assert_eq!(taken(&mut cut, b"def"), b"d");
        assert_eq!(cut.ended(), Some(End::Cut));
        assert_eq!(lane("never-read=0").ended(), Some(End::NeverRead));
    }

    #[test]
    fn latency_varies_within_its_jitter_and_keeps_the_order() {
        let mut lane = lane("latency=20ms~5ms");
        let start = Instant::now();
        let mut last = start;
        let mut delays = Vec::new();
        for number in 0..1000 {
            // So far apart that none has to wait for another.
            let now = start + Duration::from_millis(20 * number);
            let due = lane.due(now);
            assert!(due >= last);
            last = due;
            delays.push((due - now).as_secs_f64());
        }
        assert!(delays.iter().all(|delay| (0.015..=0.025).contains(delay)));
        let mean = delays.iter().sum::<f64>() / 1000.0;
        assert!((0.019..0.021).contains(&mean), "{mean}");
        let now = start + Duration::from_secs(60);
        let together: Vec<_> = (0..10).map(|_| lane.due(now)).collect();
        assert!(together.is_sorted(), "one that came later is not handed out before");
    }

    #[test]
    fn the_same_seed_draws_the_same_delays() {
        let now = Instant::now();
        let delays = |seed| {
            let fault = "latency=20ms~5ms".parse().unwrap();
            let mut lane = Lane::new(Direction::App, std::iter::once(fault), seed);
            (0..5).map(|step| lane.due(now + Duration::from_secs(step))).collect::<Vec<_>>()
        };
        assert_eq!(delays(1), delays(1));
        assert_ne!(delays(1), delays(2));
    }

    #[test]
    fn pieces_add_up_to_the_bandwidth() {
        let pieces = lane("bandwidth=1000").pieces();
        let (mut left, mut time) = (3000, Duration::ZERO);
        while left > 0 {
            let (piece, pause) = pieces.next(left);
            assert_eq!(piece, 20);
            left -= piece;
            time += pause;
        }
        assert!((2.99..3.01).contains(&time.as_secs_f64()), "{time:?}");
        assert_eq!(lane("slice=7").pieces().next(100), (7, Duration::ZERO));
        assert_eq!(lane("bandwidth=1").pieces().next(100).0, 1);
    }
}
