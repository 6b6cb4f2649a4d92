// SPDX-License-Identifier: GPL-3.0-or-later
//
// Checks the checker: every GPU test relies on the Khronos validation layer being loaded by its
// environment, with synchronisation validation of what shaders access. A dispatch that reads the
// range of a buffer that another has written must be reported without a barrier between them; it
// must not be reported with one, nor when it reads another range.
#include <glib.h>
#include <volk.h>

#include "copy.h"

enum { RANGE = 256, N_RANGES = 4, N_SETS = 2 };

typedef struct {
    VkInstance instance;
    VkDebugUtilsMessengerEXT messenger;
    VkDevice device;
    VkQueue queue;
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkBuffer buffer;
    VkDeviceMemory memory;
    VkDescriptorSetLayout set_layout;
    VkDescriptorPool set_pool;
    VkDescriptorSet sets[N_SETS];
    VkPipelineLayout layout;
    VkPipeline pipeline;
    GString *messages; // the names of the rules that were broken
} Gpu;

static VKAPI_ATTR VkBool32 VKAPI_CALL collect_message(
    VkDebugUtilsMessageSeverityFlagBitsEXT severity, VkDebugUtilsMessageTypeFlagsEXT type,
    const VkDebugUtilsMessengerCallbackDataEXT *message, void *user_data)
{
    g_test_message("%s", message->pMessage);
    g_string_append_printf(user_data, "%s\n", message->pMessageIdName);
    return VK_FALSE;
}

static void check(VkResult result)
{
    g_assert_cmpint(result, ==, VK_SUCCESS);
}

static void open_device(Gpu *gpu)
{
    check(volkInitialize());
    VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .apiVersion = VK_API_VERSION_1_2,
    };
    const char *extension = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    VkInstanceCreateInfo instance = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pApplicationInfo = &application,
        .enabledExtensionCount = 1,
        .ppEnabledExtensionNames = &extension,
    };
    check(vkCreateInstance(&instance, NULL, &gpu->instance));
    volkLoadInstance(gpu->instance);
    VkDebugUtilsMessengerCreateInfoEXT messenger = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = collect_message,
        .pUserData = gpu->messages,
    };
    check(vkCreateDebugUtilsMessengerEXT(gpu->instance, &messenger, NULL, &gpu->messenger));

    VkPhysicalDevice physical;
    uint32_t count = 1;
    VkResult found = vkEnumeratePhysicalDevices(gpu->instance, &count, &physical);
    g_assert_true(found == VK_SUCCESS || found == VK_INCOMPLETE);
    g_assert_cmpuint(count, ==, 1);
    // Queue family 0 of every driver known to us can compute.
    VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueCount = 1,
        .pQueuePriorities = &(float){ 1 },
    };
    VkDeviceCreateInfo device = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
    };
    check(vkCreateDevice(physical, &device, NULL, &gpu->device));
    volkLoadDevice(gpu->device);
    vkGetDeviceQueue(gpu->device, 0, 0, &gpu->queue);
    VkCommandPoolCreateInfo pool = { .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO };
    check(vkCreateCommandPool(gpu->device, &pool, NULL, &gpu->pool));
    VkCommandBufferAllocateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = gpu->pool,
        .commandBufferCount = 1,
    };
    check(vkAllocateCommandBuffers(gpu->device, &commands, &gpu->commands));
}

static void make_buffer(Gpu *gpu)
{
    VkBufferCreateInfo buffer = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = N_RANGES * RANGE,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
    };
    check(vkCreateBuffer(gpu->device, &buffer, NULL, &gpu->buffer));
    VkMemoryRequirements needs;
    vkGetBufferMemoryRequirements(gpu->device, gpu->buffer, &needs);
    VkMemoryAllocateInfo memory = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .allocationSize = needs.size,
        .memoryTypeIndex = (uint32_t)g_bit_nth_lsf(needs.memoryTypeBits, -1),
    };
    check(vkAllocateMemory(gpu->device, &memory, NULL, &gpu->memory));
    check(vkBindBufferMemory(gpu->device, gpu->buffer, gpu->memory, 0));
}

static void make_sets(Gpu *gpu)
{
    VkDescriptorSetLayoutBinding bindings[] = {
        { 0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL },
        { 1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL },
    };
    VkDescriptorSetLayoutCreateInfo layout = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = G_N_ELEMENTS(bindings),
        .pBindings = bindings,
    };
    check(vkCreateDescriptorSetLayout(gpu->device, &layout, NULL, &gpu->set_layout));
    VkDescriptorPoolSize size = { VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2 * N_SETS };
    VkDescriptorPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
        .maxSets = N_SETS,
        .poolSizeCount = 1,
        .pPoolSizes = &size,
    };
    check(vkCreateDescriptorPool(gpu->device, &pool, NULL, &gpu->set_pool));
    VkDescriptorSetLayout layouts[N_SETS] = { gpu->set_layout, gpu->set_layout };
    VkDescriptorSetAllocateInfo sets = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .descriptorPool = gpu->set_pool,
        .descriptorSetCount = N_SETS,
        .pSetLayouts = layouts,
    };
    check(vkAllocateDescriptorSets(gpu->device, &sets, gpu->sets));
}

