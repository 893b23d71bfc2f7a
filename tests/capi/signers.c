/* Who signs: fixed strings, callbacks, and signing for clients that have no key. */
#include "check.h"

#define APP_ID "1251668577"
#define SLICE ((size_t)512 * 1024)

/* What a signer does when it is asked. */
enum action { SIGN, FAIL, FAIL_AND_RETURN_0, RETURN_7, RETURN_NOTHING, SET_GARBAGE, SET_THEN_FAIL, WAIT_AND_SIGN, FREE_ALL };

struct server {
    enum action action;
    cos_slice_client *client;
    cos_slice_upload *upload;
    /* How often it was asked, and is to go on after it was asked. */
    struct event asked;
    struct event released;
    struct event dropped;
    int32_t last_kind;
};

static void server_init(struct server *server, enum action action)
{
    static const struct event none = EVENT;
    memset(server, 0, sizeof *server);
    server->action = action;
    server->asked = server->released = server->dropped = none;
}

static void drop_server(void *user_data)
{
    struct server *server = user_data;
    happen(&server->dropped);
}

/* Signs by the emulator's key; the caller frees the signature. */
static cos_slice_signature *signed_for(const cos_slice_sign_request *request, int32_t scope)
{
    cos_slice_signature *signature = NULL;
    cos_slice_error *error = NULL;
    CHECK_ENDS(cos_slice_sign(APP_ID, "AKIDtest", "secret", scope, request, &signature, &error), COS_SLICE_OK, NULL);
    CHECK(signature != NULL && strlen(cos_slice_signature_text(signature)) > 28);
    return signature;
}

static void check_request(const cos_slice_sign_request *request, const cos_slice_signature *signature)
{
    CHECK(request->struct_size == sizeof *request);
    CHECK(strcmp(request->app_id, APP_ID) == 0 && strcmp(request->bucket, "signers") == 0);
    CHECK(strlen(request->path) > 0 && request->path[0] != '/');
    CHECK(strcmp(request->operation, request->kind == COS_SLICE_SIGNATURE_ONE_TIME ? "delete" : "upload_slice_data") == 0 ||
          request->kind == COS_SLICE_SIGNATURE_MULTI_EFFECT);
    CHECK(request->lifetime_s == 600);
    CHECK(cos_slice_signature_text(signature) == NULL);
}

static void check_what_is_allowed_inside(struct server *server, cos_slice_signature *signature)
{
    cos_slice_error *error = NULL;
    cos_slice_progress progress;
    if (server->upload == NULL)
        return;
    progress.struct_size = sizeof progress;
    CHECK_STATUS(cos_slice_upload_progress(server->upload, &progress), COS_SLICE_OK);
    CHECK(cos_slice_upload_access_url(server->upload) == NULL);
    CHECK_ENDS(cos_slice_upload_run(server->upload, &error), COS_SLICE_ERR_BUSY, "callback");
    CHECK_ENDS(cos_slice_upload_start(server->upload, &error), COS_SLICE_ERR_BUSY, "callback");
    CHECK_ENDS(cos_slice_upload_wait(server->upload, -1, &error), COS_SLICE_ERR_BUSY, "callback");
    CHECK_STATUS(cos_slice_upload_set_hash(server->upload, 0), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_client_set_signer(server->client, APP_ID, NULL, NULL, NULL), COS_SLICE_ERR_BUSY);
    /* It is lent. */
    cos_slice_signature_free(signature);
}

