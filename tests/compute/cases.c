// SPDX-License-Identifier: GPL-3.0-or-later
/* The graphs that all compute tests share. Odd sizes on purpose: no multiple of a tile, a vector
 * or a workgroup, single rows and pixels, several images. */
#include "tests/compute/fixture.h"

#define PADDING(t, l, b, r) ((PenPadding){(t), (l), (b), (r)})

#define CASE(id, ...)                                                                              \
    static PenTensor *id(Fixture *f)                                                               \
    {                                                                                              \
        PenGraph *g = f->graph;                                                                    \
        __VA_ARGS__                                                                                \
    }

/* --- linear -------------------------------------------------------------------------------- */

static PenTensor *linear(Fixture *f, PenTensor *x, guint32 out, gboolean bias)
{
    return pen_graph_linear(f->graph, x, fixture_linear(f, pen_tensor_shape(x).c, out),
                            bias ? fixture_vector(f, out, 0) : NULL);
}

CASE(linear_one, (void)g; return linear(f, fixture_input(f, 1, 1, 1, 1), 1, TRUE);)
CASE(linear_row, (void)g; return linear(f, fixture_input(f, 1, 1, 1, 65), 130, TRUE);)
CASE(linear_rows, (void)g; return linear(f, fixture_input(f, 3, 1, 1, 20), 9, TRUE);)
CASE(linear_image, (void)g; return linear(f, fixture_input(f, 2, 3, 5, 13), 7, TRUE);)
CASE(linear_tokens, (void)g; return linear(f, fixture_input(f, 2, 1, 77, 48), 96, FALSE);)
CASE(linear_narrow, (void)g; return linear(f, fixture_input(f, 1, 1, 33, 36), 4, FALSE);)
CASE(linear_widen, (void)g; return linear(f, fixture_input(f, 1, 1, 33, 4), 36, FALSE);)
CASE(linear_large, (void)g; return linear(f, fixture_input(f, 1, 17, 16, 132), 72, TRUE);)

CASE(linear_ragged, (void)g; return linear(f, fixture_input(f, 1, 1, 71, 37), 51, TRUE);)
/* Enough for the large tiles of kernels for GPUs. */
CASE(linear_many, (void)g; return linear(f, fixture_input(f, 1, 29, 31, 17), 901, FALSE);)

CASE(linear_shared, {
    PenTensor *weight = fixture_linear(f, 6, 6);
    PenTensor *x = fixture_input(f, 2, 1, 5, 6);
    return pen_graph_linear(g, pen_graph_linear(g, x, weight, NULL), weight, NULL);
})

CASE(linear_residual, {
    PenTensor *x = fixture_input(f, 2, 3, 3, 10);
    return pen_graph_add(g, linear(f, x, 10, TRUE), x);
})

CASE(linear_image_bias, {
    PenTensor *x = fixture_input(f, 3, 2, 5, 11);
    PenTensor *b = fixture_input(f, 3, 1, 1, 9);
    return pen_graph_add(g, linear(f, x, 9, TRUE), b);
})

/* y = W x + s B A x: an adapter whose scale is an input. */
static PenTensor *adapted(Fixture *f, PenTensor *x, guint32 out, guint32 rank, PenTensor *scale)
{
    PenTensor *base = linear(f, x, out, FALSE);
    PenTensor *low = pen_graph_scale(f->graph, linear(f, x, rank, FALSE), scale);

    return pen_graph_add(f->graph, base, linear(f, low, out, FALSE));
}

CASE(linear_adapter, {
    PenTensor *x = fixture_input(f, 1, 3, 7, 20);
    PenTensor *s = fixture_values(f, PEN_SHAPE(1, 1, 1, 1), 0.7, 0.1);
    return pen_graph_add(g, x, adapted(f, x, 20, 4, s));
})

/* --- conv2d -------------------------------------------------------------------------------- */

