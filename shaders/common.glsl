// SPDX-License-Identifier: GPL-3.0-or-later
// Shared by all kernels. A kernel is compiled once for float32 storage (STORAGE_F32) and once for
// float16 storage (STORAGE_F16): S is the stored scalar type, S4 its vector of four. Arithmetic is float32.

#extension GL_EXT_shader_explicit_arithmetic_types : require
#extension GL_EXT_control_flow_attributes : require

#ifdef STORAGE_F16
#extension GL_EXT_shader_16bit_storage : require
#define S float16_t
#define S4 f16vec4
#else
#define S float
#define S4 vec4
#endif

// The linear workgroup index: counts above 65535 are folded into y by the host.
#define PEN_GROUP_INDEX (gl_WorkGroupID.x + gl_NumWorkGroups.x * gl_WorkGroupID.y)
