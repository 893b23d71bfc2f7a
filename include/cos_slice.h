/*
 * cos_slice: uploads large files to Tencent COS by slices: parallel, resumable, verified.
 *
 * Version 0.1.0. This file is generated; change the sources and run "cargo run -p cos-slice-header".
 *
 * THREADS AND POINTERS. A function that takes a "const T *" may be called on the same object by several threads at
 * once; one that takes a "T *" may not, save that the handle may be cancelled and asked meanwhile. When in doubt: one
 * thread at a time, except the cancel functions. Different objects never disturb each other, uploads of the same
 * client included. Breaking the rule gives COS_SLICE_ERR_BUSY where it is noticed.
 *
 * FORK. Handles must not be used in a process made by fork() from the one that made them, nor freed there. The child may end
 * in any way, become another program, which inherits no descriptor of the library, and make a client of its own; the
 * uploads of the parent go on.
 *
 * OWNERSHIP. What a _new function, an error or an answer parameter gives is the caller's, to be freed by the _free function of its
 * type, and by nothing else. A client may be freed before its uploads. Texts go in as UTF-8 that ends with NUL and are copied
 * during the call. Texts that come out are borrowed: each function says until when.
 *
 * NULL. Pointers that may be NULL are marked COS_SLICE_NULLABLE; what it says for a parameter is said there. Every function
 * takes NULL for its handle: _free does nothing, a getter answers as if nothing had happened, any other function returns
 * COS_SLICE_ERR_INVALID_ARGUMENT. NULL for a parameter without the mark is a mistake, which is reported by the same status and
 * does no harm. Text that is not there is NULL, except where a function says that it never is.
 *
 * ERRORS. Functions that can fail return a status: COS_SLICE_OK (0), or one of the negative COS_SLICE_ERR_*, of which
 * later versions may have more. A setter returns COS_SLICE_ERR_INVALID_ARGUMENT where the value is not acceptable; ignoring
 * that is safe, because cos_slice_upload_run and _start report the first such setting, by its name. A setting stays at
 * fault until its setter is called again with success. A setter returns COS_SLICE_ERR_BUSY, and changes nothing, where it
 * comes too late: the settings of an upload are closed while it runs, those of a client once it was used.
 * Booleans are int32_t: 0 is off, anything else on. Sizes and times that go in are int64_t, so that a negative one is
 * refused as what it is.
 *
 * ONE REQUEST AT A TIME. cos_slice_operation_* are for programs that have a flow of their own: init, one slice, list, finish, stat,
 * delete, create_directory and the upload in one request, each of which blocks and answers with a cos_slice_answer. Several
 * processes or machines can so send slices of one file into one session, and one of them finishes. Nothing of what an upload
 * does by itself (below) is done then: what a lost answer left behind, and whether an unfinished upload is of this content, is
 * for the program to find out. Setters are as those of an upload, and the next request reports what was not acceptable.
 *
 * CALLBACKS come with a user_data, which is passed through, and a drop, which is called exactly once with it when the
 * library no longer needs it, also where the setter fails. Inside a callback, cancel and getters may be called; a free is
 * carried out when the callback has returned; run, start and wait of any upload, requests of any operation, and the settings
 * of this one, answer COS_SLICE_ERR_BUSY. No callback is made with a lock held, and none of an upload after its run or wait
 * has returned its end. A callback must return, and must not throw.
 *
 * THREADS OF ITS OWN. A client has none before its first upload or request, then at most one for each connection, one more for
 * callbacks where cos_slice_upload_start is used with one, and one while a source of 4 MiB or more is hashed, which reads
 * ahead. They block all signals. They end with the client and the last of its uploads; a name lookup that the system will not let go may last longer, and holds nothing of the client.
 * A signer (cos_slice_client_set_signer) is called on them, on half of them at once at most.
 * Nothing is ever written to standard output or standard error, and no signal handler is installed. What a client does is told to
 * cos_slice_client_set_log, if a program wants to know.
 *
 * MEMORY. A client takes at most 6 MiB + connections x 320 KiB, the library's own code included, so 11.0 MiB with
 * the default. Add 24 bytes for each slice of the uploads under way, as much again while a checkpoint is read or written,
 * the copies that cos_slice_upload_set_memory makes, and for each connection the form fields and headers that were added.
 * Files are never held in memory, whatever their size. A stream that is not spooled adds (connections + 1) x slice size
 * while it is uploaded.
 *
 * WHAT AN UPLOAD GUARANTEES. COS_SLICE_OK means that the object is there, complete, and is the source: the service said so of
 * the finish of this upload or of the content's SHA-1, and its record of the object was compared where
 * cos_slice_upload_verified says so. Where that can't be established the status is COS_SLICE_ERR_OUTCOME_UNKNOWN. Whatever
 * happens otherwise (a lost answer, a killed process, a server that restarts) running the upload again goes on with the
 * slices that the server has, as far as they are of this content; what it has of other content is left alone unless
 * cos_slice_upload_set_discard_unfinished is on, or the handle or its checkpoint (cos_slice_client_set_checkpoint_dir) knows
 * it for an older upload of its own. A source that changes under the upload is an error, never a mixed object.
 * Two uploads of different content to one path at the same time are not serialised by the service: with hashing on the
 * object is one of them, and the other ends with an error or is replaced. With hashing off a path must have one writer
 * until its object is complete, since nothing on the service tells whose slices an unfinished upload holds.
 *
 * DEFAULTS
 *
 *   connections of a client            adaptive up to 16; at most 256, threads as many
 *   slice size                         1 MiB
 *   slice_sizes                        524288, 1048576, 2097152, 3145728
 *   hash (SHA-1 first)                 on
 *   overwrite                          off
 *   discard_unfinished                 off
 *   create_parents                     off
 *   api                                files/v2
 *   token_place                        the Authorization header
 *   slice_md5                          off
 *   verify                             on
 *   spooling of streams                off; up to 64 GiB in the command
 *   checkpoints                        off; on in the command
 *   rate limits                        none
 *   proxy                              none
 *   one request instead of slices      empty sources only
 *   deadline of a whole upload         none
 *   resolve, connect, TLS              10 s, 10 s, 10 s
 *   stall: no byte moves               30 s
 *   answer after the last byte         60 s
 *   answer to the finish               120 s
 *   signatures                         for the path alone, good for 600 s
 *   wait before a request is repeated  at most 200 ms, doubling, at most 15 s; random
 *   a request is given up after        10 attempts, or when it has failed for 120 s
 *   the same, no answer ever came      4 attempts, which a wrong endpoint takes
 */

#ifndef COS_SLICE_H
#define COS_SLICE_H

#include <stddef.h>
#include <stdint.h>

#ifndef COS_SLICE_API
#if defined(_WIN32) && !defined(COS_SLICE_STATIC)
#define COS_SLICE_API __declspec(dllimport)
#elif defined(__GNUC__)
#define COS_SLICE_API __attribute__((visibility("default")))
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

/* The version of this header; that of the library is told by cos_slice_version(). */
#define COS_SLICE_VERSION_MAJOR 0
#define COS_SLICE_VERSION_MINOR 1
#define COS_SLICE_VERSION_PATCH 0
/* The three in one number that grows with each release: 0xMMmmpp. */
#define COS_SLICE_VERSION_NUMBER 0x000100
/* Raised when programs built against an older header would break. */
#define COS_SLICE_ABI_VERSION 0

/* How a call ended. More may come; treat an unknown negative number as a failure. */
/* The upload is complete. */
#define COS_SLICE_OK 0
/* An argument or a setting is not acceptable; the message names it. Nothing was sent. */
#define COS_SLICE_ERR_INVALID_ARGUMENT (-1)
/* The handle is running, or the call is not allowed inside a callback. */
#define COS_SLICE_ERR_BUSY (-2)
/* A defect of this library was caught at its boundary; the handle can only be freed. */
#define COS_SLICE_ERR_PANIC (-10)
/* The file can't be opened, or is not a regular file. */
#define COS_SLICE_ERR_FILE_OPEN (-100)
/* Reading the source failed. */
#define COS_SLICE_ERR_FILE_READ (-101)
/* The source changed while it was being uploaded; no mixed object was made. */
#define COS_SLICE_ERR_SOURCE_CHANGED (-102)
/* The system refused memory, threads, descriptors or room for a temporary file. */
#define COS_SLICE_ERR_RESOURCES (-103)
/* Another process, or another upload of this one, is at work with the same checkpoint. Nothing was sent. */
#define COS_SLICE_ERR_CHECKPOINT_BUSY (-104)
/* The signer gave no usable signature; the message says why. */
#define COS_SLICE_ERR_SIGNER (-105)
/* The upload has to go back to a part of the stream that can't be read once more. */
#define COS_SLICE_ERR_NOT_RESTARTABLE (-106)
/* The host name could not be looked up. */
#define COS_SLICE_ERR_RESOLVE (-200)
/* No connection to the server could be made. */
#define COS_SLICE_ERR_CONNECT (-201)
/* The server's certificate was not accepted, or it does not speak TLS. */
#define COS_SLICE_ERR_TLS (-202)
/* Connections kept breaking. */
#define COS_SLICE_ERR_CONNECTION_LOST (-203)
/* The server did not answer, or no byte moved, within the time limits. */
#define COS_SLICE_ERR_TIMED_OUT (-204)
/* The replies can't be understood; is this the right endpoint? */
#define COS_SLICE_ERR_BAD_REPLY (-205)
/* The server refused the request; the server code says why. */
#define COS_SLICE_ERR_REFUSED (-300)
/* The server did not accept the app id, the secret or the signature. */
#define COS_SLICE_ERR_CREDENTIALS (-301)
/* The bucket does not exist there. */
#define COS_SLICE_ERR_NO_BUCKET (-302)
/* An object of this name with other content exists, and overwriting is off. */
#define COS_SLICE_ERR_OBJECT_EXISTS (-303)
/* Somebody else's unfinished upload, or one of other content, is in the way. */
#define COS_SLICE_ERR_OTHER_UPLOAD (-304)
/* The path's directory does not exist there. */
#define COS_SLICE_ERR_NOT_FOUND (-305)
/* The content is larger than the service accepts, than was said, or than may be spooled. */
#define COS_SLICE_ERR_TOO_LARGE (-306)
/* The server kept asking to slow down. */
#define COS_SLICE_ERR_SERVER_BUSY (-307)
/* The server kept failing. */
#define COS_SLICE_ERR_SERVER_FAILED (-308)
/* What the server received is, by its digests, not what was sent, twice over. */
#define COS_SLICE_ERR_CONTENT_REJECTED (-309)
/* The server reported success, but its own record of the object contradicts that. */
#define COS_SLICE_ERR_VERIFY_FAILED (-310)
/* The object may be complete or not, and the server would not say which; the message tells how to check. */
#define COS_SLICE_ERR_OUTCOME_UNKNOWN (-311)
/* The upload was cancelled; running it again resumes. */
#define COS_SLICE_ERR_CANCELLED (-400)
/* The progress callback asked to stop; running it again resumes. */
#define COS_SLICE_ERR_ABORTED_BY_CALLBACK (-401)
/* The deadline for the whole upload passed; running it again resumes. */
#define COS_SLICE_ERR_DEADLINE (-402)
/* The upload was not over when the waiting time was. */
#define COS_SLICE_ERR_STILL_RUNNING (-403)
/* There is nothing to wait for: the upload was not started. */
#define COS_SLICE_ERR_NOT_STARTED (-404)

