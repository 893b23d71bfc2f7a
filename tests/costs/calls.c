/*
 * Counts what a program asks of the system and of the allocator, when it is loaded before the C library. At the program's end
 * the counts are written to the file that COSTS_TO names, one "name count" in each line.
 *
 * TCP sockets follow a script, so that the counts do not depend on how fast the other side reads: a socket takes
 * whatever it is given; or, where COSTS_ROOM names a number of bytes, so many, and then none until it was waited for.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define COUNTED(of) of(send) of(sendmsg) of(sendfile) of(recv) of(peek) of(poll) of(ioctl) of(fcntl) of(getsockopt) \
    of(setsockopt) of(pread) of(read) of(readv) of(write) of(writev) of(lseek) of(fstat) of(statx) of(getrandom) \
    of(allocations) of(allocated_bytes)

#define NUMBER(name) N_##name,
enum { COUNTED(NUMBER) HOW_MANY };
#define NAME(name) #name,
static const char *const names[] = { COUNTED(NAME) };
static uint64_t counts[HOW_MANY];

static void count(int what, uint64_t by) {
    __atomic_fetch_add(&counts[what], by, __ATOMIC_RELAXED);
}

__attribute__((destructor)) static void tell(void) {
    const char *path = getenv("COSTS_TO");
    FILE *file = path == NULL ? NULL : fopen(path, "w");
    if (file == NULL) {
        return;
    }
    for (int i = 0; i < HOW_MANY; i++) {
        fprintf(file, "%s %llu\n", names[i], (unsigned long long)counts[i]);
    }
    fclose(file);
}

/* The script. One connection has one thread. */

static size_t room_after_wait = SIZE_MAX;
static __thread size_t room;
static __thread int waited = 1;

__attribute__((constructor)) static void read_script(void) {
    const char *bytes = getenv("COSTS_ROOM");
    if (bytes != NULL) {
        room_after_wait = strtoull(bytes, NULL, 10);
    }
}

static int is_tcp(int fd) {
    int protocol = 0;
    socklen_t length = sizeof protocol;
    return syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 && protocol == IPPROTO_TCP;
}

/* How much of this the script has the socket take; 0 for none, with errno. */
static size_t taken(size_t length) {
    if (waited) {
        waited = 0;
        room = room_after_wait;
    }
    if (room == 0) {
        errno = EAGAIN;
    }
    return length < room ? length : room;
}

/* After a real call that gave "result": whether the rest is to be tried again, once there is really room. */
static int goes_on(int fd, ssize_t result, size_t *done, size_t length) {
    if (result > 0) {
        *done += (size_t)result;
        return *done < length;
    }
    if (result < 0 && errno == EAGAIN) {
        struct pollfd entry = { fd, POLLOUT, 0 };
        ppoll(&entry, 1, NULL, NULL);
        return 1;
    }
    return 0;
}

static ssize_t end_of(size_t done, ssize_t result) {
    if (done == 0) {
        return result;
    }
    if (room != SIZE_MAX) {
        room -= done;
    }
    return (ssize_t)done;
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    size_t done = 0;
    ssize_t result;
    count(N_send, 1);
    if (!is_tcp(fd)) {
        return syscall(SYS_sendto, fd, bytes, length, flags, NULL, 0);
    }
    length = taken(length);
    if (length == 0) {
        return -1;
    }
    do {
        result = syscall(SYS_sendto, fd, (const char *)bytes + done, length - done, flags, NULL, 0);
    } while (goes_on(fd, result, &done, length));
    return end_of(done, result);
}

ssize_t sendfile64(int fd, int file, off64_t *offset, size_t length) {
    size_t done = 0;
    ssize_t result;
    count(N_sendfile, 1);
    length = taken(length);
    if (length == 0) {
        return -1;
    }
    do {
        result = syscall(SYS_sendfile, fd, file, offset, length - done);
    } while (goes_on(fd, result, &done, length));
    return end_of(done, result);
}

int poll(struct pollfd *entries, nfds_t number, int timeout) {
    struct timespec time = { timeout / 1000, timeout % 1000 * 1000000L };
    count(N_poll, 1);
    waited = 1;
    return ppoll(entries, number, timeout < 0 ? NULL : &time, NULL);
}

/* What is only counted. */

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    count(N_sendmsg, 1);
    return syscall(SYS_sendmsg, fd, message, flags);
}

ssize_t recv(int fd, void *bytes, size_t length, int flags) {
    count(flags & MSG_PEEK ? N_peek : N_recv, 1);
    return syscall(SYS_recvfrom, fd, bytes, length, flags, NULL, NULL);
}

int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    count(N_ioctl, 1);
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

int fcntl(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    long argument = va_arg(arguments, long);
    va_end(arguments);
    count(N_fcntl, 1);
    return (int)syscall(SYS_fcntl, fd, command, argument);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *length) {
    count(N_getsockopt, 1);
    return (int)syscall(SYS_getsockopt, fd, level, name, value, length);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
    count(N_setsockopt, 1);
    return (int)syscall(SYS_setsockopt, fd, level, name, value, length);
}

ssize_t pread64(int fd, void *bytes, size_t length, off64_t offset) {
    count(N_pread, 1);
    return syscall(SYS_pread64, fd, bytes, length, offset);
}

ssize_t read(int fd, void *bytes, size_t length) {
    count(N_read, 1);
    return syscall(SYS_read, fd, bytes, length);
}

ssize_t readv(int fd, const struct iovec *pieces, int number) {
    count(N_readv, 1);
    return syscall(SYS_readv, fd, pieces, number);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    count(N_write, 1);
    return syscall(SYS_write, fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *pieces, int number) {
    count(N_writev, 1);
    return syscall(SYS_writev, fd, pieces, number);
}

off64_t lseek64(int fd, off64_t offset, int whence) {
    count(N_lseek, 1);
    return syscall(SYS_lseek, fd, offset, whence);
}

int fstat64(int fd, struct stat64 *found) {
    count(N_fstat, 1);
    return (int)syscall(SYS_fstat, fd, found);
}

int statx(int folder, const char *restrict path, int flags, unsigned int mask, struct statx *restrict found) {
    count(N_statx, 1);
    return (int)syscall(SYS_statx, folder, path, flags, mask, found);
}

ssize_t getrandom(void *bytes, size_t length, unsigned int flags) {
    count(N_getrandom, 1);
    return syscall(SYS_getrandom, bytes, length, flags);
}

/* The C library's own names for its allocator, so that nothing has to be looked up, which would allocate. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t number, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static void allocated(size_t size) {
    count(N_allocations, 1);
    count(N_allocated_bytes, size);
}

void *malloc(size_t size) {
    allocated(size);
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    allocated(number * size);
    return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size) {
    allocated(size);
    return __libc_realloc(memory, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    allocated(size);
    *memory = __libc_memalign(alignment, size);
    return *memory == NULL ? ENOMEM : 0;
}
