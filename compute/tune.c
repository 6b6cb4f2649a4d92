// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "compute/tune.h"

#include "compute/device-private.h"
#include "compute/findings.h"
#include "compute/lower-matmul.h"
#include "compute/parameter.h"
#include "compute/plan.h"

/* Channels of the products that are measured, and the width of the pictures. */
#define LINEAR_CHANNELS 320
#define CONV_CHANNELS 64
#define WIDTH 16

/* Workgroups of the larger tile that are tried, as powers of 2. */
#define LEAST_GROUPS 3
#define MOST_GROUPS 8

/* A measurement is the best of so many runs, or of those that take so many seconds. */
#define RUNS 4
#define SECONDS 0.1

/* Of products in a precision. */
typedef struct {
    PenDevice *device;
    PenDtype dtype;
    gboolean linear;
    guint32 rows, columns; /* of the larger tile */
} Subject;

static guint32 *threshold(const Subject *s)
{
    PenDeviceInfo *info = s->device->info;
    return &info->large_tiles_from[info->kernels][s->dtype][s->linear];
}

/* A product whose result has so many of the larger tiles. */
static PenPlan *make_plan(const Subject *s, guint32 groups, GError **error)
{
    guint32 down = 1;
    while (down * down < groups)
        down *= 2;
    guint32 m = down * s->rows, n = groups / down * s->columns;
    guint32 channels = s->linear ? LINEAR_CHANNELS : CONV_CHANNELS;
    PenShape weights = s->linear ? PEN_SHAPE(1, 1, n, channels) : PEN_SHAPE(n, 3, 3, channels);
    g_autofree float *values = g_new0(float, pen_shape_elements(weights));
    g_autoptr(PenParameter) weight =
        pen_parameter_new(s->device, weights, s->dtype, PEN_LAYOUT_PANEL, error);
    if (!weight || !pen_parameter_write(weight, values, error))
        return NULL;
    PenGraph *graph = pen_graph_new(s->dtype);
    PenTensor *w = pen_graph_parameter(graph, weight);
    PenTensor *x = pen_graph_input(graph, "x",
                                   s->linear ? PEN_SHAPE(1, 1, m, channels)
                                             : PEN_SHAPE(1, m / WIDTH, WIDTH, channels));
    PenTensor *y = s->linear ? pen_graph_linear(graph, x, w, NULL)
                             : pen_graph_conv2d(graph, x, w, NULL, 1, (PenPadding){ 1, 1, 1, 1 });
    pen_graph_output(graph, "y", y);
    g_autoptr(PenPlan) plan = pen_plan_new(s->device, graph, error);
    if (!plan)
        return NULL;
    g_autofree float *zeros = g_new0(float, (gsize)m *channels);
    pen_plan_write(plan, "x", zeros);
    return g_steal_pointer(&plan);
}

/* Seconds that it takes with the tile that the threshold chooses; negative with an error. */
static double measure(const Subject *s, guint32 groups, GError **error)
{
    g_autoptr(PenPlan) plan = make_plan(s, groups, error);
    double best = -1, total = 0;
    if (!plan || !pen_plan_run(plan, NULL, NULL, NULL, error)) /* compiles the kernel */
        return -1;
    for (guint i = 0; i < RUNS && total < SECONDS; i++) {
        g_autoptr(GPtrArray) rows = pen_plan_profile(plan, error);
        if (!rows)
            return -1;
        double seconds = 0;
        for (guint r = 0; r < rows->len; r++)
            seconds += ((const PenPlanProfileRow *)rows->pdata[r])->seconds;
        best = best < 0 ? seconds : MIN(best, seconds);
        total += seconds;
    }
    return best;
}

/* TRUE with `*faster`: the larger tile is. */
static gboolean compare(const Subject *s, guint32 groups, gboolean *faster, GError **error)
{
    double seconds[2];
    for (guint large = 0; large < 2; large++) {
        *threshold(s) = large ? 1 : G_MAXUINT32;
        seconds[large] = measure(s, groups, error);
        if (seconds[large] < 0)
            return FALSE;
    }
    *faster = seconds[1] < seconds[0];
    return TRUE;
}

/* Halves the range in which the larger tile begins to be faster. */
static gboolean tune(const Subject *s, GError **error)
{
    guint from = LEAST_GROUPS, to = MOST_GROUPS + 1;
    while (from < to) {
        guint middle = (from + to) / 2;
        gboolean faster;
        if (!compare(s, 1u << middle, &faster, error)) {
            *threshold(s) = 0;
            return FALSE;
        }
        if (faster)
            to = middle;
        else
            from = middle + 1;
    }
    *threshold(s) = 1u << to;
    return TRUE;
}

gboolean pen_device_tune(PenDevice *device, GError **error)
{
    const PenDeviceInfo *info = device->info;
    gboolean measured = FALSE;
    for (PenDtype dtype = PEN_DTYPE_F32; dtype <= PEN_DTYPE_F16; dtype++)
        for (guint linear = 0; linear < 2; linear++) {
            Subject s = { .device = device, .dtype = dtype, .linear = linear != 0 };
            if ((dtype == PEN_DTYPE_F16 && !info->float16) || *threshold(&s) ||
                !pen_lower_tile_choice(info, dtype, s.linear, &s.rows, &s.columns))
                continue;
            if (!tune(&s, error))
                return FALSE;
            measured = TRUE;
        }
    if (measured) {
        g_autoptr(GKeyFile) file = g_key_file_new();
        g_key_file_load_from_file(file, info->findings, G_KEY_FILE_KEEP_COMMENTS, NULL);
        pen_findings_write(info, file, NULL);
    }
    return TRUE;
}
