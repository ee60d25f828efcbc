//! A message arrives by SMTP: who may send it, for whom it is, and that it is safe on the disk before the peer is told so.
//! Every role ends here: other servers' mail, our own people's mail to people here, and what a server before us hands on.

use super::login::{LoginRefused, Logins};
use crate::base::{AccountId, Timestamp};
use crate::mail::trace::{Received, delivered_to, return_path};
use crate::mail::{Address, Date, Domain, submission};
use crate::maildir::Flags;
use crate::net;
use crate::registry::{LoggedIn, Registry, RegistryError};
use crate::sasl::Credentials;
use crate::smtp::{Answer, Ask, Enhanced, Envelope, ForwardPath, Login, Reply, Role};
use crate::store::{Cause, Incoming, Placement, Store, StoreError, Target};
use openssl::rand::rand_bytes;
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

/// A message under way.
#[derive(Debug)]
struct Message {
    envelope: Box<Envelope>,
    /// One for each account: a message comes once into a mailbox, however often it was named.
    recipients: Vec<Recipient>,
    /// To which of them each path of the envelope leads, or why to none.
    ways: Vec<Result<Vec<AccountId>, Reply>>,
    /// Not yet written; a submitted message waits here until its header is whole.
    held: Vec<u8>,
    began: Timestamp,
}

/// One mailbox that a message is on its way to.
#[derive(Debug)]
struct Recipient {
    account: AccountId,
    address: Address,
    state: Delivery,
}

#[derive(Debug)]
enum Delivery {
    /// Nothing is written.
    Fresh,
    /// In `tmp/`.
    Coming(Box<Incoming>),
    /// It could not be kept.
    Refused(Reply),
    /// It is safe.
    Done,
}

/// A short message is written in one go, when it is all there.
const HOLD_LEN: usize = 128 * 1024;

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
            Ask::Write(piece) => self.write(piece).await,
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
            let room = self.store.run(move || account.room(size.unwrap_or(0))).await;
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
        let (mut recipients, mut ways): (Vec<Recipient>, Vec<_>) = (Vec::new(), Vec::new());
        for path in &envelope.recipients {
            let owners = self.owners(path.clone(), envelope.login.is_some()).await;
            ways.push(owners.map(|(accounts, address)| {
                for &account in &accounts {
                    if recipients.iter().all(|recipient| recipient.account != account) {
                        let (address, state) = (address.clone(), Delivery::Fresh);
                        recipients.push(Recipient { account, address, state });
                    }
                }
                accounts
            }));
        }
        let (held, began) = (Vec::new(), net::now());
        let message = Message { envelope, recipients, ways, held, began };
        message.verdict()?;
        self.message = Some(message);
        Ok(())
    }

    async fn write(&mut self, piece: Vec<u8>) -> Result<(), Reply> {
        let message = self.message.as_mut().ok_or_else(stopped)?;
        message.held.extend_from_slice(&piece);
        let limit = if message.envelope.login.is_some() && message.is_fresh() {
            // The whole header must be here before it can be completed.
            crate::mail::header::HEADER_LEN_MAX + HOLD_LEN
        } else {
            HOLD_LEN
        };
        if message.held.len() < limit { Ok(()) } else { self.flush().await }
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

    /// By LMTP, how it ended for each recipient.
    async fn commit(&mut self) -> Result<Option<Vec<Option<Reply>>>, Reply> {
        self.flush().await?;
        let Some(mut message) = self.message.take() else { return Err(stopped()) };
        let mut commits = Vec::new();
        for recipient in &mut message.recipients {
            let Some(incoming) = recipient.state.take_incoming() else { continue };
            let placement =
                Placement { target: Target::Inbox, flags: Flags::default(), keywords: Vec::new() };
            let arrival = incoming.finish(message.began, 0, vec![placement]);
            let account = self.store.account(recipient.account);
            commits.push((recipient, account.commit(vec![arrival], Cause::Delivery)));
        }
        for (recipient, commit) in commits {
            // All are waited for: one failure must not hide that another is still at work.
            recipient.state = match commit.await {
                Some(Ok(_)) => Delivery::Done,
                Some(Err(error)) => Delivery::Refused(not_stored(&error)),
                None => Delivery::Refused(stopped()),
            };
        }
        message.verdict()?;
        Ok((message.envelope.role == Role::Lmtp).then(|| message.each()))
    }
}

