// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "compute/device-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

static void out_of_memory(PenDevice *device, guint64 size, const char *purpose, guint64 left,
                          GError **error)
{
    g_autofree char *need = g_format_size_full(size, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *free_now = g_format_size_full(left, G_FORMAT_SIZE_IEC_UNITS);
    g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_OUT_OF_MEMORY,
                _("Not enough memory on %s: %s needs %s and %s is left. Make smaller pictures or "
                  "choose a smaller model or another device."),
                device->info->name, purpose, need, free_now);
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
    *buffer = (PenBuffer){.size = MAX(size, 64), .use = use};
    if (use == PEN_BUFFER_DEVICE) {
        guint64 left = pen_device_memory_left(device);
        if (buffer->size > left) {
            out_of_memory(device, buffer->size, purpose, left, error);
            return FALSE;
        }
    }
    VkBufferCreateInfo create = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = buffer->size,
        .usage = use == PEN_BUFFER_DEVICE     ? VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                                VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                                VK_BUFFER_USAGE_TRANSFER_DST_BIT
                 : use == PEN_BUFFER_UPLOAD ? VK_BUFFER_USAGE_TRANSFER_SRC_BIT
                                            : VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    if (use == PEN_BUFFER_DEVICE && device->info->kernels == PEN_KERNELS_LANES)
        create.usage |= VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT;
    VmaAllocationCreateInfo allocation = {
        .flags = use == PEN_BUFFER_DEVICE
                     ? (device->info->unified_memory
                            ? VMA_ALLOCATION_CREATE_HOST_ACCESS_SEQUENTIAL_WRITE_BIT |
                                  VMA_ALLOCATION_CREATE_HOST_ACCESS_ALLOW_TRANSFER_INSTEAD_BIT |
                                  VMA_ALLOCATION_CREATE_MAPPED_BIT
                            : 0)
                 : use == PEN_BUFFER_UPLOAD
                     ? VMA_ALLOCATION_CREATE_HOST_ACCESS_SEQUENTIAL_WRITE_BIT |
                           VMA_ALLOCATION_CREATE_MAPPED_BIT
                     : VMA_ALLOCATION_CREATE_HOST_ACCESS_RANDOM_BIT |
                           VMA_ALLOCATION_CREATE_MAPPED_BIT,
        .usage = use == PEN_BUFFER_DEVICE ? VMA_MEMORY_USAGE_AUTO_PREFER_DEVICE
                                          : VMA_MEMORY_USAGE_AUTO_PREFER_HOST,
    };
    VmaAllocationInfo info;
    VkResult result = vmaCreateBuffer(device->allocator, &create, &allocation, &buffer->buffer,
                                      &buffer->allocation, &info);
    if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY) {
        out_of_memory(device, buffer->size, purpose, pen_device_memory_left(device), error);
        return FALSE;
    }
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
    *buffer = (PenBuffer){0};
}

static gboolean copy_and_wait(PenDevice *device, VkBuffer from, VkBuffer to, guint64 size,
                              GError **error)
{
    VkCommandBufferAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = device->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    VkCommandBuffer commands;
    VkResult result = vkAllocateCommandBuffers(device->device, &allocate, &commands);
    if (result != VK_SUCCESS)
        return pen_vulkan_fail(error, result, "vkAllocateCommandBuffers");
    VkCommandBufferBeginInfo begin = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    vkBeginCommandBuffer(commands, &begin);
    vkCmdCopyBuffer(commands, from, to, 1, &(VkBufferCopy){.size = size});
    vkEndCommandBuffer(commands);
    VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &commands,
    };
    result = vkQueueSubmit(device->queue, 1, &submit, VK_NULL_HANDLE);
    if (result == VK_SUCCESS)
        result = vkQueueWaitIdle(device->queue);
    vkFreeCommandBuffers(device->device, device->pool, 1, &commands);
    return result == VK_SUCCESS || pen_vulkan_fail(error, result, "vkQueueSubmit");
}

gboolean pen_buffer_upload(PenDevice *device, PenBuffer *buffer, const void *data, guint64 size,
                           GError **error)
{
    g_return_val_if_fail(size <= buffer->size, FALSE);
    if (buffer->mapped) {
        memcpy(buffer->mapped, data, size);
        VkResult result = vmaFlushAllocation(device->allocator, buffer->allocation, 0, size);
        return result == VK_SUCCESS || pen_vulkan_fail(error, result, "vmaFlushAllocation");
    }
    PenBuffer staging;
    if (!pen_buffer_init(device, &staging, size, PEN_BUFFER_UPLOAD, _("a copy"), error))
        return FALSE;
    memcpy(staging.mapped, data, size);
    vmaFlushAllocation(device->allocator, staging.allocation, 0, size);
    gboolean ok = copy_and_wait(device, staging.buffer, buffer->buffer, size, error);
    pen_buffer_clear(device, &staging);
    return ok;
}
