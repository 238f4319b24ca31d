//! Every integer of BEGIN_REQUEST set to every interesting value: what is refused, and that the refusal names the field at
//! fault, its place and its value.
//!
//! Values that are unusual and right are in `tolerance.rs`; random damage is in `properties.rs`.

mod support;

use lsapi::limits::{MAX_ENV_ENTRIES, MAX_REQUEST_PACKET};
use lsapi::{
    BeginRequest, BodyLength, ByteOrder, DecodeError, Invalid, KnownHeader, RawEnv, RawRequest, Reason,
    RequestBuilder, UnknownHeaderEntry,
};

const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];

/// A request with something in each of its parts. Three entries in each list, all 25 known headers, two unknown ones.
fn sample(order: ByteOrder) -> RawRequest {
    let mut request = RequestBuilder::bare()
        .request_line(b"GET /a?b HTTP/1.1")
        .env("QUERY_STRING", "b")
        .env("SCRIPT_NAME", "/a")
        .env("REQUEST_METHOD", "GET")
        .special_env("\x01\x04engine", "1")
        .special_env("\x01\x01a", "")
        .special_env("\0b", "2")
        .order(order);
    for header in KnownHeader::ALL {
        request = request.header(header.http_name(), "value");
    }
    request.header("X-One", "1").header("X-Two", "2").build()
}

/// Where the parts of a packet start, worked out from its parts and not by the decoder.
struct Layout {
    env: usize,
    env_end: usize,
    index: usize,
    unknown: usize,
    block: usize,
    end: usize,
}

impl Layout {
    fn of(raw: &RawRequest) -> Self {
        let list = |entries: &[RawEnv]| -> usize {
            entries.iter().map(|entry| 4 + entry.key.len() + entry.value.len()).sum()
        };
        let env = 44 + list(&raw.special_env) + 4;
        let env_end = env + list(&raw.env);
        let index = (env_end + 4).div_ceil(8) * 8;
        let unknown = index + 152;
        let block = unknown + 16 * raw.unknown.len();
        let end = block + raw.block.len();
        assert_eq!(raw.encode().len(), end);
        Self { env, env_end, index, unknown, block, end }
    }
}

fn decode(bytes: &[u8]) -> Result<BeginRequest<'_>, DecodeError> {
    let decoded = BeginRequest::decode(bytes, MAX_REQUEST_PACKET);
    if let Ok(request) = &decoded {
        let packet = &bytes[..request.packet_len()];
        assert!(support::are_inside(packet, &support::slices_of(request)));
    }
    decoded
}

/// Encodes `raw` and expects this refusal.
#[track_caller]
fn refused(raw: &RawRequest, field: &'static str, offset: usize, value: i64, reason: Reason) {
    let error = decode(&raw.encode()).map(|_| "a request").unwrap_err();
    assert_eq!(error, DecodeError::Invalid(Invalid { field, offset, value, reason }));
}

#[track_caller]
fn accepted(raw: &RawRequest) {
    if let Err(error) = decode(&raw.encode()) {
        panic!("refused: {error}");
    }
}

/// The sample in both byte orders, after `change`.
fn damaged(change: impl Fn(&mut RawRequest)) -> [RawRequest; 2] {
    ORDERS.map(|order| {
        let mut raw = sample(order);
        change(&mut raw);
        raw
    })
}

#[test]
fn packet_length_is_judged_before_the_rest_has_arrived() {
    let cases = [
        (i32::MIN, Reason::Negative),
        (-1, Reason::Negative),
        (0, Reason::TooShort { min: 8 }),
        (1, Reason::TooShort { min: 8 }),
        (7, Reason::TooShort { min: 8 }),
        (8, Reason::TooShort { min: 44 }),
        (43, Reason::TooShort { min: 44 }),
        (MAX_REQUEST_PACKET as i32 + 1, Reason::TooLarge { max: MAX_REQUEST_PACKET }),
        (i32::MAX, Reason::TooLarge { max: MAX_REQUEST_PACKET }),
    ];
    for (value, reason) in cases {
        for raw in damaged(|raw| raw.header.len = Some(value)) {
            refused(&raw, "packetLen", 4, value.into(), reason);
            let error = decode(&raw.encode()[..8]).unwrap_err();
            assert!(matches!(error, DecodeError::Invalid(_)), "{value}: {error}");
        }
    }
    // A length that is possible is waited for.
    for value in [44, MAX_REQUEST_PACKET as i32] {
        for raw in damaged(|raw| raw.header.len = Some(value)) {
            let need = value as usize;
            assert_eq!(decode(&raw.encode()[..43]), Err(DecodeError::Incomplete { need }));
        }
    }
}

