//! Mail of another server comes into an account, mailbox by mailbox and message by message, in batches that share their
//! syncs. What has been imported before is not imported again, whatever was cut off or killed in between. An administrator
//! sends the messages; their texts are strangers'.

use crate::base::{AccountId, Timestamp};
use crate::maildir::{Flags, MailboxId, MailboxName, Role, Uid, UidSet};
use crate::smtp::Limits;
use crate::store::{
    Account, Arrival, Cause, FlagsRequest, ImportKey, Imported, Incoming, MailboxRequest, Mode,
    Placement, Row, Store, StoreError, Target,
};
use openssl::sha::Sha256;
use std::collections::{HashMap, HashSet};

/// What an import does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Takes what is not there.
    Take,
    /// Takes also what was imported before and is not in its mailbox any more.
    TakeAgain,
    /// Changes nothing, and tells what would be done.
    Try,
}

/// What has come of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is safe; these keywords of it found no letter.
    Taken(Vec<String>),
    /// It had been imported before, or is in the mailbox.
    There,
    /// It cannot be had, and why.
    Refused(String),
}

/// What is known of a message beside its text.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// INTERNALDATE, seconds since 1970.
    pub date: i64,
    /// Its zone, minutes east.
    pub zone: i16,
    /// System flags.
    pub flags: Flags,
    /// Keywords by name.
    pub keywords: Vec<String>,
}

/// An import into one account.
pub struct Import {
    account: Account,
    way: Way,
    record: Imported,
    place: Option<Place>,
    message: Option<Message>,
    batch: Vec<(ImportKey, Arrival)>,
    batch_bytes: u64,
    outcomes: Vec<Outcome>,
    /// Of messages that would be imported.
    tried: HashSet<ImportKey>,
    /// Keywords that were asked for, and whether they have a letter.
    keywords: HashMap<String, bool>,
}

/// The mailbox that messages go to.
struct Place {
    /// `None`: it would be made.
    mailbox: Option<MailboxId>,
    name: MailboxName,
    /// Date, size and UID of what was there, sorted; read when it is first asked for.
    present: Option<Vec<(i64, u64, Uid)>>,
}

/// A message under way.
struct Message {
    marks: Marks,
    hash: Sha256,
    size: u64,
    held: Vec<u8>,
    incoming: Option<Incoming>,
}

/// As much of a message is held in memory until it is known to be new.
const HOLD_LEN: usize = 256 * 1024;
/// So many messages wait for one commit, each with an open file.
pub const BATCH_MAX: usize = 128;
const ROWS_MAX: usize = 1000;
const KEYWORD_LEN_MAX: usize = 100;

/// Names under which other servers and programs have the mailboxes that bear a role here.
const ROLE_NAMES: [(&str, Role); 15] = [
    ("sent", Role::Sent),
    ("sent items", Role::Sent),
    ("sent messages", Role::Sent),
    ("sent mail", Role::Sent),
    ("drafts", Role::Drafts),
    ("trash", Role::Trash),
    ("deleted items", Role::Trash),
    ("deleted messages", Role::Trash),
    ("junk", Role::Junk),
    ("junk e-mail", Role::Junk),
    ("junk email", Role::Junk),
    ("spam", Role::Junk),
    ("bulk mail", Role::Junk),
    ("archive", Role::Archive),
    ("archives", Role::Archive),
];

impl Import {
    /// Begins; only one at a time for an account. Blocks.
    pub fn new(store: &Store, account: AccountId, way: Way) -> Result<Self, StoreError> {
        let account = store.account(account);
        let record = account.imported()?;
        Ok(Self {
            account,
            way,
            record,
            place: None,
            message: None,
            batch: Vec::new(),
            batch_bytes: 0,
            outcomes: Vec::new(),
            tried: HashSet::new(),
            keywords: HashMap::new(),
        })
    }

    /// What comes next goes into this mailbox, which is made if it is missing; what it is called here. Blocks.
    pub fn enter(&mut self, name: &str) -> Result<MailboxName, StoreError> {
        let name = self.local_name(name)?;
        let find = || Ok::<_, StoreError>(self.account.mailboxes()?.named(&name).map(|m| m.id));
        let mut mailbox = find()?;
        if mailbox.is_none() && self.way != Way::Try {
            let request = MailboxRequest::Create { name: name.clone(), role: None };
            finished(self.account.change_mailboxes(request, Cause::Own).wait())?;
            mailbox = find()?;
        }
        self.place = Some(Place { mailbox, name: name.clone(), present: None });
        Ok(name)
    }

    /// Subscribes to a mailbox; it may be missing. Blocks.
    pub fn subscribe(&self, name: &str) -> Result<MailboxName, StoreError> {
        let name = self.local_name(name)?;
        if self.way != Way::Try {
            let request = MailboxRequest::Subscribe { name: name.clone() };
            finished(self.account.change_mailboxes(request, Cause::Own).wait())?;
        }
        Ok(name)
    }

