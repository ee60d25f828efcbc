//! `index.db`, an account's write-behind copy of names and flags (the only SQL of the store but for search). It is
//! never synced for an answer, nothing is removed from the disk because it says so, and when it is lost or damaged it is made anew.

use super::array::Entry;
use super::columns::{COLUMNS, CleanMark, FolderRow, PLACE_NEW, PLACE_NUL, Sql, number, signed};
use super::index_writer::Writer;
use super::row::{At, Row};
use crate::maildir::{Flags, MailboxId, MailboxName, ModSeq, Uid, UidSet, UidValidity, Unique};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use std::path::{Path, PathBuf};

/// A connection, for one thread at a time.
#[derive(Debug)]
pub struct Index {
    db: Connection,
}

const VERSION: i64 = 2;
const SCHEMA: &str = "
CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE folders(id INTEGER PRIMARY KEY, mailboxid INTEGER NOT NULL UNIQUE, name TEXT NOT NULL,
  uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL, modseq INTEGER NOT NULL, known_since INTEGER NOT NULL,
  count INTEGER NOT NULL, unseen INTEGER NOT NULL, first_unseen INTEGER, bytes INTEGER NOT NULL,
  recent_from INTEGER NOT NULL, cur_mtime INTEGER NOT NULL, new_mtime INTEGER NOT NULL);
CREATE TABLE messages(folder INTEGER NOT NULL, uid INTEGER NOT NULL, flags INTEGER NOT NULL, nameflags INTEGER NOT NULL,
  modseq INTEGER NOT NULL, place INTEGER NOT NULL, date INTEGER NOT NULL, zone INTEGER NOT NULL, saved INTEGER NOT NULL,
  size INTEGER NOT NULL, emailid INTEGER NOT NULL, msgid INTEGER NOT NULL, thread INTEGER NOT NULL, foreign_name BLOB,
  PRIMARY KEY(folder, uid)) WITHOUT ROWID;
CREATE TABLE expunged(folder INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, modseq INTEGER NOT NULL,
  PRIMARY KEY(folder, first, modseq)) WITHOUT ROWID;
";

/// Plans stay as they are: otherwise each number that is bound may make SQLite plan again, which takes longer than most
/// queries here.
fn connect(path: &Path) -> Sql<Connection> {
    let db = Connection::open(path)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(db)
}

impl Index {
    /// Opens or makes the file. One that is damaged or of another version is removed and made anew.
    pub fn open(account: &Path) -> Sql<Self> {
        let path = account.join("index.db");
        match Self::open_sound(&path) {
            Ok(index) => Ok(index),
            // There is nothing wrong with a file that cannot be opened for want of room.
            Err(error) if is_no_room(&error) => Err(error),
            Err(error) => {
                log::warn!(
                    "index={} unusable=\"{error}\" made anew from the Maildir",
                    path.display()
                );
                remove(&path);
                Self::open_sound(&path)
            }
        }
    }

