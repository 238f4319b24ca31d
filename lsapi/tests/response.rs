//! The response side where it is odd or broken: head packets whose parts disagree, in both byte orders, and text that looks
//! like something else. Right responses are in `golden/`, random ones in `properties.rs`.

use lsapi::{
    AppPacket, ByteOrder, DecodeError, HeaderLine, Invalid, PacketType, RESP_END, RawHeader,
    RawResponseHeader, Reason, ResponseHead, ResponseHeader, put_stderr, put_stream, stream_header,
};

fn head_of(bytes: &[u8]) -> ResponseHeader<'_> {
    match AppPacket::decode(bytes) {
        Ok((_, AppPacket::RespHeader(head))) => head,
        other => panic!("{other:?}"),
    }
}

fn sample() -> RawResponseHeader {
    RawResponseHeader::new(404)
        .line(b"Content-Type: text/plain")
        .line(b"")
        .line(b"X-No-Colon")
        .line(b" A : b ")
}

#[test]
fn a_head_has_its_lines_in_both_byte_orders() {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let header = RawHeader::new(PacketType::RespHeader, order);
        let raw = RawResponseHeader { order, header, ..sample() };
        let bytes = raw.encode();
        let head = head_of(&bytes);
        assert_eq!((head.status(), head.count(), head.surplus()), (404, 4, 0));
        let pairs: Vec<_> = head.lines().map(|line| line.name_value()).collect();
        let content_type = (&b"Content-Type"[..], &b"text/plain"[..]);
        assert_eq!(pairs, [Some(content_type), None, None, Some((b"A", b"b"))]);
        let (header, _) = AppPacket::decode(&bytes).unwrap();
        assert_eq!(RawResponseHeader::from((header, head)), raw);
    }
}

#[test]
fn lengths_of_zero_and_less_have_no_line() {
    let mut raw = sample();
    raw.lengths.splice(1..1, [0, -1, i16::MIN]);
    let bytes = raw.encode();
    let head = head_of(&bytes);
    assert_eq!((head.count(), head.lines().count()), (7, 4));
    assert_eq!(head.lengths().min(), Some(i16::MIN));
}

#[test]
fn lines_beyond_the_payload_are_missing_for_good() {
    let mut raw = sample();
    raw.lengths[1] = 1000; // the lengths behind it would fit again
    let bytes = raw.encode();
    let mut lines = head_of(&bytes).lines();
    assert_eq!(lines.next().map(|line| line.text()), Some(&b"Content-Type: text/plain"[..]));
    assert_eq!(lines.next(), None);
    assert_eq!(lines.next(), None, "an iterator that has ended must not go on with the wrong bytes");
    assert_eq!(head_of(&bytes).surplus(), 1 - 1000);
}

#[test]
fn bytes_behind_the_last_line_are_surplus() {
    let mut raw = sample();
    raw.lines.extend(b"more");
    assert_eq!(head_of(&raw.encode()).surplus(), 4);
}

#[test]
fn a_line_without_nul_loses_its_last_byte_as_at_a_server() {
    let line = HeaderLine { raw: b"A: bc" };
    assert!(!line.is_terminated());
    assert_eq!(line.name_value(), Some((&b"A"[..], &b"b"[..])));
}

#[test]
fn a_line_too_long_for_its_length_goes_out_negative() {
    let raw = RawResponseHeader::new(200).line(&[b'x'; 32_766]);
    assert_eq!(raw.lengths, [i16::MAX]);
    let raw = RawResponseHeader::new(200).line(&[b'x'; 32_767]);
    assert_eq!(raw.lengths, [i16::MIN]);
    assert_eq!(head_of(&raw.encode()).lines().count(), 0);
}

#[test]
fn counts_are_checked_against_the_limit_and_the_payload() {
    let refused = |count: i32, reason: Reason| {
        let bytes = RawResponseHeader { cnt_headers: Some(count), ..sample() }.encode();
        let wanted = Invalid { field: "cntHeaders", offset: 8, value: count.into(), reason };
        assert_eq!(AppPacket::decode(&bytes), Err(DecodeError::Invalid(wanted)));
    };
    let payload = sample().encode().len() - 8;
    for count in [i32::MIN, -1] {
        refused(count, Reason::Negative);
    }
    let fits = i32::try_from((payload - 8) / 2).unwrap();
    for count in [fits + 1, 4095] {
        refused(count, Reason::OutOfBlock { size: payload });
    }
    for count in [4096, i32::MAX] {
        refused(count, Reason::TooLarge { max: 4095 });
    }
    for count in [0, 1, fits] {
        let bytes = RawResponseHeader { cnt_headers: Some(count), ..sample() }.encode();
        assert_eq!(i32::try_from(head_of(&bytes).count()), Ok(count));
    }
}

#[test]
fn packet_headers_can_be_broken_in_every_field() {
    let right = RawHeader::new(PacketType::RespEnd, ByteOrder::NATIVE);
    assert_eq!(right.encode(ByteOrder::NATIVE, 0), RESP_END);
    let broken = RawHeader { magic: *b"XY", type_byte: 99, flag: 0xfe, len: Some(-1) };
    assert_eq!(broken.encode(ByteOrder::Big, 5), [b'X', b'Y', 99, 0xfe, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(broken.encode(ByteOrder::Little, 5), broken.encode(ByteOrder::Big, 5));
}

#[test]
fn log_text_is_never_mistaken_for_a_pid_notice() {
    // Eight bytes of this shape are a notice to the server; an application may print them all the same.
    let forged = b"\0PID1234";
    let filler = vec![b'.'; 16_384];
    for text in [&forged[..], &[&filler[..], forged].concat()] {
        let mut bytes = Vec::new();
        put_stderr(text, &mut bytes);
        let mut rest = &bytes[..];
        let mut logged = Vec::<u8>::new();
        while !rest.is_empty() {
            let (header, packet) = AppPacket::decode(rest).unwrap();
            let AppPacket::Stderr(piece) = packet else { panic!("{packet:?}") };
            logged.extend(piece);
            rest = &rest[header.len..];
        }
        assert_eq!(logged, text);
    }
    // Other text is not cut up for it.
    for text in [&b"8 bytes!"[..], b"\0PID12345"] {
        let mut bytes = Vec::new();
        put_stderr(text, &mut bytes);
        assert_eq!(AppPacket::decode(&bytes).unwrap().1, AppPacket::Stderr(text));
    }
}

#[test]
fn a_stream_header_and_its_payload_are_what_put_stream_writes() {
    let mut bytes = Vec::new();
    put_stream(b"hello", &mut bytes);
    assert_eq!(bytes, [&stream_header(5)[..], b"hello"].concat());
}

#[test]
fn a_head_knows_how_many_lines_it_has() {
    let mut head = ResponseHead::default();
    assert_eq!((head.len(), head.is_empty()), (0, true));
    head.push(b"A", b"").unwrap();
    head.push(b"A", b"").unwrap();
    assert_eq!((head.len(), head.is_empty()), (2, false));
    head.clear();
    assert_eq!((head.len(), head.is_empty()), (0, true));
}

#[test]
fn a_head_that_cannot_be_sent_says_by_how_much() {
    let mut head = ResponseHead::default();
    let error = head.push(b"X", &[b'v'; 16_000]).unwrap_err();
    assert_eq!(error.to_string(), "a response header line of 16003 bytes, the limit is 16000");
}
