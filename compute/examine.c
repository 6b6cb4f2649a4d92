// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "compute/plan-private.h"

static void kernel_free(gpointer data)
{
    PenPlanKernel *kernel = data;

    g_free(kernel->name);
    g_free(kernel->label);
    g_hash_table_unref(kernel->statistics);
    g_clear_error(&kernel->error);
    g_free(kernel);
}

GHashTable *pen_plan_kernels_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, NULL, kernel_free);
}

static double statistic_value(const VkPipelineExecutableStatisticKHR *s)
{
    switch (s->format) {
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR: return s->value.b32;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR: return (double)s->value.i64;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR: return (double)s->value.u64;
    default: return s->value.f64;
    }
}

/* A compute pipeline is one executable. */
static void read_statistics(PenDevice *device, VkPipeline pipeline, GHashTable *statistics)
{
    VkPipelineExecutableInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
        .pipeline = pipeline,
    };
    guint32 n = 0;
    if (vkGetPipelineExecutableStatisticsKHR(device->device, &info, &n, NULL) != VK_SUCCESS)
        return;
    g_autofree VkPipelineExecutableStatisticKHR *list =
        g_new0(VkPipelineExecutableStatisticKHR, n + 1);
    for (guint32 i = 0; i < n; i++)
        list[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
    if (vkGetPipelineExecutableStatisticsKHR(device->device, &info, &n, list) != VK_SUCCESS)
        return;
    for (guint32 i = 0; i < n; i++) {
        double value = statistic_value(&list[i]);
        g_hash_table_insert(statistics, g_strdup(list[i].name), g_memdup2(&value, sizeof value));
    }
}

static PenPlanKernel *compile(PenDevice *device, const PenPipelineSource *source, char *name)
{
    PenPlanKernel *kernel = g_new0(PenPlanKernel, 1);
    kernel->name = name;
    kernel->statistics = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    VkPipelineCreateFlags flags =
        device->has_statistics ? VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR : 0;
    PenPipeline made;
    if (pen_device_compile(device, source, flags, &made, &kernel->error)) {
        if (device->has_statistics)
            read_statistics(device, made.pipeline, kernel->statistics);
        vkDestroyPipeline(device->device, made.pipeline, NULL);
    }
    return kernel;
}

void pen_plan_examine(PenPlan *plan, GHashTable *kernels)
{
    for (guint i = 0; i < plan->dispatches->len; i++) {
        const PenDispatch *d = &g_array_index(plan->dispatches, PenDispatch, i);
        PenPipelineSource source = pen_dispatch_source(d);
        g_autofree char *name = pen_pipeline_key(&source);
        PenPlanKernel *kernel = g_hash_table_lookup(kernels, name);
        if (!kernel) {
            kernel = compile(plan->device, &source, g_steal_pointer(&name));
            g_hash_table_insert(kernels, kernel->name, kernel);
        }
        kernel->count++;
        kernel->flops += d->flops;
        if (!kernel->label || d->flops > kernel->most_flops) {
            g_free(kernel->label);
            kernel->label = g_strdup(d->label);
            kernel->most_flops = d->flops;
        }
    }
}
