//! Applications of accounts as root has them. Nothing is started, so anybody can run these.

use tokio::task::JoinSet;

use super::*;
use crate::config::RunOnStartUp;
use crate::gateway::{Launcher, Timing};
use crate::journal::ServerLog;

const SOMEBODY: Account = Account { uid: 60_031, gid: 60_032 };
const ROOT: Account = Account { uid: 0, gid: 0 };

/// An application, and the lines of its log.
fn application(suexec: &Suexec, min_uid: u32) -> (Application, Arc<Mutex<Vec<String>>>) {
    let app = ExternalApp::new("app")
        .command(["/bin/app"])
        .env("LSAPI_CHILDREN", "2")
        .run_on_start_up(RunOnStartUp::No)
        .suexec(suexec.clone());
    let mut config = ServerConfig::new();
    config.min_uid = min_uid;
    let lines = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&lines);
    let means = Means {
        launcher: Arc::new(Launcher::Here),
        timing: Timing::default(),
        log: ServerLog::new(move |note| told.lock().unwrap().push(note.to_string())),
        folders: Arc::default(),
        detached_stay: false,
    };
    let is_daemon = matches!(suexec, Suexec::Daemon { .. });
    let application = Application {
        app: app.for_daemon(),
        config: Arc::new(config),
        means,
        secret: is_daemon.then(|| SuexecSecret::new(*b"0123456789abcdef")),
        is_root: true,
        own: Cell::default(),
        accounts: Mutex::new(Accounts::new(2)),
    };
    (application, lines)
}

const PER_ACCOUNT: Suexec = Suexec::PerAccount { max_conns: 1 };

fn daemon() -> Suexec {
    Suexec::Daemon { max_conns: 1, secret: "/etc/secret".into() }
}

async fn gateway(application: &Application, owner: Option<Account>) -> Arc<Gateway> {
    application.way(owner).await.unwrap().gateway
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_requests_that_come_together_make_one_gateway() {
    let (application, _) = application(&PER_ACCOUNT, 11);
    let application = Arc::new(application);
    let mut requests: JoinSet<_> = (0..16)
        .map(|_| {
            let application = Arc::clone(&application);
            async move { gateway(&application, Some(SOMEBODY)).await }
        })
        .collect();
    let first = requests.join_next().await.unwrap().unwrap();
    while let Some(other) = requests.join_next().await {
        assert!(Arc::ptr_eq(&first, &other.unwrap()));
    }
    assert_eq!(application.gateways().len(), 1);
}

#[tokio::test]
async fn an_account_has_its_own_name_user_and_share() {
    let (application, _) = application(&PER_ACCOUNT, 11);
    let of_account = gateway(&application, Some(SOMEBODY)).await;
    let config = &of_account.config;
    assert_eq!(config.name, "app, uid 60031, gid 60032");
    let user = config.user.as_ref().unwrap();
    assert_eq!((user.uid, user.gid, &user.groups[..]), (SOMEBODY.uid, SOMEBODY.gid, &[SOMEBODY.gid][..]));
    assert_eq!(config.effective_max_conns(), 1);
    let regrouped = Account { gid: 60_033, ..SOMEBODY };
    let other = gateway(&application, Some(regrouped)).await;
    assert_ne!(other.config.name, config.name);
}

#[tokio::test]
async fn who_may_have_no_account_falls_back_and_is_told_about_once() {
    for (suexec, fallback) in
        [(PER_ACCOUNT, "runs as the server's own user"), (daemon(), "daemon's default user")]
    {
        let (application, lines) = application(&suexec, 11);
        let own = gateway(&application, Some(ROOT)).await;
        for owner in [Some(ROOT), None, None] {
            let way = application.way(owner).await.unwrap();
            assert!(Arc::ptr_eq(&way.gateway, &own) && way.runs_as.is_none());
        }
        assert_eq!((own.config.name.as_str(), &own.config.user), ("app", &None));
        let lines = lines.lock().unwrap();
        let [system, nobody] = &lines[..] else { panic!("{lines:?}") };
        assert!(system.contains("uid 0, gid 0 is below minUID 11") && system.contains(fallback), "{system}");
        assert!(nobody.contains("nobody owns it") && nobody.contains(fallback), "{nobody}");
    }
}

#[tokio::test]
async fn accounts_of_a_daemon_share_its_processes_and_are_named_to_it() {
    let (application, _) = application(&daemon(), 11);
    let way = application.way(Some(SOMEBODY)).await.unwrap();
    assert_eq!(way.runs_as.map(|(account, _)| account), Some(SOMEBODY));
    let own = gateway(&application, Some(ROOT)).await;
    assert!(
        Arc::ptr_eq(&way.gateway.processes, &own.processes) && !Arc::ptr_eq(&way.gateway.pool, &own.pool)
    );
}

#[tokio::test]
async fn an_account_that_breaks_the_protocol_restarts_no_daemon_of_others() {
    for (suexec, is_restarted) in [(PER_ACCOUNT, true), (daemon(), false)] {
        let (application, _) = application(&suexec, 11);
        let of_account = gateway(&application, Some(SOMEBODY)).await;
        let notes = of_account.distrust().await;
        let told: Vec<_> = notes.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|line| line.contains("no connection is left")), "{told:?}");
        assert_eq!(told.iter().any(|line| line.contains("it is restarted")), is_restarted, "{told:?}");
    }
}

#[tokio::test]
async fn with_too_many_accounts_in_use_the_next_has_no_way() {
    let (application, lines) = application(&PER_ACCOUNT, 11);
    let of = |uid| Some(Account { uid, gid: 60_000 });
    let first = gateway(&application, of(60_001)).await;
    let _second = gateway(&application, of(60_002)).await;
    assert!(application.way(of(60_003)).await.is_none());
    assert!(lines.lock().unwrap()[0].contains("uid 60003, gid 60000 is not served"), "{lines:?}");
    // Those there are have theirs still.
    assert!(Arc::ptr_eq(&first, &gateway(&application, of(60_001)).await));
    drop(first);
    assert!(application.way(of(60_003)).await.is_some());
}

#[tokio::test]
async fn a_new_configuration_has_the_accounts_it_allows() {
    let (before, _) = application(&PER_ACCOUNT, 11);
    gateway(&before, Some(SOMEBODY)).await;
    gateway(&before, Some(ROOT)).await;
    let (after, _) = application(&PER_ACCOUNT, 11);
    after.take_over(&before).await;
    assert_eq!(after.accounts().known(), [SOMEBODY]);
    assert!(after.own.initialized(), "the fallback has processes that stay, too");
    let (strict, _) = application(&PER_ACCOUNT, SOMEBODY.uid + 1);
    strict.take_over(&before).await;
    assert_eq!(strict.accounts().known(), []);
}
