//! The parameters of MAIL and RCPT (RFC 5321 §4.1.2) and their values. The peer wrote them.

use super::recipient::Wishes;
use crate::mail::{
    Body, Demands, EnvelopeId, FutureRelease, Letters, Notify, OriginalRecipient, Ret, TlsDemand,
};

/// What MAIL said of the message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MailParameters {
    /// The size that the client announces, in bytes (RFC 1870).
    pub size: Option<u64>,
    /// What the message demands of its way.
    pub demands: Demands,
    /// How much of it comes back when it fails (RFC 3461).
    pub ret: Option<Ret>,
    /// The sender's name for it (RFC 3461).
    pub envelope_id: Option<EnvelopeId>,
    /// When it is to leave, if not at once (RFC 4865).
    pub release: Option<FutureRelease>,
}

/// SIZE: `1*20DIGIT`. A number over `u64` is as good as the largest.
pub fn size(parameters: &mut MailParameters, value: &[u8]) -> Option<()> {
    let digits = (1..=20).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| digits)?;
    parameters.size = Some(text.parse().unwrap_or(u64::MAX));
    Some(())
}

/// BODY: `7BIT`, `8BITMIME` or `BINARYMIME`.
pub fn body(parameters: &mut MailParameters, value: &[u8]) -> Option<()> {
    parameters.demands.body = Body::parse(value)?;
    Some(())
}

/// SMTPUTF8: no value (RFC 6531 §3.4).
pub fn smtputf8(parameters: &mut MailParameters, value: &[u8]) -> Option<()> {
    parameters.demands.letters = Letters::Utf8;
    value.is_empty().then_some(())
}

/// REQUIRETLS: no value (RFC 8689 §2).
pub fn require_tls(parameters: &mut MailParameters, value: &[u8]) -> Option<()> {
    parameters.demands.tls = TlsDemand::Required;
    value.is_empty().then_some(())
}

/// HOLDFOR: seconds. One of the two only (RFC 4865 §4.1).
pub fn hold_for(parameters: &mut MailParameters, value: &[u8]) -> Option<()> {
    hold(parameters, FutureRelease::parse_for(value))
}

/// HOLDUNTIL: a time.
pub fn hold_until(parameters: &mut MailParameters, value: &[u8]) -> Option<()> {
    hold(parameters, FutureRelease::parse_until(value))
}

fn hold(parameters: &mut MailParameters, release: Option<FutureRelease>) -> Option<()> {
    if parameters.release.is_some() {
        return None;
    }
    parameters.release = Some(release?);
    Some(())
}

/// AUTH: `<>` or a mailbox in xtext. We trust nobody's word for another, so it is read and dropped (RFC 4954 §5).
pub fn auth(_: &mut MailParameters, value: &[u8]) -> Option<()> {
    let valid = value == b"<>" || value.iter().all(|b| matches!(b, b'!'..=b'~') && *b != b'=');
    (valid && !value.is_empty()).then_some(())
}

/// RET: `FULL` or `HDRS`.
pub fn ret(parameters: &mut MailParameters, value: &[u8]) -> Option<()> {
    set(&mut parameters.ret, value, Ret::parse)
}

/// ENVID.
pub fn envelope_id(parameters: &mut MailParameters, value: &[u8]) -> Option<()> {
    set(&mut parameters.envelope_id, value, EnvelopeId::parse)
}

/// NOTIFY: `NEVER`, or some of `SUCCESS`, `FAILURE` and `DELAY`.
pub fn notify(wishes: &mut Wishes, value: &[u8]) -> Option<()> {
    wishes.notify = Notify::parse(std::str::from_utf8(value).ok()?)?;
    Some(())
}

/// ORCPT.
pub fn original(wishes: &mut Wishes, value: &[u8]) -> Option<()> {
    set(&mut wishes.original, value, OriginalRecipient::parse)
}

/// RFC 3461 §4: each at most once.
fn set<T>(to: &mut Option<T>, value: &[u8], parse: impl Fn(&str) -> Option<T>) -> Option<()> {
    let read = parse(std::str::from_utf8(value).ok()?)?;
    to.replace(read).is_none().then_some(())
}
