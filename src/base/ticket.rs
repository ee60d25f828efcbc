//! A one-shot answer that comes later. A thread of the store keeps the promise; whoever holds the ticket awaits it
//! as a future (sessions) or blocks for it (tests, the command line). Nothing of a runtime is needed.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A promise and the ticket for it.
pub fn ticket<T>() -> (Promise<T>, Ticket<T>) {
    let shared = Arc::new(Shared { state: Mutex::new(State::Open(None)), done: Condvar::new() });
    (Promise { shared: Some(shared.clone()) }, Ticket { shared })
}

/// Keep it with `keep`. Dropped unkept (the thread panicked, the store closed), the ticket yields `None`.
#[derive(Debug)]
pub struct Promise<T> {
    shared: Option<Arc<Shared<T>>>,
}

/// Yields the answer once, as a future or by `wait`; `None` if the promise was broken.
#[derive(Debug)]
#[must_use]
pub struct Ticket<T> {
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    done: Condvar,
}

#[derive(Debug)]
enum State<T> {
    Open(Option<Waker>),
    Kept(T),
    Over,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, state: State<T>) {
        let before = std::mem::replace(&mut *self.lock(), state);
        self.done.notify_all();
        if let State::Open(Some(waker)) = before {
            waker.wake();
        }
    }
}

impl<T> Promise<T> {
    /// Hands the answer over and wakes the holder of the ticket.
    pub fn keep(mut self, value: T) {
        if let Some(shared) = self.shared.take() {
            shared.finish(State::Kept(value));
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.finish(State::Over);
        }
    }
}

impl<T> Ticket<T> {
    /// Blocks this thread until the answer is there.
    pub fn wait(self) -> Option<T> {
        let mut state = self.shared.lock();
        loop {
            match std::mem::replace(&mut *state, State::Over) {
                State::Open(waker) => {
                    *state = State::Open(waker);
                    state = self.shared.done.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                State::Kept(value) => return Some(value),
                State::Over => return None,
            }
        }
    }
}

impl<T> Future for Ticket<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.shared.lock();
        match std::mem::replace(&mut *state, State::Over) {
            State::Open(_) => {
                *state = State::Open(Some(context.waker().clone()));
                Poll::Pending
            }
            State::Kept(value) => Poll::Ready(Some(value)),
            State::Over => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ticket;

    #[test]
    fn a_kept_promise_pays_and_a_broken_one_says_so() {
        let (promise, later) = ticket();
        let thread = std::thread::spawn(move || promise.keep(7));
        assert_eq!(later.wait(), Some(7));
        thread.join().unwrap();
        let (promise, later) = ticket::<u8>();
        drop(promise);
        assert_eq!(later.wait(), None);
    }
}
