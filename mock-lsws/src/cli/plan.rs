//! What a command line means: one request, and an application to send it to.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mock_lsws::fault::Faults;
use mock_lsws::{Address, AppCommand, Detail, HttpRequest, Mapping, PROCESS_COUNT_VARIABLES, SuexecSecret};

use super::args::RunArgs;
use super::error::RunError;
use super::program;

/// What a server with its default connection limit tells a group.
const DEFAULT_CHILDREN: &str = "5";

/// A run with nothing left to decide.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) request: HttpRequest,
    pub(super) target: Target,
    /// What is said about it with `-v`.
    pub(super) notes: Vec<String>,
    pub(super) output: Option<PathBuf>,
    pub(super) include: bool,
    pub(super) fail: bool,
    pub(super) detail: Option<Detail>,
    pub(super) timeout: Duration,
    pub(super) faults: Faults,
}

/// Where the request goes.
#[derive(Debug)]
pub(super) enum Target {
    Worker(Box<AppCommand>),
    Group(Box<AppCommand>),
    Running(Address),
}

impl Plan {
    pub(super) fn resolve(args: RunArgs, directory: &Path) -> Result<Self, RunError> {
        let mut notes = Vec::new();
        let request = request(&args, directory)?;
        let detail = match args.verbose {
            0 => None,
            1 => Some(Detail::Decoded),
            _ => Some(Detail::Hex),
        };
        let (include, fail, timeout, output) = (args.include, args.fail, args.timeout, args.output.clone());
        let faults = Faults::of(args.fault.iter().copied());
        let faults = faults.map_err(|error| RunError::Usage(error.to_string()))?;
        let target = target(args, directory, &mut notes)?;
        Ok(Self { request, target, notes, output, include, fail, detail, timeout, faults })
    }
}

fn target(args: RunArgs, directory: &Path, notes: &mut Vec<String>) -> Result<Target, RunError> {
    if let Some(address) = args.connect {
        return Ok(Target::Running(address));
    }
    let (name, rest) = args.command.split_first().ok_or_else(|| RunError::Usage("no command".into()))?;
    let program = if args.real_cwd {
        absolute(name)?
    } else {
        program::find(name, directory).ok_or_else(|| RunError::NotOnPath(name.into()))?
    };
    let is_self_managed =
        args.env.iter().any(|(key, _)| PROCESS_COUNT_VARIABLES.iter().any(|name| key == name));
    let mut command = AppCommand::new(&program).args(rest).envs(args.env);
    if !args.real_cwd {
        notes.push(format!(
            "{} is started in {}; a server starts it in its own directory, as --real-cwd does",
            program.display(),
            directory.display()
        ));
        command = command.directory(directory);
    }
    if args.group && !is_self_managed {
        notes.push(format!("LSAPI_CHILDREN={DEFAULT_CHILDREN} is added, as the server does for a group"));
        command = command.env("LSAPI_CHILDREN", DEFAULT_CHILDREN);
    }
    if let Some(secret) = &args.secret {
        command = command.env("LSAPI_SECRET", directory.join(secret));
    }
    if args.worker && is_self_managed {
        notes.push("with these variables a server would hand over a listening socket".to_owned());
    }
    let command = Box::new(command);
    if args.group || args.secret.is_some() || (is_self_managed && !args.worker) {
        Ok(Target::Group(command))
    } else {
        Ok(Target::Worker(command))
    }
}

fn absolute(name: &OsStr) -> Result<PathBuf, RunError> {
    let path = PathBuf::from(name);
    if path.is_absolute() {
        return Ok(path);
    }
    let message = format!("{}: with --real-cwd the command has to be an absolute path", path.display());
    Err(RunError::Usage(message))
}

