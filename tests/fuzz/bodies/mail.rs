//! Any bytes as a message, a header field, a date, an address.

use pillarbox::mail::header::{Fields, Selection, select};
use pillarbox::mail::{
    Address, Card, CivilDate, Date, Envelope, Limits, Part, PartKind, Scanner, TransferDecoder,
    decode_text, fold, has_utf8_header, message_ids, parse_address_list, parse_date, srs,
    to_seven_bit, to_utf8,
};

/// A message, and all that is made of it.
pub fn mime_outline(body: &[u8]) {
    let card = Scanner::scan(body);
    let (head, tail) = body.split_at(body.len() / 3);
    let mut scanner = Scanner::new(Limits::default());
    scanner.push(head);
    scanner.push(tail);
    assert_eq!(scanner.finish(), card);
    seven_bit(body, &card);
    let stored = card.encode();
    assert_eq!(Envelope::decode(&stored).as_ref(), Some(&card.envelope));
    assert_eq!(Card::decode(&stored), Some(card));
    assert!(Card::decode(body).is_none_or(|card| card.structure.body.end <= card.size));

    let kept = [select(body, Selection::Named, &["to"]), select(body, Selection::Others, &["to"])];
    let fields: usize = Fields::new(body).map(|field| field.raw.len()).sum();
    assert!(fields <= body.len() && kept.iter().all(|part| part.ends_with(b"\r\n")));

    if let Some(date) = parse_date(body) {
        assert_eq!(parse_date(date.to_string().as_bytes()), Some(date));
    }
    if let Ok(text) = std::str::from_utf8(body) {
        assert!(srs::back(b"secret", text, 20_785).is_err());
    }
    if let Ok(address) = Address::parse(body) {
        assert_eq!(Address::parse(address.to_string().as_bytes()), Ok(address));
    }
    let _ =
        (Date::parse_imap_date_time(body), CivilDate::parse_imap(body), parse_address_list(body));
    let _ = (fold(&decode_text(body)), message_ids(body).count(), to_utf8(Some(head), tail).len());
    for encoding in ["base64", "quoted-printable", "binary"] {
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        let mut decoder = TransferDecoder::new(encoding.as_bytes());
        decoder.push(body, &mut whole);
        decoder.finish(&mut whole);
        let mut decoder = TransferDecoder::new(encoding.as_bytes());
        body.chunks(1).for_each(|piece| decoder.push(piece, &mut pieces));
        decoder.finish(&mut pieces);
        assert!(whole == pieces && whole.len() <= body.len());
    }
}

/// The message for a server that takes 7-bit only: it has the same parts, and nothing that such a server may not get.
fn seven_bit(body: &[u8], card: &Card) {
    assert!(!has_utf8_header(body) || !body.is_ascii());
    let Ok(sent) = to_seven_bit(body) else { return };
    assert!(sent.is_ascii() && !sent.contains(&0));
    for line in sent.split_inclusive(|&b| b == b'\n') {
        let text = line.strip_suffix(b"\r\n").unwrap_or(line);
        assert!(text.len() <= 998 && !text.contains(&b'\r') && !text.contains(&b'\n'));
    }
    let parts = leaves(&card.structure);
    assert!(sent.len() <= 4 * body.len() + 200 * (parts + 1));
    // A message/global may go as a whole.
    let global = body.windows(6).any(|word| word.eq_ignore_ascii_case(b"global"));
    assert!(global || leaves(&Scanner::scan(&sent).structure) == parts);
}

fn leaves(part: &Part) -> usize {
    match &part.kind {
        PartKind::Leaf => 1,
        PartKind::Multipart(children) => children.iter().map(leaves).sum(),
        PartKind::Message(_, child) => leaves(child),
    }
}
