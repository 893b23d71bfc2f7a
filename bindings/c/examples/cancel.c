/* An upload that tells how far it is, and that Ctrl-C stops. Nothing of the library may be called in a signal handler, so a
 * thread of this program waits for the signals and cancels. What the server has by then stays there: the same command goes on
 * with it. A second Ctrl-C ends the program at once.
 *
 * The environment has COS_SLICE_APP_ID, COS_SLICE_SECRET_ID and COS_SLICE_SECRET_KEY. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cos_slice.h>

#define INTERRUPTED 130

struct watch { sigset_t signals; const cos_slice_upload *upload; };

static void *watch_signals(void *argument) {
    const struct watch *watch = argument;
    int signal, interrupted = 0;
    while (sigwait(&watch->signals, &signal) == 0 && signal != SIGUSR1) {       /* SIGUSR1: the upload is over */
        if (interrupted) _exit(INTERRUPTED);
        interrupted = 1;
        fprintf(stderr, "\nstopping; again, to end at once\n");
        cos_slice_upload_cancel(watch->upload);
    }
    return NULL;
}

static int32_t show(const cos_slice_progress *progress, void *user_data) {
    int hashing = progress->phase == COS_SLICE_PHASE_HASHING;
    uint64_t done = hashing ? progress->hashed : progress->acknowledged;
    (void)user_data;
    if (progress->total > 0)
        fprintf(stderr, "\r%s %3d %%", hashing ? "hashed" : "sent  ", (int)(done * 100 / progress->total));
    return 0;
}

/* Runs the upload with a thread that waits for signals beside it, and ends that thread before anybody frees the upload. */
static int32_t run(cos_slice_upload *upload, const sigset_t *signals, cos_slice_error **error) {
    struct watch watch;
    pthread_t thread;
    int32_t status;
    int refused;
    watch.signals = *signals;
    watch.upload = upload;
    refused = pthread_create(&thread, NULL, watch_signals, &watch);
    if (refused != 0) {
        fprintf(stderr, "no thread for signals: %s\n", strerror(refused));
        exit(1);
    }
    status = cos_slice_upload_run(upload, error);
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, NULL);
    return status;
}

int main(int argc, char **argv) {
    if (argc != 5) { fprintf(stderr, "usage: %s ENDPOINT BUCKET PATH FILE\n", argv[0]); return 2; }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);         /* before there is any other thread, so for all of them */

    cos_slice_client *client = cos_slice_client_new();
    cos_slice_client_set_endpoint(client, argv[1]);
    cos_slice_client_set_secret_key(client, getenv("COS_SLICE_APP_ID"), getenv("COS_SLICE_SECRET_ID"),
                                    getenv("COS_SLICE_SECRET_KEY"));
    cos_slice_upload *upload = cos_slice_upload_new(client, argv[2], argv[3]);
    cos_slice_upload_set_file(upload, argv[4]);
    cos_slice_upload_set_progress(upload, show, NULL, NULL);

    cos_slice_error *error = NULL;
    int32_t status = run(upload, &signals, &error);
    fputc('\n', stderr);
    if (status == COS_SLICE_OK)
        printf("%s\n%llu bytes were there already\n", cos_slice_upload_access_url(upload),
               (unsigned long long)cos_slice_upload_bytes_resumed(upload));
    else if (status == COS_SLICE_ERR_CANCELLED)
        fprintf(stderr, "stopped; the same command goes on\n");
    else
        fprintf(stderr, "upload failed (%d): %s\n", (int)status, cos_slice_error_message(error));

    cos_slice_error_free(error);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    return status == COS_SLICE_OK ? 0 : status == COS_SLICE_ERR_CANCELLED ? INTERRUPTED : 1;
}
