//! Making a request packet exactly as long as somebody wants it.

use lsapi::{RawRequest, UnknownHeaderEntry};

/// The header that takes the room.
const NAME: &[u8] = b"X-Filler";

/// What ends the header block.
const BLOCK_END: &[u8] = b"\r\n";

/// Adds one header to `raw`, as long as it takes to make the packet `len` bytes.
///
/// # Errors
/// The length of the shortest packet this could make.
pub(crate) fn fill(raw: &mut RawRequest, len: usize) -> Result<(), usize> {
    // In front of the empty line that ends the block: whatever follows it is no header.
    let at = raw.block.len() - if raw.block.ends_with(BLOCK_END) { BLOCK_END.len() } else { 0 };
    let mut line = [NAME, b": "].concat();
    let offset = |at: usize| i32::try_from(at).unwrap_or(i32::MAX);
    let entry = UnknownHeaderEntry {
        name_off: offset(at),
        name_len: offset(NAME.len()),
        value_off: offset(at + line.len()),
        value_len: 0,
    };
    raw.unknown.push(entry);
    let shortest = raw.encode().len() + line.len() + BLOCK_END.len();
    let room = len.checked_sub(shortest).ok_or(shortest)?;
    line.resize(line.len() + room, b'f');
    line.extend(BLOCK_END);
    raw.block.splice(at..at, line);
    if let Some(entry) = raw.unknown.last_mut() {
        entry.value_len = offset(room);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use lsapi::{BeginRequest, RequestBuilder};

    use super::*;

    #[test]
    fn packets_become_exactly_as_long_and_stay_right() {
        for (start, len) in [(RequestBuilder::get("/"), 65_535), (RequestBuilder::bare(), 300)] {
            let mut raw = start.header("X-A", "a").build();
            fill(&mut raw, len).unwrap();
            let packet = raw.encode();
            assert_eq!(packet.len(), len);
            let request = BeginRequest::decode(&packet, len).unwrap();
            let headers: Vec<_> = request.unknown_headers().iter().collect();
            assert_eq!((headers[0].name, headers[0].value), (&b"X-A"[..], &b"a"[..]));
            assert_eq!(headers[1].name, b"X-Filler");
            assert!(headers[1].value.iter().all(|byte| *byte == b'f'));
        }
    }

    #[test]
    fn a_packet_that_is_longer_already_is_told() {
        let mut raw = RequestBuilder::get("/").build();
        let shortest = fill(&mut raw.clone(), 44).unwrap_err();
        fill(&mut raw, shortest).unwrap();
        assert_eq!(raw.encode().len(), shortest);
    }
}
