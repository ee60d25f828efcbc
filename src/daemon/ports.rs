//! The running box: ports, sessions, and the order in which all stops.

use super::chores::{
    back_up_daily, clear_removed_daily, keep_keys_hourly, show_life, tell_systemd,
};
use super::control::{Admin, Control};
use super::inherited::inherited;
use super::port::Port;
use super::running::{Listener, Running, StartError, bind, take_over};
use super::sessions::Sessions;
use crate::base::{ClearText, Machine, Quoted, StartTls};
use crate::config::Endpoint;
use crate::imap;
use crate::mail::Domain;
use crate::net::{self, Acceptor, Admission, Crowd, DriveError, End, Stream, Trust};
use crate::pop3;
use crate::registry::Registry;
use crate::service::{Access, Collect, Logins, Outbox, Receive, Relay, Signing};
use crate::smtp::{self, Limits, Role, Server, Setup};
use crate::store::Store;
use async_signal::{Signal, Signals};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use smol::LocalExecutor;
use smol::future::{self, FutureExt};
use smol::io::{AsyncWrite, AsyncWriteExt};
use smol::net::TcpStream;
use smol::net::unix::UnixStream;
use smol::stream::StreamExt;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What to run.
#[derive(Debug)]
pub struct Plan {
    /// Our name in greetings and trace fields.
    pub host: Domain,
    /// Whether passwords may cross without TLS: `try` on loopback only.
    pub clear_text: ClearText,
    /// The certificate.
    pub tls: Acceptor,
    /// The socket for the commands.
    pub control: Control,
    /// Addresses that may do what others may not.
    pub trust: Trust,
    /// What brings mail to other servers; `None`: nothing leaves this machine.
    pub relay: Option<Arc<Relay>>,
}

/// Most connections in all and from one address. A household of phones, each with a connection a folder, is one address.
const CONNECTIONS_MAX: usize = 1000;
const CONNECTIONS_EACH_MAX: usize = 200;
/// How long sessions may take to finish what is being written when the server stops.
const STOP_WAIT: Duration = Duration::from_secs(2);
const FILES_MAX: u64 = 16 * 1024;

/// Binds every port or none, but for those that systemd passed on in place of what was wanted, serves until SIGINT or SIGTERM, then stops in order. `ready` is called when every port
/// takes connections. Blocks.
pub fn serve(
    plan: Plan,
    wanted: &[(Port, Endpoint)],
    store: Arc<Store>,
    registry: Arc<Registry>,
    ready: impl FnOnce(&[Running]),
) -> Result<(), StartError> {
    raise_file_limit();
    let executor = Rc::new(LocalExecutor::new());
    smol::block_on(executor.run(async {
        let mut ports = Vec::with_capacity(wanted.len());
        for (port, socket) in inherited().map_err(StartError::Inherited)? {
            ports.push(take_over(port, socket)?);
        }
        let passed_on: Vec<Port> = ports.iter().map(|running| running.port).collect();
        for (port, place) in wanted.iter().filter(|(port, _)| !passed_on.contains(port)) {
            ports.push(bind(*port, place).await?);
        }
        run(&executor, plan, ports, store, registry, ready).await
    }))
}

/// A session holds a connection and, while it reads messages, some of their files open: the usual 1,024 are too few for
/// a household that does so at once.
fn raise_file_limit() {
    let now = getrlimit(Resource::Nofile);
    let wanted = now.maximum.map_or(FILES_MAX, |most| most.min(FILES_MAX));
    if now.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), ..now };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            log::warn!("the limit of open files stays at {:?}: {error}", now.current);
        }
    }
}

/// What every session is made of.
struct House {
    plan: Plan,
    submission_port: u16,
    store: Arc<Store>,
    registry: Arc<Registry>,
    logins: Arc<Logins>,
    signing: Arc<Signing>,
    smtp: Arc<Sessions<smtp::News>>,
    imap: Arc<Sessions<imap::News>>,
    pop3: Arc<Sessions<pop3::News>>,
}

impl House {
    fn outbox(&self) -> Option<Outbox> {
        let signing = self.signing.clone();
        let relay = self.plan.relay.as_ref();
        relay.map(|relay| Outbox { queue: relay.queue().clone(), signing })
    }
}

