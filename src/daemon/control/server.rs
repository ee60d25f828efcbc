//! The server's end of the control socket. Any program on the machine may connect to it; who it is says the kernel.

use super::admin::{Admin, Facts};
use super::follow_up::{FollowUp, follow_up};
use super::transfer::Transfer;
use super::wire::{ANSWER_LEN_MAX, Answer, REQUEST_LEN_MAX, Request};
use crate::daemon::sessions::{Place, Sessions};
use crate::daemon::socket_file::{self, SocketError, SocketFile};
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;
use smol::LocalExecutor;
use smol::Timer;
use smol::future::FutureExt;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::unix::{UnixListener, UnixStream};
use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The bound socket; its file goes when this is dropped.
#[derive(Debug)]
pub struct Control {
    /// What the requests are answered from.
    pub facts: Facts,
    listener: UnixListener,
    _file: SocketFile,
}

/// Why there is no socket.
#[derive(Debug)]
pub enum ControlError {
    /// Another server answers there.
    Taken(PathBuf),
    /// Something that is no socket lies there; it is not removed.
    NoSocket(PathBuf),
    /// It cannot be made.
    Io(PathBuf, io::Error),
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(path) => write!(
                f,
                "the control socket {} is used by another Pillarbox. Stop that one, or set another `control` in \
                 pillarbox.toml",
                path.display()
            ),
            Self::NoSocket(path) => write!(
                f,
                "{} is to be the control socket, but a file lies there. Move it away, or set another `control` in \
                 pillarbox.toml",
                path.display()
            ),
            Self::Io(path, error) => write!(
                f,
                "the control socket {} cannot be made, so no command would reach the server: {error}. Choose a path \
                 that this user may write and that is shorter than 108 bytes (`control` in pillarbox.toml)",
                path.display()
            ),
        }
    }
}

impl std::error::Error for ControlError {}

const CONNECTIONS_MAX: usize = 16;
/// For a request to be there whole, and for an answer to be read.
const TALK_WAIT: Duration = Duration::from_secs(10);
/// A line that is too long is still read so far: closed with something unread, the connection would lose the answer.
const READ_LEN_MAX: usize = 64 * 1024;
const EXHAUSTED_WAIT: Duration = Duration::from_millis(200);

impl Control {
    /// Binds the socket; the caller holds the data folder's lock.
    pub fn bind(path: &Path, facts: Facts) -> Result<Self, ControlError> {
        // Others may pass through the folder: the socket for their programs usually lies beside this one.
        let bound = socket_file::bind(path, 0o600, 0o711).map_err(|error| match error {
            SocketError::Taken => ControlError::Taken(path.to_owned()),
            SocketError::NoSocket => ControlError::NoSocket(path.to_owned()),
            SocketError::Io(error) => ControlError::Io(path.to_owned(), error),
        });
        let (listener, file) = bound?;
        Ok(Self { facts, listener, _file: file })
    }

    /// Answers for ever, each connection in a task of its own, which has a place in `talks`.
    pub async fn serve(
        &self,
        executor: &Rc<LocalExecutor<'static>>,
        talks: &Arc<Sessions<()>>,
        admin: Arc<Admin>,
    ) {
        loop {
            match self.listener.accept().await {
                // Whoever is one too many finds the connection closed.
                Ok(_) if talks.count() >= CONNECTIONS_MAX => {}
                Ok((stream, _)) => {
                    let (place, admin) = (talks.enter(), admin.clone());
                    let talk = async move {
                        let limit = async {
                            Timer::after(TALK_WAIT * 3).await;
                            Err(io::ErrorKind::TimedOut.into())
                        };
                        let talked = match talk(stream, admin).or(limit).await {
                            Ok(Some((stream, follow_up))) => go_on(stream, follow_up, &place).await,
                            Ok(None) => Ok(()),
                            Err(error) => Err(error),
                        };
                        if let Err(error) = talked {
                            log::info!("control ended: {error}");
                        }
                    };
                    executor.spawn(talk).detach();
                }
                Err(error) => {
                    log::warn!("control accept failed, tried again in a moment: {error}");
                    Timer::after(EXHAUSTED_WAIT).await;
                }
            }
        }
    }
}

