// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "compute/device-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

static const char *vulkan_result_text(VkResult result)
{
    switch (result) {
    case VK_ERROR_OUT_OF_HOST_MEMORY:
        return "VK_ERROR_OUT_OF_HOST_MEMORY";
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
        return "VK_ERROR_OUT_OF_DEVICE_MEMORY";
    case VK_ERROR_INITIALIZATION_FAILED:
        return "VK_ERROR_INITIALIZATION_FAILED";
    case VK_ERROR_DEVICE_LOST:
        return "VK_ERROR_DEVICE_LOST";
    case VK_ERROR_LAYER_NOT_PRESENT:
        return "VK_ERROR_LAYER_NOT_PRESENT";
    case VK_ERROR_EXTENSION_NOT_PRESENT:
        return "VK_ERROR_EXTENSION_NOT_PRESENT";
    case VK_ERROR_INCOMPATIBLE_DRIVER:
        return "VK_ERROR_INCOMPATIBLE_DRIVER";
    default:
        return NULL;
    }
}

gboolean pen_vulkan_fail(GError **error, VkResult result, const char *what)
{
    switch (result) {
    case VK_ERROR_OUT_OF_HOST_MEMORY:
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_OUT_OF_MEMORY,
                    _("The device ran out of memory. Close other programs that use it, or make "
                      "smaller or fewer pictures."));
        break;
    case VK_ERROR_DEVICE_LOST:
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_DEVICE_LOST,
                    _("The graphics driver stopped the work. Your picks are safe; try again, and "
                      "if it happens again update the driver or choose another device."));
        break;
    default: {
        const char *text = vulkan_result_text(result);
        g_autofree char *number = text ? NULL : g_strdup_printf("VkResult %d", result);
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_FAILED,
                    _("Vulkan failed: %s in %s."), text ? text : number, what);
    }
    }
    return FALSE;
}

static VKAPI_ATTR VkBool32 VKAPI_CALL on_validation_message(
    VkDebugUtilsMessageSeverityFlagBitsEXT severity G_GNUC_UNUSED,
    VkDebugUtilsMessageTypeFlagsEXT type G_GNUC_UNUSED,
    const VkDebugUtilsMessengerCallbackDataEXT *data, void *user_data G_GNUC_UNUSED)
{
    g_error("Vulkan validation: %s", data->pMessage);
    return VK_FALSE;
}

/* Drivers that lack parts of Vulkan, as MoltenVK on macOS does, are hidden from programs that do not ask for
 * them. What they lack shows in their features and limits, by which each device is judged. */
static gboolean can_list_portable_devices(void)
{
    guint32 n = 0;
    vkEnumerateInstanceExtensionProperties(NULL, &n, NULL);
    g_autofree VkExtensionProperties *list = g_new0(VkExtensionProperties, n + 1);
    vkEnumerateInstanceExtensionProperties(NULL, &n, list);
    gboolean found = FALSE;
    for (guint32 i = 0; i < n; i++)
        found = found || g_str_equal(list[i].extensionName,
                                     VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME);
    return found;
}

