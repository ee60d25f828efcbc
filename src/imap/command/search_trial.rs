//! A message on trial by SEARCH: what its keys ask for is looked up once, and where that takes long, the trial pauses
//! and goes on in the next turn with what it has found out.

use super::search_key::{EnvelopeField, Key};
use super::search_text::{Scan, Scanned, in_addresses, in_field, in_text};
use crate::base::Timestamp;
use crate::imap::flag_text::Recent;
use crate::imap::response::Completion;
use crate::imap::rows::{Cards, Looked, Rows};
use crate::imap::selected::Selected;
use crate::imap::sequence_set::Resolved;
use crate::mail::{Card, Date, Envelope, Part};
use crate::maildir::{AccountText, UidSet};
use crate::store::{Account, Entry, Mailbox, Row, StoreError, StoredCard, Text};
use std::cmp::Ordering;
use std::sync::Arc;

/// Keys with what is known now put in: what `*` is in a set, and keywords as flags.
pub struct Trial {
    test: Test,
    /// Keys that memory or the index answers, and keys that take longer.
    quick: usize,
    slow: usize,
    now: Timestamp,
}

enum Test {
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    Set(Resolved),
    /// INTERNALDATE is this second, or differs from it like that.
    Since(Ordering, i64),
    Quick(Key),
    /// With its place among the slow ones.
    Slow(usize, Key),
}

impl Trial {
    /// Are cards needed?
    pub const fn cards(&self) -> Cards {
        if self.slow > 0 { Cards::Read } else { Cards::Left }
    }

    /// Of a view, at this time.
    pub fn new(
        key: &Key,
        selected: &Selected,
        text: &AccountText,
        now: Timestamp,
    ) -> Result<Self, Completion> {
        let mut trial = Self { test: Test::And(Vec::new()), quick: 0, slow: 0, now };
        trial.test = trial.prepare(key, selected, text)?;
        Ok(trial)
    }

    fn prepare(
        &mut self,
        key: &Key,
        selected: &Selected,
        text: &AccountText,
    ) -> Result<Test, Completion> {
        let mut all = |keys: &[Key]| {
            keys.iter().map(|key| self.prepare(key, selected, text)).collect::<Result<_, _>>()
        };
        Ok(match key {
            Key::And(keys) => Test::And(all(keys)?),
            Key::Or(keys) => Test::Or(all(keys)?),
            Key::Not(key) => Test::Not(Box::new(self.prepare(key, selected, text)?)),
            Key::Set(set, numbers) => {
                self.quick += 1;
                Test::Set(selected.resolve(set, *numbers)?)
            }
            Key::Keyword(name) => {
                self.quick += 1;
                // A keyword that the account does not know is set nowhere.
                text.keyword(name)
                    .map_or_else(|| Test::Or(Vec::new()), |flag| Test::Quick(Key::Flag(flag)))
            }
            Key::Age(order, seconds) => {
                self.quick += 1;
                Test::Since(*order, self.now.seconds().saturating_sub(i64::from(*seconds)))
            }
            key if key.is_slow() => {
                self.slow += 1;
                Test::Slow(self.slow - 1, key.clone())
            }
            key => {
                self.quick += 1;
                Test::Quick(key.clone())
            }
        })
    }
}

/// What a turn on the thread may spend, and what has been found out of the message that is on trial.
#[derive(Default)]
pub struct Progress {
    /// Of this turn, in about as many microseconds.
    spent: u64,
    /// A slow key has got on in this turn.
    moved: bool,
    /// By the places of the slow keys.
    decided: Vec<Option<bool>>,
    /// Of the slow key that is not decided yet.
    scan: Option<Scan>,
}

/// One turn; then others have theirs.
const TURN_MAX: u64 = 10_000;
/// What a message, a quick key and a slow key take, and how many bytes are read and compared in one of these.
const MESSAGE_COST: u64 = 1;
const QUICK_COST: u64 = 1;
const SLOW_COST: u64 = 50;
const BYTES_EACH: u64 = 50;

impl Progress {
    /// The next turn begins.
    pub fn begin_turn(&mut self) {
        (self.spent, self.moved) = (0, false);
    }

    /// Has the turn lasted long enough?
    pub const fn is_over(&self) -> bool {
        self.spent >= TURN_MAX
    }

