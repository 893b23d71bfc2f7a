/* A library to be preloaded that lets the n-th fallible call of a program fail.
 *
 * Calls are counted in the order in which they are made, over all threads. What is counted: the calls below, as the
 * program and the libraries make them; not those that the C library makes inside itself, and not memory. Not counted
 * either is what is written to stderr, since a program could not say then what happened to it.
 *
 *   TORTURE_REPORT  a file of at least sizeof(struct report) bytes, which is mapped and so survives any end
 *   TORTURE_NTH     the call to strike, from 1; 0 strikes none and only counts
 *   TORTURE_TIMES   "once", or "on": that call and all after it
 *   TORTURE_CHOICE  which of the call's errors, from 0; the one after the last is a short transfer, where there is one;
 *                   "any" takes another one for each call
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct report {
    _Atomic unsigned long calls;
    _Atomic unsigned long struck;
    char first[48]; /* the first call that was struck, and how */
};

enum { SHORT = -1, GO_ON = 0 };

/* Errors at the end of a list behind this mark happen once and not for ever: they ask for the call to be repeated. */
#define ONCE 0x10000

static struct report *report;
static unsigned long nth, choice;
static int goes_on, any;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("TORTURE_REPORT");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped == MAP_FAILED) return;
    nth = strtoul(getenv("TORTURE_NTH"), NULL, 10);
    choice = strtoul(getenv("TORTURE_CHOICE"), NULL, 10);
    any = strcmp(getenv("TORTURE_CHOICE"), "any") == 0;
    goes_on = strcmp(getenv("TORTURE_TIMES"), "on") == 0;
    report = mapped;
}

/* The errno that this call is to fail with; GO_ON where it is not to fail, SHORT where it is to move one byte. */
static int strike(const char *name, const int *errors, int can_be_short) {
    if (!report) return GO_ON;
    unsigned long call = atomic_fetch_add(&report->calls, 1) + 1;
    if (!nth || call < nth || (call > nth && !goes_on)) return GO_ON;
    unsigned long count = 0;
    while (errors[count] && !(goes_on && (errors[count] & ONCE))) count++;
    unsigned long all = count + (can_be_short && !goes_on);
    unsigned long which = any && all ? nth % all : choice;
    int error;
    if (goes_on)
        error = count ? errors[which % count] : GO_ON;
    else if (which < count)
        error = errors[which];
    else
        error = which < all ? SHORT : GO_ON;
    if (error == GO_ON) return GO_ON;
    if (error != SHORT) error &= ~ONCE;
    if (atomic_fetch_add(&report->struck, 1) == 0) {
        if (error == SHORT)
            snprintf(report->first, sizeof report->first, "%s: short", name);
        else
            snprintf(report->first, sizeof report->first, "%s: error %d", name, error);
    }
    return error;
}

/* A connection that is said to be broken is so: its other end would wait for ever for what does not come. */
static int broken(int fd, int error) {
    if (error == ECONNRESET || error == EPIPE || error == ETIMEDOUT) shutdown(fd, SHUT_RDWR);
    return error;
}

#define NEXT(name) \
    static __typeof__(name) *real; \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name)

