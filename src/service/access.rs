//! A mail app reads and changes mail by IMAP: who it is, and its commands' work on the store's threads.

use super::login::{LoginRefused, Logins};
use crate::imap::{Answer, Ask, Completion, News, Task, Worked};
use crate::sasl::Credentials;
use crate::store::{Store, Watching};
use smol::channel::Sender;
use std::net::IpAddr;
use std::sync::Arc;

/// One session's side of the workflow.
pub struct Access {
    store: Arc<Store>,
    logins: Arc<Logins>,
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
        logins: Arc<Logins>,
        peer: IpAddr,
        news: Sender<News>,
    ) -> Self {
        Self { store, logins, peer, news, watching: None }
    }

    /// Decides or does what the session asks.
    pub async fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Authenticate(credentials) => self.authenticate(credentials).await,
            Ask::Secrets(name) => match self.logins.secrets(name).await {
                Ok(secrets) => Answer::Secrets(secrets),
                Err(refused) => refuse(refused),
            },
            Ask::Work(task) => self.work(task).await,
        }
    }

    async fn authenticate(&mut self, credentials: Credentials) -> Answer {
        match self.logins.check("imap", self.peer, credentials).await {
            Ok(login) => {
                let account = self.store.account(login.account);
                let news = self.news.clone();
                // A session that has not read the last news yet needs no more of them.
                self.watching = Some(account.watch(move |_| {
                    let _ = news.try_send(News::Changed);
                }));
                Answer::LoggedIn(account)
            }
            Err(refused) => refuse(refused),
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

fn refuse(refused: LoginRefused) -> Answer {
    let (text, code) = match refused {
        LoginRefused::Wrong => ("Wrong name or device password", "AUTHENTICATIONFAILED"),
        LoginRefused::Fault => ("We have a fault here; try later", "UNAVAILABLE"),
        LoginRefused::Stopping => ("The server is stopping", "UNAVAILABLE"),
    };
    Answer::Refused(Completion::no(text).code(code))
}
