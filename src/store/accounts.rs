//! All accounts of the box, the threads that read for them, and the one that hears of other programs' work.

use super::account::Account;
use super::cards::Cards;
use super::error::StoreError;
use super::removed;
use super::threads::Threads;
use crate::base::{AccountId, Ticket, Timestamp};
use std::collections::HashMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Every account's mail.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    threads: Threads,
}

#[derive(Debug)]
struct Shared {
    accounts_dir: PathBuf,
    cards: Arc<Cards>,
    accounts: Mutex<HashMap<AccountId, Account>>,
    stopped: Mutex<bool>,
    stop: Condvar,
}

/// Other programs' work in a Maildir is seen within this time.
const LISTEN_EVERY: Duration = Duration::from_millis(200);

impl Store {
    /// The store of a data folder (`accounts/` and `hot/` in it).
    pub fn new(data: &Path) -> Self {
        let shared = Arc::new(Shared {
            accounts_dir: data.join("accounts"),
            cards: Arc::new(Cards::new(data.join("hot").join("cards"))),
            accounts: Mutex::default(),
            stopped: Mutex::new(false),
            stop: Condvar::new(),
        });
        let listener = shared.clone();
        let thread = std::thread::Builder::new().name("listen".into()).stack_size(256 * 1024);
        if let Err(error) = thread.spawn(move || listener.listen()) {
            log::error!(
                "thread=listen cannot be started: {error}; other programs' work is seen at the next start"
            );
        }
        Self { shared, threads: Threads::new() }
    }

    /// An account. Cheap; it is opened at the first use.
    pub fn account(&self, id: AccountId) -> Account {
        let mut accounts = self.shared.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let path = self.shared.accounts_dir.join(id.to_string());
            Account::new(id, path, self.shared.cards.clone())
        };
        accounts.entry(id).or_insert_with(make).clone()
    }

    /// Runs blocking work on a reading thread.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Ticket<T> {
        self.threads.run(work)
    }

    /// Closes an account for good and moves its folder to `removed/` in the data folder; whoever still has a session
    /// finds it closed. Where the folder is now. Blocks.
    pub fn put_aside(&self, id: AccountId) -> Result<PathBuf, StoreError> {
        let io = |error: std::io::Error| StoreError::io("put an account's folder aside", &error);
        // The closed account stays in the map: a late delivery must not make the folder anew.
        if let Some(Err(error)) = self.account(id).close().wait() {
            log::warn!("account={id} closed: {error}");
        }
        let from = self.shared.accounts_dir.join(id.to_string());
        let removed = self.removed();
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&removed).map_err(io)?;
        // A number is given once, but an older state.db may have come back from a backup.
        let names = std::iter::once(id.to_string()).chain((1..100).map(|n| format!("{id}.{n}")));
        let free = names.map(|name| removed.join(name)).find(|path| !path.exists());
        let to = free.ok_or(StoreError::Cannot("removed/ is full of this account's number"))?;
        removed::note_time(&from).map_err(io)?;
        std::fs::rename(&from, &to).map_err(io)?;
        for folder in [&removed, &self.shared.accounts_dir] {
            std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        }
        Ok(to)
    }

    fn removed(&self) -> PathBuf {
        self.shared.accounts_dir.with_file_name("removed")
    }

    /// Deletes what was put aside 30 days ago. Blocks.
    pub fn clear_removed(&self, now: Timestamp) -> Result<(), StoreError> {
        removed::clear(&self.removed(), now)
    }

    /// Stops every account in order. Blocks until it is done.
    pub fn close(&self) {
        let accounts: Vec<Account> = {
            let mut accounts = self.shared.accounts.lock().unwrap_or_else(PoisonError::into_inner);
            accounts.drain().map(|(_, account)| account).collect()
        };
        let closing: Vec<_> = accounts.iter().map(|account| (account, account.close())).collect();
        for (account, later) in closing {
            if let Some(Err(error)) = later.wait() {
                log::warn!("account={} stopped: {error}", account.id());
            }
        }
        self.shared.cards.close();
        self.shared.stop();
    }
}

impl Shared {
    fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.notify_all();
    }

    fn listen(&self) {
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        while !*stopped {
            let accounts: Vec<Account> = {
                let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
                accounts.values().cloned().collect()
            };
            drop(stopped);
            accounts.iter().for_each(Account::listen);
            self.cards.rest();
            stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
            (stopped, _) = self
                .stop
                .wait_timeout(stopped, LISTEN_EVERY)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
