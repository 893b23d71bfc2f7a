/* What the machine can do: the requests of an upload, with nothing around them. Each has the head and the form of the library's,
 * byte for byte as long, is sent with as few system calls as there can be, and its answer is read.
 *
 *   floor send     ADDRESS PORT FILE CONNECTIONS TIMES  slices: pread into a page-aligned buffer, send
 *   floor sendfile ADDRESS PORT FILE CONNECTIONS TIMES  slices: sendfile
 *   floor uploads  ADDRESS PORT FILE 1 TIMES            uploads of a file of one slice: init, slice, finish, stat
 *   floor singles  ADDRESS PORT FILE 1 TIMES            uploads in one request: upload, stat
 *
 * It prints a JSON object with the seconds that took. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLICE_SIZE ((off_t)1 << 20)
/* Of 64 KiB to 1 MiB the fastest: the buffer stays in the cache of its core. */
#define BUFFER_SIZE ((size_t)256 << 10)
#define MAX_THREADS 256
#define MAX_TEXT 4096

#define PATH "/files/v2/1251668577/videos/bench/object"
#define BOUNDARY "----------------------------09661e9c7c5522ee8d5059c63c211c3f"
#define SESSION "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define SHA "ebf3b4d52d169bd282631a6082a9f05a644f8ab1"
#define CLOSE "\r\n--" BOUNDARY "--\r\n"
/* As long as a signature for that path. */
#define AUTHORIZATION_LENGTH 168

enum how { BY_SEND, BY_SENDFILE };

static const char *address;
static uint16_t port;
static int file;
static off_t file_size;
static enum how how;
static char authorization[AUTHORIZATION_LENGTH + 1];
/* How often the file is sent. */
static long times;
/* The next slice that a connection takes, counted through all times. */
static atomic_llong next_slice;

static _Noreturn void die(const char *what) {
    fprintf(stderr, "floor: %s: %s\n", what, errno ? strerror(errno) : "failed");
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* A text that is put together. */
struct text {
    size_t length;
    char bytes[MAX_TEXT];
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text->bytes + text->length, MAX_TEXT - text->length, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= MAX_TEXT - text->length) die("a request is too long");
    text->length += (size_t)length;
}

static void add_field(struct text *form, const char *name, const char *value) {
    add(form, "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", name, value);
}

static void add_number(struct text *form, const char *name, long long value) {
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", value);
    add_field(form, name, digits);
}

/* Behind it the content follows, and then CLOSE. */
static void begin_content(struct text *form) {
    add(form, "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"filecontent\"\r\n\r\n");
}

/* The head of a POST whose body has so many bytes. */
static void add_head(struct text *text, long long body) {
    add(text,
        "POST " PATH " HTTP/1.1\r\nuser-agent: cos-slice/0.1.0\r\naccept: */*\r\nhost: %s:%u\r\n"
        "content-type: multipart/form-data; boundary=" BOUNDARY "\r\ncontent-length: %lld\r\nauthorization: %s\r\n\r\n",
        address, (unsigned)port, body, authorization);
}

static int open_connection(void) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, address, &to.sin_addr) != 1) die(address);
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    if (connection < 0 || connect(connection, (struct sockaddr *)&to, sizeof to) != 0) die("connect");
    if (setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) die("TCP_NODELAY");
    return connection;
}

static void send_bytes(int connection, const char *bytes, size_t length, int flags) {
    while (length > 0) {
        ssize_t sent = send(connection, bytes, length, flags | MSG_NOSIGNAL);
        if (sent < 0) die("send");
        bytes += sent;
        length -= (size_t)sent;
    }
}

static void send_from_file(int connection, off_t offset, off_t length, char *buffer) {
    while (length > 0) {
        size_t part = length < (off_t)BUFFER_SIZE ? (size_t)length : BUFFER_SIZE;
        ssize_t count = how == BY_SENDFILE ? sendfile(connection, file, &offset, (size_t)length) : pread(file, buffer, part, offset);
        if (count <= 0) die("reading the file");
        if (how == BY_SEND) {
            send_bytes(connection, buffer, (size_t)count, MSG_MORE);
            offset += count;
        }
        length -= count;
    }
}

/* Reads an answer to its end, which must be one of success. */
static void read_answer(int connection) {
    char answer[MAX_TEXT];
    size_t length = 0, whole = 0;
    while (whole == 0 || length < whole) {
        ssize_t count = recv(connection, answer + length, sizeof answer - 1 - length, 0);
        if (count <= 0) die("recv");
        length += (size_t)count;
        answer[length] = 0;
        char *body = strstr(answer, "\r\n\r\n");
        if (whole != 0 || body == NULL) continue;
        char *said = strcasestr(answer, "content-length: ");
        if (said == NULL || said > body) die("an answer without a length");
        whole = (size_t)(body + 4 - answer) + strtoul(said + 16, NULL, 10);
        if (whole >= sizeof answer) die("an answer that is too long");
    }
    if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0 || strstr(answer, "\"code\":0") == NULL) die(answer);
}

