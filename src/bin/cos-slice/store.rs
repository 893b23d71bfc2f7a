//! Options for private stores that speak the protocol in their own way.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use clap::Args;
use cos_slice::protocol::dialect::{Dialect, DialectError, SliceSizes, TokenPlace, Word};
use cos_slice::upload::error::Error;
use zeroize::Zeroizing;

use crate::arguments;

/// What holds for all requests to a store.
#[derive(Debug, Args)]
pub struct StoreArguments {
    /// A header for each request, as often as wanted; other users of the machine can see it.
    #[arg(long, value_name = "NAME:VALUE")]
    pub header: Vec<Hidden>,
    /// A field for each form, as often as wanted; other users of the machine can see it.
    #[arg(long, value_name = "NAME=VALUE")]
    pub form_field: Vec<Hidden>,
    /// Where the signature goes: header, word:WORD (a header after a word) or query [default: header].
    #[arg(long, value_name = "PLACE")]
    pub token_place: Option<String>,
}

/// What holds for the slices besides.
#[derive(Debug, Args)]
pub struct SliceArguments {
    /// The slice sizes that the store takes, such as 4M,8M; the first is the default of --slice-size.
    #[arg(long, value_name = "SIZE,…", value_delimiter = ',', value_parser = arguments::bytes)]
    pub slice_sizes: Vec<u64>,
    /// Sends the MD5 of each slice with it.
    #[arg(long)]
    pub slice_md5: bool,
}

/// A text that may hold a secret of the store: it is taken as it is, so that what is wrong with it is said here and not
/// by printing it.
#[derive(Clone)]
pub struct Hidden(Zeroizing<String>);

impl FromStr for Hidden {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Hidden")
    }
}

impl StoreArguments {
    /// What the store wants of all requests.
    ///
    /// # Errors
    /// Names the option that is wrong, and never its value.
    pub fn dialect(&self) -> Result<Dialect, Error> {
        let mut dialect = Dialect::default();
        for Hidden(text) in &self.header {
            let (name, value) = text.split_once(':').ok_or_else(|| missing("--header", ':'))?;
            let value = value.trim_matches([' ', '\t']);
            dialect.add_header(name, value).map_err(as_option)?;
        }
        for Hidden(text) in &self.form_field {
            let (name, value) = text.split_once('=').ok_or_else(|| missing("--form-field", '='))?;
            dialect.add_form_field(name, value).map_err(as_option)?;
        }
        if let Some(place) = &self.token_place {
            dialect.token = token_place(place)?;
        }
        Ok(dialect)
    }
}

impl SliceArguments {
    /// Adds what the store wants of slices.
    ///
    /// # Errors
    /// A size that no store can have.
    pub fn add_to(&self, dialect: &mut Dialect) -> Result<(), Error> {
        if !self.slice_sizes.is_empty() {
            dialect.slice_sizes = SliceSizes::own(&self.slice_sizes).map_err(as_option)?;
        }
        dialect.slice_md5 = self.slice_md5;
        Ok(())
    }
}

fn token_place(text: &str) -> Result<TokenPlace, Error> {
    match text.split_once(':') {
        None if text == "header" => Ok(TokenPlace::Header),
        None if text == "query" => Ok(TokenPlace::Query),
        Some(("word", word)) => Ok(TokenPlace::HeaderAfterWord(Word::new(word).map_err(as_option)?)),
        _ => Err(Error::invalid(
            "--token-place: it is none of header, word:WORD and query",
        )),
    }
}

fn missing(option: &str, separator: char) -> Error {
    Error::invalid(format!(
        "{option}: there is no \"{separator}\" between a name and a value"
    ))
}

/// The error in the command's words.
fn as_option(error: DialectError) -> Error {
    let DialectError { argument, problem } = error;
    Error::invalid(format!("--{}: {problem}", argument.replace('_', "-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(header: &[&str], form_field: &[&str], token_place: Option<&str>) -> StoreArguments {
        let hidden = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        StoreArguments {
            header: hidden(header),
            form_field: hidden(form_field),
            token_place: token_place.map(str::to_owned),
        }
    }

    #[test]
    fn a_header_is_written_as_on_the_wire_and_a_field_as_an_assignment() {
        let dialect = arguments(&["X-Store: a:b", "X-Empty:"], &["tenant=a=b", "empty="], None).dialect();
        let dialect = dialect.unwrap();
        assert_eq!(dialect.secrets().collect::<Vec<_>>(), ["a=b", "", "a:b", ""]);
        assert_eq!(dialect.token, TokenPlace::Header);
    }

    #[test]
    fn the_token_has_three_places() {
        let place = |text| {
            arguments(&[], &[], Some(text))
                .dialect()
                .map(|dialect| dialect.token)
        };
        assert_eq!(place("header").unwrap(), TokenPlace::Header);
        assert_eq!(place("query").unwrap(), TokenPlace::Query);
        let word = Word::new("COS").unwrap();
        assert_eq!(place("word:COS").unwrap(), TokenPlace::HeaderAfterWord(word));
        for wrong in ["", "Header", "word", "word:", "word:a b", "query:x", "header:x"] {
            let error = place(wrong).unwrap_err();
            assert!(error.message.starts_with("--token-place: "), "{wrong}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_by_the_options_name_and_without_its_value() {
        for (header, form_field, said) in [
            (
                &["planted"][..],
                &[][..],
                "--header: there is no \":\" between a name and a value",
            ),
            (
                &["Host: planted"],
                &[],
                "--header: \"Host\" is set by the library itself",
            ),
            (
                &[],
                &["planted"],
                "--form-field: there is no \"=\" between a name and a value",
            ),
            (
                &[],
                &["op=planted"],
                "--form-field: \"op\" is a field of the protocol itself",
            ),
        ] {
            let arguments = arguments(header, form_field, None);
            let error = arguments.dialect().unwrap_err();
            assert!(error.message.starts_with(said), "{error}");
            assert!(!format!("{error:?} {arguments:?}").contains("planted"), "{error}");
        }
    }

    #[test]
    fn a_store_has_its_own_slice_sizes_only_where_some_are_named() {
        let add = |slice_sizes: &[u64]| {
            let slice_sizes = slice_sizes.to_vec();
            let mut dialect = Dialect::default();
            let arguments = SliceArguments {
                slice_sizes,
                slice_md5: true,
            };
            arguments.add_to(&mut dialect).map(|()| dialect.slice_sizes)
        };
        assert_eq!(add(&[]).unwrap(), SliceSizes::default());
        assert_eq!(add(&[4 << 20]).unwrap(), SliceSizes::own(&[4 << 20]).unwrap());
        assert!(
            add(&[1])
                .unwrap_err()
                .message
                .starts_with("--slice-sizes: 1 is not a multiple")
        );
    }
}
