/* The user_data of callbacks: what was given away comes back. And what no text of the library may have. */
#include "host.h"

#include <pthread.h>
#include <string.h>

static pthread_mutex_t given_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t given_changed = PTHREAD_COND_INITIALIZER;
static unsigned given;

void give(void)
{
    pthread_mutex_lock(&given_mutex);
    given++;
    pthread_mutex_unlock(&given_mutex);
}

void come_back(void *user_data)
{
    free(user_data);
    pthread_mutex_lock(&given_mutex);
    CHECK(given > 0);
    given--;
    pthread_cond_broadcast(&given_changed);
    pthread_mutex_unlock(&given_mutex);
}

void wait_until_all_came_back(void)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 60;
    pthread_mutex_lock(&given_mutex);
    while (given > 0)
        CHECK(pthread_cond_timedwait(&given_changed, &given_mutex, &limit) == 0);
    pthread_mutex_unlock(&given_mutex);
}

void check_text(const char *text)
{
    CHECK(text != NULL);
    CHECK(strstr(text, SECRET) == NULL);
    for (; *text != 0; text++)
        CHECK((unsigned char)*text >= 0x20 && *text != 0x7f);
}

void check_optional_text(const char *text)
{
    if (text != NULL)
        check_text(text);
}
