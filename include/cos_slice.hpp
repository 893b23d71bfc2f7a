/*
 * cos_slice.hpp: cos_slice.h for C++17 and later. Header only; it needs nothing but cos_slice.h, its library and the standard library.
 *
 *   cos_slice::client client{cos_slice::config{}.region("gz").secret_key(app_id, secret_id, secret_key)};
 *   auto upload = client.upload("videos", "/2026/big.mp4").file("big.mp4");
 *   cos_slice::object object = upload.run();    // throws cos_slice::error; run(std::nothrow) returns a result
 *
 * What an option does, its range and its default are told by the C function of the same name in cos_slice.h; here is what C++ adds.
 *
 * HANDLES. config, client, upload, operation and answer can be moved, not copied, and free what they hold. One that was moved from
 * may be assigned to or destroyed; anything else asked of it answers as C does for NULL. The destructor of an upload that was
 * started cancels it and waits for its end; inside a callback it does not wait. A client may go before its uploads.
 *
 * SETTINGS never fail by themselves: run, start and the requests report the first one that was not acceptable, by its name. One that
 * comes too late, while the upload runs, changes nothing; last_setting() tells that. A rate limit never comes too late: on a client
 * and on an upload that stays, rate_limit is const and returns its status. Texts are UTF-8, as "…" or std::string; a std::string with
 * a NUL inside is not acceptable.
 *
 * ERRORS. Each call that can fail comes twice. The plain form throws cos_slice::error. With std::nothrow as its last argument it is
 * noexcept and returns a result<T>. Memory that is refused to the wrapper itself is std::bad_alloc in the plain form and
 * status::resources in the other.
 *
 * CALLBACKS may throw, save in a program built without exceptions. What one throws ends the run where its return value could have,
 * and is thrown again, as it was, by the plain form of that upload's next run or wait (or the operation's request), in place
 * of a cos_slice::error: by run if that is what runs, else by wait. Of several the first one is. A completion or log function can't
 * end anything, so there the upload may be complete when its exception is thrown again: upload::object tells. With std::nothrow nothing
 * is thrown: upload::thrown and client::thrown have it. Inside callbacks the rules of the C header hold: cancel, rate_limit,
 * getters and destructors are allowed, run, start, wait and other settings are status::busy.
 *
 * THREADS. Const functions may be called by several threads at once on the same object, so upload::cancel, upload::progress and
 * rate_limit by any thread at any time; others may not. Moving, assigning and destroying are not const.
 *
 * ALLOCATION. Making a handle allocates. A setter does where it takes a closure (one block, and what std::function takes) or a path.
 * A call to a progress, read_at, stream or log function allocates nothing. A run that succeeds allocates the texts of its object, one
 * that fails its error, once: copies of an error share it. A signer gets and gives std::string.
 *
 * WITHOUT EXCEPTIONS (-fno-exceptions) the forms with std::nothrow are all there is; client::usable replaces what the constructor of
 * client throws; callbacks must not throw. RTTI is not needed. Object files built with and without may be linked into one program.
 */
#ifndef COS_SLICE_HPP
#define COS_SLICE_HPP

#if defined(_MSVC_LANG) ? _MSVC_LANG < 201703L : __cplusplus < 201703L
#error "cos_slice.hpp needs C++17"
#endif

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <istream>
#include <iterator>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "cos_slice.h"

/* 1 where there are exceptions. The namespaces keep both kinds of object files apart, since inline functions differ. */
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define COS_SLICE_HPP_EXCEPTIONS 1
#define COS_SLICE_HPP_NAMESPACE with_exceptions
#else
#define COS_SLICE_HPP_EXCEPTIONS 0
#define COS_SLICE_HPP_NAMESPACE without_exceptions
#endif

