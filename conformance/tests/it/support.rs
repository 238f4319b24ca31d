//! What the tests of this package share: the checkout, the subject's binary, and runs of the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use conformance::binary;

/// The checkout.
pub(crate) fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in a checkout")
}

/// The folder of scenarios.
pub(crate) fn scenarios() -> PathBuf {
    checkout().join("scenarios")
}

/// The subject that comes with the checkout.
pub(crate) fn lswsgi_file() -> PathBuf {
    scenarios().join("subjects/lswsgi.toml")
}

/// The binary of lswsgi, built once for all tests of a file.
pub(crate) fn lswsgi() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| binary::build("lswsgi", checkout(), None, &|_| {}).expect("lswsgi builds"))
}

/// The program under test.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    // The rerun command depends on who started the program; a test started it, and not cargo.
    command.current_dir(checkout()).env_remove("CARGO");
    // Records of these runs are of no use to anybody.
    command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

/// A run that is over.
pub(crate) struct Run {
    /// Its exit code.
    pub(crate) code: Option<i32>,
    /// Everything on its standard output.
    pub(crate) stdout: String,
    /// Everything on its standard error.
    pub(crate) stderr: String,
}

impl Run {
    /// The last line of the report.
    pub(crate) fn last_line(&self) -> &str {
        self.stdout.lines().last().unwrap_or_default()
    }

    /// What is printed about the case `id`: from its line to the next case's.
    pub(crate) fn case(&self, id: &str) -> String {
        let is_case = |line: &str| {
            ["pass ", "FAIL ", "skip ", "slowest:", "skipped:", "failed:"]
                .iter()
                .any(|word| line.starts_with(word))
        };
        let mut lines = self.stdout.lines().skip_while(|line| !(is_case(line) && line.contains(id)));
        let first = lines.next().unwrap_or_default().to_owned();
        lines.take_while(|line| !is_case(line)).fold(first, |text, line| text + "\n" + line)
    }
}

/// Runs the program with `args`.
pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    finished(program().args(args).output().expect("the program starts"))
}

/// lswsgi behind a shell script, which is given the binary as `$0` and the path of the application as `$1`.
pub(crate) struct Scripted {
    /// Where its subject file is.
    pub(crate) folder: tempfile::TempDir,
}

impl Scripted {
    /// The subject `script`; it plays the role `app` with the Python source `app`, and `hello` as lswsgi does.
    pub(crate) fn new(script: &str, app: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let hello = scenarios().join("apps/hello.wsgi");
        let text = format!(
            "name = \"script\"\nuser = \"self\"\nbinary = {:?}\n\
             command = [\"/bin/sh\", \"-c\", {script:?}, \"{{binary}}\", \"{{script}}\"]\n\
             env = {{ PYTHONDONTWRITEBYTECODE = \"1\" }}\n[roles]\nhello = {hello:?}\napp = \"app.wsgi\"\n",
            lswsgi(),
        );
        fs::write(folder.path().join("subject.toml"), text).expect("a file in it");
        fs::write(folder.path().join("app.wsgi"), app).expect("another");
        Self { folder }
    }

    /// The command that runs the cases in the folder `cases` against it.
    pub(crate) fn command(&self, cases: &tempfile::TempDir) -> Command {
        let mut command = program();
        command.arg("run").arg("--subject").arg(self.folder.path().join("subject.toml"));
        command.arg("--scenarios").arg(cases.path());
        command
    }

    /// Runs the cases in the folder `cases` against it.
    pub(crate) fn run(&self, cases: &tempfile::TempDir, args: &[&str]) -> Run {
        finished(self.command(cases).args(args).output().expect("the program starts"))
    }
}

/// Reads what a run left.
pub(crate) fn finished(output: Output) -> Run {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("reports are UTF-8");
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Runs the program against lswsgi.
pub(crate) fn run_lswsgi(args: &[&str]) -> Run {
    let binary = lswsgi().to_str().expect("a path in UTF-8");
    // As the user that has built it: nobody else may be able to read the Python it was built against.
    run([&["run", "--user", "self", "--binary", binary], args].concat())
}

/// A folder of scenarios of its own. Each is a name and the steps; the rest is the same for all.
pub(crate) fn folder(cases: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let area = folder.path().join("case");
    fs::create_dir(&area).expect("a folder in it");
    for (name, text) in cases {
        fs::write(area.join(name).with_extension("toml"), text).expect("a file in that");
    }
    folder
}

/// A whole scenario: role `role` started in `mode`, then `steps`.
pub(crate) fn scenario(mode: &str, role: &str, steps: &str) -> String {
    format!(
        "title = \"The title\"\nclass = \"must\"\nspec = [\"W01\", \"clause 7\"]\nwhy = \"The reason.\"\n\
         [start]\nmode = \"{mode}\"\nrole = \"{role}\"\n{steps}"
    )
}
