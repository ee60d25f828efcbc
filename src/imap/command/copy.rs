//! COPY (RFC 3501 §6.4.7) and MOVE (RFC 6851), with COPYUID (RFC 4315 §3).

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::job::{Next, when_done};
use crate::imap::response::Completion;
use crate::imap::selected::Access;
use crate::imap::sequence_set::{Numbers, SequenceSet};
use crate::imap::session::Session;
use crate::maildir::MailboxName;
use crate::store::{TransferRequest, Transferred, Way};

/// `COPY 2:4 MEETING`
pub fn read_copy(args: &mut Args<'_>) -> Parsed<Action> {
    read(args, Numbers::Sequence, Way::Copy)
}

/// `UID COPY 304:306 MEETING`
pub fn read_uid_copy(args: &mut Args<'_>) -> Parsed<Action> {
    read(args, Numbers::Uid, Way::Copy)
}

/// `MOVE 2:4 MEETING`
pub fn read_move(args: &mut Args<'_>) -> Parsed<Action> {
    read(args, Numbers::Sequence, Way::Move)
}

/// `UID MOVE 304:306 MEETING`
pub fn read_uid_move(args: &mut Args<'_>) -> Parsed<Action> {
    read(args, Numbers::Uid, Way::Move)
}

fn read(args: &mut Args<'_>, numbers: Numbers, way: Way) -> Parsed<Action> {
    args.space()?;
    let set = args.sequence_set()?;
    args.space()?;
    let to = args.mailbox()?;
    args.end()?;
    Ok(Action::Work(Box::new(move |session| {
        run(session, &set, numbers, &to, way).unwrap_or_else(Next::Done)
    })))
}

fn run(
    session: &mut Session,
    set: &SequenceSet,
    numbers: Numbers,
    to: &MailboxName,
    way: Way,
) -> Result<Next, Completion> {
    let cause = session.cause();
    let target = session.account.mailboxes()?.named(to).map(|mailbox| mailbox.id);
    let target = target
        .ok_or(Completion::no("There is no such mailbox; create it first").code("TRYCREATE"))?;
    let selected = session.opened()?;
    if way == Way::Move && selected.access == Access::ReadOnly {
        return Err(Completion::no("The mailbox is open to look only").code("NOPERM"));
    }
    let (from, uids) = (selected.id, selected.uids(set, numbers)?);
    if way == Way::Copy {
        let messages = selected.view.within(&uids).count() as u64;
        session.account.room(messages, 0)?;
    }
    let request = TransferRequest { from, uids, to: target, way, cause };
    Ok(when_done(session.account.transfer(request), move |session, done| {
        Next::from(done.map_err(Completion::from).map(|done| finish(session, &done, way)))
    }))
}

/// MOVE tells COPYUID before the EXPUNGEs come (RFC 6851 §4.3), COPY in its end.
fn finish(session: &mut Session, done: &Transferred, way: Way) -> Completion {
    let completion = Completion::ok(match way {
        Way::Copy => "Copied",
        Way::Move => "Moved",
    });
    if done.from.is_empty() {
        return completion;
    }
    let code = format!("COPYUID {} {} {}", done.validity, done.from, done.to);
    match way {
        Way::Copy => completion.code(code),
        Way::Move => {
            session.out.text("* OK [").text(&code).text("] Moved\r\n");
            session.with_highest(completion)
        }
    }
}
