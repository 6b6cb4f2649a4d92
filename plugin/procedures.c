// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/procedures.h"

#include <glib/gi18n-lib.h>

#include "plugin/image.h"
#include "plugin/interactive.h"
#include "plugin/ui.h"
#include "src/studio/studio.h"

#define AUTHORS "The Penchant authors"
#define YEAR "2026"

/* A job of the studio that a procedure waits for. */
typedef struct {
    GMainLoop *loop;
    GAsyncResult *result;
} Wait;

static void on_ready(GObject *source, GAsyncResult *result, gpointer data)
{
    Wait *wait = data;
    wait->result = g_object_ref(result);
    g_main_loop_quit(wait->loop);
}

static void wait_for(Wait *wait)
{
    g_main_loop_run(wait->loop);
    g_main_loop_unref(wait->loop);
}

static void on_event(const PenStudioEvent *event, gpointer data)
{
    if (event->kind == PEN_STUDIO_PROGRESS)
        gimp_progress_update(event->fraction);
    else if (event->kind == PEN_STUDIO_NOTICE)
        gimp_progress_set_text(event->text);
}

static GimpValueArray *fail(GimpProcedure *procedure, GError *error)
{
    return gimp_procedure_new_return_values(procedure, GIMP_PDB_EXECUTION_ERROR, error);
}

/* The id of the living style of that name; 0 for an empty name, -1 with an error for an unknown
 * one. */
static gint64 find_style(PenStudio *studio, const char *name, GError **error)
{
    if (!name || !*name)
        return 0;
    g_autoptr(PenStyle) style = pen_store_find_style(pen_studio_store(studio), name, error);
    return style ? style->id : -1;
}

static const char *or_null(const char *text)
{
    return text && *text ? text : NULL;
}

/* What the arguments that choose a model say, as a spec for the studio; with `*error` set when an
 * adapter cannot be, else NULL where nothing is said. `adapters` may be NULL. Free with g_free().
 */
static char *read_spec(const char *model, const char *vae, char **adapters, GError **error)
{
    g_autoptr(PenModelSpec) spec = pen_model_spec_new(or_null(model));
    spec->vae = g_strdup(or_null(vae));
    for (char **adapter = adapters; adapter && *adapter; adapter++)
        if (!pen_model_spec_add_lora_text(spec, *adapter, error))
            return NULL;
    pen_model_spec_make_absolute(spec);
    return pen_model_spec_to_text(spec);
}

static void add_adapters_argument(GimpProcedure *procedure, const char *blurb)
{
    gimp_procedure_add_string_array_argument(procedure, "adapters", _("Adapters (_LoRA)"), blurb,
                                             G_PARAM_READWRITE);
}

/* Up to here a double is every whole number; random seeds are smaller. */
#define LARGEST_SEED 9007199254740992.0

/* --- plug-in-penchant ------------------------------------------------------------------------ */

typedef struct {
    char *prompt, *negative_prompt, *model, *vae, *style, *from, *device;
    char **adapters;
    int count, width, height, steps;
    double seed, guidance, eta, strength, change;
} RoundArgs;

static void round_args_read(RoundArgs *args, GimpProcedureConfig *config)
{
    g_object_get(config, "prompt", &args->prompt, "negative-prompt", &args->negative_prompt,
                 "count", &args->count, "style", &args->style, "style-strength", &args->strength,
                 "model", &args->model, "vae", &args->vae, "adapters", &args->adapters,
                 "start-from", &args->from, "change", &args->change, "width", &args->width,
                 "height", &args->height, "steps", &args->steps, "guidance", &args->guidance, "eta",
                 &args->eta, "seed", &args->seed, "device", &args->device, NULL);
}

static void round_args_clear(RoundArgs *args)
{
    g_free(args->prompt);
    g_free(args->negative_prompt);
    g_free(args->model);
    g_free(args->vae);
    g_strfreev(args->adapters);
    g_free(args->style);
    g_free(args->from);
    g_free(args->device);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RoundArgs, round_args_clear)