/// See `serve`.
async fn run(
    executor: &Rc<LocalExecutor<'static>>,
    plan: Plan,
    ports: Vec<Running>,
    store: Arc<Store>,
    registry: Arc<Registry>,
    ready: impl FnOnce(&[Running]),
) -> Result<(), StartError> {
    let mut signals = Signals::new([Signal::Int, Signal::Term]).map_err(StartError::Signals)?;
    let submission = ports.iter().find(|running| running.port == Port::Submissions);
    let submission_port = submission.and_then(|running| running.address.port()).unwrap_or(465);
    let (smtp, imap, pop3) = (Sessions::new(), Sessions::new(), Sessions::new());
    let people = registry.people().unwrap_or_else(|error| {
        log::error!("quotas are not known: {error}");
        Vec::new()
    });
    for person in people {
        let account = store.account(person.account);
        account.set_quota(person.quota);
        account.set_message_quota(person.message_quota);
    }
    let logins = Arc::new(Logins::new(store.clone(), registry.clone()));
    let signing = Arc::new(signing(&plan, &registry));
    let house = Arc::new(House {
        plan,
        submission_port,
        store: store.clone(),
        registry,
        logins,
        signing,
        smtp,
        imap,
        pop3,
    });
    let admin = Arc::new(admin(&house, &ports));
    let talks = Sessions::new();
    let crowd = Crowd::new(CONNECTIONS_MAX, CONNECTIONS_EACH_MAX);
    ready(&ports);
    tell_systemd(NotifyState::Ready);
    let mut listening = Vec::new();
    {
        let (house, inner, talks) = (house.clone(), executor.clone(), talks.clone());
        listening.push(executor.spawn(async move {
            house.plan.control.serve(&inner, &talks, admin).await;
        }));
    }
    if let Some(limit) = sd_notify::watchdog_enabled() {
        listening.push(executor.spawn(show_life(limit / 2)));
    }
    listening.push(executor.spawn(back_up_daily(house.registry.clone())));
    listening.push(executor.spawn(clear_removed_daily(house.store.clone())));
    if let Some(relay) = house.plan.relay.clone() {
        listening.push(executor.spawn(relay.run(executor.clone())));
    }
    listening
        .push(executor.spawn(keep_keys_hourly(house.signing.clone(), house.plan.relay.clone())));
    for Running { port, listener, .. } in ports {
        let (house, crowd, inner) = (house.clone(), crowd.clone(), executor.clone());
        listening.push(executor.spawn(async move {
            match &listener {
                Listener::Tcp(listener) => {
                    let taken = |stream, peer| {
                        inner
                            .spawn(session(house.clone(), crowd.clone(), port, stream, peer))
                            .detach();
                    };
                    net::listen(listener, taken).await;
                }
                Listener::Unix(listener, _file) => {
                    let taken = |stream| {
                        let session = local_session(house.clone(), crowd.clone(), port, stream);
                        inner.spawn(session).detach();
                    };
                    net::listen_locally(listener, taken).await;
                }
            }
        }));
    }
    let signal = signals.next().await;
    log::info!("stopping signal={signal:?}");
    tell_systemd(NotifyState::Stopping);
    for task in listening {
        task.cancel().await;
    }
    let told = future::zip(
        house.smtp.tell_and_wait(smtp::News::Shutdown, STOP_WAIT),
        house.imap.tell_and_wait(imap::News::Shutdown, STOP_WAIT),
    );
    let others = future::zip(
        house.pop3.tell_and_wait(pop3::News::Shutdown, STOP_WAIT),
        talks.tell_and_wait((), STOP_WAIT),
    );
    let leaving = async {
        if let Some(relay) = &house.plan.relay {
            relay.stop(STOP_WAIT).await;
        }
    };
    let (((smtp, imap), (pop3, _)), ()) = future::zip(future::zip(told, others), leaving).await;
    let left = smtp + imap + pop3;
    if left > 0 {
        log::warn!(
            "sessions={left} cut off: they did not end in time; nothing acknowledged is lost"
        );
    }
    smol::unblock(move || store.close()).await;
    Ok(())
}

/// The keys of all domains, and of the host, which sends reports.
fn signing(plan: &Plan, registry: &Registry) -> Signing {
    let facts = &plan.control.facts;
    let added = registry.domains().unwrap_or_else(|error| {
        log::error!("domains that were added are not known: {error}");
        Vec::new()
    });
    let added = added.iter().filter_map(|row| Domain::parse(&row.domain));
    let settled = facts.domains.iter().chain([&plan.host]).cloned();
    Signing::open(&facts.data, settled.chain(added))
}

