/* Rate limits: set before, changed while uploads run from other threads and inside callbacks, and waited for. That they are
 * kept to is all but left to the engine's tests; here nothing may be faster than they allow. */
#include "check.h"

#include <time.h>

#define LOWEST INT64_C(1024)
#define RATE 1000000
#define SIZE (700 * 1024)
/* What a client has not used of its limit for 30 ms it may send at once. */
#define LEAST_SECONDS ((double)SIZE / RATE - 0.03)
#define CHANGERS 3
#define CHANGES 300

static char content[4 << 20];

static double now(void)
{
    struct timespec time;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static cos_slice_upload *upload_of(const cos_slice_client *client, const char *path, size_t size)
{
    cos_slice_upload *upload = cos_slice_upload_new(client, "rates", path);
    CHECK_STATUS(cos_slice_upload_set_memory(upload, content, size), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_hash(upload, 0), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_overwrite(upload, 1), COS_SLICE_OK);
    return upload;
}

static int32_t note(const cos_slice_progress *progress, void *event)
{
    (void)progress;
    happen(event);
    return 0;
}

static void limits_set_before_hold(void)
{
    const int64_t rates[][2] = {{RATE, 0}, {0, RATE}, {RATE, 1 << 30}, {1 << 30, RATE}};
    size_t position;
    for (position = 0; position < sizeof rates / sizeof *rates; position++) {
        cos_slice_error *error = NULL;
        cos_slice_client *client = client_for(endpoint);
        cos_slice_upload *upload = upload_of(client, "before", SIZE);
        double began;
        CHECK_STATUS(cos_slice_client_set_rate_limit(client, rates[position][0]), COS_SLICE_OK);
        CHECK_STATUS(cos_slice_upload_set_rate_limit(upload, rates[position][1]), COS_SLICE_OK);
        began = now();
        CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
        CHECK(now() - began >= LEAST_SECONDS);
        cos_slice_upload_free(upload);
        cos_slice_client_free(client);
    }
}

static void requests_of_an_operation_keep_to_their_client_s_limit(void)
{
    cos_slice_error *error = NULL;
    cos_slice_answer *answer = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_operation *operation = cos_slice_operation_new(client, "rates", "operation");
    double began = now();
    CHECK_STATUS(cos_slice_client_set_rate_limit(client, RATE), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_operation_set_memory(operation, content, SIZE), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_operation_set_overwrite(operation, 1), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_operation_upload(operation, &answer, &error), COS_SLICE_OK, NULL);
    CHECK(now() - began >= LEAST_SECONDS);
    cos_slice_answer_free(answer);
    cos_slice_operation_free(operation);
    cos_slice_client_free(client);
}

static void *lift_the_client_s(void *client)
{
    CHECK_STATUS(cos_slice_client_set_rate_limit(client, 0), COS_SLICE_OK);
    return NULL;
}

static void *lift_the_upload_s(void *upload)
{
    CHECK_STATUS(cos_slice_upload_set_rate_limit(upload, 0), COS_SLICE_OK);
    return NULL;
}

/* At the lowest rate it would take an hour. */
static void another_thread_lets_go_who_waits(void)
{
    int of_client;
    for (of_client = 0; of_client < 2; of_client++) {
        cos_slice_error *error = NULL;
        cos_slice_client *client = client_for(endpoint);
        cos_slice_upload *upload = upload_of(client, "lifted", sizeof content);
        struct event told = EVENT;
        pthread_t lifter;
        CHECK_STATUS(cos_slice_upload_set_progress(upload, note, &told, NULL), COS_SLICE_OK);
        CHECK_STATUS(of_client ? cos_slice_client_set_rate_limit(client, LOWEST) : cos_slice_upload_set_rate_limit(upload, LOWEST),
                     COS_SLICE_OK);
        CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
        wait_for(&told, 1);
        /* The service has answered the first request: what follows are slices, each of which takes minutes. */
        wait_for_requests("upload_slice_init", of_client + 1);
        CHECK(pthread_create(&lifter, NULL, of_client ? lift_the_client_s : lift_the_upload_s,
                             of_client ? (void *)client : (void *)upload) == 0);
        CHECK(pthread_join(lifter, NULL) == 0);
        CHECK_ENDS(cos_slice_upload_wait(upload, -1, &error), COS_SLICE_OK, NULL);
        cos_slice_upload_free(upload);
        cos_slice_client_free(client);
    }
}

struct both {
    cos_slice_client *client;
    cos_slice_upload *upload;
};

static int32_t change_and_lift(const cos_slice_progress *progress, void *user_data)
{
    const struct both *both = user_data;
    (void)progress;
    CHECK_STATUS(cos_slice_client_set_rate_limit(both->client, LOWEST - 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_rate_limit(both->upload, -1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_rate_limit(both->client, INT64_C(1) << 53), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_rate_limit(both->upload, 0), COS_SLICE_OK);
    return 0;
}

static void callbacks_change_limits(void)
{
    int started;
    for (started = 0; started < 2; started++) {
        cos_slice_error *error = NULL;
        struct both both;
        both.client = client_for(endpoint);
        both.upload = upload_of(both.client, "callback", sizeof content);
        CHECK_STATUS(cos_slice_client_set_rate_limit(both.client, LOWEST), COS_SLICE_OK);
        CHECK_STATUS(cos_slice_upload_set_rate_limit(both.upload, LOWEST), COS_SLICE_OK);
        CHECK_STATUS(cos_slice_upload_set_progress(both.upload, change_and_lift, &both, NULL), COS_SLICE_OK);
        if (started) {
            CHECK_ENDS(cos_slice_upload_start(both.upload, &error), COS_SLICE_OK, NULL);
            CHECK_ENDS(cos_slice_upload_wait(both.upload, -1, &error), COS_SLICE_OK, NULL);
        } else {
            CHECK_ENDS(cos_slice_upload_run(both.upload, &error), COS_SLICE_OK, NULL);
        }
        cos_slice_upload_free(both.upload);
        cos_slice_client_free(both.client);
    }
}

static void *change(void *user_data)
{
    const struct both *both = user_data;
    int count;
    for (count = 0; count < CHANGES; count++) {
        CHECK_STATUS(cos_slice_client_set_rate_limit(both->client, count % 3 ? LOWEST << count % 24 : 0), COS_SLICE_OK);
        CHECK_STATUS(cos_slice_upload_set_rate_limit(both->upload, count % 2 ? LOWEST << count % 21 : 0), COS_SLICE_OK);
    }
    return NULL;
}

static void several_threads_change_limits_of_what_runs(void)
{
    cos_slice_error *error = NULL;
    struct both both;
    pthread_t changers[CHANGERS];
    int position;
    both.client = client_for(endpoint);
    both.upload = upload_of(both.client, "changed", sizeof content);
    CHECK_STATUS(cos_slice_upload_set_rate_limit(both.upload, LOWEST), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_start(both.upload, &error), COS_SLICE_OK, NULL);
    for (position = 0; position < CHANGERS; position++)
        CHECK(pthread_create(&changers[position], NULL, change, &both) == 0);
    for (position = 0; position < CHANGERS; position++)
        CHECK(pthread_join(changers[position], NULL) == 0);
    CHECK_STATUS(cos_slice_client_set_rate_limit(both.client, 0), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_rate_limit(both.upload, 0), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_wait(both.upload, -1, &error), COS_SLICE_OK, NULL);
    cos_slice_upload_free(both.upload);
    cos_slice_client_free(both.client);
}

static void cancelling_and_freeing_end_the_wait(void)
{
    int freed;
    for (freed = 0; freed < 2; freed++) {
        cos_slice_error *error = NULL;
        cos_slice_client *client = client_for(endpoint);
        cos_slice_upload *upload = upload_of(client, "cancelled", sizeof content);
        struct event told = EVENT;
        CHECK_STATUS(cos_slice_upload_set_progress(upload, note, &told, NULL), COS_SLICE_OK);
        CHECK_STATUS(cos_slice_upload_set_rate_limit(upload, LOWEST), COS_SLICE_OK);
        CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
        wait_for(&told, 1);
        if (!freed) {
            cos_slice_upload_cancel(upload);
            CHECK_ENDS(cos_slice_upload_wait(upload, -1, &error), COS_SLICE_ERR_CANCELLED, "cancelled");
        }
        cos_slice_upload_free(upload);
        cos_slice_client_free(client);
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    memset(content, 'r', sizeof content);
    limits_set_before_hold();
    requests_of_an_operation_keep_to_their_client_s_limit();
    another_thread_lets_go_who_waits();
    callbacks_change_limits();
    several_threads_change_limits_of_what_runs();
    cancelling_and_freeing_end_the_wait();
    return 0;
}
