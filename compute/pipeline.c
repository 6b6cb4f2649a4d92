// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "compute/device-private.h"

#include <string.h>

#include "shaders/pen-shaders.h"

/* The cache file is ours only behind this line of magic and the SHA-256 of what follows, since a
 * driver may trust what it is handed. */
#define CACHE_MAGIC "penchant pipelines 1\n"
#define CACHE_DIGEST 64

static void pipeline_free(gpointer data)
{
    g_free(data);
}

void pen_device_load_pipeline_cache(PenDevice *device)
{
    device->pipelines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, pipeline_free);

    device->cache_path = pen_physical_cache_path(device->physical, "pipelines", ".bin");
    g_autofree char *file = NULL;
    gsize length = 0, head = strlen(CACHE_MAGIC) + CACHE_DIGEST;
    const char *data = NULL;
    if (g_file_get_contents(device->cache_path, &file, &length, NULL) && length > head &&
        memcmp(file, CACHE_MAGIC, strlen(CACHE_MAGIC)) == 0) {
        g_autofree char *digest = g_compute_checksum_for_data(
            G_CHECKSUM_SHA256, (const guchar *)file + head, length - head);
        if (memcmp(digest, file + strlen(CACHE_MAGIC), CACHE_DIGEST) == 0)
            data = file + head;
    }
    VkPipelineCacheCreateInfo create = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
        .initialDataSize = data ? length - head : 0,
        .pInitialData = data,
    };
    if (vkCreatePipelineCache(device->device, &create, NULL, &device->cache) != VK_SUCCESS)
        device->cache = VK_NULL_HANDLE;
}

void pen_device_save_pipeline_cache(PenDevice *device)
{
    if (!device->cache || !device->cache_dirty)
        return;
    gsize size = 0;
    if (vkGetPipelineCacheData(device->device, device->cache, &size, NULL) != VK_SUCCESS || !size)
        return;
    g_autofree guchar *data = g_try_malloc(size);
    if (!data || vkGetPipelineCacheData(device->device, device->cache, &size, data) != VK_SUCCESS)
        return;
    g_autofree char *digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, size);
    g_autoptr(GByteArray) file = g_byte_array_new();
    g_byte_array_append(file, (const guint8 *)CACHE_MAGIC, (guint)strlen(CACHE_MAGIC));
    g_byte_array_append(file, (const guint8 *)digest, CACHE_DIGEST);
    g_byte_array_append(file, data, (guint)size);
    g_autofree char *folder = g_path_get_dirname(device->cache_path);
    g_autoptr(GError) error = NULL;
    if (g_mkdir_with_parents(folder, 0700) != 0 ||
        !g_file_set_contents(device->cache_path, (const char *)file->data, file->len, &error))
        g_debug("pipeline cache not written: %s", error ? error->message : folder);
    else
        device->cache_dirty = FALSE;
}

void pen_device_clear_pipelines(PenDevice *device)
{
    if (device->pipelines) {
        GHashTableIter iter;
        PenPipeline *pipeline;
        g_hash_table_iter_init(&iter, device->pipelines);
        while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&pipeline))
            vkDestroyPipeline(device->device, pipeline->pipeline, NULL);
        g_clear_pointer(&device->pipelines, g_hash_table_unref);
    }
    for (guint i = 0; i < G_N_ELEMENTS(device->layouts); i++) {
        vkDestroyPipelineLayout(device->device, device->layouts[i], NULL);
        vkDestroyDescriptorSetLayout(device->device, device->set_layouts[i], NULL);
    }
    vkDestroyPipelineCache(device->device, device->cache, NULL);
    g_clear_pointer(&device->cache_path, g_free);
}

/* All pipelines with the same number of bindings share a layout: storage buffers 0..n-1 and 128
 * bytes of push constants. */
