/* One request at a time: what each answers, what it refuses, and who may call it when. */
#include "check.h"

#include <limits.h>

#define MIB 1048576
#define SIZE (2 * MIB + 5)
#define SHA1_OF_ABC "a9993e364706816aba3e25717850c26c9cd0d89d"

/* A request that is to bring an answer of this kind, which the caller frees. */
#define ANSWERS(call, wanted)                                                       \
    do {                                                                            \
        CHECK_ENDS(call, COS_SLICE_OK, NULL);                                       \
        CHECK(answer != NULL && cos_slice_answer_kind(answer) == (wanted));         \
    } while (0)

/* The same, where nothing more is to be asked of the answer. */
#define JUST_ANSWERS(call, wanted)                                                  \
    do {                                                                            \
        ANSWERS(call, wanted);                                                      \
        cos_slice_answer_free(answer);                                              \
    } while (0)

/* A request that is to fail; what the answer was before is overwritten. */
#define FAILS(call, status, text)                                                   \
    do {                                                                            \
        memset(&answer, 0xab, sizeof answer);                                       \
        CHECK_ENDS(call, status, text);                                             \
        CHECK(answer == NULL);                                                      \
    } while (0)

static cos_slice_operation *operation_of(cos_slice_client *client, const char *path)
{
    cos_slice_operation *operation = cos_slice_operation_new(client, "operations", path);
    CHECK(operation != NULL);
    return operation;
}

static void check_nothing_is_told(const cos_slice_answer *answer)
{
    CHECK(cos_slice_answer_session(answer) == NULL && cos_slice_answer_sha1(answer) == NULL);
    CHECK(cos_slice_answer_slice_size(answer) == -1 && cos_slice_answer_offset(answer) == -1);
    CHECK(cos_slice_answer_serial(answer) == -1 && cos_slice_answer_size(answer) == -1);
    CHECK(cos_slice_answer_received(answer) == -1 && cos_slice_answer_part_count(answer) == 0);
    CHECK(cos_slice_answer_access_url(answer) == NULL && cos_slice_answer_source_url(answer) == NULL);
    CHECK(cos_slice_answer_url(answer) == NULL && cos_slice_answer_resource_path(answer) == NULL);
    CHECK(cos_slice_answer_preview_url(answer) == NULL && cos_slice_answer_vid(answer) == NULL);
}

