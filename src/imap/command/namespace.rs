//! NAMESPACE (RFC 2342): one of the person's own, without a prefix.

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::response::Completion;

/// `NAMESPACE`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.end()?;
    let ours = "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n".to_owned();
    Ok(Action::Say(ours, Completion::ok("That is all")))
}
