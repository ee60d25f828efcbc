//! The mail that brings a report on TLS to a domain (RFC 8460 §5.3).

use crate::mail::{Address, Date};
use data_encoding::BASE64;

/// What goes into it.
#[derive(Debug)]
pub struct Letter<'a> {
    /// From whom.
    pub from: &'a Address,
    /// To whom.
    pub to: &'a Address,
    /// When it is written.
    pub date: Date,
    /// On which domain it is.
    pub domain: &'a str,
    /// Names the report, in the form of a Message-ID without its brackets.
    pub id: &'a str,
    /// The attachment's name.
    pub file_name: &'a str,
    /// The report in JSON, compressed by gzip.
    pub report: &'a [u8],
}

/// The name of a report's file (§5.1); `day` are the seconds since 1970 of its beginning and its end.
pub fn file_name(submitter: &str, domain: &str, day: (i64, i64)) -> String {
    format!("{submitter}!{domain}!{}!{}.json.gz", day.0, day.1)
}

/// Its whole text.
pub fn letter(letter: &Letter<'_>) -> String {
    let submitter = letter.from.domain();
    let Letter { from, to, domain, id, file_name, .. } = letter;
    let boundary = format!("=_{}", id.split('@').next().unwrap_or_default());
    let mut report = String::new();
    for line in BASE64.encode(letter.report).as_bytes().chunks(76) {
        report.push_str(std::str::from_utf8(line).unwrap_or_default());
        report.push_str("\r\n");
    }
    let date = letter.date;
    format!(
        "From: TLS reports <{from}>\r\nTo: <{to}>\r\nDate: {date}\r\nMessage-ID: <{id}>\r\n\
         Subject: Report Domain: {domain}\r\n Submitter: {submitter}\r\n Report-ID: <{id}>\r\n\
         TLS-Report-Domain: {domain}\r\nTLS-Report-Submitter: {submitter}\r\nTLS-Required: No\r\n\
         Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"{boundary}\"\r\n\r\n\
         --{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
         This is a report on TLS from {submitter}: how sessions with the mail servers\r\nof {domain} went on one day \
         (RFC 8460). It was asked for by the record\r\n_smtp._tls.{domain} in DNS.\r\n\r\n\
         --{boundary}\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment;\r\n filename=\"{file_name}\"\r\n\r\n{report}\r\n--{boundary}--\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::{Letter, file_name, letter};
    use crate::base::Timestamp;
    use crate::mail::{Address, Date};

    #[test]
    fn the_subject_and_the_name_are_as_the_rfc_has_them() {
        let name =
            file_name("mail.sndr.example.com", "example.net", (1_470_013_207, 1_470_186_007));
        assert_eq!(name, "mail.sndr.example.com!example.net!1470013207!1470186007.json.gz");
        let address = |text: &[u8]| Address::parse(text).unwrap();
        let (from, to) = (address(b"tlsrpt@example.com"), address(b"a@example.net"));
        let text = letter(&Letter {
            from: &from,
            to: &to,
            date: Date { at: Timestamp::from_seconds(0), zone_minutes: 0 },
            domain: "example.net",
            id: "1.2@example.com",
            file_name: &name,
            report: &[0; 100],
        });
        let subject = "\r\nSubject: Report Domain: example.net\r\n Submitter: example.com\r\n Report-ID: <1.2@example.com>\r\n";
        assert!(text.contains(subject), "{text}");
        assert!(text.lines().all(|line| line.len() <= 998) && text.is_ascii());
    }
}
