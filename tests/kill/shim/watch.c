/*
 * Loaded into an uploader with LD_PRELOAD. Counts the calls on one path (a file, or a folder and all in it) and on what
 * was opened there, and ends the process with SIGKILL immediately before the n-th of them: so every point between two
 * system calls can be chosen, and none is left to chance.
 *
 *   KILL_WATCH   the path
 *   KILL_AT      n, counted from 1; 0 only counts
 *   KILL_TORN    "1": when the n-th call is a write, half of it is written first
 *   KILL_REPORT  a file that gets one line: "killed CALL N", or "ended N" when the process ended by itself after N calls
 *
 * It calls the kernel itself, so nothing has to be looked up while the program is starting.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define MAX_DESCRIPTORS 4096

/* What is open at each descriptor. */
enum { OTHER, WATCHED_FILE, WATCHED_FOLDER };
static atomic_uchar open_here[MAX_DESCRIPTORS];
static atomic_long calls;

static void report(const char *what, const char *call, long number) {
    const char *path = getenv("KILL_REPORT");
    char line[96];
    int length, descriptor;
    if (path == NULL)
        return;
    length = snprintf(line, sizeof line, "%s%s%s %ld\n", what, *call ? " " : "", call, number);
    descriptor = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor >= 0) {
        syscall(SYS_write, descriptor, line, (size_t)length);
        syscall(SYS_close, descriptor);
    }
}

static void die(const char *call, long number) {
    report("killed", call, number);
    for (;;)
        syscall(SYS_kill, getpid(), SIGKILL);
}

/* Whether this call is the one; a caller that can do half of it asks first. */
static int is_due(long *number) {
    const char *at = getenv("KILL_AT");
    *number = atomic_fetch_add(&calls, 1) + 1;
    return at != NULL && *number == atol(at);
}

static void count(const char *call) {
    long number;
    if (is_due(&number))
        die(call, number);
}

static int is_watched_path(const char *path) {
    const char *watch = getenv("KILL_WATCH");
    size_t length;
    if (watch == NULL || path == NULL)
        return 0;
    length = strlen(watch);
    return strncmp(path, watch, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static int is_folder(const char *path) {
    struct stat properties;
    return stat(path, &properties) == 0 && S_ISDIR(properties.st_mode);
}

static int kind_of(int descriptor) {
    return descriptor >= 0 && descriptor < MAX_DESCRIPTORS ? atomic_load(&open_here[descriptor]) : OTHER;
}

static int is_watched(int descriptor) { return kind_of(descriptor) != OTHER; }

static void count_for(int descriptor, const char *call, const char *call_for_folder) {
    if (is_watched(descriptor))
        count(kind_of(descriptor) == WATCHED_FOLDER ? call_for_folder : call);
}

__attribute__((destructor)) static void end(void) { report("ended", "", atomic_load(&calls)); }

static int open_at(int folder, const char *path, int flags, mode_t mode) {
    int kind = !is_watched_path(path) ? OTHER : is_folder(path) ? WATCHED_FOLDER : WATCHED_FILE, descriptor;
    if (kind != OTHER)
        count(kind == WATCHED_FOLDER ? "open_folder" : (flags & O_CREAT) ? "create" : "open");
    descriptor = (int)syscall(SYS_openat, folder, path, flags, mode);
    if (descriptor >= 0 && descriptor < MAX_DESCRIPTORS)
        atomic_store(&open_here[descriptor], kind);
    return descriptor;
}

#define MODE_OF(flags, mode)                                                                                                   \
    do {                                                                                                                       \
        va_list more;                                                                                                          \
        va_start(more, flags);                                                                                                 \
        mode = ((flags) & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0;                                                   \
        va_end(more);                                                                                                          \
    } while (0)

int open(const char *path, int flags, ...) {
    mode_t mode;
    MODE_OF(flags, mode);
    return open_at(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    mode_t mode;
    MODE_OF(flags, mode);
    return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    mode_t mode;
    MODE_OF(flags, mode);
    return open_at(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    mode_t mode;
    MODE_OF(flags, mode);
    return open_at(folder, path, flags, mode);
}

int close(int descriptor) {
    count_for(descriptor, "close", "close_folder");
    if (is_watched(descriptor))
        atomic_store(&open_here[descriptor], OTHER);
    return (int)syscall(SYS_close, descriptor);
}

ssize_t read(int descriptor, void *bytes, size_t size) {
    count_for(descriptor, "read", "read");
    return syscall(SYS_read, descriptor, bytes, size);
}

ssize_t pread64(int descriptor, void *bytes, size_t size, off64_t offset) {
    count_for(descriptor, "pread", "pread");
    return syscall(SYS_pread64, descriptor, bytes, size, offset);
}

ssize_t write(int descriptor, const void *bytes, size_t size) {
    long number;
    if (is_watched(descriptor) && is_due(&number)) {
        const char *torn = getenv("KILL_TORN");
        if (torn != NULL && *torn == '1' && size > 1)
            syscall(SYS_write, descriptor, bytes, size / 2);
        die("write", number);
    }
    return syscall(SYS_write, descriptor, bytes, size);
}

int fsync(int descriptor) {
    count_for(descriptor, "fsync", "fsync_folder");
    return (int)syscall(SYS_fsync, descriptor);
}

int fdatasync(int descriptor) {
    count_for(descriptor, "fsync", "fsync_folder");
    return (int)syscall(SYS_fdatasync, descriptor);
}

int ftruncate64(int descriptor, off64_t size) {
    count_for(descriptor, "truncate", "truncate");
    return (int)syscall(SYS_ftruncate, descriptor, size);
}

int fchmod(int descriptor, mode_t mode) {
    count_for(descriptor, "chmod", "chmod");
    return (int)syscall(SYS_fchmod, descriptor, mode);
}

int flock(int descriptor, int operation) {
    count_for(descriptor, "lock", "lock");
    return (int)syscall(SYS_flock, descriptor, operation);
}

int rename(const char *from, const char *to) {
    if (is_watched_path(from) || is_watched_path(to))
        count("rename");
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path) {
    if (is_watched_path(path))
        count("unlink");
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int mkdir(const char *path, mode_t mode) {
    if (is_watched_path(path))
        count("mkdir");
    return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}
