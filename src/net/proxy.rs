//! The header of the PROXY protocol, versions 1 and 2 (HAProxy's `proxy-protocol.txt`), in which a proxy says who
//! connected to it. Only proxies that an administrator has listed are heard, and even they may be made to send anything:
//! what does not follow the grammar ends the connection.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What the bytes of a header lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// So many bytes more belong to it for sure; what comes after them may not.
    More(usize),
    /// This is all of it: who connected to the proxy, or `None` if it speaks for itself (a health check) or does not know.
    Whole(Option<IpAddr>),
}

/// Why it is no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyError {
    /// Something else came first.
    Absent,
    /// It does not follow the grammar, or is too long.
    Malformed,
    /// Its version, command or kind of address is none that a mail server has.
    Unsupported,
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "the proxy sent no PROXY header",
            Self::Malformed => "the proxy sent a PROXY header that cannot be read",
            Self::Unsupported => {
                "the proxy sent a PROXY header for something that is no TCP connection"
            }
        })
    }
}

/// The shortest of version 1: `PROXY UNKNOWN` and a line end. One of version 2 is longer by a byte.
const LEN_MIN: usize = 15;
/// §2.1: the longest of version 1, with its line end.
const LINE_LEN_MAX: usize = 107;
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2 up to the length of the rest.
const FIXED_LEN: usize = 16;
/// Addresses and TLVs of version 2: 65,535 bytes could be said, no proxy needs as many.
const REST_LEN_MAX: usize = 2048;

impl Header {
    /// Looks at the bytes of a header so far. At first there are none.
    pub fn read(bytes: &[u8]) -> Result<Self, ProxyError> {
        if let Some(missing) = LEN_MIN.checked_sub(bytes.len()).filter(|missing| *missing > 0) {
            return Ok(Self::More(missing));
        }
        if let Some(rest) = bytes.strip_prefix(SIGNATURE) {
            return binary(bytes, rest);
        }
        match bytes.strip_prefix(b"PROXY ") {
            Some(rest) => line(bytes.len(), rest),
            None => Err(ProxyError::Absent),
        }
    }
}

/// Version 1: a line of text.
fn line(len: usize, rest: &[u8]) -> Result<Header, ProxyError> {
    let Some(text) = rest.strip_suffix(b"\r\n") else {
        // A line feed alone never ends it.
        if rest.contains(&b'\n') || len >= LINE_LEN_MAX {
            return Err(ProxyError::Malformed);
        }
        let missing = if rest.ends_with(b"\r") { 1 } else { 2 };
        return Ok(Header::More(missing.min(LINE_LEN_MAX - len)));
    };
    let text = std::str::from_utf8(text).map_err(|_| ProxyError::Malformed)?;
    if text.contains(['\r', '\n']) {
        return Err(ProxyError::Malformed);
    }
    let mut words = text.split(' ');
    let family = words.next().unwrap_or_default();
    if family == "UNKNOWN" {
        // §2.1: whatever follows is passed over.
        return Ok(Header::Whole(None));
    }
    let (Some(source), Some(destination), Some(from), Some(to), None) =
        (words.next(), words.next(), words.next(), words.next(), words.next())
    else {
        return Err(ProxyError::Malformed);
    };
    let (source, destination) = (address(family, source)?, address(family, destination)?);
    if source.is_ipv4() != destination.is_ipv4() || !is_port(from) || !is_port(to) {
        return Err(ProxyError::Malformed);
    }
    Ok(Header::Whole(Some(source.to_canonical())))
}

fn address(family: &str, text: &str) -> Result<IpAddr, ProxyError> {
    let read = match family {
        "TCP4" => text.parse::<Ipv4Addr>().map(IpAddr::V4),
        "TCP6" => text.parse::<Ipv6Addr>().map(IpAddr::V6),
        _ => return Err(ProxyError::Unsupported),
    };
    read.map_err(|_| ProxyError::Malformed)
}