static PenTensor *conv(Fixture *f, PenTensor *x, guint32 out, guint32 kh, guint32 kw,
                       guint32 stride, PenPadding padding)
{
    return pen_graph_conv2d(f->graph, x, fixture_conv(f, pen_tensor_shape(x).c, out, kh, kw),
                            fixture_vector(f, out, 0), stride, padding);
}

static PenTensor *conv3(Fixture *f, PenTensor *x, guint32 out)
{
    return conv(f, x, out, 3, 3, 1, PADDING(1, 1, 1, 1));
}

CASE(conv_one, (void)g; return conv3(f, fixture_input(f, 1, 1, 1, 1), 1);)
CASE(conv_latent_in, (void)g; return conv3(f, fixture_input(f, 2, 7, 9, 4), 12);)
CASE(conv_image_in, (void)g; return conv3(f, fixture_input(f, 1, 11, 5, 3), 16);)
CASE(conv_out, (void)g; return conv3(f, fixture_input(f, 3, 5, 7, 12), 4);)
CASE(conv_odd, (void)g; return conv3(f, fixture_input(f, 2, 5, 5, 5), 9);)
CASE(conv_large, (void)g; return conv3(f, fixture_input(f, 1, 17, 15, 36), 40);)
CASE(conv_ragged, (void)g; return conv3(f, fixture_input(f, 2, 9, 7, 21), 35);)
CASE(conv_ragged_down, (void)g;
     return conv(f, fixture_input(f, 2, 9, 7, 18), 26, 3, 3, 2, PADDING(1, 1, 1, 1));)
CASE(conv_pixel, (void)g;
     return conv(f, fixture_input(f, 2, 3, 5, 13), 7, 1, 1, 1, PADDING(0, 0, 0, 0));)
CASE(conv_pixel_even, (void)g;
     return conv(f, fixture_input(f, 1, 4, 6, 16), 32, 1, 1, 1, PADDING(0, 0, 0, 0));)
CASE(conv_down, (void)g;
     return conv(f, fixture_input(f, 2, 8, 7, 10), 6, 3, 3, 2, PADDING(1, 1, 1, 1));)
CASE(conv_down_asymmetric, (void)g;
     return conv(f, fixture_input(f, 1, 9, 8, 8), 8, 3, 3, 2, PADDING(0, 0, 1, 1));)
CASE(conv_oblong, (void)g;
     return conv(f, fixture_input(f, 1, 9, 8, 3), 5, 5, 2, 3, PADDING(2, 0, 1, 1));)
CASE(conv_valid, (void)g;
     return conv(f, fixture_input(f, 1, 5, 6, 4), 8, 3, 3, 1, PADDING(0, 0, 0, 0));)
CASE(conv_no_bias, {
    PenTensor *x = fixture_input(f, 1, 4, 5, 6);
    return pen_graph_conv2d(g, x, fixture_conv(f, 6, 3, 3, 3), NULL, 1, PADDING(1, 1, 1, 1));
})
CASE(conv_residual, {
    PenTensor *x = fixture_input(f, 2, 5, 3, 9);
    return pen_graph_add(g, x, conv3(f, x, 9));
})
CASE(conv_time, {
    PenTensor *x = fixture_input(f, 2, 5, 3, 9);
    PenTensor *t = fixture_input(f, 2, 1, 1, 6);
    return pen_graph_add(g, conv3(f, x, 10), linear(f, t, 10, TRUE));
})
CASE(conv_time_one, {
    PenTensor *x = fixture_input(f, 3, 3, 3, 4);
    return pen_graph_add(g, conv3(f, x, 5), fixture_input(f, 1, 1, 1, 5));
})
/* Many enough channels and tiles for Winograd's filtering (compute/lower-winograd.c). */
CASE(conv_tiles, (void)g; return conv3(f, fixture_input(f, 1, 15, 14, 32), 40);)
CASE(conv_tiles_padding, (void)g;
     return conv(f, fixture_input(f, 2, 14, 14, 40), 32, 3, 3, 1, PADDING(0, 2, 1, 1));)
