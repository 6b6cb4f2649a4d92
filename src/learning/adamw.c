// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/learning/adamw.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

G_DEFINE_QUARK(pen - adamw - error - quark, pen_adamw_error)

#define MAGIC "PenAdamW"
#define VERSION 1
#define HEADER_SIZE 32 // magic, version, checksum, n, step
#define CHECKED_FROM 16

PenAdamw *pen_adamw_new(gsize n)
{
    PenAdamw *adamw = g_new0(PenAdamw, 1);
    adamw->n = n;
    adamw->m = g_new0(float, n);
    adamw->v = g_new0(float, n);
    return adamw;
}

void pen_adamw_free(PenAdamw *adamw)
{
    if (!adamw)
        return;
    g_free(adamw->m);
    g_free(adamw->v);
    g_free(adamw);
}

void pen_adamw_step(PenAdamw *adamw, const PenAdamwConfig *config, float *parameters,
                    const float *gradient)
{
    adamw->step++;

    double t = (double)adamw->step;
    double keep = 1 - config->learning_rate * config->weight_decay;
    double rate = config->learning_rate / (1 - pow(config->beta1, t));
    double v_scale = 1 / sqrt(1 - pow(config->beta2, t));

    for (gsize i = 0; i < adamw->n; i++) {
        double g = gradient[i];
        double m = config->beta1 * adamw->m[i] + (1 - config->beta1) * g;
        double v = config->beta2 * adamw->v[i] + (1 - config->beta2) * g * g;
        double p = keep * parameters[i] - rate * m / (sqrt(v) * v_scale + config->epsilon);
        adamw->m[i] = (float)m;
        adamw->v[i] = (float)v;
        parameters[i] = (float)p;
    }
}

static guint32 crc32_of(const guint8 *data, gsize size)
{
    guint32 crc = 0xFFFFFFFFu;
    for (gsize i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static guint8 *put_uint32(guint8 *at, guint32 value)
{
    value = GUINT32_TO_LE(value);
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

static guint8 *put_uint64(guint8 *at, guint64 value)
{
    value = GUINT64_TO_LE(value);
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

static guint8 *put_floats(guint8 *at, const float *values, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        guint32 bits;
        memcpy(&bits, &values[i], sizeof bits);
        at = put_uint32(at, bits);
    }
    return at;
}

static guint32 get_uint32(const guint8 *at)
{
    guint32 value;
    memcpy(&value, at, sizeof value);
    return GUINT32_FROM_LE(value);
}

static guint64 get_uint64(const guint8 *at)
{
    guint64 value;
    memcpy(&value, at, sizeof value);
    return GUINT64_FROM_LE(value);
}

static void get_floats(const guint8 *at, float *values, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        guint32 bits = get_uint32(at + 4 * i);
        memcpy(&values[i], &bits, sizeof bits);
    }
}

GBytes *pen_adamw_save(const PenAdamw *adamw)
{
    gsize size = HEADER_SIZE + 8 * adamw->n;
    guint8 *data = g_malloc(size);
    guint8 *at = data;

    memcpy(at, MAGIC, 8);
    at = put_uint32(at + 8, VERSION);
    at = put_uint32(at, 0); // the checksum, known only below
    at = put_uint64(at, adamw->n);
    at = put_uint64(at, adamw->step);
    at = put_floats(at, adamw->m, adamw->n);
    put_floats(at, adamw->v, adamw->n);
    put_uint32(data + 12, crc32_of(data + CHECKED_FROM, size - CHECKED_FROM));
    return g_bytes_new_take(data, size);
}

PenAdamw *pen_adamw_load(GBytes *bytes, gsize n, GError **error)
{
    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);

    if (size < HEADER_SIZE || (size - HEADER_SIZE) % 8 != 0 || memcmp(data, MAGIC, 8) != 0 ||
        get_uint32(data + 8) != VERSION || get_uint64(data + 16) != (size - HEADER_SIZE) / 8 ||
        get_uint32(data + 12) != crc32_of(data + CHECKED_FROM, size - CHECKED_FROM)) {
        g_set_error_literal(error, PEN_ADAMW_ERROR, PEN_ADAMW_ERROR_CORRUPT,
                            _("The saved state of the training is damaged; start it afresh."));
        return NULL;
    }
    if (get_uint64(data + 16) != n) {
        g_set_error_literal(error, PEN_ADAMW_ERROR, PEN_ADAMW_ERROR_SIZE,
                            _("The saved state of the training is for an adapter of another size; "
                              "start it afresh."));
        return NULL;
    }

    PenAdamw *adamw = pen_adamw_new(n);
    adamw->step = get_uint64(data + 24);
    get_floats(data + HEADER_SIZE, adamw->m, n);
    get_floats(data + HEADER_SIZE + 4 * n, adamw->v, n);
    return adamw;
}

double pen_clip_grad_norm(float *gradient, gsize n, double max_norm)
{
    double sum = 0;
    for (gsize i = 0; i < n; i++)
        sum += (double)gradient[i] * gradient[i];

    double norm = sqrt(sum);
    double scale = max_norm / (norm + 1e-6);
    if (isfinite(norm) && scale < 1) {
        for (gsize i = 0; i < n; i++)
            gradient[i] = (float)(scale * gradient[i]);
    }
    return norm;
}
