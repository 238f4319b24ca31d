//! One case in words: what it is about, how the application is started, what happens.

use std::fmt::Write;

use mock_lsws::scenario::{
    Action, Expect, Generate, MAIN, Outgoing, Program, Scenario, Sending, SignalTarget, Step,
};

use crate::checkout;
use crate::clauses::Clauses;

/// Everything about `case` that a reader of a report wants to know next, with the clauses it tests in their words.
#[must_use]
pub fn explain(case: &Scenario, clauses: &Clauses) -> String {
    let mut text = format!("{}\n  {}\n  {}\n\n", case.id, case.title, checkout::shown(&case.path).display());
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<8} {value}");
    };
    line("class", &case.class.to_string());
    for id in &case.spec {
        match clauses.find(id) {
            Some(clause) => line("tests", &format!("{id} ({}): {}", clause.level.name(), clause.text)),
            None => line("tests", id),
        }
    }
    line("why", &case.why);
    if !case.tags.is_empty() {
        line("tags", &case.tags.join(", "));
    }
    for need in &case.needs {
        line("needs", &format!("{need}: {}", need.meaning()));
    }
    let mut input = case.start.mode.meaning().to_owned();
    if let Some(address) = &case.start.address {
        let _ = write!(input, ", {address}");
    }
    let env: String = case.start.env.0.iter().map(|(name, value)| format!(", {name}={value}")).collect();
    let args: String = case.start.args.iter().map(|word| format!(" {word}")).collect();
    let program = match &case.start.program {
        Program::Role(role) => format!("role `{role}`"),
        Program::Wsgi(files) => {
            let names = files.0.iter().map(|(path, _)| path.display().to_string());
            format!("an application of its own ({})", names.collect::<Vec<_>>().join(", "))
        }
    };
    let args = if args.is_empty() { args } else { format!(" with{args}") };
    line("start", &format!("{program}{args}, {input}{env}"));
    for log in &case.logs {
        line("log", &log.to_string());
    }
    text.push_str("\n  steps\n");
    steps(&mut text, &case.steps, 4);
    text
}

fn steps(text: &mut String, steps: &[Step], margin: usize) {
    for (index, step) in steps.iter().enumerate() {
        let times = if step.repeat > 1 { format!(", {} times", step.repeat) } else { String::new() };
        let on = if step.action.is_on_a_connection() && step.on != MAIN {
            format!("`{}`, ", step.on)
        } else {
            String::new()
        };
        let words = words(&step.action);
        let _ = writeln!(text, "{:margin$}{:>2}. {words}{times} ({on}line {})", "", index + 1, step.line);
        if let Some(note) = &step.note {
            let _ = writeln!(text, "{:margin$}    {note}", "");
        }
        if let Action::Parallel(rows) = &step.action {
            for (index, row) in rows.iter().enumerate() {
                let _ = writeln!(text, "{:margin$}    row {}", "", index + 1);
                self::steps(text, row, margin + 6);
            }
        }
    }
}

fn words(action: &Action) -> String {
    let limit = |within: &Option<mock_lsws::scenario::Time>| {
        within.map(|time| format!(" within {time}")).unwrap_or_default()
    };
    match action {
        Action::Send(what, None) => sent(what),
        Action::Send(what, Some(expect)) => format!("{} and expects {}", sent(what), expected(expect)),
        Action::Generate(rule, what, expect) => {
            let variants = match rule {
                Generate::Cut(_) => "cut elsewhere each time".to_owned(),
                Generate::Drip(_) => "in pieces of each size".to_owned(),
                Generate::BitFlips { rounds, bits, seed } => {
                    format!("{rounds} times with {bits} flipped of its bits (seed {seed})")
                }
            };
            format!("{}, {variants}, and expects {} each time", sent(what), expected(expect))
        }
        Action::Expect(expect) => format!("expects {}", expected(expect)),
        Action::ExpectEof { within, .. } => format!("expects the connection to close{}", limit(within)),
        Action::ExpectNoBytes(time) => format!("expects silence for {time}"),
        Action::ExpectExit(exit) => {
            format!("expects {} of the process{}", exit.describe(), limit(&exit.within))
        }
        Action::ExpectProcess(process) => format!("looks at the process{}", limit(&process.within)),
        Action::Connect => "opens a connection".into(),
        Action::Close => "closes the connection".into(),
        Action::HalfClose => "closes its sending half".into(),
        Action::Reset => "resets the connection".into(),
        Action::Clients(clients) => {
            let distinct: String =
                clients.distinct.keys().map(|name| format!(", counting values of `{name}`")).collect();
            let (count, sent) = (clients.count, sent(&clients.sending));
            let then = clients
                .expect
                .as_ref()
                .map_or_else(|| "leaves".to_owned(), |expect| format!("expects {}", expected(expect)));
            format!("{count} clients at once: each {sent} and {then}{distinct}")
        }
        Action::Faults(faults) if faults.is_empty() => "ends the faults, for new connections".into(),
        Action::Faults(faults) => {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            format!("puts faults between server and application: {}", faults.join(", "))
        }
        Action::Traffic(traffic) => {
            let (count, time, sent) = (traffic.count, traffic.time, sent(&traffic.sending));
            let what = traffic.expect.as_ref().map_or_else(|| "anything".to_owned(), expected);
            let patience = traffic
                .give_up
                .map_or_else(String::new, |limit| format!(", or a new connection after {limit}"));
            format!("{count} clients for {time}: each {sent} and expects {what}{patience}, again and again")
        }
        Action::Signal(signal, target) => {
            let name = mock_lsws::signal::name(signal.as_raw()).unwrap_or("a signal");
            match target {
                SignalTarget::Subject => format!("sends {name} to the application"),
                SignalTarget::Parent => "lets the server die".into(),
                SignalTarget::All => format!("sends {name} to the application and all processes below it"),
                SignalTarget::Pid(pid) => format!("sends {name} to process {pid}"),
            }
        }
        Action::WaitLog { within, .. } => format!("waits for a line on stderr{}", limit(within)),
        Action::WriteFiles(files) => {
            let names = files.0.iter().map(|(path, _)| path.display().to_string());
            format!("writes {}", names.collect::<Vec<_>>().join(" and "))
        }
        Action::StartAgain => "starts the application once more".into(),
        Action::Pause(time) => format!("waits {time}"),
        Action::Parallel(_) => "does at the same time".into(),
    }
}

