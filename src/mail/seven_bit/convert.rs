//! The walk over the parts: what stays, what is encoded, what stands around it. Whatever is changed, signatures over the
//! whole message (DKIM) no longer hold. The sender of a message controls the input.

use super::declared::{Coding, Declared, Whose};
use super::header::push_header;
use super::lines::{fits, with_line_ends};
use super::not_convertible::NotConvertible;
use super::outline::{count, slice, structure};
use crate::mail::decode::TransferDecoder;
use crate::mail::encode::{Encoding, base64, encode_text};
use crate::mail::header::HEADER_LEN_MAX;
use crate::mail::line::split_line;
use crate::mail::part::{Part, PartKind};
use crate::mail::tree::Limits;
use std::borrow::Cow;
use std::ops::Range;

const ENCODING: &str = "Content-Transfer-Encoding";

/// The message in lines of at most 998 ASCII bytes without NUL, each ended by CRLF; borrowed if it is so already.
///
/// - A leaf with anything else in it is encoded: text as quoted-printable or base64, whichever is shorter, all else as
///   base64. Its payload stays, byte for byte, as does every leaf that fits.
/// - A multipart or message inside the message that calls itself `8bit` or `binary` becomes `7bit`.
/// - `message/rfc822` must not be encoded (RFC 2046 §5.2.1): what is inside is. So is `message/global`, but as a whole
///   where that cannot be (RFC 6532 §3.7).
/// - In headers and around boundaries line feeds that stand alone become CRLF.
/// - A preamble or epilogue that does not fit is left out: nobody is shown it (RFC 2046 §5.1.1).
/// - A text that does not say that it is MIME does so afterwards: as UTF-8 if it can be, else as `unknown-8bit` (RFC 1428).
pub fn to_seven_bit(message: &[u8]) -> Result<Cow<'_, [u8]>, NotConvertible> {
    if fits(message) {
        return Ok(Cow::Borrowed(message));
    }
    let root = structure(message);
    if count(&root) >= Limits::default().parts {
        return Err(NotConvertible::Limit);
    }
    let mut conversion = Conversion { message, out: Vec::with_capacity(message.len()) };
    conversion.part(&root, Whose::Message, 1)?;
    Ok(Cow::Owned(conversion.out))
}

struct Conversion<'a> {
    message: &'a [u8],
    out: Vec<u8>,
}

impl<'a> Conversion<'a> {
    /// A part, header and body. The scanner bounds `depth`; that of the message is 1.
    fn part(&mut self, part: &Part, whose: Whose, depth: usize) -> Result<(), NotConvertible> {
        let header = self.slice(&part.header);
        if header.len() > HEADER_LEN_MAX {
            return Err(NotConvertible::Limit);
        }
        let declared = Declared::read(header, whose);
        if let PartKind::Leaf = part.kind {
            return self.leaf(part, &declared, depth);
        }
        let start = self.out.len();
        let inside = self.inside(part, &declared, depth);
        if inside.is_err() && declared.is("message", "global") {
            self.out.truncate(start);
            return self.encoded(part, &declared);
        }
        inside
    }

    /// A part whose body fits, or is encoded anew.
    fn leaf(
        &mut self,
        part: &Part,
        declared: &Declared,
        depth: usize,
    ) -> Result<(), NotConvertible> {
        let body = self.slice(&part.body);
        // Reports are lines of fields for programs, which may know no encoding.
        if fits(body) || (declared.is_any("message") && with_line_ends(body).is_some()) {
            self.header(part, &[])?;
            return self.push(body, NotConvertible::Structure);
        }
        // The scanner may have stopped before the parts inside.
        let composite = ["rfc822", "global"].iter().any(|subtype| declared.is("message", subtype));
        if depth >= Limits::default().depth || composite || declared.is_any("multipart") {
            return Err(NotConvertible::Limit);
        }
        if ["partial", "external-body"].iter().any(|subtype| declared.is("message", subtype)) {
            return Err(NotConvertible::Fragment);
        }
        self.encoded(part, declared)
    }

