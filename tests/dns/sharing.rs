//! Many who ask at the same time, and rules that ask until they can tell.

use crate::message::question;
use crate::script::{Asked, Script, no_tcp, resolver, show};
use pillarbox::dns::{Answer, Answers, Failure, Found, Kind, Name, Need, Question};
use smol::block_on;
use smol::future::{self, zip};
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

fn a() -> Question {
    question("a.example", Kind::A)
}

/// Runs all of these at the same time.
async fn all<T>(work: Vec<impl Future<Output = T>>) -> Vec<T> {
    let executor = smol::LocalExecutor::new();
    let tasks: Vec<_> = work.into_iter().map(|work| executor.spawn(work)).collect();
    let joined = async {
        let mut done = Vec::new();
        for task in tasks {
            done.push(task.await);
        }
        done
    };
    executor.run(joined).await
}

#[test]
fn the_same_question_is_asked_once() {
    block_on(async {
        let server = Script::new().await;
        let resolver = resolver(&[&server]);
        let count = Cell::new(0);
        let udp = async |asked: Asked<'_>| {
            count.set(count.get() + 1);
            asked.answer("a.example 300 A 192.0.2.1").await;
        };
        let asking = async {
            let answers = all((0..100).map(|_| resolver.ask(a())).collect()).await;
            assert!(answers.iter().all(|answer| show(answer) == "a.example 192.0.2.1"));
            assert_eq!(count.get(), 1, "at the same time");
            assert_eq!(show(&resolver.ask(a()).await), "a.example 192.0.2.1");
            assert_eq!(count.get(), 1, "later");
        };
        server.run(udp, no_tcp, asking).await;
    });
}

#[test]
fn whoever_goes_away_takes_nothing_from_the_others() {
    block_on(async {
        let server = Script::new().await;
        let resolver = resolver(&[&server]);
        let (told, tell) = smol::channel::unbounded();
        let count = Cell::new(0);
        let udp = async |asked: Asked<'_>| {
            count.set(count.get() + 1);
            match count.get() {
                // The first one to ask is gone by the time there could be an answer.
                1 => told.send(()).await.unwrap(),
                _ => asked.answer("a.example 300 A 192.0.2.1").await,
            }
        };
        let asking = async {
            let first = async {
                future::or(async { drop(resolver.ask(a()).await) }, async {
                    tell.recv().await.unwrap();
                })
                .await;
            };
            let ((), second) = zip(first, resolver.ask(a())).await;
            assert_eq!(show(&second), "a.example 192.0.2.1");
        };
        let began = Instant::now();
        server.run(udp, no_tcp, asking).await;
        assert_eq!(count.get(), 2);
        assert!(began.elapsed() < Duration::from_secs(2));
    });
}

#[test]
fn there_is_a_limit_on_questions_at_the_same_time() {
    block_on(async {
        let server = Script::new().await;
        let resolver = resolver(&[&server]);
        let (waiting, most) = (RefCell::new(Vec::new()), Cell::new(0));
        let answered = Cell::new(0);
        let udp = async |asked: Asked<'_>| {
            let reply =
                asked.reply.clone().answer(&format!("{} 300 A 192.0.2.1", asked.question.name));
            waiting.borrow_mut().push((asked.peer, reply.bytes()));
            let count = waiting.borrow().len();
            most.set(most.get().max(count));
            // Nobody has an answer before all who may ask have asked.
            if count == 128 || answered.get() + count == 512 {
                answered.set(answered.get() + count);
                for (peer, bytes) in waiting.take() {
                    asked.socket.send_to(&bytes, peer).await.unwrap();
                }
            }
        };
        let questions = (0..512).map(|n| resolver.ask(question(&format!("n{n}.example"), Kind::A)));
        let answers = server.run(udp, no_tcp, all(questions.collect())).await;
        assert!(answers.iter().all(|answer| matches!(answer.found, Found::Records(..))));
        assert_eq!(most.get(), 128);
    });
}

#[test]
fn a_rule_is_run_until_it_can_tell() {
    block_on(async {
        let server = Script::new().await;
        let resolver = resolver(&[&server]);
        let count = Cell::new(0);
        let udp = async |asked: Asked<'_>| {
            count.set(count.get() + 1);
            let reply = asked.reply.clone();
            let reply = match asked.question.kind {
                Kind::Mx => reply
                    .answer("a.example 300 MX 10 m1.example")
                    .answer("a.example 300 MX 20 m2.example"),
                _ => reply.answer(&format!("{} 300 A 192.0.2.1", asked.question.name)),
            };
            asked.send(&reply.bytes()).await;
        };
        let rounds = Cell::new(0);
        let rule = |known: &Answers| {
            rounds.set(rounds.get() + 1);
            known.get(&Name::parse("a.example").unwrap(), Kind::Mx)?;
            let hosts = ["m1.example", "m2.example"].map(|host| Name::parse(host).unwrap());
            match hosts.each_ref().map(|host| known.get(host, Kind::A)) {
                [Ok(one), Ok(two)] => Ok((show(one), show(two))),
                [Err(one), Err(two)] => Err(one.and(two)),
                [Err(need), _] | [_, Err(need)] => Err(need),
            }
        };
        let hosts = server.run(udp, no_tcp, resolver.decide(rule)).await;
        assert_eq!(hosts, ("m1.example 192.0.2.1".into(), "m2.example 192.0.2.1".into()));
        assert_eq!((rounds.get(), count.get()), (3, 3));

        // One that always finds something else to ask is told, in the end, that nobody knows.
        let endless = |known: &Answers| -> Result<usize, Need> {
            for n in 0_usize.. {
                let name = Name::parse(&format!("e{n}.example")).unwrap();
                if let Answer { found: Found::Failed(Failure::Timeout), .. } =
                    known.get(&name, Kind::A)?
                {
                    return Ok(n);
                }
            }
            Ok(usize::MAX)
        };
        let udp = async |asked: Asked<'_>| {
            asked.answer(&format!("{} 300 A 192.0.2.1", asked.question.name)).await;
        };
        assert_eq!(server.run(udp, no_tcp, resolver.decide(endless)).await, 32);
    });
}
