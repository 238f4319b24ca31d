//! The template, and what a worker forked from it finds: how the application is loaded, and Python after a fork.

use rustix::process::Signal;

use crate::group::{Group, application};
use crate::support::Start;

/// The processes that have said `what`, in the order they did.
fn who(group: &Group, what: &str) -> Vec<u32> {
    let said = group.said();
    said.lines().filter_map(|line| line.strip_prefix(what)?.trim().parse().ok()).collect()
}

/// Stops the group and waits for its end.
fn stop(group: &mut Group) {
    group.signal(Signal::TERM);
    assert_eq!(group.wait().code(), Some(0), "{}", group.said());
}

/// One request on each of `count` connections at the same time.
fn ask(group: &Group, count: usize, target: &str) -> Vec<String> {
    let mut connections: Vec<_> = (0..count).map(|_| group.connect()).collect();
    connections.iter_mut().map(|connection| connection.get(target).text().to_owned()).collect()
}

#[test]
fn callbacks_and_exit_handlers_run_where_they_belong() {
    let source = "import atexit, os\n\
        print('imported', os.getpid())\n\
        say = lambda what: lambda: print(what, os.getpid())\n\
        os.register_at_fork(before=say('before'), after_in_parent=say('parent'), after_in_child=say('child'))\n\
        atexit.register(say('exit handler'))\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'%d' % os.getpid()]\n";
    let mut group = Group::start(application(source, 3));
    let mut workers: Vec<u32> = ask(&group, 3, "/").iter().map(|pid| pid.parse().expect("a pid")).collect();
    workers.sort_unstable();
    stop(&mut group);
    group.log("template ready: application imported");
    let template = who(&group, "imported");
    assert_eq!(template.len(), 1);
    for what in ["before", "parent"] {
        assert_eq!(who(&group, what), [template[0]; 3], "{what}: {}", group.said());
    }
    // In the process between template and worker nothing runs, and the template has no exit handlers.
    for what in ["child", "exit handler"] {
        let mut found = who(&group, what);
        found.sort_unstable();
        assert_eq!(found, workers, "{what}: {}", group.said());
    }
}

#[test]
fn a_callback_that_forks_or_raises_does_no_harm() {
    let source = "import os\n\
        def fork():\n\
        \x20   pid = os.fork()\n\
        \x20   if pid: print('status', os.waitpid(pid, 0)[1])\n\
        def fail(): raise ValueError('of a callback')\n\
        nested = []\n\
        def once(action):\n\
        \x20   def run():\n\
        \x20       if not nested:\n\
        \x20           nested.append(1)\n\
        \x20           try: action()\n\
        \x20           finally: nested.clear()\n\
        \x20   return run\n\
        for action in fork, fail:\n\
        \x20   os.register_at_fork(before=once(action), after_in_parent=once(action), after_in_child=once(action))\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'%d' % os.getpid()]\n";
    let mut group = Group::start(application(source, 2));
    let mut connection = group.connect();
    for _ in 0..3 {
        assert_eq!(connection.get("/").status, 200);
    }
    drop(connection);
    stop(&mut group);
    let said = group.said();
    assert_eq!(said.matches("came back from it and ends here").count(), 3, "{said}");
    assert_eq!(said.matches("\nstatus 0").count(), 3, "{said}");
    assert!(said.contains("ValueError: of a callback"), "{said}");
}

#[test]
fn python_is_whole_in_a_worker() {
    let source = r#"
import asyncio, concurrent.futures, multiprocessing, os, random, signal, subprocess, sys, threading, time

async def sleep():
    await asyncio.sleep(0.001)
    return "slept"

def double(number):
    return 2 * number

def application(environ, start_response):
    start_response("200 OK", [])
    assert threading.current_thread() is threading.main_thread()
    assert threading.active_count() == 1, threading.enumerate()
    assert threading.main_thread().ident == threading.get_ident()
    assert asyncio.run(sleep()) == "slept"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert list(pool.map(double, [1, 2])) == [2, 4]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(double, [1, 2]) == [2, 4]
    assert subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, check=True).stdout == b"1\n"
    caught = []
    signal.signal(signal.SIGUSR2, lambda *_: caught.append(1))
    os.kill(os.getpid(), signal.SIGUSR2)
    time.sleep(0)
    assert caught == [1]
    return [b"%r" % random.random()]