static int32_t serve(const cos_slice_sign_request *request, cos_slice_signature *signature, void *user_data)
{
    struct server *server = user_data;
    cos_slice_signature *made;
    CHECK(happened(&server->dropped) == 0);
    check_request(request, signature);
    check_what_is_allowed_inside(server, signature);
    server->last_kind = request->kind;
    happen(&server->asked);
    switch (server->action) {
    case FAIL:
        CHECK_STATUS(cos_slice_signature_fail(signature, "the app server is closed on Sundays"), COS_SLICE_OK);
        return 1;
    case FAIL_AND_RETURN_0:
        CHECK_STATUS(cos_slice_signature_fail(signature, NULL), COS_SLICE_OK);
        return 0;
    case RETURN_7:
        return 7;
    case RETURN_NOTHING:
        return 0;
    case SET_GARBAGE:
        CHECK_STATUS(cos_slice_signature_set(signature, NULL), COS_SLICE_ERR_INVALID_ARGUMENT);
        CHECK_STATUS(cos_slice_signature_set(signature, ""), COS_SLICE_ERR_INVALID_ARGUMENT);
        CHECK_STATUS(cos_slice_signature_set(signature, "planted\r\nX: y"), COS_SLICE_ERR_INVALID_ARGUMENT);
        return 0;
    case FREE_ALL:
        cos_slice_client_free(server->client);
        cos_slice_upload_free(server->upload);
        break;
    case WAIT_AND_SIGN:
        wait_for(&server->released, 1);
        break;
    case SIGN:
    case SET_THEN_FAIL:
        break;
    }
    made = signed_for(request, COS_SLICE_SIGNATURE_SCOPE_PATH);
    CHECK_STATUS(cos_slice_signature_set(signature, cos_slice_signature_text(made)), COS_SLICE_OK);
    CHECK(strcmp(cos_slice_signature_text(signature), cos_slice_signature_text(made)) == 0);
    cos_slice_signature_free(made);
    return server->action == SET_THEN_FAIL ? -1 : 0;
}

static cos_slice_client *client_of(struct server *server)
{
    cos_slice_client *client = cos_slice_client_new();
    CHECK_STATUS(cos_slice_client_set_endpoint(client, endpoint), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_signer(client, APP_ID, serve, server, drop_server), COS_SLICE_OK);
    server->client = client;
    return client;
}

/* An upload of three slices. */
static cos_slice_upload *upload_of(cos_slice_client *client, const char *path)
{
    static unsigned char content[3 * SLICE];
    cos_slice_upload *upload = cos_slice_upload_new(client, "signers", path);
    size_t position;
    for (position = 0; position < sizeof content; position++)
        content[position] = (unsigned char)(position / 4099);
    CHECK_STATUS(cos_slice_upload_set_memory(upload, content, sizeof content), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_slice_size(upload, (int64_t)SLICE), COS_SLICE_OK);
    return upload;
}

static void a_signer_is_asked_once_for_all_requests_of_an_upload(void)
{
    struct server server;
    cos_slice_error *error = NULL;
    cos_slice_client *client;
    int number;
    server_init(&server, SIGN);
    client = client_of(&server);
    for (number = 1; number <= 2; number++) {
        cos_slice_upload *upload = upload_of(client, number == 1 ? "a b/one" : "two");
        server.upload = upload;
        CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
        CHECK(cos_slice_upload_slices_sent(upload) == 3);
        CHECK(happened(&server.asked) == number);
        cos_slice_upload_free(upload);
    }
    cos_slice_client_free(client);
    CHECK(happened(&server.dropped) == 1);
}

static void a_refused_signature_has_the_signer_asked_again(void)
{
    struct server server;
    cos_slice_error *error = NULL;
    cos_slice_upload *upload;
    server_init(&server, SIGN);
    upload = upload_of(client_of(&server), "refused");
    add_faults("{\"operation\":\"upload_slice_finish\",\"action\":{\"status\":403,\"code\":-59}}");
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(happened(&server.asked) == 2 && server.last_kind == COS_SLICE_SIGNATURE_MULTI_EFFECT);
    cos_slice_client_free(server.client);
    CHECK(happened(&server.dropped) == 0);
    cos_slice_upload_free(upload);
    CHECK(happened(&server.dropped) == 1);
}

