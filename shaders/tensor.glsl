// SPDX-License-Identifier: GPL-3.0-or-later
// Tensors as kernels see them: runs of four consecutive elements. Where the channel count is a
// multiple of four a run is one vector access; otherwise its elements are accessed one by one.

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool VECTOR = true;

// Binding `index` as an array `name` of scalars and, for the same memory, `name##4` of vectors, with
// load_name(element, left): elements element .. element+3, those from `left` on (at least 1) as zeros.
#define PEN_INPUT(index, name)                                                        \
    layout(set = 0, binding = index, std430) readonly buffer name##Scalars            \
    {                                                                                 \
        S name[];                                                                     \
    };                                                                                \
    layout(set = 0, binding = index, std430) readonly buffer name##Vectors            \
    {                                                                                 \
        S4 name##4[];                                                                 \
    };                                                                                \
    vec4 load_##name(uint element, uint left)                                         \
    {                                                                                 \
        if (VECTOR)                                                                   \
            return vec4(name##4[element / 4]);                                        \
        vec4 pen_run = vec4(float(name[element]), 0, 0, 0);                           \
        if (left > 1)                                                                 \
            pen_run.y = float(name[element + 1]);                                     \
        if (left > 2)                                                                 \
            pen_run.z = float(name[element + 2]);                                     \
        if (left > 3)                                                                 \
            pen_run.w = float(name[element + 3]);                                     \
        return pen_run;                                                               \
    }

// The same for a result, with store_name(element, left, value).
#define PEN_OUTPUT(index, name)                                                       \
    layout(set = 0, binding = index, std430) writeonly buffer name##Scalars           \
    {                                                                                 \
        S name[];                                                                     \
    };                                                                                \
    layout(set = 0, binding = index, std430) writeonly buffer name##Vectors           \
    {                                                                                 \
        S4 name##4[];                                                                 \
    };                                                                                \
    void store_##name(uint element, uint left, vec4 pen_run)                          \
    {                                                                                 \
        if (VECTOR) {                                                                 \
            name##4[element / 4] = S4(pen_run);                                       \
            return;                                                                   \
        }                                                                             \
        name[element] = S(pen_run.x);                                                 \
        if (left > 1)                                                                 \
            name[element + 1] = S(pen_run.y);                                         \
        if (left > 2)                                                                 \
            name[element + 2] = S(pen_run.z);                                         \
        if (left > 3)                                                                 \
            name[element + 3] = S(pen_run.w);                                         \
    }

// The linear invocation index.
#define PEN_INVOCATION (PEN_GROUP_INDEX * gl_WorkGroupSize.x + gl_LocalInvocationID.x)
