// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "compute/plan-private.h"

#include <string.h>

/* Submissions under way at once: while one is waited for the device works on the other. */
#define IN_FLIGHT 2
/* Shorter runs need not be cut. */
#define LONG_SECONDS (10 * PEN_CHUNK_SECONDS)

/* Command buffers first … first+n-1. */
typedef struct {
    VkFence fence;
    guint first, n;
    double cost;
} Submission;

static gboolean submit(PenPlan *plan, guint first, guint n, Submission *submission, GError **error)
{
    VkFenceCreateInfo create = { .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO };
    *submission = (Submission){ .first = first, .n = n };
    VkResult result = vkCreateFence(plan->device->device, &create, NULL, &submission->fence);
    if (result != VK_SUCCESS)
        return pen_vulkan_fail(error, result, "vkCreateFence");
    for (guint i = 0; i < n; i++)
        submission->cost += plan->costs[first + i];
    VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = n,
        .pCommandBuffers = plan->commands + first,
    };
    result = vkQueueSubmit(plan->device->queue, 1, &info, submission->fence);
    if (result != VK_SUCCESS) {
        vkDestroyFence(plan->device->device, submission->fence, NULL);
        return pen_vulkan_fail(error, result, "vkQueueSubmit");
    }
    return TRUE;
}

static gboolean await(PenPlan *plan, Submission *submission, GError **error)
{
    VkResult result =
        vkWaitForFences(plan->device->device, 1, &submission->fence, VK_TRUE, UINT64_MAX);
    vkDestroyFence(plan->device->device, submission->fence, NULL);
    return result == VK_SUCCESS || pen_vulkan_fail(error, result, "vkWaitForFences");
}

/* How long command buffer `i` takes: as before, or by its cost. */
static double expected_seconds(const PenPlan *plan, guint i)
{
    return plan->seconds[i] > 0 ? plan->seconds[i] : plan->costs[i] / plan->cost_rate;
}

/* How many command buffers from `first` on make a chunk. The first submission of a plan, whose
 * speed is unknown, is small. */
static guint chunk(const PenPlan *plan, guint first, guint end)
{
    if (plan->cost_rate <= 0)
        return 1;
    double seconds = expected_seconds(plan, first);
    guint n = 1;
    while (first + n < end && (seconds += expected_seconds(plan, first + n)) <= PEN_CHUNK_SECONDS)
        n++;
    return n;
}

/* Learns from a finished submission how long its command buffers take. */
static void learn(PenPlan *plan, const Submission *submission, double seconds)
{
    double expected = 0;
    plan->cost_rate = submission->cost / seconds;
    for (guint i = 0; i < submission->n; i++)
        expected += expected_seconds(plan, submission->first + i);
    for (guint i = submission->first; i < submission->first + submission->n; i++)
        plan->seconds[i] = expected_seconds(plan, i) * seconds / expected;
    plan->longest = MAX(plan->longest, seconds);
}

/* Runs the command buffers first … end-1. */
static gboolean run_range(PenPlan *plan, guint first, guint end, PenPlanProgress progress,
                          gpointer user_data, GCancellable *cancellable, GError **error)
{
    Submission flight[IN_FLIGHT];
    guint in_flight = 0, next = first;
    double total = 0, before = 0, done = 0;
    for (guint i = 0; i < plan->n_commands; i++) {
        total += plan->costs[i];
        if (i < first)
            before += plan->costs[i];
    }

    gboolean ok = TRUE;
    gint64 begin = g_get_monotonic_time(), since = begin;
    while (in_flight || (ok && next < end)) {
        if (ok && g_cancellable_set_error_if_cancelled(cancellable, error))
            ok = FALSE;
        while (ok && next < end && in_flight < IN_FLIGHT) {
            guint n = chunk(plan, next, end);
            ok = submit(plan, next, n, &flight[in_flight], error);
            next += n;
            in_flight += ok;
        }
        if (!in_flight)
            break;
        /* After a failure the rest in flight is only waited for: one error is enough. */
        gboolean finished = await(plan, &flight[0], ok ? error : NULL);
        gint64 now = g_get_monotonic_time();
        learn(plan, &flight[0], (double)MAX(now - since, 1) / G_USEC_PER_SEC);
        since = now;
        done += flight[0].cost;
        memmove(flight, flight + 1, (--in_flight) * sizeof *flight);
        ok = ok && finished;
        if (ok && progress)
            progress(MIN((before + done) / total, 1), user_data); /* sums are rounded */
    }
    /* Of the device's speed only long runs tell: short ones are mostly launches, and parts cut by
     * their rate would be tiny. Some drivers compile a pipeline when it is first used. */
    double seconds = (double)(since - begin) / G_USEC_PER_SEC;
    if (ok && plan->warm && seconds > LONG_SECONDS)
        plan->device->cost_rate = done / seconds;
    return ok;
}

/* So that the host sees what the device wrote. */
static gboolean invalidate_outputs(PenPlan *plan, GError **error)
{
    VkResult result = vmaInvalidateAllocation(plan->device->allocator, plan->download.allocation, 0,
                                              VK_WHOLE_SIZE);
    return result == VK_SUCCESS || pen_vulkan_fail(error, result, "vmaInvalidateAllocation");
}

gboolean pen_plan_run(PenPlan *plan, PenPlanProgress progress, gpointer user_data,
                      GCancellable *cancellable, GError **error)
{
    if (!pen_plan_allocate(plan, error) || !pen_plan_stage_inputs(plan, FALSE, error))
        return FALSE;
    /* On a device much slower than presumed the parts are too long. */
    if (plan->device->cost_rate > 0 && plan->recorded_rate > 2 * plan->device->cost_rate &&
        !pen_plan_record(plan, error)) {
        pen_plan_release(plan); /* what is half recorded must never run */
        return FALSE;
    }
    plan->longest = 0;
    gboolean ok = run_range(plan, 0, plan->n_early, progress, user_data, cancellable, error) &&
                  invalidate_outputs(plan, error);
    plan->warm |= ok && !pen_plan_has_late_inputs(plan);
    return ok;
}

