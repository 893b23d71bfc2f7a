/* Progress callbacks: what they are told, what may be done inside, and that their data is dropped exactly once. */
#include "check.h"

/* What a callback does when it is called for the first time. */
enum action { NOTHING, STOP, CANCEL, FREE, FREE_OTHER };

struct watcher {
    enum action action;
    cos_slice_upload *upload;
    cos_slice_upload *other;
    /* The thread that runs, and whether calls belong on it. */
    pthread_t runner;
    int on_runner;
    int calls;
    int freed;
    cos_slice_progress last;
    struct event first_call;
    struct event dropped;
};

static void watcher_init(struct watcher *watcher, enum action action, int on_runner)
{
    static const struct event none = EVENT;
    memset(watcher, 0, sizeof *watcher);
    watcher->action = action;
    watcher->runner = pthread_self();
    watcher->on_runner = on_runner;
    watcher->first_call = none;
    watcher->dropped = none;
}

static void drop_watcher(void *user_data)
{
    struct watcher *watcher = user_data;
    happen(&watcher->dropped);
}

static void check_nothing_that_waits_is_allowed(cos_slice_upload *upload)
{
    cos_slice_error *error = NULL;
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_BUSY, "callback");
    CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_ERR_BUSY, "callback");
    CHECK_ENDS(cos_slice_upload_wait(upload, -1, &error), COS_SLICE_ERR_BUSY, "callback");
    CHECK_STATUS(cos_slice_upload_set_hash(upload, 0), COS_SLICE_ERR_BUSY);
}

static int32_t watch(const cos_slice_progress *progress, void *user_data)
{
    struct watcher *watcher = user_data;
    cos_slice_progress asked;
    CHECK(happened(&watcher->dropped) == 0);
    CHECK(!watcher->freed);
    CHECK(!!pthread_equal(watcher->runner, pthread_self()) == watcher->on_runner);
    CHECK(progress->struct_size == sizeof *progress);
    CHECK(progress->acknowledged <= progress->total && progress->resumed <= progress->acknowledged);
    CHECK(progress->acknowledged >= watcher->last.acknowledged);
    CHECK(progress->phase >= COS_SLICE_PHASE_WAITING && progress->phase <= COS_SLICE_PHASE_SPOOLING);
    watcher->last = *progress;
    if (watcher->calls++ > 0)
        return 0;

    asked.struct_size = sizeof asked;
    CHECK_STATUS(cos_slice_upload_progress(watcher->upload, &asked), COS_SLICE_OK);
    CHECK(asked.acknowledged >= progress->acknowledged && asked.total == progress->total);
    CHECK(cos_slice_upload_access_url(watcher->upload) == NULL);
    check_nothing_that_waits_is_allowed(watcher->upload);
    happen(&watcher->first_call);
    switch (watcher->action) {
    case NOTHING:
        break;
    case STOP:
        return 42;
    case CANCEL:
        cos_slice_upload_cancel(watcher->upload);
        break;
    case FREE:
        watcher->freed = 1;
        cos_slice_upload_free(watcher->upload);
        break;
    case FREE_OTHER:
        cos_slice_upload_free(watcher->other);
        break;
    }
    return 0;
}

static cos_slice_upload *watched(cos_slice_client *client, const char *path, struct watcher *watcher)
{
    cos_slice_upload *upload = cos_slice_upload_new(client, "callbacks", path);
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abcdef", 6), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_progress(upload, watch, watcher, drop_watcher), COS_SLICE_OK);
    watcher->upload = upload;
    return upload;
}

static void under_run_the_first_and_the_last_progress_is_told_on_the_calling_thread(void)
{
    cos_slice_error *error = NULL;
    struct watcher watcher;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload;
    int calls;
    watcher_init(&watcher, NOTHING, 1);
    upload = watched(client, "/run", &watcher);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    calls = watcher.calls;
    CHECK(calls >= 2 && watcher.last.phase == COS_SLICE_PHASE_DONE);
    CHECK(watcher.last.acknowledged == 6 && watcher.last.total == 6 && watcher.last.slices_done == 1);
    CHECK(happened(&watcher.dropped) == 0);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    CHECK(happened(&watcher.dropped) == 1 && watcher.calls == calls);
}

