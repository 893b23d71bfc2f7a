/* Many uploads at once on one client, whose connections they share: all are started, then each is waited for. None of them has
 * a thread of its own. completions.c does the same without waiting in order.
 *
 *   many ENDPOINT BUCKET FILE…        each FILE becomes the object of its name
 *
 * The environment has COS_SLICE_APP_ID, COS_SLICE_SECRET_ID and COS_SLICE_SECRET_KEY. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cos_slice.h>

/* An upload of a file to the object of its name, under way; NULL, and why is told, where it could not begin. */
static cos_slice_upload *start(const cos_slice_client *client, const char *bucket, const char *file) {
    const char *slash = strrchr(file, '/');
    cos_slice_upload *upload = cos_slice_upload_new(client, bucket, slash == NULL ? file : slash + 1);
    cos_slice_error *error = NULL;
    cos_slice_upload_set_file(upload, file);
    if (cos_slice_upload_start(upload, &error) == COS_SLICE_OK) return upload;
    fprintf(stderr, "%s: not begun: %s\n", file, cos_slice_error_message(error));
    cos_slice_error_free(error);
    cos_slice_upload_free(upload);
    return NULL;
}

/* Waits for an upload, tells how it ended, and frees it; 1 where it succeeded. */
static int finish(cos_slice_upload *upload, const char *file) {
    cos_slice_error *error = NULL;
    int32_t status;
    if (upload == NULL) return 0;
    status = cos_slice_upload_wait(upload, -1, &error);
    if (status == COS_SLICE_OK)
        printf("%s: %s\n", file, cos_slice_upload_access_url(upload));
    else
        fprintf(stderr, "%s: failed (%d): %s\n", file, (int)status, cos_slice_error_message(error));
    cos_slice_error_free(error);
    cos_slice_upload_free(upload);
    return status == COS_SLICE_OK;
}

int main(int argc, char **argv) {
    if (argc < 4) { fprintf(stderr, "usage: %s ENDPOINT BUCKET FILE...\n", argv[0]); return 2; }
    int count = argc - 3, succeeded = 0, i;
    char **files = argv + 3;
    cos_slice_upload **uploads = calloc((size_t)count, sizeof *uploads);
    if (uploads == NULL) { perror(argv[0]); return 1; }
    cos_slice_client *client = cos_slice_client_new();
    cos_slice_client_set_endpoint(client, argv[1]);
    cos_slice_client_set_secret_key(client, getenv("COS_SLICE_APP_ID"), getenv("COS_SLICE_SECRET_ID"),
                                    getenv("COS_SLICE_SECRET_KEY"));
    for (i = 0; i < count; i++) uploads[i] = start(client, argv[2], files[i]);
    cos_slice_client_free(client);                      /* the uploads keep what they need */
    for (i = 0; i < count; i++) succeeded += finish(uploads[i], files[i]);
    free(uploads);
    printf("%d of %d uploaded\n", succeeded, count);
    return succeeded == count ? 0 : 1;
}