CASE(conv_tiles_added, {
    PenTensor *x = fixture_input(f, 2, 13, 16, 32);
    PenTensor *t = fixture_input(f, 2, 1, 1, 32);
    return pen_graph_add(g, x, pen_graph_add(g, conv3(f, x, 32), t));
})

/* --- norms --------------------------------------------------------------------------------- */

static PenTensor *group_norm(Fixture *f, PenTensor *x, guint32 groups, PenActivation activation)
{
    guint32 c = pen_tensor_shape(x).c;

    return pen_graph_group_norm(f->graph, x, fixture_vector(f, c, 1), fixture_vector(f, c, 0),
                                groups, 1e-5f, activation);
}

static PenTensor *layer_norm(Fixture *f, PenTensor *x)
{
    guint32 c = pen_tensor_shape(x).c;

    return pen_graph_layer_norm(f->graph, x, fixture_vector(f, c, 1), fixture_vector(f, c, 0),
                                1e-5f);
}

CASE(group_norm_plain, (void)g;
     return group_norm(f, fixture_input(f, 2, 5, 7, 12), 3, PEN_ACTIVATION_NONE);)
CASE(group_norm_silu, (void)g;
     return group_norm(f, fixture_input(f, 1, 5, 7, 16), 4, PEN_ACTIVATION_SILU);)
CASE(group_norm_odd, (void)g;
     return group_norm(f, fixture_input(f, 3, 3, 5, 6), 2, PEN_ACTIVATION_SILU);)
CASE(group_norm_pixel, (void)g;
     return group_norm(f, fixture_input(f, 2, 1, 1, 15), 3, PEN_ACTIVATION_NONE);)
CASE(group_norm_pairs, (void)g;
     return group_norm(f, fixture_input(f, 1, 4, 4, 64), 32, PEN_ACTIVATION_SILU);)
CASE(group_norm_single, (void)g;
     return group_norm(f, fixture_input(f, 1, 3, 3, 5), 5, PEN_ACTIVATION_NONE);)
CASE(group_norm_large, (void)g;
     return group_norm(f, fixture_input(f, 1, 33, 32, 20), 4, PEN_ACTIVATION_SILU);)
/* The variance of values far from zero: what a sum of squares would lose. */
CASE(group_norm_offset, {
    (void)g;
    PenTensor *x = fixture_target(f, fixture_values(f, PEN_SHAPE(1, 9, 7, 8), 60, 2));
    return group_norm(f, x, 2, PEN_ACTIVATION_NONE);
})
CASE(layer_norm_odd, (void)g; return layer_norm(f, fixture_input(f, 2, 3, 5, 5));)
CASE(layer_norm_row, (void)g; return layer_norm(f, fixture_input(f, 1, 1, 1, 70));)
CASE(layer_norm_tokens, (void)g; return layer_norm(f, fixture_input(f, 2, 1, 77, 320));)
CASE(layer_norm_wide, (void)g; return layer_norm(f, fixture_input(f, 1, 1, 3, 1283));)
CASE(layer_norm_offset, {
    (void)g;
    PenTensor *x = fixture_target(f, fixture_values(f, PEN_SHAPE(1, 1, 5, 36), -60, 2));
    return layer_norm(f, x);
})

/* --- element by element -------------------------------------------------------------------- */

static PenTensor *activation(Fixture *f, PenActivation kind, double spread)
{
    PenTensor *x = fixture_values(f, PEN_SHAPE(2, 3, 11, 13), 0, spread);

    return pen_graph_activation(f->graph, fixture_target(f, x), kind);
}

