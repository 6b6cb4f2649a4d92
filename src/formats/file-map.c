// SPDX-License-Identifier: GPL-3.0-or-later
//
// A page of a mapped file that is no longer there, because another program cut the file, is a
// SIGBUS. The handler puts pages of zeros in its place and marks the file as changed, so that
// whoever read goes on to the next pen_file_map_check(). This is the manner of libwayland's shared
// buffers.
#include "src/formats/file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// Mapped at the same time, at most: shards of a few models. The handler reads it without a lock.
#define MAX_MAPS 1024

typedef struct {
    atomic_uintptr_t begin; // 0: free
    atomic_uintptr_t end;
    atomic_int cut;
    int fd;
    char *path;
    struct stat at_first;
} Map;

static Map maps[MAX_MAPS];
static GMutex lock; // of who takes or frees a place
static struct sigaction before;

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    uintptr_t at = (uintptr_t)info->si_addr, page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (guint i = 0; i < MAX_MAPS; i++) {
        uintptr_t begin = atomic_load(&maps[i].begin), end = atomic_load(&maps[i].end);
        if (!begin || at < begin || at >= end)
            continue;
        uintptr_t from = at & ~(page - 1);
        atomic_store(&maps[i].cut, TRUE);
        if (mmap((void *)from, end - from, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1,
                 0) != MAP_FAILED)
            return;
    }
    // Not ours: what was to happen without us.
    if (before.sa_flags & SA_SIGINFO)
        before.sa_sigaction(number, info, context);
    else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
        before.sa_handler(number);
    else
        sigaction(number, &before, NULL); // the access is tried again, and ends the program
}

static void catch_bus_errors(void)
{
    static gsize done = 0;
    if (!g_once_init_enter(&done))
        return;
    struct sigaction action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_NODEFER };
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &before);
    g_once_init_leave(&done, 1);
}

static void unmap(gpointer data)
{
    Map *map = data;
    uintptr_t begin = atomic_load(&map->begin), end = atomic_load(&map->end);
    g_mutex_lock(&lock);
    munmap((void *)begin, end - begin);
    close(map->fd);
    g_free(map->path);
    atomic_store(&map->begin, 0);
    g_mutex_unlock(&lock);
}

// Takes `fd` over.
static GBytes *map_file(int fd, const char *path, const struct stat *status, GError **error)
{
    gsize size = (gsize)status->st_size;
    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    int problem = errno;
    catch_bus_errors();
    g_mutex_lock(&lock);
    Map *map = maps;
    while (data != MAP_FAILED && map < maps + MAX_MAPS && atomic_load(&map->begin))
        map++;
    if (data == MAP_FAILED || map == maps + MAX_MAPS) {
        if (data != MAP_FAILED)
            munmap(data, size);
        g_mutex_unlock(&lock);
        close(fd);
        g_autofree char *name = g_filename_display_name(path);
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, _("“%s” cannot be read: %s."), name,
                    data == MAP_FAILED ? g_strerror(problem) : _("too many files are open"));
        return NULL;
    }
    map->fd = fd;
    map->path = g_strdup(path);
    map->at_first = *status;
    atomic_store(&map->cut, FALSE);
    atomic_store(&map->end, (uintptr_t)data + size);
    atomic_store(&map->begin, (uintptr_t)data);
    g_mutex_unlock(&lock);
    return g_bytes_new_with_free_func(data, size, unmap, map);
}

GBytes *pen_file_map(const char *path, guint64 max_size, GError **error)
{
    g_autofree char *name = g_filename_display_name(path);
    struct stat status;

    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int problem = errno;
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(problem),
                    _("“%s” cannot be opened: %s."), name, g_strerror(problem));
        return NULL;
    }
    if (fstat(fd, &status) != 0) {
        int problem = errno;
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(problem),
                    _("“%s” cannot be read: %s."), name, g_strerror(problem));
    } else if (!S_ISREG(status.st_mode)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, _("“%s” is not a regular file."),
                    name);
    } else if ((guint64)status.st_size > max_size) {
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                    _("“%s” is too large to be what it should be: %" PRIu64
                      " bytes, where at most %" PRIu64 " are expected."),
                    name, (guint64)status.st_size, max_size);
    } else if (status.st_size == 0) {
        close(fd);
        return g_bytes_new(NULL, 0);
    } else {
        return map_file(fd, path, &status, error);
    }
    close(fd);
    return NULL;
}

static gboolean same_content(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static const Map *find_map(GBytes *bytes)
{
    uintptr_t begin = (uintptr_t)g_bytes_get_data(bytes, NULL);
    for (guint i = 0; begin && i < MAX_MAPS; i++)
        if (atomic_load(&maps[i].begin) == begin)
            return &maps[i];
    return NULL;
}

gboolean pen_file_map_check(GBytes *bytes, GError **error)
{
    const Map *map = find_map(bytes);
    struct stat now;
    if (!map || (!atomic_load(&map->cut) && fstat(map->fd, &now) == 0 &&
                 same_content(&now, &map->at_first)))
        return TRUE;
    g_autofree char *name = g_filename_display_name(map->path);
    g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_CHANGED,
                _("“%s” was changed by another program while it was in use: try again when it is "
                  "whole."),
                name);
    return FALSE;
}

gboolean pen_file_map_is_current(GBytes *bytes)
{
    const Map *map = find_map(bytes);
    struct stat now;
    if (!map)
        return TRUE;
    if (!pen_file_map_check(bytes, NULL))
        return FALSE;
    return stat(map->path, &now) != 0 ||
           (now.st_dev == map->at_first.st_dev && now.st_ino == map->at_first.st_ino);
}
