//! Tells when some files may have changed: by inotify on their folders, or by looking once a second where it does not tell.
//!
//! It does not tell of what another machine does to a network file system, of a folder that is not there, nor of a symbolic
//! link on the way that now leads elsewhere. And a user has only so many watches. Whether a file *has* changed is for the
//! caller to find out.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::fs::{FsWord, statfs};
use rustix::io::Errno;

/// How often one looks where there are no events.
const LOOK: Duration = Duration::from_secs(1);

/// So many times the quiet that is waited for is the longest one waits for it.
const MOST_QUIETS: u32 = 10;

/// How long one does not listen after events of other files in the folders. Applications write logs and sessions there, and
/// nobody should wake for each line.
const REST: Duration = Duration::from_millis(100);

/// After so many events no more are fetched at a time.
const MOST_EVENTS: usize = 1000;

/// What happens in a folder when a file is made, written, touched (MODIFY, if only the time of change is set), or put in the
/// place of another. A file that goes is missed when another comes; but the folder may be the next to go.
const ENTRIES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE);

/// What happens to a folder when its path does not lead to it any more.
const ITSELF: WatchFlags = WatchFlags::MOVE_SELF.union(WatchFlags::DELETE_SELF);

/// After these the watches have to be set up anew.
const LOST: ReadFlags = ReadFlags::MOVE_SELF
    .union(ReadFlags::DELETE_SELF)
    .union(ReadFlags::IGNORED)
    .union(ReadFlags::UNMOUNT)
    .union(ReadFlags::QUEUE_OVERFLOW);

/// Types of file systems other machines, or other programs, write to: AFS, Ceph, CIFS, Coda, FUSE, GPFS, Lustre, NFS, 9P,
/// OCFS2, SMB, SMB2, VirtualBox.
const REMOTE: [u32; 13] = [
    0x5346_414f,
    0x00c3_6400,
    0xff53_4d42,
    0x7375_7245,
    0x6573_5546,
    0x4750_4653,
    0x0bd0_0bd0,
    0x0000_6969,
    0x0102_1997,
    0x7461_636f,
    0x0000_517b,
    0xfe53_4d42,
    0x786f_4256,
];

/// Tells when some files may have changed.
#[derive(Debug)]
pub(crate) struct FileEvents {
    files: Vec<PathBuf>,
    names: BTreeSet<OsString>,
    /// The folders they are in, with what the paths led to when the watches were set up.
    folders: BTreeMap<PathBuf, Option<Identity>>,
    /// One save is several events: so long without one is waited for.
    quiet: Duration,
    /// When the first and the last event came that have not been told of.
    untold: Option<(Instant, Instant)>,
    inotify: Option<OwnedFd>,
    /// It tells of all folders.
    tells_all: bool,
    /// Until when one does not listen.
    resting: Option<Instant>,
    /// When to look, if events alone do not tell.
    next_look: Option<Instant>,
}

impl FileEvents {
    /// Events of no files yet; told after a `quiet`.
    pub(crate) fn new(quiet: Duration) -> Self {
        Self {
            files: Vec::new(),
            names: BTreeSet::new(),
            folders: BTreeMap::new(),
            quiet,
            untold: None,
            inotify: None,
            tells_all: false,
            resting: None,
            next_look: None,
        }
    }