namespace cos_slice {
inline namespace COS_SLICE_HPP_NAMESPACE {

/* ---- Numbers. All are open: a newer library may give others, which are kept as they are, so a switch needs a default. ---- */

/// How a call ended. status_meaning says it in a sentence.
enum class status : std::int32_t {
    ok = COS_SLICE_OK,
    invalid_argument = COS_SLICE_ERR_INVALID_ARGUMENT,
    busy = COS_SLICE_ERR_BUSY,
    panic = COS_SLICE_ERR_PANIC,
    file_open = COS_SLICE_ERR_FILE_OPEN,
    file_read = COS_SLICE_ERR_FILE_READ,
    source_changed = COS_SLICE_ERR_SOURCE_CHANGED,
    resources = COS_SLICE_ERR_RESOURCES,
    checkpoint_busy = COS_SLICE_ERR_CHECKPOINT_BUSY,
    signer = COS_SLICE_ERR_SIGNER,
    not_restartable = COS_SLICE_ERR_NOT_RESTARTABLE,
    resolve = COS_SLICE_ERR_RESOLVE,
    connect = COS_SLICE_ERR_CONNECT,
    tls = COS_SLICE_ERR_TLS,
    connection_lost = COS_SLICE_ERR_CONNECTION_LOST,
    timed_out = COS_SLICE_ERR_TIMED_OUT,
    bad_reply = COS_SLICE_ERR_BAD_REPLY,
    refused = COS_SLICE_ERR_REFUSED,
    credentials = COS_SLICE_ERR_CREDENTIALS,
    no_bucket = COS_SLICE_ERR_NO_BUCKET,
    object_exists = COS_SLICE_ERR_OBJECT_EXISTS,
    other_upload = COS_SLICE_ERR_OTHER_UPLOAD,
    not_found = COS_SLICE_ERR_NOT_FOUND,
    too_large = COS_SLICE_ERR_TOO_LARGE,
    server_busy = COS_SLICE_ERR_SERVER_BUSY,
    server_failed = COS_SLICE_ERR_SERVER_FAILED,
    content_rejected = COS_SLICE_ERR_CONTENT_REJECTED,
    verify_failed = COS_SLICE_ERR_VERIFY_FAILED,
    outcome_unknown = COS_SLICE_ERR_OUTCOME_UNKNOWN,
    cancelled = COS_SLICE_ERR_CANCELLED,
    aborted_by_callback = COS_SLICE_ERR_ABORTED_BY_CALLBACK,
    deadline = COS_SLICE_ERR_DEADLINE,
    still_running = COS_SLICE_ERR_STILL_RUNNING,
    not_started = COS_SLICE_ERR_NOT_STARTED,
};

/// What the service can be spoken to in.
enum class api : std::int32_t { files_v1 = COS_SLICE_API_FILES_V1, files_v2 = COS_SLICE_API_FILES_V2 };

/// What an upload is busy with.
enum class phase : std::int32_t {
    waiting = COS_SLICE_PHASE_WAITING,
    hashing = COS_SLICE_PHASE_HASHING,
    sending = COS_SLICE_PHASE_SENDING,
    finishing = COS_SLICE_PHASE_FINISHING,
    verifying = COS_SLICE_PHASE_VERIFYING,
    done = COS_SLICE_PHASE_DONE,
    spooling = COS_SLICE_PHASE_SPOOLING,
};

/// How an object came to be there.
enum class outcome : std::int32_t {
    none = COS_SLICE_OUTCOME_NONE,
    uploaded = COS_SLICE_OUTCOME_UPLOADED,
    resumed = COS_SLICE_OUTCOME_RESUMED,
    instant = COS_SLICE_OUTCOME_INSTANT,
};

/// What an answer is.
enum class answer_kind : std::int32_t {
    none = COS_SLICE_ANSWER_NONE,
    session = COS_SLICE_ANSWER_SESSION,
    complete = COS_SLICE_ANSWER_COMPLETE,
    unfinished = COS_SLICE_ANSWER_UNFINISHED,
    stored = COS_SLICE_ANSWER_STORED,
    status = COS_SLICE_ANSWER_STATUS,
    absent = COS_SLICE_ANSWER_ABSENT,
    deleted = COS_SLICE_ANSWER_DELETED,
    created = COS_SLICE_ANSWER_CREATED,
    hashed = COS_SLICE_ANSWER_HASHED,
};

/// Where the token that authorizes a request goes.
enum class token_place : std::int32_t {
    header = COS_SLICE_TOKEN_HEADER,
    header_after_word = COS_SLICE_TOKEN_HEADER_AFTER_WORD,
    query = COS_SLICE_TOKEN_QUERY,
};

/// Kinds of signatures.
enum class signature_kind : std::int32_t {
    multi_effect = COS_SLICE_SIGNATURE_MULTI_EFFECT,
    one_time = COS_SLICE_SIGNATURE_ONE_TIME,
};

/// What a multi-effect signature is good for.
enum class signature_scope : std::int32_t {
    path = COS_SLICE_SIGNATURE_SCOPE_PATH,
    directory = COS_SLICE_SIGNATURE_SCOPE_DIRECTORY,
    bucket = COS_SLICE_SIGNATURE_SCOPE_BUCKET,
    unbound = COS_SLICE_SIGNATURE_SCOPE_UNBOUND,
};

/// How important a log entry is; a lower number is more important.
enum class log_level : std::int32_t {
    error = COS_SLICE_LOG_ERROR,
    warning = COS_SLICE_LOG_WARNING,
    info = COS_SLICE_LOG_INFO,
    debug = COS_SLICE_LOG_DEBUG,
};

/// The name in C, such as "COS_SLICE_ERR_BUSY"; valid for ever.
[[nodiscard]] inline const char *status_name(status status) noexcept
{
    return cos_slice_status_name(static_cast<std::int32_t>(status));
}

/// One English sentence; valid for ever.
[[nodiscard]] inline const char *status_meaning(status status) noexcept
{
    return cos_slice_status_meaning(static_cast<std::int32_t>(status));
}

/// The version of the library that is running, such as "0.1.0"; valid for ever.
[[nodiscard]] inline const char *version() noexcept { return cos_slice_version(); }

/// The same as a number, to be compared with COS_SLICE_VERSION_NUMBER.
[[nodiscard]] inline std::uint32_t version_number() noexcept { return cos_slice_version_number(); }

/// What the library that is running can do: words with a space between them; valid for ever.
[[nodiscard]] inline const char *features() noexcept { return cos_slice_features(); }

class client;
class config;
class operation;
class upload;

/* ---- Errors and results ---- */

/// Why a call failed. Plain data that belongs to nothing; copies share one block, and copying never throws.
class error : public std::exception {
public:
    /// An error of one's own, for a signer that has no signature to give.
    error(cos_slice::status status, std::string message) noexcept;

    /// A copy of an error of C, which stays the caller's; NULL is allowed.
    error(cos_slice::status status, const cos_slice_error *from) noexcept;

    /// Never status::ok.
    [[nodiscard]] cos_slice::status status() const noexcept { return status_; }
    /// What happened, where, what the server said and what to do next: one line. The same as what().
    [[nodiscard]] const char *message() const noexcept
    {
        return details_ ? details_->message.c_str() : status_meaning(status_);
    }
    [[nodiscard]] const char *what() const noexcept override { return message(); }
    /// The service's own code, such as -97; 0 where it gave none.
    [[nodiscard]] std::int64_t server_code() const noexcept { return details().server_code; }
    /// The HTTP status of the answer; 0 where there was no answer.
    [[nodiscard]] std::int32_t http_status() const noexcept { return details().http_status; }
    /// The service's identifier of the request; empty where there is none.
    [[nodiscard]] const std::string &request_id() const noexcept { return details().request_id; }
    /// The system's error number (errno); 0 where there is none.
    [[nodiscard]] std::int32_t os_errno() const noexcept { return details().os_errno; }
    /// Whether running the same upload again, unchanged, may well succeed.
    [[nodiscard]] bool is_retryable() const noexcept { return details().is_retryable; }
    /// How often the request that failed was attempted; 0 where the failure was not a request's.
    [[nodiscard]] std::uint32_t attempts() const noexcept { return details().attempts; }
    /// The offset in bytes of the slice whose request failed; nothing where it was not about a slice.
    [[nodiscard]] std::optional<std::int64_t> slice_offset() const noexcept { return details().slice_offset; }
    /// The operation that failed, such as "upload_slice_data"; empty where the failure was not a request's.
    [[nodiscard]] const std::string &operation() const noexcept { return details().operation; }
    /// What a callback returned to end the upload; 0 if none did.
    [[nodiscard]] std::int32_t callback_value() const noexcept { return details().callback_value; }

private:
    struct fields {
        std::string message;
        std::string request_id;
        std::string operation;
        std::optional<std::int64_t> slice_offset;
        std::int64_t server_code = 0;
        std::int32_t http_status = 0;
        std::int32_t os_errno = 0;
        std::uint32_t attempts = 0;
        std::int32_t callback_value = 0;
        bool is_retryable = false;
    };

    [[nodiscard]] static std::shared_ptr<const fields> copied(const cos_slice_error *from);
    [[nodiscard]] const fields &details() const noexcept
    {
        static const fields none;
        return details_ ? *details_ : none;
    }

    cos_slice::status status_;
    /* Null where there was no memory for it; then the status has to say all. */
    std::shared_ptr<const fields> details_;
};

/// A value, or why there is none. Asking for the one that is not there throws the error, or std::bad_variant_access for error(); without
/// exceptions it ends the program.
template <class T>
class [[nodiscard]] result {
public:
    template <class U = T, class = std::enable_if_t<std::is_convertible_v<U &&, T> &&
                                                    !std::is_same_v<std::decay_t<U>, result> &&
                                                    !std::is_same_v<std::decay_t<U>, cos_slice::error>>>
    result(U &&value) : state_(std::in_place_index<0>, std::forward<U>(value))
    {
    }
    result(cos_slice::error error) noexcept : state_(std::in_place_index<1>, std::move(error)) {}

    [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    [[nodiscard]] T &value() & { return check(), *std::get_if<0>(&state_); }
    [[nodiscard]] const T &value() const & { return check(), *std::get_if<0>(&state_); }
    [[nodiscard]] T &&value() && { return check(), std::move(*std::get_if<0>(&state_)); }
    T &operator*() & { return value(); }
    const T &operator*() const & { return value(); }
    T &&operator*() && { return std::move(*this).value(); }
    T *operator->() { return &value(); }
    const T *operator->() const { return &value(); }

    [[nodiscard]] const cos_slice::error &error() const { return std::get<1>(state_); }

private:
    void check() const
    {
        if (has_value())
            return;
#if COS_SLICE_HPP_EXCEPTIONS
        throw error();
#else
        std::terminate();
#endif
    }

    std::variant<T, cos_slice::error> state_;
};

/// Done, or why not.
template <>
class [[nodiscard]] result<void> {
public:
    result() noexcept = default;
    result(cos_slice::error error) noexcept : error_(std::move(error)) {}

    [[nodiscard]] bool has_value() const noexcept { return !error_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }

    void value() const
    {
        if (has_value())
            return;
#if COS_SLICE_HPP_EXCEPTIONS
        throw error();
#else
        std::terminate();
#endif
    }

    [[nodiscard]] const cos_slice::error &error() const { return error_.value(); }

private:
    std::optional<cos_slice::error> error_;
};

/* ---- What is told ---- */

/// How far an upload is; counts are of the object's bytes. The fields of cos_slice_progress.
struct progress {
    cos_slice::phase phase = phase::waiting;
    std::uint64_t total = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t resumed = 0;
    std::uint64_t hashed = 0;
    std::uint64_t slices_done = 0;
    std::uint64_t slices_total = 0;
    std::uint64_t retries = 0;
};

/// An object that an upload made or found. Addresses are as the service told them, empty where it did not.
struct object {
    cos_slice::outcome outcome = outcome::none;
    std::uint64_t size = 0;
    /// Bytes of slices that the server acknowledged in this run.
    std::uint64_t bytes_sent = 0;
    /// Bytes that the server had before it.
    std::uint64_t bytes_resumed = 0;
    std::uint64_t slices_sent = 0;
    /// Requests that were repeated.
    std::uint64_t retries = 0;
    /// Whether the server's record was compared with the source at the end, and agrees.
    bool verified = false;
    /// 40 lower-case hexadecimal digits; empty with hashing off.
    std::string sha1;
    std::string access_url;
    std::string source_url;
    std::string url;
    std::string resource_path;
    std::string preview_url;
    std::string vid;
};

/// What a signature is asked for. A signer gets it filled in; for sign() the caller does that.
struct sign_request {
    signature_kind kind = signature_kind::multi_effect;
    /// Such as "upload_slice_init"; it does not go into the signature.
    std::string operation;
    /// Decimal digits; for sign() it may be empty, else it must be the key's.
    std::string app_id;
    std::string bucket;
    /// Unencoded, without a leading slash; that of a directory ends with a slash.
    std::string path;
    /// For sign() 0 is the default.
    std::chrono::seconds lifetime{0};
};

/// One line of the log. Texts are valid until the log function returns, and empty where there is nothing to tell.
struct log_entry {
    log_level level = log_level::error;
    /// Stands alone, and has no secret.
    std::string_view message;
    std::string_view bucket;
    std::string_view path;
    std::string_view operation;
    /// Of a slice, in bytes.
    std::optional<std::int64_t> offset;
    std::uint32_t attempt = 0;
    std::int64_t server_code = 0;
    std::int32_t http_status = 0;
    std::string_view request_id;
};

/// A run of bytes that the service has of an unfinished upload.
struct part {
    std::int64_t offset = 0;
    std::int64_t length = 0;
};

/// False ends the upload with status::aborted_by_callback. (In C it is the other way round: there 0 goes on.)
using progress_function = std::function<bool(const progress &)>;
/// How a run ended; called once at its end, after the last call of the progress function.
using completion_function = std::function<void(result<object>)>;
/// Reads from offset on into buffer, which has room for size bytes: how many, which may be fewer, 0 only at the end, a negative number
/// where it failed. Called from several threads at once.
using read_at_function = std::function<std::int64_t(std::uint64_t offset, void *buffer, std::size_t size)>;
/// Reads what comes next, as read_at_function; never two calls at once.
using read_function = std::function<std::int64_t(void *buffer, std::size_t size)>;
/// Gives the authorization string, as a std::string, or an error whose message is told to whoever uploads, as is the what() of an
/// exception: neither should have a secret. It may block, and be called on several threads at once for different uploads.
using sign_function = std::function<result<std::string>(const sign_request &)>;
/// Called on the client's threads and on those that run uploads, several at once.
using log_function = std::function<void(const log_entry &)>;

namespace detail {

/// A text on its way into C.
class text {
public:
    text(const char *from) noexcept : pointer_(from) {}
    /* C would take the part before a NUL for the whole: a bucket or key that nobody meant. What isn't UTF-8 it refuses by name. */
    text(const std::string &from) noexcept : pointer_(from.find('\0') == std::string::npos ? from.c_str() : "\xff") {}

    [[nodiscard]] const char *c_str() const noexcept { return pointer_; }

private:
    const char *pointer_;
};

inline std::string_view view(const char *text) noexcept { return text != nullptr ? text : ""; }
inline std::string copy(const char *text) { return std::string(view(text)); }

template <class Handle, void (*Free)(Handle *)>
struct deleter {
    void operator()(Handle *handle) const noexcept { Free(handle); }
};
template <class Handle, void (*Free)(Handle *)>
using owned = std::unique_ptr<Handle, deleter<Handle, Free>>;

using client_handle = owned<cos_slice_client, cos_slice_client_free>;
using upload_handle = owned<cos_slice_upload, cos_slice_upload_free>;
using operation_handle = owned<cos_slice_operation, cos_slice_operation_free>;
using answer_handle = owned<cos_slice_answer, cos_slice_answer_free>;
using signature_handle = owned<cos_slice_signature, cos_slice_signature_free>;
using error_handle = owned<cos_slice_error, cos_slice_error_free>;

/// What the call gives; where there is no memory for that, `without`.
template <class Result, class Call>
Result contained(Call call, Result without) noexcept
{
#if COS_SLICE_HPP_EXCEPTIONS
    try {
        return call();
    } catch (...) {
        return without;
    }
#else
    static_cast<void>(without);
    return call();
#endif
}

/// As contained, of a result.
template <class T, class Call>
result<T> attempted(Call call) noexcept
{
#if COS_SLICE_HPP_EXCEPTIONS
    try {
        return call();
    } catch (...) {
        return error(status::resources, nullptr);
    }
#else
    return call();
#endif
}

/// Where an upload or a request goes, to tell whose a signer's exception is: the library doesn't tell the signer which upload asks.
struct target {
    std::string bucket;
    /// Without a leading slash.
    std::string path;

    target(text to_bucket, text to_path)
        : bucket(copy(to_bucket.c_str())), path(copy(to_path.c_str()))
    {
        if (!path.empty() && path.front() == '/')
            path.erase(0, 1);
    }

    /// Whether a signature for this path of the bucket was asked for on behalf of it; its directories are, with a slash at their end.
    [[nodiscard]] bool owns(const std::string &other_bucket, const std::string &other_path) const
    {
        if (bucket != other_bucket)
            return false;
        if (other_path == path)
            return true;
        const bool directory = !other_path.empty() && other_path.back() == '/';
        return directory && (path + '/').compare(0, other_path.size(), other_path) == 0;
    }
};

/// What the callbacks of a client threw, until a run takes it.
class client_exceptions {
public:
    /// A signer is asked for this path: what it threw when it was asked before is of no more interest.
    void forget(const std::string &bucket, const std::string &path)
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        for (auto at = signers_.begin(); at != signers_.end();)
            at = at->bucket == bucket && at->path == path ? signers_.erase(at) : at + 1;
    }

    void keep_of_signer(const std::string &bucket, const std::string &path, std::exception_ptr thrown)
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        /* Nobody claims what was thrown under an upload that was cancelled, or is never waited for. */
        if (signers_.size() >= most_unclaimed)
            signers_.erase(signers_.begin());
        signers_.push_back({bucket, path, std::move(thrown)});
    }

    [[nodiscard]] std::exception_ptr claim_of_signer(const target &target)
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        for (auto at = signers_.begin(); at != signers_.end(); ++at) {
            if (target.owns(at->bucket, at->path)) {
                std::exception_ptr thrown = std::move(at->thrown);
                signers_.erase(at);
                return thrown;
            }
        }
        return nullptr;
    }

    void keep_of_log(std::exception_ptr thrown) noexcept
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!log_)
            log_ = std::move(thrown);
    }

    [[nodiscard]] std::exception_ptr take_of_log() noexcept
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        return std::exchange(log_, nullptr);
    }

