/* Handles that go while an upload runs: in either order, on any thread, also inside callbacks. */
#include "check.h"

enum order { UPLOAD_FIRST, CLIENT_FIRST };

/* Where the handles are freed. */
enum place { HERE, ON_ANOTHER_THREAD, IN_ITS_CALLBACK_UNDER_RUN, IN_ITS_CALLBACK_UNDER_START };

struct handles {
    cos_slice_client *client;
    cos_slice_upload *upload;
    enum order order;
    enum place place;
    int calls;
    struct event called;
    struct event dropped;
};

static void free_both(struct handles *handles)
{
    if (handles->order == CLIENT_FIRST)
        cos_slice_client_free(handles->client);
    cos_slice_upload_free(handles->upload);
    if (handles->order == UPLOAD_FIRST)
        cos_slice_client_free(handles->client);
}

static void *free_both_there(void *handles)
{
    free_both(handles);
    return NULL;
}

static int32_t first_call_frees(const cos_slice_progress *progress, void *user_data)
{
    struct handles *handles = user_data;
    (void)progress;
    CHECK(happened(&handles->dropped) == 0);
    if (handles->calls++ == 0 && handles->place >= IN_ITS_CALLBACK_UNDER_RUN)
        free_both(handles);
    else
        CHECK(handles->place < IN_ITS_CALLBACK_UNDER_RUN);
    happen(&handles->called);
    return 0;
}

static void drop(void *user_data)
{
    struct handles *handles = user_data;
    happen(&handles->dropped);
}

static void an_upload_that_runs_may_be_freed(enum order order, enum place place)
{
    static const struct event none = EVENT;
    struct handles handles;
    cos_slice_error *error = NULL;
    pthread_t other;
    memset(&handles, 0, sizeof handles);
    handles.called = handles.dropped = none;
    handles.order = order;
    handles.place = place;
    handles.client = client_for(silent_server());
    handles.upload = cos_slice_upload_new(handles.client, "frees", "/a");
    CHECK_STATUS(cos_slice_upload_set_memory(handles.upload, "abc", 3), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_progress(handles.upload, first_call_frees, &handles, drop), COS_SLICE_OK);

    if (place == IN_ITS_CALLBACK_UNDER_RUN) {
        CHECK_ENDS(cos_slice_upload_run(handles.upload, &error), COS_SLICE_ERR_CANCELLED, "cancelled");
    } else {
        CHECK_ENDS(cos_slice_upload_start(handles.upload, &error), COS_SLICE_OK, NULL);
        if (place == HERE) {
            wait_for(&handles.called, 1);
            free_both(&handles);
        } else if (place == ON_ANOTHER_THREAD) {
            CHECK(pthread_create(&other, NULL, free_both_there, &handles) == 0);
            CHECK(pthread_join(other, NULL) == 0);
        }
    }
    /* Once the data is dropped nothing of the upload is left that could call. */
    wait_for(&handles.dropped, 1);
    if (place >= IN_ITS_CALLBACK_UNDER_RUN)
        CHECK(handles.calls == 1);
}

static void *cancel_it(void *upload)
{
    cos_slice_upload_cancel(upload);
    return NULL;
}

static void an_upload_may_be_freed_right_after_others_cancelled_it(void)
{
    int round;
    for (round = 0; round < 5; round++) {
        cos_slice_error *error = NULL;
        pthread_t cancellers[4];
        int position;
        cos_slice_client *client = client_for(silent_server());
        cos_slice_upload *upload = cos_slice_upload_new(client, "frees", "/cancelled");
        CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
        CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
        cos_slice_client_free(client);
        for (position = 0; position < 4; position++)
            CHECK(pthread_create(&cancellers[position], NULL, cancel_it, upload) == 0);
        for (position = 0; position < 4; position++)
            CHECK(pthread_join(cancellers[position], NULL) == 0);
        cos_slice_upload_free(upload);
    }
}

/* A callback that asks all the time, while another thread frees the upload. */
struct asking {
    cos_slice_upload *upload;
    struct event asks;
    struct event is_freed;
    struct event dropped;
};

static void ask_on(struct asking *asking)
{
    int times;
    happen(&asking->asks);
    wait_for(&asking->is_freed, 1);
    for (times = 0; times < 20000; times++) {
        cos_slice_progress progress;
        progress.struct_size = sizeof progress;
        CHECK_STATUS(cos_slice_upload_progress(asking->upload, &progress), COS_SLICE_OK);
        CHECK(cos_slice_upload_outcome(asking->upload) == COS_SLICE_OUTCOME_NONE);
        cos_slice_upload_cancel(asking->upload);
    }
}

static int32_t ask_on_progress(const cos_slice_progress *progress, void *user_data)
{
    (void)progress;
    ask_on(user_data);
    return 0;
}

static void ask_at_the_end(int32_t status, const cos_slice_error *error, void *user_data)
{
    (void)error;
    CHECK_STATUS(status, COS_SLICE_ERR_CANCELLED);
    ask_on(user_data);
}

static void drop_asking(void *user_data)
{
    struct asking *asking = user_data;
    happen(&asking->dropped);
}

static void an_upload_may_be_asked_inside_a_callback_while_it_is_freed(int at_the_end)
{
    static const struct event none = EVENT;
    cos_slice_error *error = NULL;
    struct asking asking;
    cos_slice_client *client = client_for(silent_server());
    asking.asks = asking.is_freed = asking.dropped = none;
    asking.upload = cos_slice_upload_new(client, "frees", "/asked");
    CHECK_STATUS(cos_slice_upload_set_memory(asking.upload, "abc", 3), COS_SLICE_OK);
    if (at_the_end)
        CHECK_STATUS(cos_slice_upload_set_completion(asking.upload, ask_at_the_end, &asking, drop_asking), COS_SLICE_OK);
    else
        CHECK_STATUS(cos_slice_upload_set_progress(asking.upload, ask_on_progress, &asking, drop_asking), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_start(asking.upload, &error), COS_SLICE_OK, NULL);
    if (at_the_end)
        cos_slice_upload_cancel(asking.upload);
    wait_for(&asking.asks, 1);
    happen(&asking.is_freed);
    cos_slice_upload_free(asking.upload);
    CHECK(happened(&asking.dropped) == 1);
    cos_slice_client_free(client);
}

int main(int argc, char **argv)
{
    int order, place;
    begin(argc, argv);
    for (order = UPLOAD_FIRST; order <= CLIENT_FIRST; order++)
        for (place = HERE; place <= IN_ITS_CALLBACK_UNDER_START; place++)
            an_upload_that_runs_may_be_freed((enum order)order, (enum place)place);
    an_upload_may_be_freed_right_after_others_cancelled_it();
    an_upload_may_be_asked_inside_a_callback_while_it_is_freed(0);
    an_upload_may_be_asked_inside_a_callback_while_it_is_freed(1);
    return 0;
}
