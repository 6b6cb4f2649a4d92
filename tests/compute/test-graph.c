// SPDX-License-Identifier: GPL-3.0-or-later
/* Graphs without a device: shapes and errors, and the plan's first pass. */
#include <math.h>

#include "compute/graph-private.h"
#include "tests/compute/fixture.h"

/* --- shapes and errors --------------------------------------------------------------------- */

static void assert_shape(PenTensor *tensor, guint32 n, guint32 h, guint32 w, guint32 c)
{
    g_autofree char *have = pen_shape_string(pen_tensor_shape(tensor));
    g_autofree char *want = pen_shape_string(PEN_SHAPE(n, h, w, c));

    g_assert_cmpstr(have, ==, want);
}

static void test_shapes(void)
{
    g_autoptr(Fixture) f = fixture_new(NULL, PEN_DTYPE_F16);
    PenGraph *g = f->graph;
    PenTensor *x = fixture_input(f, 2, 9, 8, 6);
    PenTensor *weight = fixture_conv(f, 6, 5, 3, 3);

    assert_shape(pen_graph_conv2d(g, x, weight, NULL, 1, (PenPadding){1, 1, 1, 1}), 2, 9, 8, 5);
    assert_shape(pen_graph_conv2d(g, x, weight, NULL, 2, (PenPadding){1, 1, 1, 1}), 2, 5, 4, 5);
    assert_shape(pen_graph_conv2d(g, x, weight, NULL, 2, (PenPadding){0, 0, 1, 1}), 2, 4, 4, 5);
    assert_shape(pen_graph_conv2d(g, x, weight, NULL, 3, (PenPadding){0, 0, 0, 0}), 2, 3, 2, 5);
    assert_shape(pen_graph_linear(g, x, fixture_linear(f, 6, 11), NULL), 2, 9, 8, 11);
    assert_shape(pen_graph_geglu(g, x), 2, 9, 8, 3);
    assert_shape(pen_graph_concat(g, x, pen_graph_slice(g, x, 4, 2)), 2, 9, 8, 8);
    assert_shape(pen_graph_upsample(g, x, 9, 15), 2, 9, 15, 6);
    assert_shape(pen_graph_reshape(g, x, PEN_SHAPE(1, 1, 1, 864)), 1, 1, 1, 864);
    g_assert_true(pen_graph_activation(g, x, PEN_ACTIVATION_NONE) == x);
    g_assert_true(pen_graph_reshape(g, x, x->shape) == x);

    PenTensor *norm = pen_graph_group_norm(g, x, fixture_vector(f, 6, 1), fixture_vector(f, 6, 0),
                                           3, 1e-5f, PEN_ACTIVATION_SILU);
    assert_shape(norm, 2, 9, 8, 6);
    assert_shape(norm->producer->out[1], 2, 1, 3, 2);
    g_assert_cmpint(norm->dtype, ==, PEN_DTYPE_F16);
    g_assert_cmpint(norm->producer->out[1]->dtype, ==, PEN_DTYPE_F32);

    PenTensor *keys = fixture_input(f, 2, 1, 77, 6);
    PenTensor *o = pen_graph_attention(g, x, keys, keys, 3, FALSE);
    assert_shape(o, 2, 9, 8, 6);
    assert_shape(o->producer->out[1], 2, 1, 3, 72);
    g_assert_cmpint(o->producer->out[1]->dtype, ==, PEN_DTYPE_F32);

    PenParameter *p = f->parameters->pdata[0];
    g_assert_true(pen_graph_parameter(g, p) == weight);
    g_assert_true(pen_graph_check(g, NULL));
}

/* A graph with one input x [2,3,5,6] that `build` makes a mistake in. */
typedef struct {
    const char *name;
    void (*build)(Fixture *f, PenTensor *x);
    const char *message; /* a part of it */
} Mistake;

#define MISTAKE(id, ...)                                                                           \
    static void id(Fixture *f, PenTensor *x)                                                       \
    {                                                                                              \
        PenGraph *g = f->graph;                                                                    \
        __VA_ARGS__                                                                                \
    }