private:
    static constexpr std::size_t most_unclaimed = 256;
    struct of_signer {
        std::string bucket;
        std::string path;
        std::exception_ptr thrown;
    };

    std::mutex mutex_;
    std::vector<of_signer> signers_;
    std::exception_ptr log_;
};

/// What a client's uploads share with it.
struct client_shared {
    client_exceptions exceptions;
    /// Why nothing can be done with the library that is running.
    std::optional<error> unusable;
};

/// What crosses from the callbacks of an upload or operation to the thread that runs it or waits for it.
class carrier {
public:
    carrier(std::shared_ptr<client_shared> client, target target) : client_(std::move(client)), target_(std::move(target)) {}

    [[nodiscard]] client_shared &client() const noexcept { return *client_; }

    /// The first one is kept.
    void keep(std::exception_ptr thrown) noexcept
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!thrown_)
            thrown_ = std::move(thrown);
    }

    [[nodiscard]] std::exception_ptr take() noexcept
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        return std::exchange(thrown_, nullptr);
    }

    [[nodiscard]] std::exception_ptr thrown() const noexcept
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        return thrown_;
    }

    /// A run has ended so: where its signer threw, that is now this run's.
    void ended(status status)
    {
        if (status != status::signer)
            return;
        if (std::exception_ptr thrown = client_->exceptions.claim_of_signer(target_))
            keep(std::move(thrown));
    }

#if COS_SLICE_HPP_EXCEPTIONS
    void rethrow()
    {
        if (std::exception_ptr thrown = this->thrown())
            std::rethrow_exception(thrown);
        if (std::exception_ptr thrown = client_->exceptions.take_of_log())
            std::rethrow_exception(thrown);
    }
#endif

    /// The upload is being destroyed: no more calls.
    void silence() noexcept { silent_.store(true, std::memory_order_release); }
    [[nodiscard]] bool is_silent() const noexcept { return silent_.load(std::memory_order_acquire); }

private:
    mutable std::mutex mutex_;
    std::exception_ptr thrown_;
    std::atomic<bool> silent_{false};
    std::shared_ptr<client_shared> client_;
    target target_;
};

/* ---- The boxes that C keeps as user_data, each with the function that C calls ---- */

template <class Box>
void drop(void *user_data) noexcept
{
    delete static_cast<Box *>(user_data);
}

/// What the call gives, or `failed` where it threw; then the exception is carried.
template <class Result, class Call>
Result carried(carrier &carrier, Result failed, Call call) noexcept
{
#if COS_SLICE_HPP_EXCEPTIONS
    try {
        return call();
    } catch (...) {
        carrier.keep(std::current_exception());
        return failed;
    }
#else
    static_cast<void>(carrier);
    static_cast<void>(failed);
    return call();
#endif
}

static_assert(sizeof(cos_slice_progress) == 64, "progress has to get the fields that cos_slice_progress got");

inline progress told(const cos_slice_progress &from) noexcept
{
    return {static_cast<phase>(from.phase), from.total, from.acknowledged, from.resumed,
            from.hashed, from.slices_done, from.slices_total, from.retries};
}

struct progress_box {
    progress_function function;
    std::shared_ptr<carrier> carrying;

    static std::int32_t call(const cos_slice_progress *progress, void *user_data) noexcept
    {
        auto &box = *static_cast<progress_box *>(user_data);
        if (box.carrying->is_silent())
            return 0;
        return carried<std::int32_t>(*box.carrying, 1, [&] { return box.function(told(*progress)) ? 0 : 1; });
    }
};

struct read_at_box {
    read_at_function function;
    std::shared_ptr<carrier> carrying;

    static std::int64_t call(std::uint64_t offset, void *buffer, std::size_t size, void *user_data) noexcept
    {
        auto &box = *static_cast<read_at_box *>(user_data);
        return carried<std::int64_t>(*box.carrying, -1, [&] { return box.function(offset, buffer, size); });
    }
};

struct read_box {
    read_function function;
    std::shared_ptr<carrier> carrying;

    static std::int64_t call(void *buffer, std::size_t size, void *user_data) noexcept
    {
        auto &box = *static_cast<read_box *>(user_data);
        return carried<std::int64_t>(*box.carrying, -1, [&] { return box.function(buffer, size); });
    }
};

[[nodiscard]] std::optional<object> object_of(const cos_slice_upload *upload);

struct completion_box {
    completion_function function;
    std::shared_ptr<carrier> carrying;
    const cos_slice_upload *upload;

    static void call(std::int32_t status, const cos_slice_error *failure, void *user_data) noexcept
    {
        auto &box = *static_cast<completion_box *>(user_data);
        if (box.carrying->is_silent())
            return;
        carried(*box.carrying, 0, [&] {
            const auto how = static_cast<cos_slice::status>(status);
            box.carrying->ended(how);
            if (how == status::ok)
                box.function(object_of(box.upload).value_or(object()));
            else
                box.function(error(how, failure));
            return 0;
        });
    }
};

struct sign_box {
    sign_function function;
    std::shared_ptr<client_shared> client;

