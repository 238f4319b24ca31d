//! Logging in to the admin site: pages, their files, a form, a cookie.

use std::time::{Duration, Instant};

use fantoccini::{Client, Locator};

use crate::browser::Browser;
use crate::site::{PASSWORD, Site, USER};

/// How long a page may take, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser does not tell when a click has led to its page, so one has to look.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// The files of the page that the browser asked for: how many, and those it got nothing for.
const FILES: &str = "
    const files = performance.getEntriesByType('resource').filter(file => file.name.includes('/static/'));
    return [files.length, files.filter(file => file.responseStatus !== 200).map(file => file.name)];";

/// The colour Django's style sheet gives to the header, which has none without it.
const COLOUR: &str =
    "return getComputedStyle(document.getElementById('header')).backgroundColor !== 'rgba(0, 0, 0, 0)'";

/// What an element of the page says, empty without the element.
const TEXT: &str = "return document.querySelector(arguments[0])?.innerText ?? ''";

/// Waits until an element has `wanted` in its text, letter case apart.
///
/// One script looks the element up and reads it: after a click the old page may stand for a while, with elements
/// that match as well and are gone before a second command could read them.
async fn says(client: &Client, css: &str, wanted: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let said = client.execute(TEXT, vec![css.into()]).await;
        let text = said.as_ref().ok().and_then(serde_json::Value::as_str).unwrap_or_default();
        if text.to_lowercase().contains(&wanted.to_lowercase()) {
            return;
        }
        assert!(Instant::now() < deadline, "{css} does not say {wanted:?}: {said:?}");
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

async fn log_in(client: &Client, password: &str) {
    let form = client.form(Locator::Css("#login-form")).await.expect("the page has the form");
    form.set_by_name("username", USER).await.unwrap();
    form.set_by_name("password", password).await.unwrap();
    client.find(Locator::Css("#login-form [type=submit]")).await.unwrap().click().await.unwrap();
}

#[tokio::test]
async fn djangos_admin_site_can_be_logged_in_to_and_out_of() {
    let Some(browser) = Browser::start().await else { return };
    let site = Site::start();
    let client = &browser.client;

    client.goto(&format!("{}/admin/", site.url)).await.unwrap();
    assert_eq!(
        client.current_url().await.unwrap().as_str(),
        format!("{}/admin/login/?next=/admin/", site.url),
        "{}",
        site.log()
    );
    assert!(client.title().await.unwrap().contains("Log in"), "{}", client.source().await.unwrap());
    let files = client.execute(FILES, Vec::new()).await.unwrap();
    assert!(files[0].as_u64() > Some(3) && files[1] == serde_json::json!([]), "{files}: {}", site.log());
    assert_eq!(client.execute(COLOUR, Vec::new()).await.unwrap(), true, "the page has no style");

    log_in(client, "wrong").await;
    says(client, ".errornote", "Please enter the correct username and password").await;

    log_in(client, PASSWORD).await;
    says(client, "#user-tools", &format!("welcome, {USER}")).await;
    assert_eq!(client.current_url().await.unwrap().path(), "/admin/");

    // The cookie of the session holds on another page, which without it would lead back to the form.
    client.goto(&format!("{}/admin/auth/user/", site.url)).await.unwrap();
    assert_eq!(client.current_url().await.unwrap().path(), "/admin/auth/user/");
    says(client, "#result_list", "ada@example.com").await;
    assert_eq!(client.execute(COLOUR, Vec::new()).await.unwrap(), true);

    client.find(Locator::Css("#logout-form button")).await.unwrap().click().await.unwrap();
    says(client, "#content", "Thanks for spending").await;
    client.goto(&format!("{}/admin/auth/user/", site.url)).await.unwrap();
    assert_eq!(client.current_url().await.unwrap().path(), "/admin/login/");

    browser.close().await;
    let log = site.stop();
    assert!(!log.contains("Traceback"), "{log}");
}
