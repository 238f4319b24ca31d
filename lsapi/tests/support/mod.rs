//! What several test programs need: looking at everything a decoded packet offers.

use lsapi::{BeginRequest, KnownHeader};

/// Calls every accessor of a request and returns the slices they gave. That alone is a test: none may panic.
pub(crate) fn slices_of<'a>(request: &BeginRequest<'a>) -> Vec<&'a [u8]> {
    let mut slices = vec![request.padding(), request.header_block()];
    let strings =
        [request.script_filename(), request.script_name(), request.query_string(), request.request_method()];
    slices.extend(strings.into_iter().flatten());
    for list in [request.special_env(), request.env()] {
        assert_eq!(list.iter().count(), list.len());
        assert_eq!(list.iter().next().is_none(), list.is_empty());
        if let Some(last) = list.iter().last() {
            assert_eq!(list.get(last.key()), Some(last.value()));
        }
        for entry in list {
            slices.extend([entry.raw_key, entry.raw_value, entry.key(), entry.value()]);
        }
    }
    let known = request.known_headers();
    slices.extend(known.iter().map(|(_, value)| value));
    for header in KnownHeader::ALL {
        let (_, offset) = known.slot(header);
        assert_eq!(request.known_header(header).is_some(), offset != 0);
    }
    let unknown = request.unknown_headers();
    assert_eq!(unknown.entries().count(), unknown.len());
    assert_eq!(unknown.entries().next().is_none(), unknown.is_empty());
    slices.extend(unknown.iter().flat_map(|header| [header.name, header.value]));
    slices
}

/// Whether all of `slices` lie inside `packet`: nothing a packet offers may come from behind its end.
pub(crate) fn are_inside(packet: &[u8], slices: &[&[u8]]) -> bool {
    let range = packet.as_ptr_range();
    slices.iter().all(|slice| {
        let slice = slice.as_ptr_range();
        slice.is_empty() || (range.start <= slice.start && slice.end <= range.end)
    })
}
