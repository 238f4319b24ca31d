//! What each variable and option means, alone and together.

use std::ffi::OsString;
use std::time::Duration;

use clap::Parser as _;

use super::effective::Effective;
use super::table::TABLE;
use super::{Load, Settings};
use crate::cli::CommandLine;
use crate::options::{ErrorLog, LateError, Options, UnderscoreHeaders, UnknownLength};

fn effective(args: &[&str], env: &[(&str, &str)]) -> Effective {
    let line = CommandLine::parse_from([&["lswsgi", "-m", "app.py"], args].concat());
    let get = |name: &str| env.iter().find(|pair| pair.0 == name).map(|pair| OsString::from(pair.1));
    Effective::read(&line.arguments, &get)
}

fn settings(args: &[&str], env: &[(&str, &str)]) -> Settings {
    effective(args, env).settings
}

/// What one variable makes of the settings, and the warnings about it.
fn with(name: &str, value: &str) -> (Settings, Vec<String>) {
    let effective = effective(&[], &[(name, value)]);
    (effective.settings, effective.warnings)
}

/// Value and origin, as `--print-config` says them.
fn printed(args: &[&str], env: &[(&str, &str)], name: &str) -> String {
    let rows = effective(args, env).rows;
    let row = rows.into_iter().find(|row| row.name == name).unwrap();
    format!("{} from {}", row.value, row.origin)
}

/// Whether the command line is a usage error.
fn is_refused(args: &[&str]) -> bool {
    CommandLine::try_parse_from([&["lswsgi"], args].concat()).is_err()
}

const fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn documented_defaults_apply_without_environment() {
    let Effective { settings, warnings, .. } = effective(&[], &[]);
    assert_eq!(warnings, [""; 0]);
    assert_eq!((settings.max_requests, settings.max_requests_jitter), (10_000, 0));
    assert_eq!(settings.max_idle, seconds(300));
    assert_eq!(settings.max_process_time, seconds(3600));
    assert_eq!(settings.graceful_timeout, Duration::from_secs(23));
    assert!(settings.parent_check && !settings.allow_core_dump && !settings.one_connection);
    assert_eq!(settings.max_request_packet, 262_144);
    assert_eq!((settings.slow_request, settings.stderr_log), (None, None));
    let group = settings.group;
    assert_eq!((group.children, group.extra_children, group.max_idle_children), (0, 0, 1));
    assert_eq!((group.pgrp_max_idle, group.max_busy_workers, group.max_lifetime), (None, None, None));
    assert_eq!((group.min_free_memory, group.min_idle, group.load), (1 << 30, 0, Load::Auto));
    assert_eq!(group.kill_after, Duration::from_secs(5));
}

#[test]
fn every_setting_of_the_table_is_read_once_and_in_its_order() {
    let read: Vec<_> = effective(&[], &[]).rows.iter().map(|row| row.name).collect();
    let listed: Vec<_> = TABLE.iter().map(|setting| setting.option()).collect();
    assert_eq!(read, listed);
}

#[test]
fn the_default_that_is_documented_is_the_one_that_is_used() {
    for row in effective(&[], &[]).rows {
        let setting = TABLE.iter().find(|setting| setting.option() == row.name).unwrap();
        let documented = setting.default();
        let follows = ["--", "as found", "the application"].iter().any(|words| documented.contains(words));
        assert!(follows || documented == row.value.to_string(), "{}: {documented}", row.name);
    }
}

#[test]
fn the_php_name_wins_even_when_it_cannot_be_used() {
    let both = |php| settings(&[], &[("LSAPI_MAX_REQS", "5"), ("PHP_LSAPI_MAX_REQUESTS", php)]).max_requests;
    assert_eq!(both("2"), 2);
    assert_eq!(both("many"), 10_000);
    assert_eq!(both("0"), 10_000);
    let children =
        |php| settings(&[], &[("LSAPI_CHILDREN", "5"), ("PHP_LSAPI_CHILDREN", php)]).group.children;
    assert_eq!((children("2"), children("0"), children("x")), (2, 0, 0));
}