/// One request, one answer; and the connection with what follows, if something does.
async fn talk(
    mut stream: UnixStream,
    admin: Arc<Admin>,
) -> io::Result<Option<(UnixStream, FollowUp)>> {
    let peer = socket_peercred(&stream)?;
    let mut follow = None;
    let answer = if peer.uid != geteuid() && !peer.uid.is_root() {
        log::warn!("control uid={} refused", peer.uid.as_raw());
        Answer::Refused(
            "only the server's own user and root may ask here; try it with sudo".to_owned(),
        )
    } else {
        match read_line(&mut stream).await? {
            Ok(line) => match serde_json::from_slice::<Request>(&line) {
                Ok(request) => {
                    let done = smol::unblock(move || {
                        let answer = admin.perform(request.clone());
                        let follows = follow_up(&admin.store, &request, &answer);
                        (answer, follows)
                    });
                    let (answer, follows) = done.await;
                    follow = follows;
                    answer
                }
                Err(error) => Answer::Refused(format!(
                    "this server (version {}) does not understand the request: {error}",
                    env!("CARGO_PKG_VERSION")
                )),
            },
            Err(why) => Answer::Refused(why.to_owned()),
        }
    };
    let mut line = serde_json::to_vec(&answer)?;
    if line.len() >= ANSWER_LEN_MAX {
        line = serde_json::to_vec(&Answer::Failed("the answer is too long".to_owned()))?;
    }
    line.push(b'\n');
    stream.write_all(&line).await?;
    if let Some(follow_up) = follow {
        return Ok(Some((stream, follow_up)));
    }
    stream.close().await?;
    Ok(None)
}

/// What follows an answer takes as long as it takes, on a thread of its own; when the server stops, the connection is
/// closed, and the thread with it.
async fn go_on(stream: UnixStream, follow_up: FollowUp, place: &Place<()>) -> io::Result<()> {
    let stream = std::os::unix::net::UnixStream::from(stream.as_fd().try_clone_to_owned()?);
    let end = stream.try_clone()?;
    let work = smol::unblock(move || {
        // A fault of ours ends this connection alone.
        let work = || follow_up(&mut Transfer::new(stream)?);
        std::panic::catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err(io::Error::other("a fault of ours")))
    });
    let stop = async {
        let stopped = place.news.recv().await;
        end.shutdown(std::net::Shutdown::Both)?;
        stopped.map_err(io::Error::other)
    };
    let both = async {
        stop.await?;
        // The work ends by itself now; it is not waited for here.
        Err(io::Error::other("the server is stopping"))
    };
    work.or(both).await
}

/// A line without its end. The outer error is the connection's, the inner one the peer may hear.
async fn read_line(stream: &mut UnixStream) -> io::Result<Result<Vec<u8>, &'static str>> {
    let mut line = Vec::new();
    let limit = async {
        Timer::after(TALK_WAIT).await;
        Ok(Err("the request did not come in time"))
    };
    let read = async {
        let mut buffer = [0; 1024];
        loop {
            let count = stream.read(&mut buffer).await?;
            let piece = buffer.get(..count).unwrap_or_default();
            if piece.is_empty() {
                return Ok(Err("the request was cut off"));
            }
            let end = piece.iter().position(|&byte| byte == b'\n');
            line.extend_from_slice(piece.get(..end.unwrap_or(count)).unwrap_or_default());
            if end.is_none() && line.len() < READ_LEN_MAX {
                continue;
            }
            if line.len() >= REQUEST_LEN_MAX {
                return Ok(Err("the request is too long"));
            }
            return Ok(Ok(std::mem::take(&mut line)));
        }
    };
    read.or(limit).await
}
