//! What submission does to the header of a message (RFC 6409 §8): missing fields are added, Bcc is taken out. The user's
//! program controls the input.

use super::date::Date;
use super::header::{Fields, HEADER_LEN_MAX};

/// Names of fields that tell recipients who else got the message.
const HIDDEN: [&str; 2] = ["bcc", "resent-bcc"];

/// What is added if it is missing.
#[derive(Debug, Clone, Copy)]
pub struct Additions<'a> {
    /// Now.
    pub date: Date,
    /// A fresh id, `left@right` without angle brackets.
    pub message_id: &'a str,
}

/// Takes the header of a submitted message, or the message with its body, and returns it completed. What is kept is
/// not changed. `None` if the header is over 256 KB.
pub fn complete(message: &[u8], additions: Additions) -> Option<Vec<u8>> {
    let mut completed = Vec::with_capacity(message.len() + 200);
    let (mut date, mut message_id, mut read) = (false, false, 0);
    for field in Fields::new(message) {
        read += field.raw.len();
        date |= field.is("date");
        message_id |= field.is("message-id");
        if !HIDDEN.iter().any(|name| field.is(name)) {
            completed.extend_from_slice(field.raw);
        }
    }
    if read >= HEADER_LEN_MAX {
        return None;
    }
    if !completed.is_empty() && !completed.ends_with(b"\n") {
        completed.extend_from_slice(b"\r\n");
    }
    if !date {
        completed.extend_from_slice(format!("Date: {}\r\n", additions.date).as_bytes());
    }
    if !message_id {
        completed
            .extend_from_slice(format!("Message-ID: <{}>\r\n", additions.message_id).as_bytes());
    }
    completed.extend_from_slice(message.get(read..)?);
    Some(completed)
}

#[cfg(test)]
mod tests {
    use super::{Additions, complete};
    use crate::base::Timestamp;
    use crate::mail::Date;

    fn completed(message: &[u8]) -> Option<String> {
        let date = Date { at: Timestamp::from_seconds(880_127_706), zone_minutes: -360 };
        complete(message, Additions { date, message_id: "1@box" })
            .map(|m| String::from_utf8(m).unwrap())
    }

    #[test]
    fn what_is_missing_is_added_and_bcc_is_gone() {
        assert_eq!(
            completed(b"From: a@b\r\nBCC: c@d,\r\n e@f\r\nResent-Bcc: g\r\nSubject: x\r\n\r\nBcc: stays\r\n").unwrap(),
            "From: a@b\r\nSubject: x\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <1@box>\r\n\r\nBcc: stays\r\n"
        );
        let whole = "date: x\r\nmessage-id: y\r\n\r\n";
        assert_eq!(completed(whole.as_bytes()).unwrap(), whole);
        assert_eq!(completed(b"Date: x\r\nMessage-Id: y").unwrap(), "Date: x\r\nMessage-Id: y\r\n");
        assert!(completed(b"\r\nbody").unwrap().ends_with("<1@box>\r\n\r\nbody"));
        assert_eq!(completed(&b"A: b\r\n".repeat(50_000)), None);
    }
}
