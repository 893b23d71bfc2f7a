//! What the header takes from the library's tables.

use std::fmt::Write as _;
use std::time::Duration;

use cos_slice::engine::client::MEMORY_PER_CONNECTION;
use cos_slice::engine::log::Level;
use cos_slice::engine::operation::AnswerKind;
use cos_slice::engine::transport::Timeouts;
use cos_slice::protocol::Api;
use cos_slice::protocol::dialect::{Dialect, TokenPlace};
use cos_slice::protocol::signature::{DEFAULT_LIFETIME, Kind, Scope};
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::options::{ClientOptions, DEFAULT_CONNECTIONS, MAX_CONNECTIONS, UploadOptions};
use cos_slice::upload::progress::Phase;
use cos_slice::upload::status::Status;

/// Everything that is a `#define`, and what marks a declaration as the library's.
pub fn definitions() -> String {
    let mut text = String::from(EXPORTS);
    versions(&mut text);
    section(
        &mut text,
        "How a call ended. More may come; treat an unknown negative number as a failure.",
    );
    for status in Status::ALL {
        define(
            &mut text,
            status.meaning(),
            status.name(),
            &number(status.number()),
        );
    }
    section(
        &mut text,
        "What the service can be spoken to in: cos_slice_client_set_api. More may come.",
    );
    for api in Api::ALL {
        let name = format!("API_{}", api.name().replace('/', "_").to_uppercase());
        let meaning = format!("The JSON API {}.", api.name());
        define(&mut text, &meaning, &name, &number(api.number()));
    }
    section(
        &mut text,
        "What an upload is busy with: phase of cos_slice_progress. More may come.",
    );
    for phase in Phase::ALL {
        let name = format!("PHASE_{}", phase.name().to_uppercase());
        define(&mut text, phase.meaning(), &name, &number(phase.number()));
    }
    section(
        &mut text,
        "How the object came to be there: cos_slice_upload_outcome. More may come.",
    );
    define(
        &mut text,
        "The last run did not succeed, or there was none.",
        "OUTCOME_NONE",
        "0",
    );
    for outcome in Outcome::ALL {
        let name = format!("OUTCOME_{}", outcome.name().to_uppercase());
        define(&mut text, outcome.meaning(), &name, &number(outcome.number()));
    }
    section(
        &mut text,
        "What an answer is: cos_slice_answer_kind. More may come.",
    );
    define(&mut text, "There is no answer.", "ANSWER_NONE", "0");
    for kind in AnswerKind::ALL {
        let name = format!("ANSWER_{}", kind.name().to_uppercase());
        define(&mut text, kind.meaning(), &name, &number(kind.number()));
    }
    section(
        &mut text,
        "How important an entry of the log is: cos_slice_client_set_log. More may come.",
    );
    for level in Level::ALL {
        let name = format!("LOG_{}", level.name().to_uppercase());
        define(&mut text, level.meaning(), &name, &number(level.number()));
    }
    section(
        &mut text,
        "Where the token that authorizes a request goes: cos_slice_client_set_token_place.",
    );
    for (name, value, meaning) in TokenPlace::ALL {
        define(&mut text, meaning, &format!("TOKEN_{name}"), &number(value));
    }
    section(&mut text, "Kinds of signatures: kind of cos_slice_sign_request.");
    for kind in Kind::ALL {
        let name = format!("SIGNATURE_{}", kind.name().to_uppercase());
        define(&mut text, kind.meaning(), &name, &number(kind.number()));
    }
    section(
        &mut text,
        "What a multi-effect signature is good for: cos_slice_client_set_signature_scope, cos_slice_sign.",
    );
    for scope in Scope::ALL {
        let name = format!("SIGNATURE_SCOPE_{}", scope.name().to_uppercase());
        define(&mut text, scope.meaning(), &name, &number(scope.number()));
    }
    text.push_str(BEGIN);
    text
}

/// Functions are visible where the library's others are not, and imported on Windows unless it is linked statically. Marks of
/// pointers say something to clang, and to Swift, alone.
const EXPORTS: &str = "
#ifndef COS_SLICE_API
#if defined(_WIN32) && !defined(COS_SLICE_STATIC)
#define COS_SLICE_API __declspec(dllimport)
#elif defined(__GNUC__)
#define COS_SLICE_API __attribute__((visibility(\"default\")))
#else
#define COS_SLICE_API
#endif
#endif

/* A pointer with the first mark may be NULL; one with the second, or with none, is not and must not be: see NULL above. */
#ifndef COS_SLICE_NULLABLE
#if defined(__clang__)
#define COS_SLICE_NULLABLE _Nullable
#define COS_SLICE_NONNULL _Nonnull
#else
#define COS_SLICE_NULLABLE
#define COS_SLICE_NONNULL
#endif
#endif
";

/// What stands behind the first comment; [`END`] ends it.
pub const GUARD: &str = "\n\n#ifndef COS_SLICE_H\n#define COS_SLICE_H";

/// What stands before the declarations.
const BEGIN: &str = "
#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored \"-Wnullability-extension\"
#pragma clang assume_nonnull begin
#endif

#ifdef __cplusplus
extern \"C\" {
#endif
";

/// What stands behind them.
pub const END: &str = "
#ifdef __cplusplus
} /* extern \"C\" */
#endif

#if defined(__clang__)
#pragma clang assume_nonnull end
#pragma clang diagnostic pop
#endif

#endif /* COS_SLICE_H */
";

