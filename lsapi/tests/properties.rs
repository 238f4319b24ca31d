//! Properties over random packets: what was built is what is decoded, pieces are never mistaken for wholes, and damage of
//! any kind is an error and not a panic.
//!
//! The random part is for what nobody thought of; every rule with a name is in `damage.rs` and `tolerance.rs`.

mod support;

use lsapi::limits::{MAX_REQUEST_PACKET, MAX_RESPONSE_HEADER_PAYLOAD, MAX_STREAM_PAYLOAD};
use lsapi::{
    AppPacket, BeginRequest, ByteOrder, CONN_CLOSE, DecodeError, HEADER_LEN, KnownHeader, PacketHeader,
    PacketType, REQ_RECEIVED, RESP_END, RawEnv, RawHeader, RawRequest, RawResponseHeader, RequestBuilder,
    ResponseHead, ServerPacket, UnknownHeaderEntry, pid_notice, put_stderr, put_stream,
};
use proptest::collection::vec;
use proptest::prelude::*;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn order() -> impl Strategy<Value = ByteOrder> {
    prop_oneof![Just(ByteOrder::Little), Just(ByteOrder::Big)]
}

/// Bytes without NUL, which would cut them.
fn text(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    vec(1..=u8::MAX, len)
}

/// Variables with keys that differ.
fn variables() -> impl Strategy<Value = Pairs> {
    vec((text(0..20), text(0..40)), 0..20).prop_map(|mut pairs: Pairs| {
        pairs.sort();
        pairs.dedup_by(|a, b| a.0 == b.0);
        pairs
    })
}

/// Headers, about half of them of known names; of those the first of a name is known and the rest unknown.
fn headers() -> impl Strategy<Value = Pairs> {
    let known = (0..KnownHeader::COUNT).prop_map(|at| KnownHeader::ALL[at].http_name().as_bytes().to_vec());
    vec((prop_oneof![known, text(1..20)], text(0..60)), 0..30)
}

fn builder() -> impl Strategy<Value = (RequestBuilder, Pairs, Pairs)> {
    (variables(), headers(), text(0..30), -2..i32::MAX, order()).prop_map(
        |(env, headers, line, body_len, order)| {
            let mut builder = RequestBuilder::bare().request_line(&line).raw_body_len(body_len).order(order);
            for (key, value) in &env {
                builder = builder.env(key, value);
            }
            for (name, value) in &headers {
                builder = builder.header(name, value);
            }
            (builder, env, headers)
        },
    )
}

/// A request right in its layout and random in everything else, also where a real server never goes.
fn raw() -> impl Strategy<Value = RawRequest> {
    let entry = (vec(any::<u8>(), 1..12), vec(any::<u8>(), 1..20)).prop_map(|(key, value)| RawEnv {
        key,
        value,
        key_len: None,
        value_len: None,
    });
    let list = || vec(entry.clone(), 0..6);
    let block = vec(any::<u8>(), 300..400);
    let known = vec((0..100_u16, 0..200_i32), KnownHeader::COUNT);
    let unknown = vec((0..200_i32, 0..100_i32, 0..200_i32, 0..100_i32), 0..6);
    let parts = (list(), list(), block, known, unknown);
    (parts, any::<u8>(), -2..i32::MAX, vec(any::<u8>(), 7), any::<[u8; 2]>()).prop_map(
        |((special_env, env, block, known, unknown), flag, req_body_len, filler, known_hole)| {
            let order = ByteOrder::from_flag(flag);
            let mut raw = RawRequest {
                header: RawHeader { flag, ..RawHeader::new(PacketType::BeginRequest, order) },
                special_env,
                env,
                block,
                known_hole,
                req_body_len,
                known: known.try_into().unwrap(),
                ..RequestBuilder::bare().order(order).build()
            };
            let entry = |(name_off, name_len, value_off, value_len)| UnknownHeaderEntry {
                name_off,
                name_len,
                value_off,
                value_len,
            };
            raw.unknown = unknown.into_iter().map(entry).collect();
            let end =
                raw.env_offset() + raw.env.iter().map(|e| 4 + e.key.len() + e.value.len()).sum::<usize>();
            let gap = (end + 4).next_multiple_of(8) - (end + 4);
            raw.padding = Some(filler[..gap].to_vec());
            // Any place in front of the list's terminator has a NUL behind it.
            raw.string_offsets = [0, 1, 44, end as i32 - 1];
            raw
        },
    )
}

