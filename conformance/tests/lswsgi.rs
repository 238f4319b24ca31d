//! The main job: every case of the checkout against the real lswsgi.

mod support;

#[test]
fn lswsgi_passes_every_case() {
    let run = support::run_lswsgi(&[]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let skipped: Vec<_> = run.stdout.lines().filter(|line| line.starts_with("skip ")).collect();
    // The one thing a machine may lack: a hard limit on core files that is not 0.
    assert!(skipped.iter().all(|line| line.contains("hard limit on core files")), "{skipped:?}");
    assert!(run.last_line().contains(" passed, 0 failed, "), "{}", run.last_line());
}
