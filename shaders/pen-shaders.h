// SPDX-License-Identifier: GPL-3.0-or-later
//
// The compute kernels as SPIR-V modules, embedded in the program. Each line of shaders/variants.txt
// is one module, found here by its name. The modules are constants: nothing to free.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name;      // as in variants.txt: "matmul-reg.f32"
    const uint32_t *words; // SPIR-V
    size_t size;           // in bytes, as VkShaderModuleCreateInfo wants it
} PenShader;

extern const PenShader pen_shaders[]; // sorted by name
extern const size_t pen_n_shaders;

// The module of that name, or NULL.
const PenShader *pen_shader_find(const char *name);
