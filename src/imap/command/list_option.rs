//! The arguments of LIST: those of RFC 3501 §6.3.8, or any of the three ways in which RFC 5258 §3 extends them, with
//! the options of RFC 6154 §2 and RFC 5819 §2.

use super::status::Items;
use crate::imap::args::{Args, Parsed};
use crate::imap::response::Completion;

/// What LIST is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Stands before each pattern.
    pub reference: Vec<u8>,
    /// At least one; as they were written.
    pub patterns: Vec<Vec<u8>>,
    /// Which names are listed, each option once.
    pub selects: Vec<Select>,
    /// What is told of them beside what always is, each option once.
    pub returns: Vec<Return>,
    /// In which form it came.
    pub form: Form,
}

/// The forms of LIST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// RFC 3501's.
    Plain,
    /// With options or several patterns: the client knows RFC 5258.
    Extended,
}

/// A selection option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// Names that are subscribed to, mailboxes or not.
    Subscribed,
    /// Mailboxes of other servers too; there are none here.
    Remote,
    /// Names above such as do not fit the pattern too.
    RecursiveMatch,
    /// Mailboxes with a special use.
    SpecialUse,
}

impl Select {
    /// As it is written, if it says itself which names are listed.
    pub const fn base(self) -> Option<&'static str> {
        match self {
            Self::Subscribed => Some("SUBSCRIBED"),
            Self::SpecialUse => Some("SPECIAL-USE"),
            Self::Remote | Self::RecursiveMatch => None,
        }
    }
}

/// A return option. What CHILDREN and SPECIAL-USE ask for is told in any case.
#[derive(Debug, Clone)]
pub enum Return {
    /// `\Subscribed`
    Subscribed,
    /// A STATUS response for each mailbox.
    Status(Items),
}

const SELECTS: [(&str, Select); 4] = [
    ("SUBSCRIBED", Select::Subscribed),
    ("REMOTE", Select::Remote),
    ("RECURSIVEMATCH", Select::RecursiveMatch),
    ("SPECIAL-USE", Select::SpecialUse),
];

/// Patterns of one command.
const PATTERNS_MAX: usize = 32;

impl Request {
    /// From the blank before the arguments to their end.
    pub fn read(args: &mut Args<'_>) -> Parsed<Self> {
        let mut form = Form::Plain;
        args.space()?;
        let mut selects = Vec::new();
        if args.peek() == Some(b'(') {
            form = Form::Extended;
            selects = read_selects(args)?;
            args.space()?;
        }
        let reference = args.astring()?.into_owned();
        args.space()?;
        let patterns = if args.peek() == Some(b'(') {
            form = Form::Extended;
            args.list(|args| args.list_mailbox().map(std::borrow::Cow::into_owned))?
        } else {
            vec![args.list_mailbox()?.into_owned()]
        };
        if patterns.is_empty() {
            return Err(Completion::bad("There is no pattern between the parentheses"));
        }
        if patterns.len() > PATTERNS_MAX {
            return Err(Completion::no("LIST takes at most 32 patterns").code("LIMIT"));
        }
        let mut returns = Vec::new();
        let mut ahead = *args;
        if ahead.eat(b' ') && ahead.word("RETURN") {
            *args = ahead;
            form = Form::Extended;
            args.space()?;
            returns = read_returns(args)?;
        }
        args.end()?;
        Ok(Self { reference, patterns, selects, returns, form })
    }
}

fn read_selects(args: &mut Args<'_>) -> Parsed<Vec<Select>> {
    let mut selects = Vec::new();
    args.list(|args| {
        let word = args.atom()?;
        let known = SELECTS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        let (_, select) = known.ok_or(Completion::bad("LIST does not know this selection"))?;
        if !selects.contains(select) {
            selects.push(*select);
        }
        Ok(())
    })?;
    let base = selects.iter().any(|select| select.base().is_some());
    if selects.contains(&Select::RecursiveMatch) && !base {
        return Err(Completion::bad("RECURSIVEMATCH needs SUBSCRIBED or SPECIAL-USE beside it"));
    }
    Ok(selects)
}

fn read_returns(args: &mut Args<'_>) -> Parsed<Vec<Return>> {
    let (mut subscribed, mut status) = (None, None);
    args.list(|args| {
        match args.atom()?.to_ascii_uppercase().as_str() {
            "SUBSCRIBED" => subscribed = Some(Return::Subscribed),
            "CHILDREN" | "SPECIAL-USE" => {}
            "STATUS" => {
                args.space()?;
                status = Some(Return::Status(Items::read(args)?));
            }
            _ => return Err(Completion::bad("LIST cannot return this")),
        }
        Ok(())
    })?;
    Ok(subscribed.into_iter().chain(status).collect())
}

#[cfg(test)]
mod tests {
    use super::{Form, Request};
    use crate::imap::args::Args;

    fn form(text: &str) -> Option<Form> {
        let text = format!(" {text}");
        Request::read(&mut Args::new(text.as_bytes())).ok().map(|request| request.form)
    }

    /// RFC 5258 §6: what `list-select-opts` allows, and does not.
    #[test]
    fn the_forms_of_list() {
        for plain in ["\"\" %", "a/ \"\"", "\"\" RETURN"] {
            assert_eq!(form(plain), Some(Form::Plain), "{plain}");
        }
        for extended in [
            "() \"\" %",
            "(REMOTE) \"\" %",
            "(subscribed REMOTE RECURSIVEMATCH SUBSCRIBED) \"\" %",
            "\"\" (INBOX \"Sent/%\")",
            "\"\" % RETURN ()",
            "\"\" % return (CHILDREN status (MESSAGES UNSEEN) SUBSCRIBED SPECIAL-USE)",
        ] {
            assert_eq!(form(extended), Some(Form::Extended), "{extended}");
        }
        for bad in [
            "(RECURSIVEMATCH) \"\" %",
            "(REMOTE RECURSIVEMATCH) \"\" %",
            "(X) \"\" %",
            "(SUBSCRIBED)\"\" %",
            "\"\" ()",
            "\"\" (a",
            "\"\" % RETURN",
            "\"\" % RETURN (X)",
            "\"\" % RETURN (STATUS)",
            "\"\" % RETURN (STATUS ())",
            "\"\" % RETURN (CHILDREN) x",
            "\"\" % CHILDREN",
        ] {
            assert_eq!(form(bad), None, "{bad}");
        }
        assert_eq!(form(&format!("\"\" (a{})", " a".repeat(31))), Some(Form::Extended));
        assert_eq!(form(&format!("\"\" (a{})", " a".repeat(32))), None);
    }
}
