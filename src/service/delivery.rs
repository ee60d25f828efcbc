//! A message under way to mailboxes here and to the queue: what is held of it, what is written, and how it ends for each
//! recipient. The sender controls the text, and how much of it there is.

use super::allowance::{Allowance, Allowed, Taken};
use super::arrival::{envelope_to, received};
use super::fresh_id::fresh_id;
use super::leaving::Outbox;
use super::outward::{Arriving, Outward, Sender};
use super::owners::Ours;
use super::relay::{Finding, Kind, Notice};
use super::replies::{failed, not_stored, stopped};
use super::too_much::tell_too_much;
use crate::base::{AccountId, Timestamp};
use crate::mail::header::Fields;
use crate::mail::trace::{delivered_to, return_path};
use crate::mail::{Action, Address, Body, Date, Domain, LineEnds, Original, Voice, submission};
use crate::maildir::Flags;
use crate::registry::RegistryError;
use crate::smtp::{Enhanced, Envelope, Reply, Role, Wishes};
use crate::store::{Cause, Incoming, Placement, Store, StoreError, Target};
use std::sync::Arc;

/// A message under way.
#[derive(Debug)]
pub struct Message {
    envelope: Box<Envelope>,
    /// One for each account: a message comes once into a mailbox, however often it was named.
    recipients: Vec<Recipient>,
    /// To which of them each path of the envelope leads, or why to none.
    ways: Vec<Result<Vec<AccountId>, Reply>>,
    /// Those on other servers, by whom it comes from there.
    outward: Vec<Outward>,
    /// Those here of whose arrival the sender wants to hear, and the header for that.
    pleased: Vec<(Address, Wishes)>,
    header: Vec<u8>,
    /// Of what our own people send.
    ends: LineEnds,
    /// Not to leave before then, and its sender's device has sent too much for the first time.
    allowed: Allowed,
    /// What it takes of the device's allowance, until it is safe.
    taken: Option<Taken>,
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
/// RFC 5321 §6.3.
const HOPS_MAX: usize = 100;

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
    pub fn new(envelope: Box<Envelope>, began: Timestamp) -> Self {
        Self {
            envelope,
            recipients: Vec::new(),
            ways: Vec::new(),
            outward: Vec::new(),
            pleased: Vec::new(),
            header: Vec::new(),
            ends: LineEnds::default(),
            allowed: Allowed::Now,
            taken: None,
            held: Vec::new(),
            began,
        }
    }

    /// Holds what goes to others, if the device has sent too much.
    pub fn hold_by(&mut self, allowance: &Arc<Allowance>) {
        let device = self.envelope.login.as_ref().and_then(|login| login.device);
        let count = self.outward.iter().map(Outward::len).sum();
        if let Some(device) = device.filter(|_| count > 0) {
            let (allowed, taken) = allowance.take(device, count, self.began);
            (self.allowed, self.taken) = (allowed, Some(taken));
        }
    }

    /// Adds the mailboxes of the envelope's next path, with the address to note as Delivered-To; or why it has none.
    pub fn add(&mut self, owners: Result<Ours, Reply>, wishes: &Wishes) {
        let way = owners.map(|ours| {
            let Ours { address, mut accounts, behind, forwards } = ours;
            for there in behind {
                self.go_out(Sender::AsItCame, there.address, wishes.clone());
            }
            for there in forwards {
                self.go_out(Sender::Alias(address.clone()), there, wishes.clone());
            }
            // What is to leave later is for the queue, whoever gets it.
            if self.envelope.parameters.release.is_some() && !accounts.is_empty() {
                self.go_out(Sender::AsItCame, address.clone(), wishes.clone());
                accounts.clear();
            }
            if wishes.notify.on_success() && !accounts.is_empty() {
                self.pleased.push((address.clone(), wishes.clone()));
            }
            for &account in &accounts {
                if self.recipients.iter().all(|recipient| recipient.account != account) {
                    let (address, state) = (address.clone(), Delivery::Fresh);
                    self.recipients.push(Recipient { account, address, state });
                }
            }
            accounts
        });
        self.ways.push(way);
    }

    /// Adds somebody on another server: the envelope's next path. Who is named twice gets it once.
    pub fn add_outward(&mut self, address: Address, wishes: Wishes) {
        self.ways.push(Ok(Vec::new()));
        self.go_out(Sender::AsItCame, address, wishes);
    }

    fn go_out(&mut self, sender: Sender, address: Address, wishes: Wishes) {
        match self.outward.iter_mut().find(|outward| *outward.sender() == sender) {
            Some(outward) => outward.add(address, wishes),
            None => {
                let mut outward = Outward::new(sender);
                outward.add(address, wishes);
                self.outward.push(outward);
            }
        }
    }

    /// Takes the next piece.
    pub fn hold(&mut self, piece: &[u8]) {
        if self.is_repaired() {
            self.ends.push(piece, &mut self.held);
        } else {
            self.held.extend_from_slice(piece);
        }
    }

