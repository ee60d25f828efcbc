//! One session's errands: messages for one destination are handed to the client machine one after the other, and what it
//! reports of each is settled before the next.

use super::destination::{Destination, To};
use super::fate::Finding;
use super::parcel::Parcel;
use super::queue::Queue;
use super::way::{Proof, Refusal, Way};
use crate::base::{Doubt, Quoted, TlsFacts};
use crate::smtp::Enhanced;
use crate::smtp::client::{Answer, Ask, Failure, Job, Lack, Outcome, Report, Terms};
use crate::spool::SpoolError;
use smol::future;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// A connection is kept so long for the next message.
const LINGER: Duration = Duration::from_secs(1);

/// What came of TLS in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// It did not come so far.
    Unknown,
    /// There is none.
    Clear,
    /// It stands, and the server proved what its domain wants it to.
    Right,
    /// It stands, and the server did not.
    Doubted(Doubt),
}

/// What a session has done.
pub struct Errands<'a> {
    queue: &'a Queue,
    destination: &'a Destination,
    /// As history and notices name it.
    host: &'a str,
    way: &'a Way,
    /// What came of TLS, as soon as that is known.
    pub judged: Judged,
    current: Option<Parcel>,
    /// Messages that were answered.
    pub served: usize,
    tls_was_refused: bool,
    /// Why it came to nothing.
    pub failure: Option<Failure>,
}

/// A fault of ours ends a session in the middle: what it had taken is tried later, not never.
impl Drop for Errands<'_> {
    fn drop(&mut self) {
        if let Some(parcel) = self.current.take() {
            self.queue.abandon(&parcel.errand);
        }
    }
}

impl<'a> Errands<'a> {
    /// Of a session that begins.
    pub const fn new(
        queue: &'a Queue,
        destination: &'a Destination,
        host: &'a str,
        way: &'a Way,
    ) -> Self {
        let judged = Judged::Unknown;
        Self {
            queue,
            destination,
            host,
            way,
            judged,
            current: None,
            served: 0,
            tls_was_refused: false,
            failure: None,
        }
    }

