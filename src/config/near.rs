//! Which word was meant by one that is not known.

/// Words that differ by more are others.
const STEPS_MAX: usize = 2;

/// The known word that is nearest, if one is near. `word` comes from a person; long ones are near to nothing.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let measured = known.map(|other| (steps(word, other), other));
    let near =
        measured.filter(|(steps, other)| *steps <= STEPS_MAX && *steps < other.len() / 2 + 1);
    near.min_by_key(|(steps, _)| *steps).map(|(_, other)| other)
}

/// Letters to add, take away or change to make one of the other.
fn steps(a: &str, b: &str) -> usize {
    if a.len().abs_diff(b.len()) > STEPS_MAX {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut next = vec![i + 1];
        for ((y, pair), left) in b.bytes().zip(row.windows(2)).zip(0_usize..) {
            let &[diagonal, above] = pair else { continue };
            let left = next.get(left).copied().unwrap_or(usize::MAX - 1);
            next.push((diagonal + usize::from(x != y)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_understood() {
        let known = || ["listen", "data", "host", "tls"].into_iter();
        for (word, meant) in [
            ("lsiten", Some("listen")),
            ("Listen", Some("listen")),
            ("dat", Some("data")),
            ("hosts", Some("host")),
            ("tsl", None),
            ("x", None),
            ("", None),
            ("datagrams", None),
        ] {
            assert_eq!(nearest(word, known()), meant, "{word}");
        }
    }
}
