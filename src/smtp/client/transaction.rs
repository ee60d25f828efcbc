//! A message in a session: what is asked of the server, and what its answers mean for each recipient (RFC 5321 §3.3,
//! RFC 2920, RFC 3030, RFC 2033).

use super::body::Text;
use super::heard::Heard;
use super::hello::SizeOffer;
use super::job::{Job, Lack, Outcome};
use super::machine::Client;
use super::standing::ClientProtocol;
use super::state::{Due, State, Work};
use crate::mail::{Body, Letters, TlsDemand};
use std::mem;

impl Client {
    /// What the server lacks for a job.
    pub(super) fn lack(&self, job: &Job) -> Option<Lack> {
        let (offered, demands) = (&self.offered, job.demands);
        // A server behind us is the end of the way, and a notice goes as well as it can (RFC 8689 §4.4, §5).
        let is_must = demands.tls == TlsDemand::Required
            && self.setup.protocol == ClientProtocol::Smtp
            && job.reverse_path.is_some();
        if is_must && !self.takes_require_tls() {
            return Some(Lack::RequireTls);
        }
        if demands.letters == Letters::Utf8 && !offered.smtputf8 {
            return Some(Lack::Smtputf8);
        }
        match demands.body {
            Body::SevenBit => {}
            Body::EightBitMime if offered.eight_bit_mime => {}
            Body::EightBitMime => return Some(Lack::EightBitMime),
            Body::BinaryMime if offered.binary_mime && offered.chunking => {}
            Body::BinaryMime => return Some(Lack::BinaryMime),
        }
        match offered.size {
            SizeOffer::Most(most) if job.size() > most => Some(Lack::Size(most)),
            SizeOffer::Absent | SizeOffer::Unlimited | SizeOffer::Most(_) => None,
        }
    }

    const fn takes_require_tls(&self) -> bool {
        self.tls.is_some() && self.offered.require_tls
    }

    pub(super) fn begin(&mut self, job: Job) {
        let outcomes = vec![None; job.recipients.len()];
        let mut work = Work { job, outcomes, taken: Vec::new(), text_sent: false };
        self.state = State::Talking;
        if let Some(lack) = self.lack(&work.job) {
            work.settle_all(&Outcome::Unable(lack));
            self.job = Some(work);
            self.state = State::Idle;
            return;
        }
        if mem::take(&mut self.stale) {
            self.plan(Due::Reset, "RSET");
        }
        let mail = self.mail(&work.job);
        self.plan(Due::Mail, mail);
        for (place, recipient) in work.job.recipients.iter().enumerate() {
            let mut line = format!("RCPT TO:<{}>", recipient.address);
            if self.offered.dsn {
                if let Some(notify) = recipient.notify.text() {
                    line += " NOTIFY=";
                    line += &notify;
                }
                if let Some(original) = &recipient.original {
                    line += " ORCPT=";
                    line += original.xtext();
                }
            }
            self.plan(Due::Recipient(place), line);
        }
        // By DATA the server may be asked at once; by BDAT the text would follow at once.
        if !self.offered.chunking && work.job.text.is_some() {
            self.plan(Due::Data, "DATA");
        }
        self.job = Some(work);
    }

    pub(super) fn mail(&self, job: &Job) -> String {
        let path = job.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut line = format!("MAIL FROM:<{path}>");
        if self.offered.size != SizeOffer::Absent && job.text.is_some() {
            line += &format!(" SIZE={}", job.size());
        }
        if job.demands.body != Body::SevenBit {
            line += " BODY=";
            line += job.demands.body.name();
        }
        if job.demands.letters == Letters::Utf8 {
            line += " SMTPUTF8";
        }
        if job.demands.tls == TlsDemand::Required && self.takes_require_tls() {
            line += " REQUIRETLS";
        }
        if self.offered.dsn {
            if let Some(ret) = job.ret {
                line += " RET=";
                line += ret.name();
            }
            if let Some(id) = &job.envelope_id {
                line += " ENVID=";
                line += id.xtext();
            }
        }
        line
    }

    pub(super) fn heard_mail(&mut self, heard: Heard) {
        let Some(work) = &mut self.job else { return };
        if heard.is_yes() {
            self.stale = true;
            return;
        }
        work.settle_all(&Outcome::Refused(heard));
        // Unless they have gone out already, the rest need not be said.
        self.planned.clear();
        self.rest_if_over();
    }

    pub(super) fn heard_recipient(&mut self, place: usize, heard: Heard) {
        let Some(work) = &mut self.job else { return };
        if work.outcomes.get(place).is_some_and(Option::is_none) {
            if heard.is_yes() && work.job.text.is_none() {
                work.settle(place, Outcome::Taken(heard));
            } else if heard.is_yes() {
                work.taken.push(place);
            } else {
                let is_too_many = heard.is_too_many();
                let outcome =
                    if is_too_many { Outcome::TooMany(heard) } else { Outcome::Refused(heard) };
                work.settle(place, outcome);
            }
        }
        let last = place + 1 == work.job.recipients.len();
        if !last {
            return;
        }
        if work.taken.is_empty() {
            self.planned.clear();
            self.rest_if_over();
        } else if self.offered.chunking {
            self.send_chunk();
        }
    }

    /// Nobody is left: what was sent ahead is still answered.
    pub(super) fn rest_if_over(&mut self) {
        if self.due.is_empty() {
            self.state = State::Idle;
        }
    }

    pub(super) fn send_chunk(&mut self) {
        let Some(work) = &self.job else { return };
        let Some(text) = &work.job.text else { return };
        self.out.extend_from_slice(format!("BDAT {} LAST\r\n", work.job.size()).as_bytes());
        self.out.extend_from_slice(&text.fields);
        self.state = State::Chunk(text.range.clone());
    }

    pub(super) fn heard_data(&mut self, heard: Heard) {
        let Some(work) = &mut self.job else { return };
        if heard.code != 354 {
            // A yes here would be nonsense; it is for later, as anything unknown.
            work.settle_all(&Outcome::Refused(heard));
            work.taken.clear();
            self.state = State::Idle;
            return;
        }
        let mut text = Text::default();
        let Some(of) = work.job.text.as_ref().filter(|_| !work.taken.is_empty()) else {
            // All were refused after DATA had gone out: an empty message, which is refused too (RFC 2920 §3.1).
            text.finish(&mut self.out);
            self.due.push_back(Due::Text(None));
            return;
        };
        text.push(&of.fields, &mut self.out);
        self.state = State::Lines(text, of.range.clone());
    }

    /// The text is out: its answers are due.
    pub(super) fn sent_text(&mut self) {
        self.state = State::Talking;
        if let Some(work) = &mut self.job {
            work.text_sent = true;
        }
        match (self.setup.protocol, &self.job) {
            (ClientProtocol::Lmtp, Some(work)) => {
                self.due.extend(work.taken.iter().map(|place| Due::Text(Some(*place))));
            }
            (ClientProtocol::Smtp, _) | (_, None) => self.due.push_back(Due::Text(None)),
        }
    }

    pub(super) fn heard_text(&mut self, place: Option<usize>, heard: Heard) {
        let Some(work) = &mut self.job else { return };
        let outcome = if heard.is_yes() { Outcome::Taken(heard) } else { Outcome::Refused(heard) };
        match place {
            Some(place) => work.settle(place, outcome),
            None => {
                for place in mem::take(&mut work.taken) {
                    work.settle(place, outcome.clone());
                }
            }
        }
        self.stale = false;
        if self.due.is_empty() {
            self.state = State::Idle;
        }
    }
}
