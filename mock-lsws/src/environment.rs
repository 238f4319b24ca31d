//! The environment a server gives to an application: in a fixed order, and nothing of its own inherited.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use crate::config::WsgiApp;

/// Comes first, so that a program which writes its title over its arguments and environment spoils nothing of use.
const PADDING: &str = "LSAPI_PADDING=leave_some_room_to_avoid_overwrite_important_env";

/// What an application without a configured PATH gets.
const DEFAULT_PATH: &str = "PATH=/bin:/usr/bin";

/// Tells a detached application that the death of its parent does not concern it.
const NO_PARENT_CHECK: &str = "LSAPI_PPID_NO_CHECK=1";

/// Tells it to keep its listening socket when a new server comes.
const KEEP_LISTEN: &str = "LSAPI_KEEP_LISTEN=2";

/// Configured variable with the working directory; the server keeps it for itself.
pub(crate) const WORKING_DIRECTORY: &str = "LS_CWD";

/// Configured variable with the file for standard error; the server keeps it for itself.
pub(crate) const LOG_FILE: &str = "LS_STDERR_LOG";

/// Configured variables the server reads and does not pass on.
const CONSUMED: [&str; 5] = [LOG_FILE, WORKING_DIRECTORY, "LS_BWRAP", "LS_CGROUP", "LS_NS"];

/// Variables of which one is enough to say that the application manages its own processes. Then its descriptor 0 is a
/// listening socket; without any of them it is one connection.
pub const PROCESS_COUNT_VARIABLES: [&str; 3] = ["LSAPI_CHILDREN", "PHP_LSAPI_CHILDREN", "PHP_FCGI_CHILDREN"];

/// `KEY=VALUE`.
fn line(key: &OsStr, value: &OsStr) -> OsString {
    let mut line = key.to_os_string();
    line.push("=");
    line.push(value);
    line
}

/// Whether a variable is configured.
fn has(configured: &[(OsString, OsString)], name: &str) -> bool {
    configured.iter().any(|(key, _)| key == name)
}

/// The configured lines an application gets to see.
fn passed_on(configured: &[(OsString, OsString)]) -> impl Iterator<Item = OsString> {
    let is_consumed = |key: &OsString| CONSUMED.iter().any(|consumed| key == consumed);
    configured.iter().filter(move |(key, _)| !is_consumed(key)).map(|(key, value)| line(key, value))
}

/// LSAPI_PGRP_MAX_IDLE for this `extMaxIdleTime`, in seconds.
fn group_max_idle(ext_max_idle_time: Option<Duration>) -> OsString {
    let seconds = ext_max_idle_time.map_or(60, |time| time.as_secs().max(30));
    format!("LSAPI_PGRP_MAX_IDLE={seconds}").into()
}

/// The list for a generic application (lsapi 4.1.4): padding, the configured lines in their order, PATH if it is not among
/// them. A detached application, with its `extMaxIdleTime`, is told besides that it outlives the server.
pub(crate) fn generic(
    configured: &[(OsString, OsString)],
    detached: Option<Option<Duration>>,
) -> Vec<OsString> {
    let mut list = vec![OsString::from(PADDING)];
    list.extend(passed_on(configured));
    if !has(configured, "PATH") {
        list.push(DEFAULT_PATH.into());
    }
    if let Some(ext_max_idle_time) = detached {
        list.push(NO_PARENT_CHECK.into());
        list.push(group_max_idle(ext_max_idle_time));
        list.push(KEEP_LISTEN.into());
    }
    list
}

/// The list for the application of a native WSGI context (lsapi 4.1.4, lsapi 4.5): the configured lines come first, then what
/// the server knows of the application, last what `wsgiDefaults` add.
pub(crate) fn wsgi(
    configured: &[(OsString, OsString)],
    app: &WsgiApp,
    max_conns: u32,
    ext_max_idle_time: Option<Duration>,
) -> Vec<OsString> {
    // The server always writes the folder with a slash at its end.
    let root = app.root.join("");
    let mut list: Vec<OsString> = passed_on(configured).collect();
    list.push(line("WSGI_ROOT".as_ref(), root.as_os_str()));
    if !has(configured, "PYTHONPATH") {
        let mut path = OsString::from(".:");
        path.push(&root);
        list.push(line("PYTHONPATH".as_ref(), &path));
    }
    list.push(line("HOME".as_ref(), app.home.as_os_str()));
    list.push(line("WSGI_ENV".as_ref(), app.mode.as_str().as_ref()));
    if !has(configured, "LSAPI_CHILDREN") {
        list.push(format!("LSAPI_CHILDREN={max_conns}").into());
    }
    if !has(configured, "LSAPI_KEEP_LISTEN") {
        list.push(KEEP_LISTEN.into());
    }
    list.push(NO_PARENT_CHECK.into());
    list.push(group_max_idle(ext_max_idle_time));
    let defaults = std::iter::once(OsString::from(PADDING))
        .chain(passed_on(&app.defaults))
        .chain((!has(&app.defaults, "PATH")).then(|| DEFAULT_PATH.into()));
    for default in defaults {
        let is_there = list.iter().any(|line| key(line) == key(&default));
        if !is_there {
            list.push(default);
        }
    }
    list
}

