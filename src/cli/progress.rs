//! How far a long command is, on stderr: one line that renews itself on a terminal, else a line every 10 s.

use super::show;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// What has been done of how much; both in the same unit, whatever that is.
#[derive(Debug)]
pub struct Progress {
    began: Instant,
    told: Instant,
    all: u64,
    on_terminal: bool,
    /// A line stands on the terminal that has no end yet.
    open: bool,
}

const TERMINAL_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Before that a rate is a guess.
const GUESS_AFTER: Duration = Duration::from_secs(2);

impl Progress {
    /// Nothing has been done.
    pub fn new() -> Self {
        let now = Instant::now();
        let on_terminal = std::io::stderr().is_terminal();
        Self { began: now, told: now, all: 0, on_terminal, open: false }
    }

    /// There is so much to do.
    pub const fn expect(&mut self, all: u64) {
        self.all = all;
    }

    /// So much is done; `messages` of them so far.
    pub fn at(&mut self, done: u64, messages: u64) {
        let every = if self.on_terminal { TERMINAL_EVERY } else { LINE_EVERY };
        if self.told.elapsed() < every {
            return;
        }
        self.told = Instant::now();
        let line = line(done, self.all, messages, self.began.elapsed());
        if self.on_terminal {
            let mut err = std::io::stderr().lock();
            let _ = write!(err, "\r\x1b[K{line}").and_then(|()| err.flush());
            self.open = true;
        } else {
            show::talk(&line);
        }
    }

    /// Something else is to be said: the line gives way.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.open) {
            let mut err = std::io::stderr().lock();
            let _ = write!(err, "\r\x1b[K").and_then(|()| err.flush());
        }
    }
}

fn line(done: u64, all: u64, messages: u64, elapsed: Duration) -> String {
    let share = if all == 0 { 100 } else { (u128::from(done) * 100 / u128::from(all)).min(100) };
    let mut text = format!("{share:3} %, {messages} messages");
    if elapsed >= GUESS_AFTER && done > 0 && done < all {
        let left = elapsed.as_millis() * u128::from(all - done) / u128::from(done) / 1000;
        text.push_str(&match left {
            0..=90 => format!(", {left} s left"),
            91..=5400 => format!(", {} min left", left.div_ceil(60)),
            _ => format!(", {} h {} min left", left / 3600, left % 3600 / 60),
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Duration, line};

    #[test]
    fn the_time_left_follows_the_rate() {
        let at = |done, seconds| line(done, 1000, 7, Duration::from_secs(seconds));
        assert_eq!(at(0, 10), "  0 %, 7 messages");
        assert_eq!(at(500, 1), " 50 %, 7 messages");
        assert_eq!(at(500, 60), " 50 %, 7 messages, 60 s left");
        assert_eq!(at(250, 60), " 25 %, 7 messages, 3 min left");
        assert_eq!(at(10, 200), "  1 %, 7 messages, 5 h 30 min left");
        assert_eq!(at(1000, 60), "100 %, 7 messages");
        assert_eq!(line(0, 0, 0, Duration::ZERO), "100 %, 0 messages");
    }
}
