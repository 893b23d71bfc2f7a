/* Every way to use the library wrongly that it promises to answer: with a status and a clear error, at once. */
#include "check.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

static void every_function_takes_null(void)
{
    cos_slice_error *error = NULL;
    cos_slice_progress progress;
    progress.struct_size = sizeof progress;

    cos_slice_client_free(NULL);
    cos_slice_upload_free(NULL);
    cos_slice_error_free(NULL);
    cos_slice_upload_cancel(NULL);

    CHECK_STATUS(cos_slice_client_set_endpoint(NULL, "http://localhost"), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_region(NULL, "gz"), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_secret_key(NULL, "1", "id", "key"), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_api(NULL, COS_SLICE_API_FILES_V2), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_connections(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_adaptive_connections(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_rate_limit(NULL, 0), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_rate_limit(NULL, 0), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_resolve_timeout_ms(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_connect_timeout_ms(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_tls_timeout_ms(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_stall_timeout_ms(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_answer_timeout_ms(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_finish_timeout_ms(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_ca_file(NULL, "ca.pem"), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_checkpoint_dir(NULL, "folder"), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_slice_sizes(NULL, NULL, 0), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_add_form_field(NULL, "name", "value"), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_add_header(NULL, "name", "value"), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_token_place(NULL, COS_SLICE_TOKEN_HEADER, NULL), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_slice_md5(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);

    CHECK_STATUS(cos_slice_upload_set_file(NULL, "file"), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_memory(NULL, "abc", 3), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_progress(NULL, NULL, NULL, NULL), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_slice_size(NULL, 1048576), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_hash(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_overwrite(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_create_parents(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_discard_unfinished(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_verify(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_biz_attr(NULL, "x"), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_single_request_limit(NULL, 0), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_deadline_ms(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_progress(NULL, &progress), COS_SLICE_ERR_INVALID_ARGUMENT);

    CHECK_ENDS(cos_slice_upload_run(NULL, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "upload: it is NULL");
    CHECK_ENDS(cos_slice_upload_start(NULL, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "upload: it is NULL");
    CHECK_ENDS(cos_slice_upload_wait(NULL, -1, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "upload: it is NULL");
    CHECK_STATUS(cos_slice_upload_run(NULL, NULL), COS_SLICE_ERR_INVALID_ARGUMENT);

    CHECK(cos_slice_upload_access_url(NULL) == NULL && cos_slice_upload_source_url(NULL) == NULL);
    CHECK(cos_slice_upload_url(NULL) == NULL && cos_slice_upload_resource_path(NULL) == NULL);
    CHECK(cos_slice_upload_preview_url(NULL) == NULL && cos_slice_upload_vid(NULL) == NULL);
    CHECK(cos_slice_upload_sha1(NULL) == NULL && cos_slice_upload_warning(NULL) == NULL);
    CHECK(cos_slice_upload_outcome(NULL) == COS_SLICE_OUTCOME_NONE);
    CHECK(cos_slice_upload_size(NULL) == 0 && cos_slice_upload_bytes_sent(NULL) == 0);
    CHECK(cos_slice_upload_bytes_resumed(NULL) == 0 && cos_slice_upload_slices_sent(NULL) == 0);
    CHECK(cos_slice_upload_retries(NULL) == 0 && cos_slice_upload_verified(NULL) == 0);

    CHECK(cos_slice_error_status(NULL) == COS_SLICE_OK && strcmp(cos_slice_error_message(NULL), "") == 0);
    CHECK(cos_slice_error_server_code(NULL) == 0 && cos_slice_error_http_status(NULL) == 0);
    CHECK(cos_slice_error_request_id(NULL) == NULL && cos_slice_error_operation(NULL) == NULL);
    CHECK(cos_slice_error_os_errno(NULL) == 0 && cos_slice_error_is_retryable(NULL) == 0);
    CHECK(cos_slice_error_attempts(NULL) == 0 && cos_slice_error_slice_offset(NULL) == -1);
    CHECK(cos_slice_error_callback_value(NULL) == 0);
}

static void check_location(const char *bucket, const char *path, const char *argument)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = cos_slice_upload_new(client, bucket, path);
    CHECK(upload != NULL);
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, argument);
    CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, argument);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void an_object_that_can_not_be_is_reported_by_run(void)
{
    char path[852];
    cos_slice_error *error = NULL;
    cos_slice_upload *upload;

    check_location(NULL, "/a", "bucket: it is NULL");
    check_location("", "/a", "bucket: it is empty");
    check_location("a/b", "/a", "bucket: ");
    check_location("b\xff", "/a", "bucket: it is not UTF-8");
    check_location("b", NULL, "path: it is NULL");
    check_location("b", "", "path: it is empty");
    check_location("b", "/", "path: it is empty");
    check_location("b", "/a//b", "path: it has an empty segment");
    check_location("b", "/a/", "path: it ends with '/'");
    check_location("b", "/a/../b", "path: it has a '.' or '..' segment");
    check_location("b", "/a\nb", "path: it has control characters");
    check_location("b", "/a\xc0\x80", "path: it is not UTF-8 (at byte 2)");
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    check_location("b", path, "path: it is longer than 850 bytes");

    upload = cos_slice_upload_new(NULL, "b", "/a");
    CHECK(upload != NULL);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "client: it is NULL");
    CHECK_ENDS(cos_slice_upload_wait(upload, -1, &error), COS_SLICE_ERR_NOT_STARTED, "start it first");
    cos_slice_upload_free(upload);
}

static void a_client_s_bad_setting_is_reported_by_run_in_the_same_words(void)
{
    static const char *const endpoints[] = { NULL, "", "127.0.0.1:9000", "ftp://127.0.0.1", "http://",
                                             "http://a:99999", "http://user@host", "http://h/?q", "http://\xff" };
    size_t position;
    cos_slice_error *error = NULL;
    for (position = 0; position < sizeof endpoints / sizeof *endpoints; position++) {
        cos_slice_client *client = client_for(endpoint);
        cos_slice_upload *upload = cos_slice_upload_new(client, "b", "/a");
        CHECK_STATUS(cos_slice_client_set_endpoint(client, endpoints[position]), COS_SLICE_ERR_INVALID_ARGUMENT);
        CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
        CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "endpoint");
        cos_slice_upload_free(upload);
        cos_slice_client_free(client);
    }
}

#define CHECK_CLIENT(call, text)                                                                  \
    do {                                                                                          \
        cos_slice_error *error = NULL;                                                            \
        cos_slice_client *client = client_for(endpoint);                                          \
        cos_slice_upload *upload = cos_slice_upload_new(client, "b", "/a");                       \
        CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);                \
        CHECK_STATUS(call, COS_SLICE_ERR_INVALID_ARGUMENT);                                       \
        CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, text);   \
        cos_slice_upload_free(upload);                                                            \
        cos_slice_client_free(client);                                                            \
    } while (0)

static void absurd_numbers_and_texts_are_refused(void)
{
    char long_text[4098];
    CHECK_CLIENT(cos_slice_client_set_region(client, "../x"), "region");
    CHECK_CLIENT(cos_slice_client_set_region(client, NULL), "region: it is NULL");
    CHECK_CLIENT(cos_slice_client_set_secret_key(client, NULL, "id", "key"), "app_id: it is NULL");
    CHECK_CLIENT(cos_slice_client_set_secret_key(client, "x", "id", "key"), "app_id");
    CHECK_CLIENT(cos_slice_client_set_secret_key(client, "1", "", "key"), "secret_id");
    CHECK_CLIENT(cos_slice_client_set_secret_key(client, "1", "id", NULL), "secret_key: it is NULL");
    CHECK_CLIENT(cos_slice_client_set_secret_key(client, "1", "id", "a\xff"), "secret_key: it is not UTF-8");
    CHECK_CLIENT(cos_slice_client_set_connections(client, 0), "connections: 0 is not within 1 to 256");
    CHECK_CLIENT(cos_slice_client_set_api(client, 3), "api: 3 is not one of 2 (files/v2), 1 (files/v1)");
    CHECK_CLIENT(cos_slice_client_set_connections(client, -1), "connections: -1 is not within");
    CHECK_CLIENT(cos_slice_client_set_connections(client, INT_MAX), "connections: ");
    CHECK_CLIENT(cos_slice_client_set_adaptive_connections(client, 0), "adaptive_connections: 0 is not within 1 to 256");
    CHECK_CLIENT(cos_slice_client_set_adaptive_connections(client, -1), "adaptive_connections: -1 is not within");
    CHECK_CLIENT(cos_slice_client_set_adaptive_connections(client, INT_MAX), "adaptive_connections: ");
    CHECK_CLIENT(cos_slice_client_set_rate_limit(client, -1), "rate_limit: -1 is negative");
    CHECK_CLIENT(cos_slice_client_set_rate_limit(client, 1023), "rate_limit: 1023 is not within 1024 to 9007199254740992");
    CHECK_CLIENT(cos_slice_upload_set_rate_limit(upload, 1), "rate_limit: 1 is not within");
    CHECK_CLIENT(cos_slice_upload_set_rate_limit(upload, INT64_MAX), "rate_limit: ");
    CHECK_CLIENT(cos_slice_client_set_resolve_timeout_ms(client, -1), "resolve_timeout_ms: -1 is not within");
    CHECK_CLIENT(cos_slice_client_set_connect_timeout_ms(client, 0), "connect_timeout_ms: 0 is not within");
    CHECK_CLIENT(cos_slice_client_set_tls_timeout_ms(client, INT64_MIN), "tls_timeout_ms: ");
    CHECK_CLIENT(cos_slice_client_set_stall_timeout_ms(client, INT64_MAX), "stall_timeout_ms: ");
    CHECK_CLIENT(cos_slice_client_set_answer_timeout_ms(client, 86400001), "answer_timeout_ms: 86400001");
    CHECK_CLIENT(cos_slice_client_set_finish_timeout_ms(client, -5), "finish_timeout_ms: -5");
    CHECK_CLIENT(cos_slice_client_set_checkpoint_dir(client, NULL), "checkpoint_dir: it is NULL");
    CHECK_CLIENT(cos_slice_client_set_checkpoint_dir(client, ""), "checkpoint_dir: the path is empty");
    CHECK_CLIENT(cos_slice_client_set_ca_file(client, NULL), "ca_file: it is NULL");
    CHECK_CLIENT(cos_slice_client_set_ca_file(client, in_directory("no such file")), "ca_file: ");
    CHECK_CLIENT(cos_slice_client_set_ca_file(client, in_directory("")), "ca_file: ");

    CHECK_CLIENT(cos_slice_upload_set_file(upload, NULL), "file: it is NULL");
    CHECK_CLIENT(cos_slice_upload_set_file(upload, ""), "file: the path is empty");
    CHECK_CLIENT(cos_slice_upload_set_file(upload, "\xff"), "file: it is not UTF-8");
    CHECK_CLIENT(cos_slice_upload_set_memory(upload, NULL, 1), "memory: the address is NULL");
    CHECK_CLIENT(cos_slice_upload_set_memory(upload, "", SIZE_MAX), "memory: the size");
    CHECK_CLIENT(cos_slice_upload_set_slice_size(upload, 0), "slice_size: 0 is not one of");
    CHECK_CLIENT(cos_slice_upload_set_slice_size(upload, -1), "slice_size: -1 is negative");
    CHECK_CLIENT(cos_slice_upload_set_slice_size(upload, INT64_MAX), "slice_size: ");
    CHECK_CLIENT(cos_slice_upload_set_single_request_limit(upload, -1), "single_request_limit: -1");
    CHECK_CLIENT(cos_slice_upload_set_single_request_limit(upload, 20971521), "single_request_limit: ");
    CHECK_CLIENT(cos_slice_upload_set_deadline_ms(upload, 0), "deadline_ms: 0 is not within");
    CHECK_CLIENT(cos_slice_upload_set_deadline_ms(upload, INT64_MIN), "deadline_ms: ");
    CHECK_CLIENT(cos_slice_upload_set_biz_attr(upload, "a\x01"), "biz_attr: control characters");
    CHECK_CLIENT(cos_slice_upload_set_biz_attr(upload, "\xff"), "biz_attr: it is not UTF-8");
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    CHECK_CLIENT(cos_slice_upload_set_biz_attr(upload, long_text), "biz_attr: 4097 bytes are more than 4096");
}

static void settings_that_are_missing_or_at_odds_are_reported_by_run(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = cos_slice_client_new();
    cos_slice_upload *upload = cos_slice_upload_new(client, "b", "/a");
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "endpoint: none was set");
    cos_slice_client_set_endpoint(client, endpoint);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "secret_key: none was set");
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);

    client = client_for(endpoint);
    upload = cos_slice_upload_new(client, "b", "/a");
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "set a file first");
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_slice_size(upload, 3145728), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "slice_size: 3145728");
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);

    client = client_for(endpoint);
    CHECK_STATUS(cos_slice_client_set_api(client, COS_SLICE_API_FILES_V1), COS_SLICE_OK);
    upload = cos_slice_upload_new(client, "b", "/a");
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_hash(upload, 0), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "hash: files/v1 demands");
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void a_bad_setting_is_mended_by_a_good_one(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = cos_slice_upload_new(client, "misuse", "/mended");
    CHECK_STATUS(cos_slice_client_set_connections(client, 0), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_region(client, ""), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_memory(upload, NULL, 3), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "memory: ");
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "connections: 0");
    CHECK_STATUS(cos_slice_client_set_connections(client, 2), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "region");
    CHECK_STATUS(cos_slice_client_set_endpoint(client, endpoint), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void only_regular_files_are_opened(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = cos_slice_upload_new(client, "misuse", "/files");
    CHECK_STATUS(cos_slice_upload_set_file(upload, in_directory("no such file")), COS_SLICE_OK);
    CHECK(cos_slice_upload_run(upload, &error) == COS_SLICE_ERR_FILE_OPEN);
    CHECK(cos_slice_error_os_errno(error) == ENOENT && cos_slice_error_operation(error) == NULL);
    cos_slice_error_free(error);
    error = NULL;

    CHECK_STATUS(cos_slice_upload_set_file(upload, in_directory("")), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_FILE_OPEN, "directory");
    CHECK(mkfifo(in_directory("fifo"), 0600) == 0);
    CHECK_STATUS(cos_slice_upload_set_file(upload, in_directory("fifo")), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_FILE_OPEN, "fifo");
    CHECK_STATUS(cos_slice_upload_set_file(upload, "/dev/null"), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_FILE_OPEN, "/dev/null");
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void a_handle_that_runs_is_busy(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(silent_server());
    cos_slice_upload *upload = cos_slice_upload_new(client, "b", "/a");
    struct event dropped = EVENT;
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_wait(upload, -1, &error), COS_SLICE_ERR_NOT_STARTED, "start it first");
    CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);

    CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_ERR_BUSY, "running");
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_BUSY, "running");
    CHECK_ENDS(cos_slice_upload_wait(upload, 0, &error), COS_SLICE_ERR_STILL_RUNNING, "still running");
    CHECK_ENDS(cos_slice_upload_wait(upload, 1, &error), COS_SLICE_ERR_STILL_RUNNING, "still running");
    CHECK_STATUS(cos_slice_upload_set_file(upload, "x"), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "x", 1), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_upload_set_progress(upload, NULL, &dropped, count_drop), COS_SLICE_ERR_BUSY);
    CHECK(happened(&dropped) == 1);
    CHECK_STATUS(cos_slice_upload_set_slice_size(upload, 1), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_upload_set_hash(upload, 0), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_upload_set_overwrite(upload, 1), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_upload_set_discard_unfinished(upload, 1), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_upload_set_verify(upload, 0), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_upload_set_biz_attr(upload, NULL), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_upload_set_single_request_limit(upload, 0), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_upload_set_deadline_ms(upload, 1), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_client_set_endpoint(client, endpoint), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_client_set_connections(client, -1), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_client_set_adaptive_connections(client, 1), COS_SLICE_ERR_BUSY);
    /* But a rate may be set at any time, and what is refused changes nothing. */
    CHECK_STATUS(cos_slice_client_set_rate_limit(client, 1 << 20), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_rate_limit(upload, 1 << 20), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_rate_limit(client, -1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_rate_limit(upload, 0), COS_SLICE_OK);

    cos_slice_upload_cancel(upload);
    CHECK_ENDS(cos_slice_upload_wait(upload, -1, &error), COS_SLICE_ERR_CANCELLED, "cancelled");
    CHECK_ENDS(cos_slice_upload_wait(upload, 0, &error), COS_SLICE_ERR_CANCELLED, "cancelled");
    /* What was refused as busy is not held against it. */
    CHECK_STATUS(cos_slice_upload_set_deadline_ms(upload, 20), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_DEADLINE, "deadline");
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void a_cancel_before_the_run_is_not_lost(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = cos_slice_upload_new(client, "misuse", "/cancelled");
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
    cos_slice_upload_cancel(upload);
    cos_slice_upload_cancel(upload);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_CANCELLED, "cancelled");
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    cos_slice_upload_cancel(upload);
    CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_ERR_CANCELLED, "cancelled");
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void nobody_listens(void)
{
    cos_slice_error *error;
    cos_slice_client *client = client_for(closed_port());
    cos_slice_upload *upload = cos_slice_upload_new(client, "b", "/a");
    memset(&error, 0xab, sizeof error); /* never read */
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_CONNECT);
    CHECK(cos_slice_error_os_errno(error) == ECONNREFUSED && cos_slice_error_is_retryable(error) == 1);
    CHECK(cos_slice_error_attempts(error) == 4 && cos_slice_error_slice_offset(error) == -1);
    CHECK(strcmp(cos_slice_error_operation(error), "upload_slice_init") == 0);
    CHECK(cos_slice_error_http_status(error) == 0 && cos_slice_error_server_code(error) == 0);
    CHECK(cos_slice_error_request_id(error) == NULL);
    CHECK(strstr(cos_slice_error_message(error), "Check the endpoint") != NULL);
    /* The error outlives what it tells of. */
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    CHECK(strstr(cos_slice_error_message(error), "cos://b/a") != NULL);
    cos_slice_error_free(error);
}

static void a_progress_structure_may_be_older_or_newer(void)
{
    struct {
        cos_slice_progress known;
        uint64_t newer;
    } progress;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = cos_slice_upload_new(client, "b", "/a");
    CHECK_STATUS(cos_slice_upload_progress(upload, NULL), COS_SLICE_ERR_INVALID_ARGUMENT);
    memset(&progress, 0x55, sizeof progress);
    progress.known.struct_size = 0;
    CHECK_STATUS(cos_slice_upload_progress(upload, &progress.known), COS_SLICE_ERR_INVALID_ARGUMENT);
    progress.known.struct_size = sizeof progress.known - 1;
    CHECK_STATUS(cos_slice_upload_progress(upload, &progress.known), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK(progress.known.total == 0x5555555555555555u);
    progress.known.struct_size = sizeof progress;
    CHECK_STATUS(cos_slice_upload_progress(upload, &progress.known), COS_SLICE_OK);
    CHECK(progress.known.struct_size == sizeof progress.known && progress.newer == 0x5555555555555555u);
    CHECK(progress.known.phase == COS_SLICE_PHASE_WAITING && progress.known.total == 0);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    every_function_takes_null();
    an_object_that_can_not_be_is_reported_by_run();
    a_client_s_bad_setting_is_reported_by_run_in_the_same_words();
    absurd_numbers_and_texts_are_refused();
    settings_that_are_missing_or_at_odds_are_reported_by_run();
    a_bad_setting_is_mended_by_a_good_one();
    only_regular_files_are_opened();
    a_handle_that_runs_is_busy();
    a_cancel_before_the_run_is_not_lost();
    nobody_listens();
    a_progress_structure_may_be_older_or_newer();
    return 0;
}
