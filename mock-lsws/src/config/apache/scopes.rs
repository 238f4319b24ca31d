//! The sections around a directive.

use super::directive::Directive;
use crate::config::Scope;

/// What a section does to the directives in it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Effect {
    /// Nothing.
    Transparent,
    /// Variables count for these requests only.
    Narrowing(Scope),
    /// They do not count.
    Skipping,
}

/// The sections that are open.
#[derive(Default)]
pub(super) struct Scopes {
    open: Vec<(Directive, Effect)>,
}

impl Scopes {
    /// Enters a section. The answer is what to call it if it is ignored with what is in it.
    pub(super) fn enter(&mut self, section: Directive) -> Option<String> {
        let effect = effect(&section);
        let is_new = effect == Effect::Skipping && !self.is_skipping();
        let name = is_new.then(|| {
            let negated = section.args.first().filter(|arg| arg.starts_with('!'));
            let what = negated.map_or_else(|| section.name.clone(), |arg| format!("{} {arg}", section.name));
            format!("<{what}> with what is in it")
        });
        self.open.push((section, effect));
        name
    }

    /// Leaves a section.
    ///
    /// # Errors
    /// When another one is open.
    pub(super) fn leave(&mut self, closing: &Directive) -> Result<(), String> {
        match self.open.pop() {
            Some((section, _)) if section.name.eq_ignore_ascii_case(&closing.name) => Ok(()),
            Some((section, _)) => {
                Err(format!("`</{}>` where `<{}>` has to be closed first", closing.name, section.name))
            }
            None => Err(format!("`</{}>` closes nothing", closing.name)),
        }
    }

    /// The section that was never closed.
    pub(super) fn unclosed(&self) -> Option<&Directive> {
        self.open.last().map(|(section, _)| section)
    }

    /// Whether directives do not count here.
    pub(super) fn is_skipping(&self) -> bool {
        self.open.iter().any(|(_, effect)| *effect == Effect::Skipping)
    }

    /// Which requests a variable counts for here: those of the innermost section that narrows.
    pub(super) fn scope(&self) -> Scope {
        let narrowing = self.open.iter().rev().find_map(|(_, effect)| match effect {
            Effect::Narrowing(scope) => Some(scope.clone()),
            Effect::Transparent | Effect::Skipping => None,
        });
        narrowing.unwrap_or(Scope::Everywhere)
    }
}

fn effect(section: &Directive) -> Effect {
    let is_negated = section.args.first().is_some_and(|arg| arg.starts_with('!'));
    let name = section.name.to_ascii_lowercase();
    match (name.as_str(), section.args.as_slice()) {
        ("virtualhost", _) => Effect::Transparent,
        // The modules an application can ask for are there, in LiteSpeed's own way; nothing is defined.
        ("ifmodule", _) if !is_negated => Effect::Transparent,
        ("ifdefine", _) if is_negated => Effect::Transparent,
        // With `~` they are regular expressions.
        ("directory", [path]) => Effect::Narrowing(Scope::Directory(path.into())),
        ("files", [name]) => Effect::Narrowing(Scope::Files(name.clone())),
        ("location", [path]) => Effect::Narrowing(Scope::Location(path.clone())),
        _ => Effect::Skipping,
    }
}
