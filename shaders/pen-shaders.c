// SPDX-License-Identifier: GPL-3.0-or-later
#include "shaders/pen-shaders.h"

#include <stdlib.h>
#include <string.h>

static int compare_name(const void *name, const void *shader)
{
    return strcmp(name, ((const PenShader *)shader)->name);
}

const PenShader *pen_shader_find(const char *name)
{
    return bsearch(name, pen_shaders, pen_n_shaders, sizeof *pen_shaders, compare_name);
}
