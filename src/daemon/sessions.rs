//! Sessions that run: each has a way to be told that the server stops, and the last to leave is waited for.

use smol::Timer;
use smol::channel::{Receiver, Sender, bounded};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// All sessions of a kind of news.
#[derive(Debug)]
pub struct Sessions<N> {
    state: Mutex<State<N>>,
}

#[derive(Debug)]
struct State<N> {
    next: u64,
    present: HashMap<u64, Sender<N>>,
}

/// A session's place; given back when dropped.
#[derive(Debug)]
pub struct Place<N> {
    sessions: Arc<Sessions<N>>,
    /// Tells it from others of its kind.
    pub number: u64,
    /// Tells the session news.
    pub teller: Sender<N>,
    /// What it is told.
    pub news: Receiver<N>,
}

impl<N: Copy> Sessions<N> {
    /// Nobody yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { next: 1, present: HashMap::new() }) })
    }

    fn lock(&self) -> MutexGuard<'_, State<N>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session begins.
    pub fn enter(self: &Arc<Self>) -> Place<N> {
        let (teller, news) = bounded(4);
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.present.insert(number, teller.clone());
        drop(state);
        Place { sessions: self.clone(), number, teller, news }
    }

    /// Tells everyone, and waits until all have left, at most so long. How many have not.
    pub async fn tell_and_wait(&self, news: N, most: Duration) -> usize {
        for teller in self.lock().present.values() {
            // Where there is no room, older news give way. It fails only for a session that has just gone.
            let _ = teller.force_send(news);
        }
        let limit = Instant::now() + most;
        loop {
            let left = self.lock().present.len();
            if left == 0 || Instant::now() >= limit {
                return left;
            }
            Timer::after(Duration::from_millis(10)).await;
        }
    }
}

impl<N> Drop for Place<N> {
    fn drop(&mut self) {
        let mut state = self.sessions.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.present.remove(&self.number);
    }
}