    static std::int32_t call(const cos_slice_sign_request *request, cos_slice_signature *signature, void *user_data) noexcept
    {
        auto &box = *static_cast<sign_box *>(user_data);
#if COS_SLICE_HPP_EXCEPTIONS
        try {
            return box.ask(request, signature);
        } catch (const std::exception &thrown) {
            return box.failed(request, signature, thrown.what());
        } catch (...) {
            return box.failed(request, signature, "the signer threw what is no std::exception");
        }
#else
        return box.ask(request, signature);
#endif
    }

private:
    std::int32_t ask(const cos_slice_sign_request *from, cos_slice_signature *signature)
    {
        const sign_request request{static_cast<signature_kind>(from->kind), copy(from->operation), copy(from->app_id),
                                   copy(from->bucket), copy(from->path), std::chrono::seconds(from->lifetime_s)};
        client->exceptions.forget(request.bucket, request.path);
        const result<std::string> given = function(request);
        if (!given) {
            cos_slice_signature_fail(signature, given.error().message());
            return 1;
        }
        /* What is wrong with a string that is not accepted the library tells in the upload's error. */
        cos_slice_signature_set(signature, text(*given).c_str());
        return 0;
    }

#if COS_SLICE_HPP_EXCEPTIONS
    std::int32_t failed(const cos_slice_sign_request *request, cos_slice_signature *signature, const char *why) noexcept
    {
        cos_slice_signature_fail(signature, why);
        /* Where there is no memory for it the upload ends all the same, with an error that says why. */
        contained([&] {
            client->exceptions.keep_of_signer(copy(request->bucket), copy(request->path), std::current_exception());
            return 0;
        }, 0);
        return 1;
    }
#endif
};

struct log_box {
    log_function function;
    std::shared_ptr<client_shared> client;

    static void call(const cos_slice_log_entry *entry, void *user_data) noexcept
    {
        auto &box = *static_cast<log_box *>(user_data);
#if COS_SLICE_HPP_EXCEPTIONS
        try {
            box.function(told(*entry));
        } catch (...) {
            box.client->exceptions.keep_of_log(std::current_exception());
        }
#else
        box.function(told(*entry));
#endif
    }

private:
    static log_entry told(const cos_slice_log_entry &from) noexcept
    {
        log_entry entry;
        entry.level = static_cast<log_level>(from.level);
        entry.message = view(from.message);
        entry.bucket = view(from.bucket);
        entry.path = view(from.path);
        entry.operation = view(from.operation);
        if (from.offset >= 0)
            entry.offset = from.offset;
        entry.attempt = from.attempt;
        entry.server_code = from.server_code;
        entry.http_status = from.http_status;
        entry.request_id = view(from.request_id);
        return entry;
    }
};

/// What begins a run has it, or why the library can't be used. What callbacks threw in an earlier run is forgotten, unless that still
/// goes on.
template <class T, class Begin>
result<T> begun(carrier *carrier, Begin begin)
{
    if (carrier == nullptr)
        return begin();
    if (carrier->client().unusable)
        return *carrier->client().unusable;
    std::exception_ptr earlier = carrier->take();
    result<T> how = begin();
    if (earlier && !how && how.error().status() == status::busy)
        carrier->keep(std::move(earlier));
    return how;
}

/// Whether a run or request ended so, and it is not only that nothing is to be had of it now.
template <class T>
[[nodiscard]] bool is_an_end(const result<T> &how)
{
    if (how)
        return true;
    const status status = how.error().status();
    return status != status::busy && status != status::still_running && status != status::not_started;
}

/// Whether it is a container of bytes: std::vector<unsigned char>, std::array<std::byte, n>, std::span<const char> … Texts are not, and
/// C arrays are not either, of which a literal has a NUL more than is meant.
template <class Bytes, class = void>
struct is_bytes : std::false_type {};
template <class Bytes>
struct is_bytes<Bytes, std::void_t<decltype(std::data(std::declval<const Bytes &>()), std::size(std::declval<const Bytes &>()))>>
    : std::bool_constant<sizeof(*std::data(std::declval<const Bytes &>())) == 1 && !std::is_array_v<Bytes> &&
                         !std::is_convertible_v<const Bytes &, std::string_view>> {};

/// Why the library that is running can't be used with this header; nothing where it can.
inline std::optional<error> unusable() noexcept
{
    if (cos_slice_abi_version() == COS_SLICE_ABI_VERSION && cos_slice_version_number() >= COS_SLICE_VERSION_NUMBER)
        return std::nullopt;
    return contained([]() -> std::optional<error> {
        const std::string header = std::to_string(COS_SLICE_VERSION_MAJOR) + '.' + std::to_string(COS_SLICE_VERSION_MINOR) +
                                   '.' + std::to_string(COS_SLICE_VERSION_PATCH);
        return error(status::invalid_argument,
                     "library: version " + copy(cos_slice_version()) + " with binary interface " +
                         std::to_string(cos_slice_abi_version()) + " is running, and this program was compiled for version " +
                         header + " with binary interface " + std::to_string(COS_SLICE_ABI_VERSION) +
                         "; compile it anew, or let it find the library that it was compiled for");
    }, std::optional<error>(error(status::invalid_argument, nullptr)));
}

} // namespace detail

/* ---- Client ---- */

/// The settings of a client in the making. As those of C, cos_slice_client_set_…, of which each tells more.
class config {
public:
    config() : shared_(std::make_shared<detail::client_shared>())
    {
        shared_->unusable = detail::unusable();
        if (!shared_->unusable)
            client_.reset(cos_slice_client_new());
    }

    /// Where the service is: this or region is needed.
    config &endpoint(detail::text endpoint) & { return set(cos_slice_client_set_endpoint(get(), endpoint.c_str())); }
    config endpoint(detail::text endpoint) && { return std::move(this->endpoint(endpoint)); }
    config &region(detail::text region) & { return set(cos_slice_client_set_region(get(), region.c_str())); }
    config region(detail::text region) && { return std::move(this->region(region)); }
    config &api(cos_slice::api api) & { return set(cos_slice_client_set_api(get(), static_cast<std::int32_t>(api))); }
    config api(cos_slice::api api) && { return std::move(this->api(api)); }
    /// A fixed number of requests in flight at once, and of worker threads at most. Of this and adaptive_connections the last counts.
    config &connections(std::int32_t connections) & { return set(cos_slice_client_set_connections(get(), connections)); }
    config connections(std::int32_t connections) && { return std::move(this->connections(connections)); }
    /// As many requests in flight at once as serve the speed, and worker threads, but never more than so many.
    config &adaptive_connections(std::int32_t most) & { return set(cos_slice_client_set_adaptive_connections(get(), most)); }
    config adaptive_connections(std::int32_t most) && { return std::move(adaptive_connections(most)); }
    /// Bytes a second that all uploads of the client may send together; 0: no limit. client::rate_limit changes it later.
    config &rate_limit(std::int64_t bytes_per_second) &
    {
        return set(cos_slice_client_set_rate_limit(get(), bytes_per_second));
    }
    config rate_limit(std::int64_t bytes_per_second) && { return std::move(rate_limit(bytes_per_second)); }

    config &resolve_timeout(std::chrono::milliseconds limit) &
    {
        return set(cos_slice_client_set_resolve_timeout_ms(get(), limit.count()));
    }
    config resolve_timeout(std::chrono::milliseconds limit) && { return std::move(resolve_timeout(limit)); }
    config &connect_timeout(std::chrono::milliseconds limit) &
    {
        return set(cos_slice_client_set_connect_timeout_ms(get(), limit.count()));
    }
    config connect_timeout(std::chrono::milliseconds limit) && { return std::move(connect_timeout(limit)); }
    config &tls_timeout(std::chrono::milliseconds limit) &
    {
        return set(cos_slice_client_set_tls_timeout_ms(get(), limit.count()));
    }
    config tls_timeout(std::chrono::milliseconds limit) && { return std::move(tls_timeout(limit)); }
    config &stall_timeout(std::chrono::milliseconds limit) &
    {
        return set(cos_slice_client_set_stall_timeout_ms(get(), limit.count()));
    }
    config stall_timeout(std::chrono::milliseconds limit) && { return std::move(stall_timeout(limit)); }
    config &answer_timeout(std::chrono::milliseconds limit) &
    {
        return set(cos_slice_client_set_answer_timeout_ms(get(), limit.count()));
    }
    config answer_timeout(std::chrono::milliseconds limit) && { return std::move(answer_timeout(limit)); }
    config &finish_timeout(std::chrono::milliseconds limit) &
    {
        return set(cos_slice_client_set_finish_timeout_ms(get(), limit.count()));
    }
    config finish_timeout(std::chrono::milliseconds limit) && { return std::move(finish_timeout(limit)); }

    /// Trusts the certificates of a PEM file, or of the text of one, in place of the system's. The path is UTF-8.
    config &ca_file(detail::text path) & { return set(cos_slice_client_set_ca_file(get(), path.c_str())); }
    config ca_file(detail::text path) && { return std::move(ca_file(path)); }
    config &ca_pem(std::string_view pem) & { return set(cos_slice_client_set_ca_pem(get(), pem.data(), pem.size())); }
    config ca_pem(std::string_view pem) && { return std::move(ca_pem(pem)); }
    /// "http://[user:password@]host:port"; null: none.
    config &proxy(detail::text url) & { return set(cos_slice_client_set_proxy(get(), url.c_str())); }
    config proxy(detail::text url) && { return std::move(proxy(url)); }
    config &use_env_proxy(bool on = true) & { return set(cos_slice_client_set_use_env_proxy(get(), on)); }
    config use_env_proxy(bool on = true) && { return std::move(this->use_env_proxy(on)); }
    /// The path is UTF-8.
    config &checkpoint_dir(detail::text path) & { return set(cos_slice_client_set_checkpoint_dir(get(), path.c_str())); }
    config checkpoint_dir(detail::text path) && { return std::move(checkpoint_dir(path)); }

