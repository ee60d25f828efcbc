//! What a client knows of its mailbox by what it was told, and what must not contradict it.

use super::client::{Client, Progress};
use super::response::{Value, next, numbers};
use super::shared::{Flags, Known, Shared};
use super::{NAMES, Random};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub struct Message {
    pub uid: Option<u32>,
    pub flags: Option<Flags>,
    modseq: Option<u64>,
}

/// What a client that knows QRESYNC keeps of a mailbox while it is elsewhere.
struct Cache {
    validity: u64,
    /// It knows all changes up to this one.
    synced: u64,
    messages: BTreeMap<u32, Message>,
}

pub struct Opened {
    at: usize,
    validity: u64,
    /// Up to which change it knows all (RFC 7162 §6), and what it was told since the last completion.
    synced: u64,
    highest_told: Option<u64>,
    modseq_told: u64,
    pub read_only: bool,
    pub messages: Vec<Message>,
    /// HIGHESTMODSEQ and UIDNEXT when it was opened.
    pub highest: u64,
    uidnext: u32,
    instance: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Flags, exactly as the client knows them.
    Flags,
    /// Bodies; the flags become `\Seen` or not.
    Bodies,
    Store {
        silent: bool,
    },
    Expunge,
    Copy {
        to: usize,
    },
    Move {
        to: usize,
    },
    Append {
        to: usize,
    },
    Search,
    Select {
        at: usize,
        read_only: bool,
    },
    Leave,
    Idle,
    Other,
}

pub struct Command {
    tag: String,
    kind: Kind,
    by_uid: bool,
    text: String,
    /// What it names, as UIDs.
    named: Vec<u32>,
    /// What SEARCH must find.
    pub expected: Vec<u32>,
    /// UIDs with an answer.
    answered: BTreeSet<u32>,
    content: Vec<u8>,
}

impl Command {
    /// RFC 3501 §7.4.1, RFC 7162 §3.2.10.2
    fn forbids_expunges(&self) -> bool {
        let by_kind =
            matches!(self.kind, Kind::Flags | Kind::Bodies | Kind::Store { .. } | Kind::Search);
        by_kind && !self.by_uid
    }
}

pub struct Model {
    pub client: Client,
    pub number: u64,
    pub commands: usize,
    pub shared: Arc<Shared>,
    pub random: Random,
    pub aware: bool,
    pub opened: Option<Opened>,
    pub command: Option<Command>,
    /// QRESYNC is enabled.
    pub resyncs: bool,
    caches: [Option<Cache>; NAMES.len()],
    /// Others must have expunged these: what we were told fits nothing else.
    suspects: BTreeSet<u32>,
    tags: usize,
    log: Vec<String>,
}

impl Drop for Model {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let from = self.log.len().saturating_sub(80);
            eprintln!("session {}:\n{}", self.number, self.log[from..].join(""));
        }
    }
}

impl Model {
    pub fn new(client: Client, shared: Arc<Shared>, random: Random) -> Self {
        Self {
            number: client.number,
            client,
            commands: 0,
            shared,
            random,
            aware: false,
            opened: None,
            command: None,
            resyncs: false,
            caches: [const { None }; NAMES.len()],
            suspects: BTreeSet::new(),
            tags: 0,
            log: Vec::new(),
        }
    }

    /// A command and its answer.
    pub fn turn(&mut self) {
        self.next();
        while self.client.advance() == Progress::Works {}
    }

    /// The next command, once the last one is over.
    pub fn next(&mut self) {
        self.heard();
        if let Some(command) = &self.command {
            assert_eq!(command.kind, Kind::Idle, "{} has no answer", command.text);
            if self.random.one_in(3) {
                self.client.say(b"DONE\r\n");
            }
            return;
        }
        self.commands += 1;
        if !self.ask_for_news() {
            self.choose();
        }
    }

    /// Ends what is going on and hears all that there is to hear.
    pub fn settle(&mut self) {
        let idles = self.command.as_ref().is_some_and(|command| command.kind == Kind::Idle);
        if idles {
            self.client.say(b"DONE\r\n");
        }
        self.finish();
        if self.opened.is_none() {
            return;
        }
        self.begin(Kind::Other, false, Vec::new(), "NOOP");
        self.finish();
        while self.ask_for_news() {
            self.finish();
        }
        let len = self.opened.as_ref().unwrap().messages.len();
        if len > 0 {
            self.begin(Kind::Flags, true, self.uids(1, len), "UID FETCH 1:* (UID FLAGS MODSEQ)");
            self.finish();
        }
        assert!(self.suspects.is_empty(), "of {:?} it was told wrong", self.suspects);
    }

