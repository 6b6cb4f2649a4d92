// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <math.h>
#include <string.h>

#include "compute/parameter-private.h"
#include "compute/plan-private.h"

/* A run is cut into about so many command buffers, the grain of progress and cancelling. */
#define CHUNKS 128
/* A dispatch that takes longer is cut: a submission is no shorter than its longest part, and the
 * cost of some kernels is underestimated. */
#define PART_SECONDS (0.3 * PEN_CHUNK_SECONDS)

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

static const PenInterval *interval_of(const PenPlan *plan, const PenTensor *t)
{
    return &plan->intervals[plan->root[t->id]->id];
}

static VkDescriptorBufferInfo buffer_of(const PenPlan *plan, const PenTensor *t)
{
    if (!t) /* absent: bound so that the layout is whole, never read */
        return (VkDescriptorBufferInfo){ plan->pieces[0].buffer, 0, 64 };
    if (t->kind == PEN_TENSOR_PARAMETER)
        return (VkDescriptorBufferInfo){ t->parameter->buffer.buffer, 0, VK_WHOLE_SIZE };
    const PenInterval *interval = interval_of(plan, t);
    guint64 within;
    const PenBuffer *piece = pen_plan_piece(plan, interval->offset, &within);
    return (VkDescriptorBufferInfo){ piece->buffer, within, interval->size };
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

static void describe(const PenPlan *plan, guint i)
{
    const PenDispatch *d = &g_array_index(plan->dispatches, PenDispatch, i);
    VkDescriptorBufferInfo buffers[PEN_MAX_BINDINGS];
    VkWriteDescriptorSet writes[PEN_MAX_BINDINGS];
    for (guint b = 0; b < d->n_bindings; b++) {
        buffers[b] = buffer_of(plan, bound_tensor(d, b));
        writes[b] = (VkWriteDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = plan->sets[i],
            .dstBinding = b,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .pBufferInfo = &buffers[b],
        };
    }
    vkUpdateDescriptorSets(plan->device->device, d->n_bindings, writes, 0, NULL);
}

gboolean pen_plan_describe(PenPlan *plan, GError **error)
{
    guint n = plan->dispatches->len, n_buffers = 0;
    if (!n)
        return TRUE;
    g_autofree VkDescriptorSetLayout *layouts = g_new(VkDescriptorSetLayout, n);
    for (guint i = 0; i < n; i++) {
        guint bindings = g_array_index(plan->dispatches, PenDispatch, i).n_bindings;
        layouts[i] = pen_device_set_layout(plan->device, bindings, error);
        if (!layouts[i])
            return FALSE;
        n_buffers += bindings;
    }
    VkDescriptorPoolSize size = { VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, n_buffers };
    VkDescriptorPoolCreateInfo create = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
        .maxSets = n,
        .poolSizeCount = 1,
        .pPoolSizes = &size,
    };
    VkResult result =
        vkCreateDescriptorPool(plan->device->device, &create, NULL, &plan->descriptors);
    if (result != VK_SUCCESS)
        return pen_vulkan_fail(error, result, "vkCreateDescriptorPool");
    VkDescriptorSetAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .descriptorPool = plan->descriptors,
        .descriptorSetCount = n,
        .pSetLayouts = layouts,
    };
    plan->sets = g_new0(VkDescriptorSet, n);
    result = vkAllocateDescriptorSets(plan->device->device, &allocate, plan->sets);
    if (result != VK_SUCCESS)
        return pen_vulkan_fail(error, result, "vkAllocateDescriptorSets");
    for (guint i = 0; i < n; i++)
        describe(plan, i);
    return TRUE;
}

/* The dimension along which a dispatch can be cut: kernels number their workgroups with
 * PEN_GROUP_INDEX (shaders/common.glsl), for which a cut must leave rows of groups whole. */
static guint cut_dimension(const PenDispatch *d)
{
    return d->groups[1] > 1 ? 1 : 0;
}

void pen_plan_record_dispatch(PenPlan *plan, VkCommandBuffer commands, guint i, guint32 first,
                              guint32 n_groups, const PenPipeline *pipeline)
{
    const PenDispatch *d = &g_array_index(plan->dispatches, PenDispatch, i);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline->pipeline);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline->layout, 0, 1,
                            &plan->sets[i], 0, NULL);
    guint8 push[PEN_MAX_PUSH];
    memcpy(push, d->push, sizeof push);
    for (guint b = 0; b < d->n_addresses; b++) {
        VkDescriptorBufferInfo buffer = buffer_of(plan, bound_tensor(d, b));
        VkBufferDeviceAddressInfo of = {
            .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
            .buffer = buffer.buffer,
        };
        VkDeviceAddress address =
            vkGetBufferDeviceAddress(plan->device->device, &of) + buffer.offset;
        memcpy(push + d->address_push + 8 * b, &address, 8);
    }
    if (d->n_push)
        vkCmdPushConstants(commands, pipeline->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, d->n_push,
                           push);
    guint32 base[3] = { 0, 0, 0 }, groups[3] = { d->groups[0], d->groups[1], d->groups[2] };
    if (n_groups != PEN_ALL_GROUPS) {
        base[cut_dimension(d)] = first;
        groups[cut_dimension(d)] = n_groups;
    }
    vkCmdDispatchBase(commands, base[0], base[1], base[2], groups[0], groups[1], groups[2]);
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
        const PenInterval *interval = interval_of(plan, t);
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
        VkDescriptorBufferInfo to = buffer_of(plan, port->tensor);
        if (port->tensor->late == late)
            vkCmdCopyBuffer(commands, plan->upload.buffer, to.buffer, 1,
                            &(VkBufferCopy){ port->offset, to.offset, to.range });
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
        VkDescriptorBufferInfo from = buffer_of(plan, port->tensor);
        if (pen_plan_output_is_late(plan, port) == late)
            vkCmdCopyBuffer(commands, from.buffer, plan->download.buffer, 1,
                            &(VkBufferCopy){ from.offset, port->offset, from.range });
    }
    pen_barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
}

