//! A mail app reads and changes mail by IMAP: who it is, and its commands' work on the store's threads.

use crate::base::Quoted;
use crate::imap::{Answer, Ask, Completion, News, Task, Worked};
use crate::net::{self, Attempts};
use crate::registry::{LoggedIn, Registry};
use crate::sasl::Credentials;
use crate::store::{Store, Watching};
use smol::Timer;
use smol::channel::Sender;
use std::net::IpAddr;
use std::sync::Arc;

/// One session's side of the workflow.
pub struct Access {
    store: Arc<Store>,
    registry: Arc<Registry>,
    attempts: Arc<Attempts>,
    peer: IpAddr,
    /// Tells the session that something changed.
    news: Sender<News>,
    /// Once somebody has logged in: ends with the session.
    watching: Option<Watching>,
}

impl Access {
    /// For a session that begins; `peer` has connected, and `news` reach the session.
    pub const fn new(
        store: Arc<Store>,
        registry: Arc<Registry>,
        attempts: Arc<Attempts>,
        peer: IpAddr,
        news: Sender<News>,
    ) -> Self {
        Self { store, registry, attempts, peer, news, watching: None }
    }

    /// Decides or does what the session asks.
    pub async fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Authenticate(credentials) => self.authenticate(credentials).await,
            Ask::Work(task) => self.work(task).await,
        }
    }

    async fn authenticate(&mut self, credentials: Credentials) -> Answer {
        let (registry, now) = (self.registry.clone(), net::now());
        let named = credentials.authcid.clone();
        match self.store.run(move || registry.log_in(&credentials, now)).await {
            Some(Ok(Some(LoggedIn { account, name }))) => {
                log::info!("service=access login={name}");
                let account = self.store.account(account);
                let news = self.news.clone();
                // A session that has not read the last news yet needs no more of them.
                self.watching = Some(account.watch(move |_| {
                    let _ = news.try_send(News::Changed);
                }));
                Answer::LoggedIn(account)
            }
            Some(Ok(None)) => {
                log::info!(
                    "service=access login failed peer={} name={}",
                    self.peer,
                    Quoted(named.as_bytes())
                );
                Timer::after(self.attempts.failed(self.peer, &named, now)).await;
                let wrong = Completion::no("Wrong name or device password");
                Answer::Refused(wrong.code("AUTHENTICATIONFAILED"))
            }
            Some(Err(error)) => {
                log::error!("service=access {error}");
                Answer::Refused(
                    Completion::no("We have a fault here; try later").code("UNAVAILABLE"),
                )
            }
            None => Answer::Refused(Completion::no("The server is stopping").code("UNAVAILABLE")),
        }
    }

    async fn work(&self, mut task: Task) -> Answer {
        loop {
            match self.store.run(move || task.run()).await {
                Some(Worked::Back(session, turn)) => return Answer::Worked(session, turn),
                Some(Worked::Later(later)) => task = later.await,
                None => return Answer::Lost,
            }
        }
    }
}
