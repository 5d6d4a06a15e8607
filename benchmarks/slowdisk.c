/* A slow disk, preloaded into a server (LD_PRELOAD): files of one device make callers wait.
 *
 * SLOW_DEVICE is the device's number (st_dev), SLOW_SECONDS the time a call takes. Opening,
 * renaming, removing and syncing are slow every time; of writes every eighth is, of status calls
 * and directory entries every five-hundredth, as with a disk that reads and writes behind. Reading
 * is slow where the page cache would not have the bytes: at first it has none, then what was read
 * (and a stretch ahead of it) or written by this process. Whoever asks the kernel for "only if it
 * need not wait" or what is cached (cachestat) is told by that: so a server that asks first is
 * never slowed, and one that does not ask stalls. Opening "only if cached" is always refused.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { CACHESTAT = 451, CACHESTAT_SIZE = 5 * 8 }; /* Linux 6.5, on all machines */
enum { ALWAYS = 1, BYTES = 8, STATUS = 500 };
enum { AHEAD = 1 << 20 };

#include "pagecache.h"

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) \
        real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static dev_t device;
static double seconds;

__attribute__((constructor)) static void configure(void)
{
    const char *number = getenv("SLOW_DEVICE"), *time = getenv("SLOW_SECONDS");
    device = number ? strtoull(number, NULL, 10) : 0;
    seconds = time ? atof(time) : 0.2;
}

static int facts(int directory, const char *path, int flags, dev_t *found, uint64_t *inode)
{
    struct statx status;
    if (syscall(SYS_statx, directory, path, flags, STATX_TYPE | STATX_INO, &status) < 0)
        return -1;
    if (inode)
        *inode = status.stx_ino;
    *found = makedev(status.stx_dev_major, status.stx_dev_minor);
    return S_ISREG(status.stx_mode) || S_ISDIR(status.stx_mode) || S_ISLNK(status.stx_mode);
}

static int slow_descriptor(int descriptor)
{
    dev_t found;
    int kept = errno;
    int slow = device && facts(descriptor, "", AT_EMPTY_PATH, &found, NULL) > 0 && found == device;
    errno = kept;
    return slow;
}

/* A name that is not there yet is as slow as the directory it would be in. */
static int slow_path(int directory, const char *path)
{
    char parent[4096];
    dev_t found;
    int kept = errno, slow = 0;
    if (device && path) {
        int known = facts(directory, path, AT_SYMLINK_NOFOLLOW, &found, NULL);
        if (known < 0 && strlen(path) < sizeof parent) {
            strcpy(parent, path);
            char *slash = strrchr(parent, '/');
            strcpy(slash ? slash : parent, slash == parent ? "/" : slash ? "" : ".");
            known = facts(directory, parent, 0, &found, NULL);
        }
        slow = known > 0 && found == device;
    }
    errno = kept;
    return slow;
}

static void wait_for_disk(unsigned every)
{
    static atomic_uint calls[STATUS + 1];
    int kept = errno;
    if (atomic_fetch_add(&calls[every], 1) % every == 0) {
        struct timespec time = {
            .tv_sec = (time_t)seconds,
            .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
        };
        nanosleep(&time, NULL);
    }
    errno = kept;
}

/* Whether a file is on the device, and which; its bytes from `at` on: NULL is where it stands. */
static int slow_file(int descriptor, const off64_t *given, uint64_t *inode, uint64_t *at)
{
    dev_t found;
    int kept = errno;
    int slow = device && facts(descriptor, "", AT_EMPTY_PATH, &found, inode) > 0 && found == device;
    if (slow)
        *at = (uint64_t)(given ? *given : lseek(descriptor, 0, SEEK_CUR));
    errno = kept;
    return slow;
}

static uint64_t within(int descriptor, uint64_t at, uint64_t size)
{
    struct statx status;
    int kept = errno;
    if (syscall(SYS_statx, descriptor, "", AT_EMPTY_PATH, STATX_SIZE, &status) < 0)
        status.stx_size = at + size;
    errno = kept;
    return at >= status.stx_size ? 0 : at + size > status.stx_size ? status.stx_size - at : size;
}

