//! What is asked of the queue over the control socket. Blocks: it changes files.

use super::admin::{Admin, No};
use super::wire::{QueuedMessage, QueuedRecipient, QueuedTry};
use crate::base::Timestamp;
use crate::net;
use crate::service::{Listed, Queue};
use crate::spool::{Hold, MessageId, Queued, SpoolError, Try};

impl From<SpoolError> for No {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::Gone => Self::Refused("the message has just left the queue".to_owned()),
            SpoolError::Io(..) | SpoolError::NoSpace => Self::Failed(error.to_string()),
        }
    }
}

impl Admin {
    fn queue(&self) -> Result<&Queue, No> {
        let why =
            "nothing leaves this machine, so it has no queue (a server that was started by `try`)";
        self.queue.as_deref().ok_or_else(|| No::Refused(why.to_owned()))
    }

    /// What waits to leave.
    pub fn queue_list(&self) -> Result<Vec<QueuedMessage>, No> {
        Ok(self.queue()?.lock().list().into_iter().map(row).collect())
    }

    /// One message with all that was tried.
    pub fn queue_show(&self, text: &str) -> Result<QueuedMessage, No> {
        let found = self.listed(text)?;
        let tries = self.queue()?.spool().history(&found.queued)?;
        let envelope = found.queued.envelope.clone();
        let shown = |one: Try| QueuedTry {
            at: one.at.seconds(),
            to: (one.recipients.iter())
                .filter_map(|&place| envelope.recipients.get(place))
                .map(|recipient| recipient.address.to_string())
                .collect(),
            host: one.host,
            result: one.result,
        };
        Ok(QueuedMessage { tries: tries.into_iter().map(shown).collect(), ..row(found) })
    }

    /// Tries a message now, or all of them; one that was held is let go. How many.
    pub fn queue_retry(&self, text: Option<&str>) -> Result<usize, No> {
        let queue = self.queue()?;
        let ids: Vec<MessageId> = match text {
            Some(text) => vec![self.listed(text)?.queued.id],
            None => {
                let all = queue.lock().list();
                let free = all.into_iter().filter(|found| found.queued.hold == Hold::No);
                free.map(|found| found.queued.id).collect()
            }
        };
        for id in &ids {
            if queue.lock().get(id).is_some_and(|found| found.queued.hold == Hold::ByHand) {
                queue.spool().set_hold(id, Hold::No)?;
            }
            let mut agenda = queue.lock();
            agenda.set_hold(id, Hold::No);
            agenda.hurry(id, net::now());
        }
        queue.wake_up();
        log::info!("control queue={} retried", text.unwrap_or("all"));
        Ok(ids.len())
    }

    /// Keeps a message until somebody says `queue retry`.
    pub fn queue_hold(&self, text: &str) -> Result<QueuedMessage, No> {
        let id = self.listed(text)?.queued.id;
        let queue = self.queue()?;
        queue.spool().set_hold(&id, Hold::ByHand)?;
        queue.lock().set_hold(&id, Hold::ByHand);
        log::info!("control queue={id} held");
        Ok(row(self.listed(text)?))
    }

    /// Takes a message out of the queue; nobody is told.
    pub fn queue_drop(&self, text: &str) -> Result<QueuedMessage, No> {
        let found = self.listed(text)?;
        let queue = self.queue()?;
        queue.lock().drop_message(&found.queued.id);
        queue.spool().remove(&found.queued.id)?;
        log::info!("control queue={} dropped", found.queued.id);
        Ok(row(found))
    }

    fn listed(&self, text: &str) -> Result<Listed, No> {
        let queue = self.queue()?;
        let found = MessageId::parse(text).and_then(|id| queue.lock().get(&id));
        found.ok_or_else(|| {
            let name = crate::base::Quoted(text.as_bytes());
            No::Refused(format!(
                "there is no message {name} in the queue; `pillarbox queue list` shows them"
            ))
        })
    }
}

fn row(found: Listed) -> QueuedMessage {
    let Listed { queued, next } = found;
    let size = queued.size();
    let Queued { id, envelope, hold, last, .. } = queued;
    let recipients =
        envelope.recipients.into_iter().zip(last).map(|(recipient, last)| QueuedRecipient {
            address: recipient.address.to_string(),
            done: !recipient.state.is_open(),
            tried: last.as_ref().map(|last| last.at.seconds()),
            host: last.as_ref().and_then(|last| last.host.clone()),
            result: last.map(|last| last.result),
        });
    QueuedMessage {
        id: id.to_string(),
        from: envelope.reverse_path.map(|path| path.to_string()),
        arrived: envelope.arrived.seconds(),
        size,
        held: hold == Hold::ByHand,
        next: next.map(Timestamp::seconds),
        recipients: recipients.collect(),
        tries: Vec::new(),
    }
}
