//! What an outcome means for a recipient: it is done, it is tried again, it is given up, and whether its sender hears of
//! it. Rules without clock or disk.

use crate::base::Timestamp;
use crate::mail::{TlsDemand, Voice};
use crate::smtp::client::{Failure, Heard, Lack, Outcome};
use crate::smtp::{Enhanced, NoMail};
use crate::spool::{Envelope, Recipient, State};
use std::time::Duration;

/// The first wait, and the last: each is about as long as all before it together, up to the last.
const FIRST_WAIT: Duration = Duration::from_mins(5);
pub const LAST_WAIT: Duration = Duration::from_hours(4);
/// After so long the sender is told that it takes longer.
const NOTICE_AFTER: Duration = Duration::from_hours(4);
/// After so long it is given up.
const GIVE_UP_AFTER: Duration = Duration::from_hours(5 * 24);

/// What a try came to, in a form for history and reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it means.
    pub kind: Kind,
    /// RFC 3463.
    pub status: Enhanced,
    /// In words: what the server said, or what was wrong.
    pub said: String,
    /// Whose words they are.
    pub voice: Voice,
}

/// What it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Handed on, and the server tells the sender what was wished for.
    HandedOn,
    /// Handed on to a server that tells nothing.
    HandedOnSilently,
    /// In a mailbox here.
    InMailbox,
    /// For later.
    Later,
    /// For later: nothing was given to a server that did not prove what it must. Another way may prove less, so this is
    /// no reason to take one.
    Withheld,
    /// For ever.
    Never,
}

/// What is to be done with a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is over, and nobody need be told.
    Over(State),
    /// It is over once the sender has been told.
    Tell(State),
    /// It stays, and the sender is to be told that it takes longer.
    TellDelay,
    /// It stays.
    Stay,
}

impl Finding {
    /// Of a server's word on a recipient.
    pub fn of(
        outcome: Outcome,
        passes_wishes_on: bool,
        failure: Option<&Failure>,
        demand: TlsDemand,
    ) -> Self {
        match outcome {
            Outcome::Taken(heard) => {
                let kind = if passes_wishes_on { Kind::HandedOn } else { Kind::HandedOnSilently };
                Self::heard(kind, &heard)
            }
            Outcome::Refused(heard) | Outcome::TooMany(heard) if heard.is_refusal() => {
                Self::heard(Kind::Never, &heard)
            }
            Outcome::Refused(heard) | Outcome::TooMany(heard) => Self::heard(Kind::Later, &heard),
            Outcome::Unable(lack) => Self::lack(lack),
            Outcome::Lost => match failure {
                Some(failure) => Self::failure(failure, demand),
                None => Self::later(Enhanced(4, 4, 2), "the connection broke"),
            },
        }
    }

    fn heard(kind: Kind, heard: &Heard) -> Self {
        Self { kind, status: heard.status(), said: cut(heard.to_string()), voice: Voice::Server }
    }

    /// For later.
    pub fn later(status: Enhanced, said: impl Into<String>) -> Self {
        Self { kind: Kind::Later, status, said: cut(said.into()), voice: Voice::Us }
    }

    /// For later, and nothing was given away.
    pub fn withheld(status: Enhanced, said: impl Into<String>) -> Self {
        Self { kind: Kind::Withheld, ..Self::later(status, said) }
    }

    /// For ever.
    pub fn never(status: Enhanced, said: impl Into<String>) -> Self {
        Self { kind: Kind::Never, status, said: cut(said.into()), voice: Voice::Us }
    }

    /// For later, unless the refusal was about the address or the mailbox (RFC 3463 §3.2, §3.3): it may be about TLS,
    /// which may work then.
    pub fn soften(&mut self) {
        if self.kind == Kind::Never && !matches!(self.status.1, 1 | 2) {
            self.kind = Kind::Later;
            self.status.0 = 4;
        }
    }

    /// Of a server that cannot take the message as it is.
    pub fn lack(lack: Lack) -> Self {
        match lack {
            Lack::Smtputf8 => Self::never(
                Enhanced(5, 6, 7),
                "the server takes no addresses or header fields beyond ASCII (SMTPUTF8)",
            ),
            Lack::EightBitMime => {
                Self::never(Enhanced(5, 6, 3), "the server takes no text beyond ASCII (8BITMIME)")
            }
            Lack::BinaryMime => {
                Self::never(Enhanced(5, 6, 3), "the server takes no binary text (BINARYMIME)")
            }
            Lack::RequireTls => Self::never(
                Enhanced(5, 7, 30),
                "the server does not promise TLS on the rest of the way (REQUIRETLS), which the message demands",
            ),
            Lack::Size(most) => Self::never(
                Enhanced(5, 3, 4),
                format!("the message is too big for the server, which takes {most} bytes"),
            ),
        }
    }

