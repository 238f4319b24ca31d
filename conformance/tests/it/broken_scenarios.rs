//! What people read when a scenario file is wrong: the place, the line, and what to write instead.

use std::fs;

use crate::support;

/// The head that most of them share. Its last line is the 8th.
const HEAD: &str = "title = \"The title\"\nclass = \"must\"\nspec = [\"W01\"]\nwhy = \"The reason.\"\n\n\
     [start]\nmode = \"worker\"\nrole = \"hello\"\n";

/// Name of the snapshot, and the file.
fn broken() -> Vec<(&'static str, String)> {
    let step = |step: &str| format!("{HEAD}\n[[step]]\n{step}\n");
    let wsgi = |rest: &str| {
        format!(
            "{}{rest}\n[[step]]\nrequest = {{}}\n",
            HEAD.replace("role = \"hello\"", "wsgi = \"def f(): {}\"")
        )
    };
    let listening = |rest: &str| format!("{}{rest}", HEAD.replace("worker", "listen"));
    vec![
        ("not_toml", HEAD.replace("why = \"The", "why = The")),
        ("no_class", HEAD.replace("class = \"must\"\n", "")),
        ("unknown_class", HEAD.replace("must", "msut")),
        ("no_step", HEAD.to_owned()),
        ("empty_why", step("request = {}").replace("The reason.", " ")),
        ("unknown_key", step("request = {}\nexpct = { status = 200 }")),
        ("unknown_key_far_from_all", step("frobnicate = 1")),
        ("unknown_nested_key", step("request = { pth = \"/\" }")),
        ("bad_value", step("request = {}\nexpect = { status = \"ok\" }")),
        ("bad_duration", step("expect_eof = { within = \"5\" }")),
        ("bad_hex", step("send = { hex = \"4c 5\" }")),
        ("lone_brace", step("request = { path = \"/{\" }")),
        ("two_actions", step("close = \"main\"\npause = \"1s\"")),
        ("no_action", step("note = \"nothing\"")),
        ("unknown_packet", step("expect_packets = [\"REQ_RECIEVED\", \"RESP_END\"]")),
        ("open_end", step("expect_packets = [\"RESP_HEADER\", \"RESP_STREAM*\"]")),
        ("unknown_signal", step("signal = { name = \"TREM\" }")),
        ("unknown_header", step("request = { raw = { known = { Hots = { len = 3 } } } }")),
        ("unknown_need", step("request = {}").replace("class", "needs = [\"groups\"]\nclass")),
        ("unused_capture", step("request = {}\nexpect = { body = \"pid {pid:int}\" }")),
        (
            "unknown_name",
            step("request = {}\nexpect = { body = \"{pid}\" }\n\n[[step]]\nrequest = { path = \"/{pdi}\" }"),
        ),
        ("unknown_subject_name", step("pause = \"{subject.kill_windw} + 500ms\"")),
        ("matrix_not_a_list", format!("{HEAD}\n[matrix]\nn = 5\n\n[[step]]\npause = \"{{n}}ms\"\n")),
        ("matrix_never_used", format!("{HEAD}\n[matrix]\nn = [1, 2]\n\n[[step]]\npause = \"1ms\"\n")),
        ("matrix_label", format!("{HEAD}\n[matrix]\nn = [\"a b\"]\n\n[[step]]\nsend = \"{{n}}\"\n")),
        (
            "matrix_one_bad_value",
            format!("{HEAD}\n[matrix]\nn = [\"1s\", \"1h\"]\n\n[[step]]\npause = \"{{n}}\"\n"),
        ),
        ("generate_without_expectation", step("request = {}\ngenerate = { cut = \"every-offset\" }")),
        (
            "bit_flips_on_one_connection",
            step("request = {}\ngenerate = { bit_flips = 10 }\nexpect_outcome = \"answered\""),
        ),
        ("damage_that_changes_nothing", step("request = {}\ndamage = { at = 3, xor = 0 }")),
        ("role_and_wsgi", wsgi("role = \"hello\"\n")),
        ("nothing_runs", step("request = {}").replace("role = \"hello\"\n", "")),
        (
            "files_beside_a_role",
            step("request = {}").replace("role =", "files = { \"a.py\" = \"\" }\nrole ="),
        ),
        ("file_outside_the_folder", wsgi("files = { \"a.py\" = \"\", \"../b.py\" = \"\" }\n")),
        ("file_that_is_the_application", wsgi("files = { \"app.py\" = \"\" }\n")),
        ("args_without_need", wsgi("args = [\"--debug\"]\n")),
        (
            "start_again_in_a_row",
            step(
                "[[step.parallel]]\n[[step.parallel.step]]\nstart_again = true\n[[step.parallel]]\n[[step.parallel.step]]\npause = \"1s\"",
            ),
        ),
        ("start_again_false", step("start_again = false")),
        ("write_files_for_a_role", step("write_files = { \"app.py\" = \"\" }")),
        ("write_files_outside_the_folder", wsgi("[[step]]\nwrite_files = { \"/app.py\" = \"\" }\n")),
        ("folder_of_a_role", step("request = { path = \"{start.folder}\" }")),
        (
            "log_with_an_unknown_name",
            step("request = {}").replace("why =", "logs = [{ line = \"{pid}\" }]\nwhy ="),
        ),
        (
            "rows_on_one_connection",
            listening(
                "\n[[step]]\n[[step.parallel]]\n[[step.parallel.step]]\nrequest = {}\n\
                 [[step.parallel]]\n[[step.parallel.step]]\nhalf_close = \"main\"\n",
            ),
        ),
    ]
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_to_write_instead() {
    for (name, text) in broken() {
        let folder = support::folder(&[("it", &text)]);
        let run = support::run(["list", "--scenarios", folder.path().to_str().unwrap()]);
        assert_eq!(run.code, Some(3), "{name}: {}{}", run.stdout, run.stderr);
        assert_eq!(run.stdout, "", "{name}");
        let place = format!("{}/", folder.path().display());
        insta::assert_snapshot!(name, run.stderr.replace(&place, ""));
    }
}

#[test]
fn a_run_tells_the_first_mistake_of_every_wrong_file_and_runs_none() {
    let right = format!("{HEAD}\n[[step]]\nrequest = {{}}\n");
    let wrong = format!("{HEAD}\n[[step]]\nrquest = {{}}\nexpct = {{}}\n");
    let folder = support::folder(&[("a", &wrong), ("b", &right), ("c", "title = 1\n")]);
    fs::write(folder.path().join("case/d.toml"), b"title = \"\xff\"\n").unwrap();
    let subject = support::lswsgi_file();
    let run = support::run([
        "run",
        "--subject",
        subject.to_str().unwrap(),
        "--scenarios",
        folder.path().to_str().unwrap(),
    ]);
    assert_eq!(run.code, Some(3), "{}{}", run.stdout, run.stderr);
    let place = format!("{}/", folder.path().display());
    insta::assert_snapshot!("several_files", run.stderr.replace(&place, ""));
}
