/* What can be uploaded: an open descriptor, functions that are called for any place or for what follows, a stream that is
   spooled, and parts; what the functions do wrong, what may be called inside them, and when their data is dropped. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE (1536 * 1024 + 5)

static cos_slice_client *client;
static cos_slice_error *error;
static char content[SIZE];

/* Data of a function that reads. */
struct tape {
    const char *bytes;
    uint64_t size;
    uint64_t position;
    /* The offset at which it returns this instead; -1 for none. */
    int64_t fails_at;
    int64_t failure;
    /* What is called inside, by the first call. */
    void (*inside)(struct tape *tape);
    pthread_mutex_t mutex;
    cos_slice_upload *upload;
    struct event dropped;
};

#define TAPE(given) { (given), SIZE, 0, -1, 0, NULL, PTHREAD_MUTEX_INITIALIZER, NULL, EVENT }

static void drop_tape(void *user_data)
{
    happen(&((struct tape *)user_data)->dropped);
}

static void once(struct tape *tape)
{
    void (*inside)(struct tape *);
    pthread_mutex_lock(&tape->mutex);
    inside = tape->inside;
    tape->inside = NULL;
    pthread_mutex_unlock(&tape->mutex);
    if (inside != NULL)
        inside(tape);
}

/* A few bytes at a time. */
static int64_t read_at(uint64_t offset, void *buffer, size_t size, void *user_data)
{
    struct tape *tape = user_data;
    uint64_t left = offset < tape->size ? tape->size - offset : 0;
    CHECK(size > 0 && buffer != NULL);
    once(tape);
    if (tape->fails_at >= 0 && offset >= (uint64_t)tape->fails_at)
        return tape->failure;
    if (size > left)
        size = (size_t)left;
    if (size > 5000)
        size = 5000;
    memcpy(buffer, tape->bytes + offset, size);
    return (int64_t)size;
}

static int64_t read_on(void *buffer, size_t size, void *user_data)
{
    struct tape *tape = user_data;
    int64_t count = read_at(tape->position, buffer, size, tape);
    if (count > 0 && (uint64_t)count <= size)
        tape->position += (uint64_t)count;
    return count;
}

static cos_slice_upload *upload_to(const char *path)
{
    cos_slice_upload *upload = cos_slice_upload_new(client, "sources", path);
    CHECK_STATUS(cos_slice_upload_set_overwrite(upload, 1), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_slice_size(upload, 524288), COS_SLICE_OK);
    return upload;
}

static char first_sha1[64];

/* Runs it; all that is uploaded here whole is the same. */
static void run(cos_slice_upload *upload)
{
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(cos_slice_upload_size(upload) == SIZE);
    if (cos_slice_upload_sha1(upload) != NULL) {
        if (first_sha1[0] == 0)
            strcpy(first_sha1, cos_slice_upload_sha1(upload));
        CHECK(strcmp(first_sha1, cos_slice_upload_sha1(upload)) == 0);
    }
    CHECK(cos_slice_upload_verified(upload) == 1);
}

