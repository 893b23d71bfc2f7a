/* The options of a client and of an upload, each with the function that sets it. */
#include "runner.h"

#include <stdlib.h>
#include <string.h>

struct client_option {
    const char *name;
    void (*set)(cos_slice_client *client, const cJSON *value);
};

struct upload_option {
    const char *name;
    void (*set)(cos_slice_upload *upload, const cJSON *value);
};

static const char *text(const cJSON *value)
{
    if (!cJSON_IsString(value))
        fail("not a text", value->string);
    return value->valuestring;
}

static int64_t number(const cJSON *value)
{
    if (!cJSON_IsNumber(value))
        fail("not a number", value->string);
    return (int64_t)value->valuedouble;
}

static int32_t yes(const cJSON *value)
{
    if (!cJSON_IsBool(value))
        fail("neither true nor false", value->string);
    return cJSON_IsTrue(value) ? 1 : 0;
}

/* A function for an option of one value. */
#define CLIENT(option, type) \
    static void client_##option(cos_slice_client *client, const cJSON *value) \
    { \
        (void)cos_slice_client_set_##option(client, type(value)); \
    }
#define UPLOAD(option, type) \
    static void upload_##option(cos_slice_upload *upload, const cJSON *value) \
    { \
        (void)cos_slice_upload_set_##option(upload, type(value)); \
    }

CLIENT(endpoint, text)
CLIENT(region, text)
CLIENT(api, (int32_t)number)
CLIENT(connections, (int32_t)number)
CLIENT(adaptive_connections, (int32_t)number)
CLIENT(rate_limit, number)
CLIENT(resolve_timeout_ms, number)
CLIENT(connect_timeout_ms, number)
CLIENT(tls_timeout_ms, number)
CLIENT(stall_timeout_ms, number)
CLIENT(answer_timeout_ms, number)
CLIENT(finish_timeout_ms, number)
CLIENT(ca_file, text)
CLIENT(proxy, text)
CLIENT(use_env_proxy, yes)
CLIENT(checkpoint_dir, text)
CLIENT(signature_scope, (int32_t)number)
CLIENT(signature_lifetime_s, number)
CLIENT(slice_md5, yes)

static void client_ca_pem(cos_slice_client *client, const cJSON *value)
{
    const char *pem = text(value);
    (void)cos_slice_client_set_ca_pem(client, pem, strlen(pem));
}

static void client_secret_key(cos_slice_client *client, const cJSON *value)
{
    (void)cos_slice_client_set_secret_key(client, text_of(value, "app_id"), text_of(value, "secret_id"),
                                          text_of(value, "secret_key"));
}

static void client_authorization(cos_slice_client *client, const cJSON *value)
{
    (void)cos_slice_client_set_authorization(client, text_of(value, "app_id"), text_of(value, "authorization"));
}

static void client_slice_sizes(cos_slice_client *client, const cJSON *value)
{
    size_t count = (size_t)cJSON_GetArraySize(value), i = 0;
    int64_t *sizes = allocate(count * sizeof *sizes);
    const cJSON *size;
    cJSON_ArrayForEach(size, value)
        sizes[i++] = (int64_t)size->valuedouble;
    (void)cos_slice_client_set_slice_sizes(client, sizes, count);
    free(sizes);
}

static void client_form_fields(cos_slice_client *client, const cJSON *value)
{
    const cJSON *field;
    cJSON_ArrayForEach(field, value)
        (void)cos_slice_client_add_form_field(client, text_of(field, "name"), text_of(field, "value"));
}

static void client_headers(cos_slice_client *client, const cJSON *value)
{
    const cJSON *header;
    cJSON_ArrayForEach(header, value)
        (void)cos_slice_client_add_header(client, text_of(header, "name"), text_of(header, "value"));
}

static void client_token_place(cos_slice_client *client, const cJSON *value)
{
    (void)cos_slice_client_set_token_place(client, (int32_t)number_of(value, "place"), optional_text_of(value, "word"));
}

