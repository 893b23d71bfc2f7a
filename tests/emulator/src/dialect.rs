//! What a request must bring beside its operation, as the service or a private store of the same dialect demands:
//! where the signature is, and which header and form fields there are.

use crate::codes::{self, Refusal};
use crate::form::Form;
use crate::switches::{DemandedField, Switches, TokenPlace};
use hyper::header::{AUTHORIZATION, HeaderMap};

/// The signature, wherever this client may put it.
pub(crate) fn token(
    headers: &HeaderMap,
    sign: Option<&str>,
    switches: &Switches,
) -> Result<Option<String>, Refusal> {
    let header = header_text(headers, AUTHORIZATION.as_str())
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let token = match (header, switches.token_place) {
        (Some(text), TokenPlace::Any | TokenPlace::HeaderOrQuery | TokenPlace::Header) => {
            Some(without_word(text, switches)?)
        }
        (None, TokenPlace::Any | TokenPlace::HeaderOrQuery) | (_, TokenPlace::Query) => sign,
        (None, TokenPlace::Header) => None,
    };
    Ok(token.map(str::to_owned))
}

/// The signature of a header, which may or must have a word in front.
fn without_word<'a>(header: &'a str, switches: &Switches) -> Result<&'a str, Refusal> {
    if let Some(word) = &switches.token_word.0 {
        let rest = header.strip_prefix(word.as_str());
        return rest
            .filter(|rest| rest.starts_with(' '))
            .map(str::trim)
            .ok_or_else(|| {
                codes::SIGNATURE_INVALID.because(format!(
                    "the Authorization header must begin with the word {word:?}"
                ))
            });
    }
    Ok(match switches.token_place {
        // One client puts a word in front.
        TokenPlace::Any => header.split_whitespace().next_back().unwrap_or(header),
        _ => header,
    })
}

/// The header field that every request must have.
pub(crate) fn check_header(headers: &HeaderMap, switches: &Switches) -> Result<(), Refusal> {
    let Some(demanded) = &switches.required_header.0 else {
        return Ok(());
    };
    check("header", demanded, header_text(headers, &demanded.name))
}

/// The field that every multipart form must have.
pub(crate) fn check_form(form: &Form, switches: &Switches) -> Result<(), Refusal> {
    let Some(demanded) = &switches.required_field.0 else {
        return Ok(());
    };
    check("form", demanded, form.text(&demanded.name)?)
}

fn check(place: &str, demanded: &DemandedField, found: Option<&str>) -> Result<(), Refusal> {
    let DemandedField { name, value } = demanded;
    match (found, value) {
        (None, _) => Err(codes::BAD_PARAMETER.because(format!("the {place} has no field {name:?}"))),
        (Some(found), Some(value)) if found != value => Err(codes::BAD_PARAMETER.because(format!(
            "the {place}'s field {name:?} is {found:?}, not {value:?}"
        ))),
        _ => Ok(()),
    }
}

pub(crate) fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
