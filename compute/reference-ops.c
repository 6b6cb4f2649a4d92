// SPDX-License-Identifier: GPL-3.0-or-later
/* Each operation as its definition. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "compute/reference-private.h"

typedef PenReferenceCall Call;

/* Row r of an operand, computed: the channels of a pixel, a token, an output of a weight. */
static const double *row(const Call *k, guint operand, gsize r)
{
    const PenReferenceOperand *in = &k->in[operand];
    pen_reference_need(k, operand, r * in->shape.c);
    return in->values + r * in->shape.c;
}

static double *out_row(const Call *k, guint which, gsize r)
{
    return k->out[which] + r * k->out_shape[which].c;
}

static gsize pixels(PenShape s)
{
    return (gsize)s.h * s.w;
}

/* The row of an operand that is repeated over the pixels of row r's image, or over all images. */
static gsize image_row(PenShape vector, PenShape s, gsize r)
{
    return vector.n == 1 ? 0 : r / pixels(s);
}

static double dot(const double *a, const double *b, gsize n)
{
    double sum = 0;
    for (gsize i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void add_to(double *y, const double *x, double factor, gsize n)
{
    for (gsize i = 0; i < n; i++)
        y[i] += factor * x[i];
}

/* --- matrix products ------------------------------------------------------------------------- */

/* The bias, and the two operands that fusion adds to a product's result. */
static void add_vectors(const Call *k, gsize r)
{
    PenShape s = k->out_shape[0];
    double *y = out_row(k, 0, r);
    if (k->in[2].tensor)
        add_to(y, row(k, 2, 0), 1, s.c);
    if (k->in[3].tensor)
        add_to(y, row(k, 3, r), 1, s.c);
    if (k->in[4].tensor)
        add_to(y, row(k, 4, image_row(k->in[4].shape, s, r)), 1, s.c);
}

static void linear(const Call *k, gsize r)
{
    const double *x = row(k, 0, r);
    for (gsize o = 0; o < k->out_shape[0].c; o++)
        out_row(k, 0, r)[o] = dot(x, row(k, 1, o), k->in[0].shape.c);
    add_vectors(k, r);
}

static void linear_input(const Call *k, gsize r)
{
    const double *dy = row(k, 0, r);
    for (gsize o = 0; o < k->in[0].shape.c; o++)
        add_to(out_row(k, 0, r), row(k, 1, o), dy[o], k->out_shape[0].c);
    add_vectors(k, r);
}

/* dW's row `o`. */
static void linear_weight(const Call *k, gsize o)
{
    for (gsize r = 0; r < pen_shape_rows(k->in[0].shape); r++)
        add_to(out_row(k, 0, o), row(k, 1, r), row(k, 0, r)[o], k->in[1].shape.c);
}

/* Pixel `at` of a picture in steps of the stride and a tap of the kernel along it: the pixel of the
 * larger picture, or -1 outside. */
static gint64 tap_pixel(gsize at, gsize tap, guint32 stride, guint32 before, guint32 size)
{
    gint64 p = (gint64)(at * stride + tap) - before;
    return p >= 0 && p < size ? p : -1;
}

static void conv2d(const Call *k, gsize r)
{
    PenShape x = k->in[0].shape, y = k->out_shape[0], kernel = k->in[1].shape;
    const PenAttributes *a = k->attr;
    gsize n = r / pixels(y), i = r % pixels(y), taps = pixels(kernel);
    for (gsize tap = 0; tap < taps; tap++) {
        gint64 h = tap_pixel(i / y.w, tap / kernel.w, a->stride, a->padding.top, x.h);
        gint64 w = tap_pixel(i % y.w, tap % kernel.w, a->stride, a->padding.left, x.w);
        if (h < 0 || w < 0)
            continue;
        const double *in = row(k, 0, (n * x.h + (gsize)h) * x.w + (gsize)w);
        for (gsize o = 0; o < y.c; o++)
            out_row(k, 0, r)[o] += dot(in, row(k, 1, o * taps + tap), x.c);
    }
    add_vectors(k, r);
}

/* The pixel of the smaller picture from which a tap fell on pixel `at`, or -1. */
static gint64 tap_origin(gsize at, gsize tap, guint32 stride, guint32 before, guint32 size)
{
    gint64 p = (gint64)(at + before) - (gint64)tap;
    return p >= 0 && p % stride == 0 && p / stride < size ? p / stride : -1;
}

static void conv2d_input(const Call *k, gsize r)
{
    PenShape dy = k->in[0].shape, x = k->out_shape[0], kernel = k->in[1].shape;
    const PenAttributes *a = k->attr;
    gsize n = r / pixels(x), i = r % pixels(x), taps = pixels(kernel);
    for (gsize tap = 0; tap < taps; tap++) {
        gint64 h = tap_origin(i / x.w, tap / kernel.w, a->stride, a->padding.top, dy.h);
        gint64 w = tap_origin(i % x.w, tap % kernel.w, a->stride, a->padding.left, dy.w);
        if (h < 0 || w < 0)
            continue;
        const double *in = row(k, 0, (n * dy.h + (gsize)h) * dy.w + (gsize)w);
        for (gsize o = 0; o < dy.c; o++)
            add_to(out_row(k, 0, r), row(k, 1, o * taps + tap), in[o], x.c);
    }
    add_vectors(k, r);
}

/* --- activations ----------------------------------------------------------------------------- */

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

static void activation(const Call *k, gsize r)
{
    const double *x = row(k, 0, r);
    for (gsize c = 0; c < k->out_shape[0].c; c++)
        out_row(k, 0, r)[c] = activate(k->attr->activation, x[c]);
}

static void activation_grad(const Call *k, gsize r)
{
    const double *x = row(k, 0, r), *dy = row(k, 1, r);
    for (gsize c = 0; c < k->out_shape[0].c; c++)
        out_row(k, 0, r)[c] = dy[c] * activate_slope(k->attr->activation, x[c]);
}

static void geglu(const Call *k, gsize r)
{
    gsize half = k->out_shape[0].c;
    const double *x = row(k, 0, r);
    for (gsize c = 0; c < half; c++)
        out_row(k, 0, r)[c] = x[c] * activate(PEN_ACTIVATION_GELU, x[half + c]);
}

static void geglu_grad(const Call *k, gsize r)
{
    gsize half = k->in[1].shape.c;
    const double *x = row(k, 0, r), *dy = row(k, 1, r);
    double *dx = out_row(k, 0, r);
    for (gsize c = 0; c < half; c++) {
        dx[c] = dy[c] * activate(PEN_ACTIVATION_GELU, x[half + c]);
        dx[half + c] = dy[c] * x[c] * activate_slope(PEN_ACTIVATION_GELU, x[half + c]);
    }
}

/* --- norms ----------------------------------------------------------------------------------- */

/* Computes an operand's image n. */
static void need_image(const Call *k, guint operand, gsize n)
{
    PenShape s = k->in[operand].shape;
    for (gsize p = 0; p < pixels(s); p++)
        row(k, operand, n * pixels(s) + p);
}

/* Offset of element i of group g: a group's elements are its channels at every position. */
static gsize grouped(PenShape s, guint32 groups, gsize n, gsize g, gsize i)
{
    gsize size = s.c / groups;
    return (n * pixels(s) + i / size) * s.c + g * size + i % size;
}

static void group_statistics(const Call *k, guint32 groups, gsize n, gsize g, double *mean,
                             double *rstd)
{
    PenShape s = k->in[0].shape;
    const double *x = k->in[0].values;
    gsize count = pixels(s) * s.c / groups;
    double variance = 0;
    *mean = 0;
    for (gsize i = 0; i < count; i++)
        *mean += x[grouped(s, groups, n, g, i)] / (double)count;
    for (gsize i = 0; i < count; i++) {
        double off = x[grouped(s, groups, n, g, i)] - *mean;
        variance += off * off / (double)count;
    }
    *rstd = 1 / sqrt(variance + k->attr->epsilon);
}

/* The norms of groups go by image. */
static void channel_statistics(const Call *k, gsize n)
{
    guint32 c = k->in[0].shape.c;
    need_image(k, 0, n);
    for (gsize g = 0; g < c; g++) {
        double *statistics = k->out[0] + (n * c + g) * 2;
        group_statistics(k, c, n, g, &statistics[0], &statistics[1]);
    }
}

static void group_norm(const Call *k, gsize n)
{
    PenShape s = k->in[0].shape;
    guint32 groups = k->attr->groups;
    gsize count = pixels(s) * s.c / groups;
    const double *gamma = row(k, 1, 0), *beta = row(k, 2, 0);
    need_image(k, 0, n);
    for (gsize g = 0; g < groups; g++) {
        double *statistics = k->out[1] + (n * groups + g) * 2;
        group_statistics(k, groups, n, g, &statistics[0], &statistics[1]);
        for (gsize i = 0; i < count; i++) {
            gsize e = grouped(s, groups, n, g, i);
            double hat = (k->in[0].values[e] - statistics[0]) * statistics[1];
            k->out[0][e] = activate(k->attr->activation, hat * gamma[e % s.c] + beta[e % s.c]);
        }
    }
}

static void group_norm_grad(const Call *k, gsize n)
{
    PenShape s = k->in[0].shape;
    guint32 groups = k->attr->groups;
    gsize count = pixels(s) * s.c / groups;
    const double *gamma = row(k, 1, 0), *beta = row(k, 2, 0);
    g_autofree double *d = g_new(double, count), *hat = g_new(double, count);
    need_image(k, 0, n);
    need_image(k, 4, n);
    for (gsize g = 0; g < groups; g++) {
        const double *statistics = row(k, 3, n * groups + g);
        double mean_d = 0, mean_dx = 0;
        for (gsize i = 0; i < count; i++) {
            gsize e = grouped(s, groups, n, g, i);
            hat[i] = (k->in[0].values[e] - statistics[0]) * statistics[1];
            d[i] = k->in[4].values[e] * gamma[e % s.c] *
                   activate_slope(k->attr->activation, hat[i] * gamma[e % s.c] + beta[e % s.c]);
            mean_d += d[i] / (double)count;
            mean_dx += d[i] * hat[i] / (double)count;
        }
        for (gsize i = 0; i < count; i++)
            k->out[0][grouped(s, groups, n, g, i)] =
                statistics[1] * (d[i] - mean_d - hat[i] * mean_dx);
    }
}

static void layer_statistics(const double *x, gsize c, double epsilon, double *mean, double *rstd)
{
    double variance = 0;
    *mean = 0;
    for (gsize i = 0; i < c; i++)
        *mean += x[i] / (double)c;
    for (gsize i = 0; i < c; i++)
        variance += (x[i] - *mean) * (x[i] - *mean) / (double)c;
    *rstd = 1 / sqrt(variance + epsilon);
}

static void layer_norm(const Call *k, gsize r)
{
    gsize c = k->in[0].shape.c;
    const double *x = row(k, 0, r), *gamma = row(k, 1, 0), *beta = row(k, 2, 0);
    double mean, rstd;
    layer_statistics(x, c, k->attr->epsilon, &mean, &rstd);
    for (gsize i = 0; i < c; i++)
        out_row(k, 0, r)[i] = (x[i] - mean) * rstd * gamma[i] + beta[i];
}

static void layer_norm_grad(const Call *k, gsize r)
{
    gsize c = k->in[0].shape.c;
    const double *x = row(k, 0, r), *gamma = row(k, 1, 0), *dy = row(k, 2, r);
    double mean, rstd, mean_d = 0, mean_dx = 0;
    layer_statistics(x, c, k->attr->epsilon, &mean, &rstd);
    for (gsize i = 0; i < c; i++) {
        mean_d += dy[i] * gamma[i] / (double)c;
        mean_dx += dy[i] * gamma[i] * (x[i] - mean) * rstd / (double)c;
    }
    for (gsize i = 0; i < c; i++)
        out_row(k, 0, r)[i] = rstd * (dy[i] * gamma[i] - mean_d - (x[i] - mean) * rstd * mean_dx);
}

/* --- sums and moves -------------------------------------------------------------------------- */

static void add(const Call *k, gsize r)
{
    PenShape s = k->out_shape[0], b = k->in[1].shape;
    double *y = out_row(k, 0, r);
    add_to(y, row(k, 0, r), 1, s.c);
    add_to(y, row(k, 1, pen_shape_equal(s, b) ? r : image_row(b, s, r)), 1, s.c);
}

static void sum_space(const Call *k, gsize r)
{
    PenShape s = k->in[0].shape;
    gsize count = k->out_shape[0].n == 1 ? pen_shape_rows(s) : pixels(s);
    for (gsize i = 0; i < count; i++)
        add_to(out_row(k, 0, r), row(k, 0, r * count + i), 1, s.c);
}

static void scale(const Call *k, gsize r)
{
    add_to(out_row(k, 0, r), row(k, 0, r), row(k, 1, 0)[0], k->out_shape[0].c);
}

static void concat(const Call *k, gsize r)
{
    guint32 a = k->in[0].shape.c, b = k->in[1].shape.c;
    memcpy(out_row(k, 0, r), row(k, 0, r), a * sizeof(double));
    memcpy(out_row(k, 0, r) + a, row(k, 1, r), b * sizeof(double));
}

static void slice(const Call *k, gsize r)
{
    memcpy(out_row(k, 0, r), row(k, 0, r) + k->attr->first, k->out_shape[0].c * sizeof(double));
}

static void pad(const Call *k, gsize r)
{
    memcpy(out_row(k, 0, r) + k->attr->first, row(k, 0, r), k->in[0].shape.c * sizeof(double));
}

/* The row of the smaller picture that row r of the larger one shows. */
static gsize upsampled(PenShape small, PenShape large, gsize r)
{
    gsize n = r / pixels(large), h = r / large.w % large.h, w = r % large.w;
    return (n * small.h + h * small.h / large.h) * small.w + w * small.w / large.w;
}

static void upsample(const Call *k, gsize r)
{
    PenShape s = k->out_shape[0];
    memcpy(out_row(k, 0, r), row(k, 0, upsampled(k->in[0].shape, s, r)), s.c * sizeof(double));
}

static void upsample_grad(const Call *k, gsize r)
{
    PenShape small = k->out_shape[0], large = k->in[0].shape;
    gsize n = r / pixels(small);
    for (gsize i = n * pixels(large); i < (n + 1) * pixels(large); i++)
        if (upsampled(small, large, i) == r)
            add_to(out_row(k, 0, r), row(k, 0, i), 1, small.c);
}

static void reshape(const Call *k, gsize r)
{
    gsize c = k->out_shape[0].c;
    for (gsize i = r * c; i < (r + 1) * c; i++) {
        pen_reference_need(k, 0, i);
        k->out[0][i] = k->in[0].values[i];
    }
}

/* --- attention ------------------------------------------------------------------------------- */

/* Sizes of an attention: q [n, tokens, c], k and v [n, keys, c]. */
typedef struct {
    gsize tokens, keys, heads, d;
    double scale;
} Sizes;

static Sizes sizes(const Call *k)
{
    PenShape q = k->in[0].shape;
    gsize d = q.c / k->attr->heads;
    return (Sizes){ pixels(q), pixels(k->in[1].shape), k->attr->heads, d, 1 / sqrt((double)d) };
}

/* The keys that query i of an image sees. */
static gsize seen(const Call *k, const Sizes *s, gsize i)
{
    return k->attr->causal ? MIN(i + 1, s->keys) : s->keys;
}

/* Where the log-sum-exp of row r's query is. */
static gsize lse_index(const Sizes *s, gsize r, gsize head)
{
    return (r / s->tokens * s->heads + head) * s->tokens + r % s->tokens;
}

static void attention(const Call *k, gsize r)
{
    Sizes s = sizes(k);
    gsize first = r / s.tokens * s.keys, n_keys = seen(k, &s, r % s.tokens);
    g_autofree double *score = g_new(double, n_keys);
    for (gsize head = 0; head < s.heads; head++) {
        const double *q = row(k, 0, r) + head * s.d;
        double largest = -INFINITY, sum = 0;
        for (gsize j = 0; j < n_keys; j++) {
            score[j] = s.scale * dot(q, row(k, 1, first + j) + head * s.d, s.d);
            largest = MAX(largest, score[j]);
        }
        for (gsize j = 0; j < n_keys; j++)
            sum += exp(score[j] - largest);
        double lse = k->out[1][lse_index(&s, r, head)] = largest + log(sum);
        for (gsize j = 0; j < n_keys; j++)
            add_to(out_row(k, 0, r) + head * s.d, row(k, 2, first + j) + head * s.d,
                   exp(score[j] - lse), s.d);
    }
}

/* dL/d score of a query and a key in a head, and its probability. */
static double score_gradient(const Call *k, const Sizes *s, gsize query, gsize key, gsize head,
                             double *p)
{
    gsize at = head * s->d, lse = lse_index(s, query, head);
    const double *grad_o = row(k, 5, query) + at;
    double delta = dot(grad_o, row(k, 3, query) + at, s->d);
    double score = s->scale * dot(row(k, 0, query) + at, row(k, 1, key) + at, s->d);
    pen_reference_need(k, 4, lse);
    *p = exp(score - k->in[4].values[lse]);
    return *p * (dot(grad_o, row(k, 2, key) + at, s->d) - delta) * s->scale;
}

/* Units: dq by the rows of q, then dk and dv by those of k. */
static void attention_grad(const Call *k, gsize unit)
{
    Sizes s = sizes(k);
    gsize queries = pen_shape_rows(k->in[0].shape);
    gboolean keys = unit >= queries;
    gsize own = keys ? unit - queries : unit, others = keys ? s.tokens : s.keys;
    gsize image = own / (keys ? s.keys : s.tokens);
    for (gsize head = 0; head < s.heads; head++)
        for (gsize i = 0; i < others; i++) {
            gsize other = image * others + i, at = head * s.d;
            gsize query = keys ? other : own, key = keys ? own : other;
            double p;
            if (key % s.keys >= seen(k, &s, query % s.tokens))
                continue;
            double d_score = score_gradient(k, &s, query, key, head, &p);
            if (keys) {
                add_to(out_row(k, 1, key) + at, row(k, 0, query) + at, d_score, s.d);
                add_to(out_row(k, 2, key) + at, row(k, 5, query) + at, p, s.d);
            } else {
                add_to(out_row(k, 0, query) + at, row(k, 1, key) + at, d_score, s.d);
            }
        }
}

/* --- units ----------------------------------------------------------------------------------- */

static const struct {
    void (*compute)(const Call *call, gsize unit);
    gboolean by_image;
} operations[] = {
    [PEN_OP_LINEAR] = { linear, FALSE },
    [PEN_OP_LINEAR_INPUT] = { linear_input, FALSE },
    [PEN_OP_LINEAR_WEIGHT] = { linear_weight, FALSE },
    [PEN_OP_CONV2D] = { conv2d, FALSE },
    [PEN_OP_CONV2D_INPUT] = { conv2d_input, FALSE },
    [PEN_OP_GROUP_NORM] = { group_norm, TRUE },
    [PEN_OP_CHANNEL_STATISTICS] = { channel_statistics, TRUE },
    [PEN_OP_GROUP_NORM_GRAD] = { group_norm_grad, TRUE },
    [PEN_OP_LAYER_NORM] = { layer_norm, FALSE },
    [PEN_OP_LAYER_NORM_GRAD] = { layer_norm_grad, FALSE },
    [PEN_OP_ACTIVATION] = { activation, FALSE },
    [PEN_OP_ACTIVATION_GRAD] = { activation_grad, FALSE },
    [PEN_OP_GEGLU] = { geglu, FALSE },
    [PEN_OP_GEGLU_GRAD] = { geglu_grad, FALSE },
    [PEN_OP_ADD] = { add, FALSE },
    [PEN_OP_SUM_SPACE] = { sum_space, FALSE },
    [PEN_OP_SCALE] = { scale, FALSE },
    [PEN_OP_CONCAT] = { concat, FALSE },
    [PEN_OP_SLICE] = { slice, FALSE },
    [PEN_OP_PAD] = { pad, FALSE },
    [PEN_OP_UPSAMPLE] = { upsample, FALSE },
    [PEN_OP_UPSAMPLE_GRAD] = { upsample_grad, FALSE },
    [PEN_OP_ATTENTION] = { attention, FALSE },
    [PEN_OP_ATTENTION_GRAD] = { attention_grad, FALSE },
    [PEN_OP_RESHAPE] = { reshape, FALSE },
};

gsize pen_reference_units(const PenReferenceCall *call)
{
    PenOp op = call->node->op;
    if (operations[op].by_image)
        return call->in[0].shape.n;
    if (op == PEN_OP_ATTENTION_GRAD)
        return pen_shape_rows(call->in[0].shape) + pen_shape_rows(call->in[1].shape);
    return pen_shape_rows(call->out_shape[0]);
}

gsize pen_reference_unit(const PenReferenceCall *call, guint which, gsize i)
{
    PenShape s = call->out_shape[which];
    PenOp op = call->node->op;
    if (operations[op].by_image)
        return i / (pen_shape_elements(s) / s.n);
    if (op == PEN_OP_ATTENTION && which == 1) /* [n, 1, heads, tokens] */
        return i / ((gsize)s.w * s.c) * s.c + i % s.c;
    if (op == PEN_OP_ATTENTION_GRAD && which > 0)
        return pen_shape_rows(call->in[0].shape) + i / s.c;
    return i / s.c;
}

void pen_reference_compute(const PenReferenceCall *call, gsize unit)
{
    operations[call->node->op].compute(call, unit);
}
