/* Each time limit that can be set ends its wait, and the error names the phase. All other limits are too long to be it. */
#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#define SHORT_MS 100
#define LONG_MS 600000
/* All attempts together, with the waits between them. */
#define PROMPT_SECONDS 60

/* More than two sockets' buffers take. */
static char large[16 << 20];

static cos_slice_client *patient(const char *address)
{
    cos_slice_client *client = client_for(address);
    CHECK_STATUS(cos_slice_client_set_connect_timeout_ms(client, LONG_MS), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_tls_timeout_ms(client, LONG_MS), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_stall_timeout_ms(client, LONG_MS), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_answer_timeout_ms(client, LONG_MS), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_finish_timeout_ms(client, LONG_MS), COS_SLICE_OK);
    return client;
}

/* Uploads so many bytes, in one request if there are no slices wanted. */
static void check_ended(cos_slice_client *client, size_t size, int in_one_request, int32_t status, const char *phase)
{
    cos_slice_error *error = NULL;
    cos_slice_upload *upload = cos_slice_upload_new(client, "videos", "name");
    time_t began = time(NULL);
    CHECK_STATUS(cos_slice_upload_set_memory(upload, large, size), COS_SLICE_OK);
    if (in_one_request)
        CHECK_STATUS(cos_slice_upload_set_single_request_limit(upload, 20 << 20), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), status, phase);
    CHECK(time(NULL) - began < PROMPT_SECONDS);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

/* A listener that takes no more connections: the system drops what would open one. */
static const char *full_listener(void)
{
    static char text[64];
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), count;
    CHECK(listener >= 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(listener, 0) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    for (count = 0; count < 8; count++) {
        int queued = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(queued >= 0 && fcntl(queued, F_SETFL, O_NONBLOCK) == 0);
        (void)connect(queued, (struct sockaddr *)&address, sizeof address);
    }
    CHECK(snprintf(text, sizeof text, "http://127.0.0.1:%u", (unsigned)ntohs(address.sin_port)) > 0);
    return text;
}

static void connecting(void)
{
    cos_slice_client *client = patient(full_listener());
    CHECK_STATUS(cos_slice_client_set_connect_timeout_ms(client, SHORT_MS), COS_SLICE_OK);
    check_ended(client, 7, 0, COS_SLICE_ERR_CONNECT, "time ran out while connecting");
}

static void the_handshake(void)
{
    char address[64];
    cos_slice_client *client;
    CHECK(snprintf(address, sizeof address, "https%s", silent_server() + strlen("http")) > 0);
    client = patient(address);
    CHECK_STATUS(cos_slice_client_set_ca_file(client, in_directory("ca.pem")), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_tls_timeout_ms(client, SHORT_MS), COS_SLICE_OK);
    check_ended(client, 7, 0, COS_SLICE_ERR_TIMED_OUT, "time ran out while setting up TLS");
}

static void sending(void)
{
    cos_slice_client *client = patient(silent_server());
    CHECK_STATUS(cos_slice_client_set_stall_timeout_ms(client, SHORT_MS), COS_SLICE_OK);
    check_ended(client, sizeof large, 1, COS_SLICE_ERR_TIMED_OUT, "time ran out while sending the request");
}

static void the_answer(void)
{
    cos_slice_client *client = patient(silent_server());
    CHECK_STATUS(cos_slice_client_set_answer_timeout_ms(client, SHORT_MS), COS_SLICE_OK);
    check_ended(client, 7, 0, COS_SLICE_ERR_TIMED_OUT, "time ran out while waiting for the answer");
}

static void the_answer_to_what_makes_the_object(void)
{
    cos_slice_client *client = patient(silent_server());
    CHECK_STATUS(cos_slice_client_set_finish_timeout_ms(client, SHORT_MS), COS_SLICE_OK);
    /* It may have been made all the same. */
    check_ended(client, 7, 1, COS_SLICE_ERR_OUTCOME_UNKNOWN, "time ran out while waiting for the answer");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    connecting();
    the_handshake();
    sending();
    the_answer();
    the_answer_to_what_makes_the_object();
    return 0;
}