gboolean pen_plan_finish(PenPlan *plan, PenPlanProgress progress, gpointer user_data,
                         GCancellable *cancellable, GError **error)
{
    g_return_val_if_fail(plan->allocated, FALSE);
    gboolean ok =
        pen_plan_stage_inputs(plan, TRUE, error) &&
        run_range(plan, plan->n_early, plan->n_commands, progress, user_data, cancellable, error) &&
        invalidate_outputs(plan, error);
    plan->warm |= ok;
    return ok;
}

double pen_plan_longest_submission(const PenPlan *plan)
{
    return plan->longest;
}

/* --- profile --------------------------------------------------------------------------------- */

void pen_plan_profile_row_free(PenPlanProfileRow *row)
{
    if (!row)
        return;
    g_free(row->label);
    g_free(row->kernel);
    g_free(row);
}

static int slowest_first(gconstpointer a, gconstpointer b)
{
    const PenPlanProfileRow *x = *(PenPlanProfileRow *const *)a,
                            *y = *(PenPlanProfileRow *const *)b;
    return x->seconds < y->seconds ? 1 : x->seconds > y->seconds ? -1 : 0;
}

/* Records dispatch i alone between two timestamps, submits and waits. */
static gboolean time_dispatch(PenPlan *plan, VkCommandBuffer commands, VkQueryPool queries, guint i,
                              double *seconds, GError **error)
{
    PenDevice *device = plan->device;
    const PenPipeline *pipeline = pen_plan_pipeline(plan, i, error);
    if (!pipeline)
        return FALSE;
    VkCommandBufferBeginInfo begin = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    VkResult result = vkBeginCommandBuffer(commands, &begin);
    if (result != VK_SUCCESS)
        return pen_vulkan_fail(error, result, "vkBeginCommandBuffer");
    vkCmdResetQueryPool(commands, queries, 0, 2);
    vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, queries, 0);
    pen_plan_record_dispatch(plan, commands, i, 0, PEN_ALL_GROUPS, pipeline);
    vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, queries, 1);
    result = vkEndCommandBuffer(commands);
    if (result != VK_SUCCESS)
        return pen_vulkan_fail(error, result, "vkEndCommandBuffer");
    VkSubmitInfo submit_info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &commands,
    };
    result = vkQueueSubmit(device->queue, 1, &submit_info, VK_NULL_HANDLE);
    if (result == VK_SUCCESS)
        result = vkQueueWaitIdle(device->queue);
    guint64 ticks[2] = { 0, 0 };
    if (result == VK_SUCCESS)
        result =
            vkGetQueryPoolResults(device->device, queries, 0, 2, sizeof ticks, ticks, sizeof *ticks,
                                  VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
    if (result != VK_SUCCESS)
        return pen_vulkan_fail(error, result, "vkGetQueryPoolResults");
    *seconds = (double)(ticks[1] - ticks[0]) * device->timestamp_period * 1e-9;
    return TRUE;
}

GPtrArray *pen_plan_profile(PenPlan *plan, GError **error)
{
    PenDevice *device = plan->device;
    if (device->timestamp_period <= 0) {
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED, "%s has no timestamps",
                    device->info->name);
        return NULL;
    }
    /* A whole run first: it uploads the inputs and compiles what is compiled lazily. */
    if (!pen_plan_run(plan, NULL, NULL, NULL, error) ||
        (pen_plan_has_late_inputs(plan) && !pen_plan_finish(plan, NULL, NULL, NULL, error)))
        return NULL;
    VkQueryPoolCreateInfo create = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
        .queryType = VK_QUERY_TYPE_TIMESTAMP,
        .queryCount = 2,
    };
    VkQueryPool queries;
    VkResult result = vkCreateQueryPool(device->device, &create, NULL, &queries);
    if (result != VK_SUCCESS) {
        pen_vulkan_fail(error, result, "vkCreateQueryPool");
        return NULL;
    }
    g_autoptr(GPtrArray) rows =
        g_ptr_array_new_with_free_func((GDestroyNotify)pen_plan_profile_row_free);
    g_autoptr(GHashTable) by_label = g_hash_table_new(g_str_hash, g_str_equal);
    gboolean ok = TRUE;
    for (guint i = 0; ok && i < plan->dispatches->len; i++) {
        const PenDispatch *d = &g_array_index(plan->dispatches, PenDispatch, i);
        VkCommandBuffer commands;
        double seconds = 0;
        ok = pen_command_buffers(device, &commands, 1, error);
        if (!ok)
            break;
        ok = time_dispatch(plan, commands, queries, i, &seconds, error);
        vkFreeCommandBuffers(device->device, device->pool, 1, &commands);
        PenPlanProfileRow *row = g_hash_table_lookup(by_label, d->label);
        if (!row) {
            row = g_new0(PenPlanProfileRow, 1);
            PenPipelineSource source = pen_dispatch_source(d);
            row->label = g_strdup(d->label);
            row->kernel = pen_pipeline_key(&source);
            g_ptr_array_add(rows, row);
            g_hash_table_insert(by_label, row->label, row);
        }
        row->count++;
        row->seconds += seconds;
        row->flops += d->flops;
        row->bytes += d->bytes;
    }
    vkDestroyQueryPool(device->device, queries, NULL);
    if (!ok)
        return NULL;
    g_ptr_array_sort(rows, slowest_first);
    return g_steal_pointer(&rows);
}
