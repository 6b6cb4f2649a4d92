// SPDX-License-Identifier: GPL-3.0-or-later
//
// `./dev demo`: an artist with a fixed taste teaches the starter model.
//
// The artist asks for varied motifs without naming a style, picks the candidate that has most of
// what he likes, teaches, and goes on with what was taught. An artist who looks for a style passes
// over a round in which no candidate has it. Before, in between and after, pictures of motifs that
// he never asked for, from seeds that were never used, show how far the taste reaches.
#include "config.h"

#include <glib/gstdio.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>

#include "demo/figures.h"
#include "demo/gallery.h"
#include "src/studio/teach-options.h"

static const char *const taught_motifs[] = { "apple", "bird", "boat", "flower",  "cat",
                                             "dog",   "cake", "hat",  "balloon", "bug" };
static const char *const held_out_motifs[] = { "house", "heart", "fish", "tree", "car", "smiley" };

#define N_HELD_OUT G_N_ELEMENTS(held_out_motifs)
#define HELD_OUT_SEED 900000
#define HELD_OUT_CANDIDATES 2 /* pictures of one initial noise */
#define ROUNDS_A_PICK 8       /* before the artist gives up */

static struct {
    char *taste, *out, *device;
    int lessons, picks, candidates, pictures, steps, seed;
    double guidance;
    gboolean ranked, shared_noise;
} options = { .lessons = 2,
              .picks = 5,
              .candidates = 4,
              .pictures = 6,
              .steps = 20,
              .seed = 1 };

static const GOptionEntry entries[] = {
    { "taste", 0, 0, G_OPTION_ARG_STRING, &options.taste,
      "a style of the starter model, vivid, pale, dark, bright, small, blue, compressible, "
      "incompressible or random",
      "TASTE" },
    { "ranked", 0, 0, G_OPTION_ARG_NONE, &options.ranked,
      "the artist ranks all candidates, not only the best", NULL },
    { "shared-noise", 0, 0, G_OPTION_ARG_NONE, &options.shared_noise,
      "all candidates of a round start from one noise, as in the published script", NULL },
    { "out", 0, 0, G_OPTION_ARG_FILENAME, &options.out, "where to leave the figures", "FOLDER" },
    { "device", 0, 0, G_OPTION_ARG_STRING, &options.device, "the Vulkan device", "NAME" },
    { "lessons", 0, 0, G_OPTION_ARG_INT, &options.lessons, "how often to teach", "N" },
    { "picks", 0, 0, G_OPTION_ARG_INT, &options.picks, "picks before each lesson", "N" },
    { "candidates", 0, 0, G_OPTION_ARG_INT, &options.candidates, "candidates of a round", "N" },
    { "pictures", 0, 0, G_OPTION_ARG_INT, &options.pictures, "held-out pictures of a motif", "N" },
    { "steps", 0, 0, G_OPTION_ARG_INT, &options.steps, "sampling steps", "N" },
    { "guidance", 0, 0, G_OPTION_ARG_DOUBLE, &options.guidance,
      "guidance scale; 0: as suits the model", "X" },
    { "seed", 0, 0, G_OPTION_ARG_INT, &options.seed, "of the artist's rounds", "N" },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
};

typedef struct {
    PenStudio *studio;
    PenDevice *device; /* of the judges */
    PenJudge *styles, *motifs;
    PenTaste taste;
    gint64 style;
    guint rounds, picks; /* made so far */
    GTimer *timer;
} Demo;

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

/* A round as all of the demo's are: with the style, from a seed of its own. */
static PenRoundRequest round_of(const Demo *demo, const char *prompt, int count, guint64 seed)
{
    PenRoundRequest request = PEN_ROUND_REQUEST_INIT;
    request.prompt = prompt;
    request.style = demo->style;
    request.count = (guint)count;
    request.steps = (guint)options.steps;
    request.guidance = options.guidance;
    request.shared_noise = options.shared_noise;
    request.has_seed = TRUE;
    request.seed = seed;
    return request;
}

/* --- looking ---------------------------------------------------------------------------------- */

