/* A client of a store that wants something otherwise than the service: what it can't want, and an upload in its dialect. */
#include "check.h"

static cos_slice_upload *upload_of(cos_slice_client *client, const char *path, size_t size)
{
    static char zeros[1200 * 1024];
    cos_slice_upload *upload = cos_slice_upload_new(client, "dialects", path);
    CHECK(size <= sizeof zeros);
    CHECK_STATUS(cos_slice_upload_set_memory(upload, zeros, size), COS_SLICE_OK);
    return upload;
}

/* The setting was just refused: run says so, and sends nothing. */
static void check_refused(cos_slice_client *client, const char *text)
{
    cos_slice_error *error = NULL;
    cos_slice_upload *upload = upload_of(client, "/never", 3);
    int before = count_requests("upload_slice_init");
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, text);
    CHECK(count_requests("upload_slice_init") == before);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void check_sizes(const int64_t *sizes, size_t count, const char *text)
{
    cos_slice_client *client = client_for(endpoint);
    CHECK_STATUS(cos_slice_client_set_slice_sizes(client, sizes, count), COS_SLICE_ERR_INVALID_ARGUMENT);
    check_refused(client, text);
}

static void check_field(const char *name, const char *value, const char *text)
{
    cos_slice_client *client = client_for(endpoint);
    CHECK_STATUS(cos_slice_client_add_form_field(client, name, value), COS_SLICE_ERR_INVALID_ARGUMENT);
    /* A good one does not take the place of the bad one. */
    CHECK_STATUS(cos_slice_client_add_form_field(client, "good", "one"), COS_SLICE_OK);
    check_refused(client, text);
}

static void check_header(const char *name, const char *value, const char *text)
{
    cos_slice_client *client = client_for(endpoint);
    CHECK_STATUS(cos_slice_client_add_header(client, name, value), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_add_header(client, "X-Good", "one"), COS_SLICE_OK);
    check_refused(client, text);
}

static void check_place(int32_t place, const char *word, const char *text)
{
    cos_slice_client *client = client_for(endpoint);
    CHECK_STATUS(cos_slice_client_set_token_place(client, place, word), COS_SLICE_ERR_INVALID_ARGUMENT);
    check_refused(client, text);
}

static void what_no_store_can_want_is_refused_by_name(void)
{
    static const int64_t odd[] = { 1048576, 100000 }, negative[] = { -1 }, some[17];
    check_sizes(NULL, 1, "slice_sizes: it is NULL");
    check_sizes(odd, 0, "slice_sizes: 0 sizes are not 1 to 16");
    check_sizes(some, 17, "slice_sizes: 17 sizes are not 1 to 16");
    check_sizes(some, SIZE_MAX, "sizes are not 1 to 16");
    check_sizes(odd, 2, "slice_sizes: 100000 is not a multiple of 64");
    check_sizes(negative, 1, "slice_sizes: -1 is negative");

    check_field(NULL, "x", "form_field: it is NULL");
    check_field("x", NULL, "form_field: it is NULL");
    check_field("x\xff", "x", "form_field: it is not UTF-8");
    check_field("SESSION", "x", "form_field: \"SESSION\" is a field of the protocol itself");
    check_field("a\"b", "x", "form_field: the name may only have");
    check_field("name", "a\r\nb", "form_field: the value of \"name\" has a control character");

    check_header(NULL, "x", "header: it is NULL");
    check_header("x", NULL, "header: it is NULL");
    check_header("content-LENGTH", "0", "header: \"content-LENGTH\" is set by the library itself");
    check_header("a b", "x", "header: the name may only have");
    check_header("X-Store", "a\r\nHost: b", "header: the value of \"X-Store\" must have");

    check_place(3, NULL, "token_place: 3 is none of");
    check_place(-1, NULL, "token_place: -1 is none of");
    check_place(COS_SLICE_TOKEN_HEADER_AFTER_WORD, NULL, "token_place: it is NULL");
    check_place(COS_SLICE_TOKEN_HEADER_AFTER_WORD, "two words", "token_place: the name may only have");
}

static void a_slice_size_is_one_of_the_client_s(void)
{
    static const int64_t own[] = { 524288, 4194304 };
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = upload_of(client, "/never", 3);
    CHECK_STATUS(cos_slice_upload_set_slice_size(upload, 4194304), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_slice_sizes(client, own, 2), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_slice_size(upload, 1048576), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "slice_size: ");
    CHECK_STATUS(cos_slice_upload_set_slice_size(upload, 4194304), COS_SLICE_OK);
    /* Those that are the client's when it is run count. */
    CHECK_STATUS(cos_slice_client_set_slice_sizes(client, own, 1), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT,
               "slice_size: 4194304 is not one of 524288");
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void an_upload_speaks_the_dialect(const char *path, int32_t place, const char *word)
{
    static const int64_t own[] = { 524288, 1048576 };
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = upload_of(client, path, 1200 * 1024);
    CHECK_STATUS(cos_slice_client_set_slice_sizes(client, own, 2), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_add_form_field(client, "tenant", "a secret of the store"), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_add_header(client, "X-Store", "another one"), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_token_place(client, place, word), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_slice_md5(client, 1), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    /* The first of the store's sizes was asked for, and answered. */
    CHECK(cos_slice_upload_slices_sent(upload) == 3);
    CHECK(cos_slice_upload_verified(upload) == 1);
    CHECK_STATUS(cos_slice_client_set_slice_md5(client, 0), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_client_set_slice_sizes(client, own, 2), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_client_add_header(client, "X-More", ""), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_client_add_form_field(client, "more", ""), COS_SLICE_ERR_BUSY);
    CHECK_STATUS(cos_slice_client_set_token_place(client, COS_SLICE_TOKEN_HEADER, NULL), COS_SLICE_ERR_BUSY);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    what_no_store_can_want_is_refused_by_name();
    a_slice_size_is_one_of_the_client_s();
    an_upload_speaks_the_dialect("/header", COS_SLICE_TOKEN_HEADER, NULL);
    an_upload_speaks_the_dialect("/word", COS_SLICE_TOKEN_HEADER_AFTER_WORD, "COS");
    an_upload_speaks_the_dialect("/query", COS_SLICE_TOKEN_QUERY, NULL);
    return 0;
}
