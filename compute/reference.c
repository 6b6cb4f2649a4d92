// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "compute/reference-private.h"

/* A node with what is known of its results. */
typedef struct {
    PenReferenceCall call;
    guint8 *known; /* by unit */
} Results;

struct _PenReference {
    GHashTable *inputs;     /* name -> double array */
    GHashTable *parameters; /* PenParameter -> double array */
    GHashTable *results;    /* PenNode -> Results */
};

static void results_free(gpointer data)
{
    Results *results = data;
    for (guint i = 0; i < PEN_NODE_MAX_OUT; i++)
        g_free(results->call.out[i]);
    g_free(results->known);
    g_free(results);
}

PenReference *pen_reference_new(void)
{
    PenReference *r = g_new0(PenReference, 1);
    r->inputs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    r->parameters = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    r->results = g_hash_table_new_full(NULL, NULL, NULL, results_free);
    return r;
}

void pen_reference_free(PenReference *r)
{
    if (!r)
        return;
    g_hash_table_unref(r->inputs);
    g_hash_table_unref(r->parameters);
    g_hash_table_unref(r->results);
    g_free(r);
}

void pen_reference_set_input(PenReference *r, const char *name, const double *values, gsize n)
{
    g_hash_table_replace(r->inputs, g_strdup(name), g_memdup2(values, n * sizeof *values));
}

void pen_reference_set_parameter(PenReference *r, PenParameter *parameter, const double *values,
                                 gsize n)
{
    g_hash_table_replace(r->parameters, parameter, g_memdup2(values, n * sizeof *values));
}

double *pen_reference_input(PenReference *r, const char *name)
{
    double *values = g_hash_table_lookup(r->inputs, name);
    g_assert(values);
    return values;
}

double *pen_reference_parameter(PenReference *r, PenParameter *parameter)
{
    double *values = g_hash_table_lookup(r->parameters, parameter);
    g_assert(values);
    return values;
}

void pen_reference_forget(PenReference *r)
{
    g_hash_table_remove_all(r->results);
}

/* Shape of result i that a pass dropped. */
static PenShape dropped_shape(const PenNode *node, guint i)
{
    PenShape s = node->in[0]->shape;
    switch (node->op) {
    case PEN_OP_GROUP_NORM:
        return PEN_SHAPE(s.n, 1, node->attr.groups, 2);
    case PEN_OP_ATTENTION:
        return PEN_SHAPE(s.n, 1, node->attr.heads, s.h * s.w);
    case PEN_OP_ATTENTION_GRAD:
        return node->in[i]->shape;
    default:
        g_assert_not_reached();
    }
}

static Results *find_results(PenReference *r, const PenNode *node);

/* Where a tensor's values are, or will be. */
static const double *values_of(PenReference *r, const PenTensor *tensor)
{
    if (tensor->kind == PEN_TENSOR_INPUT)
        return pen_reference_input(r, tensor->name);
    if (tensor->kind == PEN_TENSOR_PARAMETER)
        return pen_reference_parameter(r, tensor->parameter);
    const PenNode *node = tensor->producer;
    for (guint i = 0; i < node->n_out; i++)
        if (node->out[i] == tensor)
            return find_results(r, node)->call.out[i];
    g_assert_not_reached();
}

static Results *find_results(PenReference *r, const PenNode *node)
{
    Results *results = g_hash_table_lookup(r->results, node);
    if (results)
        return results;
    results = g_new0(Results, 1);
    PenReferenceCall *call = &results->call;
    call->reference = r;
    call->node = node;
    call->attr = &node->attr;
    for (guint i = 0; i < node->n_in; i++)
        if (node->in[i])
            call->in[i] =
                (PenReferenceOperand){ node->in[i], values_of(r, node->in[i]), node->in[i]->shape };
    for (guint i = 0; i < node->n_out; i++) {
        call->out_shape[i] = node->out[i] ? node->out[i]->shape : dropped_shape(node, i);
        call->out[i] = g_new0(double, pen_shape_elements(call->out_shape[i]));
    }
    results->known = g_new0(guint8, pen_reference_units(call));
    g_hash_table_insert(r->results, (gpointer)node, results);
    return results;
}

static void compute_unit(Results *results, gsize unit)
{
    if (results->known[unit])
        return;
    results->known[unit] = TRUE;
    pen_reference_compute(&results->call, unit);
}

static void need(PenReference *r, const PenTensor *tensor, gsize i)
{
    if (tensor->kind != PEN_TENSOR_COMPUTED)
        return;
    Results *results = find_results(r, tensor->producer);
    guint which = 0;
    while (tensor->producer->out[which] != tensor)
        which++;
    compute_unit(results, pen_reference_unit(&results->call, which, i));
}

void pen_reference_need(const PenReferenceCall *call, guint operand, gsize i)
{
    need(call->reference, call->in[operand].tensor, i);
}

const double *pen_reference_value(PenReference *r, const PenTensor *tensor)
{
    const double *values = values_of(r, tensor);
    if (tensor->kind != PEN_TENSOR_COMPUTED)
        return values;
    Results *results = find_results(r, tensor->producer);
    for (gsize unit = 0; unit < pen_reference_units(&results->call); unit++)
        compute_unit(results, unit);
    return values;
}

double pen_reference_element(PenReference *r, const PenTensor *tensor, gsize i)
{
    need(r, tensor, i);
    return values_of(r, tensor)[i];
}
