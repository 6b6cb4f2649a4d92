// SPDX-License-Identifier: GPL-3.0-or-later

/*
 * Preloaded into the plug-in by the tests of its window: writes down how long its main loop was
 * away from its poll, which is how long input had to wait. For each absence of more than 10 ms a
 * line of the file $PENCHANT_STALLS says when it ended (CLOCK_MONOTONIC, seconds), how long it
 * lasted, how much of that the thread waited for a processor or for the X server, which other
 * programs may have held up, and how much for an answer of GIMP's (milliseconds).
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SHORTEST 10.0 /* ms */

/* Since the latest poll of the main loop; 0: none yet. */
static double since, processor, screen, gimp;
static FILE *report;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e3 + time.tv_nsec * 1e-6;
}

/* How long the main thread has stood in line for a processor, in milliseconds. */
static double wait_for_processor(void)
{
    unsigned long long run = 0, wait = 0;
    FILE *file = fopen("/proc/thread-self/schedstat", "r");
    if (!file)
        return 0;
    if (fscanf(file, "%llu %llu", &run, &wait) != 2)
        wait = 0;
    fclose(file);
    return wait * 1e-6;
}

static int watched(void)
{
    return gettid() == getpid() && !strcmp(program_invocation_short_name, "penchant");
}

static void arrive(void)
{
    double end = now();
    if (!since || end - since < SHORTEST)
        return;
    const char *path = getenv("PENCHANT_STALLS");
    if (!report && path)
        report = fopen(path, "ae");
    if (report) {
        fprintf(report, "%.3f %.1f %.1f %.1f\n", end * 1e-3, end - since,
                wait_for_processor() - processor + screen, gimp);
        fflush(report);
    }
}

static void leave(void)
{
    processor = wait_for_processor();
    screen = gimp = 0;
    since = now();
}

/* What comes through a pipe comes from GIMP. The processor may be another's meanwhile, which must not count twice. */
ssize_t read(int fd, void *bytes, size_t n)
{
    static ssize_t (*real)(int, void *, size_t);
    struct stat stat;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "read");
    if (!since || !watched() || fstat(fd, &stat) != 0 || !S_ISFIFO(stat.st_mode))
        return real(fd, bytes, n);
    double start = now(), waited = wait_for_processor();
    ssize_t result = real(fd, bytes, n);
    int kept = errno;
    /* A wait from before can be counted late. */
    double answer = now() - start - (wait_for_processor() - waited);
    gimp += answer > 0 ? answer : 0;
    errno = kept;
    return result;
}

/* GLib polls with either, and Xlib with poll() and its one socket. */
int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    static int (*real)(struct pollfd *, nfds_t, int);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "poll");
    if (!watched())
        return real(fds, n, timeout);
    if (n == 1) {
        double start = now();
        int ready = real(fds, n, timeout);
        screen += now() - start;
        return ready;
    }
    arrive();
    int result = real(fds, n, timeout);
    int kept = errno;
    leave();
    errno = kept;
    return result;
}

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    static int (*real)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "ppoll");
    if (!watched())
        return real(fds, n, timeout, mask);
    arrive();
    int result = real(fds, n, timeout, mask);
    int kept = errno;
    leave();
    errno = kept;
    return result;
}
