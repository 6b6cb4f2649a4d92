// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "compute/plan-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

gboolean pen_buffer_refuse(PenDevice *device, guint64 size, const char *purpose, GError **error)
{
    g_autofree char *need = g_format_size_full(size, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *free_now =
        g_format_size_full(pen_device_memory_left(device), G_FORMAT_SIZE_IEC_UNITS);
    g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_OUT_OF_MEMORY,
                _("Not enough memory on %s: %s needs %s and %s is left. Make smaller pictures or "
                  "choose a smaller model or another device."),
                device->info->name, purpose, need, free_now);
    return FALSE;
}

guint64 pen_device_memory_left(PenDevice *device)
{
    if (device->budget)
        return device->budget > device->allocated ? device->budget - device->allocated : 0;
    const VkPhysicalDeviceMemoryProperties *memory;
    vmaGetMemoryProperties(device->allocator, &memory);
    VmaBudget budgets[VK_MAX_MEMORY_HEAPS];
    vmaGetHeapBudgets(device->allocator, budgets);
    guint64 left = 0;
    for (guint32 i = 0; i < memory->memoryHeapCount; i++)
        if (memory->memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT &&
            budgets[i].budget > budgets[i].usage)
            left = MAX(left, budgets[i].budget - budgets[i].usage);
    return left;
}

gboolean pen_buffer_init(PenDevice *device, PenBuffer *buffer, guint64 size, PenBufferUse use,
                         const char *purpose, GError **error)
{
    *buffer = (PenBuffer){ .size = MAX(size, 64), .use = use };
    if (use == PEN_BUFFER_DEVICE && buffer->size > pen_device_memory_left(device))
        return pen_buffer_refuse(device, buffer->size, purpose, error);
    VkBufferCreateInfo create = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = buffer->size,
        .usage = use == PEN_BUFFER_DEVICE
                     ? VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                           VK_BUFFER_USAGE_TRANSFER_DST_BIT
                 : use == PEN_BUFFER_UPLOAD ? VK_BUFFER_USAGE_TRANSFER_SRC_BIT
                                            : VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    if (use == PEN_BUFFER_DEVICE && device->info->kernels == PEN_KERNELS_LANES)
        create.usage |= VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT;
    VmaAllocationCreateInfo allocation = {
        .flags =
            use == PEN_BUFFER_DEVICE
                ? (device->info->unified_memory
                       ? VMA_ALLOCATION_CREATE_HOST_ACCESS_SEQUENTIAL_WRITE_BIT |
                             VMA_ALLOCATION_CREATE_HOST_ACCESS_ALLOW_TRANSFER_INSTEAD_BIT |
                             VMA_ALLOCATION_CREATE_MAPPED_BIT
                       : 0)
            : use == PEN_BUFFER_UPLOAD
                ? VMA_ALLOCATION_CREATE_HOST_ACCESS_SEQUENTIAL_WRITE_BIT |
                      VMA_ALLOCATION_CREATE_MAPPED_BIT
                : VMA_ALLOCATION_CREATE_HOST_ACCESS_RANDOM_BIT | VMA_ALLOCATION_CREATE_MAPPED_BIT,
        .usage = use == PEN_BUFFER_DEVICE ? VMA_MEMORY_USAGE_AUTO_PREFER_DEVICE
                                          : VMA_MEMORY_USAGE_AUTO_PREFER_HOST,
    };
    VmaAllocationInfo info;
    VkResult result = vmaCreateBuffer(device->allocator, &create, &allocation, &buffer->buffer,
                                      &buffer->allocation, &info);
    if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY)
        return pen_buffer_refuse(device, buffer->size, purpose, error);
    if (result != VK_SUCCESS)
        return pen_vulkan_fail(error, result, "vmaCreateBuffer");
    VkMemoryPropertyFlags flags;
    vmaGetAllocationMemoryProperties(device->allocator, buffer->allocation, &flags);
    if (flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)
        buffer->mapped = info.pMappedData;
    if (use == PEN_BUFFER_DEVICE) {
        device->allocated += buffer->size;
        device->peak = MAX(device->peak, device->allocated);
    }
    return TRUE;
}