/// `0` to `65535`, without zeros before it.
fn is_port(text: &str) -> bool {
    let plain = text == "0" || !text.starts_with(['0', '+']);
    plain && text.parse::<u16>().is_ok()
}

/// Version 2. `rest` is what follows the signature.
fn binary(bytes: &[u8], rest: &[u8]) -> Result<Header, ProxyError> {
    let &[version_and_command, family, high, low, ref rest @ ..] = rest else {
        return Ok(Header::More(FIXED_LEN.saturating_sub(bytes.len())));
    };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len > REST_LEN_MAX {
        return Err(ProxyError::Malformed);
    }
    if let Some(missing) = len.checked_sub(rest.len()).filter(|missing| *missing > 0) {
        return Ok(Header::More(missing));
    }
    match version_and_command {
        // §2.2: LOCAL. What follows is passed over, the family too.
        0x20 => return Ok(Header::Whole(None)),
        0x21 => {}
        _ => return Err(ProxyError::Unsupported),
    }
    let told = match family {
        // Unknown, and a socket of the proxy's machine: there is no address.
        0x00 => return Ok(Header::Whole(None)),
        0x31 => rest.split_at_checked(216).map(|(_, tlvs)| (None, tlvs)),
        0x11 => rest.split_at_checked(12).map(|(block, tlvs)| (ipv4(block), tlvs)),
        0x21 => rest.split_at_checked(36).map(|(block, tlvs)| (ipv6(block), tlvs)),
        _ => return Err(ProxyError::Unsupported),
    };
    let (source, tlvs) = told.ok_or(ProxyError::Malformed)?;
    if are_tlvs(tlvs) { Ok(Header::Whole(source)) } else { Err(ProxyError::Malformed) }
}

fn ipv4(block: &[u8]) -> Option<IpAddr> {
    block.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes).into())
}

fn ipv6(block: &[u8]) -> Option<IpAddr> {
    block.first_chunk::<16>().map(|bytes| IpAddr::from(*bytes).to_canonical())
}

/// §2.2: type, length, value, again and again to the end. Nothing in them is for us.
fn are_tlvs(mut bytes: &[u8]) -> bool {
    while let Some((&[_, high, low], rest)) = bytes.split_first_chunk::<3>() {
        let len = usize::from(u16::from_be_bytes([high, low]));
        let Some((_, next)) = rest.split_at_checked(len) else { return false };
        bytes = next;
    }
    bytes.is_empty()
}

#[cfg(test)]
mod tests {
    use super::{Header, ProxyError, SIGNATURE};
    use std::net::IpAddr;

    /// As a connection is read: never a byte more than is asked for. What is told, and how many bytes were left.
    fn read(bytes: &[u8]) -> Result<(Option<IpAddr>, usize), ProxyError> {
        let mut len = 0;
        loop {
            match Header::read(&bytes[..len])? {
                Header::Whole(told) => return Ok((told, bytes.len() - len)),
                Header::More(0) => panic!("no progress"),
                Header::More(more) if len + more > bytes.len() => return Ok((None, usize::MAX)),
                Header::More(more) => len += more,
            }
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn second(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let len = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &len, rest].concat()
    }

    #[test]
    fn version_1() {
        for (line, address) in [
            ("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443", Some(ip("192.0.2.1"))),
            ("PROXY TCP4 1.1.1.1 1.1.1.1 0 65535", Some(ip("1.1.1.1"))),
            ("PROXY TCP6 2001:db8::1 ::1 1 2", Some(ip("2001:db8::1"))),
            ("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2", Some(ip("192.0.2.1"))),
            ("PROXY UNKNOWN", None),
            ("PROXY UNKNOWN ffff::1 whatever\0\t 1", None),
        ] {
            let whole = format!("{line}\r\nEHLO x\r\n");
            assert_eq!(read(whole.as_bytes()), Ok((address, 8)), "{line}");
            for len in 0..line.len() + 2 {
                assert_eq!(
                    read(&whole.as_bytes()[..len]),
                    Ok((None, usize::MAX)),
                    "{line} cut at {len}"
                );
            }
        }
        let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(107 - 16));
        assert_eq!((longest.len(), read(longest.as_bytes())), (107, Ok((None, 0))));
        assert_eq!(read(format!("{} ", longest.trim_end()).as_bytes()), Ok((None, usize::MAX)));
        let longer = longest.replace('x', "xx");
        assert_eq!(read(longer.as_bytes()), Err(ProxyError::Malformed));
    }

