#ifndef COSSLICE_CALLBACKS_H
#define COSSLICE_CALLBACKS_H

#include <cos_slice.h>

/* The setters that take a callback, with the Go function behind it that the handle leads to. Each handle is released once,
 * by cosSliceGoDrop, also where the setter fails. */
int32_t cosslice_set_signer(cos_slice_client *client, const char *app_id, uintptr_t handle);
int32_t cosslice_set_log(cos_slice_client *client, int32_t level, uintptr_t handle);
int32_t cosslice_set_progress(cos_slice_upload *upload, uintptr_t handle);
int32_t cosslice_set_completion(cos_slice_upload *upload, uintptr_t handle);
int32_t cosslice_set_read_at(cos_slice_upload *upload, int64_t size, uintptr_t handle);
int32_t cosslice_set_stream(cos_slice_upload *upload, int64_t size, uintptr_t handle);

#endif
