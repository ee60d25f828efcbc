//! What a text runs over, and what a protocol gives to be run.

use pillarbox::base::{Machine, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A protocol with a small world: it makes machines and answers what they ask.
pub trait Protocol: Send + Sync + 'static {
    type Machine: Machine<News = Self::News, Ask = Self::Ask, Answer = Self::Answer> + Send;
    type Ask: Send;
    type Answer: Send;
    type News: Send + Clone;
    /// Are texts run over a socket too?
    const OVER_SOCKET: bool = true;
    fn machine(&self) -> Self::Machine;
    fn answer(&self, ask: Self::Ask) -> Self::Answer;
    /// What was delivered last.
    fn delivered(&self) -> Option<Vec<u8>>;
    /// Does a word of its own; the news are for every connection. The error says what does not hold.
    fn word(&self, word: &str) -> Result<Vec<Self::News>, String>;
}

/// One connection, seen by the client.
pub trait Wire<N> {
    /// Bytes from the client; empty closes its side.
    fn send(&mut self, bytes: &[u8]);
    /// The handshake.
    fn tls(&mut self) -> Result<(), String>;
    /// What the server has said, once it has nothing more to do.
    fn said(&mut self) -> Vec<u8>;
    /// What the server says next, waiting for it; empty: nothing.
    fn more(&mut self) -> Vec<u8>;
    /// What is said until the server closes; `None` if it does not.
    fn rest(&mut self) -> Option<Vec<u8>>;
    fn tell(&mut self, news: &N);
    /// The clock has moved.
    fn tick(&mut self);
}

/// How a connection begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    Clear,
    Tls,
}

/// The clock of a text: the real one and what the text has waited, or one that stands.
#[derive(Clone)]
pub struct Shift(Arc<AtomicI64>);

impl Shift {
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(0)))
    }

    pub fn advance(&self, time: Duration) {
        self.0.fetch_add(i64::try_from(time.as_micros()).unwrap(), Ordering::SeqCst);
    }

    pub fn passed(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.load(Ordering::SeqCst)).unwrap())
    }

    pub fn after(&self, start: Timestamp) -> Timestamp {
        start + self.passed()
    }
}