#[test]
fn an_option_wins_over_its_variable_and_silences_what_is_wrong_with_it() {
    let Effective { settings, warnings, .. } =
        effective(&["--max-idle", "7", "--debug=no"], &[("LSAPI_MAX_IDLE", "soon"), ("LSWSGI_DEBUG", "1")]);
    assert_eq!(settings.max_idle, seconds(7));
    assert!(!settings.options.debug);
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn a_variable_that_cannot_be_used_is_a_warning_that_says_what_can_and_what_is_used() {
    for (name, value, expected) in [
        (
            "LSAPI_MAX_REQS",
            "many",
            "LSAPI_MAX_REQS=many is not a whole number from 1 to 1000000000000: using 10000",
        ),
        (
            "LSAPI_MAX_PROCESS_TIME",
            "0",
            "LSAPI_MAX_PROCESS_TIME=0 is not a number of seconds above 0, such as 10 or 0.5: using 3600 s",
        ),
        (
            "LSAPI_PGRP_MAX_IDLE",
            "-1",
            "LSAPI_PGRP_MAX_IDLE=-1 is not a number of seconds, such as 300 or 0.5, or 0 for no limit: using no limit",
        ),
        (
            "LSAPI_CHILDREN",
            "10001",
            "LSAPI_CHILDREN=10001 is not a whole number from 0 to 10000: using 10000",
        ),
        ("LSWSGI_ERRORS", "syslog", "LSWSGI_ERRORS=syslog is not stderr or lsapi: using stderr"),
        ("LSAPI_KEEP_LISTEN", "7", "LSAPI_KEEP_LISTEN=7 is not a whole number from 0 to 2: using 1"),
        ("LSWSGI_LOAD", "eager", "LSWSGI_LOAD=eager is not auto, preload or lazy: using auto"),
        ("LSAPI_AVOID_FORK", "2T", "LSAPI_AVOID_FORK=2T is not 0, 1 or a size such as 512M or 2G: using no"),
        ("LSAPI_KEEP_LISTEN", "", "LSAPI_KEEP_LISTEN= is not a whole number from 0 to 2: using 1"),
    ] {
        assert_eq!(with(name, value).1, [expected]);
    }
}

#[test]
fn out_of_range_on_the_command_line_is_a_usage_error() {
    for args in [
        ["--children", "10001"],
        ["--children", "-1"],
        ["--max-idle", "soon"],
        ["--max-process-time", "0"],
        ["--pgrp-max-idle", "-1"],
        ["--kill-after", "nan"],
        ["--exit-timeout", "1e300"],
        ["--avoid-fork", "2T"],
        ["--keep-listen", "3"],
        ["--max-request-packet", "1"],
        ["--load", "eager"],
        ["--slow-requests", "1.5"],
        ["--debug=maybe", "--debug"],
    ] {
        assert!(is_refused(&args), "{args:?}");
    }
    assert!(!is_refused(&[
        "--max-idle",
        "-1",
        "--max-busy-workers",
        "-1",
        "--log-level",
        "DEBUG",
        "--debug"
    ]));
}

#[test]
fn seconds_take_fractions() {
    assert_eq!(settings(&["--kill-after", "0.5"], &[]).group.kill_after, Duration::from_millis(500));
    assert_eq!(with("LSAPI_MAX_IDLE", " 1.5 ").0.max_idle, Some(Duration::from_millis(1500)));
    for many in ["4294967295", "4294967296", &"9".repeat(400)] {
        assert_eq!(with("LSAPI_MAX_IDLE", many).0.max_idle, seconds(4_294_967_295), "{many}");
    }
}

#[test]
fn an_idle_limit_of_zero_or_less_means_none_and_no_number_the_default() {
    for (value, expected) in [("0", None), ("-3", None), ("soon", seconds(300)), ("-soon", seconds(300))] {
        assert_eq!(with("LSAPI_MAX_IDLE", value).0.max_idle, expected, "{value}");
    }
    assert_eq!(with("LSAPI_MAX_IDLE", "-3").1, [""; 0]);
}

#[test]
fn more_than_ten_thousand_children_are_ten_thousand() {
    for value in ["10000", "10001", "99999999999999999999999"] {
        assert_eq!(with("LSAPI_CHILDREN", value).0.group.children, 10_000, "{value}");
    }
    assert_eq!(with("LSAPI_CHILDREN", "-4").0.group.children, 0);
}

#[test]
fn extra_and_idle_children_are_a_third_unless_they_are_named() {
    let group = |children| with("LSAPI_CHILDREN", children).0.group;
    for (children, extra, idle) in [("2", 0, 1), ("3", 1, 1), ("8", 2, 2), ("100", 33, 33)] {
        let group = group(children);
        assert_eq!((group.extra_children, group.max_idle_children), (extra, idle), "{children}");
    }
    let env = [("LSAPI_CHILDREN", "9"), ("LSAPI_EXTRA_CHILDREN", "0"), ("LSAPI_MAX_IDLE_CHILDREN", "7")];
    let group = settings(&[], &env).group;
    assert_eq!((group.extra_children, group.max_idle_children), (0, 7));
    assert_eq!(with("LSAPI_MAX_IDLE_CHILDREN", "0").1.len(), 1);
}

#[test]
fn avoiding_forks_is_a_flag_and_from_ten_megabytes_on_a_limit() {
    let gib = 1_u64 << 30;
    for (value, avoids, limit) in [
        ("0", false, gib),
        ("0G", false, gib),
        ("1", true, gib),
        ("2", true, gib),
        ("10485759", true, gib),
        ("10485760", true, 10 << 20),
        ("10M", true, 10 << 20),
        ("9m", true, gib),
        ("20480k", true, 20 << 20),
        ("2G", true, 2 * gib),
        ("4g", true, 4 * gib),
        ("8000000G", true, 8_000_000 * gib),
        ("99999999999G", false, gib),
        ("-1", false, gib),
        ("G", false, gib),
        ("1.5G", false, gib),
    ] {
        let env = [("LSAPI_CHILDREN", "9"), ("LSAPI_AVOID_FORK", value)];
        let group = settings(&[], &env).group;
        let expected = if avoids { (0, 9, limit) } else { (3, 3, limit) };
        assert_eq!(
            (group.extra_children, group.max_idle_children, group.min_free_memory),
            expected,
            "{value}"
        );
    }
}

#[test]
fn avoiding_forks_only_changes_defaults_and_the_variable_about_listening() {
    let env = [("LSAPI_CHILDREN", "9"), ("LSAPI_AVOID_FORK", "1"), ("LSAPI_EXTRA_CHILDREN", "4")];
    assert_eq!(settings(&[], &env).group.extra_children, 4);
    let env = [("LSAPI_KEEP_LISTEN", "0"), ("LSAPI_AVOID_FORK", "1")];
    assert!(!settings(&[], &env).one_connection);
    assert!(settings(&["--keep-listen", "0"], &env).one_connection);
    assert!(settings(&["--avoid-fork", "0"], &env).one_connection);
}

#[test]
fn a_limit_of_busy_workers_implies_that_the_parent_is_not_watched() {
    let both = |value| {
        let settings = settings(&[], &[("LSAPI_CHILDREN", "9"), ("LSAPI_MAX_BUSY_WORKER", value)]);
        (settings.group.max_busy_workers, settings.parent_check)
    };
    assert_eq!(both("-1"), (None, true));
    assert_eq!(both("0"), (Some(5), false));
    assert_eq!(both("3"), (Some(3), false));
    assert_eq!(both("some"), (None, true));
}

#[test]
fn presence_alone_decides_flags_and_a_number_those_that_are_numbers() {
    let given = settings(&[], &[("LSAPI_PPID_NO_CHECK", "0"), ("LSAPI_ALLOW_CORE_DUMP", "")]);
    assert!(!given.parent_check && given.allow_core_dump);
    for (value, expected) in [("0", false), ("1", true), ("2", true), ("on", false)] {
        assert_eq!(with("LSAPI_ACCEPT_NOTIFY", value).0.accept_notify, expected, "{value}");
        assert_eq!(with("LSAPI_DUMP_DEBUG_INFO", value).0.dump_debug_info, expected, "{value}");
    }
}

#[test]
fn a_server_started_by_hand_outlives_its_shell_unless_it_is_told_not_to() {
    assert!(!settings(&["-a", "/tmp/x.sock"], &[]).parent_check);
    assert!(settings(&["-a", "/tmp/x.sock", "--no-parent-check=no"], &[]).parent_check);
}

#[test]
fn slow_requests_are_told_in_milliseconds() {
    assert_eq!(with("LSAPI_SLOW_REQ_MSECS", "1500").0.slow_request, Some(Duration::from_millis(1500)));
    assert_eq!(with("LSAPI_SLOW_REQ_MSECS", "0").0.slow_request, None);
    assert_eq!(with("LSAPI_SLOW_REQ_MSECS", "-5").1.len(), 1);
}

#[test]
fn idle_workers_that_are_kept_ready_are_kept() {
    let group = |args: &[&str]| {
        let effective = effective(&[&["--children", "9"], args].concat(), &[]);
        let group = effective.settings.group;
        (group.min_idle, group.max_idle_children, effective.warnings)
    };
    assert_eq!(group(&["--min-idle", "2"]), (2, 3, vec![]));
    assert_eq!(group(&["--min-idle", "5"]), (5, 5, vec![]));
    let warning = "--min-idle 20 is more than there may be workers (--children): using 9".to_owned();
    assert_eq!(group(&["--min-idle", "20"]), (9, 9, vec![warning]));
    let warning = "--min-idle 5 is more than may be idle (--max-idle-children): using 4".to_owned();
    assert_eq!(group(&["--min-idle", "5", "--max-idle-children", "4"]), (4, 4, vec![warning]));
}

#[test]
fn jitter_leaves_every_process_at_least_one_request() {
    let env = [("LSAPI_MAX_REQS", "5"), ("LSWSGI_MAX_REQUESTS_JITTER", "5")];
    let Effective { settings, warnings, .. } = effective(&[], &env);
    assert_eq!(settings.max_requests_jitter, 4);
    assert_eq!(warnings, ["LSWSGI_MAX_REQUESTS_JITTER=5 has to be less than --max-requests: using 4"]);
}

#[test]
fn every_choice_about_requests_can_be_made_in_the_environment() {
    assert_eq!(settings(&[], &[]).options, Options::default());
    let env = [
        ("LSWSGI_UNDERSCORE_HEADERS", "keep"),
        ("LSWSGI_UNKNOWN_LENGTH", "411"),
        ("LSWSGI_LATE_ERROR", "abort"),
        ("LSWSGI_ERRORS", "LSAPI "),
        ("LSWSGI_DEBUG", "1"),
    ];
    let chosen = Options {
        errors: ErrorLog::Lsapi,
        underscore_headers: UnderscoreHeaders::Keep,
        unknown_length: UnknownLength::Refuse,
        late_error: LateError::Abort,
        debug: true,
    };
    assert_eq!(settings(&[], &env).options, chosen);
}

#[test]
fn it_is_told_where_a_value_came_from() {
    let env = [("LSAPI_CHILDREN", "9"), ("LSAPI_AVOID_FORK", "2G"), ("LSAPI_KEEP_LISTEN", "0")];
    for (name, expected) in [
        ("children", "9 from LSAPI_CHILDREN"),
        ("avoid-fork", "2 GiB from LSAPI_AVOID_FORK"),
        ("extra-children", "0 from default, because LSAPI_AVOID_FORK is set"),
        ("keep-listen", "2 from LSAPI_KEEP_LISTEN, overruled because LSAPI_AVOID_FORK is set"),
        ("max-idle", "2.5 s from --max-idle"),
        ("max-requests", "10000 from default"),
        ("pgrp-max-idle", "no limit from default"),
    ] {
        assert_eq!(printed(&["--max-idle", "2.5"], &env, name), expected);
    }
    assert_eq!(
        printed(&[], &[("LSAPI_MAX_IDLE", "x")], "max-idle"),
        "300 s from default, because LSAPI_MAX_IDLE cannot be used"
    );
    assert_eq!(
        printed(&["-a", "/x"], &[], "no-parent-check"),
        "yes from default, because --address is given"
    );
}

#[test]
fn words_in_help_are_those_that_are_understood() {
    use clap::CommandFactory as _;
    let command = CommandLine::command();
    for arg in command.get_arguments() {
        let words: Vec<_> =
            arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        if arg.get_action().takes_values() && !words.is_empty() {
            assert_eq!(arg.get_value_names().unwrap()[0].as_str(), words.join("|"), "{}", arg.get_id());
        }
    }
}

/// The table of settings as it is in the README.
fn table_of_readme() -> String {
    let mut table = "| option | variable | default | meaning |\n|---|---|---|---|\n".to_owned();
    let mut heading = "";
    for setting in TABLE {
        if setting.heading() != heading {
            heading = setting.heading();
            table += &format!("| **{heading}** | | | |\n");
        }
        let arg = setting.arg();
        let value = if arg.is_require_equals_set() { "" } else { arg.get_value_names().unwrap()[0].as_str() };
        let option = format!("--{} {}", setting.option(), value.replace('|', "\\|"));
        let variables: Vec<_> = setting.variables().iter().map(|name| format!("`{name}`")).collect();
        table += &format!(
            "| `{}` | {} | {} | {} |\n",
            option.trim_end(),
            variables.join(", "),
            setting.default(),
            setting.help()
        );
    }
    table
}

#[test]
fn the_table_in_the_readme_is_this_one() {
    let table = table_of_readme();
    let readme = include_str!("../../../README.md");
    assert!(readme.contains(&table), "the README should have:\n{table}");
}
