//! What a session does next.

use super::NAMES;
use super::model::{Kind, Message, Model};
use super::shared::Flags;

const FLAGS: [&str; 6] = ["\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "blue", "$Work"];

impl Model {
    /// Any command that fits where the session is.
    pub fn choose(&mut self) {
        let at = self.random.below(NAMES.len());
        if self.commands == 1 && self.random.one_in(2) {
            self.aware = true;
            return self.begin(Kind::Other, false, Vec::new(), "ENABLE QRESYNC");
        }
        if self.opened.is_none() || self.random.one_in(25) {
            let read_only = self.random.one_in(4);
            return self.select(at, read_only);
        }
        let opened = self.opened.as_ref().unwrap();
        let (len, read_only) = (opened.messages.len(), opened.read_only);
        if len == 0 || (len < 40 && self.random.one_in(8)) {
            return self.append(at);
        }
        let first = self.random.below(len) + 1;
        let last = (first + self.random.below(8)).min(len);
        let named = self.uids(first, last);
        let by_uid = self.random.one_in(2);
        let (word, set) = if by_uid {
            ("UID ", format!("{}:{}", named[0], named[named.len() - 1]))
        } else {
            ("", format!("{first}:{last}"))
        };
        match self.random.below(20) {
            0..4 => {
                let modseq = if self.aware || self.random.one_in(20) { " MODSEQ" } else { "" };
                let text = format!("{word}FETCH {set} (UID FLAGS{modseq})");
                self.begin(Kind::Flags, by_uid, named, &text);
            }
            4..6 => {
                let item = ["BODY.PEEK[]", "BODY[]", "RFC822"][self.random.below(3)];
                self.begin(Kind::Bodies, by_uid, named, &format!("{word}FETCH {set} (UID {item})"));
            }
            6..11 => self.store(by_uid, named, &format!("{word}STORE {set}"), read_only),
            11..13 => self.search(by_uid),
            13 => self.begin(Kind::Expunge, false, Vec::new(), "EXPUNGE"),
            14 => self.begin(Kind::Expunge, true, Vec::new(), &format!("UID EXPUNGE {set}")),
            15 => {
                let text = format!("{word}COPY {set} {}", NAMES[at]);
                self.begin(Kind::Copy { to: at }, by_uid, named, &text);
            }
            16 => {
                let text = format!("{word}MOVE {set} {}", NAMES[at]);
                self.begin(Kind::Move { to: at }, by_uid, named, &text);
            }
            17 => self.begin(Kind::Idle, false, Vec::new(), "IDLE"),
            18 if self.random.one_in(4) => {
                let word = if self.random.one_in(2) { "CLOSE" } else { "UNSELECT" };
                self.keep();
                self.begin(Kind::Leave, false, Vec::new(), word);
            }
            18 => {
                let text = format!("STATUS {} (MESSAGES UIDNEXT UNSEEN RECENT)", NAMES[at]);
                self.begin(Kind::Other, false, Vec::new(), &text);
            }
            _ => self.begin(Kind::Other, false, Vec::new(), "NOOP"),
        }
    }

    fn append(&mut self, to: usize) {
        let len = self.random.below(3000);
        let content = format!("Subject: {}\r\n\r\n{}\r\n", self.shared.id(), "x".repeat(len));
        let flags = if self.random.one_in(2) { "(\\Seen blue) " } else { "" };
        let text = format!("APPEND {} {flags}{{{}+}}", NAMES[to], content.len());
        self.say(Kind::Append { to }, false, Vec::new(), &text, content.as_bytes());
    }

    fn store(&mut self, by_uid: bool, named: Vec<u32>, head: &str, read_only: bool) {
        let sign = ["", "+", "-"][self.random.below(3)];
        let silent = self.random.one_in(2);
        let highest = self.opened.as_ref().unwrap().highest;
        let since = (self.random.one_in(6) && !silent)
            .then(|| format!(" (UNCHANGEDSINCE {})", highest + self.random.below(200) as u64));
        let mut flags = Flags::new();
        for _ in 0..=self.random.below(3) {
            flags.insert(FLAGS[self.random.below(FLAGS.len())].to_owned());
        }
        let list = flags.iter().cloned().collect::<Vec<_>>().join(" ");
        let word = if silent { ".SILENT" } else { "" };
        let since = since.unwrap_or_default();
        if silent && !read_only {
            // Nothing is told: the client concludes it.
            let opened = self.opened.as_mut().unwrap();
            for message in &mut opened.messages {
                if named.contains(&message.uid.unwrap()) {
                    let known = message.flags.as_mut().unwrap();
                    match sign {
                        "+" => known.extend(flags.iter().cloned()),
                        "-" => known.retain(|flag| !flags.contains(flag)),
                        _ => known.clone_from(&flags),
                    }
                }
            }
        }
        let text = format!("{head}{since} {sign}FLAGS{word} ({list})");
        self.begin(Kind::Store { silent }, by_uid, named, &text);
    }

    fn search(&mut self, by_uid: bool) {
        let flag = self.random.below(5);
        let (key, flag) = [
            ("ALL", ""),
            ("SEEN", "\\Seen"),
            ("FLAGGED", "\\Flagged"),
            ("KEYWORD BLUE", "blue"),
            ("DELETED", "\\Deleted"),
        ][flag];
        let messages = &self.opened.as_ref().unwrap().messages;
        let fits = |m: &Message| flag.is_empty() || m.flags.as_ref().unwrap().contains(flag);
        let expected: Vec<u32> =
            messages.iter().filter(|m| fits(m)).map(|m| m.uid.unwrap()).collect();
        let word = if by_uid { "UID " } else { "" };
        self.begin(Kind::Search, by_uid, Vec::new(), &format!("{word}SEARCH {key}"));
        self.command.as_mut().unwrap().expected = expected;
    }
}
