//! What one IMAP session may cost us. The numbers are arguments, so that a test can reach each.

use std::time::Duration;

/// Limits of a session. Sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// A command before somebody has logged in, literals included.
    pub stranger_command_len_max: usize,
    /// A command afterwards, literals included; APPEND's message does not count.
    pub command_len_max: usize,
    /// A message that comes by APPEND.
    pub message_size_max: u64,
    /// So many commands in a row that cannot be understood end the session.
    pub faults_max: u32,
    /// So many failed logins end the session.
    pub failed_logins_max: u32,
    /// What a failed login waits for its answer; the nth waits n times as long.
    pub failed_login_wait: Duration,
    /// How long we wait for the first login.
    pub login_wait: Duration,
    /// How long we wait for the next command (RFC 3501 §5.4: at least 30 minutes).
    pub idle_wait: Duration,
    /// How long we wait for the next piece of a message.
    pub upload_wait: Duration,
    /// A client in IDLE hears from us this often, so that a dead line is found; more often would wake up a phone's
    /// radio for nothing.
    pub still_here_wait: Duration,
    /// A client that waits for a long command hears from us this often.
    pub still_working_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stranger_command_len_max: 16 * 1024,
            command_len_max: 64 * 1024,
            message_size_max: 52_428_800,
            faults_max: 20,
            failed_logins_max: 5,
            failed_login_wait: Duration::from_secs(1),
            login_wait: Duration::from_mins(3),
            idle_wait: Duration::from_mins(30),
            upload_wait: Duration::from_mins(5),
            still_here_wait: Duration::from_mins(15),
            still_working_wait: Duration::from_secs(10),
        }
    }
}
