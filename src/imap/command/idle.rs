//! IDLE (RFC 2177): the client is told what happens until it says DONE.

use super::action::Action;
use crate::imap::args::{Args, Parsed};

/// `IDLE`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.end()?;
    Ok(Action::Idle)
}
