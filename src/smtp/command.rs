//! The commands of a client (RFC 5321 §4.1.1, RFC 3030, RFC 3207, RFC 4954): a line becomes a `Command` by the row of its verb.
//! The peer wrote the line; the parser bends where real clients do.

use super::chunk::EndMarker;
use super::extension::mail_parameter;
use super::parameter::MailParameters;
use super::path::{ForwardPath, forward_path, reverse_path};
use super::reply::{Enhanced, Reply};
use super::session::Greeting;
use crate::base::{Cursor, Secret};
use crate::mail::Letters;
use crate::mail::{Address, AddressError};

/// A command that was understood.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// HELO, EHLO and LHLO.
    Hello(Greeting),
    /// MAIL; `None` is the empty reverse path.
    Mail(Option<Address>, MailParameters),
    /// RCPT.
    Rcpt(ForwardPath, Letters),
    /// DATA.
    Data,
    /// BDAT: so many bytes come after its line.
    Bdat(u64, EndMarker),
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
    /// VRFY, of whom does not matter.
    Vrfy,
    /// HELP.
    Help,
    /// STARTTLS.
    StartTls,
    /// AUTH: the mechanism's name and the initial response.
    Auth(Vec<u8>, Option<Secret<Vec<u8>>>),
}

/// Why a line is no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandError {
    /// No such verb, or bytes that no command has.
    Unknown,
    /// Known, and not done here.
    NotImplemented,
    /// The argument is wrong; this is how it is written.
    Syntax(&'static str),
    /// A BDAT that does not say how many bytes come after it: from here on nobody knows what is a command.
    Chunk,
    /// Not the address of a sender.
    Sender(AddressError),
    /// Not the address of a recipient.
    Recipient(AddressError),
    /// A sender beyond ASCII without SMTPUTF8.
    SenderLetters,
    /// A parameter that no extension of ours has.
    Parameter,
    /// A known parameter with a wrong value.
    ParameterValue,
}

impl CommandError {
    /// What the peer reads.
    pub fn reply(self) -> Reply {
        match self {
            Self::Unknown => Reply::new(500, Enhanced(5, 5, 2), "No such command; HELP lists them"),
            Self::NotImplemented => Reply::new(502, Enhanced(5, 5, 1), "Not done here"),
            Self::Syntax(form) => Reply::new(501, Enhanced(5, 5, 4), format!("Syntax: {form}")),
            Self::Chunk => Reply::new(501, Enhanced(5, 5, 4), "Syntax: BDAT size [LAST]"),
            Self::Sender(why) => Reply::new(501, Enhanced(5, 1, 7), format!("Bad sender: {why}")),
            Self::Recipient(why) => {
                Reply::new(501, Enhanced(5, 1, 3), format!("Bad recipient: {why}"))
            }
            Self::SenderLetters => not_ascii(550),
            Self::Parameter => Reply::new(555, Enhanced(5, 5, 4), "Parameter not known here"),
            Self::ParameterValue => {
                Reply::new(501, Enhanced(5, 5, 4), "Parameter with a wrong value")
            }
        }
    }
}

/// An address beyond ASCII where none may be (RFC 6531 §3.5): 550 for a sender, 553 for a recipient.
pub fn not_ascii(code: u16) -> Reply {
    Reply::new(code, Enhanced(5, 6, 7), "An address beyond ASCII needs MAIL with SMTPUTF8")
}

/// A row: a verb, how it is written, and what reads the rest of the line.
struct Verb {
    name: &'static str,
    form: &'static str,
    parse: fn(&mut Cursor<'_>, &'static str) -> Result<Command, CommandError>,
}

const VERBS: &[Verb] = &[
    Verb {
        name: "EHLO",
        form: "EHLO host",
        parse: |rest, form| Ok(Command::Hello(Greeting::Ehlo(host(rest, form)?))),
    },
    Verb {
        name: "HELO",
        form: "HELO host",
        parse: |rest, form| Ok(Command::Hello(Greeting::Helo(host(rest, form)?))),
    },
    Verb {
        name: "LHLO",
        form: "LHLO host",
        parse: |rest, form| Ok(Command::Hello(Greeting::Lhlo(host(rest, form)?))),
    },
    Verb { name: "MAIL", form: "MAIL FROM:<address>", parse: mail },
    Verb { name: "RCPT", form: "RCPT TO:<address>", parse: rcpt },
    Verb { name: "DATA", form: "DATA", parse: |rest, form| alone(rest, form, Command::Data) },
    Verb { name: "BDAT", form: "BDAT size [LAST]", parse: |rest, _| bdat(rest) },
    Verb { name: "RSET", form: "RSET", parse: |rest, form| alone(rest, form, Command::Rset) },
    Verb { name: "NOOP", form: "NOOP", parse: |_, _| Ok(Command::Noop) },
    Verb { name: "QUIT", form: "QUIT", parse: |rest, form| alone(rest, form, Command::Quit) },
    Verb {
        name: "VRFY",
        form: "VRFY address",
        parse: |rest, form| {
            if rest.is_empty() { Err(CommandError::Syntax(form)) } else { Ok(Command::Vrfy) }
        },
    },
    Verb { name: "EXPN", form: "EXPN list", parse: |_, _| Err(CommandError::NotImplemented) },
    Verb { name: "HELP", form: "HELP", parse: |_, _| Ok(Command::Help) },
    Verb {
        name: "STARTTLS",
        form: "STARTTLS",
        parse: |rest, form| alone(rest, form, Command::StartTls),
    },
    Verb { name: "AUTH", form: "AUTH mechanism", parse: auth },
];

