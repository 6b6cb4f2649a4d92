// SPDX-License-Identifier: GPL-3.0-or-later
#include <glib/gi18n-lib.h>

#include "plugin/image.h"
#include "plugin/insert.h"
#include "plugin/interactive.h"
#include "plugin/picture.h"
#include "plugin/procedure.h"
#include "plugin/procedures.h"
#include "plugin/ui.h"
#include "src/studio/recipe.h"

/* Up to here a double is every whole number; random seeds are smaller. */
#define LARGEST_SEED 9007199254740992.0

typedef struct {
    char *prompt, *negative_prompt, *model, *vae, *prediction, *style, *device, *sampler,
        *schedule;
    char **adapters;
    PenFrom from;
    PenFit fit;
    int grow, soften;
    gboolean words, fast;
    int count, width, height, steps, clip_skip;
    double seed, guidance, eta, strength, change;
} RoundArgs;

static void round_args_read(RoundArgs *args, GimpProcedureConfig *config)
{
    g_object_get(config, "prompt", &args->prompt, "negative-prompt", &args->negative_prompt,
                 "count", &args->count, "style", &args->style, "style-strength", &args->strength,
                 "model", &args->model, "vae", &args->vae, "prediction", &args->prediction, "adapters", &args->adapters, "change",
                 &args->change, "width", &args->width, "height", &args->height, "steps",
                 &args->steps, "guidance", &args->guidance, "eta", &args->eta, "seed", &args->seed,
                 "words", &args->words, "clip-skip", &args->clip_skip, "device", &args->device,
                 "fast", &args->fast, "sampler", &args->sampler, "schedule", &args->schedule,
                 NULL);
    args->from = gimp_procedure_config_get_choice_id(config, "start-from");
    pen_procedure_read_placing(config, &args->fit, &args->grow, &args->soften);
}

static void round_args_clear(RoundArgs *args)
{
    g_free(args->prompt);
    g_free(args->negative_prompt);
    g_free(args->model);
    g_free(args->vae);
    g_free(args->prediction);
    g_strfreev(args->adapters);
    g_free(args->style);
    g_free(args->device);
    g_free(args->sampler);
    g_free(args->schedule);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RoundArgs, round_args_clear)

/* Size and starting picture. `*start` keeps what the request points to. */
static gboolean set_start(PenStudio *studio, GimpImage *image, const RoundArgs *args,
                          PenRoundRequest *request, PenSpotStart **start, GError **error)
{
    if (args->from != PEN_FROM_TEXT && !image) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    _("There is no image to start from. Give one, or start from text."));
        return FALSE;
    }
    g_autoptr(PenModelInfo) info =
        pen_studio_model_info(studio, request->model, request->style, error);
    if (!info)
        return FALSE;
    PenSpotWish wish = { .size = info->size,
                         .multiple = info->multiple,
                         .fit = args->fit,
                         .grow = args->grow,
                         .soften = args->soften };
    if (args->width && args->height) {
        wish.width = (guint)args->width;
        wish.height = (guint)args->height;
    } else if (request->style && args->from == PEN_FROM_TEXT) {
        g_autoptr(PenRecipe) recipe = pen_studio_get_recipe(studio, request->style, error);
        if (!recipe)
            return FALSE;
        wish.width = (guint)recipe->width;
        wish.height = (guint)recipe->height;
    }
    g_autoptr(GError) local = NULL;
    PenSpot *spot =
        pen_spot_find(image, args->from, &wish, &request->width, &request->height, &local);
    if (!spot) {
        if (local)
            g_propagate_error(error, g_steal_pointer(&local));
        return !image;
    }
    PenWait wait = PEN_WAIT_INIT;
    pen_spot_read_async(spot, image, (int)request->width, (int)request->height, NULL,
                        pen_procedure_on_ready, &wait);
    pen_procedure_wait(&wait);
    *start = pen_spot_read_finish(wait.result, error);
    g_object_unref(wait.result);
    if (!*start)
        return FALSE;
    request->start_rgb = (*start)->rgb;
    request->start_mask = (*start)->mask;
    request->start_strength = args->change;
    request->place = &(*start)->spot->place;
    request->place_mask = (*start)->spot->mask;
    return TRUE;
}

