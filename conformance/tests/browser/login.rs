//! Logging in to the admin site: pages, their files, a form, a cookie.

use fantoccini::{Client, Locator};

use crate::browser::Browser;
use crate::site::{PASSWORD, Site, USER};

/// The files of the page that the browser asked for: how many, and those it got nothing for.
const FILES: &str = "
    const files = performance.getEntriesByType('resource').filter(file => file.name.includes('/static/'));
    return [files.length, files.filter(file => file.responseStatus !== 200).map(file => file.name)];";

/// The colour Django's style sheet gives to the header, which has none without it.
const COLOUR: &str =
    "return getComputedStyle(document.getElementById('header')).backgroundColor !== 'rgba(0, 0, 0, 0)'";

async fn text(client: &Client, css: &str) -> String {
    let element = client.wait().for_element(Locator::Css(css)).await;
    element.unwrap_or_else(|error| panic!("{css}: {error}")).text().await.unwrap()
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
    let refused = text(client, ".errornote").await;
    assert!(refused.contains("Please enter the correct username and password"), "{refused}");

    log_in(client, PASSWORD).await;
    let greeting = text(client, "#user-tools").await;
    assert!(greeting.to_lowercase().contains(&format!("welcome, {USER}")), "{greeting}");
    assert_eq!(client.current_url().await.unwrap().path(), "/admin/");

    // The cookie of the session holds on another page, which without it would lead back to the form.
    client.goto(&format!("{}/admin/auth/user/", site.url)).await.unwrap();
    assert_eq!(client.current_url().await.unwrap().path(), "/admin/auth/user/");
    assert!(text(client, "#result_list").await.contains("ada@example.com"));
    assert_eq!(client.execute(COLOUR, Vec::new()).await.unwrap(), true);

    client.find(Locator::Css("#logout-form button")).await.unwrap().click().await.unwrap();
    assert!(text(client, "#content").await.contains("Thanks for spending"), "{}", site.log());
    client.goto(&format!("{}/admin/auth/user/", site.url)).await.unwrap();
    assert_eq!(client.current_url().await.unwrap().path(), "/admin/login/");

    browser.close().await;
    let log = site.stop();
    assert!(!log.contains("Traceback"), "{log}");
}
