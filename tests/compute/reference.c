// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/compute/reference.h"

#include <math.h>
#include <string.h>

#include "compute/graph-private.h"

struct _Reference {
    GHashTable *inputs;     /* name -> double array */
    GHashTable *parameters; /* PenParameter -> double array */
    GHashTable *values;     /* PenTensor -> double array: results known already */
};

Reference *reference_new(void)
{
    Reference *r = g_new0(Reference, 1);

    r->inputs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    r->parameters = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    r->values = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return r;
}

void reference_free(Reference *r)
{
    g_hash_table_unref(r->inputs);
    g_hash_table_unref(r->parameters);
    g_hash_table_unref(r->values);
    g_free(r);
}

void reference_set_input(Reference *r, const char *name, const double *values, gsize n)
{
    g_hash_table_replace(r->inputs, g_strdup(name), g_memdup2(values, n * sizeof *values));
}

void reference_set_parameter(Reference *r, PenParameter *parameter, const double *values, gsize n)
{
    g_hash_table_replace(r->parameters, parameter, g_memdup2(values, n * sizeof *values));
}

double *reference_input(Reference *r, const char *name)
{
    double *values = g_hash_table_lookup(r->inputs, name);

    g_assert_nonnull(values);
    return values;
}

double *reference_parameter(Reference *r, PenParameter *parameter)
{
    double *values = g_hash_table_lookup(r->parameters, parameter);

    g_assert_nonnull(values);
    return values;
}

void reference_forget(Reference *r)
{
    g_hash_table_remove_all(r->values);
}

/* --- operations ---------------------------------------------------------------------------- */

/* What a node's evaluation works on: operands and results with their shapes. Absent ones are NULL;
 * a result that a pass dropped is evaluated into a scratch array. */
typedef struct {
    const PenAttributes *attr;
    const double *in[PEN_NODE_MAX_IN];
    PenShape in_shape[PEN_NODE_MAX_IN];
    double *out[PEN_NODE_MAX_OUT];
    PenShape out_shape[PEN_NODE_MAX_OUT];
} Call;

static gsize at(PenShape s, gsize n, gsize h, gsize w, gsize c)
{
    return ((n * s.h + h) * s.w + w) * s.c + c;
}

/* The two operands that fusion adds to a product's result. */
static void add_fused(const Call *k)
{
    PenShape s = k->out_shape[0];

    for (gsize n = 0; n < s.n; n++)
        for (gsize p = 0; p < (gsize)s.h * s.w; p++)
            for (gsize c = 0; c < s.c; c++) {
                gsize i = (n * s.h * s.w + p) * s.c + c;
                if (k->in[3])
                    k->out[0][i] += k->in[3][i];
                if (k->in[4])
                    k->out[0][i] += k->in[4][(k->in_shape[4].n == 1 ? 0 : n) * s.c + c];
            }
}

static void linear(const Call *k)
{
    gsize rows = pen_shape_rows(k->in_shape[0]);
    gsize in = k->in_shape[0].c, out = k->out_shape[0].c;

    for (gsize r = 0; r < rows; r++)
        for (gsize o = 0; o < out; o++) {
            double sum = k->in[2] ? k->in[2][o] : 0;
            for (gsize i = 0; i < in; i++)
                sum += k->in[0][r * in + i] * k->in[1][o * in + i];
            k->out[0][r * out + o] = sum;
        }
    add_fused(k);
}

static void linear_input(const Call *k)
{
    gsize rows = pen_shape_rows(k->in_shape[0]);
    gsize out = k->in_shape[0].c, in = k->out_shape[0].c;

    for (gsize r = 0; r < rows; r++)
        for (gsize i = 0; i < in; i++) {
            double sum = 0;
            for (gsize o = 0; o < out; o++)
                sum += k->in[0][r * out + o] * k->in[1][o * in + i];
            k->out[0][r * in + i] = sum;
        }
    add_fused(k);
}