#[test]
fn packet_length_has_to_be_the_sum_of_the_parts() {
    for off_by in 1..=8 {
        for raw in damaged(|_| ()) {
            let computed = Layout::of(&raw).end as i64;
            for len in [computed - off_by, computed + off_by] {
                let mut raw = raw.clone();
                raw.header.len = Some(len as i32);
                let mut bytes = raw.encode();
                bytes.extend([0; 8]); // so that the longer one is there as well
                let reason = Reason::LayoutMismatch { computed };
                let wanted = Invalid { field: "packetLen", offset: 4, value: len, reason };
                assert_eq!(decode(&bytes), Err(DecodeError::Invalid(wanted)));
            }
        }
    }
}

#[test]
fn header_block_length_and_unknown_count_enter_the_sum_in_64_bits() {
    for raw in damaged(|_| ()) {
        let layout = Layout::of(&raw);
        for value in [i32::MIN, -1] {
            refused(
                &RawRequest { http_header_len: Some(value), ..raw.clone() },
                "httpHeaderLen",
                8,
                value.into(),
                Reason::Negative,
            );
            refused(
                &RawRequest { cnt_unknown_headers: Some(value), ..raw.clone() },
                "cntUnknownHeaders",
                32,
                value.into(),
                Reason::Negative,
            );
        }
        let mismatch = |computed: i64| Reason::LayoutMismatch { computed };
        let len = raw.block.len() as i32;
        for value in [0, 1, len - 1, len + 1, i32::MAX] {
            let computed = layout.block as i64 + i64::from(value);
            let raw = RawRequest { http_header_len: Some(value), ..raw.clone() };
            refused(&raw, "packetLen", 4, layout.end as i64, mismatch(computed));
        }
        // 0x1000_0000 times 16 bytes is 2^32, which a sum in 32 bits would not notice.
        for value in [0, 1, 3, 8193, 0x1000_0002, i32::MAX] {
            let computed = (layout.unknown + raw.block.len()) as i64 + 16 * i64::from(value);
            let raw = RawRequest { cnt_unknown_headers: Some(value), ..raw.clone() };
            refused(&raw, "packetLen", 4, layout.end as i64, mismatch(computed));
        }
    }
}

#[test]
fn body_length_has_meaning_from_minus_two_upwards() {
    for value in [i32::MIN, -3] {
        for raw in damaged(|raw| raw.req_body_len = value) {
            refused(&raw, "reqBodyLen", 12, value.into(), Reason::Negative);
        }
    }
    let meanings = [
        (-2, BodyLength::Unstated), // the sample's Content-Length is "value"
        (-1, BodyLength::Streaming),
        (0, BodyLength::Known(0)),
        (1, BodyLength::Known(1)),
        (i32::MAX, BodyLength::Known(0x7fff_ffff)),
    ];
    for (value, meaning) in meanings {
        for raw in damaged(|raw| raw.req_body_len = value) {
            assert_eq!(decode(&raw.encode()).unwrap().body_length(), meaning);
        }
    }
}

#[test]
fn string_offsets_stay_inside_the_packet_and_reach_a_nul() {
    let fields = ["scriptFileOff", "scriptNameOff", "queryStringOff", "requestMethodOff"];
    for (number, field) in fields.into_iter().enumerate() {
        let at = 16 + 4 * number;
        for raw in damaged(|_| ()) {
            let end = Layout::of(&raw).end;
            let out = Reason::OutOfBlock { size: end };
            let cases = [
                (i32::MIN, Reason::Negative),
                (-1, Reason::Negative),
                (end as i32 - 1, Reason::NoStringTerminator),
                (end as i32, out),
                (end as i32 + 1, out),
                (i32::MAX, out),
            ];
            let mut raw = raw;
            for (value, reason) in cases {
                raw.string_offsets[number] = value;
                refused(&raw, field, at, value.into(), reason);
            }
            for value in [0, 1, 43] {
                raw.string_offsets[number] = value;
                accepted(&raw);
            }
        }
    }
}

