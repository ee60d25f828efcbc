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
                out.text(word).number(self.number(found));
            }
        }
        if returns.wants(Return::All) {
            return self.tell_ranges(session, Uid(1));
        }
        self.end(session)
    }

    const fn number(&self, (seq, entry): (u32, Entry)) -> u32 {
        match self.numbers {
            Numbers::Sequence => seq,
            Numbers::Uid => entry.uid.0,
        }
    }

    /// ` 2 84 882`, from a UID on.
    fn tell_each(self, session: &mut Session, from: Uid) -> Next {
        let mut next = None;
        if let Session { selected: Some(selected), out, .. } = session {
            for (seq, entry) in members(&selected.view, &self.found, from) {
                if out.is_full() {
                    next = Some(entry.uid);
                    break;
                }
                out.text(" ").number(self.number((seq, entry)));
            }
        }
        match next {
            Some(next) => {
                let job: Job = Box::new(move |session| self.tell_each(session, next));
                Next::More(job)
            }
            None => self.end(session),
        }
    }

    /// ` ALL 2,10:15,21`, from a UID on.
    fn tell_ranges(self, session: &mut Session, from: Uid) -> Next {
        let mut next = None;
        if let Session { selected: Some(selected), out, .. } = session {
            let mut before = if from == Uid(1) { " ALL " } else { "," };
            let mut open: Option<(u32, u32)> = None;
            for (seq, entry) in members(&selected.view, &self.found, from) {
                let number = self.number((seq, entry));
                if let Some((_, last)) = &mut open
                    && number.checked_sub(1) == Some(*last)
                {
                    *last = number;
                    continue;
                }
                if let Some(range) = open.take() {
                    write_range(out.text(before), range);
                    before = ",";
                    if out.is_full() {
                        next = Some(entry.uid);
                        break;
                    }
                }
                open = Some((number, number));
            }
            if let Some(range) = open {
                write_range(out.text(before), range);
            }
        }
        match next {
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
                    let chosen = returns.chosen(&self.found);
                    if let Some(highest) = highest(&chosen).filter(|_| self.tells_mod_seq) {
                        out.text(" MODSEQ ").number(highest);
                    }
                }
            }
            out.text("\r\n");
        }
        Next::Done(Completion::ok("Searched"))
    }
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
