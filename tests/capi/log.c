/* The log of a client: what it is told, what may be done inside, and that its data is dropped exactly once. */
#include "check.h"

#define SLICE 524288

/* What a log does when it is told of a request. */
enum action { NOTHING, CANCEL, FREE };

struct keeper {
    enum action action;
    cos_slice_upload *upload;
    pthread_mutex_t mutex;
    /* From here on guarded: several threads may tell at once. */
    int entries;
    int by_level[5];
    int slices;
    int acted;
    int32_t last_level;
    char last[1024];
    struct event dropped;
};

static void keeper_init(struct keeper *keeper, enum action action)
{
    static const struct event none = EVENT;
    memset(keeper, 0, sizeof *keeper);
    keeper->action = action;
    keeper->dropped = none;
    CHECK(pthread_mutex_init(&keeper->mutex, NULL) == 0);
}

static void drop_keeper(void *user_data)
{
    struct keeper *keeper = user_data;
    happen(&keeper->dropped);
}

static void check_nothing_that_waits_is_allowed(cos_slice_upload *upload)
{
    cos_slice_error *error = NULL;
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_BUSY, "callback");
    CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_ERR_BUSY, "callback");
    CHECK_ENDS(cos_slice_upload_wait(upload, -1, &error), COS_SLICE_ERR_BUSY, "callback");
    CHECK_STATUS(cos_slice_upload_set_hash(upload, 0), COS_SLICE_ERR_BUSY);
}

static void keep(const cos_slice_log_entry *entry, void *user_data)
{
    struct keeper *keeper = user_data;
    cos_slice_upload *upload = NULL;
    CHECK(happened(&keeper->dropped) == 0);
    CHECK(entry->struct_size == sizeof *entry);
    CHECK(entry->level >= COS_SLICE_LOG_ERROR && entry->level <= COS_SLICE_LOG_DEBUG);
    CHECK(entry->message != NULL && strncmp(entry->message, "cos://log/", 10) == 0);
    CHECK(strcspn(entry->message, "\r\n\t") == strlen(entry->message));
    CHECK(strcmp(entry->bucket, "log") == 0 && entry->path != NULL && entry->path[0] != '/');
    /* An entry is about a request, with a name and a count, or it is not. */
    CHECK((entry->operation != NULL) == (entry->attempt > 0) || entry->level == COS_SLICE_LOG_ERROR);
    CHECK(entry->offset == -1 || strcmp(entry->operation, "upload_slice_data") == 0);
    CHECK((entry->http_status == 0) == (entry->request_id == NULL));
    CHECK(strstr(entry->message, "secret") == NULL);

    CHECK(pthread_mutex_lock(&keeper->mutex) == 0);
    keeper->entries++;
    keeper->by_level[entry->level]++;
    keeper->slices += entry->offset >= 0 && entry->level == COS_SLICE_LOG_DEBUG;
    keeper->last_level = entry->level;
    CHECK(snprintf(keeper->last, sizeof keeper->last, "%s", entry->message) > 0);
    if (entry->operation != NULL && !keeper->acted) {
        keeper->acted = 1;
        upload = keeper->upload;
    }
    CHECK(pthread_mutex_unlock(&keeper->mutex) == 0);
    if (upload == NULL)
        return;

    CHECK(cos_slice_upload_access_url(upload) == NULL);
    check_nothing_that_waits_is_allowed(upload);
    if (keeper->action == CANCEL)
        cos_slice_upload_cancel(upload);
    if (keeper->action == FREE)
        cos_slice_upload_free(upload);
}

static cos_slice_client *logging_to(struct keeper *keeper, const char *address, int32_t level)
{
    cos_slice_client *client = client_for(address);
    CHECK_STATUS(cos_slice_client_set_log(client, level, keep, keeper, drop_keeper), COS_SLICE_OK);
    return client;
}

static cos_slice_upload *logged(cos_slice_client *client, const char *path, struct keeper *keeper, int slices)
{
    cos_slice_upload *upload = cos_slice_upload_new(client, "log", path);
    make_file(in_directory("file"), (size_t)slices * SLICE, 3);
    CHECK_STATUS(cos_slice_upload_set_file(upload, in_directory("file")), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_slice_size(upload, SLICE), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_overwrite(upload, 1), COS_SLICE_OK);
    keeper->upload = upload;
    return upload;
}

static void each_request_is_told_and_nothing_after_the_run(void)
{
    cos_slice_error *error = NULL;
    struct keeper keeper;
    cos_slice_client *client;
    cos_slice_upload *upload;
    int entries;
    keeper_init(&keeper, NOTHING);
    client = logging_to(&keeper, endpoint, COS_SLICE_LOG_DEBUG);
    upload = logged(client, "/each", &keeper, 3);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    entries = keeper.entries;
    CHECK(keeper.slices == 3 && keeper.by_level[COS_SLICE_LOG_DEBUG] == 6);
    CHECK(keeper.by_level[COS_SLICE_LOG_INFO] == 2 && entries == 8);
    CHECK(keeper.last_level == COS_SLICE_LOG_INFO && strstr(keeper.last, ": uploaded: 1572864 bytes") != NULL);
    cos_slice_client_free(client);
    CHECK(happened(&keeper.dropped) == 0);
    cos_slice_upload_free(upload);
    CHECK(happened(&keeper.dropped) == 1 && keeper.entries == entries);
}

