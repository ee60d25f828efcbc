//! Workflows: what happens to a message, a login, a request, step by step. A workflow never parses a protocol; what two
//! of them need is handed in by `daemon`.

mod access;
mod allowance;
mod arrival;
mod asking;
mod collect;
mod delivery;
mod fresh_id;
mod hand_in;
mod import;
mod leaving;
mod local;
mod local_rate;
mod local_user;
mod login;
mod outward;
mod owners;
mod receive;
mod relay;
mod replies;
mod signing;
mod tls_reports;
mod too_much;

pub use access::Access;
pub use allowance::{Allowance, RECIPIENTS_A_DAY};
pub use asking::Asking;
pub use collect::Collect;
pub use hand_in::{HandInError, Letter, Sender, hand_in};
pub use import::{BATCH_MAX, Import, Marks, Outcome, Way};
pub use leaving::Outbox;
pub use local::Local;
pub use local_rate::LocalRate;
pub use local_user::LocalUser;
pub use login::{LoginRefused, Logins};
pub use receive::Receive;
pub use relay::{Listed, Queue, Relay, Smarthost};
pub use signing::{Pace, RotateError, Seen, Signing};
pub use tls_reports::TlsReports;
