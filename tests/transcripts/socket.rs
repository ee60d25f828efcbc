//! A connection over a loopback socket: the machine is run by `net::drive` in a thread of its own, the client is this
//! thread. The clock is the real one and what the text has waited. The machine counts what reaches it, so that the
//! client knows when the server has done all that it can.

use super::wire::{Opening, Protocol, Shift, Wire};
use openssl::ssl::{SslConnector, SslMethod, SslStream, SslVerifyMode};
use pillarbox::base::{Machine, Step, Timestamp, TlsFacts};
use pillarbox::net::{Acceptor, End, SelfSigned, Stream, drive, secure};
use smol::channel::{Sender, unbounded};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a server that says nothing is listened to.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Socket<N> {
    client: Client,
    news: Sender<Told<N>>,
    pulse: Arc<Pulse>,
    sent: usize,
    told: usize,
    server: Option<JoinHandle<()>>,
}

/// The server's thread ends with the connection; the world that it runs in goes with the last one.
impl<N> Drop for Socket<N> {
    fn drop(&mut self) {
        self.client = Client::None;
        let ended = self.server.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(ended.is_none_or(|ended| ended.is_ok()), "the session panicked");
        }
    }
}

/// What has reached the machine, and whether it waits.
#[derive(Default)]
struct Pulse {
    beat: Mutex<Beat>,
    changed: Condvar,
}

#[derive(Default)]
struct Beat {
    received: usize,
    told: usize,
    rest: Rest,
}

#[derive(Default, PartialEq, Eq)]
enum Rest {
    #[default]
    Busy,
    Waits,
    Handshake,
    Over,
}

impl Pulse {
    fn change(&self, change: impl FnOnce(&mut Beat)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Beat> {
        self.beat.lock().unwrap()
    }

    fn settle(&self, sent: usize, told: usize) {
        let busy = |beat: &mut Beat| match beat.rest {
            Rest::Handshake | Rest::Over => false,
            Rest::Busy => true,
            Rest::Waits => (beat.received, beat.told) != (sent, told),
        };
        let waited = self.changed.wait_timeout_while(self.lock(), PATIENCE, busy).unwrap();
        assert!(!waited.1.timed_out(), "the server did not take what was sent");
    }
}

enum Client {
    Clear(TcpStream),
    Tls(SslStream<TcpStream>),
    /// Between the two.
    None,
}

/// What the driver hands to the machine.
pub enum Told<N> {
    News(N),
    /// The clock was moved: step again.
    Moved,
}

/// A machine whose clock can be moved.
struct Shifted<M> {
    machine: M,
    shift: Shift,
    pulse: Arc<Pulse>,
}

impl<M: Machine> Machine for Shifted<M> {
    type Ask = M::Ask;
    type Answer = M::Answer;
    type News = Told<M::News>;

    fn receive(&mut self, bytes: &[u8]) {
        self.machine.receive(bytes);
        self.pulse.change(|beat| {
            beat.received += bytes.len();
            beat.rest = Rest::Busy;
        });
    }

    fn step(&mut self, now: Timestamp) -> Step<M::Ask> {
        let (rest, step) = match self.machine.step(self.shift.after(now)) {
            Step::Wait { until } => {
                (Rest::Waits, Step::Wait { until: until - self.shift.passed() })
            }
            Step::StartTls => (Rest::Handshake, Step::StartTls),
            step => (Rest::Busy, step),
        };
        self.pulse.change(|beat| beat.rest = rest);
        step
    }

    fn answer(&mut self, answer: M::Answer) {
        self.machine.answer(answer);
    }

    fn notify(&mut self, news: Self::News) {
        match news {
            Told::News(news) => self.machine.notify(news),
            Told::Moved => {}
        }
        self.pulse.change(|beat| {
            beat.told += 1;
            beat.rest = Rest::Busy;
        });
    }

    fn secured(&mut self, tls: TlsFacts) {
        self.machine.secured(tls);
    }
}

fn acceptor() -> &'static Acceptor {
    static ACCEPTOR: OnceLock<Acceptor> = OnceLock::new();
    ACCEPTOR.get_or_init(|| {
        let own = SelfSigned::new(&["localhost"]).unwrap();
        Acceptor::new(&own.certificate, &own.key).unwrap()
    })
}