/* Workgroups of a dispatch, and where a command buffer ends. */
typedef struct {
    guint dispatch;
    guint32 first, n_groups;
    double cost;
    gboolean last; /* of its command buffer */
} Part;

/* Cost a second to go by before any was measured. */
static double presumed_rate(const PenDevice *device)
{
    switch (device->info->kind) {
    case PEN_DEVICE_DISCRETE:
        return 3e12;
    case PEN_DEVICE_SOFTWARE:
        return 4e10;
    default:
        return 3e11;
    }
}

/* The dispatches in parts, and which of them is the first after the late inputs (their number if
 * none is). */
static GArray *cut_dispatches(const PenPlan *plan, guint *late)
{
    GArray *parts = g_array_new(FALSE, FALSE, sizeof(Part));
    double most = plan->recorded_rate * PART_SECONDS;
    for (guint i = 0; i < plan->dispatches->len; i++) {
        const PenDispatch *d = &g_array_index(plan->dispatches, PenDispatch, i);
        double cost = pen_dispatch_cost(d);
        guint32 groups = d->groups[cut_dimension(d)];
        guint32 n = (guint32)CLAMP(ceil(cost / most), 1, groups), first = 0;
        if (i == plan->late)
            *late = parts->len;
        for (guint32 p = 1; p <= n; p++) {
            guint32 end = (guint32)((guint64)groups * p / n);
            Part part = { i, first, end - first, cost * (end - first) / groups, FALSE };
            g_array_append_val(parts, part);
            first = end;
        }
    }
    if (plan->late == plan->dispatches->len)
        *late = parts->len;
    return parts;
}

/* Puts the parts into command buffers of about equal cost, cut before the late inputs. Returns
 * their number. */
static guint cut_commands(const PenPlan *plan, GArray *parts, guint late)
{
    double total = 0, cost = 0;
    guint n = 0;
    for (guint i = 0; i < parts->len; i++)
        total += g_array_index(parts, Part, i).cost;
    double enough = MIN(total / CHUNKS, plan->recorded_rate * PART_SECONDS);
    for (guint i = 0; i < parts->len; i++) {
        Part *part = &g_array_index(parts, Part, i);
        cost += part->cost;
        part->last = cost >= enough || i + 1 == late || i + 1 == parts->len;
        if (part->last) {
            n++;
            cost = 0;
        }
    }
    return n;
}

void pen_plan_clear_commands(PenPlan *plan)
{
    if (plan->n_commands)
        vkFreeCommandBuffers(plan->device->device, plan->device->pool, plan->n_commands,
                             plan->commands);
    plan->n_commands = 0;
    g_clear_pointer(&plan->commands, g_free);
    g_clear_pointer(&plan->costs, g_free);
    g_clear_pointer(&plan->seconds, g_free);
}

static gboolean record_part(PenPlan *plan, VkCommandBuffer commands, const Part *part,
                            GArray *touched, GArray *mine, GError **error)
{
    const PenDispatch *d = &g_array_index(plan->dispatches, PenDispatch, part->dispatch);
    const PenPipeline *pipeline = pen_plan_pipeline(plan, part->dispatch, error);
    if (!pipeline)
        return FALSE;
    /* Parts of one dispatch need no barrier between them, but get one: synchronisation validation
     * sees whole tensors, and they are long enough for it not to matter. */
    if (conflicts(plan, d, touched, mine)) {
        pen_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                    VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                    VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
        g_array_set_size(touched, 0);
    }
    g_array_append_vals(touched, mine->data, mine->len);
    pen_plan_record_dispatch(plan, commands, part->dispatch, part->first, part->n_groups, pipeline);
    return TRUE;
}

gboolean pen_plan_record(PenPlan *plan, GError **error)
{
    PenDevice *device = plan->device;
    guint late = 0, next = 0;
    pen_plan_clear_commands(plan);
    plan->recorded_rate = device->cost_rate > 0 ? device->cost_rate : presumed_rate(device);
    g_autoptr(GArray) parts = cut_dispatches(plan, &late);
    guint n = MAX(cut_commands(plan, parts, late), 1); /* a plan may have nothing but copies */
    plan->commands = g_new0(VkCommandBuffer, n);
    plan->costs = g_new0(double, n);
    plan->seconds = g_new0(double, n);
    if (!pen_command_buffers(device, plan->commands, n, error))
        return FALSE;
    plan->n_commands = n;

    g_autoptr(GArray) touched = g_array_new(FALSE, FALSE, sizeof(Touched));
    g_autoptr(GArray) mine = g_array_new(FALSE, FALSE, sizeof(Touched));
    VkCommandBufferBeginInfo begin = { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO };
    for (guint c = 0; c < n; c++) {
        VkCommandBuffer commands = plan->commands[c];
        VkResult result = vkBeginCommandBuffer(commands, &begin);
        if (result != VK_SUCCESS)
            return pen_vulkan_fail(error, result, "vkBeginCommandBuffer");
        if (c == 0)
            record_uploads(plan, commands, FALSE);
        else if (next == late)
            record_uploads(plan, commands, TRUE);
        for (gboolean last = parts->len == 0; !last; next++) {
            const Part *part = &g_array_index(parts, Part, next);
            if (!record_part(plan, commands, part, touched, mine, error))
                return FALSE;
            plan->costs[c] += part->cost;
            last = part->last;
        }
        if (next == late) {
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
