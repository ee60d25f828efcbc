//! What a client missed while it was away (QRESYNC, RFC 7162 §3.2.5, §3.2.6): its question as a parameter of SELECT, and
//! which of the messages that it knows are gone.

use crate::imap::args::{Args, Parsed};
use crate::imap::response::Completion;
use crate::imap::selected::Selected;
use crate::imap::writer::Writer;
use crate::maildir::{ModSeq, Uid, UidSet, UidValidity};
use crate::store::{Account, Array, StoreError};

/// `(67890007 90060115194045000 41:211,214:541 (1,10 41,60))`
#[derive(Debug, Clone)]
pub struct Resync {
    /// The UIDVALIDITY that the client knows.
    pub validity: UidValidity,
    /// It knows all changes up to this one.
    pub since: ModSeq,
    /// The messages that it knows; all if it does not say.
    known: Option<UidSet>,
    /// Numbers and the UIDs that it knows there, pair by pair.
    pairs: Option<(UidSet, UidSet)>,
}

impl Resync {
    /// Reads what comes behind `QRESYNC `.
    pub fn read(args: &mut Args<'_>) -> Parsed<Self> {
        args.expect(b'(')?;
        let validity = UidValidity(args.number()?);
        args.space()?;
        let since = ModSeq(args.number64()?);
        let (mut known, mut pairs) = (None, None);
        if args.rest().starts_with(b" ") && !args.rest().starts_with(b" (") {
            args.space()?;
            known = Some(read_set(args, Order::Any)?);
        }
        if args.eat(b' ') {
            args.expect(b'(')?;
            let numbers = read_set(args, Order::Rising)?;
            args.space()?;
            let uids = read_set(args, Order::Rising)?;
            args.expect(b')')?;
            if numbers.len() != uids.len() {
                return Err(Completion::bad("QRESYNC needs as many UIDs as message numbers"));
            }
            pairs = Some((numbers, uids));
        }
        args.expect(b')')?;
        Ok(Self { validity, since, known, pairs })
    }

    /// The messages that the client asks about.
    pub fn asked(&self) -> UidSet {
        self.known.clone().unwrap_or_else(|| UidSet::range(Uid(1), Uid(u32::MAX)))
    }

    /// The highest UID up to which the client knows everything that is gone: the last that stands where it says.
    pub fn known_to(&self, view: &Array) -> Uid {
        let Some((numbers, uids)) = &self.pairs else { return Uid(0) };
        let there =
            numbers.iter().zip(uids.iter()).take_while(|(number, _)| number.0 <= view.len());
        let right = |&(number, uid): &(Uid, Uid)| view.at(number.0).is_some_and(|e| e.uid == uid);
        there.filter(right).last().map_or(Uid(0), |(_, uid)| uid)
    }
}

/// Whether a set must be written in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Any,
    Rising,
}

/// `41,43:211`, without `*`.
fn read_set(args: &mut Args<'_>, order: Order) -> Parsed<UidSet> {
    let bad = || Completion::bad("A set of QRESYNC is malformed: numbers in rising order, no *");
    let text = args.take_while(|b| matches!(b, b'0'..=b'9' | b':' | b','));
    let text = std::str::from_utf8(text).map_err(|_| bad())?;
    if order == Order::Rising {
        return UidSet::parse(text).ok_or_else(bad);
    }
    let mut ranges = Vec::new();
    for range in text.split(',') {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        let number = |text: &str| text.parse::<u32>().ok().filter(|&n| n > 0).ok_or_else(bad);
        let (first, last) = (number(first)?, number(last)?);
        ranges.push((first.min(last), first.max(last)));
    }
    ranges.sort_unstable();
    let (mut set, mut next) = (UidSet::default(), 1);
    for (first, last) in ranges {
        set.insert_range(Uid(first.max(next))..=Uid(last));
        next = next.max(last.saturating_add(1));
    }
    Ok(set)
}