    /// Of a session that came to nothing: always for later (a refused greeting as well: it is about us or that host, and
    /// may be mended).
    pub fn failure(failure: &Failure, demand: TlsDemand) -> Self {
        let (status, said) = match failure {
            Failure::Greeting(heard) => (Enhanced(4, 3, 2), format!("it greeted with: {heard}")),
            Failure::Hello(heard) => (Enhanced(4, 3, 2), format!("it answered EHLO with: {heard}")),
            Failure::NoRequireTls => return Self::lack(Lack::RequireTls),
            Failure::Ourselves => {
                let said = "the server that is to take it is this one, by its own name: DNS leads the mail in a circle";
                return Self::never(Enhanced(5, 4, 6), said);
            }
            Failure::NoTls => {
                return Self::unsafe_way(demand, "it has no TLS, and there must be");
            }
            Failure::StartTls(heard) => {
                let said = format!("it answered STARTTLS with: {heard}, and there must be TLS");
                return Self::unsafe_way(demand, said);
            }
            Failure::Login(heard) => {
                (Enhanced(4, 7, 8), format!("it answered our login with: {heard}"))
            }
            Failure::NoLogin => (Enhanced(4, 7, 4), "it offers no login that we have".to_owned()),
            Failure::NotTrusted => {
                let said = "it could not prove that it is the server that is meant";
                return Self::unsafe_way(demand, said);
            }
            Failure::Closed => (Enhanced(4, 4, 2), "it closed the connection".to_owned()),
            Failure::Silent => (Enhanced(4, 4, 2), "it did not answer in time".to_owned()),
            Failure::Nonsense(what) => (Enhanced(4, 5, 0), format!("it sent {what}")),
            Failure::Leaving(heard) => (heard.status(), heard.to_string()),
            Failure::Ours => (Enhanced(4, 3, 0), "the message could not be read here".to_owned()),
            Failure::Stopping => (Enhanced(4, 3, 2), "we were stopped".to_owned()),
        };
        Self::later(status, said)
    }

    /// There is no way as safe as it must be: for ever if the message itself demands it (RFC 8689 §4.2.1), else for later.
    pub fn unsafe_way(demand: TlsDemand, said: impl Into<String>) -> Self {
        match demand {
            TlsDemand::Required => Self::never(Enhanced(5, 7, 10), said),
            TlsDemand::AsOffered | TlsDemand::Waived => Self::withheld(Enhanced(4, 7, 5), said),
        }
    }

    /// Of a domain that takes no mail.
    pub fn no_mail(why: NoMail, domain: &str) -> Self {
        match why {
            NoMail::NoDomain => {
                Self::never(Enhanced(5, 1, 2), format!("there is no domain {domain}"))
            }
            NoMail::NullMx => {
                Self::never(Enhanced(5, 1, 10), format!("{domain} says that it takes no mail"))
            }
            NoMail::NoAddress => Self::never(
                Enhanced(5, 4, 4),
                format!("the hosts that take mail for {domain} have no addresses"),
            ),
            NoMail::Ourselves => Self::never(
                Enhanced(5, 4, 6),
                format!(
                    "DNS says that this server takes mail for {domain}, which is none of its domains"
                ),
            ),
        }
    }

    /// What is to be done.
    pub fn verdict(&self, envelope: &Envelope, recipient: &Recipient, now: Timestamp) -> Verdict {
        let silent = envelope.reverse_path.is_none();
        let age = now.since(envelope.hold_until.unwrap_or(envelope.arrived).max(envelope.arrived));
        match self.kind {
            Kind::HandedOnSilently | Kind::InMailbox
                if recipient.notify.on_success() && !silent =>
            {
                Verdict::Tell(State::Delivered)
            }
            Kind::HandedOn | Kind::HandedOnSilently | Kind::InMailbox => {
                Verdict::Over(State::Delivered)
            }
            Kind::Later | Kind::Withheld if age < GIVE_UP_AFTER => {
                let waits = recipient.state == State::Waiting && recipient.notify.on_delay();
                if age >= NOTICE_AFTER && waits && !silent {
                    Verdict::TellDelay
                } else {
                    Verdict::Stay
                }
            }
            Kind::Later | Kind::Withheld | Kind::Never
                if recipient.notify.on_failure() && !silent =>
            {
                Verdict::Tell(State::Failed)
            }
            Kind::Later | Kind::Withheld | Kind::Never => Verdict::Over(State::Failed),
        }
    }
}

