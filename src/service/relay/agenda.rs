//! The queue in memory: what is due when, what waits for a session with its destination, and what is being tried. Told
//! the time; knows no disk and no network.

use super::destination::{Destination, Hears};
use super::fate::{LAST_WAIT, next_try};
use crate::base::Timestamp;
use crate::mail::{Address, TlsDemand};
use crate::spool::{Hold, MessageId, Queued, State, Try};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// All of it.
#[derive(Debug, Default)]
pub struct Agenda {
    messages: BTreeMap<MessageId, Entry>,
    due: BTreeSet<(Timestamp, MessageId)>,
    ready: HashMap<Destination, VecDeque<Errand>>,
}

#[derive(Debug)]
struct Entry {
    queued: Queued,
    /// When it is in `due`.
    next: Option<Timestamp>,
    /// Errands that are ready or under way.
    errands: usize,
}

/// One message for recipients of one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    /// Which message.
    pub id: MessageId,
    /// Places in its list of recipients.
    pub places: Vec<usize>,
}

/// A message that is due; where it goes is to be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Which message.
    pub id: MessageId,
    /// Who hears if it fails.
    pub hears: Hears,
    /// How it must cross.
    pub tls: TlsDemand,
    /// The recipients that are due: their places, addresses, and how often each was tried.
    pub recipients: Vec<(usize, Address, u32)>,
}

/// A message as it is listed.
#[derive(Debug, Clone)]
pub struct Listed {
    /// All that is known of it.
    pub queued: Queued,
    /// When it is tried next; `None`: it is being tried, or held.
    pub next: Option<Timestamp>,
}

/// Recipients that go together (RFC 5321 §4.5.3.1.8).
const RECIPIENTS_MAX: usize = 100;

impl Agenda {
    /// A message has come, or was found at the start.
    pub fn enter(&mut self, queued: Queued) {
        let id = queued.id.clone();
        self.messages.insert(id.clone(), Entry { queued, next: None, errands: 0 });
        self.reschedule(&id);
    }

    fn reschedule(&mut self, id: &MessageId) {
        let Some(entry) = self.messages.get_mut(id) else { return };
        if let Some(next) = entry.next.take() {
            self.due.remove(&(next, id.clone()));
        }
        if entry.queued.is_done() && entry.errands == 0 {
            self.messages.remove(id);
            return;
        }
        if entry.errands > 0 || entry.queued.hold == Hold::ByHand {
            return;
        }
        let queued = &entry.queued;
        let times = queued.open_recipients();
        let next = times.map(|place| next_try(&queued.envelope, queued.tried(place))).min();
        if let Some(next) = next {
            entry.next = Some(next);
            self.due.insert((next, id.clone()));
        }
    }

    /// Takes out what is due. Each is to be given to `make_ready`.
    pub fn due(&mut self, now: Timestamp) -> Vec<Due> {
        self.mend_times(now);
        let mut all = Vec::new();
        while let Some((at, id)) = self.due.first().cloned()
            && at <= now
        {
            self.due.pop_first();
            let Some(entry) = self.messages.get_mut(&id) else { continue };
            entry.next = None;
            // Until it is known where it goes, it counts as one errand.
            entry.errands = 1;
            let queued = &entry.queued;
            let is_due = |place: &usize| next_try(&queued.envelope, queued.tried(*place)) <= now;
            let recipient = |place: usize| {
                let address = queued.envelope.recipients.get(place)?.address.clone();
                Some((place, address, queued.tries.get(place).copied().unwrap_or(0)))
            };
            let recipients =
                queued.open_recipients().filter(is_due).filter_map(recipient).collect();
            let is_from_nobody = queued.envelope.reverse_path.is_none();
            let hears = if is_from_nobody { Hears::Nobody } else { Hears::Sender };
            all.push(Due { id, hears, tls: queued.envelope.demands.tls, recipients });
        }
        all
    }

    /// A clock that was ahead has left times that are far away: nothing waits longer than it ever would, unless it is held.
    fn mend_times(&mut self, now: Timestamp) {
        let far = (now + LAST_WAIT, MessageId::last());
        let late: Vec<_> = self.due.range(far..).cloned().collect();
        for (at, id) in late {
            let Some(entry) = self.messages.get_mut(&id) else { continue };
            if entry.queued.envelope.hold_until.is_none_or(|until| until <= now) {
                self.due.remove(&(at, id.clone()));
                entry.next = Some(now);
                self.due.insert((now, id));
                entry.queued.last.fill(None);
                entry.queued.envelope.arrived = entry.queued.envelope.arrived.min(now);
            }
        }
    }

