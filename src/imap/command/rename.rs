//! RENAME (RFC 3501 §6.3.5): with all that lies below; of INBOX only the messages go.

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::job::{Next, when_done};
use crate::imap::response::Completion;
use crate::store::MailboxRequest;

/// `RENAME Work/2025 Archive/2025`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.space()?;
    let from = args.mailbox()?;
    args.space()?;
    let to = args.mailbox()?;
    args.end()?;
    Ok(Action::Work(Box::new(move |session| {
        let request = MailboxRequest::Rename { from, to };
        when_done(session.account.change_mailboxes(request, session.cause()), |_, done| {
            Next::Done(done.map_or_else(Completion::from, |()| Completion::ok("Renamed")))
        })
    })))
}
