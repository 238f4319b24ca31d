//! Variables that look like ours and are not: a name that is misspelt, or a service of the C library that is not offered.

use super::table::TABLE;

/// Beginnings of names that are ours: read here, removed before the application can see them.
pub(super) const OWN_PREFIXES: [&str; 3] = ["LSAPI_", "PHP_LSAPI_", "LSWSGI_"];

/// What the C library and the programs linked with it understand as well, and what of it matters to an operator who has set
/// it for lswsgi (lsapi 2.3). The empty text: nothing.
const FOREIGN: [(&str, &str); 7] = [
    ("LSAPI_LVE_ENABLE", "lswsgi does not enter an LVE"),
    // Room for titles: the server's first variable.
    ("LSAPI_PADDING", ""),
    ("LSAPI_CLEAN_SHUTDOWN", ""),
    ("LSAPI_DISABLE_CPAN_BEHAV", ""),
    ("LSAPI_SIGNALS", ""),
    ("LSAPI_INITIAL_START", ""),
    ("LSAPI_BACKEND_INITIAL_START", ""),
];

/// From this likeness on (0 to 1) a name is taken for another one that is misspelt.
const LIKENESS: f64 = 0.9;

/// What is to be said of the variables `names`, one sentence each.
pub(super) fn warnings<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.filter(|name| OWN_PREFIXES.iter().any(|own| name.starts_with(own))).filter_map(warning).collect()
}

fn warning(name: &str) -> Option<String> {
    let known = || TABLE.iter().flat_map(|setting| setting.variables().iter().copied());
    if known().any(|known| known == name) || name.starts_with("LSAPI_CRIU") {
        return None;
    }
    if let Some((_, matter)) = FOREIGN.iter().find(|(foreign, _)| *foreign == name) {
        return (!matter.is_empty()).then(|| format!("{name} has no effect: {matter}"));
    }
    let likeness = |known: &&str| strsim::jaro_winkler(name, known);
    let nearest = known().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    let hint = nearest.filter(|nearest| likeness(nearest) >= LIKENESS);
    let hint = hint.map_or_else(String::new, |nearest| format!("; is {nearest} meant?"));
    Some(format!("{name} is no variable lswsgi knows, and has no effect{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_known_or_nobodys_concern_are_passed_over() {
        let names = [
            "PATH",
            "LSAPI_CHILDREN",
            "PHP_LSAPI_MAX_REQUESTS",
            "LSWSGI_DEBUG",
            "LSAPI_PADDING",
            "LSAPI_CRIU",
        ];
        assert_eq!(warnings(names.into_iter()), [""; 0]);
    }

    #[test]
    fn a_name_that_is_misspelt_is_told_with_the_one_that_is_meant() {
        let told = |name| warnings(std::iter::once(name)).concat();
        assert_eq!(
            told("LSAPI_MAX_IDEL"),
            "LSAPI_MAX_IDEL is no variable lswsgi knows, and has no effect; is LSAPI_MAX_IDLE meant?"
        );
        assert_eq!(
            told("LSWSGI_LOGLEVEL"),
            "LSWSGI_LOGLEVEL is no variable lswsgi knows, and has no effect; is LSWSGI_LOG_LEVEL meant?"
        );
        assert_eq!(told("LSAPI_ANYTHING"), "LSAPI_ANYTHING is no variable lswsgi knows, and has no effect");
        assert!(told("LSAPI_LVE_ENABLE").contains("does not enter an LVE"));
    }
}
