/* A slow disk, preloaded into a server (LD_PRELOAD): files of one device keep their callers waiting.
 *
 * SLOW_DEVICE is the device's number (st_dev), SLOW_SECONDS the time a call takes. Opening,
 * renaming, removing and syncing are slow every time; of reads and writes every eighth is, of
 * status calls and directory entries every five-hundredth, as with a disk that reads ahead.
 * Whoever asks the kernel for "only if it need not wait" is told that it would have to (EAGAIN):
 * so a server that asks first is never slowed, and one that does not ask stalls.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { ALWAYS = 1, BYTES = 8, STATUS = 500 };

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

static int facts(int directory, const char *path, int flags, dev_t *found)
{
    struct statx status;
    if (syscall(SYS_statx, directory, path, flags, STATX_TYPE, &status) < 0)
        return -1;
    *found = makedev(status.stx_dev_major, status.stx_dev_minor);
    return S_ISREG(status.stx_mode) || S_ISDIR(status.stx_mode) || S_ISLNK(status.stx_mode);
}

static int slow_descriptor(int descriptor)
{
    dev_t found;
    int kept = errno;
    int slow = device && facts(descriptor, "", AT_EMPTY_PATH, &found) > 0 && found == device;
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
        int known = facts(directory, path, AT_SYMLINK_NOFOLLOW, &found);
        if (known < 0 && strlen(path) < sizeof parent) {
            strcpy(parent, path);
            char *slash = strrchr(parent, '/');
            strcpy(slash ? slash : parent, slash == parent ? "/" : slash ? "" : ".");
            known = facts(directory, parent, 0, &found);
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
    result name parameters { REAL(name); descriptor_waits(descriptor, every); return real arguments; }
#define ON_PATH(result, name, every, directory, path, parameters, arguments) \
    result name parameters { REAL(name); path_waits(directory, path, every); return real arguments; }
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
#define AND ,

OPENS(open, AT_FDCWD, (const char *path, int flags, ...), path)
OPENS(open64, AT_FDCWD, (const char *path, int flags, ...), path)
OPENS(openat, directory, (int directory, const char *path, int flags, ...), directory AND path)
OPENS(openat64, directory, (int directory, const char *path, int flags, ...), directory AND path)

ON_DESCRIPTOR(ssize_t, read, BYTES, fd, (int fd, void *to, size_t size), (fd, to, size))
ON_DESCRIPTOR(ssize_t, write, BYTES, fd, (int fd, const void *from, size_t size), (fd, from, size))
ON_DESCRIPTOR(ssize_t, pread64, BYTES, fd, (int fd, void *to, size_t size, off64_t at),
              (fd, to, size, at))
ON_DESCRIPTOR(ssize_t, pwrite64, BYTES, fd, (int fd, const void *from, size_t size, off64_t at),
              (fd, from, size, at))
ON_DESCRIPTOR(ssize_t, copy_file_range, BYTES, in,
              (int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags),
              (in, from, out, to, size, flags))
ON_DESCRIPTOR(ssize_t, sendfile64, BYTES, in, (int out, int in, off64_t *at, size_t size),
              (out, in, at, size))
ON_DESCRIPTOR(int, fsync, ALWAYS, fd, (int fd), (fd))
ON_DESCRIPTOR(int, fdatasync, ALWAYS, fd, (int fd), (fd))
ON_DESCRIPTOR(int, ftruncate64, ALWAYS, fd, (int fd, off64_t size), (fd, size))
ON_DESCRIPTOR(int, posix_fallocate64, ALWAYS, fd, (int fd, off64_t at, off64_t size), (fd, at, size))
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

ssize_t splice(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags)
{
    REAL(splice);
    if (slow_descriptor(in) || slow_descriptor(out))
        wait_for_disk(BYTES);
    return real(in, from, out, to, size, flags);
}

ssize_t preadv64v2(int fd, const struct iovec *to, int count, off64_t at, int flags)
{
    REAL(preadv64v2);
    if (slow_descriptor(fd)) {
        if (flags & RWF_NOWAIT) {
            errno = EAGAIN;
            return -1;
        }
        wait_for_disk(BYTES);
    }
    return real(fd, to, count, at, flags);
}

ssize_t pwritev64v2(int fd, const struct iovec *from, int count, off64_t at, int flags)
{
    REAL(pwritev64v2);
    if (slow_descriptor(fd)) {
        if (flags & RWF_NOWAIT) {
            errno = EAGAIN;
            return -1;
        }
        wait_for_disk(BYTES);
    }
    return real(fd, from, count, at, flags);
}

/* Calls without a wrapper in the C library: openat2 and renameat2 are what servers use. */
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
    } else if (number == SYS_renameat2) {
        path_waits((int)a[0], (const char *)a[1], ALWAYS);
    }
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