/* What the service can be spoken to in: cos_slice_client_set_api. More may come. */
/* The JSON API files/v2. */
#define COS_SLICE_API_FILES_V2 2
/* The JSON API files/v1. */
#define COS_SLICE_API_FILES_V1 1

/* What an upload is busy with: phase of cos_slice_progress. More may come. */
/* Not begun. */
#define COS_SLICE_PHASE_WAITING 0
/* Taking the SHA-1 of the source. */
#define COS_SLICE_PHASE_HASHING 1
/* Asking the server what there is, and sending slices. */
#define COS_SLICE_PHASE_SENDING 2
/* All bytes are there; the server is making the object. */
#define COS_SLICE_PHASE_FINISHING 3
/* Comparing the server's record with the source. */
#define COS_SLICE_PHASE_VERIFYING 4
/* Over, one way or the other. */
#define COS_SLICE_PHASE_DONE 5
/* Reading a stream to its end, into a temporary file. */
#define COS_SLICE_PHASE_SPOOLING 6

/* How the object came to be there: cos_slice_upload_outcome. More may come. */
/* The last run did not succeed, or there was none. */
#define COS_SLICE_OUTCOME_NONE 0
/* All of it was sent in this run. */
#define COS_SLICE_OUTCOME_UPLOADED 1
/* Part of it was there from an unfinished upload. */
#define COS_SLICE_OUTCOME_RESUMED 2
/* The server had the same content; no slice was sent. */
#define COS_SLICE_OUTCOME_INSTANT 3

/* What an answer is: cos_slice_answer_kind. More may come. */
/* There is no answer. */
#define COS_SLICE_ANSWER_NONE 0
/* To init: an upload was begun; send slices with this session. */
#define COS_SLICE_ANSWER_SESSION 1
/* The object is complete, and these are its addresses. */
#define COS_SLICE_ANSWER_COMPLETE 2
/* To list: there is an unfinished upload, of which the service has these parts. */
#define COS_SLICE_ANSWER_UNFINISHED 3
/* To slice: the service has it. */
#define COS_SLICE_ANSWER_STORED 4
/* To stat: what the service says of the object. */
#define COS_SLICE_ANSWER_STATUS 5
/* To list and stat: there is nothing at this path. */
#define COS_SLICE_ANSWER_ABSENT 6
/* To delete: there is nothing at this path any more. */
#define COS_SLICE_ANSWER_DELETED 7
/* To create_directory: the directory is there, now or since before. */
#define COS_SLICE_ANSWER_CREATED 8
/* To hash: the SHA-1 of the source. */
#define COS_SLICE_ANSWER_HASHED 9

/* How important an entry of the log is: cos_slice_client_set_log. More may come. */
/* An upload failed, or a request by itself. */
#define COS_SLICE_LOG_ERROR 1
/* Something went wrong and was not the end: requests that are repeated, checkpoints that can't be kept. */
#define COS_SLICE_LOG_WARNING 2
/* An upload's beginning, what it found, and its end. */
#define COS_SLICE_LOG_INFO 3
/* Each request. */
#define COS_SLICE_LOG_DEBUG 4

/* Where the token that authorizes a request goes: cos_slice_client_set_token_place. */
/* The value of the Authorization header. */
#define COS_SLICE_TOKEN_HEADER 0
/* The value of the Authorization header, after a word and a space. */
#define COS_SLICE_TOKEN_HEADER_AFTER_WORD 1
/* The query parameter "sign", percent-encoded; there is no Authorization header then. */
#define COS_SLICE_TOKEN_QUERY 2

/* Kinds of signatures: kind of cos_slice_sign_request. */
/* Good for any number of requests until it expires; for everything but delete. */
#define COS_SLICE_SIGNATURE_MULTI_EFFECT 0
/* Good for one request on one object; delete demands it. */
#define COS_SLICE_SIGNATURE_ONE_TIME 1

/* What a multi-effect signature is good for: cos_slice_client_set_signature_scope, cos_slice_sign. */
/* The object alone. */
#define COS_SLICE_SIGNATURE_SCOPE_PATH 0
/* Everything in the object's directory, and below it. */
#define COS_SLICE_SIGNATURE_SCOPE_DIRECTORY 1
/* Everything in the bucket; bound to the bucket's root. */
#define COS_SLICE_SIGNATURE_SCOPE_BUCKET 2
/* Everything in the bucket; bound to nothing, as old clients sign. */
#define COS_SLICE_SIGNATURE_SCOPE_UNBOUND 3

#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wnullability-extension"
#pragma clang assume_nonnull begin
#endif

