//! An errand has come to an end: what was found of each recipient is acted on, its sender told where that is due, and it is
//! written down.

use super::agenda::Errand;
use super::fate::{Finding, Kind, Verdict};
use super::notice::{Notice, NoticeError};
use super::queue::Queue;
use crate::base::Quoted;
use crate::mail::{Action, Original, Ret};
use crate::net;
use crate::spool::{Handed, MessageId, Queued, SpoolError, State, Try};

impl Queue {
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
                Some(same) => same.recipients.push(place),
                None => tries.push(Try {
                    at,
                    recipients: vec![place],
                    host: host.map(str::to_owned),
                    result: finding.said.clone(),
                    handed: match finding.kind {
                        Kind::Withheld => Handed::Withheld,
                        _ => Handed::Over,
                    },
                }),
            }
            match finding.verdict(&queued.envelope, recipient, at) {
                Verdict::Over(state) => states.push((place, state)),
                Verdict::Tell(State::Delivered) if finding.kind == Kind::InMailbox => {
                    tell.push((Action::Delivered, place, finding));
                }
                Verdict::Tell(State::Delivered) => tell.push((Action::Relayed, place, finding)),
                Verdict::Tell(_) => tell.push((Action::Failed, place, finding)),
                Verdict::TellDelay => tell.push((Action::Delayed, place, finding)),
                Verdict::Stay => {}
            }
        }
        for action in [Action::Delivered, Action::Relayed, Action::Failed, Action::Delayed] {
            let of: Vec<(usize, Finding)> = (tell.iter())
                .filter(|(wanted, ..)| *wanted == action)
                .map(|(_, place, finding)| (*place, finding.clone()))
                .collect();
            if !of.is_empty() {
                let places = of.iter().map(|(place, _)| (*place, after(action)));
                match self.tell_of(&queued, action, &of, host).await {
                    Ok(()) => states.extend(places),
                    Err(error) => {
                        log::error!("queue={} the sender is not told: {error}", queued.id);
                        // Of a failure the sender must hear, so it is tried again with the message itself. A message that
                        // has arrived must not arrive again.
                        if matches!(action, Action::Delivered | Action::Relayed) {
                            states.extend(places);
                        }
                    }
                }
            }
        }
        self.write_down(&errand.id, &tries, &states).await;
    }

    async fn tell_of(
        &self,
        queued: &Queued,
        action: Action,
        of: &[(usize, Finding)],
        host: Option<&str>,
    ) -> Result<(), NoticeError> {
        let (text, ret) = self.original(queued, action).await?;
        let original = match ret {
            Ret::Full => Original::Full(&text),
            Ret::Headers => Original::Header(&text),
        };
        let envelope = &queued.envelope;
        self.tell(Notice { envelope, original, action, of, host, at: net::now() }).await
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
        let mut agenda = self.lock();
        agenda.done(id);
        if agenda.get(id).is_none() {
            self.came().retain(|(one, _)| one != id);
        }
        drop(agenda);
        self.wake_up();
    }
}

const fn after(action: Action) -> State {
    match action {
        Action::Relayed | Action::Delivered => State::Delivered,
        Action::Failed => State::Failed,
        Action::Delayed => State::Delayed,
    }
}
