//! What people read when the application under test is broken: which part of it, and what it did instead.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support;

/// A way to be broken.
struct Broken {
    /// Name of the snapshot.
    name: &'static str,
    /// Exit code of the run.
    code: i32,
    /// The subject file without its name. `@FOLDER@` is its folder, `@LSWSGI@` a runtime that works, `@APPS@` the folder of
    /// its applications, `@PROXY@` this program.
    file: &'static str,
    /// More on the command line.
    args: &'static [&'static str],
}

/// A subject that cannot run at all.
const fn unusable(name: &'static str, code: i32, file: &'static str) -> Broken {
    Broken { name, code, file, args: &["--user", "self"] }
}

/// A subject that runs this shell script, with the path of the application as `$1`.
macro_rules! script {
    ($name:literal, $script:literal) => {
        unusable(
            $name,
            5,
            concat!(
                "command = ['sh', '-c', '''",
                $script,
                "''', 'sh', '{script}']\n[roles]\nhello = '@APPS@/hello.wsgi'\n"
            ),
        )
    };
}

/// A subject that works, but for what a proxy does to its responses.
macro_rules! damaged {
    ($name:literal, $damage:literal) => {
        unusable(
            $name,
            1,
            concat!(
                "binary = '@LSWSGI@'\ncommand = ['@PROXY@', 'proxy', '--damage', '",
                $damage,
                "', '--', '{binary}', '-m', '{script}']\n[roles]\nhello = '@APPS@/hello.wsgi'\n"
            ),
        )
    };
}

const BROKEN: [Broken; 23] = [
    unusable("unknown_key", 3, "command = ['x']\nbinry = 'x'\n[roles]\n"),
    unusable("unknown_capability", 3, "command = ['x']\nprovides = ['grup']\n[roles]\n"),
    unusable("unknown_placeholder", 3, "command = ['x', '{scirpt}']\n[roles]\n"),
    unusable("no_source_of_the_binary", 3, "command = ['{binary}', '{script}']\n[roles]\n"),
    unusable("role_without_script", 3, "command = ['x', '{script}']\n[roles]\nhello = { args = ['-v'] }\n"),
    unusable(
        "no_binary",
        5,
        "command = ['{binary}']\nbinary = './app'\nbuild = 'make app'\n[roles]\nhello = {}\n",
    ),
    unusable("not_on_path", 5, "command = ['no-such-program-anywhere']\n[roles]\nhello = {}\n"),
    unusable("not_executable", 5, "command = ['{binary}']\nbinary = './plain-file'\n[roles]\nhello = {}\n"),
    unusable(
        "no_package",
        5,
        "command = ['{binary}']\ncargo_package = 'no-such-package'\n[roles]\nhello = {}\n",
    ),
    Broken {
        name: "no_such_user",
        code: 5,
        file: "command = ['sh']\n[roles]\nhello = {}\n",
        args: &["--user", "no-such-user"],
    },
    Broken {
        name: "which_role",
        code: 2,
        file: "command = ['sh']\n[roles]\nhello = {}\npid = {}\n",
        args: &["--connect", "/run/no-such.sock"],
    },
    Broken {
        name: "nobody_listens",
        code: 5,
        file: "command = ['sh']\n[roles]\nhello = {}\n",
        args: &["--connect", "/run/no-such.sock"],
    },
    script!("exits_at_once", "echo sorry >&2; exit 3"),
    script!("dies_by_a_signal", "kill -SEGV $$"),
    script!("closes_without_a_word", "exec <&- >&-; sleep 600"),
    script!("never_answers", "exec sleep 600"),
    script!("speaks_http", "printf \"HTTP/1.1 200 OK\\r\\n\\r\\nhello\" >&0; exec sleep 600"),
    script!("endless_log", "exec yes >&2"),
    unusable(
        "wrong_answer",
        5,
        "binary = '@LSWSGI@'\ncommand = ['{binary}', '-m', '{script}']\n[roles]\nhello = '@APPS@/unread.wsgi'\n",
    ),
    unusable(
        "answers_anything",
        5,
        "binary = '@LSWSGI@'\ncommand = ['sh', '-c', 'exec \"$0\" -m @APPS@/hello.wsgi', '{binary}', '{script}']\n\
         [roles]\nhello = '@APPS@/hello.wsgi'\n",
    ),
    damaged!("no_end", "drop-end"),
    damaged!("wrong_count", "count-one-more"),
    damaged!("junk_behind_the_end", "junk-after-end"),
];

