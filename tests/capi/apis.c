/* The older API, and directories that are made. */
#include "check.h"

#define SIZE (3 * 1024 * 1024 + 7)

static cos_slice_upload *upload_of(const cos_slice_client *client, const char *path)
{
    cos_slice_upload *upload = cos_slice_upload_new(client, "apis", path);
    CHECK_STATUS(cos_slice_upload_set_file(upload, in_directory("file")), COS_SLICE_OK);
    return upload;
}

static void by_files_v1_a_file_goes_up_is_resumed_and_found_again(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload;
    int controls = count_requests("v1_control");
    CHECK_STATUS(cos_slice_client_set_api(client, COS_SLICE_API_FILES_V1), COS_SLICE_OK);
    upload = upload_of(client, "/v1/file");
    add_faults("{\"operation\":\"v1_data\",\"nth\":3,\"action\":{\"status\":400,\"code\":-5999}}");
    CHECK_STATUS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_REFUSED);
    CHECK(strcmp(cos_slice_error_operation(error), "upload_slice") == 0);
    CHECK(cos_slice_error_slice_offset(error) == 2 * 1024 * 1024);
    cos_slice_error_free(error);
    error = NULL;
    clear_faults();

    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(cos_slice_upload_outcome(upload) == COS_SLICE_OUTCOME_RESUMED);
    CHECK(cos_slice_upload_bytes_resumed(upload) == 2 * 1024 * 1024 && cos_slice_upload_slices_sent(upload) == 2);
    CHECK(cos_slice_upload_verified(upload) == 1 && cos_slice_upload_size(upload) == SIZE);
    CHECK(strstr(cos_slice_upload_access_url(upload), "v1/file") != NULL);
    CHECK(count_requests("v1_control") == controls + 2);

    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(cos_slice_upload_outcome(upload) == COS_SLICE_OUTCOME_INSTANT);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void by_files_v1_nothing_goes_up_without_hashing(void)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload;
    int controls = count_requests("v1_control");
    CHECK_STATUS(cos_slice_client_set_api(client, COS_SLICE_API_FILES_V1), COS_SLICE_OK);
    upload = upload_of(client, "/v1/unhashed");
    CHECK_STATUS(cos_slice_upload_set_hash(upload, 0), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "files/v1");
    CHECK(count_requests("v1_control") == controls);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void missing_directories_are_made_where_that_is_wanted(int32_t api, const char *path, int depth)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload;
    int made = count_requests("create");
    CHECK_STATUS(cos_slice_client_set_api(client, api), COS_SLICE_OK);
    upload = upload_of(client, path);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_NOT_FOUND, "directory");
    CHECK(count_requests("create") == made);

    CHECK_STATUS(cos_slice_upload_set_create_parents(upload, 1), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(cos_slice_upload_outcome(upload) == COS_SLICE_OUTCOME_UPLOADED);
    CHECK(count_requests("create") == made + depth);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    make_file(in_directory("file"), SIZE, 1);
    by_files_v1_a_file_goes_up_is_resumed_and_found_again();
    by_files_v1_nothing_goes_up_without_hashing();
    set_switches("{\"require_parent_dir\":\"on\"}");
    missing_directories_are_made_where_that_is_wanted(COS_SLICE_API_FILES_V2, "/first/second/file", 2);
    missing_directories_are_made_where_that_is_wanted(COS_SLICE_API_FILES_V1, "/other/file", 1);
    set_switches("{\"require_parent_dir\":\"off\"}");
    return 0;
}