    /// Another server's `Sent Items` is our Sent, unless there is a mailbox of just that name.
    fn local_name(&self, name: &str) -> Result<MailboxName, StoreError> {
        let name = MailboxName::new(name)?;
        let mailboxes = self.account.mailboxes()?;
        if mailboxes.named(&name).is_some() {
            return Ok(name);
        }
        let (top, below) = match name.as_str().split_once('/') {
            Some((top, below)) => (top, Some(below)),
            None => (name.as_str(), None),
        };
        let lower = top.to_lowercase();
        let role = ROLE_NAMES.iter().find(|(known, _)| *known == lower).map(|(_, role)| *role);
        let ours = role.and_then(|role| mailboxes.with_role(role));
        let exact = MailboxName::new(top).ok().is_some_and(|top| mailboxes.named(&top).is_some());
        match (ours, below) {
            (Some(ours), None) => Ok(ours.name.clone()),
            (Some(ours), Some(below)) if !exact => {
                Ok(MailboxName::new(&format!("{}/{below}", ours.name))?)
            }
            _ => Ok(name),
        }
    }

    /// A message begins.
    pub fn begin(&mut self, marks: Marks) {
        let mut hash = Sha256::new();
        if let Some(place) = &self.place {
            match place.mailbox {
                // Known by its id, so that a mailbox that was deleted and is made anew is empty.
                Some(mailbox) => hash.update(&mailbox.0.0.to_be_bytes()),
                None => hash.update(place.name.as_str().as_bytes()),
            }
        }
        self.message = Some(Message { marks, hash, size: 0, held: Vec::new(), incoming: None });
    }

    /// Its next piece. Blocks.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        let Some(message) = &mut self.message else { return Ok(()) };
        message.size += piece.len() as u64;
        if message.size > Limits::default().message_size_max {
            // What still comes is only counted.
            (message.held, message.incoming) = (Vec::new(), None);
            return Ok(());
        }
        message.hash.update(piece);
        message.held.extend_from_slice(piece);
        if message.held.len() < HOLD_LEN || self.way == Way::Try {
            if self.way == Way::Try {
                message.held.clear();
            }
            return Ok(());
        }
        let incoming = match &mut message.incoming {
            Some(incoming) => incoming,
            place => place.insert(self.account.begin()?),
        };
        incoming.write(&message.held)?;
        message.held.clear();
        Ok(())
    }

    /// It could not be read to its end.
    pub fn abandon(&mut self) {
        self.message = None;
    }

    /// It is whole: it waits for the commit, if it is new. Blocks.
    pub fn end(&mut self) -> Result<(), StoreError> {
        let (Some(message), Some(place)) = (self.message.take(), &mut self.place) else {
            return Ok(());
        };
        let most = Limits::default().message_size_max;
        if message.size > most {
            let why = format!("it has {} bytes; at most {most} are taken here", message.size);
            self.outcomes.push(Outcome::Refused(why));
            return Ok(());
        }
        let Message { marks, hash, size, held, incoming } = message;
        let key = cut(hash.finish());
        let noted = self.record.has(&key);
        let under_way =
            self.tried.contains(&key) || self.batch.iter().any(|(waits, _)| *waits == key);
        let known = under_way || (noted && self.way != Way::TakeAgain);
        if known || place.has(&self.account, marks.date, size, &key)? {
            if !noted && !under_way && self.way != Way::Try {
                // A kill came between its commit and the note.
                self.record.add(&[key])?;
            }
            self.outcomes.push(Outcome::There);
            return Ok(());
        }
        match self.account.room(self.batch.len() as u64 + 1, self.batch_bytes + size) {
            Ok(()) => {}
            Err(error @ StoreError::OverQuota) => {
                self.outcomes.push(Outcome::Refused(error.to_string()));
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let Some(mailbox) = place.mailbox.filter(|_| self.way != Way::Try) else {
            self.tried.insert(key);
            self.outcomes.push(Outcome::Taken(Vec::new()));
            return Ok(());
        };
        let mut incoming = match incoming {
            Some(incoming) => incoming,
            None => self.account.begin()?,
        };
        incoming.write(&held)?;
        let (mut keywords, mut left_out) = (Vec::new(), Vec::new());
        for keyword in marks.keywords {
            let fits = self.fits(mailbox, &keyword)?;
            if fits { &mut keywords } else { &mut left_out }.push(keyword);
        }
        let placement =
            Placement { target: Target::Mailbox(mailbox), flags: marks.flags, keywords };
        let date = Timestamp::from_seconds(marks.date);
        self.batch.push((key, incoming.finish(date, marks.zone, vec![placement])));
        self.batch_bytes += size;
        self.outcomes.push(Outcome::Taken(left_out));
        Ok(())
    }

    /// Gives a keyword its letter before a message needs it: one that finds none must not refuse the batch.
    fn fits(&mut self, mailbox: MailboxId, keyword: &str) -> Result<bool, StoreError> {
        if let Some(fits) = self.keywords.get(keyword) {
            return Ok(*fits);
        }
        let atom = |b: u8| b.is_ascii_graphic() && !br#"(){%*"\]"#.contains(&b);
        let is_atom = (1..=KEYWORD_LEN_MAX).contains(&keyword.len()) && keyword.bytes().all(atom);
        let request = FlagsRequest {
            mailbox,
            uids: UidSet::default(),
            mode: Mode::Add,
            flags: Flags::default(),
            keywords: vec![keyword.to_owned()],
            unchanged_since: None,
            cause: Cause::Own,
        };
        let fits = is_atom
            && match finished(self.account.store_flags(request).wait()) {
                Ok(_) => true,
                Err(StoreError::KeywordLimit) => false,
                Err(error) => return Err(error),
            };
        self.keywords.insert(keyword.to_owned(), fits);
        Ok(fits)
    }

    /// Makes what waits safe: what has come of each message since the last commit, in order. Blocks.
    pub fn commit(&mut self) -> Result<Vec<Outcome>, StoreError> {
        let (keys, arrivals): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.batch).into_iter().unzip();
        self.batch_bytes = 0;
        if !arrivals.is_empty() {
            finished(self.account.commit(arrivals, Cause::Own).wait())?;
            // Killed here, the next import finds them in the mailbox.
            self.record.add(&keys)?;
        }
        Ok(std::mem::take(&mut self.outcomes))
    }

    /// How many messages have come since the last commit.
    pub fn waiting(&self) -> usize {
        self.outcomes.len()
    }
}

