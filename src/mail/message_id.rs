//! Message ids in Message-ID, In-Reply-To and References (RFC 5322 §3.6.4). The sender of a message controls the input.

use super::encoded_word::encode_8bit;
use super::text::Text;

/// A longer id is none: a line has at most 998 bytes.
const ID_LEN_MAX: usize = 998;

/// The ids of a field's value in order, without angle brackets and blanks. Without any `<`, a first word that has an
/// `@` is taken for one, as some senders forget the brackets.
pub fn message_ids(value: &[u8]) -> impl Iterator<Item = Text> {
    let mut rest = value;
    let mut bare = (!value.contains(&b'<')).then_some(value);
    std::iter::from_fn(move || {
        if let Some(word) = bare.take() {
            rest = &[];
            let word = word.trim_ascii().split(u8::is_ascii_whitespace).next()?;
            return (word.contains(&b'@') && word.len() <= ID_LEN_MAX).then(|| clean(word));
        }
        loop {
            let start = rest.iter().position(|&b| b == b'<')?;
            rest = rest.get(start + 1..)?;
            let end = rest.iter().position(|&b| b == b'>' || b == b'<')?;
            let (id, after) = rest.split_at_checked(end)?;
            rest = after;
            if after.first() == Some(&b'>') && !id.trim_ascii().is_empty() && id.len() <= ID_LEN_MAX
            {
                return Some(clean(id));
            }
        }
    })
}

fn clean(id: &[u8]) -> Text {
    let id: Vec<u8> = id.iter().copied().filter(|b| !b.is_ascii_whitespace() && *b != 0).collect();
    encode_8bit(id).into()
}

#[cfg(test)]
mod tests {
    use super::message_ids;

    fn ids(value: &str) -> Vec<String> {
        message_ids(value.as_bytes()).map(|id| String::from_utf8_lossy(&id).into_owned()).collect()
    }

    #[test]
    fn ids_of_a_field() {
        assert_eq!(
            ids("<1234@local.machine.example> <3456@example.net>"),
            ["1234@local.machine.example", "3456@example.net"]
        );
        assert_eq!(ids(" a@b.c d"), ["a@b.c"]);
        assert_eq!(ids("Your message of Monday <x@y> and <z"), ["x@y"]);
        assert_eq!(ids("<> <a\r\n @b> <<c@d>>"), ["a@b", "c@d"]);
        assert!(ids("yesterday").is_empty());
        assert!(ids("").is_empty());
    }
}
