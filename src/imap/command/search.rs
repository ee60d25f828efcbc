//! SEARCH (RFC 3501 §6.4.4): tries the keys on one message after the other, and lets others have the thread now and
//! then.

use super::action::Action;
use super::search_key::{self, EnvelopeField, Key};
use super::search_text::{in_addresses, in_body, in_field, in_header, in_text};
use crate::base::Timestamp;
use crate::imap::args::{Args, Parsed};
use crate::imap::flag_text::Recent;
use crate::imap::job::{Job, Next};
use crate::imap::response::Completion;
use crate::imap::rows::Rows;
use crate::imap::selected::Selected;
use crate::imap::sequence_set::Numbers;
use crate::imap::session::Session;
use crate::mail::{Card, Date};
use crate::maildir::{AccountText, ModSeq, Uid, UidSet};
use crate::store::{Account, Entry, Mailbox, Row, StoreError, Text};
use std::cmp::Ordering;
use std::sync::Arc;

/// `SEARCH UNSEEN FROM "Smith"`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    read_search(args, Numbers::Sequence)
}

/// `UID SEARCH UNSEEN FROM "Smith"`
pub fn read_uid(args: &mut Args<'_>) -> Parsed<Action> {
    read_search(args, Numbers::Uid)
}

fn read_search(args: &mut Args<'_>, numbers: Numbers) -> Parsed<Action> {
    args.space()?;
    let key = search_key::read(args)?;
    Ok(Action::Work(Box::new(move |session| {
        begin(session, &key, numbers).unwrap_or_else(Next::Done)
    })))
}

/// A search that goes on.
struct Search {
    trial: Trial,
    /// What one message costs, in about as many microseconds.
    weight: usize,
    numbers: Numbers,
    /// Messages that the client knew when it asked, and where the walk is.
    all: UidSet,
    next: Uid,
    rows: Rows,
    found: Vec<u32>,
    /// The highest of what was found, if MODSEQ was asked for.
    highest: Option<ModSeq>,
}

fn begin(session: &mut Session, key: &Key, numbers: Numbers) -> Result<Next, Completion> {
    let asks_mod_seq = key.asks_mod_seq();
    if asks_mod_seq {
        session.becomes_aware();
    }
    let (mailboxes, _) = session.opened_mailbox()?;
    let selected = session.opened()?;
    let trial = prepare(key, selected, &mailboxes.text)?;
    let last = selected.view.last().map_or(Uid(0), |entry| entry.uid);
    let search = Search {
        trial,
        weight: key.weight(),
        numbers,
        all: UidSet::range(Uid(1), last),
        next: Uid(1),
        rows: Rows::default(),
        found: Vec::new(),
        highest: asks_mod_seq.then_some(ModSeq(0)),
    };
    Ok(go_on(session, search))
}

/// A key with what is known now put in: sets as UIDs, keywords as flags.
enum Trial {
    And(Vec<Trial>),
    Or(Vec<Trial>),
    Not(Box<Trial>),
    Uids(UidSet),
    Key(Key),
}

fn prepare(key: &Key, selected: &Selected, text: &AccountText) -> Result<Trial, Completion> {
    let all = |keys: &[Key]| {
        keys.iter().map(|key| prepare(key, selected, text)).collect::<Result<_, _>>()
    };
    Ok(match key {
        Key::And(keys) => Trial::And(all(keys)?),
        Key::Or(keys) => Trial::Or(all(keys)?),
        Key::Not(key) => Trial::Not(Box::new(prepare(key, selected, text)?)),
        Key::Set(set, numbers) => Trial::Uids(selected.uids(set, *numbers)?),
        // A keyword that the account does not know is set nowhere.
        Key::Keyword(name) => text
            .keyword(name)
            .map_or_else(|| Trial::Or(Vec::new()), |flag| Trial::Key(Key::Flag(flag))),
        key => Trial::Key(key.clone()),
    })
}

/// What one turn on the thread may cost; then others have theirs.
const TURN_MAX: usize = 50_000;

fn go_on(session: &mut Session, mut search: Search) -> Next {
    let (_, mailbox) = match session.opened_mailbox() {
        Ok(opened) => opened,
        Err(refused) => return Next::Done(refused),
    };
    let Session { selected: Some(selected), account, .. } = session else {
        return Next::Done(Completion::bad("No mailbox is selected"));
    };
    let mut spent = 0;
    let first = selected.view.seq_from(search.next);
    for (seq, entry) in selected.view.iter_from(first) {
        if spent >= TURN_MAX {
            search.next = entry.uid;
            let job: Job = Box::new(move |session| go_on(session, search));
            return Next::More(job);
        }
        spent += search.weight;
        let mut candidate =
            Candidate::new(account, &mailbox, selected, entry, &mut search.rows, &search.all);
        let mut fits = candidate.fits(&search.trial);
        if matches!(fits, Err(StoreError::NoMessage)) && candidate.renew().is_ok() {
            fits = candidate.fits(&search.trial);
        }
        match fits {
            Ok(true) => {
                search.found.push(match search.numbers {
                    Numbers::Sequence => seq,
                    Numbers::Uid => entry.uid.0,
                });
                search.highest = search.highest.map(|highest| highest.max(entry.modseq));
            }
            Ok(false) => {}
            // It is gone, and the client will be told.
            Err(StoreError::NoMessage | StoreError::NoMailbox) => {}
            Err(error) => return Next::Done(error.into()),
        }
    }
    session.out.text("* SEARCH");
    let highest = search.highest.filter(|_| !search.found.is_empty());
    answer(session, search.found, 0, highest)
}

