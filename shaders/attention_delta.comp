// SPDX-License-Identifier: GPL-3.0-or-later
// delta = sum over a row of o do, for each image, head and query: what the softmax's gradient takes
// off. An invocation per row.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"

PEN_INPUT(0, o)
PEN_INPUT(1, grad_o)
layout(set = 0, binding = 2, std430) writeonly buffer Delta
{
    float delta[]; // [image, head, query]
};
layout(push_constant) uniform Push
{
    uint images, queries, heads, dimension;
};

void main()
{
    uint i = PEN_INVOCATION;
    uint head = i % heads, query = i / heads % queries, image = i / heads / queries;
    if (image >= images)
        return;
    float sum = 0;
    for (uint c = 0; c < dimension; c += 4) {
        uint left = dimension - c;
        uint element = i * dimension + c;
        sum += dot(load_o(element, left), load_grad_o(element, left));
    }
    delta[(image * heads + head) * queries + query] = sum;
}
