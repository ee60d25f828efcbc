//! One connection from its first byte to its last: whose it is, whether there is room for it, which protocol it speaks.

use super::house::House;
use super::port::Port;
use crate::base::{Machine, Quoted, StartTls};
use crate::imap;
use crate::net::{self, Admission, Crowd, DriveError, End, Stream};
use crate::pop3;
use crate::service::{Access, Collect, Local, Receive};
use crate::smtp::{self, Enhanced, Limits, Reply, Role, Server, Setup};
use rustix::net::sockopt::socket_peercred;
use smol::future::FutureExt;
use smol::io::{AsyncWrite, AsyncWriteExt};
use smol::net::TcpStream;
use smol::net::unix::UnixStream;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// One connection from its first byte to its last. A fault in it ends it alone.
pub async fn session(
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
    hold(&house, port, Stream::Clear(stream), peer, None).await;
}

/// One connection to a Unix socket: who may open that is trusted, and counts as this machine.
pub async fn local_session(house: Arc<House>, crowd: Arc<Crowd>, port: Port, stream: UnixStream) {
    let peer = IpAddr::from(Ipv4Addr::LOCALHOST);
    let Some(_admission) = crowd.admit(peer) else {
        log::info!("port={} peer=local refused=\"too many connections\"", port.name());
        refuse(stream, too_many(port)).await;
        return;
    };
    if port != Port::Submit {
        return hold(&house, port, Stream::Local(stream), peer, None).await;
    }
    match local(&house, &stream).await {
        Ok(local) => hold(&house, port, Stream::Local(stream), peer, Some(local)).await,
        Err(reply) => {
            let mut text = Vec::new();
            reply.write(&mut text);
            refuse(stream, &text).await;
        }
    }
}

/// Whose program has connected.
async fn local(house: &House, stream: &UnixStream) -> Result<Local, Reply> {
    let unknown = || Reply::new(421, Enhanced(4, 3, 0), "The kernel does not say who you are");
    let peer = socket_peercred(stream).map_err(|_| unknown())?;
    let domain = house.plan.control.facts.domains.first().unwrap_or(&house.plan.host);
    let uid = peer.uid.as_raw();
    let rate = house.local_rate.clone();
    let local = Local::connected(uid, domain, &house.store, &house.registry, rate).await?;
    log::info!("port=submit uid={uid} login={}", local.login().name);
    Ok(local)
}

async fn hold(house: &House, port: Port, stream: Stream, peer: IpAddr, local: Option<Local>) {
    let driven = AssertUnwindSafe(converse(house, port, stream, peer, local)).catch_unwind().await;
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
        Port::Smtp | Port::Submission | Port::Lmtp | Port::Submit => {
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

async fn refuse(mut stream: impl AsyncWrite + Unpin, text: &[u8]) {
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
    local: Option<Local>,
) -> Result<(), DriveError> {
    let start_tls = match &stream {
        Stream::Clear(_) if !port.is_secure() => StartTls::Offered,
        Stream::Clear(_) | Stream::Local(_) | Stream::Tls(_) => StartTls::Absent,
    };
    let role = match port {
        Port::Smtp => Role::Relay { submission_port: house.submission_port },
        Port::Submission | Port::Submissions => Role::Submission(house.plan.clear_text),
        Port::Lmtp => Role::Lmtp,
        Port::Submit => Role::Local,
        Port::Imap | Port::Imaps => return read_mail(house, port, peer, start_tls, stream).await,
        Port::Pop3 | Port::Pop3s => return collect(house, port, peer, start_tls, stream).await,
    };
    let place = house.smtp.enter();
    let host = house.plan.host.clone();
    let login = local.as_ref().map(|local| local.login().clone());
    let setup = Setup { host, peer, role, start_tls, login, limits: Limits::default() };
    let (machine, stream) = greet(house, port, Server::new(setup), stream).await?;
    let mut receive = Receive::new(
        house.store.clone(),
        house.registry.clone(),
        house.plan.host.clone(),
        house.logins.clone(),
        house.outbox(),
        peer,
    );
    if let Some(local) = local {
        receive = receive.on_behalf_of(local);
    }
    let answer = async |ask| {
        let mark = place.mark();
        let answer = receive.answer(ask).await;
        if let smtp::Answer::LoggedIn(login) = &answer
            && let Some(account) = login.account
        {
            place.belongs_to(account, mark, smtp::News::Shutdown);
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
