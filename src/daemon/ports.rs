//! The running box: ports, sessions, and the order in which all stops.

use super::chores::{chores, tell_systemd};
use super::connection::{local_session, session};
use super::control::Admin;
use super::house::{House, Plan};
use super::inherited::inherited;
use super::port::Port;
use super::running::{Listener, Running, StartError, bind, take_over};
use super::sessions::Sessions;
use crate::base::Endpoint;
use crate::imap;
use crate::net::{self, Crowd};
use crate::pop3;
use crate::registry::Registry;
use crate::service::{Allowance, Asking, Logins};
use crate::smtp;
use crate::store::Store;
use async_signal::{Signal, Signals};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use smol::LocalExecutor;
use smol::future;
use smol::stream::StreamExt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

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
    set_quotas(&store, &registry);
    let logins = Arc::new(Logins::new(store.clone(), registry.clone()));
    let allowance = Arc::new(Allowance::new(plan.recipients_a_day));
    let relay = plan.relay.as_ref();
    let asking = relay.map(|relay| Arc::new(Asking::new(relay.connector(), &plan.host)));
    let house = Arc::new(House {
        plan,
        submission_port,
        store: store.clone(),
        registry,
        logins,
        asking,
        allowance,
        local_rate: Arc::default(),
        smtp,
        imap,
        pop3,
    });
    let admin = Arc::new(admin(&house, &ports));
    let talks = Sessions::new();
    let crowd = Crowd::new(CONNECTIONS_MAX, CONNECTIONS_EACH_MAX);
    ready(&ports);
    tell_systemd(NotifyState::Ready);
    let mut listening = chores(&house, executor);
    {
        let (house, inner, talks) = (house.clone(), executor.clone(), talks.clone());
        listening.push(executor.spawn(async move {
            house.plan.control.serve(&inner, &talks, admin).await;
        }));
    }
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
            let tallies = relay.tallies().clone();
            if let Err(error) = smol::unblock(move || tallies.keep()).await {
                log::error!("what happened with TLS today is not kept: {error}");
            }
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

/// How much mail each may have.
fn set_quotas(store: &Store, registry: &Registry) {
    let people = registry.people().unwrap_or_else(|error| {
        log::error!("quotas are not known: {error}");
        Vec::new()
    });
    for person in people {
        let account = store.account(person.account);
        account.set_quota(person.quota);
        account.set_message_quota(person.message_quota);
    }
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
        signing: house.plan.signing.clone(),
        queue: house.plan.relay.as_ref().map(|relay| relay.queue().clone()),
        end_sessions: Box::new(end_sessions),
        count_sessions: Box::new(move || smtp.count() + imap.count() + pop3.count()),
    }
}
