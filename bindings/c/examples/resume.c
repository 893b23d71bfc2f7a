/* An upload that goes on where an earlier run of this program stopped, however that ended, without another look at the
 * whole file. Two runs for the same object at once: the second one fails and says why. */
#include <stdio.h>
#include <cos_slice.h>

int main(int argc, char **argv) {
    if (argc != 6) { fprintf(stderr, "usage: %s ENDPOINT BUCKET PATH FILE CHECKPOINT_DIR\n", argv[0]); return 2; }
    cos_slice_client *client = cos_slice_client_new();
    cos_slice_client_set_endpoint(client, argv[1]);
    cos_slice_client_set_secret_key(client, "1251668577", "AKIDtest", "secret");
    cos_slice_client_set_checkpoint_dir(client, argv[5]);

    cos_slice_upload *upload = cos_slice_upload_new(client, argv[2], argv[3]);
    cos_slice_upload_set_file(upload, argv[4]);

    cos_slice_error *error = NULL;
    int32_t status = cos_slice_upload_run(upload, &error);
    if (cos_slice_upload_warning(upload) != NULL)       /* the upload is right, only the next one may take longer */
        fprintf(stderr, "warning: %s\n", cos_slice_upload_warning(upload));
    if (status == COS_SLICE_OK)
        printf("%s\n%llu bytes were there already\n", cos_slice_upload_access_url(upload),
               (unsigned long long)cos_slice_upload_bytes_resumed(upload));
    else
        fprintf(stderr, "upload failed (%d): %s\n", (int)status, cos_slice_error_message(error));

    cos_slice_error_free(error);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    return status == COS_SLICE_OK ? 0 : 1;
}
