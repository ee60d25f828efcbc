//! One message's answer to FETCH. Only what is asked for is looked up: flags are in memory, dates and sizes in the
//! index, envelopes and structures on the card, and a section is a range of the file. A message with NULs in it is shown
//! in a form that has none; only BINARY tells of it as it is.

use super::fetch_binary::{Binary, Written};
use super::fetch_fault::Fault;
use super::fetch_item::{Haste, Item};
use super::fetch_section::{Partial, Section, What, write_number};
use crate::base::Timestamp;
use crate::imap::dialect::{Condstore, Dialect};
use crate::imap::object_id::{email_id, thread_id};
use crate::imap::rows::{Cards, Rows};
use crate::imap::selected::Selected;
use crate::imap::structure::{Form, write_envelope, write_structure};
use crate::imap::writer::Writer;
use crate::mail::header::{HEADER_LEN_MAX, select};
use crate::mail::{Card, Date, Envelope, Part, SectionPart};
use crate::maildir::{UidSet, Unique};
use crate::store::{Account, Entry, Mailbox, Row, StoreError, StoredCard, Text};
use std::ops::Range;

/// What must be looked up to answer; each includes those before it, but that a structure does not include the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    Memory,
    Row,
    Envelope,
    Structure,
    Card,
    Text,
}

impl Depth {
    /// What includes both.
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Envelope, Self::Structure) | (Self::Structure, Self::Envelope) => Self::Card,
            _ => self.max(other),
        }
    }
}

/// Whether what is asked for depends on the bytes of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    Bytes,
    Others,
}

/// What must be at hand for a list of items.
#[derive(Debug)]
pub struct Need {
    depth: Depth,
    /// Is something asked for that is other bytes where there are NULs?
    shows: Shows,
    /// These have become `\Seen` by this command.
    pub marked: UidSet,
    /// Told of those that have, whether it was asked for or not.
    of_marked: &'static [Item],
}

impl Need {
    /// For these items; who knows MODSEQ is told the new one with the new flags (RFC 7162 §3.1, §3.2.4).
    pub fn of(items: &[Item], dialect: Dialect) -> Self {
        let depth = |item: &Item| match item {
            Item::Flags | Item::Uid | Item::ModSeq => Depth::Memory,
            Item::InternalDate | Item::Size => Depth::Row,
            Item::EmailId | Item::ThreadId | Item::SaveDate | Item::Preview(_) => Depth::Row,
            Item::Envelope => Depth::Envelope,
            Item::Body | Item::BodyStructure => Depth::Structure,
            Item::Section(_) | Item::Binary(_) | Item::BinarySize(_) => Depth::Text,
        };
        let depth = items.iter().map(depth).fold(Depth::Memory, Depth::with);
        let bytes = |item: &Item| {
            matches!(item, Item::Size | Item::Body | Item::BodyStructure | Item::Section(_))
        };
        let shows = if items.iter().any(bytes) { Shows::Bytes } else { Shows::Others };
        let of_marked: &[Item] = match dialect.condstore {
            Condstore::Unaware if dialect.tells_uid() => &[Item::Uid, Item::Flags],
            Condstore::Unaware => &[Item::Flags],
            Condstore::Aware | Condstore::Qresync => &[Item::Uid, Item::ModSeq, Item::Flags],
        };
        Self { depth, shows, marked: UidSet::default(), of_marked }
    }

    /// Are cards needed?
    pub fn cards(&self) -> Cards {
        if self.depth >= Depth::Envelope { Cards::Read } else { Cards::Left }
    }

    /// Must more than memory be looked at?
    pub fn asks_the_disk(&self) -> bool {
        self.depth > Depth::Memory
    }
}

/// A message that is being answered.
pub struct Message<'a> {
    /// Whose mail it is.
    pub account: &'a Account,
    /// Where it is.
    pub mailbox: &'a Mailbox,
    /// The view that it is in.
    pub selected: &'a Selected,
    /// Its number there.
    pub seq: u32,
    /// Its UID and flags.
    pub entry: Entry,
    /// Where rows come from.
    pub rows: &'a mut Rows,
    /// Where previews go that have been made, with what they are kept by.
    pub previews: &'a mut Vec<(Unique, u64, String)>,
}

/// What has been looked up.
struct Found {
    row: Option<Row>,
    card: OfCard,
    text: Option<Text>,
    /// The message in a form without NULs, and its card, where it has some and they would be shown.
    without_nul: Option<(Text, Card)>,
}

/// As much of a card as is asked for.
enum OfCard {
    Nothing,
    Envelope(Envelope),
    Structure(Part),
    Whole(Box<Card>),
}

