//! What steps do when a case runs: variants, rows at the same time, damage, outcomes, names.

use crate::support::{folder, lswsgi_file, run_lswsgi, scenario};

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
