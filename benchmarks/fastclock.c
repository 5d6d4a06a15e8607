/* A fast clock, preloaded into a server (LD_PRELOAD): its time passes several times as fast.
 *
 * The server reads fast clocks, and waits for events and locks that much shorter, so that its
 * timers, timeouts and daily work come sooner. Files agree with that: their times are shown as fast
 * times, and fast times that are set on a file become real ones.
 *
 * FAST_CLOCK names a file (`benchmarks/soak/fast_clock.py` writes it) with the real clocks of the
 * moment at which both times are the same, and the rates from then on: the rate may be changed
 * while processes run, and is the same for all of them. A wait ends within WAIT of a change.
 *
 * Clocks of processor time stay real, as does pthread_cond_timedwait(): by that Python's threads
 * take turns, which must not be more often than usual.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

enum { WAIT = 100 }; /* milliseconds */

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) \
        real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

enum { WALL, STEADY, BOOT, CLOCKS };
enum { MOST_SPANS = 4096 };

/* A time with one rate: where it begins after the start, in both times. */
struct span {
    int64_t real, fast;
    double rate;
};

struct clock_file {
    int64_t start[CLOCKS];
    _Atomic int64_t spans;
    struct span span[MOST_SPANS];
};

static struct clock_file none; /* without spans both times are the same */
static struct clock_file *clocks = &none;

__attribute__((constructor)) static void configure(void)
{
    const char *path = getenv("FAST_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *found = mmap(NULL, sizeof(none), PROT_READ, MAP_SHARED, file, 0);
    if (found != MAP_FAILED)
        clocks = found;
    close(file);
}

static double rate(void)
{
    int64_t spans = atomic_load(&clocks->spans);
    return spans ? clocks->span[spans - 1].rate : 1;
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
    int64_t since = time - clocks->start[which], at = atomic_load(&clocks->spans);
    while (at-- > 0) {
        const struct span *span = &clocks->span[at];
        if (since >= span->real)
            return clocks->start[which] + span->fast + (int64_t)((since - span->real) * span->rate);
    }
    return time;
}

static int64_t slower(int64_t time, int which)
{
    int64_t since = time - clocks->start[which], at = atomic_load(&clocks->spans);
    while (at-- > 0) {
        const struct span *span = &clocks->span[at];
        if (since >= span->fast)
            return clocks->start[which] + span->real + (int64_t)((since - span->fast) / span->rate);
    }
    return time;
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

static int64_t fast_now(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return count(&now);
}

/* Real milliseconds to wait now for a moment of the fast clock: at least one, because none at all
 * would be a loop that does not wait, and no more than WAIT, because the rate may change. */
static int left(int64_t until)
{
    int64_t wanted = (int64_t)((until - fast_now(CLOCK_MONOTONIC)) / rate() / 1e6) + 1;
    return wanted < 1 ? 1 : wanted > WAIT ? WAIT : (int)wanted;
}

/* Repeats a call that waits so many fast milliseconds: in parts, until it has a result. */
#define WAITING(timeout, call) \
    int64_t until = fast_now(CLOCK_MONOTONIC) + (timeout) * 1000000LL; \
    int wait = (timeout) > 0 ? left(until) : (timeout), result; \
    while ((result = (call)) == 0 && (timeout) > 0 && fast_now(CLOCK_MONOTONIC) < until) \
        wait = left(until); \
    return result

int epoll_wait(int set, struct epoll_event *events, int most, int timeout)
{
    REAL(epoll_wait);
    WAITING(timeout, real(set, events, most, wait));
}

int poll(struct pollfd *files, nfds_t number, int timeout)
{
    REAL(poll);
    WAITING(timeout, real(files, number, wait));
}

int select(int number, fd_set *restrict in, fd_set *restrict out, fd_set *restrict other,
           struct timeval *restrict timeout)
{
    REAL(select);
    if (!timeout)
        return real(number, in, out, other, NULL);
    int64_t wanted = (int64_t)((timeout->tv_sec * 1000000LL + timeout->tv_usec) / rate());
    struct timeval wait = {wanted / 1000000, wanted % 1000000};
    return real(number, in, out, other, &wait);
}

/* The end of the next part of a wait, in real time. */
static struct timespec next_end(int64_t until, int which)
{
    REAL(clock_gettime);
    struct timespec now;
    real(which == WALL ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
    int64_t end = slower(until, which), most = count(&now) + WAIT * 1000000LL;
    return spec(end < most ? end : most);
}

int sem_clockwait(sem_t *restrict lock, clockid_t clock, const struct timespec *restrict until)
{
    REAL(sem_clockwait);
    int result;
    do {
        struct timespec end = next_end(count(until), kind(clock));
        result = real(lock, clock, &end);
    } while (result && errno == ETIMEDOUT && fast_now(clock) < count(until));
    return result;
}

int sem_timedwait(sem_t *restrict lock, const struct timespec *restrict until)
{
    return sem_clockwait(lock, CLOCK_REALTIME, until);
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
                    struct timespec *rest)
{
    REAL(clock_nanosleep);
    if (kind(clock) == CLOCKS)
        return real(clock, flags, wanted, rest);
    int64_t until = count(wanted) + (flags & TIMER_ABSTIME ? 0 : fast_now(clock));
    int result = 0;
    while (!result && fast_now(clock) < until) {
        struct timespec end = next_end(until, kind(clock));
        result = real(kind(clock) == WALL ? CLOCK_REALTIME : CLOCK_MONOTONIC, TIMER_ABSTIME, &end,
                      NULL);
    }
    if (result && rest && !(flags & TIMER_ABSTIME))
        *rest = spec(until > fast_now(clock) ? until - fast_now(clock) : 0);
    return result;
}

int nanosleep(const struct timespec *wanted, struct timespec *rest)
{
    int error = clock_nanosleep(CLOCK_MONOTONIC, 0, wanted, rest);
    if (error)
        errno = error;
    return error ? -1 : 0;
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