fn sent(sending: &Sending) -> String {
    let what = match sending.what {
        Outgoing::Request(_) => "sends a request",
        Outgoing::Bytes(_) => "sends bytes",
    };
    let damaged = if sending.damage.is_empty() { "" } else { " with damage" };
    let pieces =
        if sending.pace.drip.is_some() || !sending.pace.split.is_empty() { " in pieces" } else { "" };
    format!("{what}{damaged}{pieces}")
}

fn expected(expect: &Expect) -> String {
    match expect {
        Expect::Response(_) => "a response".into(),
        Expect::Packets(patterns) => patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Expect::Outcome(outcome) => format!("to be {outcome}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mock_lsws::scenario::parse_text;

    use super::*;

    fn clauses() -> Clauses {
        let text =
            "[[clause]]\nid='W01'\nwho='app'\nlevel='must'\nsection='6.1'\ntext='A GET is answered.'\n";
        toml::from_str(text).unwrap()
    }

    #[test]
    fn an_application_of_its_own_is_told_by_its_files() {
        let text = "title = 'The title'\nclass = 'must'\nspec = ['P01']\nwhy = 'The reason.'\n\
             needs = ['lswsgi-options']\nlogs = [{ line = { contains = 'no' }, count = 0 }]\n\
             [start]\nmode = 'worker'\nwsgi = 'x = {}'\nfiles = { 'a/b.py' = '' }\nargs = ['--debug']\n\
             [[step]]\nwrite_files = { 'c' = '' }\n";
        let case = parse_text("a/b", Path::new("a/b.toml"), text).unwrap();
        let clauses = clauses();
        insta::assert_snapshot!(explain(&case, &clauses), @r#"
        a/b
          The title
          a/b.toml

          class    must
          tests    P01
          why      The reason.
          needs    lswsgi-options: the options and variables of lswsgi are understood
          needs    wsgi: {script} may be any WSGI application in Python: cases bring theirs with them
          start    an application of its own (app.py, a/b.py) with --debug, descriptor 0 is a connection
          log      lines of stderr that are something that contains "no" are counted

          steps
             1. writes c (line 12)
        "#);
    }

    #[test]
    fn a_case_is_told_from_its_head_to_its_last_step() {
        let text = "title = 'The title'\nclass = 'must'\nspec = ['W01', 'lsapi 1.3']\nwhy = 'The reason.'\n\
             needs = ['group']\n[start]\nmode = 'listen'\nrole = 'hello'\nenv = { A = '1' }\n\
             [[step]]\nrequest = {}\ndamage = { cut = 9 }\nexpect_outcome = 'refused'\n\
             [[step]]\n[[step.parallel]]\n[[step.parallel.step]]\nconnect = 'a'\nnote = 'early'\n\
             [[step.parallel]]\n[[step.parallel.step]]\nrepeat = 2\npause = '1s'\n\
             [[step]]\nexpect_exit = { code = 0, within = '1s' }\n";
        let case = parse_text("a/b", Path::new("a/b.toml"), text).unwrap();
        let clauses = clauses();
        insta::assert_snapshot!(explain(&case, &clauses), @"
        a/b
          The title
          a/b.toml

          class    must
          tests    W01 (must): A GET is answered.
          tests    lsapi 1.3
          why      The reason.
          needs    group: LSAPI_CHILDREN makes a process group that serves in parallel
          start    role `hello`, descriptor 0 is a listening socket, A=1

          steps
             1. sends a request with damage and expects to be refused (line 10)
             2. does at the same time (line 14)
                row 1
                   1. opens a connection (`a`, line 16)
                      early
                row 2
                   1. waits 1s, 2 times (line 20)
             3. expects exit code 0 of the process within 1s (line 23)
        ");
    }
}
