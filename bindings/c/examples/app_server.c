/* An app server: it has the secret key, and signs what its clients may upload. app_client.c is such a client. It asks
 *
 *     POST /sign HTTP/1.1
 *     Authorization: Bearer WORD
 *     Content-Length: …
 *
 *     kind=0
 *     lifetime_s=600
 *     bucket=videos
 *     path=uploads/big.mp4
 *
 * and gets the authorization string as the body of the answer. This server knows one user, serves one request at a time and
 * speaks http to this machine alone. A real one speaks https, knows who asks, and gives each user a folder of his own; what
 * it has to check before it signs, and how it signs, is the same.
 *
 * The environment has COS_SLICE_APP_ID, COS_SLICE_SECRET_ID, COS_SLICE_SECRET_KEY and the clients' APP_WORD. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cos_slice.h>

#define FOLDER "uploads/"
#define BUCKET "videos"

/* The longest that strings made here are good for, in seconds. */
static int64_t longest_life;

static const char *needed(const char *name) {
    const char *value = getenv(name);
    if (value == NULL || *value == '\0') { fprintf(stderr, "app_server: %s is not set\n", name); exit(2); }
    return value;
}

static void answer(int client, const char *status, const char *body) {
    char text[16 * 1024];
    int length = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %lu\r\n"
                          "Connection: close\r\n\r\n%s", status, (unsigned long)strlen(body), body);
    int sent = 0;
    while (length > 0 && length < (int)sizeof text && sent < length) {
        ssize_t count = send(client, text + sent, (size_t)(length - sent), MSG_NOSIGNAL);
        if (count <= 0) break;
        sent += (int)count;
    }
}

/* The value of the header, or of the line of the body, that begins with this name; ended by NUL in place of its line end. */
static char *value_of(char *text, const char *name) {
    for (char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncasecmp(line, name, strlen(name)) == 0) {
            char *value = line + strlen(name);
            size_t length = strcspn(value, "\r\n");
            char *copy = malloc(length + 1);
            if (copy == NULL) return NULL;
            memcpy(copy, value, length);
            copy[length] = '\0';
            return copy;
        }
    return NULL;
}

/* Compares in a time that tells nothing of where two texts differ. */
static int is_same(const char *text, const char *secret) {
    size_t length = strlen(secret);
    unsigned char difference = strlen(text) != length;
    for (size_t i = 0; i < length && text[i] != '\0'; i++) difference |= (unsigned char)(text[i] ^ secret[i]);
    return difference == 0;
}

/* Reads a request with its body; NULL in body where it is none. */
static void receive(int client, char *text, size_t size, char **body) {
    size_t received = 0;
    *body = NULL;
    while (received < size - 1) {
        ssize_t count = recv(client, text + received, size - 1 - received, 0);
        if (count <= 0) return;
        received += (size_t)count;
        text[received] = '\0';
        char *end = strstr(text, "\r\n\r\n");
        if (end == NULL) continue;
        char *length = value_of(text, "content-length:");
        unsigned long wanted = length == NULL ? 0 : strtoul(length, NULL, 10);
        free(length);
        if ((size_t)(text + received - (end + 4)) >= wanted) { *end = '\0'; *body = end + 4; return; }
    }
}

/* What this user may have signed: uploads into his folder. The library refuses paths that lead out of it, such as "a/../b". */
static const char *why_not(int64_t kind, const char *bucket, const char *path) {
    if (kind != COS_SLICE_SIGNATURE_MULTI_EFFECT) return "you may not delete";
    if (bucket == NULL || strcmp(bucket, BUCKET) != 0) return "this is not your bucket";
    if (path == NULL || strncmp(path, FOLDER, strlen(FOLDER)) != 0) return "this is not your folder";
    return NULL;
}

static void sign(int client, char *body) {
    char *kind = value_of(body, "kind="), *lifetime = value_of(body, "lifetime_s=");
    char *bucket = value_of(body, "bucket="), *path = value_of(body, "path=");
    cos_slice_sign_request request = { sizeof request, kind == NULL ? 0 : atoi(kind), NULL, NULL, bucket, path, 0 };
    const char *refusal = why_not(request.kind, bucket, path);
    request.lifetime_s = lifetime == NULL ? longest_life : strtoll(lifetime, NULL, 10);
    if (request.lifetime_s > longest_life) request.lifetime_s = longest_life;
    if (refusal != NULL) {
        answer(client, "403 Forbidden", refusal);
    } else {
        cos_slice_signature *signature = NULL;
        cos_slice_error *error = NULL;
        if (cos_slice_sign(getenv("COS_SLICE_APP_ID"), getenv("COS_SLICE_SECRET_ID"), getenv("COS_SLICE_SECRET_KEY"),
                           COS_SLICE_SIGNATURE_SCOPE_PATH, &request, &signature, &error) == COS_SLICE_OK) {
            printf("signed %s/%s\n", bucket, path);
            answer(client, "200 OK", cos_slice_signature_text(signature));
        } else {
            answer(client, "400 Bad Request", cos_slice_error_message(error));
        }
        cos_slice_signature_free(signature);
        cos_slice_error_free(error);
    }
    free(kind); free(lifetime); free(bucket); free(path);
}

static void serve(int client) {
    char text[8 * 1024], *body, *word;
    struct timeval limit = { 5, 0 };
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    receive(client, text, sizeof text, &body);
    if (body == NULL) { answer(client, "400 Bad Request", "no whole request arrived"); return; }
    word = value_of(text, "authorization: bearer ");
    if (strncmp(text, "POST /sign ", 11) != 0)
        answer(client, "404 Not Found", "there is only POST /sign");
    else if (word == NULL || !is_same(word, getenv("APP_WORD")))
        answer(client, "401 Unauthorized", "who are you?");
    else
        sign(client, body);
    free(word);
}

int main(int argc, char **argv) {
    if (argc != 3) { fprintf(stderr, "usage: %s PORT LONGEST_LIFE_IN_SECONDS\n", argv[0]); return 2; }
    longest_life = strtoll(argv[2], NULL, 10);
    needed("COS_SLICE_APP_ID"); needed("COS_SLICE_SECRET_ID"); needed("COS_SLICE_SECRET_KEY"); needed("APP_WORD");

    struct sockaddr_in address = { 0 };
    socklen_t length = sizeof address;
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)atoi(argv[1]));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0) { perror("app_server"); return 1; }
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("port %u\n", (unsigned)ntohs(address.sin_port));
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0) { perror("app_server"); return 1; }
        serve(client);
        close(client);
    }
}
