#include <stdio.h>
#include <cos_slice.h>

static int32_t show(const cos_slice_progress *p, void *user_data) {
    (void)user_data;
    fprintf(stderr, "\r%llu of %llu bytes", (unsigned long long)p->acknowledged, (unsigned long long)p->total);
    return 0;                                   /* anything else stops the upload */
}

int main(int argc, char **argv) {
    if (argc != 5) { fprintf(stderr, "usage: %s ENDPOINT BUCKET PATH FILE\n", argv[0]); return 2; }
    cos_slice_client *client = cos_slice_client_new();
    cos_slice_client_set_endpoint(client, argv[1]);     /* or cos_slice_client_set_region(client, "gz") */
    cos_slice_client_set_secret_key(client, "1251668577", "AKIDtest", "secret");

    cos_slice_upload *upload = cos_slice_upload_new(client, argv[2], argv[3]);
    cos_slice_upload_set_file(upload, argv[4]);
    cos_slice_upload_set_progress(upload, show, NULL, NULL);

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
