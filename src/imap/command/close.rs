//! CLOSE (RFC 3501 §6.4.2) and UNSELECT (RFC 3691).

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::job::{Next, when_done};
use crate::imap::response::Completion;
use crate::imap::selected::Access;
use crate::maildir::{Flags, Uid, UidSet};
use crate::store::ExpungeRequest;

/// `CLOSE`: messages with `\Deleted` go without a word.
pub fn read_close(args: &mut Args<'_>) -> Parsed<Action> {
    args.end()?;
    Ok(Action::Work(Box::new(|session| {
        let closed = Completion::ok("Closed");
        let Some(selected) = session.selected.take().filter(|s| s.access == Access::ReadWrite)
        else {
            return Next::Done(closed);
        };
        let request = ExpungeRequest {
            mailbox: selected.id,
            uids: UidSet::range(Uid(1), Uid(u32::MAX)),
            only: Flags::DELETED,
            cause: session.cause(),
        };
        when_done(session.account.expunge(request), |_, gone| {
            Next::Done(gone.map_or_else(Completion::from, |_| Completion::ok("Closed")))
        })
    })))
}

/// `UNSELECT`: nothing goes.
pub fn read_unselect(args: &mut Args<'_>) -> Parsed<Action> {
    args.end()?;
    Ok(Action::Work(Box::new(|session| {
        session.selected = None;
        Next::Done(Completion::ok("Closed, nothing expunged"))
    })))
}
