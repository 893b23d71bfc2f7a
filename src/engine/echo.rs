//! Secrets that a server says back.

/// As much of a secret as is never the same by chance, in bytes.
const TELLING: usize = 12;

/// Ends a text where it begins to repeat a secret of ASCII characters: error pages quote a request's headers, and an error's
/// text is shown to people. Only letters and digits are sure to be quoted as they are, so what comes before the first longer
/// run of them may be left where other characters were quoted in another form.
pub(super) fn cut(text: &mut String, secret: &str) {
    let pieces = secret.as_bytes().windows(TELLING);
    let pieces = pieces.filter_map(|piece| std::str::from_utf8(piece).ok());
    if let Some(position) = pieces.filter_map(|piece| text.find(piece)).min() {
        text.truncate(position);
        text.push_str("[authorization]");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "uusZlBV/pHf800YuKI+K5zvw75hPTEwMDU1MDA0Jms9QUtJRHpuOHd3S3V";

    fn cut_out_of(text: &str) -> String {
        let mut text = text.to_owned();
        cut(&mut text, SECRET);
        text
    }

    #[test]
    fn a_text_ends_where_the_secret_begins() {
        assert_eq!(
            cut_out_of(&format!("bad header \"{SECRET}\"")),
            "bad header \"[authorization]"
        );
        assert_eq!(
            cut_out_of("bad header \"uusZlBV/pHf8"),
            "bad header \"[authorization]"
        );
        assert_eq!(cut_out_of("ends with K5zvw75hPTEwM"), "ends with [authorization]");
    }

    #[test]
    fn another_form_of_its_punctuation_does_not_hide_the_rest() {
        assert_eq!(
            cut_out_of("header uusZlBV%2FpHf800YuKI%2BK5zvw75hPTEw refused"),
            "header uusZlBV%2FpHf800YuKI%2B[authorization]"
        );
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in ["", "no", "uusZlBV/pHf", "the signature has expired"] {
            assert_eq!(cut_out_of(text), text);
        }
        let mut text = "text".to_owned();
        cut(&mut text, "short");
        assert_eq!(text, "text");
    }
}
