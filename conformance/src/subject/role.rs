//! One role in a subject file: which script plays it, and what is different when it runs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// How a subject plays a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoleTable {
    /// The script behind `{script}`, relative to the subject file; none for a program that plays its roles by itself.
    pub script: Option<PathBuf>,
    /// Arguments behind those of the subject's command.
    pub args: Vec<String>,
    /// Process environment, after the subject's.
    pub env: BTreeMap<String, String>,
    /// Variables of every request, in place of the subject's of the same name.
    pub request_env: BTreeMap<String, String>,
}

/// A role as it may be written: the path of its script, or a whole table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Role(pub(super) RoleTable);

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RoleVisitor)
    }
}

struct RoleVisitor;

impl<'de> Visitor<'de> for RoleVisitor {
    type Value = Role;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the path of a script, or a table such as { script = \"echo.x\", args = [\"--loud\"] }")
    }

    fn visit_str<E>(self, script: &str) -> Result<Role, E> {
        Ok(Role(RoleTable { script: Some(script.into()), ..RoleTable::default() }))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Role, A::Error> {
        RoleTable::deserialize(MapAccessDeserializer::new(map)).map(Role)
    }
}
