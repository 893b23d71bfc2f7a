/* What is uploaded. */
#include "runner.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a function that fails to read returns. */
#define READING_FAILED (-5)

/* A file that functions read, one that fails at an offset if that is not -1. */
struct reader {
    int descriptor;
    int64_t fails_at;
    /* Where a stream is. */
    uint64_t position;
};

static int open_file(const char *path)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        fail("can't open", path);
    return descriptor;
}

static struct reader *reader_of(const cJSON *source, const char *kind)
{
    struct reader *reader = allocate(sizeof *reader);
    reader->descriptor = open_file(text_of(source, kind));
    reader->fails_at = optional_number_of(source, "fail_at", -1);
    return reader;
}

static void drop_reader(void *user_data)
{
    struct reader *reader = user_data;
    close(reader->descriptor);
    free(reader);
}

static int64_t read_at(uint64_t offset, void *buffer, size_t size, void *user_data)
{
    const struct reader *reader = user_data;
    if (reader->fails_at >= 0) {
        uint64_t fails_at = (uint64_t)reader->fails_at;
        if (offset >= fails_at)
            return READING_FAILED;
        if (size > fails_at - offset)
            size = (size_t)(fails_at - offset);
    }
    return pread(reader->descriptor, buffer, size, (off_t)offset);
}

static int64_t read_on(void *buffer, size_t size, void *user_data)
{
    struct reader *reader = user_data;
    int64_t count = read_at(reader->position, buffer, size, user_data);
    if (count > 0)
        reader->position += (uint64_t)count;
    return count;
}

static void set_file(cos_slice_upload *upload, const cJSON *source)
{
    (void)cos_slice_upload_set_file(upload, text_of(source, "file"));
}

static void set_file_bytes(cos_slice_upload *upload, const cJSON *source)
{
    const char *digits = text_of(source, "file_bytes");
    size_t length = strlen(digits) / 2, i;
    unsigned char *path = allocate(length);
    for (i = 0; i < length; i++) {
        unsigned byte;
        if (sscanf(digits + 2 * i, "%2x", &byte) != 1)
            fail("not hexadecimal", digits);
        path[i] = (unsigned char)byte;
    }
    (void)cos_slice_upload_set_file_bytes(upload, path, length);
    free(path);
}

static void set_memory(cos_slice_upload *upload, const cJSON *source)
{
    int descriptor = open_file(text_of(source, "memory"));
    off_t size = lseek(descriptor, 0, SEEK_END);
    char *content = allocate((size_t)size);
    if (size < 0 || pread(descriptor, content, (size_t)size, 0) != size)
        fail("can't read", text_of(source, "memory"));
    close(descriptor);
    (void)cos_slice_upload_set_memory(upload, content, (size_t)size);
    free(content);
}

static void set_descriptor(cos_slice_upload *upload, const cJSON *source)
{
    int descriptor = open_file(text_of(source, "descriptor"));
    (void)cos_slice_upload_set_descriptor(upload, descriptor);
    close(descriptor);
}

static void set_read_at(cos_slice_upload *upload, const cJSON *source)
{
    struct reader *reader = reader_of(source, "read_at");
    (void)cos_slice_upload_set_read_at(upload, number_of(source, "size"), read_at, reader, drop_reader);
}

static void set_stream(cos_slice_upload *upload, const cJSON *source)
{
    struct reader *reader = reader_of(source, "stream");
    (void)cos_slice_upload_set_stream(upload, number_of(source, "size"), read_on, reader, drop_reader);
}

static const struct {
    const char *name;
    void (*set)(cos_slice_upload *upload, const cJSON *source);
} kinds[] = {
    { "file", set_file },
    { "file_bytes", set_file_bytes },
    { "memory", set_memory },
    { "descriptor", set_descriptor },
    { "read_at", set_read_at },
    { "stream", set_stream },
};

#define KINDS (sizeof kinds / sizeof *kinds)

void set_source(cos_slice_upload *upload, const cJSON *source)
{
    size_t i;
    if (source == NULL)
        return;
    for (i = 0; i < KINDS; i++) {
        if (cJSON_GetObjectItemCaseSensitive(source, kinds[i].name) != NULL) {
            kinds[i].set(upload, source);
            return;
        }
    }
    fail("no such source", source->child != NULL ? source->child->string : "an empty one");
}

void add_source_names(cJSON *names)
{
    size_t i;
    for (i = 0; i < KINDS; i++)
        cJSON_AddItemToArray(names, cJSON_CreateString(kinds[i].name));
}
