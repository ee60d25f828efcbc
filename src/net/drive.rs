//! Runs a machine over a connection: asks it for steps, writes what it sends, reads only when it waits. So a peer that
//! does not read, or that sends without end, costs one buffer; and others have their turn after each piece that it sends
//! or reads, however fast it is.

use super::clock::{now, within};
use super::connector::Connector;
use super::stream::Stream;
use super::tls::{Acceptor, TlsError};
use super::wire::Wire;
use crate::base::{Machine, Output, Step, Timestamp, TlsFacts};
use smol::Timer;
use smol::channel::Receiver;
use smol::future;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// How long a peer may take to read what we send, and for a handshake.
const WRITE_WAIT: Duration = Duration::from_mins(5);
const HANDSHAKE_WAIT: Duration = Duration::from_secs(30);
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// A connection on which nothing happens for so long gives its memory back.
const REST_AFTER: Duration = Duration::from_secs(5);
const FILE_PIECE_LEN: u64 = 64 * 1024;

/// Why a session ended before its machine closed it.
#[derive(Debug)]
pub enum DriveError {
    /// The connection broke.
    Io(io::Error),
    /// TLS could not be made.
    Tls(TlsError),
    /// The peer did not read what was sent, or did not finish its handshake.
    Slow,
    /// The machine wants what this connection cannot do.
    Cannot(&'static str),
}

impl fmt::Display for DriveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Slow => f.write_str("the peer was too slow"),
            Self::Cannot(what) => f.write_str(what),
        }
    }
}

impl From<io::Error> for DriveError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What ended a wait.
enum Heard<N> {
    Bytes(usize),
    News(N),
    Time,
}

/// Drives a machine to its end; `answer` decides what the machine asks.
pub async fn drive<M: Machine>(
    mut machine: M,
    stream: Stream,
    tls: End<'_>,
    news: &Receiver<M::News>,
    mut answer: impl AsyncFnMut(M::Ask) -> M::Answer,
) -> Result<(), DriveError> {
    let mut wire = Wire::new(stream);
    loop {
        match machine.step(now()) {
            Step::Send(output) => send(&mut wire, output).await?,
            Step::Ask(ask) => machine.answer(answer(ask).await),
            Step::StartTls => {
                wire.flush().await?;
                let (secured, facts) = secure(wire.into_stream(), tls).await?;
                wire = Wire::new(secured);
                machine.secured(facts);
            }
            Step::Compress => {
                wire.flush().await?;
                wire.compress();
            }
            Step::Wait { until } => {
                wire.flush().await?;
                match hear(&mut wire, news, until).await? {
                    Heard::Bytes(count) => {
                        machine.receive(wire.heard(count));
                        future::yield_now().await;
                    }
                    Heard::News(news) => machine.notify(news),
                    Heard::Time => {}
                }
            }
            Step::Close => {
                return match within(CLOSE_WAIT, wire.close()).await {
                    Some(Err(error)) if error.kind() != io::ErrorKind::NotConnected => {
                        Err(error.into())
                    }
                    Some(_) | None => Ok(()),
                };
            }
        }
    }
}

/// Which end of TLS we are.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    /// The server's, with its certificate.
    Server(&'a Acceptor),
    /// The client's, and the name of the server that is meant.
    Client(&'a Connector, &'a str),
    /// Neither: the connection never leaves this machine.
    Local,
}

/// A connection after its handshake, which has a time limit.
pub async fn secure(stream: Stream, end: End<'_>) -> Result<(Stream, TlsFacts), DriveError> {
    let stream = match stream {
        Stream::Clear(stream) => stream,
        Stream::Local(_) => return Err(DriveError::Cannot("there is no TLS on a Unix socket")),
        Stream::Tls(_) => return Err(DriveError::Tls(TlsError::Twice)),
    };
    let shaken = async {
        match end {
            End::Server(acceptor) => acceptor.accept(stream).await.map_err(DriveError::Tls),
            End::Client(connector, name) => {
                connector.connect(stream, name).await.map_err(DriveError::Tls)
            }
            End::Local => Err(DriveError::Cannot("there is no TLS here")),
        }
    };
    within(HANDSHAKE_WAIT, shaken).await.ok_or(DriveError::Slow)?
}