/// The name in `KEY=VALUE`.
fn key(line: &OsStr) -> &[u8] {
    line.as_encoded_bytes().split(|byte| *byte == b'=').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AppServerEnv;

    fn lines(lines: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        lines.iter().map(|(key, value)| (key.into(), value.into())).collect()
    }

    fn text(list: Vec<OsString>) -> Vec<String> {
        list.into_iter().map(|line| line.into_string().unwrap()).collect()
    }

    fn list(configured: &[(&str, &str)]) -> Vec<String> {
        text(generic(&lines(configured), None))
    }

    #[test]
    fn configured_lines_keep_their_order_between_padding_and_path() {
        assert_eq!(list(&[("Z", "1"), ("A", ""), ("Z", "2")]), [PADDING, "Z=1", "A=", "Z=2", DEFAULT_PATH]);
    }

    #[test]
    fn a_configured_path_is_not_overruled() {
        assert_eq!(list(&[("PATH", "/opt/bin"), ("B", "x")]), [PADDING, "PATH=/opt/bin", "B=x"]);
    }

    #[test]
    fn settings_of_the_server_itself_are_not_passed_on() {
        let own = [
            ("LS_CWD", "/tmp"),
            ("LS_STDERR_LOG", "/tmp/log"),
            ("LS_NS", "1"),
            ("LS_BWRAP", "1"),
            ("LS_CGROUP", "1"),
            ("LS_OTHER", "1"),
        ];
        assert_eq!(list(&own), [PADDING, "LS_OTHER=1", DEFAULT_PATH]);
    }

    #[test]
    fn a_detached_application_is_told_so_at_the_end() {
        let idle = |time: Option<u64>| text(generic(&[], Some(time.map(Duration::from_secs))));
        let expected = |seconds| {
            [PADDING, DEFAULT_PATH, "LSAPI_PPID_NO_CHECK=1", seconds, "LSAPI_KEEP_LISTEN=2"].map(String::from)
        };
        assert_eq!(idle(None), expected("LSAPI_PGRP_MAX_IDLE=60"));
        assert_eq!(idle(Some(5)), expected("LSAPI_PGRP_MAX_IDLE=30"));
        assert_eq!(idle(Some(90)), expected("LSAPI_PGRP_MAX_IDLE=90"));
    }

    #[test]
    fn a_wsgi_context_gets_its_lines_in_the_order_of_the_real_server() {
        let app = WsgiApp::new("/srv/shop").home("/srv").mode(AppServerEnv::Staging);
        let list =
            text(wsgi(&lines(&[("A", "1"), ("LS_CWD", "/x")]), &app, 7, Some(Duration::from_secs(300))));
        let expected = [
            "A=1",
            "WSGI_ROOT=/srv/shop/",
            "PYTHONPATH=.:/srv/shop/",
            "HOME=/srv",
            "WSGI_ENV=staging",
            "LSAPI_CHILDREN=7",
            "LSAPI_KEEP_LISTEN=2",
            "LSAPI_PPID_NO_CHECK=1",
            "LSAPI_PGRP_MAX_IDLE=300",
            PADDING,
            "LSAPI_MAX_IDLE=60",
            DEFAULT_PATH,
        ];
        assert_eq!(list, expected);
    }

    #[test]
    fn what_a_wsgi_context_configures_is_not_added_again() {
        let configured = [
            ("PATH", "/opt/bin"),
            ("PYTHONPATH", "/lib"),
            ("LSAPI_CHILDREN", "2"),
            ("LSAPI_KEEP_LISTEN", "1"),
            ("LSAPI_MAX_IDLE", "9"),
            ("LSAPI_PADDING", "x"),
        ];
        let list = text(wsgi(&lines(&configured), &WsgiApp::new("/srv/shop/"), 7, None));
        let expected = [
            "PATH=/opt/bin",
            "PYTHONPATH=/lib",
            "LSAPI_CHILDREN=2",
            "LSAPI_KEEP_LISTEN=1",
            "LSAPI_MAX_IDLE=9",
            "LSAPI_PADDING=x",
            "WSGI_ROOT=/srv/shop/",
            "HOME=/srv/shop/",
            "WSGI_ENV=production",
            "LSAPI_PPID_NO_CHECK=1",
            "LSAPI_PGRP_MAX_IDLE=60",
        ];
        assert_eq!(list, expected);
    }
}