    pub fn look_only(&mut self, at: usize) {
        self.select(at, true);
        self.finish();
    }

    pub fn read_all(&mut self) {
        let opened = self.opened.as_ref().unwrap();
        assert!(opened.messages.iter().all(|m| m.modseq.unwrap() <= opened.highest));
        assert!(opened.messages.iter().all(|m| m.uid.unwrap() < opened.uidnext));
        self.begin(Kind::Bodies, true, Vec::new(), "UID FETCH 1:* (UID BODY.PEEK[])");
        self.finish();
    }

    fn finish(&mut self) {
        while self.client.advance() == Progress::Works {}
        self.heard();
        assert!(self.command.is_none(), "{} has no answer", self.command.as_ref().unwrap().text);
    }

    pub fn known(&self) -> Option<(usize, Vec<Known>)> {
        let opened = self.opened.as_ref()?;
        let known = opened.messages.iter().map(|message| Known {
            uid: message.uid.unwrap(),
            flags: message.flags.clone().unwrap(),
            modseq: message.modseq.unwrap(),
        });
        Some((opened.at, known.collect()))
    }

    /// UIDs and flags of messages that came.
    fn ask_for_news(&mut self) -> bool {
        let Some(opened) = &self.opened else { return false };
        let Some(first) = opened.messages.iter().position(|m| m.uid.is_none() || m.flags.is_none())
        else {
            return false;
        };
        let modseq = if self.aware { " MODSEQ" } else { "" };
        let text = format!("FETCH {}:* (UID FLAGS{modseq})", first + 1);
        self.begin(Kind::Flags, false, Vec::new(), &text);
        true
    }

    pub fn uids(&self, first: usize, last: usize) -> Vec<u32> {
        let messages = &self.opened.as_ref().unwrap().messages;
        messages[first - 1..last].iter().map(|message| message.uid.unwrap()).collect()
    }

    pub fn begin(&mut self, kind: Kind, by_uid: bool, named: Vec<u32>, text: &str) {
        self.say(kind, by_uid, named, text, b"");
    }

    pub fn say(&mut self, kind: Kind, by_uid: bool, named: Vec<u32>, text: &str, more: &[u8]) {
        self.tags += 1;
        let tag = format!("t{}", self.tags);
        self.log.push(format!("C: {tag} {text}\n"));
        self.client.say(format!("{tag} {text}\r\n").as_bytes());
        if !more.is_empty() {
            self.client.say(more);
            self.client.say(b"\r\n");
        }
        self.aware |=
            text.contains("MODSEQ") || text.contains("CONDSTORE") || text.contains("SINCE");
        self.command = Some(Command {
            tag,
            kind,
            by_uid,
            text: text.to_owned(),
            named,
            expected: Vec::new(),
            answered: BTreeSet::new(),
            content: more.to_vec(),
        });
    }

    pub fn select(&mut self, at: usize, read_only: bool) {
        let word = if read_only { "EXAMINE" } else { "SELECT" };
        self.keep();
        let parameter = match &self.caches[at] {
            Some(cache) if self.resyncs => {
                format!(" (QRESYNC ({} {}))", cache.validity, cache.synced)
            }
            _ if self.random.one_in(3) => " (CONDSTORE)".to_owned(),
            _ => String::new(),
        };
        let text = format!("{word} {}{parameter}", NAMES[at]);
        self.begin(Kind::Select { at, read_only }, false, Vec::new(), &text);
        if self.opened.is_none() {
            self.open(at, read_only);
        }
    }

    fn open(&mut self, at: usize, read_only: bool) {
        self.suspects.clear();
        self.opened = Some(Opened {
            at,
            validity: 0,
            synced: 0,
            highest_told: None,
            modseq_told: 0,
            read_only,
            messages: Vec::new(),
            highest: 0,
            uidnext: 0,
            instance: self.shared.id(),
        });
    }

    /// Remembers the mailbox that is open, if it is known whole.
    pub fn keep(&mut self) {
        let Some(opened) = self.opened.as_ref().filter(|_| self.resyncs) else { return };
        let known = |m: &&Message| m.uid.is_some() && m.flags.is_some() && m.modseq.is_some();
        let messages: BTreeMap<u32, Message> =
            opened.messages.iter().filter(known).map(|m| (m.uid.unwrap(), m.clone())).collect();
        let whole = messages.len() == opened.messages.len() && self.suspects.is_empty();
        let (validity, synced) = (opened.validity, opened.synced);
        self.caches[opened.at] = whole.then_some(Cache { validity, synced, messages });
    }

