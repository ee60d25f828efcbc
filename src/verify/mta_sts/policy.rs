//! A policy's text (RFC 8461 §3.2) and which hosts it allows (§4.1). Whoever controls the domain's web server wrote it.

use crate::dns::Name;
use std::fmt;
use std::time::Duration;

/// A longer text is none (§3.3).
pub const POLICY_LEN_MAX: u64 = 64 * 1024;
/// No policy holds longer than a year.
pub const MAX_AGE_MAX: Duration = Duration::from_hours(8766);
const HOSTS_MAX: usize = 100;

/// What a domain wants of those who send to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What happens to a host that does not keep to it.
    pub mode: Mode,
    /// So long it holds after it was fetched.
    pub max_age: Duration,
    hosts: Vec<Pattern>,
}

/// What happens to a host that does not keep to a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It gets no mail.
    Enforce,
    /// It gets mail, and the domain hears of it.
    Testing,
    /// There is no policy any more.
    None,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Host(Name),
    /// One label more than this.
    Under(Name),
}

/// Why a text is no policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyError {
    /// The version is missing, or is not `STSv1`.
    Version,
    /// The mode is missing, or is none of the three.
    Mode,
    /// The age is missing, or is no number.
    MaxAge,
    /// A host is none, or there is none and the mode wants one.
    Mx,
    /// A line is no `key: value`.
    Line,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "its version is not STSv1",
            Self::Mode => "its mode is none of enforce, testing and none",
            Self::MaxAge => "its max_age is no number of seconds",
            Self::Mx => "its mx are no hosts",
            Self::Line => "a line of it has no key",
        })
    }
}

impl Policy {
    /// Reads a text. Of a key that stands twice the first counts, all of `mx` do; unknown ones do not.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let (mut version, mut mode, mut max_age, mut hosts) = (None, None, None, Vec::new());
        for line in text.split('\n') {
            let line = line.strip_suffix('\r').unwrap_or(line).trim_end_matches([' ', '\t']);
            if line.is_empty() {
                continue;
            }
            let (key, value) = line.split_once(':').ok_or(PolicyError::Line)?;
            let value = value.trim_start_matches([' ', '\t']);
            match key {
                "version" => version = version.or(Some(value)),
                "mode" => mode = mode.or(Some(value)),
                "max_age" => max_age = max_age.or(Some(value)),
                "mx" if hosts.len() < HOSTS_MAX => hosts.push(pattern(value)?),
                _ => {}
            }
        }
        if version != Some("STSv1") {
            return Err(PolicyError::Version);
        }
        let mode = match mode {
            Some("enforce") => Mode::Enforce,
            Some("testing") => Mode::Testing,
            Some("none") => Mode::None,
            _ => return Err(PolicyError::Mode),
        };
        let is_number = |text: &&str| text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit());
        let seconds = max_age.filter(is_number).and_then(|text| text.parse().ok());
        let max_age = seconds.map(Duration::from_secs).ok_or(PolicyError::MaxAge)?.min(MAX_AGE_MAX);
        if hosts.is_empty() && mode != Mode::None {
            return Err(PolicyError::Mx);
        }
        Ok(Self { mode, max_age, hosts })
    }

    /// May this host take the domain's mail?
    pub fn allows(&self, host: &Name) -> bool {
        self.hosts.iter().any(|pattern| match pattern {
            Pattern::Host(name) => name == host,
            Pattern::Under(name) => {
                host.as_str().split_once('.').is_some_and(|(_, rest)| rest == name.as_str())
            }
        })
    }

    /// The hosts as the text has them.
    pub fn hosts(&self) -> impl Iterator<Item = String> {
        self.hosts.iter().map(|pattern| match pattern {
            Pattern::Host(name) => name.to_string(),
            Pattern::Under(name) => format!("*.{name}"),
        })
    }
}

fn pattern(text: &str) -> Result<Pattern, PolicyError> {
    let (under, name) = match text.strip_prefix("*.") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let name = Name::parse(name).filter(|name| !name.is_root()).ok_or(PolicyError::Mx)?;
    Ok(if under { Pattern::Under(name) } else { Pattern::Host(name) })
}

#[cfg(test)]
mod tests {
    use super::{MAX_AGE_MAX, Mode, Name, Policy, PolicyError};
    use std::time::Duration;

    // §3.2
    const EXAMPLE: &str = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\n\
                           mx: backupmx.example.com\r\nmax_age: 604800\r\n";

    #[test]
    fn the_example_and_whom_it_allows() {
        let policy = Policy::parse(EXAMPLE).unwrap();
        assert_eq!((policy.mode, policy.max_age), (Mode::Enforce, Duration::from_hours(7 * 24)));
        let hosts: Vec<String> = policy.hosts().collect();
        assert_eq!(hosts, ["mail.example.com", "*.example.net", "backupmx.example.com"]);
        for (host, allowed) in [
            ("mail.example.com", true),
            ("MAIL.example.com", true),
            ("mx.example.net", true),
            ("example.net", false),
            ("foo.bar.example.net", false),
            ("mxexample.net", false),
            ("example.com", false),
            ("mail.example.com.evil.example", false),
        ] {
            assert_eq!(policy.allows(&Name::parse(host).unwrap()), allowed, "{host}");
        }
    }

    #[test]
    fn what_may_vary_and_what_may_not() {
        let bare = EXAMPLE.replace("\r\n", "\n");
        assert!(Policy::parse(bare.trim_end()).is_ok());
        assert!(Policy::parse(&bare.replace(": ", ":\t ").replace('\n', "  \n")).is_ok());
        let more = format!("x-note: ä: b\n{bare}mode: none\nmax_age: x\n");
        assert_eq!(Policy::parse(&more).unwrap().mode, Mode::Enforce, "the first counts");
        let long = bare.replace("604800", "9999999999");
        assert_eq!(Policy::parse(&long).unwrap().max_age, MAX_AGE_MAX);
        assert_eq!(
            Policy::parse("version: STSv1\nmode: none\nmax_age: 0").unwrap().mode,
            Mode::None
        );
        for (from, to, why) in [
            ("STSv1", "STSv2", PolicyError::Version),
            ("version", "Version", PolicyError::Version),
            ("enforce", "Enforce", PolicyError::Mode),
            ("604800", "a week", PolicyError::MaxAge),
            ("604800", "12345678901", PolicyError::MaxAge),
            ("*.example.net", "*.", PolicyError::Mx),
            ("*.example.net", "mx.*.net", PolicyError::Mx),
            ("mx: ", "my: ", PolicyError::Mx),
            ("mx: *", "<p>*", PolicyError::Line),
        ] {
            assert_eq!(Policy::parse(&bare.replace(from, to)), Err(why), "{to}");
        }
        assert_eq!(Policy::parse(""), Err(PolicyError::Version));
    }
}
