//! The folder of the queue: what is begun, changed and removed there. A message is in it whole or not at all, and each
//! change that must not be undone is synced before anybody is told; those who sync the folder at the same time share it.

use super::envelope::Envelope;
use super::error::SpoolError;
use super::history::Try;
use super::layout::{HEAD_LEN, Hold, Layout, STAGE_AT, Stage};
use super::queued::{MessageId, Outgoing, Queued};
use crate::base::Timestamp;
use rustix::fs::{Mode, OFlags};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The open folder.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    folder: File,
    /// Changes of the folder so far, and how many of them are safe; an error is for ever.
    changes: AtomicU64,
    safe: Mutex<Result<u64, io::ErrorKind>>,
    last_id: Mutex<u64>,
}

/// The queue as it was found.
#[derive(Debug)]
pub struct Opened {
    /// The folder.
    pub spool: Arc<Spool>,
    /// Its messages, in the order of their names.
    pub queued: Vec<Queued>,
}

/// An envelope is not longer: a thousand recipients with all their parameters.
const ENVELOPE_LEN_MAX: u64 = 4 << 20;
/// Of the history, the end.
const HISTORY_LEN_MAX: u64 = 1 << 20;
const SUM_PIECE_LEN: usize = 64 * 1024;

impl Spool {
    /// Opens or makes the folder `queue` in the data folder and reads what is there. What was never finished goes; what is
    /// damaged is put aside in `queue/broken` and said. Blocks.
    pub fn open(data: &Path) -> Result<Opened, SpoolError> {
        let path = data.join("queue");
        let failed = SpoolError::io("open the folder");
        if !path.is_dir() {
            DirBuilder::new().mode(0o700).create(&path).map_err(&failed)?;
            File::open(data).and_then(|data| data.sync_all()).map_err(&failed)?;
        }
        let folder = File::open(&path).map_err(&failed)?;
        let spool = Arc::new(Self {
            path,
            folder,
            changes: AtomicU64::new(0),
            safe: Mutex::new(Ok(0)),
            last_id: Mutex::new(0),
        });
        let mut queued = Vec::new();
        for entry in fs::read_dir(&spool.path).map_err(&failed)? {
            let entry = entry.map_err(&failed)?;
            let name = entry.file_name();
            let id = name.to_str().and_then(MessageId::parse);
            if let Some(id) = id.filter(|_| entry.file_type().is_ok_and(|kind| kind.is_file())) {
                match spool.load(id.clone()) {
                    Ok(found) => queued.extend(found),
                    // One that cannot be read is no reason to keep the others back; it stays where it is.
                    Err(error) => log::error!(
                        "queue={id} cannot be read and waits for the next start: {error}"
                    ),
                }
            }
        }
        queued.sort_by(|a: &Queued, b| a.id.cmp(&b.id));
        Ok(Opened { spool, queued })
    }

    fn file(&self, id: &MessageId) -> PathBuf {
        self.path.join(id.as_str())
    }

    fn load(&self, id: MessageId) -> Result<Option<Queued>, SpoolError> {
        match read(&self.file(&id)) {
            Ok(Loaded::Whole(file)) => Ok(Some(file.queued(id))),
            Ok(Loaded::Draft) => {
                self.forget(&id);
                Ok(None)
            }
            Ok(Loaded::Damaged) => {
                let aside = self.path.join("broken");
                let failed = SpoolError::io("put a damaged message aside");
                fs::create_dir_all(&aside).map_err(&failed)?;
                fs::rename(self.file(&id), aside.join(id.as_str())).map_err(&failed)?;
                log::error!(
                    "queue={id} damaged, kept as queue/broken/{id}: it was cut off before it was promised, or the disk \
                     is failing; it is not sent"
                );
                Ok(None)
            }
            Err(error) => Err(SpoolError::io("read a message")(error)),
        }
    }