MISTAKE(linear_channels, pen_graph_linear(g, x, fixture_linear(f, 7, 3), NULL);)
MISTAKE(linear_bias, pen_graph_linear(g, x, fixture_linear(f, 6, 3), fixture_vector(f, 4, 0));)
MISTAKE(linear_weight, pen_graph_linear(g, x, fixture_conv(f, 6, 3, 3, 3), NULL);)
MISTAKE(linear_no_parameter, pen_graph_linear(g, x, x, NULL);)
MISTAKE(linear_plain, pen_graph_linear(g, x, fixture_vector(f, 6, 0), NULL);)
MISTAKE(conv_size,
        pen_graph_conv2d(g, x, fixture_conv(f, 6, 3, 5, 3), NULL, 1, (PenPadding){1, 1, 0, 1});)
MISTAKE(conv_stride,
        pen_graph_conv2d(g, x, fixture_conv(f, 6, 3, 3, 3), NULL, 0, (PenPadding){1, 1, 1, 1});)
MISTAKE(norm_groups, pen_graph_group_norm(g, x, fixture_vector(f, 6, 1), fixture_vector(f, 6, 0), 4,
                                          1e-5f, PEN_ACTIVATION_NONE);)
MISTAKE(norm_activation,
        pen_graph_group_norm(g, x, fixture_vector(f, 6, 1), fixture_vector(f, 6, 0), 3, 1e-5f,
                             PEN_ACTIVATION_GELU);)
MISTAKE(norm_gamma,
        pen_graph_layer_norm(g, x, fixture_vector(f, 5, 1), fixture_vector(f, 6, 0), 1e-5f);)
MISTAKE(norm_missing, pen_graph_layer_norm(g, x, NULL, fixture_vector(f, 6, 0), 1e-5f);)
MISTAKE(geglu_halves, pen_graph_geglu(g, pen_graph_slice(g, x, 0, 5));)
MISTAKE(add_shapes, pen_graph_add(g, x, fixture_input(f, 2, 3, 1, 6));)
MISTAKE(add_images, pen_graph_add(g, fixture_input(f, 1, 3, 5, 6), x);)
MISTAKE(scale_factor, pen_graph_scale(g, x, fixture_input(f, 1, 1, 1, 6));)
MISTAKE(concat_shapes, pen_graph_concat(g, x, fixture_input(f, 2, 5, 3, 6));)
MISTAKE(slice_range, pen_graph_slice(g, x, 4, 3);)
MISTAKE(slice_wrap, pen_graph_slice(g, x, 2, G_MAXUINT32);)
MISTAKE(upsample_smaller, pen_graph_upsample(g, x, 2, 5);)
MISTAKE(attention_heads, pen_graph_attention(g, x, x, x, 4, FALSE);)
MISTAKE(attention_keys, pen_graph_attention(g, x, fixture_input(f, 2, 1, 7, 5),
                                            fixture_input(f, 2, 1, 7, 5), 1, FALSE);)
MISTAKE(attention_values, pen_graph_attention(g, x, fixture_input(f, 2, 1, 7, 6),
                                              fixture_input(f, 2, 1, 6, 6), 1, FALSE);)
MISTAKE(attention_causal, pen_graph_attention(g, x, fixture_input(f, 2, 1, 7, 6),
                                              fixture_input(f, 2, 1, 7, 6), 1, TRUE);)
MISTAKE(reshape_count, pen_graph_reshape(g, x, PEN_SHAPE(2, 3, 5, 7));)
MISTAKE(empty, (void)x; pen_graph_input(g, "empty", PEN_SHAPE(1, 0, 1, 4));)
MISTAKE(huge, pen_graph_upsample(g, x, 1u << 20, 1u << 20);)
MISTAKE(same_input, (void)x; pen_graph_input(g, "in0", PEN_SHAPE(1, 1, 1, 4));)
MISTAKE(same_output, pen_graph_output(g, "y", pen_graph_geglu(g, x));
        pen_graph_output(g, "y", pen_graph_geglu(g, x));)
