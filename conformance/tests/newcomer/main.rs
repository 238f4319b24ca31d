//! README.md's way from nothing to a running site, typed word by word: every block of commands in one shell, in an empty
//! folder, and what it prints compared with the block under it.
//!
//! Needs `curl` (the Debian package of that name). Without it the test says so and passes on a developer's machine; where CI
//! is set it fails.

mod expected;
mod shell;
mod steps;

use std::path::{Path, PathBuf};
use std::process::Command;

use conformance::binary;

use crate::expected::difference;
use crate::shell::Shell;
use crate::steps::steps;

/// What the subsection is called.
const TITLE: &str = "From nothing to a running site";

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in a checkout")
}

/// The folder of the binary of `package`.
fn build(package: &str) -> PathBuf {
    let binary = binary::build(package, checkout(), None, &|_| {}).unwrap_or_else(|error| panic!("{error}"));
    binary.parent().expect("a binary is in a folder").to_owned()
}

#[test]
fn whoever_types_what_the_readme_says_gets_what_it_shows() {
    if Command::new("curl").arg("--version").output().is_err() {
        let what = "no curl to test with: install it with apt-get install curl";
        assert!(std::env::var_os("CI").is_none(), "{what}");
        eprintln!("SKIPPED: {what}");
        return;
    }
    let readme = std::fs::read_to_string(checkout().join("README.md")).expect("the README");
    let steps = steps(&readme, TITLE);
    assert!(steps.len() > 5, "{} steps", steps.len());
    let folder = tempfile::tempdir_in("/tmp").expect("a folder");
    let mut shell = Shell::start(folder.path(), &[build("lswsgi"), build("mock-lsws")]);
    for step in &steps {
        let printed = shell.run(&step.commands);
        if let Some(difference) = difference(&step.output, &printed, folder.path()) {
            panic!("README.md:{}: {difference}\n{}\n{}", step.line, step.commands, shell.logs());
        }
    }
    shell.end();
}
