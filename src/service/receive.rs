//! A message arrives by SMTP: who may send it, for whom it is, and that it is safe on the disk before the peer is told so.
//! Every role ends here: other servers' mail, our own people's mail to people here, and what a server before us hands on.

use super::delivery::{Message, failed, fault, not_stored, stopped};
use super::login::{LoginRefused, Logins};
use crate::base::AccountId;
use crate::mail::{Address, Domain};
use crate::net;
use crate::registry::{LoggedIn, Registry, RegistryError};
use crate::sasl::Credentials;
use crate::smtp::{Answer, Ask, Enhanced, Envelope, ForwardPath, Login, Reply};
use crate::store::Store;
use std::net::IpAddr;
use std::sync::Arc;

/// One session's side of the workflow.
#[derive(Debug)]
pub struct Receive {
    store: Arc<Store>,
    registry: Arc<Registry>,
    host: Domain,
    logins: Arc<Logins>,
    peer: IpAddr,
    message: Option<Message>,
}

impl Receive {
    /// For a session that begins; `peer` has connected.
    pub const fn new(
        store: Arc<Store>,
        registry: Arc<Registry>,
        host: Domain,
        logins: Arc<Logins>,
        peer: IpAddr,
    ) -> Self {
        Self { store, registry, host, logins, peer, message: None }
    }

    /// Decides what the session asks.
    pub async fn answer(&mut self, ask: Ask) -> Answer {
        let result = match ask {
            Ask::Authenticate(credentials) => return self.authenticate(credentials).await,
            Ask::Secrets(name) => {
                return match self.logins.secrets(name).await {
                    Ok(secrets) => Answer::Secrets(secrets),
                    Err(refused) => Answer::Refuse(refusal(refused)),
                };
            }
            Ask::Sender { reverse_path, login, .. } => self.sender(reverse_path, login).await,
            Ask::Recipient { forward_path, size, login, .. } => {
                self.recipient(forward_path, size, login.is_some()).await
            }
            Ask::Begin(envelope) => self.begin(envelope).await,
            Ask::Write(piece) => self.write(&piece).await,
            Ask::Commit => match self.commit().await {
                Ok(Some(each)) => return Answer::Each(each),
                Ok(None) => Ok(()),
                Err(reply) => Err(reply),
            },
            Ask::Abandon => {
                self.message = None;
                Ok(())
            }
        };
        match result {
            Ok(()) => Answer::Accept,
            Err(reply) => {
                // What is refused is not kept.
                self.message = None;
                Answer::Refuse(reply)
            }
        }
    }

    async fn authenticate(&self, credentials: Credentials) -> Answer {
        match self.logins.check("smtp", self.peer, credentials).await {
            Ok(LoggedIn { account, name }) => Answer::LoggedIn(Login { account, name }),
            Err(refused) => Answer::Refuse(refusal(refused)),
        }
    }

    /// Our own people send under an address of theirs; other servers' senders are not judged yet.
    async fn sender(&self, path: Option<Address>, login: Option<Login>) -> Result<(), Reply> {
        let Some(login) = login else { return Ok(()) };
        let refused =
            || Reply::new(550, Enhanced(5, 7, 1), "You have no such address to send from");
        let path = path.ok_or_else(refused)?;
        let registry = self.registry.clone();
        let may = self.store.run(move || registry.may_send(login.account, &path)).await;
        if may.ok_or_else(stopped)?.map_err(|error| failed(&error))? {
            Ok(())
        } else {
            Err(refused())
        }
    }

    async fn recipient(
        &self,
        path: ForwardPath,
        size: Option<u64>,
        logged_in: bool,
    ) -> Result<(), Reply> {
        let (accounts, _) = self.owners(path, logged_in).await?;
        for account in accounts {
            let account = self.store.account(account);
            let room = self.store.run(move || account.room(1, size.unwrap_or(0))).await;
            room.ok_or_else(stopped)?.map_err(|error| not_stored(&error))?;
        }
        Ok(())
    }

    /// Whose mail a recipient's is, and the address to note as Delivered-To.
    async fn owners(
        &self,
        path: ForwardPath,
        logged_in: bool,
    ) -> Result<(Vec<AccountId>, Address), Reply> {
        let (registry, host) = (self.registry.clone(), self.host.clone());
        let found = self.store.run(move || find_owner(&registry, &host, path)).await;
        match found.ok_or_else(stopped)?.map_err(|error| failed(&error))? {
            Owner::Accounts(accounts, address) => Ok((accounts, address)),
            Owner::Unknown => {
                Err(Reply::new(550, Enhanced(5, 1, 1), "Nobody here has this address"))
            }
            Owner::Elsewhere if logged_in => Err(Reply::new(
                550,
                Enhanced(5, 7, 1),
                "Sending to other servers is not set up here; mail reaches people on this server only",
            )),
            Owner::Elsewhere => {
                Err(Reply::new(550, Enhanced(5, 7, 1), "We do not take mail for this domain"))
            }
        }
    }

    async fn begin(&mut self, envelope: Box<Envelope>) -> Result<(), Reply> {
        let (paths, logged_in) = (envelope.recipients.clone(), envelope.login.is_some());
        let mut message = Message::new(envelope, net::now());
        for path in paths {
            message.add(self.owners(path, logged_in).await);
        }
        message.verdict()?;
        self.message = Some(message);
        Ok(())
    }

    async fn write(&mut self, piece: &[u8]) -> Result<(), Reply> {
        let message = self.message.as_mut().ok_or_else(stopped)?;
        message.hold(piece);
        if message.holds_enough() { self.flush().await } else { Ok(()) }
    }

    /// Writes what is held into every recipient's `tmp/`.
    async fn flush(&mut self) -> Result<(), Reply> {
        let Some(mut message) = self.message.take() else { return Err(stopped()) };
        let (store, host) = (self.store.clone(), self.host.clone());
        let written =
            self.store.run(move || message.write_out(&store, &host).map(|()| message)).await;
        self.message = Some(written.ok_or_else(stopped)??);
        Ok(())
    }

    async fn commit(&mut self) -> Result<Option<Vec<Option<Reply>>>, Reply> {
        self.flush().await?;
        let Some(message) = self.message.take() else { return Err(stopped()) };
        message.commit(&self.store).await
    }
}

enum Owner {
    Accounts(Vec<AccountId>, Address),
    Unknown,
    Elsewhere,
}

fn find_owner(
    registry: &Registry,
    host: &Domain,
    path: ForwardPath,
) -> Result<Owner, RegistryError> {
    let address = match path {
        ForwardPath::Mailbox(address) => address,
        ForwardPath::Postmaster => match Address::new("postmaster", host.clone()) {
            Ok(address) => address,
            Err(_) => return Ok(Owner::Unknown),
        },
    };
    let accounts = registry.recipients(&address)?;
    if !accounts.is_empty() {
        return Ok(Owner::Accounts(accounts, address));
    }
    let ours = address.domain() == host || registry.is_ours(address.domain())?;
    if !ours {
        return Ok(Owner::Elsewhere);
    }
    // RFC 5321 §4.5.1: postmaster always reaches a person.
    if address.user().eq_ignore_ascii_case("postmaster")
        && let Some(person) = registry.postmaster()?
    {
        return Ok(Owner::Accounts(vec![person.account], address));
    }
    Ok(Owner::Unknown)
}

fn refusal(refused: LoginRefused) -> Reply {
    match refused {
        LoginRefused::Wrong => Reply::new(535, Enhanced(5, 7, 8), "Wrong name or device password"),
        LoginRefused::Fault => fault(),
        LoginRefused::Stopping => stopped(),
    }
}
