//! Why a message stays as it is, for its sender.

use std::fmt;

/// Why a message cannot be converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotConvertible {
    /// A header has bytes beyond ASCII: only a server with SMTPUTF8 takes it (RFC 6532).
    Header,
    /// A header has a NUL, a carriage return alone, a line of 998 bytes without a blank to fold it at, or a line that is
    /// no field.
    HeaderLine,
    /// What would have to change is signed (RFC 1847 §2.1).
    Signed,
    /// What would have to change is a piece of another message (RFC 2046 §5.2.2), or stands elsewhere (§5.2.3).
    Fragment,
    /// It has an encoding that is not known, or one that its type must not have (RFC 2045 §6.3, §6.4).
    Encoding,
    /// Its boundaries are damaged, or it is a multipart without any.
    Structure,
    /// More parts, deeper ones or longer headers than we look into.
    Limit,
}

impl fmt::Display for NotConvertible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "its header has letters that are not encoded",
            Self::HeaderLine => "a header in it is damaged, or has a line that is too long",
            Self::Signed => "it is signed, and the signature would no longer hold",
            Self::Fragment => "it is a piece of a larger message, which must stay as it is",
            Self::Encoding => {
                "a part of it has an encoding that is not known here or not allowed there"
            }
            Self::Structure => "the boundaries between its parts are damaged",
            Self::Limit => {
                "it has too many parts, parts too deep inside others, or too long a header"
            }
        })
    }
}

impl std::error::Error for NotConvertible {}
