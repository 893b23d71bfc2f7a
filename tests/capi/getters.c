/* What results, errors and versions tell. */
#include "check.h"

#define SHA1_OF_ABC "a9993e364706816aba3e25717850c26c9cd0d89d"

static cos_slice_upload *upload_of(cos_slice_client *client, const char *path, const char *content)
{
    cos_slice_upload *upload = cos_slice_upload_new(client, "getters", path);
    CHECK_STATUS(cos_slice_upload_set_memory(upload, content, strlen(content)), COS_SLICE_OK);
    return upload;
}

static void check_nothing_is_told(const cos_slice_upload *upload)
{
    CHECK(cos_slice_upload_outcome(upload) == COS_SLICE_OUTCOME_NONE);
    CHECK(cos_slice_upload_access_url(upload) == NULL && cos_slice_upload_source_url(upload) == NULL);
    CHECK(cos_slice_upload_url(upload) == NULL && cos_slice_upload_resource_path(upload) == NULL);
    CHECK(cos_slice_upload_preview_url(upload) == NULL && cos_slice_upload_vid(upload) == NULL);
    CHECK(cos_slice_upload_sha1(upload) == NULL && cos_slice_upload_size(upload) == 0);
    CHECK(cos_slice_upload_bytes_sent(upload) == 0 && cos_slice_upload_slices_sent(upload) == 0);
    CHECK(cos_slice_upload_bytes_resumed(upload) == 0 && cos_slice_upload_retries(upload) == 0);
    CHECK(cos_slice_upload_verified(upload) == 0);
}

