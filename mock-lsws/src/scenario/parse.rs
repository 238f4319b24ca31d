//! From a file's text to a scenario.

use std::path::{Path, PathBuf};

use bumpalo::Bump;
use serde::Deserialize;
use toml::Spanned;
use toml::de::DeTable;

use super::capability::Capability;
use super::declared::Declared;
use super::error::Mistake;
use super::expand::{Expanded, expand};
use super::log_expectation::LogExpectation;
use super::matcher::Matcher;
use super::model::{Class, Scenario};
use super::program::Program;
use super::start_table::StartTable;
use super::step_table::StepTable;
use super::time::Time;
use super::{names, start_table, step_table};
use crate::FileError;

/// A scenario file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScenarioTable {
    title: Spanned<String>,
    class: Class,
    spec: Spanned<Vec<String>>,
    why: Spanned<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    needs: Vec<Capability>,
    #[serde(default)]
    may_log: Vec<Matcher>,
    #[serde(default)]
    logs: Vec<LogExpectation>,
    timeout: Option<Time>,
    start: Spanned<StartTable>,
    #[serde(default)]
    step: Vec<Spanned<StepTable>>,
}

/// Reads the file `path`: one case, or one for each combination of the values in its matrix. The ID is the path below
/// `root`. `declared` is what names such as `{subject.kill_window}` stand for.
///
/// # Errors
/// The first mistake in the file, with its place.
pub fn parse_file(root: &Path, path: &Path, declared: &Declared) -> Result<Vec<Scenario>, FileError> {
    let bytes = std::fs::read(path)
        .map_err(|error| FileError::at(path, "", 0, &format!("cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let (valid, at) = (String::from_utf8_lossy(error.as_bytes()), error.utf8_error().valid_up_to());
        FileError::at(path, &valid, at, "from here on this is not UTF-8, which scenarios are written in")
    })?;
    let below = path.strip_prefix(root).unwrap_or(path).with_extension("");
    parse_cases(&below.to_string_lossy(), path, &text, declared)
}

/// Reads the cases of the file `id` from `text`, which messages attribute to `path`; the rest is as for [`parse_file`].
///
/// # Errors
/// The first mistake in the text, with its place.
pub fn parse_cases(
    id: &str,
    path: &Path,
    text: &str,
    declared: &Declared,
) -> Result<Vec<Scenario>, FileError> {
    let at = |(offset, message): Mistake| FileError::at(path, text, offset, &message);
    let texts = Bump::new();
    let table = DeTable::parse(text).map_err(|error| at(toml_mistake(&error)))?;
    let expanded = expand(table.get_ref().clone(), declared, &texts).map_err(at)?;
    let read = |case: &Expanded<'_>| {
        scenario(text, Spanned::new(table.span(), case.table.clone())).map(|case_of| Scenario {
            id: format!("{id}{}", case.suffix),
            file_id: id.to_owned(),
            path: path.to_owned(),
            ..case_of
        })
    };
    let mut cases = Vec::new();
    for case in &expanded {
        cases.push(read(case).map_err(|(offset, message)| {
            // A mistake in one case and not in all has to do with the values of that one.
            let everywhere =
                expanded.iter().all(|other| read(other).is_err_and(|(_, other)| other == message));
            let which = if everywhere { String::new() } else { format!(" (in case {})", case.suffix) };
            at((offset, message + &which))
        })?);
    }
    Ok(cases)
}

/// Reads the one case `id` from `text`, a scenario without a matrix, with everything declared as by default.
///
/// # Errors
/// As for [`parse_cases`], and when there is a matrix.
pub fn parse_text(id: &str, path: &Path, text: &str) -> Result<Scenario, FileError> {
    let mut cases = parse_cases(id, path, text, &Declared::default())?;
    match (cases.pop(), cases.is_empty()) {
        (Some(case), true) => Ok(case),
        _ => Err(FileError::at(path, text, 0, "this is more than one case: it has a `[matrix]`")),
    }
}

fn toml_mistake(error: &toml::de::Error) -> Mistake {
    (error.span().map_or(0, |span| span.start), error.message().to_owned())
}

