//! A message arrives by SMTP: who may send it, for whom it is, and that it is safe on the disk before the peer is told so.
//! Every role ends here: other servers' mail, our own people's mail to people here, and what a server before us hands on.

use super::asking::Known;
use super::delivery::Message;
use super::leaving::Outbox;
use super::local::Local;
use super::login::{LoginRefused, Logins};
use super::owners::{KnownBy, Ours, Owner, owner};
use super::replies::{failed, fault, not_stored, stopped};
use crate::mail::{Address, Domain};
use crate::net;
use crate::registry::{LoggedIn, Registry};
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
    /// `None`: nothing leaves this machine.
    outbox: Option<Outbox>,
    peer: IpAddr,
    /// The user of this machine whose program it is, on the socket for these.
    local: Option<Local>,
    /// Has the message that comes no sender?
    is_notice: bool,
    message: Option<Message>,
}

impl Receive {
    /// For a session that begins; `peer` has connected.
    pub const fn new(
        store: Arc<Store>,
        registry: Arc<Registry>,
        host: Domain,
        logins: Arc<Logins>,
        outbox: Option<Outbox>,
        peer: IpAddr,
    ) -> Self {
        Self {
            store,
            registry,
            host,
            logins,
            outbox,
            peer,
            local: None,
            is_notice: false,
            message: None,
        }
    }

    /// The same, for a program of this user.
    #[must_use]
    pub fn on_behalf_of(mut self, local: Local) -> Self {
        self.local = Some(local);
        self
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
            Ask::Sender { reverse_path, login, .. } => {
                self.is_notice = reverse_path.is_none();
                self.sender(reverse_path, login).await
            }
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
            Ok(LoggedIn { account, name, device }) => {
                let (account, device) = (Some(account), Some(device));
                Answer::LoggedIn(Login { account, name, device })
            }
            Err(refused) => Answer::Refuse(refusal(refused)),
        }
    }

    /// Our own people send under an address of theirs; other servers' senders are not judged yet.
    async fn sender(&self, path: Option<Address>, login: Option<Login>) -> Result<(), Reply> {
        if let Some(local) = &self.local {
            return local.may_send(&self.store, &self.registry, path).await;
        }
        let Some(login) = login else { return Ok(()) };
        let refused =
            || Reply::new(550, Enhanced(5, 7, 1), "You have no such address to send from");
        let account = login.account.ok_or_else(refused)?;
        // Receipts and automatic answers have no sender (RFC 8098 §3, RFC 3834 §3.3).
        let Some(path) = path else { return Ok(()) };
        let registry = self.registry.clone();
        let may = self.store.run(move || registry.may_send(account, &path)).await;
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
        let accounts = match self.way(path, logged_in, self.is_notice).await? {
            Way::Ours(ours) => {
                self.must_be_known(&ours, logged_in).await?;
                ours.accounts
            }
            Way::Out(_) => return Ok(()),
        };
        for account in accounts {
            let account = self.store.account(account);
            let room = self.store.run(move || account.room(1, size.unwrap_or(0))).await;
            room.ok_or_else(stopped)?.map_err(|error| not_stored(&error))?;
        }
        Ok(())
    }

    /// Where a recipient's mail goes.
    async fn way(&self, path: ForwardPath, logged_in: bool, notice: bool) -> Result<Way, Reply> {
        let (registry, host) = (self.registry.clone(), self.host.clone());
        let found = self.store.run(move || owner(&registry, &host, path)).await;
        let refused = |text| Reply::new(550, Enhanced(5, 7, 1), text);
        match found.ok_or_else(stopped)?.map_err(|error| failed(&error))? {
            Owner::Ours(ours) if self.outbox.is_none() && ours.accounts.is_empty() => {
                Err(refused("Nothing leaves this machine, and this mailbox is on another"))
            }
            // Else anyone could send anything through us to them.
            Owner::FirstSender(_) if !notice => Err(refused(
                "This address takes notices about mail that was sent on, and nothing else",
            )),
            Owner::FirstSender(ours) | Owner::Ours(ours) => Ok(Way::Ours(ours)),
            Owner::Unknown => {
                Err(Reply::new(550, Enhanced(5, 1, 1), "Nobody here has this address"))
            }
            Owner::Elsewhere(_) if !logged_in => {
                Err(refused("We do not take mail for this domain"))
            }
            Owner::Elsewhere(address) if self.outbox.is_some() => Ok(Way::Out(address)),
            Owner::Elsewhere(_) => {
                Err(refused("Nothing leaves this machine; mail reaches people on this server only"))
            }
        }
    }

    /// Asks the server behind us whether it knows somebody whom we do not. Our own people's mail waits for one that is away.
    async fn must_be_known(&self, ours: &Ours, logged_in: bool) -> Result<(), Reply> {
        let Some(outbox) = &self.outbox else { return Ok(()) };
        for behind in ours.behind.iter().filter(|behind| behind.known == KnownBy::Server) {
            match outbox.asking.ask(&behind.server, &behind.address).await {
                Known::Yes => {}
                Known::No(heard) => {
                    let text = format!("The mail server behind this one said: {heard}");
                    return Err(Reply::new(550, Enhanced(5, 1, 1), text));
                }
                Known::Unknown(_) if logged_in => {}
                Known::Unknown(_) => {
                    let text = "The mail server behind this one cannot be asked; try later";
                    return Err(Reply::new(451, Enhanced(4, 4, 1), text));
                }
            }
        }
        Ok(())
    }

    async fn begin(&mut self, envelope: Box<Envelope>) -> Result<(), Reply> {
        let (recipients, logged_in) = (envelope.recipients.clone(), envelope.login.is_some());
        let is_notice = envelope.reverse_path.is_none();
        if envelope.parameters.release.is_some() && self.outbox.is_none() {
            let text = "Nothing leaves this machine, so nothing is held on it";
            return Err(Reply::new(550, Enhanced(5, 3, 3), text));
        }
        let mut message = Message::new(envelope, net::now());
        for recipient in recipients {
            match self.way(recipient.path, logged_in, is_notice).await {
                Ok(Way::Ours(ours)) => message.add(Ok(ours), &recipient.wishes),
                Ok(Way::Out(address)) => message.add_outward(address, recipient.wishes),
                Err(reply) => message.add(Err(reply), &recipient.wishes),
            }
        }
        message.verdict()?;
        if let Some(outbox) = &self.outbox {
            message.hold_by(&outbox.allowance);
        }
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
        let (store, outbox, host) = (self.store.clone(), self.outbox.clone(), self.host.clone());
        let write = move || message.write_out(&store, outbox.as_ref(), &host).map(|()| message);
        let written = self.store.run(write).await;
        self.message = Some(written.ok_or_else(stopped)??);
        Ok(())
    }

    async fn commit(&mut self) -> Result<Option<Vec<Option<Reply>>>, Reply> {
        if let Some(message) = &mut self.message {
            message.end();
        }
        self.flush().await?;
        let Some(message) = self.message.take() else { return Err(stopped()) };
        message.commit(&self.store, self.outbox.as_ref()).await
    }
}

/// Where mail goes.
enum Way {
    /// To people here.
    Ours(Ours),
    /// To another server.
    Out(Address),
}

fn refusal(refused: LoginRefused) -> Reply {
    match refused {
        LoginRefused::Wrong => Reply::new(535, Enhanced(5, 7, 8), "Wrong name or device password"),
        LoginRefused::Fault => fault(),
        LoginRefused::Stopping => stopped(),
    }
}
