// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/round-panel.h"

#include <glib/gi18n-lib.h>

#include "plugin/advanced-view.h"
#include "plugin/model-chooser.h"
#include "plugin/prompt-view.h"
#include "plugin/start-view.h"
#include "plugin/text-undo.h"
#include "plugin/ui.h"

struct _PenRoundPanel {
    GtkBox parent;
    PenApp *app;
    GtkWidget *prompt, *template, *negative;
    GtkWidget *generate, *progress, *progress_text, *progress_box, *line;
    GtkWidget *style, *start, *advanced;
    gboolean running;
    gboolean filling;   /* the chooser is being filled: its signals are no choices */
    guint filling_soon; /* pen_ui_later() */
};

enum { GENERATE, STOP, UNWANTED, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(PenRoundPanel, pen_round_panel, GTK_TYPE_BOX)

static PenSettings *settings_of(PenRoundPanel *panel)
{
    return pen_app_settings(panel->app);
}

/* --- the style ------------------------------------------------------------------------------- */

static void fill_styles(gpointer data)
{
    PenRoundPanel *panel = data;
    panel->filling = TRUE;
    GtkComboBoxText *combo = GTK_COMBO_BOX_TEXT(panel->style);
    gtk_combo_box_text_remove_all(combo);
    gtk_combo_box_text_append(combo, "0", _("No style"));
    PenStore *store = pen_app_store(panel->app);
    g_autoptr(GPtrArray) styles = store ? pen_store_list_styles(store, FALSE, NULL) : NULL;
    for (guint i = 0; styles && i < styles->len; i++) {
        PenStyle *style = styles->pdata[i];
        g_autofree char *id = g_strdup_printf("%" G_GINT64_FORMAT, style->id);
        gtk_combo_box_text_append(combo, id, style->name);
    }
    g_autofree char *chosen = g_strdup_printf("%" G_GINT64_FORMAT, pen_app_style(panel->app));
    gtk_combo_box_set_active_id(GTK_COMBO_BOX(combo), chosen);
    panel->filling = FALSE;
}

/* Not while it is still busy with what was chosen. */
static void fill_soon(PenRoundPanel *panel)
{
    pen_ui_later(&panel->filling_soon, fill_styles, panel);
}

static void on_style_changed(GtkComboBox *combo, PenRoundPanel *panel)
{
    const char *id = gtk_combo_box_get_active_id(combo);
    if (!panel->filling && id)
        pen_app_set_style(panel->app, g_ascii_strtoll(id, NULL, 10));
}

/* What the style's template makes of the prompt. */
static void show_template(PenRoundPanel *panel)
{
    const PenRecipe *recipe = settings_of(panel)->recipe;
    g_autofree char *around = recipe->prompt ? pen_recipe_write_prompt(recipe, "…") : NULL;
    g_autofree char *text = around ? g_strdup_printf(_("Drawn as “%s”"), around) : NULL;
    gtk_label_set_text(GTK_LABEL(panel->template), text ? text : "");
    gtk_widget_set_tooltip_text(panel->template, text);
    gtk_widget_set_visible(panel->template, text != NULL);
}

static void on_recipe_used(PenRoundPanel *panel)
{
    g_autofree char *negative = g_strdup(settings_of(panel)->negative_prompt);
    show_template(panel);
    if (g_strcmp0(gtk_entry_get_text(GTK_ENTRY(panel->negative)), negative) != 0)
        gtk_entry_set_text(GTK_ENTRY(panel->negative), negative);
}

/* --- the order ------------------------------------------------------------------------------- */

/* Brings the settings of the app up to date with the widgets. */
static void on_edited(PenRoundPanel *panel)
{
    PenSettings *settings = settings_of(panel);
    g_free(settings->prompt);
    settings->prompt = pen_prompt_view_get_text(PEN_PROMPT_VIEW(panel->prompt));
    g_free(settings->negative_prompt);
    settings->negative_prompt =
        g_strstrip(g_strdup(gtk_entry_get_text(GTK_ENTRY(panel->negative))));
    pen_app_settings_changed(panel->app);
}

/* The order without what is in the image. */
static PenRoundOrder *new_order(PenRoundPanel *panel)
{
    const PenSettings *settings = settings_of(panel);
    PenRoundOrder *order = g_new0(PenRoundOrder, 1);
    order->request = (PenRoundRequest)PEN_ROUND_REQUEST_INIT;
    order->prompt = pen_recipe_write_prompt(settings->recipe, settings->prompt);
    order->negative_prompt =
        *settings->negative_prompt ? g_strdup(settings->negative_prompt) : NULL;
    order->model = pen_app_spec(panel->app);
    PenRoundRequest *request = &order->request;
    request->as_is = TRUE; /* the settings have taken over the recipe, or were changed since */
    request->model = order->model;
    request->prompt = order->prompt;
    request->negative_prompt = order->negative_prompt;
    request->style = pen_app_style(panel->app);
    request->count = (guint)settings->count;
    request->wide = settings->wide ? PEN_WIDE * request->count : 0;
    pen_settings_ask(settings, request);
    /* The settings may change while the order waits in line. */
    request->sampler = order->sampler = g_strdup(settings->sampler);
    request->schedule = order->schedule = g_strdup(settings->schedule);
    request->start_strength = settings->start_strength;
    request->has_seed = settings->fixed_seed;
    request->seed = settings->seed;
    request->previews = TRUE;
    return order;
}

static void on_read(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    PenRoundPanel *panel = g_task_get_source_object(task);
    PenRoundOrder *order = g_task_get_task_data(task);
    GError *error = NULL;
    order->start = pen_spot_read_finish(result, &error);
    pen_app_end_job(panel->app, g_task_get_cancellable(task));
    if (!order->start) {
        g_task_return_error(task, error);
        return;
    }
    PenRoundRequest *request = &order->request;
    request->start_rgb = order->start->rgb;
    request->start_mask = order->start->mask;
    request->place = &order->start->spot->place;
    request->place_mask = order->start->spot->mask;
    g_task_return_pointer(task, order, NULL);
}

void pen_round_panel_order_async(PenRoundPanel *panel, GAsyncReadyCallback callback, gpointer data)
{
    PenRoundOrder *order = new_order(panel);
    PenRoundRequest *request = &order->request;
    GError *error = NULL;
    PenSpot *spot = pen_start_view_find(PEN_START_VIEW(panel->start), &request->width,
                                        &request->height, &error);
    /* A window that closes waits for it. */
    GCancellable *job = spot ? pen_app_begin_job(panel->app) : NULL;
    GTask *task = g_task_new(panel, job, callback, data);
    g_task_set_task_data(task, order, NULL);
    if (spot) {
        pen_spot_read_async(spot, pen_app_image(panel->app), (int)request->width,
                            (int)request->height, job, on_read, task);
        return;
    }
    if (error)
        g_task_return_error(task, error);
    else
        g_task_return_pointer(task, order, NULL);
    g_object_unref(task);
}

PenRoundOrder *pen_round_panel_order_finish(PenRoundPanel *panel, GAsyncResult *result,
                                            GError **error)
{
    PenRoundOrder *order = g_task_propagate_pointer(G_TASK(result), error);
    if (!order)
        pen_round_order_free(g_task_get_task_data(G_TASK(result)));
    return order;
}

/* --- running --------------------------------------------------------------------------------- */

void pen_round_panel_set_running(PenRoundPanel *panel, gboolean running)
{
    panel->running = running;
    gtk_button_set_label(GTK_BUTTON(panel->generate), running ? _("S_top") : _("_Generate"));
    GtkStyleContext *style = gtk_widget_get_style_context(panel->generate);
    if (running)
        gtk_style_context_remove_class(style, GTK_STYLE_CLASS_SUGGESTED_ACTION);
    else
        gtk_style_context_add_class(style, GTK_STYLE_CLASS_SUGGESTED_ACTION);
    gtk_revealer_set_reveal_child(GTK_REVEALER(panel->progress_box), running);
}

void pen_round_panel_set_progress(PenRoundPanel *panel, double fraction, const char *text)
{
    gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(panel->progress), CLAMP(fraction, 0, 1));
    gtk_label_set_text(GTK_LABEL(panel->progress_text), text);
}