static void under_start_no_call_comes_after_wait(void)
{
    cos_slice_error *error = NULL;
    struct watcher watcher;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload;
    int calls;
    watcher_init(&watcher, NOTHING, 0);
    upload = watched(client, "/start", &watcher);
    CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
    cos_slice_client_free(client);
    CHECK_ENDS(cos_slice_upload_wait(upload, -1, &error), COS_SLICE_OK, NULL);
    calls = watcher.calls;
    CHECK(calls >= 1 && watcher.last.phase == COS_SLICE_PHASE_DONE && watcher.last.acknowledged == 6);
    cos_slice_upload_free(upload);
    CHECK(happened(&watcher.dropped) == 1 && watcher.calls == calls);
}

static void a_callback_may_stop_or_cancel(int started)
{
    cos_slice_error *error = NULL;
    struct watcher stopper, canceller;
    cos_slice_client *client = client_for(silent_server());
    cos_slice_upload *first, *second;
    int32_t status;
    watcher_init(&stopper, STOP, !started);
    watcher_init(&canceller, CANCEL, !started);
    first = watched(client, "/stopped", &stopper);
    second = watched(client, "/cancelled", &canceller);

    if (started)
        CHECK_ENDS(cos_slice_upload_start(first, &error), COS_SLICE_OK, NULL);
    status = started ? cos_slice_upload_wait(first, -1, &error) : cos_slice_upload_run(first, &error);
    CHECK(cos_slice_error_callback_value(error) == 42 && cos_slice_error_is_retryable(error) == 1);
    CHECK_ENDS(status, COS_SLICE_ERR_ABORTED_BY_CALLBACK, "42");

    if (started)
        CHECK_ENDS(cos_slice_upload_start(second, &error), COS_SLICE_OK, NULL);
    status = started ? cos_slice_upload_wait(second, -1, &error) : cos_slice_upload_run(second, &error);
    CHECK_ENDS(status, COS_SLICE_ERR_CANCELLED, "cancelled");
    cos_slice_upload_free(first);
    cos_slice_upload_free(second);
    cos_slice_client_free(client);
    CHECK(happened(&stopper.dropped) == 1 && happened(&canceller.dropped) == 1);
}

static void an_upload_may_be_freed_inside_its_own_callback(void)
{
    cos_slice_error *error = NULL;
    struct watcher running, started;
    cos_slice_client *client = client_for(silent_server());
    watcher_init(&running, FREE, 1);
    CHECK_ENDS(cos_slice_upload_run(watched(client, "/a", &running), &error), COS_SLICE_ERR_CANCELLED, "cancelled");
    CHECK(happened(&running.dropped) == 1 && running.calls == 1);

    watcher_init(&started, FREE, 0);
    CHECK_ENDS(cos_slice_upload_start(watched(client, "/b", &started), &error), COS_SLICE_OK, NULL);
    wait_for(&started.dropped, 1);
    CHECK(started.calls == 1);
    cos_slice_client_free(client);
    CHECK(happened(&started.dropped) == 1 && started.calls == 1);
}

static void an_upload_may_be_freed_inside_the_callback_of_another(int started)
{
    cos_slice_error *error = NULL;
    struct watcher killer, victim;
    cos_slice_client *client = client_for(silent_server());
    cos_slice_upload *upload;
    watcher_init(&victim, NOTHING, 0);
    watcher_init(&killer, FREE_OTHER, !started);
    killer.other = watched(client, "/victim", &victim);
    upload = watched(client, "/killer", &killer);
    CHECK_ENDS(cos_slice_upload_start(killer.other, &error), COS_SLICE_OK, NULL);
    wait_for(&victim.first_call, 1);
    if (started) {
        CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
    } else {
        CHECK_STATUS(cos_slice_upload_set_deadline_ms(upload, 200), COS_SLICE_OK);
        CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_DEADLINE, "deadline");
    }
    wait_for(&victim.dropped, 1);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    CHECK(happened(&victim.dropped) == 1 && happened(&killer.dropped) == 1);
}

