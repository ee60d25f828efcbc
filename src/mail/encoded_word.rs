//! Encoded words (RFC 2047): text of a header that is not ASCII. Read to UTF-8, and written where a raw 8-bit header
//! would go to a program that expects 7-bit. The sender of a message controls the input.

use super::header::unfold;
use charset::Charset;
use data_encoding::BASE64;

/// Raw bytes of one encoded word when written: with the longest charset name it stays under the 75 of RFC 2047 §2.
const CHUNK_LEN: usize = 39;

/// The text of a raw header value: in one line, encoded words decoded, raw 8-bit text taken as UTF-8, else windows-1252.
/// Encoded words count inside words and quotes too, where RFC 2047 §5 forbids them and many senders put them.
pub fn decode_text(value: &[u8]) -> String {
    let raw = match String::from_utf8(one_line(value)) {
        Ok(text) => text,
        Err(error) => windows_1252(error.as_bytes()),
    };
    let mut text = String::with_capacity(raw.len());
    let mut last: Option<Word> = None;
    let mut rest = raw.as_str();
    while let Some((before, encoded, after)) = next_encoded_word(rest) {
        let word = decode_word(encoded);
        match (&last, &word) {
            // The blanks between neighbours do not count.
            (Some(Word::Decoded(_)), Word::Decoded(_)) if before.trim_ascii().is_empty() => {}
            (Some(_), _) if before.trim_ascii().is_empty() => text.push(' '),
            _ => {
                push_apart(before, last.is_some(), &mut text);
                if !text.is_empty() && !text.ends_with([' ', '\t', '(']) {
                    text.push(' ');
                }
            }
        }
        let (Word::Decoded(shown) | Word::Broken(shown)) = &word;
        text.push_str(shown);
        last = Some(word);
        rest = after;
    }
    push_apart(rest, last.is_some(), &mut text);
    text
}

/// An encoded word as it is shown.
enum Word {
    Decoded(String),
    /// Its charset or its content is none.
    Broken(String),
}

/// Plain text, with a blank before it if an encoded word runs into it.
fn push_apart(plain: &str, after_word: bool, text: &mut String) {
    if after_word && !plain.is_empty() && !plain.starts_with([' ', '\t', ')']) {
        text.push(' ');
    }
    text.push_str(plain);
}

/// Each word alone: on many in one text the decoder takes quadratic time.
fn decode_word(encoded: String) -> Word {
    let field = format!("X: {encoded}");
    let decoded = mailparse::parse_header(field.as_bytes()).map(|(header, _)| header.get_value());
    match decoded {
        Ok(text) if text != encoded => Word::Decoded(text),
        Ok(_) | Err(_) => Word::Broken(encoded),
    }
}

/// Each fold, with the blanks around it, as one space.
fn one_line(value: &[u8]) -> Vec<u8> {
    let lines =
        value.split(|&b| b == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    unfold(&lines.collect::<Vec<_>>().join(&b' '))
}

/// What stands before the next encoded word, the word in the form that the decoder expects (no blanks, no language of
/// RFC 2231 §5), and what stands after it.
fn next_encoded_word(text: &str) -> Option<(&str, String, &str)> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find("=?")?;
        let mut pieces = text.get(at + 2..)?.splitn(4, '?');
        let (charset, encoding, content) = (pieces.next()?, pieces.next()?, pieces.next()?);
        let Some(after) =
            pieces.next()?.strip_prefix('=').filter(|_| is_encoded_word(charset, encoding))
        else {
            from = at + 2;
            continue;
        };
        let charset = charset.split('*').next().unwrap_or(charset);
        let content = if encoding.eq_ignore_ascii_case("q") {
            // A fold beside an underscore is not a second blank.
            content.replace('\t', " ").replace(" _", "_").replace(' ', "_")
        } else {
            content.replace([' ', '\t'], "")
        };
        return Some((text.get(..at)?, format!("=?{charset}?{encoding}?{content}?="), after));
    }
}

fn is_encoded_word(charset: &str, encoding: &str) -> bool {
    let token = |b: u8| b.is_ascii_graphic() && b != b'=';
    !charset.is_empty() && charset.bytes().all(token) && ["b", "q", "B", "Q"].contains(&encoding)
}

/// What raw 8-bit text most likely is when it is not UTF-8.
fn windows_1252(bytes: &[u8]) -> String {
    let charset = Charset::for_label(b"windows-1252");
    charset.map_or_else(
        || charset::decode_latin1(bytes).into_owned(),
        |charset| charset.decode_without_bom_handling(bytes).0.into_owned(),
    )
}