    /// Decides what the session asks.
    pub async fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Judge(facts) => self.judge(&facts),
            Ask::Next(report, terms) => {
                if self.judged == Judged::Unknown {
                    self.judged = Judged::Clear;
                }
                if self.is_ourselves(&terms) {
                    self.failure = Some(Failure::Ourselves);
                    return Answer::Leave;
                }
                self.tls_was_refused |= terms.tls_was_refused;
                if let Some(report) = report
                    && let Some(job) = self.reported(report).await
                {
                    return Answer::Send(Box::new(job));
                }
                if self.failure.is_some() {
                    return Answer::Leave;
                }
                self.next(terms.recipients_max.unwrap_or(usize::MAX)).await
            }
            Ask::Read(file, range) => {
                let read = move || {
                    let mut piece = vec![0; usize::try_from(range.end - range.start).unwrap_or(0)];
                    file.read_exact_at(&mut piece, range.start).map(|()| piece)
                };
                match smol::unblock(read).await {
                    Ok(piece) => Answer::Piece(piece),
                    Err(error) => {
                        log::error!("a message of the queue cannot be read: {error}");
                        Answer::Stop
                    }
                }
            }
            Ask::Failed(failure, report) => {
                if matches!(failure, Failure::NoTls | Failure::StartTls(_)) {
                    self.judged = Judged::Clear;
                }
                self.failed(&failure, report).await;
                self.failure = Some(failure);
                Answer::Go
            }
        }
    }

    /// Have we come back to where we started?
    fn is_ourselves(&self, terms: &Terms) -> bool {
        let straight = matches!(self.destination.to, To::Domain(_));
        straight && terms.name.eq_ignore_ascii_case(self.queue.host.as_str())
    }

    /// What became of the current message is settled; or it is to be sent once more, for it has been made fit.
    async fn reported(&mut self, mut report: Report) -> Option<Job> {
        let mut parcel = self.current.take()?;
        if report.outcomes.first() == Some(&Outcome::Unable(Lack::RequireTls)) {
            // Another host may promise it (RFC 8689 §4.2.1).
            self.failure = Some(Failure::NoRequireTls);
            self.queue.put_back(self.destination, parcel.errand);
            return None;
        }
        if parcel.make_fit(self.queue, &report).await {
            match parcel.job(self.queue).await {
                Ok(job) => {
                    self.current = Some(parcel);
                    return Some(job);
                }
                Err(error) => {
                    parcel.keep_all(&Finding::later(Enhanced(4, 3, 0), error.to_string()));
                }
            }
        }
        self.served += 1;
        self.put_off(&mut parcel, &mut report);
        let mut findings = parcel.findings(report, None, self.destination.tls);
        if self.way.refusal == Refusal::ForLater || self.tls_was_refused {
            findings.iter_mut().for_each(Finding::soften);
        }
        self.queue.settle(parcel.errand, parcel.queued, findings, Some(self.host)).await;
        None
    }

    /// Recipients that were too many for one transaction go in the next (RFC 5321 §4.5.3.1.10).
    fn put_off(&self, parcel: &mut Parcel, report: &mut Report) {
        if let Some(rest) = parcel.split_off_too_many(report) {
            self.queue.lock().put_more(self.destination, rest);
        }
    }

    fn judge(&mut self, facts: &TlsFacts) -> Answer {
        let proof = self.way.reported.as_ref().map_or(&self.way.proof, |reported| &reported.proof);
        self.judged = match proof.lacks(facts) {
            None => Judged::Right,
            Some(doubt) => Judged::Doubted(doubt),
        };
        let Some(doubt) = self.way.proof.lacks(facts) else { return Answer::Go };
        log::warn!("host={} not trusted: {}", self.host, Quoted(doubt.to_string().as_bytes()));
        self.judged = Judged::Doubted(doubt);
        Answer::Stop
    }

    /// What history and notices say of a failure.
    pub fn finding(&self, failure: &Failure) -> Finding {
        match (&self.judged, failure) {
            (Judged::Doubted(doubt), Failure::NotTrusted) => {
                let why = match (&self.way.proof, &self.way.reported) {
                    (Proof::Dane(..), _) => "its domain's signed zone (DANE) demands a right one",
                    (_, Some(_)) => {
                        "its domain's policy (MTA-STS) or the message itself demands a right one"
                    }
                    (_, None) => "it would get our password",
                };
                let said = format!("nothing was given to it: {doubt}, and {why}");
                Finding::unsafe_way(self.destination.tls, said)
            }
            _ => Finding::failure(failure, self.destination.tls),
        }
    }

    async fn failed(&mut self, failure: &Failure, report: Option<Report>) {
        let (Some(parcel), Some(report)) = (self.current.take(), report) else { return };
        let lost = report.outcomes.iter().all(|outcome| *outcome == Outcome::Lost);
        // Another host may take it, or another connection: this one may have been kept too long. What may have arrived
        // is for later.
        let elsewhere = !report.text_sent || *failure == Failure::Stopping;
        if lost && elsewhere && *failure != Failure::Ours {
            self.queue.put_back(self.destination, parcel.errand);
            return;
        }
        let findings = parcel.findings(report, Some(failure), self.destination.tls);
        self.queue.settle(parcel.errand, parcel.queued, findings, Some(self.host)).await;
    }

    /// The connection broke without a word of the machine. One that was kept for it may have been closed long ago.
    pub async fn broke(&mut self, why: &str) {
        let Some(Parcel { errand, queued, .. }) = self.current.take() else { return };
        if self.served > 0 {
            self.queue.put_back(self.destination, errand);
            return;
        }
        let finding = Finding::later(Enhanced(4, 4, 2), why);
        let findings = vec![finding; errand.places.len()];
        self.queue.settle(errand, queued, findings, Some(self.host)).await;
    }

    async fn next(&mut self, recipients_max: usize) -> Answer {
        loop {
            let taken = self.queue.lock().take(self.destination, recipients_max);
            let Some((errand, queued)) = taken else {
                if self.linger().await {
                    continue;
                }
                return Answer::Leave;
            };
            let parcel = Parcel::new(errand, queued);
            match parcel.job(self.queue).await {
                Ok(job) => {
                    self.current = Some(parcel);
                    return Answer::Send(Box::new(job));
                }
                Err(SpoolError::Gone) => self.queue.forget(&parcel.errand.id),
                Err(error) => {
                    let Parcel { errand, queued, .. } = parcel;
                    log::error!("queue={} {error}", errand.id);
                    let finding = Finding::later(Enhanced(4, 3, 0), error.to_string());
                    let findings = vec![finding; errand.places.len()];
                    self.queue.settle(errand, queued, findings, None).await;
                }
            }
        }
    }

    /// Waits a little for another message. True: look again.
    async fn linger(&self) -> bool {
        let called = self.queue.rest(self.destination);
        let call = async { called.recv().await.is_ok() };
        let time = async {
            smol::Timer::after(LINGER).await;
            false
        };
        future::or(call, time).await
    }
}
