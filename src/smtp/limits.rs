//! What one SMTP session may cost us (RFC 5321 §4.5.3). The numbers are arguments, so that a test can reach each.

use std::time::Duration;

/// Limits of a server session. Sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// A command line without its line end; RFC 5321 asks for 512 and more for parameters.
    pub line_len_max: usize,
    /// A message as it is kept: announced with SIZE (RFC 1870).
    pub message_size_max: u64,
    /// Recipients of one message; RFC 5321 asks for 100.
    pub recipients_max: usize,
    /// So many commands that nobody understands, then the session ends.
    pub bad_commands_max: u32,
    /// So many unknown recipients are answered at once, each further waits.
    pub unknown_recipients_free: u32,
    /// So many unknown recipients end the session.
    pub unknown_recipients_max: u32,
    /// What a further unknown recipient waits for its answer.
    pub unknown_recipient_wait: Duration,
    /// So many failed logins end the session.
    pub failed_logins_max: u32,
    /// What a failed login waits for its answer.
    pub failed_login_wait: Duration,
    /// How long we wait for the next command or the next piece of a message (RFC 5321 §4.5.3.2.7).
    pub idle_wait: Duration,
    /// Pipelined bytes that we hold while an answer waits; more ends the session.
    pub held_len_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_len_max: 1000,
            message_size_max: 52_428_800,
            recipients_max: 1000,
            bad_commands_max: 20,
            unknown_recipients_free: 5,
            unknown_recipients_max: 20,
            unknown_recipient_wait: Duration::from_secs(5),
            failed_logins_max: 3,
            failed_login_wait: Duration::from_secs(3),
            idle_wait: Duration::from_mins(5),
            held_len_max: 256 * 1024,
        }
    }
}
