// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Models that were distilled to draw in few steps, and adapters that make any model one: LCM, TCD,
 * Turbo, Lightning, Hyper-SD and DMD2. Each wants to be drawn with as it was distilled; with the
 * sampler, the steps and the guidance of other models it draws badly.
 *
 * Such a file hardly ever says what it is but by its name, and by the number of steps in that
 * ("sdxl_lightning_4step"). Files have names like "pytorch_lora_weights" and folders of the Hugging
 * Face cache like a commit; then it is the name of the folder around them that counts. A diffusers
 * folder says it by its scheduler. An adapter called "lightning" may well be one that draws
 * lightning: of adapters more is asked for than of models.
 */

#include "src/formats/safetensors.h"
#include "src/sampling/method.h"

G_BEGIN_DECLS

#define PEN_FEW_STEPS_MAX 8

/* How to draw with such a model. */
typedef struct {
    const char *name;    /* "Lightning", for people; NULL: it is none */
    const char *sampler; /* pen_method_find() */
    guint steps;
    int timesteps[PEN_FEW_STEPS_MAX]; /* that no schedule spreads so; all 0: the sampler's */
    double guidance; /* 1: the negative prompt is not looked at, and nothing evaluated twice */
    double eta;
} PenFewSteps;

/* What draws acceptably with most of them, where nothing tells which it is. */
extern const PenFewSteps pen_few_steps_any;

/* Whether a model's file or folder is one, by its name and by what its metadata calls it (`file`
 * may be NULL). */
gboolean pen_few_steps_of_model(const char *path, const PenSafetensors *file, PenFewSteps *few);

/* The same of an adapter. */
gboolean pen_few_steps_of_adapter(const char *path, const PenSafetensors *file, PenFewSteps *few);

/* What a diffusers folder's scheduler_config.json says; sampler and timesteps may be NULL, then. */
gboolean pen_few_steps_of_scheduler(const char *class_name, PenTimestepSpacing spacing,
                                    PenFewSteps *few);

/* "LCM, 4 steps, guidance 1", for people. Free with g_free(). */
char *pen_few_steps_describe(const PenFewSteps *few);

G_END_DECLS
