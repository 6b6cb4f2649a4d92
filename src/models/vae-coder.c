// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/vae-coder.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

/* About what a band of the largest tensor of a stage takes, and what is tried at least. */
#define BAND_BYTES (32u << 20)
#define LEAST_BAND_BYTES (256u << 10)

struct _PenVaeCoder {
    PenDevice *device;
    PenVaeConfig config;
    PenWeights *weights;
    PenVaeSide side;
    guint32 height, width; /* of the input */
    PenPlan *plan;         /* of the whole, or of the coarsest level */
    GArray *stages;        /* PenVaeStage; NULL: whole */
    guint64 band_bytes;
};

/* The activations between two stages. */
typedef struct {
    guint32 height, width, channels;
    float *values; /* owned unless it is the caller's */
} Map;

static gsize map_row(const Map *map)
{
    return (gsize)map->width * map->channels;
}

static gboolean map_init(Map *map, guint32 height, guint32 width, guint32 channels, GError **error)
{
    *map = (Map){ height, width, channels, NULL };
    map->values = g_try_new(float, height *map_row(map));
    if (map->values)
        return TRUE;
    g_autofree char *size = g_format_size_full(height * map_row(map) * sizeof(float),
                                               G_FORMAT_SIZE_IEC_UNITS);
    g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_OUT_OF_MEMORY,
                _("Not enough memory for a picture of this size: %s more is needed. Close other "
                  "programs, or make smaller pictures."),
                size);
    return FALSE;
}

/* --- one stage ------------------------------------------------------------------------------ */

static guint32 out_height(const PenVaeStage *stage, guint32 height)
{
    return stage->up ? 2 * height : stage->down ? height / 2 : height;
}

static double stage_flops(const PenVaeStage *stage, guint32 height, guint32 width)
{
    double pixels = (double)out_height(stage, height) * out_height(stage, width);
    double taps = 9.0 * stage->in + (stage->shortcut ? stage->residual : 0);
    return 2 * pixels * taps * stage->out;
}

/* Mean and reciprocal standard deviation of each group. */
static void measure(const Map *x, guint groups, float *statistics)
{
    g_autofree double *sums = g_new0(double, x->channels);
    g_autofree double *squares = g_new0(double, x->channels);
    gsize pixels = (gsize)x->height * x->width;
    /* Around the first pixel, so that squares of far values lose no digits. */
    for (gsize i = 0; i < pixels; i++)
        for (guint32 c = 0; c < x->channels; c++) {
            double v = (double)x->values[i * x->channels + c] - x->values[c];
            sums[c] += v;
            squares[c] += v * v;
        }
    guint32 each = x->channels / groups;
    for (guint g = 0; g < groups; g++) {
        double n = (double)pixels * each, mean = 0, square = 0;
        for (guint32 c = g * each; c < (g + 1) * each; c++)
            mean += (sums[c] + (double)pixels * x->values[c]) / n;
        for (guint32 c = g * each; c < (g + 1) * each; c++) {
            double shift = x->values[c] - mean; /* sum of (v + shift)^2 */
            square += squares[c] + 2 * shift * sums[c] + (double)pixels * shift * shift;
        }
        statistics[2 * g] = (float)mean;
        statistics[2 * g + 1] = (float)(1 / sqrt(square / n + PEN_VAE_NORM_EPSILON));
    }
}

/* Rows of y, which x rows they are made from, and where they lie in what the plan makes. */
typedef struct {
    guint32 y0, y1, x0, x1, skip;
    gboolean at_top, at_bottom;
} Band;

static Band find_band(const PenVaeStage *stage, const Map *x, const Map *y, guint32 y0,
                      guint32 rows)
{
    Band band = { .y0 = y0, .y1 = MIN(y0 + rows, y->height) };
    band.at_top = band.y0 == 0;
    band.at_bottom = band.y1 == y->height;
    if (stage->down) { /* rows 2y to 2y + 2 */
        band.x0 = 2 * band.y0;
        band.x1 = band.at_bottom ? x->height : 2 * band.y1 + 1;
        return band;
    }
    guint32 above = band.y0 - !band.at_top, below = band.y1 + !band.at_bottom;
    band.x0 = stage->up ? above / 2 : above;
    band.x1 = stage->up ? (below + 1) / 2 : below;
    /* The convolution has no value for the first of the rows that it is given, but at the top. */
    guint32 first = (stage->up ? 2 * band.x0 : band.x0) + !band.at_top;
    band.skip = band.y0 - first;
    return band;
}

