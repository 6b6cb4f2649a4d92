// SPDX-License-Identifier: GPL-3.0-or-later
//
// Half precision on the CPU: IEEE 754 binary16 ("half") and bfloat16, kept as plain uint16_t.
//
// Narrowing rounds to nearest, ties to even; a value too large becomes an infinity, and a NaN stays
// a (quiet) NaN of the same sign. Widening is exact. The bulk functions take pointers of any
// alignment, because the data of a mapped file has none, and the two ranges must not overlap.
// Everything is inline, so that the header serves any layer without something to link.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Half conversion in hardware: an optional instruction set on x86-64, asked for at run time; always
// there on 64-bit ARM.
#if defined(__x86_64__) && defined(__GNUC__)
#define PEN_HALF_F16C 1
#include <immintrin.h>
#endif

static inline uint32_t pen_float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float pen_float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint16_t pen_half_from_float(float value)
{
    uint32_t bits = pen_float_bits(value);
    uint32_t sign = (bits >> 16) & 0x8000u;
    uint32_t magnitude = bits & 0x7fffffffu;

    if (magnitude >= 0x47800000u) // 65536 and above, infinity, NaN
        return (uint16_t)(magnitude > 0x7f800000u ? sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu)
                                                  : sign | 0x7c00u);
    if (magnitude < 0x38800000u) { // a subnormal half: adding 0.5 lets the FPU shift and round
        float shifted = pen_float_from_bits(magnitude) + 0.5f;
        return (uint16_t)(sign | (pen_float_bits(shifted) - 0x3f000000u));
    }
    uint32_t odd = (magnitude >> 13) & 1u;
    return (uint16_t)(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}

static inline float pen_half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t magnitude = (uint32_t)(half & 0x7fffu) << 13;

    if (magnitude >= 0x0f800000u) // infinity, NaN (made quiet, as the hardware does)
        return pen_float_from_bits(sign | 0x7f800000u | (magnitude & 0x007fe000u) |
                                   (magnitude > 0x0f800000u ? 0x00400000u : 0u));
    if (magnitude < 0x00800000u) // zero or subnormal: the bits are an integer count of 2^-24
        return pen_float_from_bits(sign | pen_float_bits((float)(magnitude >> 13) * 0x1p-24f));
    return pen_float_from_bits(sign | (magnitude + 0x38000000u));
}

static inline uint16_t pen_bf16_from_float(float value)
{
    uint32_t bits = pen_float_bits(value);

    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((bits >> 16) | 0x40u);
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

static inline float pen_bf16_to_float(uint16_t bf16)
{
    return pen_float_from_bits((uint32_t)bf16 << 16);
}

// The bulk functions on any CPU. `to` and `from` are `n` elements each.

static inline void pen_half_to_floats_generic(void *to, const void *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, (const char *)from + i * sizeof half, sizeof half);
#if defined(__aarch64__)
        __fp16 native;
        memcpy(&native, &half, sizeof native);
        float value = native;
#else
        float value = pen_half_to_float(half);
#endif
        memcpy((char *)to + i * sizeof value, &value, sizeof value);
    }
}

static inline void pen_half_from_floats_generic(void *to, const void *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float value;
        memcpy(&value, (const char *)from + i * sizeof value, sizeof value);
#if defined(__aarch64__)
        __fp16 half = (__fp16)value;
#else
        uint16_t half = pen_half_from_float(value);
#endif
        memcpy((char *)to + i * sizeof half, &half, sizeof half);
    }
}

#ifdef PEN_HALF_F16C

static inline bool pen_half_has_f16c(void)
{
    return __builtin_cpu_supports("f16c") && __builtin_cpu_supports("avx");
}

__attribute__((target("avx,f16c"))) static inline size_t pen_half_to_floats_f16c(void *to,
                                                                                 const void *from,
                                                                                 size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m128i halfs = _mm_loadu_si128((const __m128i_u *)((const char *)from + i * 2));
        _mm256_storeu_ps((float *)((char *)to + i * 4), _mm256_cvtph_ps(halfs));
    }
    return i;
}

__attribute__((target("avx,f16c"))) static inline size_t pen_half_from_floats_f16c(void *to,
                                                                                   const void *from,
                                                                                   size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 floats = _mm256_loadu_ps((const float *)((const char *)from + i * 4));
        _mm_storeu_si128((__m128i_u *)((char *)to + i * 2),
                         _mm256_cvtps_ph(floats, _MM_FROUND_TO_NEAREST_INT));
    }
    return i;
}

#endif

// Widens `n` halfs to floats.
static inline void pen_half_to_floats(void *to, const void *from, size_t n)
{
    size_t done = 0;
#ifdef PEN_HALF_F16C
    if (pen_half_has_f16c())
        done = pen_half_to_floats_f16c(to, from, n);
#endif
    pen_half_to_floats_generic((char *)to + done * 4, (const char *)from + done * 2, n - done);
}

// Narrows `n` floats to halfs.
static inline void pen_half_from_floats(void *to, const void *from, size_t n)
{
    size_t done = 0;
#ifdef PEN_HALF_F16C
    if (pen_half_has_f16c())
        done = pen_half_from_floats_f16c(to, from, n);
#endif
    pen_half_from_floats_generic((char *)to + done * 2, (const char *)from + done * 4, n - done);
}

// Widens `n` bfloat16 values to floats.
static inline void pen_bf16_to_floats(void *to, const void *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t bf16;
        memcpy(&bf16, (const char *)from + i * sizeof bf16, sizeof bf16);
        float value = pen_bf16_to_float(bf16);
        memcpy((char *)to + i * sizeof value, &value, sizeof value);
    }
}

// Narrows `n` floats to bfloat16.
static inline void pen_bf16_from_floats(void *to, const void *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float value;
        memcpy(&value, (const char *)from + i * sizeof value, sizeof value);
        uint16_t bf16 = pen_bf16_from_float(value);
        memcpy((char *)to + i * sizeof bf16, &bf16, sizeof bf16);
    }
}
