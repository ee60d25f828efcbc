//! Hears of other programs' work in the Maildirs by inotify: one queue for all accounts, a watch a folder. What it hears only
//! says "look"; nothing is believed of it.

use super::dir::Dir;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

/// The queue.
#[derive(Debug)]
pub struct Watch {
    queue: OwnedFd,
}

/// One watched folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WatchId(i32);

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A name came, by rename, link or creation and close.
    Came(WatchId, Vec<u8>),
    /// A name went.
    Went(WatchId, Vec<u8>),
    /// The queue ran over: look everywhere.
    Everything,
}

impl Watch {
    /// An empty queue.
    pub fn new() -> io::Result<Self> {
        Ok(Self { queue: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)? })
    }

    /// Watches the names of a folder; an error when the system gives no watch any more.
    pub fn add(&self, dir: &Dir) -> io::Result<WatchId> {
        let flags = WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR;
        // The way by the handle: no path, so no link on the way counts.
        let path = format!("/proc/self/fd/{}", dir.as_fd().as_raw_fd());
        Ok(WatchId(inotify::add_watch(&self.queue, path.as_str(), flags)?))
    }

    /// Ends a watch; one that is gone already is no error.
    pub fn remove(&self, id: WatchId) {
        let _ = inotify::remove_watch(&self.queue, id.0);
    }

    /// Waits until something is heard, at most so long; empty if nothing was.
    pub fn wait(&self, most: Duration) -> io::Result<Vec<Seen>> {
        let most = Timespec {
            tv_sec: i64::try_from(most.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: most.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(&self.queue, PollFlags::IN)], Some(&most)) {
            Ok(0) | Err(Errno::INTR) => return Ok(Vec::new()),
            other => other?,
        };
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut reader = inotify::Reader::new(&self.queue, &mut buffer);
        let mut seen = Vec::new();
        loop {
            let event = match reader.next() {
                Err(Errno::AGAIN | Errno::INTR) => return Ok(seen),
                other => other?,
            };
            let flags = event.events();
            let name = event.file_name().map(|name| name.to_bytes().to_vec());
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                seen.push(Seen::Everything);
            } else if let Some(name) = name {
                let id = WatchId(event.wd());
                let came = flags.intersects(ReadFlags::MOVED_TO | ReadFlags::CREATE);
                seen.push(if came { Seen::Came(id, name) } else { Seen::Went(id, name) });
            }
            if reader.is_buffer_empty() {
                return Ok(seen);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Seen, Watch};
    use crate::maildir::dir::Dir;
    use std::time::Duration;

    #[test]
    fn a_file_that_comes_and_goes_is_heard() {
        let path = std::env::temp_dir().join(format!("pillarbox-watch-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let watch = Watch::new().unwrap();
        let id = watch.add(&Dir::open(&path).unwrap()).unwrap();
        assert_eq!(watch.wait(Duration::ZERO).unwrap(), []);
        std::fs::write(path.join("a"), "x").unwrap();
        std::fs::remove_file(path.join("a")).unwrap();
        let seen = watch.wait(Duration::from_secs(5)).unwrap();
        assert_eq!(seen, [Seen::Came(id, b"a".to_vec()), Seen::Went(id, b"a".to_vec())]);
        std::fs::remove_dir_all(path).unwrap();
    }
}
