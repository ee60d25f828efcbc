//! A message on its way into the queue: written piece by piece, hashed as it goes by, signed when it is whole. The sender
//! controls the text.

use super::allowance::Allowance;
use super::asking::Asking;
use super::relay::Queue;
use super::signing::Signing;
use crate::base::Timestamp;
use crate::mail::Domain;
use crate::mail::header::{Fields, HEADER_LEN_MAX};
use crate::spool::{Draft, Envelope, Queued, SpoolError};
use crate::verify::dkim::{BodyHash, Canonicalization};
use std::fmt;
use std::sync::Arc;

/// What mail leaves by.
#[derive(Debug, Clone)]
pub struct Outbox {
    /// Where it waits.
    pub queue: Arc<Queue>,
    /// Our signatures.
    pub signing: Arc<Signing>,
    /// How much of it leaves in a day.
    pub allowance: Arc<Allowance>,
    /// Knows whom servers behind us know.
    pub asking: Arc<Asking>,
}

/// Do we vouch for a message?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signs {
    /// Yes: our people wrote it, or we did.
    Always,
    /// No: anyone may have written it under our people's names.
    Never,
}

/// A message that is being written.
pub struct Leaving {
    outbox: Outbox,
    draft: Draft,
    sender: Option<Domain>,
    signs: Signs,
    /// As far as it has come; whole once the body has begun.
    header: Vec<u8>,
    body: Option<BodyHash>,
    began: Timestamp,
}

impl fmt::Debug for Leaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leaving({})", self.draft.id())
    }
}

impl Outbox {
    /// Begins a message. Blocks.
    pub fn begin(&self, envelope: Envelope, signs: Signs) -> Result<Leaving, SpoolError> {
        let sender = envelope.reverse_path.as_ref().map(|path| path.domain().clone());
        let began = envelope.arrived;
        let draft = self.queue.spool().begin(envelope)?;
        let (outbox, header) = (self.clone(), Vec::new());
        Ok(Leaving { outbox, draft, sender, signs, header, body: None, began })
    }
}

impl Leaving {
    /// The name that it will have in the queue.
    pub fn id(&self) -> String {
        self.draft.id().to_string()
    }

    /// Appends what is of our server alone and is not signed: trace fields. Blocks.
    pub fn write_trace(&mut self, fields: &str) -> Result<(), SpoolError> {
        self.draft.write(fields.as_bytes())
    }

    /// Appends a piece of the message. Blocks.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), SpoolError> {
        self.draft.write(piece)?;
        if let Some(body) = &mut self.body {
            body.push(piece);
            return Ok(());
        }
        self.header.extend_from_slice(piece);
        let len: usize = Fields::new(&self.header).map(|field| field.raw.len()).sum();
        let after = self.header.get(len..).unwrap_or_default();
        // A header that is longer is not signed whole, so not at all.
        if let Some(rest) = after.strip_prefix(b"\r\n").or((len >= HEADER_LEN_MAX).then_some(after))
        {
            let mut body = BodyHash::new(Canonicalization::Relaxed);
            body.push(rest);
            self.body = Some(body);
            self.header.truncate(len);
        }
        Ok(())
    }

    /// Signs it. Safe in the queue when this returns. Blocks.
    pub fn finish(self) -> Result<(Outbox, Queued), SpoolError> {
        let Self { outbox, draft, sender, signs, header, body, began } = self;
        let hash = body.unwrap_or_else(|| BodyHash::new(Canonicalization::Relaxed)).finish();
        let mut fields = String::new();
        let domain = outbox.signing.domain(&header, sender.as_ref());
        if let Some(domain) = domain.filter(|_| signs == Signs::Always) {
            match outbox.signing.fields(&domain, &header, &hash, began) {
                Ok(signed) => fields = signed,
                // Better late to be trusted than never to arrive.
                Err(error) => log::error!("queue={} not signed: {error}", draft.id()),
            }
        }
        let queued = draft.finish(fields.as_bytes())?;
        Ok((outbox, queued))
    }
}
