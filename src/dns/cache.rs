//! What was answered of late, until its time is over (RFC 1035 §3.2.1, RFC 2308 §5). Whoever makes us ask decides what is
//! in here: it has a limit in bytes, and what was not used for longest goes first.

use super::answers::{Answer, Found, Question};
use super::record::Record;
use crate::base::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::mem::size_of;
use std::time::Duration;

/// Whatever a zone says: after a day it is asked again.
const FOUND_MAX: Duration = Duration::from_hours(24);
/// RFC 2308 §5: a "no" for one to three hours at most.
const NO_MAX: Duration = Duration::from_hours(3);
/// RFC 2308 §7 allows five minutes; this is enough for a burst of the same question.
const FAILED_MAX: Duration = Duration::from_secs(5);
/// An answer that would take more than this share of the whole is not kept.
const SHARE: usize = 16;

/// Answers by their questions.
#[derive(Debug)]
pub struct Cache {
    bytes_max: usize,
    bytes: usize,
    entries: HashMap<Question, Entry>,
    /// By when they were used last: `Entry::used`.
    order: BTreeMap<u64, Question>,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    answer: Answer,
    bytes: usize,
    used: u64,
    from: Timestamp,
    until: Timestamp,
}

impl Cache {
    /// Nothing yet; never more than about so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, entries: HashMap::new(), order: BTreeMap::new(), uses: 0 }
    }

    /// What was answered, if it still holds.
    pub fn get(&mut self, question: &Question, now: Timestamp) -> Option<Answer> {
        let entry = self.entries.get_mut(question)?;
        // A clock that was put back must not make an answer older than its zone allows.
        if now < entry.from || now >= entry.until {
            self.remove(question);
            return None;
        }
        self.uses += 1;
        let before = std::mem::replace(&mut entry.used, self.uses);
        let answer = entry.answer.clone();
        if let Some(question) = self.order.remove(&before) {
            self.order.insert(self.uses, question);
        }
        Some(answer)
    }

    /// Enters what was answered now and holds for `ttl`, or for as long as any answer of its sort may be kept.
    pub fn insert(&mut self, question: Question, answer: Answer, ttl: Duration, now: Timestamp) {
        self.remove(&question);
        let ttl = ttl.min(match &answer.found {
            Found::Records(..) => FOUND_MAX,
            Found::NoData | Found::NoName => NO_MAX,
            Found::Failed(_) => FAILED_MAX,
        });
        let bytes = weight(&question, &answer);
        if ttl.is_zero() || bytes > self.bytes_max / SHARE {
            return;
        }
        while self.bytes + bytes > self.bytes_max {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.remove(&oldest);
        }
        self.uses += 1;
        self.bytes += bytes;
        self.order.insert(self.uses, question.clone());
        let entry = Entry { answer, bytes, used: self.uses, from: now, until: now + ttl };
        self.entries.insert(question, entry);
    }

    fn remove(&mut self, question: &Question) {
        if let Some(entry) = self.entries.remove(question) {
            self.bytes -= entry.bytes;
            self.order.remove(&entry.used);
        }
    }
}

/// About the memory that an entry takes, with what the maps need for it.
fn weight(question: &Question, answer: &Answer) -> usize {
    let record = |record: &Record| {
        size_of::<Record>()
            + match record {
                Record::A(_) | Record::Aaaa(_) => 0,
                Record::Mx(mx) => mx.exchange.as_str().len(),
                Record::Srv(srv) => srv.target.as_str().len(),
                Record::Ptr(name) | Record::Ns(name) | Record::Soa(name, _) => name.as_str().len(),
                Record::Txt(text) => text.len(),
                Record::Tlsa(tlsa) => tlsa.data.len(),
                Record::Caa(_, tag, value) => tag.len() + value.len(),
            }
    };
    let found = match &answer.found {
        Found::Records(records, end) => {
            end.as_str().len() + records.iter().map(record).sum::<usize>()
        }
        Found::NoData | Found::NoName | Found::Failed(_) => 0,
    };
    let fixed = 2 * size_of::<(Question, Entry)>() + 2 * question.name.as_str().len();
    fixed + found
}

#[cfg(test)]
mod tests {
    use super::Cache;
    use crate::base::Timestamp;
    use crate::dns::{Answer, Failure, Found, Kind, Name, Question, Record};
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn question(name: &str) -> Question {
        Question { name: Name::parse(name).unwrap(), kind: Kind::Txt }
    }

    fn answer(found: Found) -> Answer {
        Answer { found, authentic: true }
    }

    fn text(len: usize) -> Answer {
        answer(Found::Records(vec![Record::Txt(vec![b'x'; len])], Name::parse("x").unwrap()))
    }

    #[test]
    fn an_answer_holds_until_its_time_is_over() {
        let day = Duration::from_hours(24);
        for (given, ttl, held) in [
            (text(1), 300, 300),
            (text(1), 1, 1),
            (text(1), u64::from(u32::MAX), day.as_secs()),
            (answer(Found::NoName), 86_400, 3 * 3600),
            (answer(Found::NoData), 60, 60),
            (answer(Found::Failed(Failure::Servfail)), 86_400, 5),
        ] {
            let mut cache = Cache::new(100_000);
            let asked = question("a.example");
            let ttl = Duration::from_secs(ttl);
            cache.insert(asked.clone(), given.clone(), ttl, NOW);
            let last = NOW + Duration::from_secs(held) - Duration::from_micros(1);
            assert_eq!(cache.get(&asked, last), Some(given.clone()));
            assert_eq!(cache.get(&question("b.example"), last), None);
            assert_eq!(cache.get(&asked, NOW + Duration::from_secs(held)), None);
            assert_eq!((cache.bytes, cache.order.len()), (0, 0), "it is gone");
            cache.insert(asked.clone(), given, ttl, NOW);
            assert_eq!(cache.get(&asked, NOW - Duration::from_secs(1)), None, "a clock put back");
        }
        let mut cache = Cache::new(100_000);
        cache.insert(question("a.example"), text(1), Duration::ZERO, NOW);
        assert_eq!(cache.get(&question("a.example"), NOW), None);
    }

    #[test]
    fn it_has_a_limit_and_what_is_used_stays() {
        let mut cache = Cache::new(1_000_000);
        let (kept, hour) = (question("kept.example"), Duration::from_hours(1));
        cache.insert(kept.clone(), text(10), hour, NOW);
        for number in 0..20_000 {
            let asked = question(&format!("n{number}.example"));
            cache.insert(asked.clone(), text(number % 5000), hour * 20, NOW);
            assert!(cache.get(&asked, NOW).is_some() && cache.bytes <= 1_000_000);
            assert!(cache.get(&kept, NOW).is_some(), "after {number}");
            assert_eq!(cache.entries.len(), cache.order.len());
        }
        assert_eq!(cache.get(&question("n0.example"), NOW), None);
        cache.insert(question("huge.example"), text(100_000), hour, NOW);
        assert_eq!(cache.get(&question("huge.example"), NOW), None);
        assert!(cache.get(&kept, NOW).is_some());
        // The same question again takes the place of what it was.
        let before = cache.bytes;
        cache.insert(kept.clone(), text(10), hour, NOW);
        assert_eq!(cache.bytes, before);
    }
}
