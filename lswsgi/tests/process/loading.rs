//! Which application is called, in which Python, and what happens when it cannot be imported.

use std::path::Path;
use std::process::Command;

use lsapi::RequestBuilder;
use lswsgi::exit_code;

use crate::support::{Connection, Response, Start};

const BROKEN: &str = "import sys\nprint('trying', file=sys.stderr)\nraise ValueError('no such thing')\n";

/// An application that answers with an expression over itself and `sys`.
fn answer(expression: &str) -> String {
    format!(
        "import os, subprocess, sys\n\
         def application(environ, start_response):\n\
         \x20   start_response('200 OK', [('Content-Type', 'text/plain')])\n\
         \x20   return [str({expression}).encode()]\n"
    )
}

#[test]
fn an_import_that_fails_is_remembered_until_the_file_changes() {
    let (mut worker, mut connection) = Start::application(BROKEN).connected();
    for _ in 0..2 {
        let response = connection.get("/path");
        assert_eq!((response.status, response.text()), (500, "500 Internal Server Error\n"));
        assert_eq!(response.names().last(), Some(&"RESP_END"));
        assert!(!response.names().contains(&"CONN_CLOSE"));
    }
    worker.wait_log("500 for GET /path, request 2 of this process: importing the application");
    std::fs::write(worker.dir.path().join("app.py"), "application = None\n# longer\n").unwrap();
    // The change is noticed when somebody asks, and a clean process is to see to it.
    let response = connection.get("/");
    assert_eq!((response.status, response.names()[3]), (500, "CONN_CLOSE"));
    connection.expect_end();
    assert_eq!(worker.wait().code(), Some(i32::from(exit_code::IMPORT)));
    let log = worker.log();
    assert_eq!(log.lines().filter(|line| *line == "trying").count(), 1, "{log}");
    assert!(log.contains("leaving: another process should try the application again"), "{log}");
    assert!(log.matches("ValueError: no such thing").count() >= 4, "{log}");
}

#[test]
fn an_application_that_cannot_be_imported_is_tried_again_after_a_while_although_nothing_changed() {
    let start = Start::application(BROKEN).arg("--import-retry=0.000001");
    let (mut worker, mut connection) = start.connected();
    assert!(connection.get("/").names().contains(&"CONN_CLOSE"));
    assert_eq!(worker.wait().code(), Some(i32::from(exit_code::IMPORT)));
}

#[test]
fn requests_are_answered_also_when_there_is_nothing_to_import() {
    for (start, code) in
        [(Start::application("other = 1\n"), exit_code::NO_CALLABLE), (Start::nothing(), exit_code::NO_FILE)]
    {
        let (mut worker, mut connection) = start.connected();
        assert_eq!(connection.get("/").status, 500);
        drop(connection);
        assert_eq!(worker.wait().code(), Some(i32::from(code)));
    }
}

#[test]
fn byte_code_is_kept_and_never_that_of_another_file() {
    let source = |name: &str| answer(&format!("('{name}', __name__, sorted(os.listdir('__pycache__')))"));
    for name in ["app.wsgi", "app"] {
        let start = Start::scripts();
        let path = |name: &str| start.dir().join(name);
        // Of one size and time, as an archive may leave them.
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
        for (name, letter) in [("app.py", "p"), (name, "w")] {
            std::fs::write(path(name), source(letter)).unwrap();
            std::fs::File::options().append(true).open(path(name)).unwrap().set_modified(time).unwrap();
        }
        let application = path(name);
        let plain = path("app.py");
        let (_worker, mut connection) = Start::scripts().arg("-m").arg(plain.to_str().unwrap()).connected();
        let first = connection.get("/").text().to_owned();
        assert!(first.starts_with("('p', 'app', ['app.cpython-"), "{first}");
        // The second time the byte code of the first is there.
        for _ in 0..2 {
            let start = Start::scripts().arg("-m").arg(application.to_str().unwrap());
            let (_worker, mut connection) = start.connected();
            let text = connection.get("/").text().to_owned();
            assert!(text.starts_with("('w', '_lswsgi_app', ["), "{text}");
            assert_eq!(text.matches(".pyc").count(), 2, "{text}");
        }
        let (_worker, mut connection) = Start::scripts()
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg("-m")
            .arg(plain.to_str().unwrap())
            .connected();
        assert_eq!(connection.get("/").text().matches(".pyc").count(), 2);
    }
}

