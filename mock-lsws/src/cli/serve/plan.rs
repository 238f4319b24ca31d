//! What a command line means: a configuration, and how it is served.

use std::ffi::{OsStr, OsString};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mock_lsws::config::{
    Context, ContextKind, ExternalApp, ScriptAlias, ScriptHandler, ServerConfig, own_lsapi_variables,
};
use mock_lsws::{Detail, Level, Timing};
use rustix::fs::Access;

use super::super::program;
use super::app_args::AppArgs;
use super::args::ServeArgs;
use super::error::ServeError;

/// A server with nothing left to decide.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) config: ServerConfig,
    /// What of the configuration does not count.
    pub(super) warnings: Vec<String>,
    pub(super) http: SocketAddr,
    pub(super) access_log: Option<PathBuf>,
    pub(super) transcripts: Option<Detail>,
    pub(super) level: Level,
    pub(super) timing: Timing,
}

impl Plan {
    pub(super) fn resolve(args: ServeArgs, directory: &Path) -> Result<Self, ServeError> {
        let http = args.http;
        let access_log = args.access_log.clone();
        let transcripts = match args.transcript {
            0 => None,
            1 => Some(Detail::Decoded),
            _ => Some(Detail::Hex),
        };
        let level = if args.verbose { Level::Info } else { Level::Notice };
        let timing = Timing { last: args.stop_timeout, ..Timing::default() };
        let (config, warnings) = configuration(args, directory)?;
        Ok(Self { config, warnings, http, access_log, transcripts, level, timing })
    }
}

fn configuration(args: ServeArgs, directory: &Path) -> Result<(ServerConfig, Vec<String>), ServeError> {
    let mut config = match &args.config {
        Some(path) => ServerConfig::from_toml(path)?,
        None => ServerConfig::new(),
    };
    if let Some(folder) = &args.doc_root {
        config.doc_root = directory.join(folder);
    }
    config.https |= args.https;
    config.path_info_overread |= args.path_info_overread;
    config.allow_ext_app_setuid &= !args.no_ext_app_setuid;
    let below = |path: &PathBuf| directory.join(path);
    config.keep_detached = args.keep_detached.as_ref().map(below).or(config.keep_detached);
    config.stderr_log = args.stderr_log.as_ref().map(below).or(config.stderr_log);
    if let Some(timeout) = args.conn_timeout {
        config.limits.conn_timeout = timeout;
    }
    if let Some(timeout) = args.keep_alive_timeout {
        config.limits.keep_alive_timeout = timeout;
    }
    let apache_conf = args.apache_conf.clone();
    if args.app.connect.is_some() || !args.command.is_empty() {
        add_command(&mut config, args, directory)?;
    }
    let mut warnings = std::mem::take(&mut config.remarks);
    if let Some(path) = &apache_conf {
        warnings.extend(config.add_apache_conf(path)?.iter().map(ToString::to_string));
    }
    config.validate()?;
    if !config.has_mapping() && apache_conf.is_some() {
        let message =
            "no URL leads to COMMAND: the Apache configuration has no WSGIScriptAlias and no AddType for it";
        return Err(ServeError::Usage(message.to_owned()));
    }
    Ok((config, warnings))
}

/// Adds COMMAND, and the URLs that lead to it.
fn add_command(config: &mut ServerConfig, args: ServeArgs, directory: &Path) -> Result<(), ServeError> {
    let ServeArgs { command, app: settings, .. } = &args;
    let command = resolve(command, settings, directory)?;
    let env = environment(settings);
    let is_generic = args.apache_conf.is_some()
        || args.script_handler.is_some()
        || !(args.lsapi_context.is_empty() && args.script_alias.is_empty());
    let mut app = if is_generic {
        let name = command.first().map_or_else(|| "application".into(), |program| name_of(program));
        add_mappings(config, &args, &name, directory);
        ExternalApp::new(name).command(command).envs(env).directory(directory)
    } else {
        if config.has_mapping() && args.wsgi_context.is_none() {
            let message = "the configuration leads URLs to applications of its own: say which lead to COMMAND, \
                           with --wsgi-context / for example";
            return Err(ServeError::Usage(message.to_owned()));
        }
        let one = ServerConfig::for_command(command, env, directory);
        config.contexts.extend(one.contexts.into_iter().map(|context| at(context, &args, directory)));
        let [app] = <[ExternalApp; 1]>::try_from(one.apps)
            .map_err(|_| ServeError::Usage("COMMAND is no application".to_owned()))?;
        app
    };
    let marker = args.app.restart_marker.as_ref().map(|file| directory.join(file));
    let mut settings = args.app;
    settings.suexec_secret = settings.suexec_secret.map(|file| directory.join(file));
    settings.set(&mut app)?;
    app.restart_marker = marker;
    config.apps.push(app);
    Ok(())
}

