/* As many.c, but each upload is told of when it is over, by a callback: for programs with a loop of events of their own. Here the
 * main thread sleeps until the last one has told its end.
 *
 *   completions ENDPOINT BUCKET FILE…        each FILE becomes the object of its name
 *
 * The environment has COS_SLICE_APP_ID, COS_SLICE_SECRET_ID and COS_SLICE_SECRET_KEY. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cos_slice.h>

/* How many uploads are under way, and how many succeeded. */
struct tally { pthread_mutex_t mutex; pthread_cond_t changed; int under_way, succeeded; };
struct job { cos_slice_upload *upload; const char *file; struct tally *tally; };

static void count(struct tally *tally, int succeeded) {
    pthread_mutex_lock(&tally->mutex);
    tally->under_way--;
    tally->succeeded += succeeded;
    pthread_cond_signal(&tally->changed);
    pthread_mutex_unlock(&tally->mutex);
}

/* On the callback thread of the client: whatever takes long belongs elsewhere. error is lent until this returns. */
static void over(int32_t status, const cos_slice_error *error, void *user_data) {
    const struct job *job = user_data;
    if (status == COS_SLICE_OK)
        printf("%s: %s\n", job->file, cos_slice_upload_access_url(job->upload));
    else
        fprintf(stderr, "%s: failed (%d): %s\n", job->file, (int)status, cos_slice_error_message(error));
    count(job->tally, status == COS_SLICE_OK);
}

static void start(struct job *job, const cos_slice_client *client, const char *bucket) {
    const char *slash = strrchr(job->file, '/');
    cos_slice_error *error = NULL;
    job->upload = cos_slice_upload_new(client, bucket, slash == NULL ? job->file : slash + 1);
    cos_slice_upload_set_file(job->upload, job->file);
    cos_slice_upload_set_completion(job->upload, over, job, NULL);
    if (cos_slice_upload_start(job->upload, &error) == COS_SLICE_OK) return;
    fprintf(stderr, "%s: not begun: %s\n", job->file, cos_slice_error_message(error));
    cos_slice_error_free(error);
    count(job->tally, 0);                               /* what did not begin has no end to tell of */
}

int main(int argc, char **argv) {
    if (argc < 4) { fprintf(stderr, "usage: %s ENDPOINT BUCKET FILE...\n", argv[0]); return 2; }
    int all = argc - 3, i;
    struct tally tally = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 };
    struct job *jobs = calloc((size_t)all, sizeof *jobs);
    if (jobs == NULL) { perror(argv[0]); return 1; }
    cos_slice_client *client = cos_slice_client_new();
    cos_slice_client_set_endpoint(client, argv[1]);
    cos_slice_client_set_secret_key(client, getenv("COS_SLICE_APP_ID"), getenv("COS_SLICE_SECRET_ID"),
                                    getenv("COS_SLICE_SECRET_KEY"));
    tally.under_way = all;                              /* nobody else looks at it yet */
    for (i = 0; i < all; i++) {
        jobs[i].file = argv[3 + i];
        jobs[i].tally = &tally;
        start(&jobs[i], client, argv[2]);
    }
    pthread_mutex_lock(&tally.mutex);
    while (tally.under_way > 0) pthread_cond_wait(&tally.changed, &tally.mutex);
    pthread_mutex_unlock(&tally.mutex);

    for (i = 0; i < all; i++) cos_slice_upload_free(jobs[i].upload);    /* waits for a callback that has yet to return */
    cos_slice_client_free(client);
    free(jobs);
    printf("%d of %d uploaded\n", tally.succeeded, all);
    return tally.succeeded == all ? 0 : 1;
}