/// What the commands are answered from.
fn admin(house: &House, ports: &[Running]) -> Admin {
    let all = || (house.smtp.clone(), house.imap.clone(), house.pop3.clone());
    let (smtp, imap, pop3) = all();
    let end_sessions = move |account| {
        smtp.tell_account(account, smtp::News::Shutdown);
        imap.tell_account(account, imap::News::Shutdown);
        pop3.tell_account(account, pop3::News::Shutdown);
    };
    let (smtp, imap, pop3) = all();
    Admin {
        facts: house.plan.control.facts.clone(),
        host: house.plan.host.clone(),
        started: net::now().seconds(),
        ports: ports
            .iter()
            .map(|running| (running.port.name(), running.address.to_string()))
            .collect(),
        registry: house.registry.clone(),
        store: house.store.clone(),
        signing: house.signing.clone(),
        queue: house.plan.relay.as_ref().map(|relay| relay.queue().clone()),
        end_sessions: Box::new(end_sessions),
        count_sessions: Box::new(move || smtp.count() + imap.count() + pop3.count()),
    }
}

/// One connection from its first byte to its last. A fault in it ends it alone.
async fn session(
    house: Arc<House>,
    crowd: Arc<Crowd>,
    port: Port,
    mut stream: TcpStream,
    peer: IpAddr,
) {
    let Some((peer, admission)) = told_peer(&house, &crowd, port, &mut stream, peer).await else {
        return;
    };
    let Some(_admission) = admission else {
        log::info!("port={} peer={peer} refused=\"too many connections\"", port.name());
        refuse(stream, too_many(port)).await;
        return;
    };
    if port == Port::Lmtp && !house.plan.trust.hands_on(peer) {
        log::info!("port=lmtp peer={peer} refused=\"not trusted with it\"");
        refuse(stream, b"554 5.7.1 Only servers that are listed hand on mail here\r\n").await;
        return;
    }
    hold(&house, port, Stream::Clear(stream), peer).await;
}

/// One connection to a Unix socket: who may open that is trusted, and counts as this machine.
async fn local_session(house: Arc<House>, crowd: Arc<Crowd>, port: Port, stream: UnixStream) {
    let peer = IpAddr::from(Ipv4Addr::LOCALHOST);
    let Some(_admission) = crowd.admit(peer) else {
        log::info!("port={} peer=local refused=\"too many connections\"", port.name());
        refuse(stream, too_many(port)).await;
        return;
    };
    hold(&house, port, Stream::Local(stream), peer).await;
}

async fn hold(house: &House, port: Port, stream: Stream, peer: IpAddr) {
    let driven = AssertUnwindSafe(converse(house, port, stream, peer)).catch_unwind().await;
    match driven {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let text = error.to_string();
            log::info!("port={} peer={peer} ended={}", port.name(), Quoted(text.as_bytes()));
        }
        Err(_) => {
            log::error!("port={} peer={peer} a fault of ours ended this session", port.name());
        }
    }
}

/// Whose connection it is, and its place. A proxy's is that of whoever stands behind it; `None` if that is not said.
async fn told_peer(
    house: &House,
    crowd: &Arc<Crowd>,
    port: Port,
    stream: &mut TcpStream,
    peer: IpAddr,
) -> Option<(IpAddr, Option<Admission>)> {
    if !port.takes_proxies() || !house.plan.trust.is_proxy(peer) {
        return Some((peer, crowd.admit(peer)));
    }
    let Some(waiting) = crowd.admit_proxy(peer) else { return Some((peer, None)) };
    match net::behind(stream).await {
        Ok(Some(told)) => {
            drop(waiting);
            Some((told, crowd.admit(told)))
        }
        Ok(None) => Some((peer, Some(waiting))),
        Err(error) => {
            let text = error.to_string();
            log::warn!("port={} proxy={peer} ended={}", port.name(), Quoted(text.as_bytes()));
            None
        }
    }
}

const fn too_many(port: Port) -> &'static [u8] {
    match port {
        Port::Smtp | Port::Submission | Port::Lmtp => {
            b"421 4.7.0 Too many connections from you or in all; try again in a few minutes\r\n"
        }
        Port::Imap => {
            b"* BYE Too many connections from you or in all; try again in a few minutes\r\n"
        }
        Port::Pop3 => {
            b"-ERR [SYS/TEMP] Too many connections from you or in all; try again in a few minutes\r\n"
        }
        // In TLS nothing can be said before the handshake.
        Port::Submissions | Port::Imaps | Port::Pop3s => b"",
    }
}