void pen_buffer_clear(PenDevice *device, PenBuffer *buffer)
{
    if (buffer->buffer) {
        vmaDestroyBuffer(device->allocator, buffer->buffer, buffer->allocation);
        if (buffer->use == PEN_BUFFER_DEVICE)
            device->allocated -= buffer->size;
    }
    *buffer = (PenBuffer){ 0 };
}

/* --- uploads ------------------------------------------------------------------------------- */

/* The largest staging buffer: enough for the wait not to matter. */
#define STAGING_BYTES (64u << 20)

static gboolean copy_mapped(PenDevice *device, const PenUpload *u, GError **error)
{
    memcpy(u->buffer->mapped, u->data, u->size);
    VkResult result = vmaFlushAllocation(device->allocator, u->buffer->allocation, 0, u->size);
    return result == VK_SUCCESS || pen_vulkan_fail(error, result, "vmaFlushAllocation");
}

static VkResult submit_copies(PenDevice *device, VkCommandBuffer commands, const PenBuffer *staging,
                              const PenUpload *uploads, guint n)
{
    VkCommandBufferBeginInfo begin = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    VkResult result = vkBeginCommandBuffer(commands, &begin);
    if (result != VK_SUCCESS)
        return result;
    guint64 from = 0;
    for (guint i = 0; i < n; i++) {
        if (uploads[i].buffer->mapped)
            continue;
        vkCmdCopyBuffer(commands, staging->buffer, uploads[i].buffer->buffer, 1,
                        &(VkBufferCopy){ .srcOffset = from, .size = uploads[i].size });
        from += uploads[i].size;
    }
    result = vkEndCommandBuffer(commands);
    VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &commands,
    };
    if (result == VK_SUCCESS)
        result = vkQueueSubmit(device->queue, 1, &submit, VK_NULL_HANDLE);
    return result == VK_SUCCESS ? vkQueueWaitIdle(device->queue) : result;
}

/* Through one staging buffer of `bytes`, those that the host cannot write directly. */
static gboolean copy_staged(PenDevice *device, const PenUpload *uploads, guint n, guint64 bytes,
                            GError **error)
{
    PenBuffer staging;
    VkCommandBuffer commands;
    if (!pen_buffer_init(device, &staging, bytes, PEN_BUFFER_UPLOAD, _("a copy"), error))
        return FALSE;
    guint8 *to = staging.mapped;
    for (guint i = 0; i < n; i++)
        if (!uploads[i].buffer->mapped) {
            memcpy(to, uploads[i].data, uploads[i].size);
            to += uploads[i].size;
        }
    VkResult result = vmaFlushAllocation(device->allocator, staging.allocation, 0, VK_WHOLE_SIZE);
    gboolean ok = result == VK_SUCCESS || pen_vulkan_fail(error, result, "vmaFlushAllocation");
    ok = ok && pen_command_buffers(device, &commands, 1, error);
    if (ok) {
        result = submit_copies(device, commands, &staging, uploads, n);
        vkFreeCommandBuffers(device->device, device->pool, 1, &commands);
        ok = result == VK_SUCCESS || pen_vulkan_fail(error, result, "vkQueueSubmit");
    }
    pen_buffer_clear(device, &staging);
    return ok;
}

gboolean pen_buffers_upload(PenDevice *device, const PenUpload *uploads, guint n, GError **error)
{
    guint first = 0;
    guint64 bytes = 0;
    for (guint i = 0; i < n; i++) {
        const PenUpload *u = &uploads[i];
        g_return_val_if_fail(u->size <= u->buffer->size, FALSE);
        if (u->buffer->mapped) {
            if (!copy_mapped(device, u, error))
                return FALSE;
            continue;
        }
        if (bytes && bytes + u->size > STAGING_BYTES) {
            if (!copy_staged(device, uploads + first, i - first, bytes, error))
                return FALSE;
            first = i;
            bytes = 0;
        }
        bytes += u->size;
    }
    return !bytes || copy_staged(device, uploads + first, n - first, bytes, error);
}
