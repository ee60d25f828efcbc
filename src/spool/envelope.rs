//! What a queue file begins with: who sent the message, to whom it goes, and what its way must be able to. Text, a line
//! each; the state of a recipient is two letters that are changed in place. We wrote it; a disk may have damaged it.

use crate::base::{AccountId, Cursor, Timestamp};
use crate::mail::{
    Address, Body, Demands, EnvelopeId, FutureRelease, Letters, Notify, OriginalRecipient, Ret,
    TlsDemand,
};
use std::fmt::Write;

/// All that is known of a message beside its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// When we took it.
    pub arrived: Timestamp,
    /// Not before then (RFC 4865).
    pub hold_until: Option<Timestamp>,
    /// Who hears of its fate; `None` is `<>`: nobody.
    pub reverse_path: Option<Address>,
    /// Who submitted it; `None`: it came from elsewhere, or is ours.
    pub account: Option<AccountId>,
    /// What its way must be able to.
    pub demands: Demands,
    /// How much of it comes back when it fails.
    pub ret: Option<Ret>,
    /// The sender's name for it.
    pub envelope_id: Option<EnvelopeId>,
    /// What the sender asked for as to when it leaves; `hold_until` follows from it.
    pub release: Option<FutureRelease>,
    /// In the sender's order.
    pub recipients: Vec<Recipient>,
}

/// One of those that it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Where it goes.
    pub address: Address,
    /// When its sender wants to hear of it.
    pub notify: Notify,
    /// As the sender first wrote it.
    pub original: Option<OriginalRecipient>,
    /// How far it is.
    pub state: State,
}

/// How far a recipient is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// To be tried.
    Waiting,
    /// To be tried, and the sender knows that it takes longer.
    Delayed,
    /// Handed on.
    Delivered,
    /// Given up; the sender has been told, or need not be.
    Failed,
}

const STATES: [(State, &str); 4] = [
    (State::Waiting, ".."),
    (State::Delayed, ".n"),
    (State::Delivered, "d."),
    (State::Failed, "f."),
];

impl State {
    /// Is there something left to do?
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Delayed)
    }

    /// As it stands in the file.
    pub(super) fn text(self) -> &'static str {
        STATES.iter().find(|(state, _)| *state == self).map_or("..", |(_, text)| text)
    }

    fn parse(text: &[u8]) -> Option<Self> {
        STATES.iter().find(|(_, known)| known.as_bytes() == text).map(|(state, _)| *state)
    }
}

/// Before a recipient's state.
const TO: &str = "to ";

impl Recipient {
    /// To be tried, with no wishes.
    pub const fn new(address: Address) -> Self {
        Self { address, notify: Notify::Unsaid, original: None, state: State::Waiting }
    }
}

impl Envelope {
    /// What has no wishes and demands nothing.
    pub fn new(
        arrived: Timestamp,
        reverse_path: Option<Address>,
        recipients: Vec<Recipient>,
    ) -> Self {
        Self {
            arrived,
            hold_until: None,
            reverse_path,
            account: None,
            demands: Demands::default(),
            ret: None,
            envelope_id: None,
            release: None,
            recipients,
        }
    }

    /// The lines, and at which byte of them each recipient's state stands.
    pub(super) fn text(&self) -> (String, Vec<u64>) {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            text.push_str(name);
            text.push(' ');
            text.push_str(value);
            text.push('\n');
        };
        line("at", &self.arrived.micros().to_string());
        if let Some(until) = self.hold_until {
            line("until", &until.micros().to_string());
        }
        let from = self.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
        line("from", &format!("<{from}>"));
        if let Some(account) = self.account {
            line("account", &account.to_string());
        }
        if self.demands.body != Body::SevenBit {
            line("body", self.demands.body.name());
        }
        if self.demands.letters == Letters::Utf8 {
            line("letters", "utf8");
        }
        match self.demands.tls {
            TlsDemand::AsOffered => {}
            TlsDemand::Required => line("tls", "required"),
            TlsDemand::Waived => line("tls", "waived"),
        }
        if let Some(ret) = self.ret {
            line("ret", ret.name());
        }
        if let Some(id) = &self.envelope_id {
            line("envid", id.xtext());
        }
        if let Some(release) = self.release {
            line("release", &release.text());
        }
        let mut places = Vec::with_capacity(self.recipients.len());
        for recipient in &self.recipients {
            places.push((text.len() + TO.len()) as u64);
            // Writing to a string cannot fail.
            let _ = write!(text, "{TO}{} <{}>", recipient.state.text(), recipient.address);
            if let Some(notify) = recipient.notify.text() {
                let _ = write!(text, " NOTIFY={notify}");
            }
            if let Some(original) = &recipient.original {
                let _ = write!(text, " ORCPT={}", original.xtext());
            }
            text.push('\n');
        }
        (text, places)
    }

    /// Reads the lines. `None` if they are not as we write them.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut envelope = Self::new(Timestamp::default(), None, Vec::new());
        let micros = |value: &str| value.parse().ok().map(Timestamp::from_micros);
        for line in text.strip_suffix('\n')?.split('\n') {
            let (name, value) = line.split_once(' ')?;
            match name {
                "at" => envelope.arrived = micros(value)?,
                "until" => envelope.hold_until = Some(micros(value)?),
                "from" if value == "<>" => envelope.reverse_path = None,
                "from" => envelope.reverse_path = Some(path(value)?),
                "account" => envelope.account = Some(value.parse().ok()?),
                "body" => envelope.demands.body = Body::parse(value.as_bytes())?,
                "letters" if value == "utf8" => envelope.demands.letters = Letters::Utf8,
                "tls" if value == "required" => envelope.demands.tls = TlsDemand::Required,
                "tls" if value == "waived" => envelope.demands.tls = TlsDemand::Waived,
                "ret" => envelope.ret = Some(Ret::parse(value)?),
                "envid" => envelope.envelope_id = Some(EnvelopeId::parse(value)?),
                "release" => envelope.release = Some(FutureRelease::parse(value)?),
                "to" => envelope.recipients.push(recipient(value)?),
                _ => return None,
            }
        }
        (envelope.arrived != Timestamp::default() && !envelope.recipients.is_empty())
            .then_some(envelope)
    }
}