"#;
    for load in ["auto", "preload", "lazy"] {
        let group = Group::start(application(source, 3).arg("--load").arg(load));
        let mut connections = [group.connect(), group.connect(), group.connect()];
        let mut numbers = Vec::new();
        for _ in 0..2 {
            numbers.extend(connections.each_mut().map(|connection| connection.get("/").text().to_owned()));
        }
        numbers.sort();
        numbers.dedup();
        assert_eq!(numbers.len(), 6, "{load}: {numbers:?} {}", group.said());
    }
}

#[test]
fn what_is_there_before_the_first_fork_is_out_of_the_garbage_collectors_reach() {
    let source = "import gc\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'%d' % gc.get_freeze_count()]\n";
    for load in ["preload", "lazy"] {
        let group = Group::start(application(source, 2).arg("--load").arg(load));
        let frozen: u64 = group.connect().get("/").text().parse().unwrap();
        assert!(frozen > 1000, "{load}: {frozen}");
    }
}

#[test]
fn threads_after_the_import_are_named_and_each_worker_imports_for_itself() {
    let source = "import _thread, os, threading\n\
        print('imported', os.getpid(), flush=True)\n\
        never = threading.Event()\n\
        threading.Thread(target=never.wait, name='poller', daemon=True).start()\n\
        lock = _thread.allocate_lock(); lock.acquire()\n\
        _thread.start_new_thread(lock.acquire, ())\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'%d' % threading.active_count()]\n";
    let group = Group::start(application(source, 2));
    assert_eq!(ask(&group, 2, "/"), ["2", "2"]);
    let said = group.said();
    assert!(said.contains("'poller', 'lswsgi' (not of Python)"), "{said}");
    group.log("template ready: workers import the application");
    // By the first template and by each worker.
    assert_eq!(who(&group, "imported").len(), 3, "{said}");

    let group = Group::start(application(source, 2).arg("--load").arg("preload"));
    assert_eq!(ask(&group, 2, "/"), ["1", "1"]);
    let said = group.said();
    let warnings = said.lines().filter(|line| line.contains("warning: threads are alive after the import"));
    assert_eq!(warnings.count(), 1, "{said}");
    assert_eq!(who(&group, "imported").len(), 1, "{said}");
}

#[test]
fn threads_that_have_ended_do_not_count() {
    let source = "import concurrent.futures, threading\n\
        for _ in range(50):\n\
        \x20   thread = threading.Thread(target=lambda: None); thread.start(); thread.join()\n\
        with concurrent.futures.ThreadPoolExecutor(8) as pool: list(pool.map(str, range(100)))\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'']\n";
    for _ in 0..5 {
        let group = Group::start(application(source, 2));
        assert_eq!(group.connect().get("/").status, 200);
        let ready = group.log("template ready");
        assert!(ready.contains("application imported"), "{}", group.said());
    }
}

#[test]
fn an_import_that_fails_in_a_worker_is_answered_until_it_is_mended() {
    let start = application("raise ValueError('of the import')", 2).arg("--load").arg("lazy");
    let group = Group::start(start);
    let mut connection = group.connect();
    assert_eq!(connection.get("/").status, 500);
    assert!(group.said().contains("ValueError: of the import"), "{}", group.said());
    let good = "def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'mended']\n";
    std::fs::write(group.dir().join("app.py"), good).unwrap();
    // The one that failed says that it leaves, and its place is taken by one that imports again.
    let response = connection.get("/");
    assert_eq!(response.status, 500);
    assert!(response.names().contains(&"CONN_CLOSE"), "{:?}", response.names());
    assert_eq!(group.connect().get("/").text(), "mended");
}

#[test]
fn without_an_application_workers_import_the_script_each_request_names() {
    let mut start = Start::scripts().arg("--log-level").arg("debug");
    start = start.env("LSAPI_CHILDREN", "2");
    let script = start.dir().join("script.py");
    let source = "import os\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [environ['SCRIPT_FILENAME'].encode()]\n";
    std::fs::write(&script, source).unwrap();
    let group = Group::start(start);
    let request = lsapi::RequestBuilder::get("/").env("SCRIPT_FILENAME", script.to_str().unwrap()).encode();
    let mut connection = group.connect();
    connection.send(&request);
    assert_eq!(connection.response().text(), script.to_str().unwrap());
    group.log("template ready: workers import the application");
}