    /// The next message; nothing is known of it.
    pub fn begin_message(&mut self) {
        self.scan = None;
        self.decided.iter_mut().for_each(|decided| *decided = None);
    }

    fn spend(&mut self, bytes: u64) {
        self.moved = true;
        self.spent += SLOW_COST + bytes / BYTES_EACH;
    }

    /// Each turn brings a slow key on, however long the quick ones took.
    const fn must_pause(&self) -> bool {
        self.moved && self.is_over()
    }
}

/// Why a trial has not come to an end.
pub enum Stop {
    /// It goes on in the next turn.
    Pause,
    /// Something could not be read.
    Failed(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(StoreError::io("read a message", &error))
    }
}

/// A message on trial, with what has been looked up of it.
pub struct Candidate<'a> {
    account: &'a Account,
    mailbox: &'a Mailbox,
    selected: &'a Selected,
    seq: u32,
    entry: Entry,
    rows: &'a mut Rows,
    walk: &'a UidSet,
    looked: Option<Looked>,
    envelope: Option<Envelope>,
    card: Option<Arc<Card>>,
    text: Option<Text>,
}

impl<'a> Candidate<'a> {
    /// `walk` is where the search leads, for reading ahead.
    pub const fn new(
        account: &'a Account,
        mailbox: &'a Mailbox,
        selected: &'a Selected,
        (seq, entry): (u32, Entry),
        rows: &'a mut Rows,
        walk: &'a UidSet,
    ) -> Self {
        Self {
            account,
            mailbox,
            selected,
            seq,
            entry,
            rows,
            walk,
            looked: None,
            envelope: None,
            card: None,
            text: None,
        }
    }

    /// Does it fit? After a pause the same is asked again.
    pub fn fits(&mut self, trial: &Trial, progress: &mut Progress) -> Result<bool, Stop> {
        progress.spent += MESSAGE_COST + QUICK_COST * trial.quick as u64;
        progress.decided.resize(trial.slow, None);
        match self.test(&trial.test, progress) {
            Err(Stop::Failed(StoreError::NoMessage)) if self.renew().is_ok() => {
                self.test(&trial.test, progress)
            }
            result => result,
        }
    }

    fn renew(&mut self) -> Result<(), StoreError> {
        (self.looked, self.envelope, self.card, self.text) = (None, None, None, None);
        self.rows.renew(self.account, self.mailbox.id, self.entry.uid)
    }

