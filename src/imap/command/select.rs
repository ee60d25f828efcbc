//! SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2, the parameters of RFC 7162 §3.1.8, §3.2.5, and MAILBOXID, RFC 8474 §4.2; RFC 9051
//! §6.3.2, §6.3.3):
//! every number is at hand, nothing is counted, and the messages are read when a command needs them.

use super::action::Action;
use super::fetch::tell_changed;
use super::list_answer::write_mailbox;
use super::resync::{Resync, vanished, write_vanished};
use crate::imap::args::{Args, Parsed};
use crate::imap::dialect::{Condstore, Revision};
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
    let (mut condstore, mut resync) = (false, None);
    args.modifiers(|args| {
        if args.word("CONDSTORE") {
            condstore = true;
        } else if args.word("QRESYNC") {
            args.space()?;
            resync = Some(Resync::read(args)?);
        } else {
            return Err(Completion::bad("SELECT has the parameters CONDSTORE and QRESYNC only"));
        }
        Ok(())
    })?;
    args.end()?;
    if let Err(error) = &name
        && error.code.is_none()
    {
        return Err(error.clone());
    }
    Ok(Action::Work(Box::new(move |session| {
        if resync.is_some() && session.dialect.condstore < Condstore::Qresync {
            return Next::Done(Completion::bad("ENABLE QRESYNC comes first"));
        }
        if session.selected.take().is_some() {
            // RFC 7162 §3.2.11: what comes behind it is of no mailbox, or of the next one.
            session.out.text("* OK [CLOSED] Closed, nothing expunged\r\n");
        }
        if condstore {
            session.becomes_aware();
        }
        name.and_then(|name| run(session, &name, access, resync.as_ref()))
            .unwrap_or_else(Next::Done)
    })))
}

fn run(
    session: &mut Session,
    name: &MailboxName,
    access: Access,
    resync: Option<&Resync>,
) -> Result<Next, Completion> {
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
        told: mailbox.modseq,
        saved: Arc::default(),
        keywords: mailboxes.text.clone(),
    };
    let rev1 = session.dialect.revision == Revision::Rev1;
    if rev1 && recent_from < mailbox.uidnext {
        selected.load(&session.account)?;
        let recent = selected.view.iter_from(selected.view.seq_from(recent_from));
        selected.recent = recent.map(|(_, entry)| entry.uid).collect();
    }
    let out = &mut session.out;
    write_all(out, &mailboxes.text, access.permanent());
    out.text("* ").number(mailbox.count).text(" EXISTS\r\n");
    if rev1 {
        out.text("* ").number(selected.recent.len()).text(" RECENT\r\n");
    } else {
        write_mailbox(out, &mailboxes, mailbox);
    }
    if let Some(first) = mailbox.first_unseen.filter(|_| rev1) {
        out.text("* OK [UNSEEN ").number(first).text("] First unseen\r\n");
    }
    out.text("* OK [UIDVALIDITY ").number(mailbox.validity.0).text("] UIDs are valid\r\n");
    out.text("* OK [UIDNEXT ").number(mailbox.uidnext.0).text("] Next UID\r\n");
    out.text("* OK [HIGHESTMODSEQ ").number(mailbox.modseq.0).text("] Highest\r\n");
    out.text("* OK [MAILBOXID (").text(&mailbox.id.to_string()).text(")] Its id\r\n");
    let selected = session.selected.insert(selected);
    let end = match access {
        Access::ReadWrite => Completion::ok("Selected").code("READ-WRITE"),
        Access::ReadOnly => Completion::ok("Selected, to look only").code("READ-ONLY"),
    };
    let Some(resync) = resync.filter(|resync| resync.validity == mailbox.validity) else {
        return Ok(Next::Done(end));
    };
    selected.load(&session.account)?;
    let (asked, known_to) = (resync.asked(), resync.known_to(&selected.view));
    let gone = vanished(&session.account, selected, &asked, resync.since, known_to)?;
    write_vanished(&mut session.out, &gone);
    Ok(tell_changed(session, &asked, resync.since, end))
}