MISTAKE(output_twice, PenTensor *y = pen_graph_geglu(g, x); pen_graph_output(g, "y", y);
        pen_graph_output(g, "z", y);)
MISTAKE(output_input, pen_graph_output(g, "y", x);)
MISTAKE(other_graph, g_autoptr(PenGraph) other = pen_graph_new(PEN_DTYPE_F32);
        pen_graph_geglu(g, pen_graph_input(other, "far", x->shape));)
MISTAKE(precision, {
    (void)x;
    g_autoptr(PenParameter) p =
        pen_parameter_new_abstract(PEN_SHAPE(1, 1, 1, 4), PEN_DTYPE_F16, PEN_LAYOUT_PLAIN);
    pen_graph_parameter(g, p);
})
MISTAKE(nested, (void)x; pen_graph_checkpoint_begin(g); pen_graph_checkpoint_begin(g);)
MISTAKE(not_begun, (void)x; pen_graph_checkpoint_end(g);)
MISTAKE(not_ended, (void)x; pen_graph_checkpoint_begin(g);)
MISTAKE(outside, (void)x; pen_graph_fail(g, "the config has %d heads", 3);)

static void gradient_of(PenGraph *g, PenTensor *y, PenTensor *target)
{
    PenTensor *grad;
    PenTensor *dy = pen_graph_input(g, "dy", y->shape);

    g_assert_false(pen_graph_gradient(g, y, dy, &target, 1, &grad));
    g_assert_null(grad);
}

MISTAKE(gradient_shape, {
    PenTensor *grad;
    PenTensor *y = pen_graph_geglu(g, x);
    pen_graph_gradient(g, y, x, &x, 1, &grad);
})
MISTAKE(gradient_unrelated, gradient_of(g, pen_graph_geglu(g, x), fixture_input(f, 1, 1, 1, 1));)
MISTAKE(gradient_bias, PenTensor *bias = fixture_vector(f, 3, 0);
        gradient_of(g, pen_graph_linear(g, x, fixture_linear(f, 6, 3), bias), bias);)
MISTAKE(gradient_conv, PenTensor *weight = fixture_conv(f, 6, 3, 1, 1);
        gradient_of(g, pen_graph_conv2d(g, x, weight, NULL, 1, (PenPadding){0, 0, 0, 0}), weight);)
MISTAKE(gradient_factor, PenTensor *s = fixture_input(f, 1, 1, 1, 1);
        gradient_of(g, pen_graph_scale(g, x, s), s);)
MISTAKE(gradient_twice, {
    PenTensor *grad;
    PenTensor *y = pen_graph_activation(g, x, PEN_ACTIVATION_SILU);
    pen_graph_gradient(g, y, fixture_input(f, 2, 3, 5, 6), &x, 1, &grad);
    gradient_of(g, grad, x);
})