/* A stage at work. */
typedef struct {
    PenVaeCoder *coder;
    const PenVaeStage *stage;
    const Map *x, *residual;
    Map *y;
    float *statistics;
    PenPlan *plan; /* for bands like the last one */
    Band last;
    guint32 plan_rows; /* of y that the plan makes */
} Work;

static gboolean same_shape(const Band *a, const Band *b)
{
    return a->x1 - a->x0 == b->x1 - b->x0 && a->at_top == b->at_top &&
           a->at_bottom == b->at_bottom;
}

static gboolean plan_band(Work *w, const Band *band, GError **error)
{
    PenVaeCoder *coder = w->coder;
    if (w->plan && same_shape(band, &w->last))
        return TRUE;
    g_clear_pointer(&w->plan, pen_plan_free);
    PenGraph *graph =
        pen_vae_stage_new(&coder->config, coder->weights, w->stage, band->x1 - band->x0,
                          w->x->width, band->at_top, band->at_bottom, error);
    w->plan = graph ? pen_plan_new(coder->device, graph, error) : NULL;
    guint32 rows = band->x1 - band->x0;
    if (w->stage->down)
        w->plan_rows = band->y1 - band->y0;
    else
        w->plan_rows = (w->stage->up ? 2 * rows : rows) - !band->at_top - !band->at_bottom;
    w->last = *band;
    return w->plan != NULL;
}

static gboolean run_band(Work *w, const Band *band, GCancellable *cancellable, GError **error)
{
    if (!plan_band(w, band, error) ||
        !pen_weights_load(w->coder->weights, NULL, NULL, cancellable, error))
        return FALSE;
    pen_plan_write(w->plan, "x", w->x->values + band->x0 * map_row(w->x));
    if (w->statistics)
        pen_plan_write(w->plan, "statistics", w->statistics);
    if (w->stage->residual)
        pen_plan_write(w->plan, "residual", w->residual->values + band->y0 * map_row(w->residual));
    if (!pen_plan_run(w->plan, NULL, NULL, cancellable, error))
        return FALSE;
    gsize row = map_row(w->y);
    g_autofree float *made = g_new(float, w->plan_rows *row);
    pen_plan_read(w->plan, "y", made);
    memcpy(w->y->values + band->y0 * row, made + band->skip * row,
           (band->y1 - band->y0) * row * sizeof *made);
    return TRUE;
}

/* Even, so that a band of an enlarged picture begins at a whole row of the small one. */
static guint32 band_rows(const PenVaeCoder *coder, const PenVaeStage *stage, const Map *y)
{
    guint32 scale = stage->down ? 4 : 1; /* pixels of x for one of y */
    guint32 channels = MAX(MAX(stage->in * scale, stage->out), stage->residual);
    guint64 rows = coder->band_bytes / ((guint64)y->width * channels * sizeof(float));
    return (guint32)CLAMP(rows / 2 * 2, 4, MAX(y->height, 4));
}

typedef struct {
    PenPlanProgress progress;
    gpointer user_data;
    double done, part, total; /* operations: before, of the part at hand, of all */
} Course;

static void report(double fraction, gpointer user_data)
{
    const Course *course = user_data;
    if (course->progress)
        course->progress((course->done + fraction * course->part) / course->total,
                         course->user_data);
}