fn versions(text: &mut String) {
    section(
        text,
        "The version of this header; that of the library is told by cos_slice_version().",
    );
    for (name, value) in [
        ("VERSION_MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        ("VERSION_MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        ("VERSION_PATCH", env!("CARGO_PKG_VERSION_PATCH")),
    ] {
        let _ = writeln!(text, "#define COS_SLICE_{name} {value}");
    }
    let combined = format!("{:#08x}", cos_slice::VERSION_NUMBER);
    define(
        text,
        "The three in one number that grows with each release: 0xMMmmpp.",
        "VERSION_NUMBER",
        &combined,
    );
    let abi = cos_slice::ABI_VERSION.to_string();
    define(
        text,
        "Raised when programs built against an older header would break.",
        "ABI_VERSION",
        &abi,
    );
}

fn section(text: &mut String, comment: &str) {
    let _ = writeln!(text, "\n/* {comment} */");
}

fn define(text: &mut String, meaning: &str, name: &str, value: &str) {
    let _ = writeln!(text, "/* {meaning} */\n#define COS_SLICE_{name} {value}");
}

/// In brackets where it is negative, so that it can stand in any expression.
fn number(value: i32) -> String {
    if value < 0 {
        format!("({value})")
    } else {
        value.to_string()
    }
}

/// The table of defaults, as lines of a comment.
pub fn defaults() -> String {
    let (client, upload, timeouts) = (
        ClientOptions::default(),
        UploadOptions::default(),
        Timeouts::default(),
    );
    let retry = client.retry;
    let dialect = Dialect::default();
    let rows: [(&str, String); 25] = [
        (
            "connections of a client",
            format!(
                "{}, at most {MAX_CONNECTIONS}; threads at most as many",
                client.connections.most()
            ),
        ),
        ("slice size", bytes(upload.slice_size)),
        ("slice_sizes", dialect.slice_sizes.to_string()),
        ("hash (SHA-1 first)", on(upload.hash)),
        ("overwrite", on(upload.overwrite)),
        ("discard_unfinished", on(upload.discard_unfinished)),
        ("create_parents", on(upload.create_parents)),
        ("api", client.api.name().into()),
        ("token_place", token_place(&dialect.token).into()),
        ("slice_md5", on(dialect.slice_md5)),
        ("verify", on(upload.verify)),
        ("spooling of streams", "off; up to 64 GiB in the command".into()),
        ("checkpoints", "off; on in the command".into()),
        ("rate limits", "none".into()),
        ("proxy", "none".into()),
        (
            "one request instead of slices",
            single(upload.single_request_limit),
        ),
        (
            "deadline of a whole upload",
            upload.deadline.map_or_else(|| "none".into(), time),
        ),
        (
            "resolve, connect, TLS",
            format!(
                "{}, {}, {}",
                time(timeouts.resolve),
                time(timeouts.connect),
                time(timeouts.tls)
            ),
        ),
        ("stall: no byte moves", time(timeouts.stall)),
        ("answer after the last byte", time(timeouts.answer)),
        ("answer to the finish", time(timeouts.finish_answer)),
        (
            "signatures",
            format!(
                "for the {} alone, good for {}",
                Scope::default().name(),
                time(DEFAULT_LIFETIME)
            ),
        ),
        (
            "wait before a request is repeated",
            format!(
                "at most {}, doubling, at most {}; random",
                time(retry.first_delay),
                time(retry.longest_delay)
            ),
        ),
        (
            "a request is given up after",
            format!(
                "{} attempts, or when it has failed for {}",
                retry.attempts,
                time(retry.failing_for)
            ),
        ),
        (
            "the same, no answer ever came",
            format!(
                "{} attempts, which a wrong endpoint takes",
                retry.attempts_unanswered
            ),
        ),
    ];
    rows.iter()
        .map(|(what, default)| format!(" *   {what:<34} {default}\n"))
        .collect()
}

/// What a client takes beside its connections, measured: 4 MiB with the optimised library and one connection.
const MEMORY_BASE: u64 = 6 << 20;

/// The bound on memory, as words of a comment.
pub fn memory() -> String {
    let connection = u64::try_from(MEMORY_PER_CONNECTION).unwrap_or(u64::MAX);
    let total = MEMORY_BASE + u64::from(DEFAULT_CONNECTIONS.most()) * connection;
    format!(
        "A client takes at most {} + connections x {}, the library's own code included, so {}.{} MiB with
 * the default. Add 24 bytes for each slice of the uploads under way, as much again while a checkpoint is read or written,
 * the copies that cos_slice_upload_set_memory makes, and for each connection the form fields and headers that were added.
 * Files are never held in memory, whatever their size. A stream that is not spooled adds (connections + 1) x slice size
 * while it is uploaded.",
        bytes(MEMORY_BASE),
        bytes(connection),
        total >> 20,
        ((total % (1 << 20)) * 10) >> 20,
    )
}

fn token_place(place: &TokenPlace) -> &'static str {
    match place {
        TokenPlace::Header => "the Authorization header",
        TokenPlace::HeaderAfterWord(_) => "the Authorization header, after a word",
        TokenPlace::Query => "the query",
    }
}

fn single(limit: u64) -> String {
    if limit == 0 {
        "empty sources only".into()
    } else {
        format!("up to {}", bytes(limit))
    }
}

fn bytes(count: u64) -> String {
    match count {
        _ if count % (1 << 20) == 0 => format!("{} MiB", count >> 20),
        _ if count % (1 << 10) == 0 => format!("{} KiB", count >> 10),
        _ => format!("{count} bytes"),
    }
}

fn time(duration: Duration) -> String {
    match duration.as_millis() {
        ms if ms % 1000 == 0 => format!("{} s", ms / 1000),
        ms => format!("{ms} ms"),
    }
}

fn on(value: bool) -> String {
    if value { "on" } else { "off" }.into()
}