static const Mistake mistakes[] = {
    {"linear-channels", linear_channels, "linear: the input has 6 channels, the weight takes 7"},
    {"linear-bias", linear_bias, "bias has shape [1, 1, 1, 4]"},
    {"linear-weight", linear_weight, "[1, 1, out, in]"},
    {"linear-no-parameter", linear_no_parameter, "not a parameter"},
    {"linear-plain", linear_plain, "panel"},
    {"conv-size", conv_size, "a 5x3 kernel does not fit a 3x5 picture"},
    {"conv-stride", conv_stride, "stride"},
    {"norm-groups", norm_groups, "6 channels do not divide into 4 groups"},
    {"norm-activation", norm_activation, "SiLU"},
    {"norm-gamma", norm_gamma, "gamma has shape [1, 1, 1, 5]"},
    {"norm-missing", norm_missing, "missing"},
    {"geglu-halves", geglu_halves, "5 channels"},
    {"add-shapes", add_shapes, "[2, 3, 1, 6]"},
    {"add-images", add_images, "[2, 3, 5, 6]"},
    {"scale-factor", scale_factor, "factor has shape [1, 1, 1, 6]"},
    {"concat-shapes", concat_shapes, "[2, 5, 3, 6]"},
    {"slice-range", slice_range, "3 channels from channel 4"},
    {"slice-wrap", slice_wrap, "from channel 2"},
    {"upsample-smaller", upsample_smaller, "2x5 is smaller"},
    {"attention-heads", attention_heads, "6 channels do not divide into 4 heads"},
    {"attention-keys", attention_keys, "[2, 1, 7, 5]"},
    {"attention-values", attention_values, "[2, 1, 6, 6]"},
    {"attention-causal", attention_causal, "as many keys"},
    {"reshape-count", reshape_count, "[2, 3, 5, 7]"},
    {"empty", empty, "[1, 0, 1, 4]"},
    {"huge", huge, "too large"},
    {"same-input", same_input, "two inputs named"},
    {"same-output", same_output, "two outputs named"},
    {"output-twice", output_twice, "same tensor"},
    {"output-input", output_input, "not the result of an operation"},
    {"other-graph", other_graph, "another graph"},
    {"precision", precision, "precision"},
    {"nested", nested, "nest"},
    {"not-begun", not_begun, "not begun"},
    {"not-ended", not_ended, "not ended"},
    {"outside", outside, "the config has 3 heads"},
    {"gradient-shape", gradient_shape, "[2, 3, 5, 3]"},
    {"gradient-unrelated", gradient_unrelated, "does not depend"},
    {"gradient-bias", gradient_bias, "only the weights of linear layers"},
    {"gradient-conv", gradient_conv, "conv2d: its parameters have no gradient"},
    {"gradient-factor", gradient_factor, "scale: there is no gradient for operand 2"},
    {"gradient-twice", gradient_twice, "activation-grad: there is no gradient"},
};

static void test_mistake(gconstpointer data)
{
    const Mistake *mistake = data;
    g_autoptr(GError) error = NULL, again = NULL;
    g_autoptr(Fixture) f = fixture_new(NULL, PEN_DTYPE_F32);
    PenGraph *g = f->graph;
    PenTensor *x = fixture_input(f, 2, 3, 5, 6);
    PenTensor *grad = x;

    mistake->build(f, x);
    g_assert_false(pen_graph_check(g, &error));
    g_assert_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_GRAPH);
    if (!strstr(error->message, mistake->message))
        g_error("“%s” does not say “%s”", error->message, mistake->message);

    /* From here on nothing works, nothing crashes, and the message stays. */
    g_assert_null(pen_graph_geglu(g, x));
    g_assert_null(pen_graph_linear(g, NULL, NULL, NULL));
    g_assert_null(pen_graph_attention(g, NULL, x, x, 1, FALSE));
    g_assert_null(pen_graph_input(g, "late", x->shape));
    pen_graph_output(g, "late", NULL);
    g_assert_false(pen_graph_gradient(g, NULL, NULL, &x, 1, &grad));
    g_assert_null(grad);
    pen_graph_fail(g, "something else");
    g_assert_false(pen_graph_check(g, &again));
    g_assert_cmpstr(again->message, ==, error->message);
}

/* --- the plan's first pass ----------------------------------------------------------------- */

static guint count(PenGraph *g, PenOp op)
{
    guint n = 0;

    for (guint k = 0; k < g->nodes->len; k++)
        n += ((PenNode *)g->nodes->pdata[k])->op == op;
    return n;
}

static PenTensor *output_named(PenGraph *g, const char *name)
{
    for (guint i = 0; i < g->tensors->len; i++) {
        PenTensor *tensor = g->tensors->pdata[i];
        if (tensor->is_output && g_str_equal(tensor->name, name))
            return tensor;
    }
    g_assert_not_reached();
}

