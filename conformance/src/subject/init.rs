//! A subject file to start from, with everything explained where it is written.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use mock_lsws::scenario::{Capability, Scenario};

/// What a new subject is called when nobody says.
const NAME: &str = "my-app";

/// The file before the roles. What is in `@` is filled in.
const HEAD: &str = r#"# A subject of conformance: how an LSAPI application is started, and which of its scripts plays which role.
# Paths are relative to this file.

# Its name in reports.
name = @NAME@

# The program and its arguments, as a web server would start it: with a connection or a listening socket as
# descriptor 0. {binary} is `binary` below, {script} the script of the role, {role} the role's name, {folder} the folder
# of this file, {cache} a folder for binaries that are built outside a checkout.
command = ["{binary}", "{script}"]

# Where {binary} is: a path, or a name that is looked up on PATH. In a cargo workspace `cargo_package = "NAME"` builds it.
binary = @BINARY@

# The command that builds a missing binary, for the message.
#build = "make my-app"

# What it takes as descriptor 0. Cases for the other form are skipped.
#hand_over = ["connection", "listener"]

# The words that tell it to listen at {address} by itself: /path, host:port, *:port or [v6]:port.
#bind_args = ["--listen", "{address}"]

# The user it runs as when the runner is root; "self" keeps root.
#user = "nobody"

# Its process environment, after what every process gets.
#env = { APP_ENV = "test" }

# Variables that every request carries. An application that finds its script in the request is told so here.
#request_env = { SCRIPT_FILENAME = "{script}" }

# What it does beyond what every application must. Cases that need something else are skipped.
@PROVIDES@#provides = []

# Where it differs from the reference library in numbers: the longest request packet it takes, in bytes, the time it may
# take to end a request that ignores SIGTERM, and how many processes of a group serve no requests, beside the one that was
# started.
#[declares]
#max_request_packet = 65535
#kill_window = "9s"
#helpers = 0

# Which script plays which role: a path, or a table such as
# { script = "x", args = ["--more"], env = { A = "1" }, request_env = { B = "2" } }. Begin with one, run
# `conformance run`, and add more: roles that are not here have their cases skipped. scenarios/README.md says what each
# has to do; the shipped subjects play them in two languages.
[roles]
hello = "hello.script"
"#;

/// The text of a subject file called `name`. `probes` are the scenarios that try the roles.
#[must_use]
pub fn template(name: Option<&str>, probes: &[Scenario]) -> String {
    let mut provides = String::new();
    for capability in Capability::ALL {
        // Writing to a string does not fail.
        let _ = writeln!(provides, "#   {capability:<14} {}", capability.meaning());
    }
    let name = name.unwrap_or(NAME);
    let quoted = |text: String| toml::Value::String(text).to_string();
    let mut text = HEAD
        .replace("@PROVIDES@", &provides)
        .replace("@BINARY@", &quoted(format!("./{name}")))
        .replace("@NAME@", &quoted(name.to_owned()));
    let roles = probes.iter().filter_map(|probe| probe.start.program.role());
    for role in roles.filter(|role| *role != "hello") {
        let _ = writeln!(text, "#{role} = \"{role}.script\"");
    }
    text
}

/// Writes a new subject file. One that is there is never changed.
///
/// # Errors
/// What the system says; [`io::ErrorKind::AlreadyExists`] for a file that is there.
pub fn write(path: &Path, probes: &[Scenario]) -> io::Result<()> {
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
    File::create_new(path)?.write_all(template(name.as_deref(), probes).as_bytes())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::subject::file;

    fn probe(role: &str) -> Scenario {
        let text = format!(
            "title='t'\nclass='must'\nspec=['s']\nwhy='w'\n[start]\nmode='worker'\nrole='{role}'\n[[step]]\npause='1s'"
        );
        mock_lsws::scenario::parse_text("roles/x", Path::new("x"), &text).unwrap()
    }

    #[test]
    fn it_is_a_subject_file_as_it_is_and_with_every_line_in_use() {
        let text = template(Some("x"), &[probe("hello"), probe("big")]);
        let subject = file::parse(Path::new("/s/x.toml"), &text).unwrap();
        assert_eq!((subject.name.as_str(), subject.roles().collect::<Vec<_>>()), ("x", vec!["hello"]));

        // Lines that can be put to use have no blank behind the sign.
        let is_off = |line: &&str| line.starts_with('#') && !line[1..].starts_with(' ') && line.len() > 1;
        assert_eq!(text.lines().filter(is_off).count(), 12, "{text}");
        let on: Vec<&str> = text.lines().map(|line| if is_off(&line) { &line[1..] } else { line }).collect();
        let subject = file::parse(Path::new("/s/x.toml"), &on.join("\n")).unwrap();
        assert_eq!(subject.roles().collect::<Vec<_>>(), ["big", "hello"]);
        for capability in Capability::ALL {
            assert!(text.contains(&format!("#   {capability}")), "{text}");
        }
    }

    #[test]
    fn a_file_that_is_there_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        std::fs::write(&path, "mine").unwrap();
        assert_eq!(write(&path, &[]).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }
}
