//! Point 5: the environment of an application, in order, nothing inherited.

use std::path::Path;
use std::time::{Duration, Instant};

use mock_lsws::Timing;
use mock_lsws::config::{Context, ExternalApp, RunOnStartUp, ServerConfig, WsgiApp};

use crate::LONG;
use crate::client::Client;
use crate::site::Site;

/// A program that writes down its environment as it got it, and ends.
fn writes_environment(to: &Path) -> Vec<String> {
    let script = r#"cat "/proc/$$/environ" > "$1.part" && mv "$1.part" "$1""#;
    ["/bin/sh", "-c", script, "sh", to.to_str().unwrap()].map(str::to_owned).to_vec()
}

/// The environment of an application that is started for a request of `/app/`.
async fn environment(app: impl FnOnce(&Path) -> (ExternalApp, Context)) -> (Vec<String>, String) {
    let site = Site::with(Timing::default(), |folder| {
        let (app, context) = app(folder);
        ServerConfig::new().app(app.command(writes_environment(&folder.join("environment")))).context(context)
    })
    .await;
    let mut client = Client::connect(site.address()).await;
    client.send(b"GET /app/ HTTP/1.1\r\nHost: example.com\r\n\r\n").await;
    let written = site.folder().join("environment");
    let limit = Instant::now() + LONG;
    while !written.exists() {
        assert!(Instant::now() < limit, "the application was never started");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let text = std::fs::read_to_string(&written).unwrap();
    let folder = site.folder().display().to_string();
    site.stop().await;
    (text.split_terminator('\0').map(str::to_owned).collect(), folder)
}

const PADDING: &str = "LSAPI_PADDING=leave_some_room_to_avoid_overwrite_important_env";

#[tokio::test(flavor = "multi_thread")]
async fn point_05_environment_of_a_generic_application() {
    let configured = |run: RunOnStartUp| {
        let app = |name: &str| {
            ExternalApp::new(name).env("Z_FIRST", "1").env("LSAPI_CHILDREN", "2").env("EMPTY", "")
        };
        move |_: &Path| (app("app").run_on_start_up(run), Context::lsapi("/app/", "app"))
    };
    let always = [PADDING, "Z_FIRST=1", "LSAPI_CHILDREN=2", "EMPTY=", "PATH=/bin:/usr/bin"];
    let (seen, _) = environment(configured(RunOnStartUp::No)).await;
    assert_eq!(seen, always);
    let (seen, _) = environment(configured(RunOnStartUp::Detached)).await;
    let detached = ["LSAPI_PPID_NO_CHECK=1", "LSAPI_PGRP_MAX_IDLE=60", "LSAPI_KEEP_LISTEN=2"];
    assert_eq!(seen, [&always[..], &detached].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn point_05_environment_of_a_python_application() {
    let app = |folder: &Path| {
        let app =
            ExternalApp::wsgi("app", WsgiApp::new(folder)).max_conns(7).env("DJANGO_SETTINGS_MODULE", "x");
        (app, Context::wsgi("/app/", "app", folder, "wsgi.py"))
    };
    let (seen, folder) = environment(app).await;
    let expected = [
        "DJANGO_SETTINGS_MODULE=x",
        &format!("WSGI_ROOT={folder}/"),
        &format!("PYTHONPATH=.:{folder}/"),
        &format!("HOME={folder}"),
        "WSGI_ENV=production",
        "LSAPI_CHILDREN=7",
        "LSAPI_KEEP_LISTEN=2",
        "LSAPI_PPID_NO_CHECK=1",
        "LSAPI_PGRP_MAX_IDLE=300",
        PADDING,
        "LSAPI_MAX_IDLE=60",
        "PATH=/bin:/usr/bin",
    ];
    assert_eq!(seen, expected);
}