static void a_signer_that_gives_nothing_ends_the_upload_and_another_run_resumes(void)
{
    static const struct {
        enum action action;
        const char *told;
    } cases[] = {
        { FAIL, "the app server is closed on Sundays" },
        { FAIL_AND_RETURN_0, "no reason" },
        { RETURN_7, "it returned 7" },
        { RETURN_NOTHING, "without an authorization string" },
        { SET_GARBAGE, "a line end at byte 7" },
        { SET_THEN_FAIL, "it returned -1" },
    };
    struct server server;
    cos_slice_error *error = NULL;
    cos_slice_upload *upload;
    size_t number;
    server_init(&server, SIGN);
    upload = upload_of(client_of(&server), "failing");
    for (number = 0; number < sizeof cases / sizeof *cases; number++) {
        int32_t status;
        server.action = cases[number].action;
        status = cos_slice_upload_run(upload, &error);
        CHECK(strstr(cos_slice_error_message(error), "planted") == NULL);
        CHECK(cos_slice_error_is_retryable(error) == 1);
        CHECK_ENDS(status, COS_SLICE_ERR_SIGNER, cases[number].told);
        CHECK(happened(&server.asked) == (int)number + 1);
    }
    server.action = SIGN;
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    cos_slice_upload_free(upload);
    cos_slice_client_free(server.client);
}

static void a_cancel_is_heard_when_the_signer_returns(void)
{
    struct server server;
    cos_slice_error *error = NULL;
    cos_slice_upload *upload;
    server_init(&server, WAIT_AND_SIGN);
    upload = upload_of(client_of(&server), "cancelled");
    CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
    wait_for(&server.asked, 1);
    cos_slice_upload_cancel(upload);
    CHECK_ENDS(cos_slice_upload_wait(upload, 1, &error), COS_SLICE_ERR_STILL_RUNNING, "still running");
    happen(&server.released);
    CHECK_ENDS(cos_slice_upload_wait(upload, -1, &error), COS_SLICE_ERR_CANCELLED, "cancelled");
    CHECK(happened(&server.asked) == 1);
    cos_slice_upload_free(upload);
    cos_slice_client_free(server.client);
    CHECK(happened(&server.dropped) == 1);
}

static void client_and_upload_may_be_freed_inside_the_signer(void)
{
    struct server server;
    cos_slice_error *error = NULL;
    server_init(&server, FREE_ALL);
    server.upload = upload_of(client_of(&server), "freed");
    CHECK_ENDS(cos_slice_upload_start(server.upload, &error), COS_SLICE_OK, NULL);
    wait_for(&server.dropped, 1);
    CHECK(happened(&server.asked) == 1);
}

