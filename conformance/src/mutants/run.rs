//! Running all of it: the sound applications first, then every mutant on its cases.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use mock_lsws::scenario::{Class, Scenario, Time};
use serde::Serialize;
use tokio::task::JoinSet;

use super::base::{Base, Bench};
use super::model::Mutant;
use super::outcome::{MutantOutcome, Said, Unsound};
use crate::event::{CaseResult, Problem, Verdict};
use crate::runner::{self, Plan};
use crate::{Error, filter};

/// How long a case may take that does not say so itself.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How much longer than with the sound application a case may take with a broken one: so many times, and this.
const LONGER: (u32, Duration) = (2, Duration::from_secs(4));

/// How often a case that fails is tried again: a sound application passes then, a broken one fails again. What fails once
/// because the machine is busy says nothing about either.
const RETRIES: u32 = 1;

/// What has been found out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Findings {
    /// What became of each mutant, in the order they were given.
    pub mutants: Vec<MutantOutcome>,
    /// Cases that fail although nothing is broken.
    pub unsound: Vec<Unsound>,
}

/// One case against one application.
struct Task {
    /// Which application.
    of: usize,
    /// Which case of its base.
    case: usize,
    plan: Arc<Plan>,
    scenario: Arc<Scenario>,
}

/// What became of a case, by application and case.
type Results = BTreeMap<(usize, usize), CaseResult>;

/// Tries `mutants` on their cases, or on all with `all_cases`, `jobs` cases at the same time. `say` is told what happens,
/// `progress` how many cases are over, and of how many.
///
/// # Errors
/// [`Error::Interrupted`]; no process is left then either.
pub async fn run(
    bench: &Bench,
    mutants: &[Mutant],
    all_cases: bool,
    jobs: usize,
    say: &dyn Fn(&str),
    progress: &dyn Fn(usize, usize),
) -> Result<Findings, Error> {
    let bases: Vec<&Base> = bench.bases().collect();
    // Of each mutant its base and its cases.
    let tried: Vec<(usize, Vec<usize>)> = mutants
        .iter()
        .map(|mutant| {
            let of = bench
                .base_of(mutant)
                .and_then(|base| bases.iter().position(|known| std::ptr::eq(*known, base)));
            let of = of.unwrap_or_default();
            let catalogue = bases.get(of).map_or(&[][..], |base| &base.catalogue);
            (of, cases_of(mutant, catalogue, all_cases))
        })
        .collect();
    let mut tasks = Vec::new();
    for (of, base) in bases.iter().enumerate() {
        let plan = Arc::new(bench.plan(base, TIMEOUT, RETRIES));
        for (case, scenario) in base.catalogue.iter().enumerate() {
            if tried.iter().any(|(base, cases)| *base == of && cases.contains(&case)) {
                tasks.push(Task { of, case, plan: Arc::clone(&plan), scenario: Arc::clone(scenario) });
            }
        }
    }
    say(&format!("{} cases against {} sound applications first", tasks.len(), bases.len()));
    let sound = do_all(tasks, jobs, progress).await?;
    let unsound = sound.iter().filter_map(|((of, _), result)| {
        let found = match &result.verdict {
            Verdict::Error { message } => message.clone(),
            _ => found(result)?,
        };
        Some(Unsound { subject: bases.get(*of)?.name.clone(), id: result.id.clone(), found })
    });
    let unsound = unsound.collect();

    let mut tasks = Vec::new();
    for (at, (mutant, (of, cases))) in mutants.iter().zip(&tried).enumerate() {
        let Some(base) = bases.get(*of) else { continue };
        let plan = Arc::new(bench.plan_of_mutant(base, mutant, TIMEOUT, RETRIES));
        for &case in cases {
            let (Some(scenario), Some(sound)) = (base.catalogue.get(case), sound.get(&(*of, case))) else {
                continue;
            };
            if matches!(sound.verdict, Verdict::Passed | Verdict::Flaky) {
                let scenario = Arc::new(hurried(scenario, sound.duration));
                tasks.push((sound.duration, Task { of: at, case, plan: Arc::clone(&plan), scenario }));
            }
        }
    }
    // The longest first, so that nobody waits for one of them at the end.
    tasks.sort_by_key(|(duration, _)| std::cmp::Reverse(*duration));
    let tasks: Vec<Task> = tasks.into_iter().map(|(_, task)| task).collect();
    say(&format!("{} cases against {} broken ones", tasks.len(), mutants.len()));
    let broken = do_all(tasks, jobs, progress).await?;

    let outcomes = mutants.iter().zip(&tried).enumerate().map(|(at, (mutant, (of, cases)))| {
        let catalogue = bases.get(*of).map_or(&[][..], |base| &base.catalogue);
        let said = cases.iter().filter_map(|case| {
            Some((&**catalogue.get(*case)?, said(sound.get(&(*of, *case))?, broken.get(&(at, *case)))))
        });
        MutantOutcome::judge(mutant, &said.collect::<Vec<_>>())
    });
    Ok(Findings { mutants: outcomes.collect(), unsound })
}