fn answer(session: &mut Session, found: Vec<u32>, from: usize, highest: Option<ModSeq>) -> Next {
    for (at, number) in found.iter().enumerate().skip(from) {
        if session.out.is_full() {
            let job: Job = Box::new(move |session| answer(session, found, at, highest));
            return Next::More(job);
        }
        session.out.text(" ").number(*number);
    }
    if let Some(highest) = highest {
        session.out.text(" (MODSEQ ").number(highest.0).text(")");
    }
    session.out.text("\r\n");
    Next::Done(Completion::ok("Searched"))
}

/// A message on trial, with what has been looked up of it.
struct Candidate<'a> {
    account: &'a Account,
    mailbox: &'a Mailbox,
    selected: &'a Selected,
    entry: Entry,
    rows: &'a mut Rows,
    walk: &'a UidSet,
    row: Option<Row>,
    card: Option<Arc<Card>>,
    text: Option<Text>,
}

impl<'a> Candidate<'a> {
    const fn new(
        account: &'a Account,
        mailbox: &'a Mailbox,
        selected: &'a Selected,
        entry: Entry,
        rows: &'a mut Rows,
        walk: &'a UidSet,
    ) -> Self {
        Self { account, mailbox, selected, entry, rows, walk, row: None, card: None, text: None }
    }

    fn fits(&mut self, trial: &Trial) -> Result<bool, StoreError> {
        match trial {
            Trial::And(all) => {
                for trial in all {
                    if !self.fits(trial)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Trial::Or(any) => {
                for trial in any {
                    if self.fits(trial)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Trial::Not(trial) => Ok(!self.fits(trial)?),
            Trial::Uids(uids) => Ok(uids.contains(self.entry.uid)),
            Trial::Key(key) => self.fits_key(key),
        }
    }

    fn fits_key(&mut self, key: &Key) -> Result<bool, StoreError> {
        let day_is = |day: Option<Date>, order: Ordering, wanted| {
            day.is_some_and(|date| date.day().cmp(&wanted) == order)
        };
        Ok(match key {
            Key::Flag(flag) => self.entry.flags.contains(*flag),
            Key::Recent => self.selected.recent(self.entry.uid) == Recent::Yes,
            Key::ModSeq(least) => self.entry.modseq >= *least,
            Key::Date(order, day) => {
                let row = self.row()?;
                let date = Date { at: Timestamp::from_seconds(row.date), zone_minutes: row.zone };
                day_is(Some(date), *order, *day)
            }
            Key::Size(order, size) => self.row()?.size.cmp(size) == *order,
            Key::Sent(order, day) => day_is(self.card()?.sent, *order, *day),
            Key::Envelope(field, needle) => {
                let card = self.card()?;
                let envelope = &card.envelope;
                match field {
                    EnvelopeField::Subject => {
                        in_text(envelope.subject.as_deref().unwrap_or_default(), needle)
                    }
                    EnvelopeField::From => in_addresses(&envelope.from, needle),
                    EnvelopeField::To => in_addresses(&envelope.to, needle),
                    EnvelopeField::Cc => in_addresses(&envelope.cc, needle),
                    EnvelopeField::Bcc => in_addresses(&envelope.bcc, needle),
                }
            }
            Key::Header(name, needle) => {
                let (card, text) = self.card_and_text()?;
                readable(in_field(text, &card.structure.header, name, needle))?
            }
            Key::Body(needle) => {
                let (card, text) = self.card_and_text()?;
                readable(in_body(text, &card.structure, needle))?
            }
            Key::Text(needle) => {
                let (card, text) = self.card_and_text()?;
                readable(in_header(text, &card.structure.header, needle))?
                    || readable(in_body(text, &card.structure, needle))?
            }
            // `prepare` has put others in their place.
            Key::And(_) | Key::Or(_) | Key::Not(_) | Key::Set(..) | Key::Keyword(_) => false,
        })
    }

    fn renew(&mut self) -> Result<(), StoreError> {
        (self.row, self.card, self.text) = (None, None, None);
        self.rows.renew(self.account, self.mailbox.id, self.entry.uid)
    }

    fn row(&mut self) -> Result<&Row, StoreError> {
        let row = match self.row.take() {
            Some(row) => row,
            None => self.rows.get(self.account, self.mailbox.id, self.entry.uid, self.walk)?,
        };
        Ok(self.row.insert(row))
    }

    fn card(&mut self) -> Result<Arc<Card>, StoreError> {
        if let Some(card) = &self.card {
            return Ok(card.clone());
        }
        let (account, mailbox) = (self.account, self.mailbox);
        let card = Arc::new(account.card(mailbox, self.row()?)?);
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

fn readable<T>(result: std::io::Result<T>) -> Result<T, StoreError> {
    result.map_err(|error| StoreError::io("read a message", &error))
}
