//! What manager, template and workers say to each other.
//!
//! Everything is said between processes of one program, forked from one another: no versions, native byte order. What cannot
//! be understood is an error of ours all the same, and never a panic.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::group::channel::MAX_MESSAGE;
use crate::python::imports::Read;
use crate::watch::Stamp;
use crate::worker::Recycle;

/// The manager to the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToTemplate {
    /// Fork a worker for this slot. The worker's end of its channel comes along.
    Fork {
        /// Number of the slot on the board, from 0.
        slot: u32,
        /// It is to show whether the template is of use: without the application it says so and ends.
        is_trial: bool,
    },
    /// Look whether log files are to be opened anew.
    Reopen,
}

/// The template to the manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FromTemplate {
    /// Workers can be forked now.
    Ready {
        /// The application has been imported; otherwise each worker does that.
        imported: bool,
    },
    /// The application has been imported, and threads run that a fork would not take along. The template ends.
    Threads {
        /// What they are called.
        names: String,
    },
    /// The application cannot be imported, or Python not be started. The template ends.
    Failed {
        /// The exit code a worker without a group would leave with.
        code: u8,
        /// Why, in one line.
        reason: String,
    },
    /// The application, or what there is of it, has imported these files. As many as a message holds: see [`portions`].
    Imported(Vec<Read>),
    /// A worker has been forked.
    Forked {
        /// The slot it was forked for.
        slot: u32,
        /// Its process.
        pid: i32,
    },
    /// A worker could not be forked.
    NotForked {
        /// The slot it was wanted for.
        slot: u32,
        /// Why.
        errno: i32,
    },
}

/// The manager to a worker. What it should do otherwise is an [`Order`](crate::board::Order) on the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToWorker {
    /// Serve the connection that comes along.
    Connection,
}

/// A worker to the manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FromWorker {
    /// It has started and can take a connection.
    Ready,
    /// It was to show whether requests can be served, and they cannot. It ends.
    Unusable {
        /// Why, in one line.
        reason: String,
    },
    /// It has claimed the connection it was given; the manager's copy is not needed any more.
    Taken,
    /// Its connection has ended, or was not there to be claimed any more, and it can take another.
    Ended,
    /// The application has imported these files.
    Imported(Vec<Read>),
    /// It takes nothing more: its last request has ended, or it leaves without one. Its exit handlers may still run; the
    /// slot of a running worker is free.
    LastDone {
        /// Under which name that is counted.
        counts_as: Recycle,
        /// Why it leaves, in the words of the log.
        reason: String,
    },
}

/// A message nobody sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message between processes of the group cannot be understood")]
pub(super) struct Unknown;