/// The context of COMMAND, where and with what files the command line says.
fn at(mut context: Context, args: &ServeArgs, directory: &Path) -> Context {
    if let Some(uri) = &args.wsgi_context {
        context.uri.clone_from(uri);
    }
    if let (ContextKind::Wsgi { public, .. }, Some(folder)) = (&mut context.kind, &args.public) {
        *public = directory.join(folder);
    }
    context
}

fn add_mappings(config: &mut ServerConfig, args: &ServeArgs, app: &str, directory: &Path) {
    config.contexts.extend(args.lsapi_context.iter().map(|uri| Context::lsapi(uri, app)));
    if let Some(suffixes) = &args.script_handler {
        let suffixes = suffixes.split([',', ' ']).filter(|suffix| !suffix.is_empty());
        config.script_handlers.push(ScriptHandler::new(suffixes, app));
    }
    for (url, file) in &args.script_alias {
        let script = directory.join(file);
        config.aliases.push(ScriptAlias::new(url, script.to_string_lossy(), app));
    }
}

/// COMMAND with the absolute path of its program, which is there.
fn resolve(command: &[OsString], settings: &AppArgs, directory: &Path) -> Result<Vec<OsString>, ServeError> {
    let Some((name, rest)) = command.split_first() else { return Ok(Vec::new()) };
    let path = if settings.real_cwd {
        PathBuf::from(name)
    } else {
        program::find(name, directory).ok_or_else(|| ServeError::NotOnPath(name.into()))?
    };
    if !path.is_absolute() {
        let message = format!("{}: with --real-cwd the command has to be an absolute path", path.display());
        return Err(ServeError::Usage(message));
    }
    // A server would only find out with the first request, and the reason would be in its log.
    let access = rustix::fs::access(&path, Access::EXEC_OK).map_err(io::Error::from);
    let is_program = |()| if path.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(()) };
    if let Err(source) = access.and_then(is_program) {
        return Err(ServeError::NotExecutable { path, source });
    }
    Ok(std::iter::once(path.into_os_string()).chain(rest.iter().cloned()).collect())
}

/// What is typed comes before what the caller has: a program finds the first of two.
fn environment(settings: &AppArgs) -> Vec<(OsString, OsString)> {
    let mut env = settings.env.clone();
    let own: Vec<_> =
        own_lsapi_variables().filter(|(key, _)| env.iter().all(|(known, _)| known != key)).collect();
    env.extend(own);
    env
}