impl OfCard {
    fn read(stored: &StoredCard, depth: Depth) -> Option<Self> {
        match depth {
            Depth::Memory | Depth::Row => Some(Self::Nothing),
            Depth::Envelope => stored.envelope().map(Self::Envelope),
            Depth::Structure => stored.structure().map(Self::Structure),
            Depth::Card | Depth::Text => stored.card().map(Box::new).map(Self::Whole),
        }
    }

    fn whole(&self) -> Option<&Card> {
        if let Self::Whole(card) = self { Some(card) } else { None }
    }
}

impl Found {
    /// Files that the answer may hold open.
    fn files(&self) -> usize {
        usize::from(self.text.is_some()) + usize::from(self.without_nul.is_some())
    }

    fn envelope(&self) -> Option<&Envelope> {
        match &self.card {
            OfCard::Envelope(envelope) => Some(envelope),
            _ => self.shown_card().map(|card| &card.envelope),
        }
    }

    fn structure(&self) -> Option<&Part> {
        match &self.card {
            OfCard::Structure(structure) => Some(structure),
            _ => self.shown_card().map(|card| &card.structure),
        }
    }

    fn shown_card(&self) -> Option<&Card> {
        self.without_nul.as_ref().map(|(_, card)| card).or(self.card.whole())
    }

    fn shown_text(&self) -> Option<&Text> {
        self.without_nul.as_ref().map(|(text, _)| text).or(self.text.as_ref())
    }

    /// A part as it is.
    fn binary(&self, number: &[u32]) -> Result<Option<Binary<'_>>, Fault> {
        match (&self.text, self.card.whole()) {
            (Some(text), Some(card)) => Binary::find(text, card, number),
            _ => Err(StoreError::NoMessage.into()),
        }
    }
}

