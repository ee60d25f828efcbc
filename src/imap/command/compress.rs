//! COMPRESS (RFC 4978): from the end of the command on, both directions are deflated.

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::response::Completion;

/// `COMPRESS DEFLATE`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.space()?;
    if !args.word("DEFLATE") {
        return Err(Completion::bad("DEFLATE is the only mechanism"));
    }
    args.end()?;
    Ok(Action::Compress)
}
