//! STORE (RFC 3501 §6.4.6, UNCHANGEDSINCE of RFC 7162 §3.1.3).

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::dialect::Condstore;
use crate::imap::flag_text::FlagNames;
use crate::imap::job::{Job, Next, when_done};
use crate::imap::response::Completion;
use crate::imap::selected::{Access, Selected};
use crate::imap::sequence_set::{Numbers, SequenceSet, members};
use crate::imap::session::Session;
use crate::maildir::{FlagEdit, Flags, ModSeq, Uid, UidSet};
use crate::store::{Array, Entry, FlagsRequest, Mode, Stored};

/// What a client wants to hear of the new flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answering {
    /// All of them.
    Flags,
    /// `.SILENT`
    Silent,
}

/// The arguments.
#[derive(Debug, Clone)]
struct Store {
    set: SequenceSet,
    numbers: Numbers,
    unchanged_since: Option<ModSeq>,
    mode: Mode,
    answering: Answering,
    names: FlagNames,
}

/// `STORE 2:4 +FLAGS (\Deleted)`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    read_store(args, Numbers::Sequence)
}

/// `UID STORE 304:306 +FLAGS.SILENT (\Deleted)`
pub fn read_uid(args: &mut Args<'_>) -> Parsed<Action> {
    read_store(args, Numbers::Uid)
}

fn read_store(args: &mut Args<'_>, numbers: Numbers) -> Parsed<Action> {
    args.space()?;
    let set = args.sequence_set()?;
    let mut unchanged_since = None;
    args.modifiers(|args| {
        if !args.word("UNCHANGEDSINCE") {
            return Err(Completion::bad("STORE has the modifier UNCHANGEDSINCE only"));
        }
        args.space()?;
        unchanged_since = Some(ModSeq(args.number64()?));
        Ok(())
    })?;
    args.space()?;
    let mode = if args.eat(b'+') {
        Mode::Add
    } else if args.eat(b'-') {
        Mode::Remove
    } else {
        Mode::Replace
    };
    let answering = if args.word("FLAGS.SILENT") {
        Answering::Silent
    } else if args.word("FLAGS") {
        Answering::Flags
    } else {
        return Err(Completion::bad(
            "STORE changes FLAGS, +FLAGS or -FLAGS, each with .SILENT or without",
        ));
    };
    args.space()?;
    let names = FlagNames::read_loose(args)?;
    args.end()?;
    let store = Store { set, numbers, unchanged_since, mode, answering, names };
    Ok(Action::Work(Box::new(move |session| run(session, store).unwrap_or_else(Next::Done))))
}

fn run(session: &mut Session, store: Store) -> Result<Next, Completion> {
    if store.unchanged_since.is_some() {
        session.becomes_aware();
    }
    let cause = session.cause();
    let selected = session.opened()?;
    if selected.access == Access::ReadOnly {
        return Err(Completion::no("The mailbox is open to look only").code("NOPERM"));
    }
    let uids = selected.uids(&store.set, store.numbers)?;
    let request = FlagsRequest {
        mailbox: selected.id,
        uids: uids.clone(),
        mode: store.mode,
        flags: store.names.flags,
        keywords: store.names.keywords.clone(),
        unchanged_since: store.unchanged_since,
        cause,
    };
    Ok(when_done(session.account.store_flags(request), move |session, done| match done {
        Ok(stored) => finish(session, &store, &uids, &stored).unwrap_or_else(Next::Done),
        Err(error) => Next::Done(error.into()),
    }))
}

/// What the command leads to is known to the client as far as it can conclude it or is told it here; what others did
/// at the same time is left for the news.
fn finish(
    session: &mut Session,
    store: &Store,
    uids: &UidSet,
    stored: &Stored,
) -> Result<Next, Completion> {
    let (mailboxes, mailbox) = session.opened_mailbox()?;
    let newest = session.account.array(&mailbox)?;
    let Session { selected: Some(selected), out, dialect, .. } = session else {
        return Err(Completion::bad("No mailbox is selected"));
    };
    let keywords = store.names.keywords.iter().filter_map(|name| mailboxes.text.keyword(name));
    let flags = keywords.fold(store.names.flags, Flags::union);
    let edit = match store.mode {
        Mode::Add => FlagEdit::Add(flags),
        Mode::Remove => FlagEdit::Remove(flags),
        Mode::Replace => FlagEdit::Set(flags),
    };
    let result = |before: Entry| edit.apply(before.flags, mailboxes.text.known());
    let Outcome { known, told, explained, gone } =
        Outcome::of(selected, &newest, uids, |before, now| {
            let surprising = result(before) != now.flags;
            match (store.answering, dialect.condstore) {
                _ if stored.modified.contains(now.uid) => Telling::Explained,
                (Answering::Flags, _) => Telling::Told,
                (Answering::Silent, Condstore::Aware | Condstore::Qresync) if surprising => {
                    Telling::Explained
                }
                (Answering::Silent, Condstore::Aware | Condstore::Qresync)
                    if before != now || store.unchanged_since.is_some() =>
                {
                    Telling::Told
                }
                (Answering::Silent, _) if surprising => Telling::Later,
                (Answering::Silent, _) => Telling::Concluded,
            }
        });
    selected.know(&mailboxes, &newest, &known, out);
    let form = match store.answering {
        Answering::Flags => Form::Flags,
        Answering::Silent => Form::ModSeq,
    };
    let completion = completion(selected, store, &stored.modified, &gone);
    let (from, numbers) = (Uid(1), store.numbers);
    Ok(answer(session, Answer { told, from, numbers, form, explained, completion }))
}