/* One request with content out of the file, behind the fields of its form. */
static void send_content(int connection, struct text *fields, off_t offset, off_t length, char *buffer) {
    struct text text = {0};
    begin_content(fields);
    add_head(&text, (long long)fields->length + length + (long long)strlen(CLOSE));
    add(&text, "%s", fields->bytes);
    send_bytes(connection, text.bytes, text.length, MSG_MORE);
    send_from_file(connection, offset, length, buffer);
    send_bytes(connection, CLOSE, strlen(CLOSE), 0);
    read_answer(connection);
}

static void send_slice(int connection, off_t offset, char *buffer) {
    off_t left = file_size - offset;
    struct text fields = {0};
    add_field(&fields, "op", "upload_slice_data");
    add_field(&fields, "session", SESSION);
    add_number(&fields, "offset", offset);
    send_content(connection, &fields, offset, left < SLICE_SIZE ? left : SLICE_SIZE, buffer);
}

/* One request with a form of texts alone. */
static void send_form(int connection, const struct text *fields) {
    struct text text = {0};
    add_head(&text, (long long)fields->length + (long long)strlen("--" BOUNDARY "--\r\n"));
    add(&text, "%s--" BOUNDARY "--\r\n", fields->bytes);
    send_bytes(connection, text.bytes, text.length, 0);
    read_answer(connection);
}

static void send_init(int connection) {
    char parts[160];
    struct text fields = {0};
    snprintf(parts, sizeof parts, "[{\"offset\":0,\"datalen\":%lld,\"datasha\":\"" SHA "\"}]", (long long)file_size);
    add_field(&fields, "op", "upload_slice_init");
    add_number(&fields, "filesize", file_size);
    add_number(&fields, "slice_size", SLICE_SIZE);
    add_field(&fields, "sha", SHA);
    add_field(&fields, "uploadparts", parts);
    send_form(connection, &fields);
}

static void send_finish(int connection) {
    struct text fields = {0};
    add_field(&fields, "op", "upload_slice_finish");
    add_field(&fields, "session", SESSION);
    add_number(&fields, "filesize", file_size);
    add_field(&fields, "sha", SHA);
    send_form(connection, &fields);
}

static void send_stat(int connection) {
    struct text text = {0};
    add(&text, "GET " PATH "?op=stat HTTP/1.1\r\nuser-agent: cos-slice/0.1.0\r\naccept: */*\r\nhost: %s:%u\r\nauthorization: %s\r\n\r\n",
        address, (unsigned)port, authorization);
    send_bytes(connection, text.bytes, text.length, 0);
    read_answer(connection);
}

static char *page_aligned_buffer(void) {
    char *buffer = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer == MAP_FAILED) die("mmap");
    return buffer;
}

static void *send_slices(void *nothing) {
    (void)nothing;
    char *buffer = page_aligned_buffer();
    int connection = open_connection();
    off_t slices = (file_size + SLICE_SIZE - 1) / SLICE_SIZE;
    for (;;) {
        off_t slice = (off_t)atomic_fetch_add(&next_slice, 1);
        if (slice >= slices * times) break;
        send_slice(connection, slice % slices * SLICE_SIZE, buffer);
    }
    close(connection);
    return NULL;
}

static void all_slices(long connections) {
    pthread_t threads[MAX_THREADS];
    if (connections > MAX_THREADS) die("too many connections");
    for (long i = 0; i < connections; i++)
        if (pthread_create(&threads[i], NULL, send_slices, NULL) != 0) die("pthread_create");
    for (long i = 0; i < connections; i++) pthread_join(threads[i], NULL);
}

static void uploads(void) {
    char *buffer = page_aligned_buffer();
    int connection = open_connection();
    if (file_size > SLICE_SIZE) die("the file has more than one slice");
    for (long i = 0; i < times; i++) {
        send_init(connection);
        send_slice(connection, 0, buffer);
        send_finish(connection);
        send_stat(connection);
    }
    close(connection);
}

static void singles(void) {
    char *buffer = page_aligned_buffer();
    int connection = open_connection();
    for (long i = 0; i < times; i++) {
        struct text fields = {0};
        add_field(&fields, "op", "upload");
        add_field(&fields, "sha", SHA);
        send_content(connection, &fields, 0, file_size, buffer);
        send_stat(connection);
    }
    close(connection);
}

int main(int argc, char **argv) {
    struct stat status;
    if (argc != 7) {
        fprintf(stderr, "usage: floor send|sendfile|uploads|singles ADDRESS PORT FILE CONNECTIONS TIMES\n");
        return 2;
    }
    address = argv[2];
    port = (uint16_t)atoi(argv[3]);
    file = open(argv[4], O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0) die(argv[4]);
    file_size = status.st_size;
    long connections = atol(argv[5]);
    times = atol(argv[6]);
    if (connections < 1 || times < 1) die("both numbers must be positive");
    memset(authorization, 'A', AUTHORIZATION_LENGTH);

    double began = now();
    how = strcmp(argv[1], "send") == 0 ? BY_SEND : BY_SENDFILE;
    if (how == BY_SEND || strcmp(argv[1], "sendfile") == 0) all_slices(connections);
    else if (connections != 1) die("more than one connection");
    else if (strcmp(argv[1], "uploads") == 0) uploads();
    else if (strcmp(argv[1], "singles") == 0) singles();
    else die(argv[1]);
    printf("{\"seconds\":%.9f}\n", now() - began);
    return 0;
}
