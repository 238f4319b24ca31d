//! What can go wrong with the start of an application.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is different when an application starts. The process is the one the server made: a short program changes it and
/// then becomes the application.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Start {
    /// Variables that are not there.
    pub without_env: Vec<String>,
    /// Variables that are there, in place of others of their name.
    pub env: BTreeMap<String, String>,
    /// Options that are not there, nor the value behind each.
    pub without_options: Vec<String>,
    /// Words behind all others on the command line.
    pub args: Vec<String>,
    /// Python that runs before the process becomes the application.
    pub before: String,
    /// Python that runs inside an application in Python, when its interpreter starts.
    pub inside: String,
}
