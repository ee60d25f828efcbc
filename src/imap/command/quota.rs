//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208 §4.1): what the account may hold and holds. All mailboxes share one
//! quota root, whose name is empty. Every number is at hand, nothing is counted.

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::job::Next;
use crate::imap::response::Completion;
use crate::imap::session::Session;

/// The name of the only quota root.
const ROOT: &[u8] = b"";

/// `GETQUOTA ""`
pub fn read_get(args: &mut Args<'_>) -> Parsed<Action> {
    args.space()?;
    let root = args.astring()?.into_owned();
    args.end()?;
    Ok(Action::Work(Box::new(move |session| {
        if root != ROOT {
            let text = "There is no such quota root; the only one is \"\"";
            return Next::Done(Completion::no(text).code("NONEXISTENT"));
        }
        Next::from(tell(session))
    })))
}

/// `GETQUOTAROOT INBOX`; there need not be such a mailbox.
pub fn read_get_root(args: &mut Args<'_>) -> Parsed<Action> {
    args.space()?;
    let name = args.mailbox()?;
    args.end()?;
    Ok(Action::Work(Box::new(move |session| {
        session.out.text("* QUOTAROOT ").mailbox(&name).text(" ");
        session.out.string(ROOT).text("\r\n");
        Next::from(tell(session))
    })))
}

/// `SETQUOTA "" (STORAGE 512)`: refused to everybody, for whoever is logged in has the account, not the box.
pub fn read_set(args: &mut Args<'_>) -> Parsed<Action> {
    args.space()?;
    args.astring()?;
    args.space()?;
    args.list(|args| {
        args.atom()?;
        args.space()?;
        args.number64().map(drop)
    })?;
    args.end()?;
    let text = "Quotas are set by who runs this server: pillarbox user set";
    Ok(Action::Say(String::new(), Completion::no(text).code("NOPERM")))
}

/// `* QUOTA "" (STORAGE 10 512 MESSAGE 3 1000)`: what is not limited is not named (§4.2.1).
fn tell(session: &mut Session) -> Result<Completion, Completion> {
    let mailboxes = session.account.mailboxes()?;
    // Units of 1024 octets (§5.1): what is begun counts, what is not whole may not be used.
    let storage = session
        .account
        .quota()
        .map(|quota| ("STORAGE", mailboxes.bytes().div_ceil(1024), quota / 1024));
    let message =
        session.account.message_quota().map(|quota| ("MESSAGE", mailboxes.messages(), quota));
    session.out.text("* QUOTA ").string(ROOT).text(" ");
    session.out.list(storage.into_iter().chain(message), |out, (name, usage, limit)| {
        out.text(name).text(" ").number(usage).text(" ").number(limit)
    });
    session.out.text("\r\n");
    Ok(Completion::ok("That is how it stands"))
}
