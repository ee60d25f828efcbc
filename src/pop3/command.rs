//! POP3 commands (RFC 1939, RFC 2449, RFC 2595, RFC 5034, RFC 6856): the table of them, and how their arguments are read.

use crate::base::Secret;
use crate::sasl::{self, Mechanism};

/// A command with its arguments.
#[derive(Debug)]
pub enum Command {
    /// CAPA
    Capa,
    /// STLS
    Stls,
    /// USER name
    User(String),
    /// PASS password
    Pass(Secret<String>),
    /// AUTH without an argument: the old way to ask for the mechanisms.
    Mechanisms,
    /// AUTH mechanism [initial response]
    Auth(&'static Mechanism, Option<Vec<u8>>),
    /// UTF8
    Utf8,
    /// STAT
    Stat,
    /// LIST [number]
    List(Which),
    /// UIDL [number]
    Uidl(Which),
    /// RETR number
    Retr(u32),
    /// TOP number lines
    Top(u32, u64),
    /// DELE number
    Dele(u32),
    /// RSET
    Rset,
    /// NOOP
    Noop,
    /// QUIT
    Quit,
}

/// Which messages a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All that are not deleted.
    All,
    /// This one.
    One(u32),
}

/// When a command is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// In any state.
    Always,
    /// AUTHORIZATION.
    BeforeLogin,
    /// TRANSACTION.
    AfterLogin,
}

/// A row.
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// When it is allowed.
    pub when: When,
    /// The line of CAPA that it is.
    pub announces: Option<&'static str>,
    read: fn(Words<'_>) -> Option<Command>,
}

type Words<'a> = std::str::Split<'a, char>;

const fn row(
    name: &'static str,
    when: When,
    announces: Option<&'static str>,
    read: fn(Words<'_>) -> Option<Command>,
) -> Row {
    Row { name, when, announces, read }
}

use When::{AfterLogin, Always, BeforeLogin};

/// All commands. What logs in and STLS are announced by the session, which knows when they are there.
pub const ROWS: &[Row] = &[
    row("CAPA", Always, None, |words| alone(words, Command::Capa)),
    row("NOOP", AfterLogin, None, |words| alone(words, Command::Noop)),
    row("QUIT", Always, None, |words| alone(words, Command::Quit)),
    row("STLS", BeforeLogin, None, |words| alone(words, Command::Stls)),
    row("USER", BeforeLogin, None, |words| rest(words).map(Command::User)),
    row("PASS", BeforeLogin, None, |words| rest(words).map(Secret::new).map(Command::Pass)),
    row("AUTH", BeforeLogin, None, auth),
    row("UTF8", BeforeLogin, Some("UTF8 USER"), |words| alone(words, Command::Utf8)),
    row("STAT", AfterLogin, None, |words| alone(words, Command::Stat)),
    row("LIST", AfterLogin, None, |words| optional(words).map(Command::List)),
    row("UIDL", AfterLogin, Some("UIDL"), |words| optional(words).map(Command::Uidl)),
    row("RETR", AfterLogin, None, |words| one(words).map(Command::Retr)),
    row("TOP", AfterLogin, Some("TOP"), |mut words| {
        let (message, lines) = (number(words.next()?)?, number(words.next()?)?);
        alone(words, Command::Top(u32::try_from(message).ok()?, lines))
    }),
    row("DELE", AfterLogin, None, |words| one(words).map(Command::Dele)),
    row("RSET", AfterLogin, None, |words| alone(words, Command::Rset)),
];

/// Why a line is no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandError {
    /// There is no such command.
    Unknown,
    /// Its arguments are wrong.
    Arguments,
}

/// Reads a line.
pub fn parse(line: &[u8]) -> Result<(&'static Row, Command), CommandError> {
    let line = std::str::from_utf8(line).map_err(|_| CommandError::Unknown)?;
    if line.contains('\0') {
        return Err(CommandError::Unknown);
    }
    // A password may end with blanks; no other argument does.
    let line = if line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case("PASS")) {
        line
    } else {
        line.trim_end_matches(' ')
    };
    let mut words = line.split(' ');
    let verb = words.next().unwrap_or_default();
    let row = ROWS.iter().find(|row| row.name.eq_ignore_ascii_case(verb));
    let row = row.ok_or(CommandError::Unknown)?;
    (row.read)(words).map(|command| (row, command)).ok_or(CommandError::Arguments)
}

fn alone(mut words: Words<'_>, command: Command) -> Option<Command> {
    words.next().is_none().then_some(command)
}

/// Everything behind the blank: a name or password may have blanks in it.
fn rest(words: Words<'_>) -> Option<String> {
    Some(words.collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty())
}

fn number(word: &str) -> Option<u64> {
    word.bytes().all(|b| b.is_ascii_digit()).then(|| word.parse().ok()).flatten()
}

fn one(mut words: Words<'_>) -> Option<u32> {
    let value = number(words.next()?)?;
    words.next().is_none().then(|| u32::try_from(value).ok()).flatten()
}

fn optional(words: Words<'_>) -> Option<Which> {
    if words.clone().next().is_none() { Some(Which::All) } else { one(words).map(Which::One) }
}

fn auth(mut words: Words<'_>) -> Option<Command> {
    let Some(name) = words.next() else { return Some(Command::Mechanisms) };
    let initial = words.next().map(|text| text.as_bytes().to_vec());
    let mechanism = sasl::find(name.as_bytes())?;
    alone(words, Command::Auth(mechanism, initial))
}

#[cfg(test)]
mod tests {
    use super::{Command, CommandError, Which, parse};

    #[test]
    fn commands_are_read_in_any_case() {
        assert!(matches!(parse(b"retr 1").unwrap().1, Command::Retr(1)));
        assert!(matches!(parse(b"TOP 10 0").unwrap().1, Command::Top(10, 0)));
        assert!(matches!(parse(b"LIST ").unwrap().1, Command::List(Which::All)));
        assert!(matches!(parse(b"uidl 7").unwrap().1, Command::Uidl(Which::One(7))));
        match parse(b"pass two words ").unwrap().1 {
            Command::Pass(password) => assert_eq!(password.reveal(), "two words "),
            other => panic!("{other:?}"),
        }
        for bad in [
            "RETR",
            "RETR x",
            "RETR 1 2",
            "RETR -1",
            "RETR 4294967296",
            "TOP 1",
            "STAT 1",
            "USER",
            "AUTH KLINGON",
        ] {
            assert_eq!(parse(bad.as_bytes()).map(drop), Err(CommandError::Arguments), "{bad}");
        }
        for unknown in ["", "LAST", "XTND X", "RETR\x001", "\u{fc}"] {
            assert_eq!(
                parse(unknown.as_bytes()).map(drop),
                Err(CommandError::Unknown),
                "{unknown}"
            );
        }
    }
}