#[test]
fn counts_have_to_fit_their_lists() {
    for raw in damaged(|_| ()) {
        let layout = Layout::of(&raw);
        let bytes = raw.encode();
        let word = |at: usize| i64::from(u32::from_be_bytes(*bytes[at..].first_chunk().unwrap()));
        let second_entry =
            |start: usize, list: &[RawEnv]| start + 4 + list[0].key.len() + list[0].value.len();
        let special = ("cntSpecialEnv", 40, 44, second_entry(44, &raw.special_env));
        let normal = ("cntEnv", 36, layout.env, second_entry(layout.env, &raw.env));
        for (field, at, first, second) in [special, normal] {
            let with = |count: i32| {
                let mut raw = raw.clone();
                *(if at == 40 { &mut raw.cnt_special_env } else { &mut raw.cnt_env }) = Some(count);
                raw
            };
            for count in [i32::MIN, -1] {
                refused(&with(count), field, at, count.into(), Reason::Negative);
            }
            // Too small a count: where the list should end, there is an entry.
            refused(&with(0), "env terminator", first, word(first), Reason::NoListTerminator);
            refused(&with(1), "env terminator", second, word(second), Reason::NoListTerminator);
            for count in [4, MAX_ENV_ENTRIES as i32] {
                refused(&with(count), field, at, count.into(), Reason::ListTooShort);
            }
            for count in [MAX_ENV_ENTRIES as i32 + 1, i32::MAX] {
                refused(&with(count), field, at, count.into(), Reason::TooLarge { max: MAX_ENV_ENTRIES });
            }
        }
    }
}

#[test]
fn list_terminators_have_to_be_there() {
    // Without one, and without alignment, the list runs into the index, which starts with two lengths.
    for raw in damaged(|raw| (raw.env_terminator, raw.padding) = (Vec::new(), Some(Vec::new()))) {
        let entries = raw.env.iter().map(|entry| 4 + entry.key.len() + entry.value.len());
        let at = raw.env_offset() + entries.sum::<usize>();
        let word = i64::from(u32::from_be_bytes(*raw.encode()[at..].first_chunk().unwrap()));
        assert_ne!(word, 0);
        refused(&raw, "env terminator", at, word, Reason::NoListTerminator);
    }
    for broken in [&[0, 0, 0, 1][..], &[0, 1, 0, 0], &[1, 0, 0, 0]] {
        let word = i64::from(u32::from_be_bytes(*broken.first_chunk().unwrap()));
        for raw in damaged(|raw| raw.env_terminator = broken.to_vec()) {
            let at = Layout::of(&raw).env_end;
            refused(&raw, "env terminator", at, word, Reason::NoListTerminator);
        }
        for raw in damaged(|raw| raw.special_env_terminator = broken.to_vec()) {
            let at = Layout::of(&raw).env - 4;
            refused(&raw, "env terminator", at, word, Reason::NoListTerminator);
        }
    }
    // A packet that ends where the terminator should be.
    let mut bytes = RequestBuilder::bare().encode();
    bytes.truncate(48);
    bytes[4..8].copy_from_slice(&ByteOrder::NATIVE.i32_bytes(48));
    let reason = Reason::NoListTerminator;
    let wanted = Invalid { field: "env terminator", offset: 48, value: -1, reason };
    assert_eq!(decode(&bytes), Err(DecodeError::Invalid(wanted)));
}

#[test]
fn entries_have_room_for_their_nuls_and_end_inside_the_packet() {
    for raw in damaged(|_| ()) {
        let Layout { env, end, .. } = Layout::of(&raw);
        let with = |change: &dyn Fn(&mut RawEnv)| {
            let mut raw = raw.clone();
            change(&mut raw.env[0]);
            raw
        };
        refused(&with(&|entry| entry.key_len = Some(0)), "env keyLen", env, 0, Reason::NoRoomForNul);
        refused(&with(&|entry| entry.value_len = Some(0)), "env valLen", env + 2, 0, Reason::NoRoomForNul);
        let both = with(&|entry| (entry.key_len, entry.value_len) = (Some(0), Some(0)));
        refused(&both, "cntEnv", 36, 3, Reason::ListTooShort);

        // The value reaches exactly to the end of the packet, then one byte further.
        let key = raw.env[0].key.len();
        let room = (end - env - 4 - key) as u16;
        let lengths = |value: u16| i64::from(u32::from(key as u16) << 16 | u32::from(value));
        let filled = with(&|entry| entry.value_len = Some(room));
        refused(&filled, "env entry", end, -1, Reason::Overrun);
        for value in [room + 1, u16::MAX] {
            let over = with(&|entry| entry.value_len = Some(value));
            refused(&over, "env entry", env, lengths(value), Reason::Overrun);
        }
        let over = with(&|entry| (entry.key_len, entry.value_len) = (Some(u16::MAX), Some(u16::MAX)));
        refused(&over, "env entry", env, 0xffff_ffff, Reason::Overrun);
    }
}

