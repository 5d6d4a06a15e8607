/* A fast clock, preloaded into a server (LD_PRELOAD): its time passes FAST_CLOCK_RATE times as fast.
 *
 * The server reads fast clocks, and waits for events and locks that much shorter, so that its
 * timers, timeouts and daily work come sooner. Files agree with that: their times are shown as fast
 * times, and fast times that are set on a file become real ones. FAST_CLOCK_START,
 * FAST_CLOCK_MONOTONIC and FAST_CLOCK_BOOT are the real clocks at the moment at which both times are
 * the same; processes with the same three have the same fast time, also those started later.
 *
 * Clocks of processor time stay real, as does pthread_cond_timedwait(): by that Python's threads
 * take turns, which must not be more often than usual.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) \
        real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

enum { WALL, STEADY, BOOT, CLOCKS };

static double rate;
static int64_t start[CLOCKS];

static int64_t nanoseconds(const char *name)
{
    const char *text = getenv(name);
    return text ? (int64_t)(strtold(text, NULL) * SECOND) : 0;
}

__attribute__((constructor)) static void configure(void)
{
    const char *text = getenv("FAST_CLOCK_RATE");
    double given = text ? atof(text) : 1;
    start[WALL] = nanoseconds("FAST_CLOCK_START");
    start[STEADY] = nanoseconds("FAST_CLOCK_MONOTONIC");
    start[BOOT] = nanoseconds("FAST_CLOCK_BOOT");
    rate = given > 1 ? given : 1;
}

static int64_t count(const struct timespec *time)
{
    return time->tv_sec * SECOND + time->tv_nsec;
}

static struct timespec spec(int64_t count)
{
    struct timespec time = {count / SECOND, count % SECOND};
    if (time.tv_nsec < 0) {
        time.tv_sec--;
        time.tv_nsec += SECOND;
    }
    return time;
}

/* What was before the start stays as it is. */
static int64_t faster(int64_t time, int which)
{
    int64_t since = time - start[which];
    return since > 0 && rate > 1 ? start[which] + (int64_t)(since * rate) : time;
}

static int64_t slower(int64_t time, int which)
{
    int64_t since = time - start[which];
    return since > 0 && rate > 1 ? start[which] + (int64_t)(since / rate) : time;
}

static int kind(clockid_t clock)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        return WALL;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
        return STEADY;
    case CLOCK_BOOTTIME:
        return BOOT;
    default:
        return CLOCKS;
    }
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    REAL(clock_gettime);
    int result = real(clock, time);
    if (!result && kind(clock) != CLOCKS)
        *time = spec(faster(count(time), kind(clock)));
    return result;
}

time_t time(time_t *where)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where)
        *where = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

/* Shorter, but at least one millisecond: none at all would be a loop that does not wait. */
static int shorter(int milliseconds)
{
    return milliseconds > 0 ? (int)(milliseconds / rate) + 1 : milliseconds;
}

int epoll_wait(int set, struct epoll_event *events, int most, int timeout)
{
    REAL(epoll_wait);
    return real(set, events, most, shorter(timeout));
}

int poll(struct pollfd *files, nfds_t number, int timeout)
{
    REAL(poll);
    return real(files, number, shorter(timeout));
}

int select(int number, fd_set *restrict in, fd_set *restrict out, fd_set *restrict other,
           struct timeval *restrict timeout)
{
    REAL(select);
    if (!timeout)
        return real(number, in, out, other, NULL);
    int64_t left = (int64_t)((timeout->tv_sec * 1000000LL + timeout->tv_usec) / rate);
    struct timeval wait = {left / 1000000, left % 1000000};
    return real(number, in, out, other, &wait);
}

int sem_clockwait(sem_t *restrict lock, clockid_t clock, const struct timespec *restrict until)
{
    REAL(sem_clockwait);
    struct timespec limit = spec(slower(count(until), kind(clock)));
    return real(lock, clock, &limit);
}

int sem_timedwait(sem_t *restrict lock, const struct timespec *restrict until)
{
    REAL(sem_timedwait);
    struct timespec limit = spec(slower(count(until), WALL));
    return real(lock, &limit);
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict lock,
                           const struct timespec *restrict until)
{
    static __typeof__(&pthread_cond_timedwait) real;
    static __typeof__(&clock_gettime) clock;
    if (!real) { /* without a version the symbol of old programs is found on x86 */
        real = (__typeof__(real))dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
        if (!real)
            real = (__typeof__(real))dlsym(RTLD_NEXT, "pthread_cond_timedwait");
        clock = (__typeof__(clock))dlsym(RTLD_NEXT, "clock_gettime");
    }
    struct timespec now, limit;
    clock(CLOCK_MONOTONIC, &now); /* the clock of Python's conditions */
    limit = spec(count(&now) + count(until) - faster(count(&now), STEADY));
    return real(condition, lock, &limit);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted,
                    struct timespec *left)
{
    REAL(clock_nanosleep);
    struct timespec time = flags & TIMER_ABSTIME ? spec(slower(count(wanted), kind(clock)))
                                                 : spec((int64_t)(count(wanted) / rate));
    return real(clock, flags, &time, left);
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    REAL(nanosleep);
    struct timespec time = spec((int64_t)(count(wanted) / rate));
    return real(&time, left);
}

int usleep(useconds_t microseconds)
{
    struct timespec wanted = spec(microseconds * 1000LL);
    return nanosleep(&wanted, NULL);
}

#define SHOWN(time) (time) = spec(faster(count(&(time)), WALL))

#define STATUS(name, parameters, ...) \
    int name parameters \
    { \
        REAL(name); \
        int result = real(__VA_ARGS__); \
        if (!result) { \
            SHOWN(status->st_atim); \
            SHOWN(status->st_mtim); \
            SHOWN(status->st_ctim); \
        } \
        return result; \
    }

STATUS(stat, (const char *restrict path, struct stat *restrict status), path, status)
STATUS(stat64, (const char *restrict path, struct stat64 *restrict status), path, status)
STATUS(lstat, (const char *restrict path, struct stat *restrict status), path, status)
STATUS(lstat64, (const char *restrict path, struct stat64 *restrict status), path, status)
STATUS(fstat, (int file, struct stat *status), file, status)
STATUS(fstat64, (int file, struct stat64 *status), file, status)
STATUS(fstatat, (int directory, const char *restrict path, struct stat *restrict status, int flags),
       directory, path, status, flags)
STATUS(fstatat64,
       (int directory, const char *restrict path, struct stat64 *restrict status, int flags),
       directory, path, status, flags)

static const struct timespec *set_times(const struct timespec *given, struct timespec *times)
{
    if (!given)
        return NULL;
    for (int which = 0; which < 2; which++) {
        long part = given[which].tv_nsec;
        times[which] = part == UTIME_NOW || part == UTIME_OMIT
                           ? given[which]
                           : spec(slower(count(&given[which]), WALL));
    }
    return times;
}

int utimensat(int directory, const char *path, const struct timespec given[2], int flags)
{
    REAL(utimensat);
    struct timespec times[2];
    return real(directory, path, set_times(given, times), flags);
}

int futimens(int file, const struct timespec given[2])
{
    REAL(futimens);
    struct timespec times[2];
    return real(file, set_times(given, times));
}
