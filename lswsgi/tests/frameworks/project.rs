//! A project as Django itself makes it, started as OpenLiteSpeed starts it.

use std::process::Command;

use crate::site::venv;
use crate::support::Start;

#[test]
fn a_new_django_project_shows_its_welcome_page() {
    let venv = venv();
    let start = Start::scripts();
    let root = start.dir().join("site");
    std::fs::create_dir(&root).unwrap();
    let made = Command::new(venv.join("bin/django-admin"))
        .args(["startproject", "shop", "."])
        .current_dir(&root)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let root = root.to_str().unwrap();
    let python = venv.join("bin/python");
    // What the server sets for a context with this root and this startup file, and what its user adds for the environment.
    let (worker, mut connection) = start
        .arg("-m")
        .arg("shop/wsgi.py")
        .env("WSGI_ROOT", &format!("{root}/"))
        .env("PYTHONPATH", &format!(".:{root}/"))
        .env("HOME", root)
        .env("WSGI_ENV", "production")
        .env("LSAPI_MAX_IDLE", "60")
        .env("LSAPI_PPID_NO_CHECK", "1")
        .env("LS_PYTHONBIN", python.to_str().unwrap())
        .connected();
    let response = connection.get("/");
    assert_eq!(response.status, 200, "{}", worker.log());
    assert!(response.text().contains("The install worked successfully!"), "{}", response.text());
    let response = connection.get("/admin/");
    assert_eq!((response.status, response.header("Location")), (302, Some("/admin/login/?next=/admin/")));
    let login = connection.get("/admin/login/");
    assert_eq!(login.status, 200, "{}", worker.log());
    assert!(login.text().contains("csrfmiddlewaretoken"), "{}", login.text());
    assert!(login.header("Set-Cookie").unwrap().trim().starts_with("csrftoken="), "{:?}", login.headers);
    assert!(!worker.log().contains("Traceback"), "{}", worker.log());
}
