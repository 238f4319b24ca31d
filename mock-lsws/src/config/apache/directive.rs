//! Lines of an Apache configuration: continued, quoted, commented.

/// A directive, or the beginning or end of a section.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Directive {
    /// The byte it begins at.
    pub(super) place: usize,
    /// As it is written, without brackets.
    pub(super) name: String,
    pub(super) args: Vec<String>,
    pub(super) form: Form,
}

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `Name args`.
    Plain,
    /// `<Name args>`.
    Opening,
    /// `</Name>`.
    Closing,
}

/// All directives of `text`, in order.
///
/// # Errors
/// Places and descriptions of lines that are none.
pub(super) fn directives(text: &str) -> Result<Vec<Directive>, Vec<(usize, String)>> {
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for (place, line) in logical_lines(text) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match directive(place, line) {
            Ok(directive) => found.push(directive),
            Err(message) => wrong.push((place, message)),
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(wrong) }
}

/// Lines with those that continue them, after a backslash at their end; comments are continued too.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut current: Option<(usize, String)> = None;
    let mut place = 0;
    for physical in text.split_inclusive('\n') {
        let line = physical.trim_end_matches(['\n', '\r']);
        let begin = place + (line.len() - line.trim_start().len());
        place += physical.len();
        let (_, whole) = current.get_or_insert_with(|| (begin, String::new()));
        match line.strip_suffix('\\') {
            Some(line) => whole.push_str(line),
            None => {
                whole.push_str(line);
                lines.extend(current.take());
            }
        }
    }
    lines.extend(current);
    lines
}

fn directive(place: usize, line: &str) -> Result<Directive, String> {
    let (form, inner) = match line.strip_prefix('<') {
        None => (Form::Plain, line),
        Some(rest) => {
            let inner = rest.strip_suffix('>').ok_or_else(|| format!("`{line}` does not end with `>`"))?;
            match inner.strip_prefix('/') {
                Some(name) => (Form::Closing, name),
                None => (Form::Opening, inner),
            }
        }
    };
    let mut words = words(inner)?.into_iter();
    let name = words.next().ok_or_else(|| format!("`{line}` has no name"))?;
    Ok(Directive { place, name, args: words.collect(), form })
}

/// Words between blanks. One that begins with a quote goes to the next quote of its kind; `\` there takes a quote or
/// another `\` as it is.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let Some(first) = chars.next() else { return Ok(words) };
        let mut word = String::new();
        if first == '"' || first == '\'' {
            loop {
                match chars.next() {
                    None => return Err(format!("the quote {first} is not closed")),
                    Some(c) if c == first => break,
                    Some('\\') => {
                        let escaped = chars.next_if(|c| *c == first || *c == '\\');
                        word.push(escaped.unwrap_or('\\'));
                    }
                    Some(c) => word.push(c),
                }
            }
        } else {
            word.push(first);
            while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
                word.push(c);
            }
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_what_is_quoted_together() {
        let split = |text| words(text).unwrap();
        assert_eq!(split("a  \"b c\"\t'd \"e'"), ["a", "b c", "d \"e"]);
        assert_eq!(split(r#""a\"b\\c\d" x\y e"f"#), [r#"a"b\c\d"#, r"x\y", "e\"f"]);
        assert_eq!(split(r#""" x"#), ["", "x"]);
        assert!(words("'a").is_err());
    }

    #[test]
    fn lines_are_continued_and_comments_left_out() {
        let text =
            "  # a \\\n still a comment\nAlias /a \\\r\n  /b\n\n<Directory \"/x y\">\n</Directory>\nLast \\";
        let found = directives(text).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|d| (text[..d.place].matches('\n').count() + 1, d.name.as_str(), d.args.join("|"), d.form))
            .collect();
        let expected = [
            (3, "Alias", "/a|/b".to_owned(), Form::Plain),
            (6, "Directory", "/x y".to_owned(), Form::Opening),
            (7, "Directory", String::new(), Form::Closing),
            (8, "Last", String::new(), Form::Plain),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn lines_that_are_no_directives_are_all_told() {
        let wrong = directives("<Directory /x\nA \"b\n<>\n").unwrap_err();
        let places: Vec<_> = wrong.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [0, 14, 19], "{wrong:?}");
    }
}
