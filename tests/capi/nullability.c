/* The header marks the pointers that may be NULL. Here NULL is passed for each that is neither a handle nor a callback's user_data
 * and drop nor where an error or an answer goes: it is taken where there is a mark, and refused where there is none. */
#include "check.h"

/* tests/abi.rs compares function and parameter with the header, so that none is left out. */
#define TAKEN(function, parameter, call) CHECK_STATUS(call, COS_SLICE_OK)
#define REFUSED(function, parameter, call) CHECK_STATUS(call, COS_SLICE_ERR_INVALID_ARGUMENT)

static void a_client_refuses_null(cos_slice_client *client)
{
    REFUSED(cos_slice_client_set_endpoint, endpoint, cos_slice_client_set_endpoint(client, NULL));
    REFUSED(cos_slice_client_set_region, region, cos_slice_client_set_region(client, NULL));
    REFUSED(cos_slice_client_set_ca_file, path, cos_slice_client_set_ca_file(client, NULL));
    REFUSED(cos_slice_client_set_ca_pem, pem, cos_slice_client_set_ca_pem(client, NULL, 1));
    TAKEN(cos_slice_client_set_proxy, proxy, cos_slice_client_set_proxy(client, NULL));
    TAKEN(cos_slice_client_set_log, log, cos_slice_client_set_log(client, COS_SLICE_LOG_INFO, NULL, NULL, NULL));
    REFUSED(cos_slice_client_set_checkpoint_dir, path, cos_slice_client_set_checkpoint_dir(client, NULL));
    REFUSED(cos_slice_client_set_secret_key, app_id, cos_slice_client_set_secret_key(client, NULL, "id", "key"));
    REFUSED(cos_slice_client_set_secret_key, secret_id, cos_slice_client_set_secret_key(client, "1", NULL, "key"));
    REFUSED(cos_slice_client_set_secret_key, secret_key, cos_slice_client_set_secret_key(client, "1", "id", NULL));
    REFUSED(cos_slice_client_set_authorization, app_id, cos_slice_client_set_authorization(client, NULL, "word"));
    REFUSED(cos_slice_client_set_authorization, authorization, cos_slice_client_set_authorization(client, "1", NULL));
    REFUSED(cos_slice_client_set_slice_sizes, sizes, cos_slice_client_set_slice_sizes(client, NULL, 1));
    REFUSED(cos_slice_client_add_form_field, name, cos_slice_client_add_form_field(client, NULL, "value"));
    REFUSED(cos_slice_client_add_form_field, value, cos_slice_client_add_form_field(client, "name", NULL));
    REFUSED(cos_slice_client_add_header, name, cos_slice_client_add_header(client, NULL, "value"));
    REFUSED(cos_slice_client_add_header, value, cos_slice_client_add_header(client, "name", NULL));
    TAKEN(cos_slice_client_set_token_place, word,
          cos_slice_client_set_token_place(client, COS_SLICE_TOKEN_HEADER, NULL));
    TAKEN(cos_slice_client_set_token_place, word,
          cos_slice_client_set_token_place(client, COS_SLICE_TOKEN_QUERY, NULL));
}

static int32_t sign(const cos_slice_sign_request *request, cos_slice_signature *signature, void *asked)
{
    CHECK(request->operation != NULL && request->app_id != NULL && request->bucket != NULL && request->path != NULL);
    REFUSED(cos_slice_signature_set, authorization, cos_slice_signature_set(signature, NULL));
    TAKEN(cos_slice_signature_fail, message, cos_slice_signature_fail(signature, NULL));
    happen(asked);
    return 0;
}