#[test]
fn a_child_forked_by_a_request_is_not_the_worker() {
    let source = "import atexit, os, sys\n\
        atexit.register(lambda: print('exit handler', os.getpid()))\n\
        def application(environ, start_response):\n\
        \x20   pid = os.fork()\n\
        \x20   if pid == 0:\n\
        \x20       links = {os.readlink(f'/proc/self/fd/{fd}') for fd in range(3, 30) if os.path.exists(f'/proc/self/fd/{fd}')}\n\
        \x20       print('sockets', sum(link.startswith('socket') for link in links), flush=True)\n\
        \x20       return [b'from the child']\n\
        \x20   status = os.waitpid(pid, 0)[1]\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'%d' % status]\n";
    let mut group = Group::start(application(source, 2));
    let mut connection = group.connect();
    for _ in 0..2 {
        assert_eq!(connection.get("/").text(), "0", "{}", group.said());
    }
    stop(&mut group);
    assert_eq!(who(&group, "sockets"), [0, 0], "{}", group.said());
    assert_eq!(who(&group, "exit handler").len(), 1, "{}", group.said());
}

#[test]
fn what_the_import_has_printed_is_printed_once() {
    let source = "print('half a line', end='')\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'ok']\n";
    let mut group = Group::start(application(source, 3));
    assert_eq!(ask(&group, 3, "/"), ["ok"; 3]);
    stop(&mut group);
    assert_eq!(group.said().matches("half a line").count(), 1, "{}", group.said());
}

#[test]
fn an_application_that_changes_its_user_is_still_told_of_the_managers_death() {
    // As another user than root it cannot; then it is told all the more.
    let source = "import ctypes, os\n\
        libc = ctypes.CDLL(None)\n\
        if os.geteuid() == 0: os.setuid(65534)\n\
        def application(environ, start_response):\n\
        \x20   signal = ctypes.c_int()\n\
        \x20   libc.prctl(2, ctypes.byref(signal))\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'%d' % signal.value]\n";
    for load in ["preload", "lazy"] {
        let group = Group::start(application(source, 2).arg("--load").arg(load));
        assert_ne!(group.connect().get("/").text(), "0", "{load}: {}", group.said());
    }
}

#[test]
fn handlers_an_application_may_install_are_those_of_the_workers() {
    let source = "import faulthandler, os, signal, time\n\
        faulthandler.enable()\n\
        caught = []\n\
        for number in signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR2:\n\
        \x20   signal.signal(number, lambda number, frame: caught.append(number))\n\
        def application(environ, start_response):\n\
        \x20   if environ['PATH_INFO'] == '/crash': os.kill(os.getpid(), signal.SIGSEGV)\n\
        \x20   for number in signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR2:\n\
        \x20       os.kill(os.getpid(), number)\n\
        \x20       time.sleep(0)\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'%r' % sorted(caught)]\n";
    for load in ["preload", "lazy"] {
        let group = Group::start(application(source, 2).arg("--allow-signals").arg("--load").arg(load));
        let mut connection = group.connect();
        assert_eq!(connection.get("/").text(), "[3, 12, 15]", "{load}: {}", group.said());
        // The application's report of a crash, and our answer behind it.
        assert_eq!(connection.get("/crash").status, 500, "{load}: {}", group.said());
        group.log("Fatal Python error: Segmentation fault");
    }
}

#[test]
fn only_the_manager_ends_the_template() {
    let source = "import os\n\
        print('imported', os.getpid(), flush=True)\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'ok']\n";
    let mut group = Group::start(application(source, 2));
    group.log("template ready");
    let template = who(&group, "imported")[0];
    for signal in [Signal::TERM, Signal::INT, Signal::USR1, Signal::HUP, Signal::QUIT] {
        crate::group::send(template, signal);
    }
    assert_eq!(ask(&group, 2, "/"), ["ok"; 2]);
    stop(&mut group);
    assert_eq!(who(&group, "imported").len(), 1, "{}", group.said());
    assert_eq!(group.said().matches("template ready").count(), 1, "{}", group.said());
}
