// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <string.h>

#include "compute/parameter-private.h"
#include "compute/plan-private.h"

/* A run is cut into about so many command buffers, the grain of progress and cancelling. */
#define CHUNKS 128

double pen_dispatch_cost(const PenDispatch *dispatch)
{
    /* Kernels reach about ten operations a byte moved; the constant is a launch. */
    return dispatch->flops + 10 * dispatch->bytes + 2e5;
}

void pen_barrier(VkCommandBuffer commands, VkPipelineStageFlags from, VkAccessFlags from_access,
                 VkPipelineStageFlags to, VkAccessFlags to_access)
{
    VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = from_access,
        .dstAccessMask = to_access,
    };
    vkCmdPipelineBarrier(commands, from, to, 0, 1, &barrier, 0, NULL, 0, NULL);
}

gboolean pen_command_buffers(PenDevice *device, VkCommandBuffer *commands, guint n, GError **error)
{
    VkCommandBufferAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = device->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = n,
    };
    VkResult result = vkAllocateCommandBuffers(device->device, &allocate, commands);
    return result == VK_SUCCESS || pen_vulkan_fail(error, result, "vkAllocateCommandBuffers");
}

PenPipelineSource pen_dispatch_source(const PenDispatch *d)
{
    return (PenPipelineSource){
        .shader = d->shader,
        .spec = d->spec,
        .n_spec = d->n_spec,
        .n_bindings = d->n_bindings,
        .subgroup_size = d->subgroup_size,
    };
}

const PenPipeline *pen_plan_pipeline(PenPlan *plan, guint i, GError **error)
{
    PenPipelineSource source =
        pen_dispatch_source(&g_array_index(plan->dispatches, PenDispatch, i));
    return pen_device_pipeline(plan->device, &source, error);
}

static VkDescriptorBufferInfo buffer_of(PenPlan *plan, const PenTensor *t)
{
    if (!t) /* absent: bound so that the layout is whole, never read */
        return (VkDescriptorBufferInfo){plan->arena.buffer, 0, 64};
    if (t->kind == PEN_TENSOR_PARAMETER)
        return (VkDescriptorBufferInfo){t->parameter->buffer.buffer, 0, VK_WHOLE_SIZE};
    const PenInterval *interval = &plan->intervals[plan->root[t->id]->id];
    return (VkDescriptorBufferInfo){plan->arena.buffer, interval->offset, interval->size};
}

/* An absent operand is bound too, so that the layout is whole. The shader does not touch it, but
 * synchronisation validation takes it for touched: it shares the memory of one that is. */
static const PenTensor *bound_tensor(const PenDispatch *d, guint b)
{
    if (d->bindings[b].tensor)
        return d->bindings[b].tensor;
    for (guint i = 0; i < d->n_bindings; i++)
        if (d->bindings[i].tensor && d->bindings[i].access == d->bindings[b].access)
            return d->bindings[i].tensor;
    return NULL;
}

void pen_plan_record_dispatch(PenPlan *plan, VkCommandBuffer commands, guint i,
                              const PenPipeline *pipeline)
{
    const PenDispatch *d = &g_array_index(plan->dispatches, PenDispatch, i);
    VkDescriptorBufferInfo buffers[PEN_MAX_BINDINGS];
    VkWriteDescriptorSet writes[PEN_MAX_BINDINGS];
    for (guint b = 0; b < d->n_bindings; b++) {
        buffers[b] = buffer_of(plan, bound_tensor(d, b));
        writes[b] = (VkWriteDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstBinding = b,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .pBufferInfo = &buffers[b],
        };
    }
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline->pipeline);
    vkCmdPushDescriptorSetKHR(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline->layout, 0,
                              d->n_bindings, writes);
    guint8 push[PEN_MAX_PUSH];
    memcpy(push, d->push, sizeof push);
    for (guint b = 0; b < d->n_addresses; b++) {
        VkBufferDeviceAddressInfo of = {
            .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
            .buffer = buffers[b].buffer,
        };
        VkDeviceAddress address =
            vkGetBufferDeviceAddress(plan->device->device, &of) + buffers[b].offset;
        memcpy(push + d->address_push + 8 * b, &address, 8);
    }
    if (d->n_push)
        vkCmdPushConstants(commands, pipeline->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, d->n_push,
                           push);
    vkCmdDispatch(commands, d->groups[0], d->groups[1], d->groups[2]);
}

/* --- hazards: memory touched since the last barrier ---------------------------------------- */

typedef struct {
    guint64 begin, end;
    gboolean written;
} Touched;

