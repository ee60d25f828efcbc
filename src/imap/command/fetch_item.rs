//! What FETCH can be asked for (RFC 3501 §6.4.5, BINARY of RFC 3516 §4.2, PREVIEW of RFC 8970 §3): items and macros.

use super::fetch_section::{
    Binary, Label, Section, Seen, What, read_binary, read_number, read_section, word,
};
use crate::imap::args::{Args, Parsed};
use crate::imap::response::Completion;
use crate::mail::SectionPart;

/// A data item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// FLAGS
    Flags,
    /// UID
    Uid,
    /// INTERNALDATE
    InternalDate,
    /// RFC822.SIZE
    Size,
    /// ENVELOPE
    Envelope,
    /// BODY without a section
    Body,
    /// BODYSTRUCTURE
    BodyStructure,
    /// MODSEQ (RFC 7162)
    ModSeq,
    /// EMAILID (RFC 8474)
    EmailId,
    /// THREADID (RFC 8474)
    ThreadId,
    /// SAVEDATE (RFC 8514)
    SaveDate,
    /// PREVIEW (RFC 8970)
    Preview(Haste),
    /// BODY with a section, and the RFC822 items that mean the same.
    Section(Section),
    /// BINARY
    Binary(Binary),
    /// BINARY.SIZE of this part; empty is the message.
    BinarySize(Vec<u32>),
}

/// Whether a preview may be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Haste {
    /// It is made if it is not at hand.
    No,
    /// `(LAZY)`: it is told only if it is at hand.
    Lazy,
}

/// Items of one command.
const ITEMS_MAX: usize = 100;
/// Sections of chosen fields in one command: each may be as long as a header, and is put together in memory.
const CHOSEN_MAX: usize = 8;
/// Decoded parts in one command: each is read from its beginning and may take a file of its own.
const BINARY_MAX: usize = 16;

/// One item, a macro, or a list of items.
pub fn read_items(args: &mut Args<'_>) -> Parsed<Vec<Item>> {
    if args.peek() == Some(b'(') {
        let items = args.list(read_item)?;
        if items.is_empty() || items.len() > ITEMS_MAX {
            return Err(Completion::bad("FETCH takes between 1 and 100 items"));
        }
        let is_chosen =
            |item: &&Item| matches!(item, Item::Section(Section { what: What::Fields(..), .. }));
        if items.iter().filter(is_chosen).count() > CHOSEN_MAX {
            let text = "FETCH takes at most 8 sections of chosen header fields";
            return Err(Completion::no(text).code("LIMIT"));
        }
        let is_binary = |item: &&Item| matches!(item, Item::Binary(_) | Item::BinarySize(_));
        if items.iter().filter(is_binary).count() > BINARY_MAX {
            return Err(Completion::no("FETCH decodes at most 16 parts").code("LIMIT"));
        }
        return Ok(items);
    }
    let mut ahead = *args;
    let word = word(&mut ahead);
    let fast = [Item::Flags, Item::InternalDate, Item::Size];
    let more: &[Item] = match word.as_str() {
        "FAST" => &[],
        "ALL" => &[Item::Envelope],
        "FULL" => &[Item::Envelope, Item::Body],
        _ => return Ok(vec![read_item(args)?]),
    };
    *args = ahead;
    Ok(fast.iter().chain(more).cloned().collect())
}

fn read_item(args: &mut Args<'_>) -> Parsed<Item> {
    let word = word(args);
    let old = |what, seen, name| {
        let (number, what, label) = (Vec::new(), What::Part(what), Label::Old(name));
        Ok(Item::Section(Section { number, what, partial: None, seen, label }))
    };
    match word.as_str() {
        "FLAGS" => Ok(Item::Flags),
        "UID" => Ok(Item::Uid),
        "INTERNALDATE" => Ok(Item::InternalDate),
        "ENVELOPE" => Ok(Item::Envelope),
        "BODYSTRUCTURE" => Ok(Item::BodyStructure),
        "MODSEQ" => Ok(Item::ModSeq),
        "EMAILID" => Ok(Item::EmailId),
        "THREADID" => Ok(Item::ThreadId),
        "SAVEDATE" => Ok(Item::SaveDate),
        "PREVIEW" => read_haste(args).map(Item::Preview),
        "RFC822.SIZE" => Ok(Item::Size),
        "RFC822" => old(SectionPart::Body, Seen::Set, "RFC822"),
        "RFC822.HEADER" => old(SectionPart::Header, Seen::Left, "RFC822.HEADER"),
        "RFC822.TEXT" => old(SectionPart::Text, Seen::Set, "RFC822.TEXT"),
        "BODY" if args.peek() != Some(b'[') => Ok(Item::Body),
        "BODY" => read_section(args, Seen::Set).map(Item::Section),
        "BODY.PEEK" => read_section(args, Seen::Left).map(Item::Section),
        "BINARY" => read_binary(args, Seen::Set).map(Item::Binary),
        "BINARY.PEEK" => read_binary(args, Seen::Left).map(Item::Binary),
        "BINARY.SIZE" => read_number(args).map(Item::BinarySize),
        _ => Err(Completion::bad("FETCH does not know this item")),
    }
}

