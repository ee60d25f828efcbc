//! The resolver before servers that answer well, badly or never.

use crate::message::{AD, Message, NXDOMAIN, REFUSED, SERVFAIL, TC, question};
use crate::script::{Asked, Script, no_tcp, resolver, show};
use pillarbox::dns::{Found, Kind, Question};
use pillarbox::net::{Believed, Resolver, Servers};
use smol::block_on;
use smol::future::{self, zip};
use smol::io::AsyncWriteExt;
use smol::net::{TcpStream, UdpSocket};
use std::cell::Cell;
use std::time::{Duration, Instant};

fn a() -> Question {
    question("a.example", Kind::A)
}

/// What the resolver makes of a server that does this with each question.
fn ask_one(udp: impl AsyncFn(Asked<'_>), tcp: impl AsyncFn(TcpStream, Message)) -> String {
    block_on(async {
        let server = Script::new().await;
        let resolver = resolver(&[&server]);
        show(&server.run(udp, tcp, resolver.ask(a())).await)
    })
}

#[test]
fn waits_past_what_is_not_its_reply() {
    let shown = ask_one(
        async |asked| {
            let good = asked.reply.clone().answer("a.example 300 A 192.0.2.66");
            let with = |change: &dyn Fn(&mut Message)| {
                let mut message = good.clone();
                change(&mut message);
                message.bytes()
            };
            for bad in [
                with(&|m| m.id ^= 0x8000),
                with(&|m| m.question = Some(("b.example".into(), 1, 1))),
                with(&|m| m.question = Some(("a.example".into(), 28, 1))),
                with(&|m| m.question = None),
                with(&|m| m.flags ^= 0x8000),
                with(&|m| (m.id, m.flags) = (m.id ^ 1, m.flags | TC)),
                with(&|m| (m.id, m.flags) = (m.id ^ 1, m.flags | SERVFAIL)),
                asked.query.clone(),
                Vec::new(),
                b"\r\n".to_vec(),
                vec![0xff; 1400],
            ] {
                asked.send(&bad).await;
            }
            // It knows everything, but comes from elsewhere.
            for from in ["127.0.0.1:0", "127.0.0.2:0"] {
                let other = UdpSocket::bind(from).await.unwrap();
                other.send_to(&good.bytes(), asked.peer).await.unwrap();
            }
            asked.answer("a.example 300 A 192.0.2.1").await;
        },
        no_tcp,
    );
    assert_eq!(shown, "a.example 192.0.2.1");
}

#[test]
fn goes_on_over_tcp_with_what_does_not_fit() {
    let long = format!("a.example 300 TXT \"{}\"", "x".repeat(3000));
    let txt = || question("a.example", Kind::Txt);
    for one_by_one in [false, true] {
        block_on(async {
            let server = Script::new().await;
            let resolver = resolver(&[&server]);
            let udp =
                async |asked: Asked<'_>| asked.send(&asked.reply.clone().flags(TC).bytes()).await;
            let tcp = async |mut stream: TcpStream, reply: Message| {
                let bytes = reply.flags(AD).answer(&long).bytes();
                let len = u16::try_from(bytes.len()).unwrap();
                let bytes = [len.to_be_bytes().as_slice(), &bytes].concat();
                stream.set_nodelay(true).unwrap();
                for piece in bytes.chunks(if one_by_one { 1 } else { bytes.len() }) {
                    stream.write_all(piece).await.unwrap();
                    future::yield_now().await;
                }
            };
            let answer = server.run(udp, tcp, resolver.ask(txt())).await;
            assert!(answer.authentic);
            let Found::Records(records, _) = answer.found else { panic!("{answer:?}") };
            assert!(records[0].to_string().matches('x').count() == 3000);
        });
    }
    // One that is longer than we said we take, and does not say so itself.
    let shown = ask_one(
        async |asked| {
            let longer = format!("a.example 300 TXT \"{}\"", "x".repeat(2000));
            asked.answer(&longer).await;
        },
        async |mut stream, reply| {
            let bytes = reply.answer("a.example 300 A 192.0.2.1").bytes();
            let len = u16::try_from(bytes.len()).unwrap().to_be_bytes();
            stream.write_all(&[&len, bytes.as_slice()].concat()).await.unwrap();
        },
    );
    assert_eq!(shown, "a.example 192.0.2.1");
}

#[test]
fn bad_replies_over_tcp_are_no_answers() {
    for (bytes, shown) in [
        // Cut off; an empty message; another's; truncated again; without end.
        (b"\x00\x50abc".to_vec(), "Timeout"),
        (Vec::new(), "Timeout"),
        (b"\0\0".to_vec(), "Malformed"),
        (b"\0\x0cabcdefghijkl".to_vec(), "Malformed"),
        (vec![0xff; 1 << 20], "Malformed"),
    ] {
        let seen = ask_one(
            async |asked| asked.send(&asked.reply.clone().flags(TC).bytes()).await,
            // Who has enough closes the connection.
            async |mut stream, _| drop(stream.write_all(&bytes).await),
        );
        assert_eq!(seen, shown, "{} bytes", bytes.len());
    }
    let seen = ask_one(
        async |asked| asked.send(&asked.reply.clone().flags(TC).bytes()).await,
        async |mut stream, reply| {
            let bytes = reply.flags(TC).bytes();
            let len = u16::try_from(bytes.len()).unwrap().to_be_bytes();
            stream.write_all(&[&len, bytes.as_slice()].concat()).await.unwrap();
        },
    );
    assert_eq!(seen, "Malformed");
}

/// The waits are real: all of them at the same time.
#[test]
fn who_never_answers_costs_ten_seconds_at_most() {
    block_on(async {
        let (silent, mute, endless) =
            (Script::new().await, Script::new().await, Script::new().await);
        let asked = Cell::new(0);
        let truncated =
            async |asked: Asked<'_>| asked.send(&asked.reply.clone().flags(TC).bytes()).await;
        let began = Instant::now();
        let resolvers = [&silent, &mute, &endless].map(|server| resolver(&[server]));
        let [by_silent, by_mute, by_endless] = resolvers.each_ref().map(|r| r.ask(a()));
        let one = silent.run(async |_| asked.set(asked.get() + 1), no_tcp, by_silent);
        let two = mute.run(
            truncated,
            async |stream, _| {
                future::pending::<()>().await;
                drop(stream);
            },
            by_mute,
        );
        // A byte now and then: never nothing, never done.
        let three = endless.run(
            truncated,
            async |mut stream, _| {
                stream.write_all(&[0xff, 0xff]).await.unwrap();
                loop {
                    smol::Timer::after(Duration::from_millis(100)).await;
                    if stream.write_all(b"x").await.is_err() {
                        break;
                    }
                }
            },
            by_endless,
        );
        let ((one, two), three) = zip(zip(one, two), three).await;
        let took = began.elapsed();
        for answer in [one, two, three] {
            assert_eq!(show(&answer), "Timeout");
        }
        assert!((5..=11).contains(&took.as_secs()), "{took:?}");
        assert_eq!(asked.get(), 3, "it was asked again");
        // For a moment that is remembered: whoever asks next waits for nothing.
        let began = Instant::now();
        for resolver in &resolvers {
            assert_eq!(show(&resolver.ask(a()).await), "Timeout");
        }
        assert!(began.elapsed() < Duration::from_secs(1));
    });
}

#[test]
fn over_ipv6() {
    block_on(async {
        let Ok(server) = Script::at("::1").await else {
            println!("\nskipped: there is no IPv6 here");
            return;
        };
        let resolver = resolver(&[&server]);
        let udp = async |asked: Asked<'_>| asked.send(&asked.reply.clone().flags(TC).bytes()).await;
        let tcp = async |mut stream: TcpStream, reply: Message| {
            let bytes = reply.flags(AD).answer("a.example 300 A 192.0.2.1").bytes();
            let len = u16::try_from(bytes.len()).unwrap().to_be_bytes();
            stream.write_all(&[&len, bytes.as_slice()].concat()).await.unwrap();
        };
        let answer = server.run(udp, tcp, resolver.ask(a())).await;
        assert_eq!(show(&answer), "AD a.example 192.0.2.1");
    });
}

#[test]
fn one_server_after_another() {
    let good = async |asked: Asked<'_>| asked.answer("a.example 300 A 192.0.2.1").await;
    for (first, shown) in [
        (Some(|reply: Message| reply.flags(SERVFAIL).bytes()), "a.example 192.0.2.1"),
        (Some(|reply: Message| reply.flags(REFUSED).bytes()), "a.example 192.0.2.1"),
        // A length that is not true.
        (
            Some(|reply: Message| {
                let mut bytes = reply.answer("a.example 300 A 192.0.2.66").bytes();
                let at = bytes.len() - 5;
                bytes[at] = 200;
                bytes
            }),
            "a.example 192.0.2.1",
        ),
        (
            Some(|reply: Message| reply.authority("example 9 NS ns.example").bytes()),
            "a.example 192.0.2.1",
        ),
        // These know that there is nothing.
        (Some(|reply: Message| reply.bytes()), "NoData"),
        (Some(|reply: Message| reply.flags(NXDOMAIN).bytes()), "NoName"),
        // Nothing listens there.
        (None, "a.example 192.0.2.1"),
    ] as [(Option<fn(Message) -> Vec<u8>>, &str); 7]
    {
        block_on(async {
            let (one, two) = (Script::new().await, Script::new().await);
            let resolver = resolver(&[&one, &two]);
            let began = Instant::now();
            let answer = match first {
                Some(first) => {
                    let udp =
                        async |asked: Asked<'_>| asked.send(&first(asked.reply.clone())).await;
                    one.run(udp, no_tcp, two.run(good, no_tcp, resolver.ask(a()))).await
                }
                None => {
                    drop(one);
                    two.run(good, no_tcp, resolver.ask(a())).await
                }
            };
            assert_eq!(show(&answer), shown);
            assert!(began.elapsed() < Duration::from_secs(2));
        });
    }
}

#[test]
fn what_is_said_when_no_server_knows() {
    for (replies, shown) in [
        ([SERVFAIL, SERVFAIL], "Servfail"),
        ([SERVFAIL, REFUSED], "Servfail"),
        ([REFUSED, SERVFAIL], "Servfail"),
        ([REFUSED, REFUSED], "Refused"),
    ] {
        block_on(async {
            let (one, two) = (Script::new().await, Script::new().await);
            let resolver = resolver(&[&one, &two]);
            let count = Cell::new(0);
            let say = async |asked: Asked<'_>, rcode| {
                count.set(count.get() + 1);
                asked.send(&asked.reply.clone().flags(rcode).bytes()).await;
            };
            let asking =
                two.run(async |asked| say(asked, replies[1]).await, no_tcp, resolver.ask(a()));
            let answer = one.run(async |asked| say(asked, replies[0]).await, no_tcp, asking).await;
            assert_eq!((show(&answer).as_str(), count.get()), (shown, 2));
        });
    }
}

