/* What is uploaded, of every kind: descriptors good and bad, functions that read well, badly or not at all, and parts. */
#include "host.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* What a reading function gives: so many bytes of one value, and how it misbehaves after them. */
struct tape {
    uint64_t size;
    uint64_t position;
    int64_t after;
};

static int64_t fill(uint64_t left, int64_t after, void *buffer, size_t size)
{
    if (left == 0)
        return after;
    if (size > left)
        size = (size_t)left;
    memset(buffer, 'x', size);
    return (int64_t)size;
}

static int64_t read_at(uint64_t offset, void *buffer, size_t size, void *user_data)
{
    const struct tape *tape = user_data;
    CHECK(size > 0);
    return fill(offset < tape->size ? tape->size - offset : 0, tape->after, buffer, size);
}

static int64_t read_on(void *buffer, size_t size, void *user_data)
{
    struct tape *tape = user_data;
    CHECK(size > 0);
    int64_t count = fill(tape->size - tape->position, tape->after, buffer, size);
    if (tape->position < tape->size)
        tape->position += (uint64_t)count;
    return count;
}

static struct tape *new_tape(struct host *host)
{
    static const int64_t ends[] = { 0, 0, 0, -1, INT64_MIN, INT64_MAX };
    struct tape *tape = malloc(sizeof *tape);
    CHECK(tape != NULL);
    *tape = (struct tape){ (uint64_t)take(host) * 4096, 0, ends[take(host) % COUNT(ends)] };
    give();
    return tape;
}

/* Its true size, mostly. */
static int64_t said(struct host *host, const struct tape *tape)
{
    return take(host) % 4 == 3 ? take_number(host) : (int64_t)tape->size;
}

static int32_t set_descriptor(struct host *host, cos_slice_upload *upload)
{
    char *path = take_path(host, "file");
    int descriptor = path == NULL ? (take(host) % 2 == 0 ? -1 : 1000000) : open(path, take(host) % 4 == 3 ? O_WRONLY : O_RDONLY);
    int32_t status = cos_slice_upload_set_descriptor(upload, descriptor);
    if (path != NULL && descriptor >= 0)
        close(descriptor);
    free(path);
    return status;
}

int32_t set_source(struct host *host, cos_slice_upload *upload)
{
    struct tape *tape;
    char *folder;
    int32_t status;
    int64_t number;
    switch (take(host) % 6) {
    case 0:
        return set_descriptor(host, upload);
    case 1:
        tape = new_tape(host);
        number = said(host, tape);
        return cos_slice_upload_set_read_at(upload, number, take(host) % 8 == 7 ? NULL : read_at, tape, come_back);
    case 2:
        tape = new_tape(host);
        number = take(host) % 2 == 0 ? -1 : said(host, tape);
        return cos_slice_upload_set_stream(upload, number, take(host) % 8 == 7 ? NULL : read_on, tape, come_back);
    case 3:
        folder = take_path(host, "");
        status = cos_slice_upload_set_spool(upload, folder, take_number(host));
        free(folder);
        return status;
    case 4:
        folder = take_path(host, "file");
        status = cos_slice_upload_set_file_bytes(upload, folder, folder == NULL ? take(host) : strlen(folder));
        free(folder);
        return status;
    default:
        number = take_number(host);
        return cos_slice_upload_set_range(upload, number, take_number(host));
    }
}
