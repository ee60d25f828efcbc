/* Records what a program writes below one folder: every write, name and sync, in one order, with its data. Loaded in
 * front of the C library (LD_PRELOAD) by the power-cut test, which rebuilds from the record the disks that a power cut
 * could have left.
 *
 * RECORD_ROOT   the folder
 * RECORD_LOG    where the record goes
 * RECORD_SPEED  the monotonic clock runs so many times as fast, so that what waits 30 s is seen in a short test
 * RECORD_SYNC   a sync takes so many microseconds, so that several wait at the same time
 *
 * A write that begins with "!full N M" fills the disk for a while: of the calls that need room N more are done, the next
 * M fail. The trace's own lines, which begin with '!' or '{', always fit. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { ROOT = 1, CREATE, MKDIR, WRITE, TRUNCATE, RENAME, LINK, UNLINK, SYNC_BEGIN, SYNC_END };

struct record {
    uint32_t kind, name_len, data_len, unused;
    uint64_t a, b;
    int64_t time, time_to;
};

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static dev_t device;
static long speed = 1, sync_micros, room, refused;
static uint64_t syncs;
static struct timespec began;

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static long call(long number, long a, long b, long c, long d, long e, long f) {
    static long (*real_syscall)(long, ...);
    if (!real_syscall) real_syscall = (long (*)(long, ...))real("syscall");
    return real_syscall(number, a, b, c, d, e, f);
}

__attribute__((constructor)) static void begin(void) {
    const char *root = getenv("RECORD_ROOT"), *log = getenv("RECORD_LOG"), *text;
    if ((text = getenv("RECORD_SPEED"))) speed = atol(text);
    if ((text = getenv("RECORD_SYNC"))) sync_micros = atol(text);
    call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&began, 0, 0, 0, 0);
    struct stat st;
    if (!root || !log || stat(root, &st)) return;
    device = st.st_dev;
    log_fd = call(SYS_openat, AT_FDCWD, (long)log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0600, 0, 0);
    struct record r = {.kind = ROOT, .a = st.st_ino};
    call(SYS_write, log_fd, (long)&r, sizeof r, 0, 0, 0);
}

/* The record is worth nothing with a piece missing. */
static void put(struct record r, const char *name, const void *data, size_t len) {
    r.name_len = name ? strlen(name) : 0;
    r.data_len = len;
    struct iovec parts[] = {{&r, sizeof r}, {(void *)name, r.name_len}, {(void *)data, len}};
    ssize_t all = sizeof r + r.name_len + len;
    if (call(SYS_writev, log_fd, (long)parts, 3, 0, 0, 0) != all) abort();
}

static int recorded(int fd, struct stat *st) {
    if (log_fd < 0 || fstat(fd, st) || st->st_dev != device) return 0;
    return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode);
}

/* The folder of a path, and the name in it. */
static int parent(int dir, const char *path, struct stat *st, const char **name) {
    if (log_fd < 0) return 0;
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    char folder[4096];
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (len >= sizeof folder) return 0;
    memcpy(folder, path, len);
    folder[len] = 0;
    if (slash && !len) strcpy(folder, "/");
    int done = slash ? fstatat(dir, folder, st, 0) : dir == AT_FDCWD ? stat(".", st) : fstat(dir, st);
    return !done && st->st_dev == device;
}

static int64_t mtime(int dir, const char *path) {
    struct stat st;
    const char *name;
    return parent(dir, path, &st, &name) ? st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec : 0;
}

static int is_full(void) {
    if (room > 0) { room--; return 0; }
    if (refused <= 0) return 0;
    refused--;
    errno = ENOSPC;
    return 1;
}

static void lock(void) { int saved = errno; pthread_mutex_lock(&order); errno = saved; }
static void unlock(void) { int saved = errno; pthread_mutex_unlock(&order); errno = saved; }

/* Names. */