static VkPipelineLayout get_layout(PenDevice *device, guint n_bindings, GError **error)
{
    g_return_val_if_fail(n_bindings > 0 && n_bindings < G_N_ELEMENTS(device->layouts),
                         VK_NULL_HANDLE);
    if (device->layouts[n_bindings])
        return device->layouts[n_bindings];
    VkDescriptorSetLayoutBinding bindings[G_N_ELEMENTS(device->layouts)];
    for (guint i = 0; i < n_bindings; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){
            .binding = i,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .descriptorCount = 1,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        };
    VkDescriptorSetLayoutCreateInfo set = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = n_bindings,
        .pBindings = bindings,
    };
    VkResult result =
        vkCreateDescriptorSetLayout(device->device, &set, NULL, &device->set_layouts[n_bindings]);
    if (result == VK_SUCCESS) {
        VkPushConstantRange push = { .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .size = 128 };
        VkPipelineLayoutCreateInfo create = {
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .setLayoutCount = 1,
            .pSetLayouts = &device->set_layouts[n_bindings],
            .pushConstantRangeCount = 1,
            .pPushConstantRanges = &push,
        };
        result =
            vkCreatePipelineLayout(device->device, &create, NULL, &device->layouts[n_bindings]);
    }
    if (result != VK_SUCCESS)
        pen_vulkan_fail(error, result, "vkCreatePipelineLayout");
    return device->layouts[n_bindings];
}

VkDescriptorSetLayout pen_device_set_layout(PenDevice *device, guint n_bindings, GError **error)
{
    return get_layout(device, n_bindings, error) ? device->set_layouts[n_bindings] : VK_NULL_HANDLE;
}

char *pen_pipeline_key(const PenPipelineSource *source)
{
    GString *key = g_string_new(source->shader);
    for (guint i = 0; i < source->n_spec; i++)
        g_string_append_printf(key, ",%u", source->spec[i]);
    if (source->subgroup_size)
        g_string_append_printf(key, "@%u", source->subgroup_size);
    return g_string_free(key, FALSE);
}

gboolean pen_device_compile(PenDevice *device, const PenPipelineSource *source,
                            VkPipelineCreateFlags flags, PenPipeline *made, GError **error)
{
    const PenShader *code = pen_shader_find(source->shader);
    if (!code) {
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED,
                    "no shader “%s” is built in", source->shader);
        return FALSE;
    }
    made->layout = get_layout(device, source->n_bindings, error);
    if (!made->layout)
        return FALSE;
    VkShaderModuleCreateInfo module_info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = code->size,
        .pCode = code->words,
    };
    VkShaderModule module;
    VkResult result = vkCreateShaderModule(device->device, &module_info, NULL, &module);
    if (result != VK_SUCCESS)
        return pen_vulkan_fail(error, result, "vkCreateShaderModule");
    g_autofree VkSpecializationMapEntry *entries =
        g_new0(VkSpecializationMapEntry, source->n_spec + 1);
    for (guint i = 0; i < source->n_spec; i++)
        entries[i] = (VkSpecializationMapEntry){ .constantID = i, .offset = 4 * i, .size = 4 };
    VkSpecializationInfo specialization = {
        .mapEntryCount = source->n_spec,
        .pMapEntries = entries,
        .dataSize = 4 * source->n_spec,
        .pData = source->spec,
    };
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo subgroup = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = source->subgroup_size,
    };
    VkComputePipelineCreateInfo create = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = flags | VK_PIPELINE_CREATE_DISPATCH_BASE_BIT,
        .stage = {
            .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
            .pNext = source->subgroup_size && device->info->subgroup_choice ? &subgroup : NULL,
            .flags = source->subgroup_size
                         ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT
                         : 0,
            .stage = VK_SHADER_STAGE_COMPUTE_BIT,
            .module = module,
            .pName = "main",
            .pSpecializationInfo = &specialization,
        },
        .layout = made->layout,
    };
    result =
        vkCreateComputePipelines(device->device, device->cache, 1, &create, NULL, &made->pipeline);
    vkDestroyShaderModule(device->device, module, NULL);
    return result == VK_SUCCESS || pen_vulkan_fail(error, result, source->shader);
}

const PenPipeline *pen_device_pipeline(PenDevice *device, const PenPipelineSource *source,
                                       GError **error)
{
    g_autofree char *key = pen_pipeline_key(source);
    const PenPipeline *known = g_hash_table_lookup(device->pipelines, key);
    if (known)
        return known;
    PenPipeline made;
    if (!pen_device_compile(device, source, 0, &made, error))
        return NULL;
    device->cache_dirty = TRUE;
    PenPipeline *kept = g_memdup2(&made, sizeof made);
    g_hash_table_insert(device->pipelines, g_steal_pointer(&key), kept);
    return kept;
}
