//! LIST-EXTENDED (RFC 5258) and LIST-STATUS (RFC 5819): which names are selected, which of them fit, and which stand
//! above others that do not. The client wrote the patterns, so what they cost is counted, and others have the thread
//! now and then.

use super::list_answer::{ancestors, children_attribute, use_attribute, write};
use super::list_option::{Request, Return, Select};
use crate::imap::job::{Job, Next};
use crate::imap::list_pattern::{Fit, ListPattern};
use crate::imap::response::Completion;
use crate::imap::session::Session;
use crate::imap::writer::Writer;
use crate::maildir::MailboxName;
use crate::store::Mailboxes;
use std::collections::{BTreeMap, BTreeSet, btree_set};
use std::sync::Arc;

/// What is left to be compared and to be told.
struct Listing {
    patterns: Vec<ListPattern>,
    selects: Vec<Select>,
    returns: Vec<Return>,
    mailboxes: Arc<Mailboxes>,
    /// Not compared yet.
    names: btree_set::IntoIter<MailboxName>,
    /// Selected, and what stands above them does not know of them yet.
    selected: Vec<(MailboxName, Below)>,
    /// Names that fit a pattern.
    fitting: BTreeMap<MailboxName, Below>,
}

/// The selected names below a name that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Below {
    /// There are none.
    None,
    /// All of them fit a pattern too.
    Fitting,
    /// There is one that the client does not hear of otherwise.
    Hidden,
}

/// Steps of one turn on the thread, and what a STATUS takes of them.
const TURN_MAX: usize = 500_000;
const STATUS_COST: usize = 10_000;

/// Begins to list.
pub fn begin(session: &mut Session, request: Request) -> Next {
    let Request { reference, patterns, selects, returns, .. } = request;
    let mailboxes = match session.account.mailboxes() {
        Ok(mailboxes) => mailboxes,
        Err(error) => return Next::Done(error.into()),
    };
    if returns.iter().any(|option| matches!(option, Return::Status(items) if items.ask_mod_seq())) {
        session.becomes_aware();
    }
    // RFC 5258 §3: an empty name means nothing here, and a pattern that is no text of ours fits nothing.
    let patterns = patterns.iter().filter(|pattern| !pattern.is_empty());
    let texts = session.dialect.texts;
    let patterns =
        patterns.filter_map(|pattern| ListPattern::new(&reference, pattern, texts)).collect();
    let subscribed = selects.contains(&Select::Subscribed);
    let names = mailboxes.iter().map(|mailbox| &mailbox.name);
    let names = names.chain(mailboxes.subscriptions.iter().filter(|_| subscribed));
    let names: BTreeSet<_> =
        names.flat_map(|name| std::iter::once(name.clone()).chain(ancestors(name))).collect();
    let names = names.into_iter();
    let (selected, fitting) = (Vec::new(), BTreeMap::new());
    go_on(session, Listing { patterns, selects, returns, mailboxes, names, selected, fitting })
}

fn go_on(session: &mut Session, mut listing: Listing) -> Next {
    let mut spent = 0;
    while spent < TURN_MAX {
        if let Some(name) = listing.names.next() {
            spent += listing.compare(name);
        } else if let Some((name, below)) = listing.selected.pop() {
            spent += listing.tell_above(&name, below);
        } else if session.out.is_full() {
            break;
        } else if let Some((name, below)) = listing.fitting.pop_first() {
            spent += listing.answer(session, &name, below);
        } else {
            return Next::Done(Completion::ok("That is all"));
        }
    }
    let job: Job = Box::new(move |session| go_on(session, listing));
    Next::More(job)
}

impl Listing {
    /// Does it meet the selection options?
    fn selects(&self, name: &MailboxName) -> bool {
        let mailbox = self.mailboxes.named(name);
        let meets = |select: &Select| match select {
            Select::Subscribed => self.mailboxes.subscriptions.contains(name),
            Select::SpecialUse => mailbox.is_some_and(|mailbox| mailbox.role.is_some()),
            Select::Remote | Select::RecursiveMatch => true,
        };
        (mailbox.is_some() || self.selects_by_option()) && self.selects.iter().all(meets)
    }

    /// Does an option say which names are listed? Otherwise they are the mailboxes.
    fn selects_by_option(&self) -> bool {
        self.selects.iter().any(|select| select.base().is_some())
    }

    /// Compares a name; how many steps it took.
    fn compare(&mut self, name: MailboxName) -> usize {
        let mut spent = name.as_str().len();
        let mut below = Below::Hidden;
        for pattern in &self.patterns {
            spent += pattern.cost(name.as_str());
            if pattern.fit(name.as_str()) == Fit::Whole {
                self.fitting.insert(name.clone(), Below::None);
                below = Below::Fitting;
                break;
            }
        }
        if self.selects(&name) {
            self.selected.push((name, below));
        }
        spent
    }

    /// What fits above a selected name learns of it.
    fn tell_above(&mut self, name: &MailboxName, below: Below) -> usize {
        for above in ancestors(name) {
            if let Some(known) = self.fitting.get_mut(&above) {
                *known = below.max(*known);
            }
        }
        name.as_str().len() * 10
    }

    /// Tells of a name that fits, if there is something to tell (RFC 5258 §3.3, §3.5).
    fn answer(&self, session: &mut Session, name: &MailboxName, below: Below) -> usize {
        let selected = self.selects(name);
        let recursive = self.selects.contains(&Select::RecursiveMatch);
        // Where no option says otherwise, a level that is no mailbox is told of as well if only that shows what is
        // below it (§5, example 11).
        let leads_on = below == Below::Hidden && (recursive || !self.selects_by_option());
        if !selected && !leads_on {
            return 1;
        }
        write(&mut session.out, "LIST", self.attributes(name), name);
        if recursive && below > Below::None {
            self.write_child_info(&mut session.out);
        }
        session.out.text("\r\n");
        let (mut spent, mailbox) = (1, self.mailboxes.named(name).filter(|_| selected));
        for option in &self.returns {
            if let (Return::Status(items), Some(mailbox)) = (option, mailbox) {
                spent += STATUS_COST;
                if let Err(error) = items.write(session, mailbox) {
                    // RFC 5819 §2: then the client hears nothing of it.
                    log::warn!("service=imap no status of a mailbox: {error}");
                }
            }
        }
        spent
    }

    fn attributes(&self, name: &MailboxName) -> impl Iterator<Item = &'static str> {
        let missing = self.mailboxes.named(name).is_none().then_some("\\NonExistent");
        let children = children_attribute(self.mailboxes.has_children(name));
        let told = self.selects.contains(&Select::Subscribed)
            || self.returns.iter().any(|option| matches!(option, Return::Subscribed));
        let subscribed =
            (told && self.mailboxes.subscriptions.contains(name)).then_some("\\Subscribed");
        let special_use = use_attribute(&self.mailboxes, name);
        missing.into_iter().chain([children]).chain(subscribed).chain(special_use)
    }

    /// ` ("CHILDINFO" ("SUBSCRIBED"))`
    fn write_child_info(&self, out: &mut Writer) {
        out.text(" (\"CHILDINFO\" ");
        let options = self.selects.iter().filter_map(|select| select.base());
        out.list(options, |out, option| out.text("\"").text(option).text("\""));
        out.text(")");
    }
}