    /// The connection was lost: on the next one.
    pub fn come_back(&mut self, client: Client) {
        self.heard();
        self.keep();
        (self.client, self.opened, self.command) = (client, None, None);
        self.begin(Kind::Other, false, Vec::new(), "ENABLE QRESYNC");
        self.finish();
    }

    /// What was kept, and what SELECT told of what happened since, make the mailbox.
    fn resynced(&mut self) {
        let opened = self.opened.as_mut().unwrap();
        let cache = self.caches[opened.at].take().unwrap();
        let (kept, there) = (cache.messages.len(), opened.messages.len());
        assert!(kept <= there, "{kept} are kept, {there} are there");
        for (message, (uid, kept)) in opened.messages.iter_mut().zip(cache.messages) {
            assert_eq!(*message.uid.get_or_insert(uid), uid, "something went and was not told");
            message.flags = message.flags.take().or(kept.flags);
            message.modseq = message.modseq.max(kept.modseq);
        }
    }

    /// UIDs that are gone, in a mailbox that is open or in one that is being opened.
    fn vanished(&mut self, values: &[Value]) {
        assert!(self.resyncs, "VANISHED to who does not know it");
        let command = self.command.as_ref().expect("VANISHED between commands");
        if let Value::List(words) = &values[0] {
            assert_eq!(words[0].atom(), "EARLIER");
            let Kind::Select { at, .. } = command.kind else {
                panic!("EARLIER in {}", command.text)
            };
            let cache = self.caches[at].as_mut().unwrap();
            for uid in numbers(values[1].atom()) {
                cache.messages.remove(&uid);
                self.shared.gone((at, uid));
            }
            return;
        }
        assert!(!command.forbids_expunges(), "VANISHED within {}", command.text);
        let opened = self.opened.as_mut().expect("VANISHED without a mailbox");
        for uid in numbers(values[0].atom()) {
            let known = opened.messages.iter().position(|m| m.uid == Some(uid));
            // One whose UID the client has not asked for yet stands where this one fits.
            let unknown = || {
                let below = |m: &Message| m.uid.is_some_and(|known| known < uid);
                let from = opened.messages.iter().rposition(below).map_or(0, |at| at + 1);
                opened.messages.get(from).filter(|m| m.uid.is_none()).map(|_| from)
            };
            let at = known.or_else(unknown).unwrap_or_else(|| panic!("{uid} was not there"));
            opened.messages.remove(at);
            self.suspects.remove(&uid);
            self.shared.gone((opened.at, uid));
        }
    }

    /// Takes in what the server has said.
    pub fn heard(&mut self) {
        let said = self.client.take();
        let mut rest = said.as_slice();
        while let Some(values) = next(&mut rest) {
            self.log.push(format!("S: {}\n", shown(&values)));
            self.response(&values);
        }
    }

    fn response(&mut self, values: &[Value]) {
        match values[0].atom() {
            "+" => assert!(self.command.as_ref().is_some_and(|c| c.kind == Kind::Idle)),
            "*" => match (values[1].atom(), values[1].atom().parse::<u32>()) {
                (_, Ok(number)) => self.numbered(number, values),
                ("SEARCH", _) => self.found(&values[2..]),
                ("OK", _) => self.code(values[2].atom()),
                ("VANISHED", _) => self.vanished(&values[2..]),
                ("ENABLED", _) => {
                    self.resyncs |= values[2..].iter().any(|value| value.atom() == "QRESYNC");
                }
                ("FLAGS" | "STATUS", _) => {}
                (other, _) => panic!("{other}"),
            },
            tag => {
                let command = self.command.take().expect("a completion of nothing");
                assert_eq!(tag, command.tag);
                self.completed(&command, values[1].atom(), values[2].atom());
            }
        }
    }

    fn numbered(&mut self, number: u32, values: &[Value]) {
        let number = number as usize;
        let word = values[2].atom();
        let opened = self.opened.as_mut().expect("a number without a mailbox");
        let len = opened.messages.len();
        match word {
            "EXISTS" => {
                assert!(number >= len, "EXISTS shrinks");
                opened.messages.resize(number, Message::default());
            }
            "RECENT" => assert!(number <= len),
            "EXPUNGE" => {
                let command = self.command.as_ref().expect("EXPUNGE between commands");
                assert!(!command.forbids_expunges(), "EXPUNGE within {}", command.text);
                assert!(!self.resyncs, "EXPUNGE to who knows VANISHED");
                assert!((1..=len).contains(&number));
                if let Some(uid) = opened.messages.remove(number - 1).uid {
                    self.suspects.remove(&uid);
                    self.shared.gone((opened.at, uid));
                }
            }
            "FETCH" => {
                assert!((1..=len).contains(&number), "there are {len}");
                self.fetched(number - 1, values[3].list());
            }
            other => panic!("{other}"),
        }
    }