/// Reads a line without its line end.
pub fn parse(line: &[u8]) -> Result<Command, CommandError> {
    let line = line.trim_ascii_end();
    let mut cursor = Cursor::new(line);
    let name = cursor.take_while(|b| b != b' ');
    if line.iter().any(u8::is_ascii_control) {
        let bdat = name.eq_ignore_ascii_case(b"BDAT");
        return Err(if bdat { CommandError::Chunk } else { CommandError::Unknown });
    }
    let verb = VERBS.iter().find(|row| row.name.as_bytes().eq_ignore_ascii_case(name));
    let verb = verb.ok_or(CommandError::Unknown)?;
    blanks(&mut cursor);
    (verb.parse)(&mut cursor, verb.form)
}

/// The verbs, for HELP.
pub fn verbs() -> impl Iterator<Item = &'static str> {
    VERBS.iter().map(|row| row.name)
}

fn blanks(cursor: &mut Cursor<'_>) {
    cursor.take_while(|b| b == b' ');
}

fn alone(
    rest: &mut Cursor<'_>,
    form: &'static str,
    command: Command,
) -> Result<Command, CommandError> {
    if rest.is_empty() { Ok(command) } else { Err(CommandError::Syntax(form)) }
}

/// Bytes of a greeting's name that are kept.
const HOST_LEN_MAX: usize = 255;

/// Quirk(Windows, printers): they greet with names that are no domain, in any character set. It is only told in
/// Received, so it is taken as it comes; what is not printable ASCII becomes `?`.
fn host(rest: &mut Cursor<'_>, form: &'static str) -> Result<String, CommandError> {
    let name = rest.take_while(|b| b != b' ');
    if name.is_empty() {
        return Err(CommandError::Syntax(form));
    }
    let shown = |&b: &u8| if b.is_ascii_graphic() { char::from(b) } else { '?' };
    Ok(name.iter().take(HOST_LEN_MAX).map(shown).collect())
}

fn mail(rest: &mut Cursor<'_>, form: &'static str) -> Result<Command, CommandError> {
    if !rest.eat_ignore_case(b"FROM:") {
        return Err(CommandError::Syntax(form));
    }
    let (path, letters) = reverse_path(rest).map_err(CommandError::Sender)?;
    let mut parameters = MailParameters::default();
    each_parameter(rest, form, |name, value| {
        let set = mail_parameter(name).ok_or(CommandError::Parameter)?;
        set(&mut parameters, value).ok_or(CommandError::ParameterValue)
    })?;
    if letters == Letters::Utf8 && parameters.demands.letters == Letters::Ascii {
        return Err(CommandError::SenderLetters);
    }
    Ok(Command::Mail(path, parameters))
}

fn rcpt(rest: &mut Cursor<'_>, form: &'static str) -> Result<Command, CommandError> {
    if !rest.eat_ignore_case(b"TO:") {
        return Err(CommandError::Syntax(form));
    }
    let (path, letters) = forward_path(rest).map_err(CommandError::Recipient)?;
    each_parameter(rest, form, |_, _| Err(CommandError::Parameter))?;
    Ok(Command::Rcpt(path, letters))
}

/// `1*DIGIT [SP "LAST"]`. A number over `u64` is as good as the largest.
fn bdat(rest: &mut Cursor<'_>) -> Result<Command, CommandError> {
    let digits = rest.take_while(|b| b.is_ascii_digit());
    let text = std::str::from_utf8(digits).ok().filter(|text| !text.is_empty());
    let size = text.ok_or(CommandError::Chunk)?.parse().unwrap_or(u64::MAX);
    let blank = rest.eat(b' ');
    blanks(rest);
    match rest.rest() {
        b"" => Ok(Command::Bdat(size, EndMarker::Absent)),
        word if blank && word.eq_ignore_ascii_case(b"LAST") => {
            Ok(Command::Bdat(size, EndMarker::Last))
        }
        _ => Err(CommandError::Chunk),
    }
}

