//! What is read from replies, good and bad, and that any bytes can be read.

use crate::body::dns_reply;
use crate::message::{
    AD, Message, NXDOMAIN, REFUSED, SERVFAIL, TC, question, raw_record, wire_name,
};
use pillarbox::dns::{Found, Kind, Outcome, Question, Reply, Told, read_reply};

const ID: u16 = 0x1234;

/// A reply as a line.
fn show(reply: &Reply) -> String {
    let Told { outcome, ttl, authentic } = match reply {
        Reply::Told(told) => told,
        Reply::Failed(failure) => return format!("{failure:?}"),
        Reply::Stray | Reply::Truncated | Reply::NoEdns => return format!("{reply:?}"),
    };
    let outcome = match outcome {
        Outcome::Found(Found::Records(records, end)) => {
            let records: Vec<_> = records.iter().map(ToString::to_string).collect();
            format!("{end} {}", records.join(", "))
        }
        Outcome::Found(found) => format!("{found:?}"),
        Outcome::Alias(name) => format!("alias {name}"),
    };
    format!("{} {outcome}{}", ttl.as_secs(), if *authentic { " AD" } else { "" })
}

fn read(message: &Message, asked: &Question) -> String {
    show(&read_reply(&message.bytes(), ID, asked))
}

fn mx() -> (Message, Question) {
    let asked = question("a.example", Kind::Mx);
    (Message::reply(ID, &asked), asked)
}

#[test]
fn all_kinds() {
    for (kind, data) in [
        (Kind::A, "192.0.2.1"),
        (Kind::Aaaa, "2001:db8::1"),
        (Kind::Mx, "10 mail.a.example."),
        (Kind::Mx, "0 ."),
        (Kind::Txt, "\"v=spf1 -all\""),
        (Kind::Txt, "\"\""),
        (Kind::Ptr, "mail.a.example."),
        (Kind::Tlsa, "3 1 1 00ff"),
        (Kind::Srv, "0 1 993 mail.a.example."),
        (Kind::Caa, "0 issue \"ca.example\""),
        (Kind::Ns, "ns.a.example."),
    ] {
        let asked = question("a.example", kind);
        let reply = Message::reply(ID, &asked).answer(&format!("A.Example 300 {kind} {data}"));
        assert_eq!(read(&reply, &asked), format!("300 a.example {data}"));
        assert_eq!(read(&reply.flags(AD), &asked), format!("300 a.example {data} AD"));
    }
    let asked = question("a.example", Kind::Soa);
    let reply = Message::reply(ID, &asked).answer("a.example 300 SOA ns.a.example 7 60");
    assert_eq!(read(&reply, &asked), "300 a.example ns.a.example. 7");
}

#[test]
fn only_a_reply_to_our_question_counts() {
    let (reply, asked) = mx();
    let good = reply.answer("a.example 300 MX 10 b.example");
    let with = |change: &dyn Fn(&mut Message)| {
        let mut message = good.clone();
        change(&mut message);
        read(&message, &asked)
    };
    let named = |name: &str, kind, class| Some((name.to_owned(), kind, class));
    assert_eq!(with(&|m| m.question = named("A.eXAMPLE", 15, 1)), "300 a.example 10 b.example.");
    assert_eq!(with(&|m| m.id ^= 1), "Stray");
    assert_eq!(with(&|m| m.flags ^= 0x8000), "Stray", "a query");
    assert_eq!(with(&|m| m.flags |= 0x2800), "Stray", "an update");
    assert_eq!(with(&|m| m.question = named("b.example", 15, 1)), "Stray");
    assert_eq!(with(&|m| m.question = named("a.example", 1, 1)), "Stray");
    assert_eq!(with(&|m| m.question = named("a.example", 15, 3)), "Stray");
    assert_eq!(with(&|m| m.question = None), "Stray");
    assert_eq!(with(&|m| m.flags |= TC), "Truncated");
    // Who cannot read a question may leave it out, and then can only say no.
    for (rcode, shown) in
        [(1, "NoEdns"), (2, "Servfail"), (4, "NoEdns"), (5, "Refused"), (3, "Stray")]
    {
        let change = |m: &mut Message| (m.question, m.flags) = (None, m.flags | rcode);
        assert_eq!(with(&change), shown);
    }
}

