//! SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.6, §6.3.7). A subscription outlives its mailbox, so the name need not be
//! one.

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::job::{Next, when_done};
use crate::imap::response::Completion;
use crate::maildir::MailboxName;
use crate::store::MailboxRequest;

/// `SUBSCRIBE Lists`
pub fn read_subscribe(args: &mut Args<'_>) -> Parsed<Action> {
    read(args, |name| MailboxRequest::Subscribe { name }, "Subscribed")
}

/// `UNSUBSCRIBE Lists`
pub fn read_unsubscribe(args: &mut Args<'_>) -> Parsed<Action> {
    read(args, |name| MailboxRequest::Unsubscribe { name }, "Unsubscribed")
}

/// So many names a person may subscribe to.
const SUBSCRIPTIONS_MAX: usize = 10_000;

fn read(
    args: &mut Args<'_>,
    request: fn(MailboxName) -> MailboxRequest,
    done_text: &'static str,
) -> Parsed<Action> {
    args.space()?;
    let request = request(args.mailbox()?);
    args.end()?;
    Ok(Action::Work(Box::new(move |session| {
        let count =
            session.account.mailboxes().map_or(0, |mailboxes| mailboxes.subscriptions.len());
        if count >= SUBSCRIPTIONS_MAX && matches!(request, MailboxRequest::Subscribe { .. }) {
            return Next::Done(Completion::no("There are too many subscriptions").code("LIMIT"));
        }
        when_done(session.account.change_mailboxes(request, session.cause()), move |_, done| {
            Next::Done(done.map_or_else(Completion::from, |()| Completion::ok(done_text)))
        })
    })))
}
