//! STATUS (RFC 3501 §6.3.10, HIGHESTMODSEQ of RFC 7162 §3.1.7): every number is at hand, nothing is counted.

use super::action::Action;
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
}

const ITEMS: [(&str, Item); 6] = [
    ("MESSAGES", Item::Messages),
    ("RECENT", Item::Recent),
    ("UIDNEXT", Item::UidNext),
    ("UIDVALIDITY", Item::UidValidity),
    ("UNSEEN", Item::Unseen),
    ("HIGHESTMODSEQ", Item::HighestModSeq),
];

/// `STATUS INBOX (MESSAGES UNSEEN)`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.space()?;
    let name = args.mailbox()?;
    args.space()?;
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
    args.end()?;
    if items.is_empty() {
        return Err(Completion::bad("STATUS needs an item"));
    }
    Ok(Action::Work(Box::new(move |session| Next::from(run(session, &name, &items)))))
}

fn run(
    session: &mut Session,
    name: &MailboxName,
    items: &[(&str, Item)],
) -> Result<Completion, Completion> {
    let mailboxes = session.account.mailboxes()?;
    let mailbox = mailboxes.named(name).ok_or(StoreError::NoMailbox)?;
    if items.iter().any(|(_, item)| *item == Item::HighestModSeq) {
        session.becomes_aware();
    }
    let mut numbers = Vec::with_capacity(items.len());
    for (word, item) in items {
        numbers.push((word, number(&session.account, mailbox, *item)?));
    }
    session.out.text("* STATUS ").string(name.utf7().as_bytes()).text(" ");
    session.out.list(numbers, |out, (word, number)| out.text(word).text(" ").number(number));
    session.out.text("\r\n");
    Ok(Completion::ok("That is how it stands"))
}

fn number(account: &Account, mailbox: &Mailbox, item: Item) -> Result<u64, StoreError> {
    Ok(match item {
        Item::Messages => mailbox.count.into(),
        Item::UidNext => mailbox.uidnext.0.into(),
        Item::UidValidity => mailbox.validity.0.into(),
        Item::Unseen => mailbox.unseen.into(),
        Item::HighestModSeq => mailbox.modseq.0,
        Item::Recent => {
            let from = account.recent_from(mailbox);
            if from >= mailbox.uidnext {
                return Ok(0);
            }
            let array = account.array(mailbox)?;
            (array.len() + 1).saturating_sub(array.seq_from(from)).into()
        }
    })
}
