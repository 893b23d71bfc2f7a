/*
 * Calls of the C interface, with the arguments and in the order that bytes tell: every slot may be empty, so every handle
 * may be NULL, and nothing says that a setting comes before a run or a client is still there. What the header forbids is
 * not done: no handle is used after it was freed, none is freed twice, and no pointer lies about what it points to.
 *
 * COS_SLICE_FUZZ_TRACE=1 prints the calls.
 */
#include "host.h"

#include <string.h>

/* What a progress callback does when it is called. */
struct listener {
    struct host *host;
    int slot;
    uint8_t acts;
};

enum { STOPS = 1, CANCELS = 2, ASKS = 4, RUNS = 8, FREES = 16 };

static void check_error(const cos_slice_error *error)
{
    check_text(cos_slice_error_message(error));
    check_optional_text(cos_slice_error_request_id(error));
    check_optional_text(cos_slice_error_operation(error));
    CHECK(cos_slice_error_slice_offset(error) >= -1);
    int32_t retryable = cos_slice_error_is_retryable(error);
    CHECK(retryable == 0 || retryable == 1);
    int32_t http_status = cos_slice_error_http_status(error);
    CHECK(http_status >= 0 && http_status <= 999);
    (void)cos_slice_error_server_code(error);
    (void)cos_slice_error_os_errno(error);
    (void)cos_slice_error_attempts(error);
    (void)cos_slice_error_callback_value(error);
}

void check_setter(int32_t status)
{
    CHECK(status == COS_SLICE_OK || status == COS_SLICE_ERR_INVALID_ARGUMENT || status == COS_SLICE_ERR_BUSY ||
          status == COS_SLICE_ERR_FILE_OPEN);
}

/* How a call with an error out-parameter ended; keeps the error, or frees it at once. */
void check_end(struct host *host, int32_t status, cos_slice_error *error)
{
    TRACE("  = %s: %s", cos_slice_status_name(status), cos_slice_error_message(error));
    CHECK(strcmp(cos_slice_status_name(status), "COS_SLICE_ERR_UNKNOWN") != 0);
    CHECK(status != COS_SLICE_ERR_PANIC);
    CHECK((status == COS_SLICE_OK) == (error == NULL));
    CHECK(cos_slice_error_status(error) == status);
    if (error != NULL)
        check_error(error);
    uint8_t slot = take(host) % (COUNT(host->errors) + 1);
    if (slot < COUNT(host->errors)) {
        cos_slice_error_free(host->errors[slot]);
        host->errors[slot] = error;
    } else {
        cos_slice_error_free(error);
    }
}

static void ask(const cos_slice_upload *upload)
{
    check_optional_text(cos_slice_upload_warning(upload));
    check_optional_text(cos_slice_upload_access_url(upload));
    check_optional_text(cos_slice_upload_source_url(upload));
    check_optional_text(cos_slice_upload_url(upload));
    check_optional_text(cos_slice_upload_resource_path(upload));
    check_optional_text(cos_slice_upload_preview_url(upload));
    check_optional_text(cos_slice_upload_vid(upload));
    const char *sha1 = cos_slice_upload_sha1(upload);
    CHECK(sha1 == NULL || strspn(sha1, "0123456789abcdef") == 40);
    int32_t outcome = cos_slice_upload_outcome(upload);
    CHECK(outcome >= COS_SLICE_OUTCOME_NONE && outcome <= COS_SLICE_OUTCOME_INSTANT);
    uint64_t size = cos_slice_upload_size(upload);
    if (outcome == COS_SLICE_OUTCOME_NONE)
        CHECK(size == 0 && sha1 == NULL && cos_slice_upload_access_url(upload) == NULL);
    CHECK(cos_slice_upload_bytes_resumed(upload) <= size);
    (void)cos_slice_upload_bytes_sent(upload);
    (void)cos_slice_upload_slices_sent(upload);
    (void)cos_slice_upload_retries(upload);
    int32_t status = cos_slice_upload_set_rate_limit(upload, INT64_C(1) << 40);
    CHECK(status == (upload == NULL ? COS_SLICE_ERR_INVALID_ARGUMENT : COS_SLICE_OK));
    int32_t verified = cos_slice_upload_verified(upload);
    CHECK(verified == 0 || verified == 1);
}