CASE(silu, (void)g; return activation(f, PEN_ACTIVATION_SILU, 4);)
CASE(silu_far, (void)g; return activation(f, PEN_ACTIVATION_SILU, 200);)
CASE(gelu, (void)g; return activation(f, PEN_ACTIVATION_GELU, 4);)
CASE(gelu_far, (void)g; return activation(f, PEN_ACTIVATION_GELU, 200);)
CASE(quick_gelu, (void)g; return activation(f, PEN_ACTIVATION_QUICK_GELU, 4);)
CASE(quick_gelu_far, (void)g; return activation(f, PEN_ACTIVATION_QUICK_GELU, 200);)
CASE(geglu_odd, return pen_graph_geglu(g, fixture_input(f, 2, 1, 9, 14));)
CASE(geglu_even, return pen_graph_geglu(g, fixture_input(f, 1, 3, 5, 64));)
CASE(geglu_one, return pen_graph_geglu(g, fixture_input(f, 1, 1, 1, 2));)
CASE(add_same, {
    PenTensor *a = fixture_input(f, 2, 3, 5, 7);
    return pen_graph_add(g, a, fixture_input(f, 2, 3, 5, 7));
})
CASE(add_self, {
    PenTensor *a = fixture_input(f, 1, 3, 3, 5);
    return pen_graph_add(g, a, a);
})
CASE(add_image, {
    PenTensor *a = fixture_input(f, 3, 3, 5, 7);
    return pen_graph_add(g, a, fixture_input(f, 3, 1, 1, 7));
})
CASE(add_all, {
    PenTensor *a = fixture_input(f, 3, 13, 11, 12);
    return pen_graph_add(g, a, fixture_input(f, 1, 1, 1, 12));
})
CASE(add_rows, {
    PenTensor *a = fixture_input(f, 3, 1, 1, 6);
    return pen_graph_add(g, a, fixture_input(f, 1, 1, 1, 6));
})
CASE(scale, {
    PenTensor *x = fixture_input(f, 2, 3, 5, 7);
    return pen_graph_scale(g, x, fixture_values(f, PEN_SHAPE(1, 1, 1, 1), -1.5, 0.1));
})
CASE(concat_odd, {
    PenTensor *a = fixture_input(f, 2, 3, 5, 5);
    return pen_graph_concat(g, a, fixture_input(f, 2, 3, 5, 6));
})
CASE(concat_even, {
    PenTensor *a = fixture_input(f, 1, 3, 3, 8);
    return pen_graph_concat(g, a, fixture_input(f, 1, 3, 3, 12));
})
CASE(concat_self, {
    PenTensor *a = fixture_input(f, 1, 1, 4, 3);
    return pen_graph_concat(g, a, a);
})
CASE(slice_middle, return pen_graph_slice(g, fixture_input(f, 2, 3, 5, 11), 3, 5);)
CASE(slice_first, return pen_graph_slice(g, fixture_input(f, 1, 3, 3, 16), 0, 4);)
CASE(slice_last, return pen_graph_slice(g, fixture_input(f, 1, 3, 3, 8), 7, 1);)
CASE(upsample_double, return pen_graph_upsample(g, fixture_input(f, 2, 3, 5, 7), 6, 10);)
CASE(upsample_odd, return pen_graph_upsample(g, fixture_input(f, 1, 3, 5, 8), 7, 9);)
CASE(upsample_pixel, return pen_graph_upsample(g, fixture_input(f, 1, 1, 1, 3), 3, 2);)
CASE(upsample_width, return pen_graph_upsample(g, fixture_input(f, 3, 4, 5, 4), 4, 11);)
CASE(reshape, {
    PenTensor *x = fixture_input(f, 2, 3, 5, 4);
    PenTensor *flat = pen_graph_reshape(g, x, PEN_SHAPE(2, 1, 15, 4));
    return pen_graph_activation(g, flat, PEN_ACTIVATION_SILU);
})

/* --- attention ----------------------------------------------------------------------------- */

static PenTensor *self_attention(Fixture *f, PenShape s, guint32 heads, gboolean causal)
{
    PenTensor *q = fixture_input(f, s.n, s.h, s.w, s.c);
    PenTensor *k = fixture_input(f, s.n, s.h, s.w, s.c);
    PenTensor *v = fixture_input(f, s.n, s.h, s.w, s.c);

    return pen_graph_attention(f->graph, q, k, v, heads, causal);
}