static int open_at(int dir, const char *path, int flags, mode_t mode) {
    if (!(flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE)
        return call(SYS_openat, dir, (long)path, flags, mode, 0, 0);
    struct stat folder, st;
    const char *name;
    lock();
    int known = parent(dir, path, &folder, &name);
    int there = fstatat(dir, path, &st, 0) == 0;
    int fd = known && !there && is_full() ? -1 : call(SYS_openat, dir, (long)path, flags, mode, 0, 0);
    if (known && fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        if (!there)
            put((struct record){.kind = CREATE, .a = folder.st_ino, .b = st.st_ino, .time = mtime(dir, path)}, name, 0, 0);
        else if (flags & O_TRUNC)
            put((struct record){.kind = TRUNCATE, .a = st.st_ino}, 0, 0, 0);
    }
    unlock();
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); }
int open(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE(flags) return open_at(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE(flags) return open_at(dir, path, flags, mode); }

int mkdirat(int dir, const char *path, mode_t mode) {
    struct stat folder, st;
    const char *name;
    lock();
    int known = parent(dir, path, &folder, &name);
    int done = known && fstatat(dir, path, &st, 0) && is_full() ? -1 : call(SYS_mkdirat, dir, (long)path, mode, 0, 0, 0);
    if (known && done == 0 && fstatat(dir, path, &st, 0) == 0)
        put((struct record){.kind = MKDIR, .a = folder.st_ino, .b = st.st_ino, .time = mtime(dir, path)}, name, 0, 0);
    unlock();
    return done;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

static int rename_at(int from, const char *old, int to, const char *new, unsigned flags) {
    struct stat source, target;
    const char *old_name, *new_name;
    lock();
    int known = parent(from, old, &source, &old_name) & parent(to, new, &target, &new_name);
    int done = known && is_full() ? -1 : call(SYS_renameat2, from, (long)old, to, (long)new, flags, 0);
    if (known && done == 0)
        put((struct record){.kind = RENAME, .a = source.st_ino, .b = target.st_ino, .time = mtime(from, old), .time_to = mtime(to, new)},
            old_name, new_name, strlen(new_name));
    unlock();
    return done;
}
int renameat2(int from, const char *old, int to, const char *new, unsigned flags) { return rename_at(from, old, to, new, flags); }
int renameat(int from, const char *old, int to, const char *new) { return rename_at(from, old, to, new, 0); }
int rename(const char *old, const char *new) { return rename_at(AT_FDCWD, old, AT_FDCWD, new, 0); }

int linkat(int from, const char *old, int to, const char *new, int flags) {
    struct stat folder, st;
    const char *name;
    lock();
    int known = parent(to, new, &folder, &name);
    int done = known && is_full() ? -1 : call(SYS_linkat, from, (long)old, to, (long)new, flags, 0);
    if (known && done == 0 && fstatat(to, new, &st, AT_SYMLINK_NOFOLLOW) == 0)
        put((struct record){.kind = LINK, .a = folder.st_ino, .b = st.st_ino, .time = mtime(to, new)}, name, 0, 0);
    unlock();
    return done;
}
int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

int unlinkat(int dir, const char *path, int flags) {
    struct stat folder;
    const char *name;
    lock();
    int known = parent(dir, path, &folder, &name);
    int done = call(SYS_unlinkat, dir, (long)path, flags, 0, 0, 0);
    if (known && done == 0)
        put((struct record){.kind = UNLINK, .a = folder.st_ino, .time = mtime(dir, path)}, name, 0, 0);
    unlock();
    return done;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    struct stat st;
    return lstat(path, &st) ? -1 : unlinkat(AT_FDCWD, path, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
}

/* Data. */

static void put_written(const struct stat *st, off_t at, const struct iovec *parts, int count, ssize_t len) {
    for (int i = 0; i < count && len > 0; i++) {
        size_t piece = (ssize_t)parts[i].iov_len < len ? parts[i].iov_len : (size_t)len;
        if (piece) put((struct record){.kind = WRITE, .a = st->st_ino, .b = at}, 0, parts[i].iov_base, piece);
        at += piece;
        len -= piece;
    }
}

/* `at` below zero: where the file stands. */
static ssize_t write_at(int fd, const struct iovec *parts, int count, off_t at) {
    struct stat st;
    lock();
    int known = recorded(fd, &st) && S_ISREG(st.st_mode);
    off_t start = at;
    if (known && at < 0)
        start = fcntl(fd, F_GETFL) & O_APPEND ? st.st_size : lseek(fd, 0, SEEK_CUR);
    const char *text = count == 1 && parts->iov_len > 5 ? parts->iov_base : "";
    if (known && !strncmp(text, "!full ", 6)) sscanf(text, "!full %ld %ld", &room, &refused);
    size_t wanted = 0;
    for (int i = 0; i < count; i++) wanted += parts[i].iov_len;
    int fits = *text == '!' || *text == '{' || (off_t)(start + wanted) <= st.st_size;
    ssize_t done;
    if (known && !fits && is_full()) done = -1;
    else if (at < 0) done = call(SYS_writev, fd, (long)parts, count, 0, 0, 0);
    else done = call(SYS_pwritev, fd, (long)parts, count, at, 0, 0);
    if (known && done > 0) put_written(&st, start, parts, count, done);
    unlock();
    return done;
}
ssize_t write(int fd, const void *data, size_t len) {
    struct stat st;
    if (!recorded(fd, &st)) return call(SYS_write, fd, (long)data, len, 0, 0, 0);
    return write_at(fd, &(struct iovec){(void *)data, len}, 1, -1);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    struct stat st;
    if (!recorded(fd, &st)) return call(SYS_writev, fd, (long)parts, count, 0, 0, 0);
    return write_at(fd, parts, count, -1);
}
ssize_t pwrite(int fd, const void *data, size_t len, off_t at) { return write_at(fd, &(struct iovec){(void *)data, len}, 1, at); }
ssize_t pwrite64(int fd, const void *data, size_t len, off_t at) { return pwrite(fd, data, len, at); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return write_at(fd, parts, count, at); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) { return write_at(fd, parts, count, at); }

int ftruncate(int fd, off_t size) {
    struct stat st;
    lock();
    int known = recorded(fd, &st);
    int done = known && size > st.st_size && is_full() ? -1 : call(SYS_ftruncate, fd, size, 0, 0, 0, 0);
    if (known && done == 0) put((struct record){.kind = TRUNCATE, .a = st.st_ino, .b = size}, 0, 0, 0);
    unlock();
    return done;
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

/* Nothing here writes in these ways; whoever begins to must record them. */
#define REFUSED(name, ...) \
    int name(__VA_ARGS__) { fprintf(stderr, "record: %s is not recorded\n", #name); abort(); }
REFUSED(fallocate, int fd, int mode, off_t at, off_t len)
REFUSED(fallocate64, int fd, int mode, off64_t at, off64_t len)
REFUSED(posix_fallocate, int fd, off_t at, off_t len)
REFUSED(posix_fallocate64, int fd, off64_t at, off64_t len)
REFUSED(truncate, const char *path, off_t size)
REFUSED(truncate64, const char *path, off64_t size)
REFUSED(creat, const char *path, mode_t mode)
REFUSED(creat64, const char *path, mode_t mode)

/* Syncs: what was written before the call is on the disk once it has returned. */
static int sync_fd(int fd, long how) {
    struct stat st;
    lock();
    int known = recorded(fd, &st);
    uint64_t number = ++syncs, inode = how == SYS_syncfs ? 0 : st.st_ino;
    if (known) put((struct record){.kind = SYNC_BEGIN, .a = inode, .b = number, .time = how != SYS_fdatasync}, 0, 0, 0);
    unlock();
    int done = call(how, fd, 0, 0, 0, 0, 0);
    if (known && sync_micros) {
        struct timespec wait = {0, sync_micros * 1000};
        call(SYS_nanosleep, (long)&wait, 0, 0, 0, 0, 0);
    }
    lock();
    if (known && done == 0) put((struct record){.kind = SYNC_END, .b = number}, 0, 0, 0);
    unlock();
    return done;
}
int fsync(int fd) { return sync_fd(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_fd(fd, SYS_fdatasync); }
int syncfs(int fd) { return sync_fd(fd, SYS_syncfs); }

/* The clock, and waits until a moment of it. */
static struct timespec since(struct timespec t, int faster) {
    int64_t nanos = (t.tv_sec - began.tv_sec) * 1000000000LL + t.tv_nsec - began.tv_nsec;
    nanos = faster ? nanos * speed : nanos / speed;
    nanos += began.tv_sec * 1000000000LL + began.tv_nsec;
    return (struct timespec){nanos / 1000000000LL, nanos % 1000000000LL};
}
int clock_gettime(clockid_t clock, struct timespec *t) {
    int done = call(SYS_clock_gettime, clock, (long)t, 0, 0, 0, 0);
    if (!done && clock == CLOCK_MONOTONIC) *t = since(*t, 1);
    return done;
}

long syscall(long number, ...) {
    va_list list;
    va_start(list, number);
    long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
    long d = va_arg(list, long), e = va_arg(list, long), f = va_arg(list, long);
    va_end(list);
    if (number == SYS_renameat2) return rename_at(a, (char *)b, c, (char *)d, e);
    int command = b & FUTEX_CMD_MASK;
    if (number == SYS_futex && command == FUTEX_WAIT_BITSET && d && !(b & FUTEX_CLOCK_REALTIME)) {
        struct timespec until = since(*(struct timespec *)d, 0);
        return call(number, a, b, c, (long)&until, e, f);
    }
    return call(number, a, b, c, d, e, f);
}
