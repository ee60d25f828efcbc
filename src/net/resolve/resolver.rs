//! Asks DNS servers on behalf of everyone in the house: what was answered of late is remembered, who asks the same at the
//! same time waits for one answer, and one server after another is asked until one knows.

use super::super::clock::{now, within};
use super::exchange::{Unanswered, exchange};
use super::servers::{Server, Servers, Source};
use crate::dns::{ALIASES_MAX, Answer, Cache, Failure, Found, Outcome, Question, Told};
use smol::lock::{OnceCell, Semaphore};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// Shared by all who ask.
#[derive(Debug)]
pub struct Resolver {
    source: Source,
    cache: Mutex<Cache>,
    under_way: Mutex<UnderWay>,
    places: Semaphore,
}

/// Questions that are being asked, each with those who wait.
type UnderWay = HashMap<Question, Weak<OnceCell<Answer>>>;

/// How long a server may take, the first time and again. One that had to look far has often found it by the second.
const SERVER_WAITS: [Duration; 3] =
    [Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(4)];
/// How long a question may take in all, with its wait for a place.
const QUESTION_WAIT: Duration = Duration::from_secs(10);
/// So many are asked at the same time; each takes a socket, and the resolver in many a router refuses more than 150.
const PLACES: usize = 128;
const CACHE_LEN_MAX: usize = 2 << 20;

impl Resolver {
    /// Asks these; nothing is asked yet.
    pub fn new(servers: Servers) -> Self {
        Self {
            source: Source::new(servers),
            cache: Mutex::new(Cache::new(CACHE_LEN_MAX)),
            under_way: Mutex::default(),
            places: Semaphore::new(PLACES),
        }
    }

    /// The answer, within ten seconds; that nobody knows is one too.
    pub async fn ask(&self, question: Question) -> Answer {
        let known = self.cache().get(&question, now());
        match known {
            Some(answer) => answer,
            None => {
                let waiting = Waiting::new(&self.under_way, question);
                // In a box: who only waits, or finds what is remembered, needs no room for it.
                let look_up = || Box::pin(self.look_up(&waiting.question));
                waiting.cell.get_or_init(look_up).await.clone()
            }
        }
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look_up(&self, question: &Question) -> Answer {
        let asking = async {
            let _place = self.places.acquire().await;
            self.follow(question).await
        };
        let found = within(QUESTION_WAIT, asking).await.unwrap_or(Err(Failure::Timeout));
        let (answer, ttl) = found.unwrap_or_else(|failure| {
            log::debug!("dns question={} kind={} failed={failure:?}", question.name, question.kind);
            let found = Found::Failed(failure);
            (Answer { found, authentic: false }, Duration::MAX)
        });
        self.cache().insert(question.clone(), answer.clone(), ttl, now());
        answer
    }

    /// Resolvers follow aliases themselves; where one leaves off, we go on.
    async fn follow(&self, question: &Question) -> Result<(Answer, Duration), Failure> {
        let (mut at, mut ttl, mut authentic) = (question.clone(), Duration::MAX, true);
        for _ in 0..=ALIASES_MAX {
            let told = self.ask_servers(&at).await?;
            ttl = ttl.min(told.ttl);
            authentic &= told.authentic;
            match told.outcome {
                Outcome::Found(found) => return Ok((Answer { found, authentic }, ttl)),
                Outcome::Alias(target) => at.name = target,
            }
        }
        Err(Failure::Malformed)
    }

    /// One server after another, and again those that were silent.
    async fn ask_servers(&self, question: &Question) -> Result<Told, Failure> {
        let mut servers = self.source.servers();
        let (mut failed, mut in_doubt) = (None, false);
        for wait in SERVER_WAITS {
            let mut silent = Vec::new();
            for server in servers {
                // What a believed server could not find out is for no other to say: whoever can make it fail would turn
                // signatures off (RFC 7672 §2.1.1).
                if in_doubt && !server.believed {
                    continue;
                }
                let unanswered = match exchange(server.address, question, wait).await {
                    Ok(told) => return Ok(believe(told, server)),
                    Err(unanswered) => unanswered,
                };
                match unanswered {
                    Unanswered::Silent => {
                        in_doubt |= server.believed;
                        silent.push(server);
                    }
                    Unanswered::Unreachable => {}
                    Unanswered::Failed(failure) => {
                        in_doubt |= server.believed && failure == Failure::Servfail;
                        failed = match failed {
                            Some(Failure::Servfail) => failed,
                            Some(_) | None => Some(failure),
                        };
                    }
                }
            }
            servers = silent;
        }
        Err(failed.unwrap_or(Failure::Timeout))
    }
}

/// RFC 4035 §4.9.3: the bit counts only from one who is trusted over a safe way.
fn believe(told: Told, server: Server) -> Told {
    Told { authentic: told.authentic && server.believed, ..told }
}

/// Someone who waits for an answer. Whoever came first asks; is it dropped, the next one does.
struct Waiting<'r> {
    under_way: &'r Mutex<UnderWay>,
    question: Question,
    cell: Arc<OnceCell<Answer>>,
}

