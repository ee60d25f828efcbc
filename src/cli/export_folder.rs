//! One mailbox as a folder that Dovecot takes over with its UIDs: messages, `dovecot-uidlist`, `dovecot-keywords`. The
//! folder may have been begun by an export that was cut off; what another program has written stays.

use crate::daemon::{MailboxHead, MessageRow};
use crate::maildir::{Dir, FORWARDED, FileName, Flags, Uid, UidSet, UidValidity, dovecot, in_cur};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A folder that is being written.
pub struct ExportFolder {
    dir: Dir,
    cur: Dir,
    tmp: Dir,
    /// UIDs and flags of messages that an export cut off has left, by rising UID.
    present: Vec<(Uid, Flags)>,
    uidlist: BufWriter<File>,
    listed: UidSet,
    forwarded: Flags,
    known: Flags,
}

/// A message that is being written.
pub struct ExportFile {
    file: BufWriter<File>,
    name: Vec<u8>,
}

/// Why a folder cannot be written.
#[derive(Debug)]
pub enum FolderError {
    /// Another program has worked in it.
    InUse,
    /// Its UIDs mean other messages than when the export was begun.
    MadeAnew,
    /// The disk.
    Io(io::Error),
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str(
                "Dovecot has worked in this folder since the export was begun, and what it wrote is not overwritten. \
                 Export into another folder",
            ),
            Self::MadeAnew => f.write_str(
                "the mailbox was deleted and made anew since this export was begun. Export into another folder",
            ),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for FolderError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

const UIDLIST: &[u8] = b"dovecot-uidlist";
/// Until the folder is whole.
const UIDLIST_NEW: &[u8] = b"dovecot-uidlist.pillarbox";
const KEYWORDS: &[u8] = b"dovecot-keywords";
const BUFFER: usize = 64 * 1024;

/// Keyword letters as Dovecot shall have them. What the letter `P` says it does not show, so `$Forwarded` gets one more.
pub fn keywords_for_dovecot(ours: &BTreeMap<u8, String>) -> BTreeMap<u8, String> {
    let mut keywords = ours.clone();
    let free = (0..26).find(|at| !ours.contains_key(at));
    if let Some(at) = free {
        keywords.insert(at, FORWARDED.to_owned());
    }
    keywords
}

impl ExportFolder {
    /// Makes the folder or goes on with it: `dir` is the Maildir itself for INBOX, else a folder in it.
    pub fn open(
        dir: Dir,
        head: &MailboxHead,
        keywords: &BTreeMap<u8, String>,
    ) -> Result<Self, FolderError> {
        if has_foreign_uidlist(&dir)? {
            return Err(FolderError::InUse);
        }
        let [cur, _, tmp] = [&b"cur"[..], b"new", b"tmp"].map(|sub| dir.make_folder(sub));
        let (cur, tmp) = (cur?, tmp?);
        dir.make_folder(b"new")?;
        if head.name != "INBOX" && !dir.has(b"maildirfolder") {
            dir.create(b"maildirfolder")?;
        }
        dir.replace(KEYWORDS, dovecot::keywords_text(keywords).as_bytes())?;
        let mut present = Vec::new();
        cur.each_name(|name| present.extend(read_name(name)))?;
        present.sort_unstable();
        remove(&dir, UIDLIST_NEW)?;
        let mut uidlist = BufWriter::new(dir.create(UIDLIST_NEW)?);
        let validity = UidValidity(head.uidvalidity);
        uidlist.write_all(dovecot::uidlist_head(validity, Uid(head.uidnext)).as_bytes())?;
        let forwarded = keywords.iter().find(|(_, name)| *name == FORWARDED);
        let letters = keywords.keys().map(|at| Flags::keyword(*at));
        Ok(Self {
            dir,
            cur,
            tmp,
            present,
            uidlist,
            listed: UidSet::default(),
            forwarded: forwarded.map_or(Flags::default(), |(at, _)| Flags::keyword(*at)),
            known: letters.fold(Flags::from_letters(b"DFPRST"), Flags::union),
        })
    }

    /// Is the message here already? Its flags are made those of the row.
    pub fn has(&mut self, row: &MessageRow) -> Result<bool, FolderError> {
        let uid = Uid(row.uid);
        let Ok(at) = self.present.binary_search_by_key(&uid, |(present, _)| *present) else {
            return Ok(false);
        };
        let Some((_, flags)) = self.present.get(at).copied() else { return Ok(false) };
        let (old, new) = (in_cur(base(row).as_bytes(), flags), self.name(row));
        match self.cur.read(&old) {
            Ok(file) if file.metadata()?.len() == row.size => {}
            // Cut off by a power cut.
            Ok(_) => {
                self.cur.unlink(&old)?;
                return Ok(false);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(FolderError::MadeAnew);
            }
            Err(error) => return Err(error.into()),
        }
        if old != new {
            self.cur.rename_new(&old, &self.cur, &new)?;
        }
        Ok(true)
    }

