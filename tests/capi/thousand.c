/* Uploads one file to many paths at once, and prints the most memory that the process had, in KiB, the most threads that it
 * was seen to have, and how many uploads ended well. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cos_slice.h>

/* Of the one thread that calls back, until every upload has been waited for. */
static long succeeded, most_threads;

/* From Linux's account of this program. */
static long account(const char *name)
{
    char line[256];
    long value = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name), NULL, 10);
    if (status != NULL)
        fclose(status);
    return value;
}

static void note_end(int32_t status, const cos_slice_error *error, void *user_data)
{
    long threads = account("Threads:");
    (void)user_data;
    if (threads > most_threads)
        most_threads = threads;
    if (status == COS_SLICE_OK)
        succeeded++;
    else
        fprintf(stderr, "%s\n", cos_slice_error_message(error));
}

int main(int argc, char **argv)
{
    enum { COUNT = 1000, CONNECTIONS = 16 };
    static cos_slice_upload *uploads[COUNT];
    cos_slice_client *client = cos_slice_client_new();
    int i;
    if (argc != 3) {
        fprintf(stderr, "usage: %s ENDPOINT FILE\n", argv[0]);
        return 2;
    }
    cos_slice_client_set_endpoint(client, argv[1]);
    cos_slice_client_set_secret_key(client, "1251668577", "AKIDtest", "secret");
    cos_slice_client_set_connections(client, CONNECTIONS);
    for (i = 0; i < COUNT; i++) {
        char path[32];
        sprintf(path, "many/%d", i);
        uploads[i] = cos_slice_upload_new(client, "thousand", path);
        cos_slice_upload_set_file(uploads[i], argv[2]);
        cos_slice_upload_set_slice_size(uploads[i], 512 << 10);
        cos_slice_upload_set_completion(uploads[i], note_end, NULL, NULL);
        if (cos_slice_upload_start(uploads[i], NULL) != COS_SLICE_OK)
            fprintf(stderr, "upload %d could not be started\n", i);
    }
    for (i = 0; i < COUNT; i++) {
        cos_slice_upload_wait(uploads[i], -1, NULL);
        cos_slice_upload_free(uploads[i]);
    }
    cos_slice_client_free(client);
    printf("%ld %ld %ld\n", account("VmHWM:"), most_threads, succeeded);
    return 0;
}
