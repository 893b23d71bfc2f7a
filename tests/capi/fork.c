/* A host that forks while a client of it works. The child may end in any way, become another program, and make a client of
 * its own; the parent's upload does not notice. */
#include "check.h"

#include <fcntl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* One slice. */
#define FILE_SIZE 1000003
#define MOST_DESCRIPTORS 1024

static pid_t parent;

/* Asked by LeakSanitizer at the end of a process: in a child the threads are gone, and what they held counts as lost. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return getpid() != parent;
}

static void check_child_ends_well(pid_t child)
{
    int status;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void upload_something_else(const char *path)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = cos_slice_upload_new(client, "fork", path);
    CHECK_STATUS(cos_slice_upload_set_memory(upload, path, strlen(path)), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void in_the_child_leave_at_once(void)
{
    _exit(0);
}

static void in_the_child_become_another_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
    _exit(1);
}

static void in_the_child_make_a_client_of_its_own(void)
{
    upload_something_else("/child");
    _exit(0);
}

/* Handlers of the end of the process run; none of them may wait for a thread that the child does not have. */
static void in_the_child_exit(void)
{
    exit(0);
}

static void the_parent_s_upload_goes_on_whatever_the_child_does(void (*in_the_child)(void), const char *path)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = cos_slice_upload_new(client, "fork", path);
    int before = count_requests("upload_slice_data");
    pid_t child;
    /* The child is made while the slice waits for an answer that never comes; the second try brings one. */
    add_faults("{\"operation\":\"upload_slice_data\",\"times\":1,\"action\":{\"hang\":\"before\"}}");
    CHECK_STATUS(cos_slice_client_set_answer_timeout_ms(client, 500), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_file(upload, in_directory("file")), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
    wait_for_requests("upload_slice_data", before + 1);
    child = fork();
    if (child == 0)
        in_the_child();
    check_child_ends_well(child);
    CHECK_ENDS(cos_slice_upload_wait(upload, -1, &error), COS_SLICE_OK, NULL);
    CHECK(cos_slice_upload_size(upload) == FILE_SIZE && cos_slice_upload_verified(upload) == 1);
    clear_faults();
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

static void a_program_that_the_host_starts_inherits_no_descriptor(void)
{
    cos_slice_error *error = NULL;
    char was_open[MOST_DESCRIPTORS];
    int descriptor, found = 0;
    cos_slice_client *client = client_for(silent_server());
    cos_slice_upload *upload = cos_slice_upload_new(client, "fork", "/a");
    for (descriptor = 0; descriptor < MOST_DESCRIPTORS; descriptor++)
        was_open[descriptor] = fcntl(descriptor, F_GETFD) != -1;
    CHECK_STATUS(cos_slice_upload_set_file(upload, in_directory("file")), COS_SLICE_OK);
    CHECK_STATUS(cos_slice_upload_set_hash(upload, 0), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_start(upload, &error), COS_SLICE_OK, NULL);
    for (descriptor = 0; descriptor < MOST_DESCRIPTORS; descriptor++) {
        int flags = fcntl(descriptor, F_GETFD);
        if (flags != -1 && !was_open[descriptor]) {
            CHECK(flags & FD_CLOEXEC);
            found++;
        }
    }
    CHECK(found > 0);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    parent = getpid();
    make_file(in_directory("file"), FILE_SIZE, 1);
    the_parent_s_upload_goes_on_whatever_the_child_does(in_the_child_leave_at_once, "/a");
    the_parent_s_upload_goes_on_whatever_the_child_does(in_the_child_become_another_program, "/b");
    the_parent_s_upload_goes_on_whatever_the_child_does(in_the_child_make_a_client_of_its_own, "/c");
    the_parent_s_upload_goes_on_whatever_the_child_does(in_the_child_exit, "/d");
    a_program_that_the_host_starts_inherits_no_descriptor();
    return 0;
}
