// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The .safetensors files that a prompt names: adapters and embeddings that lie in the user's models
 * folder (pen_model_user_folder()) or in a folder of it, such as "Lora" or "embeddings", and are
 * known by their names without the ending.
 */

#include <glib.h>

G_BEGIN_DECLS

/* The paths (char *) of the .safetensors files in `folder` and the folders in it, sorted. */
GPtrArray *pen_user_files_list(const char *folder);

/* "/a/b/Ink.safetensors" -> "Ink", in UTF-8. */
char *pen_user_file_stem(const char *path);

/* Names differ by more than their case. */
gboolean pen_user_file_names_equal(const char *a, const char *b);

/* The file that is called `name` (NAME, NAME.safetensors or FOLDER/NAME): as it is written, else
 * whatever its case, else the one whose trainer called it so (ss_output_name, which A1111 writes
 * into prompts). NULL if there is none. */
char *pen_user_file_find(const char *folder, const char *name);

G_END_DECLS
