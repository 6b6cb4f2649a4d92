// SPDX-License-Identifier: GPL-3.0-or-later
//
// A folder of its own for a test, removed with all that is in it.
#pragma once

#include <glib.h>

typedef struct _Scratch Scratch;

Scratch *scratch_new(void);
void scratch_free(Scratch *scratch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Scratch, scratch_free)

const char *scratch_folder(const Scratch *scratch);

// The path of a file in the folder; belongs to the scratch.
const char *scratch_path(Scratch *scratch, const char *name);

// Writes a file there and returns its path.
const char *scratch_write(Scratch *scratch, const char *name, const void *data, gsize size);

// The same for a safetensors file: `header` with its length before it and `n_data` bytes 0, 1, 2,
// ... after it.
const char *scratch_write_tensors(Scratch *scratch, const char *name, const char *header,
                                  gsize n_data);

// How many files lie in the folder.
guint scratch_n_files(const Scratch *scratch);

// The bytes of a file below tests/data.
GBytes *read_test_data(const char *name);
