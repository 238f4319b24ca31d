//! What several tests need: the program under test, applications, and waiting for things.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mock_lsws::{AppCommand, ProcessInfo, Spawner};

/// Nothing a test waits for takes this long, even on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// The program under test.
pub(crate) fn exe() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_mock-lsws"))
}

/// A spawner of the program under test.
pub(crate) async fn spawner() -> Spawner {
    Spawner::start(exe(), ["spawner"]).await.unwrap()
}

/// The Python application that behaves as told.
pub(crate) fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/app.py")
}

/// A shell script as an application.
pub(crate) fn shell(script: &str) -> AppCommand {
    AppCommand::new("/bin/sh").args(["-c", script])
}

/// Runs a test on a runtime of its own, and not for ever.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(2 * LONG, test).await.expect("the test takes too long") })
}

/// Looks again and again until there is something to see.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + LONG;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < limit, "never came: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The line of a file that starts with `start`, once it has been written whole, without `start`.
pub(crate) fn line_of(path: &Path, start: &str) -> String {
    eventually(start, || {
        let text = std::fs::read_to_string(path).ok()?;
        let (whole, _) = text.rsplit_once('\n')?;
        whole.lines().find_map(|line| line.strip_prefix(start)).map(str::to_owned)
    })
}

/// Whether a process runs: it is there and has not ended.
pub(crate) fn runs(pid: i32) -> bool {
    ProcessInfo::of(pid).is_some_and(|process| !process.is_zombie())
}