#[test]
fn known_headers_stay_inside_the_block() {
    for slot in 0..KnownHeader::COUNT {
        for raw in damaged(|_| ()) {
            let at = Layout::of(&raw).index + 52 + 4 * slot;
            let size = raw.block.len();
            let with = |len: u16, offset: i32| {
                let mut raw = raw.clone();
                raw.known[slot] = (len, offset);
                raw
            };
            let out = Reason::OutOfBlock { size };
            for value in [i32::MIN, -1] {
                refused(&with(5, value), "header offset", at, value.into(), Reason::Negative);
            }
            let last = size as i32 - 5;
            for value in [0, 1, last] {
                accepted(&with(5, value));
            }
            for value in [last + 1, size as i32, i32::MAX] {
                refused(&with(5, value), "header offset", at, value.into(), out);
            }
            // The same from the side of the length.
            let room = (size - 100) as u16;
            for len in [0, 1, room] {
                accepted(&with(len, 100));
            }
            for len in [room + 1, u16::MAX] {
                refused(&with(len, 100), "header offset", at, 100, out);
            }
            accepted(&with(u16::MAX, 0));
        }
    }
}

#[test]
fn unknown_headers_stay_inside_the_block() {
    // Offset and length of the name, then of the value: four fields, the first two of them tested as the last two.
    type Pair = fn(&mut UnknownHeaderEntry) -> (&mut i32, &mut i32);
    let pairs: [(Pair, usize, [&'static str; 2]); 2] = [
        (
            |entry| (&mut entry.name_off, &mut entry.name_len),
            0,
            ["unknown header nameOff", "unknown header nameLen"],
        ),
        (
            |entry| (&mut entry.value_off, &mut entry.value_len),
            8,
            ["unknown header valueOff", "unknown header valueLen"],
        ),
    ];
    for (pair, within, [offset_field, len_field]) in pairs {
        for number in 0..2 {
            for raw in damaged(|_| ()) {
                let at = Layout::of(&raw).unknown + 16 * number + within;
                let size = raw.block.len() as i32;
                let out = Reason::OutOfBlock { size: raw.block.len() };
                let with = |offset: i32, len: i32| {
                    let mut raw = raw.clone();
                    let (offset_ref, len_ref) = pair(&mut raw.unknown[number]);
                    (*offset_ref, *len_ref) = (offset, len);
                    raw
                };
                for value in [i32::MIN, -1] {
                    refused(&with(value, 3), offset_field, at, value.into(), Reason::Negative);
                    refused(&with(4, value), len_field, at + 4, value.into(), Reason::Negative);
                }
                for (offset, len) in [(0, 0), (0, size), (1, 1), (size - 3, 3), (size, 0)] {
                    accepted(&with(offset, len));
                }
                for (offset, len) in
                    [(size - 2, 3), (size, 1), (i32::MAX, 0), (i32::MAX, i32::MAX), (4, i32::MAX)]
                {
                    refused(&with(offset, len), offset_field, at, offset.into(), out);
                }
            }
        }
    }
}

#[test]
fn magic_and_type_are_refused_from_their_own_byte_on() {
    let bytes = sample(ByteOrder::NATIVE).encode();
    let invalid =
        |field, offset, value, reason| Err(DecodeError::Invalid(Invalid { field, offset, value, reason }));
    for byte in 0..=u8::MAX {
        for offset in 0..3 {
            let mut bytes = bytes.clone();
            if bytes[offset] == byte {
                continue;
            }
            bytes[offset] = byte;
            let (field, reason) =
                if offset < 2 { ("versionB", Reason::NotMagic) } else { ("type", Reason::UnexpectedType) };
            for have in [offset + 1, 8, bytes.len()] {
                let wanted = invalid(field, offset, byte.into(), reason);
                assert_eq!(decode(&bytes[..have]), wanted, "{byte} at {offset}, {have} bytes");
            }
        }
    }
}
