//! Files whose change asks for new code: `tmp/restart.txt` beside the application and, with `--watch`, what it has imported.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::file_events::FileEvents;
use crate::settings::Settings;
use crate::watch::Stamp;

/// `touch` makes a file first, and sets its time then.
const QUIET: Duration = Duration::from_millis(20);

/// An editor may write several files, each in several steps.
const QUIET_OF_EDITORS: Duration = Duration::from_millis(100);

/// The files, and their states when the present code was asked for.
#[derive(Debug)]
pub(crate) struct WatchedFiles {
    seen: BTreeMap<PathBuf, Option<Stamp>>,
    events: FileEvents,
}

impl WatchedFiles {
    /// What `settings` say is to be watched, as it is before the application is imported.
    pub(crate) fn of(settings: &Settings, now: Instant) -> Self {
        let quiet = if settings.operation.watch_imports { QUIET_OF_EDITORS } else { QUIET };
        let mut files = Self { seen: BTreeMap::new(), events: FileEvents::new(quiet) };
        files.add(settings.restart_file().into_iter().map(as_it_is).collect(), now);
        files
    }

    /// Watches other files as well, given by their absolute paths, which were in these states when they were read.
    pub(crate) fn add(&mut self, mut files: Vec<(PathBuf, Option<Stamp>)>, now: Instant) {
        files.retain(|(file, _)| !self.seen.contains_key(file));
        // Workers that import for themselves tell of the same files again and again.
        if files.is_empty() {
            return;
        }
        self.events.add(files.iter().map(|(file, _)| file), now);
        // Of what has happened before that nobody tells.
        if files.iter().any(|(file, stamp)| Stamp::of(file) != *stamp) {
            self.events.happened(now);
        }
        self.seen.extend(files);
    }

    /// Readable when any may have changed.
    pub(crate) fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        self.events.poll_fd()
    }

    /// When to [`read`](Self::read) at the latest; `None`: when [`poll_fd`](Self::poll_fd) is readable.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.events.due()
    }

    /// Which have changed since the last time, in the words of the log. That one has gone is no change; that it is there again
    /// is.
    pub(crate) fn read(&mut self, now: Instant) -> Option<String> {
        if !self.events.may_have_changed(now) {
            return None;
        }
        let mut changed = Vec::new();
        for (file, seen) in &mut self.seen {
            let stamp = Stamp::of(file);
            if stamp != *seen && stamp.is_some() {
                changed.push(file.display());
            }
            *seen = stamp;
        }
        let (first, others) = changed.split_first()?;
        Some(match others.len() {
            0 => format!("{first} has changed"),
            1 => format!("{first} and one other file have changed"),
            count => format!("{first} and {count} other files have changed"),
        })
    }
}