impl Place {
    /// Is just this message in the mailbox, with this date?
    fn has(
        &mut self,
        account: &Account,
        date: i64,
        size: u64,
        key: &ImportKey,
    ) -> Result<bool, StoreError> {
        let Some(mailbox) = self.mailbox else { return Ok(false) };
        let present = match &mut self.present {
            Some(present) => present,
            unread => unread.insert(present(account, mailbox)?),
        };
        let first = present.partition_point(|(d, s, _)| (*d, *s) < (date, size));
        let same = present.iter().skip(first).take_while(|(d, s, _)| (*d, *s) == (date, size));
        for (_, _, uid) in same {
            if let Some(row) = account.rows(mailbox, *uid, *uid, 1)?.pop()
                && hash_of(account, mailbox, &row)?.as_ref() == Some(key)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn present(account: &Account, mailbox: MailboxId) -> Result<Vec<(i64, u64, Uid)>, StoreError> {
    let Some(state) = account.mailboxes()?.get(mailbox).cloned() else { return Ok(Vec::new()) };
    let array = account.array(&state)?;
    let (mut present, mut next) = (Vec::new(), Some(Uid(1)));
    while let Some(first) = next {
        let rows = account.rows(mailbox, first, Uid(u32::MAX), ROWS_MAX)?;
        next = rows.last().and_then(|row| row.uid.next());
        // The index follows: what was expunged just now still has a row.
        let there = rows.iter().filter(|row| array.find(row.uid).is_some());
        present.extend(there.map(|row| (row.date, row.size, row.uid)));
    }
    present.sort_unstable();
    Ok(present)
}

/// The key of a message that is in a mailbox; `None` once it is gone.
fn hash_of(
    account: &Account,
    mailbox: MailboxId,
    row: &Row,
) -> Result<Option<ImportKey>, StoreError> {
    let Some(state) = account.mailboxes()?.get(mailbox).cloned() else { return Ok(None) };
    let text = match account.open(&state, row) {
        Err(StoreError::NoMessage) => return Ok(None),
        opened => opened?,
    };
    let mut hash = Sha256::new();
    hash.update(&mailbox.0.0.to_be_bytes());
    let mut at = 0;
    while at < text.size() {
        let piece = text.read(at..at + 64 * 1024);
        let piece = piece.map_err(|error| StoreError::io("read a message", &error))?;
        if piece.is_empty() {
            break;
        }
        at += piece.len() as u64;
        hash.update(&piece);
    }
    Ok(Some(cut(hash.finish())))
}

fn cut(hash: [u8; 32]) -> ImportKey {
    let mut key = ImportKey::default();
    key.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    key
}

fn finished<T>(done: Option<Result<T, StoreError>>) -> Result<T, StoreError> {
    done.unwrap_or(Err(StoreError::Closed))
}