impl Delivery {
    /// What is to be committed; until that is known to be done, the answer is that we stop.
    fn take_incoming(&mut self) -> Option<Incoming> {
        match std::mem::replace(self, Self::Done) {
            Self::Coming(incoming) => {
                *self = Self::Refused(stopped());
                Some(*incoming)
            }
            state => {
                *self = state;
                None
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Self::Coming(incoming) = self
            && let Err(error) = incoming.write(bytes)
        {
            *self = Self::Refused(not_stored(&error));
        }
    }

    const fn refused(&self) -> Option<&Reply> {
        match self {
            Self::Refused(reply) => Some(reply),
            Self::Fresh | Self::Coming(_) | Self::Done => None,
        }
    }
}

impl Message {
    fn is_fresh(&self) -> bool {
        self.recipients.iter().all(|recipient| matches!(recipient.state, Delivery::Fresh))
    }

    /// For each path of the envelope, why it is refused, if it is.
    fn each(&self) -> Vec<Option<Reply>> {
        let refused = |way: &Result<Vec<AccountId>, Reply>| match way {
            // An alias of several is safe when it is safe for all of them.
            Ok(accounts) => {
                let mut theirs =
                    self.recipients.iter().filter(|one| accounts.contains(&one.account));
                theirs.find_map(|one| one.state.refused()).cloned()
            }
            Err(reply) => Some(reply.clone()),
        };
        self.ways.iter().map(refused).collect()
    }

    /// SMTP has one answer for all, so one refusal is everybody's; by LMTP it goes on while somebody is left.
    fn verdict(&self) -> Result<(), Reply> {
        let each = self.each();
        let goes_on = self.envelope.role == Role::Lmtp && each.iter().any(Option::is_none);
        match each.into_iter().flatten().next() {
            Some(reply) if !goes_on => Err(reply),
            Some(_) | None => Ok(()),
        }
    }

    fn write_out(&mut self, store: &Store, host: &Domain) -> Result<(), Reply> {
        let mut held = std::mem::take(&mut self.held);
        if self.is_fresh() {
            if self.envelope.login.is_some() {
                held = self.complete(&held, host)?;
            }
            let opened: Vec<_> =
                self.recipients.iter().map(|recipient| self.open(store, host, recipient)).collect();
            for (recipient, opened) in self.recipients.iter_mut().zip(opened) {
                recipient.state = match opened {
                    Ok(incoming) => Delivery::Coming(Box::new(incoming)),
                    Err(error) => Delivery::Refused(not_stored(&error)),
                };
            }
        }
        for recipient in &mut self.recipients {
            recipient.state.write(&held);
        }
        self.verdict()
    }

    fn open(
        &self,
        store: &Store,
        host: &Domain,
        recipient: &Recipient,
    ) -> Result<Incoming, StoreError> {
        let mut incoming = store.account(recipient.account).begin()?;
        let trace = self.trace(host, &recipient.address, &incoming_id(&incoming));
        incoming.write(trace.as_bytes())?;
        Ok(incoming)
    }

    /// Adds what a submitted message lacks and takes Bcc out (RFC 6409 §8).
    fn complete(&self, held: &[u8], host: &Domain) -> Result<Vec<u8>, Reply> {
        let mut random = [0; 12];
        rand_bytes(&mut random).map_err(|error| failed(&RegistryError::Keys(error)))?;
        let left: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let message_id = format!("{left}@{host}");
        let date = Date { at: self.began, zone_minutes: 0 };
        submission::complete(held, submission::Additions { date, message_id: &message_id })
            .ok_or_else(|| Reply::new(554, Enhanced(5, 6, 0), "The header is over 256 KB"))
    }

    fn trace(&self, host: &Domain, address: &Address, id: &str) -> String {
        let envelope = &self.envelope;
        let received = Received {
            greeting: &envelope.greeting,
            peer: envelope.login.is_none().then_some(envelope.peer),
            tls: envelope.tls.as_ref(),
            by: host.as_str(),
            with: envelope.protocol,
            id,
            recipient: (envelope.recipients.len() == 1).then_some(address),
            at: Date { at: self.began, zone_minutes: 0 },
        };
        return_path(envelope.reverse_path.as_ref()) + &delivered_to(address) + &received.field()
    }
}

/// The message's own EMAILID stands in its Received field, so that a log line and a message find each other.
fn incoming_id(incoming: &Incoming) -> String {
    format!("x{}", incoming.email_id().hex())
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

fn failed(error: &RegistryError) -> Reply {
    log::error!("service=receive {error}");
    fault()
}

fn refusal(refused: LoginRefused) -> Reply {
    match refused {
        LoginRefused::Wrong => Reply::new(535, Enhanced(5, 7, 8), "Wrong name or device password"),
        LoginRefused::Fault => fault(),
        LoginRefused::Stopping => stopped(),
    }
}

fn fault() -> Reply {
    Reply::new(451, Enhanced(4, 3, 0), "We have a fault here; try later")
}

fn not_stored(error: &StoreError) -> Reply {
    // No fault: the server stops, or the account has just been removed.
    if matches!(error, StoreError::Closed) {
        return stopped();
    }
    match error {
        StoreError::OverQuota => {
            return Reply::new(452, Enhanced(4, 2, 2), "The mailbox is full; try later");
        }
        StoreError::NoSpace => {
            log::error!("service=receive refused: the disk is full, or nearly");
            return Reply::new(452, Enhanced(4, 3, 1), "The disk is full, or nearly; try later");
        }
        _ => log::error!("service=receive not stored: {error}"),
    }
    Reply::new(451, Enhanced(4, 3, 0), "The message cannot be kept now; try later")
}

fn stopped() -> Reply {
    Reply::new(421, Enhanced(4, 3, 2), "The server is stopping; try again in a minute")
}
