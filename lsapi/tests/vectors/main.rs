//! The test vectors in `vectors/`, which other implementations use: each is decoded and compared field by field, and
//! encoded again byte for byte; and what PROTOCOL.md shows of them are their bytes.
//!
//! The files were not made by this crate, so a mistake would have to be made twice.

// Flag 0 says "the order of this machine" only on x86 (see `ByteOrder`).
#![cfg(any(target_arch = "x86", target_arch = "x86_64"))]

mod described;
mod document;
mod encoded;
mod file;
mod made;

use std::collections::BTreeSet;

use lsapi::{AppPacket, DecodeError, HEADER_LEN, limits};
use md5::Md5;
use sha2::Sha256;

use crate::described::Packet;
use crate::file::{Vector, bytes_of, files, vector, vectors};

/// Decodes what a vector has, packet by packet, as whoever gets it does.
fn decoded(vector: &Vector, mut bytes: &[u8]) -> Result<Vec<Packet>, DecodeError> {
    let mut packets = Vec::new();
    loop {
        let (packet, len) = if vector.is_of_server() {
            Packet::from_server(bytes, vector.limit.unwrap_or(limits::MAX_REQUEST_PACKET))?
        } else {
            let (header, packet) = AppPacket::decode(bytes)?;
            (Packet::from_app(header, packet, &bytes[HEADER_LEN..header.len]), header.len)
        };
        packets.push(packet);
        bytes = &bytes[len..];
        if bytes.is_empty() {
            return Ok(packets);
        }
    }
}

#[test]
fn what_is_right_decodes_to_what_the_list_says() {
    let mut count = 0;
    for vector in vectors().into_iter().filter(|vector| vector.packets.is_some()) {
        let packets = decoded(&vector, &bytes_of(&vector)).unwrap_or_else(|e| panic!("{}: {e}", vector.name));
        let expected = vector.packets.unwrap();
        let seen = serde_json::to_string_pretty(&packets).unwrap();
        assert_eq!(packets, expected, "{}: the bytes are\n{seen}", vector.name);
        count += 1;
    }
    assert!(count >= 40, "{count} vectors");
}

#[test]
fn what_is_right_is_encoded_byte_for_byte() {
    for vector in vectors() {
        let Some(packets) = &vector.packets else { continue };
        let encoded: Vec<u8> = packets.iter().flat_map(Packet::encode).collect();
        assert_eq!(encoded, bytes_of(&vector), "{}", vector.name);
    }
}

#[test]
fn what_is_wrong_is_refused_where_the_list_says() {
    let mut count = 0;
    for vector in vectors() {
        let (Some(expected), None) = (&vector.error, &vector.make) else { continue };
        let Err(DecodeError::Invalid(error)) = decoded(&vector, &bytes_of(&vector)) else {
            panic!("{} is not refused", vector.name)
        };
        assert_eq!(
            (error.field, error.offset, error.value),
            (&*expected.field, expected.offset, expected.value),
            "{}",
            vector.name
        );
        count += 1;
    }
    assert!(count >= 60, "{count} vectors");
}

#[test]
fn what_is_not_whole_is_waited_for() {
    for vector in vectors() {
        let Some(expected) = &vector.incomplete else { continue };
        let outcome = decoded(&vector, &bytes_of(&vector));
        assert_eq!(outcome, Err(DecodeError::Incomplete { need: expected.need }), "{}", vector.name);
    }
}

#[test]
fn what_is_wrong_is_the_change_that_is_told() {
    for one in vectors() {
        let Some(change) = &one.change else { continue };
        let mut bytes = bytes_of(&vector(&change.of));
        bytes.truncate(change.cut.unwrap_or(bytes.len()));
        if let Some(at) = change.at {
            let new = change.new_bytes();
            bytes[at..at + new.len()].copy_from_slice(&new);
        }
        assert_eq!(bytes, bytes_of(&one), "{}", one.name);
        assert_ne!(bytes, bytes_of(&vector(&change.of)), "{}", one.name);
    }
}

#[test]
fn what_is_to_be_made_is_what_its_checksum_says_and_decodes_or_is_refused() {
    let mut count = 0;
    for vector in vectors() {
        let Some(make) = &vector.make else { continue };
        let bytes = make.bytes();
        assert_eq!(Some(bytes.len()), vector.length, "{}", vector.name);
        let sum: String =
            <Sha256 as sha2::Digest>::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(Some(&sum), vector.sha256.as_ref(), "{}", vector.name);
        match (decoded(&vector, &bytes), &vector.error) {
            (Ok(packets), None) => {
                let [packet] = packets.as_slice() else { panic!("{}: one packet", vector.name) };
                assert_eq!(make.count_in(packet), make.count(), "{}", vector.name);
                assert_eq!(packet.encode(), bytes, "{}", vector.name);
            }
            (Err(DecodeError::Invalid(error)), Some(expected)) => assert_eq!(
                (error.field, error.offset, error.value),
                (&*expected.field, expected.offset, expected.value),
                "{}",
                vector.name
            ),
            (outcome, _) => panic!("{}: {outcome:?}", vector.name),
        }
        count += 1;
    }
    assert!(count >= 10, "{count} vectors");
}

#[test]
fn every_vector_is_compared_and_every_file_is_a_vector() {
    let mut names = BTreeSet::new();
    for vector in vectors() {
        let name = &vector.name;
        assert!(names.insert(name.clone()), "{name} is there twice");
        let outcomes =
            [vector.packets.is_some(), vector.error.is_some(), vector.incomplete.is_some()].map(usize::from);
        let sound = vector.make.is_some() && vector.error.is_none();
        assert_eq!(outcomes.iter().sum::<usize>(), usize::from(!sound), "{name} has one outcome");
        let clauses = if vector.clauses.is_empty() { &vector.breaks } else { &vector.clauses };
        assert!(!clauses.is_empty() && !vector.about.is_empty(), "{name} says what it is");
        for clause in clauses {
            document::assert_has_clause(clause);
        }
    }
    let with_files: BTreeSet<String> =
        vectors().into_iter().filter(|vector| vector.make.is_none()).map(|vector| vector.name).collect();
    assert_eq!(files(), with_files);
}

#[test]
fn the_signature_of_suexec_is_right() {
    let packets = vector("request-suexec").packets.unwrap();
    let [Packet::BeginRequest(request)] = packets.as_slice() else { panic!("one request") };
    let bytes = |at: usize| {
        let entry = &request.special_variables[at];
        file::bytes(entry.raw.as_ref().unwrap_or(&entry.value))
    };
    let (ids, signature) = (bytes(0), bytes(1));
    assert_eq!(ids, [1000_u32.to_le_bytes(), 1001_u32.to_le_bytes()].concat());
    let (nonce, digest) = signature.split_at(16);
    assert_eq!(digest, <Md5 as md5::Digest>::digest([nonce, b"0123456789abcdef", &ids].concat()).as_slice());
}