/* A new image of the picture, whose layer is `*layer`. */
static GimpImage *open_image(GdkPixbuf *picture, const char *name, GimpLayer **layer,
                             GError **error)
{
    PenWait wait = PEN_WAIT_INIT;
    pen_insert_as_image_async(picture, name, pen_procedure_on_ready, &wait);
    pen_procedure_wait(&wait);
    GimpImage *image = pen_insert_as_image_finish(wait.result, error);
    g_object_unref(wait.result);
    if (image) {
        g_autofree GimpLayer **layers = gimp_image_get_layers(image);
        *layer = layers[0];
    }
    return image;
}

/* The candidates as layers, the first one on top, as one step of undo. */
static gboolean insert_all(PenStudio *studio, PenRoundResult *made, GimpImage **image,
                           const RoundArgs *args, GimpLayer **layers, GError **error)
{
    g_autofree char *name = pen_image_layer_name(args->prompt);
    GimpImage *old = *image;
    if (old)
        gimp_image_undo_group_start(old);
    gboolean done = TRUE;
    for (guint i = made->n; i-- > 0 && done;) {
        g_autoptr(GdkPixbuf) picture =
            pen_picture_new(made->rgb[i], (int)made->width, (int)made->height);
        g_autofree char *own_name = g_strdup_printf("%s (%u)", name, i + 1);
        if (*image) {
            layers[i] = pen_procedure_insert(studio, *image, made->round, picture, own_name,
                                             args->fit, args->grow, args->soften, error);
            done = layers[i] != NULL;
        } else {
            *image = open_image(picture, own_name, &layers[i], error);
            done = *image != NULL;
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
    g_autoptr(PenStudio) studio =
        pen_studio_new(NULL, pen_procedure_or_null(args.device), NULL, &error);
    if (!studio)
        return pen_procedure_fail(procedure, error);
    gint64 style = pen_procedure_find_style(studio, args.style, &error);
    if (style < 0)
        return pen_procedure_fail(procedure, error);

    g_autofree char *spec =
        pen_procedure_read_spec(style ? NULL : args.model, args.vae, args.prediction, args.adapters,
                                &error);
    if (error)
        return pen_procedure_fail(procedure, error);

    PenRoundRequest request = PEN_ROUND_REQUEST_INIT;
    request.model = spec;
    request.prompt = args.prompt ? args.prompt : "";
    request.negative_prompt = pen_procedure_or_null(args.negative_prompt);
    request.words = args.words;
    request.clip_skip = (guint)args.clip_skip;
    request.style = style;
    request.style_strength = args.strength;
    request.count = args.count;
    request.sampler = args.sampler;
    request.schedule = args.schedule;
    request.speed = args.fast ? PEN_SPEED_FAST : PEN_SPEED_AUTOMATIC;
    request.steps = args.steps;
    request.guidance = args.guidance;
    request.eta = args.eta;
    request.has_seed = args.seed >= 0;
    request.seed = (guint64)MAX(args.seed, 0);
    g_autoptr(PenSpotStart) start = NULL;
    if (!set_start(studio, image, &args, &request, &start, &error))
        return pen_procedure_fail(procedure, error);

    gimp_progress_init(_("Penchant makes a round"));
    PenWait wait = PEN_WAIT_INIT;
    pen_studio_generate_async(studio, &request, pen_procedure_on_event, NULL, NULL,
                              pen_procedure_on_ready, &wait);
    pen_procedure_wait(&wait);
    g_autoptr(PenRoundResult) made = pen_studio_generate_finish(studio, wait.result, &error);
    g_object_unref(wait.result);
    gimp_progress_end();
    if (!made)
        return pen_procedure_fail(procedure, error);

    GimpLayer **layers = g_new0(GimpLayer *, made->n + 1);
    if (!insert_all(studio, made, &image, &args, layers, &error)) {
        g_free(layers);
        return pen_procedure_fail(procedure, error);
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

GimpProcedure *pen_procedure_new_round(GimpPlugIn *plug_in)
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
    gimp_procedure_set_attribution(p, PEN_AUTHORS, PEN_AUTHORS, PEN_YEAR);

    gimp_procedure_add_string_argument(p, "prompt", _("_Prompt"),
                                       _("What should be in the picture"), "", G_PARAM_READWRITE);
    gimp_procedure_add_int_argument(p, "count", _("_Candidates"), _("How many candidates"), 1, 9, 4,
                                    G_PARAM_READWRITE);
    /* A procedure's integers have 32 bits. */
    gimp_procedure_add_double_argument(
        p, "seed", _("S_eed"), _("Seed of the first noise, a whole number; -1: a random one"), -1,
        LARGEST_SEED, -1, G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(p, "style", _("St_yle"), _("Name of the style; empty: none"),
                                       "", G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(p, "negative-prompt", _("_Avoid"),
                                       _("What should not be in it; empty: what the style avoids"), "",
                                       G_PARAM_READWRITE);
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
    pen_procedure_add_placing(p);
    gimp_procedure_add_int_argument(
        p, "width", _("_Width"),
        _("Width in pixels; with width or height 0 the style's size, else the image's proportions at "
          "the model's size"), 0,
        8192, 0, G_PARAM_READWRITE);
    gimp_procedure_add_int_argument(p, "height", _("_Height"),
                                    _("Height in pixels; 0: as with width"), 0, 8192, 0,
                                    G_PARAM_READWRITE);
    gimp_procedure_add_int_argument(p, "steps", _("Step_s"),
                                    _("More steps take longer and add detail; 0: the style's, else as "
                                      "suits the model"),
                                    0, 150, 0,
                                    G_PARAM_READWRITE);
    gimp_procedure_add_double_argument(
        p, "guidance", _("G_uidance"),
        _("How closely the pictures follow the prompt; 0: the style's, else as suits the "
          "model"),
        0, 30, 0, G_PARAM_READWRITE);
    gimp_procedure_add_double_argument(p, "eta", _("_Randomness"),
                                       _("How much of their noise DDIM and TCD take afresh in "
                                         "each step (eta); negative: as suits the model"),
                                       -1, 1, -1, G_PARAM_READWRITE);
    gimp_procedure_add_boolean_argument(
        p, "fast", _("Fast: 4 to 8 steps"),
        _("For models and adapters that were made for it; those called LCM, Lightning, Turbo, Hyper-SD, "
          "DMD2 or TCD are drawn so by themselves"),
        FALSE, G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(
        p, "sampler", _("_Sampler"),
        _("DDIM, Euler, Euler a, DPM++ 2M, DPM++ 2M SDE, DPM++ SDE, UniPC, LCM or TCD, also with a "
          "schedule: “DPM++ 2M Karras”; empty: the style's, else as suits the model"),
        "", G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(
        p, "schedule", _("Sc_hedule"),
        _("Normal, Leading, Karras or SGM Uniform; empty: as suits the sampler"), "",
        G_PARAM_READWRITE);
    gimp_procedure_add_double_argument(
        p, "style-strength", _("_Strength"),
        _("How strongly the style shows; negative: as set for the style"), -1, 1.5, -1,
        G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(p, "model", _("_Model"),
                                       _("Name or folder of the model; empty: the starter model"),
                                       "", G_PARAM_READWRITE);
    gimp_procedure_add_boolean_argument(
        p, "words", _("_Brackets are characters"),
        _("Otherwise (word:1.3) in a prompt makes a word stronger, and [word] weaker"), FALSE,
        G_PARAM_READWRITE);
    gimp_procedure_add_int_argument(
        p, "clip-skip", _("C_lip skip"),
        _("At which layer from the end the text encoder is read; 1: the last"), 1, 12, 1,
        G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(p, "device", _("_Device"),
                                       _("Part of a device's name; empty: chosen by itself"), "",
                                       G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(p, "vae", _("Decoder (_VAE)"),
                                       _("File or folder of a decoder (VAE) in place of the "
                                         "model's; empty: the model's own, or the "
                                         "one that the style's latest round had"),
                                       "", G_PARAM_READWRITE);
    pen_procedure_add_prediction(p);
    pen_procedure_add_adapters(p, _("Files of adapters (LoRA) to add to the model, each FILE or "
                                    "FILE:STRENGTH, where 1 is as trained"));
    gimp_procedure_add_int_return_value(p, "round", _("Round"), _("Number of the round"), 0,
                                        G_MAXINT, 0, G_PARAM_READWRITE);
    gimp_procedure_add_image_return_value(
        p, "result-image", _("Image"), _("The image that has the layers"), TRUE, G_PARAM_READWRITE);
    gimp_procedure_add_core_object_array_return_value(p, "layers", _("Layers"), _("The candidates"),
                                                      GIMP_TYPE_LAYER, G_PARAM_READWRITE);
    return p;
}
