//! Visits to destinations: when there is something for one, its hosts are looked up and tried in order, and a session takes
//! what waits for it. So many at once, and so many to one destination.

use super::errand::Errands;
use super::fate::Finding;
use super::queue::Queue;
use super::way::{Smarthost, TlsStart, Way};
use crate::base::Machine;
use crate::dns::Name;
use crate::mail::Domain;
use crate::net::{self, Connector, DriveError, End, Resolver};
use crate::smtp::client::{Client, ClientProtocol, News, Setup, TlsUse, Waits};
use crate::smtp::{Enhanced, Families, Host, Route, draw, host, route};
use openssl::rand::rand_bytes;
use smol::LocalExecutor;
use smol::channel::{Receiver, Sender, bounded};
use smol::future::{self, FutureExt};
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Sessions at once, in all and to one destination.
const VISITS_MAX: usize = 50;
const VISITS_EACH_MAX: usize = 10;
/// Without anything due, the queue is looked at now and then all the same: clocks are set.
const LOOK_AGAIN: Duration = Duration::from_mins(10);

/// Brings the queue to its destinations.
#[derive(Debug)]
pub struct Relay {
    queue: Arc<Queue>,
    resolver: Resolver,
    connector: Connector,
    smarthost: Option<Smarthost>,
    tellers: Mutex<Vec<Sender<News>>>,
}

/// How a session with one address ended.
enum Ended {
    /// There is nothing more for this destination.
    Served,
    /// It came to nothing, or broke after so many messages.
    Broken(Finding, usize),
}

/// What came of the hosts of a destination.
enum Tried {
    /// There is nothing more for it.
    Served,
    /// One took something, and then the connection ended: it may have been kept too long.
    CutOff,
    /// None took anything: the last word, and whose it was.
    InVain(Finding, Option<String>),
}

impl Relay {
    /// For this queue; all leaves by the smarthost, if there is one.
    pub fn new(
        queue: Queue,
        resolver: Resolver,
        connector: Connector,
        smarthost: Option<Smarthost>,
    ) -> Self {
        Self { queue: Arc::new(queue), resolver, connector, smarthost, tellers: Mutex::default() }
    }

    /// What knows names.
    pub const fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// The queue.
    pub const fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Works for ever.
    pub async fn run(self: Arc<Self>, executor: Rc<LocalExecutor<'static>>) {
        loop {
            let now = net::now();
            let (ready, next) = {
                let mut agenda = self.queue.lock();
                let next = agenda.wake(now);
                (agenda.ready(), next)
            };
            for (domain, waiting) in ready {
                for _ in 0..self.admit(&domain, waiting) {
                    let relay = self.clone();
                    let domain = domain.clone();
                    executor.spawn(async move { relay.call_on(domain).await }).detach();
                }
            }
            let wait = next.map_or(LOOK_AGAIN, |next| next.since(now).min(LOOK_AGAIN));
            let timed = async {
                smol::Timer::after(wait).await;
            };
            let called = async {
                let _ = self.queue.woken.recv().await;
            };
            future::or(called, timed).await;
        }
    }

    /// Calls sessions that rest, and says how many more should begin.
    fn admit(&self, domain: &Domain, waiting: usize) -> usize {
        let mut visits = self.queue.visits();
        let all: usize = visits.values().map(|visits| visits.count).sum();
        let here = visits.entry(domain.clone()).or_default();
        let left = waiting - here.call(waiting);
        // One session takes several; a second comes when there is more than it should keep waiting.
        let wanted = left.div_ceil(4).min(VISITS_EACH_MAX).saturating_sub(here.count);
        let more = wanted.min(VISITS_MAX.saturating_sub(all));
        here.count += more;
        if more < wanted {
            // Those that rest elsewhere make room.
            visits.values_mut().for_each(|visits| visits.resting.clear());
        }
        more
    }

