// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* The golden models as single files (tests/tools/ldm_file.py), and changed copies of them in a
 * folder that lasts as long as the run. */

#include "src/formats/safetensors-writer.h"
#include "src/models/model.h"

/* The single file of "sd1", "sd2" or "sdxl". */
const char *ldm_file(const char *shape);

/* Opens what must open, and fails to open what must not, with one line that has `said` in it. */
PenModel *open_model(const char *text);
void assert_fails(const char *text, const char *said);

/* A path in the folder, which is also PENCHANT_DATA. Free with g_free(). */
char *in_scratch(const char *name);

/* What becomes of a tensor: FALSE leaves it out. */
typedef gboolean (*Change)(PenSafetensor *tensor, gpointer data);

/* Adds the tensors of a file; `change` may be NULL. */
void add_all(PenSafetensorsWriter *writer, const PenSafetensors *file, Change change,
             gpointer data);

/* Writes a file into the folder; returns its path. */
char *save(PenSafetensorsWriter *writer, const char *name);

/* g_test_run() with the folder there. */
int run_in_scratch(void);
