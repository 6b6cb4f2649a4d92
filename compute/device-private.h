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

/* `findings`: with what a self-test found. */
PenDeviceInfo *pen_physical_info(VkPhysicalDevice physical, guint index, gboolean findings);
gboolean pen_physical_has_extension(VkPhysicalDevice physical, const char *name);
/* The queue family to compute with, or -1. */
int pen_physical_compute_queue(VkPhysicalDevice physical, guint32 *timestamp_bits);

/* A file in the user's cache folder for this device with this version of its driver. Free with g_free(). */
char *pen_physical_cache_path(VkPhysicalDevice physical, const char *what, const char *suffix);

/* Sets the kernels to use, by what the rest of the description says and by PENCHANT_KERNELS. Where all
 * are wrong in float16 the device has none; where all are wrong in float32 it is not usable. */
void pen_device_info_choose_kernels(PenDeviceInfo *info);

/* The reason why a device is unusable where it is PENCHANT_KERNELS. */
extern const char *const pen_no_such_kernels;

/* Sets the cooperative matrices to use: the best of `shapes` for which there is a kernel that fits.
 */
void pen_device_info_choose_matrix(PenDeviceInfo *info, const PenMatrixShape *shapes, guint n);

/* A device of that description (copied), for which plans can be made, and nothing else. */
PenDevice *pen_device_new_abstract(const PenDeviceInfo *info);

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

/* Sets OUT_OF_MEMORY for a buffer of that size. Always FALSE. */
gboolean pen_buffer_refuse(PenDevice *device, guint64 size, const char *purpose, GError **error);

typedef struct {
    PenBuffer *buffer;
    const void *data;
    guint64 size;
} PenUpload;

/* Copies host data into device buffers and waits: once for all, since a wait takes longer than the
 * copy of a small one. */
gboolean pen_buffers_upload(PenDevice *device, const PenUpload *uploads, guint n, GError **error);

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
    guint32 subgroup_size; /* that it asks for, all of them full; 0: any */
} PenPipelineSource;

/* The layout of descriptor sets of 1 to 8 storage buffers, which pipelines with as many bindings
 * share. */
VkDescriptorSetLayout pen_device_set_layout(PenDevice *device, guint n_bindings, GError **error);

/* Made once. */
const PenPipeline *pen_device_pipeline(PenDevice *device, const PenPipelineSource *source,
                                       GError **error);

/* "shader,spec0,spec1…", and "@size" where it asks for one of subgroups: names a pipeline. */
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
