//! ENABLE (RFC 5161): the client turns on what changes our answers. CONDSTORE is all there is of that kind.

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::job::Next;
use crate::imap::response::Completion;

/// `ENABLE CONDSTORE`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    let mut condstore = false;
    args.space()?;
    loop {
        condstore |= args.atom()?.eq_ignore_ascii_case("CONDSTORE");
        if !args.eat(b' ') {
            break;
        }
    }
    args.end()?;
    Ok(Action::Work(Box::new(move |session| {
        session.out.text(if condstore { "* ENABLED CONDSTORE\r\n" } else { "* ENABLED\r\n" });
        if condstore {
            session.becomes_aware();
        }
        Next::Done(Completion::ok("Enabled"))
    })))
}
