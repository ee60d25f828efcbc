//! The Sender Rewriting Scheme (Shevek 2004): who forwards a message to another server sends it under an address of its own
//! domain, for only there SPF lets it, and a notice that comes back to that address finds the way to the first sender.
//!
//! ```text
//! ann@a.example                                    the sender
//! SRS0=HASH=TT=a.example=ann@b.example             forwarded by b: when, from where, and that b said so
//! SRS1=HASH=b.example==HASH=TT=a.example=ann@c.example      and by c: that goes back to b, which checks its own part
//! ```
//!
//! However often it is forwarded, it grows no further. The hash is made and read by the same server alone. Ours is an
//! HMAC-SHA-256, cut to 30 bits in base32: an attacker who wants bounces sent through us has to try half a billion
//! addresses within the three weeks that one is good for. Letters are compared in any case, which local parts lose on the
//! way. Strangers write what is read here.

use super::address::Address;
use super::domain::Domain;
use crate::base::{Timestamp, hmac_sha256};
use data_encoding::BASE32_NOPAD;
use openssl::error::ErrorStack;
use openssl::memcmp;
use std::fmt;

/// Characters of a hash.
const HASH_LEN: usize = 6;
/// Days for which an address of ours takes notices. Senders give up after five; some are slow to say so.
const DAYS_MAX: u64 = 21;
/// A clock may have been set back a little since.
const DAYS_AHEAD: u64 = 1;
/// Two characters of base32 count the days, again and again.
const DAYS_CYCLE: u64 = 1024;

/// Why an address is not rewritten.
#[derive(Debug)]
pub enum ForwardError {
    /// It would be over the 254 bytes of RFC 5321 §4.5.3.1.3.
    TooLong,
    /// OpenSSL has a fault.
    Fault(ErrorStack),
}