static PenTensor *cross_attention(Fixture *f, PenShape s, guint32 keys, guint32 heads)
{
    PenTensor *q = fixture_input(f, s.n, s.h, s.w, s.c);
    PenTensor *k = fixture_input(f, s.n, 1, keys, s.c);
    PenTensor *v = fixture_input(f, s.n, 1, keys, s.c);

    return pen_graph_attention(f->graph, q, k, v, heads, FALSE);
}

#define SELF(id, n, h, w, c, heads, causal)                                                        \
    CASE(id, (void)g; return self_attention(f, PEN_SHAPE(n, h, w, c), heads, causal);)
#define CROSS(id, n, h, w, c, keys, heads)                                                         \
    CASE(id, (void)g; return cross_attention(f, PEN_SHAPE(n, h, w, c), keys, heads);)

SELF(attention_odd, 2, 3, 3, 5, 1, FALSE)
SELF(attention_heads, 2, 3, 5, 24, 3, FALSE)
SELF(attention_one, 2, 1, 1, 8, 2, FALSE)
SELF(attention_scalar, 1, 1, 7, 3, 3, FALSE)
SELF(attention_40, 1, 5, 7, 80, 2, FALSE)
SELF(attention_64, 1, 4, 9, 128, 2, FALSE)
SELF(attention_44, 1, 5, 7, 88, 2, FALSE)
SELF(attention_41, 1, 5, 7, 82, 2, FALSE)
SELF(attention_160, 1, 3, 3, 320, 2, FALSE)
SELF(attention_vae, 1, 3, 5, 512, 1, FALSE)
SELF(attention_many, 1, 15, 19, 16, 2, FALSE)
SELF(attention_groups, 2, 10, 13, 192, 8, FALSE)
SELF(attention_causal, 2, 1, 77, 24, 3, TRUE)
SELF(attention_causal_64, 1, 1, 77, 128, 2, TRUE)
SELF(attention_causal_one, 1, 1, 1, 4, 1, TRUE)
CROSS(cross_text, 2, 5, 7, 32, 77, 4)
CROSS(cross_text_40, 1, 3, 11, 80, 77, 2)
CROSS(cross_groups, 2, 10, 13, 192, 77, 8)
CROSS(cross_few, 1, 1, 33, 12, 3, 2)
CROSS(cross_one_key, 3, 2, 2, 10, 1, 2)
CROSS(cross_one_query, 1, 1, 1, 16, 65, 2)

/* Scores far apart: a softmax without its maximum would overflow. */
CASE(attention_steep, {
    PenTensor *q = fixture_target(f, fixture_values(f, PEN_SHAPE(1, 1, 19, 16), 0, 12));
    PenTensor *k = fixture_target(f, fixture_values(f, PEN_SHAPE(1, 1, 19, 16), 0, 12));
    PenTensor *v = fixture_input(f, 1, 1, 19, 16);
    return pen_graph_attention(g, q, k, v, 1, FALSE);
})
/* Gradients of some of q, k and v only. */
CASE(attention_query_only, {
    PenTensor *q = fixture_input(f, 1, 3, 5, 16);
    PenTensor *k = fixture_values(f, PEN_SHAPE(1, 1, 21, 16), 0, 1);
    PenTensor *v = fixture_values(f, PEN_SHAPE(1, 1, 21, 16), 0, 1);
    return pen_graph_attention(g, q, k, v, 2, FALSE);
})
CASE(attention_values_only, {
    PenTensor *q = fixture_values(f, PEN_SHAPE(1, 3, 5, 16), 0, 1);
    PenTensor *k = fixture_values(f, PEN_SHAPE(1, 1, 21, 16), 0, 1);
    return pen_graph_attention(g, q, k, fixture_input(f, 1, 1, 21, 16), 2, FALSE);
})
CASE(attention_keys_only, {
    PenTensor *q = fixture_values(f, PEN_SHAPE(1, 3, 5, 16), 0, 1);
    PenTensor *k = fixture_input(f, 1, 1, 21, 16);
    PenTensor *v = fixture_values(f, PEN_SHAPE(1, 1, 21, 16), 0, 1);
    return pen_graph_attention(g, q, k, v, 2, FALSE);
})

