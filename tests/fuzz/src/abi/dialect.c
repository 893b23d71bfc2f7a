/* What a private store wants otherwise. */
#include "host.h"

int32_t set_dialect(struct host *host, cos_slice_client *client)
{
    char *name = NULL, *value = NULL;
    int32_t status;
    uint8_t which = take(host);
    TRACE("dialect %d", which % 5);
    switch (which % 5) {
    case 0: {
        int64_t sizes[20];
        size_t count = take(host) % 21;
        for (size_t i = 0; i < count; i++)
            sizes[i] = take_number(host);
        status = cos_slice_client_set_slice_sizes(client, take(host) % 4 == 3 ? NULL : sizes, count);
        break;
    }
    case 1:
        name = take_text(host, "field");
        value = take_text(host, "value");
        status = cos_slice_client_add_form_field(client, name, value);
        break;
    case 2:
        name = take_text(host, "X-Header");
        value = take_text(host, "value");
        status = cos_slice_client_add_header(client, name, value);
        break;
    case 3:
        name = take_text(host, "COS");
        status = cos_slice_client_set_token_place(client, (int32_t)take_number(host), name);
        break;
    default:
        status = cos_slice_client_set_slice_md5(client, (int32_t)take_number(host));
        break;
    }
    free(name);
    free(value);
    return status;
}