/* Size and starting picture. `*pixels` keeps what the request points to. */
static gboolean set_start(PenStudio *studio, GimpImage *image, const RoundArgs *args,
                          PenRoundRequest *request, PenSpot **spot, GdkPixbuf **pixels,
                          guint8 **mask, GError **error)
{
    gboolean text = !g_strcmp0(args->from, "text");
    PenFrom from = g_strcmp0(args->from, "selection") ? PEN_FROM_LAYER : PEN_FROM_SELECTION;
    if (!text && !image) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    _("There is no image to start from. Give one, or start from text."));
        return FALSE;
    }
    if (!text && !(*spot = pen_image_find_spot(image, from, error)))
        return FALSE;
    g_autoptr(PenModelInfo) info =
        pen_studio_model_info(studio, request->model, request->style, error);
    if (!info)
        return FALSE;
    if (args->width && args->height) {
        request->width = args->width;
        request->height = args->height;
    } else {
        double shape = *spot   ? (double)(*spot)->width / (*spot)->height
                       : image ? (double)gimp_image_get_width(image) / gimp_image_get_height(image)
                               : 1;
        pen_image_fit(shape, info->size, info->multiple, &request->width, &request->height);
    }
    if (text)
        return TRUE;
    *pixels = pen_image_read_spot(image, from, *spot, request->width, request->height, mask, error);
    request->start_strength = args->change;
    return *pixels != NULL;
}

/* Rows without the padding that a pixbuf may have. */
static guint8 *pack(GdkPixbuf *pixbuf)
{
    int width = gdk_pixbuf_get_width(pixbuf), height = gdk_pixbuf_get_height(pixbuf);
    guint8 *rgb = g_malloc((gsize)width * height * 3);
    for (int y = 0; y < height; y++)
        memcpy(rgb + (gsize)y * width * 3,
               gdk_pixbuf_get_pixels(pixbuf) + (gsize)y * gdk_pixbuf_get_rowstride(pixbuf),
               (gsize)width * 3);
    return rgb;
}

/* The candidates as layers, the first one on top, as one step of undo. */
static gboolean insert_all(PenRoundResult *made, GimpImage **image, const PenSpot *spot,
                           const char *prompt, GimpLayer **layers, GError **error)
{
    g_autofree char *name = pen_image_layer_name(prompt);
    GimpImage *old = *image;
    if (old)
        gimp_image_undo_group_start(old);
    gboolean done = TRUE;
    for (guint i = made->n; i-- > 0 && done;) {
        g_autoptr(GBytes) bytes =
            g_bytes_new_static(made->rgb[i], (gsize)made->width * made->height * 3);
        g_autoptr(GdkPixbuf) picture = gdk_pixbuf_new_from_bytes(
            bytes, GDK_COLORSPACE_RGB, FALSE, 8, made->width, made->height, made->width * 3);
        g_autofree char *own_name = g_strdup_printf("%s (%u)", name, i + 1);
        if (*image) {
            layers[i] = pen_image_insert(*image, spot, picture, own_name, error);
            done = layers[i] != NULL;
        } else {
            *image = pen_image_new(picture, own_name, error);
            done = *image != NULL;
            if (done) {
                g_autofree GimpLayer **first = gimp_image_get_layers(*image);
                layers[i] = first[0];
            }
        }
    }
    if (old)
        gimp_image_undo_group_end(old);
    return done;
}

