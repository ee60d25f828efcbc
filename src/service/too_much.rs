//! A device sends more than anyone would: its owner is told at once, for somebody else may know its password.

use super::leaving::Outbox;
use crate::smtp::Envelope;

/// Tells the sender of a message that is the first to be held.
pub async fn tell_too_much(outbox: &Outbox, envelope: &Envelope) {
    let (Some(login), Some(to)) = (&envelope.login, &envelope.reverse_path) else { return };
    let a_day = outbox.allowance.a_day();
    let name = &login.name;
    log::warn!("login={name} a device sends to more than {a_day} in a day; the rest is held");
    let Some(account) = login.account else { return };
    let text = format!(
        "One of your devices has sent mail to more than {a_day} people in a day. What is over that is held and leaves on the next days, \
         {a_day} a day; nothing is lost.\n\
         If that was you, whoever runs this server can let it go at once: pillarbox queue retry. (The limit is recipients_a_day in \
         pillarbox.toml.)\n\
         If it was not you, somebody else knows the password of that device. Have it revoked now: pillarbox device list {name}, \
         pillarbox device revoke {name} ID; then pillarbox queue list shows what is held, and pillarbox queue drop ID removes it."
    );
    let subject = "Too much mail from one of your devices";
    if let Err(error) = outbox.queue.write_to(account, to, subject, &text).await {
        log::error!("login={name} is not told: {error}");
    }
}