/* Whether reading would have to wait for the disk. */
static int is_cold(int descriptor, const off64_t *given, uint64_t size)
{
    uint64_t inode, at;
    return slow_file(descriptor, given, &inode, &at)
        && !is_cached(inode, at, within(descriptor, at, size));
}

static void reading(int descriptor, const off64_t *given, uint64_t size)
{
    uint64_t inode, at;
    if (!slow_file(descriptor, given, &inode, &at))
        return;
    if (!is_cached(inode, at, within(descriptor, at, size)))
        wait_for_disk(ALWAYS);
    cache(inode, at, size + AHEAD);
}

static void writing(int descriptor, const off64_t *given, uint64_t size)
{
    uint64_t inode, at;
    if (size && slow_file(descriptor, given, &inode, &at)) {
        wait_for_disk(BYTES);
        cache(inode, at, size);
    }
}

static uint64_t total(const struct iovec *pieces, int count)
{
    uint64_t size = 0;
    for (int i = 0; i < count; i++)
        size += pieces[i].iov_len;
    return size;
}

static void descriptor_waits(int descriptor, unsigned every)
{
    if (slow_descriptor(descriptor))
        wait_for_disk(every);
}

static void path_waits(int directory, const char *path, unsigned every)
{
    if (slow_path(directory, path))
        wait_for_disk(every);
}

#define ON_DESCRIPTOR(result, name, every, descriptor, parameters, arguments) \
    result name parameters \
    { \
        REAL(name); \
        descriptor_waits(descriptor, every); \
        return real arguments; \
    }
#define ON_PATH(result, name, every, directory, path, parameters, arguments) \
    result name parameters \
    { \
        REAL(name); \
        path_waits(directory, path, every); \
        return real arguments; \
    }
#define OPENS(name, directory, parameters, first) \
    int name parameters \
    { \
        REAL(name); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        path_waits(directory, path, ALWAYS); \
        return real(first, flags, mode); \
    }
#define MOVES(name, before, parameters, arguments) \
    ssize_t name parameters { REAL(name); before; return real arguments; }
#define AND ,

OPENS(open, AT_FDCWD, (const char *path, int flags, ...), path)
OPENS(open64, AT_FDCWD, (const char *path, int flags, ...), path)
OPENS(openat, directory, (int directory, const char *path, int flags, ...), directory AND path)
OPENS(openat64, directory, (int directory, const char *path, int flags, ...), directory AND path)

MOVES(read, reading(fd, NULL, size), (int fd, void *to, size_t size), (fd, to, size))
MOVES(write, writing(fd, NULL, size), (int fd, const void *from, size_t size), (fd, from, size))
MOVES(pread64, reading(fd, &at, size), (int fd, void *to, size_t size, off64_t at),
      (fd, to, size, at))
MOVES(pwrite64, writing(fd, &at, size), (int fd, const void *from, size_t size, off64_t at),
      (fd, from, size, at))
MOVES(sendfile64, reading(in, at, size), (int out, int in, off64_t *at, size_t size),
      (out, in, at, size))
MOVES(copy_file_range, (reading(in, from, size), writing(out, to, size)),
      (int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags),
      (in, from, out, to, size, flags))
MOVES(splice, (reading(in, from, size), writing(out, to, size)),
      (int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags),
      (in, from, out, to, size, flags))
MOVES(readahead, reading(fd, &at, size), (int fd, off64_t at, size_t size), (fd, at, size))

ON_DESCRIPTOR(int, fsync, ALWAYS, fd, (int fd), (fd))
ON_DESCRIPTOR(int, fdatasync, ALWAYS, fd, (int fd), (fd))
ON_DESCRIPTOR(int, ftruncate64, ALWAYS, fd, (int fd, off64_t size), (fd, size))
ON_DESCRIPTOR(int, posix_fallocate64, ALWAYS, fd, (int fd, off64_t at, off64_t size),
              (fd, at, size))
