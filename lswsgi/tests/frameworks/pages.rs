//! Pages, sessions and errors.

use lsapi::RequestBuilder;
use serde_json::json;

use crate::site::{BOTH, Site, venv};

const PAGE: &str = "Grüße aus der Straße\n";

#[test]
fn the_framework_is_that_of_the_virtual_environment() {
    for framework in BOTH {
        let mut site = Site::start(framework);
        let about = site.json(&RequestBuilder::get("/about"));
        let prefix = about["prefix"].as_str().unwrap();
        assert_eq!(std::fs::canonicalize(prefix).unwrap(), venv().canonicalize().unwrap());
        assert!(about["framework"].as_str().unwrap().starts_with(prefix), "{about}");
        site.end();
    }
}

#[test]
fn names_in_paths_are_text_in_utf_8() {
    for framework in BOTH {
        let mut site = Site::start(framework);
        assert_eq!(site.connection.get("/greet/Zoë €").text(), "Hello, Zoë €!", "{framework:?}");
        assert_eq!(site.connection.get("/nowhere").status, 404);
        site.end();
    }
}

#[test]
fn a_session_and_another_cookie_are_set_in_one_response_and_come_back_in_any_form() {
    for framework in BOTH {
        let mut site = Site::start(framework);
        let response = site.connection.get("/enter");
        assert_eq!((response.status, response.header("Location")), (302, Some("/inside")));
        let cookies = response.headers.iter().filter_map(|line| line.strip_prefix("Set-Cookie: "));
        let mut cookies: Vec<_> =
            cookies.map(|cookie| cookie.split(';').next().unwrap().trim().to_owned()).collect();
        cookies.sort();
        assert_eq!(cookies.len(), 2, "{framework:?}: {:?}", response.headers);
        assert_eq!(cookies[1], "theme=dark");
        let name = cookies[0].split('=').next().unwrap();
        assert!(name.starts_with("session"), "{name}");

        let inside = RequestBuilder::get("/inside");
        let expected = json!({"user": "Zoë", "cookies": [name, "theme"]});
        let together = inside.clone().header("Cookie", cookies.join("; "));
        assert_eq!(site.json(&together), expected, "{framework:?}");
        let repeated = inside.clone().header("Cookie", &cookies[0]).header("cookie", &cookies[1]);
        assert_eq!(site.json(&repeated), expected, "{framework:?}");
        // Nothing of it is left in the process.
        assert_eq!(site.json(&inside), json!({"user": null, "cookies": []}), "{framework:?}");
        site.end();
    }
}

#[test]
fn a_page_the_client_has_is_not_sent_again() {
    for framework in BOTH {
        let mut site = Site::start(framework);
        let page = RequestBuilder::get("/page");
        let response = site.ask(&page);
        assert_eq!((response.status, response.text()), (200, PAGE), "{framework:?}");
        let (etag, date) = (response.header("ETag").unwrap(), response.header("Last-Modified").unwrap());
        assert_eq!((etag, date), ("\"page-1\"", "Tue, 14 Nov 2023 22:13:20 GMT"));
        for (name, value, status) in [
            ("If-None-Match", "\"page-1\"", 304),
            ("If-None-Match", "\"page-0\"", 200),
            ("If-Modified-Since", date, 304),
            ("If-Modified-Since", "Mon, 13 Nov 2023 22:13:20 GMT", 200),
        ] {
            let response = site.ask(&page.clone().header(name, value));
            assert_eq!(
                (response.status, response.header("ETag")),
                (status, Some("\"page-1\"")),
                "{framework:?}"
            );
            assert_eq!(response.text(), if status == 304 { "" } else { PAGE }, "{framework:?}");
        }
        assert!(!site.end().contains("warning"));
    }
}

#[test]
fn a_head_request_gets_the_head_alone() {
    for framework in BOTH {
        let mut site = Site::start(framework);
        for (path, length) in
            [("/page", &*PAGE.len().to_string()), ("/file", "100000"), ("/memory", "100000")]
        {
            let response = site.ask(&RequestBuilder::new("HEAD", path));
            assert_eq!((response.status, response.body.len()), (200, 0), "{framework:?} {path}");
            assert_eq!(response.header("Content-Length"), Some(length), "{framework:?} {path}");
        }
        // A response after it is not taken for its body.
        assert_eq!(site.connection.get("/page").text(), PAGE);
        site.end();
    }
}

#[test]
fn an_exception_in_a_view_is_a_page_of_the_framework_and_one_traceback_in_the_log() {
    for framework in BOTH {
        let mut site = Site::start(framework);
        let response = site.connection.get("/fail");
        assert_eq!(response.status, 500, "{framework:?}");
        assert!(response.header("Content-Type").unwrap().starts_with("text/html"), "{:?}", response.headers);
        assert!(!response.text().contains("on purpose"), "{}", response.text());
        assert_eq!(site.connection.get("/page").text(), PAGE);
        let log = site.end();
        assert_eq!(log.matches("Traceback (most recent call last)").count(), 1, "{framework:?}: {log}");
        assert_eq!(log.matches("RuntimeError: on purpose").count(), 1, "{framework:?}: {log}");
    }
}
