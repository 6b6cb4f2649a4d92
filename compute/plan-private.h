// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* The inside of a plan: plan.c builds it and moves data, record.c records it, run.c runs it. */

#include "compute/arena.h"
#include "compute/device-private.h"
#include "compute/lower.h"
#include "compute/plan.h"

G_BEGIN_DECLS

/* An input or output on the host side. */
typedef struct {
    const char *name; /* of the tensor */
    PenTensor *tensor;
    guint64 offset; /* in the staging buffer */
    float *values;  /* inputs: what the next run uploads; NULL until written */
} PenPort;

struct _PenPlan {
    PenDevice *device;
    PenGraph *graph;
    GArray *dispatches;     /* PenDispatch */
    PenTensor **root;       /* by tensor id: whose memory the tensor uses */
    PenInterval *intervals; /* by tensor id; size 0 where there is none */
    guint n_tensors;
    guint late; /* the first dispatch that reads a late input; their number if there is none */
    GArray *inputs, *outputs; /* PenPort */
    guint64 arena_bytes, upload_bytes, download_bytes;

    gboolean allocated;
    guint64 piece_bytes; /* the arena is had in pieces of that size; the last one is smaller */
    guint n_pieces;
    PenBuffer *pieces, upload, download;
    VkDescriptorPool descriptors;
    VkDescriptorSet *sets;     /* by dispatch */
    VkCommandBuffer *commands; /* in submission order */
    double *costs;             /* of each, in the unit of pen_dispatch_cost() */
    double *seconds;           /* of each, measured; 0 until known */
    guint n_commands;
    guint n_early;        /* of them before the late inputs */
    double recorded_rate; /* cost a second for which they were cut */
    double cost_rate;     /* measured in the last submission; 0 until known */
    gboolean warm;        /* has run: what is compiled lazily is compiled */
    double longest;       /* seconds of the last run's longest submission */
};

/* A rough measure of a dispatch's time, for cutting a run into chunks. */
double pen_dispatch_cost(const PenDispatch *dispatch);

/* Dispatches `n_groups` of the workgroups of #i from `first` on, along its last dimension
 * of more than one; PEN_ALL_GROUPS: all. */
#define PEN_ALL_GROUPS 0
void pen_plan_record_dispatch(PenPlan *plan, VkCommandBuffer commands, guint i, guint32 first,
                              guint32 n_groups, const PenPipeline *pipeline);
PenPipelineSource pen_dispatch_source(const PenDispatch *dispatch);
const PenPipeline *pen_plan_pipeline(PenPlan *plan, guint i, GError **error);

/* The buffer of the arena in which an offset lies, and where in it. */
const PenBuffer *pen_plan_piece(const PenPlan *plan, guint64 offset, guint64 *within);

/* Makes the descriptor set of each dispatch; the plan's buffers exist. */
gboolean pen_plan_describe(PenPlan *plan, GError **error);

/* Records all command buffers, in place of what was recorded, with dispatches cut so that a part
 * takes no longer than a submission should on a device of the measured speed; the plan's buffers
 * exist. */
gboolean pen_plan_record(PenPlan *plan, GError **error);
void pen_plan_clear_commands(PenPlan *plan);

/* A submission should take about so long: the desktop stays alive and no watchdog fires. */
#define PEN_CHUNK_SECONDS 0.05

/* Whether an output is computed after the late inputs came in. */
gboolean pen_plan_output_is_late(const PenPlan *plan, const PenPort *port);

/* Host values to the upload buffer before a run, of the late inputs or of the others. */
gboolean pen_plan_stage_inputs(PenPlan *plan, gboolean late, GError **error);

void pen_barrier(VkCommandBuffer commands, VkPipelineStageFlags from, VkAccessFlags from_access,
                 VkPipelineStageFlags to, VkAccessFlags to_access);

gboolean pen_command_buffers(PenDevice *device, VkCommandBuffer *commands, guint n, GError **error);

G_END_DECLS