fn name_of(program: &OsStr) -> String {
    let name = Path::new(program).file_name().unwrap_or(program);
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;
    use mock_lsws::config::{AppKind, RunOnStartUp, Suexec};

    use super::super::super::args::{Cli, Command};
    use super::*;

    fn plan(args: &[&str]) -> Result<Plan, ServeError> {
        let cli = Cli::try_parse_from([&["mock-lsws", "serve"], args].concat());
        let Command::Serve(args) = cli.unwrap_or_else(|error| panic!("{error}")).command else {
            panic!("it does not serve")
        };
        Plan::resolve(*args, Path::new("/somewhere"))
    }

    fn app(args: &[&str]) -> ExternalApp {
        let [app] = <[ExternalApp; 1]>::try_from(plan(args).unwrap().config.apps).unwrap();
        app
    }

    #[test]
    fn a_command_is_a_wsgi_application_at_the_root() {
        let config = plan(&["--public", "files", "--", "/bin/sh", "-m", "app.wsgi"]).unwrap().config;
        let [context] = &config.contexts[..] else { panic!("{config:?}") };
        let ContextKind::Wsgi { public, startup_file, .. } = &context.kind else { panic!("{context:?}") };
        assert_eq!((context.uri.as_str(), public.as_path()), ("/", Path::new("/somewhere/files")));
        assert_eq!(startup_file, "app.wsgi");
        assert_eq!(config.apps[0].directory.as_deref(), Some(Path::new("/somewhere")));
        let config = plan(&["--wsgi-context", "/app/", "--", "/bin/sh"]).unwrap().config;
        assert_eq!(config.contexts[0].uri, "/app/");
    }

    #[test]
    fn other_mappings_make_it_a_generic_application() {
        let args = ["--lsapi-context", "/a/", "--lsapi-context", "/b/", "--script-alias", "/c=c.wsgi"];
        let config = plan(&[&args[..], &["--", "sh"]].concat()).unwrap().config;
        assert_eq!(config.contexts, [Context::lsapi("/a/", "sh"), Context::lsapi("/b/", "sh")]);
        assert_eq!(config.aliases, [ScriptAlias::new("/c", "/somewhere/c.wsgi", "sh")]);
        assert_eq!(config.apps[0].kind, AppKind::Generic);
        let args = ["--doc-root", "html", "--script-handler", ".wsgi, .py", "--", "/bin/sh"];
        let config = plan(&args).unwrap().config;
        assert_eq!(config.script_handlers, [ScriptHandler::new(["wsgi", "py"], "sh")]);
        assert_eq!(config.doc_root, Path::new("/somewhere/html"));
    }

    #[test]
    fn settings_are_those_of_the_kind_unless_typed() {
        let plain = app(&["--", "/bin/sh"]);
        assert_eq!((plain.init_timeout, plain.max_conns), (Duration::from_secs(60), 5));
        let typed = ["--max-conns", "8", "--init-timeout", "1.5", "--retry-timeout", "0", "--backlog", "7"];
        let more = ["--pc-keep-alive-timeout", "2", "--priority", "-5", "--umask", "077", "--instances", "3"];
        let process = ["--run-on-start-up", "0", "--ext-max-idle-time", "-1", "--mem-soft-limit", "1G"];
        let limits = ["--proc-hard-limit", "900", "--address", "/run/app.sock"];
        let mapping = ["--lsapi-context", "/", "--", "/bin/sh"];
        let set = app(&[&typed[..], &more, &process, &limits, &mapping].concat());
        let expected = ExternalApp::new("sh")
            .command(["/bin/sh"])
            .envs(own_lsapi_variables())
            .directory("/somewhere")
            .max_conns(8)
            .init_timeout(Duration::from_millis(1500))
            .retry_timeout(Duration::ZERO)
            .backlog(7)
            .pc_keep_alive_timeout(Some(Duration::from_secs(2)))
            .priority(-5)
            .umask(0o077)
            .instances(3)
            .run_on_start_up(RunOnStartUp::No)
            .memory(1 << 30, 1 << 30)
            .processes(900, 900)
            .address("/run/app.sock".parse().unwrap());
        assert_eq!(set, expected);
    }

    #[test]
    fn an_application_that_runs_is_only_connected_to() {
        let app = app(&["--connect", "/run/app.sock", "--max-conns", "2"]);
        assert_eq!(app.address, Some("/run/app.sock".parse().unwrap()));
        assert!(app.to_command().is_none());
        assert_eq!(app.max_conns, 2);
    }

    #[test]
    fn what_only_counts_for_a_process_is_refused_where_none_is_started() {
        for option in [
            "--env=A=b",
            "--real-cwd",
            "--instances=2",
            "--backlog=5",
            "--priority=1",
            "--umask=077",
            "--suexec=account",
        ] {
            let args = ["mock-lsws", "serve", "--connect", "/run/app.sock", option];
            assert!(Cli::try_parse_from(args).is_err(), "{option}");
        }
    }

    #[test]
    fn real_cwd_is_the_directory_of_the_binary() {
        let directory = |args: &[&str]| app(args).to_command().unwrap().working_directory();
        assert_eq!(directory(&["--", "/bin/sh"]), Path::new("/somewhere"));
        assert_eq!(directory(&["--real-cwd", "--", "/bin/sh"]), Path::new("/bin"));
        assert!(matches!(plan(&["--real-cwd", "--", "sh"]), Err(ServeError::Usage(_))));
    }

    #[test]
    fn a_command_that_cannot_be_started_is_said_at_once() {
        assert!(matches!(plan(&["--", "no-such-program-anywhere"]), Err(ServeError::NotOnPath(_))));
        for path in ["/no/such/program", "/etc/passwd", "/bin"] {
            assert!(matches!(plan(&["--", path]), Err(ServeError::NotExecutable { .. })), "{path}");
        }
    }

    #[test]
    fn a_configuration_and_a_command_are_one_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.toml");
        let config = |text: &str, args: &[&str]| {
            std::fs::write(&path, text).unwrap();
            plan(&[&["--config", path.to_str().unwrap()], args].concat())
        };
        let other = "[[extProcessor]]\nname = \"a\"\npath = \"/bin/sh\"\n\
                     [[context]]\nuri = \"/a/\"\ntype = \"lsapi\"\nhandler = \"a\"\n";
        assert_eq!(config(other, &[]).unwrap().config.apps.len(), 1);
        let error = config(other, &["--", "/bin/sh"]).unwrap_err();
        assert!(error.to_string().contains("say which lead to COMMAND"), "{error}");
        let both = config(other, &["--wsgi-context", "/", "--", "/bin/sh"]).unwrap().config;
        assert_eq!((both.apps.len(), both.contexts.len()), (2, 2));
        let one = config("[tuning]\nmaxReqBodySize = \"1K\"\n", &["--", "/bin/sh"]).unwrap().config;
        assert_eq!((one.contexts.len(), one.limits.max_req_body_size), (1, 1024));
    }

    #[test]
    fn suexec_has_two_forms_and_off() {
        let suexec = |args: &[&str]| app(&[args, &["--lsapi-context", "/", "--", "/bin/sh"]].concat()).suexec;
        assert_eq!(suexec(&[]), Suexec::Off);
        assert_eq!(suexec(&["--suexec", "account"]), Suexec::PerAccount { max_conns: 5 });
        let args = ["--suexec", "account", "--suexec-max-conns", "2"];
        assert_eq!(suexec(&args), Suexec::PerAccount { max_conns: 2 });
        let args = ["--suexec", "daemon", "--suexec-secret", "secret"];
        assert_eq!(suexec(&args), Suexec::Daemon { max_conns: 5, secret: "/somewhere/secret".into() });
    }

    #[test]
    fn what_is_typed_and_cannot_be_is_a_mistake_of_usage() {
        for args in [
            &["--wsgi-context", "app", "--", "/bin/sh"][..],
            &["--ext-user", "no-such-user", "--", "/bin/sh"],
            // Below minUID.
            &["--ext-user", "root", "--", "/bin/sh"],
            &["--doc-root", ".", "--script-handler", "py, wsgi", "--", "/bin/sh"],
            &["--suexec", "daemon", "--", "/bin/sh"],
            &["--suexec", "account", "--suexec-secret", "secret", "--", "/bin/sh"],
            &[
                "--suexec",
                "daemon",
                "--suexec-secret",
                "s",
                "--ext-user",
                "4000000",
                "--ext-group",
                "4000000",
                "--",
                "/bin/sh",
            ],
            &["--suexec", "account", "--address", "127.0.0.1:0", "--", "/bin/sh"],
        ] {
            let error = plan(args).unwrap_err();
            assert_eq!(error.exit_code(), mock_lsws::exit_code::USAGE, "{error}");
        }
    }
}