/* What every later part of the plan relies on. */
static void check_order(PenGraph *g)
{
    g_autoptr(GHashTable) made = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < g->tensors->len; i++) {
        PenTensor *tensor = g->tensors->pdata[i];
        g_assert_cmpuint(tensor->id, ==, i);
        g_assert_true((tensor->kind == PEN_TENSOR_COMPUTED) == (tensor->producer != NULL));
        if (tensor->kind != PEN_TENSOR_COMPUTED)
            g_hash_table_add(made, tensor);
    }
    for (guint k = 0; k < g->nodes->len; k++) {
        PenNode *node = g->nodes->pdata[k];
        g_assert_cmpuint(node->index, ==, k);
        for (guint i = 0; i < node->n_in; i++)
            g_assert_true(!node->in[i] || g_hash_table_contains(made, node->in[i]));
        for (guint i = 0; i < node->n_out; i++) {
            if (!node->out[i])
                continue;
            g_assert_true(node->out[i]->producer == node);
            g_assert_true(g->tensors->pdata[node->out[i]->id] == node->out[i]);
            g_hash_table_add(made, node->out[i]);
        }
    }
}

/* The pass changes no result, of any case with its gradients. */
static void test_fuse_same(gconstpointer data)
{
    const FixtureCase *c = data;
    g_autoptr(Fixture) f = fixture_new(NULL, PEN_DTYPE_F32);
    PenTensor *y = c->build(f);
    g_autoptr(GPtrArray) results = g_ptr_array_new();
    g_autoptr(GPtrArray) wanted = g_ptr_array_new_with_free_func(g_free);

    fixture_gradient(f, y);
    g_ptr_array_add(results, y);
    for (guint i = 0; i < f->grads->len; i++) {
        PenTensor *grad = f->grads->pdata[i];
        if (grad->kind == PEN_TENSOR_COMPUTED && !g_ptr_array_find(results, grad, NULL))
            g_ptr_array_add(results, grad);
    }
    for (guint i = 0; i < results->len; i++) {
        PenTensor *tensor = results->pdata[i];
        g_autofree char *name = g_strdup_printf("result%u", i);
        g_ptr_array_add(wanted, g_memdup2(pen_reference_value(f->reference, tensor),
                                          pen_shape_elements(tensor->shape) * sizeof(double)));
        pen_graph_output(f->graph, name, tensor);
    }
    pen_graph_fuse(f->graph);
    check_order(f->graph);
    pen_reference_forget(f->reference);
    for (guint i = 0; i < results->len; i++) {
        PenTensor *tensor = results->pdata[i];
        const double *want = wanted->pdata[i], *have = pen_reference_value(f->reference, tensor);
        for (gsize e = 0; e < pen_shape_elements(tensor->shape); e++)
            g_assert_cmpfloat(fabs(have[e] - want[e]), <=, 1e-9 * (1 + fabs(want[e])));
    }
}

/* Builds a case, makes its result the only output and runs the pass. */
static PenGraph *fused(Fixture *f, const char *name)
{
    pen_graph_output(f->graph, "y", fixture_case(name)->build(f));
    g_assert_true(pen_graph_check(f->graph, NULL));
    pen_graph_fuse(f->graph);
    check_order(f->graph);
    return f->graph;
}

static void test_prune(void)
{
    g_autoptr(Fixture) f = fixture_new(NULL, PEN_DTYPE_F32);
    PenGraph *g = f->graph;
    PenTensor *x = fixture_input(f, 1, 3, 3, 8);
    PenTensor *gamma = fixture_vector(f, 8, 1), *beta = fixture_vector(f, 8, 0);
    PenTensor *y = pen_graph_group_norm(g, x, gamma, beta, 2, 1e-5f, PEN_ACTIVATION_NONE);
    y = pen_graph_attention(g, y, y, y, 2, FALSE);
    pen_graph_linear(g, y, fixture_linear(f, 8, 3), NULL); /* nobody reads this */
    fixture_input(f, 1, 1, 1, 1);                          /* nor this */

    pen_graph_output(g, "y", y);
    pen_graph_fuse(g);
    check_order(g);
    g_assert_cmpuint(g->nodes->len, ==, 2);
    g_assert_cmpuint(g->tensors->len, ==, 6);
    PenNode *norm = g->nodes->pdata[0], *attention = g->nodes->pdata[1];
    g_assert_null(norm->out[1]);
    g_assert_null(attention->out[1]);
}

