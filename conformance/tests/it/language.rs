//! What steps do when a case runs: variants, rows at the same time, damage, outcomes, names.

use crate::support::{self, Scripted, folder, lswsgi_file, run_lswsgi, scenario};

/// Runs one case against lswsgi and returns its exit code and what is printed about it.
fn run_steps(mode: &str, role: &str, steps: &str) -> (Option<i32>, String) {
    let cases = folder(&[("it", &scenario(mode, role, steps))]);
    let (folder, subject) = (cases.path().to_str().unwrap(), lswsgi_file());
    let run = run_lswsgi(&["--scenarios", folder, "--subject", subject.to_str().unwrap(), "-v"]);
    (run.code, format!("{}{}", run.stdout, run.stderr))
}

fn passes(mode: &str, role: &str, steps: &str) -> String {
    let (code, text) = run_steps(mode, role, steps);
    assert_eq!(code, Some(0), "{text}");
    text
}

fn fails(mode: &str, role: &str, steps: &str, words: &[&str]) {
    let (code, text) = run_steps(mode, role, steps);
    assert_eq!(code, Some(1), "{text}");
    for words in words {
        assert!(text.contains(words), "{words:?} is missing:\n{text}");
    }
}

#[test]
fn a_request_is_cut_at_every_offset() {
    let text = passes(
        "worker",
        "echo",
        "[[step]]\nrequest = { method = 'POST', body = 'hello' }\ngenerate = { cut = { from = 8, every = 10 } }\n\
         expect = { status = [0, 200], body = 'hello' }\n",
    );
    let noted = text.lines().find(|line| line.contains("variants of the step in line 8 went well")).unwrap();
    let count: usize = noted.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    assert!(count > 50 && !text.contains("PIECE"), "{text}");
}

#[test]
fn a_request_is_sent_in_pieces_of_each_size() {
    let steps = "[[step]]\nrequest = {}\ngenerate = { drip = [1, 100] }\nexpect = { status = [0, 200] }\n";
    assert!(passes("worker", "hello", steps).contains("2 variants of the step"));
}

#[test]
fn a_variant_that_fails_tells_how_to_repeat_it_alone() {
    let steps = "[[step]]\nrequest = {}\ngenerate = { cut = { from = 20 } }\nexpect = { body = 'x' }\n";
    let words = ["variant", "1 of ", "the step alone with `split = 20` repeats it", "PIECE  2 of 2"];
    fails("worker", "hello", steps, &words);
}

#[test]
fn flipped_bits_are_answered_or_refused_and_never_hang_anything() {
    let steps = "[[step]]\nrequest = { method = 'POST', body = 'hello' }\n\
                 generate = { bit_flips = 40, seed = 3 }\nexpect_outcome = ['answered', 'closed']\n\
                 [[step]]\nrequest = { method = 'POST', body = 'after' }\nexpect = { body = 'after' }\n";
    passes("listen", "echo", steps);
}

#[test]
fn flipped_bits_that_hang_the_process_are_named() {
    // Whatever is flipped, this application waits for longer than it may.
    let steps = "[[step]]\nrequest = { path = '/?ms=3000' }\n\
                 generate = { bit_flips = 5, bits = 2, seed = 3 }\n\
                 expect_outcome = { any_of = ['refused'], within = '200ms' }\n";
    fails("listen", "sleep", steps, &["the step alone with `damage = [{ at = ", "repeats it"]);
}

#[test]
fn flipped_bits_that_end_the_process_are_named() {
    // In the body, which this application does not look at before it ends.
    let steps = "[[step]]\nrequest = { method = 'POST', path = '/?how=exit', body = { random = 100000 } }\n\
                 generate = { bit_flips = 5, seed = 3 }\nexpect_outcome = 'closed'\n";
    let words = ["expected: running", "actual:   exit code 7", "1 of 5; the step alone with `damage = ["];
    fails("listen", "crash", steps, &words);
}

