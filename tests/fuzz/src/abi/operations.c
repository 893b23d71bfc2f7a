/* Calls on operations and answers, by the rules of calls.c. */
#include "host.h"

#include <string.h>

static void new_operation(struct host *host, size_t slot)
{
    cos_slice_client *client = host->clients[take(host) % COUNT(host->clients)];
    char *bucket = take_text(host, "bucket"), *path = take_text(host, "path");
    TRACE("operation_new %zu: %s %s", slot, bucket, path);
    cos_slice_operation_free(host->operations[slot]);
    cos_slice_operation *operation = cos_slice_operation_new(client, bucket, path);
    CHECK(operation != NULL);
    /* Nothing else bounds how long an endpoint where nobody listens is asked. */
    check_setter(cos_slice_operation_set_attempts(operation, 1));
    host->operations[slot] = operation;
    free(bucket);
    free(path);
}

static void set_up_operation(struct host *host, size_t slot)
{
    static const uint8_t zeroes[600 * 1024];
    cos_slice_operation *operation = host->operations[slot];
    uint8_t call = take(host) % 10;
    char *text = NULL;
    int32_t status;
    TRACE("setting %d of operation %zu", call, slot);
    switch (call) {
    case 0:
        status = cos_slice_operation_set_attempts(operation, take(host) % 4 - 1);
        break;
    case 1:
        text = take_text(host, "session");
        status = cos_slice_operation_set_session(operation, text);
        break;
    case 2:
        status = cos_slice_operation_set_size(operation, take_number(host));
        break;
    case 3:
        status = cos_slice_operation_set_slice_size(operation, take_number(host));
        break;
    case 4:
        text = take_text(host, "a9993e364706816aba3e25717850c26c9cd0d89d");
        status = cos_slice_operation_set_sha1(operation, text);
        break;
    case 5:
        text = take_text(host, "attribute");
        status = cos_slice_operation_set_biz_attr(operation, text);
        break;
    case 6:
        status = cos_slice_operation_set_overwrite(operation, (int32_t)take_number(host));
        break;
    case 7:
        text = take_path(host, "file");
        status = cos_slice_operation_set_file(operation, text);
        break;
    case 8:
        text = take_path(host, "file");
        status = cos_slice_operation_set_file_bytes(operation, text, text == NULL ? take(host) : strlen(text));
        break;
    default: {
        uint8_t size = take(host);
        status = cos_slice_operation_set_memory(operation, size == 255 ? NULL : zeroes, size == 254 ? sizeof zeroes : size);
        break;
    }
    }
    free(text);
    check_setter(status);
    CHECK(status != COS_SLICE_OK || operation != NULL);
}

static void check_number(int64_t number)
{
    CHECK(number >= -1);
}

static void check_answer(const cos_slice_answer *answer)
{
    int32_t kind = cos_slice_answer_kind(answer), serial = cos_slice_answer_serial(answer);
    CHECK(kind > COS_SLICE_ANSWER_NONE && kind <= COS_SLICE_ANSWER_HASHED);
    CHECK(serial >= -1 && serial <= 1);
    check_optional_text(cos_slice_answer_session(answer));
    CHECK((cos_slice_answer_session(answer) != NULL) ==
          (kind == COS_SLICE_ANSWER_SESSION || kind == COS_SLICE_ANSWER_UNFINISHED));
    check_optional_text(cos_slice_answer_access_url(answer));
    check_optional_text(cos_slice_answer_source_url(answer));
    check_optional_text(cos_slice_answer_url(answer));
    check_optional_text(cos_slice_answer_resource_path(answer));
    check_optional_text(cos_slice_answer_preview_url(answer));
    check_optional_text(cos_slice_answer_vid(answer));
    const char *sha1 = cos_slice_answer_sha1(answer);
    CHECK(sha1 == NULL || strspn(sha1, "0123456789abcdef") == 40);
    check_number(cos_slice_answer_slice_size(answer));
    check_number(cos_slice_answer_offset(answer));
    check_number(cos_slice_answer_size(answer));
    check_number(cos_slice_answer_received(answer));
    size_t parts = cos_slice_answer_part_count(answer);
    int64_t end = -1, offset = 7, length = 7;
    CHECK(cos_slice_answer_part(answer, parts, &offset, &length) == COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK(offset == 7 && length == 7);
    for (size_t part = 0; part < parts; part++) {
        CHECK(cos_slice_answer_part(answer, part, &offset, &length) == COS_SLICE_OK);
        CHECK(offset > end && length > 0);
        end = offset + length;
    }
}

static void request(struct host *host, size_t slot)
{
    static int32_t (*const requests[])(cos_slice_operation *, cos_slice_answer **, cos_slice_error **) = {
        cos_slice_operation_hash,   cos_slice_operation_init,   cos_slice_operation_list,
        cos_slice_operation_finish, cos_slice_operation_upload, cos_slice_operation_stat,
        cos_slice_operation_delete, cos_slice_operation_create_directory,
    };
    cos_slice_operation *operation = host->operations[slot];
    /* What the parameters held before is not read. */
    cos_slice_error *error = (cos_slice_error *)(uintptr_t)0x5a5a;
    cos_slice_answer *answer = (cos_slice_answer *)(uintptr_t)0x5a5a;
    uint8_t call = take(host), which = call % (COUNT(requests) + 1), wants = call < 240;
    int32_t status;
    TRACE("request %d of operation %zu", which, slot);
    if (which < COUNT(requests)) {
        status = requests[which](operation, wants ? &answer : NULL, &error);
    } else {
        int64_t offset = take_number(host), length = take_number(host);
        status = cos_slice_operation_slice(operation, offset, length, wants ? &answer : NULL, &error);
    }
    check_end(host, status, error);
    if (!wants)
        return;
    CHECK((answer != NULL) == (status == COS_SLICE_OK));
    if (answer == NULL)
        return;
    check_answer(answer);
    /* A session is of no use by chance. */
    if (cos_slice_answer_session(answer) != NULL && take(host) % 2 == 0)
        check_setter(cos_slice_operation_set_session(operation, cos_slice_answer_session(answer)));
    slot = take(host) % COUNT(host->answers);
    cos_slice_answer_free(host->answers[slot]);
    host->answers[slot] = answer;
}

void use_operation(struct host *host, uint8_t call)
{
    size_t slot = take(host) % COUNT(host->operations);
    switch (call % 8) {
    case 0:
        new_operation(host, slot);
        break;
    case 1:
    case 2:
    case 3:
        set_up_operation(host, slot);
        break;
    case 4:
        cos_slice_operation_cancel(host->operations[slot]);
        break;
    default:
        request(host, slot);
        break;
    }
}

void free_operations(struct host *host)
{
    for (size_t i = 0; i < COUNT(host->operations); i++)
        cos_slice_operation_free(host->operations[i]);
    for (size_t i = 0; i < COUNT(host->answers); i++) {
        if (host->answers[i] != NULL)
            check_answer(host->answers[i]);
        cos_slice_answer_free(host->answers[i]);
    }
}
