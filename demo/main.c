// SPDX-License-Identifier: GPL-3.0-or-later
//
// `./dev demo`: an artist with a fixed taste teaches the starter model.
//
// The artist asks for varied motifs without naming a style, picks the candidate that has most of
// what he likes, teaches, and goes on with what was taught. Before, in between and after, pictures
// of motifs that he never asked for, from seeds that were never used, show how far the taste
// reaches. A picture counts as preferred if its property lies above the bare model's 5/6 quantile on
// the same motifs and seeds, so the bare model's share is 1/6.
#include "config.h"

#include <glib/gstdio.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "demo/figures.h"
#include "demo/taste.h"
#include "src/studio/studio.h"

static const char *const taught_motifs[] = {"apple", "bird", "boat", "flower", "cat",
                                            "dog",   "cake", "hat",  "balloon", "bug"};
static const char *const held_out_motifs[] = {"house", "heart", "fish", "tree", "car", "smiley"};

#define N_HELD_OUT G_N_ELEMENTS(held_out_motifs)
#define HELD_OUT_SEED 900000
#define HELD_OUT_CANDIDATES 2 /* pictures of one initial noise */

static struct {
    char *taste, *preset, *out, *device;
    int iterations, rounds, candidates, pictures, steps, seed;
    double guidance;
    double learning_rate, beta, clip, fraction;
    int epochs, per_update;
    gboolean ranked;
} options = {.iterations = 3,
             .rounds = 8,
             .candidates = 6,
             .pictures = 6,
             .steps = 20,
             .guidance = 5,
             .seed = 1,
             .clip = NAN,
             .per_update = -1};

