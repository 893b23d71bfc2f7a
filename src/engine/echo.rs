//! Secrets that a server says back.

use percent_encoding::utf8_percent_encode;

use crate::protocol::location::ENCODED;

/// As much of a secret as is never the same by chance, in bytes; a shorter one is looked for whole.
const TELLING: usize = 12;

/// The shortest secret that is looked for, in bytes: of fewer every text is full by chance.
const SHORTEST: usize = 4;

/// Ends a text, with `mark`, where it begins to repeat a secret, as it is or percent-encoded: error pages quote a
/// request's first line and its headers, and an error's text is shown to people. Only letters and digits are sure to be
/// quoted as they are, so what comes before the first longer run of them may be left where other characters were quoted
/// in yet another form.
pub(super) fn cut(text: &mut String, secret: &str, mark: &str) {
    if secret.len() < SHORTEST {
        return;
    }
    let encoded = utf8_percent_encode(secret, ENCODED).to_string();
    let first = [secret, &encoded]
        .into_iter()
        .filter_map(|form| first_piece(text, form));
    if let Some(position) = first.min() {
        text.truncate(position);
        text.push_str(mark);
    }
}

/// Where a text first has a telling piece of a secret.
fn first_piece(text: &str, secret: &str) -> Option<usize> {
    let pieces = secret.as_bytes().windows(TELLING.min(secret.len()));
    let pieces = pieces.filter_map(|piece| std::str::from_utf8(piece).ok());
    pieces.filter_map(|piece| text.find(piece)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "uusZlBV/pHf800YuKI+K5zvw75hPTEwMDU1MDA0Jms9QUtJRHpuOHd3S3V";

    fn cut_out_of(text: &str) -> String {
        let mut text = text.to_owned();
        cut(&mut text, SECRET, "[authorization]");
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
    fn a_percent_encoded_secret_is_found_where_it_begins() {
        assert_eq!(
            cut_out_of("no page at /a?sign=uusZlBV%2FpHf800YuKI%2BK5zvw75hPTEw refused"),
            "no page at /a?sign=[authorization]"
        );
    }

    #[test]
    fn another_form_of_its_punctuation_does_not_hide_the_rest() {
        assert_eq!(
            cut_out_of("header uusZlBV&#47;pHf800YuKI&#43;K5zvw75hPTEw refused"),
            "header uusZlBV&#47;pHf800YuKI&#43;[authorization]"
        );
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in ["", "no", "uusZlBV/pHf", "the signature has expired"] {
            assert_eq!(cut_out_of(text), text);
        }
        let mut text = "text".to_owned();
        cut(&mut text, "short", "[secret]");
        assert_eq!(text, "text");
    }

    #[test]
    fn a_short_secret_is_found_whole_and_one_of_three_bytes_or_none_is_left() {
        for (secret, said, left) in [
            ("hunter2", "no user hunter2 here", "no user [secret]"),
            ("hunter2", "no user hunter here", "no user hunter here"),
            ("a+b/", "field=a%2Bb%2F refused", "field=[secret]"),
            ("pass", "pass", "[secret]"),
            ("abc", "abc", "abc"),
            ("", "abc", "abc"),
        ] {
            let mut text = said.to_owned();
            cut(&mut text, secret, "[secret]");
            assert_eq!(text, left);
        }
    }
}
