//! STATUS (RFC 3501 §6.3.10, HIGHESTMODSEQ of RFC 7162 §3.1.7, SIZE of RFC 8438, MAILBOXID of RFC 8474 §4.3,
//! APPENDLIMIT of RFC 7889 §3.1, DELETED and DELETED-STORAGE of RFC 9208 §4.1.4): numbers are at hand, and what is
//! counted is counted in memory.

use super::action::Action;
use super::status_deleted;
use crate::imap::args::{Args, Parsed};
use crate::imap::job::Next;
use crate::imap::response::Completion;
use crate::imap::session::Session;
use crate::maildir::MailboxName;
use crate::store::{Account, Mailbox, StoreError};

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    HighestModSeq,
    Size,
    MailboxId,
    AppendLimit,
    Deleted,
    DeletedStorage,
}

const ITEMS: [(&str, Item); 11] = [
    ("MESSAGES", Item::Messages),
    ("RECENT", Item::Recent),
    ("UIDNEXT", Item::UidNext),
    ("UIDVALIDITY", Item::UidValidity),
    ("UNSEEN", Item::Unseen),
    ("HIGHESTMODSEQ", Item::HighestModSeq),
    ("SIZE", Item::Size),
    ("MAILBOXID", Item::MailboxId),
    ("APPENDLIMIT", Item::AppendLimit),
    ("DELETED", Item::Deleted),
    ("DELETED-STORAGE", Item::DeletedStorage),
];

/// The items that a client asks for, each once, in its order.
#[derive(Debug, Clone)]
pub struct Items(Vec<(&'static str, Item)>);

impl Items {
    /// `(MESSAGES UNSEEN)`
    pub fn read(args: &mut Args<'_>) -> Parsed<Self> {
        let mut items = Vec::new();
        args.list(|args| {
            let word = args.atom()?;
            let item = ITEMS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
            let item = item.ok_or(Completion::bad("STATUS does not know this item"))?;
            if !items.contains(item) {
                items.push(*item);
            }
            Ok(())
        })?;
        if items.is_empty() {
            return Err(Completion::bad("STATUS needs an item"));
        }
        Ok(Self(items))
    }

    /// Does asking for them show that the client knows MODSEQ?
    pub fn ask_mod_seq(&self) -> bool {
        self.0.iter().any(|(_, item)| *item == Item::HighestModSeq)
    }

    /// `* STATUS INBOX (MESSAGES 3)`, or nothing if something cannot be had.
    pub fn write(&self, session: &mut Session, mailbox: &Mailbox) -> Result<(), StoreError> {
        let mut values = Vec::with_capacity(self.0.len());
        for (word, item) in &self.0 {
            values.push((word, value(session, mailbox, *item)?));
        }
        let out = &mut session.out;
        out.text("* STATUS ").mailbox(&mailbox.name).text(" ");
        out.list(values, |out, (word, value)| out.text(word).text(" ").text(&value));
        out.text("\r\n");
        Ok(())
    }
}

/// `STATUS INBOX (MESSAGES UNSEEN)`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.space()?;
    let name = args.mailbox()?;
    args.space()?;
    let items = Items::read(args)?;
    args.end()?;
    Ok(Action::Work(Box::new(move |session| Next::from(run(session, &name, &items)))))
}

fn run(session: &mut Session, name: &MailboxName, items: &Items) -> Result<Completion, Completion> {
    let mailboxes = session.account.mailboxes()?;
    let mailbox = mailboxes.named(name).ok_or(StoreError::NoMailbox)?;
    if items.ask_mod_seq() {
        session.becomes_aware();
    }
    items.write(session, mailbox)?;
    Ok(Completion::ok("That is how it stands"))
}

fn value(session: &Session, mailbox: &Mailbox, item: Item) -> Result<String, StoreError> {
    Ok(match item {
        Item::Messages => mailbox.count.to_string(),
        Item::UidNext => mailbox.uidnext.to_string(),
        Item::UidValidity => mailbox.validity.to_string(),
        Item::Unseen => mailbox.unseen.to_string(),
        Item::HighestModSeq => mailbox.modseq.to_string(),
        Item::Size => mailbox.bytes.to_string(),
        Item::MailboxId => format!("({})", mailbox.id),
        Item::AppendLimit => session.append_limit.to_string(),
        Item::Deleted => status_deleted::count(&session.account, mailbox)?.to_string(),
        Item::DeletedStorage => status_deleted::bytes(&session.account, mailbox)?.to_string(),
        Item::Recent => recent(&session.account, mailbox)?.to_string(),
    })
}

fn recent(account: &Account, mailbox: &Mailbox) -> Result<u32, StoreError> {
    let from = account.recent_from(mailbox);
    if from >= mailbox.uidnext {
        return Ok(0);
    }
    let array = account.array(mailbox)?;
    Ok((array.len() + 1).saturating_sub(array.seq_from(from)))
}