static void linear_weight(const Call *k)
{
    gsize rows = pen_shape_rows(k->in_shape[0]);
    gsize out = k->in_shape[0].c, in = k->in_shape[1].c;

    for (gsize o = 0; o < out; o++)
        for (gsize i = 0; i < in; i++) {
            double sum = 0;
            for (gsize r = 0; r < rows; r++)
                sum += k->in[0][r * out + o] * k->in[1][r * in + i];
            k->out[0][o * in + i] = sum;
        }
}

/* Calls `visit` for each output pixel and each tap of the kernel that falls on the picture, with
 * the offsets of their first channels in x and y, and the tap's place in the kernel. */
static void each_tap(const Call *k, PenShape x, PenShape y,
                     void (*visit)(const Call *k, gsize x0, gsize y0, gsize tap))
{
    const PenAttributes *a = k->attr;
    PenShape kernel = k->in_shape[1];

    for (gsize n = 0; n < y.n; n++)
        for (gsize i = 0; i < (gsize)y.h * y.w; i++)
            for (gsize tap = 0; tap < (gsize)kernel.h * kernel.w; tap++) {
                gint64 h = (gint64)(i / y.w * a->stride + tap / kernel.w) - a->padding.top;
                gint64 w = (gint64)(i % y.w * a->stride + tap % kernel.w) - a->padding.left;
                if (h >= 0 && h < x.h && w >= 0 && w < x.w)
                    visit(k, at(x, n, (gsize)h, (gsize)w, 0), (n * y.h * y.w + i) * y.c, tap);
            }
}

static double kernel_weight(const Call *k, gsize o, gsize tap, gsize c)
{
    PenShape kernel = k->in_shape[1];

    return k->in[1][(o * kernel.h * kernel.w + tap) * kernel.c + c];
}

static void conv2d_tap(const Call *k, gsize x0, gsize y0, gsize tap)
{
    for (gsize o = 0; o < k->in_shape[1].n; o++)
        for (gsize c = 0; c < k->in_shape[1].c; c++)
            k->out[0][y0 + o] += k->in[0][x0 + c] * kernel_weight(k, o, tap, c);
}

static void conv2d(const Call *k)
{
    PenShape y = k->out_shape[0];

    for (gsize i = 0; i < pen_shape_elements(y); i++)
        k->out[0][i] = k->in[2] ? k->in[2][i % y.c] : 0;
    each_tap(k, k->in_shape[0], y, conv2d_tap);
    add_fused(k);
}

static void conv2d_input_tap(const Call *k, gsize x0, gsize y0, gsize tap)
{
    for (gsize o = 0; o < k->in_shape[1].n; o++)
        for (gsize c = 0; c < k->in_shape[1].c; c++)
            k->out[0][x0 + c] += k->in[0][y0 + o] * kernel_weight(k, o, tap, c);
}