static gboolean run_stage(PenVaeCoder *coder, const PenVaeStage *stage, const Map *x,
                          const Map *residual, Map *y, Course *course, GCancellable *cancellable,
                          GError **error)
{
    if (!map_init(y, out_height(stage, x->height), out_height(stage, x->width), stage->out, error))
        return FALSE;
    g_autofree float *statistics = stage->norm ? g_new(float, 2 * coder->config.norm_groups) : NULL;
    if (statistics)
        measure(x, coder->config.norm_groups, statistics);
    Work work = { .coder = coder, .stage = stage, .x = x, .residual = residual, .y = y,
                  .statistics = statistics };
    guint32 rows = band_rows(coder, stage, y);
    gboolean ok = TRUE;
    for (guint32 y0 = 0; ok && y0 < y->height; y0 += rows) {
        Band band = find_band(stage, x, y, y0, rows);
        ok = run_band(&work, &band, cancellable, error);
        report((double)band.y1 / y->height, course);
    }
    pen_plan_free(work.plan);
    return ok;
}

/* --- all of them ---------------------------------------------------------------------------- */

/* From x, whose values it takes over, to y. */
static gboolean run_stages(PenVaeCoder *coder, Map *x, Map *y, Course *course,
                           GCancellable *cancellable, GError **error)
{
    Map before = { 0 };
    gboolean ok = TRUE;
    for (guint i = 0; ok && i < coder->stages->len; i++) {
        const PenVaeStage *stage = &g_array_index(coder->stages, PenVaeStage, i);
        const PenVaeStage *next = stage + 1;
        course->part = stage_flops(stage, x->height, x->width);
        ok = run_stage(coder, stage, x, &before, y, course, cancellable, error);
        course->done += course->part;
        g_free(before.values);
        /* Kept only while the next stage adds it. */
        if (i + 1 == coder->stages->len || !next->residual)
            g_clear_pointer(&x->values, g_free);
        before = *x;
        *x = *y;
    }
    g_free(before.values);
    if (!ok)
        g_clear_pointer(&x->values, g_free);
    return ok;
}

static gboolean run_middle(PenVaeCoder *coder, const char *in_name, const float *in,
                           const char *out_name, float *out, Course *course,
                           GCancellable *cancellable, GError **error)
{
    course->part = pen_plan_flops(coder->plan);
    pen_plan_write(coder->plan, in_name, in);
    gboolean ok = pen_weights_load(coder->weights, NULL, NULL, cancellable, error) &&
                  pen_plan_run(coder->plan, report, course, cancellable, error);
    if (ok)
        pen_plan_read(coder->plan, out_name, out);
    pen_plan_release(coder->plan);
    course->done += course->part;
    return ok;
}

static gboolean run_decoder(PenVaeCoder *coder, const float *in, float *out, Course *course,
                            GCancellable *cancellable, GError **error)
{
    Map x, y;
    if (!map_init(&x, coder->height, coder->width,
                  coder->config.channels[coder->config.levels - 1], error))
        return FALSE;
    if (!run_middle(coder, "latents", in, "x", x.values, course, cancellable, error)) {
        g_free(x.values);
        return FALSE;
    }
    if (!run_stages(coder, &x, &y, course, cancellable, error))
        return FALSE;
    memcpy(out, x.values, x.height * map_row(&x) * sizeof *out);
    g_free(x.values);
    return TRUE;
}

static gboolean run_encoder(PenVaeCoder *coder, const float *in, float *out, Course *course,
                            GCancellable *cancellable, GError **error)
{
    Map x, y;
    if (!map_init(&x, coder->height, coder->width, coder->config.in_channels, error))
        return FALSE;
    memcpy(x.values, in, x.height * map_row(&x) * sizeof *in);
    if (!run_stages(coder, &x, &y, course, cancellable, error))
        return FALSE;
    gboolean ok = run_middle(coder, "x", x.values, "moments", out, course, cancellable, error);
    g_free(x.values);
    return ok;
}

double pen_vae_coder_flops(const PenVaeCoder *coder)
{
    double sum = pen_plan_flops(coder->plan);
    guint32 height = coder->height, width = coder->width;
    for (guint i = 0; coder->stages && i < coder->stages->len; i++) {
        const PenVaeStage *stage = &g_array_index(coder->stages, PenVaeStage, i);
        sum += stage_flops(stage, height, width);
        height = out_height(stage, height);
        width = out_height(stage, width);
    }
    return sum;
}