    /// Who signs: this, authorization or signer is needed. The library overwrites its copies of secrets; the caller's are the caller's.
    config &secret_key(detail::text app_id, detail::text secret_id, detail::text secret_key) &
    {
        return set(cos_slice_client_set_secret_key(get(), app_id.c_str(), secret_id.c_str(), secret_key.c_str()));
    }
    config secret_key(detail::text app_id, detail::text secret_id, detail::text secret_key) &&
    {
        return std::move(this->secret_key(app_id, secret_id, secret_key));
    }
    config &authorization(detail::text app_id, detail::text authorization) &
    {
        return set(cos_slice_client_set_authorization(get(), app_id.c_str(), authorization.c_str()));
    }
    config authorization(detail::text app_id, detail::text authorization) &&
    {
        return std::move(this->authorization(app_id, authorization));
    }
    /// Where it throws, the upload that asked ends with status::signer, and throws that again.
    config &signer(detail::text app_id, sign_function sign) &
    {
        using box = detail::sign_box;
        const auto call = sign ? &box::call : nullptr;
        auto user_data = std::make_unique<box>(box{std::move(sign), shared_});
        return set(cos_slice_client_set_signer(get(), app_id.c_str(), call, user_data.release(), &detail::drop<box>));
    }
    config signer(detail::text app_id, sign_function sign) && { return std::move(signer(app_id, std::move(sign))); }
    config &signature_scope(cos_slice::signature_scope scope) &
    {
        return set(cos_slice_client_set_signature_scope(get(), static_cast<std::int32_t>(scope)));
    }
    config signature_scope(cos_slice::signature_scope scope) && { return std::move(this->signature_scope(scope)); }
    config &signature_lifetime(std::chrono::seconds lifetime) &
    {
        return set(cos_slice_client_set_signature_lifetime_s(get(), lifetime.count()));
    }
    config signature_lifetime(std::chrono::seconds lifetime) && { return std::move(signature_lifetime(lifetime)); }

    /// The slice sizes of a private store, in bytes.
    config &slice_sizes(std::initializer_list<std::int64_t> sizes) &
    {
        return set(cos_slice_client_set_slice_sizes(get(), sizes.begin(), sizes.size()));
    }
    config slice_sizes(std::initializer_list<std::int64_t> sizes) && { return std::move(slice_sizes(sizes)); }
    config &slice_sizes(const std::vector<std::int64_t> &sizes) &
    {
        return set(cos_slice_client_set_slice_sizes(get(), sizes.data(), sizes.size()));
    }
    config slice_sizes(const std::vector<std::int64_t> &sizes) && { return std::move(slice_sizes(sizes)); }
    config &add_form_field(detail::text name, detail::text value) &
    {
        return set(cos_slice_client_add_form_field(get(), name.c_str(), value.c_str()));
    }
    config add_form_field(detail::text name, detail::text value) && { return std::move(add_form_field(name, value)); }
    config &add_header(detail::text name, detail::text value) &
    {
        return set(cos_slice_client_add_header(get(), name.c_str(), value.c_str()));
    }
    config add_header(detail::text name, detail::text value) && { return std::move(add_header(name, value)); }
    config &token_place(cos_slice::token_place place, detail::text word = nullptr) &
    {
        return set(cos_slice_client_set_token_place(get(), static_cast<std::int32_t>(place), word.c_str()));
    }
    config token_place(cos_slice::token_place place, detail::text word = nullptr) &&
    {
        return std::move(this->token_place(place, word));
    }
    config &slice_md5(bool on = true) & { return set(cos_slice_client_set_slice_md5(get(), on)); }
    config slice_md5(bool on = true) && { return std::move(slice_md5(on)); }

    /// Tells entries of this level and the more important ones. What the function throws is thrown again by whichever run, wait or
    /// request of the client ends next.
    config &log(log_level level, log_function log) &
    {
        using box = detail::log_box;
        const auto call = log ? &box::call : nullptr;
        auto user_data = std::make_unique<box>(box{std::move(log), shared_});
        return set(cos_slice_client_set_log(get(), static_cast<std::int32_t>(level), call, user_data.release(),
                                            &detail::drop<box>));
    }
    config log(log_level level, log_function log) && { return std::move(this->log(level, std::move(log))); }

    /// What the last setter gave; a client's run tells of one that was not acceptable in any case.
    [[nodiscard]] status last_setting() const noexcept { return last_setting_; }

private:
    friend class client;

    [[nodiscard]] cos_slice_client *get() const noexcept { return client_.get(); }
    config &set(std::int32_t status) noexcept
    {
        last_setting_ = static_cast<cos_slice::status>(status);
        return *this;
    }

    std::shared_ptr<detail::client_shared> shared_;
    detail::client_handle client_;
    status last_setting_ = status::ok;
};

/// What uploads share: where the service is, who signs, the connections and the threads.
class client {
public:
    /// Throws where the library that is running does not fit this header; a setting that is not acceptable is told by the first run.
    explicit client(config &&settings) : shared_(std::move(settings.shared_)), client_(std::move(settings.client_))
    {
#if COS_SLICE_HPP_EXCEPTIONS
        usable().value();
#endif
    }

    /// Whether the library that is running fits this header. Where it does not, nothing is called of it, and each run tells so.
    [[nodiscard]] result<void> usable() const noexcept
    {
        if (shared_ && shared_->unusable)
            return *shared_->unusable;
        return {};
    }

    /// A new upload to a path of a bucket; the leading slash makes no difference.
    [[nodiscard]] cos_slice::upload upload(detail::text bucket, detail::text path) const;

    /// A new handle for single requests to a path of a bucket.
    [[nodiscard]] cos_slice::operation operation(detail::text bucket, detail::text path) const;

    /// Bytes a second that all uploads of the client may send together from now on, those under way too; 0: no limit. One that is not
    /// acceptable is status::invalid_argument and leaves the limit as it was. Any thread, at any time, inside callbacks too.
    status rate_limit(std::int64_t bytes_per_second) const noexcept
    {
        return static_cast<status>(cos_slice_client_set_rate_limit(client_.get(), bytes_per_second));
    }

    /// What the log function threw, if no run has thrown it again; it is forgotten here.
    [[nodiscard]] std::exception_ptr thrown() noexcept { return shared_ ? shared_->exceptions.take_of_log() : nullptr; }

private:
    [[nodiscard]] std::shared_ptr<detail::carrier> carrier_to(detail::text bucket, detail::text path) const
    {
        auto shared = shared_ ? shared_ : std::make_shared<detail::client_shared>();
        return std::make_shared<detail::carrier>(std::move(shared), detail::target(bucket, path));
    }

    std::shared_ptr<detail::client_shared> shared_;
    detail::client_handle client_;
};

/* ---- Upload ---- */

/// One file, or other content, on its way to one object.
class upload {
public:
    upload(upload &&other) noexcept = default;
    upload &operator=(upload &&other) noexcept
    {
        upload taken(std::move(other));
        std::swap(core_, taken.core_);
        std::swap(last_setting_, taken.last_setting_);
        return *this;
    }
    upload(const upload &) = delete;
    upload &operator=(const upload &) = delete;

    /// Cancels an upload that was started and waits for its end; inside a callback it does not wait, and no further call is made.
    ~upload()
    {
        /* Destroyed by a callback under run or wait: the handle goes when these return. */
        if (core_.use_count() > 1) {
            core_->carrying->silence();
            cancel();
        }
    }

    /* What is uploaded: one of these; the last one counts. */

