// SPDX-License-Identifier: GPL-3.0-or-later
//
// Files in one file: a tar archive, which every system can open, read and written by libarchive.
//
// Archives come from other people. A reader gives nothing but regular files with names that stay
// inside the archive's folder (relative, no "..", no empty part); anything else in an archive is an
// error, and so is one that ends early.
#pragma once

#include "src/formats/file.h"

G_BEGIN_DECLS

typedef struct _PenArchiveWriter PenArchiveWriter;

// Writes `path` in one step (see PenFileWriter): it is there when it is committed.
PenArchiveWriter *pen_archive_writer_new(const char *path, GError **error);
// `name` is printable ASCII, with '/' between folders.
gboolean pen_archive_writer_add(PenArchiveWriter *writer, const char *name, GBytes *content,
                                GError **error);
gboolean pen_archive_writer_commit(PenArchiveWriter *writer, GError **error);
void pen_archive_writer_free(PenArchiveWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenArchiveWriter, pen_archive_writer_free)

typedef struct _PenArchiveReader PenArchiveReader;

PenArchiveReader *pen_archive_reader_new(const char *path, GError **error);
// Goes to the next file. `*name`, the reader's until the next call, is NULL at the end.
gboolean pen_archive_reader_next(PenArchiveReader *reader, const char **name, GError **error);
// The content of the file that next() went to, once; an error if it is longer than `max_size`
// bytes.
GBytes *pen_archive_reader_read(PenArchiveReader *reader, gsize max_size, GError **error);
void pen_archive_reader_free(PenArchiveReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenArchiveReader, pen_archive_reader_free)

// Whether a file begins as a tar archive does.
gboolean pen_archive_is_one(const char *path);

G_END_DECLS
