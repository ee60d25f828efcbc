//! What a message demands of every server on its way, as MAIL says it: which bytes are in it (RFC 6152, RFC 3030), which
//! letters its addresses and header have (RFC 6531), and whether it may cross without TLS (RFC 8689).

/// All of it. The default is what every server can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demands {
    /// Which bytes are in it.
    pub body: Body,
    /// Which letters its addresses and header have.
    pub letters: Letters,
    /// How it may cross.
    pub tls: TlsDemand,
}

/// How the body is to be taken (RFC 6152, RFC 3030 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Body {
    /// Said to be ASCII, or not said.
    #[default]
    SevenBit,
    /// Bytes above 127 may be in it.
    EightBitMime,
    /// Any bytes may be in it, and it comes by BDAT.
    BinaryMime,
}

/// Which letters addresses are written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Letters {
    /// ASCII only.
    #[default]
    Ascii,
    /// Any, in UTF-8 (RFC 6531).
    Utf8,
}

/// May it cross without TLS?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TlsDemand {
    /// With TLS where both sides have it.
    #[default]
    AsOffered,
    /// Only by TLS to a server whose name is proven, on the whole way (RFC 8689 §2).
    Required,
    /// As offered, whatever the recipient's domain wants (`TLS-Required: No`, RFC 8689 §3).
    Waived,
}

impl Body {
    /// As the BODY parameter has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        }
    }

    /// Reads the BODY parameter.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let all = [Self::SevenBit, Self::EightBitMime, Self::BinaryMime];
        all.into_iter().find(|body| body.name().as_bytes().eq_ignore_ascii_case(text))
    }
}