static void check_progress(const cos_slice_progress *progress)
{
    CHECK(progress->struct_size == sizeof *progress);
    CHECK(progress->phase >= COS_SLICE_PHASE_WAITING && progress->phase <= COS_SLICE_PHASE_SPOOLING);
    CHECK(progress->acknowledged <= progress->total);
    CHECK(progress->resumed <= progress->acknowledged);
    CHECK(progress->hashed <= progress->total);
    CHECK(progress->slices_done <= progress->slices_total);
}

static int32_t told(const cos_slice_progress *progress, void *user_data)
{
    const struct listener *listener = user_data;
    struct host *host = listener->host;
    check_progress(progress);
    cos_slice_upload *upload = NULL;
    /* Under start this is another thread, and the slots belong to the one that calls. */
    if (host->running == listener->slot)
        upload = host->uploads[listener->slot];
    if (upload != NULL && listener->acts & CANCELS)
        cos_slice_upload_cancel(upload);
    if (upload != NULL && listener->acts & ASKS)
        ask(upload);
    if (upload != NULL && listener->acts & RUNS) {
        CHECK(cos_slice_upload_run(upload, NULL) == COS_SLICE_ERR_BUSY);
        CHECK(cos_slice_upload_start(upload, NULL) == COS_SLICE_ERR_BUSY);
        CHECK(cos_slice_upload_wait(upload, 0, NULL) == COS_SLICE_ERR_BUSY);
        CHECK(cos_slice_upload_set_hash(upload, 1) == COS_SLICE_ERR_BUSY);
    }
    if (upload != NULL && listener->acts & FREES) {
        host->uploads[listener->slot] = NULL;
        cos_slice_upload_free(upload);
    }
    return listener->acts & STOPS;
}

static void ended(int32_t status, const cos_slice_error *error, void *user_data)
{
    const struct listener *listener = user_data;
    struct host *host = listener->host;
    CHECK((status == COS_SLICE_OK) == (error == NULL) && cos_slice_error_status(error) == status);
    if (error != NULL)
        check_error(error);
    if (host->running != listener->slot)
        return;
    cos_slice_upload *upload = host->uploads[listener->slot];
    if (upload != NULL && listener->acts & ASKS)
        ask(upload);
    if (upload != NULL && listener->acts & FREES) {
        host->uploads[listener->slot] = NULL;
        cos_slice_upload_free(upload);
    }
}

static struct listener *new_listener(struct host *host, int slot)
{
    struct listener *listener = malloc(sizeof *listener);
    CHECK(listener != NULL);
    *listener = (struct listener){ host, slot, take(host) };
    give();
    return listener;
}

static int32_t set_completion(struct host *host, int slot, cos_slice_upload *upload)
{
    struct listener *listener = new_listener(host, slot);
    return cos_slice_upload_set_completion(upload, take(host) % 4 == 3 ? NULL : ended, listener, come_back);
}

static int32_t set_listener(struct host *host, int slot, cos_slice_upload *upload)
{
    struct listener *listener = new_listener(host, slot);
    return cos_slice_upload_set_progress(upload, take(host) % 4 == 3 ? NULL : told, listener, come_back);
}

/* Only proxies that are here, or that are refused. */
static int32_t set_proxy(struct host *host, cos_slice_client *client)
{
    static const char *const refused[] = { "", "socks5://127.0.0.1:1", "http://", "http://host:99999", "http://a b", "\xff" };
    uint8_t kind = take(host) % (COUNT(refused) + 3);
    if (kind == 0)
        return cos_slice_client_set_proxy(client, NULL);
    if (kind == 1)
        return cos_slice_client_set_proxy(client, host->emulator);
    if (kind == 2)
        return cos_slice_client_set_proxy(client, host->closed_port);
    int32_t status = cos_slice_client_set_proxy(client, refused[kind - 3]);
    CHECK(status != COS_SLICE_OK);
    return status;
}

/* No packet leaves this machine: an endpoint that was accepted is replaced at once by one that is here. */
static void stay_here(struct host *host, cos_slice_client *client)
{
    if (client != NULL)
        check_setter(cos_slice_client_set_endpoint(client, take(host) % 4 == 3 ? host->closed_port : host->emulator));
}

