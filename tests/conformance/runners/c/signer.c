/* A signer: one that signs, one that fails, or one that gives what it was told to. */
#include "runner.h"

#include <stdlib.h>
#include <string.h>

/* Each text is NULL where it was not told. */
struct signer {
    char *app_id;
    char *secret_id;
    char *secret_key;
    char *failure;
    char *answer;
};

static char *copy(const char *text)
{
    char *copied;
    if (text == NULL)
        return NULL;
    copied = allocate(strlen(text) + 1);
    return strcpy(copied, text);
}

static void drop_signer(void *user_data)
{
    struct signer *signer = user_data;
    free(signer->app_id);
    free(signer->secret_id);
    free(signer->secret_key);
    free(signer->failure);
    free(signer->answer);
    free(signer);
}

static int32_t sign(const cos_slice_sign_request *request, cos_slice_signature *signature, void *user_data)
{
    const struct signer *signer = user_data;
    cos_slice_signature *signed_here = NULL;
    cos_slice_error *error = NULL;
    int32_t status;
    if (signer->failure != NULL)
        return cos_slice_signature_fail(signature, signer->failure);
    if (signer->answer != NULL)
        return cos_slice_signature_set(signature, signer->answer);
    status = cos_slice_sign(signer->app_id, signer->secret_id, signer->secret_key, COS_SLICE_SIGNATURE_SCOPE_PATH, request,
                            &signed_here, &error);
    if (status == COS_SLICE_OK)
        status = cos_slice_signature_set(signature, cos_slice_signature_text(signed_here));
    else
        (void)cos_slice_signature_fail(signature, cos_slice_error_message(error));
    cos_slice_signature_free(signed_here);
    cos_slice_error_free(error);
    return status;
}

void set_signer(cos_slice_client *client, const cJSON *value)
{
    struct signer *signer = allocate(sizeof *signer);
    signer->app_id = copy(text_of(value, "app_id"));
    signer->failure = copy(optional_text_of(value, "fail"));
    signer->answer = copy(optional_text_of(value, "answer"));
    if (signer->failure == NULL && signer->answer == NULL) {
        signer->secret_id = copy(text_of(value, "secret_id"));
        signer->secret_key = copy(text_of(value, "secret_key"));
    }
    (void)cos_slice_client_set_signer(client, signer->app_id, sign, signer, drop_signer);
}
