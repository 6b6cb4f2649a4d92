// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Which model, and what is exchanged or added in it. Wherever a model is asked for or remembered
 * (pen_model_open(), a round's model_path), one string says it: the model's path or name where that
 * is all, else a JSON object,
 *
 *     {"model": "/a/b.safetensors", "vae": "/a/c", "prediction": "v_prediction",
 *      "loras": ["/a/d.safetensors"], "strengths": [0.8]}
 *
 * of which every member may be missing. File names are percent-encoded as in a URI where they hold
 * what a URI does not (they need not be UTF-8, and JSON does); a plain path is not.
 */

#include <glib.h>

G_BEGIN_DECLS

/* An adapter that is merged into the weights as they are loaded (src/models/merge.h). */
typedef struct {
    char *file;
    double strength; /* 1 is as trained; at most this size, on either side of 0 */
} PenModelLora;
#define PEN_MODEL_LORA_MAX_STRENGTH 100.0

typedef struct {
    char *model; /* path or name; NULL: not said */
    char *vae;   /* of a VAE to use in place of the model's; "": the model's own; NULL: not said,
                    which comes to the same unless it is put on top of another spec */
    char *prediction; /* "epsilon" or "v_prediction" where a single file does not tell; or NULL */
    GPtrArray *loras; /* PenModelLora, in the order they are merged; may be empty */
} PenModelSpec;

/* `model` may be NULL. */
PenModelSpec *pen_model_spec_new(const char *model);
void pen_model_spec_free(PenModelSpec *spec);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenModelSpec, pen_model_spec_free)

void pen_model_spec_add_lora(PenModelSpec *spec, const char *file, double strength);

/* Adds what a person wrote: FILE, at strength 1, or FILE:STRENGTH. A colon with anything else after
 * it belongs to the file's name. Fails if there is no such file. */
gboolean pen_model_spec_add_lora_text(PenModelSpec *spec, const char *text, GError **error);

/* The adapter of that file, or NULL. */
PenModelLora *pen_model_spec_find_lora(const PenModelSpec *spec, const char *file);

/* Reads either form; NULL is a spec that says nothing. */
PenModelSpec *pen_model_spec_parse(const char *text, GError **error);

/* The shorter form that says it all; NULL for a spec that says nothing. Free with g_free(). */
char *pen_model_spec_to_text(const PenModelSpec *spec);

/* Puts what `over` says on top of `spec`: its model, VAE and prediction in place of the spec's, its
 * adapters after the spec's. Those that the spec has already stay as they are there. */
void pen_model_spec_overlay(PenModelSpec *spec, const PenModelSpec *over);

/* Makes the paths of VAE and adapters absolute. */
void pen_model_spec_make_absolute(PenModelSpec *spec);

G_END_DECLS