/// Writes raw 8-bit words of an unfolded line as encoded words, in UTF-8 if they are valid UTF-8, else as windows-1252.
/// 7-bit text comes back as it is.
pub(super) fn encode_8bit(line: Vec<u8>) -> Vec<u8> {
    if line.is_ascii() {
        return line;
    }
    let mut encoded = Vec::with_capacity(line.len() * 2);
    let mut rest = line.as_slice();
    while let Some(at) = rest.iter().position(|b| !b.is_ascii()) {
        // The run goes from the first to the last of the neighbouring words that hold 8-bit, with the blanks between.
        let start = rest.iter().take(at).rposition(|&b| is_edge(b)).map_or(0, |blank| blank + 1);
        let mut end = start;
        loop {
            let word = rest.get(end..).unwrap_or_default();
            let blanks = word.iter().take_while(|&&b| is_edge(b)).count();
            let len = word.iter().skip(blanks).take_while(|&&b| !is_edge(b)).count();
            if word.iter().skip(blanks).take(len).all(u8::is_ascii) {
                break;
            }
            end += blanks + len;
        }
        let (before, run) = rest.split_at(start);
        let (run, after) = run.split_at(end - start);
        // The blanks between two encoded words are not shown (RFC 2047 §6.2): here they must be, so they go into ours.
        let (trimmed, next) = (before.trim_ascii_end(), after.trim_ascii_start());
        let before_len = if trimmed.ends_with(b"?=") { trimmed.len() } else { before.len() };
        let blanks_after = if next.starts_with(b"=?") { after.len() - next.len() } else { 0 };
        let (kept, blanks) = before.split_at(before_len);
        let (more, after) = after.split_at(blanks_after);
        encoded.extend_from_slice(kept);
        if !blanks.is_empty() {
            encoded.push(b' ');
        }
        encode_run(&[blanks, run, more].concat(), &mut encoded);
        if !more.is_empty() {
            encoded.push(b' ');
        }
        rest = after;
    }
    encoded.extend_from_slice(rest);
    encoded
}

const fn is_edge(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Writes text as encoded words with a space between.
pub(super) fn encode_run(run: &[u8], into: &mut Vec<u8>) {
    let text = std::str::from_utf8(run).ok();
    let name = if text.is_some() { "utf-8" } else { "windows-1252" };
    let mut rest = run;
    let mut first = true;
    while !rest.is_empty() {
        let mut len = rest.len().min(CHUNK_LEN);
        // An encoded word holds whole characters only (RFC 2047 §5).
        while text.is_some() && rest.get(len).is_some_and(|b| b & 0xc0 == 0x80) {
            len -= 1;
        }
        let (chunk, after) = rest.split_at(len);
        if !first {
            into.push(b' ');
        }
        first = false;
        into.extend_from_slice(format!("=?{name}?b?{}?=", BASE64.encode(chunk)).as_bytes());
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::{decode_text, encode_8bit};

    #[test]
    fn examples_of_rfc_2047() {
        for (value, text) in [
            ("=?ISO-8859-1?Q?a?=", "a"),
            ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a_b?=", "a b"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
            ("=?US-ASCII?Q?Keith_Moore?=", "Keith Moore"),
            (
                "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
                "If you can read this you understand the example.",
            ),
            ("=?no-such?Q?a?=", "=?no-such?Q?a?="),
            ("=?US-ASCII?Q?a?==?x?Q?b?= =?x?Q?c?=\t=?US-ASCII?Q?d?=", "a =?x?Q?b?= =?x?Q?c?= d"),
        ] {
            assert_eq!(decode_text(value.as_bytes()), text, "{value}");
        }
        assert_eq!(decode_text(b"caf\xe9"), "caf\u{e9}");
        assert_eq!(decode_text("café".as_bytes()), "café");
    }

    #[test]
    fn a_megabyte_of_encoded_words_takes_no_time() {
        let value = "=?utf-8?q?a?= ".repeat(1 << 16);
        assert_eq!(decode_text(value.as_bytes()).trim_end(), "a".repeat(1 << 16));
    }

    #[test]
    fn raw_8bit_becomes_encoded_words() {
        for text in [
            "plain",
            "Grüße aus Köln an alle",
            "Привет",
            "a =?utf-8?q?b?= ü c",
            "ü",
            &"ää öö ".repeat(40),
            &"€".repeat(100),
        ] {
            let encoded = encode_8bit(text.as_bytes().to_vec());
            assert!(encoded.is_ascii());
            assert!(encoded.split(|&b| b == b' ').all(|word| word.len() <= 75));
            assert_eq!(decode_text(&encoded), decode_text(text.as_bytes()), "{text}");
        }
        assert_eq!(encode_8bit(b"a caf\xe9 b".to_vec()), b"a =?windows-1252?b?Y2Fm6Q==?= b");
    }
}
