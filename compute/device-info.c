// SPDX-License-Identifier: GPL-3.0-or-later
/* What a device is and can do, and which kernels it gets. */
#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "compute/device-private.h"
#include "compute/findings.h"
#include "compute/lower.h"

gboolean pen_physical_has_extension(VkPhysicalDevice physical, const char *name)
{
    guint32 n = 0;
    vkEnumerateDeviceExtensionProperties(physical, NULL, &n, NULL);
    g_autofree VkExtensionProperties *list = g_new0(VkExtensionProperties, n + 1);
    vkEnumerateDeviceExtensionProperties(physical, NULL, &n, list);
    for (guint32 i = 0; i < n; i++)
        if (strcmp(list[i].extensionName, name) == 0)
            return TRUE;
    return FALSE;
}

int pen_physical_compute_queue(VkPhysicalDevice physical, guint32 *timestamp_bits)
{
    guint32 n = 0;
    vkGetPhysicalDeviceQueueFamilyProperties(physical, &n, NULL);
    g_autofree VkQueueFamilyProperties *list = g_new0(VkQueueFamilyProperties, n + 1);
    vkGetPhysicalDeviceQueueFamilyProperties(physical, &n, list);
    int best = -1;
    /* A queue that does not draw leaves the desktop's own queue free. */
    for (guint32 i = 0; i < n; i++) {
        gboolean draws = (list[i].queueFlags & VK_QUEUE_GRAPHICS_BIT) != 0;
        if ((list[i].queueFlags & VK_QUEUE_COMPUTE_BIT) && (best < 0 || !draws))
            best = (int)i;
    }
    if (best >= 0)
        *timestamp_bits = list[best].timestampValidBits;
    return best;
}

void pen_device_info_free(PenDeviceInfo *info)
{
    if (!info)
        return;
    g_free(info->name);
    g_free(info->driver);
    g_free(info->findings);
    g_free(info);
}

const char *pen_device_kind_label(PenDeviceKind kind)
{
    switch (kind) {
    case PEN_DEVICE_DISCRETE:
        return _("graphics card");
    case PEN_DEVICE_INTEGRATED:
        return _("integrated GPU");
    case PEN_DEVICE_VIRTUAL:
        return _("virtual GPU");
    case PEN_DEVICE_SOFTWARE:
        return _("software on the processor");
    }
    g_return_val_if_reached("");
}

static PenDeviceKind kind_from_vulkan(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
        return PEN_DEVICE_DISCRETE;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
        return PEN_DEVICE_INTEGRATED;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
        return PEN_DEVICE_VIRTUAL;
    default:
        return PEN_DEVICE_SOFTWARE;
    }
}

static void read_memory(VkPhysicalDevice physical, PenDeviceInfo *info)
{
    gboolean has_budget = pen_physical_has_extension(physical, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT,
    };
    VkPhysicalDeviceMemoryProperties2 memory = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2,
        .pNext = has_budget ? &budget : NULL,
    };
    vkGetPhysicalDeviceMemoryProperties2(physical, &memory);
    const VkPhysicalDeviceMemoryProperties *m = &memory.memoryProperties;
    for (guint32 i = 0; i < m->memoryHeapCount; i++) {
        if (!(m->memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT))
            continue;
        info->memory_total += m->memoryHeaps[i].size;
        guint64 left = m->memoryHeaps[i].size;
        if (has_budget)
            left = budget.heapBudget[i] > budget.heapUsage[i]
                       ? budget.heapBudget[i] - budget.heapUsage[i]
                       : 0;
        info->memory_available += left;
    }
    info->unified_memory = info->kind != PEN_DEVICE_DISCRETE;
}

/* Vulkan does not tell. What is not known is as few as anybody's who multiplies matrices. */
static guint32 known_registers(const PenDeviceInfo *info)
{
    enum { AMD = 0x1002, NVIDIA = 0x10de };
    gboolean many = info->vendor_id == AMD || info->vendor_id == NVIDIA ||
                    info->kind == PEN_DEVICE_SOFTWARE;
    return many ? 256 : 128;
}

/* Sizes of subgroups that kernels can ask for, and how many such subgroups a workgroup may have. */
static void read_subgroups(VkPhysicalDevice physical, PenDeviceInfo *info)
{
    if (info->api_version < VK_API_VERSION_1_3)
        return;
    VkPhysicalDeviceVulkan13Features f13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
    };
    VkPhysicalDeviceFeatures2 features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
        .pNext = &f13,
    };
    vkGetPhysicalDeviceFeatures2(physical, &features);
    VkPhysicalDeviceVulkan13Properties v13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_PROPERTIES,
    };
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
        .pNext = &v13,
    };
    vkGetPhysicalDeviceProperties2(physical, &properties);
    info->max_allocation = MIN(info->max_allocation, v13.maxBufferSize);
    info->subgroup_choice = (v13.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0;
    /* A device with one size only need not take wishes. */
    if (!f13.subgroupSizeControl || !f13.computeFullSubgroups ||
        (!info->subgroup_choice && v13.minSubgroupSize != v13.maxSubgroupSize))
        return;
    info->subgroup_min = v13.minSubgroupSize;
    info->subgroup_max = v13.maxSubgroupSize;
    info->max_subgroups = v13.maxComputeWorkgroupSubgroups;
}

