//! Opens an account. After an orderly stop nothing is listed; else the files are listed, the change log is replayed on
//! them, and the index is brought in line with what is there.

use super::adopt::contents;
use super::arrive::{hash, thread};
use super::cards::Cards;
use super::commit::Group;
use super::core::{ACCOUNT_TEXT, Common, Core, FOLDER_TEXT, MODSEQ_BLOCK, SUBSCRIPTIONS, now};
use super::error::StoreError;
use super::folders::Folders;
use super::index::{FolderRow, Index};
use super::mailbox::Mailbox;
use super::pending::{Dirty, Follow};
use super::row::Row;
use super::survey::{Found, Survey};
use super::text::Lines;
use crate::base::AccountId;
use crate::maildir::{
    AccountText, ChangeLog, Dir, FileName, Flags, FolderText, Kind, LogLine, MailboxId,
    MailboxName, ModSeq, Role, Uid, UidSet, UniqueSource, parse_subscriptions,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const TEXT_MAX: u64 = 1 << 20;
/// Other programs' files in `tmp/` are removed after this.
const TMP_KEPT: Duration = Duration::from_hours(36);

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
        std::fs::create_dir_all(path).map_err(io)?;
        let root = Dir::open(path).map_err(io)?;
        let maildir = root.make_folder(b"Maildir").map_err(io)?;
        for sub in [&b"cur"[..], b"new", b"tmp"] {
            maildir.make_folder(sub).map_err(io)?;
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
        let index = Index::open(path).map_err(|error| StoreError::Io(error.to_string().into()))?;
        let (log, found) =
            ChangeLog::open(&maildir, index.generation().unwrap_or(0)).map_err(io)?;
        if let Some(aside) = &found.aside {
            log::error!(
                "account={id} change log unreadable, kept as Maildir/{aside}: flags, moves and expunges of the last \
                 minutes may be undone; mail itself is safe"
            );
        }
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
        let sql = |error: rusqlite::Error| StoreError::Io(error.to_string().into());
        let rows: BTreeMap<MailboxId, FolderRow> =
            self.index.folders().map_err(sql)?.into_iter().map(|row| (row.mailbox, row)).collect();
        let mark = self.index.clean_mark().map_err(sql)?;
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
        self.raise_unique_limit();
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

    fn begin_generation_now(&mut self) -> Result<(), StoreError> {
        let reserve = ModSeq(self.next.modseq.0 + MODSEQ_BLOCK);
        self.log
            .begin_generation(reserve)
            .map_err(|error| StoreError::io("begin the change log", &error))?;
        self.modseq_reserve = reserve;
        Ok(())
    }

    /// After a stop that was not orderly (store.md, start): files first, then rows, then strangers.
    fn recover(
        &mut self,
        lines: &[LogLine],
        rows: &BTreeMap<MailboxId, FolderRow>,
    ) -> Result<(), StoreError> {
        let mut surveys = BTreeMap::new();
        let mut known_rows: BTreeMap<MailboxId, BTreeMap<Uid, Row>> = BTreeMap::new();
        let mailboxes: Vec<Arc<Mailbox>> = self.next.iter().cloned().collect();
        for mailbox in &mailboxes {
            let folders = self.folders(mailbox.id)?;
            let mut survey = Survey::take(&folders, mailbox.validity, mailbox.uid_limit)
                .map_err(|error| StoreError::io("list a mailbox", &error))?;
            let mut known = BTreeMap::new();
            if rows.get(&mailbox.id).is_some_and(|row| row.validity == mailbox.validity) {
                self.index
                    .each_row(mailbox.id, Uid(0), Uid(u32::MAX), usize::MAX, |row| {
                        known.insert(row.uid, row);
                    })
                    .map_err(|error| StoreError::Io(error.to_string().into()))?;
            }
            let returned = survey.settle(&known, mailbox.validity);
            self.put_back(mailbox, &folders, &mut survey, &known, returned)?;
            self.report_strange(mailbox, &survey);
            surveys.insert(mailbox.id, survey);
            known_rows.insert(mailbox.id, known);
        }
        let validities = mailboxes.iter().map(|mailbox| (mailbox.id, mailbox.validity)).collect();
        self.replay(lines, &mut surveys, &validities)?;
        self.empty_tmp();
        // Everything that this start touches gets a MODSEQ above every one that was shown.
        let modseq = self.advance();
        for mailbox in &mailboxes {
            let survey = surveys.remove(&mailbox.id).unwrap_or_default();
            let known = known_rows.remove(&mailbox.id).unwrap_or_default();
            self.recover_mailbox(mailbox, survey, known, modseq)?;
        }
        self.begin_generation_now()
    }

    /// Names that lost our place field get it back.
    pub fn put_back(
        &mut self,
        mailbox: &Mailbox,
        folders: &Folders,
        survey: &mut Survey,
        known: &BTreeMap<Uid, Row>,
        returned: Vec<(Uid, Found)>,
    ) -> Result<(), StoreError> {
        let any = !returned.is_empty();
        for (uid, found) in returned {
            let Some(row) = known.get(&uid) else { continue };
            let name = row.cur_name(mailbox.validity, found.parsed().flags);
            self.rename_own(
                (mailbox.id, found.sub, folders, &found.name),
                (mailbox.id, folders, &name),
            )?;
            let sub = super::folders::Sub::Cur;
            survey.placed.insert(uid, Found { sub, name, inode: found.inode });
        }
        if any { self.sync_all(&BTreeSet::from([mailbox.id])) } else { Ok(()) }
    }

    pub fn report_strange(&self, mailbox: &Mailbox, survey: &Survey) {
        if survey.strange > 0 {
            log::warn!(
                "account={} mailbox={} strange={} links, FIFOs or folders lie among the messages; they are not served",
                self.id,
                mailbox.name,
                survey.strange
            );
        }
    }

    fn recover_mailbox(
        &mut self,
        mailbox: &Mailbox,
        survey: Survey,
        mut known: BTreeMap<Uid, Row>,
        modseq: ModSeq,
    ) -> Result<(), StoreError> {
        let folders = self.folders(mailbox.id)?;
        let mut rows = Vec::with_capacity(survey.placed.len());
        let mut broken = false;
        for (uid, found) in survey.placed {
            let name = found.parsed();
            let same = known
                .remove(&uid)
                .filter(|row| crate::maildir::base(&row.stem(mailbox.validity)) == name.base());
            match same {
                Some(mut row) => {
                    if row.flags != name.flags {
                        (row.flags, row.modseq) = (name.flags, modseq);
                    }
                    (row.name_flags, row.at) = (name.flags, found.at());
                    row.stem = name.as_ours().is_none().then(|| name.stem().to_vec());
                    rows.push(row);
                }
                None => match self.row_from_file(&folders, uid, &found, &name, modseq)? {
                    Some(row) => rows.push(row),
                    None => broken |= self.set_broken_aside(mailbox, &folders, &found)?,
                },
            }
        }
        if broken {
            self.sync_all(&BTreeSet::from([mailbox.id]))?;
        }
        let missing: UidSet = known.keys().copied().collect();
        let next = self.next.edit(mailbox.id)?;
        next.modseq = modseq;
        let flags = |row: &Row| row.flags.contains(Flags::SEEN);
        next.count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        next.unseen = u32::try_from(rows.iter().filter(|row| !flags(row)).count()).unwrap_or(0);
        next.first_unseen =
            rows.iter().position(|row| !flags(row)).and_then(|at| u32::try_from(at + 1).ok());
        next.bytes = rows.iter().map(|row| row.size).sum();
        let index_uidnext = mailbox.uidnext;
        let highest = rows.last().and_then(|row| row.uid.next()).unwrap_or(Uid(1));
        next.uidnext = index_uidnext.max(highest);
        let folder_row = self.folder_row(
            &Mailbox::clone(self.next.get(mailbox.id).ok_or(StoreError::NoMailbox)?),
            (0, 0),
        );
        let id = mailbox.id;
        self.index
            .write(|writer| {
                writer.clean_mark(None)?;
                writer.folder(&folder_row)?;
                writer.messages(id, &rows)?;
                if !missing.is_empty() {
                    writer.remove(id, &missing)?;
                    writer.expunged(id, &missing, modseq)?;
                }
                Ok(())
            })
            .map_err(|error| StoreError::Io(error.to_string().into()))?;
        drop(rows);
        self.adopt_all(id, &folders, &survey.foreign)?;
        self.flush();
        Ok(())
    }

    /// Adopts foreign files into a mailbox; their names are synced before this returns.
    pub fn adopt_all(
        &mut self,
        mailbox: MailboxId,
        folders: &Folders,
        foreign: &[Found],
    ) -> Result<UidSet, StoreError> {
        let mut rows = Vec::new();
        let modseq = if foreign.is_empty() { self.next.modseq } else { self.advance() };
        for found in foreign {
            if let Some(row) = self.adopt(mailbox, folders, found)? {
                rows.push(Row { modseq, ..row });
            }
        }
        if !rows.is_empty() {
            self.sync_all(&BTreeSet::from([mailbox]))?;
        }
        let uids = rows.iter().map(|row| row.uid).collect();
        self.arrive_rows(mailbox, rows)?;
        Ok(uids)
    }

    /// A row for a file that the index does not know; `None` if a power cut left it unfinished.
    fn row_from_file(
        &mut self,
        folders: &Folders,
        uid: Uid,
        found: &Found,
        name: &FileName,
        modseq: ModSeq,
    ) -> Result<Option<Row>, StoreError> {
        let io = |error: io::Error| StoreError::io("read a message", &error);
        let ours = name.own_unique().is_some();
        let file = folders.sub(found.sub).read(&found.name).map_err(io)?;
        let lines = if ours { Lines::AsTheyAre } else { Lines::Crlf };
        let seen = contents(file, lines).map_err(io)?;
        let whole = name.size() == Some(seen.file_size) && (!seen.hole || name.has_nul());
        if ours && !whole {
            return Ok(None);
        }
        let Some(email_id) = name.email_id() else { return Ok(None) };
        let date = name.seconds().unwrap_or(0);
        self.dirty.cards.push((email_id, seen.size, seen.card.encode()));
        if self.dirty.cards.len() >= 256 {
            let cards = std::mem::take(&mut self.dirty.cards);
            self.cards.write(self.id, &cards);
        }
        Ok(Some(Row {
            uid,
            flags: name.flags,
            name_flags: name.flags,
            modseq,
            at: found.at(),
            date,
            zone: name.zone(),
            saved: date,
            size: seen.size,
            nul: name.has_nul(),
            email_id,
            message_id: seen.card.message_id.as_deref().map_or(0, hash),
            thread: thread(&seen.card, email_id),
            stem: name.as_ours().is_none().then(|| name.stem().to_vec()),
        }))
    }

    /// What a power cut left of a message that was never acknowledged is kept aside, not shown.
    fn set_broken_aside(
        &mut self,
        mailbox: &Mailbox,
        folders: &Folders,
        found: &Found,
    ) -> Result<bool, StoreError> {
        let io = |error: io::Error| StoreError::io("set a broken file aside", &error);
        let account = Dir::open(&self.path).map_err(io)?;
        let aside = account.make_folder(b"broken").map_err(io)?;
        folders.sub(found.sub).rename(&found.name, &aside, &found.name).map_err(io)?;
        log::warn!(
            "account={} mailbox={} file={} was cut off before it was acknowledged; it is kept in broken/",
            self.id,
            mailbox.name,
            String::from_utf8_lossy(&found.name)
        );
        Ok(true)
    }

    fn empty_tmp(&mut self) {
        let old = now() - TMP_KEPT;
        for entry in self.tmp.list().unwrap_or_default() {
            let text = String::from_utf8_lossy(&entry.name);
            let hex = text.strip_prefix(['x', 'm']).map(|rest| rest.trim_end_matches(".deleted"));
            let ours = hex.is_some_and(|hex| crate::maildir::Unique::from_hex(hex).is_some());
            let stale = self.tmp.file_mtime(&entry.name).is_ok_and(|at| at < old.seconds());
            let removed = match entry.kind {
                Kind::File if ours || stale => self.tmp.unlink(&entry.name),
                Kind::Folder if ours => self.tmp.remove_all(&entry.name),
                Kind::File | Kind::Folder | Kind::Strange => Ok(()),
            };
            if let Err(error) = removed {
                log::warn!("account={} tmp/{text} cannot be removed: {error}", self.id);
            }
        }
    }
}
