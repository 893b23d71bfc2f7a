/* The host's signals: none is taken from it, none kills it, and those that come all the time disturb no upload. */
#include "check.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#define FILE_SIZE (1048576 + 1)
/* One more than Linux has. */
#define SIGNALS 65

struct signal_state {
    struct sigaction actions[SIGNALS];
    sigset_t mask;
};

static void get_signal_state(struct signal_state *state)
{
    int number;
    memset(state, 0, sizeof *state);
    for (number = 1; number < SIGNALS; number++)
        /* Those that the C library keeps to itself can't be asked for. */
        if (sigaction(number, NULL, &state->actions[number]) != 0)
            CHECK(errno == EINVAL);
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &state->mask) == 0);
}

static void check_signal_state_is(const struct signal_state *before)
{
    struct signal_state now;
    int number;
    get_signal_state(&now);
    for (number = 1; number < SIGNALS; number++) {
        CHECK(now.actions[number].sa_handler == before->actions[number].sa_handler);
        CHECK(now.actions[number].sa_flags == before->actions[number].sa_flags);
        CHECK(sigismember(&now.mask, number) == sigismember(&before->mask, number));
    }
}

static void upload_file(const char *path)
{
    cos_slice_error *error = NULL;
    cos_slice_client *client = client_for(endpoint);
    cos_slice_upload *upload = cos_slice_upload_new(client, "signals", path);
    CHECK_STATUS(cos_slice_upload_set_file(upload, in_directory("file")), COS_SLICE_OK);
    CHECK_ENDS(cos_slice_upload_run(upload, &error), COS_SLICE_OK, NULL);
    CHECK(cos_slice_upload_size(upload) == FILE_SIZE);
    cos_slice_upload_free(upload);
    cos_slice_client_free(client);
}

/* The connection is closed while the body is being written, which would end the process by SIGPIPE. */
static void a_server_that_goes_away_does_not_end_the_process(void (*disposition)(int), const char *path)
{
    struct signal_state before;
    CHECK(signal(SIGPIPE, disposition) != SIG_ERR);
    get_signal_state(&before);
    add_faults("[{\"operation\":\"upload_slice_data\",\"times\":2,\"action\":{\"close\":\"headers\"}},"
               "{\"operation\":\"upload_slice_data\",\"times\":2,\"action\":{\"reset\":\"during_body\"}}]");
    upload_file(path);
    clear_faults();
    check_signal_state_is(&before);
    CHECK(signal(SIGPIPE, SIG_DFL) == disposition);
}

static pthread_t host;
static volatile sig_atomic_t signals;
static volatile sig_atomic_t elsewhere;

static void count_signal(int number)
{
    (void)number;
    signals++;
    if (!pthread_equal(pthread_self(), host))
        elsewhere++;
}

/* To the process, so that any of its threads that does not block the signal may get it. */
static void signals_that_come_all_the_time_reach_the_host_alone_and_disturb_nothing(void)
{
    struct sigaction action;
    struct sigevent event;
    struct itimerspec often;
    timer_t timer;
    host = pthread_self();
    memset(&action, 0, sizeof action);
    action.sa_handler = count_signal; /* without SA_RESTART */
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    memset(&often, 0, sizeof often);
    often.it_value.tv_nsec = often.it_interval.tv_nsec = 1000000;
    /* Late answers, so that there is something to interrupt. */
    add_faults("{\"operation\":\"upload_slice_data\",\"times\":0,\"action\":{\"delay_ms\":100}}");
    CHECK(timer_settime(timer, 0, &often, NULL) == 0);
    upload_file("/interrupted");
    CHECK(timer_delete(timer) == 0);
    clear_faults();
    CHECK(signals > 10 && elsewhere == 0);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    make_file(in_directory("file"), FILE_SIZE, 1);
    a_server_that_goes_away_does_not_end_the_process(SIG_DFL, "/default");
    a_server_that_goes_away_does_not_end_the_process(SIG_IGN, "/ignored");
    signals_that_come_all_the_time_reach_the_host_alone_and_disturb_nothing();
    return 0;
}
