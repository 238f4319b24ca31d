//! What the README says of this program: lines of its log, and exit codes.

use std::fs;
use std::path::Path;

/// The string literals of the program as they are when it runs, but for their arguments.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).expect("a source");
            let program = source.split("\n#[cfg(test)]\nmod ").next().expect("split gives something");
            let lines = program.lines().filter(|line| !line.trim_start().starts_with("//"));
            // A literal over several lines goes on behind the blanks of the next.
            for line in lines {
                match line.trim_start().strip_suffix('\\') {
                    Some(begun) => text.push_str(begun),
                    None => text.push_str(&format!("{}\n", line.trim_start())),
                }
            }
        }
    }
}

/// The lines the README explains: the code in the first cells of the table.
fn explained() -> Vec<&'static str> {
    let readme = include_str!("../../../README.md");
    let (_, section) = readme.split_once("\n### Reading the log\n").expect("the section is there");
    let section = section.split("\n### ").next().expect("split gives something");
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    cells.flat_map(|cell| cell.split('`').step_by(2)).collect()
}

#[test]
fn the_log_lines_it_explains_are_in_the_program() {
    let mut program = String::new();
    sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut program);
    let lines = explained();
    assert!(lines.len() > 25, "{lines:?}");
    for line in lines {
        let words = line.split('…').map(str::trim).filter(|words| words.len() > 2);
        for words in words {
            assert!(program.contains(words), "no {words:?} of {line:?} in the program");
        }
    }
}

/// The numbers in `lswsgi/src/exit_code.rs`.
fn exit_codes() -> Vec<u8> {
    let source = include_str!("../../src/exit_code.rs");
    let codes = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split_once(": u8 = "));
    // One is a sum.
    let number = |text: &str| -> u8 { text.trim_end_matches(';').parse().expect("a number") };
    codes.map(|(_, code)| code.split(" + ").map(number).sum()).collect()
}

#[test]
fn its_table_of_exit_codes_has_all_of_them() {
    let readme = include_str!("../../../README.md");
    let (_, section) = readme.split_once("\n## Exit codes\n").expect("the section is there");
    let section = section.split("\n## ").next().expect("split gives something");
    let codes = exit_codes();
    assert!(codes.len() > 10, "{codes:?}");
    for code in codes {
        let row = section.lines().find_map(|line| line.strip_prefix(&format!("| {code} | ")));
        let meaning = row.map(|row| row.split('|').take(2).any(|cell| !cell.trim().is_empty()));
        assert_eq!(meaning, Some(true), "exit code {code}");
    }
}
