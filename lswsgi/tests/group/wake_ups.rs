//! Which worker gets a connection: always the same one if possible, so that the others age and leave.

use std::collections::HashMap;
use std::time::Duration;

use crate::group::{Group, application, eventually};

const SOURCE: &str = "import os\n\
    def application(environ, start_response):\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [b'%d' % os.getpid()]\n";

fn one(group: &Group) -> u32 {
    let mut connection = group.connect();
    let pid = connection.get("/").text().parse().expect("a pid");
    // In a row: the worker has seen the end of this one before the next one comes, however busy the machine is.
    connection.finish();
    connection.expect_end();
    pid
}

#[test]
fn a_thousand_connections_in_a_row_go_to_one_worker_and_the_idle_ones_leave() {
    let start = application(SOURCE, 4).env("LSAPI_MAX_IDLE_CHILDREN", "4").env("LSAPI_MAX_IDLE", "3");
    let group = Group::start(start);
    // Four connections at the same time need four workers.
    let mut connections: Vec<_> = (0..4).map(|_| group.connect()).collect();
    connections.iter_mut().for_each(|connection| assert_eq!(connection.get("/").status, 200));
    drop(connections);
    let workers = group.workers();
    assert_eq!(workers.len(), 4, "{}", group.said());
    let mut counts: HashMap<u32, u32> = HashMap::new();
    for _ in 0..1000 {
        *counts.entry(one(&group)).or_default() += 1;
    }
    let (&favourite, &most) = counts.iter().max_by_key(|(_, count)| **count).expect("a worker");
    assert!(most >= 950 && counts.len() <= 2, "{counts:?}");
    // Some connections now and then keep the favourite, and no other.
    let left = eventually(&group, "three left", || {
        one(&group);
        std::thread::sleep(Duration::from_millis(50));
        let said = group.said();
        let left: Vec<String> =
            said.lines().filter(|line| line.contains(" left: ")).map(str::to_owned).collect();
        (left.len() >= 3).then_some(left)
    });
    for line in left {
        assert!(line.ends_with("left: idle (LSAPI_MAX_IDLE)"), "{line}");
        assert!(!line.contains(&format!("worker {favourite} ")), "{line}: {counts:?}");
    }
    assert_eq!(group.workers(), [favourite]);
}