static void conv2d_input(const Call *k)
{
    each_tap(k, k->out_shape[0], k->in_shape[0], conv2d_input_tap);
    add_fused(k);
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double activate(PenActivation activation, double x)
{
    switch (activation) {
    case PEN_ACTIVATION_SILU:
        return x * sigmoid(x);
    case PEN_ACTIVATION_GELU:
        return x * 0.5 * (1 + erf(x * M_SQRT1_2));
    case PEN_ACTIVATION_QUICK_GELU:
        return x * sigmoid(1.702 * x);
    default:
        return x;
    }
}

static double activate_slope(PenActivation activation, double x)
{
    double s;

    switch (activation) {
    case PEN_ACTIVATION_SILU:
        s = sigmoid(x);
        return s * (1 + x * (1 - s));
    case PEN_ACTIVATION_GELU:
        return 0.5 * (1 + erf(x * M_SQRT1_2)) + x * exp(-0.5 * x * x) / sqrt(2 * G_PI);
    case PEN_ACTIVATION_QUICK_GELU:
        s = sigmoid(1.702 * x);
        return s * (1 + 1.702 * x * (1 - s));
    default:
        return 1;
    }
}

/* Offset of element i of group g: a group's elements are its channels at every position. */
static gsize grouped(PenShape s, guint32 groups, gsize n, gsize g, gsize i)
{
    gsize size = s.c / groups;

    return (n * s.h * s.w + i / size) * s.c + g * size + i % size;
}

static void group_statistics(const Call *k, gsize n, gsize g, double *mean, double *rstd)
{
    PenShape s = k->in_shape[0];
    guint32 groups = k->attr->groups;
    gsize count = (gsize)s.h * s.w * s.c / groups;
    double variance = 0;

    *mean = 0;
    for (gsize i = 0; i < count; i++)
        *mean += k->in[0][grouped(s, groups, n, g, i)] / (double)count;
    for (gsize i = 0; i < count; i++)
        variance += pow(k->in[0][grouped(s, groups, n, g, i)] - *mean, 2) / (double)count;
    *rstd = 1 / sqrt(variance + k->attr->epsilon);
}

static void channel_statistics(const Call *k)
{
    PenShape s = k->in_shape[0];

    for (gsize n = 0; n < s.n; n++)
        for (gsize c = 0; c < s.c; c++)
            group_statistics(k, n, c, &k->out[0][(n * s.c + c) * 2],
                             &k->out[0][(n * s.c + c) * 2 + 1]);
}

static void group_norm(const Call *k)
{
    PenShape s = k->in_shape[0];
    guint32 groups = k->attr->groups;
    gsize count = (gsize)s.h * s.w * s.c / groups;

    for (gsize n = 0; n < s.n; n++)
        for (gsize g = 0; g < groups; g++) {
            double mean, rstd;
            group_statistics(k, n, g, &mean, &rstd);
            for (gsize i = 0; i < count; i++) {
                gsize e = grouped(s, groups, n, g, i);
                double z = (k->in[0][e] - mean) * rstd * k->in[1][e % s.c] + k->in[2][e % s.c];
                k->out[0][e] = activate(k->attr->activation, z);
            }
            k->out[1][(n * groups + g) * 2] = mean;
            k->out[1][(n * groups + g) * 2 + 1] = rstd;
        }
}

static void group_norm_grad(const Call *k)
{
    PenShape s = k->in_shape[0];
    guint32 groups = k->attr->groups;
    gsize count = (gsize)s.h * s.w * s.c / groups;
    g_autofree double *d = g_new(double, count), *hat = g_new(double, count);

    for (gsize n = 0; n < s.n; n++)
        for (gsize g = 0; g < groups; g++) {
            double mean = k->in[3][(n * groups + g) * 2], rstd = k->in[3][(n * groups + g) * 2 + 1];
            double mean_d = 0, mean_dx = 0;
            for (gsize i = 0; i < count; i++) {
                gsize e = grouped(s, groups, n, g, i);
                double gamma = k->in[1][e % s.c], beta = k->in[2][e % s.c];
                hat[i] = (k->in[0][e] - mean) * rstd;
                d[i] = k->in[4][e] * gamma *
                       activate_slope(k->attr->activation, hat[i] * gamma + beta);
                mean_d += d[i] / (double)count;
                mean_dx += d[i] * hat[i] / (double)count;
            }
            for (gsize i = 0; i < count; i++)
                k->out[0][grouped(s, groups, n, g, i)] = rstd * (d[i] - mean_d - hat[i] * mean_dx);
        }
}

static void layer_statistics(const double *x, gsize c, double epsilon, double *mean, double *rstd)
{
    double variance = 0;

    *mean = 0;
    for (gsize i = 0; i < c; i++)
        *mean += x[i] / (double)c;
    for (gsize i = 0; i < c; i++)
        variance += pow(x[i] - *mean, 2) / (double)c;
    *rstd = 1 / sqrt(variance + epsilon);
}

static void layer_norm(const Call *k)
{
    gsize rows = pen_shape_rows(k->in_shape[0]), c = k->in_shape[0].c;

    for (gsize r = 0; r < rows; r++) {
        const double *x = k->in[0] + r * c;
        double mean, rstd;
        layer_statistics(x, c, k->attr->epsilon, &mean, &rstd);
        for (gsize i = 0; i < c; i++)
            k->out[0][r * c + i] = (x[i] - mean) * rstd * k->in[1][i] + k->in[2][i];
    }
}

static void layer_norm_grad(const Call *k)
{
    gsize rows = pen_shape_rows(k->in_shape[0]), c = k->in_shape[0].c;

    for (gsize r = 0; r < rows; r++) {
        const double *x = k->in[0] + r * c, *dy = k->in[2] + r * c;
        double mean, rstd, mean_d = 0, mean_dx = 0;
        layer_statistics(x, c, k->attr->epsilon, &mean, &rstd);
        for (gsize i = 0; i < c; i++) {
            mean_d += dy[i] * k->in[1][i] / (double)c;
            mean_dx += dy[i] * k->in[1][i] * (x[i] - mean) * rstd / (double)c;
        }
        for (gsize i = 0; i < c; i++)
            k->out[0][r * c + i] =
                rstd * (dy[i] * k->in[1][i] - mean_d - (x[i] - mean) * rstd * mean_dx);
    }
}

static void activation(const Call *k)
{
    for (gsize i = 0; i < pen_shape_elements(k->out_shape[0]); i++)
        k->out[0][i] = activate(k->attr->activation, k->in[0][i]);
}

static void activation_grad(const Call *k)
{
    for (gsize i = 0; i < pen_shape_elements(k->out_shape[0]); i++)
        k->out[0][i] = k->in[1][i] * activate_slope(k->attr->activation, k->in[0][i]);
}

static void geglu(const Call *k)
{
    gsize c = k->out_shape[0].c;

    for (gsize i = 0; i < pen_shape_elements(k->out_shape[0]); i++) {
        const double *x = k->in[0] + i / c * 2 * c + i % c;
        k->out[0][i] = x[0] * activate(PEN_ACTIVATION_GELU, x[c]);
    }
}

static void geglu_grad(const Call *k)
{
    gsize c = k->in_shape[1].c;

    for (gsize i = 0; i < pen_shape_elements(k->in_shape[1]); i++) {
        gsize e = i / c * 2 * c + i % c;
        const double *x = k->in[0] + e;
        k->out[0][e] = k->in[1][i] * activate(PEN_ACTIVATION_GELU, x[c]);
        k->out[0][e + c] = k->in[1][i] * x[0] * activate_slope(PEN_ACTIVATION_GELU, x[c]);
    }
}

static void add(const Call *k)
{
    PenShape s = k->out_shape[0];
    gboolean same = pen_shape_equal(s, k->in_shape[1]);
    gsize image = (gsize)s.h * s.w * s.c;

    for (gsize i = 0; i < pen_shape_elements(s); i++) {
        gsize n = k->in_shape[1].n == 1 ? 0 : i / image;
        k->out[0][i] = k->in[0][i] + k->in[1][same ? i : n * s.c + i % s.c];
    }
}

static void sum_space(const Call *k)
{
    PenShape s = k->in_shape[0];
    gsize image = (gsize)s.h * s.w * s.c;

    for (gsize i = 0; i < pen_shape_elements(s); i++)
        k->out[0][(k->out_shape[0].n == 1 ? 0 : i / image) * s.c + i % s.c] += k->in[0][i];
}

static void scale(const Call *k)
{
    for (gsize i = 0; i < pen_shape_elements(k->out_shape[0]); i++)
        k->out[0][i] = k->in[0][i] * k->in[1][0];
}

static void concat(const Call *k)
{
    gsize a = k->in_shape[0].c, b = k->in_shape[1].c, c = a + b;

    for (gsize i = 0; i < pen_shape_elements(k->out_shape[0]); i++)
        k->out[0][i] = i % c < a ? k->in[0][i / c * a + i % c] : k->in[1][i / c * b + i % c - a];
}

static void slice(const Call *k)
{
    gsize from = k->in_shape[0].c, c = k->out_shape[0].c;

    for (gsize i = 0; i < pen_shape_elements(k->out_shape[0]); i++)
        k->out[0][i] = k->in[0][i / c * from + k->attr->first + i % c];
}

static void pad(const Call *k)
{
    gsize to = k->out_shape[0].c, c = k->in_shape[0].c;

    for (gsize i = 0; i < pen_shape_elements(k->in_shape[0]); i++)
        k->out[0][i / c * to + k->attr->first + i % c] = k->in[0][i];
}

/* The source of element i of the larger picture. */
static gsize upsampled(PenShape small, PenShape large, gsize i)
{
    gsize c = i % large.c, w = i / large.c % large.w, h = i / large.c / large.w % large.h;
    gsize n = i / large.c / large.w / large.h;

    return at(small, n, h * small.h / large.h, w * small.w / large.w, c);
}

static void upsample(const Call *k)
{
    for (gsize i = 0; i < pen_shape_elements(k->out_shape[0]); i++)
        k->out[0][i] = k->in[0][upsampled(k->in_shape[0], k->out_shape[0], i)];
}

static void upsample_grad(const Call *k)
{
    for (gsize i = 0; i < pen_shape_elements(k->in_shape[0]); i++)
        k->out[0][upsampled(k->out_shape[0], k->in_shape[0], i)] += k->in[0][i];
}

/* One query of one head: its channels, and the keys it sees. */
typedef struct {
    gsize q;   /* offset of its first channel in q and o */
    gsize k;   /* offset of the first key's first channel */
    gsize lse; /* offset of its log-sum-exp */
    gsize n_keys, d, c;
    double scale;
} Query;

static Query query(const Call *k, gsize n, gsize head, gsize i)
{
    PenShape q = k->in_shape[0], kv = k->in_shape[1];
    gsize tokens = (gsize)q.h * q.w, keys = (gsize)kv.h * kv.w, d = q.c / k->attr->heads;

    return (Query){
        .q = (n * tokens + i) * q.c + head * d,
        .k = n * keys * q.c + head * d,
        .lse = (n * k->attr->heads + head) * tokens + i,
        .n_keys = k->attr->causal ? MIN(i + 1, keys) : keys,
        .d = d,
        .c = q.c,
        .scale = 1 / sqrt((double)d),
    };
}

static double dot(const double *a, const double *b, gsize n)
{
    double sum = 0;

    for (gsize i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void attention(const Call *k)
{
    PenShape s = k->in_shape[0];

    for (gsize n = 0; n < s.n; n++)
        for (gsize head = 0; head < k->attr->heads; head++)
            for (gsize i = 0; i < (gsize)s.h * s.w; i++) {
                Query q = query(k, n, head, i);
                g_autofree double *score = g_new(double, q.n_keys);
                double largest = -INFINITY, sum = 0;
                for (gsize j = 0; j < q.n_keys; j++) {
                    score[j] = q.scale * dot(k->in[0] + q.q, k->in[1] + q.k + j * q.c, q.d);
                    largest = MAX(largest, score[j]);
                }
                for (gsize j = 0; j < q.n_keys; j++)
                    sum += exp(score[j] - largest);
                k->out[1][q.lse] = largest + log(sum);
                for (gsize j = 0; j < q.n_keys; j++)
                    for (gsize c = 0; c < q.d; c++)
                        k->out[0][q.q + c] +=
                            exp(score[j] - k->out[1][q.lse]) * k->in[2][q.k + j * q.c + c];
            }
}

static void attention_grad(const Call *k)
{
    PenShape s = k->in_shape[0];

    for (gsize n = 0; n < s.n; n++)
        for (gsize head = 0; head < k->attr->heads; head++)
            for (gsize i = 0; i < (gsize)s.h * s.w; i++) {
                Query q = query(k, n, head, i);
                const double *d_o = k->in[5] + q.q;
                double delta = dot(d_o, k->in[3] + q.q, q.d);
                for (gsize j = 0; j < q.n_keys; j++) {
                    gsize key = q.k + j * q.c;
                    double score = q.scale * dot(k->in[0] + q.q, k->in[1] + key, q.d);
                    double p = exp(score - k->in[4][q.lse]);
                    double d_score = p * (dot(d_o, k->in[2] + key, q.d) - delta) * q.scale;
                    for (gsize c = 0; c < q.d; c++) {
                        k->out[0][q.q + c] += d_score * k->in[1][key + c];
                        k->out[1][key + c] += d_score * k->in[0][q.q + c];
                        k->out[2][key + c] += p * d_o[c];
                    }
                }
            }
}

static void reshape(const Call *k)
{
    memcpy(k->out[0], k->in[0], pen_shape_elements(k->out_shape[0]) * sizeof(double));
}

/* --- the graph ----------------------------------------------------------------------------- */

static void (*const operations[])(const Call *call) = {
    [PEN_OP_LINEAR] = linear,
    [PEN_OP_LINEAR_INPUT] = linear_input,
    [PEN_OP_LINEAR_WEIGHT] = linear_weight,
    [PEN_OP_CONV2D] = conv2d,
    [PEN_OP_CONV2D_INPUT] = conv2d_input,
    [PEN_OP_GROUP_NORM] = group_norm,
    [PEN_OP_CHANNEL_STATISTICS] = channel_statistics,
    [PEN_OP_GROUP_NORM_GRAD] = group_norm_grad,
    [PEN_OP_LAYER_NORM] = layer_norm,
    [PEN_OP_LAYER_NORM_GRAD] = layer_norm_grad,
    [PEN_OP_ACTIVATION] = activation,
    [PEN_OP_ACTIVATION_GRAD] = activation_grad,
    [PEN_OP_GEGLU] = geglu,
    [PEN_OP_GEGLU_GRAD] = geglu_grad,
    [PEN_OP_ADD] = add,
    [PEN_OP_SUM_SPACE] = sum_space,
    [PEN_OP_SCALE] = scale,
    [PEN_OP_CONCAT] = concat,
    [PEN_OP_SLICE] = slice,
    [PEN_OP_PAD] = pad,
    [PEN_OP_UPSAMPLE] = upsample,
    [PEN_OP_UPSAMPLE_GRAD] = upsample_grad,
    [PEN_OP_ATTENTION] = attention,
    [PEN_OP_ATTENTION_GRAD] = attention_grad,
    [PEN_OP_RESHAPE] = reshape,
};

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

static void evaluate(Reference *r, const PenNode *node)
{
    Call call = {.attr = &node->attr};
    double *scratch[PEN_NODE_MAX_OUT] = {NULL};

    for (guint i = 0; i < node->n_in; i++) {
        if (!node->in[i])
            continue;
        call.in[i] = reference_value(r, node->in[i]);
        call.in_shape[i] = node->in[i]->shape;
    }
    for (guint i = 0; i < node->n_out; i++) {
        call.out_shape[i] = node->out[i] ? node->out[i]->shape : dropped_shape(node, i);
        call.out[i] = g_new0(double, pen_shape_elements(call.out_shape[i]));
        if (node->out[i])
            g_hash_table_replace(r->values, node->out[i], call.out[i]);
        else
            scratch[i] = call.out[i];
    }
    operations[node->op](&call);
    for (guint i = 0; i < node->n_out; i++)
        g_free(scratch[i]);
}

const double *reference_value(Reference *r, const PenTensor *tensor)
{
    if (tensor->kind == PEN_TENSOR_INPUT)
        return reference_input(r, tensor->name);
    if (tensor->kind == PEN_TENSOR_PARAMETER)
        return reference_parameter(r, tensor->parameter);
    if (!g_hash_table_contains(r->values, tensor))
        evaluate(r, tensor->producer);
    return g_hash_table_lookup(r->values, tensor);
}