#[test]
fn answers_and_the_ways_to_say_no() {
    let soa = "example 900 SOA ns.example 1 60";
    let (reply, asked) = mx();
    for (message, shown) in [
        (reply.clone().authority(soa), "60 NoData"),
        (reply.clone().authority("example 30 SOA ns.example 1 60"), "30 NoData"),
        (reply.clone(), "5 NoData"),
        (reply.clone().flags(NXDOMAIN | AD).authority(soa), "60 NoName AD"),
        (reply.clone().flags(NXDOMAIN), "5 NoName"),
        // Sent on to others, by one who does not look up for us.
        (reply.clone().authority("example 900 NS ns.example"), "Refused"),
        (reply.clone().authority("example 900 NS ns.example").authority(soa), "60 NoData"),
        (reply.clone().flags(SERVFAIL), "Servfail"),
        (reply.clone().flags(REFUSED), "Refused"),
        (reply.clone().flags(9), "Refused"),
        // BADVERS: half of it is in the OPT record.
        (reply.clone().raw(2, raw_record(&[0], 41, 1232, 0x0100_0000, b"")), "Refused"),
        (reply.clone().raw(2, raw_record(&[0], 41, 1232, 0, b"")), "5 NoData"),
        // The least TTL counts; one that looks negative is none (RFC 2181 §8).
        (
            reply
                .clone()
                .answer("a.example 300 MX 10 b.example")
                .answer("a.example 20 MX 5 c.example"),
            "20 a.example 10 b.example., 5 c.example.",
        ),
        (reply.clone().answer("a.example 2147483648 MX 10 b.example"), "0 a.example 10 b.example."),
        // Others' records say nothing.
        (reply.clone().answer("b.example 300 MX 10 b.example").authority(soa), "60 NoData"),
        (
            reply
                .clone()
                .raw(0, raw_record(&wire_name("a.example"), 15, 3, 9, b"\0\0\0"))
                .authority(soa),
            "60 NoData",
        ),
        // A name that no host has: that record is passed over. Are there no others, it is not as if there were none.
        (
            reply
                .clone()
                .answer("a.example 300 MX 10 b/c.example")
                .answer("a.example 300 MX 20 d.example"),
            "300 a.example 20 d.example.",
        ),
        (reply.clone().answer("a.example 300 MX 10 b/c.example"), "Malformed"),
        (reply.clone().answer("a.example 300 MX 10 \0.example"), "Malformed"),
        (
            reply.clone().raw(0, raw_record(&wire_name("a.example"), 15, 1, 9, b"\0\x0a\x03a.b\0")),
            "Malformed",
        ),
    ] {
        assert_eq!(read(&message, &asked), shown, "{message:?}");
    }
}

#[test]
fn aliases() {
    let (reply, asked) = mx();
    let soa = "example 900 SOA ns.example 1 60";
    let chain = |count: usize| {
        (0..count).fold(mx().0, |reply, n| {
            let from = if n == 0 { "a.example".to_owned() } else { format!("n{n}.example") };
            reply.answer(&format!("{from} {} CNAME n{}.example", 100 + n, n + 1))
        })
    };
    for (message, shown) in [
        (chain(1).answer("n1.example 300 MX 1 m.example"), "100 n1.example 1 m.example."),
        (chain(8).answer("N8.example 50 MX 1 m.example"), "50 n8.example 1 m.example."),
        (chain(9).answer("n9.example 50 MX 1 m.example"), "Malformed"),
        (chain(2), "100 alias n2.example"),
        (chain(2).authority(soa), "60 NoData"),
        (chain(2).flags(NXDOMAIN).authority(soa), "60 NoName"),
        (chain(2).flags(NXDOMAIN), "5 NoName"),
        // In any order.
        (
            mx().0.answer("n1.example 300 MX 1 m.example").answer("a.example 9 CNAME n1.example"),
            "9 n1.example 1 m.example.",
        ),
        (reply.clone().answer("a.example 9 CNAME a.example"), "Malformed"),
        (
            reply
                .clone()
                .answer("a.example 9 CNAME b.example")
                .answer("b.example 9 CNAME A.example"),
            "Malformed",
        ),
        // RFC 2317: the way may lead over names that are none of ours, but cannot be asked on from there.
        (
            reply
                .clone()
                .answer("a.example 9 CNAME 0/25.example")
                .answer("0/25.example 9 CNAME b.example")
                .answer("b.example 9 MX 1 m.example"),
            "9 b.example 1 m.example.",
        ),
        (
            reply
                .clone()
                .answer("a.example 9 CNAME 0/25.example")
                .answer("0/25.example 9 MX 1 m.example"),
            "9 a.example 1 m.example.",
        ),
        (reply.clone().answer("a.example 9 CNAME 0/25.example"), "Malformed"),
    ] {
        assert_eq!(read(&message, &asked), shown, "{message:?}");
    }
}

