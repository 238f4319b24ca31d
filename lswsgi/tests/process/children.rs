//! Programs and workers an application starts from a virtual environment: they run in that environment too.

use std::fs;

use crate::loading::make_venv;
use crate::support::Start;

/// Answers with what the child named in the query says: its prefix, what a package of the environment holds, and its input.
const SOURCE: &str = r#"
import concurrent.futures
import multiprocessing
import os
import subprocess
import sys

import installed

PROGRAM = "import installed, os, sys; print(sys.prefix, installed.NAME, os.readlink('/proc/self/fd/0'))"

def work(number):
    # In a process of its own, and a module that was imported under the same name.
    assert os.getpid() != number and __name__ == "app", __name__
    return f"{sys.prefix} {installed.NAME} {os.readlink('/proc/self/fd/0')}"

def of_program(*command):
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()

def of_pool(method):
    with multiprocessing.get_context(method).Pool(1) as pool:
        return pool.apply(work, (os.getpid(),))

def of_process(method):
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=put, args=(queue, os.getpid()))
    process.start()
    answer = queue.get(timeout=20)
    process.join()
    assert process.exitcode == 0, process.exitcode
    return answer

def put(queue, number):
    queue.put(work(number))

def of_executor(method):
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        return executor.submit(work, os.getpid()).result(timeout=20)

def application(environ, start_response):
    kind, _, method = environ["QUERY_STRING"].partition("-")
    if kind == "program":
        answer = of_program(sys.executable, "-c", PROGRAM)
    else:
        answer = globals()[f"of_{kind}"](method)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer.encode()]
"#;

#[test]
fn what_an_application_starts_runs_in_its_virtual_environment_and_has_no_socket() {
    let dir = tempfile::tempdir().unwrap();
    let venv = dir.path().join("env");
    make_venv(&venv);
    let packages = format!("lib/python{}/site-packages/installed.py", env!("LSWSGI_PYTHON_VERSION"));
    fs::write(venv.join(packages), "NAME = 'found'\n").unwrap();
    let start = Start::application(SOURCE).arg("--venv").arg(venv.to_str().unwrap());
    let (mut worker, mut connection) = start.connected();
    let expected = format!("{} found /dev/null", venv.display());
    for child in [
        "program",
        "pool-fork",
        "pool-spawn",
        "pool-forkserver",
        "process-fork",
        "process-spawn",
        "executor-spawn",
        "executor-fork",
    ] {
        let response = connection.get(&format!("/?{child}"));
        assert_eq!((response.status, response.text()), (200, &*expected), "{child}: {}", worker.log());
    }
    drop(connection);
    // Neither a child nor one of multiprocessing's helpers keeps it.
    assert_eq!(worker.wait().code(), Some(0));
    assert!(!worker.log().contains("Traceback"), "{}", worker.log());
}