/// `SP keyword ["=" value]`, again and again to the end.
fn each_parameter(
    rest: &mut Cursor<'_>,
    form: &'static str,
    mut take: impl FnMut(&[u8], &[u8]) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    while !rest.is_empty() {
        if !rest.eat(b' ') {
            return Err(CommandError::Syntax(form));
        }
        blanks(rest);
        let name = rest.take_while(|b| !matches!(b, b'=' | b' '));
        let value = if rest.eat(b'=') { rest.take_while(|b| b != b' ') } else { b"" };
        take(name, value)?;
    }
    Ok(())
}

fn auth(rest: &mut Cursor<'_>, form: &'static str) -> Result<Command, CommandError> {
    let mechanism = rest.take_while(|b| b != b' ').to_vec();
    blanks(rest);
    let initial = rest.rest();
    if mechanism.is_empty() || initial.contains(&b' ') {
        return Err(CommandError::Syntax(form));
    }
    let initial = (!initial.is_empty()).then(|| Secret::new(initial.to_vec()));
    Ok(Command::Auth(mechanism, initial))
}

#[cfg(test)]
mod tests {
    use super::{Command, CommandError, EndMarker, Greeting, parse};
    use crate::mail::AddressError;
    use crate::mail::Body;

    #[test]
    fn commands_as_real_clients_write_them() {
        for line in [
            "MAIL FROM:<a@b.example> SIZE=12 BODY=8BITMIME AUTH=<>",
            "mail from: <a@b.example>  body=8bitmime size=12 ",
            "MAIL FROM:a@b.example SIZE=12 BODY=8BITMIME AUTH=e+3Dmc2@example.com",
        ] {
            let Ok(Command::Mail(Some(address), parameters)) = parse(line.as_bytes()) else {
                panic!("{line}");
            };
            assert_eq!(address.to_string(), "a@b.example");
            assert_eq!((parameters.size, parameters.demands.body), (Some(12), Body::EightBitMime));
        }
        let hello = parse("EHLO M\u{fc}ller-PC extra".as_bytes());
        assert_eq!(hello, Ok(Command::Hello(Greeting::Ehlo("M??ller-PC".into()))));
        assert_eq!(parse(b"noop whatever"), Ok(Command::Noop));
        assert_eq!(parse(b"BDAT 007 "), Ok(Command::Bdat(7, EndMarker::Absent)));
        let long = parse(b"bdat 99999999999999999999  last");
        assert_eq!(long, Ok(Command::Bdat(u64::MAX, EndMarker::Last)));
    }

    #[test]
    fn each_mistake_has_its_error() {
        let error = |line: &[u8]| parse(line).unwrap_err();
        assert_eq!(error(b""), CommandError::Unknown);
        assert_eq!(error(b"GET / HTTP/1.1"), CommandError::Unknown);
        assert_eq!(error(b"NOOP\0"), CommandError::Unknown);
        assert_eq!(error(b"NO\rOP"), CommandError::Unknown);
        assert_eq!(error(b"EXPN x"), CommandError::NotImplemented);
        assert_eq!(error(b"HELO"), CommandError::Syntax("HELO host"));
        assert_eq!(error(b"DATA now"), CommandError::Syntax("DATA"));
        assert_eq!(error(b"MAIL <a@b>"), CommandError::Syntax("MAIL FROM:<address>"));
        assert_eq!(error(b"MAIL FROM:<a@b>x"), CommandError::Syntax("MAIL FROM:<address>"));
        assert_eq!(error(b"MAIL FROM:<a>"), CommandError::Sender(AddressError::Malformed));
        assert_eq!(error(b"RCPT TO:<>"), CommandError::Recipient(AddressError::Malformed));
        assert_eq!(error("MAIL FROM:<ü@b>".as_bytes()), CommandError::SenderLetters);
        assert_eq!(error("MAIL FROM:<a@ü.example> SIZE=1".as_bytes()), CommandError::SenderLetters);
        assert!(parse("MAIL FROM:<ü@ü.example> smtputf8".as_bytes()).is_ok());
        assert_eq!(error(b"RCPT TO:<a@b> NOTIFY=NEVER"), CommandError::Parameter);
        assert_eq!(error(b"MAIL FROM:<a@b> RET=FULL"), CommandError::Parameter);
        for value in ["SIZE", "SIZE=", "SIZE=-1", "SIZE=1x", "BODY=BINARY", "AUTH=", "SMTPUTF8=x"] {
            let line = format!("MAIL FROM:<a@b> {value}");
            assert_eq!(error(line.as_bytes()), CommandError::ParameterValue, "{value}");
        }
        for line in [
            "BDAT",
            "BDAT -1",
            "BDAT 1x",
            "BDAT 1LAST",
            "BDAT 1 FIRST",
            "bdat 1 \0",
            "BDAT 1 LAST x",
        ] {
            assert_eq!(error(line.as_bytes()), CommandError::Chunk, "{line}");
        }
        assert_eq!(error(b"AUTH PLAIN a b"), CommandError::Syntax("AUTH mechanism"));
    }
}
