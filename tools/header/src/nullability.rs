//! Which pointers of the header may be NULL, for clang and for Swift, which imports those as optionals.
//!
//! cbindgen marks every pointer, since for Rust each may be NULL: the library looks, and reports. Here the marks go where
//! NULL is nothing but a mistake; clang assumes that of pointers without a mark, except of pointers to pointers.
//! `tests/capi/nullability.c` passes NULL for each and sees that what is left is true.

use std::error::Error;
use std::mem;

/// What cbindgen puts behind each `*`.
const MARK: &str = "COS_SLICE_NULLABLE ";

/// What a pointer to a pointer needs in its place.
const OPPOSITE: &str = "COS_SLICE_NONNULL ";

/// What may be NULL wherever it is a parameter of a function: where results, errors and the last call of a callback go.
const ALWAYS: [&str; 4] = ["answer", "drop", "error", "user_data"];

/// Functions that never return NULL.
const NEVER: [&str; 5] = [
    "cos_slice_error_message",
    "cos_slice_features",
    "cos_slice_status_meaning",
    "cos_slice_status_name",
    "cos_slice_version",
];

/// Parameters and fields for which NULL says something; their comments say what.
const MEANT: [(&str, &str); 20] = [
    ("cos_slice_client_set_log", "log"),
    ("cos_slice_client_set_proxy", "proxy"),
    ("cos_slice_client_set_token_place", "word"),
    ("cos_slice_completion_fn", "error"),
    ("cos_slice_log_entry", "bucket"),
    ("cos_slice_log_entry", "operation"),
    ("cos_slice_log_entry", "path"),
    ("cos_slice_log_entry", "request_id"),
    ("cos_slice_operation_set_biz_attr", "biz_attr"),
    ("cos_slice_operation_set_memory", "data"),
    ("cos_slice_operation_set_session", "session"),
    ("cos_slice_operation_set_sha1", "hexadecimal"),
    ("cos_slice_sign_request", "app_id"),
    ("cos_slice_sign_request", "operation"),
    ("cos_slice_signature_fail", "message"),
    ("cos_slice_upload_set_biz_attr", "biz_attr"),
    ("cos_slice_upload_set_completion", "callback"),
    ("cos_slice_upload_set_memory", "data"),
    ("cos_slice_upload_set_progress", "callback"),
    ("cos_slice_upload_set_spool", "directory"),
];

/// The header with the marks that are true, out of what cbindgen wrote.
pub fn annotate(header: &str) -> Result<String, Box<dyn Error>> {
    let mut marks = Marks {
        unused: MEANT.to_vec(),
    };
    let (mut text, mut declaration) = (String::new(), String::new());
    let mut fields_of = None;
    for (number, line) in header.lines().enumerate() {
        let first = line.trim_start().chars().next();
        if declaration.is_empty() && matches!(first, None | Some('/' | '*' | '#')) {
            text.push_str(line);
        } else if line == "typedef struct {" {
            let end = header
                .lines()
                .skip(number)
                .find_map(|line| line.strip_prefix("} "));
            fields_of = end.map(|end| end.trim_end_matches(';'));
            text.push_str(line);
        } else if line.starts_with('}') {
            fields_of = None;
            text.push_str(line);
        } else if let Some(owner) = fields_of {
            text.push_str(&marks.field(owner, line));
        } else {
            declaration.push_str(line);
            if line.ends_with(';') {
                text.push_str(&marks.declaration(&mem::take(&mut declaration)));
            } else {
                declaration.push('\n');
                continue;
            }
        }
        text.push('\n');
    }
    if !marks.unused.is_empty() || !declaration.is_empty() {
        let (unused, rest) = (marks.unused, declaration);
        return Err(
            format!("nullability.rs: not in the header: {unused:?}; not understood: {rest:?}").into(),
        );
    }
    Ok(text)
}

struct Marks {
    /// What of [`MEANT`] was not met yet.
    unused: Vec<(&'static str, &'static str)>,
}

impl Marks {
    fn is_meant(&mut self, owner: &str, name: &str) -> bool {
        self.unused.retain(|entry| *entry != (owner, name));
        MEANT.contains(&(owner, name))
    }