static void a_result_tells_what_was_done(void)
{
    cos_slice_error *error = NULL;
    const char *url;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = upload_of(client, "/results/abc", "abc");
    check_nothing_is_told(upload);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(cos_slice_upload_outcome(upload) == COS_SLICE_OUTCOME_UPLOADED);
    CHECK(cos_slice_upload_size(upload) == 3 && cos_slice_upload_bytes_sent(upload) == 3);
    CHECK(cos_slice_upload_slices_sent(upload) == 1 && cos_slice_upload_bytes_resumed(upload) == 0);
    CHECK(cos_slice_upload_retries(upload) == 0 && cos_slice_upload_verified(upload) == 1);
    CHECK(strcmp(cos_slice_upload_sha1(upload), SHA1_OF_ABC) == 0);
    CHECK(strcmp(cos_slice_upload_resource_path(upload), "/1251668577/getters/results/abc") == 0);
    CHECK(strstr(cos_slice_upload_source_url(upload), "results/abc") != NULL);
    CHECK(strstr(cos_slice_upload_url(upload), "results/abc") != NULL);
    url = cos_slice_upload_access_url(upload);
    CHECK(strstr(url, "results/abc") != NULL);

    /* A wait after the run tells the same, and what was borrowed stays. */
    CHECK_ENDS(cos_slice_upload_wait(upload, 0, &error), COS_SLICE_OK, NULL);
    CHECK(cos_slice_upload_access_url(upload) == url && strstr(url, "results/abc") != NULL);

    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(cos_slice_upload_outcome(upload) == COS_SLICE_OUTCOME_INSTANT);
    CHECK(cos_slice_upload_slices_sent(upload) == 0 && cos_slice_upload_bytes_sent(upload) == 0);
    CHECK(cos_slice_upload_size(upload) == 3);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void an_error_tells_what_the_server_said_and_the_result_is_gone(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = upload_of(client, "/results/kept", "abc");
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "other", 5), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_OBJECT_EXISTS);
    check_nothing_is_told(upload);
    CHECK(cos_slice_error_status(error) == COS_SLICE_ERR_OBJECT_EXISTS);
    CHECK(cos_slice_error_server_code(error) == -177 && cos_slice_error_http_status(error) >= 400);
    CHECK(cos_slice_error_request_id(error) != NULL && cos_slice_error_request_id(error)[0] != '\0');
    CHECK(strcmp(cos_slice_error_operation(error), "upload_slice_init") == 0);
    CHECK(cos_slice_error_attempts(error) == 1 && cos_slice_error_slice_offset(error) == -1);
    CHECK(cos_slice_error_is_retryable(error) == 0 && cos_slice_error_os_errno(error) == 0);
    CHECK(cos_slice_error_callback_value(error) == 0);
    CHECK(strstr(cos_slice_error_message(error), cos_slice_error_request_id(error)) != NULL);
    cos_slice_error_free(error);
    error = NULL;

    CHECK_STATUS(cos_slice_upload_set_overwrite(upload, 1), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(cos_slice_upload_size(upload) == 5);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void a_wrong_key_is_told_without_showing_it(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = upload_of(client, "/results/key", "abc");
    CHECK_STATUS(cos_slice_client_set_secret_key(client, "1251668577", "AKIDtest", "planted-secret"), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_CREDENTIALS);
    CHECK(strstr(cos_slice_error_message(error), "planted-secret") == NULL);
    CHECK(strstr(cos_slice_error_message(error), "secret key") != NULL);
    cos_slice_error_free(error);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void check_upload_with_settings(const char *path, int hash, int64_t slice_size, int64_t limit, size_t size)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = cos_slice_upload_new(client, "getters", path);
    make_file(in_directory("settings"), size, (unsigned)size);
    CHECK_STATUS(cos_slice_client_set_resolve_timeout_ms(client, 5000), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_connect_timeout_ms(client, 5000), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_tls_timeout_ms(client, 5000), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_stall_timeout_ms(client, 60000), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_answer_timeout_ms(client, 60000), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_finish_timeout_ms(client, 86400000), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_connections(client, 3), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_file(upload, in_directory("settings")), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_hash(upload, hash), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_slice_size(upload, slice_size), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_single_request_limit(upload, limit), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_overwrite(upload, 0), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_discard_unfinished(upload, 0), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_verify(upload, 0), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_biz_attr(upload, NULL), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_biz_attr(upload, "camera=7"), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_deadline_ms(upload, 31536000000), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(cos_slice_upload_size(upload) == size && cos_slice_upload_verified(upload) == 0);
    CHECK((cos_slice_upload_sha1(upload) != NULL) == hash);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void a_file_of_certificates_is_read_at_once_and_judged_by_run(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for("https://127.0.0.1:1");
    cos_slice_upload *upload = upload_of(client, "/certificates", "abc");
    make_file(in_directory("ca.pem"), 1000, 1);
    CHECK_STATUS(cos_slice_client_set_ca_file(client, in_directory("ca.pem")), COS_SLICE_OK);
    CHECK(remove(in_directory("ca.pem")) == 0);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "certificate");
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void a_checkpoint_has_one_upload_at_a_time(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(silent_server());
    cos_slice_upload *first = upload_of(client, "/checkpoint", "abc");
    cos_slice_upload *second = upload_of(client, "/checkpoint", "abc");
    CHECK_STATUS(cos_slice_client_set_checkpoint_dir(client, in_directory("checkpoints")), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_start(first, &error), COS_SLICE_OK, NULL);
    CHECK_ENDS(cos_slice_upload_run(second, &error), COS_SLICE_ERR_CHECKPOINT_BUSY, "another upload");
    CHECK_STATUS(cos_slice_client_set_checkpoint_dir(client, in_directory("others")), COS_SLICE_ERR_BUSY);
    cos_slice_upload_cancel(first);
    CHECK_ENDS(cos_slice_upload_wait(first, -1, &error), COS_SLICE_ERR_CANCELLED, NULL);
    CHECK(cos_slice_upload_warning(first) == NULL);
    /* Free again, as soon as wait has told the end. */
    cos_slice_upload_cancel(second);
    CHECK_ENDS(cos_slice_upload_run(second, &error), COS_SLICE_ERR_CANCELLED, NULL);
    cos_slice_upload_free(first);
    cos_slice_upload_free(second);
    cos_slice_client_free(client);
}

static void what_is_wrong_with_a_checkpoint_is_a_warning(void)
{
    cos_slice_error *error = NULL;
    const char *warning;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = upload_of(client, "/warning", "abc");
    make_file(in_directory("no-folder"), 1, 1);
    CHECK_STATUS(cos_slice_client_set_checkpoint_dir(client, in_directory("no-folder")), COS_SLICE_OK);
    CHECK(cos_slice_upload_warning(upload) == NULL);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    warning = cos_slice_upload_warning(upload);
    CHECK(warning != NULL && strstr(warning, "no-folder") != NULL && strchr(warning, '\n') == NULL);
    CHECK(cos_slice_upload_warning(upload) == warning);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void versions_agree_with_the_header(void)
{
    char version[32];
    CHECK(snprintf(version, sizeof version, "%d.%d.%d", COS_SLICE_VERSION_MAJOR, COS_SLICE_VERSION_MINOR,
                   COS_SLICE_VERSION_PATCH) > 0);
    CHECK(strcmp(cos_slice_version(), version) == 0);
    CHECK(cos_slice_version_number() == COS_SLICE_VERSION_NUMBER);
    CHECK(COS_SLICE_VERSION_NUMBER ==
          COS_SLICE_VERSION_MAJOR * 0x10000 + COS_SLICE_VERSION_MINOR * 0x100 + COS_SLICE_VERSION_PATCH);
    CHECK(cos_slice_abi_version() == COS_SLICE_ABI_VERSION);
    CHECK(strstr(cos_slice_features(), "files-v2") != NULL);
    CHECK(strstr(cos_slice_features(), "files-v1") != NULL);
}

static void status_numbers_have_names_and_meanings(void)
{
    CHECK(strcmp(cos_slice_status_name(COS_SLICE_OK), "COS_SLICE_OK") == 0);
    CHECK(strcmp(cos_slice_status_name(COS_SLICE_ERR_BUSY), "COS_SLICE_ERR_BUSY") == 0);
    CHECK(strstr(cos_slice_status_meaning(COS_SLICE_ERR_CANCELLED), "cancelled") != NULL);
    CHECK(strcmp(cos_slice_status_name(-99999), "COS_SLICE_ERR_UNKNOWN") == 0);
    CHECK(strcmp(cos_slice_status_name(1), "COS_SLICE_ERR_UNKNOWN") == 0);
    CHECK(cos_slice_status_meaning(-99999)[0] != '\0');
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    a_result_tells_what_was_done();
    an_error_tells_what_the_server_said_and_the_result_is_gone();
    a_wrong_key_is_told_without_showing_it();
    check_upload_with_settings("/settings/hashed", 1, 524288, 0, 600000);
    check_upload_with_settings("/settings/unhashed", 0, 2097152, 0, 2097153);
    check_upload_with_settings("/settings/single", 1, 1048576, 20971520, 1000);
    check_upload_with_settings("/settings/empty", 1, 1048576, 0, 0);
    a_file_of_certificates_is_read_at_once_and_judged_by_run();
    a_checkpoint_has_one_upload_at_a_time();
    what_is_wrong_with_a_checkpoint_is_a_warning();
    versions_agree_with_the_header();
    status_numbers_have_names_and_meanings();
    return 0;
}
