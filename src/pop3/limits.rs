//! What one POP3 session may cost us. The numbers are arguments, so that a test can reach each.

use std::time::Duration;

/// Limits of a session. Sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// A command without its line end (RFC 2449 §4: 255).
    pub line_len_max: usize,
    /// So many commands in a row that cannot be understood end the session.
    pub faults_max: u32,
    /// So many failed logins end the session.
    pub failed_logins_max: u32,
    /// What a failed login waits for its answer; the nth waits n times as long.
    pub failed_login_wait: Duration,
    /// How long we wait for the first login.
    pub login_wait: Duration,
    /// How long we wait for the next command (RFC 1939 §3: at least 10 minutes).
    pub idle_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_len_max: 512,
            faults_max: 20,
            failed_logins_max: 5,
            failed_login_wait: Duration::from_secs(1),
            login_wait: Duration::from_mins(3),
            idle_wait: Duration::from_mins(10),
        }
    }
}
