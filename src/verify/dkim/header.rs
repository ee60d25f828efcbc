//! The fields of a header by their names, and those that a signature covers (RFC 6376 §5.4.2). The writer of a message
//! controls them; whoever made a signature chose the names.

use super::canonical::Canonicalization;
use crate::mail::header::{Field, Fields, HEADER_LEN_MAX};
use openssl::sha::Sha256;
use std::collections::BTreeMap;

/// A header, read once.
#[derive(Debug)]
pub struct Header<'a> {
    /// Names in lower case; the fields of each from the top.
    fields: BTreeMap<Vec<u8>, Vec<Field<'a>>>,
    /// Bytes of all of them.
    len: usize,
}

impl<'a> Header<'a> {
    /// Reads it, up to the empty line.
    pub fn read(header: &'a [u8]) -> Self {
        let mut fields: BTreeMap<Vec<u8>, Vec<Field>> = BTreeMap::new();
        let mut len = 0;
        for field in Fields::new(header) {
            len += field.raw.len();
            fields.entry(field.name.to_ascii_lowercase()).or_default().push(field);
        }
        Self { fields, len }
    }

    /// Was there more of it than is read?
    pub const fn is_cut(&self) -> bool {
        self.len >= HEADER_LEN_MAX
    }

    /// How many fields have this name, in any case.
    pub fn count(&self, name: &str) -> usize {
        self.fields.get(name.to_ascii_lowercase().as_bytes()).map_or(0, Vec::len)
    }

    /// The canonical form of the fields that `h=` names, in its order: a name that stands there again means the next
    /// field above, one too often means none.
    pub fn signed<N: AsRef<[u8]>>(&self, names: &[N], form: Canonicalization) -> Vec<u8> {
        let mut left: BTreeMap<&[u8], &[Field]> =
            self.fields.iter().map(|(name, fields)| (name.as_slice(), fields.as_slice())).collect();
        let mut signed = Vec::new();
        for name in names {
            let name = name.as_ref().to_ascii_lowercase();
            let Some(fields) = left.get_mut(name.as_slice()) else { continue };
            if let Some((lowest, above)) = fields.split_last() {
                form.add_field(lowest, &mut signed);
                *fields = above;
            }
        }
        signed
    }
}

/// The hash that is signed (RFC 6376 §3.7, step 2): of signed fields in their canonical form, and of the DKIM-Signature
/// field, whose `b=` has lost its value.
pub fn data_hash(signed: &[u8], signature: &Field, form: Canonicalization) -> [u8; 32] {
    let mut field = Vec::new();
    form.add_field(signature, &mut field);
    let field = field.strip_suffix(b"\r\n").unwrap_or(&field);
    let mut hash = Sha256::new();
    hash.update(signed);
    hash.update(field);
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::{Canonicalization, Header};

    #[test]
    fn fields_are_taken_from_the_bottom() {
        let header = b"Received: <A>\r\nReceived: <B>\r\nFrom: x\r\nRECEIVED: <C>\r\n\r\nTo: y\r\n";
        let header = Header::read(header);
        assert_eq!((header.count("Received"), header.count("To")), (3, 0));
        let names = ["received", "From", "Received", "to", "from"];
        let signed = header.signed(&names, Canonicalization::Relaxed);
        assert_eq!(signed, b"received:<C>\r\nfrom:x\r\nreceived:<B>\r\n");
        assert_eq!(header.signed(&["to"], Canonicalization::Simple), b"");
    }
}
