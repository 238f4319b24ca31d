//! Variants of one step, made by a rule instead of being written down.

use serde::{Deserialize, Deserializer};

use super::damage::{Damage, flips};
use super::one_or_many::OneOrMany;
use super::shorthand::{self, Shorthand};
use super::step::Pace;
use super::time::Time;

/// Most variants one step makes.
const MOST: usize = 100_000;

/// How the variants of a step differ from each other.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "GenerateTable")]
pub enum Generate {
    /// The bytes are cut in two writes, each time somewhere else.
    Cut(Cuts),
    /// The bytes are sent in pieces of one size, each time of another.
    Drip(Vec<usize>),
    /// Some bits are the other way round, each time others, on a connection of its own each time.
    BitFlips {
        /// How many variants.
        rounds: usize,
        /// How many bits in each.
        bits: usize,
        /// Which ones.
        seed: u64,
    },
}

/// Where to cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cuts {
    /// The first offset, at least 1.
    from: usize,
    /// The last offset, at most the one before the last byte.
    to: Option<usize>,
    /// The distance from one to the next.
    every: usize,
}

/// One variant of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Damage to what is sent.
    pub damage: Vec<Damage>,
    /// In which pieces it goes.
    pub pace: Pace,
    /// The keys that make this variant of the step, and only this.
    pub alone: String,
}

