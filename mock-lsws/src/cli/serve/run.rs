//! Doing it: start the server, say where it is, serve until a signal comes.

use std::env;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use mock_lsws::{AccessLog, Launcher, MockServer, Resource, Spawner, exit_code};
use rustix::process::{Rlimit, getrlimit, setrlimit};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::super::output;
use super::super::stops::Stops;
use super::args::ServeArgs;
use super::error::ServeError;
use super::log;
use super::plan::Plan;

/// Descriptors an installed server may have open.
const DESCRIPTORS: u64 = 20_000;

/// How long what is left may take to end, the processes first of all.
const END: Duration = Duration::from_secs(5);

/// What the server was started with, to be read again.
struct Origin {
    args: ServeArgs,
    directory: PathBuf,
}

/// Does what the command line says and tells the exit code.
pub(crate) fn serve(args: ServeArgs) -> ExitCode {
    let result = prepare(args).and_then(|(plan, origin, runtime)| {
        let result = runtime.block_on(until_stopped(plan, &origin));
        // With the last task goes the spawner, which takes every process and folder with it.
        runtime.shutdown_timeout(END);
        result
    });
    ExitCode::from(match result {
        Ok(()) => exit_code::OK,
        Err(error) => {
            output::error(&error);
            error.exit_code()
        }
    })
}

fn prepare(args: ServeArgs) -> Result<(Plan, Origin, Runtime), ServeError> {
    let system = |what| move |source| ServeError::System { what, source };
    let directory = env::current_dir().map_err(system("the current directory cannot be found"))?;
    let origin = Origin { args, directory };
    let plan = origin.plan()?;
    raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    Ok((plan, origin, runtime.map_err(system("the runtime cannot be started"))?))
}

impl Origin {
    /// Reads everything, and says what of it does not count.
    fn plan(&self) -> Result<Plan, ServeError> {
        let plan = Plan::resolve(self.args.clone(), &self.directory)?;
        for warning in &plan.warnings {
            output::warning(warning);
        }
        Ok(plan)
    }

    /// Restarts the server gracefully. It goes on as it is if that cannot be.
    async fn restart(&self, server: &MockServer) {
        let restarted = match self.plan() {
            Ok(plan) => server.restart(plan.config).await.map_err(ServeError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = restarted {
            output::error(&error);
            output::warning("no graceful restart: the server goes on with what it has");
        }
    }
}

/// Each client, connection and upload takes a descriptor; what people have by default is for a few hundred.
fn raise_descriptors() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(DESCRIPTORS, |maximum| maximum.min(DESCRIPTORS));
    if current.is_some_and(|current| current < wanted) {
        // It also works with fewer.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
}

async fn until_stopped(plan: Plan, origin: &Origin) -> Result<(), ServeError> {
    let uncaught = |source| ServeError::System { what: "signals cannot be caught", source };
    let mut stops = Stops::new().map_err(uncaught)?;
    let mut restarts = signal(SignalKind::user_defined1()).map_err(uncaught)?;
    let summary = summary(&plan);
    let server = tokio::select! {
        server = start(plan) => server?,
        () = stops.next() => return Err(ServeError::Interrupted),
    };
    ready(&server, &summary).map_err(ServeError::Print)?;
    loop {
        tokio::select! {
            () = stops.next() => break,
            _ = restarts.recv() => origin.restart(&server).await,
        }
    }
    let left = tokio::select! {
        left = server.stop() => left,
        () = stops.impatience() => return Err(ServeError::Interrupted),
    };
    for process in left {
        output::warning(format_args!("left behind by an application and killed: {process}"));
    }
    Ok(())
}

async fn start(plan: Plan) -> Result<MockServer, ServeError> {
    let access_log = match &plan.access_log {
        None => AccessLog::none(),
        Some(path) if path.as_os_str() == "-" => AccessLog::stdout(),
        Some(path) => {
            AccessLog::file(path).map_err(|source| ServeError::AccessLog { path: path.clone(), source })?
        }
    };
    let exe = env::current_exe()
        .map_err(|source| ServeError::System { what: "this program cannot be found again", source })?;
    let spawner = Spawner::start(&exe, ["spawner"]).await?;
    let mut builder = MockServer::builder(plan.config)
        .http(plan.http)
        .launcher(Launcher::Spawner(spawner))
        .timing(plan.timing)
        .log(log::server_log(plan.level))
        .access_log(access_log);
    if let Some(detail) = plan.transcripts {
        builder = builder.transcripts(true).observe(move |record| log::transcript(record, detail));
    }
    Ok(builder.start().await?)
}

/// The applications, each with its connections.
fn summary(plan: &Plan) -> String {
    let app = |app: &mock_lsws::config::ExternalApp| {
        let connections = app.effective_max_conns();
        format!("{} ({connections} connection{})", app.name, if connections == 1 { "" } else { "s" })
    };
    plan.config.apps.iter().map(app).collect::<Vec<_>>().join(", ")
}

fn ready(server: &MockServer, summary: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "http://{}/ serves {summary}; Ctrl-C stops it", server.address())?;
    out.flush()
}
