#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* Far more than any of the programs needs, valgrind included. */
#define HANG_GUARD_SECONDS 240

const char *endpoint;
static const char *directory;

void begin(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s ENDPOINT DIRECTORY\n", argv[0]);
        exit(2);
    }
    endpoint = argv[1];
    directory = argv[2];
    alarm(HANG_GUARD_SECONDS);
}

const char *in_directory(const char *name)
{
    static char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s", directory, name);
    CHECK(length > 0 && (size_t)length < sizeof path);
    return path;
}

void make_file(const char *path, size_t size, unsigned seed)
{
    FILE *file = fopen(path, "wb");
    unsigned state = seed * 2654435761u + 1;
    size_t position;
    CHECK(file != NULL);
    for (position = 0; position < size; position++) {
        state = state * 1664525u + 1013904223u;
        CHECK(putc((int)(state >> 24), file) != EOF);
    }
    CHECK(fclose(file) == 0);
}

cos_slice_client *client_for(const char *address)
{
    cos_slice_client *client = cos_slice_client_new();
    CHECK(client != NULL);
    CHECK_STATUS(cos_slice_client_set_endpoint(client, address), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_secret_key(client, "1251668577", "AKIDtest", "secret"), COS_SLICE_OK);
    return client;
}

/* A socket bound to a free port of this machine, and its address. */
static int bound_socket(char *text, size_t size)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(descriptor >= 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(getsockname(descriptor, (struct sockaddr *)&address, &length) == 0);
    CHECK(snprintf(text, size, "http://127.0.0.1:%u", (unsigned)ntohs(address.sin_port)) > 0);
    return descriptor;
}

const char *silent_server(void)
{
    static char text[64];
    if (text[0] == '\0')
        CHECK(listen(bound_socket(text, sizeof text), 64) == 0);
    return text;
}

const char *closed_port(void)
{
    static char text[64];
    /* The socket stays bound, so that nobody else gets the port, and does not listen. */
    if (text[0] == '\0')
        (void)bound_socket(text, sizeof text);
    return text;
}

/* Asks the emulator's control interface; its answer, head and all, is valid until the next call. */
static const char *control(const char *method, const char *target, const char *body)
{
    static char answer[4096];
    char request[2048];
    size_t received = 0, sent = 0, length;
    ssize_t count;
    unsigned port;
    struct sockaddr_in address;
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connection >= 0 && sscanf(endpoint, "http://127.0.0.1:%u", &port) == 1);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(connect(connection, (struct sockaddr *)&address, sizeof address) == 0);
    length = (size_t)snprintf(request, sizeof request,
                              "%s /_emulator/%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                              "Content-Length: %lu\r\n\r\n%s",
                              method, target, (unsigned long)strlen(body), body);
    CHECK(length < sizeof request);
    while (sent < length) {
        CHECK((count = write(connection, request + sent, length - sent)) > 0);
        sent += (size_t)count;
    }
    while ((count = read(connection, answer + received, sizeof answer - 1 - received)) > 0)
        received += (size_t)count;
    CHECK(count == 0 && close(connection) == 0);
    answer[received] = '\0';
    if (strstr(answer, " 200 OK") == NULL) {
        fprintf(stderr, "the emulator's control interface says to %s %s: %s\n", method, target, answer);
        exit(1);
    }
    return answer;
}

void add_faults(const char *json)
{
    (void)control("POST", "faults", json);
}

void clear_faults(void)
{
    (void)control("DELETE", "faults", "");
}

void set_switches(const char *json)
{
    (void)control("POST", "switches", json);
}

void wait_for_requests(const char *operation, int count)
{
    char target[256];
    CHECK(snprintf(target, sizeof target, "wait?operation=%s&count=%d&timeout_ms=120000", operation, count) > 0);
    (void)control("GET", target, "");
}

int count_requests(const char *operation)
{
    char target[256];
    const char *answer, *number;
    int count;
    CHECK(snprintf(target, sizeof target, "wait?operation=%s&count=0", operation) > 0);
    answer = control("GET", target, "");
    number = strstr(answer, "\r\n\r\n");
    CHECK(number != NULL);
    number += strcspn(number, "0123456789");
    CHECK(sscanf(number, "%d", &count) == 1);
    return count;
}

void happen(struct event *event)
{
    CHECK(pthread_mutex_lock(&event->mutex) == 0);
    event->count++;
    CHECK(pthread_cond_broadcast(&event->changed) == 0);
    CHECK(pthread_mutex_unlock(&event->mutex) == 0);
}

int happened(struct event *event)
{
    int count;
    CHECK(pthread_mutex_lock(&event->mutex) == 0);
    count = event->count;
    CHECK(pthread_mutex_unlock(&event->mutex) == 0);
    return count;
}

void wait_for(struct event *event, int count)
{
    CHECK(pthread_mutex_lock(&event->mutex) == 0);
    while (event->count < count)
        CHECK(pthread_cond_wait(&event->changed, &event->mutex) == 0);
    CHECK(pthread_mutex_unlock(&event->mutex) == 0);
}

void count_drop(void *event)
{
    happen(event);
}

void check_status(const char *file, int line, const char *call, int32_t status, int32_t wanted)
{
    if (status == wanted)
        return;
    fprintf(stderr, "%s:%d: %s\n  gave %s, not %s\n", file, line, call, cos_slice_status_name(status),
            cos_slice_status_name(wanted));
    exit(1);
}

void check_ends(const char *file, int line, const char *call, int32_t status, int32_t wanted, cos_slice_error **error,
                const char *text)
{
    const char *message = cos_slice_error_message(*error);
    if (status != wanted || cos_slice_error_status(*error) != status || (*error == NULL) != (status == COS_SLICE_OK)) {
        fprintf(stderr, "%s:%d: %s\n  gave %s, not %s; the error says %s: %s\n", file, line, call,
                cos_slice_status_name(status), cos_slice_status_name(wanted),
                cos_slice_status_name(cos_slice_error_status(*error)), message);
        exit(1);
    }
    if (text != NULL && strstr(message, text) == NULL) {
        fprintf(stderr, "%s:%d: %s\n  its message lacks \"%s\": %s\n", file, line, call, text, message);
        exit(1);
    }
    cos_slice_error_free(*error);
    *error = NULL;
}
