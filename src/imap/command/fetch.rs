//! FETCH (RFC 3501 §6.4.5, CHANGEDSINCE and VANISHED of RFC 7162 §3.1.4.1, §3.2.6): answered in pieces, each from one look at the index.

use super::action::Action;
use super::fetch_fault::Fault;
use super::fetch_item::{Item, read_items};
use super::fetch_message::{Message, Need};
use super::fetch_section::Seen;
use super::resync::{vanished, write_vanished};
use crate::imap::args::{Args, Parsed};
use crate::imap::dialect::Condstore;
use crate::imap::job::{Job, Next, when_done};
use crate::imap::response::{Completion, Status};
use crate::imap::rows::Rows;
use crate::imap::selected::Access;
use crate::imap::sequence_set::{Numbers, SequenceSet, members};
use crate::imap::session::Session;
use crate::maildir::{Flags, ModSeq, Uid, UidSet};
use crate::store::{FlagsRequest, Mode, StoreError};
use std::sync::Arc;

/// Messages of one piece for which the disk is asked, and files that it may hold open.
const PIECE_MAX: usize = 256;
const FILES_MAX: usize = 16;
/// Previews that are made in one piece, and kept with one write.
const PREVIEWS_MAX: usize = 64;
/// Messages that become `\Seen` with one change.
const SEEN_MAX: usize = 64;

/// `FETCH 1:* (FLAGS UID)`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    read_fetch(args, Numbers::Sequence)
}

/// `UID FETCH 304:306 BODY[]`
pub fn read_uid(args: &mut Args<'_>) -> Parsed<Action> {
    read_fetch(args, Numbers::Uid)
}

fn read_fetch(args: &mut Args<'_>, numbers: Numbers) -> Parsed<Action> {
    args.space()?;
    let set = args.sequence_set()?;
    args.space()?;
    let mut items = read_items(args)?;
    let (mut changed_since, mut tells_vanished) = (None, false);
    args.modifiers(|args| {
        if numbers == Numbers::Uid && args.word("VANISHED") {
            tells_vanished = true;
            return Ok(());
        }
        if !args.word("CHANGEDSINCE") {
            return Err(Completion::bad(
                "FETCH has the modifier CHANGEDSINCE, UID FETCH VANISHED too",
            ));
        }
        args.space()?;
        // Quirk(iOS 16.5): sends 0, which the grammar has not.
        changed_since = Some(ModSeq(args.number64()?));
        Ok(())
    })?;
    args.end()?;
    if tells_vanished && changed_since.is_none() {
        return Err(Completion::bad("VANISHED needs CHANGEDSINCE beside it"));
    }
    if changed_since.is_some() && !items.contains(&Item::ModSeq) {
        items.push(Item::ModSeq);
    }
    if numbers == Numbers::Uid && !items.contains(&Item::Uid) {
        items.insert(0, Item::Uid);
    }
    Ok(Action::Work(Box::new(move |session| {
        if tells_vanished && let Err(refused) = tell_vanished(session, &set, changed_since) {
            return Next::Done(refused);
        }
        begin(session, &set, numbers, items, changed_since).unwrap_or_else(Next::Done)
    })))
}

/// What went comes before the FETCH responses (RFC 7162 §3.2.6). `*` is here the last UID that was ever given, so that `1:*`
/// tells that the last message went.
fn tell_vanished(
    session: &mut Session,
    set: &SequenceSet,
    since: Option<ModSeq>,
) -> Result<(), Completion> {
    if session.dialect.condstore < Condstore::Qresync {
        return Err(Completion::bad("ENABLE QRESYNC comes first"));
    }
    session.opened()?;
    let Session { selected: Some(selected), account, out, .. } = session else { return Ok(()) };
    let asked = set.given_uids(Uid(u32::MAX), &selected.saved);
    let gone = vanished(account, selected, &asked, since.unwrap_or_default(), Uid(0))?;
    write_vanished(out, &gone);
    Ok(())
}

