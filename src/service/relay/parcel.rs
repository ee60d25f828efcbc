//! One message on its way through one session: as it is, or made fit for a server that can do less. A server without
//! 8BITMIME gets it in 7-bit lines (RFC 6152 §3), signed anew; one without SMTPUTF8 gets it if nothing in it needs that
//! (RFC 6531 §3.6), whatever its sender said.

use super::agenda::Errand;
use super::fate::Finding;
use super::queue::Queue;
use crate::mail::header::Fields;
use crate::mail::{Address, Body, Demands, Letters, TlsDemand, has_utf8_header, to_seven_bit};
use crate::net;
use crate::smtp::Enhanced;
use crate::smtp::client::{Failure, Job, JobRecipient, JobText, Lack, Outcome, Report};
use crate::spool::{Outgoing, Queued, Spool, SpoolError};
use crate::verify::dkim::{BodyHash, Canonicalization};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A message and those of one destination whom it is for.
#[derive(Debug)]
pub struct Parcel {
    /// Whom it is for.
    pub errand: Errand,
    /// The message.
    pub queued: Queued,
    /// What it demands of the server, as it is now.
    demands: Demands,
    /// The text that is sent in place of the queue's.
    converted: Option<JobText>,
    /// Those of the errand's places who cannot be reached by this server, with the reason.
    unfit: Vec<Option<Finding>>,
}

impl Parcel {
    /// As it is.
    pub fn new(errand: Errand, queued: Queued) -> Self {
        let (demands, unfit) = (queued.envelope.demands, vec![None; errand.places.len()]);
        Self { errand, queued, demands, converted: None, unfit }
    }

    /// What is to be sent.
    pub async fn job(&self, queue: &Queue) -> Result<Job, SpoolError> {
        let text = match &self.converted {
            Some(text) => text.clone(),
            None => {
                let outgoing = self.outgoing(queue).await?;
                let Outgoing { fields, file, range } = outgoing;
                JobText { fields, file, range }
            }
        };
        let envelope = &self.queued.envelope;
        let fit = self.errand.places.iter().zip(&self.unfit).filter(|(_, unfit)| unfit.is_none());
        let recipients = fit.filter_map(|(&place, _)| envelope.recipients.get(place));
        let recipients = recipients.map(|recipient| JobRecipient {
            address: recipient.address.clone(),
            notify: recipient.notify,
            original: recipient.original.clone(),
        });
        Ok(Job {
            reverse_path: envelope.reverse_path.clone(),
            recipients: recipients.collect(),
            demands: self.demands,
            ret: envelope.ret,
            envelope_id: envelope.envelope_id.clone(),
            text: Some(text),
        })
    }

    async fn outgoing(&self, queue: &Queue) -> Result<Outgoing, SpoolError> {
        let (spool, message) = (queue.spool().clone(), self.queued.clone());
        smol::unblock(move || spool.outgoing(&message)).await
    }

    /// After a server said that it lacks something: is the parcel fit for it now, so that it is worth another try?
    pub async fn make_fit(&mut self, queue: &Queue, report: &Report) -> bool {
        match report.outcomes.first() {
            Some(Outcome::Unable(Lack::Smtputf8)) if self.demands.letters == Letters::Utf8 => {
                self.do_without_smtputf8(queue).await
            }
            Some(Outcome::Unable(lack @ (Lack::EightBitMime | Lack::BinaryMime)))
                if self.demands.body != Body::SevenBit =>
            {
                match self.seven_bit(queue).await {
                    Ok(text) => {
                        self.converted = Some(text);
                        self.demands.body = Body::SevenBit;
                        true
                    }
                    Err(NotMade::Message(why)) => {
                        let Finding { said, .. } = Finding::lack(*lack);
                        let said = format!("{said}, and the message cannot be made so: {why}");
                        self.keep_all(&Finding::never(Enhanced(5, 6, 3), said));
                        false
                    }
                    Err(NotMade::Ours(why)) => {
                        self.keep_all(&Finding::later(Enhanced(4, 3, 0), why));
                        false
                    }
                }
            }
            _ => false,
        }
    }

    /// Nobody is reached by this server, for this reason.
    pub fn keep_all(&mut self, finding: &Finding) {
        self.unfit = vec![Some(finding.clone()); self.unfit.len()];
    }

