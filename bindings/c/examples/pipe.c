/* Uploads what comes through a pipe, of which nobody knows the size:
 *
 *   tar c logs | pipe ENDPOINT BUCKET PATH DIRECTORY
 *
 * It is kept in a temporary file in DIRECTORY, which has no name and so leaves nothing behind, until its end has come; then it
 * is hashed and sent as a file is, and anything that gets lost can be sent once more. Where the size is known and there is no
 * room, pass it in place of -1 and leave out cos_slice_upload_set_spool: the header says what that costs.
 *
 * The environment has COS_SLICE_APP_ID, COS_SLICE_SECRET_ID and COS_SLICE_SECRET_KEY. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cos_slice.h>

#define SPOOL_LIMIT ((int64_t)4 << 30)

/* Called on a thread of the library, one call at a time. 0 is the end, so only the end may give it. */
static int64_t read_input(void *buffer, size_t size, void *user_data) {
    ssize_t count;
    (void)user_data;
    do count = read(STDIN_FILENO, buffer, size); while (count < 0 && errno == EINTR);
    return count < 0 ? -(int64_t)errno : count;
}

int main(int argc, char **argv) {
    if (argc != 5) { fprintf(stderr, "usage: %s ENDPOINT BUCKET PATH DIRECTORY\n", argv[0]); return 2; }
    cos_slice_client *client = cos_slice_client_new();
    cos_slice_client_set_endpoint(client, argv[1]);
    cos_slice_client_set_secret_key(client, getenv("COS_SLICE_APP_ID"), getenv("COS_SLICE_SECRET_ID"),
                                    getenv("COS_SLICE_SECRET_KEY"));

    cos_slice_upload *upload = cos_slice_upload_new(client, argv[2], argv[3]);
    cos_slice_upload_set_stream(upload, -1, read_input, NULL, NULL);
    cos_slice_upload_set_spool(upload, argv[4], SPOOL_LIMIT);

    cos_slice_error *error = NULL;
    int32_t status = cos_slice_upload_run(upload, &error);
    if (status == COS_SLICE_OK)
        printf("%s\n%llu bytes, SHA-1 %s\n", cos_slice_upload_access_url(upload),
               (unsigned long long)cos_slice_upload_size(upload), cos_slice_upload_sha1(upload));
    else
        fprintf(stderr, "upload failed (%d): %s\n", (int)status, cos_slice_error_message(error));
    if (cos_slice_error_callback_value(error) < 0)      /* what read_input returned */
        fprintf(stderr, "reading failed: %s\n", strerror(-cos_slice_error_callback_value(error)));

    cos_slice_error_free(error);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    return status == COS_SLICE_OK ? 0 : 1;
}
