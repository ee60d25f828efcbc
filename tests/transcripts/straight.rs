//! A connection without a socket: the machine is called directly.

use super::wire::{Opening, Protocol, Shift, Wire};
use pillarbox::base::{Machine, Output, Step, Timestamp, TlsFacts};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

pub struct Straight<P: Protocol> {
    protocol: Arc<P>,
    machine: P::Machine,
    shift: Shift,
    said: Vec<u8>,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Open,
    Handshake,
    Closed,
}

impl<P: Protocol> Straight<P> {
    pub fn new(protocol: Arc<P>, shift: Shift, opening: Opening) -> Self {
        let mut machine = protocol.machine();
        if opening == Opening::Tls {
            machine.secured(facts());
        }
        let mut wire = Self { protocol, machine, shift, said: Vec::new(), state: State::Open };
        wire.run();
        wire
    }

    fn run(&mut self) {
        while self.state == State::Open {
            // Any day will do.
            let now = self.shift.after(Timestamp::from_seconds(1_800_000_000));
            match self.machine.step(now) {
                Step::Send(Output::Bytes(bytes)) => {
                    assert!(bytes.len() <= 65_536, "an output of {} bytes", bytes.len());
                    self.said.extend(bytes);
                }
                Step::Send(Output::File { file, range }) => {
                    let mut piece = vec![0; usize::try_from(range.end - range.start).unwrap()];
                    file.read_exact_at(&mut piece, range.start).unwrap();
                    self.said.extend(piece);
                }
                Step::Ask(ask) => self.machine.answer(self.protocol.answer(ask)),
                Step::StartTls => self.state = State::Handshake,
                Step::Wait { until } => {
                    assert!(until > now, "a wait for the past spins");
                    return;
                }
                Step::Compress => panic!("texts do not deflate"),
                Step::Close => self.state = State::Closed,
            }
        }
    }
}

fn facts() -> TlsFacts {
    let exporter = Some(vec![7; 32]);
    TlsFacts { version: "TLSv1.3".into(), exporter, ..TlsFacts::default() }
}

impl<P: Protocol> Wire<P::News> for Straight<P> {
    fn send(&mut self, bytes: &[u8]) {
        match self.state {
            State::Open => self.machine.receive(bytes),
            // Nobody reads it any more; before a handshake the driver drops it.
            State::Handshake | State::Closed => return,
        }
        self.run();
    }

    fn tls(&mut self) -> Result<(), String> {
        if self.state != State::Handshake {
            return Err("the server wants no handshake".to_owned());
        }
        self.state = State::Open;
        self.machine.secured(facts());
        self.run();
        Ok(())
    }

    fn said(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.said)
    }

    fn more(&mut self) -> Vec<u8> {
        self.said()
    }

    fn rest(&mut self) -> Option<Vec<u8>> {
        (self.state == State::Closed).then(|| self.said())
    }

    fn tell(&mut self, news: &P::News) {
        self.machine.notify(news.clone());
        self.run();
    }

    fn tick(&mut self) {
        self.run();
    }
}