impl<N: Clone + Send + 'static> Socket<N> {
    pub fn new<P: Protocol<News = N>>(protocol: Arc<P>, shift: Shift, opening: Opening) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.set_nodelay(true).unwrap();
        let (server, _) = listener.accept().unwrap();
        let (news, told) = unbounded();
        let pulse = Arc::new(Pulse::default());
        let machine = Shifted { machine: protocol.machine(), shift, pulse: pulse.clone() };
        let over = pulse.clone();
        let server = std::thread::spawn(move || {
            smol::block_on(async {
                let mut machine = machine;
                let server = smol::Async::new(server).unwrap();
                let mut stream = Stream::Clear(server.into());
                if opening == Opening::Tls {
                    let (secured, facts) = secure(stream, End::Server(acceptor())).await.unwrap();
                    stream = secured;
                    machine.secured(facts);
                }
                let answer = async |ask| protocol.answer(ask);
                // A client that breaks off is part of some texts.
                let _ = drive(machine, stream, End::Server(acceptor()), &told, answer).await;
                over.change(|beat| beat.rest = Rest::Over);
            });
        });
        let (client, server) = (Client::Clear(client), Some(server));
        let mut wire = Self { client, news, pulse, sent: 0, told: 0, server };
        if opening == Opening::Tls {
            wire.tls().unwrap();
        }
        wire
    }

    fn blocking(&self, blocking: bool) {
        let stream = match &self.client {
            Client::Clear(stream) => stream,
            Client::Tls(stream) => stream.get_ref(),
            Client::None => return,
        };
        stream.set_nonblocking(!blocking).unwrap();
    }

    fn read(&mut self) -> Result<Vec<u8>, ErrorKind> {
        let mut buffer = vec![0; 65_536];
        let count = match &mut self.client {
            Client::Clear(stream) => stream.read(&mut buffer),
            Client::Tls(stream) => stream.read(&mut buffer),
            Client::None => Ok(0),
        };
        match count {
            Ok(count) => {
                buffer.truncate(count);
                Ok(buffer)
            }
            // It closed while something of ours was unread.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(Vec::new()),
            Err(error) => Err(error.kind()),
        }
    }
}

impl<N: Clone + Send + 'static> Wire<N> for Socket<N> {
    fn send(&mut self, bytes: &[u8]) {
        self.sent += bytes.len();
        // What a server that has closed does not take shows in what it says.
        let _ = match &mut self.client {
            Client::Clear(stream) if bytes.is_empty() => stream.shutdown(Shutdown::Write),
            Client::Tls(stream) if bytes.is_empty() => {
                stream.shutdown().map(drop).map_err(std::io::Error::other)
            }
            Client::Clear(stream) => stream.write_all(bytes),
            Client::Tls(stream) => stream.write_all(bytes),
            Client::None => Ok(()),
        };
    }

    fn tls(&mut self) -> Result<(), String> {
        let Client::Clear(stream) = std::mem::replace(&mut self.client, Client::None) else {
            return Err("there is TLS already".to_owned());
        };
        let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
        builder.set_verify(SslVerifyMode::NONE);
        let stream = builder.build().connect("localhost", stream);
        self.client = Client::Tls(stream.map_err(|error| format!("no handshake: {error}"))?);
        // What was sent in clear text behind STARTTLS never comes to the machine.
        let sent = self.sent;
        self.pulse.change(|beat| {
            beat.received = sent;
            if beat.rest == Rest::Handshake {
                beat.rest = Rest::Busy;
            }
        });
        Ok(())
    }

    fn said(&mut self) -> Vec<u8> {
        self.pulse.settle(self.sent, self.told);
        self.blocking(false);
        let mut said = Vec::new();
        while let Ok(bytes) = self.read()
            && !bytes.is_empty()
        {
            said.extend(bytes);
        }
        self.blocking(true);
        said
    }

    fn more(&mut self) -> Vec<u8> {
        self.read().unwrap_or_default()
    }

    fn rest(&mut self) -> Option<Vec<u8>> {
        let mut rest = Vec::new();
        loop {
            match self.read() {
                Ok(bytes) if bytes.is_empty() => return Some(rest),
                Ok(bytes) => rest.extend(bytes),
                Err(_) => return None,
            }
        }
    }

    fn tell(&mut self, news: &N) {
        self.told += 1;
        let _ = self.news.try_send(Told::News(news.clone()));
    }

    fn tick(&mut self) {
        self.told += 1;
        let _ = self.news.try_send(Told::Moved);
    }
}
