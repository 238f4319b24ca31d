//! What a case runs on: a folder, a parent process, the application, its descriptor 0.

use std::ffi::OsString;
use std::fs::Permissions;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use mock_lsws::scenario::{HandedLimit, Mode, Program, SUEXEC_SECRET, SocketKind, Start, Template, Vars};
use mock_lsws::{
    Address, AppCommand, AppLog, DEFAULT_BACKLOG, Listener, Resource, SpawnedApp, Spawner, SpawnerError,
    Transcript,
};

use super::app_folder::AppFolder;
use super::case::highest_core_limit;
use super::input::{Input, free_port, reachable};
use super::log::Log;
use super::log_file::LogFile;
use super::peer::Peer;
use super::schedule::Plan;
use crate::subject::{Account, Subject, SubjectError};

/// Bytes of the longest folder that sockets can be below: 107 are the most for the whole path, the rest is for
/// `/lsapi-XXXXXX/app.sock`.
const LONGEST: usize = 107 - 22;

/// What a case runs on. Everything in it goes when the case is over.
pub(super) struct Stage {
    pub(super) transcript: Transcript,
    /// The application's process; another one when it was started again.
    app: RwLock<Arc<SpawnedApp>>,
    command: AppCommand,
    pub(super) spawner: Spawner,
    listener: Option<Listener>,
    /// Where connections are made to.
    pub(super) address: Option<Address>,
    mode: Mode,
    /// What keeps descriptor 0 of the application as it is.
    other_end: Mutex<Option<OwnedFd>>,
    /// The names of addresses that are free, and the folder of the scenario's own application.
    vars: Vars,
    /// The application's stderr.
    pub(super) log: LogFile,
    /// The application's own folder: its working directory, and its place for temporary files.
    pub(super) work: PathBuf,
    /// The folder of an application that the scenario brings with it.
    pub(super) app_folder: Option<AppFolder>,
}

/// Why a case could not start.
pub(super) enum StageError {
    /// Something this program needs for itself is missing. Says nothing about the subject.
    Runner(String),
    /// The subject has no command that could be run.
    NoCommand(SubjectError),
    /// The application could not be started.
    Subject(String),
}

impl Stage {
    /// Starts `subject` as `start` says. In worker mode the connection is there from the beginning.
    pub(super) async fn set(
        plan: &Plan,
        subject: &Subject,
        start: &Start,
    ) -> Result<(Self, Option<Peer>), StageError> {
        let runner = |error: SpawnerError| StageError::Runner(error.to_string());
        let spawner = Spawner::start(&plan.spawner, ["spawner"]).await.map_err(runner)?;
        // The keeper removes it, however this program ends.
        let folder = spawner.make_folder(&temporary()).await.map_err(runner)?;
        let work = folder_of_the_application(&folder, "work", plan.place.account.as_ref())
            .map_err(missing("a folder for the application"))?;
        let log = LogFile::new(folder.join("stderr.log"), &plan.log_changes);
        let app_folder = match &start.program {
            Program::Role(_) => None,
            Program::Wsgi(files) => {
                let made = AppFolder::make(&folder, files, plan.place.account.as_ref());
                Some(made.map_err(missing("a folder for the scenario's application"))?)
            }
        };
        let mut vars = Vars::default();
        if let Some(app_folder) = &app_folder {
            vars.note_folder(app_folder.path());
        }
        if start.mode == Mode::Bind {
            let sockets = folder_of_the_application(&folder, "sockets", plan.place.account.as_ref());
            let sockets = sockets.map_err(missing("a folder for sockets"))?;
            vars.note_free_addresses(&sockets.join("app.sock"), free_port().map_err(missing("a free port"))?);
        }
        let render =
            |text: &Template| text.render(&vars).map_err(|error| StageError::Subject(error.to_string()));
        let mut env = vec![(OsString::from("TMPDIR"), work.clone().into_os_string())];
        if let Some(mode) = start.secret_mode {
            let secret = write_secret(&folder, mode).map_err(missing("a file for the secret"))?;
            env.push(("LSAPI_SECRET".into(), secret.into()));
        }
        for (name, value) in &start.env.0 {
            env.push((name.into(), render(value)?.into()));
        }
        let bind_address = start.address.as_ref().map(render).transpose()?;
        let args = start.args.iter().map(render).collect::<Result<Vec<_>, _>>()?;
        let script = app_folder.as_ref().map(AppFolder::script);
        let mut place = plan.place.clone();
        // A suEXEC daemon is root's; whom it serves can reach what the subject's user can.
        place.account = place.account.filter(|_| start.secret_mode.is_none());
        let mut command = subject
            .command(start.program.name(), script.as_deref(), &place)
            .map_err(StageError::NoCommand)?;
        if let Some(address) = &bind_address {
            command = command.args(subject.bind_args(address));
        }
        if start.mode == Mode::Closed {
            command = command.closed_input();
        }
        command =
            command.args(args).envs(env).directory(work.clone()).log(AppLog::Append(log.path().to_owned()));
        if let Some(limit) = start.core_limit {
            let hard = highest_core_limit();
            let soft = if limit == HandedLimit::Highest { hard } else { Some(0) };
            command = command.limit(Resource::Core, soft, hard);
        }

        let transcript = Transcript::new();
        let listener = match (start.mode, start.socket) {
            (Mode::Listen, SocketKind::Tcp) => {
                Some(Listener::tcp((Ipv4Addr::LOCALHOST, 0).into(), DEFAULT_BACKLOG))
            }
            (Mode::Listen, SocketKind::Unix) => {
                Some(Listener::unix(&folder.join("app.sock"), DEFAULT_BACKLOG))
            }
            _ => None,
        };
        let listener = listener.transpose().map_err(missing("a listening socket"))?;
        let address = match bind_address {
            Some(address) => Some(reachable(&address).map_err(StageError::Subject)?),
            None => listener.as_ref().map(|listener| listener.address().clone()),
        };
        let mode = start.mode;
        let input = Input::make(mode, listener.as_ref(), &transcript).map_err(missing("a descriptor 0"))?;
        let app = spawn(&spawner, &command, input.descriptor, &transcript).await?;
        let app = RwLock::new(Arc::new(app));
        let other_end = Mutex::new(input.other_end);
        let stage = Self {
            transcript,
            app,
            command,
            spawner,
            listener,
            address,
            mode,
            other_end,
            vars,
            log,
            work,
            app_folder,
        };
        Ok((stage, input.main))
    }

