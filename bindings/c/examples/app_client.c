/* An upload by a program that has no secret key: it asks its app server (app_server.c) for the authorization string whenever
 * the library wants one. The environment has COS_SLICE_APP_ID, and APP_WORD, by which the app server knows its user. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cos_slice.h>

struct app_server { uint16_t port; const char *word; };

static int connect_to(const struct app_server *server) {
    struct sockaddr_in address = { 0 };
    struct timeval limit = { 5, 0 };    /* nobody else interrupts a signer, so each wait needs a limit */
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_family = AF_INET;
    address.sin_port = htons(server->port);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    if (connection < 0) return -1;
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) == 0) return connection;
    close(connection);
    return -1;
}

/* Sends the question and reads the answer to its end; 0 where that failed. */
static int ask(int connection, const char *question, char *text, size_t size) {
    size_t sent = 0, length = strlen(question), received = 0;
    while (sent < length) {
        ssize_t count = send(connection, question + sent, length - sent, MSG_NOSIGNAL);
        if (count <= 0) return 0;
        sent += (size_t)count;
    }
    for (;;) {
        ssize_t count = recv(connection, text + received, size - 1 - received, 0);
        if (count < 0) return 0;
        received += (size_t)count;
        text[received] = '\0';
        if (count == 0 || received == size - 1) return 1;
    }
}

/* The library calls this, on threads of its own. */
static int32_t sign(const cos_slice_sign_request *request, cos_slice_signature *signature, void *user_data) {
    const struct app_server *server = user_data;
    char body[2048], question[4096], text[16 * 1024] = "", message[256] = "", *end;
    snprintf(body, sizeof body, "kind=%d\nlifetime_s=%lld\nbucket=%s\npath=%s\n", (int)request->kind,
             (long long)request->lifetime_s, request->bucket, request->path);
    snprintf(question, sizeof question, "POST /sign HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
             "Content-Length: %lu\r\nConnection: close\r\n\r\n%s", server->word, (unsigned long)strlen(body), body);

    int connection = connect_to(server);
    if (connection < 0 || !ask(connection, question, text, sizeof text)) {
        char reason[128] = "";
        strerror_r(errno, reason, sizeof reason);
        snprintf(message, sizeof message, "the app server can't be reached: %s", reason);
    } else if ((end = strstr(text, "\r\n\r\n")) == NULL || strncmp(text, "HTTP/1.1 200 ", 13) != 0) {
        snprintf(message, sizeof message, "the app server refused: %.*s: %.100s", (int)strcspn(text, "\r\n"), text,
                 end == NULL ? "" : end + 4);
    } else {
        cos_slice_signature_set(signature, end + 4);
    }
    if (connection >= 0) close(connection);
    if (message[0] == '\0') return 0;
    cos_slice_signature_fail(signature, message);
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 6) { fprintf(stderr, "usage: %s ENDPOINT APP_SERVER_PORT BUCKET PATH FILE\n", argv[0]); return 2; }
    struct app_server server = { (uint16_t)atoi(argv[2]), getenv("APP_WORD") };
    if (server.word == NULL) { fprintf(stderr, "app_client: APP_WORD is not set\n"); return 2; }
    cos_slice_client *client = cos_slice_client_new();
    cos_slice_client_set_endpoint(client, argv[1]);
    cos_slice_client_set_signer(client, getenv("COS_SLICE_APP_ID"), sign, &server, NULL);

    cos_slice_upload *upload = cos_slice_upload_new(client, argv[3], argv[4]);
    cos_slice_upload_set_file(upload, argv[5]);

    cos_slice_error *error = NULL;
    int32_t status = cos_slice_upload_run(upload, &error);
    if (status == COS_SLICE_OK)
        printf("%s\n%llu bytes were there already\n", cos_slice_upload_access_url(upload),
               (unsigned long long)cos_slice_upload_bytes_resumed(upload));
    else
        fprintf(stderr, "upload failed (%d): %s\n", (int)status, cos_slice_error_message(error));

    cos_slice_error_free(error);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    return status == COS_SLICE_OK ? 0 : 1;
}
