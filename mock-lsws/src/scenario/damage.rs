//! What happens to bytes on their way to the application.

use std::fmt;

use serde::Deserialize;

use super::seeded::Seeded;

/// Damage to what is sent: the packet and the body behind it, as one row of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "DamageTable")]
pub enum Damage {
    /// Bits of one byte are the other way round.
    Xor {
        /// Which byte, from 0.
        at: usize,
        /// Which bits.
        bits: u8,
    },
    /// Only the first bytes are sent.
    Cut(usize),
    /// Bits anywhere are the other way round.
    FlipBits {
        /// How many.
        count: usize,
        /// Which ones.
        seed: u64,
    },
}

impl Damage {
    /// Does it to `bytes`.
    ///
    /// # Errors
    /// A sentence, if there are too few of them for this.
    pub fn apply(self, bytes: &mut Vec<u8>) -> Result<(), String> {
        let len = bytes.len();
        match self {
            Self::Xor { at, bits } => match bytes.get_mut(at) {
                Some(byte) => *byte ^= bits,
                None => return Err(format!("there is no byte {at} to damage in the {len} bytes sent")),
            },
            Self::Cut(cut) if cut >= len => {
                return Err(format!("`cut = {cut}` cuts nothing off the {len} bytes sent"));
            }
            Self::Cut(cut) => bytes.truncate(cut),
            Self::FlipBits { .. } if len == 0 => return Err("nothing is sent that could be damaged".into()),
            Self::FlipBits { count, seed } => {
                for (at, bits) in flips(count, seed, len) {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= bits;
                    }
                }
            }
        }
        Ok(())
    }
}

/// `count` bits to flip in `len` bytes, as a byte's place and its bit.
pub(crate) fn flips(count: usize, seed: u64, len: usize) -> impl Iterator<Item = (usize, u8)> {
    let mut seeded = Seeded::new(seed);
    (0..count).map(move |_| {
        let bit = seeded.below(len.saturating_mul(8));
        (bit / 8, 1 << (bit % 8))
    })
}

/// As it is written in a scenario.
impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Xor { at, bits } => write!(f, "{{ at = {at}, xor = {bits:#04x} }}"),
            Self::Cut(cut) => write!(f, "{{ cut = {cut} }}"),
            Self::FlipBits { count, seed } => write!(f, "{{ flip_bits = {count}, seed = {seed} }}"),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DamageTable {
    at: Option<usize>,
    xor: Option<u8>,
    cut: Option<usize>,
    flip_bits: Option<usize>,
    seed: Option<u64>,
}

impl TryFrom<DamageTable> for Damage {
    type Error = &'static str;

    fn try_from(table: DamageTable) -> Result<Self, Self::Error> {
        match table {
            DamageTable { xor: Some(0), .. } => {
                Err("`xor = 0` changes nothing: name the bits, for example 0x80")
            }
            DamageTable { flip_bits: Some(0), .. } => Err("`flip_bits = 0` changes nothing"),
            DamageTable { at: Some(at), xor: Some(bits), cut: None, flip_bits: None, seed: None } => {
                Ok(Self::Xor { at, bits })
            }
            DamageTable { at: None, xor: None, cut: Some(cut), flip_bits: None, seed: None } => {
                Ok(Self::Cut(cut))
            }
            DamageTable { at: None, xor: None, cut: None, flip_bits: Some(count), seed } => {
                Ok(Self::FlipBits { count, seed: seed.unwrap_or(1) })
            }
            _ => Err("damage is `{ at, xor }`, `{ cut }` or `{ flip_bits, seed }`; write a list for several"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(damage: &str) -> Result<Damage, toml::de::Error> {
        #[derive(Deserialize)]
        struct Holder {
            damage: Damage,
        }
        toml::from_str::<Holder>(&format!("damage = {damage}")).map(|holder| holder.damage)
    }

    fn damaged(damage: &str, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut bytes = bytes.to_vec();
        read(damage).unwrap().apply(&mut bytes).map(|()| bytes)
    }

    #[test]
    fn damage_is_exactly_what_was_asked_for() {
        assert_eq!(damaged("{ at = 1, xor = 0x21 }", b"abc").unwrap(), b"aCc");
        assert_eq!(damaged("{ cut = 2 }", b"abc").unwrap(), b"ab");
        let flipped = damaged("{ flip_bits = 3, seed = 7 }", &[0; 100]).unwrap();
        assert_eq!(flipped.iter().map(|byte| byte.count_ones()).sum::<u32>(), 3);
        assert_eq!(flipped, damaged("{ flip_bits = 3, seed = 7 }", &[0; 100]).unwrap());
        assert_ne!(flipped, damaged("{ flip_bits = 3, seed = 8 }", &[0; 100]).unwrap());
    }

    #[test]
    fn damage_that_would_change_nothing_is_told() {
        assert!(damaged("{ at = 3, xor = 1 }", b"abc").unwrap_err().contains("no byte 3"));
        assert!(damaged("{ cut = 3 }", b"abc").unwrap_err().contains("cuts nothing"));
        assert!(damaged("{ flip_bits = 1 }", b"").unwrap_err().contains("nothing is sent"));
        for wrong in ["{ at = 1 }", "{ xor = 1 }", "{ at = 1, xor = 0 }", "{ cut = 1, seed = 1 }", "{}"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn damage_is_written_as_it_is_read() {
        for text in ["{ at = 1, xor = 0x80 }", "{ cut = 5 }", "{ flip_bits = 2, seed = 9 }"] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
    }
}