#[test]
fn an_outcome_is_what_came_of_it() {
    let bad = "[[step]]\nrequest = { raw = { magic = 'XX' } }\nexpect_outcome = ";
    passes("listen", "hello", &format!("{bad} 'refused'\n"));
    fails("listen", "hello", &format!("{bad} 'answered'\n"), &["expected: answered", "actual:   refused"]);
    let good = "[[step]]\nrequest = {}\nexpect_outcome = ";
    passes("listen", "hello", &format!("{good} ['answered', 'refused']\n"));
    fails("listen", "hello", &format!("{good} 'closed'\n"), &["expected: closed", "actual:   answered"]);
    let late = "[[step]]\nrequest = { path = '/?ms=2000' }\nexpect_outcome = { any_of = ['answered'], within = '100ms' }\n";
    fails("listen", "sleep", late, &["actual:   silence"]);
}

#[test]
fn headers_of_one_name_are_told_apart() {
    let run = |second: &str| {
        let steps = format!(
            "[[step]]\nrequest = {{}}\nexpect = {{ headers = [['Set-Cookie', 'a=1'], ['set-cookie', '{second}']] }}\n"
        );
        let application = "def application(environ, start_response):\n\
             \x20   cookies = [('Set-Cookie', 'a=1'), ('X-Note', '1'), ('Set-Cookie', 'b=2')]\n\
             \x20   start_response('200 OK', cookies)\n\
             \x20   return []\n";
        let own = format!("wsgi = \"\"\"\n{application}\"\"\"\n");
        let cases =
            folder(&[("it", &scenario("worker", "hello", &steps).replace("role = \"hello\"\n", &own))]);
        let (folder, subject) = (cases.path().to_str().unwrap(), lswsgi_file());
        run_lswsgi(&["--scenarios", folder, "--subject", subject.to_str().unwrap()])
    };
    let right = run("b=2");
    assert_eq!(right.code, Some(0), "{}{}", right.stdout, right.stderr);
    let wrong = run("a=1");
    assert_eq!(wrong.code, Some(1), "{}{}", wrong.stdout, wrong.stderr);
    assert!(wrong.stdout.contains("header set-cookie, number 2"), "{}", wrong.stdout);
}

#[test]
fn damage_is_done_to_what_is_sent() {
    passes(
        "listen",
        "hello",
        "[[step]]\nrequest = {}\ndamage = { at = 0, xor = 0x04 }\nexpect_outcome = 'refused'\n\
         [[step]]\nclose = 'main'\n\
         [[step]]\nrequest = {}\ndamage = { cut = 30 }\n[[step]]\nexpect_no_bytes = { for = '50ms' }\n",
    );
}

/// The first row waits for what only the second brings about.
const ROWS: &str = "[[step]]\n[[step.parallel]]\n\
     [[step.parallel.step]]\nexpect_exit = { code = 0, within = '5s' }\n[[step.parallel]]\n\
     [[step.parallel.step]]\nconnect = 'a'\n\
     [[step.parallel.step]]\non = 'a'\nrequest = { path = '/?ms=10' }\nexpect = { body = { starts_with = 'slept' } }\n\
     [[step.parallel.step]]\nsignal = { name = 'TERM' }\n";

#[test]
fn rows_of_steps_run_at_the_same_time() {
    passes("listen", "sleep", ROWS);
}

#[test]
fn a_failure_in_a_row_is_told_with_the_line_of_its_step() {
    let steps = ROWS.replace("starts_with = 'slept'", "starts_with = 'x'");
    fails("listen", "sleep", &steps, &["case/it.toml:15:1", "starts with \"x\""]);
}