static GimpValueArray *make_round(GimpProcedure *procedure, GimpImage *image,
                                  GimpProcedureConfig *config)
{
    GError *error = NULL;
    g_auto(RoundArgs) args = { 0 };
    round_args_read(&args, config);
    g_autoptr(PenStudio) studio = pen_studio_new(NULL, or_null(args.device), NULL, &error);
    if (!studio)
        return fail(procedure, error);
    gint64 style = find_style(studio, args.style, &error);
    if (style < 0)
        return fail(procedure, error);

    g_autofree char *spec = read_spec(style ? NULL : args.model, args.vae, args.adapters, &error);
    if (error)
        return fail(procedure, error);

    PenRoundRequest request = PEN_ROUND_REQUEST_INIT;
    request.model = spec;
    request.prompt = args.prompt ? args.prompt : "";
    request.negative_prompt = or_null(args.negative_prompt);
    request.style = style;
    request.style_strength = args.strength;
    request.count = args.count;
    request.steps = args.steps;
    request.guidance = args.guidance;
    request.eta = args.eta;
    request.has_seed = args.seed >= 0;
    request.seed = (guint64)MAX(args.seed, 0);
    g_autoptr(PenSpot) spot = NULL;
    g_autoptr(GdkPixbuf) start = NULL;
    g_autofree guint8 *mask = NULL;
    if (!set_start(studio, image, &args, &request, &spot, &start, &mask, &error))
        return fail(procedure, error);
    g_autofree guint8 *rgb = start ? pack(start) : NULL;
    request.start_rgb = rgb;
    request.start_mask = mask;

    gimp_progress_init(_("Penchant makes a round"));
    Wait wait = { g_main_loop_new(NULL, FALSE), NULL };
    pen_studio_generate_async(studio, &request, on_event, NULL, NULL, on_ready, &wait);
    wait_for(&wait);
    g_autoptr(PenRoundResult) made = pen_studio_generate_finish(studio, wait.result, &error);
    g_object_unref(wait.result);
    gimp_progress_end();
    if (!made)
        return fail(procedure, error);

    GimpLayer **layers = g_new0(GimpLayer *, made->n + 1);
    if (!insert_all(made, &image, spot, args.prompt, layers, &error)) {
        g_free(layers);
        return fail(procedure, error);
    }
    GimpValueArray *values = gimp_procedure_new_return_values(procedure, GIMP_PDB_SUCCESS, NULL);
    GIMP_VALUES_SET_INT(values, 1, (int)made->round);
    GIMP_VALUES_SET_IMAGE(values, 2, image);
    g_value_take_boxed(gimp_value_array_index(values, 3), layers);
    return values;
}

static GimpValueArray *run_penchant(GimpProcedure *procedure, GimpRunMode run_mode,
                                    GimpImage *image, GimpDrawable **drawables,
                                    GimpProcedureConfig *config, gpointer data)
{
    if (run_mode == GIMP_RUN_NONINTERACTIVE)
        return make_round(procedure, image, config);
    pen_interactive_run(procedure, image);
    return gimp_procedure_new_return_values(procedure, GIMP_PDB_SUCCESS, NULL);
}