/* --- a small UNet -------------------------------------------------------------------------- */

static void block_begin(Fixture *f)
{
    if (f->checkpoints)
        pen_graph_checkpoint_begin(f->graph);
}

static void block_end(Fixture *f)
{
    if (f->checkpoints)
        pen_graph_checkpoint_end(f->graph);
}

static PenTensor *resnet(Fixture *f, PenTensor *x, PenTensor *time, guint32 out)
{
    PenGraph *g = f->graph;

    block_begin(f);
    PenTensor *h = conv3(f, group_norm(f, x, 4, PEN_ACTIVATION_SILU), out);
    PenTensor *t = linear(f, pen_graph_activation(g, time, PEN_ACTIVATION_SILU), out, TRUE);
    h = group_norm(f, pen_graph_add(g, h, t), 2, PEN_ACTIVATION_SILU);
    h = conv3(f, h, out);
    PenTensor *skip =
        pen_tensor_shape(x).c == out ? x : conv(f, x, out, 1, 1, 1, PADDING(0, 0, 0, 0));
    PenTensor *y = pen_graph_add(g, skip, h);
    block_end(f);
    return y;
}

static PenTensor *attend(Fixture *f, PenTensor *x, PenTensor *context, PenTensor *scale)
{
    PenTensor *h = layer_norm(f, x);
    guint32 c = pen_tensor_shape(x).c;
    PenTensor *q = adapted(f, h, c, 2, scale);
    PenTensor *k = adapted(f, context ? context : h, c, 2, scale);
    PenTensor *v = adapted(f, context ? context : h, c, 2, scale);
    PenTensor *o = pen_graph_attention(f->graph, q, k, v, 2, FALSE);

    return pen_graph_add(f->graph, x, adapted(f, o, c, 2, scale));
}

static PenTensor *transformer(Fixture *f, PenTensor *x, PenTensor *context, PenTensor *scale)
{
    PenGraph *g = f->graph;
    guint32 c = pen_tensor_shape(x).c;

    block_begin(f);
    PenTensor *h = linear(f, group_norm(f, x, 4, PEN_ACTIVATION_NONE), c, TRUE);
    h = attend(f, h, NULL, scale);
    h = attend(f, h, context, scale);
    PenTensor *wide = linear(f, layer_norm(f, h), 8 * c, TRUE);
    h = pen_graph_add(g, linear(f, pen_graph_geglu(g, wide), c, TRUE), h);
    PenTensor *y = pen_graph_add(g, linear(f, h, c, TRUE), x);
    block_end(f);
    return y;
}

CASE(unet, {
    PenTensor *sample = fixture_input(f, 2, 6, 5, 4);
    PenTensor *time = fixture_input(f, 2, 1, 1, 6);
    PenTensor *context = fixture_input(f, 2, 1, 7, 10);
    PenTensor *scale = fixture_values(f, PEN_SHAPE(1, 1, 1, 1), 0.8, 0.1);
    PenTensor *first = conv3(f, sample, 8);
    PenTensor *skip = transformer(f, resnet(f, first, time, 8), context, scale);
    PenTensor *down = conv(f, skip, 8, 3, 3, 2, PADDING(1, 1, 1, 1));
    PenTensor *middle = resnet(f, down, time, 12);
    PenTensor *up = pen_graph_upsample(g, middle, 6, 5);
    PenTensor *h = resnet(f, pen_graph_concat(g, up, skip), time, 8);
    h = transformer(f, resnet(f, pen_graph_concat(g, h, first), time, 8), context, scale);
    return conv3(f, group_norm(f, h, 4, PEN_ACTIVATION_SILU), 4);
})

