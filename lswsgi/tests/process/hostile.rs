//! An application that runs its own code wherever it can, from several threads, while Python watches its memory.

use crate::support::Start;

#[test]
fn an_application_that_changes_everything_under_the_runtimes_hands_does_no_harm() {
    let start = Start::application(include_str!("hostile.py"))
        .env("PYTHONMALLOC", "debug")
        .env("PYTHONDEVMODE", "1")
        .env("PYTHONWARNINGS", "ignore")
        .arg("--exit-timeout=1");
    let (mut worker, mut connection) = start.connected();
    for round in 0..8 {
        for kind in ["lists", "texts", "body", "file", "closed", "input", "keep", "fork", "emptied"] {
            let target = format!("/?{kind}");
            let response = match kind {
                "input" => connection.post(&target, &b"a line\n".repeat(3000)),
                _ => connection.get(&target),
            };
            // What threads have changed in time may be refused; what is sent is a whole response, and the only one.
            assert!([200, 500].contains(&response.status), "{kind}, round {round}: {}", worker.log());
            assert!(!response.names().contains(&"CONN_CLOSE"), "{kind}, round {round}: {}", worker.log());
            match kind {
                "texts" => assert_eq!(response.text(), "ok"),
                "file" => assert_eq!(response.body.len(), 30_003),
                "input" | "fork" | "emptied" => assert_eq!(response.text(), "12", "{kind}"),
                "keep" => assert!(response.text().ends_with("ab"), "{}", response.text()),
                _ => {}
            }
        }
    }
    drop(connection);
    assert_eq!(worker.wait().code(), Some(0), "{}", worker.log());
}