/// Runs the case of a folder of its own, whose probe of role hello does not wait as long as the shipped one.
fn run(broken: &Broken, folder: &Path) -> support::Run {
    let scenarios = folder.join("scenarios");
    fs::create_dir_all(scenarios.join("case")).unwrap();
    fs::create_dir(scenarios.join("roles")).unwrap();
    let probe = fs::read_to_string(support::scenarios().join("roles/hello.toml")).unwrap();
    fs::write(scenarios.join("roles/hello.toml"), probe.replace("10s", "5s")).unwrap();
    let steps = "[[step]]\nrequest = {}\nexpect = { body = \"Hello, World!\\n\", within = \"2s\" }\n";
    fs::write(scenarios.join("case/get.toml"), support::scenario("worker", "hello", steps)).unwrap();
    fs::write(folder.join("plain-file"), "no program\n").unwrap();
    fs::set_permissions(folder.join("plain-file"), Permissions::from_mode(0o644)).unwrap();

    let apps = support::scenarios().join("apps");
    let lswsgi = if broken.file.contains("@LSWSGI@") { support::lswsgi() } else { Path::new("") };
    let text = broken
        .file
        .replace("@APPS@", apps.to_str().unwrap())
        .replace("@LSWSGI@", lswsgi.to_str().unwrap())
        .replace("@PROXY@", env!("CARGO_BIN_EXE_conformance"));
    let subject = folder.join("broken.toml");
    fs::write(&subject, format!("name = 'broken'\n{text}")).unwrap();
    let paths = ["--subject", subject.to_str().unwrap(), "--scenarios", scenarios.to_str().unwrap()];
    support::run([&["run"], &paths[..], broken.args].concat())
}

/// How many run at the same time: most of them wait for something that does not come.
const AT_A_TIME: usize = 6;

fn run_all(broken: &[Broken]) -> Vec<(tempfile::TempDir, support::Run)> {
    std::thread::scope(|scope| {
        let start = |broken| {
            scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                let run = run(broken, folder.path());
                (folder, run)
            })
        };
        let running: Vec<_> = broken.iter().map(start).collect();
        running.into_iter().map(|run| run.join().unwrap()).collect()
    })
}

#[test]
fn every_broken_subject_is_told_what_is_wrong_with_it() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(true);
    settings.set_omit_expression(true);
    for (pattern, stands_for) in [
        // What a process does between the verdict and its end depends on who is faster.
        (r"\n[^\n]*(info: leaving: |had ended: |-> CLOSE|-- TIMEOUT|<- EOF)[^\n]*", ""),
        (r" at \d+\.\d+ ms", " at [TIME]"),
        (r"[ ]*\d+\.\d+ ms ", "       [TIME] "),
        (r"\d+(\.\d+)?(µs|ms|s)\b", "[TIME]"),
        (r"\(\d+\.\d+ s\)", "([TIME])"),
        (r"  \d+\.\d+ s  ", "  [TIME]  "),
        (r"20\d\d-\d\d-\d\dT[0-9:.]+Z \[\d+\]", "[DATE] [PID]"),
        (r"process \d+", "process [PID]"),
        (r"started by \d+", "started by [PID]"),
        (r"lswsgi \d+\.\d+\.\d+, Python [0-9.]+", "[VERSIONS]"),
        (r"\d+ at a time", "[N] at a time"),
        (r"no packet, \d+ bytes", "no packet, [N] bytes"),
        (r"(no body, )\d+ bytes", "$1[N] bytes"),
        (r"no-such-role-[0-9a-f]{16}", "no-such-role-[RANDOM]"),
        (r"error: could not find `Cargo.toml`.*", "[CARGO]"),
    ] {
        settings.add_filter(pattern, stands_for);
    }
    for (broken, (folder, run)) in BROKEN.iter().zip(BROKEN.chunks(AT_A_TIME).flat_map(run_all)) {
        let text = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(run.code, Some(broken.code), "{}: {text}", broken.name);
        let text = text
            .replace(folder.path().to_str().unwrap(), "[FOLDER]")
            .replace(support::scenarios().join("apps").to_str().unwrap(), "[APPS]")
            .replace(env!("CARGO_BIN_EXE_conformance"), "conformance");
        settings.bind(|| insta::assert_snapshot!(broken.name, format!("exit code {}\n{text}", broken.code)));
    }
}
