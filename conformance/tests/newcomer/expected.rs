//! What a step prints, compared with what the README shows.
//!
//! In the README `<pid>` and any other word in angle brackets stand for one or more characters other than blanks, `<time>` and
//! `<size>` for some that may be blanks, `...` for any lines or for any end of its line. The width of blanks does not count.

use std::path::Path;

/// Where `printed` in `folder` is not what `shown` says.
pub(crate) fn difference(shown: &str, printed: &str, folder: &Path) -> Option<String> {
    let folder = folder.to_str().expect("a path in UTF-8");
    let printed: Vec<String> = printed.lines().map(|line| line.replace(folder, "<folder>")).collect();
    let shown: Vec<&str> = shown.lines().collect();
    let is_same = match_lines(&shown, &printed);
    (!is_same).then(|| format!("it says\n{}\nand this is printed:\n{}", shown.join("\n"), printed.join("\n")))
}

fn match_lines(shown: &[&str], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((&"...", rest)) => (0..=printed.len()).any(|skipped| match_lines(rest, &printed[skipped..])),
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(first, others)| match_line(line, first) && match_lines(rest, others)),
    }
}

/// Without regard to how wide blanks are.
fn match_line(shown: &str, printed: &str) -> bool {
    let blanks = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    match_text(&blanks(shown), &blanks(printed))
}

/// Placeholders match as little as possible, and at least one character.
fn match_text(shown: &str, printed: &str) -> bool {
    if let Some(begun) = shown.strip_suffix("...") {
        return (0..=printed.len()).any(|end| {
            printed.get(..end).is_some_and(|printed| match_text(begun.trim_end(), printed.trim_end()))
        });
    }
    let placeholder = shown.find('<').and_then(|begin| Some((begin, begin + shown[begin..].find('>')? + 1)));
    let Some((begin, end)) = placeholder else { return shown == printed };
    let Some(rest) = printed.strip_prefix(&shown[..begin]) else { return false };
    let has_blanks = ["<time>", "<size>"].contains(&&shown[begin..end]);
    let taken = rest.char_indices().take_while(|(_, char)| has_blanks || *char != ' ');
    taken.map(|(at, char)| at + char.len_utf8()).any(|taken| match_text(&shown[end..], &rest[taken..]))
}

#[test]
fn placeholders_stand_for_something_and_all_else_for_itself() {
    for (shown, printed, is_same) in [
        ("worker <pid> left", "worker 12 left\n", true),
        ("worker <pid> left", "worker 12 died\n", false),
        ("worker [<pid>] at <url>/x", "worker [1] at http://h:1/x", true),
        ("worker [<pid>]", "worker []", false),
        ("up <time>, idle", "up 2 h 3 min, idle", true),
        ("up <n>, idle", "up 2 h 3 min, idle", false),
        ("<pid> busy ...", "12 busy", true),
        ("<pid> busy ...", "12 busy GET /", true),
        ("<pid> busy ...", "12 idle", false),
        ("a   b", "a b", true),
        ("a b", "a b c", false),
        ("a b c", "a b", false),
        ("in <folder>/x", "in /tmp/it/x", true),
        ("", "more", false),
        ("more", "", false),
        ("a\n...\nd", "a\nb\nc\nd", true),
        ("a\n...\nd", "a\nd", true),
        ("a\n...\nd", "a\nb\nc", false),
    ] {
        assert_eq!(
            difference(shown, printed, Path::new("/tmp/it")).is_none(),
            is_same,
            "{shown:?} {printed:?}"
        );
    }
}
