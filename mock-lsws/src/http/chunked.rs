//! Chunked request bodies: where the data is between the framing.
//!
//! Strict on purpose: what two servers could read in two ways (a bare line feed, a sign, a blank before the size) is
//! how requests are smuggled, so it is refused.

/// Bytes of extensions and trailers a body may carry in all. Nothing in them is used.
const MAX_IGNORED: usize = 16 << 10;

/// Reads the framing of one body. Takes it in pieces of any size.
#[derive(Clone, Debug)]
pub(super) struct ChunkDecoder {
    state: State,
    ignored: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the size; whether a digit has come.
    Size {
        value: u64,
        digits: bool,
    },
    /// Blanks behind the size: only an extension or the line's end may follow.
    AfterSize(u64),
    /// In an extension.
    Extension(u64),
    /// Behind the CR of a size line.
    SizeLineFeed(u64),
    /// In the data, which has this many bytes left.
    Data(u64),
    /// Behind the data.
    DataReturn,
    DataLineFeed,
    /// At the start of a trailer line.
    Trailer,
    InTrailer,
    TrailerLineFeed,
    /// Behind the CR of the empty line.
    LastLineFeed,
    Done,
}

/// What comes next in the input, behind the framing that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// More input is needed.
    Nothing,
    /// This many bytes of data.
    Data(usize),
    /// The body is over.
    End,
}

impl ChunkDecoder {
    pub(super) const fn new() -> Self {
        Self { state: State::Size { value: 0, digits: false }, ignored: 0 }
    }

    pub(super) const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Reads framing from the start of `input`. Returns how many bytes of it to skip, and what follows them; data that
    /// is told has to be taken before the next call.
    ///
    /// # Errors
    /// What is wrong with the framing.
    pub(super) fn next(&mut self, input: &[u8]) -> Result<(usize, Next), &'static str> {
        for (skip, &byte) in input.iter().enumerate() {
            match self.state {
                State::Data(left) => {
                    let here = input.len() - skip;
                    let take = usize::try_from(left).map_or(here, |left| left.min(here));
                    let left = left - take as u64;
                    self.state = if left == 0 { State::DataReturn } else { State::Data(left) };
                    return Ok((skip, Next::Data(take)));
                }
                State::Done => return Ok((skip, Next::End)),
                state => self.state = self.after(state, byte)?,
            }
        }
        Ok((input.len(), if self.is_done() { Next::End } else { Next::Nothing }))
    }

    /// The state behind one byte of framing.
    fn after(&mut self, state: State, byte: u8) -> Result<State, &'static str> {
        Ok(match (state, byte) {
            (State::Size { value, .. }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                let value = value.checked_mul(16).ok_or("a chunk size is too large")? | digit;
                State::Size { value, digits: true }
            }
            (State::Size { value, digits: true } | State::AfterSize(value), b' ' | b'\t') => {
                self.ignore()?;
                State::AfterSize(value)
            }
            (State::Size { value, digits: true } | State::AfterSize(value), b';') => State::Extension(value),
            (
                State::Size { value, digits: true } | State::AfterSize(value) | State::Extension(value),
                b'\r',
            ) => State::SizeLineFeed(value),
            (State::Size { .. } | State::AfterSize(_), _) => return Err("a chunk size is not hexadecimal"),
            (State::Extension(value), b'\t' | b' '..=b'~' | 0x80..) => {
                self.ignore()?;
                State::Extension(value)
            }
            (State::SizeLineFeed(0), b'\n') => State::Trailer,
            (State::SizeLineFeed(value), b'\n') => State::Data(value),
            (State::DataReturn, b'\r') => State::DataLineFeed,
            (State::DataLineFeed, b'\n') => State::Size { value: 0, digits: false },
            (State::DataReturn | State::DataLineFeed, _) => {
                return Err("a chunk is longer than its size says");
            }
            (State::Trailer, b'\r') => State::LastLineFeed,
            (State::Trailer | State::InTrailer, b'\t' | b' '..=b'~' | 0x80..) => {
                self.ignore()?;
                State::InTrailer
            }
            (State::InTrailer, b'\r') => State::TrailerLineFeed,
            (State::TrailerLineFeed, b'\n') => State::Trailer,
            (State::LastLineFeed, b'\n') => State::Done,
            _ => return Err("a control character is in its framing"),
        })
    }

    /// Counts a byte nobody uses.
    fn ignore(&mut self) -> Result<(), &'static str> {
        self.ignored += 1;
        if self.ignored > MAX_IGNORED { Err("its extensions and trailers are too long") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `input` given in pieces of `step` bytes: the data and what is left behind the end, or what is wrong.
    fn decode(input: &[u8], step: usize) -> Result<(Vec<u8>, bool, Vec<u8>), &'static str> {
        let mut decoder = ChunkDecoder::new();
        let mut data = Vec::new();
        let mut waiting: &[u8];
        let mut fed = 0;
        let mut start = 0;
        while fed < input.len() {
            fed = (fed + step).min(input.len());
            waiting = &input[start..fed];
            loop {
                let (skip, next) = decoder.next(waiting)?;
                start += skip;
                match next {
                    Next::Nothing => break,
                    Next::Data(len) => {
                        data.extend(&input[start..start + len]);
                        start += len;
                    }
                    Next::End => return Ok((data, true, input[start..].to_vec())),
                }
                waiting = &input[start..fed];
            }
        }
        Ok((data, decoder.is_done(), input[start..].to_vec()))
    }

    #[test]
    fn data_is_found_whatever_the_pieces() {
        let body = b"5\r\nhello\r\n006;x=\"y\" \r\n world\r\nB \r\n0123456789a\r\n0\r\nX-T: 1\r\n\r\nGET";
        for step in 1..body.len() {
            let (data, done, rest) = decode(body, step).expect("well formed");
            assert_eq!(data, b"hello world0123456789a", "step {step}");
            assert!(done);
            assert_eq!(rest, b"GET");
        }
    }

    #[test]
    fn an_unfinished_body_is_not_done() {
        for body in [&b""[..], b"5", b"5\r\nhel", b"5\r\nhello\r\n", b"0\r\n", b"0\r\n\r", b"0\r\nX: 1\r\n"] {
            let (_, done, _) = decode(body, 3).expect("no fault yet");
            assert!(!done, "{body:?}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for body in [
            &b"\r\n5\r\nhello"[..],
            b"5\nhello\n0\n\n",
            b"+5\r\nhello\r\n",
            b" 5\r\nhello\r\n",
            b"0x5\r\nhello\r\n",
            b"5 5\r\nhello\r\n",
            b";x\r\n",
            b"5\r\nhello0\r\n",
            b"5\r\nhello\n0\r\n",
            b"5;a\nb\r\nhello\r\n",
            b"5;a\rb\r\nhello\r\n",
            b"10000000000000000\r\n",
            b"0\r\n\n",
            b"0\r\nX: 1\n\r\n",
            b"0\r\nX\0: 1\r\n",
        ] {
            assert!(decode(body, 1).is_err(), "{:?}", String::from_utf8_lossy(body));
        }
        let long = [b"5;".as_slice(), &[b'x'; MAX_IGNORED + 1]].concat();
        assert!(decode(&long, 1000).is_err());
    }
}
