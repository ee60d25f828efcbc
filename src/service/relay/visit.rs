//! Visits to destinations: when there is something for one, its hosts are looked up and tried in order, and a session takes
//! what waits for it. So many at once, and so many to one destination.

use super::destination::{Destination, Hears, To};
use super::fate::{Finding, Kind};
use super::port_25::Reached;
use super::session::Ended;
use super::shared::Relay;
use super::visits::{InVain, Visits};
use crate::net;
use crate::smtp::Enhanced;
use smol::LocalExecutor;
use smol::future::{self, FutureExt};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Sessions at once, in all and to one destination.
const VISITS_MAX: usize = 50;
const VISITS_EACH_MAX: usize = 10;
/// Of the first, those for what nobody waits for.
const VISITS_NOBODY_MAX: usize = 10;
/// Servers of a destination that are tried in one visit, and how long a visit lasts that brings nothing.
const HOSTS_EACH_MAX: usize = 8;
const VAIN_WAIT: Duration = Duration::from_mins(15);
/// Without anything due, the queue is looked at now and then all the same: clocks are set.
const LOOK_AGAIN: Duration = Duration::from_mins(10);

/// Is a visit that has ended still counted among those that are there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    Yes,
    NoLonger,
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
    /// Works for ever.
    pub async fn run(self: Arc<Self>, executor: Rc<LocalExecutor<'static>>) {
        loop {
            let now = net::now();
            let due = self.queue.lock().due(now);
            if !due.is_empty() {
                let straight = self.port_25().straight(now);
                self.queue.route(due, self.smarthost.clone(), straight).await;
            }
            let (ready, next) = {
                let agenda = self.queue.lock();
                (agenda.ready(), agenda.next())
            };
            for (destination, waiting) in ready {
                for _ in 0..self.admit(&destination, waiting) {
                    let relay = self.clone();
                    let destination = destination.clone();
                    executor.spawn(async move { relay.call_on(destination).await }).detach();
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

    /// Calls sessions that rest, and says how many more should begin. Mailboxes here and servers of ours do not wait for
    /// those of others; and what nobody waits for leaves room for what somebody does.
    fn admit(&self, destination: &Destination, waiting: usize) -> usize {
        let mut visits = self.queue.visits();
        let here = visits.get_mut(destination);
        let (count, called, room) = match here {
            Some(here) => (here.count, here.call(waiting), here.room(VISITS_EACH_MAX)),
            None => (0, 0, VISITS_EACH_MAX),
        };
        let left = waiting - called;
        // One session takes several; a second comes when there is more than it should keep waiting.
        let most = if destination.to == To::Here { 1 } else { VISITS_EACH_MAX };
        let wanted = left.div_ceil(4).min(most).saturating_sub(count).min(room);
        if wanted == 0 {
            return 0;
        }
        let crowd = |hears: Option<Hears>| {
            let others = visits.iter().filter(|(other, _)| matches!(other.to, To::Domain(_)));
            let others = others.filter(|(other, _)| hears.is_none_or(|hears| other.hears == hears));
            others.map(|(_, visits)| visits.count).sum::<usize>()
        };
        let more = match (&destination.to, destination.hears) {
            (To::Here | To::Behind(_) | To::Smarthost, _) => wanted,
            (To::Domain(_), Hears::Sender) => wanted.min(VISITS_MAX.saturating_sub(crowd(None))),
            (To::Domain(_), Hears::Nobody) => {
                let all = VISITS_MAX.saturating_sub(crowd(None));
                wanted.min(all).min(VISITS_NOBODY_MAX.saturating_sub(crowd(Some(Hears::Nobody))))
            }
        };
        if more < wanted {
            // Those that rest elsewhere make room.
            visits.values_mut().for_each(|visits| visits.resting.clear());
        }
        if more > 0 {
            visits.entry(destination.clone()).or_default().count += more;
        }
        more
    }

    /// One visit. A fault in it ends it alone.
    async fn call_on(&self, destination: Destination) {
        let counted = AssertUnwindSafe(self.visit(&destination)).catch_unwind().await;
        let counted = counted.unwrap_or_else(|_| {
            log::error!("to={destination} a fault of ours ended this visit");
            Counted::Yes
        });
        if counted == Counted::Yes {
            let mut visits = self.queue.visits();
            if let Some(here) = visits.get_mut(&destination) {
                here.count -= 1;
                if here.count == 0 {
                    visits.remove(&destination);
                }
            }
        }
        self.queue.wake_up();
    }

    async fn visit(&self, destination: &Destination) -> Counted {
        if destination.to == To::Here {
            self.queue.deliver_here(destination).await;
            return Counted::Yes;
        }
        let Some((finding, host)) = self.try_all(destination).await else { return Counted::Yes };
        let in_vain = self.queue.visits().get_mut(destination).map(Visits::came_in_vain);
        if in_vain == Some(InVain::OthersGoOn) {
            return Counted::NoLonger;
        }
        self.give_up_now(destination, &finding, host.as_deref()).await;
        Counted::Yes
    }

    /// Goes to the destination, again as long as it takes something; why nothing more could be handed on there, and which
    /// host was the last.
    async fn try_all(&self, destination: &Destination) -> Option<(Finding, Option<String>)> {
        loop {
            match self.try_hosts(destination).await {
                Tried::Served => return None,
                Tried::CutOff => {}
                Tried::InVain(finding, host) => return Some((finding, host)),
            }
        }
    }

    async fn try_hosts(&self, destination: &Destination) -> Tried {
        let plan = match self.plan(destination).await {
            Ok(plan) => plan,
            Err(finding) => return Tried::InVain(finding, None),
        };
        let (mut last, mut reached) = (None, false);
        let until = net::now() + VAIN_WAIT;
        for (label, way) in plan.into_iter().take(HOSTS_EACH_MAX) {
            if self.queue.lock().waiting(destination) == 0 {
                return Tried::Served;
            }
            if last.is_some() && net::now() > until {
                break;
            }
            let (finding, was_reached) = match way {
                Err(finding) => (finding, true),
                Ok(way) => match self.converse(destination, *way, &label).await {
                    Ended::Served => {
                        self.worked(destination).await;
                        return Tried::Served;
                    }
                    Ended::Broken(_, served) if served > 0 => {
                        self.worked(destination).await;
                        return Tried::CutOff;
                    }
                    Ended::Broken(finding, _) => (finding, true),
                    Ended::Unreachable(finding) => (finding, false),
                },
            };
            reached |= was_reached;
            // What may still change goes before what will not.
            let milder = finding.kind != Kind::Never;
            if milder
                || last.as_ref().is_none_or(|(last, _): &(Finding, _)| last.kind == Kind::Never)
            {
                last = Some((finding, Some(label)));
            }
        }
        let none = || (Finding::later(Enhanced(4, 4, 4), "no host to go to"), None);
        let (finding, host) = last.unwrap_or_else(none);
        let reached = if reached { Reached::Yes } else { Reached::No };
        self.failed(destination, reached, &finding.said).await;
        Tried::InVain(finding, host)
    }

    /// All that waits for a destination was tried in vain, and no other session is at work there.
    async fn give_up_now(&self, destination: &Destination, finding: &Finding, host: Option<&str>) {
        let waiting = self.queue.lock().waiting(destination);
        for _ in 0..waiting {
            let taken = self.queue.lock().take(destination, usize::MAX);
            let Some((errand, queued)) = taken else { return };
            let findings = vec![finding.clone(); errand.places.len()];
            self.queue.settle(errand, queued, findings, host).await;
        }
    }
}
