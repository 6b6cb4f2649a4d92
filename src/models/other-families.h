// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Models that Penchant does not run, by what marks them. Many share names and shapes with ours but
 * not the rules, and would be drawn wrongly without a word: each is refused by its name.
 *
 * Each function gives NULL for what may be one of ours, else a part of a sentence that says what it
 * is ("it is of the kind CosXL; …"). Free with g_free().
 */

#include <json-glib/json-glib.h>

#include "src/formats/safetensors.h"

G_BEGIN_DECLS

/* A single file, with the names that it was written with. */
char *pen_other_checkpoint(const PenSafetensors *file);

/* A UNet, with diffusers' names. */
char *pen_other_unet(const PenSafetensors *weights);

/* A UNet's config.json. */
char *pen_other_unet_config(JsonObject *config);

/* A scheduler_config.json, of which both may be NULL. */
char *pen_other_scheduler(const char *class_name, const char *timestep_type);

G_END_DECLS
