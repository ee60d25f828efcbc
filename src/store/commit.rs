//! Commits what waits, together: arrivals are fsynced, all other changes go as lines into the change log with one
//! `fdatasync`; only then memory, answers and news; the index and the file names come later.

use super::array::Entry;
use super::core::Core;
use super::error::StoreError;
use super::event::{Cause, Event, What};
use super::folders::Sub;
use super::mailbox::Mailboxes;
use super::row::Row;
use crate::maildir::{Change, Dir, MailboxId, ModSeq, Uid, UidSet};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// Lines of one group stay under this, so that a group always fits into half a log.
const LINES_MAX: usize = 100_000;
/// The text of a UID set in one part of a command; a longer set is done in parts, each of them whole.
pub(super) const PART_MAX: usize = 30_000;
const FSYNC_THREADS: usize = 4;

/// Pays a ticket once it is known how the group went.
pub(super) type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// What is committed together.
#[derive(Default)]
pub(super) struct Group {
    commands: Vec<(Vec<Change>, ModSeq)>,
    lines_len: usize,
    /// Arrivals that have their final names, and those names in case of failure.
    files: Vec<File>,
    names: Vec<(Dir, Vec<u8>)>,
    dirs: BTreeMap<(MailboxId, Sub), Dir>,
    /// With the number of the answer that they belong to.
    links: Vec<(usize, Link)>,
    events: Vec<Event>,
    answers: Vec<Answer>,
}

/// A COPY's second name, made after its line is durable.
pub(super) struct Link {
    pub from: (MailboxId, Row),
    pub to: (MailboxId, Uid),
    pub name: Vec<u8>,
}

/// What became of the links of a group.
#[derive(Default)]
struct Linked {
    /// Copies whose link could not be made.
    lost: BTreeMap<MailboxId, UidSet>,
    /// Copies that were made for a request that is refused because of others.
    undone: BTreeMap<MailboxId, UidSet>,
    /// Answers, by number, that are refusals now.
    refused: BTreeMap<usize, StoreError>,
}

impl Group {
    pub fn command(&mut self, change: Change, modseq: ModSeq) {
        let changes = change.split();
        self.commands_together(changes, modseq);
    }

    /// Changes that count only together.
    pub fn commands_together(&mut self, changes: Vec<Change>, modseq: ModSeq) {
        self.lines_len += changes.iter().map(Change::line_len_max).sum::<usize>();
        self.commands.push((changes, modseq));
    }

    pub fn file(&mut self, file: File) {
        self.files.push(file);
    }

    pub fn name(&mut self, mailbox: MailboxId, sub: Sub, dir: &Dir, name: Vec<u8>) {
        self.dirs.entry((mailbox, sub)).or_insert_with(|| dir.clone());
        self.names.push((dir.clone(), name));
    }

    pub fn link(&mut self, link: Link) {
        self.links.push((self.answers.len(), link));
    }

    pub fn event(&mut self, modseq: ModSeq, cause: Cause, what: What) {
        self.events.push(Event { modseq, cause, what });
    }

    pub fn answer(&mut self, answer: Answer) {
        self.answers.push(answer);
    }

    /// Is there no room for another part of a command?
    pub const fn is_full(&self) -> bool {
        self.lines_len + 2 * (PART_MAX / 700 + 2) * 900 > LINES_MAX
    }

    pub fn is_empty(&self) -> bool {
        self.commands.is_empty() && self.answers.is_empty() && self.events.is_empty()
    }
}

/// Where committed state and news go.
pub(super) trait Publish {
    /// Everyone may see this now.
    fn publish(&self, state: Arc<Mailboxes>, events: Vec<Event>);
}

/// The state that sessions see.
#[derive(Debug, Default)]
pub(super) struct Shown(Mutex<Arc<Mailboxes>>);

