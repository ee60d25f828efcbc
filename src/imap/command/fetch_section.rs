//! Pieces of a message that FETCH is asked for (RFC 3501 §6.4.5, BINARY of RFC 3516 §4.2): sections, part numbers,
//! partial ranges, and how an answer names them.

use crate::imap::args::{Args, Parsed};
use crate::imap::response::Completion;
use crate::imap::writer::Writer;
use crate::mail::SectionPart;
use crate::mail::header::Selection;

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

/// Fields of one section, and how deep a part number goes at most.
const FIELDS_MAX: usize = 200;
const DEPTH_MAX: usize = 100;

/// The word of an item or a section, in upper case.
pub fn word(args: &mut Args<'_>) -> String {
    let word = args.take_while(|b| b.is_ascii_alphanumeric() || b == b'.');
    String::from_utf8_lossy(word).to_ascii_uppercase()
}

/// `[1.MIME]<0.100>`
pub fn read_section(args: &mut Args<'_>, seen: Seen) -> Parsed<Section> {
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

/// `section-binary`: `[1.2]`, a number only.
pub fn read_number(args: &mut Args<'_>) -> Parsed<Vec<u32>> {
    match read_place(args)? {
        (number, What::Part(SectionPart::Body)) => Ok(number),
        (_, What::Part(_) | What::Fields(..)) => {
            Err(Completion::bad("BINARY takes a part number only"))
        }
    }
}

/// `[1.2]<0.100>`
pub fn read_binary(args: &mut Args<'_>, seen: Seen) -> Parsed<Binary> {
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
