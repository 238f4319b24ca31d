//! `lswsgi check`: would this application start, and in what? Imports it as serving does, and calls nothing.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use rustix::process::{Resource, getrlimit};
use serde::Serialize;

use crate::cli::Arguments;
use crate::error::Error;
use crate::exit_code;
use crate::python::inspect::{self, Installation, Running};
use crate::python::{embed, load};
use crate::settings::{Load, Settings};
use crate::start::Start;

/// What has been found out.
#[derive(Debug, Default, Serialize)]
struct Report {
    lswsgi: &'static str,
    python: String,
    installation: Option<Installation>,
    /// The virtual environment, and who named it.
    venv: Option<Venv>,
    application: Option<PathBuf>,
    callable: Option<String>,
    /// Threads of the application after the import.
    #[serde(flatten)]
    running: Running,
    /// The group a listening socket would be served with; `None`: by one process.
    group: Option<Group>,
    limits: Option<Limits>,
    /// Of the process that would serve.
    exit_code: u8,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Venv {
    path: PathBuf,
    origin: &'static str,
}

#[derive(Debug, Serialize)]
struct Group {
    workers: u32,
    extra_workers: u32,
    /// Who would import the application.
    importer: Option<&'static str>,
}

/// The limits a worker would have; `None` is no limit.
#[derive(Debug, Serialize)]
struct Limits {
    requests: u64,
    request_seconds: Option<u64>,
    idle_seconds: Option<u64>,
    request_packet_bytes: usize,
    open_files: Option<u64>,
    processes: Option<u64>,
    memory_bytes: Option<u64>,
}

/// Checks the application and reports on standard output.
///
/// # Errors
/// What keeps the application from being served, and [`Error::ThreadsAlive`].
pub fn check(arguments: &Arguments, json: bool) -> Result<(), Error> {
    // What the application prints while it is imported must not get into the report.
    let stdout = rustix::stdio::stdout().try_clone_to_owned().map(File::from);
    let mut stdout = stdout.map_err(Error::system("cannot keep standard output"))?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())
        .map_err(Error::system("cannot send standard output to standard error"))?;
    let settings = Settings::new(arguments, &|name| std::env::var_os(name));
    let mut report = Report {
        lswsgi: env!("CARGO_PKG_VERSION"),
        python: embed::version().to_owned(),
        group: Group::of(&settings),
        limits: Some(Limits::of(&settings)),
        ..Report::default()
    };
    let mut written = Ok(());
    let result = find_out(&settings, &mut report, |report| written = report.write(&mut stdout, json));
    // It is written before the interpreter is ended, which the application's threads can keep from ending.
    if report.exit_code == exit_code::OK
        && let Err(error) = &result
    {
        report.fail(error);
        written = report.write(&mut stdout, json);
    }
    written.map_err(Error::system("cannot write the report"))?;
    result
}

fn find_out(settings: &Settings, report: &mut Report, done: impl FnOnce(&Report)) -> Result<(), Error> {
    report.application = settings.application.as_ref().map(|application| application.path.clone());
    let start = Start::prepare(settings)?;
    report.venv = start
        .interpreter
        .as_ref()
        .and_then(|named| named.venv.clone().map(|path| Venv { path, origin: named.origin }));
    embed::with_python(start.interpreter.as_ref(), settings.exit_timeout, |py| {
        inspect::forbid_exit(py).map_err(|error| Error::Python(error.to_string()))?;
        let loaded = load::source(py, start.location.as_ref(), settings);
        report.installation =
            Some(inspect::installation(py).map_err(|error| Error::Python(error.to_string()))?);
        report.running = Running::look(py);
        let names = report.running.names();
        if let Some(group) = report.group.as_mut().filter(|_| loaded.is_ok()) {
            group.importer = Some(importer(settings.group.load, !names.is_empty()));
        }
        let result = match loaded {
            Ok(_) if !names.is_empty() => Err(Error::ThreadsAlive { names }),
            loaded => loaded.map(|_| ()),
        };
        if !matches!(result, Err(Error::Import { .. } | Error::NoCallable { .. })) {
            report.callable = settings.application.as_ref().map(|application| application.callable.clone());
        }
        if let Err(error) = &result {
            report.fail(error);
        }
        done(report);
        result
    })
}

