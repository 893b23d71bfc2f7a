/* One file that several processes send, on one machine or on several: one begins, each sends its share of the slices, at the same
 * time or not, and one finishes. "-" stands for no SHA-1; begin takes it itself where anything else is given.
 *
 *   three_processes begin  ENDPOINT BUCKET PATH FILE SHA1                              prints session, slice size and SHA-1
 *   three_processes send   ENDPOINT BUCKET PATH FILE SHA1 SESSION SLICE_SIZE K N       sends each slice i with i % N == K
 *   three_processes rest   ENDPOINT BUCKET PATH FILE SHA1                              sends what is missing, whoever died
 *   three_processes finish ENDPOINT BUCKET PATH FILE SHA1 SESSION                      prints the object's URL
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cos_slice.h>

static cos_slice_error *error;

static void check(int32_t status) {
    if (status != COS_SLICE_OK) {
        fprintf(stderr, "failed (%d): %s\n", (int)status, cos_slice_error_message(error));
        exit(1);
    }
}

/* Sends the bytes from begin to end, each slice where the service expects it. */
static void send(cos_slice_operation *operation, int64_t begin, int64_t end, int64_t slice_size) {
    while (begin < end) {
        int64_t next = begin - begin % slice_size + slice_size;
        if (next > end)
            next = end;
        check(cos_slice_operation_slice(operation, begin, next - begin, NULL, &error));
        begin = next;
    }
}

static void begin(cos_slice_operation *operation, int hash) {
    cos_slice_answer *answer, *digest = NULL;
    if (hash)
        check(cos_slice_operation_hash(operation, &digest, &error));
    check(cos_slice_operation_init(operation, &answer, &error));
    if (cos_slice_answer_kind(answer) == COS_SLICE_ANSWER_COMPLETE)
        printf("complete\n");                           /* the service has this very content there */
    else
        printf("%s\n%lld\n%s\n", cos_slice_answer_session(answer), (long long)cos_slice_answer_slice_size(answer),
               hash ? cos_slice_answer_sha1(digest) : "-");
    cos_slice_answer_free(answer);
    cos_slice_answer_free(digest);
}

static void send_share(cos_slice_operation *operation, const char *file, int64_t slice_size, int64_t k, int64_t n) {
    FILE *opened = fopen(file, "rb");
    int64_t size, offset;
    if (opened == NULL || fseek(opened, 0, SEEK_END) != 0 || slice_size < 1 || n < 1) {
        fprintf(stderr, "failed: %s can't be read, or a number is not positive\n", file);
        exit(1);
    }
    size = ftell(opened);
    fclose(opened);
    for (offset = k * slice_size; offset < size; offset += n * slice_size)
        send(operation, offset, size - offset < slice_size ? size : offset + slice_size, slice_size);
}

/* The service's list counts, not what the processes believe that they sent. */
static void send_rest(cos_slice_operation *operation) {
    cos_slice_answer *list;
    int64_t position = 0, offset, length, slice_size;
    size_t part;
    check(cos_slice_operation_list(operation, &list, &error));
    if (cos_slice_answer_kind(list) == COS_SLICE_ANSWER_UNFINISHED) {
        slice_size = cos_slice_answer_slice_size(list);
        cos_slice_operation_set_session(operation, cos_slice_answer_session(list));
        for (part = 0; part < cos_slice_answer_part_count(list); part++) {
            cos_slice_answer_part(list, part, &offset, &length);
            send(operation, position, offset, slice_size);
            position = offset + length;
        }
        send(operation, position, cos_slice_answer_size(list), slice_size);
    }
    cos_slice_answer_free(list);
}

static void finish(cos_slice_operation *operation) {
    cos_slice_answer *answer;
    check(cos_slice_operation_finish(operation, &answer, &error));
    printf("%s\n", cos_slice_answer_access_url(answer));
    cos_slice_answer_free(answer);
}

int main(int argc, char **argv) {
    const char *verb = argc > 6 ? argv[1] : "";
    int has_sha1 = argc > 6 && strcmp(argv[6], "-") != 0;
    cos_slice_client *client = cos_slice_client_new();
    cos_slice_operation *operation;
    cos_slice_client_set_endpoint(client, argc > 2 ? argv[2] : NULL);
    cos_slice_client_set_secret_key(client, "1251668577", "AKIDtest", "secret");
    operation = cos_slice_operation_new(client, argc > 3 ? argv[3] : NULL, argc > 4 ? argv[4] : NULL);
    if (argc > 5)
        cos_slice_operation_set_file(operation, argv[5]);
    if (has_sha1 && strcmp(verb, "begin") != 0)
        cos_slice_operation_set_sha1(operation, argv[6]);       /* where init had it, the others must have it too */
    if (argc > 7)
        cos_slice_operation_set_session(operation, argv[7]);

    if (strcmp(verb, "begin") == 0 && argc == 7)
        begin(operation, has_sha1);
    else if (strcmp(verb, "send") == 0 && argc == 11)
        send_share(operation, argv[5], atoll(argv[8]), atoll(argv[9]), atoll(argv[10]));
    else if (strcmp(verb, "rest") == 0 && argc == 7)
        send_rest(operation);
    else if (strcmp(verb, "finish") == 0 && argc == 8)
        finish(operation);
    else
        return fprintf(stderr, "usage: see the top of three_processes.c\n"), 2;

    cos_slice_operation_free(operation);
    cos_slice_client_free(client);
    return 0;
}
