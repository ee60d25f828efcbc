//! The answer to SEARCH: the numbers one by one (RFC 3501 §7.2.5), or as ESEARCH what was asked for (RFC 4731 §3.1);
//! in pieces where it is long.

use super::search_return::{Return, Returns, ends};
use crate::imap::job::{Job, Next};
use crate::imap::response::Completion;
use crate::imap::sequence_set::{Numbers, members};
use crate::imap::session::Session;
use crate::imap::writer::Writer;
use crate::maildir::{Uid, UidSet};
use crate::store::{Array, Entry};
use std::sync::Arc;

/// What a search has come to. The view stays as it is until all of it is told.
pub struct Answer {
    /// The messages, in the selected mailbox.
    pub found: UidSet,
    /// How they are named.
    pub numbers: Numbers,
    /// What is returned, if it was said.
    pub returns: Option<Returns>,
    /// The highest MODSEQ is told too.
    pub tells_mod_seq: bool,
}

impl Answer {
    /// Tells it, and keeps it if that was asked for.
    pub fn tell(self, session: &mut Session) -> Next {
        let Session { selected: Some(selected), out, tag, .. } = session else {
            return Next::Done(Completion::bad("No mailbox is selected"));
        };
        let Some(returns) = &self.returns else {
            out.text("* SEARCH");
            return self.tell_each(session, Uid(1));
        };
        if returns.wants(Return::Save) {
            selected.saved = Arc::new(returns.chosen(&self.found));
        }
        if !returns.tell() {
            return Next::Done(Completion::ok("Searched, and kept"));
        }
        out.text("* ESEARCH (TAG ").string(tag.as_bytes()).text(")");
        out.text(if self.numbers == Numbers::Uid { " UID" } else { "" });
        let ends = ends(&self.found);
        let min = ends.filter(|_| returns.wants(Return::Min)).map(|(first, _)| (" MIN ", first));
        let max = ends.filter(|_| returns.wants(Return::Max)).map(|(_, last)| (" MAX ", last));
        for (word, uid) in min.into_iter().chain(max) {
            if let Some(found) = selected.view.find(uid) {
                out.text(word).number(number(self.numbers, found));
            }
        }
        if returns.wants(Return::All) {
            return self.tell_ranges(session, Uid(1));
        }
        self.end(session)
    }

    /// ` 2 84 882`, from a UID on.
    fn tell_each(self, session: &mut Session, from: Uid) -> Next {
        let Session { selected: Some(selected), out, .. } = session else {
            return self.end(session);
        };
        match write_each(out, &selected.view, &self.found, self.numbers, from) {
            Some(next) => {
                let job: Job = Box::new(move |session| self.tell_each(session, next));
                Next::More(job)
            }
            None => self.end(session),
        }
    }

    /// ` ALL 2,10:15,21`, from a UID on.
    fn tell_ranges(self, session: &mut Session, from: Uid) -> Next {
        let Session { selected: Some(selected), out, .. } = session else {
            return self.end(session);
        };
        match write_ranges(out, &selected.view, &self.found, self.numbers, from) {
            Some(next) => {
                let job: Job = Box::new(move |session| self.tell_ranges(session, next));
                Next::More(job)
            }
            None => self.end(session),
        }
    }

    fn end(self, session: &mut Session) -> Next {
        if let Session { selected: Some(selected), out, .. } = session {
            let highest = |uids: &UidSet| highest(&selected.view, uids);
            match &self.returns {
                None => {
                    if let Some(highest) = highest(&self.found).filter(|_| self.tells_mod_seq) {
                        out.text(" (MODSEQ ").number(highest).text(")");
                    }
                }
                Some(returns) => {
                    if returns.wants(Return::Count) {
                        out.text(" COUNT ").number(self.found.len());
                    }
                    if self.tells_mod_seq
                        && let Some(highest) = highest(&returns.chosen(&self.found))
                    {
                        out.text(" MODSEQ ").number(highest);
                    }
                }
            }
            out.text("\r\n");
        }
        Next::Done(Completion::ok("Searched"))
    }
}

const fn number(numbers: Numbers, (seq, entry): (u32, Entry)) -> u32 {
    match numbers {
        Numbers::Sequence => seq,
        Numbers::Uid => entry.uid.0,
    }
}

