//! NOOP and CHECK (RFC 3501 §6.1.2, §6.4.1): nothing is done, but what others changed is told. All that was answered
//! is on the disk already, so CHECK has nothing to do either.

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::response::Completion;

/// `NOOP`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.end()?;
    Ok(Action::Say(String::new(), Completion::ok("Done")))
}