static void descriptors(void)
{
    const char *path = in_directory("content");
    FILE *file = fopen(path, "wb");
    int descriptor, ends[2];
    cos_slice_upload *upload = upload_to("descriptor");
    CHECK(file != NULL && fwrite(content, 1, SIZE, file) == SIZE && fclose(file) == 0);
    descriptor = open(path, O_RDONLY);
    CHECK(descriptor >= 0 && lseek(descriptor, 777, SEEK_SET) == 777);
    CHECK_STATUS(cos_slice_upload_set_descriptor(upload, descriptor), COS_SLICE_OK);
    run(upload);
    CHECK(lseek(descriptor, 0, SEEK_CUR) == 777);
    /* Its own descriptor is none of the standard ones, though their numbers are free. */
    CHECK(close(STDIN_FILENO) == 0);
    CHECK_STATUS(cos_slice_upload_set_descriptor(upload, descriptor), COS_SLICE_OK);
    CHECK(fcntl(STDIN_FILENO, F_GETFD) == -1 && errno == EBADF);
    CHECK(open("/dev/null", O_RDONLY) == STDIN_FILENO);
    CHECK(close(descriptor) == 0);
    run(upload);

    CHECK_STATUS(cos_slice_upload_set_descriptor(upload, -1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "descriptor: -1 is negative");
    CHECK_STATUS(cos_slice_upload_set_descriptor(upload, 1000000), COS_SLICE_ERR_FILE_OPEN);
    CHECK(pipe(ends) == 0);
    CHECK_STATUS(cos_slice_upload_set_descriptor(upload, ends[0]), COS_SLICE_ERR_FILE_OPEN);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
    descriptor = open(path, O_WRONLY);
    CHECK(descriptor >= 0);
    CHECK_STATUS(cos_slice_upload_set_descriptor(upload, descriptor), COS_SLICE_ERR_FILE_OPEN);
    CHECK(close(descriptor) == 0);
    CHECK_STATUS(cos_slice_upload_set_descriptor(NULL, 0), COS_SLICE_ERR_INVALID_ARGUMENT);
    cos_slice_upload_free(upload);
}

static void parts(void)
{
    cos_slice_upload *upload = upload_to("part");
    struct tape tape = TAPE(content);
    CHECK_STATUS(cos_slice_upload_set_file(upload, in_directory("content")), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_range(upload, 1000, 2000), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(cos_slice_upload_size(upload) == 2000);
    CHECK_STATUS(cos_slice_upload_set_memory(upload, content + 1, 3000), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_range(upload, 999, 2000), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(cos_slice_upload_outcome(upload) == COS_SLICE_OUTCOME_INSTANT); /* the same bytes */
    CHECK_STATUS(cos_slice_upload_set_range(upload, 1001, 2000), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "range: ");
    CHECK_STATUS(cos_slice_upload_set_range(upload, 3000, -1), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(cos_slice_upload_size(upload) == 0);
    CHECK_STATUS(cos_slice_upload_set_range(upload, -1, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_range(upload, 0, -2), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_range(upload, 1, -1), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_stream(upload, SIZE, read_on, &tape, drop_tape), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "range: ");
    CHECK_STATUS(cos_slice_upload_set_range(upload, 0, -1), COS_SLICE_OK);
    run(upload);
    cos_slice_upload_free(upload);
    CHECK(happened(&tape.dropped) == 1);
}

static void functions(void)
{
    struct tape any = TAPE(content), other = TAPE(content), stream = TAPE(content), spooled = TAPE(content);
    cos_slice_upload *upload = upload_to("functions");
    CHECK_STATUS(cos_slice_upload_set_read_at(upload, SIZE, read_at, &any, drop_tape), COS_SLICE_OK);
    run(upload);
    run(upload);
    CHECK(happened(&any.dropped) == 0);
    CHECK_STATUS(cos_slice_upload_set_read_at(upload, SIZE, read_at, &other, drop_tape), COS_SLICE_OK);
    CHECK(happened(&any.dropped) == 1); /* at once, though it was run */

    CHECK_STATUS(cos_slice_upload_set_stream(upload, SIZE, read_on, &stream, drop_tape), COS_SLICE_OK);
    run(upload);
    CHECK(cos_slice_upload_sha1(upload) != NULL); /* taken while it was read */
    CHECK_STATUS(cos_slice_upload_set_hash(upload, 1), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "hash: ");

    CHECK_STATUS(cos_slice_upload_set_stream(upload, -1, read_on, &spooled, drop_tape), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "spool");
    CHECK_STATUS(cos_slice_upload_set_spool(upload, "", SIZE), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_spool(upload, NULL, -1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_spool(upload, NULL, INT64_MAX), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_spool(upload, in_directory("."), SIZE), COS_SLICE_OK);
    run(upload);
    CHECK(cos_slice_upload_sha1(upload) != NULL);
    run(upload); /* from the file it was spooled to */
    cos_slice_upload_free(upload);
    CHECK(happened(&other.dropped) == 1 && happened(&stream.dropped) == 1 && happened(&spooled.dropped) == 1);
}

static void refused(void)
{
    struct tape tape = TAPE(content);
    cos_slice_upload *upload = upload_to("refused");
    CHECK_STATUS(cos_slice_upload_set_read_at(upload, SIZE, NULL, &tape, drop_tape), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_read_at(upload, -1, read_at, &tape, drop_tape), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_stream(upload, SIZE, NULL, &tape, drop_tape), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_stream(upload, -2, read_on, &tape, drop_tape), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_read_at(NULL, SIZE, read_at, &tape, drop_tape), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_stream(NULL, SIZE, read_on, &tape, drop_tape), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK(happened(&tape.dropped) == 6);
    CHECK_STATUS(cos_slice_upload_set_read_at(upload, INT64_MAX, read_at, NULL, NULL), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_TOO_LARGE, "68719476736");
    cos_slice_upload_free(upload);
}

/* What a function returned in place of a number of bytes reaches the caller, and an upload can go on after it. */
static void failures(void)
{
    static const struct { int64_t failure; int32_t status; int32_t value; const char *text; } cases[] = {
        { -7, COS_SLICE_ERR_FILE_READ, -7, "it returned -7" },
        { INT64_MIN, COS_SLICE_ERR_FILE_READ, INT32_MIN, "it returned" },
        { INT64_MAX, COS_SLICE_ERR_FILE_READ, 0, "room for" },
        { 0, COS_SLICE_ERR_SOURCE_CHANGED, 0, "before its size" },
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tape any = TAPE(content), stream = TAPE(content);
        cos_slice_upload *upload = upload_to("failures");
        any.fails_at = stream.fails_at = 700000;
        any.failure = stream.failure = cases[i].failure;
        CHECK_STATUS(cos_slice_upload_set_read_at(upload, SIZE, read_at, &any, drop_tape), COS_SLICE_OK);
        CHECK(cos_slice_upload_run(upload, &error) == cases[i].status);
        CHECK(strstr(cos_slice_error_message(error), cases[i].text) != NULL);
        CHECK(cos_slice_error_callback_value(error) == cases[i].value);
        cos_slice_error_free(error);
        CHECK_STATUS(cos_slice_upload_set_stream(upload, SIZE, read_on, &stream, drop_tape), COS_SLICE_OK);
        CHECK(cos_slice_upload_run(upload, &error) == cases[i].status);
        CHECK(strstr(cos_slice_error_message(error), cases[i].text) != NULL);
        CHECK(cos_slice_error_callback_value(error) == cases[i].value);
        cos_slice_error_free(error);
        stream.fails_at = -1;
        run(upload);
        cos_slice_upload_free(upload);
    }
}

static void use_inside(struct tape *tape)
{
    cos_slice_progress progress;
    progress.struct_size = sizeof progress;
    CHECK_STATUS(cos_slice_upload_progress(tape->upload, &progress), COS_SLICE_OK);
    CHECK(cos_slice_upload_run(tape->upload, NULL) == COS_SLICE_ERR_BUSY);
    CHECK(cos_slice_upload_start(tape->upload, NULL) == COS_SLICE_ERR_BUSY);
    CHECK(cos_slice_upload_wait(tape->upload, -1, NULL) == COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_upload_set_range(tape->upload, 1, 1), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_upload_set_spool(tape->upload, NULL, 1), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_upload_set_descriptor(tape->upload, 0), COS_SLICE_ERR_BUSY);
    cos_slice_upload_cancel(tape->upload);
}

static void free_inside(struct tape *tape)
{
    cos_slice_upload_free(tape->upload);
    cos_slice_client_free(client);
}

static void inside(void)
{
    struct tape tape = TAPE(content), freeing = TAPE(content), freed = TAPE(content);
    struct tape *tapes[2];
    size_t i;
    cos_slice_upload *upload = upload_to("inside");
    tape.upload = upload;
    tape.inside = use_inside;
    CHECK_STATUS(cos_slice_upload_set_read_at(upload, SIZE, read_at, &tape, drop_tape), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_CANCELLED, NULL);
    run(upload);
    cos_slice_upload_free(upload);

    /* The last handles of a client go on one of its own threads: nothing waits for itself. */
    tapes[0] = &freeing;
    tapes[1] = &freed;
    for (i = 0; i < 2; i++) {
        tapes[i]->upload = upload_to("inside");
        tapes[i]->inside = free_inside;
        CHECK_STATUS(i == 0 ? cos_slice_upload_set_read_at(tapes[i]->upload, SIZE, read_at, tapes[i], drop_tape)
                            : cos_slice_upload_set_stream(tapes[i]->upload, SIZE, read_on, tapes[i], drop_tape),
                     COS_SLICE_OK);
        CHECK_STATUS(cos_slice_upload_start(tapes[i]->upload, NULL), COS_SLICE_OK);
        wait_for(&tapes[i]->dropped, 1);
        client = client_for(endpoint);
    }
}

int main(int argc, char **argv)
{
    size_t i;
    begin(argc, argv);
    for (i = 0; i < SIZE; i++)
        content[i] = (char)(i * 31 + i / 4099);
    client = client_for(endpoint);
    /* First, for its threads end by themselves, and are to be gone by the end. */
    inside();
    descriptors();
    parts();
    functions();
    refused();
    failures();
    cos_slice_client_free(client);
    return 0;
}
