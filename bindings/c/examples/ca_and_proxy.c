/* An upload to a service whose certificate is of an authority of one's own, through a proxy. The authority's certificates are in
 * memory here, as where they are part of the program; cos_slice_client_set_ca_file takes the name of a file instead. PROXY is
 * "http://host:port" or "http://user:password@host:port"; without it the environment is asked (https_proxy, no_proxy and so on).
 *
 * The environment has COS_SLICE_APP_ID, COS_SLICE_SECRET_ID and COS_SLICE_SECRET_KEY. */
#include <stdio.h>
#include <stdlib.h>

#include <cos_slice.h>

#define LARGEST_PEM (1 << 20)

/* The bytes of a file; the size that is told is 0 where it can't be read, which was said then. */
static size_t read_file(const char *path, char *bytes, size_t room) {
    FILE *file = fopen(path, "rb");
    size_t size;
    if (file == NULL) { perror(path); return 0; }
    size = fread(bytes, 1, room, file);
    if (ferror(file)) { perror(path); size = 0; }
    else if (size == room) { fprintf(stderr, "%s: too large\n", path); size = 0; }
    fclose(file);
    return size;
}

int main(int argc, char **argv) {
    static char pem[LARGEST_PEM];
    if (argc != 6 && argc != 7) {
        fprintf(stderr, "usage: %s ENDPOINT BUCKET PATH FILE PEM_FILE [PROXY]\n", argv[0]);
        return 2;
    }
    size_t size = read_file(argv[5], pem, sizeof pem);
    if (size == 0) return 1;
    cos_slice_client *client = cos_slice_client_new();
    cos_slice_client_set_endpoint(client, argv[1]);
    cos_slice_client_set_secret_key(client, getenv("COS_SLICE_APP_ID"), getenv("COS_SLICE_SECRET_ID"),
                                    getenv("COS_SLICE_SECRET_KEY"));
    cos_slice_client_set_ca_pem(client, pem, size);     /* copied */
    if (argc == 7)
        cos_slice_client_set_proxy(client, argv[6]);
    else
        cos_slice_client_set_use_env_proxy(client, 1);

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
