// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/learning/adamw.h"
#include "src/sampling/noise.h"

#include <math.h>
#include <string.h>

static const PenAdamwConfig test_config = {
    .learning_rate = 0.01, .beta1 = 0.9, .beta2 = 0.99, .weight_decay = 0.1, .epsilon = 1e-8
};

// Made with torch 1.13: p = Parameter([0.5, -0.25, 2, 0]), for each gradient clip_grad_norm_([p],
// 1) and a step of AdamW(lr=.01, betas=(.9, .99), weight_decay=.1, eps=1e-8), in float32.
static void test_reference(void)
{
    static const struct {
        float gradient[4];
        double norm;
        float clipped[4], parameters[4];
    } steps[] = {
        { { 0.1f, -0.2f, 0.3f, 0 },
          0.374165773,
          { 0.1f, -0.2f, 0.3f, 0 },
          { 0.489500016f, -0.239749998f, 1.98800004f, 0 } },
        { { 1.5f, 0.5f, -2.5f, 1e-4f },
          2.95804,
          { 0.507092357f, 0.169030786f, -0.845153928f, 3.38061545e-05f },
          { 0.480431765f, -0.239198327f, 1.9907763f, -0.00742150052f } },
        { { -0.02f, 0.03f, 0.01f, -1e-4f },
          0.0374167077,
          { -0.02f, 0.03f, 0.01f, -1e-4f },
          { 0.473557055f, -0.239448592f, 1.99240518f, -0.0032211286f } },
        { { 0, 0, 0, 0 },
          0,
          { 0, 0, 0, 0 },
          { 0.467833757f, -0.239611f, 1.9933846f, 0.000224443385f } },
        { { 0.4f, -0.4f, 0.4f, 3 },
          3.0789609,
          { 0.129913911f, -0.129913911f, 0.129913911f, 0.974354386f },
          { 0.461720556f, -0.237251088f, 1.99309492f, -0.00518148812f } },
    };
    g_autoptr(PenAdamw) adamw = pen_adamw_new(4);
    float parameters[] = { 0.5f, -0.25f, 2, 0 };

    for (guint k = 0; k < G_N_ELEMENTS(steps); k++) {
        float gradient[4];
        memcpy(gradient, steps[k].gradient, sizeof gradient);
        double norm = pen_clip_grad_norm(gradient, 4, 1);
        g_assert_cmpfloat_with_epsilon(norm, steps[k].norm, 1e-6);
        pen_adamw_step(adamw, &test_config, parameters, gradient);
        g_assert_cmpuint(adamw->step, ==, k + 1);
        for (guint i = 0; i < 4; i++) {
            g_assert_cmpfloat_with_epsilon(gradient[i], steps[k].clipped[i], 1e-7);
            g_assert_cmpfloat_with_epsilon(parameters[i], steps[k].parameters[i], 5e-7);
        }
    }
}

// Training that is saved and loaded in between gives the same bits.
static void test_resume(void)
{
    enum { N = 1000, STEPS = 30 };
    float straight[N], resumed[N], gradient[N];
    g_autoptr(PenAdamw) a = pen_adamw_new(N);
    g_autoptr(PenAdamw) b = pen_adamw_new(N);

    pen_noise_fill(1, 1, 0, N, straight);
    memcpy(resumed, straight, sizeof straight);
    for (guint k = 0; k < STEPS; k++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) saved = pen_adamw_save(b);
        pen_adamw_free(b);
        b = pen_adamw_load(saved, N, &error);
        g_assert_no_error(error);
        pen_noise_fill(2, k, 0, N, gradient);
        pen_adamw_step(a, &test_config, straight, gradient);
        pen_adamw_step(b, &test_config, resumed, gradient);
        g_assert_cmpmem(straight, sizeof straight, resumed, sizeof resumed);
    }
    g_autoptr(GBytes) of_a = pen_adamw_save(a);
    g_autoptr(GBytes) of_b = pen_adamw_save(b);
    g_assert_true(g_bytes_equal(of_a, of_b));
}