#[test]
fn rows_that_capture_different_values_disagree() {
    let row = |name: &str, path: &str| {
        format!(
            "[[step.parallel]]\n[[step.parallel.step]]\nconnect = '{name}'\n\
             [[step.parallel.step]]\non = '{name}'\nrequest = {{ path = '{path}' }}\nexpect = {{ body = \"slept {{n}}\\n\" }}\n\
             [[step.parallel.step]]\nclose = '{name}'\n"
        )
    };
    let both = |one: &str, other: &str| {
        let after = "[[step]]\nrequest = { path = '/?ms={n}' }\nexpect = { body = \"slept {n}\\n\" }\n";
        format!("[[step]]\n{}{}{after}", row("a", one), row("b", other))
    };
    passes("listen", "sleep", &both("/?ms=10", "/?ms=10"));
    let words = ["`{n}` in parallel steps", "the same value in every row"];
    fails("listen", "sleep", &both("/?ms=10", "/?ms=20"), &words);
}

#[test]
fn a_process_is_counted_and_measured() {
    let get = "[[step]]\nrequest = {}\nexpect = { status = [0, 200] }\n";
    let before =
        "[[step]]\nexpect_process = { descriptors = '{n:int}', zombies = 0, children = { max = 0 } }\n";
    let limits = "[[step]]\nexpect_process = { limits = { open_files = { soft = { min = 1 }, hard = { min = '{n}' } } } }\n";
    let after = "[[step]]\nexpect_process = { descriptors = { max = '{n}' }, within = '2s' }\n";
    passes("listen", "hello", &format!("{get}{before}{limits}{get}{after}"));
    let none = "[[step]]\nexpect_process = { descriptors = 0, children = 1, within = '100ms' }\n";
    let words =
        ["open descriptors\n", "expected: 0\n", "processes below the application's\n", "expected: 1\n"];
    fails("listen", "hello", &format!("{get}{none}"), &words);
}

#[test]
fn an_application_that_has_ended_is_started_again() {
    let again = |mode: &str, path: &str, exit: &str| {
        let steps = format!(
            "[[step]]\nrequest = {{ path = '{path}' }}\nexpect_outcome = ['answered', 'closed']\n{exit}\
             [[step]]\nstart_again = true\n[[step]]\non = 'again'\nrequest = {{ path = '/?how=exit' }}\nexpect_outcome = 'closed'\n"
        );
        let (open, on) =
            if mode == "listen" { ("[[step]]\nconnect = 'again'\n", "again") } else { ("", "main") };
        let steps = steps.replace("[[step]]\non = 'again'", &format!("{open}[[step]]\non = '{on}'"));
        run_steps(mode, "crash", &steps)
    };
    let exit = "[[step]]\nexpect_exit = { code = 7 }\n";
    for mode in ["listen", "worker"] {
        let (code, text) = again(mode, "/?how=exit", exit);
        assert_eq!((code, text.matches(" started by ").count()), (Some(0), 2), "{text}");
    }
    let (code, text) = again("worker", "/", "");
    assert!(code == Some(1) && text.contains("an exit of its own"), "a crash nobody expected:\n{text}");
    let steps = "[[step]]\nrequest = {}\nexpect = { status = 200 }\n[[step]]\nstart_again = true\n";
    fails("worker", "hello", steps, &["to be started again", "it is still running"]);
}

/// A case that brings its own application: `head` goes into the head of the file, `start` into `[start]`.
fn run_own(head: &str, start: &str, steps: &str) -> support::Run {
    let text = scenario("listen", "hello", steps)
        .replace("[start]", &format!("{head}[start]"))
        .replace("role = \"hello\"\n", &format!("wsgi = '''{OWN}'''\n{start}"));
    let cases = folder(&[("it", &text)]);
    let (folder, subject) = (cases.path().to_str().unwrap(), lswsgi_file());
    run_lswsgi(&["--scenarios", folder, "--subject", subject.to_str().unwrap(), "-v"])
}

/// Answers with what it finds where it was put, and with what it was told.
const OWN: &str = "
import os
FOLDER = os.path.dirname(os.path.abspath(__file__))

