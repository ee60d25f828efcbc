//! Those of a message's recipients who are on other servers: it goes into the queue for them. What an alias of ours sends
//! on goes under an address of the alias's domain (SRS), for its first sender does not let us send in his name (SPF).

use super::arrival::{envelope_to, received};
use super::leaving::{Leaving, Outbox, Signs};
use super::replies::{failed, not_queued};
use crate::base::Timestamp;
use crate::mail::header::{Fields, find, unfold};
use crate::mail::trace::delivered_to;
use crate::mail::{Address, Domain, TlsDemand, is_only_author, srs};
use crate::registry::RegistryError;
use crate::smtp::{Enhanced, Envelope, Reply, Role, Wishes};

/// Some of them, who get it from the same sender.
#[derive(Debug)]
pub struct Outward {
    sender: Sender,
    to: Vec<(Address, Wishes)>,
    leaving: Option<Leaving>,
}

/// Who sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// Whoever sent it to us.
    AsItCame,
    /// This alias of ours, in the name of whoever sent it to us.
    Alias(Address),
}

/// What is known of the message when its header is there.
#[derive(Debug)]
pub struct Arriving<'a> {
    /// As it came.
    pub envelope: &'a Envelope,
    /// When.
    pub began: Timestamp,
    /// Not to leave before then.
    pub hold_until: Option<Timestamp>,
    /// Our name.
    pub host: &'a Domain,
    /// The message as far as it is there: the whole header, and some of the body.
    pub text: &'a [u8],
}

impl Outward {
    /// Nobody yet.
    pub const fn new(sender: Sender) -> Self {
        Self { sender, to: Vec::new(), leaving: None }
    }

    /// From whom it goes out.
    pub const fn sender(&self) -> &Sender {
        &self.sender
    }

    /// Adds somebody. Who is named twice gets it once.
    pub fn add(&mut self, address: Address, wishes: Wishes) {
        if self.to.iter().all(|(there, _)| *there != address) {
            self.to.push((address, wishes));
        }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.to.len()
    }

    /// Is anything written yet?
    pub const fn has_begun(&self) -> bool {
        self.leaving.is_some()
    }

    /// Begins a message in the queue. Blocks.
    pub fn begin(&mut self, outbox: &Outbox, arriving: &Arriving<'_>) -> Result<(), Reply> {
        let Arriving { envelope: came, began, host, text, .. } = arriving;
        let mut envelope = envelope_to(came, *began, &self.to);
        envelope.hold_until = envelope.hold_until.max(arriving.hold_until);
        // Whoever demands that it be safe is not asked what the header says (RFC 8689 §4.1).
        if envelope.demands.tls == TlsDemand::AsOffered && waives_tls(text) {
            envelope.demands.tls = TlsDemand::Waived;
        }
        let is_ours = came.login.is_some();
        let mut trace = String::new();
        if let Sender::Alias(alias) = &self.sender {
            // Sent on by us, it would pass for mail of our own people.
            if !is_ours && outbox.signing.domain(text, None).is_some() {
                let text =
                    "This message says that it is from here, and it is not; it is not sent on";
                return Err(Reply::new(550, Enhanced(5, 7, 1), text));
            }
            if must_fail_dmarc(text) {
                let text =
                    "This address sends mail on, and the next server would refuse it (DMARC)";
                return Err(Reply::new(550, Enhanced(5, 7, 26), text));
            }
            trace = delivered_to(alias);
            if came_by(text, alias) {
                let text = "This message goes in circles: this address has sent it on before";
                return Err(Reply::new(554, Enhanced(5, 4, 6), text));
            }
            let first = envelope.reverse_path.as_ref().filter(|_| !is_ours);
            if let Some(first) = first {
                let secret = outbox.queue.srs_secret().map_err(|error| failed(&error))?;
                let day = srs::day(*began);
                let rewritten = srs::forward(&secret, first, alias.domain(), day);
                envelope.reverse_path = Some(rewritten.map_err(|error| not_rewritten(&error))?);
            }
        }
        let signs = if is_ours && vouched_for(came, text) { Signs::Always } else { Signs::Never };
        let begun = || {
            let mut leaving = outbox.begin(envelope, signs)?;
            let only = self.to.first().map(|(address, _)| address);
            trace += &received(came, *began, host, only, &leaving.id());
            leaving.write_trace(&trace)?;
            Ok(leaving)
        };
        self.leaving = Some(begun().map_err(|error| not_queued(&error))?);
        Ok(())
    }

    /// Appends a piece. Blocks.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), Reply> {
        match &mut self.leaving {
            Some(leaving) => leaving.write(piece).map_err(|error| not_queued(&error)),
            None => Ok(()),
        }
    }

    /// All of it is there. Safe in the queue when this returns.
    pub async fn finish(&mut self) -> Result<(), Reply> {
        let Some(leaving) = self.leaving.take() else { return Ok(()) };
        let finished = smol::unblock(move || leaving.finish()).await;
        let (outbox, queued) = finished.map_err(|error| not_queued(&error))?;
        outbox.queue.accept(queued);
        Ok(())
    }
}

/// Must the next server refuse it, because its author's domain wants that of whatever it has not sent itself (DMARC,
/// RFC 7489)? That is found out by judging a message when it comes; until mail is judged, the answer is no.
const fn must_fail_dmarc(_text: &[u8]) -> bool {
    false
}

fn not_rewritten(error: &srs::ForwardError) -> Reply {
    match error {
        srs::ForwardError::TooLong => {
            let text = "The sender's address is too long to be sent on";
            Reply::new(550, Enhanced(5, 1, 7), text)
        }
        srs::ForwardError::Fault(error) => failed(&RegistryError::Keys(error.clone())),
    }
}

/// A program of this machine is vouched for only as the one whose program it is: whoever broke into it must not write in
/// others' names with our signature.
fn vouched_for(came: &Envelope, header: &[u8]) -> bool {
    came.role != Role::Local
        || came.reverse_path.as_ref().is_some_and(|path| is_only_author(header, path))
}

/// `TLS-Required: No` (RFC 8689 §3).
fn waives_tls(header: &[u8]) -> bool {
    let field = find(header, "tls-required");
    field.is_some_and(|field| unfold(field.value).eq_ignore_ascii_case(b"no"))
}

/// Has this alias sent it on before?
fn came_by(header: &[u8], alias: &Address) -> bool {
    let alias = alias.to_string();
    let is_it = |value: &[u8]| unfold(value).eq_ignore_ascii_case(alias.as_bytes());
    Fields::new(header).any(|field| field.is("delivered-to") && is_it(field.value))
}