#[test]
fn a_server_from_before_1999_is_asked_without_extensions() {
    for rcode in [1, 4] {
        let shown = ask_one(
            async |asked| match asked.has_edns() {
                true => {
                    let mut reply = asked.reply.clone().flags(rcode);
                    reply.question = None;
                    asked.send(&reply.bytes()).await;
                }
                false => asked.answer("a.example 300 A 192.0.2.1").await,
            },
            no_tcp,
        );
        assert_eq!(shown, "a.example 192.0.2.1");
        let always =
            async |asked: Asked<'_>| asked.send(&asked.reply.clone().flags(rcode).bytes()).await;
        assert_eq!(ask_one(always, no_tcp), "Refused");
    }
}

#[test]
fn the_ad_bit_counts_from_those_who_are_believed() {
    for (believed, flags, authentic) in [
        (Believed::Nearby, AD, true),
        (Believed::All, AD, true),
        (Believed::Nobody, AD, false),
        (Believed::All, 0, false),
    ] {
        block_on(async {
            let server = Script::new().await;
            let resolver = Resolver::new(Servers { listed: vec![server.address], believed });
            let udp = async |asked: Asked<'_>| {
                let reply = asked.reply.clone().flags(flags);
                match asked.question.name.as_str() {
                    "no.example" => asked.send(&reply.flags(NXDOMAIN).bytes()).await,
                    _ => asked.send(&reply.answer("a.example 300 A 192.0.2.1").bytes()).await,
                }
            };
            let asking = async {
                let no = resolver.ask(question("no.example", Kind::A)).await;
                (resolver.ask(a()).await, resolver.ask(a()).await, no)
            };
            let (first, again, no) = server.run(udp, no_tcp, asking).await;
            let seen = [&first, &again, &no].map(|answer| answer.authentic);
            assert_eq!(seen, [authentic; 3], "{believed:?}");
        });
    }
}

