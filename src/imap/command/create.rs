//! CREATE (RFC 3501 §6.3.3, MAILBOXID of RFC 8474 §4.1, USE of RFC 6154 §3).

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::job::{Next, when_done};
use crate::imap::response::Completion;
use crate::imap::session::Session;
use crate::maildir::{MailboxName, Role};
use crate::store::{MailboxRequest, StoreError};

/// `CREATE Work/2026`, `CREATE Old (USE (\\Archive))`; what is missing above it is made too.
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.space()?;
    let name = args.mailbox();
    let mut uses = Vec::new();
    args.modifiers(|args| {
        if !args.word("USE") {
            return Err(Completion::bad("CREATE has the parameter USE only"));
        }
        args.space()?;
        args.list(|args| {
            args.expect(b'\\')?;
            uses.push(format!("\\{}", args.atom()?));
            Ok(())
        })?;
        Ok(())
    })?;
    args.end()?;
    let (name, role) = (name?, role(&uses)?);
    Ok(Action::Work(Box::new(move |session| {
        let request = MailboxRequest::Create { name: name.clone(), role };
        let made = session.account.change_mailboxes(request, session.cause());
        when_done(made, move |session, done| match (done, role) {
            (Ok(()), _) => Next::Done(created(session, &name)),
            (Err(error @ StoreError::Cannot(_)), Some(_)) => {
                Next::Done(Completion::from(error).code("USEATTR"))
            }
            (Err(error), _) => Next::Done(error.into()),
        })
    })))
}

/// The one special use that a mailbox may have here.
fn role(uses: &[String]) -> Parsed<Option<Role>> {
    let mut role = None;
    for text in uses {
        let known = Role::parse(text).ok_or(
            Completion::no("A mailbox is for \\Archive \\Drafts \\Junk \\Sent or \\Trash")
                .code("USEATTR"),
        )?;
        if role.replace(known).is_some_and(|before| before != known) {
            let text = "A mailbox has one special use at most";
            return Err(Completion::no(text).code("USEATTR"));
        }
    }
    Ok(role)
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