/* A call that returns -1 and sets errno. */
#define CALL(type, name, parameters, arguments, ...) \
    type name parameters { \
        NEXT(name); \
        static const int errors[] = {__VA_ARGS__, 0}; \
        int error = strike(#name, errors, 0); \
        if (error == GO_ON) return real arguments; \
        errno = error; \
        return -1; \
    }

/* The same for one that moves up to `length` bytes. */
#define TRANSFER(name, parameters, arguments, length, ...) \
    ssize_t name parameters { \
        NEXT(name); \
        static const int errors[] = {__VA_ARGS__, 0}; \
        int error = IS_SPARED ? GO_ON : strike(#name, errors, length > 1); \
        if (error == SHORT) length = 1; \
        if (error == SHORT || error == GO_ON) return real arguments; \
        errno = broken(fd, error); \
        return -1; \
    }

/* Sockets that wake a thread of the same process: those do not fail. */
static int is_local(int fd) {
    int domain = AF_INET;
    socklen_t size = sizeof domain;
    int (*ask)(int, int, int, void *, socklen_t *);
    *(void **)&ask = dlsym(RTLD_NEXT, "getsockopt");
    return ask(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

#define IS_SPARED is_local(fd)
TRANSFER(read, (int fd, void *to, size_t length), (fd, to, length), length, EIO, EINTR | ONCE)
TRANSFER(pread, (int fd, void *to, size_t length, off_t at), (fd, to, length, at), length, EIO, EINTR | ONCE)
TRANSFER(pread64, (int fd, void *to, size_t length, off64_t at), (fd, to, length, at), length, EIO, EINTR | ONCE)
TRANSFER(recv, (int fd, void *to, size_t length, int flags), (fd, to, length, flags), length, ECONNRESET, ETIMEDOUT,
         EINTR | ONCE, EAGAIN | ONCE)
TRANSFER(recvfrom, (int fd, void *to, size_t length, int flags, struct sockaddr *from, socklen_t *size),
         (fd, to, length, flags, from, size), length, ECONNRESET, ETIMEDOUT, EINTR | ONCE, EAGAIN | ONCE)
TRANSFER(send, (int fd, const void *bytes, size_t length, int flags), (fd, bytes, length, flags), length, ECONNRESET,
         EPIPE, ENOBUFS, EINTR | ONCE, EAGAIN | ONCE)
TRANSFER(sendto,
         (int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t size),
         (fd, bytes, length, flags, to, size), length, ECONNRESET, EPIPE, ENOBUFS, EINTR | ONCE, EAGAIN | ONCE)
TRANSFER(pwrite64, (int fd, const void *bytes, size_t length, off64_t at), (fd, bytes, length, at), length, EIO, ENOSPC,
         EINTR | ONCE)
#undef IS_SPARED
#define IS_SPARED (fd == STDERR_FILENO || is_local(fd))
TRANSFER(write, (int fd, const void *bytes, size_t length), (fd, bytes, length), length, EIO, ENOSPC, EINTR | ONCE)

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    NEXT(writev);
    static const int errors[] = {EIO, ENOSPC, EINTR | ONCE, 0};
    int error = IS_SPARED ? GO_ON : strike("writev", errors, 0);
    if (error == GO_ON) return real(fd, pieces, count);
    errno = error;
    return -1;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    NEXT(sendmsg);
    static const int errors[] = {ECONNRESET, EPIPE, ENOBUFS, EINTR | ONCE, EAGAIN | ONCE, 0};
    int error = strike("sendmsg", errors, 0);
    if (error == GO_ON) return real(fd, message, flags);
    errno = broken(fd, error);
    return -1;
}

CALL(ssize_t, readv, (int fd, const struct iovec *pieces, int count), (fd, pieces, count), EIO, EINTR | ONCE)
CALL(int, connect, (int fd, const struct sockaddr *to, socklen_t size), (fd, to, size), ECONNREFUSED, ENETUNREACH,
     ETIMEDOUT, EADDRNOTAVAIL)
CALL(int, socket, (int domain, int type, int protocol), (domain, type, protocol), EMFILE, ENOBUFS)
CALL(int, socketpair, (int domain, int type, int protocol, int pair[2]), (domain, type, protocol, pair), EMFILE)
CALL(int, pipe2, (int pair[2], int flags), (pair, flags), EMFILE)
CALL(int, eventfd, (unsigned start, int flags), (start, flags), EMFILE)
CALL(int, dup, (int fd), (fd), EMFILE)
CALL(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size), (fd, level, name, value, size), ENOBUFS)
CALL(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t size), (fd, level, name, value, size),
     ENOBUFS)
CALL(int, getsockname, (int fd, struct sockaddr *name, socklen_t *size), (fd, name, size), ENOBUFS)
CALL(int, getpeername, (int fd, struct sockaddr *name, socklen_t *size), (fd, name, size), ENOTCONN)
CALL(int, poll, (struct pollfd *entries, nfds_t count, int milliseconds), (entries, count, milliseconds), ENOMEM,
     EINTR | ONCE)
CALL(int, fstat, (int fd, struct stat *status), (fd, status), EIO, ENOMEM)
CALL(int, fstat64, (int fd, struct stat64 *status), (fd, status), EIO, ENOMEM)
CALL(int, stat, (const char *path, struct stat *status), (path, status), EIO, EACCES)
CALL(int, stat64, (const char *path, struct stat64 *status), (path, status), EIO, EACCES)
CALL(int, lstat64, (const char *path, struct stat64 *status), (path, status), EIO, EACCES)
CALL(int, statx, (int fd, const char *path, int flags, unsigned mask, struct statx *status),
     (fd, path, flags, mask, status), EIO, ENOMEM)
CALL(int, fsync, (int fd), (fd), EIO, ENOSPC, EINTR | ONCE)
CALL(int, fdatasync, (int fd), (fd), EIO, ENOSPC, EINTR | ONCE)
CALL(int, ftruncate64, (int fd, off64_t size), (fd, size), EIO, ENOSPC, EINTR | ONCE)
CALL(off64_t, lseek64, (int fd, off64_t at, int whence), (fd, at, whence), EIO)
CALL(int, rename, (const char *from, const char *to), (from, to), EACCES, ENOSPC)
CALL(int, renameat, (int from, const char *old, int to, const char *new), (from, old, to, new), EACCES, ENOSPC)
CALL(int, link, (const char *from, const char *to), (from, to), EACCES, ENOSPC)
CALL(int, unlink, (const char *path), (path), EACCES, EIO)
CALL(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags), EACCES, EIO)
CALL(int, mkdir, (const char *path, mode_t mode), (path, mode), EACCES, ENOSPC)
CALL(int, chmod, (const char *path, mode_t mode), (path, mode), EPERM)
CALL(int, fchmod, (int fd, mode_t mode), (fd, mode), EPERM)
CALL(int, flock, (int fd, int how), (fd, how), ENOLCK, EINTR | ONCE)
CALL(ssize_t, readlink, (const char *path, char *to, size_t length), (path, to, length), EACCES, EIO)
/* Not for ever: without any source of random numbers the Rust standard library ends the process. */
CALL(ssize_t, getrandom, (void *to, size_t length, unsigned flags), (to, length, flags), ENOSYS | ONCE, EINTR | ONCE)

