//! What an application leaves behind fails the case, whatever that was about; with each a subject that does it.

use crate::support::{Run, Scripted, folder, scenario};

const GET: &str = "[[step]]\nrequest = {}\nexpect = { status = 200 }\n";

/// An application that does something in Python and then answers.
fn doing(what: &str) -> String {
    format!(
        "import os, stat, subprocess, sys\n\
         def application(environ, start_response):\n    {what}\n    start_response('200 OK', [])\n    return [b'done']\n"
    )
}

const SERVE: &str = "exec \"$0\" -m \"$1\"";

/// One case with `app` as the application and `script` to start it.
fn run(mode: &str, script: &str, app: &str) -> Run {
    run_steps(script, app, &scenario(mode, "app", GET))
}

fn run_steps(script: &str, app: &str, case: &str) -> Run {
    Scripted::new(script, app).run(&folder(&[("get", case)]), &[])
}

/// The exchange went well, and the way it ended says `words`.
fn assert_ended_badly(run: &Run, words: &[&str]) {
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    let case = run.case("case/get");
    assert!(case.contains("     how it ended\n") && !case.contains("     at "), "{case}");
    for words in words {
        assert!(case.contains(words), "{words:?} is missing:\n{case}");
    }
}

#[test]
fn nothing_is_objected_to_in_an_application_that_tidies_up() {
    for mode in ["worker", "listen"] {
        let tidy = "subprocess.run(['true']); open('scratch', 'w').close(); os.remove('scratch')";
        let run = run(mode, SERVE, &doing(tidy));
        assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    }
}

#[test]
fn a_process_that_outlives_the_application() {
    let run = run("worker", "sleep 60 & exec \"$0\" -m \"$1\"", &doing("pass"));
    assert_ended_badly(&run, &["processes left behind\n", "actual:   pid ", "(sleep), state S"]);
}

#[test]
fn a_process_that_has_left_session_and_parent() {
    let daemon = "setsid sh -c 'sleep 60 & exit'; exec \"$0\" -m \"$1\"";
    let run = run("listen", daemon, &doing("pass"));
    assert_ended_badly(&run, &["processes out of reach\n", "(sleep), state S", "processes left behind\n"]);
}

#[test]
fn a_child_that_nobody_reaps() {
    // Kept, for Python reaps children nothing refers to any more; and ended for certain.
    let forget =
        "sys.child = subprocess.Popen(['true']); os.waitid(os.P_PID, sys.child.pid, os.WEXITED | os.WNOWAIT)";
    let run = run("worker", SERVE, &doing(forget));
    assert_ended_badly(&run, &["zombies\n", "(true), state Z"]);
}

#[test]
fn a_connection_that_is_kept_when_its_other_end_is_closed() {
    let keep = "[os.dup(n) for n in range(3, 20) if os.path.exists(f'/proc/self/fd/{n}') and \
                stat.S_ISSOCK(os.fstat(n).st_mode)]";
    let run = run("listen", SERVE, &doing(keep));
    assert_ended_badly(&run, &["connections that are closed\n", "actual:   1 held by pid "]);
}

#[test]
fn a_file_in_its_working_or_temporary_folder() {
    let leave = "open(os.environ['TMPDIR'] + '/there', 'w').close()";
    let run = run("worker", "touch here; exec \"$0\" -m \"$1\"", &doing(leave));
    assert_ended_badly(&run, &["files left behind\n", "actual:   here; there\n"]);
}

const SHOUT: &str =
    "print('Traceback (most recent call last):\\n  in x\\nValueError: no', file=open('/dev/stderr', 'a'))";

#[test]
fn a_traceback_nobody_expected() {
    let run = run("worker", SERVE, &doing(SHOUT));
    assert_ended_badly(
        &run,
        &["expected: no traceback", "Traceback (most recent call last): ... ValueError: no"],
    );
}

#[test]
fn a_traceback_that_is_allowed_or_waited_for() {
    let waited = format!("{GET}[[step]]\nwait_log = {{ line = \"ValueError: no\" }}\n");
    let allowed = format!("may_log = [{{ contains = \"Traceback\" }}]\n{}", scenario("worker", "app", GET));
    for case in [scenario("worker", "app", &waited), allowed] {
        let run = run_steps(SERVE, &doing(SHOUT), &case);
        assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    }
}

#[test]
fn after_a_failed_exchange_only_a_crash_is_told() {
    let crash = doing("open('left', 'w').close(); os.kill(os.getpid(), 11)");
    let run = run("listen", SERVE, &crash);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    let case = run.case("case/get");
    assert!(case.contains("     at ") && case.contains("     how it ended\n"), "{case}");
    assert!(case.contains("actual:   SIGSEGV") && !case.contains("files left behind"), "{case}");
}
