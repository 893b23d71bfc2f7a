/* How an upload ended, as a document; and the statuses that there are. */
#include "runner.h"

#include <string.h>

static void add_text_or_null(cJSON *object, const char *name, const char *text)
{
    cJSON_AddItemToObject(object, name, text != NULL ? cJSON_CreateString(text) : cJSON_CreateNull());
}

static void add_number(cJSON *object, const char *name, int64_t number)
{
    cJSON_AddNumberToObject(object, name, (double)number);
}

/* The name without its prefix. */
static const char *status_name(int32_t status)
{
    static const char prefix[] = "COS_SLICE_";
    const char *name = cos_slice_status_name(status);
    return strncmp(name, prefix, strlen(prefix)) == 0 ? name + strlen(prefix) : name;
}

static const char *outcome_name(int32_t outcome)
{
    switch (outcome) {
    case COS_SLICE_OUTCOME_UPLOADED:
        return "uploaded";
    case COS_SLICE_OUTCOME_RESUMED:
        return "resumed";
    case COS_SLICE_OUTCOME_INSTANT:
        return "instant";
    default:
        return "another";
    }
}

cJSON *success_of(const cos_slice_upload *upload, const cos_slice_progress *last)
{
    cJSON *outcome = cJSON_CreateObject(), *progress;
    cJSON_AddStringToObject(outcome, "status", status_name(COS_SLICE_OK));
    cJSON_AddStringToObject(outcome, "outcome", outcome_name(cos_slice_upload_outcome(upload)));
    add_number(outcome, "size", (int64_t)cos_slice_upload_size(upload));
    add_number(outcome, "bytes_sent", (int64_t)cos_slice_upload_bytes_sent(upload));
    add_number(outcome, "bytes_resumed", (int64_t)cos_slice_upload_bytes_resumed(upload));
    add_number(outcome, "slices_sent", (int64_t)cos_slice_upload_slices_sent(upload));
    add_number(outcome, "retries", (int64_t)cos_slice_upload_retries(upload));
    cJSON_AddBoolToObject(outcome, "verified", cos_slice_upload_verified(upload) == 1);
    add_text_or_null(outcome, "sha1", cos_slice_upload_sha1(upload));
    add_text_or_null(outcome, "access_url", cos_slice_upload_access_url(upload));
    add_text_or_null(outcome, "source_url", cos_slice_upload_source_url(upload));
    add_text_or_null(outcome, "url", cos_slice_upload_url(upload));
    add_text_or_null(outcome, "resource_path", cos_slice_upload_resource_path(upload));
    add_text_or_null(outcome, "preview_url", cos_slice_upload_preview_url(upload));
    add_text_or_null(outcome, "vid", cos_slice_upload_vid(upload));
    add_text_or_null(outcome, "warning", cos_slice_upload_warning(upload));
    progress = cJSON_AddObjectToObject(outcome, "progress");
    add_number(progress, "phase", last->phase);
    add_number(progress, "total", (int64_t)last->total);
    add_number(progress, "acknowledged", (int64_t)last->acknowledged);
    add_number(progress, "resumed", (int64_t)last->resumed);
    return outcome;
}

cJSON *failure_of(const cos_slice_error *error)
{
    cJSON *outcome = cJSON_CreateObject();
    cJSON_AddStringToObject(outcome, "status", status_name(cos_slice_error_status(error)));
    add_number(outcome, "server_code", cos_slice_error_server_code(error));
    add_number(outcome, "http_status", cos_slice_error_http_status(error));
    add_text_or_null(outcome, "request_id", cos_slice_error_request_id(error));
    add_number(outcome, "os_errno", cos_slice_error_os_errno(error));
    cJSON_AddBoolToObject(outcome, "retryable", cos_slice_error_is_retryable(error) == 1);
    add_number(outcome, "attempts", cos_slice_error_attempts(error));
    add_number(outcome, "slice_offset", cos_slice_error_slice_offset(error));
    add_text_or_null(outcome, "operation", cos_slice_error_operation(error));
    add_number(outcome, "callback_value", cos_slice_error_callback_value(error));
    cJSON_AddStringToObject(outcome, "message", cos_slice_error_message(error));
    return outcome;
}

/* Each of the header's by its name: one that is added there and not here is noticed. */
#define STATUS(name) add_number(statuses, #name, COS_SLICE_##name)

cJSON *all_statuses(void)
{
    cJSON *statuses = cJSON_CreateObject();
    STATUS(OK);
    STATUS(ERR_INVALID_ARGUMENT);
    STATUS(ERR_BUSY);
    STATUS(ERR_PANIC);
    STATUS(ERR_FILE_OPEN);
    STATUS(ERR_FILE_READ);
    STATUS(ERR_SOURCE_CHANGED);
    STATUS(ERR_RESOURCES);
    STATUS(ERR_CHECKPOINT_BUSY);
    STATUS(ERR_SIGNER);
    STATUS(ERR_NOT_RESTARTABLE);
    STATUS(ERR_RESOLVE);
    STATUS(ERR_CONNECT);
    STATUS(ERR_TLS);
    STATUS(ERR_CONNECTION_LOST);
    STATUS(ERR_TIMED_OUT);
    STATUS(ERR_BAD_REPLY);
    STATUS(ERR_REFUSED);
    STATUS(ERR_CREDENTIALS);
    STATUS(ERR_NO_BUCKET);
    STATUS(ERR_OBJECT_EXISTS);
    STATUS(ERR_OTHER_UPLOAD);
    STATUS(ERR_NOT_FOUND);
    STATUS(ERR_TOO_LARGE);
    STATUS(ERR_SERVER_BUSY);
    STATUS(ERR_SERVER_FAILED);
    STATUS(ERR_CONTENT_REJECTED);
    STATUS(ERR_VERIFY_FAILED);
    STATUS(ERR_OUTCOME_UNKNOWN);
    STATUS(ERR_CANCELLED);
    STATUS(ERR_ABORTED_BY_CALLBACK);
    STATUS(ERR_DEADLINE);
    STATUS(ERR_STILL_RUNNING);
    STATUS(ERR_NOT_STARTED);
    return statuses;
}
