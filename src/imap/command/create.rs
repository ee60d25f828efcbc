//! CREATE (RFC 3501 §6.3.3, MAILBOXID of RFC 8474 §4.1).

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::job::{Next, when_done};
use crate::imap::response::Completion;
use crate::imap::session::Session;
use crate::maildir::MailboxName;
use crate::store::MailboxRequest;

/// `CREATE Work/2026`; what is missing above it is made too.
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.space()?;
    let name = args.mailbox()?;
    args.end()?;
    Ok(Action::Work(Box::new(move |session| {
        let request = MailboxRequest::Create { name: name.clone(), role: None };
        let made = session.account.change_mailboxes(request, session.cause());
        when_done(made, move |session, done| {
            Next::from(done.map_err(Completion::from).map(|()| created(session, &name)))
        })
    })))
}

fn created(session: &Session, name: &MailboxName) -> Completion {
    let done = Completion::ok("Created");
    match session.account.mailboxes() {
        Ok(mailboxes) => match mailboxes.named(name) {
            Some(mailbox) => done.code(format!("MAILBOXID ({})", mailbox.id)),
            // Somebody else has deleted it already.
            None => done,
        },
        Err(_) => done,
    }
}
