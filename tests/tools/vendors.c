// SPDX-License-Identifier: GPL-3.0-or-later
/* ./dev vendors calls this once for each GPU compiler: it compiles every kernel of Stable Diffusion
 * 1.5 and SDXL on the device that is there, and prints what became of them. Nothing runs, and no
 * weight takes memory. The exit status is 1 when a kernel does not
 * compile, or on AMD, Intel or NVIDIA a hot one spills or a graph is too large. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compute/plan.h"
#include "src/models/runtime.h"
#include "src/models/vae.h"
#include "tests/tools/graphs.h"

#define HOTTEST 10

typedef struct {
    PenDevice *device;
    const PenArchitecture *model; /* that is looked at, and its weights */
    PenWeights *weights;
    GHashTable *kernels;
    guint left_out; /* graphs that the device cannot bind */
} Survey;

static void die(GError *error)
{
    fprintf(stderr, "vendors: %s\n", error->message);
    exit(1);
}

/* --- plans --------------------------------------------------------------------------------- */

/* FALSE, with a word, where the device cannot bind what the graph needs. */
static gboolean examine(Survey *s, const char *what, PenGraph *graph)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenPlan) plan = pen_plan_new(s->device, graph, &error);
    if (plan) {
        pen_plan_examine(plan, s->kernels);
        return TRUE;
    }
    if (!g_error_matches(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED))
        die(error);
    printf("no %s of %s: %s\n", what, s->model->name, error->message);
    s->left_out++;
    return FALSE;
}

/* Of the largest picture that the device can bind. */
static void examine_decoder(Survey *s)
{
    guint32 factor = pen_vae_config_factor(&s->model->vae), size = s->model->size;
    while (size >= factor && !examine(s, "decoder", graph_decoder(s->model, s->weights, size)))
        size /= 2;
}

/* --- what became of them ------------------------------------------------------------------- */

/* Drivers name their numbers as they like: the first that is there, or -1. */
static double number(const PenPlanKernel *k, const char *const *names)
{
    for (; *names; names++) {
        const double *value = g_hash_table_lookup(k->statistics, *names);
        if (value)
            return *value;
    }
    return -1;
}

static const char *const register_names[] = { "VGPRs",          "Number of GPRs",     "GPRs",
                                              "Registers used", "Max live registers", NULL };
/* Subgroups that a part of the GPU holds at once; invocations on Apple's. */
static const char *const occupancy_names[] = {
    "Subgroups per SIMD", "Max warps/SM",       "Threads",
    "Max Waves Per Core", "Max dispatch width", NULL
};
/* Whatever goes through memory: spills, and arrays that were not kept in registers. Bytes, or
 * stores. */
static const char *const spill_names[] = {
    "Scratch size", "SLM size", "Scratch", "STP Count", "Spill Count", "Scratch Memory Size", NULL
};

static double spills(const PenPlanKernel *k)
{
    return MAX(0, number(k, spill_names));
}

static gboolean is_hot(const PenPlanKernel *k)
{
    return g_str_has_prefix(k->name, "matmul") || g_str_has_prefix(k->name, "attention");
}

static int by_flops(gconstpointer a, gconstpointer b)
{
    double x = (*(PenPlanKernel *const *)a)->flops, y = (*(PenPlanKernel *const *)b)->flops;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* TRUE if all is well. */
static gboolean report(Survey *s)
{
    g_autoptr(GPtrArray) list = g_hash_table_get_values_as_ptr_array(s->kernels);
    const PenDeviceInfo *info = pen_device_info(s->device);
    guint failures = 0, spilling = 0, hot = 0;
    double total = 0;
    g_ptr_array_sort(list, by_flops);
    for (guint i = 0; i < list->len; i++) {
        const PenPlanKernel *k = list->pdata[i];
        total += k->flops;
        failures += k->error != NULL;
        spilling += spills(k) > 0;
        hot += spills(k) > 0 && is_hot(k);
    }
    printf("%s, %s: %u pipelines, %u failures, %u spilling, %u of them hot\n", info->name,
           pen_runtime_preferred_dtype(info) == PEN_DTYPE_F16 ? "f16" : "f32", list->len, failures,
           spilling, hot);
    printf("  %6s %5s %9s %9s %6s  %s\n", "FLOPs", "count", "registers", "occupancy", "spills",
           "kernel, its costliest use");
    for (guint i = 0; i < list->len; i++) {
        const PenPlanKernel *k = list->pdata[i];
        if (i < HOTTEST || k->error || spills(k) > 0)
            printf("  %4.1f %% %5u %9.0f %9.0f %6.0f  %s, %s%s%s\n", 100 * k->flops / total,
                   k->count, number(k, register_names), number(k, occupancy_names), spills(k),
                   k->name, k->label, k->error ? ": " : "", k->error ? k->error->message : "");
    }
    gboolean checked =
        info->vendor_id == 0x1002 || info->vendor_id == 0x10de || info->vendor_id == 0x8086;
    return failures == 0 && (!checked || hot + s->left_out == 0);
}

int main(void)
{
    g_autoptr(GError) error = NULL;
    Survey s = {
        .device = pen_device_open(NULL, &error),
        .kernels = pen_plan_kernels_new(),
    };
    if (!s.device)
        die(error);
    static const char *const models[] = { "sd15", "sdxl" };
    for (guint m = 0; m < G_N_ELEMENTS(models); m++) {
        s.model = pen_architecture_find(models[m]);
        s.weights =
            pen_weights_new_random(NULL, pen_runtime_preferred_dtype(pen_device_info(s.device)), 1);
        for (guint i = 0; i < s.model->n_encoders; i++)
            examine(&s, "text encoder", graph_text(s.model, s.weights, i));
        examine(&s, "UNet", graph_unet(s.model, s.weights, FALSE));
        examine(&s, "gradient of the UNet", graph_unet(s.model, s.weights, TRUE));
        examine_decoder(&s);
        pen_weights_unref(s.weights);
    }
    gboolean good = report(&s);
    g_hash_table_unref(s.kernels);
    pen_device_unref(s.device);
    return good ? 0 : 1;
}