    /// A regular file. Its name is taken as the bytes it has, which need not be UTF-8.
    upload &file(const std::filesystem::path &path) &
    {
        const std::string &name = path.native();
        return set(cos_slice_upload_set_file_bytes(get(), name.data(), name.size()));
    }
    upload file(const std::filesystem::path &path) && { return std::move(file(path)); }
    /// Bytes in memory, which are copied: a text, or any container of bytes such as std::vector<std::byte> or std::span<const char>.
    upload &memory(const void *data, std::size_t size) & { return set(cos_slice_upload_set_memory(get(), data, size)); }
    upload memory(const void *data, std::size_t size) && { return std::move(memory(data, size)); }
    /// Of a text. An array of char counts as one, up to its NUL: for bytes pass (data, size).
    upload &memory(std::string_view bytes) & { return memory(bytes.data(), bytes.size()); }
    upload memory(std::string_view bytes) && { return std::move(memory(bytes)); }
    template <class Bytes, class = std::enable_if_t<detail::is_bytes<Bytes>::value>>
    upload &memory(const Bytes &bytes) &
    {
        return memory(std::data(bytes), std::size(bytes));
    }
    template <class Bytes, class = std::enable_if_t<detail::is_bytes<Bytes>::value>>
    upload memory(const Bytes &bytes) &&
    {
        return std::move(memory(bytes));
    }
    /// A regular file that is open for reading; the descriptor may be closed at once.
    upload &descriptor(int descriptor) & { return set(cos_slice_upload_set_descriptor(get(), descriptor)); }
    upload descriptor(int descriptor) && { return std::move(this->descriptor(descriptor)); }
    /// What a function gives for any offset. The run throws again what it throws.
    upload &read_at(std::int64_t size, read_at_function read_at) &
    {
        using box = detail::read_at_box;
        const auto call = read_at ? &box::call : nullptr;
        auto user_data = std::make_unique<box>(box{std::move(read_at), carrying()});
        return set(cos_slice_upload_set_read_at(get(), size, call, user_data.release(), &detail::drop<box>));
    }
    upload read_at(std::int64_t size, read_at_function read_at) && { return std::move(this->read_at(size, std::move(read_at))); }
    /// What a function reads, once and in order; size -1 where it is not known, which spool is needed for.
    upload &stream(std::int64_t size, read_function read) &
    {
        using box = detail::read_box;
        const auto call = read ? &box::call : nullptr;
        auto user_data = std::make_unique<box>(box{std::move(read), carrying()});
        return set(cos_slice_upload_set_stream(get(), size, call, user_data.release(), &detail::drop<box>));
    }
    upload stream(std::int64_t size, read_function read) && { return std::move(stream(size, std::move(read))); }
    /// What a std::istream gives from where it is; it must stay until another source is set or the upload is destroyed.
    upload &stream(std::int64_t size, std::istream &from) &
    {
        return stream(size, [&from](void *buffer, std::size_t room) -> std::int64_t {
            from.read(static_cast<char *>(buffer), static_cast<std::streamsize>(room));
            /* One that failed without being at its end, such as a file that could not be opened, has nothing to give. */
            return from.bad() || (from.fail() && !from.eof()) ? -1 : static_cast<std::int64_t>(from.gcount());
        });
    }
    upload stream(std::int64_t size, std::istream &from) && { return std::move(stream(size, from)); }
    /// Has a stream written to a temporary file first, up to a limit, in the system's folder for such or in this one (UTF-8).
    upload &spool(std::int64_t limit_bytes) & { return spool(nullptr, limit_bytes); }
    upload spool(std::int64_t limit_bytes) && { return std::move(spool(limit_bytes)); }
    upload &spool(detail::text directory, std::int64_t limit_bytes) &
    {
        return set(cos_slice_upload_set_spool(get(), directory.c_str(), limit_bytes));
    }
    upload spool(detail::text directory, std::int64_t limit_bytes) && { return std::move(spool(directory, limit_bytes)); }
    /// Only length bytes from offset on; -1 for all that follow.
    upload &range(std::int64_t offset, std::int64_t length = -1) &
    {
        return set(cos_slice_upload_set_range(get(), offset, length));
    }
    upload range(std::int64_t offset, std::int64_t length = -1) && { return std::move(range(offset, length)); }

    /* How. */

    /// In bytes.
    upload &slice_size(std::int64_t bytes) & { return set(cos_slice_upload_set_slice_size(get(), bytes)); }
    upload slice_size(std::int64_t bytes) && { return std::move(slice_size(bytes)); }
    upload &hash(bool on) & { return set(cos_slice_upload_set_hash(get(), on)); }
    upload hash(bool on) && { return std::move(hash(on)); }
    upload &overwrite(bool on = true) & { return set(cos_slice_upload_set_overwrite(get(), on)); }
    upload overwrite(bool on = true) && { return std::move(overwrite(on)); }
    upload &create_parents(bool on = true) & { return set(cos_slice_upload_set_create_parents(get(), on)); }
    upload create_parents(bool on = true) && { return std::move(create_parents(on)); }
    upload &discard_unfinished(bool on = true) & { return set(cos_slice_upload_set_discard_unfinished(get(), on)); }
    upload discard_unfinished(bool on = true) && { return std::move(discard_unfinished(on)); }
    upload &verify(bool on) & { return set(cos_slice_upload_set_verify(get(), on)); }
    upload verify(bool on) && { return std::move(verify(on)); }
    upload &biz_attr(detail::text value) & { return set(cos_slice_upload_set_biz_attr(get(), value.c_str())); }
    upload biz_attr(detail::text value) && { return std::move(biz_attr(value)); }
    /// In bytes.
    upload &single_request_limit(std::int64_t bytes) & { return set(cos_slice_upload_set_single_request_limit(get(), bytes)); }
    upload single_request_limit(std::int64_t bytes) && { return std::move(single_request_limit(bytes)); }
    /// The longest that the whole upload may take.
    upload &deadline(std::chrono::milliseconds limit) & { return set(cos_slice_upload_set_deadline_ms(get(), limit.count())); }
    upload deadline(std::chrono::milliseconds limit) && { return std::move(deadline(limit)); }
    /// Bytes a second that this upload may send from now on, beside the client's limit; 0: no limit. One that is not acceptable is
    /// status::invalid_argument and leaves the limit as it was. Any thread, at any time, inside callbacks too: so of an upload that
    /// stays it returns the status, which last_setting does not tell.
    status rate_limit(std::int64_t bytes_per_second) const & noexcept
    {
        return static_cast<status>(cos_slice_upload_set_rate_limit(get(), bytes_per_second));
    }
    upload rate_limit(std::int64_t bytes_per_second) &&
    {
        return std::move(set(cos_slice_upload_set_rate_limit(get(), bytes_per_second)));
    }

    /// Under run it is called on the thread that runs, under start on the client's one callback thread. Empty: none.
    upload &on_progress(progress_function function) &
    {
        using box = detail::progress_box;
        const auto call = function ? &box::call : nullptr;
        auto user_data = std::make_unique<box>(box{std::move(function), carrying()});
        return set(cos_slice_upload_set_progress(get(), call, user_data.release(), &detail::drop<box>));
    }
    upload on_progress(progress_function function) && { return std::move(on_progress(std::move(function))); }
    /// Called where the progress function is, once for each run that began, with how it ended: with start, the form that needs no
    /// thread to wait. wait returns once it has returned. Empty: none.
    upload &on_completion(completion_function function) &
    {
        using box = detail::completion_box;
        const auto call = function ? &box::call : nullptr;
        auto user_data = std::make_unique<box>(box{std::move(function), carrying(), get()});
        return set(cos_slice_upload_set_completion(get(), call, user_data.release(), &detail::drop<box>));
    }
    upload on_completion(completion_function function) && { return std::move(on_completion(std::move(function))); }

    /// What the last setter gave: status::busy where it came too late and changed nothing. Others run tells too.
    [[nodiscard]] status last_setting() const noexcept { return last_setting_; }

    /* Running. */

#if COS_SLICE_HPP_EXCEPTIONS
    /// Returns when it is over. An upload may be run again, after a failure too, and goes on with what the server has.
    cos_slice::object run()
    {
        const std::shared_ptr<core> kept = core_;
        return thrown_or(kept, run_it(kept));
    }
    /// Begins to run it and returns.
    void start() { start_it(core_).value(); }
    /// Returns when an upload that was started is over, as run would have.
    cos_slice::object wait()
    {
        const std::shared_ptr<core> kept = core_;
        return thrown_or(kept, wait_for_it(kept, -1));
    }
    /// The same, for at most so long; nothing where it is not over by then.
    [[nodiscard]] std::optional<cos_slice::object> wait_for(std::chrono::milliseconds limit)
    {
        const std::shared_ptr<core> kept = core_;
        cos_slice::result<cos_slice::object> how = wait_for_it(kept, at_least_0(limit));
        if (!how && how.error().status() == status::still_running)
            return std::nullopt;
        return thrown_or(kept, std::move(how));
    }
#endif
    cos_slice::result<cos_slice::object> run(const std::nothrow_t &) noexcept
    {
        return detail::attempted<cos_slice::object>([kept = core_] { return run_it(kept); });
    }
    cos_slice::result<void> start(const std::nothrow_t &) noexcept
    {
        return detail::attempted<void>([kept = core_] { return start_it(kept); });
    }
    cos_slice::result<cos_slice::object> wait(const std::nothrow_t &) noexcept
    {
        return detail::attempted<cos_slice::object>([kept = core_] { return wait_for_it(kept, -1); });
    }
    /// status::still_running where it is not over by then.
    cos_slice::result<cos_slice::object> wait_for(std::chrono::milliseconds limit, const std::nothrow_t &) noexcept
    {
        return detail::attempted<cos_slice::object>([kept = core_, limit] { return wait_for_it(kept, at_least_0(limit)); });
    }

    /// Stops the present run, or the next one where none is running; it ends with status::cancelled. Returns at once. Any thread.
    void cancel() const noexcept { cos_slice_upload_cancel(get()); }

    /// How far the present run is, or the last one was. Any thread.
    [[nodiscard]] cos_slice::progress progress() const noexcept
    {
        cos_slice_progress now{};
        now.struct_size = sizeof now;
        cos_slice_upload_progress(get(), &now);
        return detail::told(now);
    }

    /// What the last run brought; nothing unless it succeeded.
    [[nodiscard]] std::optional<cos_slice::object> object() const { return detail::object_of(get()); }

    /// What was noticed in the last run and did not stop it; empty where there was nothing, and while it runs.
    [[nodiscard]] std::string warning() const { return detail::copy(cos_slice_upload_warning(get())); }

