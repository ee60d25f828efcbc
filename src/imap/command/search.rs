//! SEARCH (RFC 3501 §6.4.4, RETURN of RFC 4731 and RFC 5182): tries the keys on one message after the other, and lets
//! others have the thread now and then.

use super::action::Action;
use super::search_answer::Answer;
use super::search_key::{self, Key};
use super::search_return::{Return, Returns};
use super::search_trial::{Candidate, Progress, Stop, Trial};
use crate::imap::args::{Args, Parsed};
use crate::imap::dialect::Revision;
use crate::imap::job::{Job, Next};
use crate::imap::response::{Completion, Status};
use crate::imap::rows::Rows;
use crate::imap::sequence_set::Numbers;
use crate::imap::session::Session;
use crate::maildir::{Uid, UidSet};
use crate::store::StoreError;
use std::sync::Arc;

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
    let returns = Returns::read(args)?;
    let key = match search_key::read(args) {
        Ok(key) => key,
        Err(refused) if refused.status == Status::No => {
            return Ok(Action::Work(Box::new(move |session| {
                failed(session, returns.as_ref(), refused)
            })));
        }
        Err(malformed) => return Err(malformed),
    };
    let by_number = key.names_numbers();
    let job: Job = Box::new(move |session| match begin(session, &key, numbers, returns.clone()) {
        Ok(search) => go_on(session, search),
        Err(refused) => failed(session, returns.as_ref(), refused),
    });
    // RFC 7162 §3.2.10.2: a UID SEARCH too.
    Ok(if by_number { Action::WorkByNumber(job) } else { Action::Work(job) })
}

/// RFC 5182 §2.1: what is answered with NO leaves nothing in `$`, what is answered with BAD leaves it alone.
fn failed(session: &mut Session, returns: Option<&Returns>, completion: Completion) -> Next {
    if completion.status == Status::No
        && returns.is_some_and(|returns| returns.wants(Return::Save))
        && let Some(selected) = &mut session.selected
    {
        selected.saved = Arc::default();
    }
    Next::Done(completion)
}

/// A search that goes on.
struct Search {
    trial: Trial,
    progress: Progress,
    numbers: Numbers,
    returns: Option<Returns>,
    asks_mod_seq: bool,
    /// Messages that the client knew when it asked, and where the walk is.
    all: UidSet,
    next: Uid,
    rows: Rows,
    found: UidSet,
}

fn begin(
    session: &mut Session,
    key: &Key,
    numbers: Numbers,
    returns: Option<Returns>,
) -> Result<Search, Completion> {
    let asks_mod_seq = key.asks_mod_seq();
    if asks_mod_seq {
        session.becomes_aware();
    }
    let rev2 = session.dialect.revision == Revision::Rev2;
    let returns = returns.or_else(|| rev2.then(Returns::all));
    let (mailboxes, _) = session.opened_mailbox()?;
    let now = session.now;
    let selected = session.opened()?;
    let trial = Trial::new(key, selected, &mailboxes.text, now)?;
    let cards = trial.cards();
    let last = selected.view.last().map_or(Uid(0), |entry| entry.uid);
    Ok(Search {
        trial,
        progress: Progress::default(),
        numbers,
        returns,
        asks_mod_seq,
        all: UidSet::range(Uid(1), last),
        next: Uid(1),
        rows: Rows::new(cards),
        found: UidSet::default(),
    })
}

fn go_on(session: &mut Session, mut search: Search) -> Next {
    let (_, mailbox) = match session.opened_mailbox() {
        Ok(opened) => opened,
        Err(refused) => return failed(session, search.returns.as_ref(), refused),
    };
    let Session { selected: Some(selected), account, .. } = session else {
        return Next::Done(Completion::bad("No mailbox is selected"));
    };
    search.progress.begin_turn();
    let mut refused: Option<Completion> = None;
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
            Ok(true) => search.found.insert(entry.uid),
            Ok(false) => {}
            Err(Stop::Pause) => return later(search, entry.uid),
            // It is gone, and the end of this command or of the next one will tell.
            Err(Stop::Failed(StoreError::NoMessage)) => account.wait_until_published(&mailbox),
            Err(Stop::Failed(StoreError::NoMailbox)) => {}
            Err(Stop::Failed(error)) => {
                refused = Some(error.into());
                break;
            }
        }
        search.progress.begin_message();
        if search.progress.is_over() {
            return later(search, Uid(entry.uid.0.saturating_add(1)));
        }
    }
    let Search { found, numbers, returns, asks_mod_seq, .. } = search;
    if let Some(refused) = refused {
        return failed(session, returns.as_ref(), refused);
    }
    Answer { found, numbers, returns, tells_mod_seq: asks_mod_seq }.tell(session)
}

fn later(mut search: Search, next: Uid) -> Next {
    search.next = next;
    let job: Job = Box::new(move |session| go_on(session, search));
    Next::More(job)
}
