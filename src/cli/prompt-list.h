// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Many rounds at once: the prompts of a file, one a line, taken in turn. What round n of such a
 * list is follows from the prompts and a seed alone: neither from who makes it and when, nor from
 * which rounds are there already. A prompt keeps its rounds when lines are added before or behind
 * it.
 */

#include <glib.h>

G_BEGIN_DECLS

#define PEN_PROMPT_LIST_MAX 1000000 /* rounds of a list */

/* The lines of a text file (UTF-8) without empty ones and without space around them. An error names
 * what is wrong with the file. g_strfreev(). */
char **pen_prompt_list_load(const char *file, GError **error);

/* The prompt of round `n`, from 0, and its seed. */
const char *pen_prompt_list_get(char *const *prompts, guint n, guint64 list_seed, guint64 *seed);

G_END_DECLS