static PenGallery *look(Demo *demo, gboolean without_style, GError **error)
{
    g_autoptr(PenGallery) gallery =
        pen_gallery_new(held_out_motifs, N_HELD_OUT, (guint)options.pictures);
    for (guint motif = 0; motif < N_HELD_OUT; motif++) {
        for (guint i = 0; i < gallery->each; i += HELD_OUT_CANDIDATES) {
            PenRoundRequest request = round_of(demo, held_out_motifs[motif], HELD_OUT_CANDIDATES,
                                               HELD_OUT_SEED + motif * 100 + i);
            request.without_style = without_style;
            request.keep = FALSE;
            g_autoptr(PenRoundResult) result = generate(demo, &request, error);
            if (!result)
                return NULL;
            for (guint c = 0; c < result->n; c++)
                if (!pen_gallery_add(gallery, g_steal_pointer(&result->rgb[c]), &demo->taste,
                                     demo->motifs, demo->styles, error))
                    return NULL;
        }
    }
    return g_steal_pointer(&gallery);
}

/* --- picking and teaching -------------------------------------------------------------------- */

/* How much the artist likes a picture. Who likes a style wants what was asked for in it, too: not an
 * empty sheet of the right colour. */
static gboolean like(Demo *demo, const PenRoundResult *result, guint i, const char *motif,
                     double *value, GError **error)
{
    if (!pen_taste_measure(&demo->taste, result->rgb[i], result->width, result->height, value,
                           error))
        return FALSE;
    if (demo->taste.kind != PEN_TASTE_STYLE)
        return TRUE;
    double sure;
    if (!pen_judge_look_for(demo->motifs, result->rgb[i], pen_judge_class(demo->motifs, motif),
                            &sure, error))
        return FALSE;
    *value *= sure;
    return TRUE;
}

/* One round: asks, looks, picks the best, if there is one that is good enough. */
static gboolean play_round(Demo *demo, double enough, GError **error)
{
    PenRoundRequest request =
        round_of(demo, taught_motifs[demo->rounds % G_N_ELEMENTS(taught_motifs)],
                 options.candidates, (guint64)options.seed * 1000 + demo->rounds);
    demo->rounds++;
    g_autoptr(PenRoundResult) result = generate(demo, &request, error);
    if (!result)
        return FALSE;
    double values[PEN_ROUND_MAX];
    int best = 0, ranks[PEN_ROUND_MAX];
    for (guint i = 0; i < result->n; i++) {
        if (!like(demo, result, i, request.prompt, &values[i], error))
            return FALSE;
        if (values[i] > values[best])
            best = (int)i;
    }
    if (values[best] < enough)
        return TRUE;
    pen_taste_rank(values, result->n, ranks);
    demo->picks++;
    return (options.ranked || pen_notation_read_best(best, ranks, (int)result->n, error)) &&
           pen_store_add_pick(pen_studio_store(demo->studio), result->round, ranks, (int)result->n,
                              error);
}

