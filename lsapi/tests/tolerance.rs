//! Packets that look odd and are right: what a decoder has to take, up to the last value of every limit.
//!
//! What has to be refused is in `damage.rs`.

mod support;

use lsapi::limits::{MAX_ENV_ENTRIES, MAX_REQUEST_PACKET, REFERENCE_REQUEST_PACKET};
use lsapi::{
    BeginRequest, BodyLength, ByteOrder, DecodeError, Invalid, KnownHeader, RawEnv, RawRequest, Reason,
    RequestBuilder,
};

fn decode(bytes: &[u8]) -> Result<BeginRequest<'_>, DecodeError> {
    let request = BeginRequest::decode(bytes, MAX_REQUEST_PACKET)?;
    assert!(support::are_inside(&bytes[..request.packet_len()], &support::slices_of(&request)));
    Ok(request)
}

/// A request whose packet has exactly `len` bytes.
fn packet_of(len: usize) -> Vec<u8> {
    let header = |value: usize| RequestBuilder::get("/").header("X-Filler", vec![b'f'; value]).encode();
    let bytes = header(len - header(0).len());
    assert_eq!(bytes.len(), len);
    bytes
}

#[test]
fn packets_are_taken_up_to_the_limit_and_not_a_byte_beyond() {
    for limit in [REFERENCE_REQUEST_PACKET, MAX_REQUEST_PACKET, 1000] {
        let fits = packet_of(limit);
        assert_eq!(BeginRequest::decode(&fits, limit).unwrap().packet_len(), limit);
        let (value, reason) = (limit as i64 + 1, Reason::TooLarge { max: limit });
        let error = DecodeError::Invalid(Invalid { field: "packetLen", offset: 4, value, reason });
        assert_eq!(BeginRequest::decode(&packet_of(limit + 1), limit), Err(error));
    }
}

#[test]
fn lists_hold_up_to_8192_entries() {
    let entries = |count: usize| (0..count).map(|n| RawEnv::new(format!("K{n}").as_bytes(), b"v")).collect();
    let bare = || RequestBuilder::bare().build();
    for special in [false, true] {
        let with = |count| {
            let mut raw = bare();
            *(if special { &mut raw.special_env } else { &mut raw.env }) = entries(count);
            raw.encode()
        };
        let full = with(MAX_ENV_ENTRIES);
        let request = decode(&full).unwrap();
        let list = if special { request.special_env() } else { request.env() };
        assert_eq!((list.len(), list.get(b"K8191")), (8192, Some(&b"v"[..])));
        let DecodeError::Invalid(invalid) = decode(&with(MAX_ENV_ENTRIES + 1)).unwrap_err() else { panic!() };
        assert_eq!((invalid.value, invalid.reason), (8193, Reason::TooLarge { max: 8192 }));
    }
}

#[test]
fn a_request_with_nothing_in_it_is_a_request() {
    let bytes = RequestBuilder::bare().encode();
    assert_eq!(bytes.len(), 44 + 4 + 4 + 4 + 152, "fixed part, two terminators, alignment, index");
    let request = decode(&bytes).unwrap();
    assert!(
        request.env().is_empty() && request.special_env().is_empty() && request.unknown_headers().is_empty()
    );
    assert_eq!(request.known_headers().iter().count(), 0);
    assert_eq!((request.request_method(), request.script_name()), (None, None));
    assert_eq!(request.body_length(), BodyLength::Known(0));
}

#[test]
fn the_builder_lays_the_block_out_as_a_server_does() {
    let block = |request: RequestBuilder| request.build().block;
    let with_line = RequestBuilder::get("/").header("Host", "h").header("X-Own", "");
    assert_eq!(block(with_line), b"\0\0\0\0GET / HTTP/1.1\r\nHost: h\r\nX-Own: \r\n\r\n");
    assert_eq!(block(RequestBuilder::bare().header("Host", "h")), b"\0\0\0\0Host: h\r\n\r\n");
    assert_eq!(block(RequestBuilder::bare()), b"");
}

