/* A log, and what any entry of it must be. */
#include "host.h"

#include <string.h>

static void keep(const cos_slice_log_entry *entry, void *user_data)
{
    const uint8_t *level = user_data;
    CHECK(entry->struct_size == sizeof *entry);
    CHECK(entry->level >= COS_SLICE_LOG_ERROR && entry->level <= *level);
    check_text(entry->message);
    check_optional_text(entry->bucket);
    check_optional_text(entry->path);
    check_optional_text(entry->operation);
    check_optional_text(entry->request_id);
    CHECK(entry->offset >= -1);
    CHECK(entry->http_status >= 0 && entry->http_status <= 999);
}

int32_t set_log(struct host *host, cos_slice_client *client)
{
    uint8_t *level = malloc(1);
    CHECK(level != NULL);
    *level = take(host) % 8;
    uint8_t wanted = *level;
    give();
    int32_t status = cos_slice_client_set_log(client, wanted, take(host) % 8 == 7 ? NULL : keep, level, come_back);
    CHECK(status != COS_SLICE_OK || (wanted >= COS_SLICE_LOG_ERROR && wanted <= COS_SLICE_LOG_DEBUG));
    return status;
}