    /// What a callback threw in the last run, for those who use the forms with std::nothrow; null where none did.
    [[nodiscard]] std::exception_ptr thrown() const noexcept { return core_ ? core_->carrying->thrown() : nullptr; }

private:
    friend class client;

    /* Shared with the calls of run and wait that are under way: a callback may destroy the upload meanwhile. */
    struct core {
        std::shared_ptr<detail::carrier> carrying;
        detail::upload_handle handle;
    };

    upload(std::shared_ptr<detail::carrier> carrying, detail::upload_handle handle)
        : core_(std::make_shared<core>(core{std::move(carrying), std::move(handle)}))
    {
    }

    [[nodiscard]] static cos_slice_upload *handle_of(const std::shared_ptr<core> &kept) noexcept
    {
        return kept ? kept->handle.get() : nullptr;
    }
    [[nodiscard]] cos_slice_upload *get() const noexcept { return handle_of(core_); }
    [[nodiscard]] std::shared_ptr<detail::carrier> carrying() const noexcept { return core_ ? core_->carrying : nullptr; }
    upload &set(std::int32_t status) noexcept
    {
        last_setting_ = static_cast<cos_slice::status>(status);
        return *this;
    }

    static cos_slice::result<cos_slice::object> run_it(const std::shared_ptr<core> &kept)
    {
        return detail::begun<cos_slice::object>(kept ? kept->carrying.get() : nullptr, [&] {
            cos_slice_error *failure = nullptr;
            const std::int32_t status = cos_slice_upload_run(handle_of(kept), &failure);
            return ended(kept, status, detail::error_handle(failure));
        });
    }

    static cos_slice::result<void> start_it(const std::shared_ptr<core> &kept)
    {
        return detail::begun<void>(kept ? kept->carrying.get() : nullptr, [&]() -> cos_slice::result<void> {
            cos_slice_error *failure = nullptr;
            const std::int32_t status = cos_slice_upload_start(handle_of(kept), &failure);
            const detail::error_handle guard(failure);
            if (status == COS_SLICE_OK)
                return {};
            return error(static_cast<cos_slice::status>(status), failure);
        });
    }

    static cos_slice::result<cos_slice::object> wait_for_it(const std::shared_ptr<core> &kept, std::int64_t ms)
    {
        cos_slice_error *failure = nullptr;
        const std::int32_t status = cos_slice_upload_wait(handle_of(kept), ms, &failure);
        return ended(kept, status, detail::error_handle(failure));
    }

    static cos_slice::result<cos_slice::object> ended(const std::shared_ptr<core> &kept, std::int32_t number,
                                                      const detail::error_handle &failure)
    {
        const auto how = static_cast<cos_slice::status>(number);
        if (how == status::ok)
            return detail::object_of(handle_of(kept)).value_or(cos_slice::object());
        if (kept)
            kept->carrying->ended(how);
        return error(how, failure.get());
    }

    /* A negative number would wait without end. */
    [[nodiscard]] static std::int64_t at_least_0(std::chrono::milliseconds limit) noexcept
    {
        return limit.count() < 0 ? 0 : limit.count();
    }

#if COS_SLICE_HPP_EXCEPTIONS
    static cos_slice::object thrown_or(const std::shared_ptr<core> &kept, cos_slice::result<cos_slice::object> how)
    {
        if (kept && detail::is_an_end(how))
            kept->carrying->rethrow();
        return std::move(how).value();
    }
#endif

    std::shared_ptr<core> core_;
    status last_setting_ = status::ok;
};

/* ---- One request at a time ---- */

/// What a request brought. Numbers that were not told are nothing, texts empty. Texts are copies.
class answer {
public:
    [[nodiscard]] answer_kind kind() const noexcept { return static_cast<answer_kind>(cos_slice_answer_kind(get())); }
    [[nodiscard]] std::string session() const { return detail::copy(cos_slice_answer_session(get())); }
    [[nodiscard]] std::optional<std::int64_t> slice_size() const noexcept { return number(cos_slice_answer_slice_size(get())); }
    [[nodiscard]] std::optional<std::int64_t> offset() const noexcept { return number(cos_slice_answer_offset(get())); }
    /// Whether slices have to be sent one after another; nothing where the server did not say, and then they need not.
    [[nodiscard]] std::optional<bool> serial() const noexcept
    {
        const std::int32_t serial = cos_slice_answer_serial(get());
        return serial < 0 ? std::nullopt : std::optional<bool>(serial != 0);
    }
    [[nodiscard]] std::optional<std::int64_t> size() const noexcept { return number(cos_slice_answer_size(get())); }
    [[nodiscard]] std::optional<std::int64_t> received() const noexcept { return number(cos_slice_answer_received(get())); }
    [[nodiscard]] std::string sha1() const { return detail::copy(cos_slice_answer_sha1(get())); }
    [[nodiscard]] std::vector<part> parts() const
    {
        std::vector<part> parts(cos_slice_answer_part_count(get()));
        for (std::size_t index = 0; index < parts.size(); index++)
            cos_slice_answer_part(get(), index, &parts[index].offset, &parts[index].length);
        return parts;
    }
    [[nodiscard]] std::string access_url() const { return detail::copy(cos_slice_answer_access_url(get())); }
    [[nodiscard]] std::string source_url() const { return detail::copy(cos_slice_answer_source_url(get())); }
    [[nodiscard]] std::string url() const { return detail::copy(cos_slice_answer_url(get())); }
    [[nodiscard]] std::string resource_path() const { return detail::copy(cos_slice_answer_resource_path(get())); }
    [[nodiscard]] std::string preview_url() const { return detail::copy(cos_slice_answer_preview_url(get())); }
    [[nodiscard]] std::string vid() const { return detail::copy(cos_slice_answer_vid(get())); }

private:
    friend class operation;

    explicit answer(detail::answer_handle handle) noexcept : handle_(std::move(handle)) {}
    [[nodiscard]] const cos_slice_answer *get() const noexcept { return handle_.get(); }
    [[nodiscard]] static std::optional<std::int64_t> number(std::int64_t number) noexcept
    {
        return number < 0 ? std::nullopt : std::optional<std::int64_t>(number);
    }

    detail::answer_handle handle_;
};

/// Requests to one object or directory, one at a time, for a program that has a flow of its own: cos_slice_operation_…, of which
/// each tells what it may answer and what to do next.
class operation {
public:
    /// 1 for no repetition at all; 0: as many as an upload has.
    operation &attempts(std::int32_t attempts) & { return set(cos_slice_operation_set_attempts(get(), attempts)); }
    operation attempts(std::int32_t attempts) && { return std::move(this->attempts(attempts)); }
    operation &session(detail::text session) & { return set(cos_slice_operation_set_session(get(), session.c_str())); }
    operation session(detail::text session) && { return std::move(this->session(session)); }
    /// The whole object's size in bytes, for a handle without a source; -1: the source's.
    operation &size(std::int64_t bytes) & { return set(cos_slice_operation_set_size(get(), bytes)); }
    operation size(std::int64_t bytes) && { return std::move(size(bytes)); }
    operation &slice_size(std::int64_t bytes) & { return set(cos_slice_operation_set_slice_size(get(), bytes)); }
    operation slice_size(std::int64_t bytes) && { return std::move(slice_size(bytes)); }
    operation &sha1(detail::text hexadecimal) & { return set(cos_slice_operation_set_sha1(get(), hexadecimal.c_str())); }
    operation sha1(detail::text hexadecimal) && { return std::move(sha1(hexadecimal)); }
    operation &biz_attr(detail::text value) & { return set(cos_slice_operation_set_biz_attr(get(), value.c_str())); }
    operation biz_attr(detail::text value) && { return std::move(biz_attr(value)); }
    operation &overwrite(bool on = true) & { return set(cos_slice_operation_set_overwrite(get(), on)); }
    operation overwrite(bool on = true) && { return std::move(overwrite(on)); }
    /// The whole object, read from a regular file or from memory, as upload::file and upload::memory.
    operation &file(const std::filesystem::path &path) &
    {
        const std::string &name = path.native();
        return set(cos_slice_operation_set_file_bytes(get(), name.data(), name.size()));
    }
    operation file(const std::filesystem::path &path) && { return std::move(file(path)); }
    operation &memory(const void *data, std::size_t size) & { return set(cos_slice_operation_set_memory(get(), data, size)); }
    operation memory(const void *data, std::size_t size) && { return std::move(memory(data, size)); }
    operation &memory(std::string_view bytes) & { return memory(bytes.data(), bytes.size()); }
    operation memory(std::string_view bytes) && { return std::move(memory(bytes)); }
    template <class Bytes, class = std::enable_if_t<detail::is_bytes<Bytes>::value>>
    operation &memory(const Bytes &bytes) &
    {
        return memory(std::data(bytes), std::size(bytes));
    }
    template <class Bytes, class = std::enable_if_t<detail::is_bytes<Bytes>::value>>
    operation memory(const Bytes &bytes) &&
    {
        return std::move(memory(bytes));
    }

    /// What the last setter gave; the next request tells of it too.
    [[nodiscard]] status last_setting() const noexcept { return last_setting_; }

