//! When and how a sender wants to hear of a message's fate (RFC 3461): NOTIFY and ORCPT of a recipient, RET and ENVID of
//! a message. Peers and clients control the input; what is kept can stand in a command and in a report as it is.

use std::fmt::Write;

/// RFC 3461 §4.4.
const ENVID_LEN_MAX: usize = 100;
/// RFC 3461 §4.2.
const ORCPT_LEN_MAX: usize = 500;

/// When a report about a recipient is wanted (RFC 3461 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Notify {
    /// The sender did not say: of failure, and of delay.
    #[default]
    Unsaid,
    /// Of nothing.
    Never,
    /// Of these.
    On(Events),
}

/// What may be reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Events(u8);

const EVENTS: [(&str, u8); 3] = [("SUCCESS", 1), ("FAILURE", 2), ("DELAY", 4)];

impl Notify {
    /// Reads the value of NOTIFY. `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("NEVER") {
            return Some(Self::Never);
        }
        let mut events = 0;
        for word in text.split(',') {
            let (_, bit) = EVENTS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))?;
            events |= bit;
        }
        Some(Self::On(Events(events)))
    }

    /// The value of NOTIFY; `None` if the sender did not say.
    pub fn text(self) -> Option<String> {
        match self {
            Self::Unsaid => None,
            Self::Never => Some("NEVER".to_owned()),
            Self::On(Events(events)) => {
                let names =
                    EVENTS.iter().filter(|(_, bit)| events & bit != 0).map(|(name, _)| *name);
                Some(names.collect::<Vec<_>>().join(","))
            }
        }
    }

    /// Is a report of success wanted?
    pub const fn on_success(self) -> bool {
        matches!(self, Self::On(Events(events)) if events & 1 != 0)
    }

    /// Is a report of failure wanted?
    pub const fn on_failure(self) -> bool {
        matches!(self, Self::Unsaid) || matches!(self, Self::On(Events(events)) if events & 2 != 0)
    }

    /// Is a report of delay wanted?
    pub const fn on_delay(self) -> bool {
        matches!(self, Self::Unsaid) || matches!(self, Self::On(Events(events)) if events & 4 != 0)
    }
}

/// How much of a message that failed comes back (RFC 3461 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ret {
    /// All of it.
    Full,
    /// Its header.
    Headers,
}

impl Ret {
    /// As RET has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        }
    }

    /// Reads RET.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Full, Self::Headers].into_iter().find(|ret| ret.name().eq_ignore_ascii_case(text))
    }
}

/// The sender's own name for a message (RFC 3461 §4.4), in xtext as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeId(String);

impl EnvelopeId {
    /// Reads ENVID.
    pub fn parse(text: &str) -> Option<Self> {
        (is_xtext(text) && text.len() <= ENVID_LEN_MAX).then(|| Self(text.to_owned()))
    }

    /// Of a name in plain text. `None` if it is empty or too long.
    pub fn of(name: &str) -> Option<Self> {
        Self::parse(&encode(name))
    }

    /// As ENVID has it.
    pub fn xtext(&self) -> &str {
        &self.0
    }

    /// As a report shows it.
    pub fn decoded(&self) -> String {
        decode(&self.0)
    }
}

/// The recipient as the sender first wrote it (RFC 3461 §4.2): a type, `;`, and the address in xtext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginalRecipient(String);

impl OriginalRecipient {
    /// Reads ORCPT.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, address) = text.split_once(';')?;
        let atom = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let valid = atom && is_xtext(address) && text.len() <= ORCPT_LEN_MAX;
        valid.then(|| Self(text.to_owned()))
    }

    /// Of an address that came without ORCPT.
    pub fn of(address: &str) -> Self {
        let kind = if address.is_ascii() { "rfc822" } else { "utf-8" };
        Self(format!("{kind};{}", encode(address)))
    }

    /// As ORCPT has it.
    pub fn xtext(&self) -> &str {
        &self.0
    }

    /// As a report shows it: `rfc822; bob@example.org`.
    pub fn decoded(&self) -> String {
        let (kind, address) = self.0.split_once(';').unwrap_or(("rfc822", ""));
        format!("{kind}; {}", decode(address))
    }
}

/// RFC 3461 §4: printable characters but `+` and `=`, or `+` and two hex digits. Beyond ASCII as RFC 6533 has it.
fn is_xtext(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        let valid = match char {
            '+' => {
                let hex = |c: Option<char>| c.is_some_and(|c| matches!(c, '0'..='9' | 'A'..='F'));
                hex(chars.next()) && hex(chars.next())
            }
            '=' => false,
            '!'..='~' => true,
            char => !char.is_ascii() && !char.is_control() && !char.is_whitespace(),
        };
        if !valid {
            return false;
        }
    }
    !text.is_empty()
}

fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '+' | '=' | '\0'..=' ' | '\x7f' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "+{:02X}", u32::from(char));
            }
            _ => out.push(char),
        }
    }
    out
}

/// Control characters show as `?`: it goes into a header field.
fn decode(xtext: &str) -> String {
    let mut out = Vec::with_capacity(xtext.len());
    let mut bytes = xtext.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'+' => {
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16)).unwrap_or(0);
                let (high, low) = (digit(bytes.next()), digit(bytes.next()));
                u8::try_from(high << 4 | low).unwrap_or(b'?')
            }
            byte => byte,
        };
        out.push(if byte.is_ascii_control() { b'?' } else { byte });
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{EnvelopeId, Notify, OriginalRecipient, Ret};

    #[test]
    fn when_a_report_is_wanted() {
        let read = |text| Notify::parse(text).unwrap();
        assert_eq!(read("delay,Success").text().unwrap(), "SUCCESS,DELAY");
        assert!(read("SUCCESS").on_success() && !read("SUCCESS").on_failure());
        assert!(Notify::Unsaid.on_failure() && Notify::Unsaid.on_delay());
        assert!(!Notify::Never.on_failure() && !Notify::Unsaid.on_success());
        for text in ["", "NEVER,FAILURE", "FAILURE,", "ALWAYS"] {
            assert_eq!(Notify::parse(text), None, "{text}");
        }
        assert_eq!((Ret::parse("hdrs"), Ret::parse("x")), (Some(Ret::Headers), None));
    }

    #[test]
    fn xtext_is_kept_as_it_came_and_shown_decoded() {
        // RFC 3461 §4.2 and §4.4.
        let id = EnvelopeId::parse("QQ314159+2Bx").unwrap();
        assert_eq!((id.xtext(), id.decoded().as_str()), ("QQ314159+2Bx", "QQ314159+x"));
        assert_eq!(EnvelopeId::of("a+ b").unwrap().xtext(), "a+2B+20b");
        let first = OriginalRecipient::parse("rfc822;Bob+2Blists@ivory.EDU").unwrap();
        assert_eq!(first.decoded(), "rfc822; Bob+lists@ivory.EDU");
        assert_eq!(OriginalRecipient::of("bob+x@a.b").xtext(), "rfc822;bob+2Bx@a.b");
        assert_eq!(
            OriginalRecipient::parse("rfc822;a+0D+0AX:y").unwrap().decoded(),
            "rfc822; a??X:y"
        );
        for text in ["", "a b", "a+2", "a+zz", "a=b", "a\r\nb", &"x".repeat(101)] {
            assert_eq!(EnvelopeId::parse(text), None, "{text:?}");
        }
        for text in ["bob@a.b", ";bob", "rf c;bob", "rfc822;"] {
            assert_eq!(OriginalRecipient::parse(text), None, "{text:?}");
        }
    }
}
