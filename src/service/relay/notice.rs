//! A sender is told of a message's fate: in the mailbox, if the sender is here, else by the queue.

use super::fate::{Finding, retry_until};
use super::mailbox::Text;
use super::queue::Queue;
use crate::base::{AccountId, Timestamp};
use crate::mail::header::{Fields, HEADER_LEN_MAX};
use crate::mail::trace::{delivered_to, return_path};
use crate::mail::{
    Action, Address, Body, Date, DeliveryReport, Demands, Fate, Letter, Letters, Notify, Original,
    Ret, TlsDemand,
};
use crate::net;
use crate::service::fresh_id::fresh_id;
use crate::service::owners::{Ours, Owner, owner};
use crate::smtp::{Enhanced, ForwardPath};
use crate::spool::{Envelope, Queued, Recipient, SpoolError};
use crate::store::StoreError;
use std::fmt;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A notice about some recipients of a message.
#[derive(Debug)]
pub struct Notice<'a> {
    /// Of the message.
    pub envelope: &'a Envelope,
    /// As much of it as comes back.
    pub original: Original<'a>,
    /// What has come of them.
    pub action: Action,
    /// Which they are, with what is known of each.
    pub of: &'a [(usize, Finding)],
    /// The server that said it.
    pub host: Option<&'a str>,
    /// Now.
    pub at: Timestamp,
}

/// Why a notice could not be placed.
#[derive(Debug)]
pub enum NoticeError {
    /// The queue has a fault.
    Spool(SpoolError),
    /// The sender's mailbox does not take it.
    Store(StoreError),
    /// Something else of ours.
    Ours(String),
    /// We stop.
    Stopping,
}

impl fmt::Display for NoticeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spool(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Ours(error) => f.write_str(error),
            Self::Stopping => f.write_str("the server stops"),
        }
    }
}

/// A whole message that comes back is not longer; of a longer one the header comes back.
const FULL_LEN_MAX: u64 = 1 << 20;

impl Queue {
    /// Tells the sender. Safe on the disk when this returns; a message without a sender has nobody to tell.
    pub async fn tell(&self, notice: Notice<'_>) -> Result<(), NoticeError> {
        let Some(to) = notice.envelope.reverse_path.clone() else { return Ok(()) };
        let text = self.notice_text(&notice, &to)?;
        let (registry, host, path) =
            (self.registry.clone(), self.host.clone(), ForwardPath::Mailbox(to.clone()));
        let owner = self.store.run(move || owner(&registry, &host, path)).await;
        let owner = owner.ok_or(NoticeError::Stopping)?;
        match owner.map_err(|error| NoticeError::Ours(error.to_string()))? {
            Owner::Ours(ours) | Owner::FirstSender(ours) => {
                self.put_notice(ours, text, notice).await
            }
            Owner::Elsewhere(address) => self.send_notice(address, text, &notice).await,
            Owner::Unknown => {
                log::warn!("to={to} a notice has no recipient here");
                Ok(())
            }
        }
    }

    /// As much of the message as comes back. A delay or a success is told with the header alone (RFC 3461 §6.2).
    pub(super) async fn original(
        &self,
        queued: &Queued,
        action: Action,
    ) -> Result<(Vec<u8>, Ret), NoticeError> {
        let (spool, queued) = (self.spool.clone(), queued.clone());
        let envelope = &queued.envelope;
        // RFC 8689 §5: what had to be safe does not come back whole.
        let safe = envelope.demands.tls == TlsDemand::Required;
        let wants_all = envelope.ret == Some(Ret::Full) && action == Action::Failed && !safe;
        let ret = if wants_all && queued.size() <= FULL_LEN_MAX { Ret::Full } else { Ret::Headers };
        let read = move || {
            let outgoing = spool.outgoing(&queued)?;
            let most = if ret == Ret::Full { FULL_LEN_MAX } else { HEADER_LEN_MAX as u64 };
            let len = (outgoing.range.end - outgoing.range.start).min(most);
            let mut text = outgoing.fields;
            let start = text.len();
            text.resize(start + usize::try_from(len).unwrap_or(0), 0);
            let place = text.get_mut(start..).unwrap_or_default();
            let read = outgoing.file.read_exact_at(place, outgoing.range.start);
            read.map_err(SpoolError::io("read a message"))?;
            if ret == Ret::Headers {
                let header = Fields::new(&text).map(|field| field.raw.len()).sum();
                text.truncate(header);
            }
            Ok(text)
        };
        let text = smol::unblock(read).await.map_err(NoticeError::Spool)?;
        Ok((text, ret))
    }

