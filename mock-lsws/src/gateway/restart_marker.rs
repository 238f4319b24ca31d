//! What tells a server that an application has to be started anew: a file that is touched, or another program (lsapi 4.4).
//!
//! Owns the comparison of times. Who looks, how often, and what follows is decided by
//! [`Processes`](super::processes::Processes).

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// What is looked at, and what was seen.
#[derive(Debug)]
pub(super) struct RestartMarker {
    /// The file people touch.
    marker: Option<PathBuf>,
    program: Option<PathBuf>,
    /// The program as it was when the application was started.
    program_modified: Option<SystemTime>,
    /// The last time of the marker that something was done about.
    obeyed: Option<SystemTime>,
    /// When that was.
    at: Option<Instant>,
}

impl RestartMarker {
    pub(super) fn new(marker: Option<PathBuf>, program: Option<PathBuf>) -> Self {
        let program_modified = program.as_deref().and_then(modified);
        Self { marker, program, program_modified, obeyed: None, at: None }
    }

    /// The application was found running, and has been since then: a program that was changed later is another one.
    pub(super) fn found(&mut self, since: SystemTime) {
        if self.program_modified.is_some_and(|at| at > since) {
            self.program_modified = None;
        }
    }

    /// Why an application that was started at `since` has to be started anew, if it has to be. The next reason has to wait
    /// for `pause`: until then nothing is seen.
    pub(super) fn reason(&mut self, since: SystemTime, now: Instant, pause: Duration) -> Option<String> {
        if self.at.is_some_and(|at| now.saturating_duration_since(at) < pause) {
            return None;
        }
        let touched = self.marker.as_deref().and_then(modified);
        let is_new = touched.is_some_and(|at| at > since && self.obeyed != Some(at));
        let changed = self.program.as_deref().and_then(modified);
        let is_other = changed.is_some() && changed != self.program_modified;
        let reason = match (&self.marker, &self.program) {
            (Some(marker), _) if is_new => format!("{} was touched", marker.display()),
            (_, Some(program)) if is_other => format!("{} is another program now", program.display()),
            _ => return None,
        };
        // A time in the future is obeyed once.
        self.obeyed = touched;
        self.program_modified = changed.or(self.program_modified);
        self.at = Some(now);
        Some(reason)
    }
}

fn modified(path: &std::path::Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::Path;

    use super::*;

    fn touch(path: &Path, at: SystemTime) {
        let file = File::options().create(true).append(true).open(path).unwrap();
        file.set_modified(at).unwrap();
    }

    #[test]
    fn a_marker_counts_once_when_it_is_younger_than_the_application() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("restart.txt");
        let since = SystemTime::now();
        let mut marker = RestartMarker::new(Some(path.clone()), None);
        let mut reason = || marker.reason(since, Instant::now(), Duration::ZERO);
        assert_eq!(reason(), None, "there is none");
        touch(&path, since - Duration::from_secs(1));
        assert_eq!(reason(), None, "it is older");
        touch(&path, since + Duration::from_secs(3600));
        assert!(reason().unwrap().contains("restart.txt was touched"));
        assert_eq!(reason(), None, "it was obeyed");
        touch(&path, since + Duration::from_secs(1));
        assert!(reason().is_some());
        fs::remove_file(&path).unwrap();
        assert_eq!(reason(), None);
    }

    #[test]
    fn another_program_counts_and_a_missing_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        let start = SystemTime::now();
        touch(&path, start);
        let mut marker = RestartMarker::new(None, Some(path.clone()));
        let mut reason = || marker.reason(start, Instant::now(), Duration::ZERO);
        assert_eq!(reason(), None);
        fs::remove_file(&path).unwrap();
        assert_eq!(reason(), None);
        touch(&path, start - Duration::from_secs(5));
        assert!(reason().unwrap().contains("program is another program"));
        assert_eq!(reason(), None);
    }

    #[test]
    fn a_program_changed_before_the_application_was_found_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        let start = SystemTime::now();
        for (changed, counts) in
            [(start - Duration::from_secs(9), false), (start + Duration::from_secs(9), true)]
        {
            touch(&path, changed);
            let mut marker = RestartMarker::new(None, Some(path.clone()));
            marker.found(start);
            assert_eq!(marker.reason(start, Instant::now(), Duration::ZERO).is_some(), counts);
        }
    }

    #[test]
    fn the_next_reason_waits_for_the_pause() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("restart.txt");
        let (start, now) = (SystemTime::now(), Instant::now());
        let second = Duration::from_secs(1);
        let mut marker = RestartMarker::new(Some(path.clone()), None);
        touch(&path, start + Duration::from_secs(1));
        assert!(marker.reason(start, now, 60 * second).is_some());
        touch(&path, start + 2 * second);
        assert_eq!(marker.reason(start, now + 59 * second, 60 * second), None);
        assert!(marker.reason(start, now + 60 * second, 60 * second).is_some());
    }
}
