//! What FETCH can be asked for (RFC 3501 §6.4.5, BINARY of RFC 3516 §4.2): items, macros, sections and their partial
//! ranges.

use crate::imap::args::{Args, Parsed};
use crate::imap::response::Completion;
use crate::imap::writer::Writer;
use crate::mail::SectionPart;
use crate::mail::header::Selection;

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
    /// BODY with a section, and the RFC822 items that mean the same.
    Section(Section),
    /// BINARY
    Binary(Binary),
    /// BINARY.SIZE of this part; empty is the message.
    BinarySize(Vec<u32>),
}

/// A piece of the message itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The part; empty is the message.
    pub number: Vec<u32>,
    /// What of it.
    pub what: What,
    /// What of that.
    pub partial: Option<Partial>,
    /// Whether `\Seen` is set.
    pub seen: Seen,
    /// How the answer names it.
    pub label: Label,
}

/// A part with its transfer encoding undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// The part; empty is the message.
    pub number: Vec<u32>,
    /// What of the decoded bytes.
    pub partial: Option<Partial>,
    /// Whether `\\Seen` is set.
    pub seen: Seen,
}

/// `<0.2048>`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// Offset in bytes.
    pub start: u64,
    /// Length in bytes, at least 1.
    pub len: u64,
}

/// What of a part is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A range of the message.
    Part(SectionPart),
    /// Some fields of the header.
    Fields(Selection, Vec<Vec<u8>>),
}

/// Does reading a section set `\Seen`?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It does.
    Set,
    /// `.PEEK`: it does not.
    Left,
}

/// The name in the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// `BODY[…]`
    Body,
    /// The old name.
    Old(&'static str),
}

/// Items of one command, fields of one section, and how deep a part number goes at most.
const ITEMS_MAX: usize = 100;
const FIELDS_MAX: usize = 200;
const DEPTH_MAX: usize = 100;
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

fn word(args: &mut Args<'_>) -> String {
    let word = args.take_while(|b| b.is_ascii_alphanumeric() || b == b'.');
    String::from_utf8_lossy(word).to_ascii_uppercase()
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

fn read_section(args: &mut Args<'_>, seen: Seen) -> Parsed<Section> {
    let (number, what) = read_place(args)?;
    let partial = read_partial(args)?;
    Ok(Section { number, what, partial, seen, label: Label::Body })
}

/// `[1.2.MIME]`
fn read_place(args: &mut Args<'_>) -> Parsed<(Vec<u32>, What)> {
    args.expect(b'[')?;
    let mut number = Vec::new();
    let mut what = What::Part(SectionPart::Body);
    // `BODY[1.]` names nothing: behind a dot something comes.
    while !number.is_empty() || args.peek() != Some(b']') {
        if args.peek().is_some_and(|b| b.is_ascii_digit()) {
            let index = args.number()?;
            if index == 0 || number.len() >= DEPTH_MAX {
                return Err(Completion::bad("There is no such part number"));
            }
            number.push(index);
            if !args.eat(b'.') {
                break;
            }
        } else {
            what = read_what(args, !number.is_empty())?;
            break;
        }
    }
    args.expect(b']')?;
    Ok((number, what))
}

fn read_partial(args: &mut Args<'_>) -> Parsed<Option<Partial>> {
    if !args.eat(b'<') {
        return Ok(None);
    }
    let start = args.number64()?;
    args.expect(b'.')?;
    let len = args.number64()?;
    args.expect(b'>')?;
    if len == 0 {
        return Err(Completion::bad("A partial range has at least one byte"));
    }
    Ok(Some(Partial { start, len }))
}

/// `section-binary`: a number only.
fn read_number(args: &mut Args<'_>) -> Parsed<Vec<u32>> {
    match read_place(args)? {
        (number, What::Part(SectionPart::Body)) => Ok(number),
        (_, What::Part(_) | What::Fields(..)) => {
            Err(Completion::bad("BINARY takes a part number only"))
        }
    }
}

fn read_binary(args: &mut Args<'_>, seen: Seen) -> Parsed<Binary> {
    Ok(Binary { number: read_number(args)?, partial: read_partial(args)?, seen })
}

fn read_what(args: &mut Args<'_>, of_part: bool) -> Parsed<What> {
    let fields = |args: &mut Args<'_>, selection| {
        args.space()?;
        let names = args.list(|args| args.astring().map(std::borrow::Cow::into_owned))?;
        if names.is_empty() || names.len() > FIELDS_MAX {
            return Err(Completion::bad("A section names between 1 and 200 fields"));
        }
        Ok(What::Fields(selection, names))
    };
    match word(args).as_str() {
        "HEADER" => Ok(What::Part(SectionPart::Header)),
        "TEXT" => Ok(What::Part(SectionPart::Text)),
        "MIME" if of_part => Ok(What::Part(SectionPart::Mime)),
        "HEADER.FIELDS" => fields(args, Selection::Named),
        "HEADER.FIELDS.NOT" => fields(args, Selection::Others),
        _ => Err(Completion::bad("There is no such section")),
    }
}

impl Section {
    /// `BODY[1.HEADER.FIELDS (Date)]<0>`: only the offset of a partial range is repeated.
    // Quirk(iOS): a label with the length in it makes it ask for ever.
    pub fn write_label(&self, out: &mut Writer) {
        if let Label::Old(name) = self.label {
            out.text(name);
            return;
        }
        out.text("BODY[");
        write_number(out, &self.number);
        let word = match &self.what {
            What::Part(SectionPart::Body) => "",
            What::Part(SectionPart::Header) => "HEADER",
            What::Part(SectionPart::Text) => "TEXT",
            What::Part(SectionPart::Mime) => "MIME",
            What::Fields(Selection::Named, _) => "HEADER.FIELDS",
            What::Fields(Selection::Others, _) => "HEADER.FIELDS.NOT",
        };
        out.text(if self.number.is_empty() || word.is_empty() { "" } else { "." }).text(word);
        if let What::Fields(_, names) = &self.what {
            out.text(" ").list(names, |out, name: &Vec<u8>| {
                let atom =
                    !name.is_empty() && name.iter().all(|&b| crate::imap::args::is_atom_char(b));
                if atom { out.raw(name) } else { out.string(name) }
            });
        }
        out.text("]");
        write_partial(out, self.partial);
    }
}

impl Binary {
    /// `BINARY[1.2]<0>`
    pub fn write_label(&self, out: &mut Writer) {
        out.text("BINARY[");
        write_number(out, &self.number);
        out.text("]");
        write_partial(out, self.partial);
    }
}

/// `1.2`
pub fn write_number(out: &mut Writer, number: &[u32]) {
    for (at, index) in number.iter().enumerate() {
        out.text(if at > 0 { "." } else { "" }).number(*index);
    }
}

fn write_partial(out: &mut Writer, partial: Option<Partial>) {
    if let Some(Partial { start, .. }) = partial {
        out.text("<").number(start).text(">");
    }
}

#[cfg(test)]
mod tests {
    use super::{Item, read_items};
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
        assert_eq!(items("()"), None);
    }
}