    fn fetched(&mut self, index: usize, items: &[Value]) {
        let opened = self.opened.as_mut().unwrap();
        let item = |name: &str| {
            let at = items.chunks(2).position(|pair| pair[0].atom() == name)?;
            Some(&items[at * 2 + 1])
        };
        if let Some(uid) = item("UID") {
            let uid: u32 = uid.atom().parse().unwrap();
            let before = opened.messages[..index].iter().rev().find_map(|m| m.uid);
            let after = opened.messages[index + 1..].iter().find_map(|m| m.uid);
            assert!(
                before.is_none_or(|before| before < uid),
                "UIDs fall in session {}: {before:?} {uid} {after:?}",
                self.number
            );
            assert!(
                after.is_none_or(|after| uid < after),
                "UIDs fall in session {}: {before:?} {uid} {after:?}",
                self.number
            );
            let known = *opened.messages[index].uid.get_or_insert(uid);
            assert_eq!(known, uid, "a number has become another message");
        }
        let message = &mut opened.messages[index];
        let uid = message.uid;
        let exact = self.command.as_mut().is_some_and(|command| {
            let asked = |uid: u32| command.answered.insert(uid) && command.named.contains(&uid);
            uid.is_some_and(asked) && command.kind == Kind::Flags
        });
        if let Some(modseq) = item("MODSEQ") {
            let modseq: u64 = modseq.list()[0].atom().parse().unwrap();
            assert!(message.modseq.is_none_or(|known| known <= modseq), "MODSEQ falls");
            opened.modseq_told = opened.modseq_told.max(modseq);
            message.modseq = Some(modseq);
        } else if item("FLAGS").is_some() {
            assert!(!self.aware, "flags without MODSEQ");
            message.modseq = None;
        }
        if let Some(flags) = item("FLAGS") {
            let mut flags: Flags = flags.list().iter().map(|f| f.atom().to_owned()).collect();
            let recent = flags.remove("\\Recent");
            let ours = recent && !opened.read_only;
            if let (true, Some(uid)) = (ours, uid) {
                self.shared.recent((opened.at, uid), opened.instance);
            }
            if exact && message.flags.as_ref().is_some_and(|known| *known != flags) {
                self.suspects.extend(uid);
            }
            message.flags = Some(flags);
        }
        if let (Some(uid), Some(modseq), Some(flags)) = (uid, message.modseq, &message.flags)
            && item("MODSEQ").is_some()
            && !self.suspects.contains(&uid)
        {
            self.shared.flags((opened.at, uid), modseq, flags);
        }
        if let Some(content) = item("BODY[]").or_else(|| item("RFC822")) {
            self.shared.content((opened.at, uid.unwrap()), content.text());
        }
    }

    fn found(&mut self, values: &[Value]) {
        let command = self.command.as_ref().expect("SEARCH between commands");
        let found: Vec<u32> = values.iter().map(|value| value.atom().parse().unwrap()).collect();
        let opened = self.opened.as_ref().unwrap();
        let found: Vec<u32> = if command.by_uid {
            found
        } else {
            found.iter().map(|n| opened.messages[*n as usize - 1].uid.unwrap()).collect()
        };
        assert!(found.is_sorted());
        let of = |all: &[u32]| all.iter().copied().collect::<BTreeSet<u32>>();
        let (found, expected) = (of(&found), of(&command.expected));
        self.suspects.extend(found.symmetric_difference(&expected));
    }