static cos_slice_client *new_client(struct host *host)
{
    cos_slice_client *client = cos_slice_client_new();
    CHECK(client != NULL);
    /* Half of the clients begin as they should be, so that uploads get far. */
    if (take(host) % 2 == 0) {
        CHECK(cos_slice_client_set_endpoint(client, host->emulator) == COS_SLICE_OK);
        CHECK(cos_slice_client_set_secret_key(client, "1251668577", "AKIDtest", SECRET) == COS_SLICE_OK);
    }
    return client;
}

static void set_up_client(struct host *host, uint8_t call, cos_slice_client *client)
{
    static int32_t (*const set_time[])(cos_slice_client *, int64_t) = {
        cos_slice_client_set_resolve_timeout_ms, cos_slice_client_set_connect_timeout_ms,
        cos_slice_client_set_tls_timeout_ms,     cos_slice_client_set_stall_timeout_ms,
        cos_slice_client_set_answer_timeout_ms,  cos_slice_client_set_finish_timeout_ms,
    };
    char *texts[3] = { NULL, NULL, NULL };
    int32_t status;
    /* The last of the numbers that a call may have, so that the others mean what they meant to the inputs that are kept. */
    switch (call == 31 ? call : call % 16) {
    case 31:
        TRACE("client_set_log");
        status = set_log(host, client);
        break;
    case 0:
        texts[0] = take_text(host, "https://127.0.0.1:1/prefix");
        TRACE("client_set_endpoint %s", texts[0]);
        status = cos_slice_client_set_endpoint(client, texts[0]);
        if (status == COS_SLICE_OK)
            stay_here(host, client);
        break;
    case 1:
        texts[0] = take_text(host, "gz");
        TRACE("client_set_region %s", texts[0]);
        status = cos_slice_client_set_region(client, texts[0]);
        if (status == COS_SLICE_OK)
            stay_here(host, client);
        break;
    case 2:
        texts[0] = take_text(host, "1251668577");
        texts[1] = take_text(host, "AKIDtest");
        texts[2] = take_text(host, SECRET);
        TRACE("client_set_secret_key %s %s %s", texts[0], texts[1], texts[2]);
        status = cos_slice_client_set_secret_key(client, texts[0], texts[1], texts[2]);
        break;
    case 3:
        TRACE("client_set_connections");
        status = cos_slice_client_set_connections(client, (int32_t)take_number(host));
        if (status == COS_SLICE_OK)
            status = cos_slice_client_set_adaptive_connections(client, (int32_t)take_number(host));
        /* Only for a moment: what is sent at such a rate takes long. */
        if (cos_slice_client_set_rate_limit(client, take_number(host)) == COS_SLICE_OK)
            CHECK(cos_slice_client_set_rate_limit(client, 0) == COS_SLICE_OK);
        break;
    case 4:
        TRACE("client_set_..._timeout_ms");
        status = set_time[take(host) % COUNT(set_time)](client, take_number(host));
        break;
    case 6:
        TRACE("client_set_api");
        status = cos_slice_client_set_api(client, (int32_t)take_number(host));
        break;
    case 5:
        texts[0] = take_path(host, "checkpoints");
        TRACE("client_set_checkpoint_dir %s", texts[0]);
        status = cos_slice_client_set_checkpoint_dir(client, texts[0]);
        break;
    case 7:
        status = set_dialect(host, client);
        break;
    case 8:
        texts[0] = take_text(host, "1251668577");
        texts[1] = take_text(host, "a-planted-secret-key-that-is-no-signature");
        TRACE("client_set_authorization %s %s", texts[0], texts[1]);
        status = cos_slice_client_set_authorization(client, texts[0], texts[1]);
        break;
    case 9:
        TRACE("client_set_signer");
        status = set_signer(host, client);
        break;
    case 10:
        TRACE("client_set_signature_scope");
        status = cos_slice_client_set_signature_scope(client, (int32_t)take_number(host));
        break;
    case 11:
        TRACE("client_set_signature_lifetime_s");
        status = cos_slice_client_set_signature_lifetime_s(client, take_number(host));
        break;
    case 12:
        TRACE("client_set_proxy");
        status = set_proxy(host, client);
        break;
    case 13:
        TRACE("client_set_use_env_proxy");
        status = cos_slice_client_set_use_env_proxy(client, (int32_t)take_number(host));
        break;
    case 14:
        texts[0] = take_text(host, "-----BEGIN CERTIFICATE-----");
        TRACE("client_set_ca_pem %s", texts[0]);
        status = cos_slice_client_set_ca_pem(client, texts[0], texts[0] == NULL ? take(host) : strlen(texts[0]));
        break;
    default:
        texts[0] = take_path(host, "file");
        TRACE("client_set_ca_file %s", texts[0]);
        status = cos_slice_client_set_ca_file(client, texts[0]);
        break;
    }
    check_setter(status);
    CHECK(status != COS_SLICE_OK || client != NULL);
    for (size_t i = 0; i < COUNT(texts); i++)
        free(texts[i]);
}

