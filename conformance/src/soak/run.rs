//! One soak from start to end: the subject is started, sent traffic, looked at, and ended.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mock_lsws::{AppCommand, AppLog, DEFAULT_BACKLOG, Listener, SpawnedApp, Spawner};
use tokio::task::JoinSet;

use super::SoakError;
use super::report::{Ended, Progress};
use super::sample::Sample;
use super::traffic::Traffic;
use crate::cli::SoakMode;
use crate::runner::temporary;
use crate::subject::{Place, Subject};
use crate::{Error, exit_code};

/// The application of a soak.
const APPLICATION: &str = include_str!("app.wsgi");

/// Its role, for subjects that are told one.
const ROLE: &str = "soak";

/// Longest time between two looks at the processes.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often they are looked at in a soak that is too short for that.
const LOOKS: u32 = 40;

/// How often in a row a subject may end at once before it is given up.
const STARTS: u32 = 5;

/// What is to be done.
#[derive(Debug)]
pub struct Soak {
    /// The application under test.
    pub subject: Subject,
    /// Where its files are.
    pub place: Place,
    /// This program, which becomes the spawner.
    pub spawner: PathBuf,
    /// How the subject is started.
    pub mode: SoakMode,
    /// For how long.
    pub length: Duration,
    /// Processes of a group.
    pub children: u32,
    /// Requests after which each of them is replaced.
    pub max_requests: u32,
    /// Clients at the same time.
    pub clients: usize,
    /// Where the figures go as JSON; `-` is standard output, in place of the table.
    pub json: Option<PathBuf>,
}

/// Soaks, reports, and returns the exit code.
///
/// # Errors
/// [`SoakError`] when the subject or the way to it is missing, [`Error::Interrupted`] after Ctrl-C or SIGTERM.
pub async fn run(soak: Soak) -> Result<u8, Error> {
    let stage = Stage::set(&soak).await?;
    let script = stage.script.clone();
    let env = soak.subject.request_env(ROLE, Some(&script), &soak.place);
    // A lone worker that crashes ends, and takes its figures along.
    let traffic = Arc::new(Traffic::new(stage.listener.address().clone(), env, soak.mode == SoakMode::Group));
    let mut clients = JoinSet::new();
    for _ in 0..soak.clients {
        let traffic = Arc::clone(&traffic);
        clients.spawn(async move { traffic.client(fastrand::u64(..)).await });
    }
    let watched = tokio::select! {
        watched = stage.watch(&soak, &traffic) => watched?,
        () = interrupted() => {
            // Dropping the spawner ends every process.
            return Err(Error::Interrupted);
        }
    };
    traffic.end();
    while clients.join_next().await.is_some() {}
    stage.spawner.end_all().await.map_err(SoakError::from)?;
    let counts = traffic.counts().clone();
    let ended = Ended::new(&soak, watched.samples, counts, watched.starts);
    ended.report(&soak)?;
    Ok(if ended.is_sound() { exit_code::PASSED } else { exit_code::FAILED })
}

/// Ctrl-C, or SIGTERM.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => if interrupt.is_err() { std::future::pending().await },
        _ = terminate.recv() => {}
    }
}

/// What the subject runs on.
struct Stage {
    spawner: Spawner,
    listener: Listener,
    command: AppCommand,
    script: PathBuf,
}

/// What was seen.
struct Watched {
    samples: Vec<Sample>,
    /// How often the subject was started.
    starts: u32,
}

impl Stage {
    async fn set(soak: &Soak) -> Result<Self, SoakError> {
        let Soak { subject, place, .. } = soak;
        let spawner = Spawner::start(&soak.spawner, ["spawner"]).await?;
        let folder = spawner.make_folder(&temporary()).await?;
        let script = folder.join("app.wsgi");
        write_application(&folder, &script, place.account.is_some())
            .map_err(|source| SoakError::Unwritable { path: script.clone(), source })?;
        let command = subject.command(ROLE, Some(&script), place).map_err(|error| SoakError::NotStarted {
            subject: subject.name.clone(),
            reason: error.to_string(),
        })?;
        let command = command.envs(variables(soak)).log(AppLog::Append(folder.join("stderr.log")));
        let listener = Listener::unix(&folder.join("app.sock"), DEFAULT_BACKLOG)?;
        Ok(Self { spawner, listener, command, script })
    }

    async fn start(&self, name: &str) -> Result<SpawnedApp, SoakError> {
        let input = self.listener.share().map_err(SoakError::HandOver)?;
        let not_started = |reason: String| SoakError::NotStarted { subject: name.to_owned(), reason };
        self.spawner.spawn(&self.command, input).await.map_err(|error| not_started(error.to_string()))
    }

    /// Looks at the processes until the time is over, and starts the subject again when it has ended.
    async fn watch(&self, soak: &Soak, traffic: &Traffic) -> Result<Watched, SoakError> {
        let mut app = self.start(&soak.subject.name).await?;
        let (mut samples, mut starts, mut early) = (Vec::new(), 1, 0);
        let begun = Instant::now();
        let interval = INTERVAL.min(soak.length / LOOKS);
        let mut progress = Progress::new(soak.length);
        while begun.elapsed() < soak.length {
            tokio::time::sleep(interval).await;
            if let Some(exit) = app.exit() {
                early =
                    if app.lifetime().is_some_and(|lifetime| lifetime > INTERVAL) { 0 } else { early + 1 };
                let what = format!("the process of {} ended: {exit}", soak.subject.name);
                if early == STARTS {
                    return Err(SoakError::NotStarted { subject: soak.subject.name.clone(), reason: what });
                }
                // A manager has no reason to leave; a worker has a few.
                if soak.mode == SoakMode::Group || !exit.success() {
                    traffic.counts().unexpected(what);
                }
                app = self.start(&soak.subject.name).await?;
                starts += 1;
                continue;
            }
            let sample = Sample::take(&self.spawner.descendants(), begun.elapsed().as_secs_f64());
            samples.push(sample);
            progress.show(&sample, &traffic.counts());
        }
        progress.clear();
        Ok(Watched { samples, starts })
    }
}

/// The variables that make it a group, or a worker that stays.
fn variables(soak: &Soak) -> Vec<(&'static str, String)> {
    match soak.mode {
        SoakMode::Group => vec![
            ("LSAPI_CHILDREN", soak.children.to_string()),
            ("LSAPI_MAX_REQS", soak.max_requests.to_string()),
        ],
        SoakMode::Worker => vec![("LSAPI_MAX_REQS", i32::MAX.to_string())],
    }
}

fn write_application(folder: &Path, script: &Path, for_another_user: bool) -> io::Result<()> {
    std::fs::write(script, APPLICATION)?;
    std::fs::set_permissions(script, Permissions::from_mode(0o644))?;
    // The way there; nobody else learns its name.
    std::fs::set_permissions(folder, Permissions::from_mode(if for_another_user { 0o711 } else { 0o700 }))
}
