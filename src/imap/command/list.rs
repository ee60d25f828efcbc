//! LIST in its plain form and LSUB (RFC 3501 §6.3.8, §6.3.9), with CHILDREN (RFC 3348) and the special uses (RFC 6154) on every answer.

use super::action::Action;
use super::list_answer::{ancestors, children_attribute, use_attribute, write};
use super::list_extended;
use super::list_option::{Form, Request};
use crate::imap::args::{Args, Parsed};
use crate::imap::job::{Job, Next};
use crate::imap::list_pattern::{Fit, ListPattern};
use crate::imap::response::Completion;
use crate::imap::session::Session;
use crate::imap::writer::Writer;
use crate::maildir::MailboxName;
use crate::store::Mailboxes;
use std::collections::{BTreeMap, btree_map};
use std::sync::Arc;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    List,
    Lsub,
}

/// `LIST "" *`, `LIST (SUBSCRIBED) "" (INBOX Lists/%) RETURN (CHILDREN)`
pub fn read_list(args: &mut Args<'_>) -> Parsed<Action> {
    let mut request = Request::read(args)?;
    match (request.form, request.patterns.pop()) {
        (Form::Plain, Some(pattern)) => Ok(list(Kind::List, request.reference, pattern)),
        (Form::Plain | Form::Extended, last) => {
            request.patterns.extend(last);
            Ok(Action::Work(Box::new(move |session| list_extended::begin(session, request))))
        }
    }
}

/// `LSUB "" *`
pub fn read_lsub(args: &mut Args<'_>) -> Parsed<Action> {
    args.space()?;
    let reference = args.astring()?.into_owned();
    args.space()?;
    let name = args.list_mailbox()?.into_owned();
    args.end()?;
    Ok(list(Kind::Lsub, reference, name))
}

fn list(kind: Kind, reference: Vec<u8>, name: Vec<u8>) -> Action {
    Action::Work(Box::new(move |session| {
        let done = Completion::ok("That is all");
        if name.is_empty() && kind == Kind::List {
            // RFC 3501 §6.3.8: asks for the separator and the root of the reference.
            session.out.text("* LIST (\\Noselect) \"/\" \"\"\r\n");
            return Next::Done(done);
        }
        // A pattern that is no text of ours fits nothing.
        let texts = session.dialect.texts;
        let Some(pattern) = ListPattern::new(&reference, &name, texts) else {
            return Next::Done(done);
        };
        let mailboxes = match session.account.mailboxes() {
            Ok(mailboxes) => mailboxes,
            Err(error) => return Next::Done(error.into()),
        };
        let candidates = match kind {
            Kind::List => all(&mailboxes),
            Kind::Lsub => {
                mailboxes.subscriptions.iter().map(|name| (name.clone(), Is::Itself)).collect()
            }
        };
        let (candidates, fitting) = (candidates.into_iter(), BTreeMap::new());
        go_on(session, Listing { kind, pattern, mailboxes, candidates, fitting })
    }))
}

/// Whether a name that fits is a mailbox, or only stands above one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Itself,
    Above,
}

/// Mailboxes, and levels above others though no mailbox has that name.
fn all(mailboxes: &Mailboxes) -> BTreeMap<MailboxName, Is> {
    let mut names = BTreeMap::new();
    for mailbox in mailboxes.iter() {
        names.insert(mailbox.name.clone(), Is::Itself);
        for above in ancestors(&mailbox.name) {
            names.entry(above).or_insert(Is::Above);
        }
    }
    names
}

/// What is left to be compared and to be told.
struct Listing {
    kind: Kind,
    pattern: ListPattern,
    mailboxes: Arc<Mailboxes>,
    candidates: btree_map::IntoIter<MailboxName, Is>,
    fitting: BTreeMap<MailboxName, Is>,
}

/// Steps of one turn on the thread; then others have theirs.
const TURN_MAX: usize = 500_000;

fn go_on(session: &mut Session, mut listing: Listing) -> Next {
    let mut spent = 0;
    while spent < TURN_MAX
        && let Some((name, is)) = listing.candidates.next()
    {
        spent += listing.pattern.cost(name.as_str());
        match (listing.kind, listing.pattern.fit(name.as_str())) {
            (_, Fit::Whole) => {
                listing.fitting.insert(name, is);
            }
            // RFC 3501 §6.3.9: of a subscribed name that does not fit, the nearest level above it that does.
            (Kind::Lsub, Fit::Above(level)) => {
                let level = ancestors(&name).find(|above| above.as_str() == level);
                if let Some(level) = level {
                    listing.fitting.entry(level).or_insert(Is::Above);
                }
            }
            (Kind::List, Fit::Above(_)) | (_, Fit::Not) => {}
        }
    }
    while listing.candidates.len() == 0
        && !session.out.is_full()
        && let Some((name, is)) = listing.fitting.pop_first()
    {
        tell(&mut session.out, listing.kind, &listing.mailboxes, &name, is);
    }
    if listing.candidates.len() == 0 && listing.fitting.is_empty() {
        return Next::Done(Completion::ok("That is all"));
    }
    let job: Job = Box::new(move |session| go_on(session, listing));
    Next::More(job)
}

fn tell(out: &mut Writer, kind: Kind, mailboxes: &Mailboxes, name: &MailboxName, is: Is) {
    let word = match kind {
        Kind::List => "LIST",
        Kind::Lsub => "LSUB",
    };
    let nothing = is == Is::Above || (mailboxes.named(name).is_none() && kind == Kind::List);
    let has_children = is == Is::Above || mailboxes.has_children(name);
    let children = children_attribute(has_children);
    let attributes = nothing.then_some("\\Noselect").into_iter().chain([children]);
    write(out, word, attributes.chain(use_attribute(mailboxes, name)), name);
    out.text("\r\n");
}
