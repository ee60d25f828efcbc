//! The sessions with one destination: how many there are, those of them that rest and can be called, and whether more
//! would be welcome.

use smol::channel::Sender;

/// Of one destination, while there is a session with it.
#[derive(Debug, Default)]
pub struct Visits {
    /// How many there are.
    pub count: usize,
    /// Calls those that rest.
    pub resting: Vec<Sender<()>>,
    /// One came to nothing: it wants no more of them, while there are others.
    is_full: bool,
}

/// What whoever came in vain has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InVain {
    /// Others are at work there, and do it all; the visit is no longer counted.
    OthersGoOn,
    /// Nobody else is: what waits is to be given up for now.
    GiveUp,
}

impl Visits {
    /// Calls sessions that rest, as many as there are for `wanted` errands; how many were called.
    pub fn call(&mut self, wanted: usize) -> usize {
        let mut called = 0;
        while called < wanted
            && let Some(resting) = self.resting.pop()
        {
            // One that has just gone does not hear.
            called += usize::from(resting.try_send(()).is_ok());
        }
        called
    }

    /// How many more may begin, of so many that there could be at once.
    pub fn room(&self, most: usize) -> usize {
        if self.is_full { 0 } else { most.saturating_sub(self.count) }
    }

    /// A visit came to nothing. There is always one that is the last.
    pub fn came_in_vain(&mut self) -> InVain {
        self.is_full = true;
        if self.count > 1 {
            self.count -= 1;
            return InVain::OthersGoOn;
        }
        InVain::GiveUp
    }
}

#[cfg(test)]
mod tests {
    use super::{InVain, Visits};

    #[test]
    fn the_last_gives_up_and_nobody_joins_it() {
        let mut visits = Visits { count: 3, ..Visits::default() };
        assert_eq!(visits.room(10), 7);
        assert_eq!(visits.came_in_vain(), InVain::OthersGoOn);
        assert_eq!(visits.room(10), 0);
        assert_eq!(visits.came_in_vain(), InVain::OthersGoOn);
        assert_eq!(visits.came_in_vain(), InVain::GiveUp);
        assert_eq!((visits.count, visits.room(10)), (1, 0));
    }
}
