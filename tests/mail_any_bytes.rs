//! Every parser of `mail` over bytes that nobody would write: none panics, and what must hold of any result holds.

use pillarbox::mail::header::{Fields, Selection, select};
use pillarbox::mail::{
    Address, Card, CivilDate, Date, Envelope, Limits, Scanner, TransferDecoder, decode_text, fold,
    message_ids, parse_address_list, parse_date, to_utf8,
};

/// What the grammars are made of.
const PIECES: [&[u8]; 40] = [
    b"=?utf-8?q?a_=41?=",
    b"=?",
    b"?=",
    b"\"",
    b"(",
    b")",
    b"<",
    b">",
    b"@",
    b",",
    b";",
    b":",
    b"[",
    b"]",
    b"\\",
    b".",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b"\0",
    b"\xc3\xa9",
    b"\xff",
    b"--b",
    b"--b--",
    b"\r\n\r\n",
    b"To: ",
    b"From: a@b",
    b"Subject: ",
    b"Date: 1 Jul 2003 10:52",
    b"+0200",
    b"=",
    b"*0*",
    b"Content-Type: multipart/mixed; boundary=b",
    b"Content-Type: message/rfc822",
    b"Content-Disposition: x; a*1=y",
    b"=4",
    b"Zm9v",
    b"99999999999999999999",
];

fn any_bytes(body: &[u8]) {
    let card = Scanner::scan(body);
    let (head, tail) = body.split_at(body.len() / 3);
    let mut scanner = Scanner::new(Limits::default());
    scanner.push(head);
    scanner.push(tail);
    assert_eq!(scanner.finish(), card);
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

#[test]
fn pieces_in_any_order() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below).unwrap()
    };
    for _ in 0..5000 {
        let count = next(40);
        let body: Vec<u8> = (0..count).flat_map(|_| PIECES[next(40)].to_vec()).collect();
        any_bytes(&body);
    }
}