static GimpProcedure *new_penchant(GimpPlugIn *plug_in)
{
    GimpProcedure *p = gimp_image_procedure_new(plug_in, PEN_PROCEDURE, GIMP_PDB_PROC_TYPE_PLUGIN,
                                                run_penchant, NULL, NULL);
    gimp_procedure_set_image_types(p, "*");
    gimp_procedure_set_sensitivity_mask(p, GIMP_PROCEDURE_SENSITIVE_ALWAYS);
    gimp_procedure_set_menu_label(p, _("_Penchant…"));
    gimp_procedure_add_menu_path(p, "<Image>/Filters/");
    g_autoptr(GdkPixbuf) icon = pen_ui_icon(32);
    if (icon)
        gimp_procedure_set_icon_pixbuf(p, icon);
    gimp_procedure_set_documentation(
        p, _("Make pictures that learn your taste"),
        _("Shows candidates for a prompt, lets you pick, and teaches a style from the picks. Not "
          "interactive, it "
          "makes one round and inserts the candidates as layers, the first on top, into the image "
          "or, without "
          "one, into a new image. The round can then be picked from with plug-in-penchant-pick."),
        PEN_PROCEDURE);
    gimp_procedure_set_attribution(p, AUTHORS, AUTHORS, YEAR);

    gimp_procedure_add_string_argument(p, "prompt", _("_Prompt"),
                                       _("What should be in the picture"), "", G_PARAM_READWRITE);
    gimp_procedure_add_int_argument(p, "count", _("_Candidates"), _("How many candidates"), 1, 9, 4,
                                    G_PARAM_READWRITE);
    /* A procedure's integers have 32 bits. */
    gimp_procedure_add_double_argument(p, "seed", _("S_eed"),
                                       _("Seed of the first noise, a whole number; -1: a random one"),
                                       -1, LARGEST_SEED, -1, G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(p, "style", _("St_yle"), _("Name of the style; empty: none"),
                                       "", G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(p, "negative-prompt", _("_Avoid"),
                                       _("What should not be in it"), "", G_PARAM_READWRITE);
    gimp_procedure_add_choice_argument(
        p, "start-from", _("Start _from"), _("What the pictures start from"),
        gimp_choice_new_with_values("text", PEN_FROM_TEXT, _("Text alone"), NULL, "layer",
                                    PEN_FROM_LAYER, _("The active layer"), NULL, "selection",
                                    PEN_FROM_SELECTION, _("The selection"), NULL, NULL),
        "text", G_PARAM_READWRITE);
    gimp_procedure_add_double_argument(
        p, "change", _("C_hange"),
        _("How much a layer or selection may change: 0 keeps it, 1 nearly ignores it"), 0, 1, 0.6,
        G_PARAM_READWRITE);
    gimp_procedure_add_int_argument(
        p, "width", _("_Width"),
        _("Width in pixels; with width or height 0 the image's proportions at the model's size"), 0,
        8192, 0, G_PARAM_READWRITE);
    gimp_procedure_add_int_argument(p, "height", _("_Height"),
                                    _("Height in pixels; 0: as with width"), 0, 8192, 0,
                                    G_PARAM_READWRITE);
    gimp_procedure_add_int_argument(p, "steps", _("Step_s"),
                                    _("More steps take longer and add detail"), 1, 150, 20,
                                    G_PARAM_READWRITE);
    gimp_procedure_add_double_argument(p, "guidance", _("G_uidance"),
                                       _("How closely the pictures follow the prompt; 0: as suits the "
                                         "model"),
                                       0, 30, 0, G_PARAM_READWRITE);
    gimp_procedure_add_double_argument(p, "eta", _("_Randomness"),
                                       _("Fresh noise in each step (eta); needed for teaching"), 0,
                                       1, 1, G_PARAM_READWRITE);
    gimp_procedure_add_double_argument(
        p, "style-strength", _("_Strength"),
        _("How strongly the style shows; negative: as set for the style"), -1, 1.5, -1,
        G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(p, "model", _("_Model"),
                                       _("Name or folder of the model; empty: the starter model"),
                                       "", G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(p, "device", _("_Device"),
                                       _("Part of a device's name; empty: chosen by itself"), "",
                                       G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(p, "vae", _("Decoder (_VAE)"),
                                       _("File or folder of a decoder (VAE) in place of the "
                                         "model's; empty: the model's own, or the "
                                         "one that the style's latest round had"),
                                       "", G_PARAM_READWRITE);
    add_adapters_argument(p, _("Files of adapters (LoRA) to add to the model, each FILE or "
                               "FILE:STRENGTH, where 1 is as trained"));
    gimp_procedure_add_int_return_value(p, "round", _("Round"), _("Number of the round"), 0,
                                        G_MAXINT, 0, G_PARAM_READWRITE);
    gimp_procedure_add_image_return_value(
        p, "result-image", _("Image"), _("The image that has the layers"), TRUE, G_PARAM_READWRITE);
    gimp_procedure_add_core_object_array_return_value(p, "layers", _("Layers"), _("The candidates"),
                                                      GIMP_TYPE_LAYER, G_PARAM_READWRITE);
    return p;
}

/* --- plug-in-penchant-pick ------------------------------------------------------------------- */

static GimpValueArray *run_pick(GimpProcedure *procedure, GimpProcedureConfig *config,
                                gpointer data)
{
    GError *error = NULL;
    g_autofree char *order = NULL;
    int round = 0;
    g_object_get(config, "round", &round, "order", &order, NULL);
    g_autoptr(PenStudio) studio = pen_studio_new(NULL, NULL, NULL, &error);
    if (!studio)
        return fail(procedure, error);
    PenStore *store = pen_studio_store(studio);
    g_autoptr(GPtrArray) candidates = pen_store_list_candidates(store, round, &error);
    if (!candidates)
        return fail(procedure, error);
    g_autofree int *ranks = g_new0(int, candidates->len + 1);
    if (g_strcmp0(order, "none") &&
        !pen_notation_read_order(order ? order : "", ranks, candidates->len, &error))
        return fail(procedure, error);
    gint64 pick = pen_store_add_pick(store, round, ranks, candidates->len, &error);
    if (!pick)
        return fail(procedure, error);
    GimpValueArray *values = gimp_procedure_new_return_values(procedure, GIMP_PDB_SUCCESS, NULL);
    GIMP_VALUES_SET_INT(values, 1, (int)pick);
    return values;
}

static GimpProcedure *new_pick(GimpPlugIn *plug_in)
{
    GimpProcedure *p = gimp_procedure_new(plug_in, PEN_PROCEDURE_PICK, GIMP_PDB_PROC_TYPE_PLUGIN,
                                          run_pick, NULL, NULL);
    gimp_procedure_set_documentation(
        p, _("Record which candidates of a round you like better"),
        _("The order names candidates, from 0, best first: \"2\" picks one, \"2>0>1=3\" ranks four "
          "with a tie, "
          "\"none\" says that none is better. Candidates that are not named come last. The pick is "
          "on disk when "
          "the procedure returns; a later pick of the same round replaces it."),
        PEN_PROCEDURE_PICK);
    gimp_procedure_set_attribution(p, AUTHORS, AUTHORS, YEAR);
    gimp_procedure_add_int_argument(p, "round", _("Round"), _("Number of the round"), 1, G_MAXINT,
                                    1, G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(
        p, "order", _("Order"), _("Candidates, best first, e.g. 2>0>1=3"), "0", G_PARAM_READWRITE);
    gimp_procedure_add_int_return_value(p, "pick", _("Pick"), _("Number of the pick"), 0, G_MAXINT,
                                        0, G_PARAM_READWRITE);
    return p;
}

/* --- plug-in-penchant-teach ------------------------------------------------------------------ */

/* The style of that name, made if there is none yet; it adopts the picked rounds without a style.
 */
static gint64 need_style(PenStudio *studio, const char *name, const char *model, GError **error)
{
    if (!name || !*name) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("Say which style to teach."));
        return 0;
    }
    g_autoptr(PenStyle) style = pen_store_find_style(pen_studio_store(studio), name, NULL);
    if (!style) {
        int picks = pen_studio_count_picks(studio, 0, model, FALSE, error);
        if (picks == 0)
            g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_NOTHING,
                        _("There are no picks for “%s” yet that prefer one picture to another. "
                          "Make a round for it and pick the best."),
                        name);
        if (picks <= 0)
            return 0;
    }
    gint64 id = style ? style->id : pen_studio_create_style(studio, name, model, error);
    if (id && !style && pen_studio_adopt_rounds(studio, id, error) < 0)
        return 0;
    return id;
}

static GimpValueArray *run_teach(GimpProcedure *procedure, GimpProcedureConfig *config,
                                 gpointer data)
{
    GError *error = NULL;
    g_autofree char *name = NULL, *model = NULL, *device = NULL;
    g_auto(GStrv) adapters = NULL;
    int epochs = 0;
    double learning_rate = 0;
    g_object_get(config, "style", &name, "model", &model, "adapters", &adapters, "epochs", &epochs,
                 "learning-rate", &learning_rate, "device", &device, NULL);
    g_autoptr(PenStudio) studio = pen_studio_new(NULL, or_null(device), NULL, &error);
    if (!studio)
        return fail(procedure, error);
    g_autofree char *spec = read_spec(model, NULL, adapters, &error);
    gint64 style = error ? 0 : need_style(studio, name, spec, &error);
    if (!style)
        return fail(procedure, error);
    PenTeachSettings settings;
    pen_teach_settings_init(&settings, FALSE);
    if (epochs > 0)
        settings.d3po.epochs = epochs;
    if (learning_rate > 0)
        settings.d3po.learning_rate = learning_rate;

    gimp_progress_init(_("Penchant learns your taste"));
    Wait wait = { g_main_loop_new(NULL, FALSE), NULL };
    pen_studio_teach_async(studio, style, &settings, on_event, NULL, NULL, on_ready, &wait);
    wait_for(&wait);
    PenTeachResult taught;
    gboolean done = pen_studio_teach_finish(studio, wait.result, &taught, &error);
    g_object_unref(wait.result);
    gimp_progress_end();
    if (!done)
        return fail(procedure, error);
    g_autoptr(PenStyle) now = pen_store_get_style(pen_studio_store(studio), style, NULL);
    GimpValueArray *values = gimp_procedure_new_return_values(procedure, GIMP_PDB_SUCCESS, NULL);
    GIMP_VALUES_SET_INT(values, 1, now ? now->current_number : 0);
    GIMP_VALUES_SET_INT(values, 2, (int)taught.picks);
    GIMP_VALUES_SET_INT(values, 3, (int)taught.steps);
    GIMP_VALUES_SET_DOUBLE(values, 4, taught.last.agreement);
    return values;
}

static GimpProcedure *new_teach(GimpPlugIn *plug_in)
{
    GimpProcedure *p = gimp_procedure_new(plug_in, PEN_PROCEDURE_TEACH, GIMP_PDB_PROC_TYPE_PLUGIN,
                                          run_teach, NULL, NULL);
    gimp_procedure_set_documentation(p, _("Teach a style what you picked"),
                                     _("Trains the style on its picks and makes a new version of "
                                       "it. A style that does not exist is made, and "
                                       "gets the picked rounds that belong to no style. Teaching "
                                       "that was stopped goes on at its last step."),
                                     PEN_PROCEDURE_TEACH);
    gimp_procedure_set_attribution(p, AUTHORS, AUTHORS, YEAR);
    gimp_procedure_add_string_argument(p, "style", _("St_yle"), _("Name of the style"), "",
                                       G_PARAM_READWRITE);
    gimp_procedure_add_int_argument(p, "epochs", _("_Epochs"),
                                    _("Passes over the picks; 0: as needed for a few picks"), 0,
                                    10000, 0, G_PARAM_READWRITE);
    gimp_procedure_add_double_argument(p, "learning-rate", _("_Learning rate"),
                                       _("0: as needed for a few picks"), 0, 1, 0,
                                       G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(
        p, "model", _("_Model"),
        _("Model of a style that does not exist yet; empty: the starter model"), "",
        G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(p, "device", _("_Device"),
                                       _("Part of a device's name; empty: chosen by itself"), "",
                                       G_PARAM_READWRITE);
    add_adapters_argument(p, _("Adapters of a style that does not exist yet, as its rounds had "
                               "them: each FILE or FILE:STRENGTH"));
    gimp_procedure_add_int_return_value(p, "version", _("Version"),
                                        _("Number of the style's new version"), 0, G_MAXINT, 0,
                                        G_PARAM_READWRITE);
    gimp_procedure_add_int_return_value(p, "picks", _("Picks"), _("How many picks it was taught"),
                                        0, G_MAXINT, 0, G_PARAM_READWRITE);
    gimp_procedure_add_int_return_value(p, "steps", _("Steps"),
                                        _("How many steps the teaching took"), 0, G_MAXINT, 0,
                                        G_PARAM_READWRITE);
    gimp_procedure_add_double_return_value(
        p, "agreement", _("Agreement"), _("Share of the picks' pairs that the style agrees with"),
        0, 1, 0, G_PARAM_READWRITE);
    return p;
}

GimpProcedure *pen_procedure_new(GimpPlugIn *plug_in, const char *name)
{
    if (!g_strcmp0(name, PEN_PROCEDURE))
        return new_penchant(plug_in);
    if (!g_strcmp0(name, PEN_PROCEDURE_PICK))
        return new_pick(plug_in);
    if (!g_strcmp0(name, PEN_PROCEDURE_TEACH))
        return new_teach(plug_in);
    return NULL;
}