    /// Events of `files` as well, given by absolute paths, from `now` on.
    pub(crate) fn add<'a>(&mut self, files: impl Iterator<Item = &'a PathBuf>, now: Instant) {
        let mut new = BTreeSet::new();
        for file in files {
            self.files.push(file.clone());
            self.names.extend(file.file_name().map(OsStr::to_owned));
            let folder = file.parent().filter(|folder| !self.folders.contains_key(*folder));
            new.extend(folder.map(Path::to_owned));
        }
        if self.inotify.is_none() {
            self.folders.extend(new.into_iter().map(|folder| (folder, None)));
            return self.set_up(now);
        }
        for folder in new {
            let there = identity(&folder);
            self.tells_all &= self.inotify.as_ref().is_some_and(|inotify| watch(inotify, &folder).is_ok());
            self.folders.insert(folder, there);
        }
        self.look_if_needed(now);
    }

    /// Readable when something has happened. `None`: one need not wait for that now.
    pub(crate) fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().filter(|_| self.resting.is_none()).map(|inotify| inotify.as_fd())
    }

    /// When to come back at the latest; `None`: when [`poll_fd`](Self::poll_fd) is readable.
    pub(crate) fn due(&self) -> Option<Instant> {
        let told = self.untold.map(|untold| self.told_at(untold));
        [told, self.next_look, self.resting].into_iter().flatten().min()
    }

    /// Takes in what has happened. Returns whether it is time to see what has become of the files.
    pub(crate) fn may_have_changed(&mut self, now: Instant) -> bool {
        self.resting = self.resting.filter(|&until| now < until);
        let (happened, has_deleted) = if self.resting.is_some() { (None, false) } else { self.read() };
        if happened == Some(Happened::Elsewhere) {
            self.resting = Some(now + REST);
        }
        if happened == Some(Happened::Lost) {
            self.set_up(now);
        }
        if matches!(happened, Some(Happened::Here | Happened::Lost)) {
            self.happened(now);
            // One of them may be a link now.
            self.look_if_needed(now);
        }
        let looks = self.next_look.is_some_and(|at| at <= now);
        if looks {
            self.next_look = None;
            if self.folders.iter().all(|(folder, there)| identity(folder) == *there) {
                self.look_if_needed(now);
            } else {
                self.set_up(now);
            }
        }
        if has_deleted {
            // Nothing tells of the end of a folder that somebody is in, or has a socket in.
            self.next_look.get_or_insert(now + LOOK);
        }
        if self.untold.is_some_and(|untold| self.told_at(untold) <= now) {
            self.untold = None;
            return true;
        }
        looks
    }

    /// As if one had been told.
    pub(crate) fn happened(&mut self, now: Instant) {
        let first = self.untold.map_or(now, |(first, _)| first);
        self.untold = Some((first, now));
    }

    fn told_at(&self, (first, last): (Instant, Instant)) -> Instant {
        (last + self.quiet).min(first + self.quiet * MOST_QUIETS)
    }

    /// Sets up the watches. What happens from here on is told of.
    fn set_up(&mut self, now: Instant) {
        self.inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
        self.tells_all = self.inotify.is_some();
        // All of them: one that cannot be watched does not keep the others from it.
        for (folder, there) in &mut self.folders {
            *there = identity(folder);
            self.tells_all &= self.inotify.as_ref().is_some_and(|inotify| watch(inotify, folder).is_ok());
        }
        self.next_look = None;
        self.look_if_needed(now);
    }

    /// Sees to it that one looks, where events do not tell of everything. What is due already stays.
    fn look_if_needed(&mut self, now: Instant) {
        let has_links = || {
            let folders = self.folders.keys().flat_map(|folder| folder.ancestors());
            folders.chain(self.files.iter().map(PathBuf::as_path)).any(Path::is_symlink)
        };
        if !self.folders.is_empty() && (!self.tells_all || has_links()) {
            self.next_look.get_or_insert(now + LOOK);
        }
    }

    /// The most important of what has happened, and whether anything has been deleted.
    fn read(&self) -> (Option<Happened>, bool) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let (mut happened, mut has_deleted) = (None, false);
        let Some(inotify) = &self.inotify else { return (happened, has_deleted) };
        let mut reader = Reader::new(inotify, &mut buffer);
        let mut count = 0;
        // What has been fetched is nowhere else any more.
        while count < MOST_EVENTS || !reader.is_buffer_empty() {
            // Nothing is left, or nothing can be read: a look would not be better.
            let Ok(event) = reader.next() else { break };
            count += 1;
            has_deleted |= event.events().contains(ReadFlags::DELETE);
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            happened = happened.max(Some(if event.events().intersects(LOST) {
                Happened::Lost
            } else if name.is_some_and(|name| self.names.contains(name)) {
                Happened::Here
            } else {
                Happened::Elsewhere
            }));
        }
        (happened, has_deleted)
    }
}

