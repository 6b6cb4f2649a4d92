// SPDX-License-Identifier: GPL-3.0-or-later

/*
 * A Vulkan layer that makes a driver a bad one, for tests.
 *
 * While the file $PENCHANT_LOSE_DEVICE is there, the next vkQueueSubmit() takes it away and answers
 * VK_ERROR_DEVICE_LOST.
 *
 * A kernel whose SPIR-V is that of the file $PENCHANT_WRONG_KERNEL is compiled wrongly: it
 * subtracts where it should add.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

/* The plug-in has one instance and one device at a time; a list of devices may come in between. */
static PFN_vkGetInstanceProcAddr next_instance;
static PFN_vkGetDeviceProcAddr next_device;
static PFN_vkQueueSubmit next_submit;
static PFN_vkCreateShaderModule next_create_module;

static VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue queue, uint32_t n, const VkSubmitInfo *infos,
                                             VkFence fence)
{
    const char *path = getenv("PENCHANT_LOSE_DEVICE");
    if (path && !unlink(path))
        return VK_ERROR_DEVICE_LOST;
    return next_submit(queue, n, infos, fence);
}

static int is_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "rb");
    char *content = malloc(size + 1);
    int same = file && fread(content, 1, size + 1, file) == size && !memcmp(content, data, size);
    if (file)
        fclose(file);
    free(content);
    return same;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_module(VkDevice device,
                                                    const VkShaderModuleCreateInfo *info,
                                                    const VkAllocationCallbacks *allocator,
                                                    VkShaderModule *module)
{
    enum { HEADER_WORDS = 5, OP_F_ADD = 129, OP_F_SUB = 131 };
    const char *path = getenv("PENCHANT_WRONG_KERNEL");
    if (!path || !is_file(path, info->pCode, info->codeSize))
        return next_create_module(device, info, allocator, module);
    uint32_t *code = malloc(info->codeSize);
    memcpy(code, info->pCode, info->codeSize);
    for (size_t i = HEADER_WORDS; i < info->codeSize / sizeof *code; i += code[i] >> 16)
        if ((code[i] & 0xffff) == OP_F_ADD)
            code[i] = (code[i] & 0xffff0000) | OP_F_SUB;
    VkShaderModuleCreateInfo wrong = *info;
    wrong.pCode = code;
    VkResult result = next_create_module(device, &wrong, allocator, module);
    free(code);
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *allocator,
                                                      VkInstance *instance)
{
    VkLayerInstanceCreateInfo *chain = (VkLayerInstanceCreateInfo *)info->pNext;
    while (chain->sType != VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO ||
           chain->function != VK_LAYER_LINK_INFO)
        chain = (VkLayerInstanceCreateInfo *)chain->pNext;
    next_instance = chain->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    chain->u.pLayerInfo = chain->u.pLayerInfo->pNext;
    PFN_vkCreateInstance create =
        (PFN_vkCreateInstance)next_instance(VK_NULL_HANDLE, "vkCreateInstance");
    return create(info, allocator, instance);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *allocator,
                                                    VkDevice *device)
{
    VkLayerDeviceCreateInfo *chain = (VkLayerDeviceCreateInfo *)info->pNext;
    while (chain->sType != VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO ||
           chain->function != VK_LAYER_LINK_INFO)
        chain = (VkLayerDeviceCreateInfo *)chain->pNext;
    PFN_vkGetInstanceProcAddr get = chain->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    next_device = chain->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    chain->u.pLayerInfo = chain->u.pLayerInfo->pNext;
    PFN_vkCreateDevice create = (PFN_vkCreateDevice)get(VK_NULL_HANDLE, "vkCreateDevice");
    VkResult result = create(physical, info, allocator, device);
    if (result == VK_SUCCESS) {
        next_submit = (PFN_vkQueueSubmit)next_device(*device, "vkQueueSubmit");
        next_create_module = (PFN_vkCreateShaderModule)next_device(*device, "vkCreateShaderModule");
    }
    return result;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device(VkDevice device, const char *name)
{
    if (!strcmp(name, "vkQueueSubmit"))
        return (PFN_vkVoidFunction)submit;
    if (!strcmp(name, "vkCreateShaderModule"))
        return (PFN_vkVoidFunction)create_module;
    return next_device(device, name);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_instance(VkInstance instance, const char *name)
{
    if (!strcmp(name, "vkCreateInstance"))
        return (PFN_vkVoidFunction)create_instance;
    if (!strcmp(name, "vkCreateDevice"))
        return (PFN_vkVoidFunction)create_device;
    if (!strcmp(name, "vkGetDeviceProcAddr"))
        return (PFN_vkVoidFunction)get_device;
    if (!strcmp(name, "vkQueueSubmit"))
        return (PFN_vkVoidFunction)submit;
    if (!strcmp(name, "vkCreateShaderModule"))
        return (PFN_vkVoidFunction)create_module;
    return next_instance(instance, name);
}

__attribute__((visibility("default"))) VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface)
{
    interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = get_instance;
    interface->pfnGetDeviceProcAddr = get_device;
    interface->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