static int32_t set_memory(struct host *host, cos_slice_upload *upload)
{
    static const uint8_t zeroes[600 * 1024];
    switch (take(host) % 4) {
    case 0:
        return cos_slice_upload_set_memory(upload, zeroes, sizeof zeroes);
    case 1:
        return cos_slice_upload_set_memory(upload, NULL, take(host) == 0 ? SIZE_MAX : 0);
    default: {
        size_t size = take(host);
        if (size > (size_t)(host->end - host->next))
            size = (size_t)(host->end - host->next);
        int32_t status = cos_slice_upload_set_memory(upload, host->next, size);
        host->next += size;
        return status;
    }
    }
}

static void set_up_upload(struct host *host, uint8_t call, int slot)
{
    cos_slice_upload *upload = host->uploads[slot];
    char *text = NULL;
    int32_t status;
    TRACE("setting %d of upload %d", call % 14, slot);
    switch (call % 14) {
    case 0:
        text = take_path(host, "file");
        status = cos_slice_upload_set_file(upload, text);
        break;
    case 1:
        status = set_memory(host, upload);
        break;
    case 2:
        status = set_listener(host, slot, upload);
        break;
    case 3:
        status = cos_slice_upload_set_slice_size(upload, take_number(host));
        break;
    case 4:
        status = cos_slice_upload_set_hash(upload, (int32_t)take_number(host));
        break;
    case 5:
        status = cos_slice_upload_set_overwrite(upload, (int32_t)take_number(host));
        break;
    case 6:
        status = cos_slice_upload_set_discard_unfinished(upload, (int32_t)take_number(host));
        break;
    case 7:
        status = cos_slice_upload_set_verify(upload, (int32_t)take_number(host));
        break;
    case 8:
        text = take_text(host, "attribute");
        status = cos_slice_upload_set_biz_attr(upload, text);
        break;
    case 10:
        status = cos_slice_upload_set_create_parents(upload, (int32_t)take_number(host));
        break;
    case 9:
        status = cos_slice_upload_set_single_request_limit(upload, take_number(host));
        break;
    case 11:
        status = set_completion(host, slot, upload);
        break;
    case 12:
        status = set_source(host, upload);
        break;
    default:
        status = cos_slice_upload_set_deadline_ms(upload, take_deadline(host));
        break;
    }
    free(text);
    check_setter(status);
    CHECK(status != COS_SLICE_OK || upload != NULL);
}

static void new_upload(struct host *host, int slot)
{
    cos_slice_client *client = host->clients[take(host) % COUNT(host->clients)];
    char *bucket = take_text(host, "bucket"), *path = take_text(host, "path");
    TRACE("upload_new %d: %s %s", slot, bucket, path);
    cos_slice_upload_free(host->uploads[slot]);
    cos_slice_upload *upload = cos_slice_upload_new(client, bucket, path);
    CHECK(upload != NULL);
    check_setter(cos_slice_upload_set_deadline_ms(upload, 200));
    host->uploads[slot] = upload;
    free(bucket);
    free(path);
}

