// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading weights: the safetensors format (8 bytes of header length, a JSON header, one block of
// tensor data), memory-mapped, single or sharded over several files by an index.
//
// Everything is checked on opening, as the format's specification asks, so that a PenSafetensors
// that exists can be trusted: header at most 100 MB and inside the file; no name twice; known
// types; shapes whose size is exactly that of their bytes; and the tensors' bytes cover the data
// block without overlap, gap or rest. Tensor data may lie at any alignment. What a file is that is
// none of these is said where its first bytes tell (src/formats/file-kind.h).
//
// Another program may change the files while they are open: nothing crashes, but the numbers are
// wrong. Who has read some asks pen_safetensors_check() afterwards.
#pragma once

#include "src/formats/file.h"

G_BEGIN_DECLS

typedef enum {
    PEN_SAFETENSOR_BOOL,
    PEN_SAFETENSOR_U8,
    PEN_SAFETENSOR_I8,
    PEN_SAFETENSOR_F8_E5M2,
    PEN_SAFETENSOR_F8_E4M3,
    PEN_SAFETENSOR_I16,
    PEN_SAFETENSOR_U16,
    PEN_SAFETENSOR_F16,
    PEN_SAFETENSOR_BF16,
    PEN_SAFETENSOR_I32,
    PEN_SAFETENSOR_U32,
    PEN_SAFETENSOR_F32,
    PEN_SAFETENSOR_F64,
    PEN_SAFETENSOR_I64,
    PEN_SAFETENSOR_U64,
} PenSafetensorType;

// The name in files ("F32"), and the size of one element in bytes.
const char *pen_safetensor_type_name(PenSafetensorType type);
gsize pen_safetensor_type_size(PenSafetensorType type);

#define PEN_SAFETENSOR_MAX_DIMS 8

// One tensor: row-major, little-endian. Belongs to its PenSafetensors.
typedef struct {
    const char *name;
    PenSafetensorType type;
    guint n_dims; // 0 for a scalar
    gsize dims[PEN_SAFETENSOR_MAX_DIMS];
    gsize n_elements;
    const void *data;    // of any alignment
    gsize size;          // in bytes
    gboolean transposed; // in views: a matrix whose data are column after column
} PenSafetensor;

typedef struct _PenSafetensors PenSafetensors;

// Opens one file.
PenSafetensors *pen_safetensors_open(const char *path, GError **error);

// Opens all files that a .safetensors.index.json file lists, as one.
PenSafetensors *pen_safetensors_open_sharded(const char *index_path, GError **error);

// Opens a model's weights, whichever way they are stored. `path` is one of
//   - a .safetensors file or a .safetensors.index.json file,
//   - either without these endings ("unet/diffusion_pytorch_model"),
//   - a component's folder, in which the usual names of diffusers, transformers and PEFT are
//     looked for (also their fp16 variants), and otherwise its only .safetensors file.
PenSafetensors *pen_safetensors_open_model(const char *path, GError **error);

// An error if one of the files was changed since it was opened; and whether the files that are
// there now are still these.
gboolean pen_safetensors_check(const PenSafetensors *tensors, GError **error);
gboolean pen_safetensors_is_current(const PenSafetensors *tensors);

// An error if a file ends in many zeros, as one that a program reserved its whole size for and did
// not get. For models: the matrices of an adapter may be zero.
gboolean pen_safetensors_check_end(const PenSafetensors *tensors, GError **error);

// A view shows tensors of another PenSafetensors under other names, without copying: for readers
// that know a different naming. It starts empty, has the metadata and the name of `of`, and keeps
// the mapped files alive by itself.
PenSafetensors *pen_safetensors_new_view(const PenSafetensors *of);

// Adds a tensor of the viewed file, or a part of one (pen_safetensor_rows()), as `name`. A name
// that the view already has is an error. Pointers to the view's tensors become invalid.
gboolean pen_safetensors_view_add(PenSafetensors *view, const char *name,
                                  const PenSafetensor *tensor, GError **error);

PenSafetensors *pen_safetensors_ref(PenSafetensors *tensors);
void pen_safetensors_unref(PenSafetensors *tensors);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenSafetensors, pen_safetensors_unref)

// The name to use in messages: the path as it was opened, fit for display.
const char *pen_safetensors_name(const PenSafetensors *tensors);

// The tensors, in the order of their data (shards in the order of their names).
guint pen_safetensors_n_tensors(const PenSafetensors *tensors);
const PenSafetensor *pen_safetensors_nth(const PenSafetensors *tensors, guint index);

// The tensor of a name: NULL if there is none, or for require() an error that says so.
const PenSafetensor *pen_safetensors_lookup(const PenSafetensors *tensors, const char *name);
const PenSafetensor *pen_safetensors_require(const PenSafetensors *tensors, const char *name,
                                             GError **error);

// A string of the header's __metadata__, or NULL. Of shards, the first one that has the key counts.
const char *pen_safetensors_metadata(const PenSafetensors *tensors, const char *key);

// "[320, 4, 3, 3]", for messages. Free with g_free().
char *pen_safetensor_shape(const PenSafetensor *tensor);

// `count` rows (slices of the first dimension) from `first` on, as a tensor; they must be there.
PenSafetensor pen_safetensor_rows(const PenSafetensor *tensor, gsize first, gsize count);

// A matrix the other way around, for a view.
PenSafetensor pen_safetensor_transposed(const PenSafetensor *matrix);

// Copies the n_elements values out, row-major, converted. Floats from F32, F16, BF16, F64 and every
// integer type; whole numbers from every integer type and BOOL. Other types are an error.
gboolean pen_safetensor_to_f32(const PenSafetensor *tensor, float *out, GError **error);
gboolean pen_safetensor_to_i64(const PenSafetensor *tensor, gint64 *out, GError **error);

G_END_DECLS
