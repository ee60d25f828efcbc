//! A message under way to its mailboxes: what is held of it, what is written, and how it ends for each recipient. The sender
//! controls the text, and how much of it there is.

use crate::base::{AccountId, Timestamp};
use crate::mail::trace::{Received, delivered_to, return_path};
use crate::mail::{Address, Date, Domain, submission};
use crate::maildir::Flags;
use crate::registry::RegistryError;
use crate::smtp::{Enhanced, Envelope, Reply, Role};
use crate::store::{Cause, Incoming, Placement, Store, StoreError, Target};
use openssl::rand::rand_bytes;

/// A message under way.
#[derive(Debug)]
pub struct Message {
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
    /// For nobody yet.
    pub const fn new(envelope: Box<Envelope>, began: Timestamp) -> Self {
        Self { envelope, recipients: Vec::new(), ways: Vec::new(), held: Vec::new(), began }
    }

    /// Adds the mailboxes of the envelope's next path, with the address to note as Delivered-To; or why it has none.
    pub fn add(&mut self, owners: Result<(Vec<AccountId>, Address), Reply>) {
        self.ways.push(owners.map(|(accounts, address)| {
            for &account in &accounts {
                if self.recipients.iter().all(|recipient| recipient.account != account) {
                    let (address, state) = (address.clone(), Delivery::Fresh);
                    self.recipients.push(Recipient { account, address, state });
                }
            }
            accounts
        }));
    }

    /// Takes the next piece.
    pub fn hold(&mut self, piece: &[u8]) {
        self.held.extend_from_slice(piece);
    }

    /// Is it time to write?
    pub fn holds_enough(&self) -> bool {
        let enough = if self.envelope.login.is_some() && self.is_fresh() {
            // The whole header must be here before it can be completed.
            crate::mail::header::HEADER_LEN_MAX + HOLD_LEN
        } else {
            HOLD_LEN
        };
        self.held.len() >= enough
    }

    /// Places it, after all was written. By LMTP, how it ended for each recipient.
    pub async fn commit(mut self, store: &Store) -> Result<Option<Vec<Option<Reply>>>, Reply> {
        let mut commits = Vec::new();
        for recipient in &mut self.recipients {
            let Some(incoming) = recipient.state.take_incoming() else { continue };
            let placement =
                Placement { target: Target::Inbox, flags: Flags::default(), keywords: Vec::new() };
            let arrival = incoming.finish(self.began, 0, vec![placement]);
            let account = store.account(recipient.account);
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
        self.verdict()?;
        Ok((self.envelope.role == Role::Lmtp).then(|| self.each()))
    }

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
    pub fn verdict(&self) -> Result<(), Reply> {
        let each = self.each();
        let goes_on = self.envelope.role == Role::Lmtp && each.iter().any(Option::is_none);
        match each.into_iter().flatten().next() {
            Some(reply) if !goes_on => Err(reply),
            Some(_) | None => Ok(()),
        }
    }

    /// Writes what is held into the `tmp/` of every mailbox. Blocks.
    pub fn write_out(&mut self, store: &Store, host: &Domain) -> Result<(), Reply> {
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

/// The registry has a fault.
pub fn failed(error: &RegistryError) -> Reply {
    log::error!("service=receive {error}");
    fault()
}

/// We have a fault.
pub fn fault() -> Reply {
    Reply::new(451, Enhanced(4, 3, 0), "We have a fault here; try later")
}

/// The store did not take it.
pub fn not_stored(error: &StoreError) -> Reply {
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

/// The server stops.
pub fn stopped() -> Reply {
    Reply::new(421, Enhanced(4, 3, 2), "The server is stopping; try again in a minute")
}