impl Shown {
    pub fn get(&self) -> Arc<Mailboxes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set(&self, state: Arc<Mailboxes>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl Core {
    /// Makes a group durable, shows it, pays its tickets.
    pub fn commit(&mut self, group: Group, out: &dyn Publish) {
        let Group { commands, files, names, dirs, links, mut events, answers, .. } = group;
        let result = self.sync_arrivals(&files, &dirs).and_then(|()| self.append(&commands));
        if let Err(error) = result {
            for (dir, name) in names {
                if let Err(error) = dir.unlink(&name) {
                    log::warn!("account={} a refused message stays on the disk: {error}", self.id);
                }
            }
            for answer in answers {
                answer(Err(error.clone()));
            }
            return;
        }
        let linked = self.make_links(links);
        let mut refused = linked.refused;
        if let Err(error) = self.take_back(linked.lost, linked.undone, &mut events) {
            log::error!(
                "account={} copies that failed may come back at the next start: {error}",
                self.id
            );
        }
        out.publish(Arc::new(self.next.clone()), events);
        for (number, answer) in answers.into_iter().enumerate() {
            answer(refused.remove(&number).map_or(Ok(()), Err));
        }
    }

    /// fsync of each file (the first alone: its journal commit takes the names of the whole group along), then of
    /// each folder that got a name.
    fn sync_arrivals(
        &mut self,
        files: &[File],
        dirs: &BTreeMap<(MailboxId, Sub), Dir>,
    ) -> Result<(), StoreError> {
        let Some((first, rest)) = files.split_first() else { return Ok(()) };
        let synced = first
            .sync_all()
            .and_then(|()| sync_together(rest))
            .and_then(|()| dirs.values().try_for_each(Dir::sync));
        synced.map_err(|error| self.break_down("sync of new mail", &error))
    }

    fn append(&mut self, commands: &[(Vec<Change>, ModSeq)]) -> Result<(), StoreError> {
        let mut reserve = None;
        if self.next.modseq >= self.modseq_reserve {
            let above = ModSeq(self.next.modseq.0 + super::core::MODSEQ_BLOCK);
            reserve = Some((vec![Change::Reserve], above));
        }
        if commands.is_empty() && reserve.is_none() {
            return Ok(());
        }
        let all: Vec<_> = reserve.iter().chain(commands).cloned().collect();
        self.log.append(&all).map_err(|error| self.break_down("change log", &error))?;
        if let Some((_, above)) = reserve {
            self.modseq_reserve = above;
        }
        Ok(())
    }

    fn make_links(&mut self, links: Vec<(usize, Link)>) -> Linked {
        let (mut linked, mut made) = (Linked::default(), Vec::new());
        for (answer, Link { from: (source, row), to: (target, uid), name }) in links {
            let done = self.find_file(source, &row).and_then(|found| {
                let (sub, from_name) = found.ok_or(StoreError::NoMessage)?;
                let (from, to) = (self.folders(source)?, self.folders(target)?);
                self.common.expected.came(target, Sub::Cur, &name);
                from.sub(sub)
                    .link(&from_name, &to.cur, &name)
                    .map_err(|error| StoreError::io("link a copy", &error))
            });
            self.follow.unsynced.insert(target);
            let Err(error) = done else {
                made.push((answer, target, uid));
                continue;
            };
            log::warn!("account={} mailbox={source} uid={} copy failed: {error}", self.id, row.uid);
            linked.lost.entry(target).or_default().insert(uid);
            // Another program took the file away between the line and the link: a message expunged at once.
            if !matches!(error, StoreError::NoMessage) {
                linked.refused.insert(answer, error);
            }
        }
        for (answer, target, uid) in made {
            if linked.refused.contains_key(&answer) {
                linked.undone.entry(target).or_default().insert(uid);
            }
        }
        linked
    }

    /// Copies that are not to be: gone by a line, since the line that made them is durable.
    fn take_back(
        &mut self,
        lost: BTreeMap<MailboxId, UidSet>,
        undone: BTreeMap<MailboxId, UidSet>,
        events: &mut Vec<Event>,
    ) -> Result<(), StoreError> {
        let mut commands = Vec::new();
        let mut gone = |mailbox, uids: UidSet, modseq| {
            commands.push((Change::Gone { mailbox, uids: uids.clone() }.split(), modseq));
            events.push(Event { modseq, cause: Cause::Own, what: What::Gone { mailbox, uids } });
        };
        for (mailbox, uids) in lost {
            let modseq = self.forget(mailbox, &uids)?;
            self.drop_rows(mailbox, &uids);
            gone(mailbox, uids, modseq);
        }
        for (mailbox, uids) in undone {
            let modseq = self.forget(mailbox, &uids)?;
            self.doom(mailbox, &uids, modseq);
            gone(mailbox, uids, modseq);
        }
        self.append(&commands)
    }

    /// Takes rows out of what the index is to get.
    pub fn drop_rows(&mut self, mailbox: MailboxId, uids: &UidSet) {
        let mut pending = self.common.pending.lock().unwrap_or_else(PoisonError::into_inner);
        for uid in uids.iter() {
            pending.remove(mailbox, uid);
            self.follow.renames.remove(&(mailbox, uid));
        }
    }

    /// Takes messages out of memory; their rows and files are dealt with behind.
    pub fn forget(&mut self, mailbox: MailboxId, uids: &UidSet) -> Result<ModSeq, StoreError> {
        let modseq = self.advance();
        let mut bytes = 0;
        self.each_row(mailbox, uids, |row| bytes += row.size)?;
        let mut removed: Vec<Entry> = Vec::new();
        self.edit_array(mailbox, |array| removed = array.remove(uids))?;
        let unseen = removed.iter().filter(|e| !e.flags.contains(crate::maildir::Flags::SEEN));
        let unseen = u32::try_from(unseen.count()).unwrap_or(u32::MAX);
        let state = self.next.edit(mailbox)?;
        state.unseen = state.unseen.saturating_sub(unseen);
        state.bytes = state.bytes.saturating_sub(bytes);
        state.modseq = modseq;
        Ok(modseq)
    }
}

fn sync_together(files: &[File]) -> io::Result<()> {
    if let [one] = files {
        return one.sync_all();
    }
    let share = files.len().div_ceil(FSYNC_THREADS).max(1);
    std::thread::scope(|scope| {
        let sync = |files: &[File]| files.iter().try_for_each(File::sync_all);
        let threads: Vec<_> =
            files.chunks(share).map(|files| scope.spawn(move || sync(files))).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread died in fsync")))
        })
    })
}
