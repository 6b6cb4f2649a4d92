// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A graph under test, its random values, and the table of graphs that all compute tests share:
 * every operation in the shapes that are hard on kernels, alone and in company.
 */

#include "compute/device.h"
#include "compute/graph.h"
#include "compute/parameter.h"
#include "compute/plan.h"
#include "compute/reference.h"

typedef struct {
    PenDevice *device; /* NULL: parameters are abstract */
    PenGraph *graph;   /* NULL once a plan took it */
    PenReference *reference;
    GRand *random;
    PenDtype dtype;
    PenLayout matrices; /* of weights made from now on */
    GPtrArray *inputs;     /* names, owned */
    GPtrArray *parameters; /* PenParameter, owned */
    GPtrArray *targets;    /* PenTensor: what a gradient is wanted for */
    GPtrArray *grads;      /* PenTensor, as targets; after fixture_gradient() */
    gboolean checkpoints;  /* cases that have checkpoint blocks use them */
    gboolean late;         /* "dy" is a late input */
} Fixture;

Fixture *fixture_new(PenDevice *device, PenDtype dtype);
void fixture_free(Fixture *fixture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fixture, fixture_free)

/* An input with values spread evenly over mean ± spread, representable in the graph's dtype. */
PenTensor *fixture_values(Fixture *fixture, PenShape shape, double mean, double spread);
/* The same over ±1, and as a target for the gradient. */
PenTensor *fixture_input(Fixture *fixture, guint32 n, guint32 h, guint32 w, guint32 c);
PenTensor *fixture_target(Fixture *fixture, PenTensor *tensor);

/* Parameters: bias, gamma or beta; linear weight (a target); convolution weight. */
PenTensor *fixture_vector(Fixture *fixture, guint32 c, double mean);
PenTensor *fixture_linear(Fixture *fixture, guint32 in, guint32 out);
PenTensor *fixture_conv(Fixture *fixture, guint32 in, guint32 out, guint32 kh, guint32 kw);

/* Writes an input's values to the plan of the fixture's graph. */
void fixture_write(Fixture *fixture, PenPlan *plan, const char *input);

/* Adds an input "dy" and the gradients of `y` for all targets. */
void fixture_gradient(Fixture *fixture, PenTensor *y);

typedef struct {
    const char *name;
    PenTensor *(*build)(Fixture *fixture);
} FixtureCase;

extern const FixtureCase fixture_cases[];
extern const guint fixture_n_cases;

const FixtureCase *fixture_case(const char *name);