static gboolean make_instance(VkInstance *instance, VkDebugUtilsMessengerEXT *messenger,
                              GError **error)
{
    if (volkInitialize() != VK_SUCCESS) {
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_NO_DEVICE,
                    _("No Vulkan was found. Install your graphics driver's Vulkan package, or "
                      "mesa-vulkan-drivers to work in software."));
        return FALSE;
    }
    gboolean validation = g_strcmp0(g_getenv("PENCHANT_VALIDATION"), "1") == 0;
    VkDebugUtilsMessengerCreateInfoEXT debug = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = on_validation_message,
    };
    VkValidationFeatureEnableEXT enable[] = {
        VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT,
    };
    VkValidationFeaturesEXT features = {
        .sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
        .pNext = &debug,
        .enabledValidationFeatureCount = G_N_ELEMENTS(enable),
        .pEnabledValidationFeatures = enable,
    };
    const char *layers[] = { "VK_LAYER_KHRONOS_validation" };
    const char *extensions[2];
    guint32 n_extensions = 0;
    if (validation)
        extensions[n_extensions++] = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    gboolean portable = can_list_portable_devices();
    if (portable)
        extensions[n_extensions++] = VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME;
    VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .pApplicationName = "Penchant",
        .apiVersion = VK_API_VERSION_1_3,
    };
    VkInstanceCreateInfo create = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pNext = validation ? &features : NULL,
        .flags = portable ? VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR : 0,
        .pApplicationInfo = &application,
        .enabledLayerCount = validation ? G_N_ELEMENTS(layers) : 0,
        .ppEnabledLayerNames = layers,
        .enabledExtensionCount = n_extensions,
        .ppEnabledExtensionNames = extensions,
    };
    VkResult result = vkCreateInstance(&create, NULL, instance);
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER) {
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_NO_DEVICE,
                    _("Vulkan is installed but there is no driver for it. Install your graphics "
                      "driver's Vulkan package, or mesa-vulkan-drivers to work in software."));
        return FALSE;
    }
    if (result != VK_SUCCESS)
        return pen_vulkan_fail(error, result, "vkCreateInstance");
    volkLoadInstance(*instance);
    *messenger = VK_NULL_HANDLE;
    if (validation) {
        result = vkCreateDebugUtilsMessengerEXT(*instance, &debug, NULL, messenger);
        if (result != VK_SUCCESS) {
            vkDestroyInstance(*instance, NULL);
            return pen_vulkan_fail(error, result, "vkCreateDebugUtilsMessengerEXT");
        }
    }
    return TRUE;
}

static void destroy_instance(VkInstance instance, VkDebugUtilsMessengerEXT messenger)
{
    if (messenger)
        vkDestroyDebugUtilsMessengerEXT(instance, messenger, NULL);
    if (instance)
        vkDestroyInstance(instance, NULL);
}

static VkPhysicalDevice *enumerate(VkInstance instance, guint32 *n)
{
    *n = 0;
    vkEnumeratePhysicalDevices(instance, n, NULL);
    VkPhysicalDevice *list = g_new0(VkPhysicalDevice, *n + 1);
    vkEnumeratePhysicalDevices(instance, n, list);
    return list;
}

static GPtrArray *read_infos(VkPhysicalDevice *physical, guint32 n, gboolean findings)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)pen_device_info_free);
    for (guint32 i = 0; i < n; i++)
        g_ptr_array_add(list, pen_physical_info(physical[i], i, findings));
    return list;
}

static GPtrArray *list_devices(gboolean findings, GError **error)
{
    VkInstance instance;
    VkDebugUtilsMessengerEXT messenger;
    if (!make_instance(&instance, &messenger, error))
        return NULL;
    guint32 n;
    g_autofree VkPhysicalDevice *physical = enumerate(instance, &n);
    GPtrArray *list = read_infos(physical, n, findings);
    destroy_instance(instance, messenger);
    return list;
}

GPtrArray *pen_device_list(GError **error)
{
    return list_devices(TRUE, error);
}

GPtrArray *pen_device_list_untested(GError **error)
{
    return list_devices(FALSE, error);
}

char *pen_device_label(GPtrArray *list, guint index)
{
    const PenDeviceInfo *info = list->pdata[index];
    guint number = 0, equal = 0;
    for (guint i = 0; i < list->len; i++) {
        equal += g_str_equal(((const PenDeviceInfo *)list->pdata[i])->name, info->name);
        if (i == index)
            number = equal;
    }
    return equal == 1 ? g_strdup(info->name) : g_strdup_printf("%s #%u", info->name, number);
}

/* How well a name means a device: 3 its whole label, 2 the whole name, 1 a part of the label. */
static guint names_device(GPtrArray *list, guint index, const char *wanted)
{
    const PenDeviceInfo *info = list->pdata[index];
    g_autofree char *label = pen_device_label(list, index);
    g_autofree char *folded = g_utf8_casefold(label, -1);
    g_autofree char *name = g_utf8_casefold(info->name, -1);
    g_autofree char *part = g_utf8_casefold(wanted, -1);
    return g_str_equal(folded, part) ? 3 : g_str_equal(name, part) ? 2 : strstr(folded, part) != NULL;
}

