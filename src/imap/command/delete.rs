//! DELETE (RFC 3501 §6.3.4): the mailbox and its messages; what lies below it stays.

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::job::{Next, when_done};
use crate::imap::response::Completion;
use crate::store::MailboxRequest;

/// `DELETE Work/2026`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.space()?;
    let name = args.mailbox()?;
    args.end()?;
    Ok(Action::Work(Box::new(move |session| {
        let id = match session.account.mailboxes() {
            Ok(mailboxes) => match mailboxes.named(&name) {
                Some(mailbox) => mailbox.id,
                None if mailboxes.has_children(&name) => {
                    let text = "There is no such mailbox, only others below that name";
                    return Next::Done(Completion::no(text).code("HASCHILDREN"));
                }
                None => return Next::Done(crate::store::StoreError::NoMailbox.into()),
            },
            Err(error) => return Next::Done(error.into()),
        };
        let request = MailboxRequest::Delete { name };
        when_done(
            session.account.change_mailboxes(request, session.cause()),
            move |session, done| {
                if done.is_ok()
                    && session.selected.as_ref().is_some_and(|selected| selected.id == id)
                {
                    // It was this session's own doing: it goes on without a mailbox.
                    session.selected = None;
                }
                Next::Done(done.map_or_else(Completion::from, |()| Completion::ok("Deleted")))
            },
        )
    })))
}
