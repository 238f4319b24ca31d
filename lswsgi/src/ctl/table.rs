//! The status for people: what matters about the group, then a line for each worker. Colours are for the writer to drop where
//! there is no terminal.

use std::fmt::Write as _;
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};

use super::human::{ascii, clean, count, grouped, size, time};
use crate::control::{Process, Reloads, State, Status, Work, Worker};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const CHANGING: Style = AnsiColor::Yellow.on_default();
const HEADING: Style = Style::new().bold();

/// Least width left for requests, however narrow the terminal.
const LEAST: usize = 20;

/// What is shown of a worker, before its request.
const COLUMNS: [(&str, Align); 6] = [
    ("PID", Align::Right),
    ("SLOT", Align::Right),
    ("STATE", Align::Left),
    ("AGE", Align::Right),
    ("REQUESTS", Align::Right),
    ("RSS", Align::Right),
];

#[derive(Clone, Copy)]
enum Align {
    Left,
    Right,
}

/// The columns of the terminal that standard output is; `None`: it is none, and nothing is cut.
pub(super) fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

/// The whole of it.
pub(super) fn text(status: &Status, width: Option<usize>) -> String {
    let mut text = String::new();
    for (name, value) in facts(status) {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "{HEADING}{name:<12}{HEADING:#}{value}");
    }
    if !status.workers.is_empty() {
        text.push('\n');
        workers(&mut text, &status.workers, width);
    }
    text
}

