/* One upload through the C interface, for its time and its memory.
 *
 *   client ENDPOINT FILE CONNECTIONS hash|no-hash
 *
 * It prints a JSON object with the seconds that the upload took. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cos_slice.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: client ENDPOINT FILE CONNECTIONS hash|no-hash\n");
        return 2;
    }
    cos_slice_client *client = cos_slice_client_new();
    cos_slice_client_set_endpoint(client, argv[1]);
    cos_slice_client_set_secret_key(client, "1251668577", "AKIDtest", "secret");
    cos_slice_client_set_connections(client, atoi(argv[3]));
    cos_slice_upload *upload = cos_slice_upload_new(client, "videos", "bench/object");
    cos_slice_upload_set_file(upload, argv[2]);
    cos_slice_upload_set_hash(upload, strcmp(argv[4], "hash") == 0);

    cos_slice_error *error = NULL;
    double began = now();
    int32_t status = cos_slice_upload_run(upload, &error);
    double seconds = now() - began;
    if (status == COS_SLICE_OK)
        printf("{\"seconds\":%.9f}\n", seconds);
    else
        fprintf(stderr, "client: %s\n", cos_slice_error_message(error));
    cos_slice_error_free(error);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    return status == COS_SLICE_OK ? 0 : 1;
}
