//! The schema that `conformance schema` prints, and the files it has to agree with.

use std::fs;
use std::path::Path;

use conformance::catalog;
use jsonschema::Validator;
use mock_lsws::scenario::Declared;
use serde_json::Value;

use crate::support;

fn schema() -> Validator {
    let run = support::run(["schema"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let schema: Value = serde_json::from_str(&run.stdout).unwrap();
    jsonschema::draft202012::meta::validate(&schema).expect("it is a schema itself");
    jsonschema::draft202012::new(&schema).unwrap()
}

fn document(text: &str) -> Value {
    toml::from_str(text).unwrap()
}

fn mistakes(schema: &Validator, file: &Value) -> Vec<String> {
    schema.iter_errors(file).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn every_scenario_is_right_by_the_schema() {
    let schema = schema();
    let mut files: Vec<_> = catalog::load(&support::scenarios(), &Declared::default())
        .unwrap()
        .into_iter()
        .map(|case| case.path)
        .collect();
    files.dedup();
    assert!(files.len() > 50, "{}", files.len());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(mistakes(&schema, &document(&text)), [""; 0], "{}", file.display());
    }
}

#[test]
fn what_the_reader_refuses_for_its_keys_or_types_is_wrong_by_the_schema() {
    let schema = schema();
    let right = support::scenario(
        "listen",
        "hello",
        "[[step]]\nrequest = { path = \"/\" }\nexpect = { status = 200 }\n",
    );
    assert_eq!(mistakes(&schema, &document(&right)), [""; 0]);
    for (from, to) in [
        ("why", "whi"),
        ("class = \"must\"", "class = \"may\""),
        ("mode = \"listen\"", "mode = \"listening\""),
        ("path", "pth"),
        ("request", "rquest"),
        ("200", "\"ok\""),
        ("request =", "pause = \"5\"\nrequest ="),
        ("request =", "needs = [\"group\"]\nrequest ="),
        ("path = \"/\"", "body = true"),
    ] {
        let wrong = right.replace(from, to);
        assert_ne!(wrong, right);
        let parsed = mock_lsws::scenario::parse_cases("x", Path::new("x"), &wrong, &Declared::default());
        assert!(parsed.is_err(), "the reader takes {to}");
        assert_ne!(mistakes(&schema, &document(&wrong)), [""; 0], "the schema takes {to}");
    }
}