/// Tells UID, flags and MODSEQ of those of `asked` that changed after `since`, and ends like this.
pub fn tell_changed(session: &mut Session, asked: &UidSet, since: ModSeq, end: Completion) -> Next {
    let Some(selected) = &session.selected else { return Next::Done(end) };
    let changed = selected.view.within(asked).filter(|entry| entry.modseq > since);
    let uids = changed.map(|entry| entry.uid).collect();
    let items: Arc<[Item]> = [Item::Uid, Item::Flags, Item::ModSeq].into();
    let need = Need::of(&items, session.dialect);
    let (rows, numbers, next) = (Rows::new(need.cards()), Numbers::Uid, Uid(1));
    go_on(session, Fetch { items, need, uids, next, seen: Marking::Not, rows, numbers, end })
}

/// What is left to be fetched.
struct Fetch {
    items: Arc<[Item]>,
    need: Need,
    uids: UidSet,
    /// The next message has this UID or a higher one.
    next: Uid,
    seen: Marking,
    rows: Rows,
    numbers: Numbers,
    /// What the client is told at the end; `NO` if a message could not be had.
    end: Completion,
}

/// Whether the messages become `\Seen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marking {
    /// They do not.
    Not,
    /// They do, and those up to here have been marked.
    UpTo(Uid),
}

fn begin(
    session: &mut Session,
    set: &SequenceSet,
    numbers: Numbers,
    items: Vec<Item>,
    changed_since: Option<ModSeq>,
) -> Result<Next, Completion> {
    if items.contains(&Item::ModSeq) {
        session.becomes_aware();
    }
    let selected = session.opened()?;
    let mut uids = selected.uids(set, numbers)?;
    if let Some(since) = changed_since {
        let changed =
            members(&selected.view, &uids, Uid(1)).filter(|(_, entry)| entry.modseq > since);
        uids = changed.map(|(_, entry)| entry.uid).collect();
    }
    let sets_seen = |item: &Item| match item {
        Item::Section(section) => section.seen == Seen::Set,
        Item::Binary(binary) => binary.seen == Seen::Set,
        _ => false,
    };
    let seen = if selected.access == Access::ReadWrite && items.iter().any(sets_seen) {
        Marking::UpTo(Uid(0))
    } else {
        Marking::Not
    };
    let need = Need::of(&items, session.dialect);
    let rows = Rows::new(need.cards());
    let (items, next, end) = (items.into(), Uid(1), Completion::ok("Fetched"));
    Ok(go_on(session, Fetch { items, need, uids, next, seen, rows, numbers, end }))
}

fn go_on(session: &mut Session, fetch: Fetch) -> Next {
    match fetch.seen {
        Marking::UpTo(last) if last < fetch.next => mark(session, fetch),
        Marking::UpTo(_) | Marking::Not => write(session, fetch).unwrap_or_else(Next::Done),
    }
}

/// The next messages become `\Seen` before they are sent, so that what is said of their flags is so.
fn mark(session: &mut Session, mut fetch: Fetch) -> Next {
    let cause = session.cause();
    let Ok(selected) = session.opened() else { return Next::Done(Completion::ok("Fetched")) };
    let (mut unseen, mut last) = (UidSet::default(), Uid(u32::MAX));
    for (at, (_, entry)) in members(&selected.view, &fetch.uids, fetch.next).enumerate() {
        if at == SEEN_MAX {
            break;
        }
        last = entry.uid;
        if !entry.flags.contains(Flags::SEEN) {
            unseen.insert(entry.uid);
        }
    }
    fetch.seen = Marking::UpTo(last);
    if unseen.is_empty() {
        return go_on(session, fetch);
    }
    let request = FlagsRequest {
        mailbox: selected.id,
        uids: unseen.clone(),
        mode: Mode::Add,
        flags: Flags::SEEN,
        keywords: Vec::new(),
        unchanged_since: None,
        cause,
    };
    when_done(session.account.store_flags(request), move |session, done| {
        match done {
            Ok(_) => match know_seen(session, &unseen) {
                Ok(marked) => fetch.need.marked = marked,
                Err(refused) => return Next::Done(refused),
            },
            Err(error) => {
                // A disk that takes no changes is no reason not to read.
                log::warn!("service=imap not marked as seen: {error}");
                fetch.seen = Marking::Not;
            }
        }
        go_on(session, fetch)
    })
}