#[test]
fn both_byte_orders_carry_the_same_request() {
    let build = |order| {
        RequestBuilder::new("POST", "/path?query")
            .special_env("\x01\x04engine", "0")
            .header("Host", "example.com")
            .header("X-Own", "1")
            .header("x-own", "2")
            .body_len(5)
            .order(order)
            .encode()
    };
    let (native, swapped) = (build(ByteOrder::NATIVE), build(ByteOrder::NATIVE.opposite()));
    assert_ne!(native, swapped);
    assert_eq!((native[3], swapped[3]), (ByteOrder::NATIVE_FLAG, ByteOrder::NATIVE_FLAG ^ 1));
    let (native, swapped) = (decode(&native).unwrap(), decode(&swapped).unwrap());
    assert_eq!(support::slices_of(&native), support::slices_of(&swapped));
    assert_eq!(native.string_offsets(), swapped.string_offsets());
    assert_eq!(native.body_length(), BodyLength::Known(5));
    assert_eq!(swapped.body_length(), BodyLength::Known(5));
    // Environment lengths are big-endian in both: the lists are the same bytes.
    assert_eq!(native.env(), swapped.env());
    assert_eq!(native.special_env(), swapped.special_env());
}

#[test]
fn flag_bits_other_than_the_first_are_kept_and_mean_nothing() {
    let mut raw = RequestBuilder::get("/").build();
    raw.header.flag |= 0xfe;
    let bytes = raw.encode();
    let request = decode(&bytes).unwrap();
    assert_eq!(request.order(), ByteOrder::NATIVE);
    assert_eq!(RawRequest::from(&request).encode(), bytes);
}

#[test]
fn padding_and_the_hole_in_the_index_may_hold_anything() {
    for extra in 0..8 {
        // The value's length moves the end of the list, so that every amount of padding occurs.
        let mut raw = RequestBuilder::get("/").env("FILL", vec![b'f'; extra]).header("Host", "h").build();
        let clean = raw.encode();
        let wanted = decode(&clean).unwrap();
        raw.padding = Some(vec![0xff; wanted.padding().len()]);
        raw.known_hole = [0xff; 2];
        let bytes = raw.encode();
        let request = decode(&bytes).unwrap();
        assert_eq!(request.padding(), raw.padding.as_deref().unwrap());
        assert_eq!(request.known_headers().hole(), [0xff; 2]);
        assert_eq!(request.env(), wanted.env());
        assert_eq!(request.known_header(KnownHeader::Host), Some(&b"h"[..]));
        assert_eq!(RawRequest::from(&request).encode(), bytes);
    }
}

#[test]
fn bytes_after_the_packet_change_nothing() {
    let packet = RequestBuilder::new("POST", "/").header("Last", "value").body_len(4).encode();
    let mut with_body = packet.clone();
    with_body.extend(b"bodyLS\x01\0");
    assert_eq!(decode(&with_body).unwrap(), decode(&packet).unwrap());
}

#[test]
fn every_known_header_is_delivered_transfer_encoding_included() {
    let request = KnownHeader::ALL.into_iter().fold(RequestBuilder::bare(), |request, header| {
        request.header(header.http_name().to_lowercase(), format!("value {}", header.index()))
    });
    let bytes = request.encode();
    let request = decode(&bytes).unwrap();
    for header in KnownHeader::ALL {
        let wanted = format!("value {}", header.index());
        assert_eq!(request.known_header(header), Some(wanted.as_bytes()), "{header:?}");
    }
    assert_eq!(request.known_headers().iter().last().unwrap().0, KnownHeader::TransferEncoding);
    assert!(request.unknown_headers().is_empty());
}

#[test]
fn offset_0_means_absent_whatever_the_length_says() {
    let mut raw = RequestBuilder::get("/").build();
    for len in [0, 1, 7, u16::MAX] {
        raw.known = [(len, 0); KnownHeader::COUNT];
        let bytes = raw.encode();
        let request = decode(&bytes).unwrap();
        assert_eq!(request.known_headers().iter().count(), 0);
        assert_eq!(request.known_headers().slot(KnownHeader::TransferEncoding), (len, 0));
        assert_eq!(RawRequest::from(&request).encode(), bytes);
    }
    raw.string_offsets = [0; 4];
    let bytes = raw.encode();
    assert_eq!(decode(&bytes).unwrap().script_filename(), None, "and not the packet's magic");
}

#[test]
fn strings_are_found_through_their_offsets() {
    let bytes =
        RequestBuilder::get("/a?b=c").env("SCRIPT_FILENAME", "/srv/a.py").env("SCRIPT_NAME", "/a").encode();
    let request = decode(&bytes).unwrap();
    assert_eq!(request.script_filename(), Some(&b"/srv/a.py"[..]));
    assert_eq!(request.script_name(), Some(&b"/a"[..]));
    assert_eq!(request.query_string(), Some(&b"b=c"[..]));
    assert_eq!(request.request_method(), Some(&b"GET"[..]));
}