/// How a client comes to know how a message stands after its STORE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    /// It concludes it.
    Concluded,
    /// By what it asked for.
    Told,
    /// By the flags, whatever it asked for: others changed them too, or UNCHANGEDSINCE left them alone (RFC 7162
    /// §3.1.3, example 10).
    Explained,
    /// By the news that come behind.
    Later,
}

/// Messages by what follows for them.
#[derive(Debug, Default)]
struct Outcome {
    known: UidSet,
    told: UidSet,
    explained: UidSet,
    /// Others expunged them.
    gone: UidSet,
}

impl Outcome {
    fn of(
        selected: &Selected,
        newest: &Array,
        uids: &UidSet,
        telling: impl Fn(Entry, Entry) -> Telling,
    ) -> Self {
        let mut outcome = Self::default();
        for (_, before) in members(&selected.view, uids, Uid(1)) {
            let uid = before.uid;
            let Some((_, now)) = newest.find(uid) else {
                outcome.gone.insert(uid);
                continue;
            };
            let telling = telling(before, now);
            if telling == Telling::Explained {
                outcome.explained.insert(uid);
            }
            if matches!(telling, Telling::Told | Telling::Explained) {
                outcome.told.insert(uid);
            }
            if telling != Telling::Later {
                outcome.known.insert(uid);
            }
        }
        outcome
    }
}

fn completion(selected: &Selected, store: &Store, modified: &UidSet, gone: &UidSet) -> Completion {
    // RFC 2180 §4.2: a number of what others expunged cannot be answered. A UID of that kind is passed over, and so is
    // either where no answer was asked for.
    let missed = !gone.is_empty()
        && (store.numbers, store.answering) == (Numbers::Sequence, Answering::Flags);
    let done = match missed {
        true => Completion::no("Some of the messages are gone"),
        false => Completion::ok("Stored"),
    };
    if modified.is_empty() {
        return if missed { done.code("EXPUNGEISSUED") } else { done };
    }
    let modified = match store.numbers {
        Numbers::Uid => modified.clone(),
        Numbers::Sequence => selected.sequence_numbers(modified).into_iter().map(Uid).collect(),
    };
    let done = match missed {
        true => done,
        false => Completion::ok("Some were changed by others in the meantime"),
    };
    done.code(format!("MODIFIED {modified}"))
}

/// What of each message is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Flags,
    ModSeq,
}

/// What is left to be told.
struct Answer {
    told: UidSet,
    from: Uid,
    numbers: Numbers,
    form: Form,
    /// Of these the flags are told, whatever the form.
    explained: UidSet,
    completion: Completion,
}

fn answer(session: &mut Session, mut answer: Answer) -> Next {
    let Session { selected: Some(selected), out, dialect, .. } = session else {
        return Next::Done(answer.completion);
    };
    let mut next = None;
    for (seq, entry) in members(&selected.view, &answer.told, answer.from) {
        if out.is_full() {
            next = Some(entry.uid);
            break;
        }
        out.text("* ").number(seq).text(" FETCH (");
        if answer.numbers == Numbers::Uid || dialect.tells_uid() {
            out.text("UID ").number(entry.uid.0).text(" ");
        }
        if dialect.condstore >= Condstore::Aware {
            out.text("MODSEQ (").number(entry.modseq.0).text(")");
        }
        if answer.form == Form::Flags || answer.explained.contains(entry.uid) {
            out.text(if dialect.condstore >= Condstore::Aware { " FLAGS " } else { "FLAGS " });
            selected.write_flag_list(out, entry.uid, entry.flags);
        }
        out.text(")\r\n");
    }
    match next {
        Some(uid) => {
            answer.from = uid;
            let job: Job = Box::new(move |session| self::answer(session, answer));
            Next::More(job)
        }
        None => Next::Done(answer.completion),
    }
}