static void on_unwanted(GtkButton *button, PenRoundPanel *panel)
{
    guint i = GPOINTER_TO_UINT(g_object_get_data(G_OBJECT(button), "place"));
    g_signal_emit(panel, signals[UNWANTED], 0, i);
}

void pen_round_panel_set_line(PenRoundPanel *panel, const char *const *prompts, guint n)
{
    pen_ui_clear(panel->line);
    for (guint i = 0; i < n; i++) {
        g_autofree char *text = g_strdup_printf(_("Next: %s"), prompts[i]);
        GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
        GtkWidget *label = pen_ui_label(text, "pen-hint");
        gtk_label_set_line_wrap(GTK_LABEL(label), FALSE);
        gtk_label_set_ellipsize(GTK_LABEL(label), PANGO_ELLIPSIZE_END);
        GtkWidget *remove =
            pen_ui_icon_button("window-close-symbolic", _("Take the round out of the line"));
        g_object_set_data(G_OBJECT(remove), "place", GUINT_TO_POINTER(i));
        g_signal_connect(remove, "clicked", G_CALLBACK(on_unwanted), panel);
        gtk_box_pack_start(GTK_BOX(row), label, TRUE, TRUE, 0);
        gtk_box_pack_end(GTK_BOX(row), remove, FALSE, FALSE, 0);
        gtk_container_add(GTK_CONTAINER(panel->line), row);
    }
    gtk_widget_show_all(panel->line);
}

