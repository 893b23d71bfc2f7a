/* Preloaded into the tool: tells it of the system calls that nobody else could tell of, and holds look-ups.
 *
 * COS_SLICE_HOOKS is the path of the tool's local socket. Each call that is told has a connection of its own and says one
 * line: "connect PORT" when a connection has begun and is not there yet, "lookup" when a name under hangs.test is asked
 * for, "save" when a checkpoint is about to be made durable. Such a look-up then waits for the tool: a byte gives it this
 * machine's address, the end of the connection makes it fail. A save waits likewise, for either. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HELD_DOMAIN ".hangs.test"

typedef int connect_fn(int, const struct sockaddr *, socklen_t);
typedef int getaddrinfo_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static void fail(const char *what)
{
    perror(what);
    abort();
}

/* The function that this library stands in front of. */
static void *the_real(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL)
        fail(name);
    return function;
}

static int really_connect(int descriptor, const struct sockaddr *address, socklen_t length)
{
    connect_fn *real;
    void *function = the_real("connect");
    memcpy(&real, &function, sizeof real);
    return real(descriptor, address, length);
}

/* A connection to the tool, on which the line has been said; -1 where the tool is gone. */
static int tell(const char *line)
{
    struct sockaddr_un address;
    const char *path = getenv("COS_SLICE_HOOKS");
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (path == NULL || strlen(path) >= sizeof address.sun_path || descriptor < 0)
        fail("hooks: COS_SLICE_HOOKS");
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, path);
    if (really_connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0
        || send(descriptor, line, strlen(line), MSG_NOSIGNAL) < 0) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

/* Says the line and waits for the tool: whether it answered with a byte. */
static int ask(const char *line)
{
    char answer;
    ssize_t count;
    int connection = tell(line);
    if (connection < 0)
        return 0;
    do
        count = read(connection, &answer, 1);
    while (count < 0 && errno == EINTR);
    close(connection);
    return count == 1;
}

int fsync(int descriptor)
{
    int (*real)(int);
    void *function = the_real("fsync");
    char link[64], path[4096];
    ssize_t length;
    memcpy(&real, &function, sizeof real);
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    length = readlink(link, path, sizeof path);
    if (length > 4 && length < (ssize_t)sizeof path && memcmp(path + length - 4, ".new", 4) == 0)
        ask("save\n");
    return real(descriptor);
}

int connect(int descriptor, const struct sockaddr *address, socklen_t length)
{
    int result = really_connect(descriptor, address, length);
    if (result != 0 && errno == EINPROGRESS && address->sa_family == AF_INET) {
        char line[32];
        snprintf(line, sizeof line, "connect %u\n", (unsigned)ntohs(((const struct sockaddr_in *)address)->sin_port));
        close(tell(line));
        errno = EINPROGRESS;
    }
    return result;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    getaddrinfo_fn *real;
    void *function = the_real("getaddrinfo");
    size_t length = name == NULL ? 0 : strlen(name), domain = strlen(HELD_DOMAIN);
    memcpy(&real, &function, sizeof real);
    if (length > domain && strcmp(name + length - domain, HELD_DOMAIN) == 0) {
        if (!ask("lookup\n"))
            return EAI_AGAIN;
        name = "127.0.0.1";
    }
    return real(name, service, hints, found);
}
