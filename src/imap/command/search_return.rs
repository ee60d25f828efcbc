//! What SEARCH is asked to return (RFC 4731 §3.1, SAVE of RFC 5182).

use crate::imap::args::{Args, Parsed};
use crate::imap::response::Completion;
use crate::maildir::{Uid, UidSet};

/// One result option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// The lowest number.
    Min,
    /// The highest number.
    Max,
    /// All numbers.
    All,
    /// How many.
    Count,
    /// Nothing is told; it is kept for `$`.
    Save,
}

const RETURNS: [(&str, Return); 5] = [
    ("MIN", Return::Min),
    ("MAX", Return::Max),
    ("ALL", Return::All),
    ("COUNT", Return::Count),
    ("SAVE", Return::Save),
];

/// The result options of a command, each once.
#[derive(Debug, Clone)]
pub struct Returns(Vec<Return>);

impl Returns {
    /// `RETURN (MIN COUNT)` and the blank behind it, if that comes next.
    pub fn read(args: &mut Args<'_>) -> Parsed<Option<Self>> {
        if !args.word("RETURN") {
            return Ok(None);
        }
        args.space()?;
        let mut returns = Self(Vec::new());
        args.list(|args| {
            let word = args.atom()?;
            let known = RETURNS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
            let (_, option) = known.ok_or(Completion::bad("SEARCH cannot return this"))?;
            if !returns.wants(*option) {
                returns.0.push(*option);
            }
            Ok(())
        })?;
        args.space()?;
        if returns.0.is_empty() {
            returns.0.push(Return::All);
        }
        Ok(Some(returns))
    }

    /// What a SEARCH without RETURN returns where it is answered by ESEARCH (RFC 9051 §6.4.4).
    pub fn all() -> Self {
        Self(vec![Return::All])
    }

    /// Is this among them?
    pub fn wants(&self, option: Return) -> bool {
        self.0.contains(&option)
    }

    /// Is the client told anything?
    pub fn tell(&self) -> bool {
        self.0.iter().any(|option| *option != Return::Save)
    }

    /// The messages that the options choose (RFC 4731 §3.2, RFC 5182 §2.4): the first and the last where nothing else
    /// is asked for, or all that were found.
    pub fn chosen(&self, found: &UidSet) -> UidSet {
        let (min, max) = (self.wants(Return::Min), self.wants(Return::Max));
        if self.wants(Return::All) || self.wants(Return::Count) || !(min || max) {
            return found.clone();
        }
        let Some((first, last)) = ends(found) else { return UidSet::default() };
        let chosen = [min.then_some(first), max.then_some(last)];
        chosen.into_iter().flatten().collect()
    }
}

/// The first and the last of what was found.
pub fn ends(found: &UidSet) -> Option<(Uid, Uid)> {
    let (first, _) = found.ranges().next()?;
    let (_, last) = found.ranges().next_back()?;
    Some((first, last))
}

#[cfg(test)]
mod tests {
    use super::Returns;
    use crate::imap::args::Args;
    use crate::maildir::UidSet;

    /// RFC 5182 §2.4, the table.
    #[test]
    fn what_is_kept_of_what_was_found() {
        let found = UidSet::parse("2,10:15,21").unwrap();
        for (options, kept) in [
            ("SAVE MIN", "2"),
            ("SAVE max", "21"),
            ("MAX SAVE MIN", "2,21"),
            ("MAX SAVE MIN COUNT", "2,10:15,21"),
            ("ALL SAVE MIN", "2,10:15,21"),
            ("SAVE SAVE", "2,10:15,21"),
        ] {
            let text = format!("RETURN ({options}) ALL");
            let returns = Returns::read(&mut Args::new(text.as_bytes())).unwrap().unwrap();
            assert_eq!(returns.chosen(&found).to_string(), kept, "{options}");
            assert!(returns.chosen(&UidSet::default()).is_empty());
        }
    }

    #[test]
    fn malformed_options_are_refused() {
        assert!(Returns::read(&mut Args::new(b"ALL")).unwrap().is_none());
        for bad in ["RETURN", "RETURN MIN ALL", "RETURN (MIN", "RETURN (X) ALL", "RETURN (MIN)"] {
            assert!(Returns::read(&mut Args::new(bad.as_bytes())).is_err(), "{bad}");
        }
    }
}