/// What there are events of, the less important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happened {
    /// Other files in the folders.
    Elsewhere,
    /// The files.
    Here,
    /// The watches themselves.
    Lost,
}

/// Device and inode.
type Identity = (u64, u64);

/// What the path leads to.
fn identity(folder: &Path) -> Option<Identity> {
    folder.metadata().ok().map(|there| (there.dev(), there.ino()))
}

/// Has `inotify` tell of `folder`.
///
/// # Errors
/// When it is not there, or on a file system that does not tell of everything, or watches have run out.
fn watch(inotify: &OwnedFd, folder: &Path) -> Result<(), Errno> {
    if is_remote(statfs(folder)?.f_type) {
        return Err(Errno::NOTSUP);
    }
    let flags = WatchFlags::ONLYDIR | WatchFlags::MASK_ADD;
    // Those above first: if one is moved meanwhile, that is told of. One that may not be read is not ours to move.
    for above in folder.ancestors().skip(1) {
        match inotify::add_watch(inotify, above, ITSELF | flags) {
            Ok(_) | Err(Errno::ACCESS) => {}
            Err(errno) => return Err(errno),
        }
    }
    inotify::add_watch(inotify, folder, ENTRIES | ITSELF | flags)?;
    Ok(())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the numbers have 32 bits")]
fn is_remote(kind: FsWord) -> bool {
    REMOTE.contains(&(kind as u32))
}

#[cfg(test)]
impl FileEvents {
    /// As where watches have run out.
    pub(crate) fn be_deaf(&mut self, now: Instant) {
        (self.inotify, self.tells_all) = (None, false);
        self.next_look = Some(now + LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_whatever_the_sign_of_their_numbers() {
        for kind in [0x6969, 0x6573_5546, 0xff53_4d42_u32 as FsWord, -11_317_950] {
            assert!(is_remote(kind), "{kind:#x}");
        }
        // ext4, tmpfs, overlayfs, btrfs.
        for kind in [0xef53, 0x0102_1994, 0x794c_7630, 0x9123_683e_u32 as FsWord] {
            assert!(!is_remote(kind), "{kind:#x}");
        }
    }

    #[test]
    fn nobody_wakes_for_each_event_of_other_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let start = Instant::now();
        let mut events = FileEvents::new(Duration::ZERO);
        events.add(std::iter::once(&path), start);
        std::fs::write(dir.path().join("other"), "").unwrap();
        assert!(!events.may_have_changed(start));
        assert!(events.poll_fd().is_none());
        assert_eq!(events.due(), Some(start + REST));
        std::fs::write(dir.path().join("other"), "").unwrap();
        std::fs::write(&path, "").unwrap();
        assert!(!events.may_have_changed(start + REST / 2));
        assert!(events.may_have_changed(start + REST));
        assert!(events.poll_fd().is_some());
        assert_eq!(events.due(), None);
    }

    #[test]
    fn several_events_are_told_once_when_it_is_quiet_and_those_that_never_end_now_and_then() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let quiet = Duration::from_millis(100);
        let start = Instant::now();
        let mut events = FileEvents::new(quiet);
        events.add(std::iter::once(&path), start);
        // The clock is ours.
        for tenth in 0..=9 {
            std::fs::write(&path, "").unwrap();
            let now = start + quiet * tenth * 9 / 10;
            assert!(!events.may_have_changed(now), "{tenth}");
            assert!(events.due().is_some_and(|due| due > now));
        }
        let last = start + quiet * 81 / 10;
        assert_eq!(events.due(), Some(last + quiet));
        assert!(events.may_have_changed(last + quiet));
        assert!(!events.may_have_changed(last + quiet * 2));
        assert_eq!(events.due(), None);
        let told = (0..30).filter(|step| {
            std::fs::write(&path, "").unwrap();
            events.may_have_changed(last + quiet * 3 + quiet * *step / 2)
        });
        assert_eq!(told.count(), 1);
    }
}
