/* The conformance runner for C: reads a job per line, does its uploads one after another on one client, and writes how they
   ended. */
#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fail(const char *what, const char *which)
{
    fprintf(stderr, "runner: %s: %s\n", what, which);
    exit(2);
}

void *allocate(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);
    if (memory == NULL)
        fail("memory", "there is none");
    return memory;
}

const char *optional_text_of(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);
    if (member == NULL || cJSON_IsNull(member))
        return NULL;
    if (!cJSON_IsString(member))
        fail("not a text", name);
    return member->valuestring;
}

const char *text_of(const cJSON *object, const char *name)
{
    const char *text = optional_text_of(object, name);
    if (text == NULL)
        fail("a text is missing", name);
    return text;
}

int64_t optional_number_of(const cJSON *object, const char *name, int64_t otherwise)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);
    if (member == NULL)
        return otherwise;
    if (!cJSON_IsNumber(member))
        fail("not a number", name);
    return (int64_t)member->valuedouble;
}

int64_t number_of(const cJSON *object, const char *name)
{
    if (cJSON_GetObjectItemCaseSensitive(object, name) == NULL)
        fail("a number is missing", name);
    return optional_number_of(object, name, 0);
}

static cJSON *member_of(const cJSON *object, const char *name)
{
    cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);
    if (member == NULL)
        fail("a member is missing", name);
    return member;
}

/* Writes one line. */
static void print_line(cJSON *document)
{
    char *line = cJSON_PrintUnformatted(document);
    if (line == NULL)
        fail("memory", "there is none");
    if (puts(line) == EOF || fflush(stdout) == EOF)
        fail("writing", "standard output");
    cJSON_free(line);
    cJSON_Delete(document);
}

static void say_hello(void)
{
    cJSON *hello = cJSON_CreateObject();
    cJSON_AddStringToObject(hello, "hello", "c");
    cJSON_AddStringToObject(hello, "version", cos_slice_version());
    cJSON_AddItemToObject(hello, "statuses", all_statuses());
    cJSON_AddItemToObject(hello, "client_options", client_option_names());
    cJSON_AddItemToObject(hello, "upload_options", upload_option_names());
    print_line(hello);
}

static cJSON *outcome_of(const cos_slice_client *client, const cJSON *options)
{
    cos_slice_upload *upload = cos_slice_upload_new(client, text_of(options, "bucket"), text_of(options, "path"));
    cos_slice_error *error = NULL;
    struct watch *watch;
    cJSON *outcome;
    set_upload_options(upload, options);
    watch = watch_new(upload, cJSON_GetObjectItemCaseSensitive(options, "control"));
    if (cos_slice_upload_run(upload, &error) == COS_SLICE_OK)
        outcome = success_of(upload, watch_last(watch));
    else
        outcome = failure_of(error);
    watch_free(watch);
    cos_slice_error_free(error);
    cos_slice_upload_free(upload);
    return outcome;
}

static void do_job(const cJSON *job)
{
    cos_slice_client *client = cos_slice_client_new();
    cJSON *answer = cJSON_CreateObject(), *outcomes = cJSON_CreateArray(), *log = cJSON_CreateArray();
    const cJSON *client_options = member_of(job, "client"), *upload;
    set_client_options(client, client_options, log);
    cJSON_ArrayForEach(upload, member_of(job, "uploads"))
        cJSON_AddItemToArray(outcomes, outcome_of(client, upload));
    cos_slice_client_free(client);
    cJSON_AddStringToObject(answer, "id", text_of(job, "id"));
    cJSON_AddItemToObject(answer, "outcomes", outcomes);
    if (cJSON_GetObjectItemCaseSensitive(client_options, "log") != NULL)
        cJSON_AddItemToObject(answer, "log", log);
    else
        cJSON_Delete(log);
    print_line(answer);
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    say_hello();
    while (getline(&line, &size, stdin) != -1) {
        cJSON *job = cJSON_Parse(line);
        if (job == NULL)
            fail("not JSON", line);
        do_job(job);
        cJSON_Delete(job);
    }
    free(line);
    return 0;
}
