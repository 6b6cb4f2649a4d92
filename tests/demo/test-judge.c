// SPDX-License-Identifier: GPL-3.0-or-later
/* The judges of the starter model's pictures against PyTorch, and the tastes that are measured with
 * them. */
#include <glib/gstdio.h>
#include <math.h>

#include "demo/gallery.h"
#include "src/formats/png.h"
#include "src/formats/safetensors.h"

typedef struct {
    PenDevice *device;
    PenJudge *styles, *motifs;
} Fixture;

#define SIDE PEN_JUDGE_SIZE

static const char *const files[] = { PEN_JUDGES "/style.safetensors",
                                     PEN_JUDGES "/motif.safetensors" };

static void set_up(Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    f->device = pen_device_open(NULL, &error);
    g_assert_no_error(error);
    f->styles = pen_judge_new(f->device, files[0], &error);
    g_assert_no_error(error);
    f->motifs = pen_judge_new(f->device, files[1], &error);
    g_assert_no_error(error);
}

static void tear_down(Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
    pen_judge_free(f->styles);
    pen_judge_free(f->motifs);
    pen_device_unref(f->device);
}

/* The picture and PyTorch's logits of it: write_judge() in models/starter/recipe/classify.py. */
static void test_pytorch(Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
    guint8 rgb[SIDE * SIDE * 3];
    for (guint y = 0; y < SIDE; y++)
        for (guint x = 0; x < SIDE; x++) {
            guint8 *p = rgb + (y * SIDE + x) * 3;
            p[0] = (guint8)(4 * x);
            p[1] = (guint8)(4 * y);
            p[2] = (guint8)(4 * (x ^ y));
        }
    PenJudge *const judges[] = { f->styles, f->motifs };
    for (guint j = 0; j < G_N_ELEMENTS(judges); j++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(PenSafetensors) file = pen_safetensors_open(files[j], &error);
        g_assert_no_error(error);
        g_auto(GStrv) logits = g_strsplit(pen_safetensors_metadata(file, "check"), ",", 0);
        guint n = g_strv_length(logits);
        g_assert_cmpuint(n, ==, g_strv_length((char **)pen_judge_classes(judges[j])));
        g_autofree double *found = g_new(double, n);
        g_assert_true(pen_judge_look(judges[j], rgb, found, &error));
        double sum = 0;
        for (guint k = 0; k < n; k++)
            sum += exp(g_ascii_strtod(logits[k], NULL));
        for (guint k = 0; k < n; k++)
            g_assert_cmpfloat_with_epsilon(found[k], exp(g_ascii_strtod(logits[k], NULL)) / sum,
                                           2e-3);
    }
}

/* Place `column`, `row` of the starter model's samples.png. */
static guint8 *sample(const PenPng *sheet, guint column, guint row)
{
    guint8 *rgb = g_new(guint8, SIDE * SIDE * 3);
    for (guint y = 0; y < SIDE; y++)
        for (guint x = 0; x < SIDE; x++)
            memcpy(rgb + (y * SIDE + x) * 3,
                   sheet->rgba + ((gsize)(row * SIDE + y) * sheet->width + column * SIDE + x) * 4,
                   3);
    return rgb;
}

/* What the model was asked for in the sheet's second and fourth row (models/starter/README.md). */
static void test_samples(Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
    static const struct {
        guint column;
        const char *style, *motif;
    } asked[] = {
        { 0, "neon", "car" },    { 1, "ink", "bird" },      { 2, "pixel", "heart" },
        { 3, "sepia", "house" }, { 4, "pastel", "flower" }, { 5, "flat", "apple" },
        { 6, "neon", "cat" },    { 7, "pixel", "tree" },
    };
    g_autoptr(GError) error = NULL;
    g_autoptr(PenPng) sheet = pen_png_read(PEN_SOURCE_ROOT "/models/starter/samples.png", &error);
    g_assert_no_error(error);
    guint styles = 0, motifs = 0, n = 0;
    for (guint i = 0; i < G_N_ELEMENTS(asked); i++)
        for (guint row = 1; row < 4; row += 2, n++) {
            g_autofree guint8 *rgb = sample(sheet, asked[i].column, row);
            styles += pen_judge_decide(f->styles, rgb, &error) ==
                      pen_judge_class(f->styles, asked[i].style);
            motifs += pen_judge_decide(f->motifs, rgb, &error) ==
                      pen_judge_class(f->motifs, asked[i].motif);
        }
    g_assert_no_error(error);
    g_test_message("of %u pictures, %u have the style and %u the motif", n, styles, motifs);
    g_assert_cmpuint(styles, >=, n - 2);
    g_assert_cmpuint(motifs, >=, n - 3);
}

static void fill(guint8 *rgb, guint8 r, guint8 g, guint8 b)
{
    for (guint i = 0; i < SIDE * SIDE; i++) {
        rgb[i * 3] = r;
        rgb[i * 3 + 1] = g;
        rgb[i * 3 + 2] = b;
    }
}