static void on_generate(GtkWidget *widget, PenRoundPanel *panel)
{
    g_signal_emit(panel, signals[panel->running && widget == panel->generate ? STOP : GENERATE], 0);
}

char *pen_round_panel_get_prompt(PenRoundPanel *panel)
{
    return pen_prompt_view_get_text(PEN_PROMPT_VIEW(panel->prompt));
}

/* The model, unless a style brings it along, and what goes on top of it but for what the style has.
 */
static void reuse_model(PenRoundPanel *panel, const char *text, const PenStyle *style)
{
    PenModelSpec *extras = settings_of(panel)->extras;
    g_autoptr(PenModelSpec) spec = pen_model_spec_parse(text, NULL);
    g_autoptr(PenModelSpec) own = style ? pen_model_spec_parse(style->model_path, NULL) : NULL;
    if (!spec)
        return;
    g_autofree char *model = pen_model_chooser_name(panel->app, spec->model);
    if (!style && spec->model)
        pen_app_set_model(panel->app, model);
    g_ptr_array_set_size(extras->loras, 0);
    for (guint i = 0; i < spec->loras->len; i++) {
        const PenModelLora *lora = spec->loras->pdata[i];
        if (!own || !pen_model_spec_find_lora(own, lora->file))
            pen_model_spec_add_lora(extras, lora->file, lora->strength);
    }
    g_free(extras->prediction);
    extras->prediction = style ? NULL : g_strdup(spec->prediction);
    pen_app_set_vae(panel->app, spec->vae && *spec->vae ? spec->vae : NULL);
}

/* What of `round` is 0, NULL or negative is not known, and stays as it is. */
static void reuse(PenRoundPanel *panel, const PenRound *round, const PenStyle *style, gboolean seed)
{
    pen_app_set_style(panel->app, style && !style->deleted ? style->id : 0);
    reuse_model(panel, round->model_path, style && !style->deleted ? style : NULL);
    const PenRecipe *recipe = settings_of(panel)->recipe;
    g_autofree char *own = pen_recipe_read_prompt(recipe, round->prompt ? round->prompt : "");
    pen_prompt_view_set_text(PEN_PROMPT_VIEW(panel->prompt), own);
    gtk_entry_set_text(GTK_ENTRY(panel->negative),
                       round->negative_prompt ? round->negative_prompt : "");
    if (round->width)
        pen_start_view_reuse_size(PEN_START_VIEW(panel->start), round->width, round->height);
    pen_advanced_view_reuse(PEN_ADVANCED_VIEW(panel->advanced), round, seed);
}

