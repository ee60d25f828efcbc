//! LOGIN (RFC 3501 §6.2.3): a name and a device password.

use super::action::Action;
use crate::base::Secret;
use crate::imap::args::{Args, Parsed};
use crate::imap::response::Completion;
use crate::sasl::{Credentials, Proof};

/// Bytes of a name or password at most.
const FIELD_LEN_MAX: usize = 1024;

/// `LOGIN ann@example.org abcd-efgh-jkmn-pqrs`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    args.space()?;
    let authcid = field(args)?;
    args.space()?;
    let password = field(args)?;
    args.end()?;
    if authcid.is_empty() {
        return Err(Completion::bad("The name is missing"));
    }
    let proof = Proof::Password(Secret::new(password));
    Ok(Action::Login(Credentials { authzid: None, authcid, proof }))
}

fn field(args: &mut Args<'_>) -> Parsed<String> {
    let text = args.astring()?.into_owned();
    let text = String::from_utf8(text).ok().filter(|text| text.len() <= FIELD_LEN_MAX);
    text.ok_or(Completion::bad("The name or the password is no text, or too long"))
}
