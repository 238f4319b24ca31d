//! `mock-lsws run`: one request, one response.

use std::env;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use mock_lsws::{
    AppCommand, Connection, DEFAULT_BACKLOG, End, Listener, Response, Severity, Signal, SpawnedApp, Spawner,
    Transcript, exit_code, socketpair, within,
};
use tokio::time::timeout;

use super::args::RunArgs;
use super::error::RunError;
use super::output;
use super::plan::{Plan, Target};
use super::response_writer::ResponseWriter;
use super::stops::Stops;

/// How long an application may take to leave by itself after its connection was closed.
const LEAVE: Duration = Duration::from_secs(1);

/// How long it may take after it was asked to with signals.
const STOP: Duration = Duration::from_secs(2);

/// Does what the command line says and tells the exit code.
pub(crate) fn run(args: RunArgs) -> ExitCode {
    let result = prepare(args).and_then(|(plan, runtime)| {
        let result = runtime.block_on(until_interrupted(plan));
        // A write to a pipe nobody reads is left behind, and does not keep the process.
        runtime.shutdown_background();
        result
    });
    ExitCode::from(result.unwrap_or_else(|error| {
        output::error(&error);
        error.exit_code()
    }))
}

fn prepare(args: RunArgs) -> Result<(Plan, tokio::runtime::Runtime), RunError> {
    let system = |what| move |source| RunError::System { what, source };
    let directory = env::current_dir().map_err(system("the current directory cannot be found"))?;
    let plan = Plan::resolve(args, &directory)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok((plan, runtime.map_err(system("the runtime cannot be started"))?))
}

async fn until_interrupted(plan: Plan) -> Result<u8, RunError> {
    let mut stops =
        Stops::new().map_err(|source| RunError::System { what: "signals cannot be caught", source })?;
    // Dropping the exchange drops its spawner, and that ends every process.
    tokio::select! {
        result = exchange(plan) => result,
        () = stops.next() => Err(RunError::Interrupted),
    }
}

async fn exchange(plan: Plan) -> Result<u8, RunError> {
    let detail = plan.detail;
    let transcript = Transcript::observed(move |entry| {
        if let Some(detail) = detail {
            output::entry(entry, detail);
        }
    });
    for note in &plan.notes {
        transcript.note(note);
    }
    let mut writer = ResponseWriter::open(plan.output.as_deref(), plan.include).await?;
    let (mut connection, application) = match &plan.target {
        Target::Running(address) => (Connection::connect(address, &transcript).await?, None),
        Target::Worker(command) => {
            let system = |source| RunError::System { what: "no socketpair could be made", source };
            let (app_end, our_end) = socketpair().map_err(system)?;
            let application = Application::start(command, app_end, None, &transcript).await?;
            (Connection::from_socket(our_end, &transcript)?, Some(application))
        }
        Target::Group(command) => group(command, &transcript).await?,
    };
    let faulty = connection.add_faults(&plan.faults);
    faulty.map_err(|source| RunError::System { what: "no faults can be made", source })?;
    connection.set_send_limit(plan.timeout);
    let sent = connection.send_request(&plan.request.to_raw(), plan.request.body_bytes()).await;
    // An application may refuse the rest of a body and still answer.
    let mut stream = connection.stream_response(within(plan.timeout));
    let mut written = Ok(());
    while let Some(packet) = stream.next().await {
        written = writer.packet(stream.so_far(), &packet).await;
        if written.is_err() {
            break;
        }
    }
    let response = stream.finish();
    writer.finish();
    if let (Err(error), false) = (sent, response.is_complete()) {
        output::warning(error);
    }
    connection.close();

    let is_cut_off = written.is_ok() && !response.is_complete();
    let mut code = match written {
        Ok(()) => judge(&response, &plan),
        // Whoever reads has seen enough, as with any program in a pipe. What comes after that nobody has looked at.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit_code::OK,
        Err(error) => {
            output::error(RunError::Print(error));
            exit_code::FILES
        }
    };
    if let Some(application) = application {
        application.stop(&transcript, is_cut_off).await?;
    }
    if code == exit_code::OK && plan.fail && response.http_status() >= 400 {
        output::error(format_args!("the status is {}", response.http_status()));
        code = exit_code::HTTP_ERROR;
    }
    Ok(code)
}

