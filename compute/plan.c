// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "compute/plan-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "compute/half.h"
#include "compute/parameter.h"

static void lower_node(PenLowering *l)
{
    switch (l->node->op) {
    case PEN_OP_LINEAR:
    case PEN_OP_LINEAR_INPUT:
    case PEN_OP_LINEAR_WEIGHT:
    case PEN_OP_CONV2D:
    case PEN_OP_CONV2D_INPUT:
        pen_lower_matmul(l);
        break;
    case PEN_OP_GROUP_NORM:
    case PEN_OP_CHANNEL_STATISTICS:
    case PEN_OP_GROUP_NORM_GRAD:
    case PEN_OP_LAYER_NORM:
    case PEN_OP_LAYER_NORM_GRAD:
        pen_lower_norm(l);
        break;
    case PEN_OP_ATTENTION:
    case PEN_OP_ATTENTION_GRAD:
        pen_lower_attention(l);
        break;
    case PEN_OP_RESHAPE:
        break;
    default:
        pen_lower_elementwise(l);
    }
}

static void lower(PenPlan *plan)
{
    PenLowering l = {
        .device = plan->device->info,
        .graph = plan->graph,
        .dispatches = plan->dispatches,
    };
    for (guint i = 0; i < plan->graph->nodes->len; i++) {
        l.node = plan->graph->nodes->pdata[i];
        lower_node(&l);
    }
}

static guint64 tensor_bytes(const PenTensor *t)
{
    return pen_shape_elements(t->shape) * pen_dtype_size(t->dtype);
}

static void touch(PenPlan *plan, const PenTensor *t, guint step)
{
    if (t->kind == PEN_TENSOR_PARAMETER)
        return;
    const PenTensor *root = plan->root[t->id];
    PenInterval *interval = &plan->intervals[root->id];
    if (!interval->size) {
        interval->size = tensor_bytes(root);
        interval->first = step;
    }
    interval->first = MIN(interval->first, step);
    interval->last = MAX(interval->last, step);
}

static gboolean reads_late_input(PenPlan *plan, const PenDispatch *d)
{
    for (guint b = 0; b < d->n_bindings; b++)
        if (d->bindings[b].tensor && plan->root[d->bindings[b].tensor->id]->late)
            return TRUE;
    return FALSE;
}

/* Steps: 0 uploads the inputs, 1+i is dispatch i (before it, late inputs come in and early outputs
 * are read), the last downloads the outputs. */
static void find_lifetimes(PenPlan *plan)
{
    GPtrArray *tensors = plan->graph->tensors;
    plan->n_tensors = tensors->len;
    plan->root = g_new0(PenTensor *, tensors->len);
    plan->intervals = g_new0(PenInterval, tensors->len);
    for (guint i = 0; i < tensors->len; i++) {
        PenTensor *t = tensors->pdata[i];
        plan->root[i] = t;
        if (t->kind == PEN_TENSOR_COMPUTED && t->producer->op == PEN_OP_RESHAPE)
            plan->root[i] = plan->root[t->producer->in[0]->id];
    }
    plan->late = plan->dispatches->len;
    for (guint i = plan->dispatches->len; i-- > 0;)
        if (reads_late_input(plan, &g_array_index(plan->dispatches, PenDispatch, i)))
            plan->late = i;
    for (guint i = 0; i < plan->inputs->len; i++) {
        PenTensor *t = g_array_index(plan->inputs, PenPort, i).tensor;
        if (plan->late == 0) /* nothing comes before: an ordinary input */
            t->late = FALSE;
        touch(plan, t, t->late ? 1 + plan->late : 0);
    }
    if (plan->late == 0)
        plan->late = plan->dispatches->len;
    for (guint i = 0; i < plan->dispatches->len; i++) {
        const PenDispatch *d = &g_array_index(plan->dispatches, PenDispatch, i);
        for (guint b = 0; b < d->n_bindings; b++)
            if (d->bindings[b].tensor)
                touch(plan, d->bindings[b].tensor, 1 + i);
    }
    for (guint i = 0; i < plan->outputs->len; i++) {
        const PenPort *port = &g_array_index(plan->outputs, PenPort, i);
        gboolean late = pen_plan_output_is_late(plan, port);
        touch(plan, port->tensor, 1 + (late ? plan->dispatches->len : plan->late));
    }
}

gboolean pen_plan_output_is_late(const PenPlan *plan, const PenPort *port)
{
    return plan->intervals[plan->root[port->tensor->id]->id].first > plan->late;
}

gboolean pen_plan_has_late_inputs(const PenPlan *plan)
{
    return plan->late < plan->dispatches->len;
}

