//! `extProcessor` and `wsgiDefaults`: the settings of external applications.

use std::ffi::OsString;

use super::account;
use super::section::Section;
use crate::config::command_line::words;
use crate::config::{DEFAULT_ACCOUNT_CONNS, ExternalApp, RunOnStartUp, Suexec, WsgiApp};
use crate::fault::Faults;

/// What all WSGI contexts have in common.
pub(super) struct WsgiDefaults {
    pub(super) bin_path: Option<OsString>,
    /// The rest; its own application is replaced by that of the context.
    pub(super) app: ExternalApp,
    pub(super) env: Option<Vec<(OsString, OsString)>>,
}

/// Reads an `extProcessor`. What has no effect goes to `remarks`.
pub(super) fn external_app(section: &mut Section<'_, '_>, remarks: &mut Vec<String>) -> ExternalApp {
    let mut app = ExternalApp::new(section.required("name").unwrap_or_default());
    section.choice("type", &[("lsapi", ())]);
    if let Some(address) = section.text("address") {
        match address.parse() {
            Ok(address) => app.address = Some(address),
            Err(error) => section.wrong("address", error.to_string()),
        }
    }
    if let Some(path) = section.text("path") {
        match words(&path) {
            Ok(words) => app.command = words,
            Err(error) => section.wrong("path", format!("`path` cannot be split into words: {error}")),
        }
    }
    if let Some(env) = section.environment("env") {
        app.env = env;
    }
    set(&mut app.instances, section.number("instances"));
    app.restart_marker = section.path("restartMarker");
    set(&mut app.auto_start, section.numbered("autoStart", &[false, true, true]));
    for (key, why) in [
        ("persistConn", "the server always keeps LSAPI connections"),
        ("respBuffer", "LSAPI responses are passed on as they come"),
    ] {
        let known = if key == "persistConn" { &[(), ()][..] } else { &[(), (), ()] };
        if section.has(key) && section.numbered(key, known).is_some() {
            remarks.push(format!("extProcessor '{}': {key} has no effect: {why}", app.name));
        }
    }
    process(section, &mut app);
    app
}

/// Reads `wsgiDefaults`, of which there may be none.
pub(super) fn wsgi_defaults(section: Option<&mut Section<'_, '_>>) -> WsgiDefaults {
    let mut defaults =
        WsgiDefaults { bin_path: None, app: ExternalApp::wsgi("", WsgiApp::new("/")), env: None };
    if let Some(section) = section {
        defaults.bin_path = section.text("binPath").map(OsString::from);
        defaults.env = section.environment("env");
        process(section, &mut defaults.app);
    }
    defaults
}

/// Reads what an `extProcessor` and `wsgiDefaults` both have.
fn process(section: &mut Section<'_, '_>, app: &mut ExternalApp) {
    set(&mut app.max_conns, section.number("maxConns"));
    set(&mut app.init_timeout, section.seconds("initTimeout"));
    set(&mut app.retry_timeout, section.seconds("retryTimeout"));
    set(&mut app.pc_keep_alive_timeout, section.limit("pcKeepAliveTimeout"));
    set(&mut app.backlog, section.number("backlog"));
    set(&mut app.run_on_start_up, section.numbered("runOnStartUp", &RunOnStartUp::ALL));
    set(&mut app.ext_max_idle_time, section.limit("extMaxIdleTime"));
    set(&mut app.umask, section.octal("umask"));
    if let Some(priority) = section.number("priority") {
        app.priority = Some(priority);
    }
    if let Some(faults) = section.words("faults") {
        match Faults::parse(&faults) {
            Ok(faults) => app.faults = faults,
            Err(error) => section.wrong("faults", error.to_string()),
        }
    }
    suexec(section, app);
    let pair = |soft: Option<u64>, hard: Option<u64>| {
        // A limit alone stands for both.
        soft.or(hard).map(|low| (low, hard.unwrap_or(low)))
    };
    let memory = (section.size("memSoftLimit"), section.size("memHardLimit"));
    app.memory = pair(memory.0, memory.1);
    let processes = (section.number("procSoftLimit"), section.number("procHardLimit"));
    app.processes = pair(processes.0, processes.1);
    let (user, group) = (section.text_or_number("extUser"), section.text_or_number("extGroup"));
    match (user, group) {
        (Some(user), group) => match account::find_account(&user, group.as_deref()) {
            Ok(user) => app.user = Some(user),
            Err(error) => section.wrong(error.key, error.message),
        },
        (None, Some(_)) => section.wrong("extGroup", "`extGroup` needs `extUser`"),
        (None, None) => {}
    }
}

/// Reads whether it runs as the owners of what it serves.
fn suexec(section: &mut Section<'_, '_>, app: &mut ExternalApp) {
    let form = section.choice("suEXEC", &[("off", 0), ("account", 1), ("daemon", 2)]).unwrap_or_default();
    let max_conns = section.number("suEXECMaxConns");
    let secret = section.path("suEXECSecret");
    if form == 0 && max_conns.is_some() {
        section.wrong("suEXECMaxConns", "`suEXECMaxConns` is about accounts: it needs `suEXEC`");
    }
    if form != 2 && secret.is_some() {
        section.wrong("suEXECSecret", "`suEXECSecret` is a daemon's: it needs `suEXEC = \"daemon\"`");
    }
    let max_conns = max_conns.unwrap_or(DEFAULT_ACCOUNT_CONNS);
    match (form, secret) {
        (1, _) => app.suexec = Suexec::PerAccount { max_conns },
        (2, Some(secret)) => app.suexec = Suexec::Daemon { max_conns, secret },
        (2, None) => {
            section
                .wrong("suEXEC", "a daemon shares a secret with the server: name its file, `suEXECSecret`");
        }
        _ => {}
    }
}

/// Sets what is written, and leaves what is not.
pub(super) fn set<T>(setting: &mut T, written: Option<T>) {
    if let Some(written) = written {
        *setting = written;
    }
}
