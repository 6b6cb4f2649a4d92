// SPDX-License-Identifier: GPL-3.0-or-later
/* Every family of kernels on the shapes of Stable Diffusion at 512x512: values and gradients against those of
 * the device's own kernels in float32, which tests/models/test-full-size.c compares with diffusers. The slow
 * reference of the other tests would take hours here. */
#include <math.h>
#include <string.h>

#include "compute/graph-private.h"
#include "compute/plan.h"
#include "tests/compute/fixture.h"

#define SAME_PADDING ((PenPadding){1, 1, 1, 1})

typedef struct {
    const char *name;
    PenOp op;
    guint32 height, width, in, out; /* attention: in channels; out is unused */
    guint32 stride;                 /* of a convolution */
    guint32 keys, heads;            /* of attention; 0 keys: the queries' own */
} Shape;

static const Shape shapes[] = {
    {"linear_queries", PEN_OP_LINEAR, 64, 64, 320, 320, 0, 0, 0},
    {"linear_feed_forward", PEN_OP_LINEAR, 16, 16, 1280, 5120, 0, 0, 0},
    {"linear_text", PEN_OP_LINEAR, 1, 77, 768, 640, 0, 0, 0},
    {"linear_time", PEN_OP_LINEAR, 1, 1, 320, 1280, 0, 0, 0},
    {"conv_latents", PEN_OP_CONV2D, 64, 64, 4, 320, 1, 0, 0},
    {"conv_high", PEN_OP_CONV2D, 64, 64, 320, 320, 1, 0, 0},
    {"conv_down", PEN_OP_CONV2D, 64, 64, 320, 320, 2, 0, 0},
    {"conv_deep", PEN_OP_CONV2D, 8, 8, 2560, 1280, 1, 0, 0},
    {"conv_noise", PEN_OP_CONV2D, 64, 64, 320, 4, 1, 0, 0},
    {"attention_high", PEN_OP_ATTENTION, 64, 64, 80, 0, 0, 0, 2},
    {"attention_middle", PEN_OP_ATTENTION, 32, 32, 160, 0, 0, 0, 2},
    {"attention_deep", PEN_OP_ATTENTION, 16, 16, 640, 0, 0, 0, 4},
    {"attention_text", PEN_OP_ATTENTION, 64, 64, 320, 0, 0, 77, 8},
};

typedef struct {
    const Shape *shape;
    const char *kernels;
    PenDtype dtype;
} Trial;

static PenTensor *build(Fixture *f, const Shape *s)
{
    PenTensor *x = fixture_input(f, 1, s->height, s->width, s->in);
    if (s->op == PEN_OP_LINEAR)
        return pen_graph_linear(f->graph, x, fixture_linear(f, s->in, s->out),
                                fixture_vector(f, s->out, 0));
    if (s->op == PEN_OP_CONV2D)
        return pen_graph_conv2d(f->graph, x, fixture_conv(f, s->in, s->out, 3, 3),
                                fixture_vector(f, s->out, 0), s->stride, SAME_PADDING);
    guint32 height = s->keys ? 1 : s->height, width = s->keys ? s->keys : s->width;
    PenTensor *k = fixture_input(f, 1, height, width, s->in);
    PenTensor *v = fixture_input(f, 1, height, width, s->in);
    return pen_graph_attention(f->graph, x, k, v, s->heads, FALSE);
}

/* The values and gradients, one array (float) after the other. */
static GArray *compute(const Shape *shape, const char *kernels, PenDtype dtype)
{
    g_autoptr(GError) error = NULL;
    if (kernels)
        g_setenv("PENCHANT_KERNELS", kernels, TRUE);
    else
        g_unsetenv("PENCHANT_KERNELS");
    PenDevice *device = pen_device_open(NULL, &error);
    g_assert_no_error(error);
    GArray *all = g_array_new(FALSE, FALSE, sizeof(float));
    g_autoptr(Fixture) f = fixture_new(device, dtype);
    g_autoptr(GPtrArray) outputs = g_ptr_array_new();

    g_ptr_array_add(outputs, build(f, shape));
    fixture_gradient(f, outputs->pdata[0]);
    for (guint i = 0; i < f->grads->len; i++)
        g_ptr_array_add(outputs, f->grads->pdata[i]);
    g_autofree gsize *sizes = g_new(gsize, outputs->len);
    for (guint i = 0; i < outputs->len; i++) {
        g_autofree char *name = g_strdup_printf("%u", i);
        sizes[i] = pen_shape_elements(pen_tensor_shape(outputs->pdata[i]));
        pen_graph_output(f->graph, name, outputs->pdata[i]);
    }
    PenPlan *plan = pen_plan_new(device, g_steal_pointer(&f->graph), &error);
    g_assert_no_error(error);
    for (guint i = 0; i < f->inputs->len; i++)
        fixture_write(f, plan, f->inputs->pdata[i]);
    pen_plan_run(plan, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < outputs->len; i++) {
        g_autofree char *name = g_strdup_printf("%u", i);
        guint at = all->len;
        g_array_set_size(all, at + (guint)sizes[i]);
        pen_plan_read(plan, name, &g_array_index(all, float, at));
    }
    pen_plan_free(plan);
    pen_device_unref(device);
    return all;
}

static void test_shape(gconstpointer data)
{
    const Trial *trial = data;
    g_autoptr(GArray) want = compute(trial->shape, NULL, PEN_DTYPE_F32);
    g_autoptr(GArray) have = compute(trial->shape, trial->kernels, trial->dtype);
    double off = 0, norm = 0;

    g_assert_cmpuint(have->len, ==, want->len);
    for (guint i = 0; i < want->len; i++) {
        double w = g_array_index(want, float, i), h = g_array_index(have, float, i);
        off += (h - w) * (h - w);
        norm += w * w;
    }
    g_test_message("relative L2 error %.2g", sqrt(off / norm));
    g_assert_cmpfloat(norm, >, 0);
    g_assert_true(sqrt(off / norm) < (trial->dtype == PEN_DTYPE_F16 ? 2e-3 : 1e-5));
}

int main(int argc, char **argv)
{
    static const char *const families[] = {"tiles", "shared", "matrix"};

    g_test_init(&argc, &argv, NULL);
    for (guint k = 0; k < G_N_ELEMENTS(families); k++) {
        for (guint i = 0; i < G_N_ELEMENTS(shapes); i++) {
            Trial trial = {&shapes[i], families[k], k == 0 ? PEN_DTYPE_F32 : PEN_DTYPE_F16};
            g_autofree char *path = g_strdup_printf("/%s/%s", families[k], shapes[i].name);
            g_test_add_data_func_full(path, g_memdup2(&trial, sizeof trial), test_shape, g_free);
        }
    }
    return g_test_run();
}
