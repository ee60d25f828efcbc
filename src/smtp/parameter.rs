//! The parameters of MAIL (RFC 5321 §4.1.2, `Mail-parameters`) and their values. The peer wrote them.

use crate::mail::{Body, Demands, Letters};

/// What MAIL said of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MailParameters {
    /// The size that the client announces, in bytes (RFC 1870).
    pub size: Option<u64>,
    /// What the message demands of its way.
    pub demands: Demands,
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

/// AUTH: `<>` or a mailbox in xtext. We trust nobody's word for another, so it is read and dropped (RFC 4954 §5).
pub fn auth(_: &mut MailParameters, value: &[u8]) -> Option<()> {
    let valid = value == b"<>" || value.iter().all(|b| matches!(b, b'!'..=b'~') && *b != b'=');
    (valid && !value.is_empty()).then_some(())
}