def application(environ, start_response):
    if environ['PATH_INFO'] == '/raise':
        raise ValueError('as asked')
    start_response('200 OK', [('Content-Type', 'text/plain')])
    texts = [FOLDER, os.environ.get('TOLD', '')]
    for name in ('app.py', 'pkg/data'):
        file = os.path.join(FOLDER, name)
        owner = 'own' if os.stat(file).st_uid == os.geteuid() else 'foreign'
        texts.append(f'{owner} {open(file).read().strip()[-4:]}')
    return ['; '.join(texts).encode()]
";

#[test]
fn an_application_runs_from_the_files_that_the_case_brings() {
    let run = run_own(
        "needs = ['lswsgi-options']\nlogs = [{ line = { contains = ['raised ValueError', 'request 2'] }, count = 1 }, { line = 'ValueError: as asked', count = 1 }, { line = 'never', count = 0 }]\n",
        "files = { 'pkg/data' = '{a}' }\nenv = { TOLD = 'in {start.folder}' }\nargs = ['--debug']\n",
        "[[step]]\nrequest = {}\nexpect = { body = \"{start.folder}; in {start.folder}; own e()]; own {{a}}\" }\n\
         [[step]]\nrequest = { path = '/raise' }\nexpect = { status = 500, body = { contains = 'as asked' } }\n\
         [[step]]\nwrite_files = { 'pkg/data' = '{b}' }\n\
         [[step]]\nrequest = {}\nexpect = { body = \"{start.folder}; in {start.folder}; own e()]; own {{b}}\" }\n",
    );
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
}

#[test]
fn a_line_that_is_missing_in_the_end_fails_the_case() {
    let run = run_own(
        "logs = [{ line = { contains = 'as asked' } }]\n",
        "files = { 'pkg/data' = '' }\n",
        "[[step]]\nrequest = {}\nexpect = { status = 200 }\n",
    );
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(
        run.stdout.contains("1 or more of the line something that contains \"as asked\""),
        "{}",
        run.stdout
    );
}

#[test]
fn a_subject_that_runs_no_applications_of_others_has_their_cases_skipped() {
    let text =
        scenario("worker", "hello", "[[step]]\nrequest = {}\n").replace("role = \"hello\"", "wsgi = 'x'");
    let cases = folder(&[("it", &text)]);
    let run = Scripted::new("exec \"$0\" -m \"$1\"", "").run(&cases, &[]);
    let reason = "skip case/it: needs `wsgi`, which script does not provide";
    assert!(run.stdout.contains(reason), "{}{}", run.stdout, run.stderr);
    let run = support::run([
        "run",
        "--scenarios",
        cases.path().to_str().unwrap(),
        "--connect",
        "/run/x.sock",
        "--role",
        "hello",
    ]);
    let reason = "skip case/it: an application of its own takes a process of this run, and unix:/run/x.sock was there before it";
    assert!(run.stdout.contains(reason), "{}{}", run.stdout, run.stderr);
}

#[test]
fn a_subject_that_runs_something_else_than_it_is_given_is_found_out() {
    let own =
        scenario("worker", "hello", "[[step]]\nrequest = {}\n").replace("role = \"hello\"", "wsgi = 'x'");
    let cases = folder(&[("it", &own)]);
    std::fs::create_dir(cases.path().join("roles")).unwrap();
    let probe = support::scenarios().join("roles/wsgi.toml");
    std::fs::copy(probe, cases.path().join("roles/wsgi.toml")).unwrap();
    let subject = Scripted::new("exec \"$0\" -m hello.wsgi # \"$1\"", "");
    let file = subject.folder.path().join("subject.toml");
    let hello = support::scenarios().join("apps/hello.wsgi");
    let text =
        std::fs::read_to_string(&file).unwrap().replace("hello.wsgi #", &format!("{} #", hello.display()));
    std::fs::write(
        &file,
        text.replace("[roles]", "provides = ['wsgi']\n[roles]").replace("env = {", "#env = {"),
    )
    .unwrap();
    let run = subject.run(&cases, &[]);
    assert_eq!(run.code, Some(5), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("script does not play the role `wsgi`:"), "{}", run.stderr);
    assert!(run.stderr.contains("this is /x"), "{}", run.stderr);
}
