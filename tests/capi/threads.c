/* Several threads: const functions at once, one client for many uploads, cancel from anywhere. */
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE (3 * 1048576 + 1)
#define UPLOADS 4
#define ASKERS 3

/* How often each asker asks when there is news. */
#define QUESTIONS 100

static int32_t note(const cos_slice_progress *progress, void *event)
{
    (void)progress;
    happen(event);
    return 0;
}

struct asker {
    const cos_slice_upload *upload;
    struct event *news;
};

static void *ask_until_done(void *user_data)
{
    struct asker *asker = user_data;
    cos_slice_progress before, now;
    int known = 0, question;
    memset(&before, 0, sizeof before);
    do {
        wait_for(asker->news, known + 1);
        known = happened(asker->news);
        for (question = 0; question < QUESTIONS; question++) {
            now.struct_size = sizeof now;
            CHECK_STATUS(cos_slice_upload_progress(asker->upload, &now), COS_SLICE_OK);
            CHECK(now.acknowledged >= before.acknowledged && now.acknowledged <= now.total);
            CHECK(now.phase >= before.phase && now.hashed >= before.hashed);
            before = now;
        }
    } while (now.phase != COS_SLICE_PHASE_DONE);
    CHECK(now.total == FILE_SIZE && now.acknowledged == FILE_SIZE && now.hashed == FILE_SIZE);
    CHECK(now.slices_total == 4 && now.slices_done == 4);
    return NULL;
}

static void progress_is_monotonic_for_all_who_ask(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = cos_slice_upload_new(client, "threads", "/asked");
    struct event news = EVENT;
    struct asker asker;
    pthread_t askers[ASKERS];
    int position;
    asker.upload = upload;
    asker.news = &news;
    make_file(in_directory("asked"), FILE_SIZE, 1);
    CHECK_STATUS(cos_slice_upload_set_file(upload, in_directory("asked")), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_progress(upload, note, &news, NULL), COS_SLICE_OK);
    for (position = 0; position < ASKERS; position++)
        CHECK(pthread_create(&askers[position], NULL, ask_until_done, &asker) == 0);
    CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
    /* The client may go first. */
    cos_slice_client_free(client);
    CHECK_ENDS(cos_slice_upload_wait(upload, -1, &error), COS_SLICE_OK, NULL);
    for (position = 0; position < ASKERS; position++)
        CHECK(pthread_join(askers[position], NULL) == 0);
    CHECK(cos_slice_upload_size(upload) == FILE_SIZE && cos_slice_upload_slices_sent(upload) == 4);
    cos_slice_upload_free(upload);
}

struct job {
    const cos_slice_client *client;
    int number;
};

static void *run_one(void *user_data)
{
    const struct job *job = user_data;
    cos_slice_error *error = NULL;
    char path[32], content[1000];
    cos_slice_upload *upload;
    CHECK(snprintf(path, sizeof path, "/many/%d", job->number) > 0);
    memset(content, 'a' + job->number, sizeof content);
    upload = cos_slice_upload_new(job->client, "threads", path);
    CHECK_STATUS(cos_slice_upload_set_memory(upload, content, sizeof content), COS_SLICE_OK);
    memset(content, 0, sizeof content); /* it was copied */
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(cos_slice_upload_size(upload) == sizeof content);
    CHECK(cos_slice_upload_outcome(upload) == COS_SLICE_OUTCOME_UPLOADED);
    cos_slice_upload_free(upload);
    return NULL;
}

static void one_client_serves_several_threads(void)
{
    cos_slice_client *client = client_for(endpoint);
    pthread_t threads[UPLOADS];
    struct job jobs[UPLOADS];
    int position;
    CHECK_STATUS(cos_slice_client_set_connections(client, 2), COS_SLICE_OK);
    for (position = 0; position < UPLOADS; position++) {
        jobs[position].client = client;
        jobs[position].number = position;
        CHECK(pthread_create(&threads[position], NULL, run_one, &jobs[position]) == 0);
    }
    for (position = 0; position < UPLOADS; position++)
        CHECK(pthread_join(threads[position], NULL) == 0);
    cos_slice_client_free(client);
}

static void *run_until_cancelled(void *user_data)
{
    cos_slice_error *error = NULL;
    CHECK_ENDS(cos_slice_upload_run(user_data, &error), COS_SLICE_ERR_CANCELLED, "cancelled");
    return NULL;
}