    /// A new file, by the time at which its message came. Blocks.
    pub(super) fn create(&self, arrived: Timestamp) -> Result<(MessageId, File), SpoolError> {
        loop {
            let wanted = {
                // Two that come in one microsecond must not meet.
                let mut last = self.last_id.lock().unwrap_or_else(PoisonError::into_inner);
                *last = arrived.micros().unsigned_abs().max(*last + 1);
                *last
            };
            let id = MessageId(format!("{wanted:x}"));
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).mode(0o600);
            match options.open(self.file(&id)) {
                Ok(file) => return Ok((id, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(SpoolError::io("begin a message")(error)),
            }
        }
    }

    /// Writes how far these recipients are, as `queued` says. Safe on the disk when this returns; a message of which nothing
    /// is left goes. Blocks.
    pub fn settle(&self, queued: &Queued, places: &[usize]) -> Result<(), SpoolError> {
        if queued.is_done() {
            return self.remove(&queued.id);
        }
        let failed = SpoolError::io("note how far a message is");
        let file = OpenOptions::new().write(true).open(self.file(&queued.id)).map_err(&failed)?;
        for (recipient, at) in places.iter().filter_map(|&place| queued.place(place)) {
            file.write_all_at(recipient.state.text().as_bytes(), at).map_err(&failed)?;
        }
        file.sync_data().map_err(&failed)
    }

    /// Takes a message out. Blocks.
    pub fn remove(&self, id: &MessageId) -> Result<(), SpoolError> {
        match fs::remove_file(self.file(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(SpoolError::io("remove a message")(error))
            }
            Ok(()) | Err(_) => self.sync_folder(),
        }
    }

    /// Removes what nobody was promised.
    pub(super) fn forget(&self, id: &MessageId) {
        if let Err(error) = fs::remove_file(self.file(id)) {
            log::warn!("queue={id} unfinished, cannot be removed: {error}");
        }
    }

    /// Adds what was tried to a message's history. Not synced. Blocks.
    pub fn note(&self, id: &MessageId, tried: &Try) -> Result<(), SpoolError> {
        let file = OpenOptions::new().append(true).open(self.file(id));
        file.and_then(|mut file| file.write_all(tried.text().as_bytes()))
            .map_err(SpoolError::io("note a try"))
    }

    /// Holds a message, or lets it go. Safe on the disk when this returns. Blocks.
    pub fn set_hold(&self, id: &MessageId, hold: Hold) -> Result<(), SpoolError> {
        let failed = SpoolError::io("hold a message");
        let file = OpenOptions::new().write(true).open(self.file(id)).map_err(&failed)?;
        file.write_all_at(&[Stage::Whole(hold).letter()], STAGE_AT).map_err(&failed)?;
        file.sync_data().map_err(&failed)
    }

    /// The text of a message. Blocks.
    pub fn outgoing(&self, queued: &Queued) -> Result<Outgoing, SpoolError> {
        let failed = SpoolError::io("read a message");
        let file = File::open(self.file(&queued.id)).map_err(&failed)?;
        let at = queued.layout.fields();
        let mut fields = vec![0; usize::try_from(queued.layout.fields).unwrap_or(0)];
        file.read_exact_at(&mut fields, at.start).map_err(&failed)?;
        Ok(Outgoing { fields, file: Arc::new(file), range: queued.layout.message() })
    }

    /// A file without a name that holds this, and is gone with its last reader. Blocks.
    pub fn scratch(&self, text: &[u8]) -> Result<File, SpoolError> {
        let failed = SpoolError::io("write a converted message");
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let made = rustix::fs::openat(&self.folder, ".", flags, Mode::RUSR | Mode::WUSR);
        let mut file = File::from(made.map_err(|error| failed(error.into()))?);
        file.write_all(text).map_err(&failed)?;
        Ok(file)
    }

    /// Everything that was tried for a message, or the last of it. Blocks.
    pub fn history(&self, queued: &Queued) -> Result<Vec<Try>, SpoolError> {
        let file = File::open(self.file(&queued.id));
        file.and_then(|mut file| read_history(&mut file, queued.layout.fields().end))
            .map_err(SpoolError::io("read a message's history"))
    }

    /// What was changed in the folder before is safe after. Blocks.
    pub(super) fn sync_folder(&self) -> Result<(), SpoolError> {
        let mine = self.changes.fetch_add(1, Ordering::SeqCst) + 1;
        let mut safe = self.safe.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = SpoolError::io("sync the folder");
        match *safe {
            Ok(done) if done >= mine => return Ok(()),
            Ok(_) => {}
            // A failed sync is not tried again: what it was for may be lost, and the next would not say so.
            Err(kind) => return Err(failed(kind.into())),
        }
        let all = self.changes.load(Ordering::SeqCst);
        let synced = self.folder.sync_all();
        *safe = synced.as_ref().map(|()| all).map_err(io::Error::kind);
        synced.map_err(failed)
    }
}

/// What a queue file is.
enum Loaded {
    Whole(Box<Whole>),
    Draft,
    Damaged,
}

/// A file that has been read.
struct Whole {
    layout: Layout,
    envelope: Envelope,
    history: Vec<Try>,
    hold: Hold,
}

impl Whole {
    fn queued(self, id: MessageId) -> Queued {
        let Self { layout, envelope, history, hold } = self;
        let (_, places) = envelope.text();
        let places = places.into_iter().map(|place| HEAD_LEN + place).collect();
        let mut queued = Queued::new(id, envelope, hold, layout, places);
        for tried in &history {
            queued.remember(tried);
        }
        queued
    }
}

fn read(path: &Path) -> io::Result<Loaded> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    let head = read_text(&mut file, HEAD_LEN)?;
    let Some(layout) = head.as_deref().and_then(Layout::parse) else {
        // It was cut off before its first line was on the disk.
        let blank = len == 0 || head.is_some_and(|head| head.bytes().all(|b| b == 0));
        return Ok(if blank { Loaded::Draft } else { Loaded::Damaged });
    };
    let Stage::Whole(hold) = layout.stage else { return Ok(Loaded::Draft) };
    if layout.envelope > ENVELOPE_LEN_MAX || layout.fields().end > len {
        return Ok(Loaded::Damaged);
    }
    let envelope = read_text(&mut file, layout.envelope)?;
    let Some(envelope) = envelope.as_deref().and_then(Envelope::parse) else {
        return Ok(Loaded::Damaged);
    };
    if sum(&mut file, layout.message + layout.fields)? != layout.sum {
        return Ok(Loaded::Damaged);
    }
    let history = read_history(&mut file, layout.fields().end)?;
    Ok(Loaded::Whole(Box::new(Whole { layout, envelope, history, hold })))
}

/// The next bytes, if they are there and are text.
fn read_text(file: &mut File, len: u64) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    file.take(len).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes).ok().filter(|text| text.len() as u64 == len))
}

fn sum(file: &mut File, len: u64) -> io::Result<u32> {
    let (mut sum, mut left) = (crc32fast::Hasher::new(), file.take(len));
    let mut piece = vec![0; SUM_PIECE_LEN];
    loop {
        match left.read(&mut piece)? {
            0 => return Ok(sum.finalize()),
            count => sum.update(piece.get(..count).unwrap_or_default()),
        }
    }
}

fn read_history(file: &mut File, from: u64) -> io::Result<Vec<Try>> {
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(from.max(len.saturating_sub(HISTORY_LEN_MAX))))?;
    let mut bytes = Vec::new();
    file.take(HISTORY_LEN_MAX).read_to_end(&mut bytes)?;
    Ok(Try::parse_all(&bytes))
}