/// Why an address leads nowhere.
#[derive(Debug)]
pub enum BackError {
    /// It does not have the form.
    NotSrs,
    /// The hash is not ours, or not of this address.
    Forged,
    /// It was good once.
    Expired,
    /// OpenSSL has a fault.
    Fault(ErrorStack),
}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the rewritten sender is too long"),
            Self::Fault(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ForwardError {}

impl fmt::Display for BackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSrs => f.write_str("not a rewritten sender"),
            Self::Forged => f.write_str("a rewritten sender that is not from here"),
            Self::Expired => f.write_str("a rewritten sender of more than 21 days ago"),
            Self::Fault(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BackError {}

impl From<ErrorStack> for ForwardError {
    fn from(error: ErrorStack) -> Self {
        Self::Fault(error)
    }
}

impl From<ErrorStack> for BackError {
    fn from(error: ErrorStack) -> Self {
        Self::Fault(error)
    }
}

/// The day of a time, as `forward` and `back` have it.
pub fn day(at: Timestamp) -> u64 {
    u64::try_from(at.seconds().div_euclid(86_400)).unwrap_or(0)
}

/// The sender under which a message from `address` is forwarded by `ours`; `day` counts from 1970. A sender of ours stays.
// Differs: the local part may be over the 64 bytes of RFC 5321 §4.5.3.1.1. The first sender must stand in it, and hardly
// any server keeps to the 64; one that does refuses the message, which is no worse than SPF would do.
pub fn forward(
    secret: &[u8],
    address: &Address,
    ours: &Domain,
    day: u64,
) -> Result<Address, ForwardError> {
    if address.domain() == ours {
        return Ok(address.clone());
    }
    let local = match Tagged::read(address.local()) {
        Some(Tagged::Zero(rest)) => again(secret, address.domain().as_str(), rest)?,
        Some(Tagged::One { host, rest, .. }) => again(secret, host, rest)?,
        None => {
            let (stamp, domain) = (stamp(day), address.domain().as_str());
            let hash = hash(secret, &["SRS0", &stamp, domain, address.local()])?;
            format!("SRS0={hash}={stamp}={domain}={}", address.local())
        }
    };
    // What it is made of was an address.
    Address::new(&local, ours.clone()).map_err(|_| ForwardError::TooLong)
}

/// Forwarded before: the part of the server that was the first stays as it is, from its separator on.
fn again(secret: &[u8], host: &str, rest: &str) -> Result<String, ErrorStack> {
    let hash = hash(secret, &["SRS1", host, rest])?;
    Ok(format!("SRS1={hash}={host}={rest}"))
}

/// Does a local part have one of the two forms? Whether it is of ours, `back` says.
pub fn is_rewritten(local: &str) -> bool {
    Tagged::read(local).is_some()
}

/// Where mail to this local part of our domain goes on `day`: to the first sender, or to the server that knows it.
pub fn back(secret: &[u8], local: &str, day: u64) -> Result<Address, BackError> {
    match Tagged::read(local).ok_or(BackError::NotSrs)? {
        Tagged::Zero(rest) => {
            let mut parts = rest.get(1..).unwrap_or_default().splitn(4, '=');
            let mut next = || parts.next().ok_or(BackError::NotSrs);
            let (given, stamp, domain, user) = (next()?, next()?, next()?, next()?);
            let made = day_of(stamp).ok_or(BackError::NotSrs)?;
            check(given, &hash(secret, &["SRS0", stamp, domain, user])?)?;
            let age = (day + DAYS_AHEAD + DAYS_CYCLE - made) % DAYS_CYCLE;
            if age > DAYS_MAX + DAYS_AHEAD {
                return Err(BackError::Expired);
            }
            address(user, domain)
        }
        Tagged::One { hash: given, host, rest } => {
            check(given, &hash(secret, &["SRS1", host, rest])?)?;
            address(&format!("SRS0{rest}"), host)
        }
    }
}

fn address(local: &str, domain: &str) -> Result<Address, BackError> {
    let domain = Domain::parse(domain).ok_or(BackError::NotSrs)?;
    Address::new(local, domain).map_err(|_| BackError::NotSrs)
}

/// A local part in one of the two forms. `rest` begins with the separator after the tag, one of `=`, `+` and `-`.
enum Tagged<'a> {
    Zero(&'a str),
    One { hash: &'a str, host: &'a str, rest: &'a str },
}

impl<'a> Tagged<'a> {
    fn read(local: &'a str) -> Option<Self> {
        let separated = |text: &str| text.starts_with(['=', '+', '-']);
        let (tag, rest) = local.split_at_checked(4)?;
        if !separated(rest) {
            return None;
        }
        if tag.eq_ignore_ascii_case("SRS0") {
            return Some(Self::Zero(rest));
        }
        let mut parts = rest.get(1..)?.splitn(3, '=');
        let (hash, host, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let valid = tag.eq_ignore_ascii_case("SRS1")
            && !hash.is_empty()
            && Domain::parse(host).is_some()
            && separated(rest);
        valid.then_some(Self::One { hash, host, rest })
    }
}

/// Of parts in lower case, each ended by a NUL, which is in no address.
fn hash(secret: &[u8], parts: &[&str]) -> Result<String, ErrorStack> {
    let text: String = parts.iter().map(|part| part.to_lowercase() + "\0").collect();
    let mut hash = BASE32_NOPAD.encode(&hmac_sha256(secret, text.as_bytes())?);
    hash.truncate(HASH_LEN);
    Ok(hash)
}

fn check(given: &str, right: &str) -> Result<(), BackError> {
    let given = given.to_ascii_uppercase();
    let same = given.len() == right.len() && memcmp::eq(given.as_bytes(), right.as_bytes());
    if same { Ok(()) } else { Err(BackError::Forged) }
}

/// The day in two characters.
fn stamp(day: u64) -> String {
    let bytes = u16::try_from(day % DAYS_CYCLE).unwrap_or(0) << 6;
    let mut stamp = BASE32_NOPAD.encode(&bytes.to_be_bytes());
    stamp.truncate(2);
    stamp
}

/// The day in its cycle.
fn day_of(stamp: &str) -> Option<u64> {
    let digit = |byte: u8| match byte.to_ascii_uppercase() {
        byte @ b'A'..=b'Z' => Some(u64::from(byte - b'A')),
        byte @ b'2'..=b'7' => Some(u64::from(byte - b'2') + 26),
        _ => None,
    };
    let &[high, low] = stamp.as_bytes() else { return None };
    Some(digit(high)? << 5 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::{
        Address, BackError, DAYS_CYCLE, Domain, ForwardError, back, day_of, forward, stamp,
    };

    const SECRET: &[u8] = b"secret";
    const DAY: u64 = 20_785;

    fn address(text: &str) -> Address {
        Address::parse(text.as_bytes()).unwrap()
    }

    fn forwarded(from: &str, ours: &str) -> Address {
        forward(SECRET, &address(from), &Domain::parse(ours).unwrap(), DAY).unwrap()
    }

    fn returned(local: &str, day: u64) -> Result<String, BackError> {
        back(SECRET, local, day).map(|address| address.to_string())
    }

    #[test]
    fn there_and_back() {
        for from in [
            "ann@a.example",
            "Ann.B+list=x=y@a.example",
            "\"a b=\"@a.example",
            "ann@[192.0.2.1]",
            "Jürgen@bücher.example",
            "SRS0x@a.example",
            "SRS1=broken@a.example",
            "srs2=x@a.example",
        ] {
            let first = forwarded(from, "b.example");
            assert!(first.local().starts_with("SRS0=") && first.domain().as_str() == "b.example");
            assert_eq!(returned(first.local(), DAY).unwrap(), address(from).to_string());
            // Case is lost on the way.
            let small = returned(&first.local().to_lowercase(), DAY).unwrap();
            assert_eq!(small, address(from).to_string().to_lowercase());
            let read = Address::parse(first.to_string().as_bytes()).unwrap();
            assert_eq!(read, first, "it can be written in a command");
        }
        assert_eq!(forwarded("ann@b.example", "b.example"), address("ann@b.example"));
        assert_eq!(
            forwarded("ann@a.example", "b.example").to_string(),
            "SRS0=TZ67GD=JR=a.example=ann@b.example"
        );
    }

    #[test]
    fn forwarded_more_than_once() {
        let first = forwarded("ann@a.example", "b.example");
        let second = forwarded(&first.to_string(), "c.example");
        let third = forwarded(&second.to_string(), "d.example");
        assert!(
            second.local().starts_with("SRS1=") && second.local().contains("=b.example==TZ67GD=")
        );
        assert_eq!(second.local().len(), third.local().len());
        for last in [&second, &third] {
            assert_eq!(returned(last.local(), DAY + 500).unwrap(), first.to_string());
        }
        assert_eq!(returned(first.local(), DAY).unwrap(), "ann@a.example");
        // Other servers separate otherwise.
        for from in [
            "SRS0+x=y=z=u@b.example",
            "srs0-whatever@b.example",
            "SRS1-HH=b.example=+x=y@e.example",
        ] {
            let last = forwarded(from, "c.example");
            let host = "@b.example";
            let back = returned(last.local(), DAY).unwrap();
            assert!(back.starts_with("SRS0") && back.ends_with(host), "{back}");
        }
        let kept = returned(forwarded("SRS0+x=y=z=u@b.example", "c.example").local(), DAY).unwrap();
        assert_eq!(kept, "SRS0+x=y=z=u@b.example");
    }

    #[test]
    fn what_is_not_ours_is_told_apart() {
        let local = forwarded("ann@a.example", "b.example").local().to_owned();
        for (days, good) in
            [(0, true), (21, true), (22, false), (500, false), (1021, false), (1023, true)]
        {
            let found = returned(&local, DAY + days);
            assert_eq!(found.is_ok(), good, "after {days} days");
            assert!(good || matches!(found, Err(BackError::Expired)));
        }
        let second = forwarded("SRS0=x=y=a.example=ann@b.example", "c.example").local().to_owned();
        for forged in [
            local.replace("=ann", "=bob"),
            local.replace("a.example", "z.example"),
            local.replace("=JR=", "=JS="),
            local.replace("TZ67GD", "TZ67G"),
            local.replace("TZ67GD", ""),
            second.replace("b.example", "z.example"),
            second.replace("=ann", "=bob"),
            local.replace("SRS0=TZ67GD=", "SRS1=TZ67GD=a.example=="),
        ] {
            assert!(matches!(returned(&forged, DAY), Err(BackError::Forged)), "{forged}");
        }
        assert!(matches!(back(b"other", &local, DAY), Err(BackError::Forged)));
        for other in [
            "",
            "ann",
            "SRS",
            "SRS0",
            "SRS0=",
            "SRS0=a=JR=b",
            "SRS0=a=!!=b=c",
            "SRS1=a=b",
            "SRS1=a=b.example=c",
            "ürs0=x",
        ] {
            assert!(matches!(returned(other, DAY), Err(BackError::NotSrs)), "{other}");
        }
        let long = address(&format!("{}@{}.example", "a".repeat(150), "b".repeat(60)));
        let ours = Domain::parse(&"c".repeat(40)).unwrap();
        assert!(matches!(forward(SECRET, &long, &ours, DAY), Err(ForwardError::TooLong)));
    }

    #[test]
    fn days_in_two_characters() {
        assert_eq!((stamp(0).as_str(), stamp(31).as_str(), stamp(32).as_str()), ("AA", "A7", "BA"));
        for day in 0..DAYS_CYCLE {
            assert_eq!(day_of(&stamp(day)), Some(day));
            assert_eq!(stamp(day + DAYS_CYCLE), stamp(day).to_lowercase().to_uppercase());
        }
        assert_eq!((day_of("a7"), day_of("A1"), day_of("AAA")), (Some(31), None, None));
    }
}
