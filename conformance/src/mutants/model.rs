//! One broken application, as data.

use super::start::Start;
use crate::proxy::{Damage, Replace};
use crate::runner::LogChange;

/// A sound application with one thing wrong.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// What people call it.
    pub name: String,
    /// What is broken, in words.
    pub what: String,
    /// The subject that is sound without that.
    pub subject: String,
    /// How it is broken.
    pub breakage: Breakage,
    /// The cases it is tried on besides those that must notice it: IDs, folders or globs.
    pub cases: Vec<String>,
    /// The cases that must notice it: IDs, folders or globs, each of which at least one failure must match.
    pub caught_by: Vec<String>,
}

/// How a sound application is broken.
#[derive(Clone, Debug)]
pub enum Breakage {
    /// What it says is damaged on the way.
    Damage(Damage),
    /// What it is asked is changed on the way.
    Replace(Replace),
    /// It is started otherwise than it should be.
    Start(Box<Start>),
    /// It writes its log otherwise.
    Log(Vec<LogChange>),
    /// It has a flaw of its own, by the name of the flaw.
    Flaw(String),
}

/// A scenario that no mutant can make fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Immune {
    /// The ID of its file.
    pub id: String,
    /// Why there can be no mutant.
    pub reason: String,
}