fn request(args: &RunArgs, directory: &Path) -> Result<HttpRequest, RunError> {
    let body = args.data.as_deref().map(read_body).transpose()?;
    let method = args.method.as_deref().unwrap_or(if body.is_some() { "POST" } else { "GET" });
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(RunError::Usage(format!("'{}' is no method", method.escape_debug())));
    }
    let target = &args.target;
    let rest = target.strip_prefix("http://").or_else(|| target.strip_prefix("https://"));
    if !(target.starts_with('/') || target == "*" || rest.is_some_and(|rest| !rest.is_empty())) {
        return Err(RunError::Usage(format!("'{target}' is no path: it begins with / or http://")));
    }
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = format!("'{}': blanks and other letters have to be %-encoded", target.escape_debug());
        return Err(RunError::Usage(message));
    }
    let host = rest.map_or("localhost", |rest| rest.split(['/', '?']).next().unwrap_or_default());

    let given = args.headers.iter().map(|text| header(text)).collect::<Result<Vec<_>, _>>()?;
    let mut headers = vec![
        ("Host", host.to_owned()),
        ("User-Agent", concat!("mock-lsws/", env!("CARGO_PKG_VERSION")).to_owned()),
        ("Accept", "*/*".to_owned()),
    ];
    if body.is_some() {
        headers.push(("Content-Type", "application/x-www-form-urlencoded".to_owned()));
    }
    headers.retain(|(name, _)| !given.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)));
    // As everywhere in HTTP, Host goes first.
    let (host, other): (Vec<_>, Vec<_>) = given
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .partition(|(name, _)| name.eq_ignore_ascii_case("Host"));

    let mut request = HttpRequest::new(method, target.as_bytes());
    for (name, value) in host {
        request = request.header(name, value);
    }
    for (name, value) in headers {
        request = request.header(name, value);
    }
    for (name, value) in other {
        request = request.header(name, value);
    }
    if let Some(folder) = &args.doc_root {
        let path = rest.map_or(target.as_str(), |rest| rest.find('/').map_or("/", |at| &rest[at..]));
        let path = path.split(['?', '#']).next().unwrap_or_default();
        request = request.mapping(Mapping::script(path, directory.join(folder)));
    }
    if let (Some((uid, gid)), Some(path)) = (args.suexec, &args.secret) {
        let secret = SuexecSecret::read(&directory.join(path))
            .map_err(|source| RunError::Secret { path: path.clone(), source })?;
        request = request.suexec(&secret, uid, gid);
    }
    Ok(match body {
        Some(body) if body.is_empty() => request.header("Content-Length", "0"),
        Some(body) => request.body(body),
        None => request,
    })
}

/// Name and value of a header; without a value it stands for taking that header away. `Name;` is an empty one.
fn header(text: &str) -> Result<(&str, Option<&str>), RunError> {
    let parsed = match text.split_once(':') {
        Some((name, value)) => Some((name, Some(value.trim()).filter(|value| !value.is_empty()))),
        None => text.strip_suffix(';').map(|name| (name, Some(""))),
    };
    let is_token =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    parsed
        .filter(|(name, value)| is_token(name) && !value.unwrap_or_default().contains(['\r', '\n', '\0']))
        .ok_or_else(|| {
            RunError::Usage(format!("'{}' is no header: write 'Name: value'", text.escape_debug()))
        })
}