#ifdef __cplusplus
extern "C" {
#endif


/**
 * What a request brought. Plain data that never changes: it stays valid whatever becomes of the operation and the client,
 * until it is freed, and may be asked by several threads at once.
 */
typedef struct cos_slice_answer cos_slice_answer;

/**
 * What uploads share: where the service is, who signs, the connections and the threads. Reference counted: it may be
 * freed before its uploads, which then keep what they need.
 */
typedef struct cos_slice_client cos_slice_client;

/**
 * Why a call failed. Plain data: it stays valid whatever becomes of the upload and the client, until it is freed.
 */
typedef struct cos_slice_error cos_slice_error;

/**
 * Requests to one object or directory, one at a time, for a program that has a flow of its own. It remembers what is set, and
 * the SHA-1 that it took, but no answer: a session goes from an answer to cos_slice_operation_set_session.
 */
typedef struct cos_slice_operation cos_slice_operation;

/**
 * An authorization string: where a signer puts it, or what cos_slice_sign made. Its memory is overwritten when it is freed.
 */
typedef struct cos_slice_signature cos_slice_signature;

/**
 * One file, or other content, on its way to one object.
 */
typedef struct cos_slice_upload cos_slice_upload;

/**
 * One entry of a client's log. Texts are UTF-8 without control characters, and valid until the callback returns. None of them has
 * a secret, a signature, a session, or what a form field or a header of the store holds. Later versions may add fields at
 * the end, never change those that are there.
 */
typedef struct {
    /**
     * The size of this structure in bytes, as far as it is filled in.
     */
    uint32_t struct_size;
    /**
     * How important it is: COS_SLICE_LOG_*, not above the level that was set.
     */
    int32_t level;
    /**
     * What happened, in one line that stands alone. Its words may change with each version. Never NULL.
     */
    const char *message;
    /**
     * The bucket that it is about. Each text from here on is NULL where there is none.
     */
    const char *COS_SLICE_NULLABLE bucket;
    /**
     * The path within the bucket, without a leading slash.
     */
    const char *COS_SLICE_NULLABLE path;
    /**
     * The request's operation, as the service's documentation calls it, such as "upload_slice_data".
     */
    const char *COS_SLICE_NULLABLE operation;
    /**
     * The offset in bytes of the slice that the request sends; -1 where it is not about a slice.
     */
    int64_t offset;
    /**
     * Which attempt at the request it was, from 1; 0 where it is not about a request.
     */
    uint32_t attempt;
    /**
     * The HTTP status of the answer; 0 where there was none.
     */
    int32_t http_status;
    /**
     * The service's code of the failure, such as -97; 0 where it gave none.
     */
    int64_t server_code;
    /**
     * The service's identifier of the request.
     */
    const char *COS_SLICE_NULLABLE request_id;
} cos_slice_log_entry;

/**
 * Takes an entry, which is valid until it returns. It is called on threads of the library and on those that run an upload, make
 * a request or wait, on several of them at once, and what it does holds up the uploads. Inside, cancel and getters may be called; a
 * free is carried out when it has returned; run, start and wait of any upload, and requests of any operation, answer
 * COS_SLICE_ERR_BUSY. It must return, and must not throw.
 */
typedef void (*cos_slice_log_fn)(const cos_slice_log_entry *entry,
                                 void *COS_SLICE_NULLABLE user_data);

/**
 * Releases the user_data of a callback. It must not throw.
 */
typedef void (*cos_slice_drop_fn)(void *COS_SLICE_NULLABLE user_data);

/**
 * What a signature is asked for. Later versions may add fields at the end, never change those that are there. A signer gets it
 * filled in, with texts that are valid until it returns; for cos_slice_sign the caller fills it in.
 */
typedef struct {
    /**
     * The size of this structure in bytes, as far as it is filled in.
     */
    uint32_t struct_size;
    /**
     * Which kind the request needs: COS_SLICE_SIGNATURE_MULTI_EFFECT or COS_SLICE_SIGNATURE_ONE_TIME.
     */
    int32_t kind;
    /**
     * The operation, as the service's documentation calls it, such as "upload_slice_init". A multi-effect signature is used for
     * other operations on the same path too. It does not go into the signature. Never NULL in a signer.
     */
    const char *COS_SLICE_NULLABLE operation;
    /**
     * The account's app id, in decimal digits. Never NULL in a signer.
     */
    const char *COS_SLICE_NULLABLE app_id;
    /**
     * The bucket.
     */
    const char *bucket;
    /**
     * The path within the bucket, unencoded and without a leading slash; that of a directory ends with a slash.
     */
    const char *path;
    /**
     * How long the signature should be good for, in seconds: 1 to 7776000 (90 days). Of no meaning for a one-time signature.
     */
    int64_t lifetime_s;
} cos_slice_sign_request;

/**
 * Gets an authorization string, from the application's own server for instance: calls cos_slice_signature_set and returns 0, or
 * calls cos_slice_signature_fail. Anything but 0 is a failure too. The upload then ends with COS_SLICE_ERR_SIGNER.
 *
 * It is called on threads of the library, and may block: at most half of the client's connections are used for that at a
 * time; with one connection that one is, and the client's other uploads wait. It may be called on several threads at once for different uploads, and never twice at once for one. Nothing interrupts
 * it, a cancel or a deadline of the upload neither, so what it does needs a time limit. request and signature are valid until
 * it returns. Inside, cancel and getters may be called; a free is carried out when it has returned; run, start and wait of any
 * upload answer COS_SLICE_ERR_BUSY. It must return, and must not throw.
 */
typedef int32_t (*cos_slice_sign_fn)(const cos_slice_sign_request *request,
                                     cos_slice_signature *signature,
                                     void *COS_SLICE_NULLABLE user_data);

/**
 * How far an upload is. All counts are of the object's bytes, not of what HTTP adds. Later versions may add fields at the
 * end, never change those that are there.
 */
typedef struct {
    /**
     * The size of this structure in bytes, as far as it is filled in.
     */
    uint32_t struct_size;
    /**
     * What the upload is busy with: COS_SLICE_PHASE_*. Later versions may add numbers.
     */
    int32_t phase;
    /**
     * The object's size in bytes; 0 until the source was opened.
     */
    uint64_t total;
    /**
     * Bytes that the server has acknowledged, each counted once, those that it had before included. Never falls while an
     * upload runs, never exceeds total.
     */
    uint64_t acknowledged;
    /**
     * How many of these the server had before this run.
     */
    uint64_t resumed;
    /**
     * Bytes hashed so far; 0 with hashing off.
     */
    uint64_t hashed;
    /**
     * Slices that the server has.
     */
    uint64_t slices_done;
    /**
     * Slices that there are in all; 0 until the server has chosen the slice size.
     */
    uint64_t slices_total;
    /**
     * Requests that were repeated in this run.
     */
    uint64_t retries;
} cos_slice_progress;

/**
 * A progress callback: anything but 0 stops the upload. Both pointers are valid for the time of the call. Inside, only
 * cancel and getters may be called; a free is carried out when the callback has returned; run, start and wait of any
 * upload, and the settings of this one, answer COS_SLICE_ERR_BUSY. It must return, and must not throw.
 */
typedef int32_t (*cos_slice_progress_fn)(const cos_slice_progress *progress,
                                         void *COS_SLICE_NULLABLE user_data);

/**
 * A completion callback: status and error are what cos_slice_upload_run returns and gives; error is NULL with COS_SLICE_OK,
 * and borrowed for the time of the call. Inside, cancel and getters may be called, those of the result too; a free is carried
 * out when the callback has returned; run, start and wait of any upload, and the settings of this one, answer
 * COS_SLICE_ERR_BUSY. It must return, and must not throw.
 */
typedef void (*cos_slice_completion_fn)(int32_t status,
                                        const cos_slice_error *COS_SLICE_NULLABLE error,
                                        void *COS_SLICE_NULLABLE user_data);

/**
 * Reads from offset on into buffer, which has room for size bytes, at least 1: the number of bytes read, which may be fewer;
 * 0 only at the end; a negative number where it failed, which ends the run with COS_SLICE_ERR_FILE_READ and is told by
 * cos_slice_error_callback_value.
 *
 * It is called from several threads of the library at once, and may block; then every end of the upload waits for it, be it a
 * cancel, a deadline or a failure, and on a client with one connection all its uploads do. Inside, only cancel and getters may
 * be called; a free is carried out when it has returned; run, start and wait of any upload, and the settings of this one, answer
 * COS_SLICE_ERR_BUSY. It must return, and must not throw.
 */
typedef int64_t (*cos_slice_read_at_fn)(uint64_t offset,
                                        void *buffer,
                                        size_t size,
                                        void *COS_SLICE_NULLABLE user_data);

/**
 * Reads the next bytes into buffer, which has room for size bytes, at least 1; returns as a cos_slice_read_at_fn does, 0 only
 * when nothing is to follow. It is called on threads of the library, never two calls at once. The other rules of
 * cos_slice_read_at_fn hold.
 */
typedef int64_t (*cos_slice_read_fn)(void *buffer,
                                     size_t size,
                                     void *COS_SLICE_NULLABLE user_data);

/**
 * The version of the library that is running, such as "0.1.0"; the macros COS_SLICE_VERSION_* are that of the header.
 * The text is valid for ever. Any thread.
 */
COS_SLICE_API
const char *cos_slice_version(void);

/**
 * The version of the library that is running as one number, to be compared with COS_SLICE_VERSION_NUMBER: the library
 * may be newer than the header, never older. Any thread.
 */
COS_SLICE_API
uint32_t cos_slice_version_number(void);

/**
 * The version of the binary interface, to be compared with COS_SLICE_ABI_VERSION: a program works with a library whose
 * number is the same. Any thread.
 */
COS_SLICE_API
uint32_t cos_slice_abi_version(void);

/**
 * What this build can do: words with a space between them, in no particular order. Today "files-v2" and "files-v1" (what
 * cos_slice_client_set_api takes), "http" and "https". The text is valid for ever. Any thread.
 */
COS_SLICE_API
const char *cos_slice_features(void);

/**
 * The name of a status number, such as "COS_SLICE_ERR_BUSY". A number that this library does not know gives
 * "COS_SLICE_ERR_UNKNOWN". Never NULL; valid for ever. Any thread.
 */
COS_SLICE_API
const char *cos_slice_status_name(int32_t status);

/**
 * What a status number means, in one English sentence. The message of an error says more. Never NULL; valid for ever.
 * Any thread.
 */
COS_SLICE_API
const char *cos_slice_status_meaning(int32_t status);

/**
 * A new client with the defaults. It has no thread and no connection before its first upload is run. Owned by the caller:
 * free it with cos_slice_client_free. NULL only if a defect of the library was caught, and every function takes NULL.
 */
COS_SLICE_API
cos_slice_client *COS_SLICE_NULLABLE cos_slice_client_new(void);

/**
 * Frees a client. It may still have uploads, running ones too: they go on, and the threads end with the last of them. With
 * none left it waits for the threads, which have nothing to do then. NULL is allowed.
 */
COS_SLICE_API
void cos_slice_client_free(cos_slice_client *COS_SLICE_NULLABLE client);

/**
 * Where the service is: "https://host", "http://host:port" or either with a path that goes before each request's.
 * Copied. This or cos_slice_client_set_region is needed; the last call counts.
 */
COS_SLICE_API
int32_t cos_slice_client_set_endpoint(cos_slice_client *COS_SLICE_NULLABLE client,
                                      const char *endpoint);

/**
 * The service's own endpoint in a region, by https: "gz" is https://gz.file.myqcloud.com. Copied. The regions are tj
 * (Tianjin), bj (Beijing), sh (Shanghai), gz (Guangzhou), cd (Chengdu), hk (Hong Kong), sgp (Singapore), ca (Toronto), ger
 * (Frankfurt). Another code is tried, and if its host can't be found the error has this list. Names of the XML API are refused;
 * the error says which code to use. Not with COS_SLICE_API_FILES_V1, which has one address for all regions and needs
 * neither this nor cos_slice_client_set_endpoint.
 */
COS_SLICE_API
int32_t cos_slice_client_set_region(cos_slice_client *COS_SLICE_NULLABLE client,
                                    const char *region);

/**
 * What the service is spoken to in: COS_SLICE_API_FILES_V2, the default, or COS_SLICE_API_FILES_V1. In the older files/v1
 * slices go one after another whatever the number of connections, and uploads need the SHA-1 (cos_slice_upload_set_hash).
 */
COS_SLICE_API
int32_t cos_slice_client_set_api(cos_slice_client *COS_SLICE_NULLABLE client,
                                 int32_t api);

/**
 * A fixed number of requests in flight at once, for all uploads of the client together, and of worker threads at most: 1 to
 * 256. This and cos_slice_client_set_adaptive_connections are one setting; the last call counts.
 */
COS_SLICE_API
int32_t cos_slice_client_set_connections(cos_slice_client *COS_SLICE_NULLABLE client,
                                         int32_t connections);

/**
 * Lets the number of requests in flight adapt to the link and the server, for all uploads of the client together: it begins
 * small, grows while that makes uploads faster, and shrinks where the server says that it is overloaded. most is what it
 * never passes, and the number of worker threads at most: 1 to 256.
 */
COS_SLICE_API
int32_t cos_slice_client_set_adaptive_connections(cos_slice_client *COS_SLICE_NULLABLE client,
                                                  int32_t most);

/**
 * The longest that looking up the host's name may take: 1 to 86400000 milliseconds (a day).
 */
COS_SLICE_API
int32_t cos_slice_client_set_resolve_timeout_ms(cos_slice_client *COS_SLICE_NULLABLE client,
                                                int64_t ms);

/**
 * The longest that opening a connection may take, all of the host's addresses together: 1 to 86400000 milliseconds.
 */
COS_SLICE_API
int32_t cos_slice_client_set_connect_timeout_ms(cos_slice_client *COS_SLICE_NULLABLE client,
                                                int64_t ms);

/**
 * The longest that the TLS handshake may take: 1 to 86400000 milliseconds.
 */
COS_SLICE_API
int32_t cos_slice_client_set_tls_timeout_ms(cos_slice_client *COS_SLICE_NULLABLE client,
                                            int64_t ms);

/**
 * The longest that a request may be sent without a byte being taken by the network: 1 to 86400000 milliseconds. There is no
 * limit on how long a slice takes while bytes move, so slow lines work.
 */
COS_SLICE_API
int32_t cos_slice_client_set_stall_timeout_ms(cos_slice_client *COS_SLICE_NULLABLE client,
                                              int64_t ms);

/**
 * The longest that the server may take to answer after a request's last byte, and then for the answer itself: 1 to 86400000
 * milliseconds. It does not run while bytes of the request are still arriving.
 */
COS_SLICE_API
int32_t cos_slice_client_set_answer_timeout_ms(cos_slice_client *COS_SLICE_NULLABLE client,
                                               int64_t ms);

/**
 * The same for the requests that make the object, which takes the server longer: 1 to 86400000 milliseconds.
 */
COS_SLICE_API
int32_t cos_slice_client_set_finish_timeout_ms(cos_slice_client *COS_SLICE_NULLABLE client,
                                               int64_t ms);

/**
 * Keeps a checkpoint of each unfinished upload in a folder, so that an upload that is run again in another process, after a
 * kill too, does not take the SHA-1 of an unchanged file once more, and resumes with hashing off as well. The path is
 * UTF-8, and copied; a relative one goes from what the process's working folder is when the first upload is run. The
 * folder is made when it is needed, for its owner alone. There are no checkpoints unless this is called.
 *
 * A checkpoint holds no secret, and goes when its object is complete. One upload at a time uses it: another one to the same
 * object with the same folder, in whatever process, ends with COS_SLICE_ERR_CHECKPOINT_BUSY. Whatever else is wrong
 * with it or the folder never stops an upload: cos_slice_upload_warning tells.
 */
COS_SLICE_API
int32_t cos_slice_client_set_checkpoint_dir(cos_slice_client *COS_SLICE_NULLABLE client,
                                            const char *path);

/**
 * Has a callback told what the client does while it does it: entries of this level, COS_SLICE_LOG_*, and of the more important
 * ones. There is no log unless this is called; NULL for log turns it off again, and without one nothing is put into words.
 *
 * Of an upload no entry comes after its run, or the wait that told its end, has returned; of a request by itself none after it has
 * returned. Entries of one upload that are made by different threads may come in another order than what they tell of.
 *
 * user_data is passed through. drop, which may be NULL, is called exactly once with it: when another log is set, when the
 * client and the last of its uploads have ended, or at once where this call fails or log is NULL; on any thread, after the last
 * call of log.
 */
COS_SLICE_API
int32_t cos_slice_client_set_log(cos_slice_client *COS_SLICE_NULLABLE client,
                                 int32_t level,
                                 cos_slice_log_fn COS_SLICE_NULLABLE log,
                                 void *COS_SLICE_NULLABLE user_data,
                                 cos_slice_drop_fn COS_SLICE_NULLABLE drop);

/**
 * Trusts the certificates of a PEM file in place of the system's; the path is UTF-8. The file is read at once, so it may be
 * removed afterwards; whether its certificates are sound shows when the first upload is run. This and
 * cos_slice_client_set_ca_pem are one setting; the last call counts.
 */
COS_SLICE_API
int32_t cos_slice_client_set_ca_file(cos_slice_client *COS_SLICE_NULLABLE client,
                                     const char *path);

/**
 * Trusts these certificates in place of the system's: PEM text of size bytes, at most 4194304, copied during the call; it need
 * not end with NUL. Whether they are sound shows when the first upload is run.
 */
COS_SLICE_API
int32_t cos_slice_client_set_ca_pem(cos_slice_client *COS_SLICE_NULLABLE client,
                                    const void *pem,
                                    size_t size);

/**
 * Reaches the service through an HTTP proxy: "http://host:port", or "http://user:password@host:port", with what is not a
 * letter, digit or one of -._~ percent-encoded in user and password; the port is 80 where none is named. Everything goes
 * through its tunnels (CONNECT), to an http endpoint too. Copied; no message shows the password. NULL: none, as without this
 * call. It goes before what cos_slice_client_set_use_env_proxy finds.
 */
COS_SLICE_API
int32_t cos_slice_client_set_proxy(cos_slice_client *COS_SLICE_NULLABLE client,
                                   const char *COS_SLICE_NULLABLE proxy);

/**
 * Whether a proxy is taken from the environment: anything but 0 is on. Off, as without this call, the environment is not looked
 * at. It is read when the first upload is run. As curl does it, to an https endpoint https_proxy or HTTPS_PROXY counts, to an http
 * one http_proxy in lower case, where there is none all_proxy or ALL_PROXY, and none for the hosts, domains (example.com), addresses and
 * networks (10.0.0.0/8) in no_proxy or NO_PROXY, or * for all, which commas separate. Unlike with curl the port is 80 where none is
 * named. What is wrong with one is
 * COS_SLICE_ERR_INVALID_ARGUMENT, and names the variable.
 */
COS_SLICE_API
int32_t cos_slice_client_set_use_env_proxy(cos_slice_client *COS_SLICE_NULLABLE client,
                                           int32_t on);

/**
 * The account that signs requests: its app id (decimal digits), secret id and secret key. Copied; the library's copy of
 * the secret key is overwritten when it is no longer needed, and no message ever shows it. This,
 * cos_slice_client_set_authorization or cos_slice_client_set_signer is needed; the last call counts.
 */
COS_SLICE_API
int32_t cos_slice_client_set_secret_key(cos_slice_client *COS_SLICE_NULLABLE client,
                                        const char *app_id,
                                        const char *secret_id,
                                        const char *secret_key);

/**
 * One authorization string for all requests, made elsewhere, for the account of an app id (decimal digits). It serves uploads
 * to what it is bound to until it expires; then they end with COS_SLICE_ERR_CREDENTIALS, and another client with another
 * string resumes them. It has to be a multi-effect signature, with which nothing is deleted: see
 * cos_slice_upload_set_discard_unfinished. Copied; the library's copy is overwritten when it is no longer needed, and no
 * message ever shows it. At most 8192 printable ASCII characters.
 */
COS_SLICE_API
int32_t cos_slice_client_set_authorization(cos_slice_client *COS_SLICE_NULLABLE client,
                                           const char *app_id,
                                           const char *authorization);

/**
 * Has a callback sign, for the account of an app id (decimal digits): for programs that must not have the key. It is asked once
 * for each upload, then again 30 seconds before the string expires, whenever the service refuses it as expired or invalid, and
 * for each one-time signature. It is asked before a slice is read: where that comes from a slow stream, the string should be good
 * for longer than the slice takes to come, since one that expires meanwhile is refused first, and asked for again.
 *
 * user_data is passed through. drop, which may be NULL, is called exactly once with it: when another signer is set, when the
 * client and the last of its uploads have ended, or at once where this call fails; on any thread, after the last call of sign.
 */
COS_SLICE_API
int32_t cos_slice_client_set_signer(cos_slice_client *COS_SLICE_NULLABLE client,
                                    const char *app_id,
                                    cos_slice_sign_fn sign,
                                    void *COS_SLICE_NULLABLE user_data,
                                    cos_slice_drop_fn COS_SLICE_NULLABLE drop);

/**
 * What the signatures of cos_slice_client_set_secret_key are good for, should somebody get hold of one:
 * COS_SLICE_SIGNATURE_SCOPE_*. The narrowest, the path, unless this is called. One-time signatures are always for one path.
 */
COS_SLICE_API
int32_t cos_slice_client_set_signature_scope(cos_slice_client *COS_SLICE_NULLABLE client,
                                             int32_t scope);

/**
 * How long signatures are good for, in seconds, 1 to 7776000 (90 days): those of cos_slice_client_set_secret_key, each of which
 * is made for one attempt, and those that cos_slice_client_set_signer is asked for.
 */
COS_SLICE_API
int32_t cos_slice_client_set_signature_lifetime_s(cos_slice_client *COS_SLICE_NULLABLE client,
                                                  int64_t seconds);

/**
 * Inside a signer: this is the authorization string. Copied; the last call counts. COS_SLICE_ERR_INVALID_ARGUMENT for what no
 * request can carry, which ends the upload with COS_SLICE_ERR_SIGNER and says why: at most 8192 printable ASCII characters, so
 * no line end.
 */
COS_SLICE_API
int32_t cos_slice_signature_set(cos_slice_signature *COS_SLICE_NULLABLE signature,
                                const char *authorization);

/**
 * Inside a signer: there is no authorization string, for this reason, which ends the upload's error. It is UTF-8, should have no
 * secret, and is cut off after 512 bytes. Copied; NULL: no reason is told.
 */
COS_SLICE_API
int32_t cos_slice_signature_fail(cos_slice_signature *COS_SLICE_NULLABLE signature,
                                 const char *COS_SLICE_NULLABLE message);

/**
 * Signs a request by this machine's clock, for a client that has no key and asks for it over the network: what an application's
 * server does. The server decides first whether that client may have what request asks for: whoever has the string can upload,
 * and with a one-time signature delete, what it is bound to, until it expires. scope is one of COS_SLICE_SIGNATURE_SCOPE_*.
 *
 * Of request, struct_size is sizeof(cos_slice_sign_request); operation may be NULL; so may app_id, which otherwise must be the
 * key's; lifetime_s of 0 is the default of 600. Nothing of the key is kept, and what was copied of it is overwritten.
 *
 * signature receives the string, owned by the caller, to be freed with cos_slice_signature_free, or NULL where the call fails;
 * error, which may be NULL, an error that the caller frees, or NULL. COS_SLICE_ERR_INVALID_ARGUMENT names what is not acceptable;
 * COS_SLICE_ERR_RESOURCES where the system has no random numbers. Any thread, any number at once.
 */
COS_SLICE_API
int32_t cos_slice_sign(const char *app_id,
                       const char *secret_id,
                       const char *secret_key,
                       int32_t scope,
                       const cos_slice_sign_request *request,
                       cos_slice_signature *COS_SLICE_NULLABLE *COS_SLICE_NONNULL signature,
                       cos_slice_error *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE error);

/**
 * The authorization string, as it goes into the Authorization header. Borrowed: valid until the signature is freed, inside a
 * signer until it returns or calls cos_slice_signature_set or cos_slice_signature_fail again. NULL for NULL, and inside a
 * signer before it has set one.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_signature_text(const cos_slice_signature *COS_SLICE_NULLABLE signature);

/**
 * Frees what cos_slice_sign made, and overwrites the string. Inside a signer it does nothing to the one that is asked for.
 * NULL is allowed.
 */
COS_SLICE_API
void cos_slice_signature_free(cos_slice_signature *COS_SLICE_NULLABLE signature);

/**
 * The slice sizes that the store takes, in bytes, in place of the service's 524288, 1048576, 2097152 and 3145728: 1 to 16
 * of them, each a multiple of 64 within 65536 to 67108864 (64 MiB). The array is copied. The first is the one that uploads
 * ask for unless cos_slice_upload_set_slice_size, which is to be called later, names another. With sizes of the store's own
 * hashing does not limit them; the digests go on being taken for each mebibyte at least.
 */
COS_SLICE_API
int32_t cos_slice_client_set_slice_sizes(cos_slice_client *COS_SLICE_NULLABLE client,
                                         const int64_t *sizes,
                                         size_t count);

/**
 * Adds a field to each form that is sent to the store, between the operation's name and the fields of the protocol. The texts
 * are copied. The name has 1 to 64 visible ASCII characters other than \" and \\, is none of the protocol's own fields, and
 * was not added before; the value is UTF-8 without control characters, and no message ever shows it, also where the store
 * says it back, if it has 4 bytes or more. At most 16 fields, with 8192 bytes for all names and values. One that is refused stays at fault: make another client.
 */
COS_SLICE_API
int32_t cos_slice_client_add_form_field(cos_slice_client *COS_SLICE_NULLABLE client,
                                        const char *name,
                                        const char *value);

/**
 * Adds a header to each request to the store. The texts are copied. The name has 1 to 64 characters of those that names of
 * headers have, is none that the library sets itself (Host, Content-Length, Authorization and the like), and was not added
 * before; the value has visible ASCII characters, with spaces only between them, and no message ever shows it, as of a form
 * field's. At most 16 headers, with 8192 bytes for all names and values. One that is refused stays at fault: make another client.
 */
COS_SLICE_API
int32_t cos_slice_client_add_header(cos_slice_client *COS_SLICE_NULLABLE client,
                                    const char *name,
                                    const char *value);

/**
 * Where the token that authorizes a request goes: COS_SLICE_TOKEN_*. `word` is copied, has 1 to 64 letters, digits and
 * characters of !#$%&'*+-.^_`|~, and is looked at with COS_SLICE_TOKEN_HEADER_AFTER_WORD alone; NULL otherwise.
 */
COS_SLICE_API
int32_t cos_slice_client_set_token_place(cos_slice_client *COS_SLICE_NULLABLE client,
                                         int32_t place,
                                         const char *COS_SLICE_NULLABLE word);

/**
 * Whether each slice is sent with its MD5, in the form field "datamd5" behind the content: anything but 0 is on. Where the
 * store tells the MD5 of what it has of the slice, the two are compared, and a slice that was damaged on the way is sent
 * again; if it stays so the upload fails with COS_SLICE_ERR_CONTENT_REJECTED.
 */
COS_SLICE_API
int32_t cos_slice_client_set_slice_md5(cos_slice_client *COS_SLICE_NULLABLE client,
                                       int32_t on);

/**
 * A new upload to a path of a bucket, such as "videos" and "/2026/big.mp4"; the leading slash makes no difference. The texts
 * are copied. Owned by the caller: free it with cos_slice_upload_free, before or after the client. The client may be
 * used by several threads at once.
 *
 * Arguments that are not acceptable, NULL among them, are reported by run and start: the bucket must not be empty; the path
 * must have 1 to 850 bytes, no empty, "." or ".." segment, no control character and no slash at its end. NULL only if
 * a defect of the library was caught, and every function takes NULL.
 */
COS_SLICE_API
cos_slice_upload *COS_SLICE_NULLABLE cos_slice_upload_new(const cos_slice_client *COS_SLICE_NULLABLE client,
                                                          const char *bucket,
                                                          const char *path);

/**
 * Frees an upload. One that runs is cancelled and waited for; what the server has of it stays there, and another upload of
 * the same content resumes it. Inside a callback it does not wait: the run ends by itself, without another call. Not
 * while another thread is inside cos_slice_upload_run or _wait for it. NULL is allowed.
 */
COS_SLICE_API
void cos_slice_upload_free(cos_slice_upload *COS_SLICE_NULLABLE upload);

/**
 * Sets what is told of the progress: how it begins, then at most ten times a second, and how it ends. Under
 * cos_slice_upload_run it is called on the thread that runs, under cos_slice_upload_start on the one callback thread
 * of the client; never two calls at once, and none after run or wait has told the end. NULL for callback: none.
 *
 * user_data is passed through. drop, which may be NULL, is called exactly once with it: when the callback is replaced or the
 * upload freed, or at once where this call fails; on any thread, after the last call of callback.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_progress(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                      cos_slice_progress_fn COS_SLICE_NULLABLE callback,
                                      void *COS_SLICE_NULLABLE user_data,
                                      cos_slice_drop_fn COS_SLICE_NULLABLE drop);

/**
 * The slice size to ask for, in bytes; the server may choose another. With hashing on, 524288 or 1048576; with hashing off
 * 2097152 and 3145728 too. Where the client has slice sizes of its own (cos_slice_client_set_slice_sizes, to be called
 * first), one of those.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_slice_size(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                        int64_t bytes);

/**
 * Whether to take the source's SHA-1 before it is sent: anything but 0 is on. It buys the instant upload of content that the
 * server has already, the server's own verification, and the proof on resumption that its slices are of this very
 * content; it costs one reading of the source. A stream that is not spooled can't be hashed first: for it this is off unless
 * set, and to turn it on is an invalid argument.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_hash(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                  int32_t on);

/**
 * Whether an object of other content at the path is replaced: anything but 0 is on. Off, it is left alone, and the upload
 * fails with COS_SLICE_ERR_OBJECT_EXISTS.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_overwrite(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                       int32_t on);

/**
 * Whether directories above the object are made where the service says that the path does not exist: anything but 0 is on. Off,
 * such an upload fails with COS_SLICE_ERR_NOT_FOUND.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_create_parents(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                            int32_t on);

/**
 * Whether an unfinished upload at the path that is not of this content is thrown away: anything but 0 is on. Off, the
 * upload fails with COS_SLICE_ERR_OTHER_UPLOAD. Turn it on only where nobody else uploads to the path.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_discard_unfinished(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                                int32_t on);

/**
 * Whether the server's record of the object is compared with the source at the end: anything but 0 is on.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_verify(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                    int32_t on);

/**
 * An attribute that the service keeps with the object for the application: UTF-8 without control characters, at most 4096
 * bytes; copied. NULL: none.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_biz_attr(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                      const char *COS_SLICE_NULLABLE biz_attr);

/**
 * Sources up to this many bytes go in one request instead of slices, 0 to 20971520; such an upload can't be resumed.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_single_request_limit(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                                  int64_t bytes);

/**
 * The longest that the whole upload may take, in milliseconds, 1 to 31536000000 (a year); then it ends with
 * COS_SLICE_ERR_DEADLINE and can be run again. A read of the source, a write of the checkpoint or a callback that is under way
 * then is waited for. Without this call there is no such limit.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_deadline_ms(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                         int64_t ms);

/**
 * Runs the upload and returns when it is over: COS_SLICE_OK, or why not, which is the first setting that was not acceptable
 * where there is one. An upload may be run again, after a failure too, and then goes on with what the server has.
 *
 * error, which may be NULL, receives an error that the caller frees, or NULL with COS_SLICE_OK; what it held before is not
 * read. COS_SLICE_ERR_BUSY while it runs and inside a callback.
 */
COS_SLICE_API
int32_t cos_slice_upload_run(cos_slice_upload *COS_SLICE_NULLABLE upload,
                             cos_slice_error *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE error);

/**
 * Begins to run the upload and returns; cos_slice_upload_wait tells how it ended. Errors and error as of
 * cos_slice_upload_run, for what can be known at once.
 */
COS_SLICE_API
int32_t cos_slice_upload_start(cos_slice_upload *COS_SLICE_NULLABLE upload,
                               cos_slice_error *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE error);

/**
 * Waits until a started upload is over, at most timeout_ms milliseconds; a negative number waits without end, 0 only asks.
 * Then it returns what cos_slice_upload_run would have, and the same again if called again, until the next run.
 * COS_SLICE_ERR_STILL_RUNNING where it is not over, COS_SLICE_ERR_NOT_STARTED, COS_SLICE_ERR_BUSY inside a callback.
 * error as of cos_slice_upload_run.
 */
COS_SLICE_API
int32_t cos_slice_upload_wait(cos_slice_upload *COS_SLICE_NULLABLE upload,
                              int64_t timeout_ms,
                              cos_slice_error *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE error);

/**
 * Stops the present run, or the next one where none is running, which then ends with COS_SLICE_ERR_CANCELLED; what the
 * server has stays there, and a later run resumes. An object that was complete by then stays so: the run ends with
 * COS_SLICE_OK, only its record may be left unverified. Returns at once; the run that it ends returns once a read of the
 * source, a write of the checkpoint or a callback that is under way has returned. NULL is allowed. Any thread, at any time,
 * any number of times, inside callbacks too; not in a signal handler.
 */
COS_SLICE_API
void cos_slice_upload_cancel(const cos_slice_upload *COS_SLICE_NULLABLE upload);

/**
 * How far the present run is, or the last one was. Set progress->struct_size to sizeof(cos_slice_progress) first; on return
 * it is the number of bytes filled in. COS_SLICE_ERR_INVALID_ARGUMENT, and nothing is written, where a pointer is NULL or
 * the size is too small. Any thread, at any time, inside callbacks too.
 */
COS_SLICE_API
int32_t cos_slice_upload_progress(const cos_slice_upload *COS_SLICE_NULLABLE upload,
                                  cos_slice_progress *progress);

/**
 * What was noticed in the last run and did not stop it, in one line for people: a checkpoint that could not be used or
 * written, say. NULL where there was nothing, and while the upload runs. Borrowed: valid until the upload is run, started
 * or freed.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_upload_warning(const cos_slice_upload *COS_SLICE_NULLABLE upload);

/**
 * How many bytes a second the client's requests may send, all uploads and operations together: 1024 to 2^53, or 0 for no
 * limit, which is the default. It holds at once, also for requests under way. Counted is what is handed to the system of
 * requests, heads and repetitions included, and neither what TLS and TCP add nor answers. In any second it is at most 3 %
 * more, and as much where there is enough to send and the network takes it. Uploads share it by their connections. At a
 * rate at which a slice takes minutes fewer connections end each slice sooner, which servers with time limits of their own
 * may want. Waiting for the limit is no stall, and ends by a cancel and a deadline. What is refused leaves the limit as it
 * was. Any thread, at any time, inside callbacks too.
 */
COS_SLICE_API
int32_t cos_slice_client_set_rate_limit(const cos_slice_client *COS_SLICE_NULLABLE client,
                                        int64_t bytes_per_second);

/**
 * How many bytes a second the requests of this upload may send, beside the client's limit, which holds too: 1024 to 2^53, or
 * 0 for no limit, which is the default. It holds at once, also for a run under way, and for later runs; what counts is told
 * at cos_slice_client_set_rate_limit. Such an upload takes no more of the client's connections than its rate needs, two at
 * least, so that other uploads have the rest. What is refused leaves the limit as it was. Any thread, at any time, inside callbacks
 * too.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_rate_limit(const cos_slice_upload *COS_SLICE_NULLABLE upload,
                                        int64_t bytes_per_second);

/**
 * Sets what is told of the end of each run, once, after the last call for its progress: under cos_slice_upload_run on the
 * thread that runs, before it returns; under cos_slice_upload_start on the one callback thread of the client, before
 * cos_slice_upload_wait tells the end. A run that did not begin, because run or start reports a setting or that it is busy,
 * has no such end; nor has one whose upload is freed first. NULL for callback: none.
 *
 * user_data is passed through. drop, which may be NULL, is called exactly once with it: when the callback is replaced or the
 * upload freed, or at once where this call fails; on any thread, after the last call of callback.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_completion(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                        cos_slice_completion_fn COS_SLICE_NULLABLE callback,
                                        void *COS_SLICE_NULLABLE user_data,
                                        cos_slice_drop_fn COS_SLICE_NULLABLE drop);

/**
 * Uploads a regular file; symbolic links are followed. The path is UTF-8, and copied. The file is opened when the upload is
 * run, and must not change until it is over: a change is noticed and ends the upload with COS_SLICE_ERR_SOURCE_CHANGED. As
 * many files stay open until then as are a quarter of the descriptors that the process may have (RLIMIT_NOFILE), and 64 at
 * least. Where more are uploaded at once, the later ones are closed and opened again by their path, so they must not be renamed
 * or removed before the end either; a file that is another one by then counts as changed.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_file(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                  const char *path);

/**
 * As cos_slice_upload_set_file, for a name that need not be UTF-8: length bytes, without a NUL among or, necessarily, after them.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_file_bytes(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                        const void *path,
                                        size_t length);

/**
 * Uploads bytes in memory. They are copied during the call and the copy is kept until another source is set or the upload
 * is freed: use a file for what is large. NULL is allowed where the size is 0. COS_SLICE_ERR_RESOURCES where the
 * system has no memory for the copy.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_memory(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                    const void *COS_SLICE_NULLABLE data,
                                    size_t size);

/**
 * Uploads a regular file that is open for reading. The descriptor is duplicated during the call: the caller may close its own
 * at once. Its position is neither used nor moved; cos_slice_upload_set_range chooses a part. What the file has when the
 * upload is run counts, and must not change until it is over, as with cos_slice_upload_set_file. COS_SLICE_ERR_FILE_OPEN
 * where it is no regular file, or not open for reading: upload what a pipe or socket gives as a stream.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_descriptor(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                        int32_t descriptor);

/**
 * Uploads size bytes that a function gives, at any place and any number of times. Until another source is set or the upload
 * is freed it must give the same bytes for the same place, from run to run too.
 *
 * user_data is passed through. drop, which may be NULL, is called exactly once with it: when another source is set or the
 * upload freed, or at once where this call fails; on any thread, after the last call of read_at.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_read_at(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                     int64_t size,
                                     cos_slice_read_at_fn read_at,
                                     void *COS_SLICE_NULLABLE user_data,
                                     cos_slice_drop_fn COS_SLICE_NULLABLE drop);

/**
 * Uploads what a function reads, once and in its order: a pipe, a recording. size is the number of bytes, or -1 where it is
 * not known. The stream goes on where it is when the upload is run again.
 *
 * Of known size, and without cos_slice_upload_set_spool, it is sent while it is read. Each slice is held in memory until the
 * server has it, at most one for each connection and one more. There is no SHA-1 before it is sent (see
 * cos_slice_upload_set_hash), and a part that the server lost after it was let go ends the run with
 * COS_SLICE_ERR_NOT_RESTARTABLE. A stream with fewer bytes than size ends it with COS_SLICE_ERR_SOURCE_CHANGED,
 * one with more with COS_SLICE_ERR_TOO_LARGE.
 * Of unknown size it must be spooled.
 *
 * user_data is passed through. drop, which may be NULL, is called exactly once with it: when another source is set or the
 * upload freed, or at once where this call fails; on any thread, after the last call of read.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_stream(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                    int64_t size,
                                    cos_slice_read_fn read,
                                    void *COS_SLICE_NULLABLE user_data,
                                    cos_slice_drop_fn COS_SLICE_NULLABLE drop);

/**
 * Has a stream written to a temporary file before it is sent, up to limit_bytes, at most 68719476736; 0 turns that off, as it
 * is without this call. Then it may be of unknown size, is hashed like a file, and any part can be sent once more. The file
 * is made in the directory, UTF-8 and copied, or where the system has temporary files (TMPDIR) for NULL; it has no name
 * there, so nothing is left of it. TMPDIR is read on the thread that runs or starts the upload. A stream that is longer ends
 * the run with COS_SLICE_ERR_TOO_LARGE; a full disk, or a directory that is not there, with COS_SLICE_ERR_RESOURCES.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_spool(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                   const char *COS_SLICE_NULLABLE directory,
                                   int64_t limit_bytes);

/**
 * Uploads only part of a file, descriptor, memory or read_at source: length bytes from offset on are the whole object; -1 for
 * length are all that follow. It may be set before or after the source; offset 0 and length -1 are the whole again. A part
 * that reaches beyond the end, or one of a stream, is an invalid argument that the run reports before anything is sent.
 */
COS_SLICE_API
int32_t cos_slice_upload_set_range(cos_slice_upload *COS_SLICE_NULLABLE upload,
                                   int64_t offset,
                                   int64_t length);

/**
 * The object's address for the public, as the service told it; it may name another host than the endpoint. NULL where it
 * did not tell, and unless the last run succeeded. Borrowed: valid until the upload is run, started or freed.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_upload_access_url(const cos_slice_upload *COS_SLICE_NULLABLE upload);

/**
 * The object's address at the store itself, past the content delivery network; else as cos_slice_upload_access_url.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_upload_source_url(const cos_slice_upload *COS_SLICE_NULLABLE upload);

/**
 * The object's address for operations of the API on it; else as cos_slice_upload_access_url.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_upload_url(const cos_slice_upload *COS_SLICE_NULLABLE upload);

/**
 * The object's place within the service, "/appid/bucket/path"; else as cos_slice_upload_access_url.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_upload_resource_path(const cos_slice_upload *COS_SLICE_NULLABLE upload);

/**
 * The address of a preview of the object, where the service makes one; else as cos_slice_upload_access_url.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_upload_preview_url(const cos_slice_upload *COS_SLICE_NULLABLE upload);

/**
 * What names the work that completing the object set off at the service, where it did, to ask about it elsewhere; else as
 * cos_slice_upload_access_url.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_upload_vid(const cos_slice_upload *COS_SLICE_NULLABLE upload);

/**
 * The source's SHA-1 in 40 lower-case hexadecimal digits, also of a stream, of which it is taken while it is read. NULL with
 * hashing off otherwise, and unless the last run succeeded.
 * Borrowed: valid until the upload is run, started or freed.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_upload_sha1(const cos_slice_upload *COS_SLICE_NULLABLE upload);

/**
 * How the object came to be there: COS_SLICE_OUTCOME_*. COS_SLICE_OUTCOME_NONE unless the last run succeeded.
 */
COS_SLICE_API
int32_t cos_slice_upload_outcome(const cos_slice_upload *COS_SLICE_NULLABLE upload);

/**
 * The object's size in bytes. 0 unless the last run succeeded, as all numbers here.
 */
COS_SLICE_API uint64_t cos_slice_upload_size(const cos_slice_upload *COS_SLICE_NULLABLE upload);

/**
 * The bytes of slices that the server acknowledged in the last run.
 */
COS_SLICE_API
uint64_t cos_slice_upload_bytes_sent(const cos_slice_upload *COS_SLICE_NULLABLE upload);

/**
 * The bytes that the server had before the last run.
 */
COS_SLICE_API
uint64_t cos_slice_upload_bytes_resumed(const cos_slice_upload *COS_SLICE_NULLABLE upload);

/**
 * The slices that the server acknowledged in the last run.
 */
COS_SLICE_API
uint64_t cos_slice_upload_slices_sent(const cos_slice_upload *COS_SLICE_NULLABLE upload);

/**
 * The requests that were repeated in the last run.
 */
COS_SLICE_API uint64_t cos_slice_upload_retries(const cos_slice_upload *COS_SLICE_NULLABLE upload);

/**
 * 1 where the server's record of the object was compared with the source at the end and agrees; 0 where there was none to
 * be had, or verification is off.
 */
COS_SLICE_API
int32_t cos_slice_upload_verified(const cos_slice_upload *COS_SLICE_NULLABLE upload);

/**
 * A new handle for requests to a path of a bucket. Arguments, ownership and errors as of cos_slice_upload_new; what is not
 * acceptable is reported by the requests. Owned by the caller: free it with cos_slice_operation_free, before or after the
 * client.
 */
COS_SLICE_API
cos_slice_operation *COS_SLICE_NULLABLE cos_slice_operation_new(const cos_slice_client *COS_SLICE_NULLABLE client,
                                                                const char *bucket,
                                                                const char *path);

/**
 * Frees a handle; answers stay. Not while another thread is inside one of its requests. NULL is allowed.
 */
COS_SLICE_API
void cos_slice_operation_free(cos_slice_operation *COS_SLICE_NULLABLE operation);

/**
 * Ends the request that is under way, or the next one where none is, with COS_SLICE_ERR_CANCELLED; it may have had its effect.
 * Else as cos_slice_upload_cancel: any thread, at any time, inside callbacks too; not in a signal handler.
 */
COS_SLICE_API
void cos_slice_operation_cancel(const cos_slice_operation *COS_SLICE_NULLABLE operation);

/**
 * The most attempts at one request: 1 for no repetition at all, not even where a connection that was kept open turns out to
 * be closed. 0, as without this call, and whatever is more: as many as an upload has (DEFAULTS).
 */
COS_SLICE_API
int32_t cos_slice_operation_set_attempts(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                         int32_t attempts);

/**
 * The session that slices go into and finish ends, as an answer told it; with files/v1 also the one that init goes on with.
 * UTF-8 without control characters, 1 to 1024 bytes; copied. NULL: none.
 */
COS_SLICE_API
int32_t cos_slice_operation_set_session(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                        const char *COS_SLICE_NULLABLE session);

/**
 * The whole object's size in bytes, at most 68719476736 (64 GiB), for a handle without a source; with one it must be the
 * source's. -1, as without this call: the source's.
 */
COS_SLICE_API
int32_t cos_slice_operation_set_size(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                     int64_t bytes);

/**
 * The slice size that init asks for, in bytes; the server may choose another (cos_slice_answer_slice_size). With a SHA-1 524288
 * or 1048576, without one 2097152 and 3145728 too. Where the client has slice sizes of its own
 * (cos_slice_client_set_slice_sizes, to be called first), one of those.
 */
COS_SLICE_API
int32_t cos_slice_operation_set_slice_size(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                           int64_t bytes);

/**
 * The whole object's SHA-1 in 40 hexadecimal digits, as cos_slice_operation_hash told it, here or elsewhere; copied. Where init
 * had it, every slice and finish must have it too. NULL: only what this handle took itself.
 */
COS_SLICE_API
int32_t cos_slice_operation_set_sha1(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                     const char *COS_SLICE_NULLABLE hexadecimal);

/**
 * As cos_slice_upload_set_biz_attr, for init and upload.
 */
COS_SLICE_API
int32_t cos_slice_operation_set_biz_attr(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                         const char *COS_SLICE_NULLABLE biz_attr);

/**
 * Whether init and upload may replace an object of other content: anything but 0 is on.
 */
COS_SLICE_API
int32_t cos_slice_operation_set_overwrite(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                          int32_t on);

/**
 * Has hash, slice and upload read the whole object from a regular file, as cos_slice_upload_set_file. It is opened by the first
 * of them and kept open: a change from then on is noticed and is COS_SLICE_ERR_SOURCE_CHANGED until the source is set again.
 * Any change of the source forgets the SHA-1 that was taken.
 */
COS_SLICE_API
int32_t cos_slice_operation_set_file(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                     const char *path);

/**
 * As cos_slice_operation_set_file, for a name that need not be UTF-8: length bytes, without a NUL among or, necessarily, after
 * them.
 */
COS_SLICE_API
int32_t cos_slice_operation_set_file_bytes(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                           const void *path,
                                           size_t length);

/**
 * Has hash, slice and upload read the whole object from memory, as cos_slice_upload_set_memory. The copy is kept until another
 * source is set and used, or the handle is freed.
 */
COS_SLICE_API
int32_t cos_slice_operation_set_memory(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                       const void *COS_SLICE_NULLABLE data,
                                       size_t size);

/**
 * Takes the SHA-1 of the source, and the running states of it that init sends along, one for each slice of the size that is set:
 * one reading of the source, on the calling thread, without a request. What follows on this handle has them; other handles and
 * processes need only the SHA-1 (cos_slice_operation_set_sha1). Answers COS_SLICE_ANSWER_HASHED.
 *
 * For this and all requests here: answer, which may be NULL, receives an answer that the caller frees, or NULL where the call
 * failed; error is as of cos_slice_upload_run. Each returns when it is over, COS_SLICE_OK or why not:
 * COS_SLICE_ERR_INVALID_ARGUMENT for a setting or argument that is missing or not acceptable, before anything was sent;
 * COS_SLICE_ERR_BUSY inside a callback, and while another request of the handle is under way;
 * COS_SLICE_ERR_CANCELLED; else what the network or the server said to the last attempt. One thread at a time
 * for one handle; different handles don't disturb each other, those of one client, process or object included.
 */
COS_SLICE_API
int32_t cos_slice_operation_hash(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                 cos_slice_answer *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE answer,
                                 cos_slice_error *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE error);

/**
 * Begins a slice upload of the size that is set or the source has, at least 1 byte ("upload_slice_init"; the control request of
 * "upload_slice" with files/v1). Answers COS_SLICE_ANSWER_SESSION, or COS_SLICE_ANSWER_COMPLETE where the service has this very
 * content there: then there is nothing to send.
 *
 * With the SHA-1 (files/v1 demands it) the service verifies the object, and what it holds can be told from other content.
 *
 * files/v2: COS_SLICE_ERR_OTHER_UPLOAD with server code -4019 where there is an unfinished upload, of this SHA-1 or of an unknown
 * one: list it, and go on with that session if it is the same object; -4020 where it is of another: delete removes it. After a
 * lost answer a repetition finds the upload that the first attempt began, so -4019 may mean one's own.
 *
 * files/v1: with a session that is set it goes on with it; cos_slice_answer_offset tells where. The same request settles what
 * became of a slice whose answer was lost or refused.
 *
 * COS_SLICE_ERR_OBJECT_EXISTS (-177) where there is an object of other content and overwriting is off.
 */
COS_SLICE_API
int32_t cos_slice_operation_init(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                 cos_slice_answer *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE answer,
                                 cos_slice_error *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE error);

/**
 * Sends length bytes of the source from offset on, both in bytes, as one slice of the session that is set ("upload_slice_data";
 * the data request of "upload_slice" with files/v1). An offset is a multiple of the slice size that was answered, a length that
 * size, or less for the last slice. Answers COS_SLICE_ANSWER_STORED; with files/v1 the slice that completes the object
 * answers COS_SLICE_ANSWER_COMPLETE.
 *
 * files/v2: slices may go in any order and at once, from several handles, processes and machines, unless
 * cos_slice_answer_serial says otherwise. Sending one twice is harmless. COS_SLICE_ERR_REFUSED where the session is not, or no
 * longer, good (-290, -5983 and others), or where the server has the slice already (-4015): the list tells what there is.
 *
 * files/v1: one after another, each at the offset that init told or the one before ended at. After any failure init, with
 * the session, tells where to go on.
 */
COS_SLICE_API
int32_t cos_slice_operation_slice(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                  int64_t offset,
                                  int64_t length,
                                  cos_slice_answer *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE answer,
                                  cos_slice_error *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE error);

/**
 * Asks what the service has of an unfinished upload ("upload_slice_list"): COS_SLICE_ANSWER_UNFINISHED with its session, which
 * may be another than before, and its parts; COS_SLICE_ANSWER_COMPLETE; or COS_SLICE_ANSWER_ABSENT. An invalid argument with
 * files/v1, which has init for it.
 */
COS_SLICE_API
int32_t cos_slice_operation_list(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                 cos_slice_answer *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE answer,
                                 cos_slice_error *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE error);

/**
 * Makes the object out of the slices of the session that is set ("upload_slice_finish"): COS_SLICE_ANSWER_COMPLETE. One of those
 * who sent slices does it, once all are there; where some are missing it is refused, and the list tells which. It has the
 * SHA-1 where init had one, and the service compares. After a lost answer a repetition may be refused though the object was
 * made: stat tells, by size and SHA-1. An invalid argument with files/v1, where the last slice makes the object.
 */
COS_SLICE_API
int32_t cos_slice_operation_finish(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                   cos_slice_answer *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE answer,
                                   cos_slice_error *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE error);

/**
 * Sends the whole source in one request ("upload"), at most 20971520 bytes, and 0 bytes too: COS_SLICE_ANSWER_COMPLETE. With the
 * SHA-1 where one was taken or set. COS_SLICE_ERR_OBJECT_EXISTS as of cos_slice_operation_init; after a lost answer a repetition
 * may be refused so though it was the first attempt that made the object.
 */
COS_SLICE_API
int32_t cos_slice_operation_upload(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                   cos_slice_answer *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE answer,
                                   cos_slice_error *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE error);

/**
 * Asks for the object's size and SHA-1 ("stat"): COS_SLICE_ANSWER_STATUS, whose cos_slice_answer_received is less than the size
 * while the upload is unfinished, or COS_SLICE_ANSWER_ABSENT.
 */
COS_SLICE_API
int32_t cos_slice_operation_stat(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                 cos_slice_answer *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE answer,
                                 cos_slice_error *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE error);

/**
 * Removes the object, or what there is of it with its session ("delete"): COS_SLICE_ANSWER_DELETED, also where there was nothing.
 */
COS_SLICE_API
int32_t cos_slice_operation_delete(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                   cos_slice_answer *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE answer,
                                   cos_slice_error *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE error);

/**
 * Makes the directory that the handle's path names, without a slash at its end ("create"): COS_SLICE_ANSWER_CREATED, also where
 * it was there. The one above it must be there.
 */
COS_SLICE_API
int32_t cos_slice_operation_create_directory(cos_slice_operation *COS_SLICE_NULLABLE operation,
                                             cos_slice_answer *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE answer,
                                             cos_slice_error *COS_SLICE_NULLABLE *COS_SLICE_NULLABLE error);

/**
 * Frees an answer. NULL is allowed.
 */
COS_SLICE_API void cos_slice_answer_free(cos_slice_answer *COS_SLICE_NULLABLE answer);

/**
 * What it is an answer to, and which: COS_SLICE_ANSWER_*. Later versions may add numbers. COS_SLICE_ANSWER_NONE for NULL.
 */
COS_SLICE_API
int32_t cos_slice_answer_kind(const cos_slice_answer *COS_SLICE_NULLABLE answer);

/**
 * The session to send slices with, of COS_SLICE_ANSWER_SESSION and _UNFINISHED; it may change from one to the next, and the
 * newest counts. An opaque text of at most 1024 bytes that any process and machine may use. NULL otherwise. Borrowed:
 * valid until the answer is freed, as all texts here.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_answer_session(const cos_slice_answer *COS_SLICE_NULLABLE answer);

/**
 * The length in bytes of every slice but the last one, of COS_SLICE_ANSWER_SESSION and _UNFINISHED: the server's choice, which
 * may be another than what was asked for, and has to be obeyed. -1 where it is not told, as for all numbers here.
 */
COS_SLICE_API
int64_t cos_slice_answer_slice_size(const cos_slice_answer *COS_SLICE_NULLABLE answer);

/**
 * Of COS_SLICE_ANSWER_SESSION, with files/v1, the offset in bytes of the slice to send next; with files/v2 it is 0, and any slice
 * may be. Of COS_SLICE_ANSWER_STORED the offset that the server names. -1 where it is not told.
 */
COS_SLICE_API
int64_t cos_slice_answer_offset(const cos_slice_answer *COS_SLICE_NULLABLE answer);

/**
 * Of COS_SLICE_ANSWER_SESSION and _UNFINISHED, whether slices have to be sent one after another, in order: 1 or 0; -1 where the
 * server did not say, and then they need not.
 */
COS_SLICE_API
int32_t cos_slice_answer_serial(const cos_slice_answer *COS_SLICE_NULLABLE answer);

/**
 * The object's size in bytes, also of one that is not complete: of COS_SLICE_ANSWER_UNFINISHED, _STATUS and _HASHED. -1
 * otherwise.
 */
COS_SLICE_API
int64_t cos_slice_answer_size(const cos_slice_answer *COS_SLICE_NULLABLE answer);

/**
 * How many of the object's bytes the server has: of COS_SLICE_ANSWER_UNFINISHED, and of _STATUS, where fewer than the size tell
 * that it is not complete. -1 where it is not told.
 */
COS_SLICE_API
int64_t cos_slice_answer_received(const cos_slice_answer *COS_SLICE_NULLABLE answer);

/**
 * The object's SHA-1 in 40 lower-case hexadecimal digits: of COS_SLICE_ANSWER_HASHED, of _UNFINISHED where the upload was begun
 * with one, of _STATUS where the server tells it. NULL otherwise.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_answer_sha1(const cos_slice_answer *COS_SLICE_NULLABLE answer);

/**
 * Of how many parts COS_SLICE_ANSWER_UNFINISHED tells. A part is a run of bytes that the server has, of one slice or of several
 * that touch; they come in order, with a gap between any two. 0 otherwise.
 */
COS_SLICE_API
size_t cos_slice_answer_part_count(const cos_slice_answer *COS_SLICE_NULLABLE answer);

/**
 * The offset and the length in bytes of one part, 0 to cos_slice_answer_part_count - 1. COS_SLICE_ERR_INVALID_ARGUMENT, and
 * nothing is written, where there is no such part or a pointer is NULL.
 */
COS_SLICE_API
int32_t cos_slice_answer_part(const cos_slice_answer *COS_SLICE_NULLABLE answer,
                              size_t index,
                              int64_t *offset,
                              int64_t *length);

/**
 * The object's address for the public, as the service told it; it may name another host than the endpoint. Of
 * COS_SLICE_ANSWER_COMPLETE and _STATUS, each as far as the service tells it; NULL otherwise.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_answer_access_url(const cos_slice_answer *COS_SLICE_NULLABLE answer);

/**
 * The object's address at the store itself, past the content delivery network; else as cos_slice_answer_access_url.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_answer_source_url(const cos_slice_answer *COS_SLICE_NULLABLE answer);

/**
 * The object's address for operations of the API on it; else as cos_slice_answer_access_url.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_answer_url(const cos_slice_answer *COS_SLICE_NULLABLE answer);

/**
 * The object's place within the service, "/appid/bucket/path"; else as cos_slice_answer_access_url.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_answer_resource_path(const cos_slice_answer *COS_SLICE_NULLABLE answer);

/**
 * The address of a preview of the object, where the service makes one; else as cos_slice_answer_access_url.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_answer_preview_url(const cos_slice_answer *COS_SLICE_NULLABLE answer);

/**
 * What names the work that completing the object set off at the service, where it did, to ask about it elsewhere; else as
 * cos_slice_answer_access_url.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_answer_vid(const cos_slice_answer *COS_SLICE_NULLABLE answer);

/**
 * Frees an error. NULL is allowed.
 */
COS_SLICE_API void cos_slice_error_free(cos_slice_error *COS_SLICE_NULLABLE error);

/**
 * The status that the failed call returned: COS_SLICE_ERR_*. COS_SLICE_OK for NULL.
 */
COS_SLICE_API int32_t cos_slice_error_status(const cos_slice_error *COS_SLICE_NULLABLE error);

/**
 * What happened, where, what the server said and what to do next: one line of UTF-8 without control characters, and
 * without secrets. Never NULL; for NULL it is empty. Valid until the error is freed.
 */
COS_SLICE_API
const char *cos_slice_error_message(const cos_slice_error *COS_SLICE_NULLABLE error);

/**
 * The service's own code of the failure, such as -97; 0 where it gave none.
 */
COS_SLICE_API int64_t cos_slice_error_server_code(const cos_slice_error *COS_SLICE_NULLABLE error);

/**
 * The HTTP status of the answer, such as 403; 0 where there was no answer.
 */
COS_SLICE_API int32_t cos_slice_error_http_status(const cos_slice_error *COS_SLICE_NULLABLE error);

/**
 * The service's identifier of the request, which its support asks for; NULL where there is none. Valid until the error
 * is freed.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_error_request_id(const cos_slice_error *COS_SLICE_NULLABLE error);

/**
 * The operating system's error number (errno), such as ENOENT; 0 where there is none.
 */
COS_SLICE_API int32_t cos_slice_error_os_errno(const cos_slice_error *COS_SLICE_NULLABLE error);

/**
 * 1 if running the same upload again, unchanged, may well succeed: later, or once the network or the file is well again.
 * 0 if something must be changed first. An upload that is run again goes on with what the server has.
 */
COS_SLICE_API
int32_t cos_slice_error_is_retryable(const cos_slice_error *COS_SLICE_NULLABLE error);

/**
 * How often the request that failed was attempted; 0 where the failure was not a request's.
 */
COS_SLICE_API uint32_t cos_slice_error_attempts(const cos_slice_error *COS_SLICE_NULLABLE error);

/**
 * The offset in bytes of the slice whose request failed; -1 where it was not about a slice.
 */
COS_SLICE_API int64_t cos_slice_error_slice_offset(const cos_slice_error *COS_SLICE_NULLABLE error);

/**
 * The name of the operation that failed, as the service's documentation calls it, such as "upload_slice_data"; NULL
 * where the failure was not a request's. Valid until the error is freed.
 */
COS_SLICE_API
const char *COS_SLICE_NULLABLE cos_slice_error_operation(const cos_slice_error *COS_SLICE_NULLABLE error);

/**
 * What the progress callback returned to stop the upload; 0 if it did not.
 */
COS_SLICE_API
int32_t cos_slice_error_callback_value(const cos_slice_error *COS_SLICE_NULLABLE error);


#ifdef __cplusplus
} /* extern "C" */
#endif

#if defined(__clang__)
#pragma clang assume_nonnull end
#pragma clang diagnostic pop
#endif

#endif /* COS_SLICE_H */
