//! What the header of a part says that decides how its body is read and sent: type, transfer encoding, and whether it is
//! MIME at all (RFC 2045 §4 to §6). The sender of a message controls the input.

use crate::mail::budget::Budget;
use crate::mail::fields::PartFields;
use crate::mail::header::Fields;

const UTF8_TEXT: &str = "text/plain; charset=utf-8";
const UNKNOWN_TEXT: &str = "text/plain; charset=unknown-8bit";

/// Whose header it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Of a message: it counts as MIME only if it says so.
    Message,
    /// Of a part of a multipart.
    Part,
}

/// What Content-Transfer-Encoding says of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Bytes as they are, said to be 7-bit, or nothing that is known is said.
    SevenBit,
    /// Bytes as they are: `8bit` or `binary`.
    EightBit,
    /// Base64 or quoted-printable.
    Encoded,
    /// One that sender and recipient know (`x-...`, RFC 2045 §6.3).
    Private,
}

/// The header of a part, read.
#[derive(Debug)]
pub(super) struct Declared {
    whose: Whose,
    fields: PartFields,
}

impl Declared {
    /// Reads a header.
    pub(super) fn read(header: &[u8], whose: Whose) -> Self {
        let (mut fields, mut budget) = (PartFields::default(), Budget::new(usize::MAX));
        for field in Fields::new(header) {
            fields.field(field.name, field.value, &mut budget);
        }
        let mime = fields.mime_version || fields.content_type.is_some();
        if whose == Whose::Message && !mime {
            fields = PartFields::default();
        }
        Self { whose, fields }
    }

    /// Is the body of this type?
    pub(super) fn is(&self, media_type: &str, subtype: &str) -> bool {
        self.fields.content_type.as_ref().is_some_and(|it| it.is(media_type, subtype))
    }

    /// Is the body of a type that begins so? One that is not said or cannot be read is text (RFC 2045 §5.2).
    pub(super) fn is_any(&self, media_type: &str) -> bool {
        let said = self.fields.content_type.as_ref().map(|it| it.media_type.as_slice());
        let said = said.filter(|said| !said.is_empty()).unwrap_or(b"text");
        said.eq_ignore_ascii_case(media_type.as_bytes())
    }

    /// How the body is encoded.
    pub(super) fn coding(&self) -> Coding {
        let name = self.name_of_encoding().to_ascii_lowercase();
        match name.as_slice() {
            b"8bit" | b"binary" => Coding::EightBit,
            b"base64" | b"quoted-printable" => Coding::Encoded,
            name if name.starts_with(b"x-") => Coding::Private,
            _ => Coding::SevenBit,
        }
    }

    /// Content-Transfer-Encoding as it stands.
    pub(super) fn name_of_encoding(&self) -> &[u8] {
        self.fields.encoding.as_deref().unwrap_or(b"7bit")
    }

    /// The fields that a message needs so that its transfer encoding counts. A text that does not say that it is MIME has
    /// no charset: it is UTF-8 if it can be, else `unknown-8bit` (RFC 1428 §3).
    pub(super) fn missing(&self, body: &[u8]) -> Vec<(&'static str, &'static str)> {
        let mut missing = Vec::new();
        if self.whose == Whose::Message && !self.fields.mime_version {
            missing.push(("MIME-Version", "1.0"));
            if self.fields.content_type.is_none() {
                let utf8 = std::str::from_utf8(body).is_ok();
                missing.push(("Content-Type", if utf8 { UTF8_TEXT } else { UNKNOWN_TEXT }));
            }
        }
        missing
    }
}