/* Rounds until there are so many picks in all. */
static gboolean play_rounds(Demo *demo, guint picks, double enough, GError **error)
{
    guint last = demo->rounds + ROUNDS_A_PICK * (picks - demo->picks);
    while (demo->picks < picks) {
        if (demo->rounds == last) {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                        "In %u rounds there were only %u pictures to the artist's taste.",
                        demo->rounds, demo->picks);
            return FALSE;
        }
        if (!play_round(demo, enough, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean teach(Demo *demo, PenTeachResult *taught, GError **error)
{
    PenTeachSettings settings;
    if (!pen_teach_options_read(&settings, error))
        return FALSE;
    settings.has_seed = TRUE;
    settings.seed = (guint64)options.seed;
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

/* What is measured before the first lesson and after each. */
typedef struct {
    double *picks, *share;
    guint n;
    GString *csv;
} Curve;

static void curve_add(Curve *curve, const Demo *demo, const PenGallery *gallery, double threshold)
{
    curve->picks[curve->n] = demo->picks;
    curve->share[curve->n] = pen_gallery_share_above(gallery, threshold);
    g_string_append_printf(curve->csv, "%u,%u,%.4f,%.4f,%.4f,%.1f", demo->picks, demo->rounds,
                           curve->share[curve->n], pen_gallery_mean(gallery),
                           pen_gallery_motif_accuracy(gallery), pen_gallery_distance(gallery));
    for (int i = 0; pen_judge_classes(demo->styles)[i]; i++)
        g_string_append_printf(curve->csv, ",%.4f", pen_gallery_style_share(gallery, i));
    g_string_append_c(curve->csv, '\n');
    curve->n++;
}

static void curve_clear(Curve *curve)
{
    g_free(curve->picks);
    g_free(curve->share);
    g_string_free(curve->csv, TRUE);
}

static gboolean write_figures(const Demo *demo, const PenGallery *base, const PenGallery *after,
                              const Curve *curve, double threshold, GError **error)
{
    g_autofree char *before = g_build_filename(options.out, "before.png", NULL);
    g_autofree char *now = g_build_filename(options.out, "after.png", NULL);
    g_autofree char *plot_file = g_build_filename(options.out, "share.png", NULL);
    g_autofree char *curve_file = g_build_filename(options.out, "curve.csv", NULL);
    g_autofree char *title_before =
        g_strdup_printf("Before: %.0f %% %s", 100 * curve->share[0], demo->taste.name);
    g_autofree char *title_after =
        g_strdup_printf("After %u picks: %.0f %% %s", demo->picks, 100 * curve->share[curve->n - 1],
                        demo->taste.name);
    PenPlot plot = {
        .title = "Preferred pictures of motifs that were never taught",
        .x_label = "picks",
        .y_label = "share preferred",
        .x = curve->picks,
        .share = curve->share,
        .n = curve->n,
        .base = curve->share[0],
        .base_label = "bare model",
    };
    return pen_gallery_write(base, title_before, threshold, before, error) &&
           pen_gallery_write(after, title_after, threshold, now, error) &&
           pen_plot_write(&plot, plot_file, error) &&
           g_file_set_contents(curve_file, curve->csv->str, -1, error);
}

static void report(const PenGallery *base, const PenGallery *after, const Curve *curve)
{
    double before = pen_gallery_distance(base), now = pen_gallery_distance(after);
    printf("share before: %.3f\nshare after: %.3f\n", curve->share[0], curve->share[curve->n - 1]);
    printf("motif recognised before: %.3f\nmotif recognised after: %.3f\n",
           pen_gallery_motif_accuracy(base), pen_gallery_motif_accuracy(after));
    printf("distance within a prompt before: %.1f\n"
           "distance within a prompt after: %.1f (%.0f %%)\n",
           before, now, 100 * now / before);
    printf("figures: %s/before.png %s/after.png %s/share.png\n", options.out, options.out,
           options.out);
}

static gboolean play_lessons(Demo *demo, Curve *curve, GError **error)
{
    demo->style = pen_studio_create_style(demo->studio, demo->taste.name, NULL, error);
    if (!demo->style)
        return FALSE;
    say(demo,
        "An artist who likes %s pictures sits down. First, %u pictures of motifs that are "
        "never taught, by the bare model.",
        demo->taste.name, (guint)(N_HELD_OUT * (guint)options.pictures));
    g_autoptr(PenGallery) base = look(demo, TRUE, error);
    if (!base)
        return FALSE;
    double threshold = pen_taste_threshold(&demo->taste, base->value, base->n);
    double enough = demo->taste.kind == PEN_TASTE_STYLE ? threshold : -INFINITY;
    curve_add(curve, demo, base, threshold);
    say(demo, "Preferred: above %.1f. The bare model's share is %.0f %%.", threshold,
        100 * curve->share[0]);

    g_autoptr(PenGallery) after = NULL;
    for (int i = 1; i <= options.lessons; i++) {
        if (!play_rounds(demo, (guint)(i * options.picks), enough, error))
            return FALSE;
        say(demo, "%u picks from %u rounds. Teaching.", demo->picks, demo->rounds);
        PenTeachResult taught;
        if (!teach(demo, &taught, error))
            return FALSE;
        g_clear_pointer(&after, pen_gallery_free);
        after = look(demo, FALSE, error);
        if (!after)
            return FALSE;
        curve_add(curve, demo, after, threshold);
        say(demo,
            "Taught %u steps: loss %.3f -> %.3f, agreement %.0f %%. Share preferred on "
            "held-out motifs: %.0f %%, mean %.2f.",
            taught.steps, taught.first.loss, taught.last.loss, 100 * taught.last.agreement,
            100 * curve->share[curve->n - 1], pen_gallery_mean(after));
    }
    if (!write_figures(demo, base, after, curve, threshold, error))
        return FALSE;
    report(base, after, curve);
    return TRUE;
}

static gboolean play(Demo *demo, GError **error)
{
    guint n = (guint)options.lessons + 1;
    Curve curve = {
        .picks = g_new0(double, n),
        .share = g_new0(double, n),
        .csv = g_string_new("picks,rounds,share,mean,motif,distance"),
    };
    for (int i = 0; pen_judge_classes(demo->styles)[i]; i++)
        g_string_append_printf(curve.csv, ",%s", pen_judge_classes(demo->styles)[i]);
    g_string_append_c(curve.csv, '\n');
    gboolean ok = play_lessons(demo, &curve, error);
    curve_clear(&curve);
    return ok;
}

static PenJudge *open_judge(Demo *demo, const char *file, GError **error)
{
    g_autofree char *path = g_build_filename(PEN_JUDGES, file, NULL);
    return pen_judge_new(demo->device, path, error);
}

static gboolean set_up(Demo *demo, GError **error)
{
    demo->device = pen_device_open(options.device, error);
    if (!demo->device)
        return FALSE;
    demo->styles = open_judge(demo, "style.safetensors", error);
    demo->motifs = demo->styles ? open_judge(demo, "motif.safetensors", error) : NULL;
    if (!demo->motifs)
        return FALSE;
    if (!pen_taste_from_name(&demo->taste, options.taste ? options.taste : "ink", demo->styles)) {
        g_autofree char *tastes = pen_taste_names(demo->styles);
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "Tastes are %s.", tastes);
        return FALSE;
    }
    /* The artist's picks of an earlier demo would be learnt again. */
    g_autofree char *stamp = g_strdup_printf("data-%" G_GINT64_FORMAT, g_get_real_time());
    g_autofree char *data = g_build_filename(options.out, stamp, NULL);
    g_mkdir_with_parents(options.out, 0755);
    demo->studio = pen_studio_new(data, options.device, NULL, error);
    return demo->studio != NULL;
}

static void tear_down(Demo *demo)
{
    pen_studio_free(demo->studio);
    pen_judge_free(demo->styles);
    pen_judge_free(demo->motifs);
    g_clear_pointer(&demo->device, pen_device_unref);
    g_timer_destroy(demo->timer);
}

static gboolean parse(int *argc, char ***argv, GError **error)
{
    g_autoptr(GOptionContext) context =
        g_option_context_new("- an artist with a fixed taste teaches the starter model");
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_add_main_entries(context, pen_teach_options_entries(), NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (options.lessons < 1 || options.picks < 1 || options.candidates < 2 ||
        options.candidates > PEN_ROUND_MAX || options.pictures < 1 ||
        options.pictures % HELD_OUT_CANDIDATES) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "Counts must be positive, with 2 to %d candidates and an even number of "
                    "held-out pictures.",
                    PEN_ROUND_MAX);
        return FALSE;
    }
    PenTeachSettings settings;
    if (!pen_teach_options_read(&settings, error)) /* now, and not after the first rounds */
        return FALSE;
    if (!options.out)
        options.out = g_strdup("build/demo");
    return TRUE;
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "");
    Demo demo = { .timer = g_timer_new() };
    g_autoptr(GError) error = NULL;
    gboolean ok = parse(&argc, &argv, &error) && set_up(&demo, &error) && play(&demo, &error);
    int status = ok ? 0 : error->domain == G_OPTION_ERROR ? 2 : 1;
    if (!ok)
        fprintf(stderr, "penchant-demo: %s\n", error->message);
    tear_down(&demo);
    return status;
}
