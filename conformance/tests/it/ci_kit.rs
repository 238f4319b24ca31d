//! The CI jobs in README.md: they are YAML, and what they run is accepted by the command line.

use std::collections::BTreeSet;
use std::fs;

use clap::{CommandFactory, Parser};
use conformance::cli::Cli;
use serde_json::Value;

use crate::support;

fn readme() -> String {
    fs::read_to_string(support::checkout().join("README.md")).unwrap()
}

/// The jobs, parsed.
fn jobs() -> Vec<Value> {
    let text = readme();
    let blocks = text.split("\n```yaml\n").skip(1).map(|block| block.split("\n```").next().unwrap());
    blocks.map(|block| serde_saphyr::from_str(block).unwrap()).collect()
}

/// Every text in `value`.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(values) => values.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// The commands of `conformance` in `job`, as its runner would have them.
fn commands(job: &Value) -> Vec<String> {
    let runs = texts(job).into_iter().filter(|text| text.starts_with("conformance ") && text.contains(" --"));
    runs.map(|text| {
        text.replace("${{ matrix.shard }}", "1").replace("$CI_NODE_INDEX", "1").replace("$CI_NODE_TOTAL", "4")
    })
    .collect()
}

#[test]
fn the_jobs_are_yaml_and_their_commands_right() {
    let jobs = jobs();
    assert_eq!(jobs.len(), 2);
    for job in &jobs {
        let commands = commands(job);
        assert_eq!(commands.len(), 1, "{job}");
        for command in commands {
            assert!(!command.contains('$'), "{command}");
            let parsed = Cli::try_parse_from(command.split_whitespace());
            assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
        }
    }
}

#[test]
fn what_a_job_keeps_is_what_its_run_writes() {
    for job in &jobs() {
        let command = commands(job).concat();
        let written: BTreeSet<&str> =
            command.split_whitespace().filter_map(|word| Some(word.split_once('=')?.1)).collect();
        assert_eq!(written.len(), 4, "{command}");
        let rest: Vec<&str> =
            texts(job).into_iter().filter(|text| !text.starts_with("conformance ")).collect();
        for file in written {
            assert!(rest.iter().any(|text| text.contains(file)), "{file} is written and not kept: {job}");
        }
    }
}

#[test]
fn every_subcommand_is_told() {
    let readme = readme();
    for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_name();
        let told = [format!("`{name}`"), format!("`{name} "), format!("conformance {name}")];
        assert!(told.iter().any(|words| readme.contains(words)), "README.md does not tell of `{name}`");
    }
}