static gboolean has_cooperative_matrix(VkPhysicalDevice physical)
{
    if (!pen_physical_has_extension(physical, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME))
        return FALSE;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR cooperative = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR,
    };
    VkPhysicalDeviceFeatures2 features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
        .pNext = &cooperative,
    };
    vkGetPhysicalDeviceFeatures2(physical, &features);
    VkPhysicalDeviceCooperativeMatrixPropertiesKHR stages = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_PROPERTIES_KHR,
    };
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
        .pNext = &stages,
    };
    vkGetPhysicalDeviceProperties2(physical, &properties);
    return cooperative.cooperativeMatrix &&
           (stages.cooperativeMatrixSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT);
}

static void read_cooperative_matrix(VkPhysicalDevice physical, PenDeviceInfo *info,
                                    const VkPhysicalDeviceVulkan12Features *f12)
{
    if (!info->float16_arithmetic || !info->subgroup_min || !f12->vulkanMemoryModel ||
        !has_cooperative_matrix(physical))
        return;
    guint32 n = 0;
    vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR(physical, &n, NULL);
    g_autofree VkCooperativeMatrixPropertiesKHR *list =
        g_new0(VkCooperativeMatrixPropertiesKHR, n + 1);
    g_autofree PenMatrixShape *shapes = g_new0(PenMatrixShape, n + 1);
    guint n_shapes = 0;
    for (guint32 i = 0; i < n; i++)
        list[i].sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
    vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR(physical, &n, list);
    for (guint32 i = 0; i < n; i++) {
        const VkCooperativeMatrixPropertiesKHR *m = &list[i];
        if (m->AType == VK_COMPONENT_TYPE_FLOAT16_KHR && m->BType == m->AType &&
            m->CType == VK_COMPONENT_TYPE_FLOAT32_KHR && m->ResultType == m->CType &&
            m->scope == VK_SCOPE_SUBGROUP_KHR)
            shapes[n_shapes++] = (PenMatrixShape){ m->MSize, m->NSize, m->KSize };
    }
    pen_device_info_choose_matrix(info, shapes, n_shapes);
}

void pen_device_info_choose_matrix(PenDeviceInfo *info, const PenMatrixShape *shapes, guint n)
{
    /* Where there is a choice, small subgroups: more of them share a workgroup's tile. */
    info->matrix_subgroup = info->subgroup_min;
    PenMatrixShape best = { 0, 0, 0 };
    for (guint i = 0; i < n; i++) {
        info->matrix = shapes[i];
        /* A multiplication reads (m + n) k numbers for m n k products. */
        if (pen_lower_matrix_fits(info) &&
            shapes[i].m * shapes[i].n * shapes[i].k > best.m * best.n * best.k)
            best = shapes[i];
    }
    info->matrix = best;
    if (!best.m)
        info->matrix_subgroup = 0;
}

const char *const pen_no_such_kernels = N_("it has none of the kernels that PENCHANT_KERNELS names");

const char *pen_kernels_name(PenKernels kernels)
{
    static const char *const names[PEN_N_KERNELS] = { "tiles", "lanes", "shared", "matrix" };
    return names[kernels];
}

/* Those that the device's abilities allow. */
static guint allowed_kernels(const PenDeviceInfo *info)
{
    guint allowed = 1u << PEN_KERNELS_TILES | 1u << PEN_KERNELS_SHARED;
    if (info->kind == PEN_DEVICE_SOFTWARE && info->addresses && info->shuffles &&
        info->float16_arithmetic && info->subgroup_size == 8 && info->subgroup_min <= 8 &&
        info->subgroup_max >= 8)
        allowed |= 1u << PEN_KERNELS_LANES;
    if (info->matrix.m && info->shuffles)
        allowed |= 1u << PEN_KERNELS_MATRIX;
    return allowed & ~info->wrong_kernels[PEN_DTYPE_F32] &
           ~(info->float16 ? info->wrong_kernels[PEN_DTYPE_F16] : 0);
}

