//! Forms and uploads.

use std::fmt::Write as _;

use lsapi::RequestBuilder;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::site::{BOTH, Site};

const BOUNDARY: &str = "--of-this-test";

/// The large upload, in bytes: 100 MB.
const LARGE: usize = 100_000_000;

/// What the memory of the process may grow by meanwhile, in kB.
const GROWTH: u64 = 32_000;

fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string can be written");
        text
    })
}

fn multipart(name: &str, more: &str) -> String {
    format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n")
}

fn form(content_type: &str, len: usize) -> RequestBuilder {
    let target = "/form?q=%E2%82%AC+5&umlaut=%C3%BC";
    RequestBuilder::new("POST", target).header("Content-Type", content_type).body_len(len as u64)
}

#[test]
fn an_encoded_form_keeps_its_text_in_any_language() {
    let body = "stra%C3%9Fe=Gr%C3%BCner+Weg+5&city=S%C3%A3o+Paulo&city=%E6%9D%B1%E4%BA%AC&empty=";
    for framework in BOTH {
        let mut site = Site::start(framework);
        let request = form("application/x-www-form-urlencoded", body.len());
        site.connection.send(&[&request.encode(), body.as_bytes()].concat());
        let answer: serde_json::Value = serde_json::from_slice(&site.connection.response().body).unwrap();
        let expected = json!({
            "form": {"straße": ["Grüner Weg 5"], "city": ["São Paulo", "東京"], "empty": [""]},
            "query": {"q": "€ 5", "umlaut": "ü"},
            "files": {},
        });
        assert_eq!(answer, expected, "{framework:?}: {}", site.worker.log());
        site.end();
    }
}

#[test]
fn a_form_with_a_file_keeps_names_and_bytes() {
    let file: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let mut body = multipart("grüße", "").into_bytes();
    body.extend("Ærø, naïve, 漢字\r\n".as_bytes());
    body.extend(
        multipart("datei", "; filename=\"Übersicht – año.bin\"\r\nContent-Type: application/x-data")
            .as_bytes(),
    );
    body.extend(&file);
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let sha = hex(Sha256::new_with_prefix(&file));
    for framework in BOTH {
        let mut site = Site::start(framework);
        let request = form(&format!("multipart/form-data; boundary={BOUNDARY}"), body.len());
        site.connection.send(&[&request.encode()[..], &body].concat());
        let answer: serde_json::Value = serde_json::from_slice(&site.connection.response().body).unwrap();
        let expected = json!({
            "form": {"grüße": ["Ærø, naïve, 漢字"]},
            "query": {"q": "€ 5", "umlaut": "ü"},
            "files": {"datei": ["Übersicht – año.bin", "application/x-data", format!("70000 {sha}")]},
        });
        assert_eq!(answer, expected, "{framework:?}: {}", site.worker.log());
        site.end();
    }
}

/// Sends `before`, 100 MB and `after` as one body, and returns the text of the answer, the hash of the 100 MB and by how many kB the
/// process has grown.
fn upload(site: &mut Site, request: RequestBuilder, before: &str, after: &str) -> (String, String, u64) {
    // The code that handles bodies is there before it is measured.
    assert_eq!(site.connection.post("/digest", b"warm").text().split(' ').next(), Some("4"));
    let memory = site.worker.peak_memory();
    let len = before.len() + LARGE + after.len();
    site.connection.send(&request.body_len(len as u64).encode());
    site.connection.send(before.as_bytes());
    let (mut block, mut hasher) = (vec![0; 1_000_000], Sha256::new());
    for number in 0..LARGE / block.len() {
        // No two blocks are the same, so that one too many, too few or in another place shows.
        for (place, byte) in block.iter_mut().enumerate() {
            *byte = (place ^ (place >> 8) ^ number) as u8;
        }
        hasher.update(&block);
        site.connection.send(&block);
    }
    site.connection.send(after.as_bytes());
    let response = site.connection.response();
    assert_eq!(response.status, 200, "{}", site.worker.log());
    (response.text().to_owned(), hex(hasher), site.worker.peak_memory() - memory)
}

#[test]
fn a_hundred_megabytes_arrive_whole_and_are_never_held() {
    for framework in BOTH {
        let mut site = Site::start(framework);
        let (text, sha, growth) = upload(&mut site, RequestBuilder::new("POST", "/digest"), "", "");
        assert_eq!(text, format!("{LARGE} {sha}"), "{framework:?}");
        assert!(growth < GROWTH, "{framework:?}: {growth} kB");
        site.end();
    }
}

#[test]
fn a_file_of_a_hundred_megabytes_in_a_form_arrives_whole_and_is_never_held() {
    let before = multipart("large", "; filename=\"large\"\r\nContent-Type: application/x-data");
    let after = format!("\r\n--{BOUNDARY}--\r\n");
    for framework in BOTH {
        let mut site = Site::start(framework);
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let request = RequestBuilder::new("POST", "/form").header("Content-Type", content_type);
        let (text, sha, growth) = upload(&mut site, request, &before, &after);
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["files"]["large"][2], format!("{LARGE} {sha}"), "{framework:?}");
        assert!(growth < GROWTH, "{framework:?}: {growth} kB");
        site.end();
    }
}
