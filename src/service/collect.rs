//! A program collects mail by POP3: who it is, the messages one by one, and what goes at the end.

use super::login::{LoginRefused, Logins};
use crate::pop3::{Answer, Ask, Closing, Maildrop};
use crate::sasl::Credentials;
use crate::store::{Store, StoreError};
use std::net::IpAddr;
use std::sync::Arc;

/// One session's side of the workflow.
pub struct Collect {
    store: Arc<Store>,
    logins: Arc<Logins>,
    peer: IpAddr,
}

const FAULT: &str = "[SYS/TEMP] We have a fault here; try later";
const STOPPING: &str = "[SYS/TEMP] The server is stopping; try again in a minute";

impl Collect {
    /// For a session that begins; `peer` has connected.
    pub const fn new(store: Arc<Store>, logins: Arc<Logins>, peer: IpAddr) -> Self {
        Self { store, logins, peer }
    }

    /// Decides or does what the session asks.
    pub async fn answer(&self, ask: Ask) -> Answer {
        match ask {
            Ask::Authenticate(credentials) => self.authenticate(credentials).await,
            Ask::Secrets(name) => match self.logins.secrets(name).await {
                Ok(secrets) => Answer::Secrets(secrets),
                Err(refused) => Answer::Refused(refusal(refused)),
            },
            Ask::Open(opening) => match self.store.run(move || opening.open()).await {
                Some(Ok(opened)) => Answer::Message(opened),
                Some(Err(error)) => Answer::Refused(unread(&error)),
                None => Answer::Refused(STOPPING),
            },
            Ask::Read(reader) => match self.store.run(move || reader.next()).await {
                Some(Ok((reader, piece))) => Answer::Piece(reader, piece),
                Some(Err(error)) => {
                    log::error!("service=collect message cannot be read on: {error}");
                    Answer::Refused(FAULT)
                }
                None => Answer::Refused(STOPPING),
            },
            Ask::Close(closing) => close(closing).await,
        }
    }

    async fn authenticate(&self, credentials: Credentials) -> Answer {
        let login = match self.logins.check("pop3", self.peer, credentials).await {
            Ok(login) => login,
            Err(refused) => return Answer::Refused(refusal(refused)),
        };
        let account = self.store.account(login.account);
        match self.store.run(move || Maildrop::open(account)).await {
            Some(Ok(maildrop)) => Answer::Opened(maildrop),
            Some(Err(error)) => {
                log::error!("service=collect mailbox not opened: {error}");
                Answer::Refused(FAULT)
            }
            None => Answer::Refused(STOPPING),
        }
    }
}

const fn refusal(refused: LoginRefused) -> &'static str {
    match refused {
        LoginRefused::Wrong => "[AUTH] Wrong name or device password",
        LoginRefused::Fault => FAULT,
        LoginRefused::Stopping => STOPPING,
    }
}

fn unread(error: &StoreError) -> &'static str {
    match error {
        StoreError::NoMessage => "[SYS/PERM] Another program has deleted this message",
        error => {
            log::error!("service=collect message not opened: {error}");
            FAULT
        }
    }
}

/// What was deleted goes; only then is it said so. That the rest was seen is of less weight.
async fn close(closing: Closing) -> Answer {
    if let Some(request) = closing.expunge() {
        match closing.account.expunge(request).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                log::error!("service=collect not deleted: {error}");
                return Answer::Refused("[SYS/TEMP] Some messages could not be deleted");
            }
            None => return Answer::Refused(STOPPING),
        }
    }
    if let Some(request) = closing.mark()
        && let Some(Err(error)) = closing.account.store_flags(request).await
    {
        log::warn!("service=collect not marked as seen: {error}");
    }
    Answer::Closed
}