gboolean pen_vae_coder_run(PenVaeCoder *coder, const float *in, float *out,
                           PenPlanProgress progress, gpointer user_data, GCancellable *cancellable,
                           GError **error)
{
    gboolean decoder = coder->side == PEN_VAE_DECODER;
    if (coder->stages) {
        Course course = { progress, user_data, 0, 0, pen_vae_coder_flops(coder) };
        return (decoder ? run_decoder : run_encoder)(coder, in, out, &course, cancellable, error);
    }
    if (!pen_weights_load(coder->weights, NULL, NULL, cancellable, error))
        return FALSE;
    pen_plan_write(coder->plan, decoder ? "latents" : "image", in);
    if (!pen_plan_run(coder->plan, progress, user_data, cancellable, error))
        return FALSE;
    pen_plan_read(coder->plan, decoder ? "image" : "moments", out);
    return TRUE;
}

/* --- whole or in bands ----------------------------------------------------------------------- */

/* The plan of the whole; NULL without an error where the device has not the memory or the bindings. */
static PenPlan *plan_whole(PenVaeCoder *coder, GError **error)
{
    PenGraph *graph =
        (coder->side == PEN_VAE_DECODER ? pen_vae_decoder_new : pen_vae_encoder_new)(
            &coder->config, coder->weights, 1, coder->height, coder->width, error);
    if (!graph)
        return NULL;
    g_autoptr(GError) inner = NULL;
    g_autoptr(PenPlan) plan = pen_plan_new(coder->device, graph, &inner);
    if (plan)
        return pen_plan_bytes(plan) <= pen_device_memory_left(coder->device)
                   ? g_steal_pointer(&plan)
                   : NULL;
    if (!g_error_matches(inner, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED))
        g_propagate_error(error, g_steal_pointer(&inner));
    return NULL;
}

static gboolean plan_bands(PenVaeCoder *coder, GError **error)
{
    gboolean decoder = coder->side == PEN_VAE_DECODER;
    guint32 factor = decoder ? 1 : pen_vae_config_factor(&coder->config);
    PenGraph *graph = pen_vae_middle_new(&coder->config, coder->weights, coder->side,
                                         coder->height / factor, coder->width / factor, error);
    coder->plan = graph ? pen_plan_new(coder->device, graph, error) : NULL;
    coder->stages = pen_vae_stages(&coder->config, coder->side);
    /* A stage's plan takes about five bands: x, the normalised x, y, and two for the transfers. */
    coder->band_bytes = CLAMP(pen_device_memory_left(coder->device) / 8, LEAST_BAND_BYTES,
                              BAND_BYTES);
    return coder->plan != NULL;
}

PenVaeCoder *pen_vae_coder_new(PenDevice *device, const PenVaeConfig *config, PenWeights *weights,
                               PenVaeSide side, guint32 height, guint32 width, GError **error)
{
    g_autoptr(PenVaeCoder) coder = g_new0(PenVaeCoder, 1);
    GError *inner = NULL;
    coder->device = pen_device_ref(device);
    coder->config = *config;
    coder->weights = pen_weights_ref(weights);
    coder->side = side;
    coder->height = height;
    coder->width = width;
    coder->plan = plan_whole(coder, &inner);
    if (inner) {
        g_propagate_error(error, inner);
        return NULL;
    }
    return coder->plan || plan_bands(coder, error) ? g_steal_pointer(&coder) : NULL;
}

void pen_vae_coder_free(PenVaeCoder *coder)
{
    if (!coder)
        return;
    pen_plan_free(coder->plan);
    g_clear_pointer(&coder->stages, g_array_unref);
    pen_weights_unref(coder->weights);
    pen_device_unref(coder->device);
    g_free(coder);
}

gboolean pen_vae_coder_in_bands(const PenVaeCoder *coder)
{
    return coder->stages != NULL;
}

PenPlan *pen_vae_coder_plan(PenVaeCoder *coder)
{
    return coder->stages ? NULL : coder->plan;
}