/// Characters of a result that are kept: a server may say very much.
const SAID_LEN_MAX: usize = 800;

fn cut(said: String) -> String {
    match said.char_indices().nth(SAID_LEN_MAX) {
        Some((end, _)) => said.get(..end).unwrap_or_default().to_owned() + " …",
        None => said,
    }
}

/// Until when a message is tried.
pub fn retry_until(envelope: &Envelope) -> Timestamp {
    envelope.hold_until.unwrap_or(envelope.arrived).max(envelope.arrived) + GIVE_UP_AFTER
}

/// When a recipient is to be tried next: at once, or after a wait that doubles.
pub fn next_try(envelope: &Envelope, tried: Option<Timestamp>) -> Timestamp {
    let first = envelope.hold_until.unwrap_or(envelope.arrived);
    match tried {
        None => first,
        Some(tried) => tried + tried.since(first).clamp(FIRST_WAIT, LAST_WAIT),
    }
}

#[cfg(test)]
mod tests {
    use super::{Finding, Kind, Verdict, next_try};
    use crate::base::Timestamp;
    use crate::mail::{Address, Notify};
    use crate::smtp::Enhanced;
    use crate::spool::{Envelope, Recipient, State};
    use std::time::Duration;

    fn envelope(notify: Notify, state: State) -> Envelope {
        let address = |text: &[u8]| Address::parse(text).unwrap();
        let recipient = Recipient::new(address(b"bob@else.example"));
        let arrived = Timestamp::from_seconds(1_700_000_000);
        let to = vec![Recipient { notify, state, ..recipient }];
        Envelope::new(arrived, Some(address(b"ann@example.org")), to)
    }

    #[test]
    fn waits_double_from_five_minutes_to_four_hours_for_five_days() {
        let envelope = envelope(Notify::Unsaid, State::Waiting);
        let (mut at, mut minutes, mut tries) = (envelope.arrived, Vec::new(), 1);
        loop {
            at = next_try(&envelope, Some(at));
            let age = at.since(envelope.arrived);
            if age >= Duration::from_hours(120) {
                break;
            }
            tries += 1;
            minutes.push(age.as_secs() / 60);
        }
        assert_eq!(minutes[..9], [5, 10, 20, 40, 80, 160, 320, 560, 800]);
        assert_eq!(tries, 36);
    }

    #[test]
    fn who_hears_of_what() {
        let later = Finding::later(Enhanced(4, 2, 0), "not now");
        let never = Finding::never(Enhanced(5, 1, 1), "no such user");
        let silent = Finding { kind: Kind::HandedOnSilently, ..later.clone() };
        let told = |finding: &Finding, notify: &str, state, hours| {
            let notify =
                if notify.is_empty() { Notify::Unsaid } else { Notify::parse(notify).unwrap() };
            let envelope = envelope(notify, state);
            let now = envelope.arrived + Duration::from_hours(hours);
            finding.verdict(&envelope, &envelope.recipients[0], now)
        };
        for (finding, notify, state, hours, verdict) in [
            (&later, "", State::Waiting, 3, Verdict::Stay),
            (&later, "", State::Waiting, 4, Verdict::TellDelay),
            (&later, "", State::Delayed, 5, Verdict::Stay),
            (&later, "FAILURE", State::Waiting, 5, Verdict::Stay),
            (&later, "", State::Delayed, 120, Verdict::Tell(State::Failed)),
            (&later, "NEVER", State::Waiting, 120, Verdict::Over(State::Failed)),
            (&never, "", State::Waiting, 0, Verdict::Tell(State::Failed)),
            (&never, "SUCCESS,DELAY", State::Waiting, 0, Verdict::Over(State::Failed)),
            (&silent, "", State::Waiting, 0, Verdict::Over(State::Delivered)),
            (&silent, "SUCCESS", State::Waiting, 0, Verdict::Tell(State::Delivered)),
        ] {
            assert_eq!(told(finding, notify, state, hours), verdict, "{notify} {hours}");
        }
        let mut bounce = envelope(Notify::Unsaid, State::Waiting);
        bounce.reverse_path = None;
        let now = bounce.arrived;
        let verdict = never.verdict(&bounce, &bounce.recipients[0], now);
        assert_eq!(verdict, Verdict::Over(State::Failed), "a notice about a notice");
    }
}