/// A whole response of the application: packets back to back.
fn response() -> impl Strategy<Value = Vec<u8>> {
    let lines = vec((text(1..20), text(0..60)), 1..20);
    let body = (0..40_000_usize).prop_map(|len| vec![b'b'; len]);
    (lines, body, vec(any::<u8>(), 0..50), any::<u16>(), any::<i32>()).prop_map(
        |(lines, body, log, status, pid)| {
            let mut bytes = [&pid_notice(pid)[..], &REQ_RECEIVED].concat();
            let mut head = ResponseHead::default();
            for (name, value) in lines {
                head.push(&name, &value).unwrap();
            }
            head.encode(status, &mut bytes).unwrap();
            put_stderr(&log, &mut bytes);
            put_stream(&body, &mut bytes);
            bytes.extend([CONN_CLOSE, RESP_END].concat());
            bytes
        },
    )
}

/// Things that happen to bytes.
#[derive(Clone, Debug)]
enum Damage {
    Flip(usize, u8),
    Cut(usize),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    /// Overwrites four bytes with a number that is special to integers of 32 bits.
    Number(usize, i32),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>().prop_map(|index| index.index(1 << 16));
    let number = prop_oneof![Just(-1), Just(0), Just(i32::MAX), Just(i32::MIN), any::<i32>()];
    prop_oneof![
        (at.clone(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, 1 << bit)),
        at.clone().prop_map(Damage::Cut),
        (at.clone(), vec(any::<u8>(), 1..16)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (at.clone(), 1..16_usize).prop_map(|(at, len)| Damage::Remove(at, len)),
        (at, number).prop_map(|(at, number)| Damage::Number(at, number)),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let len = bytes.len();
        let place = |at: usize| at % (len + 1);
        match self {
            Self::Flip(at, bit) => {
                if let Some(byte) = bytes.get_mut(place(*at)) {
                    *byte ^= bit;
                }
            }
            Self::Cut(at) => bytes.truncate(place(*at)),
            Self::Insert(at, piece) => drop(bytes.splice(place(*at)..place(*at), piece.iter().copied())),
            Self::Remove(at, count) => drop(bytes.drain(place(*at)..len.min(place(*at) + count))),
            Self::Number(at, number) => {
                if let Some(field) = bytes.get_mut(place(*at)..place(*at) + 4) {
                    field.copy_from_slice(&number.to_ne_bytes());
                }
            }
        }
    }
}

/// Looks at a request from every side and checks what is true of anything that decodes.
fn check_request(bytes: &[u8], request: &BeginRequest<'_>) {
    let packet = &bytes[..request.packet_len()];
    assert!(support::are_inside(packet, &support::slices_of(request)));
    assert_eq!(RawRequest::from(request).encode(), packet);
    assert_eq!(BeginRequest::decode(packet, MAX_REQUEST_PACKET).as_ref(), Ok(request));
}

/// The same for a packet of the application.
fn check_app_packet(bytes: &[u8], header: PacketHeader, packet: &AppPacket<'_>) {
    let whole = &bytes[..header.len];
    let slices: Vec<&[u8]> = match packet {
        AppPacket::RespHeader(head) => {
            assert!(header.payload_len() <= MAX_RESPONSE_HEADER_PAYLOAD);
            assert_eq!(head.lengths().count(), head.count());
            assert_eq!(RawResponseHeader::from((header, *head)).encode(), whole);
            head.lines()
                .flat_map(|line| [line.raw, line.text(), line.name_value().unwrap_or_default().1])
                .collect()
        }
        AppPacket::RespStream(bytes) | AppPacket::Stderr(bytes) => {
            assert!(bytes.len() <= MAX_STREAM_PAYLOAD);
            vec![bytes]
        }
        _ => Vec::new(),
    };
    assert!(support::are_inside(whole, &slices));
    assert_eq!(header.encode(), whole[..HEADER_LEN]);
}

/// Decodes whatever `bytes` are, from both sides.
fn look_at(bytes: &[u8]) {
    match ServerPacket::decode(bytes, MAX_REQUEST_PACKET) {
        Ok(ServerPacket::BeginRequest(request)) => check_request(bytes, &request),
        Ok(ServerPacket::AbortRequest) => assert!(bytes.len() >= HEADER_LEN),
        Err(DecodeError::Incomplete { need }) => assert!(need > bytes.len()),
        Err(DecodeError::Invalid(invalid)) => assert!(invalid.offset <= bytes.len(), "{invalid}"),
    }
    match AppPacket::decode(bytes) {
        Ok((header, packet)) => check_app_packet(bytes, header, &packet),
        Err(DecodeError::Incomplete { need }) => assert!(need > bytes.len()),
        Err(DecodeError::Invalid(invalid)) => assert!(invalid.offset <= bytes.len(), "{invalid}"),
    }
}

/// Every prefix of `packet` is incomplete, and `need` is a promise: with one byte less than it, nothing changes.
fn check_prefixes<T>(packet: &[u8], decode: impl Fn(&[u8]) -> Result<T, DecodeError>) {
    let mut have = 0;
    while have < packet.len() {
        let Err(DecodeError::Incomplete { need }) = decode(&packet[..have]) else {
            panic!("{have} of {} bytes", packet.len());
        };
        assert!(have < need && need <= packet.len());
        for less in have..need {
            assert!(
                matches!(decode(&packet[..less]), Err(DecodeError::Incomplete { need: same }) if same == need)
            );
        }
        have = need;
    }
    assert!(decode(packet).is_ok());
}

proptest! {
    #[test]
    fn what_the_builder_was_given_is_what_is_decoded((builder, env, headers) in builder()) {
        let bytes = builder.encode();
        let request = BeginRequest::decode(&bytes, MAX_REQUEST_PACKET).unwrap();
        check_request(&bytes, &request);

        let decoded: Pairs = request.env().iter().map(|e| (e.key().to_vec(), e.value().to_vec())).collect();
        prop_assert_eq!(decoded, env);

        let mut known = Vec::new();
        let mut unknown = Vec::new();
        for (name, value) in headers {
            match KnownHeader::from_name(&name) {
                Some(header) if known.iter().all(|(other, _)| *other != header) => known.push((header, value)),
                _ => unknown.push((name, value)),
            }
        }
        known.sort();
        let decoded: Vec<_> = request.known_headers().iter().map(|(h, v)| (h, v.to_vec())).collect();
        prop_assert_eq!(decoded, known);
        let decoded: Pairs =
            request.unknown_headers().iter().map(|h| (h.name.to_vec(), h.value.to_vec())).collect();
        prop_assert_eq!(decoded, unknown);
    }

    #[test]
    fn raw_requests_come_back_as_they_were_built(raw in raw()) {
        let bytes = raw.encode();
        let request = BeginRequest::decode(&bytes, MAX_REQUEST_PACKET).unwrap();
        check_request(&bytes, &request);
        prop_assert_eq!(RawRequest::from(&request), raw);
    }

    #[test]
    fn every_split_of_a_request_is_incomplete((builder, ..) in builder()) {
        check_prefixes(&builder.encode(), |bytes| {
            BeginRequest::decode(bytes, MAX_REQUEST_PACKET).map(|request| request.packet_len())
        });
    }

    #[test]
    fn every_split_of_a_response_is_incomplete(bytes in response()) {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (header, packet) = AppPacket::decode(rest).unwrap();
            check_app_packet(rest, header, &packet);
            check_prefixes(&rest[..header.len], |bytes| AppPacket::decode(bytes).map(|(header, _)| header));
            rest = &rest[header.len..];
        }
    }

