//! The environment a server gives to an application: in a fixed order, and nothing of its own inherited.

use std::ffi::{OsStr, OsString};

/// Comes first, so that a program which writes its title over its arguments and environment spoils nothing of use.
const PADDING: &str = "LSAPI_PADDING=leave_some_room_to_avoid_overwrite_important_env";

/// What an application without a configured PATH gets.
const DEFAULT_PATH: &str = "PATH=/bin:/usr/bin";

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

/// The list for a generic application: padding, the configured lines in their order, PATH if it is not among them.
pub(crate) fn server_list(configured: &[(OsString, OsString)]) -> Vec<OsString> {
    let passed_on = configured.iter().filter(|(key, _)| !CONSUMED.iter().any(|consumed| key == consumed));
    let mut list = vec![OsString::from(PADDING)];
    list.extend(passed_on.map(|(key, value)| line(key, value)));
    if !configured.iter().any(|(key, _)| key == "PATH") {
        list.push(DEFAULT_PATH.into());
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(lines: &[(&str, &str)]) -> Vec<String> {
        let lines: Vec<_> = lines.iter().map(|(key, value)| (key.into(), value.into())).collect();
        server_list(&lines).into_iter().map(|line| line.into_string().unwrap()).collect()
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
        let own = [("LS_CWD", "/tmp"), ("LS_STDERR_LOG", "/tmp/log"), ("LS_NS", "1"), ("LS_OTHER", "1")];
        assert_eq!(list(&own), [PADDING, "LS_OTHER=1", DEFAULT_PATH]);
    }
}