/// The scenario that `table` is, without a name yet. `text` is the file it stands in.
fn scenario(text: &str, table: Spanned<DeTable<'_>>) -> Result<Scenario, Mistake> {
    let names = names::check(table.get_ref());
    let table =
        ScenarioTable::deserialize(toml::Deserializer::from(table)).map_err(|error| toml_mistake(&error))?;
    for (name, value) in [("title", &table.title), ("why", &table.why)] {
        if value.get_ref().trim().is_empty() {
            let message = format!("`{name}` is empty: it is what people read when the case fails");
            return Err((value.span().start, message));
        }
    }
    if table.spec.get_ref().is_empty() {
        let message = "`spec` names no clause: say which rule this case tests";
        return Err((table.spec.span().start, message.into()));
    }
    let place = table.start.span().start;
    let start = start_table::resolve(table.start.into_inner(), place, &table.needs)?;
    let steps = step_table::resolve(table.step, text, &start)?;
    names?;
    if steps.is_empty() {
        return Err((0, "there is no `[[step]]`: nothing would be tested".into()));
    }
    let mut needs = table.needs;
    if matches!(start.program, Program::Wsgi(_)) && !needs.contains(&Capability::Wsgi) {
        needs.push(Capability::Wsgi);
    }
    Ok(Scenario {
        id: String::new(),
        file_id: String::new(),
        path: PathBuf::new(),
        title: table.title.into_inner(),
        class: table.class,
        spec: table.spec.into_inner(),
        why: table.why.into_inner(),
        tags: table.tags,
        needs,
        may_log: table.may_log,
        logs: table.logs,
        timeout: table.timeout,
        start,
        steps,
    })
}

#[cfg(test)]
mod tests {
    use super::super::files::Files;
    use super::super::step::Action;
    use super::*;

    const HEAD: &str =
        "title = 't'\nclass = 'must'\nspec = ['W01']\nwhy = 'w'\n[start]\nmode = 'worker'\nrole = 'hello'\n";

    fn error(text: &str) -> String {
        parse_text("a/b", Path::new("a/b.toml"), text).unwrap_err().to_string()
    }

    fn step_error(step: &str) -> String {
        error(&format!("{HEAD}[[step]]\n{step}\n"))
    }

    #[test]
    fn a_scenario_is_read_whole() {
        let text = format!(
            "{HEAD}env = {{ LSAPI_MAX_REQS = '3' }}\n[[step]]\nrepeat = 3\nrequest = {{ path = '/' }}\n\
             expect = {{ status = 200, body = '{{pid}}' }}\n[[step]]\nexpect_eof = {{ within = '1s' }}\n"
        );
        let scenario = parse_text("a/b", Path::new("a/b.toml"), &text).unwrap();
        assert_eq!(scenario.steps.len(), 2);
        assert_eq!((scenario.steps[0].repeat, scenario.steps[0].line), (3, 9));
        assert_eq!((scenario.steps[1].line, scenario.steps[1].on.as_str()), (13, "main"));
    }

    #[test]
    fn an_application_is_read_as_it_is_written() {
        let source = "def f():\n    return {'{n}': \"{subject.x}{\"}\n";
        let text = format!(
            "title = 't {{n}}'\nclass = 'must'\nspec = ['W01']\nwhy = 'w'\nneeds = ['lswsgi-options']\n\
             logs = [{{ line = '{{start.folder}} {{x}}' }}]\n[matrix]\nn = [1]\n\
             [start]\nmode = 'worker'\nwsgi = \"\"\"{source}\"\"\"\nfiles = {{ 'a/b' = '{{n}}' }}\n\
             args = ['--x', '{{n}} {{start.folder}}']\n\
             [[step]]\nwrite_files = {{ 'c' = '{{{{n}}' }}\n\
             [[step]]\nrequest = {{ path = '{{start.folder}}' }}\nexpect = {{ body = '{{start.folder}} {{x}}' }}\n"
        );
        let scenario = &parse_cases("a/b", Path::new("a/b.toml"), &text, &Declared::default()).unwrap()[0];
        let files = |files: &[(&str, &str)]| {
            Files(files.iter().map(|(path, text)| (path.into(), (*text).to_owned())).collect())
        };
        assert_eq!(scenario.start.program, Program::Wsgi(files(&[("app.py", source), ("a/b", "{n}")])));
        assert_eq!(
            scenario.needs,
            [Capability::LswsgiOptions, Capability::Wsgi],
            "one of them goes without saying"
        );
        assert_eq!(scenario.start.args[1].to_string(), "1 {start.folder}");
        assert!(
            matches!(&scenario.steps[0].action, Action::WriteFiles(written) if *written == files(&[("c", "{{n}")]))
        );
    }

