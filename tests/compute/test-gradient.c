// SPDX-License-Identifier: GPL-3.0-or-later
/* Gradients without a device: every operation against finite differences in double precision, what
 * the backward graph holds, and checkpoint blocks. */
#include <math.h>

#include "compute/graph-private.h"
#include "tests/compute/fixture.h"

/* --- gradients ----------------------------------------------------------------------------- */

static double inner(const double *a, const double *b, gsize n)
{
    double sum = 0;

    for (gsize i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* L = <dy, y>, whose gradient the backward graph computes. */
static double loss(Fixture *f, const PenTensor *y)
{
    pen_reference_forget(f->reference);
    return inner(pen_reference_value(f->reference, y), pen_reference_input(f->reference, "dy"),
                 pen_shape_elements(y->shape));
}

static double *target_values(Fixture *f, const PenTensor *target)
{
    return target->parameter ? pen_reference_parameter(f->reference, target->parameter)
                             : pen_reference_input(f->reference, target->name);
}

/* Central differences: all elements at once along a random direction, and a few on their own. */
static void check_gradient(Fixture *f, const PenTensor *y, guint i)
{
    const double step = 1e-5;
    const PenTensor *target = f->targets->pdata[i];
    gsize n = pen_shape_elements(target->shape);
    double *values = target_values(f, target);
    g_autofree double *start = g_memdup2(values, n * sizeof *values);
    g_autofree double *direction = g_new0(double, n);

    pen_reference_forget(f->reference);
    g_autofree double *grad =
        g_memdup2(pen_reference_value(f->reference, f->grads->pdata[i]), n * sizeof *values);
    double size = sqrt(inner(grad, grad, n) / (double)n);
    guint trials = f->targets->len > 4 ? 1 : 4;
    for (guint trial = 0; trial < trials; trial++) {
        gsize only = (gsize)g_rand_int_range(f->random, 0, (gint32)n);
        for (gsize e = 0; e < n; e++)
            direction[e] = trial == 0 ? g_rand_double_range(f->random, -1, 1) : e == only;
        for (gsize e = 0; e < n; e++)
            values[e] = start[e] + step * direction[e];
        double up = loss(f, y);
        for (gsize e = 0; e < n; e++)
            values[e] = start[e] - step * direction[e];
        double down = loss(f, y);
        double measured = (up - down) / (2 * step), computed = inner(grad, direction, n);
        double scale = size * sqrt(inner(direction, direction, n)) + fabs(computed);
        if (fabs(measured - computed) > 1e-5 * scale + 1e-7 * (1 + fabs(up)))
            g_error("target %u, trial %u: the gradient is %.9g, differences say %.9g", i, trial,
                    computed, measured);
        memcpy(values, start, n * sizeof *values);
    }
}

static void test_gradient(gconstpointer data)
{
    const FixtureCase *c = data;
    g_autoptr(Fixture) f = fixture_new(NULL, PEN_DTYPE_F32);
    PenTensor *y = c->build(f);

    fixture_gradient(f, y);
    for (guint i = 0; i < f->targets->len; i++) {
        PenTensor *target = f->targets->pdata[i], *grad = f->grads->pdata[i];
        g_assert_true(pen_shape_equal(grad->shape, target->shape));
        check_gradient(f, y, i);
    }
}

static void test_gradient_precision(void)
{
    g_autoptr(Fixture) f = fixture_new(NULL, PEN_DTYPE_F16);
    PenTensor *x = fixture_input(f, 2, 3, 5, 6);
    PenTensor *weight = fixture_linear(f, 6, 6);
    PenTensor *y = pen_graph_linear(f->graph, x, weight, NULL);

    fixture_gradient(f, pen_graph_linear(f->graph, y, weight, NULL));
    PenTensor *grad_x = f->grads->pdata[0], *grad_weight = f->grads->pdata[1];
    g_assert_cmpint(grad_x->dtype, ==, PEN_DTYPE_F16);
    g_assert_cmpint(grad_weight->dtype, ==, PEN_DTYPE_F32);
    g_assert_cmpint(grad_weight->producer->op, ==, PEN_OP_ADD);
}

/* Gradients of inner tensors, and of the result itself. */
static void test_gradient_inner(void)
{
    g_autoptr(Fixture) f = fixture_new(NULL, PEN_DTYPE_F32);
    PenGraph *g = f->graph;
    PenTensor *x = fixture_values(f, PEN_SHAPE(1, 3, 3, 4), 0, 1);
    PenTensor *h = fixture_target(f, pen_graph_activation(g, x, PEN_ACTIVATION_SILU));
    PenTensor *s = fixture_values(f, PEN_SHAPE(1, 1, 1, 1), 3, 0);
    PenTensor *y = fixture_target(f, pen_graph_scale(g, h, s));

    guint before = g->nodes->len;
    fixture_gradient(f, y);
    g_assert_cmpuint(g->nodes->len, ==, before + 1);
    PenTensor *grad_h = f->grads->pdata[0], *grad_y = f->grads->pdata[1];
    g_assert_cmpint(grad_h->producer->op, ==, PEN_OP_SCALE);
    g_assert_cmpstr(grad_y->name, ==, "dy");
}

/* Frozen weights and what lies before the targets cost nothing. */
static void test_gradient_minimal(void)
{
    g_autoptr(Fixture) f = fixture_new(NULL, PEN_DTYPE_F32);
    PenGraph *g = f->graph;
    PenTensor *x = fixture_values(f, PEN_SHAPE(1, 3, 3, 4), 0, 1);
    PenTensor *frozen = fixture_linear(f, 4, 4);
    g_ptr_array_set_size(f->targets, 0);
    PenTensor *h = pen_graph_linear(g, x, frozen, NULL);
    h = pen_graph_linear(g, h, fixture_linear(f, 4, 4), NULL);
    PenTensor *y = pen_graph_linear(g, h, frozen, NULL);

    guint before = g->nodes->len;
    fixture_gradient(f, y);
    g_assert_cmpuint(g->nodes->len, ==, before + 2);
    PenNode *first = g->nodes->pdata[before], *second = g->nodes->pdata[before + 1];
    g_assert_cmpint(first->op, ==, PEN_OP_LINEAR_INPUT);
    g_assert_cmpint(second->op, ==, PEN_OP_LINEAR_WEIGHT);
}

/* --- checkpoint blocks --------------------------------------------------------------------- */

/* Whether a node of the forward graph outside the tensor's block reads it. */
static gboolean read_outside(PenGraph *g, guint n_forward, const PenTensor *tensor)
{
    for (guint k = 0; k < n_forward; k++) {
        PenNode *node = g->nodes->pdata[k];
        for (guint i = 0; i < node->n_in; i++)
            if (node->in[i] == tensor && node->block != tensor->producer->block)
                return TRUE;
    }
    return FALSE;
}

static void test_checkpoint(void)
{
    const FixtureCase *unet = fixture_case("unet");
    g_autoptr(Fixture) plain = fixture_new(NULL, PEN_DTYPE_F32);
    g_autoptr(Fixture) f = fixture_new(NULL, PEN_DTYPE_F32);
    PenTensor *plain_y = unet->build(plain);
    guint n_forward = plain->graph->nodes->len;

    f->checkpoints = TRUE;
    PenTensor *y = unet->build(f);
    g_assert_cmpuint(f->graph->n_blocks, >, 4);
    g_assert_cmpuint(f->graph->nodes->len, ==, n_forward);
    fixture_gradient(plain, plain_y);
    fixture_gradient(f, y);
    g_assert_cmpuint(f->graph->nodes->len, >, plain->graph->nodes->len);

    /* The backward graph reads nothing that only a block reads, but for statistics. */
    for (guint k = n_forward; k < f->graph->nodes->len; k++) {
        PenNode *node = f->graph->nodes->pdata[k];
        g_assert_cmpuint(node->block, ==, 0);
        for (guint i = 0; i < node->n_in; i++) {
            PenTensor *in = node->in[i];
            if (!in || !in->producer || in->producer->block == 0)
                continue;
            g_assert_true(read_outside(f->graph, n_forward, in) ||
                          (node->op == PEN_OP_GROUP_NORM_GRAD && i == 3));
        }
    }

    /* The first block that the sweep comes to is recomputed first, the others later. */
    guint last_recomputed = 0, first_gradient = G_MAXUINT;
    for (guint k = n_forward; k < f->graph->nodes->len; k++) {
        PenNode *node = f->graph->nodes->pdata[k];
        if (node->op == PEN_OP_CONV2D)
            last_recomputed = k;
        if (node->op == PEN_OP_ATTENTION_GRAD)
            first_gradient = MIN(first_gradient, k);
    }
    g_assert_cmpuint(first_gradient, <, last_recomputed);

    for (guint i = 0; i < f->grads->len; i++) {
        PenTensor *grad = f->grads->pdata[i];
        const double *want = pen_reference_value(plain->reference, plain->grads->pdata[i]);
        const double *have = pen_reference_value(f->reference, grad);
        for (gsize e = 0; e < pen_shape_elements(grad->shape); e++)
            g_assert_cmpfloat(have[e], ==, want[e]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < fixture_n_cases; i++) {
        g_autofree char *path = g_strdup_printf("/gradient/differences/%s", fixture_cases[i].name);
        g_test_add_data_func(path, &fixture_cases[i], test_gradient);
    }
    g_test_add_func("/gradient/precision", test_gradient_precision);
    g_test_add_func("/gradient/of-inner", test_gradient_inner);
    g_test_add_func("/gradient/minimal", test_gradient_minimal);
    g_test_add_func("/gradient/checkpoint", test_checkpoint);
    return g_test_run();
}