static void test_prune_gradient(void)
{
    g_autoptr(Fixture) f = fixture_new(NULL, PEN_DTYPE_F32);

    fixture_gradient(f, fixture_case("attention_query_only")->build(f));
    pen_graph_output(f->graph, "dq", f->grads->pdata[0]);
    pen_graph_fuse(f->graph);
    check_order(f->graph);
    g_assert_cmpuint(f->graph->nodes->len, ==, 2);
    PenNode *forward = f->graph->nodes->pdata[0], *backward = f->graph->nodes->pdata[1];
    g_assert_nonnull(forward->out[0]);
    g_assert_nonnull(forward->out[1]);
    g_assert_nonnull(backward->out[0]);
    g_assert_null(backward->out[1]);
    g_assert_null(backward->out[2]);
}

static void test_fuse_residual(void)
{
    static const char *const names[] = {"linear_residual", "conv_residual"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(Fixture) f = fixture_new(NULL, PEN_DTYPE_F32);
        PenGraph *g = fused(f, names[i]);
        g_assert_cmpuint(g->nodes->len, ==, 1);
        PenNode *node = g->nodes->pdata[0];
        g_assert_true(node->in[3] == node->in[0]);
    }
}

static void test_fuse_image_bias(void)
{
    g_autoptr(Fixture) f = fixture_new(NULL, PEN_DTYPE_F32);
    PenGraph *g = fused(f, "conv_time");

    /* The convolution, built before the time embedding's layer, waits for it. */
    g_assert_cmpuint(g->nodes->len, ==, 2);
    PenNode *time = g->nodes->pdata[0], *conv = g->nodes->pdata[1];
    g_assert_cmpint(time->op, ==, PEN_OP_LINEAR);
    g_assert_cmpint(conv->op, ==, PEN_OP_CONV2D);
    g_assert_true(conv->in[4] == time->out[0]);
    g_assert_null(conv->in[3]);
}

/* x + (W x + B s A x): the adapter's last layer adds the base layer, which adds x. */
static void test_fuse_adapter(void)
{
    g_autoptr(Fixture) f = fixture_new(NULL, PEN_DTYPE_F32);
    PenGraph *g = fused(f, "linear_adapter");

    g_assert_cmpuint(g->nodes->len, ==, 4);
    g_assert_cmpuint(count(g, PEN_OP_ADD), ==, 0);
    PenNode *last = output_named(g, "y")->producer;
    g_assert_cmpint(last->in[3]->producer->op, ==, PEN_OP_LINEAR);
    g_assert_true(last->in[3]->producer->in[3] == last->in[3]->producer->in[0]);
}

static void test_fuse_unet(void)
{
    g_autoptr(Fixture) f = fixture_new(NULL, PEN_DTYPE_F32);
    PenGraph *g = fused(f, "unet");

    g_assert_cmpuint(count(g, PEN_OP_ADD), ==, 0);
}

/* Sums of gradients, too: x feeds two layers and the result, so that dx = dy + dy W1 + dy W2. */
static void test_fuse_gradient(void)
{
    g_autoptr(Fixture) f = fixture_new(NULL, PEN_DTYPE_F32);
    PenGraph *g = f->graph;
    PenTensor *x = fixture_input(f, 1, 3, 3, 8);
    PenTensor *y = pen_graph_linear(g, x, fixture_linear(f, 8, 8), NULL);

    y = pen_graph_add(g, y, pen_graph_linear(g, x, fixture_linear(f, 8, 8), NULL));
    g_ptr_array_set_size(f->targets, 1);
    fixture_gradient(f, pen_graph_add(g, y, x));
    pen_graph_output(g, "dx", f->grads->pdata[0]);
    pen_graph_fuse(g);
    check_order(g);
    g_assert_cmpuint(g->nodes->len, ==, 2);
    PenNode *first = g->nodes->pdata[0], *second = g->nodes->pdata[1];
    g_assert_cmpint(second->op, ==, PEN_OP_LINEAR_INPUT);
    g_assert_true(second->in[3] == first->out[0]);
    g_assert_cmpstr(first->in[3]->name, ==, "dy");
}