#[test]
fn the_module_has_the_name_it_could_be_imported_by() {
    let source =
        answer("(__name__, sys.modules[__name__].__dict__ is globals(), __import__('app').__name__)");
    let (_worker, mut connection) = Start::application(&source).connected();
    assert_eq!(connection.get("/").text(), "('app', True, 'app')");
    // A package goes before a file of its name.
    let start = Start::application(&source);
    std::fs::create_dir(start.dir().join("app")).unwrap();
    std::fs::write(start.dir().join("app/__init__.py"), "").unwrap();
    let (_worker, mut connection) = start.connected();
    assert_eq!(connection.get("/").text(), "('_lswsgi_app', True, 'app')");
}

#[test]
fn the_variables_of_python_are_respected_and_text_is_utf_8_without_a_locale() {
    let source = answer(
        "(os.environ.get('PYTHONHOME'), sys.flags.utf8_mode, sys.stdout.encoding, sys.dont_write_bytecode, \
         sys.flags.dev_mode, '/from/pythonpath' in sys.path, sys.pycache_prefix, sys.stderr.line_buffering)",
    );
    let plain = "(None, 1, 'utf-8', False, False, False, None, True)";
    let (_worker, mut connection) = Start::application(&source).env("LC_ALL", "C").connected();
    assert_eq!(connection.get("/").text(), plain);
    let start = Start::application(&source)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONDEVMODE", "1")
        .env("PYTHONUNBUFFERED", "1")
        .env("PYTHONPATH", "/from/pythonpath")
        .env("PYTHONPYCACHEPREFIX", "/nowhere");
    let (worker, mut connection) = start.connected();
    let text = connection.get("/").text().to_owned();
    assert_eq!(text, "(None, 1, 'utf-8', True, True, True, '/nowhere', True)", "{}", worker.log());
    // A prefix that is no virtual environment, as panels set it.
    let prefix = answer("sys.base_prefix");
    let (_worker, mut connection) = Start::application(&prefix).connected();
    let found = connection.get("/").text().to_owned();
    let (worker, mut connection) = Start::application(&prefix).env("PYTHONHOME", &found).connected();
    assert_eq!(connection.get("/").text(), found, "{}", worker.log());
    let (worker, mut connection) = Start::application(&prefix).env("PYTHONHOME", "/nowhere").connected();
    assert_eq!(connection.get("/").status, 500);
    worker.wait_log("PYTHONHOME=/nowhere has no standard library of Python");
}

/// A worker without an application of its own, and a folder with scripts.
fn scripts(files: &[(&str, &str)]) -> (crate::support::Worker, Connection) {
    let start = Start::scripts();
    for (name, source) in files {
        let path = start.dir().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, source).unwrap();
    }
    start.connected()
}

fn run(connection: &mut Connection, script: &Path, variables: &[(&str, &str)]) -> Response {
    let mut request = RequestBuilder::get("/").env("SCRIPT_FILENAME", script.to_str().unwrap());
    for (name, value) in variables {
        request = request.env(name, value);
    }
    connection.send(&request.encode());
    connection.response()
}

#[test]
fn a_script_is_called_in_its_folder_wherever_the_last_request_has_gone() {
    let source = answer("(os.getcwd(), os.chdir('/'))[0]");
    let (worker, mut connection) = scripts(&[("a/wsgi.py", &source)]);
    let path = worker.dir.path().join("a/wsgi.py");
    for _ in 0..2 {
        let folder = path.parent().unwrap().canonicalize().unwrap();
        assert_eq!(run(&mut connection, &path, &[]).text(), folder.to_str().unwrap());
    }
}

