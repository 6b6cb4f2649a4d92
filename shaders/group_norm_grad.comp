// SPDX-License-Identifier: GPL-3.0-or-later
// The gradient of group norm with respect to its input. With xhat the normalised input and g the
// gradient with respect to xhat,
//     dx = r (g - mean(g) - xhat mean(g xhat)),   r the reciprocal standard deviation.
// In the first step (SUMS) sums of g and g xhat over a chunk of rows for each channel;
// group_norm_merge makes the means of them; in the last step dx.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"
#include "columns.glsl"
#include "activation.glsl"

layout(constant_id = 2) const bool SILU = false;
layout(constant_id = 3) const bool SUMS = false;

PEN_INPUT(0, x)
PEN_INPUT(1, gamma)
PEN_INPUT(2, beta)
layout(set = 0, binding = 3, std430) readonly buffer Statistics
{
    vec2 statistics[]; // mean, reciprocal standard deviation
};
PEN_INPUT(4, dy)
layout(set = 0, binding = 5, std430) readonly buffer Means
{
    vec2 means[]; // of g and g xhat
};
PEN_OUTPUT(6, dx)
layout(set = 0, binding = 7, std430) writeonly buffer Partials
{
    vec4 partials[];
};
#include "group_norm.glsl"

void main()
{
    Walk w;
    if (!column_walk(PEN_INVOCATION, w))
        return;
    vec4 mean, reciprocal;
    column_statistics(w, mean, reciprocal);
    vec4 gain = load_gamma(w.channel, w.left), shift = load_beta(w.channel, w.left);
    vec4 mean_g = vec4(0), mean_gx = vec4(0);
    if (!SUMS) {
        uint group_channels = channels / groups;
        [[unroll]] for (uint e = 0; e < 4; e++) {
            uint c = min(w.channel + e, channels - 1);
            vec2 m = means[w.image * groups + c / group_channels];
            mean_g[e] = m.x;
            mean_gx[e] = m.y;
        }
    }

    vec4 sum_g = vec4(0), sum_gx = vec4(0);
    for (uint row = w.row; row < w.end; row++) {
        uint i = row * channels + w.channel;
        vec4 xhat = (load_x(i, w.left) - mean) * reciprocal;
        vec4 g = load_dy(i, w.left) * gain;
        if (SILU)
            g *= silu_derivative(fma(xhat, gain, shift));
        if (SUMS) {
            sum_g += g;
            sum_gx = fma(g, xhat, sum_gx);
        } else {
            store_dx(i, w.left, reciprocal * (g - mean_g - xhat * mean_gx));
        }
    }
    if (SUMS) {
        uint i = column_partial(w.image, w.chunk, w.column);
        partials[i] = sum_g;
        partials[i + 1] = sum_gx;
    }
}
