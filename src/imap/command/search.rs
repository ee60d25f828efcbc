//! SEARCH (RFC 3501 §6.4.4): tries the keys on one message after the other, and lets others have the thread now and
//! then.

use super::action::Action;
use super::search_key::{self, Key};
use super::search_trial::{Candidate, Progress, Stop, Trial};
use crate::imap::args::{Args, Parsed};
use crate::imap::job::{Job, Next};
use crate::imap::response::Completion;
use crate::imap::rows::Rows;
use crate::imap::sequence_set::Numbers;
use crate::imap::session::Session;
use crate::maildir::{ModSeq, Uid, UidSet};
use crate::store::StoreError;

/// `SEARCH UNSEEN FROM "Smith"`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    read_search(args, Numbers::Sequence)
}

/// `UID SEARCH UNSEEN FROM "Smith"`
pub fn read_uid(args: &mut Args<'_>) -> Parsed<Action> {
    read_search(args, Numbers::Uid)
}

fn read_search(args: &mut Args<'_>, numbers: Numbers) -> Parsed<Action> {
    args.space()?;
    let key = search_key::read(args)?;
    Ok(Action::Work(Box::new(move |session| {
        begin(session, &key, numbers).unwrap_or_else(Next::Done)
    })))
}

/// A search that goes on.
struct Search {
    trial: Trial,
    progress: Progress,
    numbers: Numbers,
    /// Messages that the client knew when it asked, and where the walk is.
    all: UidSet,
    next: Uid,
    rows: Rows,
    found: Vec<u32>,
    /// The highest of what was found, if MODSEQ was asked for.
    highest: Option<ModSeq>,
}

fn begin(session: &mut Session, key: &Key, numbers: Numbers) -> Result<Next, Completion> {
    let asks_mod_seq = key.asks_mod_seq();
    if asks_mod_seq {
        session.becomes_aware();
    }
    let (mailboxes, _) = session.opened_mailbox()?;
    let now = session.now;
    let selected = session.opened()?;
    let trial = Trial::new(key, selected, &mailboxes.text, now)?;
    let last = selected.view.last().map_or(Uid(0), |entry| entry.uid);
    let search = Search {
        trial,
        progress: Progress::default(),
        numbers,
        all: UidSet::range(Uid(1), last),
        next: Uid(1),
        rows: Rows::default(),
        found: Vec::new(),
        highest: asks_mod_seq.then_some(ModSeq(0)),
    };
    Ok(go_on(session, search))
}

fn go_on(session: &mut Session, mut search: Search) -> Next {
    let (_, mailbox) = match session.opened_mailbox() {
        Ok(opened) => opened,
        Err(refused) => return Next::Done(refused),
    };
    let Session { selected: Some(selected), account, .. } = session else {
        return Next::Done(Completion::bad("No mailbox is selected"));
    };
    search.progress.begin_turn();
    let first = selected.view.seq_from(search.next);
    for (seq, entry) in selected.view.iter_from(first) {
        let mut candidate = Candidate::new(
            account,
            &mailbox,
            selected,
            (seq, entry),
            &mut search.rows,
            &search.all,
        );
        match candidate.fits(&search.trial, &mut search.progress) {
            Ok(true) => {
                search.found.push(match search.numbers {
                    Numbers::Sequence => seq,
                    Numbers::Uid => entry.uid.0,
                });
                search.highest = search.highest.map(|highest| highest.max(entry.modseq));
            }
            Ok(false) => {}
            Err(Stop::Pause) => return later(search, entry.uid),
            // It is gone, and the client will be told.
            Err(Stop::Failed(StoreError::NoMessage | StoreError::NoMailbox)) => {}
            Err(Stop::Failed(error)) => return Next::Done(error.into()),
        }
        search.progress.begin_message();
        if search.progress.is_over() {
            return later(search, Uid(entry.uid.0.saturating_add(1)));
        }
    }
    session.out.text("* SEARCH");
    let highest = search.highest.filter(|_| !search.found.is_empty());
    answer(session, search.found, 0, highest)
}

fn later(mut search: Search, next: Uid) -> Next {
    search.next = next;
    let job: Job = Box::new(move |session| go_on(session, search));
    Next::More(job)
}

fn answer(session: &mut Session, found: Vec<u32>, from: usize, highest: Option<ModSeq>) -> Next {
    for (at, number) in found.iter().enumerate().skip(from) {
        if session.out.is_full() {
            let job: Job = Box::new(move |session| answer(session, found, at, highest));
            return Next::More(job);
        }
        session.out.text(" ").number(*number);
    }
    if let Some(highest) = highest {
        session.out.text(" (MODSEQ ").number(highest.0).text(")");
    }
    session.out.text("\r\n");
    Next::Done(Completion::ok("Searched"))
}
