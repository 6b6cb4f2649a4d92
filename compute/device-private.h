// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* The inside of a device, for compute/ alone: Vulkan handles, buffers, pipelines. */

#include <volk.h>

#include <vk_mem_alloc.h>

#include "compute/device.h"
#include "compute/graph.h"

G_BEGIN_DECLS

struct _PenDevice {
    gint refs;
    PenDeviceInfo *info;
    VkInstance instance;
    VkDebugUtilsMessengerEXT messenger;
    VkPhysicalDevice physical;
    VkDevice device;
    VkQueue queue;
    guint32 queue_family;
    VmaAllocator allocator;
    VkCommandPool pool;
    gboolean has_statistics; /* VK_KHR_pipeline_executable_properties */
    double timestamp_period; /* nanoseconds a tick; 0 without timestamps */
    double cost_rate;        /* PenPlan's cost a second in the last long run; 0 until known */
    guint32 binding_alignment;

    guint64 allocated, peak, budget;

    VkPipelineCache cache;
    char *cache_path;
    gboolean cache_dirty;
    GHashTable *pipelines; /* key (char*) -> PenPipeline */
    VkDescriptorSetLayout set_layouts[9];
    VkPipelineLayout layouts[9]; /* by number of bindings */
};

/* --- what there is (device-info.c) ---------------------------------------------------------- */

PenDeviceInfo *pen_physical_info(VkPhysicalDevice physical, guint index);
gboolean pen_physical_has_extension(VkPhysicalDevice physical, const char *name);
/* The queue family to compute with, or -1. */
int pen_physical_compute_queue(VkPhysicalDevice physical, guint32 *timestamp_bits);

/* Sets `error` from a Vulkan result; `what` names the call. Always FALSE. */
gboolean pen_vulkan_fail(GError **error, VkResult result, const char *what);

/* --- buffers (buffer.c) -------------------------------------------------------------------- */

typedef enum {
    PEN_BUFFER_DEVICE,   /* device memory; mapped too where the host can write it directly */
    PEN_BUFFER_UPLOAD,   /* host memory written by the host, read by the device */
    PEN_BUFFER_DOWNLOAD, /* the other way round */
} PenBufferUse;

typedef struct {
    VkBuffer buffer;
    VmaAllocation allocation;
    void *mapped; /* NULL when only the device sees it */
    guint64 size;
    PenBufferUse use;
} PenBuffer;

/* OUT_OF_MEMORY says how much was asked for, `purpose` (translated, e.g. "the picture model") and
 * what is left. */
gboolean pen_buffer_init(PenDevice *device, PenBuffer *buffer, guint64 size, PenBufferUse use,
                         const char *purpose, GError **error);
void pen_buffer_clear(PenDevice *device, PenBuffer *buffer);

/* Copies host data into a device buffer and waits. */
gboolean pen_buffer_upload(PenDevice *device, PenBuffer *buffer, const void *data, guint64 size,
                           GError **error);

/* --- pipelines (pipeline.c) ---------------------------------------------------------------- */

typedef struct {
    VkPipeline pipeline;
    VkPipelineLayout layout;
} PenPipeline;

/* What a pipeline is made from: an embedded shader with specialization constants 0..n_spec-1. */
typedef struct {
    const char *shader;
    const guint32 *spec;
    guint n_spec, n_bindings;
    guint32 subgroup_size; /* that it relies on, all of them full; 0: any */
} PenPipelineSource;

/* Made once. */
const PenPipeline *pen_device_pipeline(PenDevice *device, const PenPipelineSource *source,
                                       GError **error);

/* "shader,spec0,spec1…", which names a pipeline. */
char *pen_pipeline_key(const PenPipelineSource *source);

/* Makes a pipeline that is the caller's to destroy. */
gboolean pen_device_compile(PenDevice *device, const PenPipelineSource *source,
                            VkPipelineCreateFlags flags, PenPipeline *made, GError **error);

/* Reads the pipeline cache of this device and driver from the user's cache folder; a missing,
 * foreign or damaged file is ignored. */
void pen_device_load_pipeline_cache(PenDevice *device);
/* Writes it back when there are new pipelines. Failure to write only costs time later. */
void pen_device_save_pipeline_cache(PenDevice *device);
void pen_device_clear_pipelines(PenDevice *device);

G_END_DECLS