/// A file, and its state now.
fn as_it_is(file: PathBuf) -> (PathBuf, Option<Stamp>) {
    let stamp = Stamp::of(&file);
    (file, stamp)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use rustix::event::{PollFd, PollFlags, poll};
    use tempfile::TempDir;

    use super::*;

    /// What a process that waits for requests would do: waits until it is told, and reads. `true`: within `patience`.
    fn is_told(file: &mut WatchedFiles, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            let now = Instant::now();
            if file.read(now).is_some() {
                return true;
            }
            if now >= deadline {
                return false;
            }
            let until = file.due().map_or(deadline, |due| due.min(deadline)).max(now);
            let timeout = (until - now + Duration::from_micros(100)).try_into().unwrap();
            let fd = file.poll_fd();
            let mut fds: Vec<_> = fd.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
            poll(&mut fds, Some(&timeout)).unwrap();
        }
    }

    fn expect_told(file: &mut WatchedFiles, what: &str) {
        assert!(is_told(file, Duration::from_secs(10)), "not told: {what}");
        expect_silence(file, what);
    }

    /// Nothing comes, also from the next look if there will be one.
    fn expect_silence(file: &mut WatchedFiles, what: &str) {
        let patience = Duration::from_millis(if file.due().is_none() { 100 } else { 1200 });
        assert!(!is_told(file, patience), "told: {what}");
    }

    const NAME: &str = "tmp/restart.txt";

    fn watch(path: &Path) -> WatchedFiles {
        let mut files = WatchedFiles { seen: BTreeMap::new(), events: FileEvents::new(QUIET) };
        files.add(vec![as_it_is(path.to_owned())], Instant::now());
        files
    }

    fn with_tmp() -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("tmp")).unwrap();
        let path = dir.path().join(NAME);
        (dir, path)
    }

    /// Makes or touches it. One change, however busy the machine is, and not by the clock, which has ticks.
    fn touch(path: &Path) {
        match fs::File::create_new(path) {
            Ok(_) => {}
            Err(_) => {
                let file = fs::File::open(path).unwrap();
                let later = file.metadata().unwrap().modified().unwrap() + Duration::from_secs(1);
                file.set_modified(later).unwrap();
            }
        }
    }

    #[test]
    fn every_way_to_change_the_file_is_a_request_and_its_end_is_none() {
        let (dir, path) = with_tmp();
        let mut file = watch(&path);
        assert_eq!(file.due(), None, "events tell");
        touch(&path);
        expect_told(&mut file, "made");
        touch(&path);
        expect_told(&mut file, "touched");
        fs::File::options().append(true).open(&path).unwrap().write_all(b"written").unwrap();
        expect_told(&mut file, "written");
        fs::write(dir.path().join("new"), "").unwrap();
        fs::rename(dir.path().join("new"), &path).unwrap();
        expect_told(&mut file, "replaced");
        fs::write(dir.path().join("tmp/other.txt"), "").unwrap();
        fs::remove_file(&path).unwrap();
        expect_silence(&mut file, "another file, and one that is deleted");
        fs::write(&path, "").unwrap();
        expect_told(&mut file, "made again");
        assert_eq!(file.due(), None, "events still tell");
    }

    #[test]
    fn what_was_there_before_is_no_request() {
        let (_dir, path) = with_tmp();
        fs::write(&path, "").unwrap();
        let mut file = watch(&path);
        expect_silence(&mut file, "nothing has happened");
        touch(&path);
        expect_told(&mut file, "touched");
    }

    #[test]
    fn a_folder_that_comes_goes_and_comes_again_is_watched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        let tmp = dir.path().join("tmp");
        let mut file = watch(&path);
        assert!(file.due().is_some(), "nothing tells of a folder that is not there");
        fs::create_dir(&tmp).unwrap();
        fs::write(&path, "").unwrap();
        expect_told(&mut file, "made with its folder");
        assert_eq!(file.due(), None, "events tell");
        fs::remove_dir_all(&tmp).unwrap();
        expect_silence(&mut file, "the folder has gone");
        assert!(file.due().is_some(), "nothing tells of a folder that is not there");
        fs::create_dir(&tmp).unwrap();
        fs::write(&path, "").unwrap();
        expect_told(&mut file, "made with its folder again");
        fs::rename(&tmp, dir.path().join("old")).unwrap();
        touch(&dir.path().join("old/restart.txt"));
        expect_silence(&mut file, "touched where it does not count any more");
        fs::create_dir(&tmp).unwrap();
        fs::write(&path, "").unwrap();
        expect_told(&mut file, "in a new folder");
    }

    #[test]
    fn a_folder_that_is_deleted_while_somebody_has_something_of_it_open_is_watched_when_it_comes_again() {
        let (dir, path) = with_tmp();
        let tmp = dir.path().join("tmp");
        let mut file = watch(&path);
        for time in ["made again", "made once more"] {
            assert_eq!(file.due(), None, "events tell before it is {time}");
            // As the control socket, or processes in the folder: until that has gone, the kernel does not call it deleted.
            let _socket = UnixListener::bind(tmp.join("socket")).unwrap();
            fs::remove_dir_all(&tmp).unwrap();
            expect_silence(&mut file, "the folder has gone");
            // Once it has been seen that it has, at the next look.
            expect_silence(&mut file, "it is still gone");
            fs::create_dir(&tmp).unwrap();
            fs::write(&path, "").unwrap();
            expect_told(&mut file, time);
        }
        fs::write(tmp.join("other"), "").unwrap();
        fs::remove_file(tmp.join("other")).unwrap();
        for _ in 0..2 {
            expect_silence(&mut file, "another file has gone");
        }
        assert_eq!(file.due(), None, "events still tell");
    }

    #[test]
    fn a_folder_above_that_is_replaced_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new, live) = (dir.path().join("old"), dir.path().join("new"), dir.path().join("live"));
        for folder in [&new, &live] {
            fs::create_dir_all(folder.join("tmp")).unwrap();
        }
        let mut file = watch(&live.join(NAME));
        assert_eq!(file.due(), None, "events tell");
        fs::rename(&live, &old).unwrap();
        fs::rename(&new, &live).unwrap();
        expect_silence(&mut file, "no file in either");
        touch(&live.join(NAME));
        expect_told(&mut file, "touched in the new folder");
    }

    #[test]
    fn links_that_lead_elsewhere_are_followed() {
        let dir = tempfile::tempdir().unwrap();
        for release in ["1", "2"] {
            fs::create_dir_all(dir.path().join(release).join("tmp")).unwrap();
        }
        let current = dir.path().join("current");
        let point_to = |release: &str| {
            symlink(dir.path().join(release), dir.path().join("next")).unwrap();
            fs::rename(dir.path().join("next"), &current).unwrap();
        };
        point_to("1");
        let mut file = watch(&current.join(NAME));
        touch(&dir.path().join("1").join(NAME));
        expect_told(&mut file, "behind the link");
        touch(&dir.path().join("2").join(NAME));
        expect_silence(&mut file, "not there yet");
        point_to("2");
        expect_told(&mut file, "another file by the same path");
        touch(&current.join(NAME));
        expect_told(&mut file, "behind the new link");

        // The file itself as a link.
        fs::write(dir.path().join("elsewhere"), "").unwrap();
        fs::remove_file(current.join(NAME)).unwrap();
        symlink(dir.path().join("elsewhere"), current.join(NAME)).unwrap();
        expect_told(&mut file, "a link");
        touch(&dir.path().join("elsewhere"));
        expect_told(&mut file, "what it leads to");
    }

    #[test]
    fn a_change_before_it_was_watched_is_noticed() {
        let (_dir, path) = with_tmp();
        let mut files = WatchedFiles { seen: BTreeMap::new(), events: FileEvents::new(QUIET) };
        let before = as_it_is(path.clone());
        touch(&path);
        files.add(vec![before], Instant::now());
        expect_told(&mut files, "made before");
    }

    #[test]
    fn the_file_is_noticed_among_many_others() {
        let (dir, path) = with_tmp();
        let mut file = watch(&path);
        // Two events each, and those of the file come last: they must not get lost between two readings.
        for others in [500, 504, 511] {
            for other in 0..others {
                fs::write(dir.path().join("tmp").join(format!("{others}{other}")), "").unwrap();
            }
            touch(&path);
            expect_told(&mut file, &format!("touched after {others} others"));
        }
    }

    #[test]
    fn watching_more_takes_nothing_from_what_is_watched() {
        let (dir, path) = with_tmp();
        let tmp = dir.path().join("tmp");
        let other = dir.path().join("other/a.py");
        fs::create_dir(other.parent().unwrap()).unwrap();
        let mut files = watch(&path);
        // Until somebody who has something of it open lets go, nothing tells of its end.
        let _socket = UnixListener::bind(tmp.join("socket")).unwrap();
        fs::remove_dir_all(&tmp).unwrap();
        assert!(files.read(Instant::now()).is_none());
        files.add(vec![as_it_is(other.clone())], Instant::now());
        files.add(vec![as_it_is(other.clone())], Instant::now());
        fs::create_dir(&tmp).unwrap();
        fs::write(&path, "").unwrap();
        expect_told(&mut files, "made in a new folder");
        // A folder that came before more was watched.
        fs::remove_dir_all(&tmp).unwrap();
        expect_silence(&mut files, "it has gone");
        fs::create_dir(&tmp).unwrap();
        files.add(vec![as_it_is(dir.path().join("b.py"))], Instant::now());
        expect_silence(&mut files, "it is there again");
        assert_eq!(files.due(), None, "events tell");
        fs::write(&path, "").unwrap();
        expect_told(&mut files, "made in the folder that is there again");
    }

    #[test]
    fn a_save_elsewhere_does_not_call_off_a_look() {
        let (dir, path) = with_tmp();
        let tmp = dir.path().join("tmp");
        let other = dir.path().join("other/a.py");
        fs::create_dir(other.parent().unwrap()).unwrap();
        let mut files = watch(&path);
        files.add(vec![as_it_is(other.clone())], Instant::now());
        let _socket = UnixListener::bind(tmp.join("socket")).unwrap();
        fs::remove_dir_all(&tmp).unwrap();
        assert!(files.read(Instant::now()).is_none());
        fs::write(&other, "").unwrap();
        assert!(is_told(&mut files, Duration::from_secs(10)), "a save");
        fs::create_dir(&tmp).unwrap();
        fs::write(&path, "").unwrap();
        expect_told(&mut files, "made in a new folder");
    }

    #[test]
    fn a_folder_that_cannot_be_watched_keeps_no_other_from_it() {
        let (dir, path) = with_tmp();
        let mut files = watch(&path);
        fs::create_dir(dir.path().join("b")).unwrap();
        let missing = dir.path().join("a/x.py");
        let there = dir.path().join("b/y.py");
        files.add(vec![as_it_is(missing), as_it_is(there.clone())], Instant::now());
        fs::write(&there, "").unwrap();
        // By an event, which is there before the next look.
        assert!(is_told(&mut files, Duration::from_millis(900)), "not told by an event");
    }

    #[test]
    fn what_has_changed_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["a", "b", "c"].map(|name| dir.path().join(name));
        let mut files = watch(&paths[0]);
        files.add(paths.iter().cloned().map(as_it_is).collect(), Instant::now());
        let mut expect = |count: usize, what: &str| {
            paths[..count].iter().for_each(|path| touch(path));
            // The clock is ours.
            assert_eq!(files.read(Instant::now()), None);
            let said = files.read(Instant::now() + Duration::from_secs(1));
            assert_eq!(said, Some(format!("{}{what}", paths[0].display())));
        };
        expect(1, " has changed");
        expect(2, " and one other file have changed");
        expect(3, " and 2 other files have changed");
    }

    #[test]
    fn without_inotify_one_looks() {
        let (_dir, path) = with_tmp();
        let mut file = watch(&path);
        file.events.be_deaf(Instant::now());
        assert!(file.poll_fd().is_none() && file.due().is_some());
        touch(&path);
        expect_told(&mut file, "made");
        touch(&path);
        expect_told(&mut file, "touched");
    }
}
