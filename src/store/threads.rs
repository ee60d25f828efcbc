//! The store's reading threads: a few for all accounts, behind one queue. Reading never holds up an fsync, because
//! what commits has a thread of its own.

use crate::base::{Ticket, ticket};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

type Job = Box<dyn FnOnce() + Send>;

/// A queue and the threads that serve it; they end when this is dropped.
#[derive(Debug)]
pub struct Threads {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    idle: usize,
    running: usize,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const THREADS_MAX: usize = 4;

impl Threads {
    /// No thread runs until there is work.
    pub fn new() -> Self {
        Self { shared: Arc::new(Shared { state: Mutex::default(), wake: Condvar::new() }) }
    }

    /// Runs a job; the ticket yields `None` if it panicked.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Ticket<T> {
        let (promise, later) = ticket();
        let job = move || {
            if let Ok(value) = catch_unwind(AssertUnwindSafe(work)) {
                promise.keep(value);
            }
        };
        let mut state = self.shared.lock();
        state.jobs.push_back(Box::new(job));
        if state.jobs.len() > state.idle && state.running < THREADS_MAX {
            let shared = self.shared.clone();
            let thread = std::thread::Builder::new().name("read".into()).stack_size(512 * 1024);
            match thread.spawn(move || serve(&shared)) {
                Ok(_) => state.running += 1,
                // The threads that run will come to it; without any it would wait for ever.
                Err(_) if state.running > 0 => {}
                Err(error) => {
                    log::error!("thread=read cannot be started: {error}");
                    state.jobs.pop_back();
                }
            }
        }
        drop(state);
        self.shared.wake.notify_one();
        later
    }
}

fn serve(shared: &Shared) {
    let mut state = shared.lock();
    loop {
        if let Some(job) = state.jobs.pop_front() {
            drop(state);
            job();
            state = shared.lock();
        } else if state.closed {
            return;
        } else {
            state.idle += 1;
            state = shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::Threads;

    #[test]
    fn a_job_that_panics_harms_no_other() {
        let threads = Threads::new();
        let bad = threads.run(|| assert_eq!(1, 2));
        let good: Vec<_> = (0..20).map(|n| threads.run(move || n * 2)).collect();
        assert_eq!(bad.wait(), None);
        let all: Vec<i32> = good.into_iter().filter_map(super::Ticket::wait).collect();
        assert_eq!(all.iter().sum::<i32>(), 380);
    }
}
