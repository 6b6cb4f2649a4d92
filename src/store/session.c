// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "src/store/private.h"

static char *session_path(PenStore *store, const char *session)
{
    return g_build_filename(store->folder, "sessions", session, NULL);
}

gboolean pen_session_begin(PenStore *store, GError **error)
{
    if (store->session)
        return TRUE;

    g_autofree char *session = g_uuid_string_random();
    g_autofree char *path = session_path(store, session);
    g_autofree char *folder = g_path_get_dirname(path);
    if (!pen_files_make_folder(folder, error))
        return FALSE;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
        pen_sql_set_errno(error, errno, path);
        if (fd >= 0)
            close(fd);
        return FALSE;
    }
    store->session_fd = fd;
    store->session = g_steal_pointer(&session);
    return TRUE;
}

void pen_session_end(PenStore *store)
{
    if (!store->session)
        return;
    g_autofree char *path = session_path(store, store->session);
    g_unlink(path);
    close(store->session_fd);
    store->session_fd = -1;
    g_clear_pointer(&store->session, g_free);
}

gboolean pen_session_is_alive(PenStore *store, const char *session)
{
    if (g_strcmp0(session, store->session) == 0)
        return TRUE;
    /* The name comes from the database: it must not lead anywhere else. */
    if (!g_uuid_string_is_valid(session))
        return FALSE;

    g_autofree char *path = session_path(store, session);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno != ENOENT;
    gboolean alive = flock(fd, LOCK_EX | LOCK_NB) != 0;
    if (!alive)
        g_unlink(path);
    close(fd);
    return alive;
}

gboolean pen_session_recover(PenStore *store, GError **error)
{
    PenSql *sql = store->sql;
    gint64 now = g_get_real_time();
    g_autoptr(GPtrArray) sessions = g_ptr_array_new_with_free_func(g_free);

    if (!pen_sql_read_texts(
            sql,
            "SELECT session FROM rounds WHERE state = 'running' AND session IS NOT NULL UNION "
            "SELECT session FROM runs WHERE state = 'running' AND session IS NOT NULL",
            NULL, 0, sessions, error))
        return FALSE;
    for (guint i = 0; i < sessions->len; i++) {
        const char *session = sessions->pdata[i];
        if (pen_session_is_alive(store, session))
            continue;
        if (!pen_sql_run(sql, error,
                         "UPDATE candidates SET state = 'failed' WHERE state = 'running' AND round "
                         "IN (SELECT id FROM rounds WHERE session = ? AND state = 'running')",
                         PEN_SQL_TEXT(session)) ||
            !pen_sql_run(sql, error,
                         "UPDATE rounds SET state = 'failed' "
                         "WHERE session = ? AND state = 'running'",
                         PEN_SQL_TEXT(session)) ||
            !pen_sql_run(sql, error,
                         "UPDATE runs SET state = 'paused', ended = ? "
                         "WHERE session = ? AND state = 'running'",
                         PEN_SQL_INT(now), PEN_SQL_TEXT(session)))
            return FALSE;
    }
    return TRUE;
}
