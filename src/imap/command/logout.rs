//! LOGOUT (RFC 3501 §6.1.3).

use super::action::Action;
use crate::imap::args::{Args, Parsed};

/// `LOGOUT`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.end()?;
    Ok(Action::Logout)
}