static void the_data_is_dropped_exactly_once(void)
{
    struct event first = EVENT, second = EVENT, third = EVENT, refused = EVENT;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = cos_slice_upload_new(client, "callbacks", "/a");
    CHECK_STATUS(cos_slice_upload_set_progress(NULL, watch, &refused, count_drop), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK(happened(&refused) == 1);

    CHECK_STATUS(cos_slice_upload_set_progress(upload, watch, &first, count_drop), COS_SLICE_OK);
    CHECK(happened(&first) == 0);
    CHECK_STATUS(cos_slice_upload_set_progress(upload, watch, &second, count_drop), COS_SLICE_OK);
    CHECK(happened(&first) == 1 && happened(&second) == 0);
    /* Without a callback there is nothing to keep the data for. */
    CHECK_STATUS(cos_slice_upload_set_progress(upload, NULL, &third, count_drop), COS_SLICE_OK);
    CHECK(happened(&second) == 1 && happened(&third) == 1);
    CHECK_STATUS(cos_slice_upload_set_progress(upload, watch, NULL, NULL), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_progress(upload, watch, &first, count_drop), COS_SLICE_OK);
    cos_slice_client_free(client);
    cos_slice_upload_free(upload);
    CHECK(happened(&first) == 2 && happened(&second) == 1 && happened(&third) == 1);
}

/* Drops that use the library, as one of a wrapper might. */
static void free_upload(void *upload)
{
    cos_slice_upload_free(upload);
}

struct curious {
    cos_slice_upload *upload;
    struct event dropped;
};

static void ask_and_run(void *user_data)
{
    struct curious *curious = user_data;
    cos_slice_error *error = NULL;
    cos_slice_progress progress;
    progress.struct_size = sizeof progress;
    CHECK_STATUS(cos_slice_upload_progress(curious->upload, &progress), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(curious->upload, &error), COS_SLICE_ERR_BUSY, "callback");
    CHECK_ENDS(cos_slice_upload_wait(curious->upload, -1, &error), COS_SLICE_ERR_BUSY, "callback");
    happen(&curious->dropped);
}

static void a_drop_may_free_another_upload_and_ask_but_not_wait(void)
{
    cos_slice_error *error = NULL;
    struct curious curious = { NULL, EVENT }, unneeded = { NULL, EVENT };
    cos_slice_client *client = client_for(silent_server());
    cos_slice_upload *outer = cos_slice_upload_new(client, "callbacks", "/outer");
    cos_slice_upload *inner = cos_slice_upload_new(client, "callbacks", "/inner");
    CHECK_STATUS(cos_slice_upload_set_memory(inner, "abc", 3), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_start(inner, &error), COS_SLICE_OK, NULL);

    curious.upload = outer;
    CHECK_STATUS(cos_slice_upload_set_memory(outer, "abc", 3), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_deadline_ms(outer, 1), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(outer, &error), COS_SLICE_ERR_DEADLINE, "deadline");
    CHECK_STATUS(cos_slice_upload_set_progress(outer, watch, &curious, ask_and_run), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_progress(outer, watch, inner, free_upload), COS_SLICE_OK);
    CHECK(happened(&curious.dropped) == 1);

    unneeded.upload = outer;
    CHECK_STATUS(cos_slice_upload_set_progress(outer, NULL, &unneeded, ask_and_run), COS_SLICE_OK);
    CHECK(happened(&unneeded.dropped) == 1);
    cos_slice_upload_free(outer);
    cos_slice_client_free(client);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    under_run_the_first_and_the_last_progress_is_told_on_the_calling_thread();
    under_start_no_call_comes_after_wait();
    a_callback_may_stop_or_cancel(0);
    a_callback_may_stop_or_cancel(1);
    an_upload_may_be_freed_inside_its_own_callback();
    an_upload_may_be_freed_inside_the_callback_of_another(0);
    an_upload_may_be_freed_inside_the_callback_of_another(1);
    the_data_is_dropped_exactly_once();
    a_drop_may_free_another_upload_and_ask_but_not_wait();
    return 0;
}
