//! What a message is made of, for who reads it: its card and its preview, at hand or made from its text.

use super::account::Account;
use super::error::StoreError;
use super::mailbox::Mailbox;
use super::row::Row;
use super::text::Text;
use super::without_nul;
use crate::mail::{Card, Envelope, Part, Scanner, preview_parts};
use crate::maildir::Unique;
use std::ops::ControlFlow;

/// Bytes of cards that are read at once; one has 64 KB at most, and a few hundred bytes mostly.
const STORED_CARDS_LEN_MAX: usize = 256 * 1024;

impl Account {
    /// A message with NULs in it, and its card, in a form that has none: what holds them is in base64 there. Reads and
    /// writes the whole of it.
    pub fn without_nul(&self, text: &Text, card: &Card) -> Result<(Text, Card), StoreError> {
        // Base64 takes 78 bytes for 57.
        let mut scratch = self.scratch(text.size().saturating_mul(3) / 2)?;
        without_nul::write(text, card, &mut scratch)?;
        let (file, size) = scratch.done();
        let text = Text::whole(file, size);
        let card = scan(&text)?;
        Ok((text, card))
    }

    /// The cards of these messages that are at hand, in one look, but for what would take too much memory.
    pub fn stored_cards(&self, rows: &[Row]) -> Vec<Option<StoredCard>> {
        let wanted: Vec<_> = rows.iter().map(|row| (row.email_id, row.size)).collect();
        let stored = self.shared.cards.read_all(self.shared.id, &wanted, STORED_CARDS_LEN_MAX);
        stored.into_iter().map(|bytes| bytes.map(StoredCard)).collect()
    }

    /// A message's card; made from the message if it is not at hand.
    pub fn card(&self, mailbox: &Mailbox, row: &Row) -> Result<Card, StoreError> {
        let stored = self.shared.cards.read(self.shared.id, row.email_id, row.size);
        if let Some(card) = stored.and_then(|bytes| Card::decode(&bytes)) {
            return Ok(card);
        }
        let card = scan(&self.open(mailbox, row)?)?;
        self.shared.cards.write(self.shared.id, &[(row.email_id, row.size, card.encode())]);
        Ok(card)
    }

    /// The preview of a message (RFC 8970), if somebody has asked for it before.
    pub fn preview(&self, row: &Row) -> Option<String> {
        let stored = self.shared.cards.read_preview(self.shared.id, row.email_id, row.size)?;
        String::from_utf8(stored).ok()
    }

    /// Makes it: reads the beginning of a part or two of the message.
    pub fn make_preview(&self, mailbox: &Mailbox, row: &Row) -> Result<String, StoreError> {
        let card = self.card(mailbox, row)?;
        let parts = preview_parts(&card.structure);
        if parts.is_empty() {
            return Ok(String::new());
        }
        let text = self.open(mailbox, row)?;
        for part in parts {
            let start = part.body.start;
            let body = text
                .read(start..start.saturating_add(part.preview_len()))
                .map_err(|error| StoreError::io("read a message", &error))?;
            let preview = part.preview(&body);
            if !preview.is_empty() {
                return Ok(preview);
            }
        }
        Ok(String::new())
    }

    /// Keeps previews, by EMAILID and size, for the next time.
    pub fn keep_previews(&self, previews: &[(Unique, u64, String)]) {
        if !previews.is_empty() {
            self.shared.cards.write_previews(self.shared.id, previews);
        }
    }
}

/// A card as it is stored.
#[derive(Debug)]
pub struct StoredCard(Vec<u8>);

impl StoredCard {
    /// The whole card; `None` if it is of another version.
    pub fn card(&self) -> Option<Card> {
        Card::decode(&self.0)
    }

    /// The envelope alone, which takes less; the same.
    pub fn envelope(&self) -> Option<Envelope> {
        Envelope::decode(&self.0)
    }

    /// The structure alone; the same.
    pub fn structure(&self) -> Option<Part> {
        Part::decode(&self.0)
    }
}

/// The card of a message, from its text.
fn scan(text: &Text) -> Result<Card, StoreError> {
    let mut scanner = Scanner::default();
    text.walk(&(0..text.size()), |piece| {
        scanner.push(piece);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(scanner.finish())
}