    fn test(&mut self, test: &Test, progress: &mut Progress) -> Result<bool, Stop> {
        match test {
            Test::And(all) => {
                for test in all {
                    if !self.test(test, progress)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Test::Or(any) => {
                for test in any {
                    if self.test(test, progress)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Test::Not(test) => Ok(!self.test(test, progress)?),
            Test::Set(set) => Ok(set.contains(self.seq, self.entry.uid)),
            Test::Since(order, second) => {
                let found = self.row()?.date.cmp(second);
                Ok(found == *order || found == Ordering::Equal)
            }
            Test::Quick(key) => self.quick(key),
            Test::Slow(place, key) => {
                if let Some(Some(decided)) = progress.decided.get(*place) {
                    return Ok(*decided);
                }
                if progress.must_pause() {
                    return Err(Stop::Pause);
                }
                let fits = self.slow(key, progress)?;
                if let Some(decided) = progress.decided.get_mut(*place) {
                    *decided = Some(fits);
                }
                Ok(fits)
            }
        }
    }

    fn quick(&mut self, key: &Key) -> Result<bool, Stop> {
        Ok(match key {
            Key::Flag(flag) => self.entry.flags.contains(*flag),
            Key::Recent => self.selected.recent(self.entry.uid) == Recent::Yes,
            Key::ModSeq(least) => self.entry.modseq >= *least,
            Key::Date(order, day) => {
                let row = self.row()?;
                let date = Date { at: Timestamp::from_seconds(row.date), zone_minutes: row.zone };
                date.day().cmp(day) == *order
            }
            Key::Saved(order, day) => {
                let at = Timestamp::from_seconds(self.row()?.saved);
                Date { at, zone_minutes: 0 }.day().cmp(day) == *order
            }
            Key::EmailId(id) => self.row()?.email_id == *id,
            Key::ThreadId(thread) => self.row()?.thread == *thread,
            Key::Size(order, size) => self.row()?.size.cmp(size) == *order,
            // `prepare` has put others in their place, or they are slow.
            Key::And(_) | Key::Or(_) | Key::Not(_) | Key::Set(..) | Key::Keyword(_) => false,
            Key::Age(..) => false,
            Key::Sent(..) | Key::Envelope(..) | Key::Header(..) | Key::Body(_) | Key::Text(_) => {
                false
            }
        })
    }

    fn slow(&mut self, key: &Key, progress: &mut Progress) -> Result<bool, Stop> {
        progress.spend(0);
        match key {
            Key::Sent(order, day) => {
                Ok(self.card()?.sent.is_some_and(|date| date.day().cmp(day) == *order))
            }
            Key::Envelope(field, needle) => {
                let envelope = self.envelope()?;
                Ok(match field {
                    EnvelopeField::Subject => {
                        in_text(envelope.subject.as_deref().unwrap_or_default(), needle)
                    }
                    EnvelopeField::From => in_addresses(&envelope.from, needle),
                    EnvelopeField::To => in_addresses(&envelope.to, needle),
                    EnvelopeField::Cc => in_addresses(&envelope.cc, needle),
                    EnvelopeField::Bcc => in_addresses(&envelope.bcc, needle),
                })
            }
            Key::Header(name, needle) => {
                let (card, text) = self.card_and_text()?;
                let header = &card.structure.header;
                progress.spend(header.end.saturating_sub(header.start));
                Ok(in_field(text, header, name, needle)?)
            }
            Key::Body(needle) => self.scan(needle, Scan::of_body, progress),
            Key::Text(needle) => self.scan(needle, Scan::of_message, progress),
            // These are quick.
            Key::And(_) | Key::Or(_) | Key::Not(_) | Key::Set(..) | Key::Keyword(_) => Ok(false),
            Key::Flag(_) | Key::Recent | Key::ModSeq(_) | Key::Date(..) | Key::Size(..) => {
                Ok(false)
            }
            Key::Age(..) | Key::Saved(..) | Key::EmailId(_) | Key::ThreadId(_) => Ok(false),
        }
    }

    fn scan(
        &mut self,
        needle: &str,
        begin: fn(&Part) -> Scan,
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        let (card, text) = self.card_and_text()?;
        let mut scan = progress.scan.take().unwrap_or_else(|| begin(&card.structure));
        loop {
            match scan.step(text, needle)? {
                Scanned::Found => return Ok(true),
                Scanned::NotFound => return Ok(false),
                Scanned::Read(bytes) => progress.spend(bytes),
            }
            if progress.must_pause() {
                progress.scan = Some(scan);
                return Err(Stop::Pause);
            }
        }
    }

    fn looked(&mut self) -> Result<&Looked, StoreError> {
        let looked = match self.looked.take() {
            Some(looked) => looked,
            None => self.rows.get(self.account, self.mailbox.id, self.entry.uid, self.walk)?,
        };
        Ok(self.looked.insert(looked))
    }

    fn row(&mut self) -> Result<&Row, StoreError> {
        Ok(&self.looked()?.row)
    }

    fn envelope(&mut self) -> Result<&Envelope, StoreError> {
        let envelope = match self.envelope.take() {
            Some(envelope) => envelope,
            None => match self.looked()?.card.as_ref().and_then(StoredCard::envelope) {
                Some(envelope) => envelope,
                None => self.card()?.envelope.clone(),
            },
        };
        Ok(self.envelope.insert(envelope))
    }

    fn card(&mut self) -> Result<Arc<Card>, StoreError> {
        if let Some(card) = &self.card {
            return Ok(card.clone());
        }
        let (account, mailbox) = (self.account, self.mailbox);
        let Looked { row, card } = self.looked()?;
        let at_hand = card.as_ref().and_then(StoredCard::card);
        let card = Arc::new(at_hand.map_or_else(|| account.card(mailbox, row), Ok)?);
        self.card = Some(card.clone());
        Ok(card)
    }

    fn card_and_text(&mut self) -> Result<(Arc<Card>, &Text), StoreError> {
        let card = self.card()?;
        let text = match self.text.take() {
            Some(text) => text,
            None => {
                let (account, mailbox) = (self.account, self.mailbox);
                account.open(mailbox, self.row()?)?
            }
        };
        Ok((card, self.text.insert(text)))
    }
}