fn read_body(data: &OsStr) -> Result<Vec<u8>, RunError> {
    let bytes = data.as_encoded_bytes();
    let Some(name) = bytes.strip_prefix(b"@") else { return Ok(bytes.to_vec()) };
    let path = PathBuf::from(OsStr::from_bytes(name));
    let read = if name == b"-" {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body).map(|_| body)
    } else {
        std::fs::read(&path)
    };
    read.map_err(|source| RunError::Body { path, source })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Cli, Command};
    use super::*;

    fn plan(args: &[&str]) -> Result<Plan, RunError> {
        let Command::Run(args) = Cli::try_parse_from([&["mock-lsws", "run"], args].concat()).unwrap().command
        else {
            panic!("not a run")
        };
        Plan::resolve(*args, Path::new("/somewhere"))
    }

    fn block(plan: &Plan) -> String {
        String::from_utf8(plan.request.to_raw().block).unwrap()
    }

    #[test]
    fn the_environment_decides_the_hand_over_unless_it_is_said() {
        let target = |args: &[&str]| plan(&[args, &["/", "--", "/bin/true"]].concat()).unwrap().target;
        assert!(matches!(target(&[]), Target::Worker(_)));
        assert!(matches!(target(&["--env", "PHP_LSAPI_CHILDREN=2"]), Target::Group(_)));
        assert!(matches!(target(&["--worker", "--env", "LSAPI_CHILDREN=2"]), Target::Worker(_)));
        let Target::Group(command) = target(&["--group"]) else { panic!("not a group") };
        assert_eq!(command.configured("LSAPI_CHILDREN"), Some("5".as_ref()));
    }

    #[test]
    fn real_cwd_is_the_directory_of_the_binary() {
        let directory = |args: &[&str]| match plan(args).unwrap().target {
            Target::Worker(command) => command.working_directory(),
            other => panic!("{other:?}"),
        };
        assert_eq!(directory(&["/", "--", "/bin/true"]), Path::new("/somewhere"));
        assert_eq!(directory(&["--real-cwd", "/", "--", "/bin/true"]), Path::new("/bin"));
        assert!(matches!(plan(&["--real-cwd", "/", "--", "true"]), Err(RunError::Usage(_))));
    }

    #[test]
    fn headers_are_added_replaced_and_taken_away() {
        let args = ["-H", "host: Example.com", "-H", "Accept:", "-H", "X-Empty;", "/", "--", "/bin/true"];
        let block = block(&plan(&args).unwrap());
        assert!(
            block.starts_with("\0\0\0\0GET / HTTP/1.1\r\nhost: example.com\r\nUser-Agent: mock-lsws/"),
            "{block}"
        );
        assert!(!block.contains("Accept") && block.contains("X-Empty: \r\n"), "{block}");
        for wrong in ["Name", "", ": x", "A B: x", "X: a\nb"] {
            assert!(plan(&["-H", wrong, "/", "--", "/bin/true"]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_body_makes_it_a_form_post() {
        let plan = plan(&["-d", "a=b", "http://h:81/x?y", "--", "/bin/true"]).unwrap();
        assert_eq!((plan.request.method(), plan.request.body_bytes()), ("POST", &b"a=b"[..]));
        let block = block(&plan);
        assert!(block.contains("Host: h:81\r\n") && block.contains("Content-Length: 3\r\n"), "{block}");
        assert!(block.contains("Content-Type: application/x-www-form-urlencoded\r\n"), "{block}");
    }

    #[test]
    fn a_signed_request_for_a_script_has_both_in_it_and_the_daemon_the_file() {
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), "0123456789abcdef").unwrap();
        let file = secret.path().to_str().unwrap();
        let args =
            ["--suexec", "7:8", "--secret", file, "--doc-root", "site", "/a%20b.py?x", "--", "/bin/true"];
        let plan = plan(&args).unwrap();
        let names = plan.request.to_raw().special_env.into_iter().map(|entry| entry.key);
        assert!(names.eq([b"\0SUEXEC_UGID\0".to_vec(), b"\0SUEXEC_AUTH\0".to_vec()]));
        let packet = plan.request.to_raw().encode();
        let request = lsapi::BeginRequest::decode(&packet, packet.len()).unwrap();
        assert_eq!(request.script_filename(), Some(&b"/somewhere/site/a b.py"[..]));
        assert_eq!(request.script_name(), Some(&b"/a b.py"[..]));
        assert_eq!((request.request_method(), request.query_string()), (Some(&b"GET"[..]), Some(&b"x"[..])));
        let Target::Group(command) = plan.target else { panic!("not a listening socket") };
        assert_eq!(command.configured("LSAPI_SECRET"), Some(file.as_ref()));
    }

    #[test]
    fn targets_that_cannot_be_sent_are_refused() {
        for wrong in ["x", "", "/a b", "/\u{e4}", "http://"] {
            assert!(matches!(plan(&[wrong, "--", "/bin/true"]), Err(RunError::Usage(_))), "{wrong}");
        }
    }
}