/// Those of `asked` above `known_to` that were expunged after `since`, but for what the client still has in its view: that
/// it is told in its turn. Where it is not known so far back, all that are not there.
pub fn vanished(
    account: &Account,
    selected: &Selected,
    asked: &UidSet,
    since: ModSeq,
    known_to: Uid,
) -> Result<UidSet, StoreError> {
    let mailboxes = account.mailboxes()?;
    let mailbox = mailboxes.get(selected.id).ok_or(StoreError::NoMailbox)?;
    let given = UidSet::range(Uid(known_to.0.saturating_add(1)), before(mailbox.uidnext));
    let asked = asked.intersection(&given);
    let viewed: UidSet = selected.view.iter().map(|(_, entry)| entry.uid).collect();
    let gone = match account.expunged_since(selected.id, since)? {
        Some(gone) => asked.intersection(&gone),
        None => {
            let newest = account.array(mailbox)?;
            asked.difference(&newest.iter().map(|(_, entry)| entry.uid).collect())
        }
    };
    Ok(gone.difference(&viewed))
}

const fn before(uid: Uid) -> Uid {
    Uid(uid.0.saturating_sub(1))
}

/// `* VANISHED (EARLIER) 41,43:116`, if any.
pub fn write_vanished(out: &mut Writer, gone: &UidSet) {
    if !gone.is_empty() {
        out.text("* VANISHED (EARLIER) ").text(&gone.to_string()).text("\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::Resync;
    use crate::imap::args::Args;
    use crate::maildir::{Flags, ModSeq, Uid};
    use crate::store::{Array, Entry};

    fn read(text: &str) -> Option<Resync> {
        let mut args = Args::new(text.as_bytes());
        Resync::read(&mut args).ok().filter(|_| args.is_empty())
    }

    #[test]
    fn what_is_asked_in_every_form() {
        let asked = |text| read(text).map(|resync| resync.asked().to_string());
        assert_eq!(
            asked("(67890007 20050715194045000 41,43:211,214:541)").unwrap(),
            "41,43:211,214:541"
        );
        assert_eq!(asked("(1 0)").unwrap(), "1:4294967295");
        assert_eq!(asked("(1 2 9:7,8:20,3,4294967295)").unwrap(), "3,7:20,4294967295");
        assert_eq!(asked("(1 2 (1:3 4,6,9))").unwrap(), "1:4294967295");
        for bad in [
            "",
            "()",
            "(1)",
            "(1 2 *)",
            "(1 2 1:*)",
            "(1 2 0)",
            "(1 2 3",
            "(1 2 3 ())",
            "(1 2 (1 2,3))",
            "(1 2 (2,1 3,4))",
            "(1 2 (1,2 4,3))",
            "(1 2 (1 2)",
            "(1 2 $)",
            "(1 2 1,)",
            "(1 2  3)",
            "(1 2 3 (1 2) 3)",
            "(4294967296 2)",
            "(1 2 4294967296)",
        ] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }

    // RFC 7162 §3.2.5.2: UIDs that three divides are there.
    #[test]
    fn the_last_pair_that_is_right_tells_what_the_client_knows() {
        let entry = |uid| Entry { uid: Uid(uid), flags: Flags::default(), modseq: ModSeq(1) };
        let view: Array = (1..=10_003).map(|n| entry(n * 3)).collect();
        let known = |text| read(text).map(|resync| resync.known_to(&view).0);
        let pairs = "(1 2 1:29997 (5000,7500,9000,9990:9999 15000,22500,27000,29970,29973,29976,29979,29982,29985,29988,29991,29994,29997))";
        assert_eq!(known(pairs), Some(29_997));
        assert_eq!(known("(1 2 (4,12 12,24))"), Some(12));
        assert_eq!(known("(1 2 (1:4294967295 1:4294967295))"), Some(0));
        assert_eq!(known("(1 2)"), Some(0));
    }
}
