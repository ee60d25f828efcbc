//! ENABLE (RFC 5161): the client turns on what changes our answers.

use super::action::Action;
use crate::imap::args::{Args, Parsed};
use crate::imap::job::Next;
use crate::imap::response::Completion;
use crate::imap::session::Session;

/// What can be turned on.
struct Extension {
    name: &'static str,
    enable: fn(&mut Session),
}

static EXTENSIONS: &[Extension] = &[
    // RFC 9051 appendix A
    Extension { name: "IMAP4rev2", enable: Session::speaks_rev2 },
    // RFC 7162 §3.1.8, §3.2.3
    Extension { name: "CONDSTORE", enable: Session::becomes_aware },
    Extension { name: "QRESYNC", enable: Session::knows_vanished },
    // RFC 6855
    Extension { name: "UTF8=ACCEPT", enable: Session::accept_utf8 },
];

/// `ENABLE CONDSTORE UTF8=ACCEPT`; what is not known is passed over.
pub fn read(args: &mut Args<'_>) -> Parsed<Action> {
    let mut wanted: Vec<&Extension> = Vec::new();
    args.space()?;
    loop {
        let word = args.atom()?;
        let known = EXTENSIONS.iter().find(|known| known.name.eq_ignore_ascii_case(word));
        if let Some(known) = known
            && !wanted.iter().any(|other| other.name == known.name)
        {
            wanted.push(known);
        }
        if !args.eat(b' ') {
            break;
        }
    }
    args.end()?;
    Ok(Action::Work(Box::new(move |session| {
        session.out.text("* ENABLED");
        for extension in &wanted {
            session.out.text(" ").text(extension.name);
        }
        session.out.text("\r\n");
        for extension in wanted {
            (extension.enable)(session);
        }
        Next::Done(Completion::ok("Enabled"))
    })))
}
