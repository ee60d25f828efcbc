//! A message in the queue as memory holds it: its envelope, and what was tried last. The text stays on the disk.

use super::envelope::{Envelope, Recipient, State};
use super::history::{Handed, Try};
use super::layout::{Bytes, Hold, Layout};
use crate::base::Timestamp;
use crate::mail::Body;
use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

/// The name of a message's file in the queue, for logs and commands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub(super) String);

/// A message of the queue.
#[derive(Debug, Clone)]
pub struct Queued {
    /// Its name.
    pub id: MessageId,
    /// To whom it goes, with how far each is.
    pub envelope: Envelope,
    /// May it be tried?
    pub hold: Hold,
    /// The last try of each recipient, in the order of the envelope.
    pub last: Vec<Option<Try>>,
    /// How often each was tried, as far as the history tells.
    pub tries: Vec<u32>,
    pub(super) layout: Layout,
    /// Where in the file each recipient's state is.
    pub(super) places: Vec<u64>,
}

/// What goes over the line: first the fields, then a range of the file.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Header fields, each with its line end.
    pub fields: Vec<u8>,
    /// Open: a message that is removed meanwhile can still be read.
    pub file: Arc<File>,
    /// The message in it.
    pub range: Range<u64>,
}

impl MessageId {
    /// From what a person typed; `None` if no message has such a name.
    pub fn parse(text: &str) -> Option<Self> {
        let valid =
            (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        valid.then(|| Self(text.to_owned()))
    }

    /// After all that there are, in their order.
    pub fn last() -> Self {
        Self("~".to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Queued {
    /// Nothing has been tried.
    pub(super) fn new(
        id: MessageId,
        mut envelope: Envelope,
        hold: Hold,
        layout: Layout,
        places: Vec<u64>,
    ) -> Self {
        // Clients forget to say it.
        if layout.bytes == Bytes::Eight && envelope.demands.body == Body::SevenBit {
            envelope.demands.body = Body::EightBitMime;
        }
        let last = vec![None; envelope.recipients.len()];
        let tries = vec![0; envelope.recipients.len()];
        Self { id, envelope, hold, last, tries, layout, places }
    }

    /// Bytes of the message as it will leave.
    pub const fn size(&self) -> u64 {
        self.layout.message + self.layout.fields
    }

    /// Places of the recipients that something is still to be done for.
    pub fn open_recipients(&self) -> impl Iterator<Item = usize> {
        let recipients = self.envelope.recipients.iter().enumerate();
        recipients.filter(|(_, recipient)| recipient.state.is_open()).map(|(place, _)| place)
    }

    /// Is nothing left to do?
    pub fn is_done(&self) -> bool {
        self.open_recipients().next().is_none()
    }

    /// Remembers what was tried.
    pub fn remember(&mut self, tried: &Try) {
        for &place in &tried.recipients {
            if let Some(last) = self.last.get_mut(place) {
                *last = Some(tried.clone());
            }
            if let Some(tries) = self.tries.get_mut(place)
                && tried.handed == Handed::Over
            {
                *tries = tries.saturating_add(1);
            }
        }
    }

    /// A recipient, and where in the file its state is.
    pub(super) fn place(&self, place: usize) -> Option<(&Recipient, u64)> {
        self.envelope.recipients.get(place).zip(self.places.get(place).copied())
    }

    /// A recipient has come so far.
    pub fn set(&mut self, place: usize, state: State) {
        if let Some(recipient) = self.envelope.recipients.get_mut(place) {
            recipient.state = state;
        }
    }

    /// When a recipient was tried last.
    pub fn tried(&self, place: usize) -> Option<Timestamp> {
        self.last.get(place)?.as_ref().map(|tried| tried.at)
    }
}