static void make_pipeline(Gpu *gpu)
{
    VkPipelineLayoutCreateInfo layout = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .setLayoutCount = 1,
        .pSetLayouts = &gpu->set_layout,
    };
    check(vkCreatePipelineLayout(gpu->device, &layout, NULL, &gpu->layout));
    VkShaderModuleCreateInfo module = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = sizeof copy,
        .pCode = copy,
    };
    VkComputePipelineCreateInfo pipeline = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = { .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                   .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                   .pName = "main" },
        .layout = gpu->layout,
    };
    check(vkCreateShaderModule(gpu->device, &module, NULL, &pipeline.stage.module));
    check(
        vkCreateComputePipelines(gpu->device, VK_NULL_HANDLE, 1, &pipeline, NULL, &gpu->pipeline));
    vkDestroyShaderModule(gpu->device, pipeline.stage.module, NULL);
}

static void close_device(Gpu *gpu)
{
    vkDestroyPipeline(gpu->device, gpu->pipeline, NULL);
    vkDestroyPipelineLayout(gpu->device, gpu->layout, NULL);
    vkDestroyDescriptorPool(gpu->device, gpu->set_pool, NULL);
    vkDestroyDescriptorSetLayout(gpu->device, gpu->set_layout, NULL);
    vkDestroyBuffer(gpu->device, gpu->buffer, NULL);
    vkFreeMemory(gpu->device, gpu->memory, NULL);
    vkDestroyCommandPool(gpu->device, gpu->pool, NULL);
    vkDestroyDevice(gpu->device, NULL);
    vkDestroyDebugUtilsMessengerEXT(gpu->instance, gpu->messenger, NULL);
    vkDestroyInstance(gpu->instance, NULL);
}

// Copies one range of the buffer to another.
static void dispatch(Gpu *gpu, VkDescriptorSet set, VkDeviceSize source, VkDeviceSize target)
{
    VkDescriptorBufferInfo ranges[] = {
        { gpu->buffer, source * RANGE, RANGE },
        { gpu->buffer, target * RANGE, RANGE },
    };
    VkWriteDescriptorSet write = {
        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
        .dstSet = set,
        .descriptorCount = G_N_ELEMENTS(ranges),
        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
        .pBufferInfo = ranges,
    };
    vkUpdateDescriptorSets(gpu->device, 1, &write, 0, NULL);
    vkCmdBindDescriptorSets(gpu->commands, VK_PIPELINE_BIND_POINT_COMPUTE, gpu->layout, 0, 1, &set,
                            0, NULL);
    vkCmdDispatch(gpu->commands, 1, 1, 1);
}

// Copies range 0 to 1 and then `source` to 3; returns what the layer said about it.
static char *copy_twice(VkDeviceSize source, gboolean with_barrier)
{
    Gpu gpu = { .messages = g_string_new(NULL) };
    open_device(&gpu);
    make_buffer(&gpu);
    make_sets(&gpu);
    make_pipeline(&gpu);
    VkCommandBufferBeginInfo begin = { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO };
    check(vkBeginCommandBuffer(gpu.commands, &begin));
    vkCmdBindPipeline(gpu.commands, VK_PIPELINE_BIND_POINT_COMPUTE, gpu.pipeline);
    dispatch(&gpu, gpu.sets[0], 0, 1);
    if (with_barrier) {
        VkMemoryBarrier barrier = {
            .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
            .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT,
            .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT,
        };
        vkCmdPipelineBarrier(gpu.commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                             VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, 0, 1, &barrier, 0, NULL, 0,
                             NULL);
    }
    dispatch(&gpu, gpu.sets[1], source, 3);
    check(vkEndCommandBuffer(gpu.commands));
    VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &gpu.commands,
    };
    check(vkQueueSubmit(gpu.queue, 1, &submit, VK_NULL_HANDLE));
    check(vkQueueWaitIdle(gpu.queue));
    close_device(&gpu);
    return g_string_free(gpu.messages, FALSE);
}

static void test_hazard_is_reported(void)
{
    g_autofree char *messages = copy_twice(1, FALSE);
    g_assert_nonnull(strstr(messages, "SYNC-HAZARD"));
}

static void test_barrier_is_quiet(void)
{
    g_autofree char *messages = copy_twice(1, TRUE);
    g_assert_cmpstr(messages, ==, "");
}

static void test_other_range_is_quiet(void)
{
    g_autofree char *messages = copy_twice(2, FALSE);
    g_assert_cmpstr(messages, ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/harness/validation/hazard-is-reported", test_hazard_is_reported);
    g_test_add_func("/harness/validation/barrier-is-quiet", test_barrier_is_quiet);
    g_test_add_func("/harness/validation/other-range-is-quiet", test_other_range_is_quiet);
    return g_test_run();
}
