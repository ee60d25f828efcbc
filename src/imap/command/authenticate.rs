//! AUTHENTICATE (RFC 3501 §6.2.2, with the initial response of RFC 4959).

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::response::Completion;
use crate::sasl;

/// `AUTHENTICATE PLAIN` or `AUTHENTICATE PLAIN AGFubgBw`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.space()?;
    let name = args.atom()?;
    let mechanism = sasl::find(name.as_bytes())
        .ok_or(Completion::no("We do not have this mechanism; see AUTH= in CAPABILITY"))?;
    let initial = if args.eat(b' ') {
        let text =
            args.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
        Some(text.to_vec()).filter(|text| !text.is_empty())
    } else {
        None
    };
    args.end()?;
    Ok(Action::Authenticate(mechanism, initial))
}
