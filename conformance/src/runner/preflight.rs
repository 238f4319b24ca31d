//! Seeing whether the subject starts at all, before its cases all fail for one reason.

use std::time::Duration;

use lsapi::RequestBuilder;
use mock_lsws::{AppLog, Connection, Incoming, Spawner, Transcript, socketpair, within};

use super::log::Log;
use super::process::too_much_log;
use super::schedule::Plan;
use crate::Error;
use crate::subject::SubjectError;

/// How long a subject may take to say its first word.
const LIMIT: Duration = Duration::from_secs(20);

/// How long a subject that has closed its connection may take to end.
const END_LIMIT: Duration = Duration::from_secs(5);

/// Starts the subject as `role` and requires that it reacts to a request, rightly or not: whether it is right is for the
/// cases to say.
///
/// # Errors
/// [`SubjectError::NotStarted`] with what happened instead and the end of its stderr.
pub(super) async fn check(plan: &Plan, role: &str) -> Result<(), Error> {
    let harness = |what| move |source| Error::Harness { what, source };
    let folder = tempfile::tempdir().map_err(harness("there is no temporary folder"))?;
    let log = folder.path().join("stderr.log");
    let command = plan.subject.command(role, &plan.place)?.log(AppLog::Append(log.clone()));
    let not_started = |reason: String| {
        Error::Subject(SubjectError::NotStarted {
            name: plan.subject.name.clone(),
            role: role.to_owned(),
            reason,
            stderr: Log::read(&log).tail(),
        })
    };
    let spawner = Spawner::start(&plan.spawner, ["spawner"]).await.map_err(|error| {
        harness("the parent process of applications does not start")(std::io::Error::other(error))
    })?;
    let (theirs, ours) = socketpair().map_err(harness("there is no socket pair"))?;
    let transcript = Transcript::new();
    let mut connection =
        Connection::from_socket(ours, &transcript).map_err(|error| not_started(error.to_string()))?;
    let app = spawner.spawn(&command, theirs).await.map_err(|error| not_started(error.to_string()))?;
    let request = plan
        .subject
        .request_env(role, &plan.place)
        .into_iter()
        .fold(RequestBuilder::get("/"), |request, (name, value)| request.env(name, value));
    // A process that has ended already shows in what comes back.
    let _ = connection.send(&request.encode()).await;
    let first = tokio::select! {
        first = connection.next_packet(within(LIMIT)) => first,
        _ = too_much_log(&log) => return Err(not_started("it writes to its stderr without end".into())),
    };
    let verdict = match first {
        Incoming::Packet(_) | Incoming::Invalid(_) => Ok(()),
        Incoming::Eof { .. } | Incoming::Reset { .. } => {
            let exit = tokio::time::timeout(END_LIMIT, app.wait()).await;
            Err(not_started(match exit {
                Ok(Ok(exit)) => format!("it ended with {exit} before it reacted to a first request"),
                _ => "it closed the connection without reacting to a first request".into(),
            }))
        }
        Incoming::TimedOut => {
            Err(not_started(format!("it did not react to a first request within {LIMIT:?}")))
        }
    };
    connection.close();
    // Dropping the spawner ends what this leaves.
    let _ = spawner.shutdown().await;
    verdict
}
