// SPDX-License-Identifier: GPL-3.0-or-later
//
// Files as the formats need them: mapped whole for reading, replaced in one step for writing.
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

// What is wrong with a file's content. Failures of the file system itself are G_FILE_ERROR.
#define PEN_FORMAT_ERROR (pen_format_error_quark())
typedef enum {
    PEN_FORMAT_ERROR_INVALID,     // the content breaks its format's rules
    PEN_FORMAT_ERROR_UNSUPPORTED, // well formed, but something we cannot use
    PEN_FORMAT_ERROR_NOT_FOUND,   // a part that was asked for is not in the file
    PEN_FORMAT_ERROR_CHANGED,     // it changed while it was in use
} PenFormatError;
GQuark pen_format_error_quark(void);

// Maps a regular file, read-only, without copying. A file that is longer than `max_size` bytes, or
// not a regular file, is an error (a pipe would block, a device has no end). If another program
// shortens the file, what is gone reads as zeros: who has to know asks pen_file_map_check() after
// reading. The first call takes SIGBUS over and passes on what is not its own.
GBytes *pen_file_map(const char *path, guint64 max_size, GError **error);

// An error if the content of a file mapped by pen_file_map() was changed since. Other bytes pass.
gboolean pen_file_map_check(GBytes *bytes, GError **error);

// The same, and whether the path still leads to that file or to none.
gboolean pen_file_map_is_current(GBytes *bytes);

// Writes a file that is either the old one or the complete new one, whatever happens in between:
// the bytes go to a temporary file in the same folder, which commit() flushes to the disk and then
// renames over `path`. A file that is replaced keeps its permissions; a new one has the umask's.
// Freeing a writer that was not committed removes the temporary file.
// Only a regular file is replaced; a path that names a folder or a device is an error.
typedef struct _PenFileWriter PenFileWriter;

PenFileWriter *pen_file_writer_new(const char *path, GError **error);
// The same for a file that is only wanted in memory: pen_file_writer_steal() in place of a commit.
PenFileWriter *pen_file_writer_new_in_memory(void);
GBytes *pen_file_writer_steal(PenFileWriter *writer);
gboolean pen_file_writer_write(PenFileWriter *writer, const void *data, gsize size, GError **error);
gboolean pen_file_writer_commit(PenFileWriter *writer, GError **error);
void pen_file_writer_free(PenFileWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenFileWriter, pen_file_writer_free)

G_END_DECLS
