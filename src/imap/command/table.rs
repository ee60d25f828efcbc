//! The table of commands: when each is allowed, what it announces, and what reads it.

use super::action::Action;
use super::{
    append, authenticate, capability, close, compress, copy, create, delete, enable, expunge,
    fetch, id, idle, list, login, logout, namespace, noop, quota, rename, search, select, starttls,
    status, store, subscribe,
};
use crate::imap::args::{Args, Parsed};
use crate::imap::selected::Update;

/// A command.
pub struct Row {
    /// Its name; of two words for those that begin with UID.
    pub name: &'static str,
    /// When it is allowed.
    pub when: When,
    /// What else the client may be told when it has ended.
    pub update: Update,
    /// The capability that it is.
    pub announces: Option<&'static str>,
    /// Reads the arguments: with the blank before them, up to the end.
    pub read: fn(&mut Args<'_>) -> Parsed<Action>,
}

/// States of a session (RFC 3501 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// In any.
    Always,
    /// Before a login.
    BeforeLogin,
    /// After a login.
    AfterLogin,
    /// With a mailbox open.
    Selected,
}

type Read = fn(&mut Args<'_>) -> Parsed<Action>;

const fn row(
    name: &'static str,
    when: When,
    update: Update,
    announces: Option<&'static str>,
    read: Read,
) -> Row {
    Row { name, when, update, announces, read }
}

use Update::{Nothing, Whole, WithoutExpunges};
use When::{AfterLogin, Always, BeforeLogin, Selected};

/// All commands.
pub const ROWS: &[Row] = &[
    // RFC 3501 §6.1, RFC 2971
    row("CAPABILITY", Always, Whole, None, capability::read),
    row("NOOP", Always, Whole, None, noop::read),
    row("LOGOUT", Always, Whole, None, logout::read),
    row("ID", Always, Whole, Some("ID"), id::read),
    // RFC 3501 §6.2
    row("STARTTLS", BeforeLogin, Whole, None, starttls::read),
    row("AUTHENTICATE", BeforeLogin, Whole, None, authenticate::read),
    row("LOGIN", BeforeLogin, Whole, None, login::read),
    // RFC 3501 §6.3
    // What happens to the mailbox after the moment that they tell of is told with the next command.
    row("SELECT", AfterLogin, Nothing, None, select::read_select),
    row("EXAMINE", AfterLogin, Nothing, None, select::read_examine),
    // With RFC 6154.
    row("CREATE", AfterLogin, Whole, Some("CREATE-SPECIAL-USE"), create::read),
    row("DELETE", AfterLogin, Whole, None, delete::read),
    row("RENAME", AfterLogin, Whole, None, rename::read),
    row("SUBSCRIBE", AfterLogin, Whole, None, subscribe::read_subscribe),
    row("UNSUBSCRIBE", AfterLogin, Whole, None, subscribe::read_unsubscribe),
    row("LIST", AfterLogin, Whole, None, list::read_list),
    row("LSUB", AfterLogin, Whole, None, list::read_lsub),
    row("STATUS", AfterLogin, Whole, None, status::read),
    row("APPEND", AfterLogin, Whole, Some("MULTIAPPEND"), append::read),
    // RFC 2342, RFC 2177, RFC 5161
    row("NAMESPACE", AfterLogin, Whole, Some("NAMESPACE"), namespace::read),
    row("IDLE", AfterLogin, Whole, Some("IDLE"), idle::read),
    row("ENABLE", AfterLogin, Whole, Some("ENABLE"), enable::read),
    // RFC 9208
    row("GETQUOTA", AfterLogin, Whole, Some("QUOTA"), quota::read_get),
    row("GETQUOTAROOT", AfterLogin, Whole, None, quota::read_get_root),
    row("SETQUOTA", AfterLogin, Whole, None, quota::read_set),
    // RFC 4978: announced as long as it can be had.
    row("COMPRESS", AfterLogin, Whole, None, compress::read),
    // RFC 3501 §6.4, RFC 3691
    row("CHECK", Selected, Whole, None, noop::read),
    row("CLOSE", Selected, Whole, None, close::read_close),
    row("UNSELECT", Selected, Whole, Some("UNSELECT"), close::read_unselect),
    row("EXPUNGE", Selected, Whole, None, expunge::read),
    row("SEARCH", Selected, WithoutExpunges, None, search::read),
    row("FETCH", Selected, WithoutExpunges, None, fetch::read),
    row("STORE", Selected, WithoutExpunges, None, store::read),
    row("COPY", Selected, Whole, None, copy::read_copy),
    row("UID SEARCH", Selected, Whole, None, search::read_uid),
    row("UID FETCH", Selected, Whole, None, fetch::read_uid),
    row("UID STORE", Selected, Whole, None, store::read_uid),
    row("UID COPY", Selected, Whole, None, copy::read_uid_copy),
    // RFC 6851, RFC 4315
    row("MOVE", Selected, Whole, Some("MOVE"), copy::read_move),
    row("UID MOVE", Selected, Whole, None, copy::read_uid_move),
    row("UID EXPUNGE", Selected, Whole, Some("UIDPLUS"), expunge::read_uid),
];

/// Reads the name of a command; `None` if there is no such command.
pub fn find(args: &mut Args<'_>) -> Option<&'static Row> {
    let mut ahead = *args;
    let mut name = ahead.atom().ok()?.to_ascii_uppercase();
    if name == "UID" {
        ahead.space().ok()?;
        name = format!("UID {}", ahead.atom().ok()?.to_ascii_uppercase());
    }
    let row = ROWS.iter().find(|row| row.name == name)?;
    *args = ahead;
    Some(row)
}

/// RFC 3501, and RFC 9051 for who enables it.
const REVISIONS: &[&str] = &["IMAP4rev1", "IMAP4rev2"];

/// Capabilities that are no command of their own.
const OTHERS: &[&str] = &[
    // RFC 7888, RFC 4959, RFC 3348, RFC 6154, RFC 7162
    "LITERAL+",
    "SASL-IR",
    "CHILDREN",
    "SPECIAL-USE",
    "CONDSTORE",
    "QRESYNC",
    // RFC 8438, RFC 8474, RFC 8514, RFC 5032
    "STATUS=SIZE",
    "OBJECTID",
    "SAVEDATE",
    "WITHIN",
    // RFC 4731, RFC 5182
    "ESEARCH",
    "SEARCHRES",
    // RFC 5258, RFC 5819
    "LIST-EXTENDED",
    "LIST-STATUS",
    // RFC 3516, RFC 8970, RFC 9208 §5
    "BINARY",
    "PREVIEW",
    "QUOTA=RES-STORAGE",
    "QUOTA=RES-MESSAGE",
    // RFC 6855
    "UTF8=ACCEPT",
];

/// All that we announce, with what depends on the state of the session behind it.
pub fn capabilities(state: Vec<String>) -> String {
    let commands = ROWS.iter().filter_map(|row| row.announces);
    let all = (REVISIONS.iter().chain(OTHERS).copied()).chain(commands).map(str::to_owned);
    all.chain(state).collect::<Vec<_>>().join(" ")
}
