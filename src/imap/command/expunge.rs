//! EXPUNGE (RFC 3501 §6.4.3) and UID EXPUNGE (RFC 4315 §2.1).

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::job::{Next, when_done};
use crate::imap::response::Completion;
use crate::imap::selected::Access;
use crate::imap::sequence_set::{Numbers, SequenceSet};
use crate::imap::session::Session;
use crate::maildir::{Flags, Uid, UidSet};
use crate::store::ExpungeRequest;

/// `EXPUNGE`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.end()?;
    Ok(Action::Work(Box::new(|session| run(session, None))))
}

/// `UID EXPUNGE 3000:3002`
pub fn read_uid(args: &mut Args<'_>) -> Parsed<Action> {
    args.space()?;
    let set = args.sequence_set()?;
    args.end()?;
    Ok(Action::Work(Box::new(move |session| run(session, Some(&set)))))
}

/// Only what this client knows may go: a message that came with `\Deleted` a moment ago waits for the next time.
fn run(session: &mut Session, set: Option<&SequenceSet>) -> Next {
    let cause = session.cause();
    let selected = match session.opened() {
        Ok(selected) => selected,
        Err(refused) => return Next::Done(refused),
    };
    if selected.access == Access::ReadOnly {
        return Next::Done(Completion::no("The mailbox is open to look only").code("NOPERM"));
    }
    let last = selected.view.last().map_or(Uid(0), |entry| entry.uid);
    let known = UidSet::range(Uid(1), last);
    let uids = match set.map_or(Ok(known), |set| selected.uids(set, Numbers::Uid)) {
        Ok(uids) => uids,
        Err(refused) => return Next::Done(refused),
    };
    let request = ExpungeRequest { mailbox: selected.id, uids, only: Flags::DELETED, cause };
    when_done(session.account.expunge(request), |session, gone| {
        // The EXPUNGE responses come with all other news of the mailbox.
        Next::Done(match gone {
            Ok(gone) if gone.is_empty() => Completion::ok("Nothing was to be expunged"),
            Ok(_) => session.with_highest(Completion::ok("Expunged")),
            Err(error) => error.into(),
        })
    })
}
