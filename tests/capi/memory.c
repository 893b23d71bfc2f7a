/* Uploads a file with so many connections, and prints how much memory the process had at most, in KiB. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cos_slice.h>

/* From Linux's account of this program; getrusage would count what ran in the process before. */
static void print_peak(void)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            printf("%ld\n", strtol(line + 6, NULL, 10));
    if (status != NULL)
        fclose(status);
}

int main(int argc, char **argv)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = cos_slice_client_new();
    cos_slice_upload *upload;
    int32_t status;
    if (argc != 5) {
        fprintf(stderr, "usage: %s ENDPOINT CONNECTIONS PATH FILE\n", argv[0]);
        return 2;
    }
    cos_slice_client_set_endpoint(client, argv[1]);
    cos_slice_client_set_secret_key(client, "1251668577", "AKIDtest", "secret");
    cos_slice_client_set_connections(client, atoi(argv[2]));
    upload = cos_slice_upload_new(client, "memory", argv[3]);
    cos_slice_upload_set_file(upload, argv[4]);
    status = cos_slice_upload_run(upload, &error);
    if (status != COS_SLICE_OK)
        fprintf(stderr, "%s\n", cos_slice_error_message(error));
    else
        print_peak();
    cos_slice_error_free(error);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    return status == COS_SLICE_OK ? 0 : 1;
}
