//! Text as SEARCH compares it (RFC 5051, i;unicode-casemap): without regard to case and to compatible spellings.

use unicode_normalization::UnicodeNormalization;

/// The form in which two texts are compared: NFKD, then upper and lower case of each character, so that `ß` meets `SS`
/// and `ς` meets `Σ`; accents stay. A text contains another if this is so of their folded forms.
// Differs: RFC 5051 maps to title case by single characters before it decomposes; this finds all of that and more.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfkd().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn spellings_meet() {
        for (one, other) in [
            ("Straße", "STRASSE"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("Müller", "MU\u{308}LLER"),
            ("ﬁn", "FIN"),
            ("Ｆｕｌｌ", "full"),
            ("Ǆ", "ǆ"),
        ] {
            assert_eq!(fold(one), fold(other), "{one}");
        }
        assert_ne!(fold("Muller"), fold("Müller"));
    }
}
