//! CREATE (RFC 3501 §6.3.3).

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::job::{Next, when_done};
use crate::imap::response::Completion;
use crate::store::MailboxRequest;

/// `CREATE Work/2026`; what is missing above it is made too.
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.space()?;
    let name = args.mailbox()?;
    args.end()?;
    Ok(Action::Work(Box::new(move |session| {
        let request = MailboxRequest::Create { name, role: None };
        when_done(session.account.change_mailboxes(request, session.cause()), |_, done| {
            Next::Done(done.map_or_else(Completion::from, |()| Completion::ok("Created")))
        })
    })))
}
