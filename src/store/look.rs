//! Looks at a mailbox in which another program may have been, and makes what it did there known, as changes of its own:
//! files that came are adopted, letters that changed become flags, files that went become `gone` lines.

use super::commit::{Group, Publish};
use super::core::Core;
use super::error::StoreError;
use super::event::{Cause, What};
use super::row::{At, Row};
use super::survey::Survey;
use crate::maildir::{Change, FlagEdit, Flags, MailboxId, Uid, UidSet};
use std::collections::BTreeMap;

/// What a look came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looked {
    /// Everything agrees now.
    Done,
    /// The folder changed while it was listed: look again.
    Again,
}

impl Core {
    /// Looks at one mailbox.
    pub fn look(
        &mut self,
        group: &mut Group,
        out: &dyn Publish,
        mailbox: MailboxId,
    ) -> Result<Looked, StoreError> {
        self.writable()?;
        self.follow_committed(group, out)?;
        self.flush();
        self.writable()?;
        let Some(state) = self.next.get(mailbox).cloned() else { return Ok(Looked::Done) };
        let io = |error: std::io::Error| StoreError::io("list a mailbox", &error);
        let folders = self.folders(mailbox)?;
        let times = || Ok::<_, std::io::Error>((folders.cur.mtime()?, folders.new.mtime()?));
        let before = times().map_err(io)?;
        let mut survey = Survey::take(&folders, state.validity, state.uid_limit).map_err(io)?;
        let known: BTreeMap<Uid, Row> = {
            let all = UidSet::range(Uid(1), Uid(u32::MAX));
            self.rows(mailbox, &all)?.into_iter().map(|row| (row.uid, row)).collect()
        };
        let returned = survey.settle(&known, state.validity);
        let mut missing: UidSet =
            known.keys().copied().filter(|uid| !survey.placed.contains_key(uid)).collect();
        let mut looked = Looked::Done;
        if !missing.is_empty() {
            // Believed only when a second list misses it too and nothing moved meanwhile.
            let mut second = Survey::take(&folders, state.validity, state.uid_limit).map_err(io)?;
            second.settle(&known, state.validity);
            if times().map_err(io)? != before || second.placed.len() != survey.placed.len() {
                missing = UidSet::default();
                looked = Looked::Again;
            }
        }
        // A place that no row has was expunged once: such a file is a stranger's now.
        let unknown: Vec<Uid> =
            survey.placed.keys().copied().filter(|uid| !known.contains_key(uid)).collect();
        for uid in unknown {
            survey.foreign.extend(survey.placed.remove(&uid));
        }
        self.put_back(&state, &folders, &mut survey, &known, returned)?;
        self.report_strange(&state, &survey);
        self.take_letters(group, out, mailbox, &survey, &known)?;
        if !missing.is_empty() {
            let modseq = self.forget(mailbox, &missing)?;
            self.drop_rows(mailbox, &missing);
            let removed = self.dirty.removed.entry(mailbox).or_default();
            missing.ranges().for_each(|(first, last)| removed.insert_range(first..=last));
            self.dirty.expunged.push((mailbox, missing.clone(), modseq));
            // The other program owes nobody a sync: until ours, only the lines keep these messages gone.
            self.follow.unsynced.insert(mailbox);
            for uids in missing.pieces(super::commit::PART_MAX) {
                group.command(Change::Gone { mailbox, uids: uids.clone() }, modseq);
                group.event(modseq, Cause::Outside, What::Gone { mailbox, uids });
            }
        }
        let uids = self.adopt_all(mailbox, &folders, &survey.foreign)?;
        if !uids.is_empty() {
            group.event(self.next.modseq, Cause::Outside, What::Arrived { mailbox, uids });
        }
        Ok(looked)
    }