/// Which of `catalogue` `mutant` is tried on.
fn cases_of(mutant: &Mutant, catalogue: &[Arc<Scenario>], all_cases: bool) -> Vec<usize> {
    let is_for = |case: &Scenario| {
        let named = |patterns: &[String]| patterns.iter().any(|pattern| filter::matches(pattern, case));
        let is_quick = case.class != Class::Detail && !filter::is_soak(case);
        named(&mutant.caught_by) || (is_quick && (all_cases || named(&mutant.cases)))
    };
    catalogue.iter().enumerate().filter(|(_, case)| is_for(case)).map(|(at, _)| at).collect()
}

/// `scenario` with less time: what has taken `sound` need not be awaited for long.
fn hurried(scenario: &Scenario, sound: Duration) -> Scenario {
    let limit = sound.saturating_mul(LONGER.0).saturating_add(LONGER.1);
    let limit = scenario.timeout.map_or(TIMEOUT, |timeout| timeout.0).min(limit);
    Scenario { timeout: Some(Time(limit)), ..scenario.clone() }
}

/// What a case says of a mutant, of which it said `sound` when nothing was broken.
fn said(sound: &CaseResult, broken: Option<&CaseResult>) -> Said {
    match (&sound.verdict, broken) {
        (Verdict::Skipped { reason }, _) => Said::Skipped(reason.clone()),
        (Verdict::Passed | Verdict::Flaky, Some(broken)) => match &broken.verdict {
            Verdict::Error { message } => Said::NotRun(message.clone()),
            _ => found(broken).map_or(Said::Passed, Said::Failed),
        },
        _ => Said::Useless,
    }
}

/// What is wrong according to `result`, in one line.
fn found(result: &CaseResult) -> Option<String> {
    let in_words = |problem: &Problem| {
        let expected = problem.expected.as_ref().map(|expected| format!("expected {expected}, got "));
        format!("{}: {}{}", problem.field, expected.unwrap_or_default(), problem.actual)
    };
    match &result.verdict {
        Verdict::Failed => {
            let attempt = result.attempt.as_ref();
            let problem = attempt.and_then(|attempt| attempt.failures().next()?.problems.first());
            Some(problem.map_or_else(String::new, in_words))
        }
        _ => None,
    }
}

/// Runs `tasks`, `jobs` at the same time.
async fn do_all(tasks: Vec<Task>, jobs: usize, progress: &dyn Fn(usize, usize)) -> Result<Results, Error> {
    let total = tasks.len();
    let mut waiting: VecDeque<Task> = tasks.into();
    let mut running = JoinSet::new();
    let mut results = Results::new();
    let mut stop = std::pin::pin!(runner::stop_requested());
    loop {
        while running.len() < jobs.max(1)
            && let Some(task) = waiting.pop_front()
        {
            running.spawn(async move {
                let result = runner::one(&task.plan, &task.scenario).await;
                ((task.of, task.case), result)
            });
        }
        let ended = tokio::select! {
            () = &mut stop => {
                // Giving up a case ends its processes.
                running.shutdown().await;
                return Err(Error::Interrupted);
            }
            ended = running.join_next() => ended,
        };
        match ended {
            Some(Ok((at, result))) => {
                results.insert(at, result);
                progress(results.len(), total);
            }
            Some(Err(error)) => {
                let source = std::io::Error::other(error);
                return Err(Error::Harness { what: "a case ended without a verdict", source });
            }
            None => return Ok(results),
        }
    }
}