    #[test]
    fn a_file_that_is_no_text_is_told_where_it_stops_being_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.toml");
        std::fs::write(&file, b"title = 't'\nwhy = '\xff'\n").unwrap();
        let error = parse_file(dir.path(), &file, &Declared::default()).unwrap_err();
        assert_eq!((error.line, error.column), (2, 8), "{error}");
    }

    #[test]
    fn mistakes_are_placed_and_explained() {
        assert_eq!(
            step_error("expct_eof = {}"),
            "a/b.toml:9:1: unknown field `expct_eof`; did you mean `expect_eof`?\n  9 | expct_eof = {}\n    | ^"
        );
        assert!(
            step_error("expect_eof = { within = '5' }").starts_with("a/b.toml:9:25: `5` is not a duration")
        );
        assert!(step_error("expect = { body = '{' }").starts_with("a/b.toml:9:19: in `{` a brace"));
        assert!(step_error("expect_packets = ['RESP_ENT']").contains("; did you mean `RESP_END`?"));
        assert!(
            step_error("request = { raw = { known = { Hots = {} } } }").contains("; did you mean `Host`?")
        );
        assert!(step_error("note = 'n'").starts_with("a/b.toml:8:1: this step does nothing"));
        assert!(step_error("pause = '1s'\nclose = 'main'").contains("`close` and `pause`"));
        assert!(step_error("repeat = 0\npause = '1s'").contains("at least 1"));
        assert!(step_error("expect_packets = ['RESP_END', 'EOF?']").contains("how long should one wait"));
        assert!(step_error("signal = { name = 'TREM' }").contains("there is no signal `TREM`"));
        assert!(step_error("expect_exit = { code = 0, signal = 'KILL' }").contains("not both"));
        assert!(step_error("gap = '1ms'\nrequest = {}").contains("it needs `split` or `drip`"));
        assert!(error("title = 't'").contains("missing field `class`"));
        assert!(
            error(&format!("{}[[step]]\npause = '1s'\n", HEAD.replace("'W01'", "")))
                .contains("`spec` names no clause")
        );
        assert!(error(&HEAD.replace("'must'", "'may'")).starts_with("a/b.toml:2:9: unknown variant `may`"));
        assert!(error("title =").starts_with("a/b.toml:1:8"));
        let about = |step: &str, message: &str| {
            let error = error(&format!("{}[[step]]\n{step}\n", HEAD.replace("'worker'", "'listen'")));
            assert!(error.contains(message), "{step}: {error}");
        };
        let client = "clients = 2\nrequest = {}\n";
        about("clients = 2\nrequest = {}\ndistinct = { pid = 2 }", "the step has none");
        about("clients = 2\npause = '1s'", "`clients`, `for` and `distinct` need something that is sent");
        about("distinct = { a = 2 }\nrequest = {}\nexpect = {}", "say how many there are");
        about(&format!("{client}expect = {{}}\ndistinct = {{ a = 2 }}"), "`a` is nothing the clients");
        about("clients = 0\nrequest = {}\nexpect = {}", "at least 1");
        about(&format!("{client}expect = {{}}\non = 'a'"), "`on` names a connection");
        about("expect_process = { below = true }", "say which with `pid`");
        about("expect_process = { pid = '1', workers = 2 }", "leave `pid` out");
        about("expect_process = { pid = '{a}' }", "unknown name `a`");
        assert!(step_error(&format!("{client}expect = {{}}")).contains("make connections of their own"));
        let starting = |lines: &str| {
            error(&format!("{}\n[[step]]\nrequest = {{}}\n", HEAD.replace("mode = 'worker'", lines)))
        };
        assert!(
            starting("mode = 'null'").contains("connection `main` leads nowhere: descriptor 0 is /dev/null")
        );
        assert!(starting("mode = 'bind'").contains("write `address`"));
        assert!(starting("mode = 'listen'\naddress = '*:90'").contains("write `mode = \"bind\"`"));
        assert!(
            starting("mode = 'listen'\nenv = { A = '{start.port}' }").contains("unknown name `start.port`")
        );
        let tcp = HEAD.replace("[start]", "[start]\nsocket = 'tcp'");
        assert!(error(&tcp).contains("`socket` is about a listening one"), "{}", error(&tcp));
    }
}