    fn notice_text(&self, notice: &Notice<'_>, to: &Address) -> Result<Vec<u8>, NoticeError> {
        let envelope = notice.envelope;
        let date = |at| Date { at, zone_minutes: 0 };
        let fate = |(place, finding): &(usize, Finding)| {
            let recipient: &Recipient = envelope.recipients.get(*place)?;
            let Enhanced(class, subject, detail) = finding.status;
            // A temporary failure is the reason why it was given up: in the end it is a permanent one (RFC 3463 §2).
            let status = match notice.action {
                Action::Failed if class == 4 => (5, 4, 7),
                _ => (class, subject, detail),
            };
            Some(Fate {
                address: recipient.address.clone(),
                original: recipient.original.clone(),
                action: notice.action,
                status,
                host: notice.host.map(str::to_owned),
                voice: finding.voice,
                said: finding.said.clone(),
                retry_until: (notice.action == Action::Delayed)
                    .then(|| date(retry_until(envelope))),
            })
        };
        let fates: Vec<Fate> = notice.of.iter().filter_map(fate).collect();
        let message_id =
            fresh_id(&self.host).map_err(|error| NoticeError::Ours(error.to_string()))?;
        let report = DeliveryReport {
            host: self.host.as_str(),
            to,
            at: date(notice.at),
            arrived: date(envelope.arrived),
            message_id: &message_id,
            envelope_id: envelope.envelope_id.as_ref(),
            release: envelope.release,
            fates: &fates,
            original: notice.original,
        };
        Ok(report.text())
    }

    /// Into mailboxes here, and to where else the sender's mail is kept.
    async fn put_notice(
        &self,
        ours: Ours,
        text: Vec<u8>,
        notice: Notice<'_>,
    ) -> Result<(), NoticeError> {
        let elsewhere = ours.behind.into_iter().map(|behind| behind.address).chain(ours.forwards);
        for address in elsewhere {
            self.send_notice(address, text.clone(), &notice).await?;
        }
        let trace = return_path(None) + &delivered_to(&ours.address);
        let text = Text::Bytes(Arc::new(text));
        for account in ours.accounts {
            self.put(account, &trace, &text).await.map_err(NoticeError::Store)?;
        }
        Ok(())
    }

    /// Writes a letter of the server's to somebody here.
    pub async fn write_to(
        &self,
        account: AccountId,
        to: &Address,
        subject: &str,
        text: &str,
    ) -> Result<(), NoticeError> {
        let id = fresh_id(&self.host).map_err(|error| NoticeError::Ours(error.to_string()))?;
        let letter = Letter {
            host: self.host.as_str(),
            to,
            at: Date { at: net::now(), zone_minutes: 0 },
            message_id: &id,
            subject,
            text,
        };
        let trace = return_path(None) + &delivered_to(to);
        let text = Text::Bytes(Arc::new(letter.message()));
        self.put(account, &trace, &text).await.map_err(NoticeError::Store)
    }

    /// To another server.
    async fn send_notice(
        &self,
        address: Address,
        text: Vec<u8>,
        notice: &Notice<'_>,
    ) -> Result<(), NoticeError> {
        let letters = if address.to_string().is_ascii() { Letters::Ascii } else { Letters::Utf8 };
        let body = if text.is_ascii() { Body::SevenBit } else { Body::EightBitMime };
        let to = Recipient { notify: Notify::Never, ..Recipient::new(address) };
        let demands = Demands { body, letters, tls: notice.envelope.demands.tls };
        let envelope = Envelope { demands, ..Envelope::new(notice.at, None, vec![to]) };
        let spool = self.spool.clone();
        let written = move || {
            let mut draft = spool.begin(envelope)?;
            draft.write(&text)?;
            draft.finish(b"")
        };
        let queued = smol::unblock(written).await.map_err(NoticeError::Spool)?;
        self.accept(queued);
        Ok(())
    }
}
