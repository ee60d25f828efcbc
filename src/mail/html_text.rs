//! The text of an HTML page without its markup, enough for a preview or a search: tags, comments, styles and scripts are
//! gone, character references are undone. Lenient as browsers are, and one walk over the page whatever stands in it.
//! The sender of a message controls the input.

use super::decode::to_utf8;

/// Elements whose content is not text.
const HIDDEN: [&str; 5] = ["style", "script", "title", "template", "noscript"];
/// Elements that do not part words.
const INLINE: [&str; 16] = [
    "a", "abbr", "b", "big", "code", "em", "font", "i", "ins", "s", "small", "span", "strong",
    "sub", "sup", "u",
];
/// A longer name of a character is none.
const REFERENCE_LEN_MAX: usize = 12;

/// The text, with white space as it stands; a blank where a tag parts words.
pub(super) fn html_text(html: &str) -> String {
    let (mut text, mut rest) = (String::new(), html);
    while let Some(at) = rest.find(['<', '&']) {
        let (before, found) = rest.split_at(at);
        text.push_str(before);
        rest = match found.strip_prefix('&') {
            Some(after) => match reference(after) {
                Some((c, after)) => {
                    text.push(c);
                    after
                }
                None => {
                    text.push('&');
                    after
                }
            },
            None => after_markup(found, &mut text),
        };
    }
    text.push_str(rest);
    text
}

/// What follows the tag or comment that begins here; `""` if it does not end.
fn after_markup<'a>(found: &'a str, text: &mut String) -> &'a str {
    if let Some(comment) = found.strip_prefix("<!--") {
        return comment.find("-->").and_then(|at| comment.get(at + 3..)).unwrap_or_default();
    }
    let inner = found.get(1..).unwrap_or_default();
    if !inner.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
        text.push('<');
        return inner;
    }
    let name = inner.strip_prefix('/').unwrap_or(inner);
    let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
    let name = name.get(..end).unwrap_or_default().to_ascii_lowercase();
    let after = after_tag(inner);
    if !inner.starts_with('/') && HIDDEN.contains(&name.as_str()) {
        return after_element(after, &name);
    }
    if !INLINE.contains(&name.as_str()) {
        text.push(' ');
    }
    after
}

/// Behind the `>` that is in no quotes.
fn after_tag(inner: &str) -> &str {
    let mut quote = None;
    for (at, byte) in inner.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return inner.get(at + 1..).unwrap_or_default(),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    ""
}

/// At the closing tag of this element.
fn after_element<'a>(content: &'a str, name: &str) -> &'a str {
    let mut rest = content;
    while let Some(at) = rest.find("</") {
        let tag = rest.get(at..).unwrap_or_default();
        let named = tag.get(2..2 + name.len());
        if named.is_some_and(|named| named.eq_ignore_ascii_case(name)) {
            return tag;
        }
        rest = tag.get(2..).unwrap_or_default();
    }
    ""
}

/// The character that is meant behind `&`, and what follows.
fn reference(text: &str) -> Option<(char, &str)> {
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || *b == b'#';
    let len = text.bytes().take(REFERENCE_LEN_MAX).take_while(is_name).count();
    let (name, after) = text.split_at_checked(len)?;
    let after = after.strip_prefix(';').unwrap_or(after);
    let c = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(hex) => numbered(u32::from_str_radix(hex, 16).ok()?)?,
            None => numbered(number.parse().ok()?)?,
        },
        None => named(name)?,
    };
    Some((c, after))
}

fn numbered(number: u32) -> Option<char> {
    match u8::try_from(number) {
        // What is no character there is meant as windows-1252.
        Ok(byte @ 0x80..=0x9f) => to_utf8(Some(b"windows-1252"), &[byte]).chars().next(),
        _ => char::from_u32(number).filter(|c| *c != '\0'),
    }
}

fn named(name: &str) -> Option<char> {
    let latin = LATIN.split_ascii_whitespace().position(|known| known == name);
    match latin {
        Some(at) => char::from_u32(u32::try_from(at).ok()? + 0xa0),
        None => NAMED.iter().find(|(known, _)| *known == name).map(|(_, c)| *c),
    }
}

/// From U+00A0 on.
const LATIN: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 \
     acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring \
     AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times \
     Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave \
     eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute \
     ucirc uuml yacute thorn yuml";

const NAMED: [(&str, char); 28] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("euro", '€'),
    ("hellip", '…'),
    ("mdash", '—'),
    ("ndash", '–'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("sbquo", '‚'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("lsaquo", '‹'),
    ("rsaquo", '›'),
    ("bull", '•'),
    ("trade", '™'),
    ("zwnj", '\u{200c}'),
    ("zwj", '\u{200d}'),
    ("ensp", '\u{2002}'),
    ("emsp", '\u{2003}'),
    ("thinsp", '\u{2009}'),
    ("minus", '−'),
    ("larr", '←'),
    ("rarr", '→'),
    ("hearts", '♥'),
];

#[cfg(test)]
mod tests {
    use super::html_text;

    #[test]
    fn markup_goes_and_text_stays() {
        for (html, expected) in [
            ("plain", "plain"),
            ("<p>one<br>two</p>", " one two "),
            ("<b>bo</b>ld <a href='x>y' title=\">\">link</a>", "bold link"),
            ("a<!-- <p>no --> -->b", "a -->b"),
            ("a<STYLE type=x>p > b {}</p></Style>b", "a b"),
            ("<script>if (a</b>1) \"</scrip\"</script >x", " x"),
            ("<title>t</title><body>x", "  x"),
            ("1 < 2 &lt; 3 &amp;amp; &unknown; & x", "1 < 2 < 3 &amp; &unknown; & x"),
            ("Gr&uuml;&szlig;e &#8364;&#x20AC;&euro;&#128; &yuml&nbsp;.", "Grüße €€€€ ÿ\u{a0}."),
            ("&#0;&#xD800;&#99999999999;&#x;&#", "&#0;&#xD800;&#99999999999;&#x;&#"),
            ("open <p class=\"x", "open  "),
            ("open <!-- x", "open "),
            ("open <style>x", "open "),
            ("<", "<"),
            ("&", "&"),
            ("a<?xml x?><!DOCTYPE html>b", "a  b"),
            ("ü&ü<ü>", "ü&ü<ü>"),
        ] {
            assert_eq!(html_text(html), expected, "{html}");
        }
    }

    #[test]
    fn a_page_that_is_all_markup_takes_one_walk() {
        for piece in ["<", "&", "<p", "<!--", "</style>", "<style></", "<a \"", "&#"] {
            let page = piece.repeat(100_000);
            assert!(html_text(&page).len() <= page.len());
        }
    }
}
