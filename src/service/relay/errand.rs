//! One session's errands: messages for one destination are handed to the client machine one after the other, and what it
//! reports of each is settled before the next.

use super::agenda::Errand;
use super::fate::{Finding, Verdict};
use super::notice::Notice;
use super::visit::Relay;
use crate::base::Quoted;
use crate::mail::{Action, Domain};
use crate::net;
use crate::smtp::client::{Answer, Ask, Failure, Job, JobRecipient, Outcome, Report};
use crate::spool::{MessageId, Queued, SpoolError, State, Try};
use smol::future;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// A connection is kept so long for the next message.
const LINGER: Duration = Duration::from_secs(1);

/// What a session has done.
pub struct Errands<'a> {
    relay: &'a Relay,
    domain: &'a Domain,
    /// As history and notices name it.
    host: &'a str,
    current: Option<(Errand, Queued)>,
    /// Messages that were answered.
    pub served: usize,
    /// Why it came to nothing.
    pub failure: Option<Failure>,
}

impl<'a> Errands<'a> {
    /// Of a session that begins.
    pub const fn new(relay: &'a Relay, domain: &'a Domain, host: &'a str) -> Self {
        Self { relay, domain, host, current: None, served: 0, failure: None }
    }

    /// Decides what the session asks.
    pub async fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Judge(_) => Answer::Go,
            Ask::Next(report) => {
                if let (Some((errand, queued)), Some(report)) = (self.current.take(), report) {
                    self.served += 1;
                    let findings = findings(report, None);
                    self.relay.settle(errand, queued, findings, Some(self.host)).await;
                }
                self.next().await
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
                self.failed(&failure, report).await;
                self.failure = Some(failure);
                Answer::Go
            }
        }
    }

    async fn failed(&mut self, failure: &Failure, report: Option<Report>) {
        let (Some((errand, queued)), Some(report)) = (self.current.take(), report) else { return };
        let lost = report.outcomes.iter().all(|outcome| *outcome == Outcome::Lost);
        // The server has closed a connection that was kept for it, or we stop: nothing was tried.
        let untried = matches!(failure, Failure::Closed | Failure::Leaving(_)) && self.served > 0;
        if lost && (untried || *failure == Failure::Stopping) {
            self.relay.put_back(self.domain, errand);
            return;
        }
        let findings = findings(report, Some(failure));
        self.relay.settle(errand, queued, findings, Some(self.host)).await;
    }

    /// The connection broke without a word of the machine. One that was kept for it may have been closed long ago.
    pub async fn broke(&mut self, why: &str) {
        let Some((errand, queued)) = self.current.take() else { return };
        if self.served > 0 {
            self.relay.put_back(self.domain, errand);
            return;
        }
        let finding = Finding::later(crate::smtp::Enhanced(4, 4, 2), why);
        let findings = vec![finding; errand.places.len()];
        self.relay.settle(errand, queued, findings, Some(self.host)).await;
    }

    async fn next(&mut self) -> Answer {
        loop {
            let Some((errand, queued)) = self.relay.take(self.domain) else {
                if self.linger().await {
                    continue;
                }
                return Answer::Leave;
            };
            match self.relay.job(&errand, &queued).await {
                Ok(job) => {
                    self.current = Some((errand, queued));
                    return Answer::Send(Box::new(job));
                }
                Err(SpoolError::Gone) => self.relay.forget(&errand.id),
                Err(error) => {
                    log::error!("queue={} {error}", errand.id);
                    let finding = Finding::later(crate::smtp::Enhanced(4, 3, 0), error.to_string());
                    let findings = vec![finding; errand.places.len()];
                    self.relay.settle(errand, queued, findings, None).await;
                }
            }
        }
    }

    /// Waits a little for another message. True: look again.
    async fn linger(&self) -> bool {
        let called = self.relay.rest(self.domain);
        let call = async { called.recv().await.is_ok() };
        let time = async {
            smol::Timer::after(LINGER).await;
            false
        };
        future::or(call, time).await
    }
}

fn findings(report: Report, failure: Option<&Failure>) -> Vec<Finding> {
    let passes = report.passes_wishes_on;
    let outcomes = report.outcomes.into_iter();
    outcomes.map(|outcome| Finding::of(outcome, passes, failure)).collect()
}

