/* A program of the first version: it knows cos_slice.h as it was then, was linked against a library of then, and runs with
 * today's. It is not changed any more. Beside it are tables that are made of the lists of then (scripts/abi.sh). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cos_slice.h"

typedef void (*function)(void);

/* Every function of then, so that the program can't even start where one is gone. */
extern const function functions[];
extern const size_t function_count;

extern const struct status { int32_t number; const char *name; } statuses[];
extern const size_t status_count;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: this does not hold: %s\n", __FILE__, __LINE__, #condition);    \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* A structure of then, and the memory behind it, which is not the library's. */
struct guarded {
    cos_slice_progress progress;
    unsigned char behind[256];
};

static void the_library_is_of_this_abi_and_not_older(void)
{
    CHECK(cos_slice_abi_version() == COS_SLICE_ABI_VERSION);
    CHECK(cos_slice_version_number() >= COS_SLICE_VERSION_NUMBER);
}

static void every_function_of_then_is_there(void)
{
    size_t i;
    CHECK(function_count > 0);
    for (i = 0; i < function_count; i++)
        CHECK(functions[i] != NULL);
}

static void every_status_of_then_means_the_same(void)
{
    size_t i;
    CHECK(status_count > 0);
    for (i = 0; i < status_count; i++)
        CHECK(strcmp(cos_slice_status_name(statuses[i].number), statuses[i].name) == 0);
}

static int32_t show(const cos_slice_progress *progress, void *last)
{
    CHECK(progress->struct_size >= sizeof *progress);
    memcpy(last, progress, sizeof *progress);
    return 0;
}

static int32_t sign(const cos_slice_sign_request *request, cos_slice_signature *signature, void *endpoint)
{
    cos_slice_sign_request mine;
    cos_slice_signature *made = NULL;
    CHECK(request->struct_size >= sizeof *request && endpoint != NULL);
    memset(&mine, 0, sizeof mine);
    mine.struct_size = sizeof mine;
    mine.kind = request->kind;
    mine.bucket = request->bucket;
    mine.path = request->path;
    mine.lifetime_s = request->lifetime_s;
    CHECK(cos_slice_sign("1251668577", "AKIDtest", "secret", COS_SLICE_SIGNATURE_SCOPE_PATH, &mine, &made, NULL) ==
          COS_SLICE_OK);
    CHECK(cos_slice_signature_set(signature, cos_slice_signature_text(made)) == COS_SLICE_OK);
    cos_slice_signature_free(made);
    return 0;
}

static void a_structure_of_then_is_filled_and_nothing_behind_it(const cos_slice_upload *upload,
                                                                const cos_slice_progress *last)
{
    struct guarded guarded;
    size_t i;
    memset(&guarded, 0x55, sizeof guarded);
    guarded.progress.struct_size = sizeof guarded.progress;
    CHECK(cos_slice_upload_progress(upload, &guarded.progress) == COS_SLICE_OK);
    CHECK(guarded.progress.struct_size == sizeof guarded.progress);
    for (i = 0; i < sizeof guarded.behind; i++)
        CHECK(guarded.behind[i] == 0x55);
    CHECK(guarded.progress.phase == COS_SLICE_PHASE_DONE && last->phase == COS_SLICE_PHASE_DONE);
    CHECK(guarded.progress.total == cos_slice_upload_size(upload) && guarded.progress.total == last->total);
    CHECK(guarded.progress.acknowledged == last->acknowledged && last->acknowledged == last->total);
    CHECK(guarded.progress.hashed == last->total && guarded.progress.resumed == 0);
    CHECK(guarded.progress.slices_done == cos_slice_upload_slices_sent(upload));
    CHECK(guarded.progress.slices_total == guarded.progress.slices_done && guarded.progress.slices_done > 1);
    CHECK(guarded.progress.retries == cos_slice_upload_retries(upload));
}

static void a_file_is_uploaded(char **argv)
{
    cos_slice_progress last;
    cos_slice_error *error = NULL;
    cos_slice_client *client = cos_slice_client_new();
    cos_slice_upload *upload = cos_slice_upload_new(client, "then", "/2026/program.bin");
    CHECK(cos_slice_client_set_endpoint(client, argv[1]) == COS_SLICE_OK);
    CHECK(cos_slice_client_set_signer(client, "1251668577", sign, argv[1], NULL) == COS_SLICE_OK);
    CHECK(cos_slice_upload_set_file(upload, argv[2]) == COS_SLICE_OK);
    CHECK(cos_slice_upload_set_slice_size(upload, 524288) == COS_SLICE_OK);
    CHECK(cos_slice_upload_set_progress(upload, show, &last, NULL) == COS_SLICE_OK);
    if (cos_slice_upload_run(upload, &error) != COS_SLICE_OK) {
        fprintf(stderr, "upload failed (%d): %s\n", (int)cos_slice_error_status(error), cos_slice_error_message(error));
        exit(1);
    }
    CHECK(error == NULL && cos_slice_upload_outcome(upload) == COS_SLICE_OUTCOME_UPLOADED);
    CHECK(cos_slice_upload_verified(upload) == 1 && cos_slice_upload_access_url(upload) != NULL);
    a_structure_of_then_is_filled_and_nothing_behind_it(upload, &last);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void a_failure_is_told(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = cos_slice_client_new();
    cos_slice_upload *upload = cos_slice_upload_new(client, "then", "/a");
    CHECK(cos_slice_client_set_connections(client, -1) == COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK(cos_slice_upload_start(upload, &error) == COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK(cos_slice_error_status(error) == COS_SLICE_ERR_INVALID_ARGUMENT && !cos_slice_error_is_retryable(error));
    CHECK(strstr(cos_slice_error_message(error), "connections") != NULL);
    CHECK(cos_slice_upload_wait(upload, 0, NULL) == COS_SLICE_ERR_NOT_STARTED);
    cos_slice_error_free(error);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s ENDPOINT FILE\n", argv[0]);
        return 2;
    }
    the_library_is_of_this_abi_and_not_older();
    every_function_of_then_is_there();
    every_status_of_then_means_the_same();
    a_file_is_uploaded(argv);
    a_failure_is_told();
    return 0;
}