impl Message<'_> {
    /// Writes the answer, or nothing if the message is gone; how many files it holds open.
    pub fn write(
        &mut self,
        out: &mut Writer,
        items: &[Item],
        need: &Need,
        walk: &UidSet,
    ) -> Result<usize, Fault> {
        let found = self.find(need, walk)?;
        let place = out.place();
        out.text("* ").number(self.seq).text(" FETCH ");
        let (mut wrong, mut files) = (None, found.files());
        let told = if need.marked.contains(self.entry.uid) { need.of_marked } else { &[] };
        let told = told.iter().filter(|item| !items.contains(item));
        out.list(items.iter().chain(told), |out, item| {
            match self.item(out, item, &found) {
                Ok(Written::FromMemory) => {}
                Ok(Written::ByFile) => files += 1,
                Err(error) => wrong = Some(error),
            }
            out
        });
        out.text("\r\n");
        if let Some(error) = wrong {
            out.take_back(place);
            return Err(error);
        }
        Ok(files)
    }

    fn find(&mut self, need: &Need, walk: &UidSet) -> Result<Found, StoreError> {
        let looked = match need.depth >= Depth::Row {
            true => Some(self.rows.get(self.account, self.mailbox.id, self.entry.uid, walk)?),
            false => None,
        };
        let (row, stored) = looked.map_or((None, None), |looked| (Some(looked.row), looked.card));
        let nul = need.shows == Shows::Bytes && row.as_ref().is_some_and(|row| row.nul);
        let depth = if nul { Depth::Text } else { need.depth };
        let text = match &row {
            Some(row) if depth >= Depth::Text => Some(self.account.open(self.mailbox, row)?),
            Some(_) | None => None,
        };
        let card = match &row {
            Some(row) if depth >= Depth::Envelope => {
                let at_hand = stored.and_then(|stored| OfCard::read(&stored, depth));
                let make = || self.account.card(self.mailbox, row).map(Box::new).map(OfCard::Whole);
                at_hand.map_or_else(make, Ok)?
            }
            Some(_) | None => OfCard::Nothing,
        };
        let without_nul = match (&text, card.whole()) {
            (Some(text), Some(card)) if nul => Some(self.account.without_nul(text, card)?),
            _ => None,
        };
        Ok(Found { row, card, text, without_nul })
    }

    fn item(&mut self, out: &mut Writer, item: &Item, found: &Found) -> Result<Written, Fault> {
        match (item, &found.row, found.shown_card(), found.shown_text()) {
            (Item::Flags, ..) => {
                out.text("FLAGS ");
                self.selected.write_flag_list(out, self.entry.uid, self.entry.flags);
            }
            (Item::Uid, ..) => {
                out.text("UID ").number(self.entry.uid.0);
            }
            (Item::ModSeq, ..) => {
                out.text("MODSEQ (").number(self.entry.modseq.0).text(")");
            }
            (Item::InternalDate, Some(row), ..) => {
                let date = Date { at: Timestamp::from_seconds(row.date), zone_minutes: row.zone };
                out.text("INTERNALDATE \"").text(&date.imap_date_time()).text("\"");
            }
            (Item::Size, Some(row), ..) => {
                let size = found.without_nul.as_ref().map_or(row.size, |(text, _)| text.size());
                out.text("RFC822.SIZE ").number(size);
            }
            (Item::EmailId, Some(row), ..) => {
                out.text("EMAILID (").text(&email_id(row.email_id)).text(")");
            }
            (Item::ThreadId, Some(row), ..) => {
                out.text("THREADID (").text(&thread_id(row.thread)).text(")");
            }
            (Item::SaveDate, Some(row), ..) => {
                let date = Date { at: Timestamp::from_seconds(row.saved), zone_minutes: 0 };
                out.text("SAVEDATE \"").text(&date.imap_date_time()).text("\"");
            }
            (Item::Preview(haste), Some(row), ..) => {
                let preview = self.preview(row, *haste)?;
                out.text("PREVIEW ").nstring(preview.as_deref().map(str::as_bytes));
            }
            (Item::Envelope, ..) => {
                let envelope = found.envelope().ok_or(StoreError::NoMessage)?;
                out.text("ENVELOPE ");
                write_envelope(out, envelope);
            }
            (Item::Body, ..) => {
                let structure = found.structure().ok_or(StoreError::NoMessage)?;
                out.text("BODY ");
                write_structure(out, structure, Form::Body);
            }
            (Item::BodyStructure, ..) => {
                let structure = found.structure().ok_or(StoreError::NoMessage)?;
                out.text("BODYSTRUCTURE ");
                write_structure(out, structure, Form::BodyStructure);
            }
            (Item::Section(section), _, Some(card), Some(text)) => {
                section.write_label(out);
                out.text(" ");
                self.section(out, section, card, text)?;
            }
            (Item::Binary(binary), ..) => {
                binary.write_label(out);
                out.text(" ");
                return match found.binary(&binary.number)? {
                    Some(part) => part.write(self.account, out, binary.partial),
                    None => {
                        out.text("NIL");
                        Ok(Written::FromMemory)
                    }
                };
            }
            (Item::BinarySize(number), ..) => {
                let part = found.binary(number)?;
                out.text("BINARY.SIZE[");
                write_number(out, number);
                out.text("] ").number(part.map_or(Ok(0), |part| part.size())?);
            }
            _ => return Err(StoreError::NoMessage.into()),
        }
        Ok(Written::FromMemory)
    }

    /// RFC 8970 §4.1: what must be made first is not there for those in haste.
    fn preview(&mut self, row: &Row, haste: Haste) -> Result<Option<String>, StoreError> {
        match (self.account.preview(row), haste) {
            (None, Haste::No) => {
                let made = self.account.make_preview(self.mailbox, row)?;
                self.previews.push((row.email_id, row.size, made.clone()));
                Ok(Some(made))
            }
            (found, Haste::No | Haste::Lazy) => Ok(found),
        }
    }

    fn section(
        &self,
        out: &mut Writer,
        section: &Section,
        card: &Card,
        text: &Text,
    ) -> Result<(), StoreError> {
        match &section.what {
            What::Part(part) => {
                let Some(range) = card.section(&section.number, *part) else {
                    out.text("NIL");
                    return Ok(());
                };
                // The whole message is what the file has, whatever a card says.
                let whole = section.number.is_empty() && *part == SectionPart::Body;
                let range = if whole { 0..text.size() } else { range };
                let range = cut(range, section.partial, text.size());
                let (file, range) = self.account.file_of(text, range)?;
                out.file(&file, range);
            }
            What::Fields(selection, names) => {
                let Some(range) = card.section(&section.number, SectionPart::Header) else {
                    out.text("NIL");
                    return Ok(());
                };
                let end = range.end.min(range.start.saturating_add(HEADER_LEN_MAX as u64));
                let header = text
                    .read(range.start..end)
                    .map_err(|error| StoreError::io("read a message", &error))?;
                let fields = select(&header, *selection, names);
                let len = fields.len() as u64;
                let range = cut(0..len, section.partial, len);
                let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
                out.literal(fields.get(at(range.start)..at(range.end)).unwrap_or_default());
            }
        }
        Ok(())
    }
}

/// The partial range within a section, cut at its end.
fn cut(range: Range<u64>, partial: Option<Partial>, size: u64) -> Range<u64> {
    let end = range.end.min(size);
    let start = range.start.min(end);
    match partial {
        None => start..end,
        Some(Partial { start: offset, len }) => {
            let start = start.saturating_add(offset).min(end);
            start..start.saturating_add(len).min(end)
        }
    }
}
