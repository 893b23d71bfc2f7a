/* Two libraries that were written in Rust, in one program: both work, and a panic in either is caught in it.
 *
 * The panic in cos_slice is real: this program has a clock of its own, which the libraries use, and which can be told to
 * fail; Rust's standard library panics then. */
#define _GNU_SOURCE
#include <cos_slice.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Of the other library: the quotient, or -1 where dividing panicked. */
int32_t other_divide(int32_t dividend, int32_t divisor);

static volatile int clock_fails;

int clock_gettime(clockid_t clock, struct timespec *time) {
    return clock_fails ? -1 : (int)syscall(SYS_clock_gettime, clock, time);
}

static int failures;

static void expect(int right, const char *what) {
    if (!right) {
        failures++;
        fprintf(stderr, "two_libraries: not so: %s\n", what);
    }
}

/* One upload of a few bytes; with a clock that fails, if that is wanted. */
static int32_t upload(cos_slice_client *client, const char *path, int with_broken_clock, char *message, size_t size) {
    cos_slice_upload *upload = cos_slice_upload_new(client, "two", path);
    cos_slice_error *error = NULL;
    int32_t status;
    cos_slice_upload_set_memory(upload, "content", 7);
    clock_fails = with_broken_clock;
    status = cos_slice_upload_run(upload, &error);
    clock_fails = 0;
    snprintf(message, size, "%d: %s", (int)status, error != NULL ? cos_slice_error_message(error) : "");
    cos_slice_error_free(error);
    cos_slice_upload_free(upload);
    return status;
}

int main(int argc, char **argv) {
    char message[1024];
    cos_slice_client *client;
    if (argc != 2) {
        fprintf(stderr, "usage: two_libraries ENDPOINT\n");
        return 2;
    }
    client = cos_slice_client_new();
    cos_slice_client_set_endpoint(client, argv[1]);
    cos_slice_client_set_secret_key(client, "1251668577", "AKIDtest", "secret");

    expect(other_divide(6, 3) == 2, "the other library divides");
    expect(other_divide(6, 0) == -1, "its panic is caught in it");
    expect(upload(client, "/first", 0, message, sizeof message) == COS_SLICE_OK, message);
    expect(upload(client, "/second", 1, message, sizeof message) == COS_SLICE_ERR_PANIC, message);
    expect(other_divide(6, 0) == -1, "a panic of the other is caught after one here");
    cos_slice_client_free(client);
    return failures != 0;
}