/// ` (LAZY)` if it comes next; other parentheses are not PREVIEW's.
fn read_haste(args: &mut Args<'_>) -> Parsed<Haste> {
    let mut ahead = *args;
    if !(ahead.eat(b' ') && ahead.eat(b'(') && ahead.word("LAZY")) {
        return Ok(Haste::No);
    }
    args.modifiers(|args| match args.word("LAZY") {
        true => Ok(()),
        false => Err(Completion::bad("PREVIEW has the modifier LAZY only")),
    })?;
    Ok(Haste::Lazy)
}

#[cfg(test)]
mod tests {
    use super::{Haste, Item, read_items};
    use crate::base::Output;
    use crate::imap::args::Args;
    use crate::imap::writer::Writer;

    fn label(text: &str) -> Option<String> {
        let mut args = Args::new(text.as_bytes());
        let items = read_items(&mut args).ok().filter(|_| args.is_empty())?;
        let mut out = Writer::default();
        match items.first()? {
            Item::Section(section) => section.write_label(&mut out),
            Item::Binary(binary) => binary.write_label(&mut out),
            _ => return None,
        }
        match out.next() {
            Some(Output::Bytes(bytes)) => String::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    #[test]
    fn sections_and_the_labels_of_their_answers() {
        for (text, expected) in [
            ("BODY[]", "BODY[]"),
            ("body.peek[1.2.mime]", "BODY[1.2.MIME]"),
            ("BODY.PEEK[1]<0.393216>", "BODY[1]<0>"),
            ("BODY[HEADER.FIELDS (Date \"From\")]", "BODY[HEADER.FIELDS (Date From)]"),
            ("BODY[3.HEADER.FIELDS.NOT (a)]<5.1>", "BODY[3.HEADER.FIELDS.NOT (a)]<5>"),
            ("BODY[4.TEXT]", "BODY[4.TEXT]"),
            ("RFC822.TEXT", "RFC822.TEXT"),
            ("BINARY[]", "BINARY[]"),
            ("binary.peek[3.1]<8.5>", "BINARY[3.1]<8>"),
        ] {
            assert_eq!(label(text).as_deref(), Some(expected), "{text}");
        }
        for bad in [
            "BODY[",
            "BODY[0]",
            "BODY[MIME]",
            "BODY[1",
            "BODY[1.]",
            "BODY[.1]",
            "BODY[1..2]",
            "BODY[]<1>",
            "BODY[]<1.0>",
            "BODY[X]",
            "BODY[HEADER.FIELDS ()]",
            "BINARY",
            "BINARY[HEADER]",
            "BINARY[1.MIME]",
            "BINARY[1]<0>",
            "BINARY.PEEK[1]<0.0>",
            "BINARY.SIZE",
            "BINARY.SIZE[1]<0.1>",
        ] {
            assert_eq!(label(bad), None, "{bad}");
        }
        let long = format!("BODY[{}1]", "1.".repeat(200));
        assert_eq!(label(&long), None);
    }

    #[test]
    fn macros_stand_alone() {
        let items = |text: &str| read_items(&mut Args::new(text.as_bytes())).ok();
        let fast = vec![Item::Flags, Item::InternalDate, Item::Size];
        assert_eq!(items("fast"), Some(fast));
        assert_eq!(items("FULL").map(|all| all.len()), Some(5));
        assert_eq!(items("(FAST)"), None);
        assert_eq!(items("preview (lazy)"), Some(vec![Item::Preview(Haste::Lazy)]));
        assert_eq!(items("(PREVIEW UID)"), Some(vec![Item::Preview(Haste::No), Item::Uid]));
        assert_eq!(items("(PREVIEW (LAZY LAZY) UID)").map(|all| all.len()), Some(2));
        for bad in [
            "(PREVIEW (EAGER))",
            "(PREVIEW (LAZY EAGER))",
            "(PREVIEW ())",
            "(PREVIEW(LAZY))",
            "PREVIEW (LAZY",
        ] {
            assert_eq!(items(bad), None, "{bad}");
        }
        assert_eq!(items("()"), None);
    }
}