ON_DESCRIPTOR(int, fstat64, STATUS, fd, (int fd, struct stat64 *to), (fd, to))
ON_DESCRIPTOR(DIR *, fdopendir, ALWAYS, fd, (int fd), (fd))
ON_DESCRIPTOR(struct dirent64 *, readdir64, STATUS, dirfd(directory), (DIR *directory), (directory))

ON_PATH(DIR *, opendir, ALWAYS, AT_FDCWD, path, (const char *path), (path))
ON_PATH(int, stat64, STATUS, AT_FDCWD, path, (const char *path, struct stat64 *to), (path, to))
ON_PATH(int, lstat64, STATUS, AT_FDCWD, path, (const char *path, struct stat64 *to), (path, to))
ON_PATH(int, fstatat64, STATUS, in, path, (int in, const char *path, struct stat64 *to, int flags),
        (in, path, to, flags))
ON_PATH(int, rename, ALWAYS, AT_FDCWD, from, (const char *from, const char *to), (from, to))
ON_PATH(int, renameat, ALWAYS, in, from, (int in, const char *from, int to_in, const char *to),
        (in, from, to_in, to))
ON_PATH(int, unlink, ALWAYS, AT_FDCWD, path, (const char *path), (path))
ON_PATH(int, unlinkat, ALWAYS, in, path, (int in, const char *path, int flags), (in, path, flags))
ON_PATH(int, mkdir, ALWAYS, AT_FDCWD, path, (const char *path, mode_t mode), (path, mode))
ON_PATH(int, mkdirat, ALWAYS, in, path, (int in, const char *path, mode_t mode), (in, path, mode))
ON_PATH(int, rmdir, ALWAYS, AT_FDCWD, path, (const char *path), (path))
ON_PATH(int, link, ALWAYS, AT_FDCWD, from, (const char *from, const char *to), (from, to))
ON_PATH(int, linkat, ALWAYS, in, from,
        (int in, const char *from, int to_in, const char *to, int flags),
        (in, from, to_in, to, flags))

/* tmpfs knows no RWF_NOWAIT: what this cache holds is read without it. */
ssize_t preadv64v2(int fd, const struct iovec *to, int count, off64_t at, int flags)
{
    REAL(preadv64v2);
    if (flags & RWF_NOWAIT && is_cold(fd, &at, total(to, count))) {
        errno = EAGAIN;
        return -1;
    }
    if (slow_descriptor(fd))
        flags &= ~RWF_NOWAIT;
    reading(fd, &at, total(to, count));
    return real(fd, to, count, at, flags);
}

ssize_t pwritev64v2(int fd, const struct iovec *from, int count, off64_t at, int flags)
{
    REAL(pwritev64v2);
    if (flags & RWF_NOWAIT && slow_descriptor(fd)) {
        errno = EAGAIN;
        return -1;
    }
    writing(fd, &at, total(from, count));
    return real(fd, from, count, at, flags);
}

/* Calls without a wrapper in the C library. */
long syscall(long number, ...)
{
    REAL(syscall);
    long a[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_openat2 && slow_path((int)a[0], (const char *)a[1])) {
        if (((const struct open_how *)a[2])->resolve & RESOLVE_CACHED) {
            errno = EAGAIN;
            return -1;
        }
        wait_for_disk(ALWAYS);
    } else if (number == CACHESTAT && slow_descriptor((int)a[0])) {
        const uint64_t *span = (const uint64_t *)a[1];
        const off64_t at = (off64_t)span[0];
        memset((void *)a[2], 0, CACHESTAT_SIZE);
        if (!is_cold((int)a[0], &at, span[1]))
            return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
        return 0;
    } else if (number == SYS_renameat2) {
        path_waits((int)a[0], (const char *)a[1], ALWAYS);
    }
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
