//! Opens an account. After an orderly stop nothing is listed; else the files are listed, the change log is replayed on
//! them, and the index is brought in line with what is there.

use super::cards::Cards;
use super::columns::FolderRow;
use super::commit::Group;
use super::core::{ACCOUNT_TEXT, Common, Core, FOLDER_TEXT, MODSEQ_BLOCK, SUBSCRIPTIONS};
use super::error::StoreError;
use super::folders::Folders;
use super::index::Index;
use super::mailbox::Mailbox;
use super::pending::{Dirty, Follow, Pending};
use crate::base::AccountId;
use crate::maildir::{
    AccountText, ChangeLog, Dir, FolderText, Kind, LogLine, MailboxId, MailboxName, ModSeq, Role,
    Uid, UniqueSource, parse_subscriptions,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

const TEXT_MAX: u64 = 1 << 20;
/// The mailboxes on the disk, and what `pillarbox-folder` in each says.
pub(super) type OnDisk = Vec<(MailboxName, Option<FolderText>)>;

impl Core {
    /// Opens an account's folder; makes what is missing. Also says which mailboxes must be looked at because another
    /// program may have been there.
    pub fn open(
        id: AccountId,
        path: &Path,
        cards: Arc<Cards>,
        common: Arc<Common>,
        unique: Arc<Mutex<UniqueSource>>,
    ) -> Result<(Self, Vec<MailboxId>), StoreError> {
        let io = |error: io::Error| StoreError::io("open the account", &error);
        let root = Dir::make_path(path).map_err(io)?;
        let maildir = root.make_folder_synced(b"Maildir").map_err(io)?;
        for sub in [&b"cur"[..], b"new", b"tmp"] {
            maildir.make_folder_synced(sub).map_err(io)?;
        }
        let tmp = maildir.folder(b"tmp").map_err(io)?;
        let text = match maildir.read_text(ACCOUNT_TEXT, TEXT_MAX).map_err(io)? {
            Some(text) => AccountText::parse(&text).map_err(|error| {
                StoreError::Io(
                    format!("{}/Maildir/pillarbox-account: {error}", path.display()).into(),
                )
            })?,
            None => AccountText::default(),
        };
        let subscriptions = maildir.read_text(SUBSCRIPTIONS, TEXT_MAX).map_err(io)?;
        let index = Index::open(path).map_err(StoreError::from)?;
        let (log, found) =
            ChangeLog::open(&maildir, index.generation().unwrap_or(0)).map_err(io)?;
        if let Some(aside) = &found.aside {
            log::error!(
                "account={id} change log unreadable, kept as Maildir/{aside}: flags, moves and expunges of the last \
                 minutes may be undone; mail itself is safe"
            );
        }
        // A start that failed for want of room may have left some.
        *common.pending.lock().unwrap_or_else(PoisonError::into_inner) = Pending::default();
        *unique.lock().unwrap_or_else(PoisonError::into_inner) =
            UniqueSource::new(text.unique_at_least);
        let mut core = Self {
            id,
            path: path.to_owned(),
            maildir,
            tmp,
            log,
            index,
            next: super::mailbox::Mailboxes::default(),
            modseq_reserve: found.reserve,
            common,
            unique,
            cards,
            follow: Follow::default(),
            dirty: Dirty::default(),
            broken: None,
        };
        core.next.text = Arc::new(text);
        core.next.subscriptions =
            Arc::new(subscriptions.map(|text| parse_subscriptions(&text)).unwrap_or_default());
        let looks = core.start(&found.lines, found.aside.is_some())?;
        Ok((core, looks))
    }

    fn start(&mut self, lines: &[LogLine], log_lost: bool) -> Result<Vec<MailboxId>, StoreError> {
        let sql = |error: rusqlite::Error| StoreError::from(error);
        let rows: BTreeMap<MailboxId, FolderRow> =
            self.index.folders().map_err(sql)?.into_iter().map(|row| (row.mailbox, row)).collect();
        let mark = self.index.clean_mark().map_err(sql)?;
        self.raise_unique_limit();
        self.replay_folders(lines)?;
        let floor = rows.values().map(|row| row.validity.0).max().unwrap_or(0);
        let clean = mark.filter(|mark| {
            mark.generation == self.log.generation() && self.log.is_empty() && !log_lost
        });
        self.next.modseq = match clean {
            Some(mark) => mark.modseq,
            None => rows
                .values()
                .map(|row| row.modseq)
                .max()
                .unwrap_or_default()
                .max(self.modseq_reserve),
        };
        let texts = self.settle_mailboxes(&rows, floor)?;
        if let Err(error) = self.common.expected.begin(&self.maildir) {
            log::warn!("account={} not watched, other programs are seen late: {error}", self.id);
        }
        for (name, text, uidnext) in &texts {
            self.enter_known(name, text, *uidnext, rows.get(&text.mailbox), clean.is_some());
        }
        self.default_mailboxes()?;
        let looks = match clean {
            Some(_) => {
                // An old mark must never fit again.
                self.begin_generation_now()?;
                self.changed_since(&rows)
            }
            None => {
                self.recover(lines, &rows)?;
                Vec::new()
            }
        };
        for id in self.next.ids() {
            self.watch(id);
        }
        Ok(looks)
    }

    /// The mailboxes that lie on the disk.
    pub fn mailboxes_on_disk(&self) -> Result<OnDisk, StoreError> {
        let io = |error: io::Error| StoreError::io("list the mailboxes", &error);
        let mut found = vec![MailboxName::inbox()];
        for entry in self.maildir.list().map_err(io)? {
            if entry.kind == Kind::Folder
                && let Some(name) = MailboxName::from_folder(&entry.name)
            {
                let folder = self.maildir.folder(&entry.name).map_err(io)?;
                if folder.has(b"cur") || folder.has(b"new") || folder.has(FOLDER_TEXT) {
                    found.push(name);
                }
            }
        }
        let read = |name: MailboxName| {
            let folder = match name.is_inbox() {
                true => self.maildir.clone(),
                false => self.maildir.folder(name.folder().as_bytes()).map_err(io)?,
            };
            let text = folder.read_text(FOLDER_TEXT, TEXT_MAX).map_err(io)?;
            let text = text.and_then(|text| match FolderText::parse(&text) {
                Ok(text) => Some(text),
                Err(error) => {
                    log::error!(
                        "account={} mailbox={name} pillarbox-folder unreadable ({error}): it gets a new UIDVALIDITY and \
                         phones download it again",
                        self.id
                    );
                    None
                }
            });
            Ok((name, text))
        };
        found.into_iter().map(read).collect()
    }

    /// Every mailbox gets a text of its own: one without gets one; of two with one id the one whose name the index has
    /// keeps it, or the older. With each, the least UIDNEXT that it can have.
    fn settle_mailboxes(
        &mut self,
        rows: &BTreeMap<MailboxId, FolderRow>,
        floor: u32,
    ) -> Result<Vec<(MailboxName, FolderText, Uid)>, StoreError> {
        let on_disk = self.mailboxes_on_disk()?;
        let highest =
            on_disk.iter().filter_map(|(_, text)| text.as_ref()).map(|t| t.validity.0).max();
        let highest = highest.unwrap_or(0).max(floor);
        if highest > self.next.text.validity_highest {
            let text =
                AccountText { validity_highest: highest, ..AccountText::clone(&self.next.text) };
            self.write_account_text(text)?;
        }
        let mut owners: BTreeMap<MailboxId, MailboxName> = BTreeMap::new();
        for (name, text) in &on_disk {
            let Some(text) = text else { continue };
            let better = owners.get(&text.mailbox).is_none_or(|other| {
                match rows.get(&text.mailbox).map(|row| &row.name) {
                    Some(known) if known == other => false,
                    Some(known) if known == name => true,
                    Some(_) | None => self.birth(name) < self.birth(other),
                }
            });
            if better {
                owners.insert(text.mailbox, name.clone());
            }
        }
        let mut texts = Vec::new();
        for (name, text) in on_disk {
            match text {
                Some(text) if owners.get(&text.mailbox) == Some(&name) => {
                    let uidnext = text.uidnext_at_least;
                    texts.push((name, text, uidnext));
                }
                Some(_) | None => {
                    let folders = Folders::open(&self.maildir, &name)
                        .map_err(|error| StoreError::io("open a mailbox", &error))?;
                    let text = self.adopt_folder(&name, &folders)?;
                    texts.push((name, text, Uid(1)));
                }
            }
        }
        Ok(texts)
    }

    fn birth(&self, name: &MailboxName) -> Option<i64> {
        self.maildir.folder(name.folder().as_bytes()).ok()?.birth()
    }

    fn enter_known(
        &mut self,
        name: &MailboxName,
        text: &FolderText,
        uidnext: Uid,
        row: Option<&FolderRow>,
        clean: bool,
    ) {
        let row = row.filter(|row| row.validity == text.validity);
        let uidnext = match row {
            Some(row) if clean => row.uidnext,
            Some(row) => row.uidnext.max(uidnext),
            None => uidnext,
        };
        let recent = row.map_or(Uid(1), |row| row.recent_from);
        self.common
            .recent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(text.mailbox, recent);
        self.next.insert(Mailbox {
            id: text.mailbox,
            name: name.clone(),
            role: text.role,
            validity: text.validity,
            uidnext,
            modseq: row.map_or(self.next.modseq, |row| row.modseq),
            known_since: row.map_or(self.next.modseq, |row| row.known_since),
            count: row.map_or(0, |row| row.count),
            unseen: row.map_or(0, |row| row.unseen),
            first_unseen: row.and_then(|row| row.first_unseen),
            bytes: row.map_or(0, |row| row.bytes),
            uid_limit: text.uidnext_at_least.max(uidnext),
            cell: Arc::default(),
        });
        if row.is_none_or(|row| row.name != *name) {
            self.dirty.folder(text.mailbox);
        }
    }

    /// INBOX and one mailbox a role are there from the start; a role whose mailbox was deleted does not come back.
    fn default_mailboxes(&mut self) -> Result<(), StoreError> {
        // The list of subscriptions is written last, so a first start that was cut off is done again.
        if self.maildir.has(SUBSCRIPTIONS) {
            return Ok(());
        }
        let mut group = Group::default();
        for role in Role::ALL {
            let name = MailboxName::new(role.default_name())?;
            if self.next.named(&name).is_none() {
                self.create_default(&mut group, name.clone(), role)?;
            }
            let mut names: BTreeSet<MailboxName> = (*self.next.subscriptions).clone();
            names.insert(name);
            names.insert(MailboxName::inbox());
            self.next.subscriptions = Arc::new(names);
        }
        let text = crate::maildir::subscriptions_text(&self.next.subscriptions);
        let written = self.maildir.replace(SUBSCRIPTIONS, text.as_bytes());
        written.map_err(|error| StoreError::io("write subscriptions", &error))
    }

    /// Mailboxes whose folders are not as an orderly stop left them.
    fn changed_since(&mut self, rows: &BTreeMap<MailboxId, FolderRow>) -> Vec<MailboxId> {
        let mut changed = Vec::new();
        for id in self.next.ids() {
            let same = self.folders(id).ok().zip(rows.get(&id)).is_some_and(|(folders, row)| {
                let same = |dir: &Dir, known| known != 0 && dir.mtime().ok() == Some(known);
                same(&folders.cur, row.cur_mtime) && same(&folders.new, row.new_mtime)
            });
            if !same {
                changed.push(id);
            }
        }
        changed
    }

    pub fn begin_generation_now(&mut self) -> Result<(), StoreError> {
        let reserve = ModSeq(self.next.modseq.0 + MODSEQ_BLOCK);
        self.log
            .begin_generation(reserve)
            .map_err(|error| StoreError::io("begin the change log", &error))?;
        self.modseq_reserve = reserve;
        Ok(())
    }
}
