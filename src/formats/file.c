// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <inttypes.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

G_DEFINE_QUARK(pen - format - error - quark, pen_format_error)

struct _PenFileWriter {
    char *path;
    char *temporary; // NULL once renamed
    FILE *stream;    // NULL once closed
    GByteArray *memory; // in place of a file
};

// `code` is an errno value; `format` has one %s for the file's name and one for the reason.
static void set_file_error(GError **error, int code, const char *format, const char *path)
{
    g_autofree char *name = g_filename_display_name(path);

    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code), format, name, g_strerror(code));
}

PenFileWriter *pen_file_writer_new(const char *path, GError **error)
{
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        g_autofree char *name = g_filename_display_name(path);
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    _("“%s” cannot be written: it is not a regular file."), name);
        return NULL;
    }

    g_autoptr(PenFileWriter) writer = g_new0(PenFileWriter, 1);
    writer->path = g_strdup(path);
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *temporary = g_build_filename(folder, ".penchant-XXXXXX", NULL);
    int fd = g_mkstemp_full(temporary, O_RDWR | O_CLOEXEC, 0666);
    if (fd < 0) {
        set_file_error(error, errno, _("“%s” cannot be written: %s."), path);
        return NULL;
    }
    writer->temporary = g_steal_pointer(&temporary);
    writer->stream = fdopen(fd, "wb");
    if (!writer->stream) {
        set_file_error(error, errno, _("“%s” cannot be written: %s."), path);
        close(fd);
        return NULL;
    }
    return g_steal_pointer(&writer);
}

PenFileWriter *pen_file_writer_new_in_memory(void)
{
    PenFileWriter *writer = g_new0(PenFileWriter, 1);
    writer->memory = g_byte_array_new();
    return writer;
}

GBytes *pen_file_writer_steal(PenFileWriter *writer)
{
    return g_byte_array_free_to_bytes(g_steal_pointer(&writer->memory));
}

static gboolean write_failed(PenFileWriter *writer, int code, GError **error)
{
    if (code == ENOSPC || code == EDQUOT)
        set_file_error(error, code,
                       _("“%s” cannot be written: %s. Free some space and try again; an existing "
                         "file of this name was kept."),
                       writer->path);
    else
        set_file_error(error, code, _("“%s” cannot be written: %s."), writer->path);
    return FALSE;
}

gboolean pen_file_writer_write(PenFileWriter *writer, const void *data, gsize size, GError **error)
{
    if (writer->memory) {
        g_byte_array_append(writer->memory, data, (guint)size);
        return TRUE;
    }
    if (size > 0 && fwrite(data, 1, size, writer->stream) != size)
        return write_failed(writer, errno, error);
    return TRUE;
}

gboolean pen_file_writer_commit(PenFileWriter *writer, GError **error)
{
    struct stat old;
    if (stat(writer->path, &old) == 0)
        fchmod(fileno(writer->stream), old.st_mode & 07777); // where that is not allowed, it is new
    if (fflush(writer->stream) != 0 || fsync(fileno(writer->stream)) != 0)
        return write_failed(writer, errno, error);
    FILE *stream = g_steal_pointer(&writer->stream);
    if (fclose(stream) != 0)
        return write_failed(writer, errno, error);
    if (g_rename(writer->temporary, writer->path) != 0)
        return write_failed(writer, errno, error);
    g_clear_pointer(&writer->temporary, g_free);

    // The new name itself lasts only once its folder is on the disk. Some file systems cannot do
    // that for a folder, and by now the file is whole, so a failure here is none.
    g_autofree char *folder = g_path_get_dirname(writer->path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    return TRUE;
}

void pen_file_writer_free(PenFileWriter *writer)
{
    if (!writer)
        return;
    if (writer->stream)
        fclose(writer->stream);
    if (writer->temporary)
        g_unlink(writer->temporary);
    if (writer->memory)
        g_byte_array_unref(writer->memory);
    g_free(writer->temporary);
    g_free(writer->path);
    g_free(writer);
}
