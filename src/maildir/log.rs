//! `pillarbox-changes`, the account's change log: a file of fixed size that is there before it is needed, so that a
//! change costs one `fdatasync` and 4 KiB. The first sector holds the head line of a generation alone; lines of any
//! other generation are left-overs and count for nothing.

use super::change::{Change, LogLine};
use super::dir::Dir;
use super::ids::ModSeq;
use rustix::fs::{self, Advice};
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

const NAME: &[u8] = b"pillarbox-changes";
const SIZE: usize = 256 * 1024;
const SECTOR: usize = 512;

/// The open log.
#[derive(Debug)]
pub struct ChangeLog {
    file: File,
    generation: u64,
    /// Of the last line.
    number: u64,
    /// Where the next line goes.
    end: usize,
}

/// What stood in the log when it was opened.
#[derive(Debug, Default)]
pub struct Found {
    /// The lines that count, without the head, in order.
    pub lines: Vec<LogLine>,
    /// No MODSEQ at or above this was shown.
    pub reserve: ModSeq,
    /// The log could not be read and was kept aside under this name: a loud finding.
    pub aside: Option<String>,
}

/// Why lines were not appended.
#[derive(Debug)]
pub enum AppendError {
    /// They do not fit what is left: names must follow and a generation begin.
    Full,
    /// The disk refused; nothing may be believed of this log any more.
    Io(io::Error),
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the change log is full"),
            Self::Io(error) => write!(f, "the change log cannot be written: {error}"),
        }
    }
}

impl ChangeLog {
    /// Opens the log of a Maildir, or makes one. `generation_floor` is what the index remembers: a log begun anew
    /// gets a higher generation.
    pub fn open(maildir: &Dir, generation_floor: u64) -> io::Result<(Self, Found)> {
        let file = match maildir.update(NAME) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Self::make(maildir, generation_floor, Found::default());
            }
            other => other?,
        };
        let mut bytes = vec![0; SIZE];
        let size = read_full(&file, &mut bytes)?;
        drop_cached(&file);
        bytes.truncate(size);
        let head = bytes.get(..SECTOR).and_then(first_line).map(|(line, _)| line);
        match head {
            Some(LogLine { generation, number: 1, change: Change::Reserve, modseq, .. })
                if size == SIZE =>
            {
                let mut log = Self { file, generation, number: 1, end: SECTOR };
                let mut found = Found { reserve: modseq, ..Found::default() };
                log.read_lines(&bytes, &mut found);
                Ok((log, found))
            }
            _ => {
                let aside = aside_name(maildir);
                maildir.rename(NAME, maildir, aside.as_bytes())?;
                let found = Found { aside: Some(aside), ..Found::default() };
                Self::make(maildir, generation_floor, found)
            }
        }
    }

    fn make(maildir: &Dir, generation_floor: u64, found: Found) -> io::Result<(Self, Found)> {
        let temporary = b"pillarbox-changes.new";
        if maildir.has(temporary) {
            maildir.unlink(temporary)?;
        }
        let mut file = maildir.create(temporary)?;
        let generation = generation_floor + 1;
        file.write_all(&sector(generation, found.reserve))?;
        // In small pieces: a large write dirties large folios, and each later 4 KiB would count as one.
        file.write_all(&[0; 4096 - SECTOR])?;
        for _ in 1..SIZE / 4096 {
            file.write_all(&[0; 4096])?;
        }
        file.sync_all()?;
        drop_cached(&file);
        maildir.rename(temporary, maildir, NAME)?;
        maildir.sync()?;
        Ok((Self { file, generation, number: 1, end: SECTOR }, found))
    }

    /// Takes the lines that count; a command's lines only if all of them are there.
    fn read_lines(&mut self, bytes: &[u8], found: &mut Found) {
        let mut open: Vec<LogLine> = Vec::new();
        let (mut at, mut number) = (SECTOR, self.number);
        while let Some((line, len)) = bytes.get(at..).and_then(first_line) {
            let expected = (open.len() + 1, open.first().map_or(line.part.1, |first| first.part.1));
            let fits =
                (line.part.0 as usize, line.part.1) == expected && line.part.0 <= line.part.1;
            if line.generation != self.generation || line.number != number + 1 || !fits {
                break;
            }
            (at, number) = (at + len, line.number);
            open.push(line);
            if open.len() == expected.1 as usize {
                for line in open.drain(..) {
                    match line.change {
                        Change::Reserve => found.reserve = found.reserve.max(line.modseq),
                        _ => found.lines.push(line),
                    }
                }
                (self.end, self.number) = (at, number);
            }
        }
    }

    /// Which log this is.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Is there any line after the head?
    pub const fn is_empty(&self) -> bool {
        self.number == 1
    }

    /// Is it at least half full?
    pub const fn is_half_full(&self) -> bool {
        self.end > SIZE / 2
    }

    /// The most bytes of lines that one log takes.
    pub const fn capacity() -> usize {
        SIZE - SECTOR
    }

    /// Makes commands durable: each of them whole or not at all. One write, one `fdatasync`.
    pub fn append(&mut self, commands: &[(Vec<Change>, ModSeq)]) -> Result<(), AppendError> {
        let (mut text, mut number) = (String::new(), self.number);
        for (changes, modseq) in commands {
            let parts = u32::try_from(changes.len()).unwrap_or(u32::MAX);
            for (part, change) in (1..).zip(changes) {
                number += 1;
                let line = LogLine {
                    generation: self.generation,
                    number,
                    part: (part, parts),
                    change: change.clone(),
                    modseq: *modseq,
                };
                text.push_str(&line.text());
            }
        }
        if self.end + text.len() > SIZE {
            return Err(AppendError::Full);
        }
        self.file
            .write_all_at(text.as_bytes(), self.end as u64)
            .and_then(|()| self.file.sync_data())
            .map_err(AppendError::Io)?;
        (self.end, self.number) = (self.end + text.len(), number);
        Ok(())
    }

    /// Begins the next generation: every line so far has been followed by the names and is forgotten. One
    /// `fdatasync`. No other line may be written before this is done.
    pub fn begin_generation(&mut self, reserve: ModSeq) -> io::Result<()> {
        let generation = self.generation + 1;
        self.file.write_all_at(&sector(generation, reserve), 0)?;
        self.file.sync_data()?;
        (self.generation, self.number, self.end) = (generation, 1, SECTOR);
        Ok(())
    }
}

