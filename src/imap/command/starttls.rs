//! STARTTLS (RFC 3501 §6.2.1).

use super::action::Action;
use crate::imap::args::{Args, Parsed};

/// `STARTTLS`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.end()?;
    Ok(Action::StartTls)
}
