//! CAPABILITY (RFC 3501 §6.1.1).

use super::action::Action;
use crate::imap::args::{Args, Parsed};

/// `CAPABILITY`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.end()?;
    Ok(Action::Capability)
}