fn sector(generation: u64, reserve: ModSeq) -> Vec<u8> {
    let head =
        LogLine { generation, number: 1, part: (1, 1), change: Change::Reserve, modseq: reserve };
    let mut sector = head.text().into_bytes();
    sector.resize(SECTOR, 0);
    sector
}

fn first_line(bytes: &[u8]) -> Option<(LogLine, usize)> {
    let end = bytes.iter().take(4096).position(|&b| b == b'\n')?;
    let line = std::str::from_utf8(bytes.get(..end)?).ok()?;
    Some((LogLine::parse(line)?, end + 1))
}

fn read_full(file: &File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut at = 0;
    while let Some(rest) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at as u64)? {
            0 => break,
            count => at += count,
        }
    }
    Ok(at)
}

/// Large folios in the cache would make each later line count as a large write.
fn drop_cached(file: &File) {
    // Advice only: where it is refused, nothing but a count suffers.
    let _ = fs::fadvise(file, 0, None, Advice::DontNeed);
}

fn aside_name(maildir: &Dir) -> String {
    let name = |n: u32| format!("pillarbox-changes.unreadable-{n}");
    (1..=9999).map(name).find(|name| !maildir.has(name.as_bytes())).unwrap_or_else(|| name(0))
}

#[cfg(test)]
mod tests {
    use super::{AppendError, Change, ChangeLog, Dir, ModSeq, SECTOR};
    use crate::maildir::ids::{MailboxId, Uid, Unique};
    use crate::maildir::uid_set::UidSet;
    use std::os::unix::fs::FileExt;
    use std::path::PathBuf;

    fn folder(name: &str) -> (PathBuf, Dir) {
        let path =
            std::env::temp_dir().join(format!("pillarbox-log-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        let dir = Dir::open(&path).unwrap();
        (path, dir)
    }

    fn gone(uid: u32) -> Change {
        Change::Gone { mailbox: MailboxId(Unique(1)), uids: UidSet::one(Uid(uid)) }
    }

    #[test]
    fn a_command_counts_whole_or_not_at_all() {
        let (path, dir) = folder("whole");
        let (mut log, found) = ChangeLog::open(&dir, 4).unwrap();
        assert!(found.lines.is_empty() && log.is_empty() && log.generation() == 5);
        log.append(&[(vec![gone(1)], ModSeq(1)), (vec![gone(2), gone(3)], ModSeq(2))]).unwrap();
        let (_, found) = ChangeLog::open(&dir, 0).unwrap();
        assert_eq!(found.lines.len(), 3);
        // Tear the last line: the command of two goes, the one before stays.
        let file =
            std::fs::OpenOptions::new().write(true).open(path.join("pillarbox-changes")).unwrap();
        file.write_all_at(&[0; 8], (log.end - 8) as u64).unwrap();
        let (mut log, found) = ChangeLog::open(&dir, 0).unwrap();
        assert_eq!(found.lines.len(), 1);
        // The next command is written over what was torn.
        log.append(&[(vec![gone(9)], ModSeq(3))]).unwrap();
        let (mut log, found) = ChangeLog::open(&dir, 0).unwrap();
        assert_eq!(
            found.lines.iter().map(|l| l.change.clone()).collect::<Vec<_>>(),
            [gone(1), gone(9)]
        );
        log.begin_generation(ModSeq(1000)).unwrap();
        let (log, found) = ChangeLog::open(&dir, 0).unwrap();
        assert_eq!((found.lines.len(), found.reserve, log.generation()), (0, ModSeq(1000), 6));
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_full_log_says_so_and_an_unreadable_one_is_kept() {
        let (path, dir) = folder("full");
        let (mut log, _) = ChangeLog::open(&dir, 0).unwrap();
        let full = loop {
            let many: Vec<_> = (1..200).map(|uid| (vec![gone(uid)], ModSeq(1))).collect();
            if let Err(error) = log.append(&many) {
                break error;
            }
        };
        assert!(matches!(full, AppendError::Full) && log.is_half_full());
        let file =
            std::fs::OpenOptions::new().write(true).open(path.join("pillarbox-changes")).unwrap();
        file.write_all_at(&[b'x'; SECTOR], 0).unwrap();
        let (log, found) = ChangeLog::open(&dir, 7).unwrap();
        assert_eq!(log.generation(), 8);
        assert!(path.join(found.aside.unwrap()).exists());
        std::fs::remove_dir_all(path).unwrap();
    }
}
