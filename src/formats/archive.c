// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_BYTES 200
#define BLOCK (64 * 1024)

/* --- writing --------------------------------------------------------------------------------- */

struct _PenArchiveWriter {
    struct archive *archive;
    PenFileWriter *file;
    GError *error; /* of the file, which libarchive would not tell */
};

static la_ssize_t write_block(struct archive *archive, void *data, const void *buffer, size_t size)
{
    PenArchiveWriter *writer = data;
    if (pen_file_writer_write(writer->file, buffer, size, writer->error ? NULL : &writer->error))
        return (la_ssize_t)size;
    archive_set_error(archive, EIO, "%s", writer->error->message);
    return -1;
}

static gboolean fail_writing(PenArchiveWriter *writer, GError **error)
{
    if (writer->error)
        g_propagate_error(error, g_steal_pointer(&writer->error));
    else
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                    _("The archive cannot be written: %s."), archive_error_string(writer->archive));
    return FALSE;
}

PenArchiveWriter *pen_archive_writer_new(const char *path, GError **error)
{
    PenFileWriter *file = pen_file_writer_new(path, error);
    if (!file)
        return NULL;
    g_autoptr(PenArchiveWriter) writer = g_new0(PenArchiveWriter, 1);
    writer->file = file;
    writer->archive = archive_write_new();
    archive_write_set_format_pax_restricted(writer->archive);
    archive_write_set_bytes_per_block(writer->archive, BLOCK);
    archive_write_set_bytes_in_last_block(writer->archive, 512);
    if (archive_write_open(writer->archive, writer, NULL, write_block, NULL) != ARCHIVE_OK) {
        fail_writing(writer, error);
        return NULL;
    }
    return g_steal_pointer(&writer);
}

gboolean pen_archive_writer_add(PenArchiveWriter *writer, const char *name, GBytes *content,
                                GError **error)
{
    gsize size;
    const void *data = g_bytes_get_data(content, &size);
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, (la_int64_t)size);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    gboolean ok = archive_write_header(writer->archive, entry) == ARCHIVE_OK;
    archive_entry_free(entry);
    ok = ok && (!size || archive_write_data(writer->archive, data, size) == (la_ssize_t)size);
    return ok || fail_writing(writer, error);
}

gboolean pen_archive_writer_commit(PenArchiveWriter *writer, GError **error)
{
    if (archive_write_close(writer->archive) != ARCHIVE_OK)
        return fail_writing(writer, error);
    return pen_file_writer_commit(writer->file, error);
}

void pen_archive_writer_free(PenArchiveWriter *writer)
{
    if (!writer)
        return;
    if (writer->archive)
        archive_write_free(writer->archive);
    pen_file_writer_free(writer->file);
    g_clear_error(&writer->error);
    g_free(writer);
}

/* --- reading --------------------------------------------------------------------------------- */

struct _PenArchiveReader {
    struct archive *archive;
    struct archive_entry *entry; /* archive's */
    char *path, *name;
    int fd;
};

static gboolean refuse(const PenArchiveReader *reader, GError **error)
{
    const char *reason = archive_error_string(reader->archive);
    g_autofree char *name = g_filename_display_basename(reader->path);
    g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                _("“%s” is damaged or was not copied to its end: copy it again (%s)."), name,
                reason ? reason : "?");
    return FALSE;
}

PenArchiveReader *pen_archive_reader_new(const char *path, GError **error)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        int problem = fd < 0 ? errno : EINVAL;
        g_autofree char *name = g_filename_display_name(path);
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(problem),
                    _("“%s” cannot be read: %s."), name, g_strerror(problem));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    g_autoptr(PenArchiveReader) reader = g_new0(PenArchiveReader, 1);
    reader->fd = fd;
    reader->path = g_strdup(path);
    reader->archive = archive_read_new();
    archive_read_support_format_tar(reader->archive);
    if (archive_read_open_fd(reader->archive, fd, BLOCK) != ARCHIVE_OK) {
        refuse(reader, error);
        return NULL;
    }
    return g_steal_pointer(&reader);
}

static gboolean is_good_name(const char *name)
{
    if (!name || !*name || strlen(name) > NAME_MAX_BYTES || g_path_is_absolute(name))
        return FALSE;
    for (const char *p = name; *p; p++)
        if (!g_ascii_isprint(*p) || *p == '\\')
            return FALSE;
    g_auto(GStrv) parts = g_strsplit(name, "/", -1);
    for (char **part = parts; *part; part++)
        if (!**part || g_str_equal(*part, ".") || g_str_equal(*part, ".."))
            return FALSE;
    return TRUE;
}

gboolean pen_archive_reader_next(PenArchiveReader *reader, const char **name, GError **error)
{
    *name = NULL;
    g_clear_pointer(&reader->name, g_free);
    int status = archive_read_next_header(reader->archive, &reader->entry);
    if (status == ARCHIVE_EOF)
        return TRUE;
    if (status != ARCHIVE_OK)
        return refuse(reader, error);
    const char *said = archive_entry_pathname(reader->entry);
    if (!is_good_name(said) || archive_entry_filetype(reader->entry) != AE_IFREG ||
        archive_entry_hardlink(reader->entry) || archive_entry_sparse_count(reader->entry) > 0) {
        g_autofree char *archive = g_filename_display_basename(reader->path);
        g_autofree char *valid = g_utf8_make_valid(said ? said : "", -1);
        g_autofree char *entry = g_strescape(valid, NULL);
        g_set_error(
            error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
            _("“%s” is not to be trusted: it holds “%.60s”, which is no file inside of it."),
            archive, entry);
        return FALSE;
    }
    *name = reader->name = g_strdup(said);
    return TRUE;
}

GBytes *pen_archive_reader_read(PenArchiveReader *reader, gsize max_size, GError **error)
{
    la_int64_t said = archive_entry_size(reader->entry);
    if (said < 0 || (guint64)said > max_size) {
        g_autofree char *archive = g_filename_display_basename(reader->path);
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                    _("“%s” holds “%s”, which is too large to be what it should."), archive,
                    reader->name);
        return NULL;
    }
    gsize size = (gsize)said, done = 0;
    g_autofree char *data = g_try_malloc(MAX(size, 1));
    if (!data) {
        refuse(reader, error);
        return NULL;
    }
    while (done < size) {
        la_ssize_t n = archive_read_data(reader->archive, data + done, size - done);
        if (n <= 0) {
            refuse(reader, error);
            return NULL;
        }
        done += (gsize)n;
    }
    return g_bytes_new_take(g_steal_pointer(&data), size);
}

void pen_archive_reader_free(PenArchiveReader *reader)
{
    if (!reader)
        return;
    if (reader->archive)
        archive_read_free(reader->archive);
    if (reader->fd >= 0)
        close(reader->fd);
    g_free(reader->path);
    g_free(reader->name);
    g_free(reader);
}

gboolean pen_archive_is_one(const char *path)
{
    char start[512];
    FILE *file = fopen(path, "rb");
    gsize size = file ? fread(start, 1, sizeof start, file) : 0;
    if (file)
        fclose(file);
    return size == sizeof start && memcmp(start + 257, "ustar", 5) == 0;
}