async fn group(
    command: &AppCommand,
    transcript: &Transcript,
) -> Result<(Connection, Option<Application>), RunError> {
    let system = |source| RunError::System { what: "no listening socket could be made", source };
    let folder = tempfile::Builder::new().prefix("mock-lsws-").tempdir().map_err(system)?;
    let listener = Listener::unix(&folder.path().join("app.sock"), DEFAULT_BACKLOG)?;
    let address = listener.address().clone();
    let socket = listener.share().map_err(system)?;
    let application = Application::start(command, socket, Some((listener, folder)), transcript).await?;
    // Always possible: the listener is open here, whatever the application does with its own.
    Ok((Connection::connect(&address, transcript).await?, Some(application)))
}

/// An application that lives for one request.
struct Application {
    app: SpawnedApp,
    spawner: Spawner,
    /// Kept open, and the folder kept, until the application has been stopped.
    listener: Option<(Listener, tempfile::TempDir)>,
}

impl Application {
    async fn start(
        command: &AppCommand,
        input: std::os::fd::OwnedFd,
        listener: Option<(Listener, tempfile::TempDir)>,
        transcript: &Transcript,
    ) -> Result<Self, RunError> {
        let system = |source| RunError::System { what: "this program cannot be found again", source };
        let exe = env::current_exe().map_err(system)?;
        let spawner = Spawner::start(&exe, ["spawner"]).await?;
        let app = spawner.spawn(command, input).await?;
        transcript.note(format!("{} runs as process {}", command.program().display(), app.pid()));
        Ok(Self { app, spawner, listener })
    }

    /// Lets it leave, then asks it to, then ends it. An answer that was cut off is explained by how it ended.
    async fn stop(self, transcript: &Transcript, is_cut_off: bool) -> Result<(), RunError> {
        // A worker's connection was all it had; a group waits for the next one.
        let mut ended = match self.listener {
            None => timeout(LEAVE, self.app.wait()).await.ok(),
            Some(_) => None,
        };
        if ended.is_none() {
            // What the server does. It may have ended meanwhile.
            let _ = self.app.signal(Signal::TERM);
            let _ = self.app.signal(Signal::USR1);
            ended = timeout(STOP, self.app.wait()).await.ok();
        }
        match ended {
            Some(exit) => {
                let exit = exit?;
                transcript.note(format!("process {} ended with {exit}", self.app.pid()));
                if is_cut_off {
                    output::warning(format_args!("the application ended with {exit}"));
                }
            }
            None => transcript.note(format!("process {} does not end and is killed", self.app.pid())),
        }
        for left in self.spawner.shutdown().await? {
            transcript.note(format!("left behind and killed: {left}"));
        }
        Ok(())
    }
}

/// Says what is wrong with a response.
fn judge(response: &Response, plan: &Plan) -> u8 {
    for violation in response.violations() {
        if violation.severity() == Severity::Breaks {
            output::error(violation);
        } else if plan.detail.is_some() {
            output::warning(violation);
        }
    }
    let (message, code) = match &response.end {
        End::Complete if response.is_broken() => return exit_code::PROTOCOL,
        End::Complete => return exit_code::OK,
        End::Eof => ("the application closed the connection before RESP_END".to_owned(), exit_code::CUT_OFF),
        End::Reset => ("the application reset the connection before RESP_END".to_owned(), exit_code::CUT_OFF),
        End::Invalid(invalid) => {
            (format!("the application sent what is no packet: {invalid}"), exit_code::PROTOCOL)
        }
        // A response that is streamed is never too long.
        End::TimedOut | End::TooLong => {
            let limit = plan.timeout.as_secs_f64();
            (format!("no RESP_END within {limit} s; --timeout sets another limit"), exit_code::TIMEOUT)
        }
    };
    output::error(message);
    code
}
