// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/compute/fixture.h"

#include "compute/half.h"

Fixture *fixture_new(PenDevice *device, PenDtype dtype)
{
    Fixture *f = g_new0(Fixture, 1);

    f->device = device;
    f->dtype = dtype;
    f->matrices = PEN_LAYOUT_PANEL;
    f->graph = pen_graph_new(dtype);
    f->reference = pen_reference_new();
    f->random = g_rand_new_with_seed(20240613);
    f->inputs = g_ptr_array_new_with_free_func(g_free);
    f->parameters = g_ptr_array_new_with_free_func((GDestroyNotify)pen_parameter_unref);
    f->targets = g_ptr_array_new();
    f->grads = g_ptr_array_new();
    return f;
}

void fixture_free(Fixture *f)
{
    pen_graph_free(f->graph);
    pen_reference_free(f->reference);
    g_rand_free(f->random);
    g_ptr_array_unref(f->inputs);
    g_ptr_array_unref(f->parameters);
    g_ptr_array_unref(f->targets);
    g_ptr_array_unref(f->grads);
    g_free(f);
}

static double *random_values(Fixture *f, gsize n, double mean, double spread)
{
    double *values = g_new(double, n);

    for (gsize i = 0; i < n; i++) {
        float value = (float)(mean + spread * g_rand_double_range(f->random, -1, 1));
        if (f->dtype == PEN_DTYPE_F16)
            value = pen_half_to_float(pen_half_from_float(value));
        values[i] = value;
    }
    return values;
}

PenTensor *fixture_values(Fixture *f, PenShape shape, double mean, double spread)
{
    gsize n = pen_shape_elements(shape);
    g_autofree double *values = random_values(f, n, mean, spread);
    char *name = g_strdup_printf("in%u", f->inputs->len);

    pen_reference_set_input(f->reference, name, values, n);
    g_ptr_array_add(f->inputs, name);
    return pen_graph_input(f->graph, name, shape);
}

PenTensor *fixture_target(Fixture *f, PenTensor *tensor)
{
    g_ptr_array_add(f->targets, tensor);
    return tensor;
}

PenTensor *fixture_input(Fixture *f, guint32 n, guint32 h, guint32 w, guint32 c)
{
    return fixture_target(f, fixture_values(f, PEN_SHAPE(n, h, w, c), 0, 1));
}

static PenTensor *parameter(Fixture *f, PenShape shape, PenLayout layout, double mean,
                            double spread)
{
    gsize n = pen_shape_elements(shape);
    g_autofree double *values = random_values(f, n, mean, spread);
    PenParameter *p;

    if (f->device) {
        g_autoptr(GError) error = NULL;
        g_autofree float *floats = g_new(float, n);
        for (gsize i = 0; i < n; i++)
            floats[i] = (float)values[i];
        p = pen_parameter_new(f->device, shape, f->dtype, layout, &error);
        g_assert_no_error(error);
        pen_parameter_write(p, floats, &error);
        g_assert_no_error(error);
    } else {
        p = pen_parameter_new_abstract(shape, f->dtype, layout);
    }
    g_ptr_array_add(f->parameters, p);
    pen_reference_set_parameter(f->reference, p, values, n);
    return pen_graph_parameter(f->graph, p);
}

PenTensor *fixture_vector(Fixture *f, guint32 c, double mean)
{
    return parameter(f, PEN_SHAPE(1, 1, 1, c), PEN_LAYOUT_PLAIN, mean, 0.5);
}

PenTensor *fixture_linear(Fixture *f, guint32 in, guint32 out)
{
    PenTensor *weight = parameter(f, PEN_SHAPE(1, 1, out, in), f->matrices, 0, 0.5);

    return fixture_target(f, weight);
}

PenTensor *fixture_conv(Fixture *f, guint32 in, guint32 out, guint32 kh, guint32 kw)
{
    return parameter(f, PEN_SHAPE(out, kh, kw, in), f->matrices, 0, 0.5);
}

void fixture_write(Fixture *f, PenPlan *plan, const char *input)
{
    const double *values = pen_reference_input(f->reference, input);
    gsize n = pen_shape_elements(pen_plan_input_shape(plan, input));
    g_autofree float *floats = g_new(float, n);

    for (gsize i = 0; i < n; i++)
        floats[i] = (float)values[i];
    pen_plan_write(plan, input, floats);
}

void fixture_gradient(Fixture *f, PenTensor *y)
{
    g_autoptr(GError) error = NULL;
    PenShape shape = pen_tensor_shape(y);
    gsize n = pen_shape_elements(shape);
    g_autofree double *values = random_values(f, n, 0, 1);

    pen_graph_check(f->graph, &error);
    g_assert_no_error(error);
    pen_reference_set_input(f->reference, "dy", values, n);
    g_ptr_array_add(f->inputs, g_strdup("dy"));
    PenTensor *dy = f->late ? pen_graph_late_input(f->graph, "dy", shape)
                            : pen_graph_input(f->graph, "dy", shape);
    g_ptr_array_set_size(f->grads, (int)f->targets->len);
    pen_graph_gradient(f->graph, y, dy, (PenTensor **)f->targets->pdata, f->targets->len,
                       (PenTensor **)f->grads->pdata);
    pen_graph_check(f->graph, &error);
    g_assert_no_error(error);
}