    /// One visit. A fault in it ends it alone; what it had taken is tried again at the next start.
    async fn call_on(&self, domain: Domain) {
        if AssertUnwindSafe(self.visit(&domain)).catch_unwind().await.is_err() {
            log::error!("domain={domain} a fault of ours ended this visit");
        }
        let mut visits = self.queue.visits();
        if let Some(here) = visits.get_mut(&domain) {
            here.count -= 1;
            if here.count == 0 {
                visits.remove(&domain);
            }
        }
        drop(visits);
        self.queue.wake_up();
    }

    async fn visit(&self, domain: &Domain) {
        if let Some((finding, host)) = self.try_all(domain).await {
            self.give_up_now(domain, &finding, host.as_deref()).await;
        }
    }

    /// Goes to the destination, again as long as it takes something; why nothing more could be handed on there, and which
    /// host was the last.
    async fn try_all(&self, domain: &Domain) -> Option<(Finding, Option<String>)> {
        loop {
            match self.try_hosts(domain).await {
                Tried::Served => return None,
                Tried::CutOff => {}
                Tried::InVain(finding, host) => return Some((finding, host)),
            }
        }
    }

    async fn try_hosts(&self, domain: &Domain) -> Tried {
        let hosts = match self.find(domain).await {
            Ok(hosts) => hosts,
            Err(finding) => return Tried::InVain(finding, None),
        };
        let none = Finding::later(Enhanced(4, 4, 4), "no host to go to");
        let mut last = Tried::InVain(none, None);
        for host in &hosts {
            for &address in &host.addresses {
                if self.queue.lock().waiting(domain) == 0 {
                    return Tried::Served;
                }
                let label = format!("{}[{address}]", host.name);
                match self.converse(domain, host, address, &label).await {
                    Ended::Served => return Tried::Served,
                    Ended::Broken(_, served) if served > 0 => return Tried::CutOff,
                    Ended::Broken(finding, _) => last = Tried::InVain(finding, Some(label)),
                }
            }
        }
        last
    }

    async fn find(&self, domain: &Domain) -> Result<Vec<Host>, Finding> {
        if self.smarthost.is_some() {
            let name = Name::parse(domain.as_str()).ok_or_else(|| malformed(domain))?;
            let rule = |known: &_| host(&name, Families::Four, known);
            return match self.resolver.decide(rule).await {
                Route::Hosts(hosts) => Ok(hosts),
                // A slip in the settings is no reason to give a message up.
                Route::NoMail(_) | Route::Later(_) => {
                    let said = format!("DNS does not say where the smarthost {domain} is");
                    Err(Finding::later(Enhanced(4, 4, 3), said))
                }
            };
        }
        if let Some(address) = literal(domain) {
            let name = Name::parse("literal").ok_or_else(|| malformed(domain))?;
            let addresses = vec![address];
            return Ok(vec![Host { preference: 0, name, addresses, authentic: false }]);
        }
        let name = Name::parse(domain.as_str()).ok_or_else(|| malformed(domain))?;
        let ours =
            Name::parse(self.queue.host.as_str()).ok_or_else(|| malformed(&self.queue.host))?;
        let rule = |known: &_| route(&name, &ours, Families::Four, known);
        match self.resolver.decide(rule).await {
            Route::Hosts(mut hosts) => {
                draw(&mut hosts, || {
                    let mut bytes = [0; 8];
                    // Without randomness the order is as it came.
                    rand_bytes(&mut bytes).map_or(0, |()| u64::from_le_bytes(bytes))
                });
                Ok(hosts)
            }
            Route::NoMail(why) => Err(Finding::no_mail(why, domain.as_str())),
            Route::Later(failure) => Err(Finding::later(
                Enhanced(4, 4, 3),
                format!("DNS does not say who takes mail for {domain} ({failure:?})"),
            )),
        }
    }

    /// A session with one address; once more without TLS where its handshake failed and nothing demands it.
    async fn converse(&self, domain: &Domain, host: &Host, address: IpAddr, label: &str) -> Ended {
        if let Some(smarthost) = &self.smarthost {
            let ended = self.session(domain, host, address, label, Way::by(smarthost)).await;
            return ended.unwrap_or_else(|error| broken(&error));
        }
        let way = Way::straight(TlsUse::IfOffered);
        match self.session(domain, host, address, label, way).await {
            Err(DriveError::Tls(error)) => {
                log::warn!("host={label} TLS failed ({error}), tried in clear");
                let way = Way::straight(TlsUse::Never);
                let again = self.session(domain, host, address, label, way).await;
                again.unwrap_or_else(|error| broken(&error))
            }
            ended => ended.unwrap_or_else(|error| broken(&error)),
        }
    }

