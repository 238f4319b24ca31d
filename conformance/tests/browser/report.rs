//! The HTML report of a real run: a failing case is found by the filter, and its transcript read.

use fantoccini::{Client, Locator};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::{Scripted, folder, scenario};

/// The IDs of the cases that are not filtered out.
const SHOWN: &str = "
    const cases = [...document.querySelectorAll('.case')].filter(one => one.checkVisibility());
    return cases.map(one => one.querySelector('summary code').textContent);";

/// Everything the page asked for, itself excepted.
const FILES: &str = "return performance.getEntriesByType('resource').map(file => file.name);";

async fn asked(client: &Client, script: &str) -> Value {
    client.execute(script, Vec::new()).await.unwrap()
}

/// The text of all elements of this kind that can be seen.
async fn texts(client: &Client, css: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for element in client.find_all(Locator::Css(css)).await.unwrap() {
        if element.is_displayed().await.unwrap() {
            texts.push(element.text().await.unwrap());
        }
    }
    texts
}

#[tokio::test]
async fn a_failing_case_is_found_by_the_filter_and_its_transcript_read() {
    let Some(browser) = Browser::start().await else { return };
    let step = |body: &str| format!("[[step]]\nrequest = {{}}\nexpect = {{ body = \"{body}\" }}\n");
    let cases = folder(&[
        ("right", &scenario("worker", "hello", &step("Hello, World!\\n"))),
        ("wrong", &scenario("worker", "hello", &step("Hello, wrong!\\n"))),
        ("wrong-too", &scenario("worker", "hello", &step("Hullo"))),
    ]);
    let page = cases.path().join("report.html");
    let report = format!("html={}", page.display());
    let run = Scripted::new("exec \"$0\" -m \"$1\"", "").run(&cases, &["--report", &report]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);

    let client = &browser.client;
    client.goto(&format!("file://{}", page.display())).await.unwrap();
    assert_eq!(client.title().await.unwrap(), "conformance of script");
    assert_eq!(texts(client, ".verdict").await.len(), 1);
    assert_eq!(asked(client, SHOWN).await, json!(["case/wrong", "case/wrong-too"]), "failures come first");

    client.find(Locator::Css("#words")).await.unwrap().send_keys("wrong-too W01").await.unwrap();
    assert_eq!(asked(client, SHOWN).await, json!(["case/wrong-too"]));
    assert_eq!(texts(client, "#shown").await, ["1 of 3"]);
    client.find(Locator::Css("#words")).await.unwrap().clear().await.unwrap();
    client.find(Locator::Css("button[data-outcome=failed]")).await.unwrap().click().await.unwrap();
    assert_eq!(asked(client, SHOWN).await, json!(["case/right", "case/wrong", "case/wrong-too"]));
    client.find(Locator::Css("button[data-outcome=passed]")).await.unwrap().click().await.unwrap();
    assert_eq!(asked(client, SHOWN).await, json!(["case/right"]));
    client.find(Locator::Css("button[data-outcome=passed]")).await.unwrap().click().await.unwrap();
    client.find(Locator::Css("#words")).await.unwrap().send_keys("case/wrong").await.unwrap();
    assert_eq!(texts(client, ".transcript").await, [""; 0], "folded");

    client
        .find(Locator::Css(".case[data-text^='case/wrong '] summary"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    let transcript = texts(client, ".transcript").await.join("\n");
    for packet in ["BEGIN_REQUEST", "REQ_RECEIVED", "RESP_HEADER", "RESP_STREAM"] {
        assert!(transcript.contains(packet), "{packet}: {transcript}");
    }
    // `Hello, W` where `Hello, w` was expected: behind eight bytes of packet header and seven of the body.
    assert_eq!(texts(client, "mark").await, ["57", "W"]);
    let dumps = texts(client, ".hex").await;
    assert_eq!(dumps.len(), 1, "the bytes of other packets are folded: {dumps:?}");
    assert!(dumps[0].starts_with("0000  4c 53 04 00 ") && dumps[0].contains("20 57"), "{dumps:?}");
    assert_eq!(texts(client, ".problem caption").await, ["body"]);
    assert!(texts(client, ".command").await.iter().any(|text| text.contains("case/wrong")));

    assert_eq!(asked(client, FILES).await, json!([]), "nothing is fetched");
    browser.close().await;
}