void pen_round_panel_reuse(PenRoundPanel *panel, const PenRound *round)
{
    PenStore *store = pen_app_store(panel->app);
    g_autoptr(PenStyleVersion) version =
        round->style_version ? pen_store_get_style_version(store, round->style_version, NULL)
                             : NULL;
    g_autoptr(PenStyle) style =
        pen_store_get_style(store, version ? version->style : round->style, NULL);
    reuse(panel, round, style, TRUE);
}

void pen_round_panel_take(PenRoundPanel *panel, const PenTakenSettings *taken)
{
    const PenPictureSettings *settings = taken->settings;
    g_autoptr(PenStyle) style =
        taken->style ? pen_store_get_style(pen_app_store(panel->app), taken->style, NULL) : NULL;
    PenRound round = {
        .prompt = settings->prompt,
        .negative_prompt = settings->negative,
        .words = settings->words,
        .clip_skip = settings->clip_skip,
        .model_path = taken->model,
        .width = (int)settings->width,
        .height = (int)settings->height,
        .steps = settings->steps,
        .guidance = settings->guidance,
        .eta = settings->eta,
        .seed = settings->seed,
        .sampler = settings->sampler,
    };
    reuse(panel, &round, style, settings->has_seed);
}

void pen_round_panel_refresh_images(PenRoundPanel *panel)
{
    pen_start_view_refresh_images(PEN_START_VIEW(panel->start));
}

void pen_round_panel_focus_prompt(PenRoundPanel *panel)
{
    /* It is at the top, and may be scrolled away even if it has the keyboard. */
    GtkAdjustment *scroll = gtk_container_get_focus_vadjustment(GTK_CONTAINER(panel));
    if (scroll)
        gtk_adjustment_set_value(scroll, gtk_adjustment_get_lower(scroll));
    pen_prompt_view_focus(PEN_PROMPT_VIEW(panel->prompt));
}

/* --- building -------------------------------------------------------------------------------- */

static void build(PenRoundPanel *panel)
{
    const PenSettings *settings = settings_of(panel);
    GtkBox *box = GTK_BOX(panel);

    panel->prompt = pen_prompt_view_new(panel->app);
    pen_prompt_view_set_text(PEN_PROMPT_VIEW(panel->prompt), settings->prompt);
    g_signal_connect(panel->prompt, "activate", G_CALLBACK(on_generate), panel);
    gtk_box_pack_start(box, panel->prompt, FALSE, FALSE, 0);
    panel->template = pen_ui_label(NULL, "pen-hint");
    gtk_label_set_line_wrap(GTK_LABEL(panel->template), FALSE);
    gtk_label_set_ellipsize(GTK_LABEL(panel->template), PANGO_ELLIPSIZE_END);
    gtk_widget_set_no_show_all(panel->template, TRUE);
    gtk_box_pack_start(box, panel->template, FALSE, FALSE, 0);

    panel->generate = gtk_button_new_with_mnemonic(_("_Generate"));
    gtk_style_context_add_class(gtk_widget_get_style_context(panel->generate),
                                GTK_STYLE_CLASS_SUGGESTED_ACTION);
    g_signal_connect(panel->generate, "clicked", G_CALLBACK(on_generate), panel);
    gtk_box_pack_start(box, panel->generate, FALSE, FALSE, 0);
    panel->progress = pen_ui_name(gtk_progress_bar_new(), _("Progress of the round"));
    panel->progress_text = pen_ui_label(NULL, "pen-hint");
    gtk_label_set_line_wrap(GTK_LABEL(panel->progress_text), FALSE);
    gtk_label_set_ellipsize(GTK_LABEL(panel->progress_text), PANGO_ELLIPSIZE_END);
    GtkWidget *progress = gtk_box_new(GTK_ORIENTATION_VERTICAL, 3);
    gtk_box_pack_start(GTK_BOX(progress), panel->progress, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(progress), panel->progress_text, FALSE, FALSE, 0);
    panel->progress_box = gtk_revealer_new();
    gtk_container_add(GTK_CONTAINER(panel->progress_box), progress);
    gtk_box_pack_start(box, panel->progress_box, FALSE, FALSE, 0);
    panel->line = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
    pen_ui_name(panel->line, _("Rounds that stand in line"));
    gtk_box_pack_start(box, panel->line, FALSE, FALSE, 0);

    panel->negative = gtk_entry_new();
    gtk_entry_set_text(GTK_ENTRY(panel->negative), settings->negative_prompt);
    gtk_entry_set_placeholder_text(GTK_ENTRY(panel->negative), _("What should not be in it"));
    g_signal_connect(panel->negative, "activate", G_CALLBACK(on_generate), panel);
    pen_text_undo_add(panel->negative);
    gtk_box_pack_start(box, pen_ui_field(_("_Avoid"), panel->negative), FALSE, FALSE, 0);

    panel->style = pen_ui_ellipsize(gtk_combo_box_text_new());
    g_signal_connect(panel->style, "changed", G_CALLBACK(on_style_changed), panel);
    GtkWidget *model = pen_ui_ellipsize(pen_model_chooser_new(panel->app));
    gtk_box_pack_start(
        box, pen_ui_pair(pen_ui_field(_("St_yle"), panel->style), pen_ui_field(_("_Model"), model)),
        FALSE, FALSE, 0);

    panel->start = pen_start_view_new(panel->app);
    gtk_box_pack_start(box, panel->start, FALSE, FALSE, 0);
    panel->advanced = pen_advanced_view_new(panel->app);
    gtk_box_pack_start(box, panel->advanced, FALSE, FALSE, 0);

    gtk_widget_show_all(GTK_WIDGET(panel));
    show_template(panel);
    g_signal_connect_swapped(panel->prompt, "changed", G_CALLBACK(on_edited), panel);
    g_signal_connect_swapped(panel->negative, "changed", G_CALLBACK(on_edited), panel);
    fill_styles(panel);
}

