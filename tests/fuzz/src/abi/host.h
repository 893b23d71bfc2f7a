/* What the calls act on, and where their arguments come from. */
#ifndef HOST_H
#define HOST_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cos_slice.h>

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

/* Says what a private store wants otherwise; the setter's status. */
int32_t set_dialect(struct host *host, cos_slice_client *client);

#endif