    fn open_sound(path: &Path) -> Sql<Self> {
        let mut db = connect(path)?;
        db.execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=1000;
             PRAGMA journal_size_limit=8388608; PRAGMA cache_size=-1000; PRAGMA mmap_size=0;
             PRAGMA temp_store=FILE;",
        )?;
        let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match version {
            VERSION => {
                // Reads the header of every table; a file cut to pieces shows here.
                db.query_row("SELECT count(*) FROM meta", [], |row| row.get::<_, i64>(0))?;
                db.query_row("SELECT count(*) FROM folders", [], |row| row.get::<_, i64>(0))?;
            }
            0 => {
                let transaction = db.transaction()?;
                transaction.execute_batch(SCHEMA)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
                transaction.commit()?;
            }
            _ => return Err(rusqlite::Error::InvalidQuery),
        }
        Ok(Self { db })
    }

    /// A second connection, for reading beside the writer.
    pub fn reader(account: &Path) -> Sql<Self> {
        let db = connect(&account.join("index.db"))?;
        db.execute_batch("PRAGMA cache_size=-1000; PRAGMA mmap_size=0; PRAGMA query_only=1;")?;
        Ok(Self { db })
    }

    /// All of a change of rows goes in one transaction.
    pub fn write<T>(&mut self, work: impl FnOnce(&Writer<'_>) -> Sql<T>) -> Sql<T> {
        let transaction = self.db.transaction()?;
        let result = work(&Writer::new(&transaction))?;
        transaction.commit()?;
        Ok(result)
    }

    /// Every mailbox. One whose name is no name any more is left out: it is found again by its folder.
    pub fn folders(&self) -> Sql<Vec<FolderRow>> {
        let mut statement = self.db.prepare_cached(
            "SELECT mailboxid, name, uidvalidity, uidnext, modseq, known_since, count, unseen, first_unseen, bytes,
             recent_from, cur_mtime, new_mtime FROM folders",
        )?;
        let rows = statement.query_map([], |row| {
            let name: String = row.get(1)?;
            Ok(MailboxName::new(&name).ok().map(|name| (name, row)).map(|(name, row)| {
                Ok(FolderRow {
                    mailbox: MailboxId(unique(row.get(0)?)),
                    name,
                    validity: UidValidity(row.get(2)?),
                    uidnext: Uid(row.get(3)?),
                    modseq: ModSeq(number(row.get(4)?)),
                    known_since: ModSeq(number(row.get(5)?)),
                    count: row.get(6)?,
                    unseen: row.get(7)?,
                    first_unseen: row.get(8)?,
                    bytes: number(row.get(9)?),
                    recent_from: Uid(row.get(10)?),
                    cur_mtime: row.get(11)?,
                    new_mtime: row.get(12)?,
                })
            }))
        })?;
        let rows: Vec<Option<Sql<FolderRow>>> = rows.collect::<Sql<_>>()?;
        rows.into_iter().flatten().collect()
    }

    /// UID, flags and MODSEQ of a mailbox, rising.
    pub fn entries(&self, mailbox: MailboxId) -> Sql<Vec<Entry>> {
        let mut statement = self.db.prepare_cached(
            "SELECT uid, flags, modseq FROM messages WHERE folder=(SELECT id FROM folders WHERE mailboxid=?) ORDER BY uid",
        )?;
        let rows = statement.query_map([mailbox.0.0.cast_signed()], |row| {
            Ok(Entry {
                uid: Uid(row.get(0)?),
                flags: Flags(row.get(1)?),
                modseq: ModSeq(number(row.get(2)?)),
            })
        })?;
        rows.collect()
    }

    /// UIDs that were expunged after this change.
    pub fn expunged_since(&self, mailbox: MailboxId, since: ModSeq) -> Sql<UidSet> {
        let mut statement = self.db.prepare_cached(
            "SELECT first, last FROM expunged WHERE folder=(SELECT id FROM folders WHERE mailboxid=?)
             AND modseq>? ORDER BY first",
        )?;
        let mut rows = statement.query(params![mailbox.0.0.cast_signed(), signed(since.0)])?;
        let mut uids = UidSet::default();
        while let Some(row) = rows.next()? {
            uids.insert_range(Uid(row.get(0)?)..=Uid(row.get(1)?));
        }
        Ok(uids)
    }

    /// Whole rows from `first` to `last`, rising, at most `limit`.
    pub fn rows(&self, mailbox: MailboxId, first: Uid, last: Uid, limit: usize) -> Sql<Vec<Row>> {
        let mut rows = Vec::new();
        self.each_row(mailbox, first, last, limit, |row| rows.push(row))?;
        Ok(rows)
    }

    /// The same without keeping them all.
    pub fn each_row(
        &self,
        mailbox: MailboxId,
        first: Uid,
        last: Uid,
        limit: usize,
        mut take: impl FnMut(Row),
    ) -> Sql<()> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM messages WHERE folder=(SELECT id FROM folders WHERE mailboxid=?)
             AND uid BETWEEN ? AND ? ORDER BY uid LIMIT ?"
        ))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows =
            statement.query(params![mailbox.0.0.cast_signed(), first.0, last.0, limit])?;
        while let Some(row) = rows.next()? {
            take(read_row(row)?);
        }
        Ok(())
    }

    /// All flags that any message of the account bears.
    pub fn all_flags(&self) -> Sql<Flags> {
        let mut statement = self.db.prepare_cached("SELECT DISTINCT flags FROM messages")?;
        let rows = statement.query_map([], |row| row.get(0).map(Flags))?;
        rows.collect::<Sql<Vec<_>>>()
            .map(|all| all.into_iter().fold(Flags::default(), Flags::union))
    }

    /// What the last orderly stop left.
    pub fn clean_mark(&self) -> Sql<Option<CleanMark>> {
        let value = |key: &str| {
            self.db
                .query_row("SELECT value FROM meta WHERE key=?", [key], |row| row.get::<_, i64>(0))
                .optional()
        };
        let (generation, modseq) = (value("clean_generation")?, value("clean_modseq")?);
        Ok(generation.zip(modseq).map(|(generation, modseq)| CleanMark {
            generation: number(generation),
            modseq: ModSeq(number(modseq)),
        }))
    }

    /// The highest change log generation that this index has seen.
    pub fn generation(&self) -> Sql<u64> {
        let value = self
            .db
            .query_row("SELECT value FROM meta WHERE key='generation'", [], |row| row.get(0))
            .optional()?;
        Ok(number(value.unwrap_or(0)))
    }
}

fn read_row(row: &rusqlite::Row<'_>) -> Sql<Row> {
    let place: i64 = row.get(4)?;
    Ok(Row {
        uid: Uid(row.get(0)?),
        flags: Flags(row.get(1)?),
        name_flags: Flags(row.get(2)?),
        modseq: ModSeq(number(row.get(3)?)),
        at: if place & PLACE_NEW != 0 { At::New } else { At::Cur },
        date: row.get(5)?,
        zone: row.get(6)?,
        saved: row.get(7)?,
        size: number(row.get(8)?),
        nul: place & PLACE_NUL != 0,
        email_id: unique(row.get(9)?),
        message_id: row.get::<_, i64>(10)?.cast_unsigned(),
        thread: row.get::<_, i64>(11)?.cast_unsigned(),
        stem: row.get(12)?,
    })
}

fn unique(value: i64) -> Unique {
    Unique(value.cast_unsigned())
}

fn is_no_room(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DiskFull | ErrorCode::CannotOpen))
}

/// Takes the index of an account away; who has it open keeps what is left of it, the next start makes another.
pub(super) fn remove_of(account: &Path) {
    remove(&account.join("index.db"));
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        let file = PathBuf::from(file);
        if let Err(error) = std::fs::remove_file(&file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            log::warn!("file={} cannot be removed: {error}", file.display());
        }
    }
}
