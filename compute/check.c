// SPDX-License-Identifier: GPL-3.0-or-later
/* The one place where a dispatch meets the limits of a device: a kernel that asks for more than
 * there is, or that would leave part of its work undone, is never run. */
#include "config.h"

#include <glib/gi18n-lib.h>
#include <inttypes.h>

#include "compute/kernel.h"
#include "compute/lower.h"
#include "compute/parameter.h"

static gboolean exceeds(const PenDeviceInfo *device, const PenDispatch *d, const char *limit,
                        guint64 have, guint64 take, GError **error)
{
    if (take <= have)
        return FALSE;
    g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED,
                _("%s cannot run the kernel %s: it takes %" PRIu64
                  " of %s, which is %" PRIu64 ". Choose another device."),
                device->name, d->shader, take, limit, have);
    return TRUE;
}

static gboolean lacks(const PenDeviceInfo *device, const PenDispatch *d, const char *what,
                      gboolean have, gboolean need, GError **error)
{
    if (have || !need)
        return FALSE;
    g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED,
                _("%s cannot run the kernel %s: it has no %s. Choose another device."),
                device->name, d->shader, what);
    return TRUE;
}

static gboolean has_capabilities(const PenDeviceInfo *device, const PenDispatch *d,
                                 const PenKernelNeeds *needs, GError **error)
{
    g_autofree char *other = g_strdup_printf("SPIR-V capability %u", needs->other);
    return !lacks(device, d, "storageBuffer16BitAccess", device->float16, needs->float16_storage,
                  error) &&
           !lacks(device, d, "shaderFloat16", device->float16_arithmetic, needs->float16_arithmetic,
                  error) &&
           !lacks(device, d, "cooperativeMatrix", device->matrix.m != 0, needs->matrix, error) &&
           !lacks(device, d, "bufferDeviceAddress", device->addresses, needs->addresses, error) &&
           !lacks(device, d, "VK_SUBGROUP_FEATURE_SHUFFLE_BIT", device->shuffles, needs->shuffles,
                  error) &&
           !lacks(device, d, other, FALSE, needs->other != 0, error);
}

/* Subgroups of the size that is asked for, all of them full. Of kernels that multiply matrices Vulkan
 * wants whole subgroups of the device's own size, too (VUID-VkPipelineShaderStageCreateInfo-module-08987). */
static gboolean has_subgroups(const PenDeviceInfo *device, const PenDispatch *d,
                              const PenKernelNeeds *needs, guint64 invocations, GError **error)
{
    guint32 size = d->subgroup_size;
    if (!size)
        return !lacks(device, d, "full subgroups", FALSE, needs->matrix, error);
    if (needs->matrix && needs->workgroup[0] % device->subgroup_size != 0)
        return !lacks(device, d, "workgroups of so few subgroups", FALSE, TRUE, error);
    gboolean possible = size >= device->subgroup_min && size <= device->subgroup_max &&
                        (size & (size - 1)) == 0 && invocations % size == 0;
    return !lacks(device, d, "requiredSubgroupSize", possible, TRUE, error) &&
           !exceeds(device, d, "maxComputeWorkgroupSubgroups", device->max_subgroups,
                    invocations / size, error);
}

static gboolean divides(const PenDispatch *d, GError **error)
{
    for (guint i = 0; i < d->n_divisions; i++) {
        const PenDivision *division = &d->divisions[i];
        if (division->value && division->by && division->value % division->by == 0)
            continue;
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED,
                    _("The kernel %s would leave work undone: %u %s in parts of %u. Choose another "
                      "device, and please report it."),
                    d->shader, division->value, division->what, division->by);
        return FALSE;
    }
    return TRUE;
}

static gboolean bindings_fit(const PenDeviceInfo *device, const PenDispatch *d, GError **error)
{
    if (exceeds(device, d, "maxPerStageDescriptorStorageBuffers", device->max_bindings,
                d->n_bindings, error))
        return FALSE;
    for (guint b = 0; b < d->n_bindings; b++) {
        const PenTensor *t = d->bindings[b].tensor;
        guint64 bytes = !t ? 0
                        : t->kind == PEN_TENSOR_PARAMETER
                            ? pen_parameter_bytes(t->parameter)
                            : pen_shape_elements(t->shape) * pen_dtype_size(t->dtype);
        if (exceeds(device, d, "maxStorageBufferRange", device->max_binding, bytes, error))
            return FALSE;
    }
    return TRUE;
}

gboolean pen_dispatch_fits(const PenDeviceInfo *device, const PenDispatch *d, GError **error)
{
    PenKernelNeeds needs;
    const PenShader *shader = pen_shader_find(d->shader);
    if (!shader || !pen_kernel_read_needs(shader, d->spec, d->n_spec, &needs)) {
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED,
                    "the kernel “%s” is not built in, or cannot be read", d->shader);
        return FALSE;
    }
    guint64 invocations = (guint64)needs.workgroup[0] * needs.workgroup[1] * needs.workgroup[2];
    guint64 groups = MAX(MAX(d->groups[0], d->groups[1]), d->groups[2]);
    return divides(d, error) && has_capabilities(device, d, &needs, error) &&
           !exceeds(device, d, "maxComputeWorkGroupInvocations", device->max_workgroup, invocations,
                    error) &&
           !exceeds(device, d, "maxComputeSharedMemorySize", device->shared_memory, needs.shared,
                    error) &&
           !exceeds(device, d, "maxComputeWorkGroupCount", PEN_MAX_GROUPS, groups, error) &&
           has_subgroups(device, d, &needs, invocations, error) &&
           bindings_fit(device, d, error);
}