static void the_data_is_dropped_exactly_once(void)
{
    struct server first, second, refused;
    cos_slice_error *error = NULL;
    cos_slice_client *client;
    cos_slice_upload *upload;
    server_init(&first, FAIL);
    server_init(&second, FAIL);
    server_init(&refused, FAIL);
    CHECK_STATUS(cos_slice_client_set_signer(NULL, APP_ID, serve, &refused, drop_server), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK(happened(&refused.dropped) == 1);
    client = client_of(&first);
    CHECK_STATUS(cos_slice_client_set_signer(client, APP_ID, NULL, &refused, drop_server), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK(happened(&refused.dropped) == 2);
    CHECK_STATUS(cos_slice_client_set_signer(client, "my app", serve, &refused, drop_server), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK(happened(&refused.dropped) == 3 && happened(&first.dropped) == 0);
    CHECK_STATUS(cos_slice_client_set_signer(client, APP_ID, serve, &second, drop_server), COS_SLICE_OK);
    CHECK(happened(&first.dropped) == 1);

    /* Of the setters of who signs the last one counts, and what was wrong before is forgotten. */
    CHECK_STATUS(cos_slice_client_set_authorization(client, APP_ID, "no\nstring"), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_secret_key(client, APP_ID, "AKIDtest", "secret"), COS_SLICE_OK);
    CHECK(happened(&second.dropped) == 1);
    upload = upload_of(client, "key");
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK_STATUS(cos_slice_client_set_signer(client, APP_ID, serve, &refused, drop_server), COS_SLICE_ERR_BUSY);
    CHECK(happened(&refused.dropped) == 4 && happened(&refused.asked) == 0 && happened(&second.asked) == 0);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    CHECK(happened(&first.dropped) == 1 && happened(&second.dropped) == 1 && happened(&refused.dropped) == 4);
}

static cos_slice_sign_request request_for(const char *path)
{
    cos_slice_sign_request request;
    memset(&request, 0, sizeof request);
    request.struct_size = sizeof request;
    request.bucket = "signers";
    request.path = path;
    return request;
}

static void check_fixed(const char *authorization, const char *path, int32_t wanted, const char *told)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = cos_slice_client_new();
    cos_slice_upload *upload = upload_of(client, path);
    CHECK_STATUS(cos_slice_client_set_endpoint(client, endpoint), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_authorization(client, APP_ID, authorization), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), wanted, told);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void a_string_that_was_made_elsewhere_serves_what_it_is_bound_to(void)
{
    static const char *const paths[] = { "fixed/a/b", "fixed/a/c", "fixed/d", "e" };
    int32_t scope;
    for (scope = COS_SLICE_SIGNATURE_SCOPE_PATH; scope <= COS_SLICE_SIGNATURE_SCOPE_UNBOUND; scope++) {
        cos_slice_sign_request request = request_for(paths[0]);
        cos_slice_signature *signature = signed_for(&request, scope);
        const char *text = cos_slice_signature_text(signature);
        /* How many of the paths a scope covers. */
        size_t number, covered = scope == COS_SLICE_SIGNATURE_SCOPE_PATH ? 1 : scope == COS_SLICE_SIGNATURE_SCOPE_DIRECTORY ? 2 : 4;
        for (number = 0; number < 4; number++) {
            if (number < covered)
                check_fixed(text, paths[number], COS_SLICE_OK, NULL);
            else
                check_fixed(text, paths[number], COS_SLICE_ERR_CREDENTIALS, "Sign for the app id, the bucket and the path");
        }
        cos_slice_signature_free(signature);
    }
}

static void scope_and_lifetime_of_ones_own_signatures_can_be_set(void)
{
    cos_slice_error *error = NULL;
    int32_t scope;
    for (scope = COS_SLICE_SIGNATURE_SCOPE_PATH; scope <= COS_SLICE_SIGNATURE_SCOPE_UNBOUND; scope++) {
        cos_slice_client *client = client_for(endpoint);
        cos_slice_upload *upload = upload_of(client, "scoped/object");
        CHECK_STATUS(cos_slice_client_set_signature_scope(client, scope), COS_SLICE_OK);
        CHECK_STATUS(cos_slice_client_set_signature_lifetime_s(client, 7776001), COS_SLICE_ERR_INVALID_ARGUMENT);
        CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "1 to 7776000 seconds (90 days)");
        CHECK_STATUS(cos_slice_client_set_signature_lifetime_s(client, 7776000), COS_SLICE_OK);
        CHECK_STATUS(cos_slice_client_set_signature_scope(client, 4), COS_SLICE_ERR_INVALID_ARGUMENT);
        CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "signature_scope: 4");
        CHECK_STATUS(cos_slice_client_set_signature_scope(client, scope), COS_SLICE_OK);
        CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
        CHECK_STATUS(cos_slice_client_set_signature_lifetime_s(client, 600), COS_SLICE_ERR_BUSY);
        CHECK_STATUS(cos_slice_client_set_signature_scope(client, 0), COS_SLICE_ERR_BUSY);
        cos_slice_upload_free(upload);
        cos_slice_client_free(client);
    }
}