static void test_format(void)
{
    // n = 1, step 2, m = 1, v = -2; the CRC-32 from Python's zlib
    static const guint8 expected[] = { 'P', 'e', 'n',  'A',  'd',  'a',  'm', 'W', 1, 0,
                                       0,   0,   0x5b, 0x73, 0xe1, 0x03, 1,   0,   0, 0,
                                       0,   0,   0,    0,    2,    0,    0,   0,   0, 0,
                                       0,   0,   0,    0,    0x80, 0x3f, 0,   0,   0, 0xc0 };
    g_autoptr(PenAdamw) adamw = pen_adamw_new(1);
    adamw->step = 2;
    adamw->m[0] = 1;
    adamw->v[0] = -2;
    g_autoptr(GBytes) bytes = pen_adamw_save(adamw);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), expected,
                    sizeof expected);
}

// Every shortened file and every flipped bit is noticed.
static void test_damage(void)
{
    g_autoptr(PenAdamw) adamw = pen_adamw_new(3);
    const float gradient[] = { 1, 2, 3 };
    float parameters[] = { 0, 0, 0 };
    pen_adamw_step(adamw, &test_config, parameters, gradient);
    g_autoptr(GBytes) saved = pen_adamw_save(adamw);
    gsize size;
    const guint8 *data = g_bytes_get_data(saved, &size);

    for (gsize n = 0; n < size; n++) {
        g_autoptr(GError) error = NULL;
        // Exactly n bytes on the heap, so that the address sanitizer sees a read beyond.
        g_autoptr(GBytes) part = g_bytes_new(data, n);
        g_assert_null(pen_adamw_load(part, 3, &error));
        g_assert_error(error, PEN_ADAMW_ERROR, PEN_ADAMW_ERROR_CORRUPT);
    }
    for (gsize bit = 0; bit < 8 * size; bit++) {
        g_autoptr(GError) error = NULL;
        guint8 *copy = g_memdup2(data, size);
        copy[bit / 8] ^= (guint8)(1 << bit % 8);
        g_autoptr(GBytes) damaged = g_bytes_new_take(copy, size);
        g_assert_null(pen_adamw_load(damaged, 3, &error));
        g_assert_error(error, PEN_ADAMW_ERROR, PEN_ADAMW_ERROR_CORRUPT);
    }
    g_autoptr(GError) error = NULL;
    g_assert_null(pen_adamw_load(saved, 4, &error));
    g_assert_error(error, PEN_ADAMW_ERROR, PEN_ADAMW_ERROR_SIZE);
}

static void test_clip(void)
{
    float small[] = { 0.3f, -0.4f }, large[] = { 3e20f, -4e20f }, broken[] = { 1, NAN };
    float endless[] = { INFINITY, 1 };

    g_assert_cmpfloat_with_epsilon(pen_clip_grad_norm(small, 2, 1), 0.5, 1e-7);
    g_assert_true(small[0] == 0.3f && small[1] == -0.4f);
    // Squares beyond float's range.
    g_assert_cmpfloat_with_epsilon(pen_clip_grad_norm(large, 2, 1) / 5e20, 1, 1e-6);
    g_assert_cmpfloat_with_epsilon(large[0], 0.6, 1e-6);
    g_assert_cmpfloat_with_epsilon(large[1], -0.8, 1e-6);
    g_assert_true(isnan(pen_clip_grad_norm(broken, 2, 1)));
    g_assert_true(broken[0] == 1);
    g_assert_true(isinf(pen_clip_grad_norm(endless, 2, 1)));
    g_assert_true(endless[1] == 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/adamw/reference", test_reference);
    g_test_add_func("/adamw/resume", test_resume);
    g_test_add_func("/adamw/format", test_format);
    g_test_add_func("/adamw/damage", test_damage);
    g_test_add_func("/adamw/clip", test_clip);
    return g_test_run();
}
