// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "src/studio/studio.h"

G_BEGIN_DECLS

/*
 * The options of a command line that say how a style is taught: `penchant teach` and the demo have
 * them in common. There is one set for a process, which GOptionContext fills:
 *
 *     --preset few|paper  --epochs N  --learning-rate X  --beta X  --clip X  --loser-weight X
 *     --timestep-fraction X  --timesteps-per-update N  --hindsight on|off  --guided on|off
 *     --afresh on|off  --updates N  --falling-rate on|off  --one-pair on|off  --new-only
 */

/* For g_option_context_add_main_entries(); the texts are marked for translation. */
const GOptionEntry *pen_teach_options_entries(void);

/* The settings of the preset, changed by what was given; all else is 0. G_OPTION_ERROR_BAD_VALUE
 * names the option that is out of range. */
gboolean pen_teach_options_read(PenTeachSettings *settings, GError **error);

/* Whether any of them was given. */
gboolean pen_teach_options_given(void);

G_END_DECLS