/* The index that `wanted` means; -1 with an error where none or several are meant. */
static int find_named(GPtrArray *list, const char *wanted, GError **error)
{
    guint64 number;
    if (g_ascii_string_to_unsigned(wanted, 10, 0, G_MAXUINT, &number, NULL) && number < list->len)
        return (int)number;
    g_autoptr(GString) labels = g_string_new(NULL);
    guint best = 0, n = 0;
    int found = -1;
    for (guint i = 0; i < list->len; i++) {
        /* One that cannot be used is meant only where no other is. */
        const PenDeviceInfo *info = list->pdata[i];
        guint score = 2 * names_device(list, i, wanted);
        score += score && !info->unusable;
        if (!score || score < best)
            continue;
        if (score > best) {
            best = score;
            n = 0;
            found = (int)i;
            g_string_truncate(labels, 0);
        }
        g_autofree char *label = pen_device_label(list, i);
        g_string_append_printf(labels, "%s%u %s", n++ ? ", " : "", i, label);
    }
    if (n == 1)
        return found;
    if (n)
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_NO_DEVICE,
                    _("“%s” means more than one device: give the number of one of %s."), wanted,
                    labels->str);
    else
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_NO_DEVICE,
                    _("There is no device “%s”. `penchant devices` lists those there are."), wanted);
    return -1;
}

int pen_device_choose(GPtrArray *list, const char *wanted, char **why, GError **error)
{
    const char *environment = g_getenv("PENCHANT_DEVICE");
    const char *name = wanted && *wanted ? wanted : environment;
    if (list->len == 0) {
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_NO_DEVICE,
                    _("No Vulkan device was found. Install your graphics driver's Vulkan package, "
                      "or mesa-vulkan-drivers to work in software."));
        return -1;
    }
    if (name && *name) {
        int named = find_named(list, name, error);
        const PenDeviceInfo *info = named < 0 ? NULL : list->pdata[named];
        if (info && info->unusable) {
            g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED,
                        _("The device “%s” cannot be used: %s."), info->name, _(info->unusable));
            return -1;
        }
        if (info && why)
            *why = g_strdup_printf(name == wanted ? _("asked for as “%s”")
                                                  : _("named “%s” by PENCHANT_DEVICE"),
                                   name);
        return named;
    }
    int best = -1;
    for (guint i = 0; i < list->len; i++) {
        const PenDeviceInfo *info = list->pdata[i];
        if (info->unusable)
            continue;
        const PenDeviceInfo *other = best < 0 ? NULL : list->pdata[best];
        if (!other || info->kind < other->kind ||
            (info->kind == other->kind && info->memory_total > other->memory_total))
            best = (int)i;
    }
    if (best < 0) {
        const PenDeviceInfo *first = list->pdata[0];
        if (first->unusable == pen_no_such_kernels)
            g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_NO_DEVICE,
                        _("The device “%s” has no kernels “%s”, which PENCHANT_KERNELS names: unset "
                          "it, or name others (tiles, lanes, shared, matrix)."),
                        first->name, g_getenv("PENCHANT_KERNELS"));
        else
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_NO_DEVICE,
                    _("No device can be used; “%s”: %s. Update its driver, or install "
                      "mesa-vulkan-drivers to work in software."),
                    first->name, _(first->unusable));
        return -1;
    }
    if (why) {
        const PenDeviceInfo *info = list->pdata[best];
        *why = info->kind == PEN_DEVICE_SOFTWARE
                   ? g_strdup(_("no usable GPU was found, so the processor does the work"))
               : list->len == 1 ? g_strdup(_("the only device"))
                                : g_strdup_printf(_("the strongest kind here: %s"),
                                                  pen_device_kind_label(info->kind));
    }
    return best;
}