#[test]
fn lying_lengths_and_names_without_end() {
    let (reply, asked) = mx();
    let name = wire_name("a.example");
    let good = reply.clone().answer("a.example 300 MX 10 b.example").bytes();
    for cut in 12..good.len() {
        let shown = show(&read_reply(&good[..cut], ID, &asked));
        assert!(shown == "Malformed" || shown == "Stray", "{cut}: {shown}");
    }
    for counts in 6..12 {
        let mut more = good.clone();
        more[counts] = more[counts].wrapping_add(1);
        assert_eq!(show(&read_reply(&more, ID, &asked)), "Malformed", "count {counts}");
    }
    let mut longer = raw_record(&name, 15, 1, 300, b"\0\x0a\0");
    let length_at = longer.len() - 4;
    longer[length_at] = 9;
    for bad in [
        longer,
        raw_record(&name, 15, 1, 300, b"\0\x0a"),
        raw_record(&name, 15, 1, 300, b"\0\x0a\x01b\0more"),
        // A name that points at itself, forward, at another that points back; reserved label types.
        raw_record(&name, 15, 1, 300, b"\0\x0a\xc0\x2c"),
        raw_record(&name, 15, 1, 300, b"\0\x0a\xff\xff"),
        raw_record(&name, 15, 1, 300, b"\0\x0a\x01b\xc0\x2c"),
        raw_record(&name, 15, 1, 300, b"\0\x0a\x41b\0"),
        raw_record(
            &name,
            15,
            1,
            300,
            &[b"\0\x0a", [b"\x3f".as_slice(), &[b'x'; 63]].concat().repeat(4).as_slice(), b"\0"]
                .concat(),
        ),
    ] {
        let shown = read(&reply.clone().raw(0, bad.clone()), &asked);
        assert_eq!(shown, "Malformed", "{bad:?}");
    }
    // A whole message of pointers, each to the one before it.
    let pointers: Vec<u8> =
        (0..8000_u16).flat_map(|n| (0xc000 | (12 + n * 2)).to_be_bytes()).collect();
    for question in [question("a.example", Kind::Mx), question(".", Kind::Mx)] {
        let mut message = Message::reply(ID, &question).bytes();
        message[7] = 255;
        message.extend(&pointers);
        read_reply(&message, ID, &question);
    }
    for (kind, data) in [
        (Kind::A, &b"\xc0\0\x02"[..]),
        (Kind::A, b"\xc0\0\x02\x01\x01"),
        (Kind::Aaaa, b"\xc0\0\x02\x01"),
        (Kind::Txt, b"\x05abc"),
        (Kind::Tlsa, b"\x03"),
        (Kind::Srv, b"\0\0\0\0\0"),
        (Kind::Caa, b"\0\x09abc"),
        (Kind::Caa, b"\0\x01-x"),
        (Kind::Soa, b"\0\0\0\0"),
    ] {
        let asked = question("a.example", kind);
        let reply = Message::reply(ID, &asked).raw(0, raw_record(&name, kind.number(), 1, 9, data));
        assert_eq!(read(&reply, &asked), "Malformed", "{kind} {data:?}");
    }
}

#[test]
fn a_thousand_records_are_enough() {
    let asked = question("a.example", Kind::A);
    let with = |count: usize| {
        let one = raw_record(b"\xc0\x0c", 1, 1, 300, &[192, 0, 2, 1]);
        (0..count).fold(Message::reply(ID, &asked), |reply, _| reply.raw(0, one.clone()))
    };
    assert_eq!(read(&with(1000), &asked).matches("192.0.2.1").count(), 1000);
    assert_eq!(read(&with(1001), &asked), "Malformed");
}

#[test]
fn any_bytes_can_be_read() {
    let long = format!("a.example 300 TXT \"{}\"", "x".repeat(700));
    let whole = [
        (Kind::Mx, vec!["a.example 300 MX 10 mail.example", "a.example 300 MX 20 b.example"]),
        (Kind::Txt, vec![long.as_str()]),
        (Kind::Srv, vec!["a.example 300 CNAME b.example", "b.example 300 SRV 0 1 993 c.example"]),
        (Kind::Tlsa, vec!["a.example 300 TLSA 3 1 1 00ff00ff"]),
        (Kind::Caa, vec!["a.example 300 CAA 0 issue \"ca.example\""]),
        (Kind::Soa, vec!["a.example 300 SOA ns.example 1 60"]),
    ];
    let mut read = 0;
    for (kind, records) in whole {
        let asked = question("a.example", kind);
        let reply =
            records.iter().fold(Message::reply(ID, &asked), |reply, text| reply.answer(text));
        let reply = reply.authority("example 900 SOA ns.example 1 60");
        let good = reply.raw(2, raw_record(&[0], 41, 1232, 0, b"")).bytes();
        assert!(matches!(read_reply(&good, ID, &asked), Reply::Told(_)));
        for at in 0..good.len() {
            let flipped = (0..8).map(|bit| good[at] ^ (1 << bit));
            for byte in flipped.chain([0, 0x3f, 0xc0, 0xff]) {
                let mut bad = good.clone();
                bad[at] = byte;
                dns_reply(&bad);
                read += 1;
            }
        }
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let start = Message::reply(ID, &asked).bytes();
        for _ in 0..3000 {
            let mut next = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                u8::try_from(state >> 56).unwrap()
            };
            let len = usize::from(next());
            let mut bytes = start.clone();
            (6..12).for_each(|at| bytes[at] = if at % 2 == 1 { next() % 4 } else { 0 });
            bytes.extend((0..len).map(|_| next()));
            dns_reply(&bytes);
            dns_reply(&bytes[12..]);
        }
    }
    assert!(read > 10_000);
}