#[test]
fn each_script_is_a_module_of_its_own() {
    let counting = "count = 0\n\
        def other(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'other']\n\
        def application(environ, start_response):\n\
        \x20   global count\n\
        \x20   import os, shared\n\
        \x20   count += 1\n\
        \x20   shared.total += 1\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [f'{os.path.basename(os.getcwd())} {count} {shared.total}'.encode()]\n";
    let json = answer("(__import__('json').dumps([1]), __file__.endswith('b/json.py'))");
    let (worker, mut connection) = scripts(&[
        ("a/wsgi.py", counting),
        ("b/wsgi.py", counting),
        ("b/json.py", &json),
        ("a/shared.py", "total = 0\n"),
    ]);
    let path = |name: &str| worker.dir.path().join(name);
    let group = |name| [("WSGIApplicationGroup", name)];
    for (script, variables, expected) in [
        ("a/wsgi.py", &[][..], "a 1 1"),
        ("b/wsgi.py", &[], "b 1 2"),
        ("a/wsgi.py", &group("%{GLOBAL}"), "a 2 3"),
        ("a/wsgi.py", &group("one"), "a 1 4"),
        ("a/wsgi.py", &group("two"), "a 1 5"),
        ("a/wsgi.py", &group("one"), "a 2 6"),
        ("a/wsgi.py", &group("global"), "a 3 7"),
        ("a/wsgi.py", &[("WSGICallableObject", "other")], "other"),
        ("b/json.py", &[], "('[1]', True)"),
    ] {
        let response = run(&mut connection, &path(script), variables);
        assert_eq!((response.status, response.text()), (200, expected), "{script}: {}", worker.log());
    }
}

#[test]
fn a_script_that_changes_is_imported_anew_where_the_request_says_so() {
    let (worker, mut connection) = scripts(&[("wsgi.py", &answer("1"))]);
    let path = worker.dir.path().join("wsgi.py");
    let on = [("WSGIScriptReloading", "On")];
    assert_eq!(run(&mut connection, &path, &on).text(), "1");
    std::fs::write(&path, answer("'changed'")).unwrap();
    assert_eq!(run(&mut connection, &path, &[("WSGIScriptReloading", "Off")]).text(), "1");
    assert_eq!(run(&mut connection, &path, &[]).text(), "1");
    assert_eq!(run(&mut connection, &path, &on).text(), "changed");
    // What fails is remembered, and left to a clean process once it has changed.
    std::fs::write(&path, BROKEN).unwrap();
    for _ in 0..2 {
        let response = run(&mut connection, &path, &on);
        assert_eq!((response.status, response.names().contains(&"CONN_CLOSE")), (500, false));
    }
    worker.wait_log("request 6 of this process: importing");
    std::fs::write(&path, answer("2")).unwrap();
    assert!(run(&mut connection, &path, &on).names().contains(&"CONN_CLOSE"));
    connection.expect_end();
}

#[test]
fn changes_that_leave_a_file_its_size_and_its_second_are_seen() {
    let (worker, mut connection) = scripts(&[("wsgi.py", &answer("0"))]);
    let path = worker.dir.path().join("wsgi.py");
    for round in 1..4 {
        let text = round.to_string();
        std::fs::write(&path, answer(&text)).unwrap();
        assert_eq!(run(&mut connection, &path, &[("WSGIScriptReloading", "On")]).text(), text);
    }
}