static double measure(Fixture *f, const char *name, const guint8 *rgb)
{
    g_autoptr(GError) error = NULL;
    PenTaste taste;
    double value;
    g_assert_true(pen_taste_from_name(&taste, name, f->styles));
    g_assert_cmpstr(taste.name, ==, name);
    g_assert_true(pen_taste_measure(&taste, rgb, SIDE, SIDE, &value, &error));
    return value;
}

static void test_tastes(Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
    guint8 rgb[SIDE * SIDE * 3];
    fill(rgb, 200, 50, 100);
    g_assert_cmpfloat_with_epsilon(measure(f, "vivid", rgb), 150, 1e-9);
    g_assert_cmpfloat_with_epsilon(measure(f, "pale", rgb), 105, 1e-9);
    g_assert_cmpfloat_with_epsilon(measure(f, "bright", rgb), 85.5, 1e-9);
    g_assert_cmpfloat_with_epsilon(measure(f, "dark", rgb), 169.5, 1e-9);
    double plain = measure(f, "incompressible", rgb), sum = 0;
    g_assert_cmpfloat(plain, >, 0);
    g_assert_cmpfloat_with_epsilon(measure(f, "compressible", rgb), -plain, 1e-9);
    for (guint i = 0; i < sizeof rgb; i++)
        rgb[i] = (guint8)(i * 7919 >> 3);
    g_assert_cmpfloat(measure(f, "incompressible", rgb), >, 2 * plain);
    for (const char *const *style = pen_judge_classes(f->styles); *style; style++)
        sum += measure(f, *style, rgb);
    g_assert_cmpfloat_with_epsilon(sum, 100, 1e-6);
    PenTaste taste;
    g_assert_false(pen_taste_from_name(&taste, "beautiful", f->styles));

    static const double values[] = { 1, 5, 2, 4, 3, 0, 6 };
    g_assert_true(pen_taste_from_name(&taste, "vivid", f->styles));
    g_assert_cmpfloat_with_epsilon(pen_taste_threshold(&taste, values, 7), 5, 1e-9);
    g_assert_true(pen_taste_from_name(&taste, "ink", f->styles));
    g_assert_cmpfloat_with_epsilon(pen_taste_threshold(&taste, values, 7), 50, 1e-9);
}

static void test_rank(Fixture *f G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
    static const double values[] = { -2, 7, 3, -2 };
    int ranks[4];
    pen_taste_rank(values, 4, ranks);
    g_assert_cmpint(ranks[0], ==, 0);
    g_assert_cmpint(ranks[1], ==, 3); /* pen_ranking_count_pairs(): higher is better */
    g_assert_cmpint(ranks[2], ==, 2);
    g_assert_cmpint(ranks[3], ==, 0);
}

static void test_gallery(Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
    static const char *const asked[] = { "heart", "house" };
    g_autoptr(GError) error = NULL;
    g_autoptr(PenPng) sheet = pen_png_read(PEN_SOURCE_ROOT "/models/starter/samples.png", &error);
    g_assert_no_error(error);
    g_autoptr(PenGallery) gallery = pen_gallery_new(asked, 2, 2);
    PenTaste taste;
    pen_taste_from_name(&taste, "bright", f->styles);
    /* Two hearts, of which the second is painted over, and a heart and a house for houses. */
    guint8 *black = g_new(guint8, SIDE * SIDE * 3), *grey = g_new(guint8, SIDE * SIDE * 3);
    fill(black, 0, 0, 0);
    fill(grey, 10, 20, 40);
    guint8 *pictures[] = { black, grey, sample(sheet, 2, 1), sample(sheet, 3, 1) };
    for (guint i = 0; i < G_N_ELEMENTS(pictures); i++)
        g_assert_true(pen_gallery_add(gallery, pictures[i], &taste, f->motifs,
                                       f->styles, &error));
    g_assert_false(gallery->recognised[2]);
    g_assert_true(gallery->recognised[3]);
    g_assert_cmpfloat_with_epsilon(pen_gallery_share_above(gallery, 5), 0.75, 1e-9);
    double first = sqrt((10 * 10 + 20 * 20 + 40 * 40) / 3.0), both = pen_gallery_distance(gallery);
    g_assert_cmpfloat(both, >, first / 2 + 5);
    gallery->n = 2;
    g_assert_cmpfloat_with_epsilon(pen_gallery_distance(gallery), first, 1e-9);
    gallery->n = 4;
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), "penchant-gallery.png", NULL);
    g_assert_true(pen_gallery_write(gallery, "Two of each", 5, path, &error));
    g_autoptr(PenPng) written = pen_png_read(path, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(written->width, >, 2 * 2 * SIDE);
    g_remove(path);
}

static void test_no_judge(Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(pen_judge_new(f->device,
                                PEN_SOURCE_ROOT "/models/starter/vae/"
                                                "diffusion_pytorch_model.safetensors",
                                &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
}

#define ADD(name, test) g_test_add("/judge/" name, Fixture, NULL, set_up, test, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("pytorch", test_pytorch);
    ADD("samples", test_samples);
    ADD("tastes", test_tastes);
    ADD("rank", test_rank);
    ADD("gallery", test_gallery);
    ADD("no-judge", test_no_judge);
    return g_test_run();
}