static void use_upload(struct host *host, uint8_t call, int slot)
{
    cos_slice_upload *upload = host->uploads[slot];
    /* What an error parameter held before is not read. */
    cos_slice_error *error = (cos_slice_error *)(uintptr_t)0x5a5a;
    int32_t status;
    TRACE("use %d of upload %d", call % 7, slot);
    switch (call % 7) {
    case 0:
        host->running = slot;
        status = cos_slice_upload_run(upload, &error);
        host->running = -1;
        check_end(host, status, error);
        break;
    case 1:
        status = cos_slice_upload_start(upload, &error);
        check_end(host, status, error);
        break;
    case 2: {
        int64_t ms = (int8_t)take(host);
        status = cos_slice_upload_wait(upload, ms, &error);
        CHECK(status != COS_SLICE_ERR_STILL_RUNNING || ms >= 0);
        check_end(host, status, error);
        break;
    }
    case 3:
        cos_slice_upload_cancel(upload);
        break;
    case 4:
        ask(upload);
        break;
    case 5: {
        struct {
            cos_slice_progress progress;
            uint8_t beyond[64];
        } asked;
        memset(&asked, 0x5a, sizeof asked);
        asked.progress.struct_size = take(host) % (sizeof asked + 1);
        uint32_t size = asked.progress.struct_size;
        status = cos_slice_upload_progress(upload, &asked.progress);
        check_setter(status);
        if (status == COS_SLICE_OK)
            check_progress(&asked.progress);
        else
            CHECK(asked.progress.struct_size == size && asked.progress.phase == 0x5a5a5a5a);
        for (size_t i = 0; i < sizeof asked.beyond; i++)
            CHECK(asked.beyond[i] == 0x5a);
        CHECK(cos_slice_upload_progress(upload, NULL) == COS_SLICE_ERR_INVALID_ARGUMENT);
        break;
    }
    default:
        host->uploads[slot] = NULL;
        cos_slice_upload_free(upload);
        break;
    }
}

static void ask_library(struct host *host)
{
    int32_t status = (int32_t)take_number(host);
    check_text(cos_slice_status_name(status));
    check_text(cos_slice_status_meaning(status));
    check_text(cos_slice_version());
    check_text(cos_slice_features());
    CHECK(cos_slice_version_number() == COS_SLICE_VERSION_NUMBER);
    CHECK(cos_slice_abi_version() == COS_SLICE_ABI_VERSION);
    sign_something(host);
    const cos_slice_error *error = host->errors[take(host) % COUNT(host->errors)];
    if (error != NULL)
        check_error(error);
}

static void call(struct host *host)
{
    uint8_t which = take(host), call = which >> 3;
    size_t client = take(host) % COUNT(host->clients);
    int slot = (int)(take(host) % COUNT(host->uploads));
    switch (which % 8) {
    case 0:
        TRACE("client_new %zu", client);
        cos_slice_client_free(host->clients[client]);
        host->clients[client] = new_client(host);
        break;
    case 1:
        TRACE("client_free %zu", client);
        cos_slice_client_free(host->clients[client]);
        host->clients[client] = NULL;
        break;
    case 2:
        set_up_client(host, call, host->clients[client]);
        break;
    case 3:
        new_upload(host, slot);
        break;
    case 4:
        set_up_upload(host, call, slot);
        break;
    case 5:
    case 6:
        use_upload(host, call, slot);
        break;
    default:
        if (call < 16)
            ask_library(host);
        else
            use_operation(host, call);
        break;
    }
}

/* Makes the calls, frees what is left, and waits until every user_data has come back. */
void cos_slice_fuzz_calls(const uint8_t *data, size_t size, const char *emulator, const char *folder)
{
    struct host host = { .next = data, .end = data + size, .emulator = emulator, .folder = folder,
                         .closed_port = "http://127.0.0.1:1", .running = -1 };
    host.trace = getenv("COS_SLICE_FUZZ_TRACE") != NULL;
    /* An input is at most a few hundred calls long, whatever the fuzzer makes of it. */
    for (int calls = 0; calls < 200 && host.next < host.end; calls++)
        call(&host);

    int clients_first = take(&host) % 2;
    for (size_t i = 0; i < COUNT(host.clients) && clients_first; i++)
        cos_slice_client_free(host.clients[i]);
    for (size_t i = 0; i < COUNT(host.uploads); i++)
        cos_slice_upload_free(host.uploads[i]);
    free_operations(&host);
    for (size_t i = 0; i < COUNT(host.clients) && !clients_first; i++)
        cos_slice_client_free(host.clients[i]);
    for (size_t i = 0; i < COUNT(host.errors); i++) {
        if (host.errors[i] != NULL)
            check_error(host.errors[i]);
        cos_slice_error_free(host.errors[i]);
    }

    wait_until_all_came_back();
}
