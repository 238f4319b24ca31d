//! `tmp/restart.txt`: whoever touches it asks for new code.

use crate::group::{Group, application};

const SOURCE: &str = "def application(environ, start_response):\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [b'ok']\n";

#[test]
fn a_change_of_restart_txt_asks_for_a_reload_once() {
    let start = application(SOURCE, 2);
    std::fs::create_dir(start.dir().join("tmp")).unwrap();
    let group = Group::start(start);
    group.log("template ready");
    let path = group.dir().join("tmp/restart.txt");
    for count in 1..=3 {
        std::fs::File::options().create(true).append(true).open(&path).unwrap();
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(count);
        std::fs::File::open(&path).unwrap().set_modified(time).unwrap();
        group.logs(count as usize, "tmp/restart.txt has changed");
    }
    assert_eq!(group.connect().get("/").text(), "ok");
}
