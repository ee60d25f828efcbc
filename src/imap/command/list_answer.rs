//! The line that LIST and LSUB tell of a name (RFC 3501 §7.2.2), and the levels above it.

use crate::imap::writer::Writer;
use crate::maildir::{MailboxName, Role};
use crate::store::{Mailbox, Mailboxes};

/// The levels above a name, the nearest first.
pub fn ancestors(name: &MailboxName) -> impl Iterator<Item = MailboxName> {
    std::iter::successors(name.parent(), MailboxName::parent)
}

/// The special use of a mailbox; told on every line, for clients look for it on any.
pub fn use_attribute(mailboxes: &Mailboxes, name: &MailboxName) -> Option<&'static str> {
    mailboxes.named(name).and_then(|mailbox| mailbox.role).map(Role::attribute)
}

/// `* LIST (\HasNoChildren) "/" "INBOX"`, without its end.
pub fn write<'a>(
    out: &mut Writer,
    word: &str,
    attributes: impl IntoIterator<Item = &'a str>,
    name: &MailboxName,
) {
    out.text("* ").text(word).text(" ");
    out.list(attributes, |out, attribute| out.text(attribute));
    out.text(" \"/\" ").mailbox(name);
}

/// The whole line of a mailbox.
pub fn write_mailbox(out: &mut Writer, mailboxes: &Mailboxes, mailbox: &Mailbox) {
    let children = children_attribute(mailboxes.has_children(&mailbox.name));
    let role = mailbox.role.map(Role::attribute);
    write(out, "LIST", [children].into_iter().chain(role), &mailbox.name);
    out.text("\r\n");
}

/// Whether there are mailboxes below (RFC 3348).
pub const fn children_attribute(has_children: bool) -> &'static str {
    if has_children { "\\HasChildren" } else { "\\HasNoChildren" }
}
