// SPDX-License-Identifier: GPL-3.0-or-later
/* Preloaded: every file system is one without locks. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

typedef int (*Fcntl)(int, int, ...);

static int call(const char *name, int fd, int command, void *argument)
{
    if (command == F_SETLK || command == F_SETLKW || command == F_GETLK) {
        errno = ENOLCK;
        return -1;
    }
    return ((Fcntl)dlsym(RTLD_NEXT, name))(fd, command, argument);
}

#define WRAP(name)                                                                                 \
    int name(int fd, int command, ...);                                                            \
    int name(int fd, int command, ...)                                                             \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, command);                                                                   \
        void *argument = va_arg(args, void *);                                                     \
        va_end(args);                                                                              \
        return call(#name, fd, command, argument);                                                 \
    }

#undef fcntl
#undef fcntl64
WRAP(fcntl64)
