/* Completion callbacks: when they are told, what may be asked and done inside, and that their data is dropped once. */
#include "check.h"

enum action { NOTHING, FREE };

struct ending {
    enum action action;
    cos_slice_upload *upload;
    pthread_t runner;
    int on_runner;
    int32_t wanted;
    int progress_calls;
    int progress_calls_then;
    struct event told;
    struct event dropped;
};

static void ending_init(struct ending *ending, int on_runner, int32_t wanted)
{
    static const struct event none = EVENT;
    memset(ending, 0, sizeof *ending);
    ending->runner = pthread_self();
    ending->on_runner = on_runner;
    ending->wanted = wanted;
    ending->told = none;
    ending->dropped = none;
}

static void drop_ending(void *user_data)
{
    struct ending *ending = user_data;
    happen(&ending->dropped);
}

static int32_t count(const cos_slice_progress *progress, void *user_data)
{
    struct ending *ending = user_data;
    (void)progress;
    CHECK(happened(&ending->told) == 0);
    ending->progress_calls++;
    return 0;
}

static void check_result(const cos_slice_upload *upload, int32_t status)
{
    if (status == COS_SLICE_OK) {
        CHECK(cos_slice_upload_outcome(upload) == COS_SLICE_OUTCOME_UPLOADED);
        CHECK(cos_slice_upload_size(upload) == 6 && cos_slice_upload_verified(upload) == 1);
        CHECK(cos_slice_upload_access_url(upload) != NULL && strlen(cos_slice_upload_sha1(upload)) == 40);
    } else {
        CHECK(cos_slice_upload_outcome(upload) == COS_SLICE_OUTCOME_NONE);
        CHECK(cos_slice_upload_access_url(upload) == NULL && cos_slice_upload_size(upload) == 0);
    }
}

static void end(int32_t status, const cos_slice_error *borrowed, void *user_data)
{
    struct ending *ending = user_data;
    cos_slice_error *error = NULL;
    cos_slice_progress progress;
    progress.struct_size = sizeof progress;
    CHECK_STATUS(status, ending->wanted);
    CHECK((borrowed == NULL) == (status == COS_SLICE_OK) && cos_slice_error_status(borrowed) == status);
    CHECK(status == COS_SLICE_OK || strstr(cos_slice_error_message(borrowed), "cos://completions/") != NULL);
    CHECK(!!pthread_equal(ending->runner, pthread_self()) == ending->on_runner);
    CHECK_STATUS(cos_slice_upload_progress(ending->upload, &progress), COS_SLICE_OK);
    CHECK(progress.phase == COS_SLICE_PHASE_DONE || status != COS_SLICE_OK);
    check_result(ending->upload, status);
    CHECK_ENDS(cos_slice_upload_run(ending->upload, &error), COS_SLICE_ERR_BUSY, "callback");
    CHECK_ENDS(cos_slice_upload_start(ending->upload, &error), COS_SLICE_ERR_BUSY, "callback");
    CHECK_ENDS(cos_slice_upload_wait(ending->upload, 0, &error), COS_SLICE_ERR_BUSY, "callback");
    CHECK_STATUS(cos_slice_upload_set_hash(ending->upload, 1), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_upload_set_completion(ending->upload, NULL, NULL, NULL), COS_SLICE_ERR_BUSY);
    ending->progress_calls_then = ending->progress_calls;
    if (ending->action == FREE)
        cos_slice_upload_free(ending->upload);
    happen(&ending->told);
}

static cos_slice_upload *upload_that_tells(cos_slice_client *client, const char *path, struct ending *ending)
{
    cos_slice_upload *upload = cos_slice_upload_new(client, "completions", path);
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abcdef", 6), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_progress(upload, count, ending, NULL), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_completion(upload, end, ending, drop_ending), COS_SLICE_OK);
    ending->upload = upload;
    return upload;
}

static void under_run_the_end_is_told_on_the_calling_thread_before_run_returns(void)
{
    cos_slice_error *error = NULL;
    struct ending ending;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload;
    ending_init(&ending, 1, COS_SLICE_OK);
    upload = upload_that_tells(client, "/run", &ending);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(happened(&ending.told) == 1 && ending.progress_calls >= 2 && happened(&ending.dropped) == 0);
    check_result(upload, COS_SLICE_OK);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    CHECK(happened(&ending.told) == 1 && happened(&ending.dropped) == 1);
}

static void under_start_the_end_is_told_after_the_last_progress_and_before_wait_returns(void)
{
    cos_slice_error *error = NULL;
    struct ending ending;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload;
    ending_init(&ending, 0, COS_SLICE_OK);
    upload = upload_that_tells(client, "/start", &ending);
    CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
    CHECK_ENDS(cos_slice_upload_wait(upload, -1, &error), COS_SLICE_OK, NULL);
    CHECK(happened(&ending.told) == 1 && ending.progress_calls == ending.progress_calls_then);
    check_result(upload, COS_SLICE_OK);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    CHECK(happened(&ending.told) == 1 && happened(&ending.dropped) == 1);
}

static void each_run_has_one_end_and_a_failure_is_told_with_its_error(void)
{
    cos_slice_error *error = NULL;
    struct ending ending;
    int runs;
    cos_slice_client *client = client_for(closed_port());
    cos_slice_upload *upload;
    ending_init(&ending, 0, COS_SLICE_ERR_CANCELLED);
    upload = upload_that_tells(client, "/closed", &ending);
    CHECK_STATUS(cos_slice_upload_set_progress(upload, NULL, NULL, NULL), COS_SLICE_OK);
    for (runs = 1; runs <= 3; runs++) {
        CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
        cos_slice_upload_cancel(upload);
        wait_for(&ending.told, runs);
        CHECK_ENDS(cos_slice_upload_wait(upload, -1, &error), COS_SLICE_ERR_CANCELLED, "cancelled");
    }
    CHECK(happened(&ending.told) == 3);
    /* What did not begin has no end. */
    CHECK_STATUS(cos_slice_upload_set_file(upload, ""), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "file");
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "file");
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    CHECK(happened(&ending.told) == 3 && happened(&ending.dropped) == 1);
}

