//! How much text a card may hold. A message can have a header of megabytes; its card stays small. Text that does not
//! fit is left out, field by field, in the order of the message.

use super::address_list::Entry;
use super::encoded_word::encode_8bit;
use super::header::unfold;
use super::text::Text;

/// Bytes left, and the cost of having a text at all.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
}

const TEXT_COST: usize = 4;

impl Budget {
    pub(super) const fn new(left: usize) -> Self {
        Self { left }
    }

    /// Takes the text in if it fits and is not longer than `len_max`: 7-bit, in one line.
    pub(super) fn text(&mut self, bytes: &[u8], len_max: usize) -> Option<Text> {
        self.charge(unfold(bytes), len_max)
    }

    /// Like `text`, with the blanks around it: a boundary may end in one.
    pub(super) fn untrimmed(&mut self, bytes: &[u8], len_max: usize) -> Option<Text> {
        let mut line = bytes.to_vec();
        line.retain(|b| !matches!(b, b'\r' | b'\n' | 0));
        self.charge(line, len_max)
    }

    fn charge(&mut self, line: Vec<u8>, len_max: usize) -> Option<Text> {
        let text = encode_8bit(line);
        let cost = text.len() + TEXT_COST;
        if text.len() > len_max || cost > self.left {
            return None;
        }
        self.left -= cost;
        Some(text.into())
    }

    /// Like `text`, but what is too long is cut.
    pub(super) fn cut_text(&mut self, bytes: &[u8], len_max: usize) -> Option<Text> {
        // Encoding may double the length and more.
        let cut = if bytes.is_ascii() { len_max } else { len_max / 3 };
        self.text(bytes.get(..cut).unwrap_or(bytes), len_max)
    }

    /// Appends entries while they fit; what IMAP must not leave empty is filled in.
    pub(super) fn entries(&mut self, entries: Vec<Entry>, into: &mut Vec<Entry>) {
        for entry in entries {
            let Some(entry) = self.entry(entry) else { return };
            into.push(entry);
        }
    }

    fn entry(&mut self, entry: Entry) -> Option<Entry> {
        const LEN_MAX: usize = 2000;
        // What Dovecot shows, and what mail apps have therefore learnt to hide.
        let or = |text: Text, missing: &'static str| {
            if text.is_empty() { Text::word(missing) } else { text }
        };
        match entry {
            Entry::Mailbox { name, adl, mailbox, host } => Some(Entry::Mailbox {
                name: match name {
                    Some(name) => Some(self.cut_text(&one_blank(&name), LEN_MAX)?),
                    None => None,
                },
                adl: match adl {
                    Some(adl) => Some(self.text(&adl, LEN_MAX)?),
                    None => None,
                },
                mailbox: or(self.text(&mailbox, LEN_MAX)?, "MISSING_MAILBOX"),
                host: or(self.text(&host, LEN_MAX)?, "MISSING_DOMAIN"),
            }),
            Entry::GroupStart(name) => Some(Entry::GroupStart(self.cut_text(&name, LEN_MAX)?)),
            Entry::GroupEnd => {
                self.left = self.left.checked_sub(TEXT_COST)?;
                Some(Entry::GroupEnd)
            }
        }
    }
}

/// Runs of blanks as one space.
fn one_blank(text: &[u8]) -> Vec<u8> {
    let words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}