static void pack_arena(PenPlan *plan)
{
    g_autofree PenInterval *used = g_new0(PenInterval, plan->n_tensors);
    g_autofree guint *ids = g_new0(guint, plan->n_tensors);
    guint n = 0;
    for (guint i = 0; i < plan->n_tensors; i++)
        if (plan->intervals[i].size) {
            ids[n] = i;
            used[n++] = plan->intervals[i];
        }
    guint64 alignment = plan->device->binding_alignment;
    plan->piece_bytes = plan->device->info->max_allocation / alignment * alignment;
    plan->arena_bytes = pen_arena_pack(used, n, alignment, plan->piece_bytes);
    plan->n_pieces = (guint)MAX(pen_groups(plan->arena_bytes, plan->piece_bytes), 1);
    for (guint i = 0; i < n; i++)
        plan->intervals[ids[i]].offset = used[i].offset;
}

static gboolean check_bindings(PenPlan *plan, GError **error)
{
    const PenDeviceInfo *info = plan->device->info;
    guint64 most = MIN(info->max_binding, info->max_allocation);
    for (guint i = 0; i < plan->n_tensors; i++)
        if (plan->intervals[i].size > most) {
            g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED,
                        _("This picture size needs a block of %u MiB; %s can bind %u MiB. Make a "
                          "smaller picture or use half precision."),
                        (guint)(plan->intervals[i].size >> 20), info->name, (guint)(most >> 20));
            return FALSE;
        }
    return TRUE;
}

static gboolean check_dispatches(const PenPlan *plan, GError **error)
{
    for (guint i = 0; i < plan->dispatches->len; i++)
        if (!pen_dispatch_fits(plan->device->info, &g_array_index(plan->dispatches, PenDispatch, i),
                               error))
            return FALSE;
    return TRUE;
}

static void add_port(GArray *ports, guint64 *bytes, PenTensor *t)
{
    PenPort port = { .name = t->name, .tensor = t, .offset = *bytes };
    *bytes += (tensor_bytes(t) + 63) / 64 * 64;
    g_array_append_val(ports, port);
}

static void find_ports(PenPlan *plan)
{
    GPtrArray *tensors = plan->graph->tensors;
    for (guint i = 0; i < tensors->len; i++) {
        PenTensor *t = tensors->pdata[i];
        if (t->kind == PEN_TENSOR_INPUT)
            add_port(plan->inputs, &plan->upload_bytes, t);
        if (t->is_output)
            add_port(plan->outputs, &plan->download_bytes, t);
    }
}

PenPlan *pen_plan_new(PenDevice *device, PenGraph *graph, GError **error)
{
    g_autoptr(PenPlan) plan = g_new0(PenPlan, 1);
    plan->device = pen_device_ref(device);
    plan->graph = graph;
    plan->dispatches = g_array_new(FALSE, TRUE, sizeof(PenDispatch));
    plan->inputs = g_array_new(FALSE, TRUE, sizeof(PenPort));
    plan->outputs = g_array_new(FALSE, TRUE, sizeof(PenPort));
    if (graph->storage == PEN_DTYPE_F16 && !device->info->float16) {
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED,
                    _("%s cannot compute in half precision. Choose --precision f32."),
                    device->info->name);
        return NULL;
    }
    if (!pen_graph_check(graph, error))
        return NULL;
    pen_graph_fuse(graph);
    find_ports(plan);
    lower(plan);
    if (!pen_graph_check(graph, error))
        return NULL;
    find_lifetimes(plan);
    if (!check_bindings(plan, error) || !check_dispatches(plan, error))
        return NULL;
    pack_arena(plan);
    return g_steal_pointer(&plan);
}

void pen_plan_free(PenPlan *plan)
{
    if (!plan)
        return;
    pen_plan_release(plan);
    for (guint i = 0; i < plan->inputs->len; i++)
        g_free(g_array_index(plan->inputs, PenPort, i).values);
    g_array_unref(plan->inputs);
    g_array_unref(plan->outputs);
    g_array_unref(plan->dispatches);
    g_free(plan->root);
    g_free(plan->intervals);
    pen_graph_free(plan->graph);
    pen_device_unref(plan->device);
    g_free(plan);
}

guint64 pen_plan_bytes(const PenPlan *plan)
{
    return plan->arena_bytes;
}

guint64 pen_plan_parameter_bytes(const PenPlan *plan)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    guint64 bytes = 0;
    for (guint i = 0; i < plan->graph->tensors->len; i++) {
        PenTensor *t = plan->graph->tensors->pdata[i];
        if (t->kind == PEN_TENSOR_PARAMETER && g_hash_table_add(seen, t->parameter))
            bytes += pen_parameter_bytes(t->parameter);
    }
    return bytes;
}

double pen_plan_flops(const PenPlan *plan)
{
    double flops = 0;
    for (guint i = 0; i < plan->dispatches->len; i++)
        flops += g_array_index(plan->dispatches, PenDispatch, i).flops;
    return flops;
}

guint pen_plan_dispatches(const PenPlan *plan)
{
    return plan->dispatches->len;
}

