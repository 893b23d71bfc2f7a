/* What the test programs share. Each takes ENDPOINT DIRECTORY: an emulator, and an empty folder. */
#ifndef CHECK_H
#define CHECK_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cos_slice.h>

/* The programs pass NULL where the header asks for something, and see what comes of it. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wnonnull"
#endif

#define CHECK(condition)                                                                     \
    do {                                                                                     \
        if (!(condition)) {                                                                  \
            fprintf(stderr, "%s:%d: this does not hold: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                         \
        }                                                                                    \
    } while (0)

/* A call that takes an error out-parameter named error: its status, and a text that the message holds or NULL. */
#define CHECK_ENDS(call, wanted, text) check_ends(__FILE__, __LINE__, #call, (call), (wanted), &error, (text))

/* A call that returns a status. */
#define CHECK_STATUS(call, wanted) check_status(__FILE__, __LINE__, #call, (call), (wanted))

/* Something that other threads wait for to have happened so and so often. */
struct event {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int count;
};

#define EVENT { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 }

void happen(struct event *event);
int happened(struct event *event);
void wait_for(struct event *event, int count);
/* happen, as a drop function. */
void count_drop(void *event);

/* Takes the arguments of main, and ends the program if it hangs. */
void begin(int argc, char **argv);
extern const char *endpoint;

/* The path of a file in the folder; valid until the next call. */
const char *in_directory(const char *name);
/* Makes a file of size bytes that are different for different seeds. */
void make_file(const char *path, size_t size, unsigned seed);

/* A client with the emulator's key. */
cos_slice_client *client_for(const char *endpoint);
/* The endpoint of a server that takes connections and requests, and never answers. */
const char *silent_server(void);
/* An endpoint where nobody listens. */
const char *closed_port(void);

/* Has the emulator do this, in the JSON of its fault rules, until its faults are cleared. */
void add_faults(const char *json);
void clear_faults(void);
/* Puts the emulator's switches into these positions, in JSON. */
void set_switches(const char *json);
/* Returns when the emulator has got so many requests of this operation since it was started. */
void wait_for_requests(const char *operation, int count);
/* How many it has got. */
int count_requests(const char *operation);

void check_ends(const char *file, int line, const char *call, int32_t status, int32_t wanted, cos_slice_error **error,
                const char *text);
void check_status(const char *file, int line, const char *call, int32_t status, int32_t wanted);

#endif
