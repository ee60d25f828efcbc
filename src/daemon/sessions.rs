//! Sessions that run: each has a way to be told that the server stops, and the last to leave is waited for.

use crate::base::AccountId;
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
    present: HashMap<u64, Present<N>>,
    /// How often sessions of an account were told to end.
    ended: u64,
}

#[derive(Debug)]
struct Present<N> {
    teller: Sender<N>,
    /// Who has logged in.
    account: Option<AccountId>,
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
        Arc::new(Self { state: Mutex::new(State { next: 1, present: HashMap::new(), ended: 0 }) })
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
        state.present.insert(number, Present { teller: teller.clone(), account: None });
        drop(state);
        Place { sessions: self.clone(), number, teller, news }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().present.len()
    }

    /// Tells the sessions of one account: it may no longer log in, or not with every device.
    pub fn tell_account(&self, account: AccountId, news: N) {
        let mut state = self.lock();
        state.ended += 1;
        for present in state.present.values().filter(|there| there.account == Some(account)) {
            let _ = present.teller.force_send(news);
        }
    }

    /// Tells everyone, and waits until all have left, at most so long. How many have not.
    pub async fn tell_and_wait(&self, news: N, most: Duration) -> usize {
        for present in self.lock().present.values() {
            // Where there is no room, older news give way. It fails only for a session that has just gone.
            let _ = present.teller.force_send(news);
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

/// Taken before a password is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u64);

impl<N: Copy> Place<N> {
    /// To be taken before a password is checked, and given to `belongs_to`.
    pub fn mark(&self) -> Mark {
        Mark(self.sessions.lock().ended)
    }

    /// The session has logged in. If any account's sessions were told to end since the mark, this one is told too: its
    /// password may have been taken away after it was found right. A client that still may comes back.
    pub fn belongs_to(&self, account: AccountId, since: Mark, news: N) {
        let mut state = self.sessions.lock();
        let late = Mark(state.ended) != since;
        if let Some(present) = state.present.get_mut(&self.number) {
            present.account = Some(account);
            if late {
                let _ = present.teller.force_send(news);
            }
        }
    }
}

impl<N> Drop for Place<N> {
    fn drop(&mut self) {
        let mut state = self.sessions.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.present.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::Sessions;
    use crate::base::AccountId;

    #[test]
    fn the_sessions_of_one_account_are_told_and_none_slips_through() {
        let sessions = Sessions::new();
        let [ann, bob, late] = [(); 3].map(|()| sessions.enter());
        let before = late.mark();
        ann.belongs_to(AccountId(1), ann.mark(), 'x');
        bob.belongs_to(AccountId(2), bob.mark(), 'x');
        sessions.tell_account(AccountId(1), 'x');
        assert_eq!((ann.news.try_recv(), bob.news.try_recv().ok()), (Ok('x'), None));
        late.belongs_to(AccountId(1), before, 'x');
        assert_eq!(late.news.try_recv(), Ok('x'));
        drop((ann, late));
        assert_eq!(sessions.count(), 1);
    }
}