    #[test]
    fn what_is_no_version_1() {
        for line in [
            "PROXY TCP4 192.0.2.1 198.51.100.2 56324",
            "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 x",
            "PROXY TCP4  192.0.2.1 198.51.100.2 56324 443",
            "PROXY TCP4 192.0.2.01 198.51.100.2 56324 443",
            "PROXY TCP4 192.0.2.1 198.51.100.2 056324 443",
            "PROXY TCP4 192.0.2.1 198.51.100.2 +1 443",
            "PROXY TCP4 192.0.2.1 198.51.100.2 1 65536",
            "PROXY TCP4 2001:db8::1 ::1 1 2",
            "PROXY TCP6 192.0.2.1 198.51.100.2 1 2",
            "PROXY TCP4 localhost 198.51.100.2 1 2",
            "PROXY UNKNOWN\rx",
            "PROXY UNKNOWN\nxx",
        ] {
            assert_eq!(
                read(format!("{line}\r\n").as_bytes()),
                Err(ProxyError::Malformed),
                "{line:?}"
            );
        }
        assert_eq!(read(b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"), Err(ProxyError::Unsupported));
        for other in [
            "EHLO client.example.org\r\n",
            "proxy TCP4 1.1.1.1 1.1.1.1 1 1\r\n",
            "\r\n\r\n\0\r\nQUIT\r\n\r\n",
        ] {
            assert_eq!(read(other.as_bytes()), Err(ProxyError::Absent), "{other:?}");
        }
    }

    #[test]
    fn version_2() {
        let four = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 4, 1, 0xbb];
        let mut six = [0; 36];
        six[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        let tlvs = b"\x01\x00\x02h2\x04\x00\x00";
        for (header, address) in [
            (second(0x21, 0x11, &four), Some(ip("192.0.2.1"))),
            (second(0x21, 0x11, &[four.as_slice(), tlvs].concat()), Some(ip("192.0.2.1"))),
            (second(0x21, 0x21, &six), Some(ip("2001:db8::"))),
            (second(0x21, 0x31, &[b'/'; 216]), None),
            (second(0x21, 0x00, b""), None),
            (second(0x21, 0x00, b"anything"), None),
            (second(0x20, 0x00, b""), None),
            (second(0x20, 0x11, &four), None),
            (second(0x20, 0xff, b"x"), None),
        ] {
            assert_eq!(read(&[&header, b"EHLO x\r\n".as_slice()].concat()), Ok((address, 8)));
            for len in 0..header.len() {
                assert_eq!(read(&header[..len]), Ok((None, usize::MAX)));
            }
        }
    }

    #[test]
    fn what_is_no_version_2() {
        let four = [0; 12];
        for (header, error) in [
            (second(0x11, 0x11, &four), ProxyError::Unsupported),
            (second(0x22, 0x11, &four), ProxyError::Unsupported),
            (second(0x21, 0x12, &four), ProxyError::Unsupported),
            (second(0x21, 0x41, &four), ProxyError::Unsupported),
            (second(0x21, 0x11, &four[1..]), ProxyError::Malformed),
            (second(0x21, 0x21, &four), ProxyError::Malformed),
            (
                second(0x21, 0x11, &[four.as_slice(), b"\x01\x00\x02h"].concat()),
                ProxyError::Malformed,
            ),
            (second(0x21, 0x11, &[four.as_slice(), b"\x01\x00"].concat()), ProxyError::Malformed),
            (second(0x21, 0x11, &[0; 2049]), ProxyError::Malformed),
        ] {
            assert_eq!(read(&header), Err(error), "{header:?}");
        }
    }
}
