//! Trying the subject before its cases, so that they do not all fail for one reason.
//!
//! Three things are asked: that it starts and reacts at all, that it refuses what does not exist, and that it gives the
//! right answer in every role the cases use. Only answers count here; whether they go out as the protocol wants them is
//! for the cases to say. A subject that cannot do a role once, under the best of conditions, cannot be judged in it.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use anstream::adapter::strip_str;
use futures_util::StreamExt;
use futures_util::stream;
use lsapi::{AppPacket, RequestBuilder};
use mock_lsws::scenario::{Mode, Program, Scenario, Start};
use mock_lsws::{Connection, Exit, Incoming, within};

use super::case;
use super::log::Log;
use super::process::too_much_log;
use super::schedule::Plan;
use super::stage::{Stage, StageError};
use crate::Error;
use crate::event::{Part, Verdict};
use crate::report;
use crate::subject::{Subject, SubjectError};

/// How long a subject may take to say its first word.
const LIMIT: Duration = Duration::from_secs(20);

/// How long it may take to answer for a script that is not there; a subject that says nothing does not pretend.
const REFUSAL_LIMIT: Duration = Duration::from_secs(5);

/// How long a subject that has closed its connection may take to end.
const END_LIMIT: Duration = Duration::from_secs(5);

/// Tries the subject in every role of `plan`'s cases that are not skipped.
///
/// # Errors
/// [`Error::Subject`] about the first role that is played wrongly.
pub(super) async fn check(plan: &Plan) -> Result<(), Error> {
    let to_run = plan.cases.iter().filter(|case| case::why_skipped(plan, case).is_none());
    let roles: BTreeMap<&str, &Scenario> = to_run
        .map(|case| {
            let name = case.start.program.name();
            (name, probe(plan, name).unwrap_or(case))
        })
        .collect();
    let Some((first, rest)) = split_first(roles) else { return Ok(()) };
    // One before the others: a subject that does not work at all is told as soon as possible, and in one way.
    let (played, refused) = tokio::join!(play(plan, first), refuse(plan));
    played?;
    refused?;
    let mut played = stream::iter(rest.into_iter().map(|role| play(plan, role))).buffered(plan.order.jobs);
    while let Some(played) = played.next().await {
        played?;
    }
    Ok(())
}

/// A role (or `wsgi`, for all cases that bring an application), and the scenario that tries it; or a case with the role
/// where there is none.
type Role<'a> = (&'a str, &'a Scenario);

fn split_first<'a>(roles: BTreeMap<&'a str, &'a Scenario>) -> Option<(Role<'a>, Vec<Role<'a>>)> {
    let mut roles = roles.into_iter();
    let first = roles.next()?;
    Some((first, roles.collect()))
}

fn probe<'a>(plan: &'a Plan, role: &str) -> Option<&'a Scenario> {
    plan.probes.iter().find(|probe| probe.start.program.name() == role)
}

/// Requires that the subject plays a role once.
async fn play(plan: &Plan, (role, scenario): Role<'_>) -> Result<(), Error> {
    if !scenario.is_probe() {
        return react(plan, scenario.start.program.clone(), LIMIT)
            .await?
            .map_or(Ok(()), |silent| Err(silent.error));
    }
    let mut scenario = scenario.clone();
    if !plan.subject.takes(scenario.start.mode) {
        scenario.start.mode = Mode::Listen;
    }
    // What it takes to try the role may not be there for a subject that runs already.
    if case::why_skipped(plan, &scenario).is_some() {
        return Ok(());
    }
    let started = Instant::now();
    let attempt = case::attempt(plan, &scenario, 1).await.map_err(|message| Error::Harness {
        what: "a role could not be tried",
        source: io::Error::other(message),
    })?;
    if !matches!(attempt.exchange, Part::Failed(_)) {
        return Ok(());
    }
    // Who says nothing at all has a plainer trouble than a wrong answer. Who was slow has been waited for.
    match react(plan, scenario.start.program.clone(), Duration::from_secs(1)).await? {
        Some(silent) if !silent.is_slow => return Err(silent.error),
        _ => {}
    }
    let mut result = case::unjudged(plan, &scenario, 1, started.elapsed(), Verdict::Failed);
    result.rerun.clone_from(&plan.command);
    let name = plan.subject.name.clone();
    let report = strip_str(&report::failure_block(&result, &attempt)).to_string();
    Err(SubjectError::WrongRole { name, role: role.to_owned(), report }.into())
}

/// How the subject is tried when nothing says how it is to be started.
fn mode(plan: &Plan) -> Mode {
    if plan.subject.takes(Mode::Worker) { Mode::Worker } else { Mode::Listen }
}

/// A subject without a reaction.
struct Silent {
    /// It said nothing, and did not close the connection either.
    is_slow: bool,
    error: Error,
}

