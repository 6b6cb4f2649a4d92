// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Golden tensors (tests/data/golden): a model folder and files with inputs and the outputs of the
 * reference libraries. A file's [n, c, h, w] tensors come out channels last.
 */

#include <gio/gio.h>

#include "src/formats/safetensors.h"
#include "src/models/unet.h"

/* tests/data/golden/SHAPE/PATH, e.g. ("sd1", "model/unet"). Free with g_free(). */
char *golden_path(const char *shape, const char *path);

PenSafetensors *golden_open(const char *shape, const char *file);

typedef struct {
    gsize dims[4]; /* as in the file: n, c, h, w; or n, tokens, c */
    gsize n;       /* elements */
    float *values; /* channels last */
} Golden;

Golden *golden_new(PenSafetensors *file, const char *name);
void golden_free(Golden *golden);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Golden, golden_free)

/* What a UNet's file adds to the time embedding of n evaluations, [n, added_channels], from its
 * tensors "pooled" and "time_ids" of one row or n. Free with g_free(). */
float *golden_added(PenSafetensors *file, const PenUNetConfig *config, gsize n);

/* The weights of a component's folder or a file in float32, without a device; fails the test where they
 * cannot be opened. */
PenWeights *golden_weights(const char *path);

/* A tensor of token ids. Free with g_free(). */
gint32 *golden_ids(PenSafetensors *file, const char *name);

/* The flat array of an adapter's values, from tensors named "PREFIXunet.PATH.lora_A.weight". */
float *golden_adapter(PenSafetensors *file, const char *prefix, const PenUNetAdapter *adapter);

/* Largest difference over the reference's largest magnitude, and relative L2 error. */
double golden_max_error(const float *values, const float *reference, gsize n);
double golden_l2_error(const float *values, const float *reference, gsize n);

/* Fails the test unless the error is at most `tolerance`. `what` is for the message. */
void golden_assert_max(const char *what, const float *values, const float *reference, gsize n,
                       double tolerance);
void golden_assert_l2(const char *what, const float *values, const float *reference, gsize n,
                      double tolerance);

/* The same for each matrix of an adapter's flat arrays. */
void golden_assert_adapter(const PenUNetAdapter *adapter, const float *values,
                           const float *reference, double tolerance);