static const GOptionEntry entries[] = {
    {"taste", 0, 0, G_OPTION_ARG_STRING, &options.taste,
     "vivid, pale, dark, bright, compressible or incompressible", "TASTE"},
    {"preset", 0, 0, G_OPTION_ARG_STRING, &options.preset, "settings of teaching", "few|paper"},
    {"ranked", 0, 0, G_OPTION_ARG_NONE, &options.ranked,
     "the artist ranks all candidates, not only the best", NULL},
    {"out", 0, 0, G_OPTION_ARG_FILENAME, &options.out, "where to leave the figures", "FOLDER"},
    {"device", 0, 0, G_OPTION_ARG_STRING, &options.device, "the Vulkan device", "NAME"},
    {"iterations", 0, 0, G_OPTION_ARG_INT, &options.iterations, "how often to teach", "N"},
    {"rounds", 0, 0, G_OPTION_ARG_INT, &options.rounds, "rounds between two lessons", "N"},
    {"candidates", 0, 0, G_OPTION_ARG_INT, &options.candidates, "candidates of a round", "N"},
    {"pictures", 0, 0, G_OPTION_ARG_INT, &options.pictures, "held-out pictures of a motif", "N"},
    {"steps", 0, 0, G_OPTION_ARG_INT, &options.steps, "sampling steps", "N"},
    {"guidance", 0, 0, G_OPTION_ARG_DOUBLE, &options.guidance, "guidance scale", "X"},
    {"seed", 0, 0, G_OPTION_ARG_INT, &options.seed, "of the artist's rounds", "N"},
    {"learning-rate", 0, 0, G_OPTION_ARG_DOUBLE, &options.learning_rate, "of AdamW", "X"},
    {"beta", 0, 0, G_OPTION_ARG_DOUBLE, &options.beta, "of the loss", "X"},
    {"clip", 0, 0, G_OPTION_ARG_DOUBLE, &options.clip, "of the ratio; 0: none", "X"},
    {"timestep-fraction", 0, 0, G_OPTION_ARG_DOUBLE, &options.fraction, "trained steps", "X"},
    {"timesteps-per-update", 0, 0, G_OPTION_ARG_INT, &options.per_update, "0: all of a round's", "N"},
    {"epochs", 0, 0, G_OPTION_ARG_INT, &options.epochs, "passes over the picks", "N"},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

typedef struct {
    PenStudio *studio;
    PenTaste taste;
    gint64 style;
    guint rounds; /* made so far */
    GTimer *timer;
} Demo;

/* Pictures of the held-out motifs, motif by motif. */
typedef struct {
    guint n, size;
    guint8 **rgb;
    double *property;
} Gallery;

static void gallery_free(Gallery *gallery)
{
    for (guint i = 0; i < gallery->n; i++)
        g_free(gallery->rgb[i]);
    g_free(gallery->rgb);
    g_free(gallery->property);
    g_free(gallery);
}

/* --- the studio's jobs, waited for ----------------------------------------------------------- */

static void on_done(GObject *source G_GNUC_UNUSED, GAsyncResult *result, gpointer user_data)
{
    *(GAsyncResult **)user_data = g_object_ref(result);
}

static GAsyncResult *await(GAsyncResult **result)
{
    while (!*result)
        g_main_context_iteration(NULL, TRUE);
    return *result;
}

static PenRoundResult *generate(Demo *demo, const PenRoundRequest *request, GError **error)
{
    g_autoptr(GAsyncResult) result = NULL;
    pen_studio_generate_async(demo->studio, request, NULL, NULL, NULL, on_done, &result);
    return pen_studio_generate_finish(demo->studio, await(&result), error);
}

/* --- looking ---------------------------------------------------------------------------------- */

static Gallery *look(Demo *demo, gboolean without_style, GError **error)
{
    Gallery *gallery = g_new0(Gallery, 1);
    guint each = (guint)options.pictures;
    gallery->rgb = g_new0(guint8 *, N_HELD_OUT * each);
    gallery->property = g_new0(double, N_HELD_OUT * each);
    for (guint motif = 0; motif < N_HELD_OUT; motif++) {
        PenRoundRequest request = PEN_ROUND_REQUEST_INIT;
        request.prompt = held_out_motifs[motif];
        request.style = demo->style;
        request.without_style = without_style;
        request.count = HELD_OUT_CANDIDATES;
        request.steps = (guint)options.steps;
        request.guidance = options.guidance;
        request.has_seed = TRUE;
        request.keep = FALSE;
        for (guint i = 0; i < each; i += HELD_OUT_CANDIDATES) {
            request.seed = HELD_OUT_SEED + motif * 100 + i;
            g_autoptr(PenRoundResult) result = generate(demo, &request, error);
            if (!result) {
                gallery_free(gallery);
                return NULL;
            }
            gallery->size = result->width;
            for (guint c = 0; c < result->n; c++) {
                gallery->property[gallery->n] =
                    pen_taste_measure(demo->taste, result->rgb[c], result->width, result->height);
                gallery->rgb[gallery->n++] = g_steal_pointer(&result->rgb[c]);
            }
        }
    }
    return gallery;
}

static double share_above(const Gallery *gallery, double threshold)
{
    guint above = 0;
    for (guint i = 0; i < gallery->n; i++)
        above += gallery->property[i] > threshold;
    return (double)above / gallery->n;
}

static double mean_property(const Gallery *gallery)
{
    double sum = 0;
    for (guint i = 0; i < gallery->n; i++)
        sum += gallery->property[i];
    return sum / gallery->n;
}

/* The mean distance between pictures of different motifs. */
static double motif_distance(const Gallery *gallery)
{
    guint each = gallery->n / N_HELD_OUT, pairs = 0;
    double sum = 0;
    for (guint i = 0; i < gallery->n; i++)
        for (guint j = 0; j < i; j++)
            if (i / each != j / each) {
                sum += pen_picture_distance(gallery->rgb[i], gallery->rgb[j],
                                            (gsize)gallery->size * gallery->size);
                pairs++;
            }
    return sum / pairs;
}

static gboolean write_sheet(Demo *demo, const Gallery *gallery, const char *title,
                            double threshold, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(options.out, name, NULL);
    g_autofree gboolean *marked = g_new0(gboolean, gallery->n);
    for (guint i = 0; i < gallery->n; i++)
        marked[i] = gallery->property[i] > threshold;
    PenSheet sheet = {
        .title = title,
        .row_labels = held_out_motifs,
        .n_rows = N_HELD_OUT,
        .n_columns = gallery->n / N_HELD_OUT,
        .size = gallery->size,
        .zoom = 2,
        .rgb = gallery->rgb,
        .marked = marked,
    };
    return pen_sheet_write(&sheet, path, error);
}

/* --- picking and teaching ---------------------------------------------------------------------- */

/* One round: asks, looks, picks the best. */
static gboolean play_round(Demo *demo, GError **error)
{
    PenRoundRequest request = PEN_ROUND_REQUEST_INIT;
    request.prompt = taught_motifs[demo->rounds % G_N_ELEMENTS(taught_motifs)];
    request.style = demo->style;
    request.count = (guint)options.candidates;
    request.steps = (guint)options.steps;
    request.guidance = options.guidance;
    request.has_seed = TRUE;
    request.seed = (guint64)options.seed * 1000 + demo->rounds++;
    g_autoptr(PenRoundResult) result = generate(demo, &request, error);
    if (!result)
        return FALSE;
    double properties[PEN_ROUND_MAX];
    int best = 0, ranks[PEN_ROUND_MAX];
    for (guint i = 0; i < result->n; i++) {
        properties[i] =
            pen_taste_measure(demo->taste, result->rgb[i], result->width, result->height);
        if (properties[i] > properties[best])
            best = (int)i;
    }
    for (guint i = 0; i < result->n; i++) {
        ranks[i] = 0;
        for (guint j = 0; j < result->n; j++)
            ranks[i] += properties[j] > properties[i];
    }
    return (options.ranked || pen_notation_read_best(best, ranks, (int)result->n, error)) &&
           pen_store_add_pick(pen_studio_store(demo->studio), result->round, ranks, (int)result->n,
                              error);
}

static gboolean teach(Demo *demo, PenTeachResult *taught, GError **error)
{
    PenTeachSettings settings;
    pen_teach_settings_init(&settings, g_strcmp0(options.preset, "paper") == 0);
    settings.has_seed = TRUE;
    settings.seed = (guint64)options.seed;
    settings.only_new = TRUE;
    if (options.learning_rate > 0)
        settings.d3po.learning_rate = options.learning_rate;
    if (options.beta > 0)
        settings.d3po.beta = options.beta;
    if (!isnan(options.clip))
        settings.d3po.clip = options.clip;
    if (options.fraction > 0)
        settings.d3po.timestep_fraction = options.fraction;
    if (options.per_update >= 0)
        settings.d3po.timesteps_per_update = (guint)options.per_update;
    if (options.epochs > 0)
        settings.d3po.epochs = (guint)options.epochs;
    g_autoptr(GAsyncResult) result = NULL;
    pen_studio_teach_async(demo->studio, demo->style, &settings, NULL, NULL, NULL, on_done,
                           &result);
    return pen_studio_teach_finish(demo->studio, await(&result), taught, error);
}

static void say(Demo *demo, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void say(Demo *demo, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    double seconds = g_timer_elapsed(demo->timer, NULL);
    printf("[%2d:%02d] %s\n", (int)seconds / 60, (int)seconds % 60, text);
    fflush(stdout);
}

static gboolean play(Demo *demo, GError **error)
{
    const char *taste = pen_taste_name(demo->taste);
    demo->style = pen_studio_create_style(demo->studio, taste, NULL, error);
    if (!demo->style)
        return FALSE;
    say(demo, "An artist who likes %s pictures sits down. First, %u pictures of motifs that are "
              "never taught, by the bare model.",
        taste, (guint)(N_HELD_OUT * (guint)options.pictures));
    Gallery *base = look(demo, TRUE, error);
    if (!base)
        return FALSE;
    double threshold = pen_quantile(base->property, base->n, 5.0 / 6);
    guint n_points = (guint)options.iterations + 1;
    g_autofree double *shares = g_new0(double, n_points), *x = g_new0(double, n_points);
    shares[0] = share_above(base, threshold);
    g_autoptr(GString) curve = g_string_new("rounds,share,mean\n");
    g_string_append_printf(curve, "0,%.4f,%.4f\n", shares[0], mean_property(base));
    say(demo, "Preferred: above %.1f, the bare model's 5/6 quantile. Its share is %.0f %%.",
        threshold, 100 * shares[0]);

    Gallery *after = NULL;
    for (guint i = 1; i < n_points; i++) {
        for (int r = 0; r < options.rounds; r++)
            if (!play_round(demo, error))
                return FALSE;
        say(demo, "%u rounds picked from. Teaching.", demo->rounds);
        PenTeachResult taught;
        if (!teach(demo, &taught, error))
            return FALSE;
        if (after)
            gallery_free(after);
        after = look(demo, FALSE, error);
        if (!after)
            return FALSE;
        x[i] = demo->rounds;
        shares[i] = share_above(after, threshold);
        g_string_append_printf(curve, "%u,%.4f,%.4f\n", demo->rounds, shares[i],
                               mean_property(after));
        say(demo, "Taught %u steps: loss %.3f -> %.3f, agreement %.0f %%. Share preferred on "
                  "held-out motifs: %.0f %%, mean %.2f.",
            taught.steps, taught.first.loss, taught.last.loss, 100 * taught.last.agreement,
            100 * shares[i], mean_property(after));
    }
    double before = motif_distance(base), now = motif_distance(after);
    g_autofree char *title_before = g_strdup_printf("Before: %.0f %% %s", 100 * shares[0], taste);
    g_autofree char *title_after =
        g_strdup_printf("After %u picks: %.0f %% %s", demo->rounds, 100 * shares[n_points - 1],
                        taste);
    g_autofree char *plot_file = g_build_filename(options.out, "share.png", NULL);
    g_autofree char *curve_file = g_build_filename(options.out, "curve.csv", NULL);
    PenPlot plot = {
        .title = "Preferred pictures of motifs that were never taught",
        .x_label = "rounds picked from",
        .y_label = "share preferred",
        .x = x,
        .share = shares,
        .n = n_points,
        .base = 1.0 / 6,
        .base_label = "bare model: 1/6",
    };
    gboolean ok =
        write_sheet(demo, base, title_before, threshold, "before.png", error) &&
        write_sheet(demo, after, title_after, threshold, "after.png", error) &&
        pen_plot_write(&plot, plot_file, error) &&
        g_file_set_contents(curve_file, curve->str, -1, error);
    if (ok) {
        say(demo, "Motifs still differ: mean distance between pictures of different motifs %.3f "
                  "before, %.3f after (%.0f %%).",
            before, now, 100 * now / before);
        printf("share before: %.3f\nshare after: %.3f\nfigures: %s/before.png %s/after.png "
               "%s/share.png\n",
               shares[0], shares[n_points - 1], options.out, options.out, options.out);
    }
    gallery_free(base);
    gallery_free(after);
    return ok;
}

static gboolean parse(int *argc, char ***argv, Demo *demo, GError **error)
{
    g_autoptr(GOptionContext) context =
        g_option_context_new("- an artist with a fixed taste teaches the starter model");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (!pen_taste_from_name(options.taste ? options.taste : "vivid", &demo->taste) ||
        options.iterations < 1 || options.rounds < 1 || options.candidates < 2 ||
        options.candidates > PEN_ROUND_MAX || options.pictures < 1 ||
        options.pictures % HELD_OUT_CANDIDATES ||
        (options.preset && !g_str_equal(options.preset, "few") &&
         !g_str_equal(options.preset, "paper"))) {
        g_autofree char *tastes = pen_taste_names();
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "Tastes are %s, presets few and paper; counts must be positive, with 2 to %d "
                    "candidates and an even number of held-out pictures.",
                    tastes, PEN_ROUND_MAX);
        return FALSE;
    }
    if (!options.out)
        options.out = g_strdup("build/demo");
    return TRUE;
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "");
    Demo demo = {.timer = g_timer_new()};
    g_autoptr(GError) error = NULL;
    if (!parse(&argc, &argv, &demo, &error)) {
        fprintf(stderr, "penchant-demo: %s\n", error->message);
        return 2;
    }
    /* The artist's picks of an earlier demo would be learnt again. */
    g_autofree char *stamp = g_strdup_printf("data-%" G_GINT64_FORMAT, g_get_real_time());
    g_autofree char *data = g_build_filename(options.out, stamp, NULL);
    g_mkdir_with_parents(options.out, 0755);
    demo.studio = pen_studio_new(data, options.device, NULL, &error);
    gboolean ok = demo.studio && play(&demo, &error);
    if (!ok)
        fprintf(stderr, "penchant-demo: %s\n", error->message);
    pen_studio_free(demo.studio);
    g_timer_destroy(demo.timer);
    return ok ? 0 : 1;
}
