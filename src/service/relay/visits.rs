//! The sessions with one destination: how many there are, and those of them that rest and can be called.

use smol::channel::Sender;

/// Of one destination: its sessions, and those of them that rest.
#[derive(Debug, Default)]
pub struct Visits {
    /// How many there are.
    pub count: usize,
    /// Calls those that rest.
    pub resting: Vec<Sender<()>>,
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
}