    #[test]
    fn damaged_requests_are_errors_or_requests_and_never_a_panic(
        raw in raw(), damages in vec(damage(), 1..4)
    ) {
        let mut bytes = raw.encode();
        damages.iter().for_each(|damage| damage.apply(&mut bytes));
        look_at(&bytes);
        // A length that fits again takes the damage past the first check.
        if let (Some(flag), Ok(len)) = (bytes.get(3).copied(), i32::try_from(bytes.len())) {
            let order = ByteOrder::from_flag(flag);
            if let Some(field) = bytes.get_mut(4..8) {
                field.copy_from_slice(&order.i32_bytes(len));
                look_at(&bytes);
            }
        }
    }

    #[test]
    fn damaged_responses_are_errors_or_packets_and_never_a_panic(
        bytes in response(), damages in vec(damage(), 1..4)
    ) {
        let mut bytes = bytes;
        damages.iter().for_each(|damage| damage.apply(&mut bytes));
        let mut rest = &bytes[..];
        look_at(rest);
        while let Ok((header, _)) = AppPacket::decode(rest) {
            rest = &rest[header.len..];
            look_at(rest);
        }
    }

    #[test]
    fn random_bytes_behind_a_right_start_never_panic(
        ty in 0..11_u8, flag in 0..2_u8, mut bytes in vec(any::<u8>(), HEADER_LEN..600)
    ) {
        bytes[..4].copy_from_slice(&[b'L', b'S', ty, flag]);
        let len = ByteOrder::from_flag(flag).i32_bytes(i32::try_from(bytes.len()).unwrap());
        bytes[4..8].copy_from_slice(&len);
        look_at(&bytes);
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        look_at(&bytes);
    }
}