static void a_signer_is_needed_and_gets_what_its_request_says(void)
{
    struct event asked = EVENT;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = cos_slice_upload_new(client, "nullability", "/signed.bin");
    cos_slice_error *error = NULL;
    REFUSED(cos_slice_client_set_signer, app_id, cos_slice_client_set_signer(client, NULL, sign, NULL, NULL));
    REFUSED(cos_slice_client_set_signer, sign, cos_slice_client_set_signer(client, "1251668577", NULL, NULL, NULL));
    CHECK_STATUS(cos_slice_client_set_signer(client, "1251668577", sign, &asked, NULL), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_SIGNER, "it told no reason");
    CHECK(happened(&asked) == 1);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void a_signature_needs_all_but_operation_and_app_id(void)
{
    cos_slice_sign_request whole = { sizeof whole, COS_SLICE_SIGNATURE_MULTI_EFFECT, NULL, NULL, "videos", "/a", 60 };
    cos_slice_sign_request request = whole;
    cos_slice_signature *signature = NULL;
    TAKEN(cos_slice_sign_request, operation, cos_slice_sign("1", "id", "key", 0, &request, &signature, NULL));
    cos_slice_signature_free(signature);
    TAKEN(cos_slice_sign_request, app_id, cos_slice_sign("1", "id", "key", 0, &request, &signature, NULL));
    cos_slice_signature_free(signature);
    request.bucket = NULL;
    REFUSED(cos_slice_sign_request, bucket, cos_slice_sign("1", "id", "key", 0, &request, &signature, NULL));
    request = whole;
    request.path = NULL;
    REFUSED(cos_slice_sign_request, path, cos_slice_sign("1", "id", "key", 0, &request, &signature, NULL));
    REFUSED(cos_slice_sign, app_id, cos_slice_sign(NULL, "id", "key", 0, &whole, &signature, NULL));
    REFUSED(cos_slice_sign, secret_id, cos_slice_sign("1", NULL, "key", 0, &whole, &signature, NULL));
    REFUSED(cos_slice_sign, secret_key, cos_slice_sign("1", "id", NULL, 0, &whole, &signature, NULL));
    REFUSED(cos_slice_sign, request, cos_slice_sign("1", "id", "key", 0, NULL, &signature, NULL));
    CHECK(signature == NULL);
    REFUSED(cos_slice_sign, signature, cos_slice_sign("1", "id", "key", 0, &whole, NULL, NULL));
}

/* What an upload to this bucket and path ends with. */
static int32_t ends(cos_slice_client *client, const char *bucket, const char *path)
{
    cos_slice_upload *upload = cos_slice_upload_new(client, bucket, path);
    int32_t status;
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
    status = cos_slice_upload_run(upload, NULL);
    cos_slice_upload_free(upload);
    return status;
}

/* The same of a request. */
static int32_t request_ends(cos_slice_client *client, const char *bucket, const char *path)
{
    cos_slice_operation *operation = cos_slice_operation_new(client, bucket, path);
    int32_t status = cos_slice_operation_stat(operation, NULL, NULL);
    cos_slice_operation_free(operation);
    return status;
}

static void an_upload_takes_null_where_it_says_so(cos_slice_client *client)
{
    cos_slice_upload *upload = cos_slice_upload_new(client, "nullability", "/a.bin");
    REFUSED(cos_slice_upload_new, bucket, ends(client, NULL, "/a.bin"));
    REFUSED(cos_slice_upload_new, path, ends(client, "nullability", NULL));
    REFUSED(cos_slice_upload_set_file, path, cos_slice_upload_set_file(upload, NULL));
    REFUSED(cos_slice_upload_set_file_bytes, path, cos_slice_upload_set_file_bytes(upload, NULL, 1));
    REFUSED(cos_slice_upload_set_read_at, read_at, cos_slice_upload_set_read_at(upload, 1, NULL, NULL, NULL));
    REFUSED(cos_slice_upload_set_stream, read, cos_slice_upload_set_stream(upload, 1, NULL, NULL, NULL));
    REFUSED(cos_slice_upload_progress, progress, cos_slice_upload_progress(upload, NULL));
    TAKEN(cos_slice_upload_set_memory, data, cos_slice_upload_set_memory(upload, NULL, 0));
    TAKEN(cos_slice_upload_set_biz_attr, biz_attr, cos_slice_upload_set_biz_attr(upload, NULL));
    TAKEN(cos_slice_upload_set_spool, directory, cos_slice_upload_set_spool(upload, NULL, 1));
    TAKEN(cos_slice_upload_set_progress, callback, cos_slice_upload_set_progress(upload, NULL, NULL, NULL));
    TAKEN(cos_slice_upload_set_completion, callback, cos_slice_upload_set_completion(upload, NULL, NULL, NULL));
    cos_slice_upload_free(upload);
}

static void an_operation_takes_null_where_it_says_so(cos_slice_client *client)
{
    cos_slice_operation *operation = cos_slice_operation_new(client, "nullability", "/a.bin");
    cos_slice_answer *answer = NULL;
    int64_t number = 0;
    REFUSED(cos_slice_operation_new, bucket, request_ends(client, NULL, "/a.bin"));
    REFUSED(cos_slice_operation_new, path, request_ends(client, "nullability", NULL));
    REFUSED(cos_slice_operation_set_file, path, cos_slice_operation_set_file(operation, NULL));
    REFUSED(cos_slice_operation_set_file_bytes, path, cos_slice_operation_set_file_bytes(operation, NULL, 1));
    TAKEN(cos_slice_operation_set_memory, data, cos_slice_operation_set_memory(operation, NULL, 0));
    TAKEN(cos_slice_operation_set_session, session, cos_slice_operation_set_session(operation, NULL));
    TAKEN(cos_slice_operation_set_sha1, hexadecimal, cos_slice_operation_set_sha1(operation, NULL));
    TAKEN(cos_slice_operation_set_biz_attr, biz_attr, cos_slice_operation_set_biz_attr(operation, NULL));
    cos_slice_operation_free(operation);

    /* A list that has a part. */
    operation = cos_slice_operation_new(client, "nullability", "/list.bin");
    make_file(in_directory("content"), 600000, 1);
    CHECK_STATUS(cos_slice_operation_set_file(operation, in_directory("content")), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_operation_set_slice_size(operation, 524288), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_operation_init(operation, &answer, NULL), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_operation_set_session(operation, cos_slice_answer_session(answer)), COS_SLICE_OK);
    cos_slice_answer_free(answer);
    CHECK_STATUS(cos_slice_operation_slice(operation, 0, 524288, NULL, NULL), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_operation_list(operation, &answer, NULL), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_answer_part(answer, 0, &number, &number), COS_SLICE_OK);
    REFUSED(cos_slice_answer_part, offset, cos_slice_answer_part(answer, 0, NULL, &number));
    REFUSED(cos_slice_answer_part, length, cos_slice_answer_part(answer, 0, &number, NULL));
    cos_slice_answer_free(answer);
    cos_slice_operation_free(operation);
}

int main(int argc, char **argv)
{
    cos_slice_client *client;
    begin(argc, argv);
    client = cos_slice_client_new();
    a_client_refuses_null(client);
    cos_slice_client_free(client);
    a_signer_is_needed_and_gets_what_its_request_says();
    a_signature_needs_all_but_operation_and_app_id();
    client = client_for(endpoint);
    an_upload_takes_null_where_it_says_so(client);
    an_operation_takes_null_where_it_says_so(client);
    cos_slice_client_free(client);
    return 0;
}