/* Whether dispatch `d` must wait for what was touched; adds its own ranges to `mine`. */
static gboolean conflicts(PenPlan *plan, const PenDispatch *d, GArray *touched, GArray *mine)
{
    gboolean conflict = FALSE;
    g_array_set_size(mine, 0);
    for (guint b = 0; b < d->n_bindings; b++) {
        const PenTensor *t = d->bindings[b].tensor;
        if (!t || t->kind == PEN_TENSOR_PARAMETER)
            continue;
        const PenInterval *interval = &plan->intervals[plan->root[t->id]->id];
        Touched range = {
            interval->offset,
            interval->offset + interval->size,
            (d->bindings[b].access & PEN_ACCESS_WRITE) != 0,
        };
        g_array_append_val(mine, range);
        for (guint i = 0; i < touched->len && !conflict; i++) {
            const Touched *other = &g_array_index(touched, Touched, i);
            conflict = (range.written || other->written) && range.begin < other->end &&
                       other->begin < range.end;
        }
    }
    return conflict;
}

static void record_uploads(PenPlan *plan, VkCommandBuffer commands, gboolean late)
{
    if (late) /* the memory may have held what earlier dispatches used */
        pen_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                    VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT);
    for (guint i = 0; i < plan->inputs->len; i++) {
        const PenPort *port = &g_array_index(plan->inputs, PenPort, i);
        const PenInterval *to = &plan->intervals[plan->root[port->tensor->id]->id];
        if (port->tensor->late == late)
            vkCmdCopyBuffer(commands, plan->upload.buffer, plan->arena.buffer, 1,
                            &(VkBufferCopy){port->offset, to->offset, to->size});
    }
    pen_barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
}

static void record_downloads(PenPlan *plan, VkCommandBuffer commands, gboolean late)
{
    pen_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_READ_BIT);
    for (guint i = 0; i < plan->outputs->len; i++) {
        const PenPort *port = &g_array_index(plan->outputs, PenPort, i);
        const PenInterval *from = &plan->intervals[plan->root[port->tensor->id]->id];
        if (pen_plan_output_is_late(plan, port) == late)
            vkCmdCopyBuffer(commands, plan->arena.buffer, plan->download.buffer, 1,
                            &(VkBufferCopy){from->offset, port->offset, from->size});
    }
    pen_barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
}

/* Cuts the dispatches into command buffers of about equal cost, and before the late inputs: ends[i]
 * is one past the last. */
static guint cut(PenPlan *plan, guint *ends, double *costs)
{
    guint n_dispatches = plan->dispatches->len, n = 0;
    double total = 0, cost = 0;
    for (guint i = 0; i < n_dispatches; i++)
        total += pen_dispatch_cost(&g_array_index(plan->dispatches, PenDispatch, i));
    for (guint i = 0; i < n_dispatches; i++) {
        cost += pen_dispatch_cost(&g_array_index(plan->dispatches, PenDispatch, i));
        if (cost >= total / CHUNKS || i + 1 == n_dispatches || i + 1 == plan->late) {
            ends[n] = i + 1;
            costs[n++] = cost;
            cost = 0;
        }
    }
    return n;
}

gboolean pen_plan_record(PenPlan *plan, GError **error)
{
    guint n_dispatches = plan->dispatches->len;
    g_autofree guint *ends = g_new(guint, n_dispatches + 1);
    plan->costs = g_new(double, n_dispatches + 1);
    guint n = cut(plan, ends, plan->costs);
    if (n == 0) { /* nothing but copies */
        ends[0] = 0;
        plan->costs[0] = 1;
        n = 1;
    }
    plan->commands = g_new0(VkCommandBuffer, n);
    if (!pen_command_buffers(plan->device, plan->commands, n, error))
        return FALSE;
    plan->n_commands = n;

    g_autoptr(GArray) touched = g_array_new(FALSE, FALSE, sizeof(Touched));
    g_autoptr(GArray) mine = g_array_new(FALSE, FALSE, sizeof(Touched));
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    guint next = 0;
    for (guint c = 0; c < n; c++) {
        VkCommandBuffer commands = plan->commands[c];
        VkResult result = vkBeginCommandBuffer(commands, &begin);
        if (result != VK_SUCCESS)
            return pen_vulkan_fail(error, result, "vkBeginCommandBuffer");
        if (c == 0)
            record_uploads(plan, commands, FALSE);
        if (c > 0 && next == plan->late)
            record_uploads(plan, commands, TRUE);
        for (; next < ends[c]; next++) {
            const PenDispatch *d = &g_array_index(plan->dispatches, PenDispatch, next);
            const PenPipeline *pipeline = pen_plan_pipeline(plan, next, error);
            if (!pipeline)
                return FALSE;
            if (conflicts(plan, d, touched, mine)) {
                pen_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                            VK_ACCESS_SHADER_WRITE_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                            VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
                g_array_set_size(touched, 0);
            }
            g_array_append_vals(touched, mine->data, mine->len);
            pen_plan_record_dispatch(plan, commands, next, pipeline);
        }
        if (ends[c] == plan->late) {
            record_downloads(plan, commands, FALSE);
            plan->n_early = c + 1;
        } else if (c + 1 == n) {
            record_downloads(plan, commands, TRUE);
        }
        result = vkEndCommandBuffer(commands);
        if (result != VK_SUCCESS)
            return pen_vulkan_fail(error, result, "vkEndCommandBuffer");
    }
    return TRUE;
}
