// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A Vulkan device chosen for compute.
 *
 * Choice: the device named by the caller or by PENCHANT_DEVICE (an index of pen_device_list(), the
 * label of one or a part of it, which must be of one alone), else the first of discrete, integrated,
 * virtual, software. A device needs Vulkan 1.2 and a compute queue.
 *
 * PENCHANT_MEMORY_BUDGET caps the device memory to use, in MiB (pen_device_set_budget); anything but a
 * whole number above 0 is an error.
 *
 * PENCHANT_KERNELS (tiles, lanes, shared, matrix) names the kernels to use (tests).
 *
 * PENCHANT_VALIDATION=1 turns the Khronos validation layer with synchronisation validation on and
 * ends the program at its first message (tests).
 *
 * One thread at a time may use a device and what was made from it.
 */

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
    PEN_DEVICE_DISCRETE,
    PEN_DEVICE_INTEGRATED,
    PEN_DEVICE_VIRTUAL,
    PEN_DEVICE_SOFTWARE,
} PenDeviceKind;

/* The kernels for matrix products, convolution and attention. */
typedef enum {
    PEN_KERNELS_TILES,  /* in registers, reading memory directly */
    PEN_KERNELS_LANES,  /* for software Vulkan: shaders/lanes.glsl */
    PEN_KERNELS_SHARED, /* through shared memory */
    PEN_KERNELS_MATRIX, /* cooperative matrices, float16 in and float32 out; SHARED for float32 */
} PenKernels;
#define PEN_N_KERNELS 4

/* "tiles", "lanes", "shared", "matrix". */
const char *pen_kernels_name(PenKernels kernels);

/* Cooperative matrices that a subgroup multiplies, float16 in and float32 out: m x k with k x n. */
typedef struct {
    guint32 m, n, k;
} PenMatrixShape;

/* What a device is and can do. */
typedef struct {
    guint index; /* in Vulkan's order */
    char *name;
    char *driver; /* driver name and version */
    PenDeviceKind kind;
    guint32 api_version;
    guint32 vendor_id, device_id;
    const char *unusable; /* why it cannot run Penchant (untranslated, static); NULL if it can */
    gboolean
        float16; /* stores it, so that float16 plans are possible: kernels compute in float32 */
    gboolean float16_arithmetic;
    PenKernels kernels;                 /* chosen for it */
    guint possible_kernels;             /* bits by PenKernels */
    guint wrong_kernels[2];             /* by PenDtype: those that a self-test found wrong, which are
                                         * not possible */
    char *findings; /* the file in which it keeps what it finds: compute/findings.h */
    guint32 large_tiles_from[PEN_N_KERNELS][2][2]; /* by PenDtype, and 1 for linear layers, 0 for
                                                    * convolutions: from so many workgroups on the
                                                    * larger tile is faster; 0: was not measured
                                                    * (compute/tune.h) */
    PenMatrixShape matrix;              /* the best of those it has; all 0 without */
    guint32 matrix_subgroup;            /* size of the subgroups that multiply them */
    guint32 subgroup_size;              /* where a kernel asks for none */
    guint32 subgroup_min, subgroup_max; /* sizes that a kernel can ask for; 0: none, and kernels
                                         * that rely on one are not for this device */
    gboolean subgroup_choice; /* the driver is told which; else full subgroups have the one size */
    guint32 max_subgroups;    /* of a workgroup that asks for a size */
    gboolean shuffles;        /* the invocations of a subgroup can exchange values */
    gboolean addresses;       /* kernels can read at addresses */
    guint32 registers; /* of 32 bits that an invocation has, by what is known of the vendor */
    guint32 shared_memory;    /* bytes for a workgroup */
    guint32 max_workgroup;    /* invocations */
    guint32 max_bindings;     /* of a kernel */
    guint64 max_binding;      /* bytes one shader binding may span */
    guint64 max_allocation;   /* bytes of one buffer */
    guint64 memory_total;     /* bytes of device-local heaps */
    guint64 memory_available; /* budget left now, by VK_EXT_memory_budget when present */
    gboolean unified_memory;  /* the host can write device memory directly */
} PenDeviceInfo;

void pen_device_info_free(PenDeviceInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenDeviceInfo, pen_device_info_free)

/* In plain words, e.g. "integrated GPU". */
const char *pen_device_kind_label(PenDeviceKind kind);

/* All Vulkan devices (PenDeviceInfo, owned). Empty when there is a loader but no device; NULL with
 * an error when there is no Vulkan at all. */
GPtrArray *pen_device_list(GError **error);
/* The same as if no self-test had found anything. */
GPtrArray *pen_device_list_untested(GError **error);

/* The name of a device of the list, with " #1", " #2" and so on where several bear it. Free with
 * g_free(). */
char *pen_device_label(GPtrArray *list, guint index);

/* The index into `list` that pen_device_open(wanted) would take, and in `why` a sentence
 * for a person; -1 with an error when nothing fits. */
int pen_device_choose(GPtrArray *list, const char *wanted, char **why, GError **error);

typedef struct _PenDevice PenDevice;

/* `wanted` may be NULL. */
PenDevice *pen_device_open(const char *wanted, GError **error);
PenDevice *pen_device_ref(PenDevice *device);
void pen_device_unref(PenDevice *device);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenDevice, pen_device_unref)

const PenDeviceInfo *pen_device_info(PenDevice *device);

/* Bytes of device memory that Penchant holds now, and the most it has held since the last
 * pen_device_reset_peak(), by the allocator's own count. */
guint64 pen_device_allocated(PenDevice *device);
guint64 pen_device_peak(PenDevice *device);
void pen_device_reset_peak(PenDevice *device);

/* Bytes that can still be allocated: of the cap, or what the driver grants now. */
guint64 pen_device_memory_left(PenDevice *device);

/* A cap in bytes on what plans and parameters may take (0: the driver's budget). */
void pen_device_set_budget(PenDevice *device, guint64 bytes);

G_END_DECLS
