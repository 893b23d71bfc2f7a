/* What the files of the runner share. README.md, two folders up, says what it reads and writes. */
#ifndef RUNNER_H
#define RUNNER_H

#include <cjson/cJSON.h>
#include <cos_slice.h>

/* Ends the program with a line on standard error: a job that it does not understand must never pass for one that was done. */
void fail(const char *what, const char *which);
/* Memory, or the end of the program. */
void *allocate(size_t size);

/* The member of an object; the program ends where it is not there or of another type. */
const char *text_of(const cJSON *object, const char *name);
/* NULL where it is null or not there. */
const char *optional_text_of(const cJSON *object, const char *name);
int64_t number_of(const cJSON *object, const char *name);
int64_t optional_number_of(const cJSON *object, const char *name, int64_t otherwise);

/* options.c: every member of a job's client or of one of its uploads is an option, and is set. What a setter returns is not
   looked at: the run reports what was not acceptable, and that is what is tested. */
void set_client_options(cos_slice_client *client, const cJSON *options, cJSON *log);
void set_upload_options(cos_slice_upload *upload, const cJSON *options);
cJSON *client_option_names(void);
cJSON *upload_option_names(void);

/* signer.c */
void set_signer(cos_slice_client *client, const cJSON *signer);

/* sources.c */
void set_source(cos_slice_upload *upload, const cJSON *source);
/* Adds the kinds of sources to a list of names. */
void add_source_names(cJSON *names);

/* control.c: one run of an upload, with who watches it. */
struct watch;
struct watch *watch_new(cos_slice_upload *upload, const cJSON *control);
/* The last progress that the callback was told. */
const cos_slice_progress *watch_last(const struct watch *watch);
/* Joins the thread that may cancel; after the run. */
void watch_free(struct watch *watch);

/* log.c: collects the entries at this level and above into a list. The client owns what it takes. */
void set_log(cos_slice_client *client, int32_t level, cJSON *log);

/* outcome.c */
cJSON *success_of(const cos_slice_upload *upload, const cos_slice_progress *last);
cJSON *failure_of(const cos_slice_error *error);
cJSON *all_statuses(void);

#endif
