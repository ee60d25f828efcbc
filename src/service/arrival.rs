//! What a message that arrives by SMTP has to say of itself further on: its trace, and its envelope in the queue and in
//! notices. The sender controls most of it.

use crate::base::Timestamp;
use crate::mail::trace::Received;
use crate::mail::{Address, Date, Domain};
use crate::smtp::{Envelope, Role, Wishes};
use crate::spool;

/// The Received field. `only`: the recipient, if there is one alone.
pub fn received(
    envelope: &Envelope,
    began: Timestamp,
    host: &Domain,
    only: Option<&Address>,
    id: &str,
) -> String {
    let greeting = match (envelope.role, &envelope.login) {
        // What a program here calls itself says nothing; whose it is does.
        (Role::Local, Some(login)) => login.name.split('@').next().unwrap_or_default(),
        _ => &envelope.greeting,
    };
    let received = Received {
        greeting,
        peer: envelope.login.is_none().then_some(envelope.peer),
        tls: envelope.tls.as_ref(),
        by: host.as_str(),
        with: envelope.protocol,
        id,
        recipient: only.filter(|_| envelope.recipients.len() == 1),
        at: Date { at: began, zone_minutes: 0 },
    };
    received.field()
}

/// The envelope as the queue and notices have it, for some of its recipients.
pub fn envelope_to(
    envelope: &Envelope,
    began: Timestamp,
    recipients: &[(Address, Wishes)],
) -> spool::Envelope {
    let recipient = |(address, wishes): &(Address, Wishes)| spool::Recipient {
        notify: wishes.notify,
        original: wishes.original.clone(),
        ..spool::Recipient::new(address.clone())
    };
    let recipients = recipients.iter().map(recipient).collect();
    let parameters = &envelope.parameters;
    spool::Envelope {
        account: envelope.login.as_ref().and_then(|login| login.account),
        demands: parameters.demands,
        ret: parameters.ret,
        envelope_id: parameters.envelope_id.clone(),
        release: parameters.release,
        hold_until: parameters.release.map(|release| release.at(began)),
        ..spool::Envelope::new(began, envelope.reverse_path.clone(), recipients)
    }
}
