//! What a process is while it runs: looked up in `/proc`, compared with what a step expects.

use std::time::{Duration, Instant};

use mock_lsws::ProcessInfo;
use mock_lsws::scenario::{ExpectProcess, NumberRange, ResourceName, Vars};

use super::case::Case;
use super::steps::{mistake, problem};
use crate::event::Problem;

/// How often a process is looked at while it is to become what is expected.
const TICK: Duration = Duration::from_millis(20);

/// A limit that is not there, as a number.
const UNLIMITED: i64 = i64::MAX;

/// The state of a process that runs.
const RUNNING: &str = "running";

/// The state of one that does not, where nothing more is known.
const ENDED: &str = "ended";

/// The process a step is about.
struct Looked {
    pid: i32,
    /// [`RUNNING`], or how it ended.
    state: String,
    /// What it is called in a failure.
    name: String,
}

impl Case<'_> {
    /// Looks at the process until it is as expected, or the time for that is over.
    pub(super) async fn expect_process(&mut self, expected: &ExpectProcess) -> Result<(), Vec<Problem>> {
        let deadline = Instant::now() + expected.within.map_or(Duration::ZERO, |within| within.0);
        loop {
            let mut vars = self.vars.clone();
            let wrong = self.compare_process(expected, &mut vars);
            if wrong.is_empty() {
                self.vars = vars;
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(wrong);
            }
            tokio::time::sleep(TICK).await;
        }
    }

    fn compare_process(&self, expected: &ExpectProcess, vars: &mut Vars) -> Vec<Problem> {
        let app = self.stage.app().pid();
        let mut others = self.stage.spawner.descendants();
        others.retain(|process| process.pid != app);
        let (zombies, children): (Vec<_>, Vec<_>) = others.into_iter().partition(ProcessInfo::is_zombie);
        let Looked { pid, state, name } = match self.look(expected, &children, vars) {
            Ok(looked) => looked,
            Err(problem) => return vec![problem],
        };
        let mut wrong = Vec::new();
        if let Some(alive) = expected.alive
            && (state == RUNNING) != alive
        {
            wrong.push(problem(&name, if alive { RUNNING } else { ENDED }, &state));
        }
        if let Some(below) = expected.below
            && mock_lsws::descendants(app).iter().any(|process| process.pid == pid) != below
        {
            let [wanted, actual] = [below, !below]
                .map(|below| format!("{} process {app}", if below { "below" } else { "not below" }));
            wrong.push(problem(&name, &wanted, &actual));
        }
        for (what, matcher) in [("cmdline", &expected.title), ("comm", &expected.name)] {
            let Some(matcher) = matcher else { continue };
            let text = std::fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).replace('\0', " ");
            let mismatches =
                matcher.check(&format!("{name}, {what}"), text.trim().as_bytes(), &self.plan.root, vars);
            wrong.extend(mismatches.into_iter().map(Problem::from));
        }
        let helpers = self.plan.subject.declares.helpers as usize;
        for (field, range, processes, helpers) in [
            ("processes below the application's", &expected.children, &children, 0),
            ("workers below the application's process", &expected.workers, &children, helpers),
            ("zombies below the application's process", &expected.zombies, &zombies, 0),
        ] {
            let Some(range) = range else { continue };
            wrong.extend(compare_count(field, range, processes, helpers, vars));
        }
        if let Some(range) = &expected.descriptors {
            wrong.extend(compare("open descriptors", range, descriptors(pid), vars));
        }
        for (resource, limit) in &expected.limits {
            let name = limit_name(*resource);
            let [soft, hard] = limits(pid, name);
            for (kind, range, actual) in [("soft", &limit.soft, soft), ("hard", &limit.hard, hard)] {
                let Some(range) = range else { continue };
                let field = format!("{kind} limit, {}", name.to_lowercase());
                wrong.extend(compare(&field, range, actual, vars));
            }
        }
        wrong
    }

    /// Finds the process that `expected` is about; `children` are those below the application's that run.
    fn look(
        &self,
        expected: &ExpectProcess,
        children: &[ProcessInfo],
        vars: &Vars,
    ) -> Result<Looked, Problem> {
        let app = self.stage.app();
        let state_of_app = || app.exit().map_or_else(|| RUNNING.to_owned(), |exit| exit.to_string());
        let Some(named) = &expected.pid else {
            return Ok(Looked { pid: app.pid(), state: state_of_app(), name: "process".to_owned() });
        };
        let Some(pid) = named.render(vars).ok().and_then(|pid| pid.parse().ok()) else {
            return Err(mistake(&format!("`{}` is no process number", named.show(vars))));
        };
        // Only processes of this case: others may have the number again.
        let is_running = children.iter().any(|process| process.pid == pid);
        let state = match is_running {
            _ if pid == app.pid() => state_of_app(),
            true => RUNNING.to_owned(),
            false => ENDED.to_owned(),
        };
        Ok(Looked { pid, state, name: format!("process {pid}") })
    }
}

/// Compares how many `processes` there are, without `helpers` of them.
fn compare_count(
    field: &str,
    range: &NumberRange,
    processes: &[ProcessInfo],
    helpers: usize,
    vars: &mut Vars,
) -> Option<Problem> {
    let count = processes.len().saturating_sub(helpers);
    let wanted = range.refuses(i64::try_from(count).unwrap_or(i64::MAX), vars)?;
    let list = processes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let helpers = match helpers {
        0 => String::new(),
        count => format!(" beside helpers ({count})"),
    };
    let actual = if list.is_empty() { count.to_string() } else { format!("{count}{helpers}: {list}") };
    Some(problem(field, &wanted, &actual))
}

/// Compares the number `actual` of a process; there is none when it is gone.
fn compare(field: &str, range: &NumberRange, actual: Option<i64>, vars: &mut Vars) -> Option<Problem> {
    match actual {
        Some(number) => {
            let wanted = range.refuses(number, vars)?;
            let actual = if number == UNLIMITED { "unlimited".to_owned() } else { number.to_string() };
            Some(problem(field, &wanted, &actual))
        }
        None => Some(problem(field, "those of a running process", "the process is gone")),
    }
}

/// The number of descriptors process `pid` has open.
fn descriptors(pid: i32) -> Option<i64> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    i64::try_from(entries.count()).ok()
}

/// What the line about `resource` in `/proc/PID/limits` begins with.
const fn limit_name(resource: ResourceName) -> &'static str {
    match resource {
        ResourceName::Core => "Max core file size",
        ResourceName::OpenFiles => "Max open files",
        ResourceName::AddressSpace => "Max address space",
        ResourceName::Processes => "Max processes",
    }
}

/// The soft and the hard limit of process `pid` in the line of `/proc/PID/limits` that begins with `name`.
fn limits(pid: i32, name: &str) -> [Option<i64>; 2] {
    let text = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let mut words = line.split_whitespace();
    let mut next = || match words.next()? {
        "unlimited" => Some(UNLIMITED),
        number => number.parse().ok(),
    };
    [next(), next()]
}