#[test]
fn aliases_are_followed_where_the_server_leaves_off() {
    block_on(async {
        let server = Script::new().await;
        let resolver = resolver(&[&server]);
        let udp = async |asked: Asked<'_>| {
            let name = asked.question.name.as_str();
            let reply = asked.reply.clone();
            let reply = match name {
                "one.example" => reply.flags(AD).answer("one.example 300 CNAME two.example"),
                "two.example" => reply.flags(AD).answer("two.example 1 CNAME three.example"),
                "three.example" => reply.flags(AD).answer("three.example 300 A 192.0.2.3"),
                "plain.example" => reply.answer("plain.example 300 CNAME three.example"),
                "no.example" => reply.flags(AD).answer("no.example 300 CNAME gone.example"),
                "gone.example" => reply.flags(AD | NXDOMAIN),
                "down.example" => reply.answer("down.example 300 CNAME dead.example"),
                "dead.example" => reply.flags(SERVFAIL),
                "round.example" => reply.answer("round.example 300 CNAME about.example"),
                "about.example" => reply.answer("about.example 300 CNAME round.example"),
                "self.example" => reply.answer("self.example 300 CNAME self.example"),
                _ => match name.strip_suffix(".long.example").and_then(|n| n.parse::<u32>().ok()) {
                    Some(n) => reply.answer(&format!("{name} 300 CNAME {}.long.example", n + 1)),
                    None => panic!("{name}"),
                },
            };
            asked.send(&reply.bytes()).await;
        };
        let asking = async {
            for (name, shown) in [
                ("one.example", "AD three.example 192.0.2.3"),
                ("plain.example", "three.example 192.0.2.3"),
                ("no.example", "AD NoName"),
                ("down.example", "Servfail"),
                ("round.example", "Malformed"),
                ("self.example", "Malformed"),
                ("0.long.example", "Malformed"),
            ] {
                let answer = resolver.ask(question(name, Kind::A)).await;
                assert_eq!(show(&answer), shown, "{name}");
            }
            // Two that lead to each other, asked at the same time, do not wait for each other.
            let [one, two] =
                ["round.example", "about.example"].map(|name| question(name, Kind::Mx));
            let both = zip(resolver.ask(one), resolver.ask(two)).await;
            assert_eq!((show(&both.0), show(&both.1)), ("Malformed".into(), "Malformed".into()));
        };
        server.run(udp, no_tcp, asking).await;
    });
}
