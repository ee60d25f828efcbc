//! The queue on the disk: a file for each message that is to leave, from the promise to deliver it to the end of the last
//! recipient. Files are the only truth; nothing else must be kept in step with them. Blocking disk, no runtime.

mod draft;
mod envelope;
mod error;
mod folder;
mod history;
mod layout;
mod queued;

pub use draft::Draft;
pub use envelope::{Envelope, Recipient, State};
pub use error::SpoolError;
pub use folder::{Opened, Spool};
pub use history::{Handed, Try};
pub use layout::Hold;
pub use queued::{MessageId, Outgoing, Queued};
