/*
 * A wall clock that can be set for one process: preloaded into a server, it adds to the time of
 * day as many seconds as the file CLOCK_AHEAD says (a 64-bit number). The monotonic clock is left
 * alone. Nothing here allocates, because allocators ask for the time themselves.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *ahead;

static long long seconds_ahead(void) {
    if (!ahead) {
        const char *path = getenv("CLOCK_AHEAD");
        int file = path ? open(path, O_RDONLY) : -1;
        if (file >= 0) {
            void *page = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
            if (page != MAP_FAILED) ahead = page;
            close(file);
        }
    }
    return ahead ? *ahead : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += seconds_ahead();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *copy) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (copy) *copy = now.tv_sec;
    return now.tv_sec;
}
