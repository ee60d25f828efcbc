//! The contract of every protocol end, server or client: bytes in, steps out. A machine knows no
//! socket, clock or disk, so a test can run it a byte at a time and `net` can run it over anything.

use super::timestamp::Timestamp;
use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

/// One end of a protocol session.
///
/// The driver calls `step` until it returns `Wait` or `Close`; it reads from the peer only on `Wait`, so a
/// machine never holds more than one read buffer beyond what it has not yet parsed.
pub trait Machine {
    /// What the machine cannot decide itself: is this password right, run this command on the store.
    type Ask;
    /// The answer to exactly one `Ask`.
    type Answer;
    /// What happens elsewhere and concerns this session: a store change, a shutdown.
    type News;

    /// Takes bytes from the peer and buffers them, never blocks. Empty: the peer closed its side.
    fn receive(&mut self, bytes: &[u8]);
    /// The next thing to do. After `Ask` the driver calls `answer` before it calls `step` again.
    fn step(&mut self, now: Timestamp) -> Step<Self::Ask>;
    /// Gives the answer to the last `Ask`.
    fn answer(&mut self, answer: Self::Answer);
    /// Tells news; may come at any time between two steps, but not between an `Ask` and its answer.
    fn notify(&mut self, news: Self::News);
    /// TLS stands: after `StartTls`, or before the first step when the listener is implicit TLS.
    fn secured(&mut self, tls: TlsFacts);
}

/// What a machine wants done next.
#[must_use]
#[derive(Debug)]
pub enum Step<A> {
    /// Write this to the peer.
    Send(Output),
    /// Decide or do this, then call `answer`.
    Ask(A),
    /// What was sent so far is the last in clear text: drop what the peer pipelined, do the handshake, call `secured`.
    StartTls,
    /// From here on both directions are deflated (RFC 4978).
    Compress,
    /// Nothing to do until bytes or news come, or until then: call `step` again at `until`.
    Wait {
        /// The machine's own time limit.
        until: Timestamp,
    },
    /// Flush and close.
    Close,
}

/// Bytes for the peer.
#[derive(Debug, Clone)]
pub enum Output {
    /// At most 64 KB.
    Bytes(Vec<u8>),
    /// A piece of a file that goes out unchanged. It is open already: a rename or an expunge cannot hurt it.
    File {
        /// Read by position only; several sessions may share it.
        file: Arc<File>,
        /// Offsets in bytes.
        range: Range<u64>,
    },
}

/// What a machine may want to know of the TLS session that it runs in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// As OpenSSL names it: `TLSv1.3`.
    pub version: String,
    /// As OpenSSL names it: `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The name the client asked for (SNI).
    pub server_name: Option<String>,
    /// Channel binding `tls-exporter` (RFC 9266), 32 bytes, TLS 1.3 only.
    pub exporter: Option<Vec<u8>>,
    /// What the peer showed of itself; `None` where we are the server.
    pub peer: Option<PeerCertificate>,
}

/// What a server showed of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The certificates in DER, its own first.
    pub chain: Vec<Vec<u8>>,
    /// Whether an authority that this machine trusts vouches for it by the name that was asked for; or why not.
    pub vouched: Result<(), Doubt>,
}

/// Why a server has not proven that it is the one that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// It showed no certificate.
    NoCertificate,
    /// Its certificate is no longer valid, or not yet.
    Expired,
    /// Its certificate is for other names.
    OtherName,
    /// Nobody who is trusted vouches for its certificate; in OpenSSL's words.
    NotTrusted(String),
    /// No TLSA record of its name fits its certificates (RFC 7672 §3).
    NotInDns,
}

impl Doubt {
    /// By OpenSSL's number for what is wrong with a chain (`X509_V_ERR_…`) and its words for it.
    pub fn of_openssl(number: i32, words: &str) -> Self {
        const NOT_YET_VALID: i32 = 9;
        const HAS_EXPIRED: i32 = 10;
        const HOSTNAME_MISMATCH: i32 = 62;
        const IP_ADDRESS_MISMATCH: i32 = 64;
        match number {
            NOT_YET_VALID | HAS_EXPIRED => Self::Expired,
            HOSTNAME_MISMATCH | IP_ADDRESS_MISMATCH => Self::OtherName,
            _ => Self::NotTrusted(words.to_owned()),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => f.write_str("it showed no certificate"),
            Self::Expired => f.write_str("its certificate has expired, or is not valid yet"),
            Self::OtherName => f.write_str("its certificate is for another name"),
            Self::NotTrusted(why) => write!(f, "its certificate is not trusted ({why})"),
            Self::NotInDns => {
                f.write_str("its certificate is not the one that its TLSA records in DNS name")
            }
        }
    }
}