    /* Each makes one request, blocks, and answers. Nothing at a path is an answer, not an error. */

#if COS_SLICE_HPP_EXCEPTIONS
    /// Takes the SHA-1 of the source; no request.
    answer hash() { return answered(cos_slice_operation_hash); }
    answer init() { return answered(cos_slice_operation_init); }
    /// offset and length in bytes.
    answer slice(std::int64_t offset, std::int64_t length) { return answered(slice_call{offset, length}); }
    answer list() { return answered(cos_slice_operation_list); }
    answer finish() { return answered(cos_slice_operation_finish); }
    answer upload() { return answered(cos_slice_operation_upload); }
    answer stat() { return answered(cos_slice_operation_stat); }
    answer delete_object() { return answered(cos_slice_operation_delete); }
    answer create_directory() { return answered(cos_slice_operation_create_directory); }
#endif
    result<answer> hash(const std::nothrow_t &) noexcept { return attempted(cos_slice_operation_hash); }
    result<answer> init(const std::nothrow_t &) noexcept { return attempted(cos_slice_operation_init); }
    result<answer> slice(std::int64_t offset, std::int64_t length, const std::nothrow_t &) noexcept
    {
        return attempted(slice_call{offset, length});
    }
    result<answer> list(const std::nothrow_t &) noexcept { return attempted(cos_slice_operation_list); }
    result<answer> finish(const std::nothrow_t &) noexcept { return attempted(cos_slice_operation_finish); }
    result<answer> upload(const std::nothrow_t &) noexcept { return attempted(cos_slice_operation_upload); }
    result<answer> stat(const std::nothrow_t &) noexcept { return attempted(cos_slice_operation_stat); }
    result<answer> delete_object(const std::nothrow_t &) noexcept { return attempted(cos_slice_operation_delete); }
    result<answer> create_directory(const std::nothrow_t &) noexcept { return attempted(cos_slice_operation_create_directory); }

    /// Ends the request that is under way, or the next one where none is, with status::cancelled. Returns at once. Any thread.
    void cancel() const noexcept { cos_slice_operation_cancel(get()); }

    /// What the signer threw under the last request, for those who use the forms with std::nothrow; null where it did not.
    [[nodiscard]] std::exception_ptr thrown() const noexcept { return carrying_ ? carrying_->thrown() : nullptr; }

private:
    friend class client;

    struct slice_call {
        std::int64_t offset;
        std::int64_t length;
        std::int32_t operator()(cos_slice_operation *handle, cos_slice_answer **answer, cos_slice_error **error) const noexcept
        {
            return cos_slice_operation_slice(handle, offset, length, answer, error);
        }
    };

    operation(std::shared_ptr<detail::carrier> carrying, detail::operation_handle handle) noexcept
        : carrying_(std::move(carrying)), handle_(std::move(handle))
    {
    }

    [[nodiscard]] cos_slice_operation *get() const noexcept { return handle_.get(); }
    operation &set(std::int32_t status) noexcept
    {
        last_setting_ = static_cast<cos_slice::status>(status);
        return *this;
    }

    /* A callback may destroy the operation meanwhile, so nothing of it is touched afterwards. */
    template <class Call>
    static result<answer> requested(const std::shared_ptr<detail::carrier> &carrying, cos_slice_operation *handle, Call call)
    {
        return detail::begun<answer>(carrying.get(), [&]() -> result<answer> {
            cos_slice_answer *brought = nullptr;
            cos_slice_error *failure = nullptr;
            const auto how = static_cast<status>(call(handle, &brought, &failure));
            detail::answer_handle kept(brought);
            const detail::error_handle guard(failure);
            if (how == status::ok)
                return answer(std::move(kept));
            if (carrying)
                carrying->ended(how);
            return error(how, failure);
        });
    }

    template <class Call>
    result<answer> attempted(Call call) noexcept
    {
        return detail::attempted<answer>([carrying = carrying_, handle = get(), call] { return requested(carrying, handle, call); });
    }

#if COS_SLICE_HPP_EXCEPTIONS
    template <class Call>
    answer answered(Call call)
    {
        const std::shared_ptr<detail::carrier> carrying = carrying_;
        result<answer> how = requested(carrying, get(), call);
        if (carrying && detail::is_an_end(how))
            carrying->rethrow();
        return std::move(how).value();
    }
#endif

    std::shared_ptr<detail::carrier> carrying_;
    detail::operation_handle handle_;
    status last_setting_ = status::ok;
};

/* ---- Signing for others ---- */

/// Signs a request for a client that has no key and asks for it over the network: what an application's server does, once it has
/// decided that this client may have what is asked for.
inline result<std::string> sign(detail::text app_id, detail::text secret_id, detail::text secret_key, signature_scope scope,
                                const sign_request &request, const std::nothrow_t &) noexcept
{
    return detail::attempted<std::string>([&]() -> result<std::string> {
        if (const std::optional<error> unusable = detail::unusable())
            return *unusable;
        cos_slice_sign_request asked{};
        asked.struct_size = sizeof asked;
        asked.kind = static_cast<std::int32_t>(request.kind);
        asked.operation = request.operation.empty() ? nullptr : detail::text(request.operation).c_str();
        asked.app_id = request.app_id.empty() ? nullptr : detail::text(request.app_id).c_str();
        asked.bucket = detail::text(request.bucket).c_str();
        asked.path = detail::text(request.path).c_str();
        asked.lifetime_s = request.lifetime.count();
        cos_slice_signature *made = nullptr;
        cos_slice_error *failure = nullptr;
        const std::int32_t how = cos_slice_sign(app_id.c_str(), secret_id.c_str(), secret_key.c_str(),
                                                static_cast<std::int32_t>(scope), &asked, &made, &failure);
        const detail::signature_handle signature(made);
        const detail::error_handle guard(failure);
        if (how != COS_SLICE_OK)
            return error(static_cast<status>(how), failure);
        return detail::copy(cos_slice_signature_text(made));
    });
}

#if COS_SLICE_HPP_EXCEPTIONS
inline std::string sign(detail::text app_id, detail::text secret_id, detail::text secret_key, signature_scope scope,
                        const sign_request &request)
{
    return sign(app_id, secret_id, secret_key, scope, request, std::nothrow).value();
}
#endif

/* ---- What could not be written above ---- */

inline error::error(cos_slice::status status, std::string message) noexcept
    : status_(status), details_(detail::contained([&] {
          fields own;
          own.message = std::move(message);
          return std::make_shared<const fields>(std::move(own));
      }, std::shared_ptr<const fields>()))
{
}

inline error::error(cos_slice::status status, const cos_slice_error *from) noexcept
    : status_(status), details_(detail::contained([&] { return from != nullptr ? copied(from) : nullptr; },
                                                  std::shared_ptr<const fields>()))
{
}

inline std::shared_ptr<const error::fields> error::copied(const cos_slice_error *from)
{
    fields own;
    own.message = cos_slice_error_message(from);
    own.request_id = detail::copy(cos_slice_error_request_id(from));
    own.operation = detail::copy(cos_slice_error_operation(from));
    if (const std::int64_t offset = cos_slice_error_slice_offset(from); offset >= 0)
        own.slice_offset = offset;
    own.server_code = cos_slice_error_server_code(from);
    own.http_status = cos_slice_error_http_status(from);
    own.os_errno = cos_slice_error_os_errno(from);
    own.attempts = cos_slice_error_attempts(from);
    own.callback_value = cos_slice_error_callback_value(from);
    own.is_retryable = cos_slice_error_is_retryable(from) != 0;
    return std::make_shared<const fields>(std::move(own));
}

inline std::optional<object> detail::object_of(const cos_slice_upload *upload)
{
    object told;
    told.outcome = static_cast<outcome>(cos_slice_upload_outcome(upload));
    if (told.outcome == outcome::none)
        return std::nullopt;
    told.size = cos_slice_upload_size(upload);
    told.bytes_sent = cos_slice_upload_bytes_sent(upload);
    told.bytes_resumed = cos_slice_upload_bytes_resumed(upload);
    told.slices_sent = cos_slice_upload_slices_sent(upload);
    told.retries = cos_slice_upload_retries(upload);
    told.verified = cos_slice_upload_verified(upload) != 0;
    told.sha1 = copy(cos_slice_upload_sha1(upload));
    told.access_url = copy(cos_slice_upload_access_url(upload));
    told.source_url = copy(cos_slice_upload_source_url(upload));
    told.url = copy(cos_slice_upload_url(upload));
    told.resource_path = copy(cos_slice_upload_resource_path(upload));
    told.preview_url = copy(cos_slice_upload_preview_url(upload));
    told.vid = copy(cos_slice_upload_vid(upload));
    return told;
}

inline upload client::upload(detail::text bucket, detail::text path) const
{
    detail::upload_handle handle(cos_slice_upload_new(client_.get(), bucket.c_str(), path.c_str()));
    return {carrier_to(bucket, path), std::move(handle)};
}

inline operation client::operation(detail::text bucket, detail::text path) const
{
    detail::operation_handle handle(cos_slice_operation_new(client_.get(), bucket.c_str(), path.c_str()));
    return {carrier_to(bucket, path), std::move(handle)};
}

} // namespace COS_SLICE_HPP_NAMESPACE
} // namespace cos_slice

#undef COS_SLICE_HPP_NAMESPACE

#endif /* COS_SLICE_HPP */