/// Those that are still there.
fn know_seen(session: &mut Session, uids: &UidSet) -> Result<UidSet, Completion> {
    let (mailboxes, mailbox) = session.opened_mailbox()?;
    let newest = session.account.array(&mailbox)?;
    if let Session { selected: Some(selected), out, .. } = session {
        selected.know(&mailboxes, &newest, uids, out);
    }
    Ok(newest.within(uids).map(|entry| entry.uid).collect())
}

fn write(session: &mut Session, mut fetch: Fetch) -> Result<Next, Completion> {
    let (_, mailbox) = session.opened_mailbox()?;
    let Session { selected: Some(selected), out, account, .. } = session else {
        return Err(Completion::bad("No mailbox is selected"));
    };
    let marked_to = match fetch.seen {
        Marking::Not => Uid(u32::MAX),
        Marking::UpTo(last) => last,
    };
    let (mut count, mut files, mut next, mut missed) = (0, 0, None, false);
    let mut previews = Vec::new();
    for (seq, entry) in members(&selected.view, &fetch.uids, fetch.next) {
        let much = count == PIECE_MAX && fetch.need.asks_the_disk();
        let much = much || previews.len() >= PREVIEWS_MAX;
        if much || files >= FILES_MAX || out.is_full() || entry.uid > marked_to {
            next = Some(entry.uid);
            break;
        }
        count += 1;
        let (mailbox, rows, previews) = (&*mailbox, &mut fetch.rows, &mut previews);
        let mut message = Message { account, mailbox, selected, seq, entry, rows, previews };
        let mut written = message.write(out, &fetch.items, &fetch.need, &fetch.uids);
        if matches!(written, Err(Fault::Store(StoreError::NoMessage)))
            && message.rows.renew(account, mailbox.id, entry.uid).is_ok()
        {
            written = message.write(out, &fetch.items, &fetch.need, &fetch.uids);
        }
        match written {
            Ok(opened) => files += opened,
            // What another session expunged in the meantime cannot be had (RFC 2180 §4.1.2). A UID that is not there is
            // no fault of anybody's (RFC 3501 §6.4.8).
            Err(Fault::Store(StoreError::NoMessage)) if fetch.numbers == Numbers::Uid => {
                missed = true;
            }
            Err(Fault::Store(StoreError::NoMessage)) => {
                missed = true;
                let gone = Completion::no("Some of the messages are gone").code("EXPUNGEISSUED");
                if fetch.end.status == Status::Ok {
                    fetch.end = gone;
                }
            }
            Err(Fault::UnknownEncoding) => {
                let text =
                    "A part has a transfer encoding that is not known here; BODY has it as it is";
                if fetch.end.status == Status::Ok {
                    fetch.end = Completion::no(text).code("UNKNOWN-CTE");
                }
            }
            Err(Fault::Store(error)) => {
                log::error!("service=imap uid={} not fetched: {error}", entry.uid);
                let text = "Some of the messages cannot be read; see the server's log";
                fetch.end = Completion::no(text).code("SERVERBUG");
            }
        }
    }
    account.keep_previews(&previews);
    if missed {
        // So that the end of this command tells that it is gone.
        account.wait_until_published(&mailbox);
    }
    Ok(match next {
        Some(uid) => {
            fetch.next = uid;
            let job: Job = Box::new(move |session| go_on(session, fetch));
            Next::More(job)
        }
        None => Next::Done(fetch.end),
    })
}