static void an_object_is_made_request_by_request(void)
{
    cos_slice_error *error = NULL;
    cos_slice_answer *answer, *session, *kept;
    int64_t offset = 77, length = 77;
    char sha1[41];
    cos_slice_client *client = client_for(endpoint);
    cos_slice_operation *operation = operation_of(client, "/slices/object");
    make_file(in_directory("object"), SIZE, 1);
    CHECK_STATUS(cos_slice_operation_set_file(operation, in_directory("object")), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_operation_set_slice_size(operation, MIB), COS_SLICE_OK);
    ANSWERS(cos_slice_operation_list(operation, &answer, &error), COS_SLICE_ANSWER_ABSENT);
    check_nothing_is_told(answer);
    cos_slice_answer_free(answer);

    ANSWERS(cos_slice_operation_hash(operation, &answer, &error), COS_SLICE_ANSWER_HASHED);
    CHECK(cos_slice_answer_size(answer) == SIZE && strlen(cos_slice_answer_sha1(answer)) == 40);
    strcpy(sha1, cos_slice_answer_sha1(answer));
    cos_slice_answer_free(answer);

    ANSWERS(cos_slice_operation_init(operation, &answer, &error), COS_SLICE_ANSWER_SESSION);
    session = answer;
    CHECK(cos_slice_answer_slice_size(session) == MIB && cos_slice_answer_offset(session) == 0);
    CHECK(cos_slice_answer_serial(session) >= -1 && cos_slice_answer_serial(session) <= 1);
    CHECK(cos_slice_answer_size(session) == -1 && cos_slice_answer_part_count(session) == 0);
    CHECK_STATUS(cos_slice_operation_set_session(operation, cos_slice_answer_session(session)), COS_SLICE_OK);
    JUST_ANSWERS(cos_slice_operation_slice(operation, 2 * MIB, 5, &answer, &error), COS_SLICE_ANSWER_STORED);
    CHECK_ENDS(cos_slice_operation_slice(operation, 0, MIB, NULL, &error), COS_SLICE_OK, NULL);

    ANSWERS(cos_slice_operation_list(operation, &answer, &error), COS_SLICE_ANSWER_UNFINISHED);
    CHECK(cos_slice_answer_size(answer) == SIZE && cos_slice_answer_received(answer) == MIB + 5);
    CHECK(strcmp(cos_slice_answer_session(answer), cos_slice_answer_session(session)) == 0);
    CHECK(strcmp(cos_slice_answer_sha1(answer), sha1) == 0 && cos_slice_answer_slice_size(answer) == MIB);
    CHECK(cos_slice_answer_part_count(answer) == 2);
    CHECK_STATUS(cos_slice_answer_part(answer, 2, &offset, &length), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_answer_part(answer, SIZE_MAX, &offset, &length), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_answer_part(answer, 0, NULL, &length), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_answer_part(answer, 0, &offset, NULL), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK(offset == 77 && length == 77);
    CHECK_STATUS(cos_slice_answer_part(answer, 0, &offset, &length), COS_SLICE_OK);
    CHECK(offset == 0 && length == MIB);
    CHECK_STATUS(cos_slice_answer_part(answer, 1, &offset, &length), COS_SLICE_OK);
    CHECK(offset == 2 * MIB && length == 5);
    cos_slice_answer_free(answer);

    ANSWERS(cos_slice_operation_stat(operation, &answer, &error), COS_SLICE_ANSWER_STATUS);
    CHECK(cos_slice_answer_size(answer) == SIZE && cos_slice_answer_received(answer) == MIB + 5);
    cos_slice_answer_free(answer);
    /* Another handle, without a source, finishes. */
    CHECK_ENDS(cos_slice_operation_slice(operation, MIB, MIB, NULL, &error), COS_SLICE_OK, NULL);
    cos_slice_operation_free(operation);
    operation = operation_of(client, "/slices/object");
    CHECK_STATUS(cos_slice_operation_set_session(operation, cos_slice_answer_session(session)), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_operation_set_size(operation, SIZE), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_operation_set_sha1(operation, sha1), COS_SLICE_OK);
    ANSWERS(cos_slice_operation_finish(operation, &answer, &error), COS_SLICE_ANSWER_COMPLETE);
    CHECK(strstr(cos_slice_answer_access_url(answer), "slices/object") != NULL);
    CHECK(strstr(cos_slice_answer_source_url(answer), "slices/object") != NULL);
    CHECK(strstr(cos_slice_answer_url(answer), "slices/object") != NULL);
    CHECK(strcmp(cos_slice_answer_resource_path(answer), "/1251668577/operations/slices/object") == 0);
    cos_slice_answer_free(session);
    kept = answer;

    ANSWERS(cos_slice_operation_stat(operation, &answer, &error), COS_SLICE_ANSWER_STATUS);
    CHECK(cos_slice_answer_size(answer) == SIZE && strcmp(cos_slice_answer_sha1(answer), sha1) == 0);
    cos_slice_answer_free(answer);
    JUST_ANSWERS(cos_slice_operation_delete(operation, &answer, &error), COS_SLICE_ANSWER_DELETED);
    JUST_ANSWERS(cos_slice_operation_stat(operation, &answer, &error), COS_SLICE_ANSWER_ABSENT);
    cos_slice_operation_free(operation);
    cos_slice_client_free(client);
    /* An answer outlives what it came from. */
    CHECK(strstr(cos_slice_answer_access_url(kept), "slices/object") != NULL);
    cos_slice_answer_free(kept);
}

static void memory_goes_in_one_request_and_a_directory_is_made(void)
{
    cos_slice_error *error = NULL;
    cos_slice_answer *answer;
    char content[] = "abc";
    cos_slice_client *client = client_for(endpoint);
    cos_slice_operation *operation = operation_of(client, "/single/abc");
    CHECK_STATUS(cos_slice_operation_set_memory(operation, content, 3), COS_SLICE_OK);
    memset(content, 0, sizeof content); /* it was copied */
    CHECK_STATUS(cos_slice_operation_set_biz_attr(operation, "camera=7"), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_operation_set_attempts(operation, 1), COS_SLICE_OK);
    JUST_ANSWERS(cos_slice_operation_upload(operation, &answer, &error), COS_SLICE_ANSWER_COMPLETE);
    ANSWERS(cos_slice_operation_stat(operation, &answer, &error), COS_SLICE_ANSWER_STATUS);
    CHECK(strcmp(cos_slice_answer_sha1(answer), SHA1_OF_ABC) == 0 && cos_slice_answer_size(answer) == 3);
    cos_slice_answer_free(answer);

    CHECK_STATUS(cos_slice_operation_set_memory(operation, "other", 5), COS_SLICE_OK);
    FAILS(cos_slice_operation_upload(operation, &answer, &error), COS_SLICE_ERR_OBJECT_EXISTS, "-177");
    CHECK_STATUS(cos_slice_operation_set_overwrite(operation, 1), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_operation_set_biz_attr(operation, NULL), COS_SLICE_OK);
    JUST_ANSWERS(cos_slice_operation_upload(operation, &answer, &error), COS_SLICE_ANSWER_COMPLETE);
    cos_slice_operation_free(operation);

    operation = operation_of(client, "/directory");
    JUST_ANSWERS(cos_slice_operation_create_directory(operation, &answer, &error), COS_SLICE_ANSWER_CREATED);
    JUST_ANSWERS(cos_slice_operation_create_directory(operation, &answer, &error), COS_SLICE_ANSWER_CREATED);
    cos_slice_operation_free(operation);
    cos_slice_client_free(client);
}

static void in_files_v1_init_tells_the_offset_and_the_last_slice_makes_the_object(void)
{
    cos_slice_error *error = NULL;
    cos_slice_answer *answer;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_operation *operation = operation_of(client, "/v1/object");
    CHECK_STATUS(cos_slice_client_set_api(client, COS_SLICE_API_FILES_V1), COS_SLICE_OK);
    make_file(in_directory("v1"), MIB + 5, 2);
    CHECK_STATUS(cos_slice_operation_set_file(operation, in_directory("v1")), COS_SLICE_OK);
    FAILS(cos_slice_operation_init(operation, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "sha1: files/v1");
    FAILS(cos_slice_operation_list(operation, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "list: files/v1");
    JUST_ANSWERS(cos_slice_operation_hash(operation, &answer, &error), COS_SLICE_ANSWER_HASHED);
    ANSWERS(cos_slice_operation_init(operation, &answer, &error), COS_SLICE_ANSWER_SESSION);
    CHECK(cos_slice_answer_offset(answer) == 0 && cos_slice_answer_serial(answer) == 1);
    CHECK_STATUS(cos_slice_operation_set_session(operation, cos_slice_answer_session(answer)), COS_SLICE_OK);
    cos_slice_answer_free(answer);
    JUST_ANSWERS(cos_slice_operation_slice(operation, 0, MIB, &answer, &error), COS_SLICE_ANSWER_STORED);
    ANSWERS(cos_slice_operation_init(operation, &answer, &error), COS_SLICE_ANSWER_SESSION);
    CHECK(cos_slice_answer_offset(answer) == MIB);
    cos_slice_answer_free(answer);
    ANSWERS(cos_slice_operation_slice(operation, MIB, 5, &answer, &error), COS_SLICE_ANSWER_COMPLETE);
    CHECK(strstr(cos_slice_answer_access_url(answer), "v1/object") != NULL);
    cos_slice_answer_free(answer);
    cos_slice_operation_free(operation);
    cos_slice_client_free(client);
}

static void an_error_tells_what_the_server_said(void)
{
    cos_slice_error *error = NULL;
    cos_slice_answer *answer;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_operation *operation = operation_of(client, "/slices/refused");
    CHECK_STATUS(cos_slice_operation_set_memory(operation, "abc", 3), COS_SLICE_OK);
    JUST_ANSWERS(cos_slice_operation_init(operation, &answer, &error), COS_SLICE_ANSWER_SESSION);
    CHECK_STATUS(cos_slice_operation_init(operation, NULL, &error), COS_SLICE_ERR_OTHER_UPLOAD);
    CHECK(cos_slice_error_server_code(error) == -4019 && cos_slice_error_is_retryable(error) == 0);
    CHECK(strcmp(cos_slice_error_operation(error), "upload_slice_init") == 0);
    CHECK(cos_slice_error_attempts(error) == 1 && cos_slice_error_request_id(error) != NULL);
    cos_slice_error_free(error);
    CHECK_STATUS(cos_slice_operation_set_session(operation, "not a session"), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_operation_slice(operation, 0, 3, NULL, &error), COS_SLICE_ERR_REFUSED);
    CHECK(cos_slice_error_slice_offset(error) == 0 && cos_slice_error_server_code(error) != 0);
    CHECK(strstr(cos_slice_error_message(error), "the list, or init") != NULL);
    cos_slice_error_free(error);
    error = NULL;
    JUST_ANSWERS(cos_slice_operation_delete(operation, &answer, &error), COS_SLICE_ANSWER_DELETED);
    cos_slice_operation_free(operation);
    cos_slice_client_free(client);
}

static void attempts_are_counted(void)
{
    cos_slice_error *error = NULL;
    cos_slice_answer *answer;
    int before = count_requests("stat");
    cos_slice_client *client = client_for(endpoint);
    cos_slice_operation *operation = operation_of(client, "/attempts");
    add_faults("{\"operation\":\"stat\",\"times\":2,\"action\":{\"status\":500,\"code\":-195}}");
    CHECK_STATUS(cos_slice_operation_set_attempts(operation, 1), COS_SLICE_OK);
    FAILS(cos_slice_operation_stat(operation, &answer, &error), COS_SLICE_ERR_SERVER_FAILED, "-195");
    CHECK(count_requests("stat") == before + 1);
    CHECK_STATUS(cos_slice_operation_set_attempts(operation, 0), COS_SLICE_OK);
    JUST_ANSWERS(cos_slice_operation_stat(operation, &answer, &error), COS_SLICE_ANSWER_ABSENT);
    CHECK(count_requests("stat") == before + 3);
    clear_faults();
    cos_slice_operation_free(operation);
    cos_slice_client_free(client);
}

/* A setter that refuses, and a request that says the same. */
#define CHECK_SETTING(call, text)                                                                              \
    do {                                                                                                       \
        cos_slice_operation *operation = operation_of(client, "/a");                                           \
        CHECK_STATUS(call, COS_SLICE_ERR_INVALID_ARGUMENT);                                                    \
        FAILS(cos_slice_operation_stat(operation, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT, text);     \
        cos_slice_operation_free(operation);                                                                   \
    } while (0)

static void bad_settings_are_refused_and_reported_by_the_request(void)
{
    cos_slice_error *error = NULL;
    cos_slice_answer *answer;
    cos_slice_operation *mended;
    char long_text[4098];
    cos_slice_client *client = client_for(silent_server());
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    CHECK_SETTING(cos_slice_operation_set_attempts(operation, -1), "attempts: -1 is negative");
    CHECK_SETTING(cos_slice_operation_set_session(operation, ""), "session: it is empty");
    CHECK_SETTING(cos_slice_operation_set_session(operation, "a\n"), "session: control characters");
    CHECK_SETTING(cos_slice_operation_set_session(operation, "\xff"), "session: it is not UTF-8");
    CHECK_SETTING(cos_slice_operation_set_session(operation, long_text), "session: 4097 bytes are more than 1024");
    CHECK_SETTING(cos_slice_operation_set_size(operation, -2), "size: -2 is negative");
    CHECK_SETTING(cos_slice_operation_set_size(operation, 68719476737), "size: ");
    CHECK_SETTING(cos_slice_operation_set_slice_size(operation, 0), "slice_size: 0 is not one of");
    CHECK_SETTING(cos_slice_operation_set_sha1(operation, "abc"), "sha1: not a SHA-1");
    CHECK_SETTING(cos_slice_operation_set_sha1(operation, SHA1_OF_ABC "0"), "sha1: not a SHA-1");
    CHECK_SETTING(cos_slice_operation_set_biz_attr(operation, long_text), "biz_attr: 4097 bytes");
    CHECK_SETTING(cos_slice_operation_set_file(operation, NULL), "file: it is NULL");
    CHECK_SETTING(cos_slice_operation_set_file(operation, ""), "file: the path is empty");
    CHECK_SETTING(cos_slice_operation_set_memory(operation, NULL, 1), "memory: the address is NULL");

    mended = operation_of(client, "/a");
    CHECK_STATUS(cos_slice_operation_set_session(mended, ""), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_operation_set_session(mended, NULL), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_operation_set_size(mended, -1), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_operation_set_sha1(mended, NULL), COS_SLICE_OK);
    FAILS(cos_slice_operation_finish(mended, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "size: none was set");
    CHECK_STATUS(cos_slice_operation_set_memory(mended, "abc", 3), COS_SLICE_OK);
    FAILS(cos_slice_operation_slice(mended, 0, 3, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "session: none");
    FAILS(cos_slice_operation_slice(mended, -1, 3, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT,
          "offset: -1 is negative");
    FAILS(cos_slice_operation_slice(mended, 0, INT64_MIN, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT,
          "length: -9223372036854775808 is negative");
    FAILS(cos_slice_operation_slice(mended, 1, INT64_MAX, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT,
          "beyond the object's end at 3");
    CHECK_STATUS(cos_slice_operation_set_file(mended, in_directory("no such file")), COS_SLICE_OK);
    FAILS(cos_slice_operation_hash(mended, &answer, &error), COS_SLICE_ERR_FILE_OPEN, "no such file");
    cos_slice_operation_free(mended);

    mended = cos_slice_operation_new(client, "operations", "/a//b");
    FAILS(cos_slice_operation_stat(mended, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "path: ");
    cos_slice_operation_free(mended);
    mended = cos_slice_operation_new(NULL, NULL, "/a");
    FAILS(cos_slice_operation_stat(mended, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "client: it is NULL");
    cos_slice_operation_free(mended);
    cos_slice_client_free(client);
}

struct asked {
    cos_slice_operation *operation;
    int32_t status;
};

static void *ask(void *user_data)
{
    struct asked *asked = user_data;
    asked->status = cos_slice_operation_delete(asked->operation, NULL, NULL);
    return NULL;
}

static void any_thread_cancels_a_request_and_the_handle_can_be_used_again(void)
{
    cos_slice_error *error = NULL;
    cos_slice_answer *answer;
    struct asked asked;
    pthread_t thread;
    int before = count_requests("delete");
    cos_slice_client *client = client_for(endpoint);
    cos_slice_operation *operation = operation_of(client, "/cancelled");
    asked.operation = operation;
    add_faults("{\"operation\":\"delete\",\"times\":0,\"action\":{\"hang\":\"before\"}}");
    CHECK(pthread_create(&thread, NULL, ask, &asked) == 0);
    wait_for_requests("delete", before + 1);
    FAILS(cos_slice_operation_stat(operation, &answer, &error), COS_SLICE_ERR_BUSY, "another request");
    CHECK_STATUS(cos_slice_operation_set_attempts(operation, 1), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_client_set_connections(client, 1), COS_SLICE_ERR_BUSY);
    cos_slice_operation_cancel(operation);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(asked.status == COS_SLICE_ERR_CANCELLED);
    clear_faults();
    JUST_ANSWERS(cos_slice_operation_stat(operation, &answer, &error), COS_SLICE_ANSWER_ABSENT);
    cos_slice_operation_cancel(operation);
    FAILS(cos_slice_operation_stat(operation, &answer, &error), COS_SLICE_ERR_CANCELLED, "cancelled");
    cos_slice_operation_free(operation);

    operation = operation_of(client, "/cancelled");
    cos_slice_operation_cancel(operation);
    FAILS(cos_slice_operation_stat(operation, &answer, &error), COS_SLICE_ERR_CANCELLED, "cancelled");
    JUST_ANSWERS(cos_slice_operation_stat(operation, &answer, &error), COS_SLICE_ANSWER_ABSENT);
    cos_slice_operation_free(operation);
    cos_slice_client_free(client);
}

static int32_t ask_inside(const cos_slice_progress *progress, void *operation)
{
    (void)progress;
    CHECK_STATUS(cos_slice_operation_stat(operation, NULL, NULL), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_operation_hash(operation, NULL, NULL), COS_SLICE_ERR_BUSY);
    return 0;
}

static void inside_a_callback_no_request_is_made(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_operation *operation = operation_of(client, "/inside");
    cos_slice_upload *upload = cos_slice_upload_new(client, "operations", "/outside");
    CHECK_STATUS(cos_slice_operation_set_memory(operation, "abc", 3), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_progress(upload, ask_inside, operation, NULL), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    cos_slice_upload_free(upload);
    cos_slice_operation_free(operation);
    cos_slice_client_free(client);
}

static void every_function_takes_null(void)
{
    cos_slice_error *error = NULL;
    cos_slice_answer *answer;
    int64_t number;
    cos_slice_operation_free(NULL);
    cos_slice_operation_cancel(NULL);
    cos_slice_answer_free(NULL);
    CHECK(cos_slice_answer_kind(NULL) == COS_SLICE_ANSWER_NONE);
    check_nothing_is_told(NULL);
    CHECK_STATUS(cos_slice_answer_part(NULL, 0, &number, &number), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_operation_set_attempts(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_operation_set_session(NULL, "s"), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_operation_set_size(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_operation_set_slice_size(NULL, MIB), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_operation_set_sha1(NULL, NULL), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_operation_set_biz_attr(NULL, NULL), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_operation_set_overwrite(NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_operation_set_file(NULL, "file"), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_operation_set_memory(NULL, "abc", 3), COS_SLICE_ERR_INVALID_ARGUMENT);
    FAILS(cos_slice_operation_hash(NULL, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "operation: it is NULL");
    FAILS(cos_slice_operation_init(NULL, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "operation: it is NULL");
    FAILS(cos_slice_operation_slice(NULL, 0, 1, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "it is NULL");
    FAILS(cos_slice_operation_list(NULL, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "operation: it is NULL");
    FAILS(cos_slice_operation_finish(NULL, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "it is NULL");
    FAILS(cos_slice_operation_upload(NULL, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "it is NULL");
    FAILS(cos_slice_operation_stat(NULL, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "operation: it is NULL");
    FAILS(cos_slice_operation_delete(NULL, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "it is NULL");
    FAILS(cos_slice_operation_create_directory(NULL, &answer, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "it is NULL");
    CHECK_STATUS(cos_slice_operation_stat(NULL, NULL, NULL), COS_SLICE_ERR_INVALID_ARGUMENT);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    every_function_takes_null();
    an_object_is_made_request_by_request();
    memory_goes_in_one_request_and_a_directory_is_made();
    in_files_v1_init_tells_the_offset_and_the_last_slice_makes_the_object();
    an_error_tells_what_the_server_said();
    attempts_are_counted();
    bad_settings_are_refused_and_reported_by_the_request();
    any_thread_cancels_a_request_and_the_handle_can_be_used_again();
    inside_a_callback_no_request_is_made();
    return 0;
}