#[test]
fn a_file_that_is_removed_while_it_is_compiled_is_imported_as_it_was() {
    let start = Start::application(&answer("1"));
    let hook = "import builtins, os\n\
        compiled = builtins.compile\n\
        def compile(source, path, *args, **options):\n\
        \x20   if str(path).endswith('app.py'): os.unlink(path)\n\
        \x20   return compiled(source, path, *args, **options)\n\
        builtins.compile = compile\n";
    std::fs::write(start.dir().join("sitecustomize.py"), hook).unwrap();
    let path = start.dir().to_str().unwrap().to_owned();
    let (worker, mut connection) = start.env("PYTHONPATH", &path).connected();
    let response = connection.get("/");
    assert_eq!((response.status, response.text()), (200, "1"), "{}", worker.log());
    assert!(!worker.dir.path().join("app.py").exists());
}

#[test]
fn a_script_that_is_missing_or_has_no_callable_gets_a_500_and_the_log_names_it() {
    let (worker, mut connection) = scripts(&[("wsgi.py", "other = 1\n")]);
    let path = |name: &str| worker.dir.path().join(name);
    assert_eq!(run(&mut connection, &path("wsgi.py"), &[]).status, 500);
    worker.wait_log("wsgi.py has no callable 'application'");
    assert_eq!(run(&mut connection, &path("gone.py"), &[]).status, 500);
    worker.wait_log("there is no script");
    assert_eq!(connection.get("/").status, 500);
    worker.wait_log("the request names no script, and no application was named with -m");
}

/// Makes a virtual environment without anything in it.
pub(crate) fn make_venv(path: &Path) {
    let mut command = Command::new(env!("LSWSGI_PYTHON"));
    let status = command.args(["-m", "venv", "--without-pip"]).arg(path).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_virtual_environment_is_found_by_option_variable_or_place_and_children_run_in_it() {
    let inside = answer(
        "(sys.prefix, sys.executable, subprocess.check_output([sys.executable, '-c', \
         'import sys; print(sys.prefix, end=\"\")']).decode(), sys.prefix in ' '.join(sys.path))",
    );
    let dir = tempfile::tempdir().unwrap();
    let venv = dir.path().join("env");
    make_venv(&venv);
    let prefix = venv.to_str().unwrap();
    let python = venv.join("bin/python");
    let expected = format!("('{prefix}', '{}', '{prefix}', True)", python.display());
    type Setup<'a> = &'a dyn Fn(Start) -> Start;
    let setups: [Setup<'_>; 4] = [
        &|start| start.arg("--venv").arg(prefix).env("PYTHONHOME", "/nowhere"),
        &|start| start.env("LS_PYTHONBIN", python.to_str().unwrap()),
        &|start| start.env("VIRTUAL_ENV", prefix),
        &|start| start.env("PYTHONHOME", prefix),
    ];
    for setup in setups {
        let (worker, mut connection) = setup(Start::application(&inside)).connected();
        assert_eq!(connection.get("/").text(), expected, "{}", worker.log());
    }
    let start = Start::application(&inside);
    std::os::unix::fs::symlink(&venv, start.dir().join(".venv")).unwrap();
    let beside = start.dir().join(".venv");
    let (worker, mut connection) = start.connected();
    assert!(connection.get("/").text().starts_with(&format!("('{}'", beside.display())));
    worker.wait_log("found a virtual environment beside the application");
}

#[test]
fn a_virtual_environment_for_another_python_is_refused_in_one_sentence() {
    let start = Start::application(&answer("1"));
    let venv = start.dir().join("old");
    std::fs::create_dir_all(venv.join("bin")).unwrap();
    std::fs::write(venv.join("pyvenv.cfg"), "version = 2.7.18\n").unwrap();
    let (mut worker, mut connection) = start.env("VIRTUAL_ENV", venv.to_str().unwrap()).connected();
    assert_eq!(connection.get("/").status, 500);
    drop(connection);
    assert_eq!(worker.wait().code(), Some(i32::from(exit_code::PYTHON)));
    assert!(worker.log().contains("was made for Python 2.7, and this lswsgi embeds"), "{}", worker.log());
}