fn path(text: &str) -> Option<Address> {
    let address = text.strip_prefix('<')?.strip_suffix('>')?;
    Address::parse(address.as_bytes()).ok()
}

/// `.. <bob@example.org> NOTIFY=… ORCPT=…`; an address in quotes may have blanks and angle brackets.
fn recipient(text: &str) -> Option<Recipient> {
    let mut cursor = Cursor::new(text.as_bytes());
    let state = State::parse(cursor.take(2)?)?;
    if !(cursor.eat(b' ') && cursor.eat(b'<')) {
        return None;
    }
    let (mut quoted, mut escaped) = (false, false);
    let address = cursor.take_while(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'>' => return quoted,
            _ => {}
        }
        true
    });
    let address = Address::parse(address).ok()?;
    if !cursor.eat(b'>') {
        return None;
    }
    let (mut notify, mut original) = (Notify::Unsaid, None);
    for word in std::str::from_utf8(cursor.rest()).ok()?.split(' ').skip(1) {
        match word.split_once('=')? {
            ("NOTIFY", value) => notify = Notify::parse(value)?,
            ("ORCPT", value) => original = Some(OriginalRecipient::parse(value)?),
            _ => return None,
        }
    }
    Some(Recipient { address, notify, original, state })
}

#[cfg(test)]
mod tests {
    use super::{Envelope, Recipient, State};
    use crate::base::{AccountId, Timestamp};
    use crate::mail::{
        Address, Body, Demands, EnvelopeId, FutureRelease, Letters, Notify, OriginalRecipient, Ret,
        TlsDemand,
    };

    fn envelope(recipients: &[&str]) -> Envelope {
        let recipient = |text: &&str| Recipient::new(Address::parse(text.as_bytes()).unwrap());
        let arrived = Timestamp::from_seconds(1_700_000_000);
        Envelope::new(arrived, None, recipients.iter().map(recipient).collect())
    }

    #[test]
    fn it_reads_back_and_states_are_where_it_says() {
        let mut full =
            envelope(&["bob@else.example", "\"a > \\\" b\"@else.example", "ü@ü.example"]);
        full.reverse_path = Address::parse(b"ann+x@example.org").ok();
        full.account = Some(AccountId(7));
        full.hold_until = Some(Timestamp::from_seconds(1_700_000_060));
        full.demands =
            Demands { body: Body::EightBitMime, letters: Letters::Utf8, tls: TlsDemand::Required };
        full.ret = Some(Ret::Headers);
        full.release = FutureRelease::parse("for;60");
        full.envelope_id = EnvelopeId::parse("x+2By");
        full.recipients[1].notify = Notify::parse("SUCCESS,DELAY").unwrap();
        full.recipients[1].original = OriginalRecipient::parse("rfc822;b+20c@d");
        full.recipients[2].state = State::Delayed;
        let mut waived = envelope(&["bob@else.example"]);
        waived.demands.tls = TlsDemand::Waived;
        for written in [full, waived, envelope(&["bob@else.example"])] {
            let (text, places) = written.text();
            assert_eq!(Envelope::parse(&text).as_ref(), Some(&written), "{text}");
            for (recipient, place) in written.recipients.iter().zip(places) {
                let at = usize::try_from(place).unwrap();
                assert_eq!(&text[at..at + 2], recipient.state.text());
            }
        }
    }

    #[test]
    fn what_is_damaged_is_not_read() {
        let (text, _) = envelope(&["bob@else.example"]).text();
        for damaged in [
            text.replace("at ", "it "),
            text.replace("..", "\0\0"),
            text.replace('<', ""),
            text.replace("\nto", "\n\nto"),
            text.trim_end().to_owned(),
            "at 5\nfrom <>\n".to_owned(),
            String::new(),
        ] {
            assert_eq!(Envelope::parse(&damaged), None, "{damaged:?}");
        }
    }
}