static void a_level_keeps_less_important_entries_out(void)
{
    cos_slice_error *error = NULL;
    struct keeper keeper;
    cos_slice_client *client;
    cos_slice_upload *upload;
    keeper_init(&keeper, NOTHING);
    client = logging_to(&keeper, endpoint, COS_SLICE_LOG_WARNING);
    upload = logged(client, "/level", &keeper, 2);
    add_faults("{\"operation\":\"upload_slice_data\",\"offset\":0,\"action\":{\"status\":503,\"code\":-71}}");
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(keeper.entries == 1 && keeper.last_level == COS_SLICE_LOG_WARNING);
    CHECK(strstr(keeper.last, "code -71") != NULL && strstr(keeper.last, "; again ") != NULL);
    add_faults("{\"operation\":\"*\",\"times\":0,\"action\":{\"status\":400,\"code\":-5999}}");
    CHECK_STATUS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_REFUSED);
    CHECK(keeper.entries == 2 && strcmp(keeper.last, cos_slice_error_message(error)) == 0);
    cos_slice_error_free(error);
    clear_faults();
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void an_upload_may_be_cancelled_inside(void)
{
    cos_slice_error *error = NULL;
    struct keeper keeper;
    cos_slice_client *client;
    cos_slice_upload *upload;
    keeper_init(&keeper, CANCEL);
    client = logging_to(&keeper, endpoint, COS_SLICE_LOG_DEBUG);
    upload = logged(client, "/cancelled", &keeper, 3);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_CANCELLED, "cancelled");
    CHECK(keeper.acted && keeper.last_level == COS_SLICE_LOG_ERROR);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    CHECK(happened(&keeper.dropped) == 1);
}

static void an_upload_may_be_freed_inside(int started)
{
    cos_slice_error *error = NULL;
    struct keeper keeper;
    cos_slice_client *client;
    cos_slice_upload *upload;
    keeper_init(&keeper, FREE);
    client = logging_to(&keeper, endpoint, COS_SLICE_LOG_DEBUG);
    upload = logged(client, "/freed", &keeper, 3);
    if (started)
        CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
    else
        CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_CANCELLED, "cancelled");
    cos_slice_client_free(client);
    wait_for(&keeper.dropped, 1);
    CHECK(keeper.acted && happened(&keeper.dropped) == 1);
}

static void requests_by_themselves_are_told(void)
{
    cos_slice_error *error = NULL;
    struct keeper keeper;
    cos_slice_client *client;
    cos_slice_operation *operation;
    keeper_init(&keeper, NOTHING);
    client = logging_to(&keeper, endpoint, COS_SLICE_LOG_DEBUG);
    operation = cos_slice_operation_new(client, "log", "/absent");
    CHECK_ENDS(cos_slice_operation_stat(operation, NULL, &error), COS_SLICE_OK, NULL);
    CHECK(keeper.entries == 1 && keeper.last_level == COS_SLICE_LOG_DEBUG);
    CHECK(strstr(keeper.last, "stat: HTTP 404") != NULL);
    cos_slice_operation_free(operation);
    cos_slice_client_free(client);
    CHECK(happened(&keeper.dropped) == 1);
}

static void the_data_is_dropped_exactly_once(void)
{
    cos_slice_error *error = NULL;
    struct event first = EVENT, second = EVENT, none = EVENT, refused = EVENT;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload;
    CHECK_STATUS(cos_slice_client_set_log(NULL, COS_SLICE_LOG_INFO, keep, &refused, count_drop),
                 COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_log(client, 0, keep, &refused, count_drop), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(cos_slice_client_set_log(client, 5, keep, &refused, count_drop), COS_SLICE_ERR_INVALID_ARGUMENT);
    CHECK(happened(&refused) == 3);
    upload = cos_slice_upload_new(client, "log", "/dropped");
    CHECK_STATUS(cos_slice_upload_set_memory(upload, "abc", 3), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_ERR_INVALID_ARGUMENT, "level: 0");

    CHECK_STATUS(cos_slice_client_set_log(client, COS_SLICE_LOG_INFO, keep, &first, count_drop), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_client_set_log(client, COS_SLICE_LOG_INFO, keep, &second, count_drop), COS_SLICE_OK);
    CHECK(happened(&first) == 1 && happened(&second) == 0);
    /* Without a callback there is nothing to keep the data for. */
    CHECK_STATUS(cos_slice_client_set_log(client, COS_SLICE_LOG_INFO, NULL, &none, count_drop), COS_SLICE_OK);
    CHECK(happened(&second) == 1 && happened(&none) == 1);
    CHECK_STATUS(cos_slice_client_set_log(client, COS_SLICE_LOG_INFO, NULL, NULL, NULL), COS_SLICE_OK);

    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK_STATUS(cos_slice_client_set_log(client, COS_SLICE_LOG_INFO, keep, &refused, count_drop),
                 COS_SLICE_ERR_BUSY);
    CHECK(happened(&refused) == 4);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
    CHECK(happened(&first) == 1 && happened(&second) == 1 && happened(&none) == 1 && happened(&refused) == 4);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    each_request_is_told_and_nothing_after_the_run();
    a_level_keeps_less_important_entries_out();
    an_upload_may_be_cancelled_inside();
    an_upload_may_be_freed_inside(0);
    an_upload_may_be_freed_inside(1);
    requests_by_themselves_are_told();
    the_data_is_dropped_exactly_once();
    return 0;
}
