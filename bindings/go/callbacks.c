/* What C calls: each function passes on to a Go function of callbacks.go. A handle is a number, which Go must not see as a
 * pointer, and C has as void *: it is converted here. */

#include "callbacks.h"

#include "_cgo_export.h"

static void drop(void *user_data) {
    cosSliceGoDrop((uintptr_t)user_data);
}

static int32_t sign(const cos_slice_sign_request *request, cos_slice_signature *signature, void *user_data) {
    return cosSliceGoSign((cos_slice_sign_request *)request, signature, (uintptr_t)user_data);
}

static void write_log(const cos_slice_log_entry *entry, void *user_data) {
    cosSliceGoLog((cos_slice_log_entry *)entry, (uintptr_t)user_data);
}

static int32_t progress(const cos_slice_progress *told, void *user_data) {
    return cosSliceGoProgress((cos_slice_progress *)told, (uintptr_t)user_data);
}

static void completion(int32_t status, const cos_slice_error *error, void *user_data) {
    /* How it ended is asked by cos_slice_upload_wait, whose error may be kept. */
    (void)status;
    (void)error;
    cosSliceGoCompletion((uintptr_t)user_data);
}

static int64_t read_at(uint64_t offset, void *buffer, size_t size, void *user_data) {
    return cosSliceGoReadAt(offset, buffer, size, (uintptr_t)user_data);
}

static int64_t read_next(void *buffer, size_t size, void *user_data) {
    return cosSliceGoRead(buffer, size, (uintptr_t)user_data);
}

int32_t cosslice_set_signer(cos_slice_client *client, const char *app_id, uintptr_t handle) {
    return cos_slice_client_set_signer(client, app_id, sign, (void *)handle, drop);
}

int32_t cosslice_set_log(cos_slice_client *client, int32_t level, uintptr_t handle) {
    return cos_slice_client_set_log(client, level, write_log, (void *)handle, drop);
}

int32_t cosslice_set_progress(cos_slice_upload *upload, uintptr_t handle) {
    return cos_slice_upload_set_progress(upload, progress, (void *)handle, drop);
}

int32_t cosslice_set_completion(cos_slice_upload *upload, uintptr_t handle) {
    return cos_slice_upload_set_completion(upload, completion, (void *)handle, drop);
}

int32_t cosslice_set_read_at(cos_slice_upload *upload, int64_t size, uintptr_t handle) {
    return cos_slice_upload_set_read_at(upload, size, read_at, (void *)handle, drop);
}

int32_t cosslice_set_stream(cos_slice_upload *upload, int64_t size, uintptr_t handle) {
    return cos_slice_upload_set_stream(upload, size, read_next, (void *)handle, drop);
}