fn facts(status: &Status) -> Vec<(&'static str, String)> {
    let application =
        status.application.as_deref().map_or_else(|| "the script each request names".to_owned(), clean);
    let manager = &status.manager;
    let mut facts = vec![
        ("application", application),
        ("state", state(status)),
        (
            "manager",
            format!(
                "pid {}, up {}, lswsgi {}",
                manager.pid,
                time(manager.age_seconds),
                clean(&status.lswsgi)
            ),
        ),
        ("template", template(status.template.as_ref()).unwrap_or_else(|| "none".to_owned())),
        ("new code", template(status.next_template.as_ref()).unwrap_or_default()),
        ("workers", numbers(status)),
        ("ended", ended(status)),
        ("requests", requests(status)),
        ("latency", latency(status)),
        ("saturation", saturation(status)),
        ("reloads", reloads(&status.reloads, jiff::Timestamp::try_from(SystemTime::now()).ok())),
    ];
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

fn state(status: &Status) -> String {
    let style = match status.state {
        State::Serving => GOOD,
        State::Failing => BAD,
        State::Starting | State::Stopping | State::Unknown => CHANGING,
    };
    let reason = status.reason.as_ref().map_or_else(String::new, |reason| format!(": {}", clean(reason)));
    let has_failed = status.reloads.last.as_ref().is_some_and(|last| last.error.is_some());
    let old = if has_failed && status.state == State::Serving {
        format!(" {BAD}the old code{BAD:#}: the last reload failed, see below")
    } else {
        String::new()
    };
    format!("{style}{}{style:#}{old}{reason}", status.state.name())
}

fn template(template: Option<&Process>) -> Option<String> {
    let template = template?;
    let rss = template.rss_bytes.map_or_else(String::new, |bytes| format!(", {}", size(bytes)));
    Some(format!("pid {}, up {}{rss}", template.pid, time(template.age_seconds)))
}

fn numbers(status: &Status) -> String {
    let limits = &status.limits;
    let extra = match limits.extra_workers {
        0 => String::new(),
        extra => format!(" and {extra} extra"),
    };
    let started = grouped(status.workers_started);
    format!("{} of {}{extra}, {started} started so far", status.workers.len(), limits.workers)
}

fn ended(status: &Status) -> String {
    let mut reasons: Vec<_> = status.workers_ended.iter().filter(|(_, count)| **count > 0).collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let reasons: Vec<String> =
        reasons.into_iter().map(|(reason, count)| format!("{} {}", clean(reason), grouped(*count))).collect();
    reasons.join(", ")
}

fn requests(status: &Status) -> String {
    let busy = status.workers.iter().filter(|worker| worker.request_seconds.is_some()).count();
    let connections = &status.connections;
    let waiting = match connections.waiting {
        0 => String::new(),
        waiting => format!(", {CHANGING}at least {waiting} waiting for a worker{CHANGING:#}"),
    };
    format!(
        "{}, {busy} under way; {} held{waiting}",
        grouped(status.requests),
        count(connections.held, "connection")
    )
}

fn latency(status: &Status) -> String {
    let latency = &status.latency;
    let (Some(p50), Some(p90), Some(p99)) = (latency.p50_seconds, latency.p90_seconds, latency.p99_seconds)
    else {
        return String::new();
    };
    format!("half within {}, 90% {}, 99% {} (estimated)", time(p50), time(p90), time(p99))
}

fn saturation(status: &Status) -> String {
    let saturation = &status.saturation;
    let now = if saturation.now { format!("{BAD}all workers are busy now{BAD:#}; ") } else { String::new() };
    if saturation.times == 0 {
        return "never: connections have not waited for busy workers".to_owned();
    }
    let times = if saturation.times == 1 { "once" } else { &format!("{} times", grouped(saturation.times)) };
    format!("{now}{times}, {} in all, connections waited for busy workers", time(saturation.seconds))
}

fn reloads(reloads: &Reloads, now: Option<jiff::Timestamp>) -> String {
    let mut text = format!("{} completed, {} failed", grouped(reloads.completed), grouped(reloads.failed));
    if reloads.in_progress {
        let _ = write!(text, ", {CHANGING}one under way{CHANGING:#}");
    }
    if let Some(last) = &reloads.last {
        let at: Option<jiff::Timestamp> = last.at.parse().ok();
        let ago = at.zip(now).map(|(at, now)| (now.as_millisecond() - at.as_millisecond()).max(0));
        #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
        let ago = ago.map_or_else(|| clean(&last.at), |millis| format!("{} ago", time(millis as f64 / 1e3)));
        let _ = match &last.error {
            Some(error) => write!(text, "; the last, {ago}, {BAD}failed{BAD:#}: {}", clean(error)),
            None => write!(text, "; the last {ago}"),
        };
    }
    text
}

fn workers(text: &mut String, workers: &[Worker], width: Option<usize>) {
    let rows: Vec<[String; COLUMNS.len()]> = workers.iter().map(cells).collect();
    let mut widths = COLUMNS.map(|(name, _)| name.len());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let taken = widths.iter().map(|width| width + 2).sum::<usize>();
    let room = width.map(|width| width.saturating_sub(taken).max(LEAST));
    let _ = writeln!(
        text,
        "{HEADING}{}REQUEST{HEADING:#}",
        line(&COLUMNS.map(|(name, _)| name.to_owned()), widths)
    );
    for (row, worker) in rows.iter().zip(workers) {
        let style = style(worker);
        let request = cut(&request(worker), room);
        let row = format!("{}{request}", line(row, widths));
        let _ = writeln!(text, "{style}{}{style:#}", row.trim_end());
    }
}

fn cells(worker: &Worker) -> [String; COLUMNS.len()] {
    let mut state = worker.state.name().to_owned();
    state += if worker.old_code { ", old" } else { "" };
    state += if worker.stand_in { ", 500" } else { "" };
    [
        worker.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
        worker.slot.to_string(),
        state,
        time(worker.age_seconds),
        grouped(worker.requests),
        worker.rss_bytes.map_or_else(|| "-".to_owned(), size),
    ]
}

fn line(cells: &[String], widths: [usize; COLUMNS.len()]) -> String {
    let mut text = String::new();
    for ((cell, width), (_, align)) in cells.iter().zip(widths).zip(COLUMNS) {
        let _ = match align {
            Align::Left => write!(text, "{cell:<width$}  "),
            Align::Right => write!(text, "{cell:>width$}  "),
        };
    }
    text
}

fn request(worker: &Worker) -> String {
    let age = worker.request_seconds.map(time);
    let request = worker.request.as_deref().map(ascii);
    age.zip(request).map_or_else(String::new, |(age, request)| format!("{request} ({age})"))
}

const fn style(worker: &Worker) -> Style {
    match worker.state {
        Work::Busy => GOOD,
        Work::Stopped => BAD,
        Work::Leaving | Work::Exiting => CHANGING,
        _ => Style::new(),
    }
}

/// The text, with dots in its middle where there is no room: the end tells for how long a request has been running.
fn cut(text: &str, room: Option<usize>) -> String {
    let len = text.chars().count();
    let Some(room) = room.filter(|&room| room < len) else { return text.to_owned() };
    let tail =
        len - text.rfind(" (").map_or(len, |at| text.get(..at).map_or(len, |head| head.chars().count()));
    let head = room.saturating_sub(tail + 3);
    text.chars().take(head).chain("...".chars()).chain(text.chars().skip(len - tail)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Latency, Limits, Reload, Saturation};

    fn status() -> Status {
        let worker =
            |pid, slot, state| Worker { pid: Some(pid), slot, state, age_seconds: 61.0, ..Worker::default() };
        Status {
            lswsgi: "1.0".to_owned(),
            application: Some("/srv/app/wsgi.py".into()),
            state: State::Failing,
            reason: Some("no\nway".to_owned()),
            manager: Process { pid: 7, age_seconds: 8000.0, rss_bytes: None },
            limits: Limits { workers: 4, extra_workers: 1 },
            requests: 12_345,
            workers_ended: [("idle".to_owned(), 2), ("signal".to_owned(), 0)].into(),
            saturation: Saturation { now: false, times: 1, seconds: 0.25 },
            latency: Latency {
                p50_seconds: Some(0.001),
                p90_seconds: Some(0.01),
                p99_seconds: Some(1.5),
                ..Latency::default()
            },
            reloads: Reloads {
                completed: 1,
                failed: 1,
                in_progress: false,
                last: Some(Reload { at: "once".to_owned(), error: Some("bad".to_owned()) }),
            },
            workers: vec![
                Worker {
                    requests: 1000,
                    rss_bytes: Some(40 << 20),
                    request: Some(format!("GET /{}", "x".repeat(100))),
                    request_seconds: Some(3.2),
                    ..worker(123, 0, Work::Busy)
                },
                Worker { old_code: true, ..worker(12_345, 10, Work::Leaving) },
            ],
            ..Status::default()
        }
    }

    /// As it is written where there is no terminal.
    fn plain(status: &Status, width: Option<usize>) -> String {
        anstream::adapter::strip_str(&text(status, width)).to_string()
    }

    #[test]
    fn columns_line_up_and_requests_are_cut_to_the_width() {
        let text = plain(&status(), Some(80));
        let (facts, workers) = text.split_once("\n\n").unwrap();
        assert_eq!(
            workers,
            "  PID  SLOT  STATE               AGE  REQUESTS       RSS  REQUEST\n\
            \x20 123     0  busy          1 min 1 s     1 000  40.0 MiB  GET /xxxxxx... (3.2 s)\n\
            12345    10  leaving, old  1 min 1 s         0         -\n",
            "{workers}"
        );
        assert_eq!(
            facts,
            "application /srv/app/wsgi.py\n\
            state       failing: no way\n\
            manager     pid 7, up 2 h 13 min, lswsgi 1.0\n\
            template    none\n\
            workers     2 of 4 and 1 extra, 0 started so far\n\
            ended       idle 2\n\
            requests    12 345, 1 under way; 0 connections held\n\
            latency     half within 1.0 ms, 90% 10 ms, 99% 1.5 s (estimated)\n\
            saturation  once, 250 ms in all, connections waited for busy workers\n\
            reloads     1 completed, 1 failed; the last, once, failed: bad"
        );
    }

    #[test]
    fn what_a_client_sends_steers_no_terminal_turns_no_text_and_takes_no_more_room_than_it_has() {
        let mut status = status();
        status.workers.truncate(1);
        status.workers[0].request = Some(format!("GET /\u{1b}[2J\u{202e}\u{fffd}{}", "\u{4f60}".repeat(50)));
        let text = plain(&status, Some(120));
        let line = text.lines().last().unwrap();
        assert!(line.is_ascii() && line.len() == 120, "{line}");
        assert!(line.contains("GET / [2J%E2%80%AE?%E4%BD%A0%E4"), "{line}");
    }

    #[test]
    fn nothing_is_cut_where_there_is_no_terminal() {
        assert!(plain(&status(), None).contains(&"x".repeat(100)));
        assert_eq!(cut("GET /abcdefgh (1.0 s)", Some(17)), "GET /a... (1.0 s)");
        assert_eq!(cut("GET /abc", Some(8)), "GET /abc");
    }
}
