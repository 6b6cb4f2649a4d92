// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "demo/judge.h"

#include <math.h>

#include "compute/plan.h"
#include "src/models/layers.h"

static const guint32 widths[] = { 32, 64, 96, 128 }, strides[] = { 2, 2, 2, 1 };
#define GROUPS 8
#define EPSILON 1e-5f
#define N_VALUES (PEN_JUDGE_SIZE * PEN_JUDGE_SIZE * 3) /* of a picture */

struct _PenJudge {
    char **classes;
    guint n_classes;
    PenWeights *weights;
    PenPlan *plan;
};

/* Takes the graph over into judge->plan. */
static gboolean build(PenJudge *judge, PenDevice *device, GError **error)
{
    g_autoptr(PenGraph) graph = pen_graph_new(PEN_DTYPE_F32);
    PenLayers layers = { graph, judge->weights };
    PenTensor *x =
        pen_graph_input(graph, "picture", PEN_SHAPE(1, PEN_JUDGE_SIZE, PEN_JUDGE_SIZE, 3));
    for (guint i = 0; i < G_N_ELEMENTS(widths); i++) {
        x = pen_layer_conv(&layers, x, widths[i], strides[i], PEN_PADDING_SAME, "convs.%u", i);
        x = pen_layer_group_norm(&layers, x, GROUPS, EPSILON, PEN_ACTIVATION_SILU, "norms.%u", i);
    }
    PenShape last = pen_tensor_shape(x);
    x = pen_graph_reshape(graph, x, PEN_SHAPE(1, 1, 1, last.h * last.w * last.c));
    x = pen_layer_linear(&layers, x, judge->n_classes, TRUE, "head");
    pen_graph_output(graph, "logits", x);
    if (!pen_layers_check(&layers, error))
        return FALSE;
    judge->plan = pen_plan_new(device, g_steal_pointer(&graph), error);
    return judge->plan && pen_weights_load(judge->weights, NULL, NULL, NULL, error);
}

PenJudge *pen_judge_new(PenDevice *device, const char *path, GError **error)
{
    g_autoptr(PenSafetensors) file = pen_safetensors_open(path, error);
    if (!file)
        return NULL;
    const char *classes = pen_safetensors_metadata(file, "classes");
    if (!classes) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                    "“%s” is not a judge: it names no classes.", path);
        return NULL;
    }
    g_autoptr(PenJudge) judge = g_new0(PenJudge, 1);
    judge->classes = g_strsplit(classes, ",", 0);
    judge->n_classes = g_strv_length(judge->classes);
    judge->weights = pen_weights_new(device, file, PEN_DTYPE_F32);
    return build(judge, device, error) ? g_steal_pointer(&judge) : NULL;
}

void pen_judge_free(PenJudge *judge)
{
    if (!judge)
        return;
    g_clear_pointer(&judge->plan, pen_plan_free);
    g_clear_pointer(&judge->weights, pen_weights_unref);
    g_strfreev(judge->classes);
    g_free(judge);
}

const char *const *pen_judge_classes(const PenJudge *judge)
{
    return (const char *const *)judge->classes;
}

int pen_judge_class(const PenJudge *judge, const char *name)
{
    for (guint i = 0; i < judge->n_classes; i++)
        if (g_str_equal(judge->classes[i], name))
            return (int)i;
    return -1;
}

gboolean pen_judge_look(PenJudge *judge, const guint8 *rgb, double *probabilities, GError **error)
{
    g_autofree float *picture = g_new(float, N_VALUES);
    g_autofree float *logits = g_new(float, judge->n_classes);
    for (guint i = 0; i < N_VALUES; i++)
        picture[i] = (float)rgb[i] / 127.5f - 1;
    pen_plan_write(judge->plan, "picture", picture);
    if (!pen_plan_run(judge->plan, NULL, NULL, NULL, error))
        return FALSE;
    pen_plan_read(judge->plan, "logits", logits);
    double most = logits[0], sum = 0;
    for (guint k = 1; k < judge->n_classes; k++)
        most = fmax(most, logits[k]);
    for (guint k = 0; k < judge->n_classes; k++)
        sum += probabilities[k] = exp(logits[k] - most);
    for (guint k = 0; k < judge->n_classes; k++)
        probabilities[k] /= sum;
    return TRUE;
}

gboolean pen_judge_look_for(PenJudge *judge, const guint8 *rgb, int class, double *probability,
                            GError **error)
{
    g_autofree double *probabilities = g_new(double, judge->n_classes);
    if (!pen_judge_look(judge, rgb, probabilities, error))
        return FALSE;
    *probability = probabilities[class];
    return TRUE;
}

int pen_judge_decide(PenJudge *judge, const guint8 *rgb, GError **error)
{
    g_autofree double *probabilities = g_new(double, judge->n_classes);
    if (!pen_judge_look(judge, rgb, probabilities, error))
        return -1;
    int best = 0;
    for (guint k = 1; k < judge->n_classes; k++)
        if (probabilities[k] > probabilities[best])
            best = (int)k;
    return best;
}