/* On a GPU the strongest, on a processor what it does not need to imitate. FALSE where there are none. */
static gboolean choose_best(PenDeviceInfo *info)
{
    static const PenKernels by_choice[2][3] = {
        { PEN_KERNELS_MATRIX, PEN_KERNELS_SHARED, PEN_KERNELS_TILES },
        { PEN_KERNELS_LANES, PEN_KERNELS_TILES, PEN_KERNELS_SHARED },
    };
    const PenKernels *choice = by_choice[info->kind == PEN_DEVICE_SOFTWARE];
    info->possible_kernels = allowed_kernels(info);
    for (guint i = 0; i < G_N_ELEMENTS(by_choice[0]); i++)
        if (info->possible_kernels & 1u << choice[i]) {
            info->kernels = choice[i];
            return TRUE;
        }
    return FALSE;
}

void pen_device_info_choose_kernels(PenDeviceInfo *info)
{
    if (!choose_best(info)) {
        info->float16 = info->float16_arithmetic = FALSE;
        info->matrix = (PenMatrixShape){ 0, 0, 0 };
        if (!choose_best(info)) {
            info->unusable = N_("its driver computes wrongly, as “penchant selftest” found; update it, and "
                                "test again");
            return;
        }
    }

    const char *wanted = g_getenv("PENCHANT_KERNELS");
    if (!wanted || !*wanted)
        return;
    for (guint i = 0; i < PEN_N_KERNELS; i++)
        if (g_str_equal(wanted, pen_kernels_name(i)) && info->possible_kernels & 1u << i) {
            info->kernels = i;
            return;
        }
    info->unusable = pen_no_such_kernels;
}

char *pen_physical_cache_path(VkPhysicalDevice physical, const char *what, const char *suffix)
{
    VkPhysicalDeviceProperties properties;
    vkGetPhysicalDeviceProperties(physical, &properties);
    g_autoptr(GString) name = g_string_new(what);
    g_string_append_printf(name, "-%04x-%04x-", properties.vendorID, properties.deviceID);
    for (guint i = 0; i < VK_UUID_SIZE; i++)
        g_string_append_printf(name, "%02x", properties.pipelineCacheUUID[i]);
    g_string_append(name, suffix);
    return g_build_filename(g_get_user_cache_dir(), "penchant", name->str, NULL);
}

PenDeviceInfo *pen_physical_info(VkPhysicalDevice physical, guint index, gboolean findings)
{
    VkPhysicalDeviceVulkan11Properties v11 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES,
    };
    VkPhysicalDeviceVulkan12Properties v12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES,
        .pNext = &v11,
    };
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
    };
    vkGetPhysicalDeviceProperties2(physical, &properties);
    const VkPhysicalDeviceProperties *p = &properties.properties;

    PenDeviceInfo *info = g_new0(PenDeviceInfo, 1);
    info->index = index;
    info->name = g_utf8_make_valid(p->deviceName, -1);
    info->kind = kind_from_vulkan(p->deviceType);
    info->api_version = p->apiVersion;
    info->vendor_id = p->vendorID;
    info->device_id = p->deviceID;
    info->registers = known_registers(info);
    info->shared_memory = p->limits.maxComputeSharedMemorySize;
    info->max_workgroup = p->limits.maxComputeWorkGroupInvocations;
    info->max_bindings = p->limits.maxPerStageDescriptorStorageBuffers;
    info->max_binding = p->limits.maxStorageBufferRange;
    read_memory(physical, info);
    if (p->apiVersion < VK_API_VERSION_1_2) {
        info->driver = g_strdup_printf("%u", p->driverVersion);
        info->unusable = N_("its driver is older than Vulkan 1.2");
        return info;
    }
    properties.pNext = &v12;
    vkGetPhysicalDeviceProperties2(physical, &properties);
    info->driver = g_strdup_printf("%s %s", v12.driverName, v12.driverInfo);
    info->subgroup_size = v11.subgroupSize;
    info->max_allocation = v11.maxMemoryAllocationSize;

    VkPhysicalDeviceVulkan12Features f12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
    };
    VkPhysicalDeviceVulkan11Features f11 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
        .pNext = &f12,
    };
    VkPhysicalDeviceFeatures2 features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
        .pNext = &f11,
    };
    vkGetPhysicalDeviceFeatures2(physical, &features);
    info->float16 = f11.storageBuffer16BitAccess;
    info->float16_arithmetic = info->float16 && f12.shaderFloat16;
    VkSubgroupFeatureFlags shuffles = VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_VOTE_BIT |
                                      VK_SUBGROUP_FEATURE_BALLOT_BIT |
                                      VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
    info->shuffles = (v11.subgroupSupportedOperations & shuffles) == shuffles;
    info->addresses = f12.bufferDeviceAddress && features.features.shaderInt64;
    read_subgroups(physical, info);
    read_cooperative_matrix(physical, info, &f12);
    info->findings = pen_physical_cache_path(physical, "selftest", ".ini");
    if (findings)
        pen_findings_read(info);
    pen_device_info_choose_kernels(info);
    guint32 timestamp_bits;
    if (pen_physical_compute_queue(physical, &timestamp_bits) < 0)
        info->unusable = N_("it cannot compute");
    return info;
}
