//! Writes the one kind of message that we send (RFC 1035 §4.1): a question for a resolver. By hand: nothing in it can
//! fail.

use super::answers::Question;

/// The longest reply over UDP that we ask for: it is never cut into pieces on its way (RFC 6891 §6.2.5).
pub const UDP_LEN_MAX: u16 = 1232;

/// Are the extensions of RFC 6891 offered? A server that is too old for them says FORMERR, and is asked without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edns {
    /// Replies may have up to `UDP_LEN_MAX` bytes.
    Offered,
    /// Replies have 512 bytes at most.
    Left,
}

/// Recursion desired; and AD: tell us whether signatures were checked (RFC 6840 §5.7). DO is not set: we check none.
const FLAGS: [u8; 2] = [0x01, 0x20];
const CLASS_IN: u16 = 1;
const TYPE_OPT: u16 = 41;

/// The message; `id` is for chance to choose.
pub fn write_query(question: &Question, id: u16, edns: Edns) -> Vec<u8> {
    let additional = match edns {
        Edns::Offered => 1,
        Edns::Left => 0,
    };
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend(FLAGS);
    for count in [1_u16, 0, 0, additional] {
        bytes.extend(count.to_be_bytes());
    }
    for label in question.name.as_str().split('.').filter(|label| !label.is_empty()) {
        // A `Name` has labels of up to 63 bytes.
        if let Ok(len) = u8::try_from(label.len()) {
            bytes.push(len);
            bytes.extend(label.bytes());
        }
    }
    bytes.push(0);
    bytes.extend(question.kind.number().to_be_bytes());
    bytes.extend(CLASS_IN.to_be_bytes());
    if edns == Edns::Offered {
        // The root, no extended RCODE, version 0, no flags, no options.
        bytes.push(0);
        bytes.extend(TYPE_OPT.to_be_bytes());
        bytes.extend(UDP_LEN_MAX.to_be_bytes());
        bytes.extend([0; 6]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{Edns, write_query};
    use crate::dns::{Kind, Name, Question};

    #[test]
    fn a_question_as_it_is_sent() {
        let question = Question { name: Name::parse("a.example").unwrap(), kind: Kind::Mx };
        let plain = b"\x12\x34\x01\x20\0\x01\0\0\0\0\0\0\x01a\x07example\0\0\x0f\0\x01";
        assert_eq!(write_query(&question, 0x1234, Edns::Left), plain);
        let mut whole = plain.to_vec();
        whole[11] = 1;
        whole.extend(b"\0\0\x29\x04\xd0\0\0\0\0\0\0");
        assert_eq!(write_query(&question, 0x1234, Edns::Offered), whole);
        let root = Question { name: Name::parse(".").unwrap(), kind: Kind::Ns };
        assert_eq!(write_query(&root, 0, Edns::Left)[12..], *b"\0\0\x02\0\x01");
    }
}