impl Relay {
    async fn job(&self, errand: &Errand, queued: &Queued) -> Result<Job, SpoolError> {
        let (spool, message) = (self.spool.clone(), queued.clone());
        let outgoing = smol::unblock(move || spool.outgoing(&message)).await?;
        let envelope = &queued.envelope;
        let recipients = errand.places.iter().filter_map(|&place| envelope.recipients.get(place));
        let recipients = recipients.map(|recipient| JobRecipient {
            address: recipient.address.clone(),
            notify: recipient.notify,
            original: recipient.original.clone(),
        });
        Ok(Job {
            reverse_path: envelope.reverse_path.clone(),
            recipients: recipients.collect(),
            demands: envelope.demands,
            ret: envelope.ret,
            envelope_id: envelope.envelope_id.clone(),
            fields: outgoing.fields,
            file: outgoing.file,
            range: outgoing.range,
        })
    }

    /// An errand has come to an end: what was found of each recipient is acted on and written down.
    pub(super) async fn settle(
        &self,
        errand: Errand,
        queued: Queued,
        findings: Vec<Finding>,
        host: Option<&str>,
    ) {
        let at = net::now();
        let (mut states, mut tell) = (Vec::new(), Vec::new());
        let mut tries: Vec<Try> = Vec::new();
        for (&place, finding) in errand.places.iter().zip(findings) {
            let Some(recipient) = queued.envelope.recipients.get(place) else { continue };
            log::info!(
                "queue={} to={} host={} result={}",
                queued.id,
                recipient.address,
                host.unwrap_or("-"),
                Quoted(finding.said.as_bytes())
            );
            match tries.iter_mut().find(|tried| tried.result == finding.said) {
                Some(tried) => tried.recipients.push(place),
                None => tries.push(Try {
                    at,
                    recipients: vec![place],
                    host: host.map(str::to_owned),
                    result: finding.said.clone(),
                }),
            }
            match finding.verdict(&queued.envelope, recipient, at) {
                Verdict::Over(state) => states.push((place, state)),
                Verdict::Tell(State::Delivered) => tell.push((Action::Relayed, place, finding)),
                Verdict::Tell(_) => tell.push((Action::Failed, place, finding)),
                Verdict::TellDelay => tell.push((Action::Delayed, place, finding)),
                Verdict::Stay => {}
            }
        }
        for action in [Action::Relayed, Action::Failed, Action::Delayed] {
            let of: Vec<(usize, Finding)> = (tell.iter())
                .filter(|(wanted, ..)| *wanted == action)
                .map(|(_, place, finding)| (*place, finding.clone()))
                .collect();
            if !of.is_empty() {
                let places = of.iter().map(|(place, _)| (*place, after(action)));
                match self.tell(Notice { queued: &queued, action, of: &of, host, at }).await {
                    Ok(()) => states.extend(places),
                    // It is tried again with the message itself: nobody is left without a word.
                    Err(error) => {
                        log::error!("queue={} the sender is not told: {error}", queued.id)
                    }
                }
            }
        }
        self.write_down(&errand.id, &tries, &states).await;
    }

    async fn write_down(&self, id: &MessageId, tries: &[Try], states: &[(usize, State)]) {
        let mut now = None;
        for tried in tries {
            now = self.lock().note(id, tried, states);
        }
        if let Some(queued) = now {
            let (spool, tries) = (self.spool.clone(), tries.to_vec());
            let places: Vec<usize> = states.iter().map(|(place, _)| *place).collect();
            let written = move || {
                if !places.is_empty() {
                    spool.settle(&queued, &places)?;
                }
                if !queued.is_done() {
                    tries.iter().try_for_each(|tried| spool.note(&queued.id, tried))?;
                }
                Ok(())
            };
            match smol::unblock(written).await {
                Ok(()) | Err(SpoolError::Gone) => {}
                Err(error) => log::error!("queue={id} {error}"),
            }
        }
        self.lock().done(id);
        self.wake_up();
    }

    /// Nothing of it was tried.
    fn put_back(&self, domain: &Domain, errand: Errand) {
        self.lock().put_back(domain, errand);
        self.wake_up();
    }

    fn forget(&self, id: &MessageId) {
        self.lock().drop_message(id);
    }
}

const fn after(action: Action) -> State {
    match action {
        Action::Relayed | Action::Delivered => State::Delivered,
        Action::Failed => State::Failed,
        Action::Delayed => State::Delayed,
    }
}

/// Of one destination: its sessions, and those of them that rest.
#[derive(Debug, Default)]
pub struct Visits {
    /// How many there are.
    pub count: usize,
    /// Calls those that rest.
    pub resting: Vec<smol::channel::Sender<()>>,
}

impl Visits {
    /// Calls sessions that rest, as many as there are for `wanted` errands; how many were called.
    pub fn call(&mut self, wanted: usize) -> usize {
        let mut called = 0;
        while called < wanted
            && let Some(resting) = self.resting.pop()
        {
            // One that has just gone does not hear.
            called += usize::from(resting.try_send(()).is_ok());
        }
        called
    }
}
