// SPDX-License-Identifier: GPL-3.0-or-later
//
// Writing weights in the safetensors format; see safetensors.h for reading.
//
// Tensors and metadata are collected, then saved in one step: `path` is the old file or the
// complete new one. The header names the tensors in the order they were added and is padded to 8
// bytes; the data block has the wider types first, so that every tensor is aligned (PyTorch asks
// for it), and keeps the order otherwise.
#pragma once

#include "src/formats/safetensors.h"

G_BEGIN_DECLS

typedef struct _PenSafetensorsWriter PenSafetensorsWriter;

PenSafetensorsWriter *pen_safetensors_writer_new(void);
void pen_safetensors_writer_free(PenSafetensorsWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenSafetensorsWriter, pen_safetensors_writer_free)

// Adds a tensor of row-major data that the caller keeps until the file is saved.
void pen_safetensors_writer_add(PenSafetensorsWriter *writer, const char *name,
                                PenSafetensorType type, guint n_dims, const gsize *dims,
                                const void *data);

// The same with data that the writer keeps; the bytes' size must be the tensor's.
void pen_safetensors_writer_add_bytes(PenSafetensorsWriter *writer, const char *name,
                                      PenSafetensorType type, guint n_dims, const gsize *dims,
                                      GBytes *data);

// Adds floats, stored as F32, F16 or BF16 (converted at once; the caller keeps `values` until
// then).
void pen_safetensors_writer_add_floats(PenSafetensorsWriter *writer, const char *name,
                                       PenSafetensorType type, guint n_dims, const gsize *dims,
                                       const float *values);

// Sets a string of the header's metadata, replacing an earlier one.
void pen_safetensors_writer_set_metadata(PenSafetensorsWriter *writer, const char *key,
                                         const char *value);

// Writes everything. Two tensors of one name are an error, like everything the file system refuses.
gboolean pen_safetensors_writer_save(PenSafetensorsWriter *writer, const char *path,
                                     GError **error);

// The file's content, for who stores it himself.
GBytes *pen_safetensors_writer_to_bytes(PenSafetensorsWriter *writer, GError **error);

G_END_DECLS