    /// What differs between a name and what we last knew of it is what another program changed.
    fn take_letters(
        &mut self,
        group: &mut Group,
        out: &dyn Publish,
        mailbox: MailboxId,
        survey: &Survey,
        known: &BTreeMap<Uid, Row>,
    ) -> Result<(), StoreError> {
        let mut edits: BTreeMap<(bool, Flags), UidSet> = BTreeMap::new();
        let mut renamed = Vec::new();
        let validity = self.next.get(mailbox).ok_or(StoreError::NoMailbox)?.validity;
        for (uid, found) in &survey.placed {
            let Some(row) = known.get(uid) else { continue };
            let name = found.parsed();
            let (added, lost) =
                (name.flags.without(row.name_flags), row.name_flags.without(name.flags));
            for (add, flags) in [(true, added), (false, lost)] {
                if !flags.is_empty() {
                    edits.entry((add, flags)).or_default().insert(*uid);
                }
            }
            let stem = row.stem(validity) != name.stem();
            if stem || found.at() != row.at || name.flags != row.name_flags {
                let own = name.as_ours().is_none().then(|| name.stem().to_vec());
                renamed.push(Row {
                    name_flags: name.flags,
                    at: found.at(),
                    stem: own,
                    ..row.clone()
                });
            }
        }
        {
            let mut pending =
                self.common.pending.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            for row in renamed {
                debug_assert!(!matches!(row.at, At::Elsewhere(..)));
                self.dirty.forget_changes(mailbox, row.uid);
                pending.insert(mailbox, row);
                self.dirty.count += 1;
            }
        }
        self.dirty.folder(mailbox);
        for ((add, flags), uids) in edits {
            let edit = if add { FlagEdit::Add(flags) } else { FlagEdit::Remove(flags) };
            for part in uids.pieces(super::commit::PART_MAX) {
                if group.is_full() {
                    self.commit(std::mem::take(group), out);
                }
                if let (Some((uids, modseq)), _) = self.edit_flags(mailbox, &part, edit, None)? {
                    group.command(Change::Flags { mailbox, uids: uids.clone(), edit }, modseq);
                    group.event(modseq, Cause::Outside, What::Flags { mailbox, uids });
                }
            }
        }
        Ok(())
    }

    /// Mailboxes that another program made, renamed or removed.
    pub fn look_at_mailboxes(
        &mut self,
        group: &mut Group,
        out: &dyn Publish,
    ) -> Result<(), StoreError> {
        self.writable()?;
        self.follow_committed(group, out)?;
        self.flush();
        let on_disk = self.mailboxes_on_disk()?;
        let ids: Vec<MailboxId> =
            on_disk.iter().filter_map(|(_, text)| text.as_ref().map(|t| t.mailbox)).collect();
        for mailbox in self.next.iter().cloned().collect::<Vec<_>>() {
            if !ids.contains(&mailbox.id) && !mailbox.name.is_inbox() {
                self.next.remove(mailbox.id);
                self.forget_mailbox(mailbox.id);
                let modseq = self.advance();
                let (mailbox, name) = (mailbox.id, mailbox.name.clone());
                group.event(modseq, Cause::Outside, What::Deleted { mailbox, name });
            }
        }
        for (name, text) in on_disk {
            let known = text.as_ref().and_then(|text| self.next.get(text.mailbox)).cloned();
            match known {
                Some(mailbox) if mailbox.name == name => {}
                Some(mailbox) if !ids_has_two(&ids, mailbox.id) => {
                    let mut state = super::mailbox::Mailbox::clone(&mailbox);
                    state.name = name.clone();
                    self.next.insert(state);
                    self.dirty.folder(mailbox.id);
                    let modseq = self.advance();
                    let (mailbox, from) = (mailbox.id, mailbox.name.clone());
                    group.event(modseq, Cause::Outside, What::Renamed { mailbox, from, to: name });
                }
                Some(_) | None => {
                    if self.next.named(&name).is_some() {
                        continue;
                    }
                    let folders = super::folders::Folders::open(&self.maildir, &name)
                        .map_err(|error| StoreError::io("open a mailbox", &error))?;
                    let text = self.adopt_folder(&name, &folders)?;
                    self.enter(name.clone(), &text);
                    let modseq = self.next.modseq;
                    let mailbox = text.mailbox;
                    group.event(modseq, Cause::Outside, What::Created { mailbox, name });
                }
            }
        }
        Ok(())
    }
}

fn ids_has_two(ids: &[MailboxId], id: MailboxId) -> bool {
    ids.iter().filter(|&&other| other == id).count() > 1
}
