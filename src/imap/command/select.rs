//! SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2, CONDSTORE's parameter, RFC 7162 §3.1.8, and MAILBOXID, RFC 8474 §4.2):
//! every number is at hand, nothing is counted, and the messages are read when a command needs them.

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::flag_text::write_all;
use crate::imap::job::Next;
use crate::imap::response::Completion;
use crate::imap::selected::{Access, Selected};
use crate::imap::session::Session;
use crate::maildir::{MailboxName, UidSet};
use crate::store::{Array, StoreError};
use std::sync::Arc;

/// `SELECT INBOX`
pub fn read_select(args: &mut Args<'_>) -> Parsed<Action> {
    read(args, Access::ReadWrite)
}

/// `EXAMINE INBOX`
pub fn read_examine(args: &mut Args<'_>) -> Parsed<Action> {
    read(args, Access::ReadOnly)
}

fn read(args: &mut Args<'_>, access: Access) -> Parsed<Action> {
    args.space()?;
    // RFC 3501 §6.3.1: a SELECT that fails leaves no mailbox selected, one with such a name too.
    let name = args.mailbox();
    let mut condstore = false;
    args.modifiers(|args| {
        condstore = true;
        if args.word("CONDSTORE") {
            Ok(())
        } else {
            Err(Completion::bad("SELECT has the parameter CONDSTORE only"))
        }
    })?;
    args.end()?;
    if let Err(error) = &name
        && error.code.is_none()
    {
        return Err(error.clone());
    }
    Ok(Action::Work(Box::new(move |session| {
        if session.selected.take().is_some() {
            // RFC 7162 §3.2.11: what comes behind it is of no mailbox, or of the next one.
            session.out.text("* OK [CLOSED] Closed, nothing expunged\r\n");
        }
        if condstore {
            session.becomes_aware();
        }
        Next::from(name.and_then(|name| run(session, &name, access)))
    })))
}

fn run(
    session: &mut Session,
    name: &MailboxName,
    access: Access,
) -> Result<Completion, Completion> {
    let mailboxes = session.account.mailboxes()?;
    let mailbox = mailboxes.named(name).ok_or(StoreError::NoMailbox)?;
    let recent_from = match access {
        Access::ReadWrite => session.account.claim_recent(mailbox),
        Access::ReadOnly => session.account.recent_from(mailbox),
    };
    let mut selected = Selected {
        id: mailbox.id,
        access,
        view: Array::default(),
        unread: Some(mailbox.clone()),
        recent: UidSet::default(),
        saved: Arc::default(),
        keywords: mailboxes.text.clone(),
    };
    if recent_from < mailbox.uidnext {
        selected.load(&session.account)?;
        let recent = selected.view.iter_from(selected.view.seq_from(recent_from));
        selected.recent = recent.map(|(_, entry)| entry.uid).collect();
    }
    let out = &mut session.out;
    write_all(out, &mailboxes.text, access.permanent());
    out.text("* ").number(mailbox.count).text(" EXISTS\r\n* ");
    out.number(selected.recent.len()).text(" RECENT\r\n");
    if let Some(first) = mailbox.first_unseen {
        out.text("* OK [UNSEEN ").number(first).text("] First unseen\r\n");
    }
    out.text("* OK [UIDVALIDITY ").number(mailbox.validity.0).text("] UIDs are valid\r\n");
    out.text("* OK [UIDNEXT ").number(mailbox.uidnext.0).text("] Next UID\r\n");
    out.text("* OK [HIGHESTMODSEQ ").number(mailbox.modseq.0).text("] Highest\r\n");
    out.text("* OK [MAILBOXID (").text(&mailbox.id.to_string()).text(")] Its id\r\n");
    session.selected = Some(selected);
    Ok(match access {
        Access::ReadWrite => Completion::ok("Selected").code("READ-WRITE"),
        Access::ReadOnly => Completion::ok("Selected, to look only").code("READ-ONLY"),
    })
}
