//! Mail of the queue that ends in mailboxes here: what was held until now, and what a mailbox did not take at once.

use super::destination::Destination;
use super::fate::{Finding, Kind};
use super::mailbox::Text;
use super::queue::Queue;
use crate::base::AccountId;
use crate::mail::trace::{delivered_to, return_path};
use crate::mail::{Address, Voice};
use crate::service::owners::{Owner, owner};
use crate::service::replies::not_stored;
use crate::smtp::{Enhanced, ForwardPath};
use crate::spool::{MessageId, Queued};
use crate::store::StoreError;

impl Queue {
    /// Takes all that waits for mailboxes here.
    pub(super) async fn deliver_here(&self, destination: &Destination) {
        loop {
            let taken = self.lock().take(destination, usize::MAX);
            let Some((errand, queued)) = taken else { return };
            let mut findings = Vec::with_capacity(errand.places.len());
            for &place in &errand.places {
                let recipient = queued.envelope.recipients.get(place);
                let finding = match recipient {
                    Some(recipient) => self.deliver(&queued, &recipient.address).await,
                    None => Finding::later(Enhanced(4, 3, 0), "the envelope is not what it was"),
                };
                findings.push(finding);
            }
            self.settle(errand, queued, findings, None).await;
        }
    }

    async fn deliver(&self, queued: &Queued, address: &Address) -> Finding {
        let ours = |error: String| Finding::later(Enhanced(4, 3, 0), error);
        let accounts = match self.accounts(address).await {
            Ok(accounts) => accounts,
            Err(finding) => return finding,
        };
        let (spool, message) = (self.spool.clone(), queued.clone());
        let text = match smol::unblock(move || spool.outgoing(&message)).await {
            Ok(outgoing) => Text::File(outgoing),
            Err(error) => return ours(error.to_string()),
        };
        let path = queued.envelope.reverse_path.as_ref();
        let trace = return_path(path) + &delivered_to(address);
        for account in accounts {
            // An alias of several: those who have it are not given it again when another's mailbox is full.
            if self.has_come(&queued.id, account) {
                continue;
            }
            match self.put_if_room(account, &trace, &text, queued.size()).await {
                Ok(()) => {
                    self.came().insert((queued.id.clone(), account));
                }
                Err(error) => {
                    let reply = not_stored(&error);
                    let status = reply.enhanced().unwrap_or(Enhanced(4, 3, 0));
                    return Finding::later(status, reply.text());
                }
            }
        }
        Finding {
            kind: Kind::InMailbox,
            status: Enhanced(2, 0, 0),
            said: "in the mailbox".to_owned(),
            voice: Voice::Us,
        }
    }

    /// Those whose mailboxes are here.
    async fn accounts(&self, address: &Address) -> Result<Vec<AccountId>, Finding> {
        let (registry, host) = (self.registry.clone(), self.host.clone());
        let path = ForwardPath::Mailbox(address.clone());
        match self.store.run(move || owner(&registry, &host, path)).await {
            Some(Ok(Owner::Ours(ours))) if !ours.accounts.is_empty() => Ok(ours.accounts),
            Some(Ok(Owner::Unknown)) => {
                Err(Finding::never(Enhanced(5, 1, 1), "nobody here has this address any more"))
            }
            Some(Ok(Owner::Ours(_) | Owner::FirstSender(_))) => {
                let said =
                    "this address has become an alias for one on another server; send it once more";
                Err(Finding::never(Enhanced(5, 1, 6), said))
            }
            // It was not known where it goes; the next time it is.
            Some(Ok(Owner::Elsewhere(_))) => {
                Err(Finding::later(Enhanced(4, 3, 0), "we had a fault"))
            }
            Some(Err(error)) => Err(Finding::later(Enhanced(4, 3, 0), error.to_string())),
            None => Err(Finding::later(Enhanced(4, 3, 2), "we were stopped")),
        }
    }

    async fn put_if_room(
        &self,
        account: AccountId,
        trace: &str,
        text: &Text,
        size: u64,
    ) -> Result<(), StoreError> {
        let asked = self.store.account(account);
        self.store.run(move || asked.room(1, size)).await.ok_or(StoreError::Closed)??;
        self.put(account, trace, text).await
    }

    fn has_come(&self, id: &MessageId, account: AccountId) -> bool {
        self.came().contains(&(id.clone(), account))
    }
}