/* What a run noticed, copied when its end was told. */
struct notice {
    cos_slice_upload *upload;
    char warning[512];
};

static void keep_warning(int32_t status, const cos_slice_error *error, void *user_data)
{
    struct notice *notice = user_data;
    const char *warning = cos_slice_upload_warning(notice->upload);
    CHECK(status == COS_SLICE_OK && error == NULL && warning != NULL);
    snprintf(notice->warning, sizeof notice->warning, "%s", warning);
}

static void what_a_run_noticed_can_be_asked_for_inside(void)
{
    cos_slice_error *error = NULL;
    struct notice notice = { NULL, "" };
    cos_slice_client *client = client_for(endpoint);
    make_file(in_directory("no folder"), 1, 1);
    CHECK_STATUS(cos_slice_client_set_checkpoint_dir(client, in_directory("no folder")), COS_SLICE_OK);
    notice.upload = cos_slice_upload_new(client, "completions", "/noticed");
    CHECK_STATUS(cos_slice_upload_set_memory(notice.upload, "abcdef", 6), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_completion(notice.upload, keep_warning, &notice, NULL), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_start(notice.upload, &error), COS_SLICE_OK, NULL);
    CHECK_ENDS(cos_slice_upload_wait(notice.upload, -1, &error), COS_SLICE_OK, NULL);
    CHECK(strstr(notice.warning, "no folder") != NULL);
    CHECK(strcmp(notice.warning, cos_slice_upload_warning(notice.upload)) == 0);
    cos_slice_upload_free(notice.upload);
    cos_slice_client_free(client);
}

static void an_upload_may_be_freed_when_its_end_is_told(int under_run)
{
    cos_slice_error *error = NULL;
    struct ending ending;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload;
    ending_init(&ending, under_run, COS_SLICE_OK);
    ending.action = FREE;
    upload = upload_that_tells(client, under_run ? "/freed/run" : "/freed/start", &ending);
    if (under_run)
        CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    else
        CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
    wait_for(&ending.dropped, 1);
    cos_slice_client_free(client);
    CHECK(happened(&ending.told) == 1 && happened(&ending.dropped) == 1);
}

static void an_upload_that_is_freed_while_it_runs_tells_no_end(void)
{
    cos_slice_error *error = NULL;
    struct ending ending;
    cos_slice_client *client = client_for(silent_server());
    cos_slice_upload *upload;
    ending_init(&ending, 0, COS_SLICE_OK);
    upload = upload_that_tells(client, "/silent", &ending);
    CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
    cos_slice_upload_free(upload);
    CHECK(happened(&ending.told) == 0 && happened(&ending.dropped) == 1);
    cos_slice_client_free(client);
}

static void the_data_is_dropped_exactly_once(void)
{
    struct event first = EVENT, second = EVENT, third = EVENT, refused = EVENT;
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(closed_port());
    cos_slice_upload *upload = cos_slice_upload_new(client, "completions", "/a");
    CHECK_STATUS(cos_slice_upload_set_completion(NULL, end, &refused, count_drop), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK(happened(&refused) == 1);
    CHECK_STATUS(cos_slice_upload_set_completion(upload, end, &first, count_drop), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_completion(upload, end, &second, count_drop), COS_SLICE_OK);
    CHECK(happened(&first) == 1 && happened(&second) == 0);
    CHECK_STATUS(cos_slice_upload_set_completion(upload, NULL, &third, count_drop), COS_SLICE_OK);
    CHECK(happened(&second) == 1 && happened(&third) == 1);

    /* After a run too, when the library itself has held it. */
    {
        struct ending ending;
        ending_init(&ending, 0, COS_SLICE_ERR_CANCELLED);
        ending.upload = upload;
        CHECK_STATUS(cos_slice_upload_set_memory(upload, "abcdef", 6), COS_SLICE_OK);
        CHECK_STATUS(cos_slice_upload_set_completion(upload, end, &ending, drop_ending), COS_SLICE_OK);
        cos_slice_upload_cancel(upload);
        CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_ERR_CANCELLED, "cancelled");
        CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
        cos_slice_upload_cancel(upload);
        CHECK_ENDS(cos_slice_upload_wait(upload, -1, &error), COS_SLICE_ERR_CANCELLED, "cancelled");
        CHECK(happened(&ending.told) == 1);
        CHECK_STATUS(cos_slice_upload_set_completion(upload, NULL, NULL, NULL), COS_SLICE_OK);
        CHECK(happened(&ending.dropped) == 1);
    }
    cos_slice_client_free(client);
    cos_slice_upload_free(upload);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    under_run_the_end_is_told_on_the_calling_thread_before_run_returns();
    under_start_the_end_is_told_after_the_last_progress_and_before_wait_returns();
    each_run_has_one_end_and_a_failure_is_told_with_its_error();
    what_a_run_noticed_can_be_asked_for_inside();
    an_upload_may_be_freed_when_its_end_is_told(0);
    an_upload_may_be_freed_when_its_end_is_told(1);
    an_upload_that_is_freed_while_it_runs_tells_no_end();
    the_data_is_dropped_exactly_once();
    return 0;
}