    fn name(&self, row: &MessageRow) -> Vec<u8> {
        let mut flags = Flags::from_letters(row.flags.as_bytes()).both(self.known);
        if flags.contains(Flags::FORWARDED) {
            flags = flags.union(self.forwarded);
        }
        in_cur(base(row).as_bytes(), flags)
    }

    /// A message begins.
    pub fn begin(&self, row: &MessageRow) -> Result<ExportFile, FolderError> {
        let name = self.name(row);
        remove(&self.tmp, &name)?;
        let file = BufWriter::with_capacity(BUFFER, self.tmp.create(&name)?);
        Ok(ExportFile { file, name })
    }

    /// It is whole: it gets its date and its place.
    pub fn finish(&self, row: &MessageRow, file: ExportFile) -> Result<(), FolderError> {
        let ExportFile { file, name } = file;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.set_modified(time(row.date))?;
        self.tmp.rename_new(&name, &self.cur, &name)?;
        Ok(())
    }

    /// It cannot be had.
    pub fn abandon(&self, file: &ExportFile) -> Result<(), FolderError> {
        Ok(remove(&self.tmp, &file.name)?)
    }

    /// Notes the UID of a message that is here; by rising UID.
    pub fn list(&mut self, row: &MessageRow) -> Result<(), FolderError> {
        self.listed.insert(Uid(row.uid));
        Ok(self.uidlist.write_all(dovecot::uidlist_line(Uid(row.uid), &base(row)).as_bytes())?)
    }

    /// The folder is whole.
    pub fn close(mut self) -> Result<(), FolderError> {
        self.uidlist.flush()?;
        if has_foreign_uidlist(&self.dir)? {
            return Err(FolderError::InUse);
        }
        if !self.present.is_empty() {
            // Expunged since the export was begun: Dovecot would take the file for new mail.
            let mut gone = Vec::new();
            self.cur.each_name(|name| {
                if read_name(name).is_some_and(|(uid, _)| !self.listed.contains(uid)) {
                    gone.push(name.to_vec());
                }
            })?;
            gone.iter().try_for_each(|name| self.cur.unlink(name))?;
        }
        Ok(self.dir.rename(UIDLIST_NEW, &self.dir, UIDLIST)?)
    }
}

impl ExportFile {
    /// Its next piece.
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)
    }
}

/// Dovecot's own list has a mailbox GUID in its first line, which ours leaves to it.
fn has_foreign_uidlist(dir: &Dir) -> io::Result<bool> {
    let file = match dir.read(UIDLIST) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    let mut line = String::new();
    BufReader::new(io::Read::take(file, 1000)).read_line(&mut line)?;
    Ok(line.contains(" G"))
}

fn remove(dir: &Dir, name: &[u8]) -> io::Result<()> {
    match dir.unlink(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A file's name before `:2,`. The UID tells copies of a message apart, and makes the name one that only an export gives.
fn base(row: &MessageRow) -> String {
    format!("{}.x{}U{}.pillarbox,S={}", row.date, row.id, row.uid, row.size)
}

/// The UID and flags of a name that an export has given.
fn read_name(name: &[u8]) -> Option<(Uid, Flags)> {
    let parsed = FileName::parse(name);
    let mut parts = parsed.base().split(|&b| b == b'.');
    let (_, unique, host) = (parts.next()?, parts.next()?, parts.next()?);
    let unique = std::str::from_utf8(unique).ok()?.strip_prefix('x')?;
    let (_, uid) = unique.split_once('U').filter(|_| host == b"pillarbox")?;
    Some((Uid(uid.parse().ok()?), parsed.flags))
}

fn time(seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::{Flags, MessageRow, Uid, base, keywords_for_dovecot, read_name};
    use std::collections::BTreeMap;

    #[test]
    fn a_name_tells_its_uid() {
        let row = MessageRow {
            uid: 42,
            id: "0123456789abcdef".into(),
            date: 1_279_334_665,
            size: 9,
            flags: "S".into(),
        };
        let name = format!("{}:2,Sa", base(&row));
        assert_eq!(read_name(name.as_bytes()), Some((Uid(42), Flags::from_letters(b"Sa"))));
        assert_eq!(read_name(b"1279334665.M1P2.host,S=9:2,S"), None);
        assert_eq!(read_name(b"1279334665.x0123456789abcdef.pillarbox,S=9,P=1.x:2,S"), None);
    }

    #[test]
    fn forwarded_gets_a_letter_while_there_is_one() {
        let some = BTreeMap::from([(0, "a".to_owned()), (2, "b".to_owned())]);
        assert_eq!(keywords_for_dovecot(&some)[&1], "$Forwarded");
        let all: BTreeMap<u8, String> = (0..26).map(|at| (at, format!("k{at}"))).collect();
        assert_eq!(keywords_for_dovecot(&all), all);
    }
}
