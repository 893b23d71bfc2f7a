/* Names of files that are not text, and how the service is reached: proxies, and certificates from memory. */
#include "check.h"

static void a_file_whose_name_is_not_text_is_uploaded(void)
{
    cos_slice_error *error = NULL;
    char path[512];
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = cos_slice_upload_new(client, "reach", "/bytes");
    cos_slice_operation *operation = cos_slice_operation_new(client, "reach", "/bytes");
    cos_slice_answer *answer = NULL;
    snprintf(path, sizeof path, "%s", in_directory("\xff\xfe name"));
    make_file(path, 70000, 5);
    CHECK_STATUS(cos_slice_upload_set_file(upload, path), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_file_bytes(upload, path, strlen(path)), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(cos_slice_upload_size(upload) == 70000);
    CHECK_STATUS(cos_slice_operation_set_file_bytes(operation, path, strlen(path)), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_operation_hash(operation, &answer, &error), COS_SLICE_OK, NULL);
    CHECK(strcmp(cos_slice_answer_sha1(answer), cos_slice_upload_sha1(upload)) == 0);
    cos_slice_answer_free(answer);
    cos_slice_operation_free(operation);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void a_name_that_no_file_has_is_refused(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = cos_slice_upload_new(client, "reach", "/refused");
    CHECK_STATUS(cos_slice_upload_set_file_bytes(NULL, "a", 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_file_bytes(upload, NULL, 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_file_bytes(upload, "a\0b", 3), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_upload_set_file_bytes(upload, NULL, 0), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "file_bytes: ");
    CHECK_STATUS(cos_slice_upload_set_file_bytes(upload, "\xff", 1), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_FILE_OPEN, "\\xFF");
    CHECK_STATUS(cos_slice_operation_set_file_bytes(NULL, "a", 1), COS_SLICE_ERR_INVALID_ARGUMENT);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

/* How a run over a client with these settings ends. */
static void check_run(cos_slice_client *client, int32_t wanted, const char *text)
{
    cos_slice_error *error = NULL;
    cos_slice_upload *upload = cos_slice_upload_new(client, "reach", "/proxy");
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abcdef", 6), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), wanted, text);
    cos_slice_upload_free(upload);
}

static void a_proxy_is_gone_through_unless_it_is_taken_back(void)
{
    cos_slice_client *client = client_for(endpoint);
    CHECK_STATUS(cos_slice_client_set_proxy(client, closed_port()), COS_SLICE_OK);
    check_run(client, COS_SLICE_ERR_CONNECT, "proxy");
    CHECK_STATUS(cos_slice_client_set_proxy(client, NULL), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_client_set_use_env_proxy(client, 0), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_client_set_ca_pem(client, "pem", 3), COS_SLICE_ERR_BUSY);
    cos_slice_client_free(client);

    client = client_for(endpoint);
    CHECK_STATUS(cos_slice_client_set_proxy(client, "socks5://user:sesame-open@127.0.0.1:1"), COS_SLICE_ERR_INVALID_ARGUMENT);
    check_run(client, COS_SLICE_ERR_INVALID_ARGUMENT, "http://host:port");
    CHECK_STATUS(cos_slice_client_set_proxy(client, closed_port()), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_proxy(client, NULL), COS_SLICE_OK);
    check_run(client, COS_SLICE_OK, NULL);
    cos_slice_client_free(client);
}

static void the_environment_s_proxy_is_taken_only_where_that_was_asked_for(void)
{
    cos_slice_client *client = client_for(endpoint);
    setenv("all_proxy", closed_port(), 1);
    check_run(client, COS_SLICE_OK, NULL);
    cos_slice_client_free(client);
    client = client_for(endpoint);
    CHECK_STATUS(cos_slice_client_set_use_env_proxy(client, 1), COS_SLICE_OK);
    check_run(client, COS_SLICE_ERR_CONNECT, "proxy");
    cos_slice_client_free(client);
    unsetenv("all_proxy");
}

static void certificates_from_memory_are_bounded_and_checked(void)
{
    static char large[(4 << 20) + 1];
    cos_slice_client *client = client_for("https://127.0.0.1:1");
    CHECK_STATUS(cos_slice_client_set_ca_pem(NULL, "pem", 3), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_ca_pem(client, NULL, 3), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_ca_pem(client, large, sizeof large), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_ca_pem(client, "", 0), COS_SLICE_ERR_INVALID_ARGUMENT);
    check_run(client, COS_SLICE_ERR_INVALID_ARGUMENT, "ca_pem: ");
    CHECK_STATUS(cos_slice_client_set_ca_pem(client, "no certificate", 14), COS_SLICE_OK);
    check_run(client, COS_SLICE_ERR_INVALID_ARGUMENT, "ertificate");
    cos_slice_client_free(client);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    a_file_whose_name_is_not_text_is_uploaded();
    a_name_that_no_file_has_is_refused();
    a_proxy_is_gone_through_unless_it_is_taken_back();
    the_environment_s_proxy_is_taken_only_where_that_was_asked_for();
    certificates_from_memory_are_bounded_and_checked();
    return 0;
}
