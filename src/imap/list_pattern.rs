//! The pattern of LIST and LSUB (RFC 3501 §6.3.8): `*` is anything, `%` is anything within a level. The client wrote it,
//! so a match costs at most the pattern's length times the name's.

use crate::maildir::utf7;

/// A reference and a mailbox name with wildcards, joined. Names are compared as UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPattern {
    pattern: Vec<char>,
}

/// Characters of a pattern at most; the rest of a longer one matches nothing.
const PATTERN_LEN_MAX: usize = 1024;

impl ListPattern {
    /// From the two arguments, in modified UTF-7; `None` if they are not that, or too long.
    pub fn new(reference: &[u8], name: &[u8]) -> Option<Self> {
        let joined = [reference, name].concat();
        let mut pattern: Vec<char> = utf7::decode(&joined)?.chars().collect();
        if pattern.len() > PATTERN_LEN_MAX {
            return None;
        }
        // INBOX is the same in any case, alone or above others.
        let inbox = pattern.get(..5).is_some_and(|head| {
            let same = head.iter().zip("INBOX".chars()).all(|(a, b)| a.eq_ignore_ascii_case(&b));
            same && matches!(pattern.get(5), None | Some('/' | '*' | '%'))
        });
        if inbox {
            pattern.splice(..5, "INBOX".chars());
        }
        Some(Self { pattern })
    }

    /// Does a name fit?
    pub fn fits(&self, name: &str) -> bool {
        // Which prefixes of the pattern fit what has been read of the name.
        let mut fits = vec![false; self.pattern.len() + 1];
        if let Some(first) = fits.first_mut() {
            *first = true;
        }
        self.pass_wildcards(&mut fits);
        for c in name.chars() {
            let mut next = vec![false; fits.len()];
            for (at, wanted) in
                self.pattern.iter().enumerate().filter(|(at, _)| fits.get(*at) == Some(&true))
            {
                let (stays, goes) = match wanted {
                    '*' => (true, false),
                    '%' => (c != '/', false),
                    plain => (false, *plain == c),
                };
                for (place, hit) in [(at, stays), (at + 1, goes)] {
                    if let Some(place) = next.get_mut(place) {
                        *place |= hit;
                    }
                }
            }
            self.pass_wildcards(&mut next);
            fits = next;
        }
        fits.last() == Some(&true)
    }

    /// A wildcard may stand for nothing.
    fn pass_wildcards(&self, fits: &mut [bool]) {
        for (at, wanted) in self.pattern.iter().enumerate() {
            if matches!(wanted, '*' | '%')
                && fits.get(at) == Some(&true)
                && let Some(after) = fits.get_mut(at + 1)
            {
                *after = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ListPattern;

    #[test]
    fn wildcards() {
        for (reference, name, fitting, others) in [
            ("", "*", vec!["INBOX", "a", "a/b/c"], vec![]),
            ("", "%", vec!["INBOX", "a"], vec!["a/b"]),
            ("", "a/%", vec!["a/b", "a/bc"], vec!["a", "a/b/c", "b/a"]),
            ("a/", "%/c", vec!["a/b/c"], vec!["a/c", "a/b/c/c"]),
            ("", "*b*", vec!["b", "abc", "a/b/c"], vec!["ac"]),
            ("", "%b", vec!["b", "ab"], vec!["a/b", "bc"]),
            ("", "inbox", vec!["INBOX"], vec!["inbox", "INBOX/x"]),
            ("", "InBox/%", vec!["INBOX/x"], vec!["INBOX"]),
            ("Entw&APw-rfe", "*", vec!["Entwürfe", "Entwürfe/2"], vec!["Entwurfe"]),
            ("", "a**b%%", vec!["ab", "axxb/b", "abc"], vec!["abc/d"]),
        ] {
            let pattern = ListPattern::new(reference.as_bytes(), name.as_bytes()).unwrap();
            for n in fitting {
                assert!(pattern.fits(n), "{reference} {name}: {n}");
            }
            for n in others {
                assert!(!pattern.fits(n), "{reference} {name}: {n}");
            }
        }
        assert_eq!(ListPattern::new(b"", b"a&b"), None);
    }

    #[test]
    fn many_wildcards_cost_no_more_than_the_product() {
        let pattern = ListPattern::new(b"", "*a".repeat(500).as_bytes()).unwrap();
        assert!(!pattern.fits(&"a".repeat(240).replace("aa", "ab")));
    }
}