    fn code(&mut self, code: &str) {
        let inner = code.strip_prefix('[').and_then(|c| c.strip_suffix(']')).unwrap_or_default();
        match inner.split_once(' ').unwrap_or((inner, "")) {
            ("CLOSED", _) => {
                let Some(Command { kind: Kind::Select { at, read_only }, .. }) = self.command
                else {
                    panic!("closed by no SELECT")
                };
                self.open(at, read_only);
            }
            ("COPYUID", rest) => {
                let command = self.command.as_ref().expect("COPYUID between commands");
                self.copied(command, rest);
            }
            ("HIGHESTMODSEQ", rest) => {
                if let Some(opened) = &mut self.opened {
                    let told = rest.parse().unwrap();
                    opened.highest = opened.highest.max(told);
                    opened.highest_told = Some(told);
                }
            }
            ("UIDVALIDITY", rest) => self.opened.as_mut().unwrap().validity = rest.parse().unwrap(),
            ("UIDNEXT", rest) => self.opened.as_mut().unwrap().uidnext = rest.parse().unwrap(),
            _ => {}
        }
    }

    /// The UIDs that were copied.
    fn copied(&self, command: &Command, rest: &str) -> Vec<u32> {
        let sets: Vec<&str> = rest.split(' ').collect();
        let (from, to) = (numbers(sets[1]), numbers(sets[2]));
        assert_eq!(from.len(), to.len());
        let opened = self.opened.as_ref().unwrap();
        let (Kind::Copy { to: target } | Kind::Move { to: target }) = command.kind else {
            panic!("COPYUID within {}", command.text)
        };
        for (&from, &to) in from.iter().zip(&to) {
            assert!(command.named.contains(&from), "{from} was not named");
            self.shared.copied((opened.at, from), (target, to));
        }
        from
    }

    fn completed(&mut self, command: &Command, status: &str, code: &str) {
        let read_only = self.opened.as_ref().is_some_and(|opened| opened.read_only);
        let issued = code == "[EXPUNGEISSUED]";
        let expected = match command.kind {
            Kind::Store { .. } | Kind::Expunge | Kind::Move { .. } if read_only => "NO",
            Kind::Bodies if issued => "NO",
            Kind::Store { silent: false } if status == "NO" => {
                assert!(!command.by_uid && (issued || code.starts_with("[MODIFIED ")), "{code}");
                "NO"
            }
            _ => "OK",
        };
        assert_eq!(status, expected, "{}", command.text);
        if code.starts_with("[HIGHESTMODSEQ ") {
            self.code(code);
        }
        if let Some(opened) = &mut self.opened {
            let highest = opened.synced.max(opened.modseq_told);
            opened.synced = opened.highest_told.take().unwrap_or(highest);
            opened.modseq_told = 0;
        }
        let code = code.trim_start_matches('[').trim_end_matches(']');
        let unanswered =
            command.named.iter().copied().filter(|uid| !command.answered.contains(uid));
        match command.kind {
            Kind::Append { to } => {
                let uid = code.rsplit(' ').next().unwrap().parse().unwrap();
                self.shared.content((to, uid), &command.content);
            }
            Kind::Copy { .. } if code.starts_with("COPYUID ") => {
                let copied = self.copied(command, &code["COPYUID ".len()..]);
                self.suspects.extend(command.named.iter().filter(|uid| !copied.contains(uid)));
            }
            Kind::Copy { .. } => self.suspects.extend(unanswered),
            Kind::Move { .. } if !read_only => {
                // Each is gone from here, by us or by another.
                let left = self.opened.as_ref().unwrap().messages.iter().filter_map(|m| m.uid);
                let left: Vec<u32> = left.filter(|uid| command.named.contains(uid)).collect();
                assert!(left.is_empty(), "{left:?} stayed after {}", command.text);
            }
            Kind::Flags | Kind::Bodies => self.suspects.extend(unanswered),
            Kind::Store { silent: false } if !read_only => self.suspects.extend(unanswered),
            Kind::Leave => self.opened = None,
            Kind::Select { .. } if command.text.contains("QRESYNC") => self.resynced(),
            _ => {}
        }
        // A suspect that was expunged within this command is none.
        let opened = self.opened.as_ref();
        self.suspects
            .retain(|uid| opened.is_some_and(|o| o.messages.iter().any(|m| m.uid == Some(*uid))));
        let tells_all = !matches!(
            command.kind,
            Kind::Flags | Kind::Bodies | Kind::Store { .. } | Kind::Search | Kind::Idle
        ) || command.by_uid;
        assert!(
            self.suspects.is_empty() || !tells_all,
            "{:?} are not gone after {}",
            self.suspects,
            command.text
        );
    }
}

fn shown(values: &[Value]) -> String {
    let one = |value: &Value| match value {
        Value::Atom(atom) => atom.clone(),
        Value::Text(text) => format!("{{{}}}", text.len()),
        Value::List(list) => format!("({})", shown(list)),
    };
    values.iter().map(one).collect::<Vec<_>>().join(" ")
}
