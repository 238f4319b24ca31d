//! The main job: every case of the checkout against the real lswsgi.
//!
//! Alone in its file, so that no other test competes with the cases that measure time.

use std::process::Command;

#[test]
fn lswsgi_passes_every_case() {
    let output = Command::new(env!("CARGO_BIN_EXE_conformance")).arg("run").output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    assert!(stderr.starts_with("conformance: building the subject: lswsgi ("), "{stderr}");
    let skipped: Vec<_> = stdout.lines().filter(|line| line.starts_with("skip ")).collect();
    // What lswsgi does not claim to do, and the one thing a machine may lack: a hard limit on core files that is not 0.
    let may_be_skipped = |line: &&str| {
        line.ends_with("which lswsgi does not provide") || line.contains("hard limit on core files")
    };
    assert!(skipped.iter().all(may_be_skipped), "{skipped:?}");
    let last = stdout.lines().last().unwrap_or_default();
    assert!(last.contains(" passed, 0 failed, "), "{last}");
}
