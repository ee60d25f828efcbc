//! LIST and LSUB (RFC 3501 §6.3.8, §6.3.9), with CHILDREN (RFC 3348) and the special uses (RFC 6154) on every answer.

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::job::Next;
use crate::imap::list_pattern::ListPattern;
use crate::imap::response::Completion;
use crate::imap::writer::Writer;
use crate::maildir::MailboxName;
use crate::store::Mailboxes;
use std::collections::BTreeMap;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    List,
    Lsub,
}

/// `LIST "" *`
pub fn read_list(args: &mut Args<'_>) -> Parsed<Action> {
    read(args, Kind::List)
}

/// `LSUB "" *`
pub fn read_lsub(args: &mut Args<'_>) -> Parsed<Action> {
    read(args, Kind::Lsub)
}

fn read(args: &mut Args<'_>, kind: Kind) -> Parsed<Action> {
    args.space()?;
    let reference = args.astring()?.into_owned();
    args.space()?;
    let name = args.list_mailbox()?.into_owned();
    args.end()?;
    Ok(Action::Work(Box::new(move |session| {
        let done = Completion::ok("That is all");
        if name.is_empty() && kind == Kind::List {
            // RFC 3501 §6.3.8: asks for the separator and the root of the reference.
            session.out.text("* LIST (\\Noselect) \"/\" \"\"\r\n");
            return Next::Done(done);
        }
        // A pattern that is no text of ours fits nothing.
        let Some(pattern) = ListPattern::new(&reference, &name) else { return Next::Done(done) };
        let mailboxes = match session.account.mailboxes() {
            Ok(mailboxes) => mailboxes,
            Err(error) => return Next::Done(error.into()),
        };
        match kind {
            Kind::List => list(&mut session.out, &mailboxes, &pattern),
            Kind::Lsub => lsub(&mut session.out, &mailboxes, &pattern),
        }
        Next::Done(done)
    })))
}

/// Whether a name that fits is a mailbox, or only stands above one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Itself,
    Above,
}

/// Mailboxes that fit, and levels above others that fit though no mailbox has that name.
fn list(out: &mut Writer, mailboxes: &Mailboxes, pattern: &ListPattern) {
    let mut names: BTreeMap<MailboxName, Is> = BTreeMap::new();
    for mailbox in mailboxes.iter() {
        names.insert(mailbox.name.clone(), Is::Itself);
        for above in ancestors(&mailbox.name) {
            names.entry(above).or_insert(Is::Above);
        }
    }
    for (name, is) in names.iter().filter(|(name, _)| pattern.fits(name.as_str())) {
        write(out, "LIST", mailboxes, name, *is);
    }
}

/// Subscribed names that fit; of one that does not, the nearest level above it that does (RFC 3501 §6.3.9).
fn lsub(out: &mut Writer, mailboxes: &Mailboxes, pattern: &ListPattern) {
    let mut names: BTreeMap<MailboxName, Is> = BTreeMap::new();
    for name in mailboxes.subscriptions.iter() {
        if pattern.fits(name.as_str()) {
            names.insert(name.clone(), Is::Itself);
        } else if let Some(above) = ancestors(name).find(|above| pattern.fits(above.as_str())) {
            names.entry(above).or_insert(Is::Above);
        }
    }
    for (name, is) in &names {
        write(out, "LSUB", mailboxes, name, *is);
    }
}

/// The levels above a name, the nearest first.
fn ancestors(name: &MailboxName) -> impl Iterator<Item = MailboxName> {
    std::iter::successors(name.parent(), MailboxName::parent)
}

fn write(out: &mut Writer, word: &str, mailboxes: &Mailboxes, name: &MailboxName, is: Is) {
    let mailbox = mailboxes.named(name);
    let mut attributes = Vec::new();
    if is == Is::Above || (mailbox.is_none() && word == "LIST") {
        attributes.push("\\Noselect");
    }
    let has_children = is == Is::Above || mailboxes.has_children(name);
    attributes.push(if has_children { "\\HasChildren" } else { "\\HasNoChildren" });
    attributes
        .extend(mailbox.and_then(|mailbox| mailbox.role).map(crate::maildir::Role::attribute));
    out.text("* ").text(word).text(" ");
    out.list(attributes, |out, attribute| out.text(attribute));
    out.text(" \"/\" ").string(name.utf7().as_bytes()).text("\r\n");
}
