/* Progress, and what is done at a point of it: stopping by the callback, or cancelling from another thread. */
#include "runner.h"

#include <pthread.h>
#include <stdlib.h>

/* What the callback returns to stop an upload. */
#define STOPPED 7

struct watch {
    cos_slice_upload *upload;
    cos_slice_progress last;
    /* Bytes acknowledged; -1: never. */
    int64_t stop_at;
    int64_t cancel_at;
    pthread_t canceller;
    /* Below: under the mutex. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int reached;
    int over;
};

static int reaches(const cos_slice_progress *progress, int64_t bytes)
{
    return bytes >= 0 && progress->acknowledged >= (uint64_t)bytes;
}

static void tell(struct watch *watch, int *what)
{
    pthread_mutex_lock(&watch->mutex);
    *what = 1;
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
}

static int32_t on_progress(const cos_slice_progress *progress, void *user_data)
{
    struct watch *watch = user_data;
    watch->last = *progress;
    if (reaches(progress, watch->cancel_at))
        tell(watch, &watch->reached);
    return reaches(progress, watch->stop_at) ? STOPPED : 0;
}

/* Cancels once that is asked for; returns when the run is over at the latest. */
static void *cancel_when_reached(void *user_data)
{
    struct watch *watch = user_data;
    int reached;
    pthread_mutex_lock(&watch->mutex);
    while (!watch->reached && !watch->over)
        pthread_cond_wait(&watch->changed, &watch->mutex);
    reached = watch->reached;
    pthread_mutex_unlock(&watch->mutex);
    if (reached)
        cos_slice_upload_cancel(watch->upload);
    return NULL;
}

struct watch *watch_new(cos_slice_upload *upload, const cJSON *control)
{
    struct watch *watch = allocate(sizeof *watch);
    watch->upload = upload;
    watch->stop_at = optional_number_of(control, "stop_at", -1);
    watch->cancel_at = optional_number_of(control, "cancel_at", -1);
    pthread_mutex_init(&watch->mutex, NULL);
    pthread_cond_init(&watch->changed, NULL);
    if (watch->cancel_at >= 0 && pthread_create(&watch->canceller, NULL, cancel_when_reached, watch) != 0)
        fail("a thread", "there is none");
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(control, "cancel_before")))
        cos_slice_upload_cancel(upload);
    (void)cos_slice_upload_set_progress(upload, on_progress, watch, NULL);
    return watch;
}

const cos_slice_progress *watch_last(const struct watch *watch)
{
    return &watch->last;
}

void watch_free(struct watch *watch)
{
    tell(watch, &watch->over);
    if (watch->cancel_at >= 0)
        pthread_join(watch->canceller, NULL);
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->mutex);
    (void)cos_slice_upload_set_progress(watch->upload, NULL, NULL, NULL);
    free(watch);
}
