//! A port of the box: what it is for, and its usual number.

/// What a port is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// 25.
    Smtp,
    /// 587, STARTTLS.
    Submission,
    /// 465, TLS from the start.
    Submissions,
    /// 143, STARTTLS.
    Imap,
    /// 993, TLS from the start.
    Imaps,
    /// 110, STLS.
    Pop3,
    /// 995, TLS from the start.
    Pop3s,
    /// For a server that stands before us; it has no usual number, and is not there unless it is asked for.
    Lmtp,
    /// For the programs of this machine: always a Unix socket.
    Submit,
}

impl Port {
    /// All that the box listens on.
    pub const ALL: [Self; 9] = [
        Self::Smtp,
        Self::Submission,
        Self::Submissions,
        Self::Imap,
        Self::Imaps,
        Self::Pop3,
        Self::Pop3s,
        Self::Lmtp,
        Self::Submit,
    ];

    /// Its usual number, if it is usually there.
    pub const fn usual(self) -> Option<u16> {
        match self {
            Self::Smtp => Some(25),
            Self::Submission => Some(587),
            Self::Submissions => Some(465),
            Self::Imap => Some(143),
            Self::Imaps => Some(993),
            Self::Pop3 => Some(110),
            Self::Pop3s => Some(995),
            Self::Lmtp | Self::Submit => None,
        }
    }

    /// As the output names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Imap => "imap",
            Self::Imaps => "imaps",
            Self::Pop3 => "pop3",
            Self::Pop3s => "pop3s",
            Self::Lmtp => "lmtp",
            Self::Submit => "submit",
        }
    }

    /// May a proxy stand before it? Whoever hands on mail by LMTP is a server of ours and speaks for itself.
    pub const fn takes_proxies(self) -> bool {
        match self {
            Self::Smtp
            | Self::Submission
            | Self::Submissions
            | Self::Imap
            | Self::Imaps
            | Self::Pop3
            | Self::Pop3s => true,
            Self::Lmtp | Self::Submit => false,
        }
    }

    /// Does TLS come before the first word?
    pub const fn is_secure(self) -> bool {
        match self {
            Self::Smtp | Self::Submission | Self::Imap | Self::Pop3 | Self::Lmtp | Self::Submit => {
                false
            }
            Self::Submissions | Self::Imaps | Self::Pop3s => true,
        }
    }
}
