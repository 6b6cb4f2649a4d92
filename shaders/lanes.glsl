// SPDX-License-Identifier: GPL-3.0-or-later
// Vector code for software Vulkan: for kernels whose workgroup is one subgroup of 8 invocations.
//
// Mesa's llvmpipe runs a subgroup in the lanes of a vector register. It bounds-checks every access
// to a storage buffer, and turns one whose address differs between lanes into eight guarded scalar
// loads, some 45 instructions. A load through a buffer reference at an address that all lanes share
// is one plain scalar load; and where each lane selects by its number, a constant, among eight
// neighbours, the compiler merges the eight loads and the selects into one vector load.
//
// Three things to know when changing such a kernel:
// - Nothing checks these addresses, and masked lanes load too: every address formed must be valid,
//   in excess workgroups as well.
// - A loop that tests its condition at the top runs its body once more with all lanes masked: clamp
//   the addresses. One that tests at the bottom is no remedy: the compiler moves the lane tests
//   out of it, the loads no longer merge, and a third of the speed is left.
// - What a loop carries around becomes a vector with a masked update: carry only the counter and the
//   sums, and form the addresses from the counter.
#extension GL_EXT_buffer_reference : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_shuffle : require

#define PEN_LANES 8

#ifdef STORAGE_F16
#define S_BYTES 2
#else
#define S_BYTES 4
#endif

layout(buffer_reference, std430, buffer_reference_align = S_BYTES) readonly buffer Values
{
    S v[];
};

// Zero, read from a binding in a case that never comes. It tells the validation layer that the kernel
// reads the memory of this binding, which it does by address.
#define PEN_ZERO_FROM(binding, never) ((never) ? float(binding[0]) : 0)

// Lane i gets element i of eight at an address that all lanes share.
float pen_load_lanes(uint64_t address)
{
    Values p = Values(address);
    const uint lane = gl_SubgroupInvocationID;
    S r = p.v[7];
    r = mix(r, p.v[6], lane == 6);
    r = mix(r, p.v[5], lane == 5);
    r = mix(r, p.v[4], lane == 4);
    r = mix(r, p.v[3], lane == 3);
    r = mix(r, p.v[2], lane == 2);
    r = mix(r, p.v[1], lane == 1);
    r = mix(r, p.v[0], lane == 0);
    return float(r);
}

// One step of sums over lanes: where the lane number has `bit` clear, the sum of a and its
// neighbour's a; where it is set, the same of b. Three steps sum eight values over eight lanes.
float pen_fold_lanes(float a, float b, uint bit)
{
    const bool up = (gl_SubgroupInvocationID & bit) != 0;
    return mix(a, b, up) + subgroupShuffleXor(mix(b, a, up), bit);
}
