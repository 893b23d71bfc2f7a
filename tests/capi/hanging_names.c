/* A name service that does not answer: look-ups can't be interrupted, and nothing may wait for them. */
#include "check.h"

#include <netdb.h>
#include <time.h>

/* Far more than a prompt return takes, and far less than the time limit that would end the wait otherwise. */
#define PROMPT_SECONDS 60
#define LIMIT_MS 600000

static struct event asked = EVENT, released = EVENT, ended = EVENT;

/* Takes the place of the system's. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    (void)service;
    (void)hints;
    CHECK(strcmp(node, "store.example") == 0);
    happen(&asked);
    wait_for(&released, 1);
    *found = NULL;
    happen(&ended);
    return EAI_FAIL;
}

static time_t began;

static void begin_to_measure(void)
{
    began = time(NULL);
}

static void check_prompt(void)
{
    CHECK(time(NULL) - began < PROMPT_SECONDS);
}

static cos_slice_client *client(int64_t resolve_ms)
{
    cos_slice_client *made = client_for("http://store.example");
    CHECK_STATUS(cos_slice_client_set_resolve_timeout_ms(made, resolve_ms), COS_SLICE_OK);
    return made;
}

static cos_slice_upload *upload(cos_slice_client *client)
{
    cos_slice_upload *made = cos_slice_upload_new(client, "videos", "name");
    CHECK_STATUS(cos_slice_upload_set_memory(made, "content", 7), COS_SLICE_OK);
    return made;
}

static void its_limit_ends_the_wait_and_names_the_phase(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *some_client = client(100);
    cos_slice_upload *some_upload = upload(some_client);
    CHECK_ENDS(cos_slice_upload_run(some_upload, &error), COS_SLICE_ERR_RESOLVE, "looking up the host name");
    CHECK(happened(&asked) == 1);
    cos_slice_upload_free(some_upload);
    cos_slice_client_free(some_client);
}

static void a_cancel_ends_the_wait(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *some_client = client(LIMIT_MS);
    cos_slice_upload *some_upload = upload(some_client);
    CHECK_ENDS(cos_slice_upload_start(some_upload, &error), COS_SLICE_OK, NULL);
    wait_for(&asked, 2);
    begin_to_measure();
    cos_slice_upload_cancel(some_upload);
    CHECK_ENDS(cos_slice_upload_wait(some_upload, LIMIT_MS, &error), COS_SLICE_ERR_CANCELLED, NULL);
    cos_slice_upload_free(some_upload);
    cos_slice_client_free(some_client);
    check_prompt();
}

static void a_deadline_ends_the_wait(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *some_client = client(LIMIT_MS);
    cos_slice_upload *some_upload = upload(some_client);
    begin_to_measure();
    CHECK_STATUS(cos_slice_upload_set_deadline_ms(some_upload, 200), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(some_upload, &error), COS_SLICE_ERR_DEADLINE, NULL);
    cos_slice_upload_free(some_upload);
    cos_slice_client_free(some_client);
    check_prompt();
}

static void handles_can_be_freed_meanwhile(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *some_client = client(LIMIT_MS);
    cos_slice_upload *some_upload = upload(some_client);
    CHECK_ENDS(cos_slice_upload_start(some_upload, &error), COS_SLICE_OK, NULL);
    wait_for(&asked, 4);
    begin_to_measure();
    cos_slice_client_free(some_client);
    cos_slice_upload_free(some_upload);
    check_prompt();
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    its_limit_ends_the_wait_and_names_the_phase();
    a_cancel_ends_the_wait();
    a_deadline_ends_the_wait();
    handles_can_be_freed_meanwhile();
    /* Answers that come when all clients are gone. */
    CHECK(happened(&ended) == 0);
    happen(&released);
    wait_for(&ended, 4);
    return 0;
}