    /// The application's process.
    pub(super) fn app(&self) -> Arc<SpawnedApp> {
        Arc::clone(&self.app.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Starts the application once more, on the same listening socket or on a new connection, which is returned.
    ///
    /// # Errors
    /// Why it could not be started.
    pub(super) async fn start_again(&self) -> Result<Option<Peer>, String> {
        let input = Input::make(self.mode, self.listener.as_ref(), &self.transcript);
        let input = input.map_err(|error| format!("there is no descriptor 0: {error}"))?;
        let started = spawn(&self.spawner, &self.command, input.descriptor, &self.transcript).await;
        let app = started.map_err(|error| match error {
            StageError::Runner(reason) | StageError::Subject(reason) => reason,
            StageError::NoCommand(error) => error.to_string(),
        })?;
        *self.app.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(app);
        *self.other_end.lock().unwrap_or_else(PoisonError::into_inner) = input.other_end;
        Ok(input.main)
    }

    /// The variables that a request of `start` to `subject` carries.
    pub(super) fn request_env(&self, plan: &Plan, subject: &Subject, start: &Start) -> Vec<(String, String)> {
        let script = self.app_folder.as_ref().map(AppFolder::script);
        subject.request_env(start.program.name(), script.as_deref(), &plan.place)
    }

    /// The names with a value before the first step.
    pub(super) fn vars(&self) -> Vars {
        self.vars.clone()
    }

    /// Ends every process and returns what the application wrote to its stderr.
    ///
    /// # Errors
    /// When it is not known whether all have ended: nothing that was seen of them can be trusted then.
    pub(super) async fn strike(self) -> Result<Log, String> {
        let app = self.app();
        if let Some(exit) = app.exit() {
            self.transcript.note(format!("process {} had ended: {exit}", app.pid()));
        }
        let ended = self.spawner.end_all().await;
        ended.map_err(|error| {
            format!("{error} or does not answer: what the application leaves behind is not known, look for it with ps")
        })?;
        Ok(Log::read(&self.log))
    }
}

/// Starts `command` with `input` as descriptor 0.
async fn spawn(
    spawner: &Spawner,
    command: &AppCommand,
    input: OwnedFd,
    transcript: &Transcript,
) -> Result<SpawnedApp, StageError> {
    let app = spawner.spawn(command, input).await;
    let app = app.map_err(|error| StageError::Subject(error.to_string()))?;
    transcript.note(format!("process {} started by {}", app.pid(), spawner.pid()));
    Ok(app)
}

/// Where the folders of cases go: the place for temporary files, or `/tmp` where the path of a socket below that would be
/// longer than the system takes.
pub(crate) fn temporary() -> PathBuf {
    let place = std::env::temp_dir();
    if place.as_os_str().len() > LONGEST { PathBuf::from("/tmp") } else { place }
}

/// Makes the folder `name` in `folder`, which belongs to the user the application runs as.
fn folder_of_the_application(folder: &Path, name: &str, account: Option<&Account>) -> io::Result<PathBuf> {
    let made = folder.join(name);
    std::fs::create_dir(&made)?;
    if let Some(account) = account {
        chown(&made, Some(account.user.uid), Some(account.user.gid))?;
        // The way there; nobody else learns its name.
        std::fs::set_permissions(folder, Permissions::from_mode(0o711))?;
    }
    Ok(made)
}

/// Writes the suEXEC secret to a file of this user's in `folder`.
fn write_secret(folder: &Path, mode: u32) -> io::Result<PathBuf> {
    let path = folder.join("secret");
    std::fs::write(&path, SUEXEC_SECRET.bytes())?;
    std::fs::set_permissions(&path, Permissions::from_mode(mode))?;
    Ok(path)
}

fn missing<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> StageError {
    move |error| StageError::Runner(format!("there is no {}: {error}", what.trim_start_matches("a ")))
}
