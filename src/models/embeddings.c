// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/embeddings.h"

#include <glib/gstdio.h>
#include <string.h>

#include "src/formats/safetensors.h"
#include "src/models/user-files.h"

/* Larger files hold something else: 75 rows for SDXL's encoders take 0.6 MB. */
#define MAX_FILE (16 << 20)
#define MAX_ROWS 75

static void embedding_clear(gpointer data)
{
    g_free(((PenEmbedding *)data)->name);
}

static gboolean is_float(const PenSafetensor *tensor)
{
    return tensor->type == PEN_SAFETENSOR_F32 || tensor->type == PEN_SAFETENSOR_F16 ||
           tensor->type == PEN_SAFETENSOR_BF16 || tensor->type == PEN_SAFETENSOR_F64;
}

/* One row or several; a layer's weights and their scales have other names. */
static gboolean is_table(const PenSafetensor *tensor)
{
    return is_float(tensor) && (tensor->n_dims == 1 || tensor->n_dims == 2) &&
           tensor->n_elements > 0 && (tensor->n_dims == 1 || tensor->dims[0] <= MAX_ROWS) &&
           !g_str_has_suffix(tensor->name, ".weight") && !g_str_has_suffix(tensor->name, ".bias") &&
           !g_str_has_suffix(tensor->name, ".alpha");
}

static guint n_rows(const PenSafetensor *tensor)
{
    return tensor->n_dims == 1 ? 1 : (guint)tensor->dims[0];
}

/* The encoder whose rows have that name in files for SDXL, or -1. */
static int encoder_of(const char *name)
{
    static const char *const names[][2] = { { "clip_l", "text_encoders_0" },
                                            { "clip_g", "text_encoders_1" } };
    for (int i = 0; i < PEN_EMBEDDING_ENCODERS; i++)
        if (g_str_equal(name, names[i][0]) || g_str_equal(name, names[i][1]))
            return i;
    return -1;
}

/* What is learnt for behind the encoder (OneTrainer's output embeddings), which Penchant leaves
 * away.
 */
static gboolean is_output(const char *name)
{
    return g_str_has_suffix(name, "_out");
}

/* Whether a tensor is named after the token that it was trained for, as in diffusers' files; else
 * the file is called so. A1111's "*" stands for any. */
static gboolean is_token(const char *name)
{
    return !g_str_equal(name, "emb_params") && !g_str_equal(name, "*") && encoder_of(name) < 0 &&
           !is_output(name);
}

static gboolean append_rows(GArray *table, const PenSafetensor *tensor)
{
    g_autofree float *values = g_new(float, tensor->n_elements);
    if (!pen_safetensor_to_f32(tensor, values, NULL))
        return FALSE;
    g_array_append_vals(table, values, (guint)tensor->n_elements);
    return TRUE;
}

/* Adds the rows of tensors[n_encoders] under a name; with no rows if they do not fit. */
static void add(PenEmbeddings *embeddings, const char *name, const PenSafetensor *const *tensors,
                const guint32 *hidden, guint n_encoders)
{
    if (!*name || pen_embeddings_lookup(embeddings, name))
        return;
    gboolean fits = TRUE;
    for (guint i = 0; i < n_encoders; i++)
        fits = fits && tensors[i] && tensors[i]->dims[tensors[i]->n_dims - 1] == hidden[i] &&
               n_rows(tensors[i]) == n_rows(tensors[0]);
    PenEmbedding embedding = { .first = embeddings->tables[0]->len / hidden[0] };
    for (guint i = 0; fits && i < n_encoders; i++)
        fits = append_rows(embeddings->tables[i], tensors[i]);
    if (fits)
        embedding.rows = n_rows(tensors[0]);
    embedding.name = g_strdup(name);
    g_array_append_val(embeddings->list, embedding);
}

static void read_file(PenEmbeddings *embeddings, const char *path, const char *stem,
                      const guint32 *hidden, guint n_encoders)
{
    g_autoptr(PenSafetensors) file = pen_safetensors_open(path, NULL);
    guint n = file ? pen_safetensors_n_tensors(file) : 0;
    const PenSafetensor *pair[PEN_EMBEDDING_ENCODERS] = { NULL };
    gboolean paired = FALSE;

    for (guint i = 0; i < n; i++) {
        const PenSafetensor *tensor = pen_safetensors_nth(file, i);
        int encoder = encoder_of(tensor->name);
        if (!is_table(tensor))
            return;
        if (encoder >= 0)
            pair[encoder] = tensor;
        paired = paired || encoder == 1;
    }
    if (n == 0)
        return;
    if (paired || n_encoders > 1) {
        /* For two encoders; on a model of one it fits nothing. */
        const PenSafetensor *none[PEN_EMBEDDING_ENCODERS] = { NULL };
        add(embeddings, stem, paired && n_encoders > 1 ? pair : none, hidden, n_encoders);
        return;
    }
    for (guint i = 0; i < n; i++) {
        const PenSafetensor *tensor = pen_safetensors_nth(file, i);
        if (is_output(tensor->name))
            continue;
        if (n == 1 || !is_token(tensor->name))
            add(embeddings, stem, &tensor, hidden, n_encoders);
        if (is_token(tensor->name))
            add(embeddings, tensor->name, &tensor, hidden, n_encoders);
    }
}

PenEmbeddings *pen_embeddings_new(const char *folder, const guint32 *hidden, guint n_encoders)
{
    PenEmbeddings *embeddings = g_new0(PenEmbeddings, 1);
    g_autoptr(GPtrArray) files = pen_user_files_list(folder);

    g_return_val_if_fail(n_encoders >= 1 && n_encoders <= PEN_EMBEDDING_ENCODERS, NULL);
    embeddings->list = g_array_new(FALSE, FALSE, sizeof(PenEmbedding));
    g_array_set_clear_func(embeddings->list, embedding_clear);
    for (guint i = 0; i < PEN_EMBEDDING_ENCODERS; i++)
        embeddings->tables[i] = g_array_new(FALSE, FALSE, sizeof(float));
    for (guint i = 0; i < files->len; i++) {
        const char *path = files->pdata[i];
        g_autofree char *stem = pen_user_file_stem(path);
        GStatBuf info;
        if (g_stat(path, &info) == 0 && info.st_size <= MAX_FILE)
            read_file(embeddings, path, stem, hidden, n_encoders);
    }
    return embeddings;
}

void pen_embeddings_free(PenEmbeddings *embeddings)
{
    if (!embeddings)
        return;
    g_array_unref(embeddings->list);
    for (guint i = 0; i < PEN_EMBEDDING_ENCODERS; i++)
        g_array_unref(embeddings->tables[i]);
    g_free(embeddings);
}

const PenEmbedding *pen_embeddings_lookup(const PenEmbeddings *embeddings, const char *name)
{
    g_autofree char *stem = pen_user_file_stem(name);
    for (guint i = 0; i < embeddings->list->len; i++) {
        const PenEmbedding *embedding = &g_array_index(embeddings->list, PenEmbedding, i);
        if (pen_user_file_names_equal(embedding->name, stem))
            return embedding;
    }
    return NULL;
}