#define ENTRY(id) {#id, id}

// clang-format off
const FixtureCase fixture_cases[] = {
    ENTRY(linear_one), ENTRY(linear_row), ENTRY(linear_rows), ENTRY(linear_image),
    ENTRY(linear_tokens), ENTRY(linear_narrow), ENTRY(linear_widen), ENTRY(linear_large),
    ENTRY(linear_ragged), ENTRY(linear_many),
    ENTRY(linear_shared), ENTRY(linear_residual), ENTRY(linear_image_bias), ENTRY(linear_adapter),
    ENTRY(conv_one), ENTRY(conv_latent_in), ENTRY(conv_image_in), ENTRY(conv_out), ENTRY(conv_odd),
    ENTRY(conv_large), ENTRY(conv_ragged), ENTRY(conv_ragged_down), ENTRY(conv_pixel), ENTRY(conv_pixel_even), ENTRY(conv_down),
    ENTRY(conv_down_asymmetric), ENTRY(conv_oblong), ENTRY(conv_valid), ENTRY(conv_no_bias),
    ENTRY(conv_residual), ENTRY(conv_time), ENTRY(conv_time_one), ENTRY(conv_tiles),
    ENTRY(conv_tiles_padding), ENTRY(conv_tiles_added), ENTRY(group_norm_plain),
    ENTRY(group_norm_silu), ENTRY(group_norm_odd), ENTRY(group_norm_pixel), ENTRY(group_norm_pairs),
    ENTRY(group_norm_single), ENTRY(group_norm_large), ENTRY(group_norm_offset),
    ENTRY(layer_norm_odd), ENTRY(layer_norm_row), ENTRY(layer_norm_tokens), ENTRY(layer_norm_wide),
    ENTRY(layer_norm_offset), ENTRY(silu), ENTRY(silu_far), ENTRY(gelu), ENTRY(gelu_far),
    ENTRY(quick_gelu), ENTRY(quick_gelu_far), ENTRY(geglu_odd), ENTRY(geglu_even), ENTRY(geglu_one),
    ENTRY(add_same), ENTRY(add_self), ENTRY(add_image), ENTRY(add_all), ENTRY(add_rows),
    ENTRY(scale), ENTRY(concat_odd), ENTRY(concat_even), ENTRY(concat_self), ENTRY(slice_middle),
    ENTRY(slice_first), ENTRY(slice_last), ENTRY(upsample_double), ENTRY(upsample_odd),
    ENTRY(upsample_pixel), ENTRY(upsample_width), ENTRY(reshape), ENTRY(attention_odd),
    ENTRY(attention_heads), ENTRY(attention_one), ENTRY(attention_scalar), ENTRY(attention_40),
    ENTRY(attention_64), ENTRY(attention_44), ENTRY(attention_41), ENTRY(attention_160), ENTRY(attention_vae), ENTRY(attention_many), ENTRY(attention_groups),
    ENTRY(attention_causal), ENTRY(attention_causal_64), ENTRY(attention_causal_one),
    ENTRY(cross_text), ENTRY(cross_text_40), ENTRY(cross_groups), ENTRY(cross_few), ENTRY(cross_one_key),
    ENTRY(cross_one_query), ENTRY(attention_steep), ENTRY(attention_query_only),
    ENTRY(attention_values_only), ENTRY(attention_keys_only), ENTRY(unet),
};
// clang-format on
const guint fixture_n_cases = G_N_ELEMENTS(fixture_cases);

const FixtureCase *fixture_case(const char *name)
{
    for (guint i = 0; i < fixture_n_cases; i++)
        if (g_str_equal(fixture_cases[i].name, name))
            return &fixture_cases[i];
    g_assert_not_reached();
}
