//! What the proxy does to what passes through it.

use lsapi::{MAGIC, PacketHeader, PacketType};
use mock_lsws::fault::Faults;
use serde::Deserialize;

use super::damage::{Damage, FLAG};

/// What happens to the bytes of a connection.
#[derive(Clone, Debug)]
pub struct Tampering {
    /// What happens to packets.
    pub damage: Damage,
    /// What happens to requests.
    pub replace: Option<Replace>,
    /// What happens to bytes, between the proxy and the application.
    pub faults: Faults,
}

/// Bytes that become others, wherever they are in what is read at one time. `\0` stands for a NUL, which no word of a
/// command can have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// These bytes, at least one.
    pub from: String,
    /// Become these, of which there are as many: nothing moves, so that a request stays what it is otherwise.
    pub to: String,
}

impl Tampering {
    /// None at all.
    #[must_use]
    pub const fn none() -> Self {
        Self { damage: Damage::None, replace: None, faults: Faults::none() }
    }

    /// Changes `bytes`, which come from the server. False when nothing more is to be taken from it.
    pub(super) fn change_request(&self, bytes: &mut [u8]) -> bool {
        if let Some(replace) = &self.replace {
            replace.apply(bytes);
        }
        let begins_packet = bytes.iter().zip(MAGIC).all(|(byte, magic)| *byte == magic);
        match self.damage {
            Damage::NeedsWholePackets if begins_packet => {
                PacketHeader::decode(bytes).is_ok_and(|header| header.len <= bytes.len())
            }
            Damage::NativeOnly if begins_packet => {
                if let Some(flag) = bytes.get_mut(FLAG) {
                    *flag = PacketHeader::new(PacketType::BeginRequest, 0).flag;
                }
                true
            }
            _ => true,
        }
    }
}

impl Replace {
    /// Whether it can be done: there is something to look for, and what takes its place is as long.
    #[must_use]
    pub fn is_right(&self) -> bool {
        !self.from.is_empty() && bytes(&self.from).len() == bytes(&self.to).len()
    }

    fn apply(&self, data: &mut [u8]) {
        let (from, to) = (bytes(&self.from), bytes(&self.to));
        let mut at = 0;
        while self.is_right()
            && let Some(window) = data.get_mut(at..at + from.len())
        {
            if *window == from {
                window.copy_from_slice(&to);
                at += from.len();
            } else {
                at += 1;
            }
        }
    }
}

fn bytes(text: &str) -> Vec<u8> {
    text.replace("\\0", "\0").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(from: &str, to: &str) -> String {
        let mut bytes = b"one two one".to_vec();
        Replace { from: from.into(), to: to.into() }.apply(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn packets_that_come_in_pieces_are_seen_where_they_begin() {
        let whole = Tampering { damage: Damage::NeedsWholePackets, ..Tampering::none() };
        let packet = PacketHeader::new(PacketType::BeginRequest, 4).encode();
        let all = [&packet[..], b"text"].concat();
        for (piece, is_taken) in [(&all[..], true), (&all[..10], false), (&all[..1], false), (b"text", true)]
        {
            assert_eq!(whole.change_request(&mut piece.to_vec()), is_taken, "{piece:?}");
        }
        let native = Tampering { damage: Damage::NativeOnly, ..Tampering::none() };
        let mut other = all.clone();
        other[FLAG] ^= 1;
        assert!(native.change_request(&mut other));
        assert_eq!(other, all);
    }

    #[test]
    fn bytes_are_replaced_wherever_they_are_and_nothing_moves() {
        assert_eq!(replaced("one", "two"), "two two two");
        assert_eq!(replaced("o", "0"), "0ne tw0 0ne");
        assert_eq!(replaced("three", "seven"), "one two one");
        assert_eq!(replaced("one", "eleven"), "one two one");
        assert_eq!(replaced("", ""), "one two one");
        assert_eq!(replaced(" t", "\\0T"), "one\0Two one");
    }
}