    /// Header and body, the body in another encoding.
    fn encoded(&mut self, part: &Part, declared: &Declared) -> Result<(), NotConvertible> {
        let body = self.slice(&part.body);
        let payload = payload(body, declared)?;
        // Reports of RFC 6533 are text too.
        let text = declared.is_any("text")
            || (declared.is_any("message") && !declared.is("message", "global"));
        let (encoding, lines) =
            if text { encode_text(&payload) } else { (Encoding::Base64, base64(&payload)) };
        let mut set = declared.missing(body);
        set.push((ENCODING, encoding.name()));
        self.header(part, &set)?;
        self.out.extend_from_slice(&lines);
        let last = part.body.end == u64::try_from(self.message.len()).unwrap_or(u64::MAX);
        if last && !lines.ends_with(b"\r\n") {
            self.out.extend_from_slice(match encoding {
                Encoding::QuotedPrintable => b"=\r\n",
                Encoding::Base64 => b"\r\n",
            });
        }
        Ok(())
    }

    /// Header and body of a multipart or a message inside.
    fn inside(
        &mut self,
        part: &Part,
        declared: &Declared,
        depth: usize,
    ) -> Result<(), NotConvertible> {
        match declared.coding() {
            Coding::SevenBit => self.header(part, &[])?,
            Coding::EightBit => self.header(part, &[(ENCODING, "7bit")])?,
            Coding::Encoded | Coding::Private => {
                self.header(part, &[])?;
                return self.as_it_is(&part.body, NotConvertible::Encoding);
            }
        }
        match &part.kind {
            PartKind::Leaf => Ok(()),
            PartKind::Message(_, child) => self.part(child, Whose::Message, depth + 1),
            PartKind::Multipart(children) => self.multipart(&part.body, children, declared, depth),
        }
    }

    /// The parts, and what stands around them. The first part of a signed multipart must not change (RFC 1847 §2.1),
    /// but for line feeds that stand alone: signatures are made over CRLF.
    fn multipart(
        &mut self,
        body: &Range<u64>,
        children: &[Part],
        declared: &Declared,
        depth: usize,
    ) -> Result<(), NotConvertible> {
        let mut at = body.start;
        for (number, child) in children.iter().enumerate() {
            let start = child.header.start;
            if number == 0 && start == body.end {
                // No boundary has come.
                return self.as_it_is(body, NotConvertible::Structure);
            }
            self.before_part(&(at..start))?;
            at = child.body.end;
            if number == 0 && declared.is("multipart", "signed") {
                self.as_it_is(&(start..at), NotConvertible::Signed)?;
            } else {
                self.part(child, Whose::Part, depth + 1)?;
            }
        }
        self.after_parts(&(at..body.end))
    }

    /// A boundary line, and before it the preamble or the line end that belongs to it.
    fn before_part(&mut self, range: &Range<u64>) -> Result<(), NotConvertible> {
        let text = self.slice(range);
        let (_, without_end) = text.split_last().unwrap_or((&0, &[]));
        let line_start = without_end.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let (preamble, boundary) = text.split_at_checked(line_start).unwrap_or((&[], text));
        self.out.extend_from_slice(&with_line_ends(preamble).unwrap_or_default());
        self.push(boundary, NotConvertible::Structure)
    }

    /// The last boundary line with the line end before it, if one came, and the epilogue.
    fn after_parts(&mut self, range: &Range<u64>) -> Result<(), NotConvertible> {
        let text = self.slice(range);
        let line_start = match text {
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            _ => 0,
        };
        let line = text.get(line_start..).unwrap_or_default();
        let epilogue = split_line(line).map_or(&[][..], |(_, epilogue)| epilogue);
        let boundary = text.get(..text.len() - epilogue.len()).unwrap_or_default();
        self.push(boundary, NotConvertible::Structure)?;
        self.out.extend_from_slice(&with_line_ends(epilogue).unwrap_or_default());
        Ok(())
    }

    /// The header of a part with these fields set.
    fn header(&mut self, part: &Part, set: &[(&str, &str)]) -> Result<(), NotConvertible> {
        let header = self.slice(&part.header);
        match push_header(header, set, &mut self.out) {
            true => Ok(()),
            false if header.is_ascii() => Err(NotConvertible::HeaderLine),
            false => Err(NotConvertible::Header),
        }
    }

    fn as_it_is(
        &mut self,
        range: &Range<u64>,
        otherwise: NotConvertible,
    ) -> Result<(), NotConvertible> {
        self.push(self.slice(range), otherwise)
    }

    fn push(&mut self, text: &[u8], otherwise: NotConvertible) -> Result<(), NotConvertible> {
        self.out.extend_from_slice(&with_line_ends(text).ok_or(otherwise)?);
        Ok(())
    }

    fn slice(&self, range: &Range<u64>) -> &'a [u8] {
        slice(self.message, range)
    }
}

