//! The accounts one application runs as, and their gateways.
//!
//! Owns how many there may be, which of them go when there are too many, and what has been said about those that may have
//! none. What a gateway is made of is the application's to know.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::account::Account;
use super::app::Gateway;

/// Accounts of one application at most, each of which may have a socket, connections and processes.
pub(super) const MOST_ACCOUNTS: usize = 1000;

/// A gateway that is made when it is needed first: by one of the requests that need it, while the others wait.
pub(super) type Cell = Arc<OnceCell<Arc<Gateway>>>;

/// The accounts there are.
#[derive(Debug)]
pub(super) struct Accounts {
    most: usize,
    gateways: HashMap<Account, Cell>,
    /// Owners that have none, and have been told about; `None` is nobody.
    refused: HashSet<Option<Account>>,
}

/// What there is for an account.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) cell: Cell,
    /// Another one that had to go for it.
    pub(super) evicted: Option<Arc<Gateway>>,
}

impl Accounts {
    /// None yet, and never more than `most`.
    pub(super) fn new(most: usize) -> Self {
        Self { most, gateways: HashMap::new(), refused: HashSet::new() }
    }

    /// The place of `account`'s gateway. Where all places are taken, the account goes that has had nothing to do for the
    /// longest time, if it has neither a process nor a connection: it loses nothing. `None`: all have something.
    pub(super) fn entry(&mut self, account: Account) -> Option<Entry> {
        if let Some(cell) = self.gateways.get(&account) {
            return Some(Entry { cell: Arc::clone(cell), evicted: None });
        }
        let mut evicted = None;
        if self.gateways.len() >= self.most {
            let vacant = self.vacant()?;
            evicted = self.gateways.remove(&vacant).and_then(|cell| cell.get().cloned());
        }
        let cell = Arc::clone(self.gateways.entry(account).or_default());
        Some(Entry { cell, evicted })
    }

    /// The account that is missed least.
    fn vacant(&self) -> Option<Account> {
        let idle = self.gateways.iter().filter_map(|(account, cell)| {
            // Whoever asks for a gateway has its place first, and then the gateway until the response is over.
            let is_asked_for = Arc::strong_count(cell) > 1;
            let idle = match cell.get() {
                _ if is_asked_for => None,
                None => Some(std::time::Duration::MAX),
                Some(gateway) if Arc::strong_count(gateway) > 1 => None,
                Some(gateway) => gateway.vacant_for(),
            };
            idle.map(|idle| (idle, *account))
        });
        idle.max_by_key(|(idle, _)| *idle).map(|(_, account)| account)
    }

    /// Whether `owner` is refused for the first time. What cannot be remembered any more has been said often enough.
    pub(super) fn refuse(&mut self, owner: Option<Account>) -> bool {
        self.refused.len() < self.most && self.refused.insert(owner)
    }

    /// All accounts.
    pub(super) fn known(&self) -> Vec<Account> {
        self.gateways.keys().copied().collect()
    }

    /// All gateways that have been made.
    pub(super) fn gateways(&self) -> Vec<Arc<Gateway>> {
        self.gateways.values().filter_map(|cell| cell.get().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ExternalApp;
    use crate::gateway::pool::{Asked, Turn};
    use crate::gateway::{Launcher, Means, Timing};
    use crate::journal::ServerLog;

    const fn account(uid: u32) -> Account {
        Account { uid, gid: uid }
    }

    /// Makes the gateway of an account, unless there is no room for it. Nothing is started. Returns who had to go.
    async fn make(accounts: &mut Accounts, uid: u32) -> Option<Option<Arc<Gateway>>> {
        let Entry { cell, evicted } = accounts.entry(account(uid))?;
        let means = Means {
            launcher: Arc::new(Launcher::Here),
            timing: Timing::default(),
            log: ServerLog::silent(),
            folders: Arc::default(),
            detached_stay: false,
        };
        let app = ExternalApp::new(uid.to_string()).command(["/bin/app"]);
        cell.get_or_try_init(|| Gateway::start(app, means)).await.unwrap();
        Some(evicted)
    }

    fn gateway(accounts: &Accounts, uid: u32) -> Arc<Gateway> {
        Arc::clone(accounts.gateways[&account(uid)].get().unwrap())
    }

    #[tokio::test]
    async fn where_all_places_are_taken_the_one_idle_longest_goes() {
        let mut accounts = Accounts::new(2);
        for uid in [1, 2, 1] {
            assert!(make(&mut accounts, uid).await.unwrap().is_none());
        }
        // Used once more, and over.
        let Asked::Now(place) = gateway(&accounts, 1).pool.ask(Turn::Last) else { panic!("no place") };
        drop(place);
        let evicted = make(&mut accounts, 3).await.unwrap().unwrap();
        assert_eq!(evicted.config.name, "2");
        assert_eq!(accounts.gateways.len(), 2);
        evicted.leave().await;
        assert!(matches!(evicted.pool.ask(Turn::Last), Asked::Refused));
    }

    #[tokio::test]
    async fn nobody_goes_who_has_something() {
        let mut accounts = Accounts::new(3);
        for uid in [1, 2, 3] {
            make(&mut accounts, uid).await.unwrap();
        }
        // A connection; a request that has its gateway and no connection yet; one that is about to make it.
        let Asked::Now(place) = gateway(&accounts, 1).pool.ask(Turn::Last) else { panic!("no place") };
        let request = gateway(&accounts, 2);
        let entry = accounts.entry(account(3)).unwrap();
        assert!(make(&mut accounts, 4).await.is_none());
        drop(request);
        assert_eq!(make(&mut accounts, 4).await.unwrap().unwrap().config.name, "2");
        drop(entry);
        assert_eq!(make(&mut accounts, 5).await.unwrap().unwrap().config.name, "3");
        drop(place);
        assert_eq!(make(&mut accounts, 6).await.unwrap().unwrap().config.name, "4");
    }

    #[tokio::test]
    async fn a_place_whose_gateway_was_never_made_is_the_first_to_go() {
        let mut accounts = Accounts::new(2);
        make(&mut accounts, 1).await.unwrap();
        accounts.entry(account(2)).unwrap();
        assert!(make(&mut accounts, 3).await.unwrap().is_none());
        assert_eq!(accounts.gateways().len(), 2);
        assert!(!accounts.known().contains(&account(2)));
    }

    #[test]
    fn owners_are_refused_once_and_no_more_of_them_than_there_may_be_accounts() {
        let mut accounts = Accounts::new(2);
        assert!(accounts.refuse(None) && !accounts.refuse(None));
        assert!(accounts.refuse(Some(account(0))));
        assert!(!accounts.refuse(Some(account(1))));
    }
}