/* What others read, or the host reads, stays as it is. */
static void test_fuse_not(void)
{
    g_autoptr(Fixture) f = fixture_new(NULL, PEN_DTYPE_F32);
    PenGraph *g = f->graph;
    PenTensor *x = fixture_input(f, 1, 3, 3, 8);
    PenTensor *read = pen_graph_linear(g, x, fixture_linear(f, 8, 8), NULL);
    PenTensor *output = pen_graph_linear(g, x, fixture_linear(f, 8, 8), NULL);

    pen_graph_output(g, "output", output);
    pen_graph_output(g, "twice", pen_graph_add(g, read, read));
    pen_graph_output(g, "sum", pen_graph_add(g, output, x));
    pen_graph_fuse(g);
    check_order(g);
    g_assert_cmpuint(count(g, PEN_OP_ADD), ==, 2);
}

static void test_output_precision(void)
{
    g_autoptr(Fixture) f = fixture_new(NULL, PEN_DTYPE_F16);
    PenGraph *g = f->graph;
    PenTensor *x = fixture_input(f, 1, 3, 3, 8);
    PenTensor *weight = fixture_linear(f, 8, 8);
    PenTensor *seen = pen_graph_linear(g, x, weight, NULL);
    PenTensor *reshaped = pen_graph_linear(g, seen, weight, NULL);

    pen_graph_output(g, "seen", seen);
    pen_graph_output(g, "through", pen_graph_reshape(g, reshaped, PEN_SHAPE(1, 1, 9, 8)));
    pen_graph_output(g, "silu", pen_graph_activation(g, x, PEN_ACTIVATION_SILU));
    pen_graph_output(g, "sum", pen_graph_add(g, pen_graph_linear(g, x, weight, NULL), x));
    pen_graph_output(g, "input", pen_graph_linear_input(g, x, weight));
    pen_graph_fuse(g);
    check_order(g);
    g_assert_cmpint(output_named(g, "seen")->dtype, ==, PEN_DTYPE_F16);
    g_assert_cmpint(output_named(g, "silu")->dtype, ==, PEN_DTYPE_F16);
    g_assert_cmpint(output_named(g, "sum")->dtype, ==, PEN_DTYPE_F32);
    g_assert_cmpint(output_named(g, "input")->dtype, ==, PEN_DTYPE_F32);
    g_assert_cmpint(output_named(g, "through")->dtype, ==, PEN_DTYPE_F32);
    g_assert_cmpint(output_named(g, "through")->producer->in[0]->dtype, ==, PEN_DTYPE_F32);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/graph/shapes", test_shapes);
    for (guint i = 0; i < G_N_ELEMENTS(mistakes); i++) {
        g_autofree char *path = g_strdup_printf("/graph/mistake/%s", mistakes[i].name);
        g_test_add_data_func(path, &mistakes[i], test_mistake);
    }
    for (guint i = 0; i < fixture_n_cases; i++) {
        g_autofree char *path = g_strdup_printf("/fuse/same/%s", fixture_cases[i].name);
        g_test_add_data_func(path, &fixture_cases[i], test_fuse_same);
    }
    g_test_add_func("/fuse/prune", test_prune);
    g_test_add_func("/fuse/prune-gradient", test_prune_gradient);
    g_test_add_func("/fuse/residual", test_fuse_residual);
    g_test_add_func("/fuse/image-bias", test_fuse_image_bias);
    g_test_add_func("/fuse/adapter", test_fuse_adapter);
    g_test_add_func("/fuse/unet", test_fuse_unet);
    g_test_add_func("/fuse/gradient", test_fuse_gradient);
    g_test_add_func("/fuse/not", test_fuse_not);
    g_test_add_func("/fuse/output-precision", test_output_precision);
    return g_test_run();
}
