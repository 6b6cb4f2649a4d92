// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * `penchant probe`: runs one part of a model on given tensors, for comparison with other programs.
 * Tensors have the names and shapes of tests/data/golden/README.md; in files they are channels
 * first, as in PyTorch (src/models/layout.h).
 */

#include "src/cli/cli.h"
#include "src/formats/safetensors-writer.h"
#include "src/models/runtime.h"

G_BEGIN_DECLS

/* One call. */
typedef struct {
    PenCli *cli;
    PenModel *model;
    PenDevice *device;
    PenRuntime *runtime;
    PenSafetensors *in;
    PenSafetensorsWriter *out;
    const char *prompt, *negative_prompt; /* or NULL */
    PenPromptReading reading;
    guint clip_skip;
    GPtrArray *adapters; /* PenProbeAdapter, in the order of --lora */
} PenProbe;

/* An adapter file on the device. */
typedef struct {
    PenSafetensors *names; /* the file, for how it names its tensors */
    PenAdapter *file;
    PenUNetAdapter *adapter;
} PenProbeAdapter;

/* The parts: read probe->in, fill probe->out. */
gboolean pen_probe_text(PenProbe *probe, GError **error);
gboolean pen_probe_prompt(PenProbe *probe, GError **error);
gboolean pen_probe_unet(PenProbe *probe, GError **error);
gboolean pen_probe_unet_grad(PenProbe *probe, GError **error);
gboolean pen_probe_vae_decode(PenProbe *probe, GError **error);
gboolean pen_probe_vae_encode(PenProbe *probe, GError **error);
gboolean pen_probe_d3po(PenProbe *probe, GError **error);

/* Takes samplers step by step, given what the model says: from NAME.json and NAME.safetensors beside it
 * to a safetensors file. The model is not used. */
gboolean pen_probe_sampler(const char *model, const char *in, const char *out, GError **error);

/* From JSON file to JSON file, with a tokenizer's folder or a model. */
gboolean pen_probe_tokens(const char *model, const char *in, const char *out, GError **error);

/* --- tensors in and out (probe-io.c) ---------------------------------------------------------- */

/* A tensor as floats; `dims` has `n_dims` entries, where 0 takes any size and gets it. */
float *pen_probe_read(const PenProbe *probe, const char *name, guint n_dims, gsize *dims,
                      GError **error);

/* The same for a tensor whose last three dimensions are channels, height and width; the result is
 * channels last, `dims` stays in the order of the file. */
float *pen_probe_read_pictures(const PenProbe *probe, const char *name, guint n_dims, gsize *dims,
                               GError **error);

/* Whole numbers. */
gint64 *pen_probe_read_integers(const PenProbe *probe, const char *name, guint n_dims, gsize *dims,
                                GError **error);

/* The only number of a tensor. */
gboolean pen_probe_read_number(const PenProbe *probe, const char *name, double *value,
                               GError **error);

/* n conditionings from the tensors PREFIXcontext [n, tokens, channels] and, where the model takes
 * them, PREFIXpooled [n, channels] and time_ids [n, 6]. Free each, and the array with g_free(). */
PenConditioning **pen_probe_read_conditionings(const PenProbe *probe, const char *prefix, gsize n,
                                               GError **error);

/* Adds a tensor to the output; the values are copied. */
void pen_probe_write(PenProbe *probe, const char *name, guint n_dims, const gsize *dims,
                     const float *values);
/* From channels last; `dims` is in the order of the file. */
void pen_probe_write_pictures(PenProbe *probe, const char *name, guint n_dims, const gsize *dims,
                              const float *values);

PenProbeAdapter *pen_probe_adapter_load(const PenProbe *probe, const char *path, GError **error);
void pen_probe_adapter_free(gpointer adapter);

/* Adds "grad.NAME" for each tensor of the adapter's file, from the flat gradient. */
void pen_probe_write_gradient(PenProbe *probe, const PenProbeAdapter *adapter,
                              const float *gradient);

G_END_DECLS