    fn field(&mut self, owner: &str, line: &str) -> String {
        if self.is_meant(owner, last_word(line)) {
            line.to_owned()
        } else {
            line.replace(MARK, "")
        }
    }

    /// A function, a callback's type, or what has no pointer.
    fn declaration(&mut self, text: &str) -> String {
        let Some((head, parameters)) = text.rsplit_once('(') else {
            return text.to_owned();
        };
        let owner = last_word(head);
        let callback = head.starts_with("typedef");
        let parameters: Vec<_> = parameters
            .split(',')
            .map(|parameter| self.parameter(owner, callback, parameter))
            .collect();
        let mut parameters = parameters.join(",");
        let mut head = head.to_owned();
        if callback {
            // The parameters stay under each other.
            parameters = parameters.replace(&format!("\n{}", " ".repeat(MARK.len())), "\n");
        }
        if callback || NEVER.contains(&owner) {
            head = head.replace(MARK, "");
        }
        format!("{head}({parameters}")
    }

    fn parameter(&mut self, owner: &str, callback: bool, text: &str) -> String {
        let name = last_word(text);
        let Some((kind, end)) = text.rsplit_once(name).filter(|_| !name.is_empty()) else {
            return text.to_owned();
        };
        let nullable = self.is_meant(owner, name)
            || if callback {
                name == "user_data"
            } else {
                ALWAYS.contains(&name) || is_handle(kind)
            };
        if kind.trim_end().ends_with("_fn") {
            let mark = if nullable { MARK } else { "" };
            return format!("{kind}{mark}{name}{end}");
        }
        match kind.strip_suffix(MARK) {
            Some(outer) if !nullable => {
                let mark = if outer.contains(MARK) { OPPOSITE } else { "" };
                format!("{outer}{mark}{name}{end}")
            }
            _ => text.to_owned(),
        }
    }
}

/// Whether it is a pointer to an object that only the library looks into: every function takes NULL for those.
fn is_handle(kind: &str) -> bool {
    let kind = kind.trim().trim_start_matches("const ");
    let object = kind
        .strip_suffix(MARK.trim_end())
        .and_then(|kind| kind.strip_suffix(" *"));
    object.is_some_and(|object| {
        ["answer", "client", "error", "operation", "signature", "upload"]
            .iter()
            .any(|handle| object.strip_prefix("cos_slice_") == Some(handle))
    })
}

/// The last identifier.
fn last_word(text: &str) -> &str {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let text = text.trim_end_matches(|letter| !is_part(letter));
    &text[text.rfind(|letter| !is_part(letter)).map_or(0, |at| at + 1)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(declaration: &str) -> String {
        let mut marks = Marks { unused: Vec::new() };
        marks.declaration(declaration)
    }

    #[test]
    fn handles_and_out_parameters_may_be_null_and_what_is_needed_may_not() {
        assert_eq!(
            of(
                "int32_t f(cos_slice_upload *COS_SLICE_NULLABLE upload,\n          const char *COS_SLICE_NULLABLE path);"
            ),
            "int32_t f(cos_slice_upload *COS_SLICE_NULLABLE upload,\n          const char *path);"
        );
        assert_eq!(
            of(
                "int32_t f(cos_slice_signature *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE signature, cos_slice_error *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE error);"
            ),
            "int32_t f(cos_slice_signature *COS_SLICE_NULLABLE *COS_SLICE_NONNULL signature, cos_slice_error *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE error);"
        );
    }

    #[test]
    fn functions_that_are_passed_are_marked_too() {
        assert_eq!(
            of("int32_t f(cos_slice_sign_fn sign, cos_slice_drop_fn drop);"),
            "int32_t f(cos_slice_sign_fn sign, cos_slice_drop_fn COS_SLICE_NULLABLE drop);"
        );
    }

    #[test]
    fn a_callback_may_get_null_for_its_user_data_alone() {
        let spaces = " ".repeat(MARK.len());
        assert_eq!(
            of(&format!(
                "typedef void (*COS_SLICE_NULLABLE f_fn)(cos_slice_signature *COS_SLICE_NULLABLE signature,\n{spaces}    void *COS_SLICE_NULLABLE user_data);"
            )),
            "typedef void (*f_fn)(cos_slice_signature *signature,\n    void *COS_SLICE_NULLABLE user_data);"
        );
    }
}