impl<'r> Waiting<'r> {
    fn new(under_way: &'r Mutex<UnderWay>, question: Question) -> Self {
        let mut all = under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = all.get(&question).and_then(Weak::upgrade).unwrap_or_else(|| {
            let cell = Arc::default();
            all.insert(question.clone(), Arc::downgrade(&cell));
            cell
        });
        drop(all);
        Self { under_way, question, cell }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut all = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody comes or goes while the lock is held: this was the last one.
        if Arc::strong_count(&self.cell) == 1 {
            all.remove(&self.question);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::servers::{Server, Source};
    use super::Resolver;
    use crate::dns::{Cache, Failure, Found, Kind, Name, Question};
    use crate::net::Servers;
    use smol::future::{or, zip};
    use smol::net::UdpSocket;

    const NXDOMAIN: u8 = 3;

    /// Answers everything with this RCODE, or not at all.
    async fn serve<T>(socket: &UdpSocket, rcode: Option<u8>) -> T {
        let mut bytes = [0; 512];
        loop {
            let (len, peer) = socket.recv_from(&mut bytes).await.unwrap();
            if let Some(rcode) = rcode {
                (bytes[2], bytes[3]) = (0x81, 0x80 | rcode);
                socket.send_to(&bytes[..len], peer).await.unwrap();
            }
        }
    }

    /// A task may go from one thread to another while it asks.
    const fn sent<T: Send>(asking: T) -> T {
        asking
    }

    fn question() -> Question {
        Question { name: Name::parse("a.example").unwrap(), kind: Kind::A }
    }

    #[test]
    fn threads_share_a_question_and_leave_nothing_behind() {
        let socket = smol::block_on(UdpSocket::bind("127.0.0.1:0")).unwrap();
        let listed = vec![socket.local_addr().unwrap()];
        let resolver = Resolver::new(Servers { listed, ..Servers::default() });
        let (over, told) = smol::channel::bounded::<()>(1);
        std::thread::scope(|scope| {
            // The "no" is kept for a moment; that must not decide who asks.
            let ask = || {
                for _ in 0..200 {
                    let answer = smol::block_on(sent(resolver.ask(question())));
                    assert_eq!(answer.found, Found::NoName);
                    *resolver.cache() = Cache::new(super::CACHE_LEN_MAX);
                }
            };
            let asking: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            let until = async { told.recv().await.unwrap_or_default() };
            scope.spawn(|| smol::block_on(or(until, serve(&socket, Some(NXDOMAIN)))));
            for thread in asking {
                thread.join().unwrap();
            }
            drop(over);
        });
        assert!(resolver.under_way.lock().unwrap().is_empty());
    }

    #[test]
    fn what_a_believed_server_cannot_find_out_no_other_is_asked() {
        let failed = |failure| Found::Failed(failure);
        let asking = async |first: Option<u8>, order: [bool; 2]| {
            let sockets = zip(UdpSocket::bind("127.0.0.1:0"), UdpSocket::bind("127.0.0.1:0")).await;
            let (one, two) = (sockets.0.unwrap(), sockets.1.unwrap());
            let mut resolver = Resolver::new(Servers::default());
            let addresses = [&one, &two].map(|socket| socket.local_addr().unwrap());
            let servers = addresses.into_iter().zip(order);
            let servers = servers.map(|(address, believed)| Server { address, believed });
            resolver.source = Source::Listed(servers.collect());
            let others = or(serve(&one, first), serve(&two, Some(NXDOMAIN)));
            or(resolver.ask(question()), others).await.found
        };
        smol::block_on(async {
            let refused = asking(Some(5), [true, false]).await;
            assert_eq!(refused, Found::NoName, "it does not serve us");
            let servfail = asking(Some(2), [true, false]).await;
            assert_eq!(servfail, failed(Failure::Servfail));
            for order in [[false, false], [false, true], [true, true]] {
                assert_eq!(asking(Some(2), order).await, Found::NoName, "{order:?}");
            }
            let (alone, other) = zip(asking(None, [true, false]), asking(None, [true, true])).await;
            assert_eq!((alone, other), (failed(Failure::Timeout), Found::NoName));
        });
    }
}