#[test]
fn values_end_at_their_first_nul_and_stay_whole_in_their_raw_form() {
    let bytes = RequestBuilder::bare()
        .special_env("\0SUEXEC_AUTH", "nonce")
        .env("PATH_INFO", "/short\0leaked")
        .env("EMPTY", "")
        .env("NUL", "\0")
        .header("Host", "h\0ost")
        .header("X-\0Own", "v\0alue")
        .encode();
    let request = decode(&bytes).unwrap();
    let entries: Vec<_> = request.env().iter().map(|entry| (entry.value(), entry.raw_value)).collect();
    let wanted = [(&b"/short"[..], &b"/short\0leaked\0"[..]), (b"", b"\0"), (b"", b"\0\0")];
    assert_eq!(entries, wanted);
    assert_eq!(request.known_header(KnownHeader::Host), Some(&b"h"[..]));
    let unknown = request.unknown_headers().iter().next().unwrap();
    assert_eq!((unknown.name, unknown.value), (&b"X-"[..], &b"v"[..]));
    // A special name begins with a control byte that may be NUL, so keys are not cut.
    assert_eq!(request.special_env().get(b"\0SUEXEC_AUTH"), Some(&b"nonce"[..]));
    assert_eq!(RawRequest::from(&request).encode(), bytes);
}

#[test]
fn an_entry_that_ends_in_another_byte_loses_it() {
    let mut raw = RequestBuilder::bare().env("KEY", "value").build();
    raw.env[0].key = b"KEYx".to_vec();
    raw.env[0].value = b"valuex".to_vec();
    let bytes = raw.encode();
    assert_eq!(decode(&bytes).unwrap().env().get(b"KEY"), Some(&b"value"[..]));
    assert_eq!(RawRequest::from(&decode(&bytes).unwrap()).encode(), bytes);
}

#[test]
fn the_later_of_two_variables_wins() {
    let mut raw = RequestBuilder::bare().env("A", "first").env("B", "").build();
    raw.env[1] = RawEnv::new(b"A", b"second");
    assert_eq!(decode(&raw.encode()).unwrap().env().get(b"A"), Some(&b"second"[..]));
}

#[test]
fn duplicates_and_values_too_long_for_the_index_are_unknown_headers() {
    let long = vec![b'c'; 65_536];
    let bytes = RequestBuilder::bare()
        .header("Host", "one")
        .header("host", "two")
        .header("Cookie", &long)
        .header("X-Long-Name-".repeat(25), "v")
        .header("X-Empty", "")
        .encode();
    let request = decode(&bytes).unwrap();
    assert_eq!(request.known_header(KnownHeader::Host), Some(&b"one"[..]));
    assert_eq!(request.known_header(KnownHeader::Cookie), None);
    let unknown: Vec<_> = request.unknown_headers().iter().map(|h| (h.name.len(), h.value.len())).collect();
    assert_eq!(unknown, [(4, 3), (6, 65_536), (300, 1), (7, 0)]);
}

#[test]
fn a_body_of_two_gigabytes_and_more_takes_its_length_from_content_length() {
    for (len, announced) in [(0x7fff_ffff, 0x7fff_ffff), (0x8000_0000, -2), (3_000_000_000, -2)] {
        let bytes = RequestBuilder::new("PUT", "/").body_len(len).encode();
        let request = decode(&bytes).unwrap();
        assert_eq!((request.req_body_len(), request.body_length()), (announced, BodyLength::Known(len)));
    }
}

#[test]
fn the_announced_length_wins_over_content_length() {
    let with =
        |len: i32| RequestBuilder::new("POST", "/").header("Content-Length", "5").raw_body_len(len).encode();
    let cases = [
        (0, BodyLength::Known(0), Some(0)),
        (7, BodyLength::Known(7), Some(7)),
        (-2, BodyLength::Known(5), Some(5)),
        (-1, BodyLength::Streaming, None),
    ];
    for (announced, meaning, known) in cases {
        let bytes = with(announced);
        let length = decode(&bytes).unwrap().body_length();
        assert_eq!((length, length.known()), (meaning, known), "reqBodyLen {announced}");
    }
}
