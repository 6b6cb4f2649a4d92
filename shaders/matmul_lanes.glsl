// SPDX-License-Identifier: GPL-3.0-or-later
// What matmul_lanes.comp and matmul_lanes_input.comp share: the bindings and push constants of
// matmul.comp, and the addresses of x and W.
#include "common.glsl"
#include "lanes.glsl"

#ifdef OUT_F32
#define O float
#else
#define O S
#endif

layout(local_size_x = PEN_LANES) in;
layout(constant_id = 0) const uint KH = 1;
layout(constant_id = 1) const uint KW = 1;
layout(constant_id = 2) const uint STRIDE = 1;
layout(constant_id = 3) const bool LINEAR = true; // row m reads row m
layout(constant_id = 4) const bool BIAS = false;
layout(constant_id = 5) const bool RESIDUAL = false;
layout(constant_id = 6) const bool IMAGE_BIAS = false;
layout(constant_id = 7) const bool MAIN = true;    // c >= KS, the channels of an iteration
layout(constant_id = 8) const bool REST = true;    // c is no multiple of KS
layout(constant_id = 9) const bool PARTIAL = true; // c is no multiple of 8

layout(set = 0, binding = 0, std430) readonly buffer X { S x[]; };
layout(set = 0, binding = 2, std430) readonly buffer B { S bias[]; };
layout(set = 0, binding = 3, std430) readonly buffer R { S residual[]; };
layout(set = 0, binding = 4, std430) readonly buffer I { S image_bias[]; };
layout(set = 0, binding = 5, std430) writeonly buffer Y { O y[]; };

layout(push_constant) uniform Push {
    uint m, n, c, panels, panel_rows;
    uint h, width, oh, ow; // of x and y
    int top, left;
    uint image_bias_stride, m_tiles;
    uint64_t x_address, w_address;
};
