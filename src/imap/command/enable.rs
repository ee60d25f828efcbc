//! ENABLE (RFC 5161): the client turns on what changes our answers. What we do not know is passed over.

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::job::Next;
use crate::imap::response::Completion;
use crate::imap::session::Session;

type Enable = fn(&mut Session);

/// What can be turned on, and by what.
const EXTENSIONS: [(&str, Enable); 3] = [
    // RFC 9051 appendix A
    ("IMAP4rev2", Session::speaks_rev2),
    // RFC 7162 §3.1.8, §3.2.3
    ("CONDSTORE", Session::becomes_aware),
    ("QRESYNC", Session::knows_vanished),
];

/// `ENABLE CONDSTORE`
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    let mut asked = Vec::new();
    args.space()?;
    loop {
        asked.push(args.atom()?.to_owned());
        if !args.eat(b' ') {
            break;
        }
    }
    args.end()?;
    Ok(Action::Work(Box::new(move |session| {
        let known = EXTENSIONS
            .iter()
            .filter(|(name, _)| asked.iter().any(|word| name.eq_ignore_ascii_case(word)));
        session.out.text("* ENABLED");
        for (name, _) in known.clone() {
            session.out.text(" ").text(name);
        }
        session.out.text("\r\n");
        known.for_each(|(_, enable)| enable(session));
        Next::Done(Completion::ok("Enabled"))
    })))
}