    async fn do_without_smtputf8(&mut self, queue: &Queue) -> bool {
        let is_ascii = |address: &Address| address.to_string().is_ascii();
        let envelope = &self.queued.envelope;
        if !envelope.reverse_path.as_ref().is_none_or(is_ascii) {
            return false;
        }
        let outgoing = match self.outgoing(queue).await {
            Ok(outgoing) => outgoing,
            Err(error) => {
                self.keep_all(&Finding::later(Enhanced(4, 3, 0), error.to_string()));
                return false;
            }
        };
        let needs_it = move || read(&outgoing).map(|text| has_utf8_header(&text));
        match smol::unblock(needs_it).await {
            Ok(false) => {}
            Ok(true) => return false,
            Err(error) => {
                self.keep_all(&Finding::later(Enhanced(4, 3, 0), error.to_string()));
                return false;
            }
        }
        for (place, unfit) in self.errand.places.iter().zip(&mut self.unfit) {
            let recipient = envelope.recipients.get(*place);
            if !recipient.is_some_and(|recipient| is_ascii(&recipient.address)) {
                *unfit = Some(Finding::lack(Lack::Smtputf8));
            }
        }
        self.demands.letters = Letters::Ascii;
        self.unfit.iter().any(Option::is_none)
    }

    /// The text in 7-bit lines. One at a time: it stands in memory.
    async fn seven_bit(&self, queue: &Queue) -> Result<JobText, NotMade> {
        let outgoing = self.outgoing(queue).await.map_err(|error| ours(&error))?;
        let sender = self.queued.envelope.reverse_path.as_ref();
        let sender = sender.map(|address| address.domain().clone());
        let (spool, signing) = (queue.spool().clone(), queue.signing.clone());
        let _turn = queue.converting.lock().await;
        let convert = move || {
            let text = read(&outgoing).map_err(|error| ours(&error))?;
            let text = to_seven_bit(&text).map_err(|why| NotMade::Message(why.to_string()))?;
            let mut fields = Vec::new();
            // What was signed is no longer what was signed.
            if !outgoing.fields.is_empty() {
                let len: usize = Fields::new(&text).map(|field| field.raw.len()).sum();
                let (header, rest) = text.split_at_checked(len).unwrap_or((&text, &[]));
                let mut body = BodyHash::new(Canonicalization::Relaxed);
                body.push(rest.strip_prefix(b"\r\n").unwrap_or(rest));
                if let Some(domain) = signing.domain(header, sender.as_ref()) {
                    let signed = signing.fields(&domain, header, &body.finish(), net::now());
                    fields = signed.map_err(|error| ours(&error))?.into_bytes();
                }
            }
            scratch(&spool, fields, &text).map_err(|error| ours(&error))
        };
        smol::unblock(convert).await
    }

    /// Takes out those who were too many for one transaction while others were taken: another errand (RFC 5321
    /// §4.5.3.1.10).
    pub fn split_off_too_many(&mut self, report: &mut Report) -> Option<Errand> {
        let is_taken = |outcome: &Outcome| matches!(outcome, Outcome::Taken(_));
        if !report.outcomes.iter().any(is_taken) {
            return None;
        }
        let mut outcomes = std::mem::take(&mut report.outcomes).into_iter();
        let (mut rest, mut places, mut unfit) = (Vec::new(), Vec::new(), Vec::new());
        for (&place, why) in self.errand.places.iter().zip(&self.unfit) {
            let outcome = if why.is_none() { outcomes.next() } else { None };
            match outcome {
                Some(Outcome::TooMany(_)) => rest.push(place),
                outcome => {
                    report.outcomes.extend(outcome);
                    places.push(place);
                    unfit.push(why.clone());
                }
            }
        }
        (self.errand.places, self.unfit) = (places, unfit);
        let id = self.errand.id.clone();
        (!rest.is_empty()).then_some(Errand { id, places: rest })
    }

    /// What was found of each of the errand's places.
    pub fn findings(
        &self,
        report: Report,
        failure: Option<&Failure>,
        demand: TlsDemand,
    ) -> Vec<Finding> {
        let passes = report.passes_wishes_on;
        let mut outcomes = report.outcomes.into_iter();
        let found = |unfit: &Option<Finding>| match unfit {
            Some(finding) => finding.clone(),
            None => {
                let outcome = outcomes.next().unwrap_or(Outcome::Lost);
                Finding::of(outcome, passes, failure, demand)
            }
        };
        self.unfit.iter().map(found).collect()
    }
}

/// Why a message was not made fit.
enum NotMade {
    /// It cannot be, in words.
    Message(String),
    /// We could not: for later.
    Ours(String),
}

fn ours(error: &impl ToString) -> NotMade {
    NotMade::Ours(error.to_string())
}

fn read(outgoing: &Outgoing) -> std::io::Result<Vec<u8>> {
    let range = &outgoing.range;
    let mut text = vec![0; usize::try_from(range.end - range.start).unwrap_or(0)];
    outgoing.file.read_exact_at(&mut text, range.start)?;
    Ok(text)
}

fn scratch(spool: &Spool, fields: Vec<u8>, text: &[u8]) -> Result<JobText, SpoolError> {
    let file = Arc::new(spool.scratch(text)?);
    Ok(JobText { fields, file, range: 0..text.len() as u64 })
}
