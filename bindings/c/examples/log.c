/* An upload that tells on standard error what the library does meanwhile, each entry in a line of its own with the message at its
 * end: for a program that keeps a log. LEVEL is 1 (errors) to 4 (everything). No entry has a secret in it.
 *
 * The environment has COS_SLICE_APP_ID, COS_SLICE_SECRET_ID and COS_SLICE_SECRET_KEY. */
#include <stdio.h>
#include <stdlib.h>

#include <cos_slice.h>

static const char *name_of(int32_t level) {
    switch (level) {
    case COS_SLICE_LOG_ERROR: return "error";
    case COS_SLICE_LOG_WARNING: return "warning";
    case COS_SLICE_LOG_INFO: return "info";
    default: return "debug";                            /* later versions may have more */
    }
}

/* Called on several threads at once; one call of fprintf is one line all the same. Whatever takes long holds up the upload. */
static void log_entry(const cos_slice_log_entry *entry, void *user_data) {
    char details[256] = "";
    int length = 0;
    if (entry->operation != NULL)
        length = snprintf(details, sizeof details, " operation=%s attempt=%u", entry->operation, (unsigned)entry->attempt);
    if (entry->server_code != 0 && length >= 0 && length < (int)sizeof details)
        snprintf(details + length, sizeof details - (size_t)length, " code=%lld request=%.100s", (long long)entry->server_code,
                 entry->request_id == NULL ? "-" : entry->request_id);
    fprintf(user_data, "level=%s%s message=%s\n", name_of(entry->level), details, entry->message);
}

int main(int argc, char **argv) {
    if (argc != 6) { fprintf(stderr, "usage: %s ENDPOINT BUCKET PATH FILE LEVEL\n", argv[0]); return 2; }
    cos_slice_client *client = cos_slice_client_new();
    cos_slice_client_set_endpoint(client, argv[1]);
    cos_slice_client_set_secret_key(client, getenv("COS_SLICE_APP_ID"), getenv("COS_SLICE_SECRET_ID"),
                                    getenv("COS_SLICE_SECRET_KEY"));
    cos_slice_client_set_log(client, atoi(argv[5]), log_entry, stderr, NULL);

    cos_slice_upload *upload = cos_slice_upload_new(client, argv[2], argv[3]);
    cos_slice_upload_set_file(upload, argv[4]);

    cos_slice_error *error = NULL;
    int32_t status = cos_slice_upload_run(upload, &error);
    if (status == COS_SLICE_OK)
        printf("%s\n", cos_slice_upload_access_url(upload));
    else
        fprintf(stderr, "upload failed (%d): %s\n", (int)status, cos_slice_error_message(error));

    cos_slice_error_free(error);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    return status == COS_SLICE_OK ? 0 : 1;
}