/// Writes until all is told or the writer is full; then it goes on with the UID that is returned.
fn write_each(
    out: &mut Writer,
    view: &Array,
    found: &UidSet,
    numbers: Numbers,
    from: Uid,
) -> Option<Uid> {
    for member in members(view, found, from) {
        if out.is_full() {
            return Some(member.1.uid);
        }
        out.text(" ").number(number(numbers, member));
    }
    None
}

/// The same as ranges, never cut within one.
fn write_ranges(
    out: &mut Writer,
    view: &Array,
    found: &UidSet,
    numbers: Numbers,
    from: Uid,
) -> Option<Uid> {
    let mut before = if from == Uid(1) { " ALL " } else { "," };
    let mut open: Option<(u32, u32)> = None;
    for member in members(view, found, from) {
        let number = number(numbers, member);
        if let Some((_, last)) = &mut open
            && number.checked_sub(1) == Some(*last)
        {
            *last = number;
            continue;
        }
        if let Some(range) = open.replace((number, number)) {
            write_range(out.text(before), range);
            before = ",";
            if out.is_full() {
                return Some(member.1.uid);
            }
        }
    }
    if let Some(range) = open {
        write_range(out.text(before), range);
    }
    None
}

fn write_range(out: &mut Writer, (first, last): (u32, u32)) {
    out.number(first);
    if last > first {
        out.text(":").number(last);
    }
}

fn highest(view: &Array, uids: &UidSet) -> Option<u64> {
    members(view, uids, Uid(1)).map(|(_, entry)| entry.modseq.0).max()
}

#[cfg(test)]
mod tests {
    use super::{write_each, write_ranges};
    use crate::base::Output;
    use crate::imap::sequence_set::Numbers;
    use crate::imap::writer::Writer;
    use crate::maildir::{Flags, ModSeq, Uid, UidSet};
    use crate::store::{Array, Entry};

    type Write = fn(&mut Writer, &Array, &UidSet, Numbers, Uid) -> Option<Uid>;

    /// What is written in all its pieces, and how many there were.
    fn written(write: Write, view: &Array, found: &UidSet, numbers: Numbers) -> (String, usize) {
        let (mut all, mut pieces, mut from) = (Vec::new(), 0, Some(Uid(1)));
        while let Some(uid) = from {
            let mut out = Writer::default();
            from = write(&mut out, view, found, numbers, uid);
            pieces += 1;
            while let Some(Output::Bytes(bytes)) = out.next() {
                all.extend(bytes);
            }
        }
        (String::from_utf8(all).unwrap(), pieces)
    }

    #[test]
    fn a_long_answer_is_the_same_in_pieces() {
        let entry = |uid| Entry { uid: Uid(uid), flags: Flags::default(), modseq: ModSeq(1) };
        // Every UID but those that end in 5; found are those that end in 3 to 7.
        let view: Array = (1..200_000).filter(|uid| uid % 10 != 5).map(entry).collect();
        let found: UidSet =
            view.iter().map(|(_, e)| e.uid).filter(|uid| (3..8).contains(&(uid.0 % 10))).collect();
        let tens = || (0..20_000_u32).map(|ten| (ten * 10, ten * 9));
        let (text, pieces) = written(write_ranges, &view, &found, Numbers::Uid);
        let uids: Vec<_> =
            tens().map(|(u, _)| format!("{}:{},{}:{}", u + 3, u + 4, u + 6, u + 7)).collect();
        assert_eq!(text, format!(" ALL {}", uids.join(",")));
        assert!(pieces > 5);
        let (text, _) = written(write_ranges, &view, &found, Numbers::Sequence);
        let seqs: Vec<_> = tens().map(|(_, s)| format!("{}:{}", s + 3, s + 6)).collect();
        assert_eq!(text, format!(" ALL {}", seqs.join(",")));
        let (text, pieces) = written(write_each, &view, &found, Numbers::Sequence);
        let each: String =
            tens().flat_map(|(_, s)| s + 3..s + 7).map(|seq| format!(" {seq}")).collect();
        assert!(text == each && pieces > 5);
        let none = UidSet::default();
        assert_eq!(written(write_ranges, &view, &none, Numbers::Uid), (String::new(), 1));
    }
}