static void *wait_until_cancelled(void *user_data)
{
    cos_slice_error *error = NULL;
    CHECK_ENDS(cos_slice_upload_wait(user_data, -1, &error), COS_SLICE_ERR_CANCELLED, "cancelled");
    return NULL;
}

static void any_thread_cancels_a_run_and_no_call_comes_after_it(void)
{
    struct event called = EVENT;
    int calls;
    pthread_t runner;
    cos_slice_client *client = client_for(silent_server());
    cos_slice_upload *upload = cos_slice_upload_new(client, "threads", "/cancelled");
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_progress(upload, note, &called, NULL), COS_SLICE_OK);
    CHECK(pthread_create(&runner, NULL, run_until_cancelled, upload) == 0);
    wait_for(&called, 1);
    cos_slice_upload_cancel(upload);
    CHECK(pthread_join(runner, NULL) == 0);
    calls = happened(&called);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    CHECK(happened(&called) == calls);
}

static void several_threads_may_wait_and_all_are_told(void)
{
    cos_slice_error *error = NULL;
    pthread_t waiters[ASKERS];
    int position;
    cos_slice_client *client = client_for(silent_server());
    cos_slice_upload *upload = cos_slice_upload_new(client, "threads", "/waited");
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
    for (position = 0; position < ASKERS; position++)
        CHECK(pthread_create(&waiters[position], NULL, wait_until_cancelled, upload) == 0);
    cos_slice_upload_cancel(upload);
    for (position = 0; position < ASKERS; position++)
        CHECK(pthread_join(waiters[position], NULL) == 0);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void *run_without_certificates(void *upload)
{
    cos_slice_error *error = NULL;
    int32_t status = cos_slice_upload_run(upload, &error);
    CHECK(status != COS_SLICE_OK && cos_slice_error_status(error) == status);
    cos_slice_error_free(error);
    return NULL;
}

/* The first upload of a client over https reads the system's certificates, here from a pipe that does not give any. */
static void nobody_waits_while_certificates_are_read(void)
{
    cos_slice_progress progress;
    pthread_t runner;
    int writer;
    cos_slice_client *client = client_for("https://127.0.0.1:1");
    cos_slice_upload *upload = cos_slice_upload_new(client, "threads", "/certificates");
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
    CHECK(mkfifo(in_directory("certificates"), 0600) == 0);
    CHECK(setenv("SSL_CERT_FILE", in_directory("certificates"), 1) == 0);
    CHECK(pthread_create(&runner, NULL, run_without_certificates, upload) == 0);
    /* Opens when the other end is open, so it is being read now. */
    writer = open(in_directory("certificates"), O_WRONLY);
    CHECK(writer >= 0);
    cos_slice_upload_cancel(upload);
    progress.struct_size = sizeof progress;
    CHECK_STATUS(cos_slice_upload_progress(upload, &progress), COS_SLICE_OK);
    CHECK(cos_slice_upload_access_url(upload) == NULL);
    CHECK(close(writer) == 0);
    CHECK(pthread_join(runner, NULL) == 0);
    CHECK(unsetenv("SSL_CERT_FILE") == 0);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

struct watcher {
    struct event called;
    struct event dropped;
};

static int32_t note_call(const cos_slice_progress *progress, void *user_data)
{
    struct watcher *watcher = user_data;
    (void)progress;
    CHECK(happened(&watcher->dropped) == 0);
    happen(&watcher->called);
    return 0;
}

static void note_drop(void *user_data)
{
    struct watcher *watcher = user_data;
    happen(&watcher->dropped);
}

static void freeing_a_started_upload_ends_it_before_it_returns(void)
{
    struct watcher watcher = { EVENT, EVENT };
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(silent_server());
    cos_slice_upload *upload = cos_slice_upload_new(client, "threads", "/freed");
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
    cos_slice_upload_free(upload);

    upload = cos_slice_upload_new(client, "threads", "/freed");
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_progress(upload, note_call, &watcher, note_drop), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
    wait_for(&watcher.called, 1);
    cos_slice_client_free(client);
    cos_slice_upload_free(upload);
    CHECK(happened(&watcher.dropped) == 1);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    progress_is_monotonic_for_all_who_ask();
    one_client_serves_several_threads();
    any_thread_cancels_a_run_and_no_call_comes_after_it();
    several_threads_may_wait_and_all_are_told();
    nobody_waits_while_certificates_are_read();
    freeing_a_started_upload_ends_it_before_it_returns();
    return 0;
}