/* The optional argument is passed on as it is, needed or not. */
#define OPEN(name, before_parameters, before_arguments) \
    int name(before_parameters int flags, ...) { \
        NEXT(name); \
        static const int errors[] = {EMFILE, EACCES, EIO, EINTR | ONCE, 0}; \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        int error = strike(#name, errors, 0); \
        if (error == GO_ON) return real(before_arguments flags, mode); \
        errno = error; \
        return -1; \
    }
#define COMMA ,
OPEN(open, const char *path COMMA, path COMMA)
OPEN(open64, const char *path COMMA, path COMMA)
OPEN(openat, int folder COMMA const char *path COMMA, folder COMMA path COMMA)
OPEN(openat64, int folder COMMA const char *path COMMA, folder COMMA path COMMA)

int fcntl(int fd, int command, ...) {
    NEXT(fcntl);
    static const int errors[] = {EMFILE, 0};
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    /* Its other commands fail for wrong arguments alone. */
    int error = command == F_DUPFD_CLOEXEC ? strike("fcntl", errors, 0) : GO_ON;
    if (error == GO_ON) return real(fd, command, argument);
    errno = error;
    return -1;
}

/* The descriptor is gone in any case. */
int close(int fd) {
    NEXT(close);
    static const int errors[] = {EIO, EINTR | ONCE, 0};
    int error = strike("close", errors, 0);
    int result = real(fd);
    if (error == GO_ON) return result;
    errno = error;
    return -1;
}

DIR *opendir(const char *path) {
    NEXT(opendir);
    static const int errors[] = {EMFILE, EACCES, 0};
    int error = strike("opendir", errors, 0);
    if (error == GO_ON) return real(path);
    errno = error;
    return NULL;
}

char *realpath(const char *path, char *to) {
    NEXT(realpath);
    static const int errors[] = {EACCES, EIO, 0};
    int error = strike("realpath", errors, 0);
    if (error == GO_ON) return real(path, to);
    errno = error;
    return NULL;
}

/* These two return their error. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
    NEXT(pthread_create);
    static const int errors[] = {EAGAIN, 0};
    int error = strike("pthread_create", errors, 0);
    return error == GO_ON ? real(thread, attributes, body, argument) : error;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    NEXT(getaddrinfo);
    static const int errors[] = {-EAI_AGAIN, -EAI_NONAME, -EAI_MEMORY, 0};
    int error = strike("getaddrinfo", errors, 0);
    return error == GO_ON ? real(host, service, hints, found) : -error;
}