/// Waits for bytes, news or a time. A connection that rests gives its memory back meanwhile.
async fn hear<N>(
    wire: &mut Wire,
    news: &Receiver<N>,
    until: Timestamp,
) -> Result<Heard<N>, DriveError> {
    let soon = until.min(now() + REST_AFTER);
    match listen(wire, news, soon).await? {
        Heard::Time if soon < until => {
            wire.rest();
            listen(wire, news, until).await
        }
        heard => Ok(heard),
    }
}

async fn listen<N>(
    wire: &mut Wire,
    news: &Receiver<N>,
    until: Timestamp,
) -> Result<Heard<N>, DriveError> {
    let bytes = async { wire.read().await.map(Heard::Bytes).map_err(DriveError::from) };
    let told = async {
        match news.recv().await {
            Ok(news) => Ok(Heard::News(news)),
            Err(_) => future::pending().await,
        }
    };
    let time = async {
        Timer::after(until.since(now())).await;
        Ok(Heard::Time)
    };
    future::or(told, future::or(bytes, time)).await
}

async fn send(wire: &mut Wire, output: Output) -> Result<(), DriveError> {
    match output {
        Output::Bytes(bytes) => write(wire, &bytes).await,
        Output::File { file, range } => {
            let mut at = range.start;
            while at < range.end {
                let piece = read_piece(&file, at, range.end)?;
                if piece.is_empty() {
                    let cut = "a message's file became shorter while it was sent";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, cut).into());
                }
                at += piece.len() as u64;
                write(wire, &piece).await?;
            }
            Ok(())
        }
    }
}

fn read_piece(file: &File, at: u64, end: u64) -> io::Result<Vec<u8>> {
    let len = usize::try_from((end - at).min(FILE_PIECE_LEN)).unwrap_or(0);
    let mut piece = vec![0; len];
    let count = file.read_at(&mut piece, at)?;
    piece.truncate(count);
    Ok(piece)
}

async fn write(wire: &mut Wire, bytes: &[u8]) -> Result<(), DriveError> {
    let written = within(WRITE_WAIT, wire.write(bytes)).await.ok_or(DriveError::Slow)?;
    future::yield_now().await;
    written.map_err(DriveError::Io)
}

#[cfg(test)]
mod tests {
    use super::{End, drive};
    use crate::base::{Machine, Output, Step, Timestamp, TlsFacts};
    use crate::net::{Acceptor, SelfSigned, Stream, now};
    use smol::LocalExecutor;
    use smol::channel::unbounded;
    use smol::io::AsyncWriteExt;
    use smol::net::unix::UnixStream;
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    /// Sends some pieces, then reads whatever comes; counts both.
    struct Busy {
        pieces: usize,
        done: Rc<Cell<usize>>,
    }

    impl Machine for Busy {
        type Ask = ();
        type Answer = ();
        type News = ();

        fn receive(&mut self, _: &[u8]) {
            self.done.set(self.done.get() + 1);
        }

        fn step(&mut self, _: Timestamp) -> Step<()> {
            if self.pieces == 0 {
                return Step::Wait { until: now() + Duration::from_mins(1) };
            }
            self.pieces -= 1;
            self.done.set(self.done.get() + 1);
            Step::Send(Output::Bytes(vec![b'x'; 100]))
        }

        fn answer(&mut self, (): ()) {}
        fn notify(&mut self, (): ()) {}
        fn secured(&mut self, _: TlsFacts) {}
    }

    /// There is no handshake.
    fn nobody() -> Acceptor {
        let made = SelfSigned::new(&["localhost"]).unwrap();
        Acceptor::new(&made.certificate, &made.key).unwrap()
    }

    /// What a session has done when another, ready at the same time, has its turn.
    fn done_before_another(pieces: usize, waiting: &[u8]) -> usize {
        let executor = LocalExecutor::new();
        smol::block_on(executor.run(async {
            let (here, mut there) = UnixStream::pair().unwrap();
            there.write_all(waiting).await.unwrap();
            let done = Rc::new(Cell::new(0));
            let machine = Busy { pieces, done: done.clone() };
            let (_teller, news) = unbounded();
            let session = executor.spawn(async move {
                drive(machine, Stream::Local(here), End::Server(&nobody()), &news, async |()| ())
                    .await
            });
            let another = executor.spawn(async move { done.get() }).await;
            session.cancel().await;
            another
        }))
    }

    #[test]
    fn a_session_that_always_has_something_to_do_leaves_others_their_turn() {
        assert!(done_before_another(50, b"") <= 2, "it sends");
        assert!(done_before_another(0, &vec![b'x'; 80_000]) <= 2, "it reads");
    }
}
