//! Which cases a run is about.

use mock_lsws::scenario::{Class, Scenario};
use wildmatch::WildMatch;

/// IDs and globs as typed, and the classes that are on.
#[derive(Clone, Debug)]
pub struct Filter {
    /// An ID, a folder of IDs, or a glob in which `*` stands for anything. None selects all.
    pub patterns: Vec<String>,
    /// Classes that run. A case named by its full ID runs whatever its class.
    pub classes: Vec<Class>,
}

impl Filter {
    /// Whether `case` is selected.
    #[must_use]
    pub fn selects(&self, case: &Scenario) -> bool {
        let in_class = self.classes.contains(&case.class);
        if self.patterns.is_empty() {
            return in_class;
        }
        self.patterns.iter().any(|pattern| {
            let folder = pattern.trim_end_matches('/');
            let below = case.id.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
            *pattern == case.id || (in_class && (below || WildMatch::new(pattern).matches(&case.id)))
        })
    }

    /// The filter in words, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        let classes = self.classes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self.patterns.as_slice() {
            [] => format!("class {classes}"),
            patterns => format!("`{}` in class {classes}", patterns.join("`, `")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn case(id: &str, class: &str) -> Scenario {
        let text = format!(
            "title='t'\nclass='{class}'\nspec=['s']\nwhy='w'\n[start]\nmode='worker'\nrole='r'\n[[step]]\npause='1s'"
        );
        mock_lsws::scenario::parse_text(id, Path::new("x"), &text).unwrap()
    }

    fn selects(patterns: &[&str], case: &Scenario) -> bool {
        let patterns = patterns.iter().map(ToString::to_string).collect();
        Filter { patterns, classes: vec![Class::Must, Class::Should] }.selects(case)
    }

    #[test]
    fn ids_folders_and_globs_select() {
        let get = case("wire/minimal-get", "must");
        for pattern in ["wire/minimal-get", "wire", "wire/", "*get", "wire/*", "*min*"] {
            assert!(selects(&[pattern], &get), "{pattern}");
        }
        for pattern in ["wir", "minimal-get", "response/*", "wire/minimal"] {
            assert!(!selects(&[pattern], &get), "{pattern}");
        }
        assert!(selects(&[], &get) && selects(&["nothing", "wire"], &get));
    }

    #[test]
    fn details_run_only_when_named_in_full() {
        let detail = case("wire/detail", "detail");
        assert!(!selects(&[], &detail) && !selects(&["wire"], &detail) && !selects(&["*detail"], &detail));
        assert!(selects(&["wire/detail"], &detail));
    }
}
