/* Very many threads: one client for 64 of them, and one upload that others ask and cancel meanwhile. */
#include "check.h"

#define THREADS 64
#define MEDDLERS 8
#define QUESTIONS 200
#define SIZE 20000

struct job {
    const cos_slice_client *client;
    int number;
};

static void *upload_one(void *user_data)
{
    const struct job *job = user_data;
    cos_slice_error *error = NULL;
    char path[32], *content = malloc(SIZE);
    cos_slice_upload *upload;
    CHECK(content != NULL);
    memset(content, job->number + 1, SIZE);
    CHECK(snprintf(path, sizeof path, "/many/%d", job->number) > 0);
    upload = cos_slice_upload_new(job->client, "many", path);
    CHECK_STATUS(cos_slice_upload_set_memory(upload, content, SIZE), COS_SLICE_OK);
    free(content);
    /* Every other one by start and wait, of which any number may be under way. */
    if (job->number % 2 == 0) {
        CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    } else {
        CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
        CHECK_ENDS(cos_slice_upload_wait(upload, -1, &error), COS_SLICE_OK, NULL);
    }
    CHECK(cos_slice_upload_size(upload) == SIZE && cos_slice_upload_verified(upload) == 1);
    cos_slice_upload_free(upload);
    return NULL;
}

static void *meddle(void *user_data)
{
    const cos_slice_upload *upload = user_data;
    cos_slice_progress progress;
    int question;
    for (question = 0; question < QUESTIONS; question++) {
        progress.struct_size = sizeof progress;
        CHECK_STATUS(cos_slice_upload_progress(upload, &progress), COS_SLICE_OK);
        CHECK(progress.acknowledged <= progress.total);
        if (question % 10 == 0)
            cos_slice_upload_cancel(upload);
        (void)cos_slice_upload_access_url(upload);
    }
    return NULL;
}

/* However often it is cancelled, each run has an end, and the last one has success. */
static void one_upload_is_cancelled_and_asked_by_several_while_others_share_its_client(const cos_slice_client *client)
{
    pthread_t meddlers[MEDDLERS];
    cos_slice_error *error = NULL;
    cos_slice_upload *upload = cos_slice_upload_new(client, "many", "/shared");
    int position, run;
    make_file(in_directory("shared"), 1048576 + 7, 3);
    CHECK_STATUS(cos_slice_upload_set_file(upload, in_directory("shared")), COS_SLICE_OK);
    for (position = 0; position < MEDDLERS; position++)
        CHECK(pthread_create(&meddlers[position], NULL, meddle, upload) == 0);
    for (run = 0; run < 10; run++) {
        int32_t status = cos_slice_upload_run(upload, &error);
        CHECK(status == COS_SLICE_OK || status == COS_SLICE_ERR_CANCELLED);
        CHECK(cos_slice_error_status(error) == status);
        cos_slice_error_free(error);
        error = NULL;
    }
    for (position = 0; position < MEDDLERS; position++)
        CHECK(pthread_join(meddlers[position], NULL) == 0);
    /* A cancel may have come after the last run; it is for the next one. */
    (void)cos_slice_upload_run(upload, NULL);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(cos_slice_upload_size(upload) == 1048576 + 7);
    cos_slice_upload_free(upload);
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    struct job jobs[THREADS];
    cos_slice_client *client;
    int position;
    begin(argc, argv);
    client = client_for(endpoint);
    for (position = 0; position < THREADS; position++) {
        jobs[position].client = client;
        jobs[position].number = position;
        CHECK(pthread_create(&threads[position], NULL, upload_one, &jobs[position]) == 0);
    }
    one_upload_is_cancelled_and_asked_by_several_while_others_share_its_client(client);
    for (position = 0; position < THREADS; position++)
        CHECK(pthread_join(threads[position], NULL) == 0);
    cos_slice_client_free(client);
    return 0;
}