static const struct client_option client_options[] = {
    { "endpoint", client_endpoint },
    { "region", client_region },
    { "api", client_api },
    { "connections", client_connections },
    { "adaptive_connections", client_adaptive_connections },
    { "rate_limit", client_rate_limit },
    { "resolve_timeout_ms", client_resolve_timeout_ms },
    { "connect_timeout_ms", client_connect_timeout_ms },
    { "tls_timeout_ms", client_tls_timeout_ms },
    { "stall_timeout_ms", client_stall_timeout_ms },
    { "answer_timeout_ms", client_answer_timeout_ms },
    { "finish_timeout_ms", client_finish_timeout_ms },
    { "ca_file", client_ca_file },
    { "ca_pem", client_ca_pem },
    { "proxy", client_proxy },
    { "use_env_proxy", client_use_env_proxy },
    { "checkpoint_dir", client_checkpoint_dir },
    { "secret_key", client_secret_key },
    { "authorization", client_authorization },
    { "signer", set_signer },
    { "signature_scope", client_signature_scope },
    { "signature_lifetime_s", client_signature_lifetime_s },
    { "slice_sizes", client_slice_sizes },
    { "form_fields", client_form_fields },
    { "headers", client_headers },
    { "token_place", client_token_place },
    { "slice_md5", client_slice_md5 },
};

UPLOAD(slice_size, number)
UPLOAD(hash, yes)
UPLOAD(overwrite, yes)
UPLOAD(create_parents, yes)
UPLOAD(discard_unfinished, yes)
UPLOAD(verify, yes)
UPLOAD(biz_attr, text)
UPLOAD(single_request_limit, number)
UPLOAD(deadline_ms, number)
UPLOAD(rate_limit, number)

static void upload_range(cos_slice_upload *upload, const cJSON *value)
{
    (void)cos_slice_upload_set_range(upload, number_of(value, "offset"), number_of(value, "length"));
}

static void upload_spool(cos_slice_upload *upload, const cJSON *value)
{
    (void)cos_slice_upload_set_spool(upload, optional_text_of(value, "directory"), number_of(value, "limit_bytes"));
}

static const struct upload_option upload_options[] = {
    { "range", upload_range },
    { "spool", upload_spool },
    { "slice_size", upload_slice_size },
    { "hash", upload_hash },
    { "overwrite", upload_overwrite },
    { "create_parents", upload_create_parents },
    { "discard_unfinished", upload_discard_unfinished },
    { "verify", upload_verify },
    { "biz_attr", upload_biz_attr },
    { "single_request_limit", upload_single_request_limit },
    { "deadline_ms", upload_deadline_ms },
    { "rate_limit", upload_rate_limit },
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

void set_client_options(cos_slice_client *client, const cJSON *options, cJSON *log)
{
    const cJSON *option;
    cJSON_ArrayForEach(option, options) {
        size_t i = 0;
        if (strcmp(option->string, "log") == 0) {
            set_log(client, (int32_t)number(option), log);
            continue;
        }
        while (i < COUNT(client_options) && strcmp(client_options[i].name, option->string) != 0)
            i++;
        if (i == COUNT(client_options))
            fail("no such option of a client", option->string);
        client_options[i].set(client, option);
    }
}

void set_upload_options(cos_slice_upload *upload, const cJSON *options)
{
    static const char *const others[] = { "bucket", "path", "source", "control" };
    const cJSON *option;
    set_source(upload, cJSON_GetObjectItemCaseSensitive(options, "source"));
    cJSON_ArrayForEach(option, options) {
        size_t i = 0;
        while (i < COUNT(others) && strcmp(others[i], option->string) != 0)
            i++;
        if (i < COUNT(others))
            continue;
        for (i = 0; i < COUNT(upload_options); i++)
            if (strcmp(upload_options[i].name, option->string) == 0)
                break;
        if (i == COUNT(upload_options))
            fail("no such option of an upload", option->string);
        upload_options[i].set(upload, option);
    }
}

cJSON *client_option_names(void)
{
    cJSON *names = cJSON_CreateArray();
    size_t i;
    for (i = 0; i < COUNT(client_options); i++)
        cJSON_AddItemToArray(names, cJSON_CreateString(client_options[i].name));
    cJSON_AddItemToArray(names, cJSON_CreateString("log"));
    return names;
}

cJSON *upload_option_names(void)
{
    cJSON *names = cJSON_CreateArray();
    size_t i;
    add_source_names(names);
    for (i = 0; i < COUNT(upload_options); i++)
        cJSON_AddItemToArray(names, cJSON_CreateString(upload_options[i].name));
    return names;
}