    /// What our own people send is of lines, unless they say that it is not.
    fn is_repaired(&self) -> bool {
        let binary = self.envelope.parameters.demands.body == Body::BinaryMime;
        self.envelope.login.is_some() && !binary
    }

    /// All has come.
    pub fn end(&mut self) {
        std::mem::take(&mut self.ends).finish(&mut self.held);
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

    /// Places it, after all was written. By LMTP, how it ended for each recipient. Mailboxes first: they may be full, and
    /// then it must not be on its way to others, for the sender will try it again.
    pub async fn commit(
        mut self,
        store: &Store,
        outbox: Option<&Outbox>,
    ) -> Result<Option<Vec<Option<Reply>>>, Reply> {
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
        for outward in &mut self.outward {
            outward.finish().await?;
        }
        if let Some(taken) = self.taken.take() {
            taken.keep();
        }
        if let (Some(outbox), Allowed::FirstUntil(_)) = (outbox, self.allowed) {
            tell_too_much(outbox, &self.envelope).await;
        }
        if let Some(outbox) = outbox {
            self.tell_arrival(outbox).await;
        }
        Ok((self.envelope.role == Role::Lmtp).then(|| self.each()))
    }

    fn is_fresh(&self) -> bool {
        !self.outward.iter().any(Outward::has_begun)
            && self.recipients.iter().all(|recipient| matches!(recipient.state, Delivery::Fresh))
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

    /// Writes what is held into the `tmp/` of every mailbox, and into the queue. Blocks.
    pub fn write_out(
        &mut self,
        store: &Store,
        outbox: Option<&Outbox>,
        host: &Domain,
    ) -> Result<(), Reply> {
        let mut held = std::mem::take(&mut self.held);
        if self.is_fresh() {
            if Fields::new(&held).filter(|field| field.is("received")).count() > HOPS_MAX {
                let text = "This message goes in circles: more than 100 servers have passed it on";
                return Err(Reply::new(554, Enhanced(5, 4, 6), text));
            }
            if self.envelope.login.is_some() {
                held = self.complete(&held, host)?;
            }
            if !self.pleased.is_empty() {
                let len = Fields::new(&held).map(|field| field.raw.len()).sum();
                self.header = held.get(..len).unwrap_or_default().to_vec();
            }
            let opened: Vec<_> =
                self.recipients.iter().map(|recipient| self.open(store, host, recipient)).collect();
            for (recipient, opened) in self.recipients.iter_mut().zip(opened) {
                recipient.state = match opened {
                    Ok(incoming) => Delivery::Coming(Box::new(incoming)),
                    Err(error) => Delivery::Refused(not_stored(&error)),
                };
            }
            if let Some(outbox) = outbox {
                let arriving = Arriving {
                    envelope: &self.envelope,
                    began: self.began,
                    hold_until: self.allowed.until(),
                    host,
                    text: &held,
                };
                for outward in self.outward.iter_mut().filter(|outward| outward.len() > 0) {
                    outward.begin(outbox, &arriving)?;
                }
            }
        }
        for recipient in &mut self.recipients {
            recipient.state.write(&held);
        }
        for outward in &mut self.outward {
            outward.write(&held)?;
        }
        self.verdict()
    }

    /// Tells the sender of those in whose mailboxes it is, if that was wished for (RFC 3461 §5.2.6).
    async fn tell_arrival(&self, outbox: &Outbox) {
        if self.pleased.is_empty() {
            return;
        }
        let envelope = envelope_to(&self.envelope, self.began, &self.pleased);
        let finding = Finding {
            kind: Kind::HandedOn,
            status: Enhanced(2, 0, 0),
            said: "in the mailbox".to_owned(),
            voice: Voice::Us,
        };
        let of: Vec<_> = (0..self.pleased.len()).map(|place| (place, finding.clone())).collect();
        let notice = Notice {
            envelope: &envelope,
            original: Original::Header(&self.header),
            action: Action::Delivered,
            of: &of,
            host: None,
            at: self.began,
        };
        if let Err(error) = outbox.queue.tell(notice).await {
            log::error!("service=receive the sender is not told of the arrival: {error}");
        }
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
        let message_id = fresh_id(host).map_err(|error| failed(&RegistryError::Keys(error)))?;
        let date = Date { at: self.began, zone_minutes: 0 };
        submission::complete(held, submission::Additions { date, message_id: &message_id })
            .ok_or_else(|| Reply::new(554, Enhanced(5, 6, 0), "The header is over 256 KB"))
    }

    fn trace(&self, host: &Domain, address: &Address, id: &str) -> String {
        return_path(self.envelope.reverse_path.as_ref())
            + &delivered_to(address)
            + &received(&self.envelope, self.began, host, Some(address), id)
    }
}

/// The message's own EMAILID stands in its Received field, so that a log line and a message find each other.
fn incoming_id(incoming: &Incoming) -> String {
    format!("x{}", incoming.email_id().hex())
}