async fn refuse(mut stream: impl AsyncWrite + Unpin, text: &'static [u8]) {
    let said = async { stream.write_all(text).await };
    let limit = async {
        smol::Timer::after(Duration::from_secs(1)).await;
        Ok(())
    };
    if let Err(error) = said.or(limit).await {
        log::debug!("refusal not sent: {error}");
    }
}

async fn converse(
    house: &House,
    port: Port,
    stream: Stream,
    peer: IpAddr,
) -> Result<(), DriveError> {
    let start_tls = match &stream {
        Stream::Clear(_) if !port.is_secure() => StartTls::Offered,
        Stream::Clear(_) | Stream::Local(_) | Stream::Tls(_) => StartTls::Absent,
    };
    let role = match port {
        Port::Smtp => Role::Relay { submission_port: house.submission_port },
        Port::Submission | Port::Submissions => Role::Submission(house.plan.clear_text),
        Port::Lmtp => Role::Lmtp,
        Port::Imap | Port::Imaps => return read_mail(house, port, peer, start_tls, stream).await,
        Port::Pop3 | Port::Pop3s => return collect(house, port, peer, start_tls, stream).await,
    };
    let place = house.smtp.enter();
    let host = house.plan.host.clone();
    let setup = Setup { host, peer, role, start_tls, limits: Limits::default() };
    let (machine, stream) = greet(house, port, Server::new(setup), stream).await?;
    let mut receive = Receive::new(
        house.store.clone(),
        house.registry.clone(),
        house.plan.host.clone(),
        house.logins.clone(),
        house.outbox(),
        peer,
    );
    let answer = async |ask| {
        let mark = place.mark();
        let answer = receive.answer(ask).await;
        if let smtp::Answer::LoggedIn(login) = &answer {
            place.belongs_to(login.account, mark, smtp::News::Shutdown);
        }
        answer
    };
    net::drive(machine, stream, End::Server(&house.plan.tls), &place.news, answer).await
}

async fn read_mail(
    house: &House,
    port: Port,
    peer: IpAddr,
    start_tls: StartTls,
    stream: Stream,
) -> Result<(), DriveError> {
    let place = house.imap.enter();
    let setup = imap::Setup {
        host: house.plan.host.clone(),
        number: place.number,
        start_tls,
        clear_text: house.plan.clear_text,
        limits: imap::Limits::default(),
    };
    let (machine, stream) = greet(house, port, imap::Server::new(setup), stream).await?;
    let mut access =
        Access::new(house.store.clone(), house.logins.clone(), peer, place.teller.clone());
    let answer = async |ask| {
        let mark = place.mark();
        let answer = access.answer(ask).await;
        if let imap::Answer::LoggedIn(account) = &answer {
            place.belongs_to(account.id(), mark, imap::News::Shutdown);
        }
        answer
    };
    net::drive(machine, stream, End::Server(&house.plan.tls), &place.news, answer).await
}

async fn collect(
    house: &House,
    port: Port,
    peer: IpAddr,
    start_tls: StartTls,
    stream: Stream,
) -> Result<(), DriveError> {
    let place = house.pop3.enter();
    let setup = pop3::Setup {
        host: house.plan.host.clone(),
        number: place.number,
        start_tls,
        clear_text: house.plan.clear_text,
        limits: pop3::Limits::default(),
    };
    let (machine, stream) = greet(house, port, pop3::Server::new(setup), stream).await?;
    let collect = Collect::new(house.store.clone(), house.logins.clone(), peer);
    let answer = async |ask| {
        let mark = place.mark();
        let answer = collect.answer(ask).await;
        if let pop3::Answer::Opened(maildrop) = &answer {
            place.belongs_to(maildrop.account(), mark, pop3::News::Shutdown);
        }
        answer
    };
    net::drive(machine, stream, End::Server(&house.plan.tls), &place.news, answer).await
}

/// The handshake, where it comes first.
async fn greet<M: Machine>(
    house: &House,
    port: Port,
    mut machine: M,
    stream: Stream,
) -> Result<(M, Stream), DriveError> {
    if !port.is_secure() {
        return Ok((machine, stream));
    }
    let (stream, facts) = net::secure(stream, End::Server(&house.plan.tls)).await?;
    machine.secured(facts);
    Ok((machine, stream))
}