/// The body without its transfer encoding.
fn payload<'a>(body: &'a [u8], declared: &Declared) -> Result<Cow<'a, [u8]>, NotConvertible> {
    match declared.coding() {
        Coding::SevenBit | Coding::EightBit => Ok(Cow::Borrowed(body)),
        Coding::Encoded => {
            let mut bytes = Vec::with_capacity(body.len());
            let mut decoder = TransferDecoder::new(declared.name_of_encoding());
            decoder.push(body, &mut bytes);
            decoder.finish(&mut bytes);
            Ok(Cow::Owned(bytes))
        }
        Coding::Private => Err(NotConvertible::Encoding),
    }
}

#[cfg(test)]
mod tests {
    use super::{NotConvertible, to_seven_bit};
    use crate::mail::{Limits, Scanner};
    use std::borrow::Cow;

    fn converted(message: &str) -> Result<String, NotConvertible> {
        let out = to_seven_bit(message.as_bytes())?;
        assert!(super::fits(&out), "{out:?}");
        assert_eq!(to_seven_bit(&out), Ok(Cow::Borrowed(&*out)));
        Ok(String::from_utf8(out.into_owned()).unwrap())
    }

    const MIME: &str = "MIME-Version: 1.0\r\n";

    #[test]
    fn what_fits_stays_as_it_is() {
        for message in ["", "Subject: x\r\n\r\nx", "Content-Transfer-Encoding: 8bit\r\n\r\nx\r\n"] {
            assert!(matches!(to_seven_bit(message.as_bytes()), Ok(Cow::Borrowed(_))), "{message}");
        }
    }

    #[test]
    fn one_text() {
        for (message, expected) in [
            (
                "Content-Type: text/plain; charset=utf-8\r\nMime-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\nX: y\r\n\r\ncaf\u{e9}\r\n",
                "Content-Type: text/plain; charset=utf-8\r\nMime-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\nX: y\r\n\r\ncaf=C3=A9\r\n",
            ),
            // It does not say that it is MIME: what it says of its encoding does not count.
            (
                "Content-Transfer-Encoding: base64\r\nX: y\r\n\r\ncaf\u{e9} with cake",
                "Content-Transfer-Encoding: quoted-printable\r\nX: y\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\ncaf=C3=A9 with cake=\r\n",
            ),
            (
                "Content-Type: image/x\r\n\r\n\0\u{1}",
                "Content-Type: image/x\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nAAE=\r\n",
            ),
            // Line ends of its own stay what they were.
            (
                "MIME-Version: 1.0\n\none\ntwo\n",
                "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\none=0Atwo=0A=\r\n",
            ),
            // Encoded already, but in lines that are not to be had.
            (
                "MIME-Version: 1.0\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: BASE64\r\n\r\nYWJj\nZGVm\n",
                "MIME-Version: 1.0\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\nYWJjZGVm\r\n",
            ),
        ] {
            assert_eq!(converted(message).as_deref(), Ok(expected));
        }
        let latin = [b"Subject: x\r\n\r\n".as_slice(), b"caf\xe9 with cake\r\n"].concat();
        let out = to_seven_bit(&latin).unwrap();
        assert!(out.ends_with(b"charset=unknown-8bit\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=E9 with cake\r\n"));
    }

    #[test]
    fn parts_and_what_stands_around_them() {
        let message = format!(
            "{MIME}Content-Type: multipart/mixed; boundary=a\r\nContent-Transfer-Encoding: 8bit\r\n\r\npr\u{e9}amble\r\n--a\r\n\r\nfirst\r\n--a\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\nSubject: in\r\n\r\nn\u{e9}xt to a longer text\r\n--a \r\nContent-Type: audio/x\r\n\r\n\u{ff}--a--\r\n--a--\r\n\u{e9}pilogue\r\n"
        );
        assert_eq!(
            converted(&message).unwrap(),
            format!(
                "{MIME}Content-Type: multipart/mixed; boundary=a\r\nContent-Transfer-Encoding: 7bit\r\n\r\n--a\r\n\r\nfirst\r\n--a\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: in\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nn=C3=A9xt to a longer text\r\n--a \r\nContent-Type: audio/x\r\nContent-Transfer-Encoding: base64\r\n\r\nw78tLWEtLQ==\r\n--a--\r\n"
            )
        );
        // A preamble and an epilogue that fit stay; the last part has no end.
        let message = format!(
            "{MIME}Content-Type: multipart/x; boundary=a\n\npre\n--a\n\n\u{e9}\n--a--\nepi\n"
        );
        assert_eq!(
            converted(&message).unwrap(),
            format!(
                "{MIME}Content-Type: multipart/x; boundary=a\r\n\r\npre\r\n--a\r\nContent-Transfer-Encoding: base64\r\n\r\nw6k=\r\n--a--\r\nepi\r\n"
            )
        );
        let message =
            format!("{MIME}Content-Type: multipart/x; boundary=a\r\n\r\n--a\r\n\r\n\u{e9}\r\n");
        assert!(
            converted(&message)
                .unwrap()
                .ends_with("--a\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n")
        );
    }

