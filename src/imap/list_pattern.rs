//! The pattern of LIST and LSUB (RFC 3501 §6.3.8): `*` is anything, `%` is anything within a level. The client wrote it,
//! so a match costs at most the pattern's length times the name's.

use super::dialect::Texts;

/// A reference and a mailbox name with wildcards, joined. Names are compared as UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPattern {
    pattern: Vec<char>,
}

/// Characters of a pattern at most; the rest of a longer one matches nothing.
const PATTERN_LEN_MAX: usize = 1024;

/// How far a name fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit<'n> {
    /// All of it.
    Whole,
    /// Not itself, but this level above it; the nearest.
    Above(&'n str),
    /// Neither it nor a level above it.
    Not,
}

impl ListPattern {
    /// From the two arguments, in the form that the client writes; `None` if they are not that, or too long.
    pub fn new(reference: &[u8], name: &[u8], texts: Texts) -> Option<Self> {
        let joined = [reference, name].concat();
        let mut pattern: Vec<char> = texts.read_name(&joined)?.chars().collect();
        // Of neighbouring wildcards the strongest says it all.
        pattern.dedup_by(|next, before| {
            let both = is_wildcard(*before) && is_wildcard(*next);
            if both && *next == '*' {
                *before = '*';
            }
            both
        });
        (pattern.len() <= PATTERN_LEN_MAX).then_some(Self { pattern })
    }

    /// About how many steps it takes to compare a name.
    pub fn cost(&self, name: &str) -> usize {
        (self.pattern.len() + 1) * name.len()
    }

    /// Does a name fit, or a level above it?
    pub fn fit<'n>(&self, name: &'n str) -> Fit<'n> {
        // INBOX is the same in any case, alone or above others, where it stands before all wildcards.
        let any_case = match name.split('/').next() {
            Some("INBOX") => self.pattern.iter().take(5).take_while(|c| !is_wildcard(**c)).count(),
            Some(_) | None => 0,
        };
        let mut fit = Fit::Not;
        // Which prefixes of the pattern fit what has been read of the name.
        let mut fits = vec![false; self.pattern.len() + 1];
        let mut next = fits.clone();
        if let Some(first) = fits.first_mut() {
            *first = true;
        }
        self.pass_wildcards(&mut fits);
        for (place, c) in name.char_indices() {
            if c == '/' && fits.last() == Some(&true) {
                fit = Fit::Above(name.get(..place).unwrap_or_default());
            }
            next.fill(false);
            for (at, wanted) in
                self.pattern.iter().enumerate().filter(|(at, _)| fits.get(*at) == Some(&true))
            {
                let (stays, goes) = match wanted {
                    '*' => (true, false),
                    '%' => (c != '/', false),
                    plain if at < any_case => (false, plain.eq_ignore_ascii_case(&c)),
                    plain => (false, *plain == c),
                };
                for (place, hit) in [(at, stays), (at + 1, goes)] {
                    if let Some(place) = next.get_mut(place) {
                        *place |= hit;
                    }
                }
            }
            self.pass_wildcards(&mut next);
            std::mem::swap(&mut fits, &mut next);
        }
        if fits.last() == Some(&true) { Fit::Whole } else { fit }
    }

    /// A wildcard may stand for nothing.
    fn pass_wildcards(&self, fits: &mut [bool]) {
        for (at, wanted) in self.pattern.iter().enumerate() {
            if is_wildcard(*wanted)
                && fits.get(at) == Some(&true)
                && let Some(after) = fits.get_mut(at + 1)
            {
                *after = true;
            }
        }
    }
}

const fn is_wildcard(c: char) -> bool {
    matches!(c, '*' | '%')
}

#[cfg(test)]
mod tests {
    use super::{Fit, ListPattern, Texts};

    fn pattern(reference: &str, name: &str) -> Option<ListPattern> {
        ListPattern::new(reference.as_bytes(), name.as_bytes(), Texts::SevenBit)
    }

    #[test]
    fn wildcards() {
        for (reference, name, fitting, others) in [
            ("", "*", vec!["INBOX", "a", "a/b/c"], vec![]),
            ("", "%", vec!["INBOX", "a"], vec!["a/b"]),
            ("", "a/%", vec!["a/b", "a/bc"], vec!["a", "a/b/c", "b/a"]),
            ("a/", "%/c", vec!["a/b/c"], vec!["a/c", "a/b/c/c"]),
            ("", "*b*", vec!["b", "abc", "a/b/c"], vec!["ac"]),
            ("", "%b", vec!["b", "ab"], vec!["a/b", "bc"]),
            ("", "inbox", vec!["INBOX"], vec!["INBOX/x", "box"]),
            ("", "InBox/%", vec!["INBOX/x"], vec!["INBOX"]),
            ("Entw&APw-rfe", "*", vec!["Entwürfe", "Entwürfe/2"], vec!["Entwurfe"]),
            ("", "a**b%%", vec!["ab", "axxb/b", "abc"], vec!["abc/d"]),
            ("", "a%*%b", vec!["ab", "a/x/b"], vec!["a/x/bc"]),
            ("", "inb*", vec!["INBOX", "INBOX/x", "inbred"], vec!["INBRED"]),
            ("", "inbox*", vec!["INBOX", "INBOX/x", "inboxes"], vec!["INBOXES"]),
            ("", "%box/x", vec!["box/x"], vec!["INBOX/x"]),
        ] {
            let pattern = pattern(reference, name).unwrap();
            for n in fitting {
                assert!(pattern.fit(n) == Fit::Whole, "{reference} {name}: {n}");
            }
            for n in others {
                assert!(pattern.fit(n) != Fit::Whole, "{reference} {name}: {n}");
            }
        }
        assert_eq!(pattern("", "a&b"), None);
        let utf8 = ListPattern::new(b"", "Entwü%&".as_bytes(), Texts::Utf8).unwrap();
        assert_eq!(utf8.fit("Entwürfe &"), Fit::Whole);
    }

    #[test]
    fn levels_above_a_name() {
        let pattern = pattern("", "%/%").unwrap();
        assert_eq!(pattern.fit("a/b/c/d"), Fit::Above("a/b"));
        assert_eq!(pattern.fit("a/b"), Fit::Whole);
        assert_eq!(pattern.fit("a"), Fit::Not);
    }

    #[test]
    fn many_wildcards_cost_no_more_than_the_product() {
        let pattern = pattern("", &"*a".repeat(500)).unwrap();
        assert_eq!(pattern.fit(&"a".repeat(240).replace("aa", "ab")), Fit::Not);
    }
}