static gboolean make_device(PenDevice *self, GError **error)
{
    guint32 timestamp_bits = 0;
    self->queue_family = (guint32)pen_physical_compute_queue(self->physical, &timestamp_bits);
    VkPhysicalDeviceProperties properties;
    vkGetPhysicalDeviceProperties(self->physical, &properties);
    self->timestamp_period = timestamp_bits ? (double)properties.limits.timestampPeriod : 0;
    self->binding_alignment = (guint32)MAX(properties.limits.minStorageBufferOffsetAlignment, 64);

    const PenDeviceInfo *info = self->info;
    gboolean budget =
        pen_physical_has_extension(self->physical, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    self->has_statistics = pen_physical_has_extension(
        self->physical, VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);
    const char *extensions[5];
    guint32 n_extensions = 0;
    /* Who has it, must be told that we know. */
    if (pen_physical_has_extension(self->physical, "VK_KHR_portability_subset"))
        extensions[n_extensions++] = "VK_KHR_portability_subset";
    if (budget)
        extensions[n_extensions++] = VK_EXT_MEMORY_BUDGET_EXTENSION_NAME;
    if (self->has_statistics)
        extensions[n_extensions++] = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
    gboolean lanes = info->kernels == PEN_KERNELS_LANES;
    gboolean matrix = info->kernels == PEN_KERNELS_MATRIX;
    if (matrix)
        extensions[n_extensions++] = VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME;
    /* Only what the device has is asked for: each goes in front of the chain where it does. */
    void *optional = NULL;
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR statistics = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
        .pipelineExecutableInfo = VK_TRUE,
    };
    if (self->has_statistics)
        optional = &statistics;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR cooperative = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR,
        .pNext = optional,
        .cooperativeMatrix = VK_TRUE,
    };
    if (matrix)
        optional = &cooperative;
    VkPhysicalDeviceVulkan13Features f13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .pNext = optional,
        .subgroupSizeControl = VK_TRUE,
        .computeFullSubgroups = VK_TRUE,
    };
    if (info->subgroup_min)
        optional = &f13;
    VkPhysicalDeviceVulkan12Features f12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .pNext = optional,
        .shaderFloat16 = info->float16_arithmetic,
        .bufferDeviceAddress = lanes,
        .vulkanMemoryModel = matrix,
    };
    VkPhysicalDeviceVulkan11Features f11 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
        .pNext = &f12,
        .storageBuffer16BitAccess = info->float16,
    };
    /* What draws the desktop comes first. */
    gboolean background =
        pen_physical_has_extension(self->physical, VK_KHR_GLOBAL_PRIORITY_EXTENSION_NAME);
    if (background)
        extensions[n_extensions++] = VK_KHR_GLOBAL_PRIORITY_EXTENSION_NAME;
    VkDeviceQueueGlobalPriorityCreateInfoKHR low = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_GLOBAL_PRIORITY_CREATE_INFO_KHR,
        .globalPriority = VK_QUEUE_GLOBAL_PRIORITY_LOW_KHR,
    };
    float priority = 0;
    VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .pNext = background ? &low : NULL,
        .queueFamilyIndex = self->queue_family,
        .queueCount = 1,
        .pQueuePriorities = &priority,
    };
    VkPhysicalDeviceFeatures f10 = { .shaderInt64 = lanes };
    VkDeviceCreateInfo create = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = &f11,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = n_extensions,
        .ppEnabledExtensionNames = extensions,
        .pEnabledFeatures = &f10,
    };
    VkResult result = vkCreateDevice(self->physical, &create, NULL, &self->device);
    if (result != VK_SUCCESS && background) { /* not permitted, or not for this queue */
        queue.pNext = NULL;
        result = vkCreateDevice(self->physical, &create, NULL, &self->device);
    }
    if (result != VK_SUCCESS)
        return pen_vulkan_fail(error, result, "vkCreateDevice");
    vkGetDeviceQueue(self->device, self->queue_family, 0, &self->queue);

    VmaVulkanFunctions functions = {
        .vkGetInstanceProcAddr = vkGetInstanceProcAddr,
        .vkGetDeviceProcAddr = vkGetDeviceProcAddr,
    };
    VmaAllocatorCreateInfo allocator = {
        .flags = (budget ? VMA_ALLOCATOR_CREATE_EXT_MEMORY_BUDGET_BIT : 0) |
                 (lanes ? VMA_ALLOCATOR_CREATE_BUFFER_DEVICE_ADDRESS_BIT : 0),
        .physicalDevice = self->physical,
        .device = self->device,
        .instance = self->instance,
        .pVulkanFunctions = &functions,
        .vulkanApiVersion = VK_API_VERSION_1_2,
    };
    result = vmaCreateAllocator(&allocator, &self->allocator);
    if (result != VK_SUCCESS)
        return pen_vulkan_fail(error, result, "vmaCreateAllocator");
    VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .queueFamilyIndex = self->queue_family,
    };
    result = vkCreateCommandPool(self->device, &pool, NULL, &self->pool);
    if (result != VK_SUCCESS)
        return pen_vulkan_fail(error, result, "vkCreateCommandPool");
    pen_device_load_pipeline_cache(self);
    return TRUE;
}

