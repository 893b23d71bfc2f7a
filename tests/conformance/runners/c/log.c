/* The log of a client, as a list. */
#include "runner.h"

#include <pthread.h>
#include <stdlib.h>

/* Entries come from several threads. */
struct log {
    pthread_mutex_t mutex;
    cJSON *entries;
};

static void add_text_or_null(cJSON *object, const char *name, const char *text)
{
    cJSON_AddItemToObject(object, name, text != NULL ? cJSON_CreateString(text) : cJSON_CreateNull());
}

static void on_entry(const cos_slice_log_entry *entry, void *user_data)
{
    struct log *log = user_data;
    cJSON *document = cJSON_CreateObject();
    cJSON_AddNumberToObject(document, "level", entry->level);
    add_text_or_null(document, "operation", entry->operation);
    cJSON_AddNumberToObject(document, "offset", (double)entry->offset);
    cJSON_AddNumberToObject(document, "attempt", entry->attempt);
    cJSON_AddNumberToObject(document, "server_code", (double)entry->server_code);
    pthread_mutex_lock(&log->mutex);
    cJSON_AddItemToArray(log->entries, document);
    pthread_mutex_unlock(&log->mutex);
}

static void drop_log(void *user_data)
{
    struct log *log = user_data;
    pthread_mutex_destroy(&log->mutex);
    free(log);
}

void set_log(cos_slice_client *client, int32_t level, cJSON *entries)
{
    struct log *log = allocate(sizeof *log);
    pthread_mutex_init(&log->mutex, NULL);
    log->entries = entries;
    (void)cos_slice_client_set_log(client, level, on_entry, log, drop_log);
}
