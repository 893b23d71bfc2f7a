/* What the calls act on, and where their arguments come from. */
#ifndef HOST_H
#define HOST_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cos_slice.h>

/* Arguments may be NULL where the header asks for something. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wnonnull"
#endif

/* The emulator's key. No text of the library has it. */
#define SECRET "a-planted-secret-key"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define CHECK(condition)                                                                            \
    do {                                                                                            \
        if (!(condition)) {                                                                         \
            fprintf(stderr, "%s:%d: this does not hold: %s\n", __FILE__, __LINE__, #condition);     \
            abort();                                                                                \
        }                                                                                           \
    } while (0)

#define TRACE(...)                                \
    do {                                          \
        if (host->trace) {                        \
            fprintf(stderr, __VA_ARGS__);         \
            fputc('\n', stderr);                  \
        }                                         \
    } while (0)

/* What the calls act on. */
struct host {
    const uint8_t *next, *end;
    const char *emulator, *closed_port, *folder;
    cos_slice_client *clients[3];
    cos_slice_upload *uploads[4];
    cos_slice_error *errors[3];
    cos_slice_operation *operations[2];
    cos_slice_answer *answers[2];
    /* The slot of the upload that is inside cos_slice_upload_run; -1 where none is. */
    int running;
    int trace;
};

/* A byte; 0 where the input is used up. */
uint8_t take(struct host *host);
/* A text up to the next 0xff; usual for 0, NULL or one of those that are special for what follows. The caller frees it. */
char *take_text(struct host *host, const char *usual);
/* A number, often one at the end of a range. */
int64_t take_number(struct host *host);
/* A deadline that is short or refused: no upload takes long. */
int64_t take_deadline(struct host *host);
/* A file's path within the folder, so that the input names nothing else on this machine; NULL for NULL. The caller frees it. */
char *take_path(struct host *host, const char *usual);

/* Says what is uploaded; in sources.c. */
int32_t set_source(struct host *host, cos_slice_upload *upload);

/* Says what a private store wants otherwise; the setter's status. */
int32_t set_dialect(struct host *host, cos_slice_client *client);
/* A user_data from malloc is given away … */
void give(void);
/* … and comes back: its drop function. */
void come_back(void *user_data);
void wait_until_all_came_back(void);

/* Nothing in it that no text may have. */
void check_text(const char *text);
/* The same, or NULL. */
void check_optional_text(const char *text);
/* How a call with an error out-parameter ended; keeps the error, or frees it at once. */
void check_end(struct host *host, int32_t status, cos_slice_error *error);

/* Gives a client a signer. */
int32_t set_signer(struct host *host, cos_slice_client *client);
/* Gives a client a log. */
int32_t set_log(struct host *host, cos_slice_client *client);
/* Signs something, as an app server does. */
void sign_something(struct host *host);

/* A text without a secret and without control characters; the same, or NULL. */
void check_text(const char *text);
void check_optional_text(const char *text);
/* How a setter may end. */
void check_setter(int32_t status);
/* How a call with an error out-parameter ended; keeps the error, or frees it at once. */
void check_end(struct host *host, int32_t status, cos_slice_error *error);

/* A call on an operation, of the kind that call says. */
void use_operation(struct host *host, uint8_t call);
/* Frees all of them, and what they answered. */
void free_operations(struct host *host);

#endif