static void pen_round_panel_dispose(GObject *object)
{
    PenRoundPanel *panel = PEN_ROUND_PANEL(object);
    g_clear_handle_id(&panel->filling_soon, g_source_remove);
    G_OBJECT_CLASS(pen_round_panel_parent_class)->dispose(object);
}

static void pen_round_panel_class_init(PenRoundPanelClass *class)
{
    G_OBJECT_CLASS(class)->dispose = pen_round_panel_dispose;
    signals[GENERATE] = g_signal_new("generate", PEN_TYPE_ROUND_PANEL, G_SIGNAL_RUN_LAST, 0, NULL,
                                     NULL, NULL, G_TYPE_NONE, 0);
    signals[UNWANTED] = g_signal_new("unwanted", PEN_TYPE_ROUND_PANEL, G_SIGNAL_RUN_LAST, 0, NULL,
                                     NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
    signals[STOP] = g_signal_new("stop", PEN_TYPE_ROUND_PANEL, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                 NULL, G_TYPE_NONE, 0);
}

static void pen_round_panel_init(PenRoundPanel *panel)
{
    gtk_orientable_set_orientation(GTK_ORIENTABLE(panel), GTK_ORIENTATION_VERTICAL);
    gtk_box_set_spacing(GTK_BOX(panel), 9);
    gtk_style_context_add_class(gtk_widget_get_style_context(GTK_WIDGET(panel)), "pen-panel");
}

GtkWidget *pen_round_panel_new(PenApp *app)
{
    PenRoundPanel *panel = g_object_new(PEN_TYPE_ROUND_PANEL, NULL);
    panel->app = app;
    build(panel);
    g_signal_connect_object(app, "opened", G_CALLBACK(fill_soon), panel, G_CONNECT_SWAPPED);
    g_signal_connect_object(app, "styles-changed", G_CALLBACK(fill_soon), panel, G_CONNECT_SWAPPED);
    g_signal_connect_object(app, "recipe-used", G_CALLBACK(on_recipe_used), panel,
                            G_CONNECT_SWAPPED);
    return GTK_WIDGET(panel);
}