const PenBuffer *pen_plan_piece(const PenPlan *plan, guint64 offset, guint64 *within)
{
    *within = offset % plan->piece_bytes;
    return &plan->pieces[offset / plan->piece_bytes];
}

static gboolean allocate_arena(PenPlan *plan, GError **error)
{
    guint64 left = pen_device_memory_left(plan->device);
    plan->pieces = g_new0(PenBuffer, plan->n_pieces);
    if (plan->arena_bytes > left) /* of the whole, not of the piece that no longer fits */
        return pen_buffer_refuse(plan->device, plan->arena_bytes, _("this step"), error);
    for (guint i = 0; i < plan->n_pieces; i++) {
        guint64 bytes = MIN(plan->piece_bytes, plan->arena_bytes - i * plan->piece_bytes);
        if (!pen_buffer_init(plan->device, &plan->pieces[i], bytes, PEN_BUFFER_DEVICE,
                             _("this step"), error))
            return FALSE;
    }
    return TRUE;
}

gboolean pen_plan_allocate(PenPlan *plan, GError **error)
{
    if (plan->allocated)
        return TRUE;
    plan->allocated = TRUE;
    if (allocate_arena(plan, error) &&
        pen_buffer_init(plan->device, &plan->upload, plan->upload_bytes, PEN_BUFFER_UPLOAD,
                        _("this step"), error) &&
        pen_buffer_init(plan->device, &plan->download, plan->download_bytes, PEN_BUFFER_DOWNLOAD,
                        _("this step"), error) &&
        pen_plan_describe(plan, error) && pen_plan_record(plan, error)) {
        pen_device_save_pipeline_cache(plan->device);
        return TRUE;
    }
    pen_plan_release(plan);
    return FALSE;
}

void pen_plan_release(PenPlan *plan)
{
    if (!plan->allocated)
        return;
    pen_plan_clear_commands(plan);
    vkDestroyDescriptorPool(plan->device->device, plan->descriptors, NULL);
    plan->descriptors = VK_NULL_HANDLE;
    g_clear_pointer(&plan->sets, g_free);
    for (guint i = 0; i < plan->n_pieces; i++)
        pen_buffer_clear(plan->device, &plan->pieces[i]);
    g_clear_pointer(&plan->pieces, g_free);
    pen_buffer_clear(plan->device, &plan->upload);
    pen_buffer_clear(plan->device, &plan->download);
    plan->allocated = FALSE;
}

static PenPort *find_port(GArray *ports, const char *name)
{
    for (guint i = 0; i < ports->len; i++) {
        PenPort *port = &g_array_index(ports, PenPort, i);
        if (strcmp(port->name, name) == 0)
            return port;
    }
    g_error("the plan has no input or output “%s”", name);
}

void pen_plan_write(PenPlan *plan, const char *input, const float *values)
{
    PenPort *port = find_port(plan->inputs, input);
    gsize n = pen_shape_elements(port->tensor->shape);
    if (!port->values)
        port->values = g_new(float, n);
    memcpy(port->values, values, n * sizeof *values);
}

/* Whether any dispatch reads an input's memory. */
static gboolean is_read(PenPlan *plan, const PenTensor *input)
{
    const PenInterval *interval = &plan->intervals[input->id];
    return interval->last > interval->first || input->late;
}

gboolean pen_plan_stage_inputs(PenPlan *plan, gboolean late, GError **error)
{
    for (guint i = 0; i < plan->inputs->len; i++) {
        const PenPort *port = &g_array_index(plan->inputs, PenPort, i);
        if (port->tensor->late != late)
            continue;
        gsize n = pen_shape_elements(port->tensor->shape);
        void *to = (guint8 *)plan->upload.mapped + port->offset;
        if (!port->values && !is_read(plan, port->tensor))
            continue;
        if (!port->values) {
            g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_GRAPH,
                        "the input “%s” was never written", port->name);
            return FALSE;
        }
        if (port->tensor->dtype == PEN_DTYPE_F16)
            pen_half_from_floats(to, port->values, n);
        else
            memcpy(to, port->values, n * sizeof(float));
    }
    VkResult result =
        vmaFlushAllocation(plan->device->allocator, plan->upload.allocation, 0, VK_WHOLE_SIZE);
    return result == VK_SUCCESS || pen_vulkan_fail(error, result, "vmaFlushAllocation");
}

void pen_plan_read(PenPlan *plan, const char *output, float *values)
{
    const PenPort *port = find_port(plan->outputs, output);
    g_return_if_fail(plan->allocated);
    gsize n = pen_shape_elements(port->tensor->shape);
    const void *from = (const guint8 *)plan->download.mapped + port->offset;
    if (port->tensor->dtype == PEN_DTYPE_F16)
        pen_half_to_floats(values, from, n);
    else
        memcpy(values, from, n * sizeof(float));
}

PenShape pen_plan_input_shape(const PenPlan *plan, const char *input)
{
    return find_port(plan->inputs, input)->tensor->shape;
}