    /// A message that was due waits for sessions with these destinations.
    pub fn make_ready(&mut self, id: &MessageId, groups: BTreeMap<Destination, Vec<usize>>) {
        if let Some(entry) = self.messages.get_mut(id) {
            for (destination, places) in groups {
                let ready = self.ready.entry(destination).or_default();
                for places in places.chunks(RECIPIENTS_MAX) {
                    ready.push_back(Errand { id: id.clone(), places: places.to_vec() });
                    entry.errands += 1;
                }
            }
        }
        self.done(id);
    }

    /// When to come again.
    pub fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The destinations that something waits for, and how much.
    pub fn ready(&self) -> Vec<(Destination, usize)> {
        let waiting = self.ready.iter().filter(|(_, errands)| !errands.is_empty());
        waiting.map(|(destination, errands)| (destination.clone(), errands.len())).collect()
    }

    /// How many errands wait for a destination.
    pub fn waiting(&self, destination: &Destination) -> usize {
        self.ready.get(destination).map_or(0, VecDeque::len)
    }

    /// The next errand to a destination, with its message. For at most so many recipients: the rest stays as another.
    pub fn take(&mut self, destination: &Destination, most: usize) -> Option<(Errand, Queued)> {
        loop {
            let ready = self.ready.get_mut(destination)?;
            let Some(mut errand) = ready.pop_front() else {
                self.ready.remove(destination);
                return None;
            };
            // It may have been dropped or held meanwhile.
            let Some(entry) = self.messages.get_mut(&errand.id) else { continue };
            if entry.queued.hold == Hold::ByHand {
                self.done(&errand.id);
                continue;
            }
            if errand.places.len() > most.max(1) {
                let places = errand.places.split_off(most.max(1));
                entry.errands += 1;
                ready.push_front(Errand { id: errand.id.clone(), places });
            }
            return Some((errand, entry.queued.clone()));
        }
    }

    /// It was not tried after all: it is the first to be taken again.
    pub fn put_back(&mut self, destination: &Destination, errand: Errand) {
        self.ready.entry(destination.clone()).or_default().push_front(errand);
    }

    /// More of a message that is being tried: it is the next to be taken.
    pub fn put_more(&mut self, destination: &Destination, errand: Errand) {
        if let Some(entry) = self.messages.get_mut(&errand.id) {
            entry.errands += 1;
            self.put_back(destination, errand);
        }
    }

    /// Remembers what was tried, and how far recipients are; the message as it is now. `None` if it was dropped.
    pub fn note(
        &mut self,
        id: &MessageId,
        tried: &Try,
        states: &[(usize, State)],
    ) -> Option<Queued> {
        let queued = &mut self.messages.get_mut(id)?.queued;
        queued.remember(tried);
        for &(place, state) in states {
            queued.set(place, state);
        }
        Some(queued.clone())
    }

    /// An errand has ended.
    pub fn done(&mut self, id: &MessageId) {
        if let Some(entry) = self.messages.get_mut(id) {
            entry.errands = entry.errands.saturating_sub(1);
            self.reschedule(id);
        }
    }

    /// Everything, in the order in which it came.
    pub fn list(&self) -> Vec<Listed> {
        let listed = |entry: &Entry| Listed { queued: entry.queued.clone(), next: entry.next };
        self.messages.values().map(listed).collect()
    }

    /// One of them.
    pub fn get(&self, id: &MessageId) -> Option<Listed> {
        let entry = self.messages.get(id)?;
        Some(Listed { queued: entry.queued.clone(), next: entry.next })
    }

    /// Holds a message or lets it go. False if there is none.
    pub fn set_hold(&mut self, id: &MessageId, hold: Hold) -> bool {
        let Some(entry) = self.messages.get_mut(id) else { return false };
        entry.queued.hold = hold;
        self.reschedule(id);
        true
    }

    /// Forgets when a message was tried, so that it is due now. One that was held begins its days now. False if there is
    /// none.
    pub fn hurry(&mut self, id: &MessageId, now: Timestamp) -> bool {
        let Some(entry) = self.messages.get_mut(id) else { return false };
        entry.queued.last.fill(None);
        let until = &mut entry.queued.envelope.hold_until;
        *until = until.map(|until| until.min(now));
        self.reschedule(id);
        true
    }

