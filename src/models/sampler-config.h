// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Which sampler a diffusers scheduler is: its class and what its configuration says beside the noise
 * schedule (pen_schedule_read()).
 */

#include "src/formats/json.h"
#include "src/sampling/method.h"

G_BEGIN_DECLS

/* Sets the method, spacing, karras and order of `sampling`; eta is that of the scheduler's step() by
 * default. An error for a class that Penchant does not have, and for a setting that it does not
 * follow. */
gboolean pen_sampler_config_read(PenJson *json, const char *class_name,
                                 const PenSchedule *schedule, PenSampling *sampling,
                                 GError **error);

G_END_DECLS