impl Generate {
    /// All variants for a step that sends `len` bytes. `gap` is the time between two writes.
    ///
    /// # Errors
    /// A sentence, if there are none or too many.
    pub fn variants(&self, len: usize, gap: Option<Time>) -> Result<Vec<Variant>, String> {
        let pace = |split: Vec<usize>, drip| Pace { split, drip, gap };
        let variants: Vec<Variant> = match self {
            Self::Cut(Cuts { from, to, every }) => {
                let last = to.unwrap_or(len).min(len.saturating_sub(1));
                let cuts = (*from..=last).step_by(*every);
                let cut = |at| Variant {
                    damage: Vec::new(),
                    pace: pace(vec![at], None),
                    alone: format!("split = {at}"),
                };
                cuts.take(MOST + 1).map(cut).collect()
            }
            Self::Drip(sizes) => {
                let drip = |size: &usize| Variant {
                    damage: Vec::new(),
                    pace: pace(Vec::new(), Some(*size)),
                    alone: format!("drip = {size}"),
                };
                sizes.iter().map(drip).collect()
            }
            Self::BitFlips { .. } if len == 0 => Vec::new(),
            Self::BitFlips { rounds, bits, seed } => {
                let flips: Vec<_> = flips(rounds.saturating_mul(*bits).min(MOST + 1), *seed, len).collect();
                let flipped = |flips: &[(usize, u8)]| {
                    let damage: Vec<Damage> =
                        flips.iter().map(|&(at, bits)| Damage::Xor { at, bits }).collect();
                    let list = damage.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    Variant { damage, pace: pace(Vec::new(), None), alone: format!("damage = [{list}]") }
                };
                flips.chunks(*bits).map(flipped).collect()
            }
        };
        match variants.len() {
            0 => Err(format!("there is nothing to generate from the {len} bytes sent")),
            count if count > MOST => Err(format!("`generate` makes more than {MOST} variants")),
            _ => Ok(variants),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GenerateTable {
    cut: Option<Cuts>,
    drip: Option<OneOrMany<usize>>,
    bit_flips: Option<usize>,
    bits: Option<usize>,
    seed: Option<u64>,
}

impl TryFrom<GenerateTable> for Generate {
    type Error = &'static str;

    fn try_from(table: GenerateTable) -> Result<Self, Self::Error> {
        match table {
            GenerateTable { cut: Some(cuts), drip: None, bit_flips: None, bits: None, seed: None } => {
                Ok(Self::Cut(cuts))
            }
            GenerateTable { cut: None, drip: Some(sizes), bit_flips: None, bits: None, seed: None } => {
                if sizes.0.contains(&0) {
                    return Err("`drip` is the number of bytes a write has, at least 1");
                }
                Ok(Self::Drip(sizes.0))
            }
            GenerateTable { cut: None, drip: None, bit_flips: Some(rounds), bits, seed } => {
                let bits = bits.unwrap_or(1);
                if rounds == 0 || bits == 0 {
                    return Err("`bit_flips` is how often, and `bits` how many at a time: at least 1");
                }
                Ok(Self::BitFlips { rounds, bits, seed: seed.unwrap_or(1) })
            }
            _ => Err("`generate` is one of `{ cut }`, `{ drip }` and `{ bit_flips, bits, seed }`"),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CutsTable {
    from: Option<usize>,
    to: Option<usize>,
    every: Option<usize>,
}

impl Shorthand for Cuts {
    type Table = CutsTable;
    const EXPECTING: &'static str = "\"every-offset\", or a table with `from`, `to` and `every`";

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "every-offset" => Ok(Self { from: 1, to: None, every: 1 }),
            _ => Err(format!("unknown cut `{text}`, expected `every-offset`")),
        }
    }

    fn from_table(CutsTable { from, to, every }: CutsTable) -> Result<Self, String> {
        let (from, every) = (from.unwrap_or(1), every.unwrap_or(1));
        if from == 0 || every == 0 {
            return Err("`from` and `every` are at least 1".into());
        }
        if to.is_some_and(|to| to < from) {
            return Err("`to` is the last offset, so it cannot be before `from`".into());
        }
        Ok(Self { from, to, every })
    }
}

impl<'de> Deserialize<'de> for Cuts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        shorthand::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Holder {
        generate: Generate,
    }

    fn read(generate: &str) -> Result<Generate, String> {
        let holder: Result<Holder, _> = toml::from_str(&format!("generate = {generate}"));
        holder.map(|holder| holder.generate).map_err(|error| error.message().to_owned())
    }

    fn alone(generate: &str, len: usize) -> Vec<String> {
        let variants = read(generate).unwrap().variants(len, None).unwrap();
        variants.into_iter().map(|variant| variant.alone).collect()
    }

    #[test]
    fn cuts_are_everywhere_they_cut_something() {
        assert_eq!(alone("{ cut = 'every-offset' }", 4), ["split = 1", "split = 2", "split = 3"]);
        assert_eq!(alone("{ cut = { from = 8, to = 12, every = 3 } }", 700), ["split = 8", "split = 11"]);
        assert_eq!(alone("{ cut = { from = 8, to = 99 } }", 10), ["split = 8", "split = 9"]);
        assert!(read("{ cut = 'every-offset' }").unwrap().variants(1, None).is_err());
    }

    #[test]
    fn bits_are_flipped_as_the_seed_says_and_each_variant_can_be_repeated_alone() {
        let some = alone("{ bit_flips = 50, bits = 2, seed = 7 }", 100);
        assert_eq!(some.len(), 50);
        assert_eq!(some, alone("{ bit_flips = 50, bits = 2, seed = 7 }", 100));
        assert_ne!(some, alone("{ bit_flips = 50, bits = 2, seed = 8 }", 100));
        assert!(
            some[0].starts_with("damage = [{ at = ") && some[0].matches("xor").count() == 2,
            "{}",
            some[0]
        );
    }

    #[test]
    fn pieces_come_in_the_sizes_asked_for() {
        assert_eq!(alone("{ drip = [1, 2] }", 10), ["drip = 1", "drip = 2"]);
        assert_eq!(alone("{ drip = 1 }", 10), ["drip = 1"]);
    }

    #[test]
    fn mistakes_are_told() {
        for (generate, word) in [
            ("{}", "one of `{ cut }`"),
            ("{ cut = 'every-offset', drip = 1 }", "one of `{ cut }`"),
            ("{ cut = 'everywhere' }", "unknown cut"),
            ("{ cut = { from = 0 } }", "at least 1"),
            ("{ cut = { from = 5, to = 4 } }", "before `from`"),
            ("{ drip = 0 }", "at least 1"),
            ("{ bit_flips = 0 }", "at least 1"),
        ] {
            assert!(read(generate).unwrap_err().contains(word), "{generate}");
        }
        let many = read("{ bit_flips = 100001 }").unwrap();
        assert!(many.variants(10, None).unwrap_err().contains("more than 100000"));
    }
}
