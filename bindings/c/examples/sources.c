/* What can be uploaded besides a file that has a name; pipe.c has what can only be read once.
 *
 *   sources ENDPOINT BUCKET PATH text TEXT         bytes in memory
 *   sources ENDPOINT BUCKET PATH open FILE         a file that is open already
 *   sources ENDPOINT BUCKET PATH joined FILE…      whatever a function reads at any offset: here several files as one object
 *
 * The environment has COS_SLICE_APP_ID, COS_SLICE_SECRET_ID and COS_SLICE_SECRET_KEY. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cos_slice.h>

struct part { int descriptor; int64_t begin, end; };
struct joined { size_t count; struct part parts[]; };

/* Called by several threads at once, each for another place; fewer bytes than asked for will do. */
static int64_t read_at(uint64_t offset, void *buffer, size_t size, void *user_data) {
    const struct joined *joined = user_data;
    for (size_t i = 0; i < joined->count; i++) {
        const struct part *part = &joined->parts[i];
        if ((int64_t)offset >= part->end) continue;
        if ((int64_t)size > part->end - (int64_t)offset) size = (size_t)(part->end - (int64_t)offset);
        ssize_t count = pread(part->descriptor, buffer, size, (off_t)((int64_t)offset - part->begin));
        return count < 0 ? -(int64_t)errno : count;
    }
    return 0;
}

/* Called once, when the library needs the files no more. */
static void close_all(void *user_data) {
    struct joined *joined = user_data;
    for (size_t i = 0; i < joined->count; i++) close(joined->parts[i].descriptor);
    free(joined);
}

/* Opens a file and tells its size, or ends the program. */
static int open_file(const char *path, int64_t *size) {
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &status) != 0) { perror(path); exit(1); }
    *size = status.st_size;
    return descriptor;
}

static void set_joined(cos_slice_upload *upload, char **files, int count) {
    struct joined *joined = malloc(sizeof *joined + (size_t)count * sizeof *joined->parts);
    int64_t end = 0, size;
    if (joined == NULL) { perror("sources"); exit(1); }
    joined->count = (size_t)count;
    for (int i = 0; i < count; i++) {
        joined->parts[i].descriptor = open_file(files[i], &size);
        joined->parts[i].begin = end;
        joined->parts[i].end = end += size;
    }
    cos_slice_upload_set_read_at(upload, end, read_at, joined, close_all);      /* joined is the library's from here on */
}

static void set_open(cos_slice_upload *upload, const char *file) {
    int64_t size;
    int descriptor = open_file(file, &size);
    cos_slice_upload_set_descriptor(upload, descriptor);
    close(descriptor);                                  /* the library has one of its own */
}

int main(int argc, char **argv) {
    const char *kind = argc > 5 ? argv[4] : "";
    int text = strcmp(kind, "text") == 0 && argc == 6, opened = strcmp(kind, "open") == 0 && argc == 6;
    if (!text && !opened && strcmp(kind, "joined") != 0) {
        fprintf(stderr, "usage: see the top of sources.c\n");
        return 2;
    }
    cos_slice_client *client = cos_slice_client_new();
    cos_slice_upload *upload = cos_slice_upload_new(client, argv[2], argv[3]);
    if (text)
        cos_slice_upload_set_memory(upload, argv[5], strlen(argv[5]));          /* copied */
    else if (opened)
        set_open(upload, argv[5]);
    else
        set_joined(upload, argv + 5, argc - 5);
    cos_slice_client_set_endpoint(client, argv[1]);
    cos_slice_client_set_secret_key(client, getenv("COS_SLICE_APP_ID"), getenv("COS_SLICE_SECRET_ID"),
                                    getenv("COS_SLICE_SECRET_KEY"));

    cos_slice_error *error = NULL;
    int32_t status = cos_slice_upload_run(upload, &error);
    if (status == COS_SLICE_OK)
        printf("%s\n%llu bytes\n", cos_slice_upload_access_url(upload), (unsigned long long)cos_slice_upload_size(upload));
    else
        fprintf(stderr, "upload failed (%d): %s\n", (int)status, cos_slice_error_message(error));
    if (cos_slice_error_callback_value(error) < 0)      /* what read_at returned */
        fprintf(stderr, "reading failed: %s\n", strerror(-cos_slice_error_callback_value(error)));

    cos_slice_error_free(error);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    return status == COS_SLICE_OK ? 0 : 1;
}