PenDevice *pen_device_open(const char *wanted, GError **error)
{
    g_autoptr(PenDevice) self = g_new0(PenDevice, 1);
    self->refs = 1;
    if (!make_instance(&self->instance, &self->messenger, error))
        return NULL;
    guint32 n;
    g_autofree VkPhysicalDevice *physical = enumerate(self->instance, &n);
    g_autoptr(GPtrArray) list = read_infos(physical, n, TRUE);
    int chosen = pen_device_choose(list, wanted, NULL, error);
    if (chosen < 0)
        return NULL;
    self->info = g_ptr_array_steal_index(list, (guint)chosen);
    self->physical = physical[chosen];
    if (!make_device(self, error))
        return NULL;
    const char *budget = g_getenv("PENCHANT_MEMORY_BUDGET");
    guint64 mebibytes;
    if (budget && *budget) {
        if (!g_ascii_string_to_unsigned(budget, 10, 1, G_MAXUINT32, &mebibytes, NULL)) {
            g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED,
                        _("PENCHANT_MEMORY_BUDGET is “%s”, where a whole number of MiB is expected: "
                          "set it to one, 4096 for example, or unset it."),
                        budget);
            return NULL;
        }
        self->budget = mebibytes << 20;
    }
    return g_steal_pointer(&self);
}

PenDevice *pen_device_new_abstract(const PenDeviceInfo *info)
{
    PenDevice *self = g_new0(PenDevice, 1);
    self->refs = 1;
    self->binding_alignment = 256; /* the most that Vulkan allows */
    self->info = g_memdup2(info, sizeof *info);
    self->info->name = g_strdup(info->name);
    self->info->driver = g_strdup(info->driver);
    self->info->findings = g_strdup(info->findings);
    return self;
}

PenDevice *pen_device_ref(PenDevice *device)
{
    g_atomic_int_inc(&device->refs);
    return device;
}

void pen_device_unref(PenDevice *device)
{
    if (!device || !g_atomic_int_dec_and_test(&device->refs))
        return;
    if (device->device) {
        vkDeviceWaitIdle(device->device);
        pen_device_save_pipeline_cache(device);
        pen_device_clear_pipelines(device);
        if (device->pool)
            vkDestroyCommandPool(device->device, device->pool, NULL);
        if (device->allocator)
            vmaDestroyAllocator(device->allocator);
        vkDestroyDevice(device->device, NULL);
    }
    destroy_instance(device->instance, device->messenger);
    pen_device_info_free(device->info);
    g_free(device);
}

const PenDeviceInfo *pen_device_info(PenDevice *device)
{
    return device->info;
}

guint64 pen_device_allocated(PenDevice *device)
{
    return device->allocated;
}

guint64 pen_device_peak(PenDevice *device)
{
    return device->peak;
}

void pen_device_reset_peak(PenDevice *device)
{
    device->peak = device->allocated;
}

void pen_device_set_budget(PenDevice *device, guint64 bytes)
{
    device->budget = bytes;
}