impl ToTemplate {
    pub(super) fn encode(self) -> Vec<u8> {
        match self {
            Self::Fork { slot, is_trial } => {
                [&[if is_trial { b'T' } else { b'F' }][..], &slot.to_ne_bytes()].concat()
            }
            Self::Reopen => vec![b'L'],
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Unknown> {
        match bytes {
            [kind @ (b'F' | b'T'), slot @ ..] => {
                Ok(Self::Fork { slot: u32::from_ne_bytes(number(slot)?), is_trial: *kind == b'T' })
            }
            [b'L'] => Ok(Self::Reopen),
            _ => Err(Unknown),
        }
    }
}

impl FromTemplate {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Ready { imported } => vec![b'R', u8::from(*imported)],
            Self::Threads { names } => text(b"T", names),
            Self::Failed { code, reason } => text(&[b'E', *code], reason),
            Self::Imported(files) => records(files),
            Self::Forked { slot, pid } => [&[b'F'][..], &slot.to_ne_bytes(), &pid.to_ne_bytes()].concat(),
            Self::NotForked { slot, errno } => {
                [&[b'N'][..], &slot.to_ne_bytes(), &errno.to_ne_bytes()].concat()
            }
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Unknown> {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        match bytes {
            [b'R', imported] => Ok(Self::Ready { imported: *imported != 0 }),
            [b'T', names @ ..] => Ok(Self::Threads { names: text(names) }),
            [b'E', code, reason @ ..] => Ok(Self::Failed { code: *code, reason: text(reason) }),
            [b'I', files @ ..] => split(files).map(Self::Imported),
            [kind @ (b'F' | b'N'), rest @ ..] => {
                let (slot, value) = rest.split_at_checked(4).ok_or(Unknown)?;
                let (slot, value) = (u32::from_ne_bytes(number(slot)?), i32::from_ne_bytes(number(value)?));
                Ok(match kind {
                    b'F' => Self::Forked { slot, pid: value },
                    _ => Self::NotForked { slot, errno: value },
                })
            }
            _ => Err(Unknown),
        }
    }
}

impl ToWorker {
    pub(super) const fn encode(self) -> &'static [u8] {
        match self {
            Self::Connection => b"C",
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Unknown> {
        match bytes {
            b"C" => Ok(Self::Connection),
            _ => Err(Unknown),
        }
    }
}

impl FromWorker {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Ready => b"R".to_vec(),
            Self::Unusable { reason } => text(b"U", reason),
            Self::Taken => b"T".to_vec(),
            Self::Ended => b"E".to_vec(),
            Self::Imported(files) => records(files),
            Self::LastDone { counts_as, reason } => text(&[b'L', *counts_as as u8], reason),
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Unknown> {
        match bytes {
            b"R" => Ok(Self::Ready),
            [b'U', reason @ ..] => {
                Ok(Self::Unusable { reason: String::from_utf8_lossy(reason).into_owned() })
            }
            b"T" => Ok(Self::Taken),
            b"E" => Ok(Self::Ended),
            [b'I', files @ ..] => split(files).map(Self::Imported),
            [b'L', counts_as, reason @ ..] => {
                let counts_as = *Recycle::ALL.get(usize::from(*counts_as)).ok_or(Unknown)?;
                Ok(Self::LastDone { counts_as, reason: String::from_utf8_lossy(reason).into_owned() })
            }
            _ => Err(Unknown),
        }
    }
}

fn number(bytes: &[u8]) -> Result<[u8; 4], Unknown> {
    bytes.try_into().map_err(|_| Unknown)
}

/// Files in as many portions as it takes messages.
pub(super) fn portions(files: Vec<Read>) -> Vec<Vec<Read>> {
    let mut portions = Vec::new();
    let (mut portion, mut size) = (Vec::new(), 1);
    for file in files {
        let len = record(&file).len();
        // One whose path is that long has to do without.
        if len >= MAX_MESSAGE {
            continue;
        }
        if size + len > MAX_MESSAGE {
            portions.push(std::mem::take(&mut portion));
            size = 1;
        }
        size += len;
        portion.push(file);
    }
    if !portion.is_empty() {
        portions.push(portion);
    }
    portions
}

/// A file: whether it could be read, its state then, and its path with the zero behind it that none contains.
fn record((path, stamp): &Read) -> Vec<u8> {
    let state = stamp.map_or([0; Stamp::BYTES], Stamp::to_bytes);
    [&[u8::from(stamp.is_some())][..], &state, path.as_os_str().as_bytes(), b"\0"].concat()
}

fn records(files: &[Read]) -> Vec<u8> {
    std::iter::once(b'I').chain(files.iter().flat_map(record)).collect()
}

fn split(mut bytes: &[u8]) -> Result<Vec<Read>, Unknown> {
    let mut files = Vec::new();
    while let Some((&is_read, rest)) = bytes.split_first() {
        let (&state, rest) = rest.split_first_chunk().ok_or(Unknown)?;
        let end = rest.iter().position(|&byte| byte == 0).ok_or(Unknown)?;
        let (path, rest) = rest.split_at_checked(end).ok_or(Unknown)?;
        files.push((OsStr::from_bytes(path).into(), (is_read != 0).then(|| Stamp::from_bytes(state))));
        bytes = rest.get(1..).unwrap_or_default();
    }
    Ok(files)
}

/// `text` behind `head`, as much of it as a message holds.
fn text(head: &[u8], text: &str) -> Vec<u8> {
    let room = MAX_MESSAGE - head.len();
    [head, &text.as_bytes()[..text.len().min(room)]].concat()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let fork = |is_trial| ToTemplate::Fork { slot: 70_000, is_trial };
        for message in [fork(false), fork(true), ToTemplate::Reopen] {
            assert_eq!(ToTemplate::decode(&message.encode()), Ok(message));
        }
        for message in [
            FromTemplate::Ready { imported: true },
            FromTemplate::Threads { names: "'a', 'b'".into() },
            FromTemplate::Failed { code: 7, reason: "no module named x".into() },
            FromTemplate::Imported(vec![
                ("/one".into(), None),
                ("/two words".into(), Stamp::of(Path::new("/"))),
            ]),
            FromTemplate::Forked { slot: 1, pid: 4711 },
            FromTemplate::NotForked { slot: 2, errno: 11 },
        ] {
            assert_eq!(FromTemplate::decode(&message.encode()), Ok(message));
        }
        let last = FromWorker::LastDone { counts_as: Recycle::Idle, reason: "idle (LSAPI_MAX_IDLE)".into() };
        let imported = FromWorker::Imported(vec![("/one".into(), None)]);
        let unusable = FromWorker::Unusable { reason: "no module named x".into() };
        for message in [FromWorker::Ready, unusable, FromWorker::Taken, FromWorker::Ended, imported, last] {
            assert_eq!(FromWorker::decode(&message.encode()), Ok(message));
        }
        assert_eq!(ToWorker::decode(ToWorker::Connection.encode()), Ok(ToWorker::Connection));
    }

    #[test]
    fn nothing_else_is() {
        for bytes in [&b""[..], b"X", b"F", b"F123", b"R", b"E", b"Nx", b"F12345678"] {
            assert_eq!(ToTemplate::decode(bytes).is_ok(), bytes.len() == 5, "{bytes:?}");
        }
        assert_eq!(FromTemplate::decode(b"F1234567"), Err(Unknown));
        assert_eq!(FromWorker::decode(b"TT"), Err(Unknown));
        for bytes in [&b"I1"[..], &[b'I'; 33], &[b'I'; 40]] {
            assert_eq!(FromWorker::decode(bytes), Err(Unknown), "{bytes:?}");
        }
        assert_eq!(ToWorker::decode(b""), Err(Unknown));
    }

    #[test]
    fn files_of_any_number_are_told_in_messages_that_fit() {
        let long = |len: usize| (PathBuf::from("x".repeat(len)), None);
        let files: Vec<Read> = (1..300).map(|count| long(count * 7 % 500 + 1)).chain([long(4061)]).collect();
        let portions = portions([files.clone(), vec![long(4062)]].concat());
        assert!(portions.len() > 10, "{}", portions.len());
        let mut told = Vec::new();
        for portion in portions {
            let message = FromTemplate::Imported(portion).encode();
            assert!(message.len() <= MAX_MESSAGE, "{}", message.len());
            let Ok(FromTemplate::Imported(portion)) = FromTemplate::decode(&message) else {
                panic!("{message:?}")
            };
            told.extend(portion);
        }
        assert_eq!(told, files);
        assert!(super::portions(Vec::new()).is_empty());
    }

    #[test]
    fn a_reason_of_any_length_fits() {
        let failed = FromTemplate::Failed { code: 7, reason: "é".repeat(MAX_MESSAGE) };
        assert_eq!(failed.encode().len(), MAX_MESSAGE);
    }
}