/// Sees whether the subject reacts to a request when it runs `program`, rightly or not.
async fn react(plan: &Plan, program: Program, limit: Duration) -> Result<Option<Silent>, Error> {
    let plainly = Start::new(mode(plan), program);
    let first = ask(plan, &plan.subject, &plainly, limit, |_| true).await?;
    let is_slow = matches!(first.last, Some(Incoming::TimedOut));
    let reason = match (&first.last, first.exit) {
        (Some(Incoming::Packet(_) | Incoming::Invalid(_)), _) => return Ok(None),
        (None, _) => first.trouble,
        (Some(Incoming::TimedOut), _) => format!("it did not react to a first request within {limit:?}"),
        (_, Some(exit)) => format!("it ended with {exit} before it reacted to a first request"),
        (_, None) => "it closed the connection without reacting to a first request".into(),
    };
    let name = plan.subject.name.clone();
    let role = plainly.program.name().to_owned();
    let error = SubjectError::NotStarted { name, role, reason, stderr: first.log.tail() };
    Ok(Some(Silent { is_slow, error: error.into() }))
}

/// Requires that the subject does not answer for a script that does not exist as if it did.
async fn refuse(plan: &Plan) -> Result<(), Error> {
    let Some((subject, role, script)) = plan.subject.with_unknown_role(fastrand::u64(..)) else {
        return Ok(());
    };
    let is_head = |incoming: &Incoming| status(incoming).is_some();
    let start = Start::new(mode(plan), Program::Role(role));
    let answer = match ask(plan, &subject, &start, REFUSAL_LIMIT, is_head).await {
        Err(Error::Subject(_)) => return Ok(()),
        answer => answer?,
    };
    match answer.last.as_ref().and_then(status) {
        // 0 is how an application says 200 without saying so.
        Some(status @ (0 | 200..=299)) => {
            let name = plan.subject.name.clone();
            Err(SubjectError::AnswersAnything { name, script, status }.into())
        }
        _ => Ok(()),
    }
}

fn status(incoming: &Incoming) -> Option<i32> {
    let Incoming::Packet(packet) = incoming else { return None };
    match packet.decode() {
        AppPacket::RespHeader(head) => Some(head.status()),
        _ => None,
    }
}

/// What came of a request.
struct Answer {
    /// What ended the wait; nothing if the subject could not even be asked.
    last: Option<Incoming>,
    /// Why not.
    trouble: String,
    /// How the process ended, where the connection did.
    exit: Option<Exit>,
    log: Log,
}

/// Starts `subject` as `start` says and reads what it answers to a request, up to the first that is `enough` or no packet.
async fn ask(
    plan: &Plan,
    subject: &Subject,
    start: &Start,
    limit: Duration,
    enough: impl Fn(&Incoming) -> bool,
) -> Result<Answer, Error> {
    let (stage, main) = match Stage::set(plan, subject, start).await {
        Ok(set) => set,
        Err(StageError::Runner(message)) => {
            let source = io::Error::other(message);
            return Err(Error::Harness { what: "the subject could not be tried", source });
        }
        Err(StageError::NoCommand(error)) => return Err(error.into()),
        Err(StageError::Subject(trouble)) => {
            return Ok(Answer { last: None, trouble, exit: None, log: Log::default() });
        }
    };
    let trouble =
        |trouble: String| Ok(Answer { last: None, trouble, exit: None, log: Log::read(&stage.log) });
    let mut connection = match (main, &stage.address) {
        (Some(peer), _) => peer.connection,
        (None, Some(address)) => match Connection::connect(address, &stage.transcript).await {
            Ok(connection) => connection,
            Err(error) => return trouble(error.to_string()),
        },
        (None, None) => return trouble("there is no socket to talk to it through".into()),
    };
    let env = stage.request_env(plan, subject, start);
    let request =
        env.into_iter().fold(RequestBuilder::get("/"), |request, (name, value)| request.env(name, value));
    // A process that has ended already shows in what comes back.
    let _ = connection.send(&request.encode()).await;
    let deadline = within(limit);
    let answered = async {
        loop {
            let incoming = connection.next_packet(deadline).await;
            if enough(&incoming) || !matches!(incoming, Incoming::Packet(_)) {
                return incoming;
            }
        }
    };
    let last = tokio::select! {
        last = answered => last,
        _ = too_much_log(&stage.log) => return trouble("it writes to its stderr without end".into()),
    };
    let has_closed = matches!(last, Incoming::Eof { .. } | Incoming::Reset { .. });
    let exit = if has_closed { tokio::time::timeout(END_LIMIT, stage.app().wait()).await.ok() } else { None };
    connection.close();
    Ok(Answer {
        last: Some(last),
        trouble: String::new(),
        exit: exit.and_then(Result::ok),
        log: Log::read(&stage.log),
    })
}
