//! The table of SMTP extensions (RFC 5321 §2.2): what EHLO announces and which parameters MAIL takes are read off it.

use super::parameter::{self, MailParameters};
use super::recipient::Wishes;
use super::session::{Role, Session};
use crate::mail::{Date, HOLD_MAX};
use crate::sasl::offered;

/// Sets what a parameter says; `None` if its value is none.
pub type SetParameter = fn(&mut MailParameters, &[u8]) -> Option<()>;

/// The same for a parameter of RCPT.
pub type SetWish = fn(&mut Wishes, &[u8]) -> Option<()>;

/// A row.
pub struct Extension {
    /// The EHLO keyword.
    pub keyword: &'static str,
    /// The parameters behind the keyword, each after a blank; `None` while the extension is not to be used.
    pub announce: fn(&Session) -> Option<String>,
    /// What MAIL takes by it: names, and what they do.
    pub of_mail: &'static [(&'static str, SetParameter)],
    /// What RCPT takes by it.
    pub of_rcpt: &'static [(&'static str, SetWish)],
}

/// All that we can.
const EXTENSIONS: &[Extension] = &[
    // RFC 2920
    Extension {
        keyword: "PIPELINING",
        announce: |_| Some(String::new()),
        of_mail: &[],
        of_rcpt: &[],
    },
    // RFC 1870
    Extension {
        keyword: "SIZE",
        announce: |session| Some(format!(" {}", session.setup.limits.message_size_max)),
        of_mail: &[("SIZE", parameter::size)],
        of_rcpt: &[],
    },
    // RFC 6152
    Extension {
        keyword: "8BITMIME",
        announce: |_| Some(String::new()),
        of_mail: &[("BODY", parameter::body)],
        of_rcpt: &[],
    },
    // RFC 3030
    Extension {
        keyword: "CHUNKING",
        announce: |_| Some(String::new()),
        of_mail: &[],
        of_rcpt: &[],
    },
    // RFC 3030 §3; its word stands in BODY, which the row of 8BITMIME has.
    Extension {
        keyword: "BINARYMIME",
        announce: |_| Some(String::new()),
        of_mail: &[],
        of_rcpt: &[],
    },
    // RFC 9422. There is no MAILMAX: a session may bring as many messages as it likes.
    Extension {
        keyword: "LIMITS",
        announce: |session| Some(format!(" RCPTMAX={}", session.setup.limits.recipients_max)),
        of_mail: &[],
        of_rcpt: &[],
    },
    // RFC 6531
    Extension {
        keyword: "SMTPUTF8",
        announce: |_| Some(String::new()),
        of_mail: &[("SMTPUTF8", parameter::smtputf8)],
        of_rcpt: &[],
    },
    // RFC 3461
    Extension {
        keyword: "DSN",
        announce: |_| Some(String::new()),
        of_mail: &[("RET", parameter::ret), ("ENVID", parameter::envelope_id)],
        of_rcpt: &[("NOTIFY", parameter::notify), ("ORCPT", parameter::original)],
    },
    // RFC 4865: for submission only (§4.2).
    Extension {
        keyword: "FUTURERELEASE",
        announce: |session| {
            let at = session.now + HOLD_MAX;
            let until = Date { at, zone_minutes: 0 }.internet();
            session.is_submission().then(|| format!(" {} {until}", HOLD_MAX.as_secs()))
        },
        of_mail: &[("HOLDFOR", parameter::hold_for), ("HOLDUNTIL", parameter::hold_until)],
        of_rcpt: &[],
    },
    // RFC 2034
    Extension {
        keyword: "ENHANCEDSTATUSCODES",
        announce: |_| Some(String::new()),
        of_mail: &[],
        of_rcpt: &[],
    },
    // RFC 3207
    Extension {
        keyword: "STARTTLS",
        announce: |session| session.offers_start_tls().then(String::new),
        of_mail: &[],
        of_rcpt: &[],
    },
    // RFC 8689
    Extension {
        keyword: "REQUIRETLS",
        announce: |session| session.tls.is_some().then(String::new),
        of_mail: &[("REQUIRETLS", parameter::require_tls)],
        of_rcpt: &[],
    },
    // RFC 5321 §2.2.2: of our own. Who the program is here; an address without a domain is in the domain of this one.
    Extension {
        keyword: "XLOCAL",
        announce: |session| {
            let name = session.login.as_ref().map(|login| format!(" {}", login.name));
            name.filter(|_| session.setup.role == Role::Local)
        },
        of_mail: &[],
        of_rcpt: &[],
    },
    // RFC 4954
    Extension {
        keyword: "AUTH",
        announce: |session| {
            let names = offered(session.tls.as_ref());
            session.offers_auth().then(|| names.fold(String::new(), |all, name| all + " " + name))
        },
        of_mail: &[("AUTH", parameter::auth)],
        of_rcpt: &[],
    },
];

/// The lines of the EHLO reply after the first.
pub fn announced(session: &Session) -> impl Iterator<Item = String> {
    let row = |row: &Extension| Some(row.keyword.to_owned() + &(row.announce)(session)?);
    EXTENSIONS.iter().filter_map(row)
}

/// What the MAIL parameter of that name does.
pub fn mail_parameter(name: &[u8]) -> Option<SetParameter> {
    find(EXTENSIONS.iter().flat_map(|row| row.of_mail), name)
}

/// What the RCPT parameter of that name does.
pub fn rcpt_parameter(name: &[u8]) -> Option<SetWish> {
    find(EXTENSIONS.iter().flat_map(|row| row.of_rcpt), name)
}

fn find<'r, F: Copy + 'r>(
    mut rows: impl Iterator<Item = &'r (&'static str, F)>,
    name: &[u8],
) -> Option<F> {
    rows.find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name)).map(|(_, set)| *set)
}