    async fn session(
        &self,
        domain: &Domain,
        host: &Host,
        address: IpAddr,
        label: &str,
        way: Way,
    ) -> Result<Ended, DriveError> {
        let mut stream = match net::connect(SocketAddr::new(address, way.port)).await {
            Ok(stream) => stream,
            Err(error) => {
                let said = format!("no connection: {error}");
                return Ok(Ended::Broken(Finding::later(Enhanced(4, 4, 1), said), 0));
            }
        };
        let setup = Setup {
            host: self.queue.host.clone(),
            protocol: ClientProtocol::Smtp,
            tls: way.tls,
            login: way.login,
            waits: Waits::default(),
        };
        let news = self.enter();
        let mut errands = Errands::new(&self.queue, domain, label, way.proof);
        let end = End::Client(&self.connector, host.name.as_str());
        let mut client = Client::new(setup);
        if way.start == TlsStart::AtOnce {
            let (secured, facts) = net::secure(stream, end).await?;
            stream = secured;
            client.secured(facts);
        }
        let answer = async |ask| errands.answer(ask).await;
        let driven = net::drive(client, stream, end, &news, answer).await;
        if let Err(error) = &driven {
            errands.broke(&error.to_string()).await;
        }
        let served = errands.served;
        match (errands.failure, driven) {
            (Some(failure), _) => Ok(Ended::Broken(Finding::failure(&failure), served)),
            (None, Ok(())) => Ok(Ended::Served),
            (None, Err(error)) if served == 0 => Err(error),
            (None, Err(error)) => {
                Ok(Ended::Broken(Finding::later(Enhanced(4, 4, 2), error.to_string()), served))
            }
        }
    }

    /// All that waits for a destination was tried in vain, unless another session is at work there.
    async fn give_up_now(&self, domain: &Domain, finding: &Finding, host: Option<&str>) {
        if self.queue.visits().get(domain).is_some_and(|here| here.count > 1) {
            return;
        }
        let waiting = self.queue.lock().waiting(domain);
        for _ in 0..waiting {
            let taken = self.queue.lock().take(domain, usize::MAX);
            let Some((errand, queued)) = taken else { return };
            let findings = vec![finding.clone(); errand.places.len()];
            self.queue.settle(errand, queued, findings, host).await;
        }
    }

    /// A session begins: what it is told.
    fn enter(&self) -> Receiver<News> {
        let (teller, news) = bounded(1);
        let mut tellers = self.tellers.lock().unwrap_or_else(PoisonError::into_inner);
        tellers.retain(|teller| !teller.is_closed());
        tellers.push(teller);
        news
    }

    /// Tells all sessions that we stop, and waits for them, at most so long.
    pub async fn stop(&self, most: Duration) {
        let tellers =
            std::mem::take(&mut *self.tellers.lock().unwrap_or_else(PoisonError::into_inner));
        for teller in &tellers {
            let _ = teller.try_send(News::Shutdown);
        }
        let limit = net::now() + most;
        while tellers.iter().any(|teller| !teller.is_closed()) && net::now() < limit {
            smol::Timer::after(Duration::from_millis(10)).await;
        }
    }
}

fn broken(error: &DriveError) -> Ended {
    Ended::Broken(Finding::later(Enhanced(4, 4, 2), error.to_string()), 0)
}

fn malformed(domain: &Domain) -> Finding {
    Finding::never(Enhanced(5, 1, 2), format!("{domain} is no name that DNS can have"))
}

/// `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
fn literal(domain: &Domain) -> Option<IpAddr> {
    let text = domain.as_str().strip_prefix('[')?.strip_suffix(']')?;
    text.strip_prefix("ipv6:").unwrap_or(text).parse().ok()
}
