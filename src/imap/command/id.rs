//! ID (RFC 2971): who we are. What the client says of itself is read and not kept.

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::response::Completion;

/// RFC 2971 §3.3: at most 30 pairs.
const STRINGS_MAX: usize = 60;

/// `ID ("name" "x")` or `ID NIL`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.space()?;
    if !args.word("NIL") {
        let said =
            args.list(|args| if args.word("NIL") { Ok(()) } else { args.string().map(drop) })?;
        if said.len() % 2 != 0 || said.len() > STRINGS_MAX {
            return Err(Completion::bad("ID takes at most 30 names with a value each"));
        }
    }
    args.end()?;
    let version = env!("CARGO_PKG_VERSION");
    let ours = format!("* ID (\"name\" \"Pillarbox\" \"version\" \"{version}\")\r\n");
    Ok(Action::Say(ours, Completion::ok("That is who we are")))
}
