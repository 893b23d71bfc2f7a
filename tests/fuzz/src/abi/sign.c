/* Signers, and what app servers do. */
#include "host.h"

#include <string.h>

/* A signer, on threads of the library: its user_data is what it does. */
static int32_t sign(const cos_slice_sign_request *request, cos_slice_signature *signature, void *user_data)
{
    const uint8_t *acts = user_data;
    CHECK(request->struct_size == sizeof *request);
    check_text(request->operation);
    check_text(request->app_id);
    check_text(request->bucket);
    check_text(request->path);
    CHECK(request->lifetime_s >= 1 && request->lifetime_s <= 7776000);
    CHECK(cos_slice_signature_text(signature) == NULL);
    switch (*acts % 8) {
    case 0:
        return 3;
    case 1:
        return 0;
    case 2:
        CHECK(cos_slice_signature_fail(signature, *acts & 8 ? NULL : "line\r\nend") == COS_SLICE_OK);
        return 0;
    case 3:
        CHECK(cos_slice_signature_set(signature, *acts & 8 ? NULL : "line\r\nend") == COS_SLICE_ERR_INVALID_ARGUMENT);
        return 0;
    case 4:
        CHECK(cos_slice_signature_set(signature, "no signature") == COS_SLICE_OK);
        return 0;
    default: {
        cos_slice_signature *made = NULL;
        CHECK(cos_slice_sign("1251668577", "AKIDtest", SECRET, *acts % 4, request, &made, NULL) == COS_SLICE_OK ||
              strcmp(request->app_id, "1251668577") != 0);
        if (made != NULL)
            CHECK(cos_slice_signature_set(signature, cos_slice_signature_text(made)) == COS_SLICE_OK);
        cos_slice_signature_free(made);
        cos_slice_signature_free(signature);
        return 0;
    }
    }
}

int32_t set_signer(struct host *host, cos_slice_client *client)
{
    uint8_t *acts = malloc(1);
    CHECK(acts != NULL);
    *acts = take(host);
    char *app_id = take_text(host, "1251668577");
    give();
    int32_t status = cos_slice_client_set_signer(client, app_id, take(host) % 8 == 7 ? NULL : sign, acts, come_back);
    free(app_id);
    return status;
}

void sign_something(struct host *host)
{
    char *key[3] = { take_text(host, "1251668577"), take_text(host, "AKIDtest"), take_text(host, SECRET) };
    char *texts[4] = { take_text(host, "stat"), take_text(host, "1251668577"), take_text(host, "bucket"),
                       take_text(host, "path") };
    cos_slice_sign_request request = { sizeof request, (int32_t)take_number(host), texts[0], texts[1], texts[2], texts[3],
                                       take_number(host) };
    cos_slice_signature *signature = (cos_slice_signature *)(uintptr_t)0x5a5a;
    cos_slice_error *error = (cos_slice_error *)(uintptr_t)0x5a5a;
    if (take(host) % 16 == 15)
        request.struct_size = take(host) % sizeof request;
    int32_t scope = take(host) % 5;
    TRACE("sign %s %s %s, scope %d", texts[1], texts[2], texts[3], scope);
    int32_t status = cos_slice_sign(key[0], key[1], key[2], scope, &request, &signature, &error);
    CHECK((signature != NULL) == (status == COS_SLICE_OK));
    check_optional_text(cos_slice_signature_text(signature));
    CHECK(cos_slice_signature_set(signature, "x") == COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK(cos_slice_signature_fail(signature, "x") == COS_SLICE_ERR_INVALID_ARGUMENT);
    cos_slice_signature_free(signature);
    check_end(host, status, error);
    for (size_t i = 0; i < COUNT(key); i++)
        free(key[i]);
    for (size_t i = 0; i < COUNT(texts); i++)
        free(texts[i]);
}