    #[test]
    fn what_must_not_change_is_refused() {
        let signed = |text: &str, signature: &str| {
            format!(
                "{MIME}Content-Type: multipart/signed; boundary=a\r\n\r\npr\u{e9}\r\n--a\r\n{text}--a\r\nContent-Type: application/pgp-signature\r\n\r\n{signature}\r\n--a--\r\n"
            )
        };
        let global = |inside: &str| {
            format!(
                "{MIME}Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{inside}\r\n--a--\r\n"
            )
        };
        let out = converted(&signed("\nas =\r\nit is\n", "s\u{ef}gned")).unwrap();
        assert!(out.contains("\r\n\r\n--a\r\n\r\nas =\r\nit is\r\n--a\r\n"), "{out}");
        assert!(converted(&global("Subject: in\r\n\r\n\u{e9}")).unwrap().contains("Subject: in"));
        let out = converted(&global("Subject: \u{e9}\r\n\r\n\u{e9}")).unwrap();
        assert!(
            out.ends_with(
                "Content-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogw6kNCg0Kw6k=\r\n--a--\r\n"
            ),
            "{out}"
        );

        let deep = "Content-Type: message/rfc822\r\n\r\n".repeat(Limits::default().depth + 1);
        let many = "--a\r\n\r\n".repeat(Limits::default().parts);
        let long = format!("X: {}\r\n\r\n\u{e9}", "x ".repeat(200_000));
        let body = |header: &str| format!("{MIME}{header}\r\n\r\n\u{e9}\r\n");
        for (message, why) in [
            ("Subject: \u{e9}\r\n\r\n".to_owned(), NotConvertible::Header),
            (
                format!("{MIME}Content-Type: message/rfc822\r\n\r\nSubject: \u{e9}\r\n\r\n"),
                NotConvertible::Header,
            ),
            (body("X: \0"), NotConvertible::HeaderLine),
            (body("Dear all"), NotConvertible::HeaderLine),
            (body(&"x".repeat(999)), NotConvertible::HeaderLine),
            (signed("\r\n\u{e9}\r\n", "x"), NotConvertible::Signed),
            (signed("\r\na\rb\r\n", "x"), NotConvertible::Signed),
            (body("Content-Type: message/partial; id=x; number=1"), NotConvertible::Fragment),
            (body("Content-Transfer-Encoding: x-own"), NotConvertible::Encoding),
            (
                body("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64"),
                NotConvertible::Encoding,
            ),
            (body("Content-Type: multipart/mixed; boundary=a"), NotConvertible::Structure),
            (
                format!("{}--a \u{e9}\r\n\r\n", body("Content-Type: multipart/mixed; boundary=a")),
                NotConvertible::Structure,
            ),
            (format!("{deep}\r\n\u{e9}"), NotConvertible::Limit),
            (
                format!("{MIME}Content-Type: multipart/mixed; boundary=a\r\n\r\n{many}\u{e9}"),
                NotConvertible::Limit,
            ),
            (long, NotConvertible::Limit),
        ] {
            assert_eq!(converted(&message), Err(why), "{message:.300}");
        }
    }

    /// The scanner of the result sees the parts that it saw before.
    #[test]
    fn no_boundary_is_made_where_none_was() {
        let text = format!("{}--a--\u{e9}\r\n", "x".repeat(75));
        let message = format!(
            "{MIME}Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\n{text}\r\n--a\r\n\r\nlast\r\n--a--\r\n"
        );
        let out = converted(&message).unwrap();
        assert!(out.contains("=\r\n=2D-a--=C3=A9\r\n"), "{out}");
        let crate::mail::PartKind::Multipart(parts) = Scanner::scan(out.as_bytes()).structure.kind
        else {
            panic!("no multipart")
        };
        assert_eq!(parts.len(), 2);
    }
}
