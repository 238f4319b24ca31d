//! Every key of the vocabulary is one a scenario can have, and the other way round.

use serde::de::value::Error as Stop;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;

use super::*;
use crate::scenario::bytes_spec::BytesTable;
use crate::scenario::generate::CutsTable;
use crate::scenario::log_expectation::LogExpectation;
use crate::scenario::matcher::MatcherTable;
use crate::scenario::number_range::RangeTable;
use crate::scenario::outcome::OutcomeTable;
use crate::scenario::packet_pattern::PatternTable;
use crate::scenario::parse::ScenarioTable;
use crate::scenario::raw_overrides::{EnvLengths, KnownSlot, UnknownSlot};
use crate::scenario::request_spec::Order;
use crate::scenario::start_table::StartTable;
use crate::scenario::step_table::{BranchTable, EofTable, LogTable, NoBytesTable, SignalTable, StepTable};
use crate::scenario::suexec_spec::{Signature, SuexecSpec};
use crate::scenario::{
    Ack, Capability, Class, ConnCloseRule, Damage, ExpectExit, ExpectProcess, Generate, HandedLimit,
    LimitExpectation, Mode, Outcome, RawOverrides, RequestSpec, ResourceName, ResponseExpectation,
    SocketKind,
};

/// Notes the names a type asks for, and gives it nothing.
struct Probe<'a>(&'a mut Vec<&'static str>);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Stop> {
        Err(Stop::custom("only names are asked for"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.0.extend(fields);
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.0.extend(variants);
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

/// The keys or words that reading a `T` takes.
fn names_of<T: for<'de> Deserialize<'de>>() -> Vec<&'static str> {
    let mut names = Vec::new();
    let nothing = T::deserialize(Probe(&mut names));
    assert!(nothing.is_err() && !names.is_empty(), "{}", std::any::type_name::<T>());
    names
}

#[test]
fn the_table_has_the_keys_the_reader_has() {
    // These two are taken out of the file before the rest of it is read.
    let mut scenario = names_of::<ScenarioTable>();
    scenario.extend(["vars", "matrix"]);
    let read = [
        ("scenario", scenario),
        ("start", names_of::<StartTable>()),
        ("step", names_of::<StepTable>()),
        ("row", names_of::<BranchTable>()),
        ("request", names_of::<RequestSpec>()),
        ("suexec", names_of::<SuexecSpec>()),
        ("raw", names_of::<RawOverrides>()),
        ("known_header", names_of::<KnownSlot>()),
        ("variable", names_of::<EnvLengths>()),
        ("unknown_header", names_of::<UnknownSlot>()),
        ("bytes_table", names_of::<BytesTable>()),
        ("damage", names_of::<Damage>()),
        ("generate", names_of::<Generate>()),
        ("cuts_table", names_of::<CutsTable>()),
        ("response", names_of::<ResponseExpectation>()),
        ("packet_table", names_of::<PatternTable>()),
        ("outcome_table", names_of::<OutcomeTable>()),
        ("eof", names_of::<EofTable>()),
        ("silence", names_of::<NoBytesTable>()),
        ("exit", names_of::<ExpectExit>()),
        ("process", names_of::<ExpectProcess>()),
        ("limits", names_of::<ResourceName>()),
        ("limit", names_of::<LimitExpectation>()),
        ("signal", names_of::<SignalTable>()),
        ("log", names_of::<LogTable>()),
        ("log_count", names_of::<LogExpectation>()),
        ("matcher_table", names_of::<MatcherTable>()),
        ("range_table", names_of::<RangeTable>()),
    ];
    for (name, mut known) in read.clone() {
        let mut told: Vec<&str> = keys(name).iter().map(|key| key.name).collect();
        told.sort_unstable();
        known.sort_unstable();
        assert_eq!(told, known, "{name}");
    }
    for definition in DEFINITIONS {
        let is_compared = read.iter().any(|(name, _)| *name == definition.name);
        assert!(is_compared || matches!(definition.form, Form::AnyOf(_)), "{}", definition.name);
    }
}

#[test]
fn the_table_has_the_words_the_reader_has() {
    for (table, name, known) in [
        ("scenario", "class", names_of::<Class>()),
        ("scenario", "needs", names_of::<Capability>()),
        ("start", "mode", names_of::<Mode>()),
        ("start", "socket", names_of::<SocketKind>()),
        ("start", "core_limit", names_of::<HandedLimit>()),
        ("request", "byte_order", names_of::<Order>()),
        ("suexec", "signature", names_of::<Signature>()),
        ("response", "ack", names_of::<Ack>()),
        ("response", "conn_close", names_of::<ConnCloseRule>()),
        ("outcome_table", "any_of", names_of::<Outcome>()),
    ] {
        let key = keys(table).iter().find(|key| key.name == name).unwrap();
        let told = match key.kind {
            Words(told) | ListOf(&Words(told)) => told,
            _ => panic!("{table}.{name}"),
        };
        assert_eq!(told, known, "{table}.{name}");
    }
}

#[test]
fn what_is_referred_to_is_there() {
    fn check(kind: Kind) {
        match kind {
            Ref(name) => assert!(DEFINITIONS.iter().any(|known| known.name == name), "{name}"),
            ListOf(of) | OneOrMany(of) | MapOf(of) | PairsOf(of) => check(*of),
            AnyOf(kinds) => kinds.iter().copied().for_each(check),
            Text | Name | Number | Duration | Bool | Words(_) | Free => {}
        }
    }
    for definition in DEFINITIONS {
        match definition.form {
            Form::Table(keys) => keys.iter().for_each(|key| check(key.kind)),
            Form::AnyOf(kinds) => kinds.iter().copied().for_each(check),
        }
    }
}