    /// Forgets a message. False if there is none.
    pub fn drop_message(&mut self, id: &MessageId) -> bool {
        let Some(entry) = self.messages.remove(id) else { return false };
        if let Some(next) = entry.next {
            self.due.remove(&(next, id.clone()));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Agenda, Destination, Hears, Hold, TlsDemand};
    use crate::base::Timestamp;
    use crate::mail::{Address, Domain};
    use crate::service::relay::destination::To;
    use crate::spool::{Envelope, Handed, Queued, Recipient, Spool, State, Try};
    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    /// A message in a queue of its own.
    fn queued(name: &str, to: &[String]) -> (PathBuf, Queued) {
        let path =
            std::env::temp_dir().join(format!("pillarbox-agenda-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let recipient = |text: &String| Recipient::new(Address::parse(text.as_bytes()).unwrap());
        let envelope = Envelope::new(NOW, None, to.iter().map(recipient).collect());
        let draft = Spool::open(&path).unwrap().spool.begin(envelope).unwrap();
        (path, draft.finish(b"").unwrap())
    }

    fn domain(text: &str) -> Destination {
        let to = To::Domain(Domain::parse(text).unwrap());
        Destination { to, hears: Hears::Sender, tls: TlsDemand::AsOffered }
    }

    /// Each to its domain; when to come again.
    fn wake(agenda: &mut Agenda, now: Timestamp) -> Option<Timestamp> {
        for due in agenda.due(now) {
            let mut groups: BTreeMap<Destination, Vec<usize>> = BTreeMap::new();
            for (place, address, _) in due.recipients {
                groups.entry(domain(address.domain().as_str())).or_default().push(place);
            }
            agenda.make_ready(&due.id, groups);
        }
        agenda.next()
    }

    #[test]
    fn recipients_go_by_destination_and_by_the_hundred_and_as_many_as_the_server_takes() {
        let mut to: Vec<String> = (0..250).map(|n| format!("u{n}@else.example")).collect();
        to.push("x@other.example".into());
        let (path, queued) = queued("hundred", &to);
        let (mut agenda, id) = (Agenda::default(), queued.id.clone());
        agenda.enter(queued.clone());
        assert_eq!(wake(&mut agenda, NOW), None);
        let (there, other) = (domain("else.example"), domain("other.example"));
        assert_eq!((agenda.waiting(&there), agenda.waiting(&other)), (3, 1));
        let mut sizes = Vec::new();
        while let Some((errand, _)) = agenda.take(&there, 60) {
            sizes.push(errand.places.len());
        }
        assert_eq!(sizes, [60, 40, 60, 40, 50]);
        assert_eq!(agenda.take(&other, 60).unwrap().0.places, [250]);
        // It is due again when the last of its six errands has ended, and not before.
        for ended in 1..=6 {
            assert_eq!(agenda.get(&id).unwrap().next, None, "{ended}");
            agenda.done(&id);
        }
        assert_eq!(agenda.get(&id).unwrap().next, Some(NOW));
        // What is dropped while it is decided where it goes is not made ready.
        let due = agenda.due(NOW).remove(0);
        assert!(due.recipients.len() == 251 && agenda.due(NOW).is_empty());
        assert!(agenda.drop_message(&id));
        agenda.make_ready(&id, BTreeMap::from([(there.clone(), vec![0])]));
        assert_eq!((agenda.waiting(&there), agenda.next()), (0, None));
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn what_was_tried_waits_and_what_is_held_or_dropped_is_not_tried() {
        let (path, queued) = queued("held", &["a@else.example".into()]);
        let (mut agenda, id, there) =
            (Agenda::default(), queued.id.clone(), domain("else.example"));
        agenda.enter(queued);
        wake(&mut agenda, NOW);
        agenda.take(&there, 1).unwrap();
        let tried = Try {
            at: NOW,
            recipients: vec![0],
            host: None,
            result: "later".into(),
            handed: Handed::Over,
        };
        agenda.note(&id, &tried, &[(0, State::Delayed)]).unwrap();
        agenda.done(&id);
        let next = NOW + Duration::from_mins(5);
        assert_eq!(wake(&mut agenda, NOW), Some(next));
        assert!(agenda.set_hold(&id, Hold::ByHand));
        assert_eq!((wake(&mut agenda, next), agenda.waiting(&there)), (None, 0));
        assert!(agenda.set_hold(&id, Hold::No) && agenda.hurry(&id, next));
        wake(&mut agenda, NOW);
        assert_eq!(agenda.waiting(&there), 1);
        assert!(agenda.drop_message(&id) && !agenda.drop_message(&id));
        assert!(agenda.take(&there, 1).is_none());
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_clock_that_was_ahead_keeps_nothing_back() {
        let (path, queued) = queued("ahead", &["a@else.example".into()]);
        let (mut agenda, there) = (Agenda::default(), domain("else.example"));
        let year = Duration::from_hours(365 * 24);
        agenda.enter(queued);
        wake(&mut agenda, NOW - year);
        assert_eq!(agenda.waiting(&there), 1);
        std::fs::remove_dir_all(path).unwrap();
    }
}