#define CHECK_REFUSED(key, id, secret, scope, request, told)                                                            \
    do {                                                                                                                \
        signature = (cos_slice_signature *)&signature;                                                                  \
        CHECK_ENDS(cos_slice_sign(key, id, secret, scope, request, &signature, &error), COS_SLICE_ERR_INVALID_ARGUMENT, \
                   told);                                                                                               \
        CHECK(signature == NULL);                                                                                       \
    } while (0)

static void what_can_not_be_signed_is_refused_by_the_argument_s_name(void)
{
    cos_slice_sign_request request = request_for("a");
    cos_slice_signature *signature = NULL;
    cos_slice_error *error = NULL;
    CHECK_ENDS(cos_slice_sign(APP_ID, "id", "key", 0, &request, NULL, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "signature: it is NULL");
    CHECK_STATUS(cos_slice_sign(APP_ID, "id", "key", 0, &request, NULL, NULL), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_REFUSED(APP_ID, "id", "key", 0, NULL, "request: it is NULL");
    CHECK_REFUSED(NULL, "id", "key", 0, &request, "app_id: it is NULL");
    CHECK_REFUSED(APP_ID, NULL, "key", 0, &request, "secret_id: it is NULL");
    CHECK_REFUSED(APP_ID, "id", "", 0, &request, "secret_key: it is empty");
    CHECK_REFUSED(APP_ID, "id", "key", -1, &request, "signature_scope: -1");
    request.struct_size--;
    CHECK_REFUSED(APP_ID, "id", "key", 0, &request, "struct_size");
    request = request_for("a");
    request.app_id = "1";
    CHECK_REFUSED(APP_ID, "id", "key", 0, &request, "app_id: the request is for another account");
    request = request_for("a");
    request.kind = 2;
    CHECK_REFUSED(APP_ID, "id", "key", 0, &request, "kind: 2");
    request = request_for("a");
    request.lifetime_s = 7776001;
    CHECK_REFUSED(APP_ID, "id", "key", 0, &request, "90 days");
    request = request_for("a");
    request.bucket = "no bucket";
    CHECK_REFUSED(APP_ID, "id", "key", 0, &request, "bucket: ");
    request = request_for("a/../b");
    CHECK_REFUSED(APP_ID, "id", "key", 0, &request, "path: ");
    request = request_for("/");
    CHECK_REFUSED(APP_ID, "id", "key", 0, &request, "path: ");
    request = request_for(NULL);
    CHECK_REFUSED(APP_ID, "id", "key", 0, &request, "path: it is NULL");

    /* A directory can be signed for, and what was made is no place for a signer to put something. */
    request = request_for("a/b/");
    request.app_id = APP_ID;
    request.operation = "create";
    request.kind = COS_SLICE_SIGNATURE_ONE_TIME;
    signature = signed_for(&request, COS_SLICE_SIGNATURE_SCOPE_PATH);
    CHECK_STATUS(cos_slice_signature_set(signature, "x"), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_signature_fail(signature, "x"), COS_SLICE_ERR_INVALID_ARGUMENT);
    cos_slice_signature_free(signature);
    cos_slice_signature_free(NULL);
    CHECK(cos_slice_signature_text(NULL) == NULL);
    CHECK_STATUS(cos_slice_signature_set(NULL, "x"), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_signature_fail(NULL, "x"), COS_SLICE_ERR_INVALID_ARGUMENT);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    a_signer_is_asked_once_for_all_requests_of_an_upload();
    a_refused_signature_has_the_signer_asked_again();
    a_signer_that_gives_nothing_ends_the_upload_and_another_run_resumes();
    a_cancel_is_heard_when_the_signer_returns();
    client_and_upload_may_be_freed_inside_the_signer();
    the_data_is_dropped_exactly_once();
    a_string_that_was_made_elsewhere_serves_what_it_is_bound_to();
    scope_and_lifetime_of_ones_own_signatures_can_be_set();
    what_can_not_be_signed_is_refused_by_the_argument_s_name();
    return 0;
}