impl Group {
    fn of(settings: &Settings) -> Option<Self> {
        let group = &settings.group;
        let of = |workers| Self { workers, extra_workers: group.extra_children, importer: None };
        (group.children > 1).then(|| of(group.children))
    }
}

/// Who imports an application after whose import threads run or not.
const fn importer(load: Load, threads_run: bool) -> &'static str {
    match load {
        Load::Lazy => "each worker (--load lazy)",
        Load::Preload => "the template (--load preload)",
        Load::Auto if threads_run => "each worker, as threads run after the import",
        Load::Auto => "the template",
    }
}

impl Limits {
    fn of(settings: &Settings) -> Self {
        Self {
            requests: settings.max_requests,
            request_seconds: settings.max_process_time.map(|limit| limit.as_secs()),
            idle_seconds: settings.max_idle.map(|limit| limit.as_secs()),
            request_packet_bytes: settings.max_request_packet,
            open_files: getrlimit(Resource::Nofile).current,
            processes: getrlimit(Resource::Nproc).current,
            memory_bytes: getrlimit(Resource::As).current,
        }
    }
}

impl Report {
    fn fail(&mut self, error: &Error) {
        self.exit_code = error.exit_code();
        self.error = Some(error.to_string());
    }

    fn write(&self, out: &mut File, json: bool) -> std::io::Result<()> {
        if json {
            let mut text = serde_json::to_string_pretty(self)?;
            text.push('\n');
            out.write_all(text.as_bytes())
        } else {
            out.write_all(self.text().as_bytes())
        }
    }

    fn text(&self) -> String {
        let none = || "none".to_owned();
        let number = |limit: Option<u64>| limit.map_or_else(none, |limit| limit.to_string());
        let mut rows = vec![("lswsgi", self.lswsgi.to_owned()), ("Python", self.python.clone())];
        if let Some(installation) = &self.installation {
            rows.push(("executable", installation.executable.clone()));
            rows.push(("prefix", installation.prefix.clone()));
            rows.push(("standard output", installation.stdout_encoding.clone()));
        }
        let venv = self.venv.as_ref().map(|venv| format!("{} ({})", venv.path.display(), venv.origin));
        rows.push(("venv", venv.unwrap_or_else(none)));
        let application = self.application.as_ref().map(|path| path.display().to_string());
        rows.push(("application", application.unwrap_or_else(none)));
        rows.push(("callable", self.callable.clone().unwrap_or_else(none)));
        let Running { threads, native_threads } = &self.running;
        let threads = threads
            .iter()
            .map(|thread| format!("{}{}", thread.name, if thread.daemon { " (daemon)" } else { "" }));
        let native = native_threads.iter().map(|name| format!("{name} (not of Python)"));
        let threads = threads.chain(native).collect::<Vec<_>>().join(", ");
        rows.push(("threads", if threads.is_empty() { none() } else { threads }));
        let workers = self.group.as_ref().map(|group| match group.extra_workers {
            0 => format!("up to {}", group.workers),
            extra => format!("up to {}, and {extra} more while all are busy", group.workers),
        });
        rows.push(("workers", workers.unwrap_or_else(|| "this process alone".to_owned())));
        if let Some(importer) = self.group.as_ref().and_then(|group| group.importer) {
            rows.push(("imported by", importer.to_owned()));
        }
        if let Some(limits) = &self.limits {
            rows.push(("requests", limits.requests.to_string()));
            rows.push(("request seconds", number(limits.request_seconds)));
            rows.push(("idle seconds", number(limits.idle_seconds)));
            rows.push(("request packet", format!("{} bytes", limits.request_packet_bytes)));
            rows.push(("open files", number(limits.open_files)));
            rows.push(("processes", number(limits.processes)));
            rows.push(("memory bytes", number(limits.memory_bytes)));
        }
        rows.push(("result", self.error.clone().unwrap_or_else(|| "ready to serve".to_owned())));
        rows.iter().map(|(name, value)| format!("{name:<17}{value}\n")).collect()
    }
}
