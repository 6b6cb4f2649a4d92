// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* How the configurations of a model's parts are read (model-config.c and schedule-config.c). */

#include "src/models/model-config.h"

G_BEGIN_DECLS

/* A key that must be missing or have the one value we support, written as in JSON. */
typedef struct {
    const char *key, *value;
} PenFixed;

gboolean pen_config_check_fixed(PenJson *json, const PenFixed *fixed, gsize n, GError **error);

/* The object in a file; one that is missing means that the folder is no complete model. */
PenJson *pen_config_load(const char *path, GError **error);

G_END_DECLS
