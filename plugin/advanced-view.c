// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/advanced-view.h"

#include <glib/gi18n-lib.h>

#include "plugin/extras-view.h"
#include "plugin/sampler-fields.h"
#include "plugin/ui.h"
#include "src/sampling/method.h"

/* What the largest seed that a store and JSON can hold has, less one. */
#define SEED_DIGITS 18

struct _PenAdvancedView {
    GtkExpander parent;
    PenApp *app;
    GtkWidget *speed, *sampler, *schedule, *steps, *guidance, *eta, *words,
         *clip_skip, *fixed_seed, *seed, *device;
    gboolean filling;   /* choosers and fields are being filled: their signals are no choices */
    gboolean unfolding; /* until the settings that were folded away have their place */
};

G_DEFINE_FINAL_TYPE(PenAdvancedView, pen_advanced_view, GTK_TYPE_EXPANDER)

static void keep_choice(GtkWidget *combo, char **setting)
{
    const char *id = gtk_combo_box_get_active_id(GTK_COMBO_BOX(combo));
    g_free(*setting);
    *setting = g_strdup(id ? id : "");
}

static void on_edited(PenAdvancedView *view)
{
    if (view->filling)
        return;
    PenSettings *settings = pen_app_settings(view->app);
    keep_choice(view->sampler, &settings->sampler);
    keep_choice(view->schedule, &settings->schedule);
    settings->speed = gtk_combo_box_get_active(GTK_COMBO_BOX(view->speed));
    settings->steps = gtk_spin_button_get_value_as_int(GTK_SPIN_BUTTON(view->steps));
    settings->guidance = gtk_spin_button_get_value(GTK_SPIN_BUTTON(view->guidance));
    settings->eta = gtk_range_get_value(GTK_RANGE(view->eta));
    settings->words = gtk_toggle_button_get_active(GTK_TOGGLE_BUTTON(view->words));
    settings->clip_skip = gtk_spin_button_get_value_as_int(GTK_SPIN_BUTTON(view->clip_skip));
    settings->fixed_seed = gtk_toggle_button_get_active(GTK_TOGGLE_BUTTON(view->fixed_seed));
    settings->seed = g_ascii_strtoull(gtk_entry_get_text(GTK_ENTRY(view->seed)), NULL, 10);
    settings->advanced = gtk_expander_get_expanded(GTK_EXPANDER(view));
    pen_app_settings_changed(view->app);
}

/* What a speed brings along is seen to be its own choice; afterwards each can be set by itself. */
static void on_speed(GtkComboBox *combo, PenAdvancedView *view)
{
    if (gtk_combo_box_get_active(combo) == PEN_SPEED_FAST) {
        gtk_combo_box_set_active_id(GTK_COMBO_BOX(view->sampler), "");
        gtk_combo_box_set_active_id(GTK_COMBO_BOX(view->schedule), "");
        gtk_spin_button_set_value(GTK_SPIN_BUTTON(view->steps), 0);
        gtk_spin_button_set_value(GTK_SPIN_BUTTON(view->guidance), 0);
    }
    on_edited(view);
}

static void on_fixed_seed(GtkToggleButton *check, PenAdvancedView *view)
{
    gtk_widget_set_sensitive(view->seed, gtk_toggle_button_get_active(check));
}

void pen_advanced_view_reuse(PenAdvancedView *view, const PenRound *round, gboolean seed)
{
    gtk_combo_box_set_active(GTK_COMBO_BOX(view->speed), PEN_SPEED_AUTOMATIC);
    PenSpread spread = PEN_SPREAD_AUTOMATIC;
    const PenMethod *method =
        round->sampler ? pen_method_find(round->sampler, &spread, NULL) : NULL;
    if (method) {
        pen_sampler_fields_set(view->sampler, pen_method_id(method));
        pen_sampler_fields_set(view->schedule,
                               spread == PEN_SPREAD_AUTOMATIC ? NULL : pen_spread_id(spread));
    }
    if (round->steps)
        gtk_spin_button_set_value(GTK_SPIN_BUTTON(view->steps), round->steps);
    if (round->guidance > 0)
        gtk_spin_button_set_value(GTK_SPIN_BUTTON(view->guidance), round->guidance);
    if (round->eta >= 0)
        gtk_range_set_value(GTK_RANGE(view->eta), round->eta);
    gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(view->words), round->words);
    gtk_spin_button_set_value(GTK_SPIN_BUTTON(view->clip_skip), MAX(round->clip_skip, 1));
    gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(view->fixed_seed), seed);
    if (!seed)
        return;
    g_autofree char *number = g_strdup_printf("%" G_GUINT64_FORMAT, round->seed);
    gtk_entry_set_text(GTK_ENTRY(view->seed), number);
}

/* A seed is a whole number: nothing else can be typed or pasted. */
static void on_seed_insert(GtkEditable *entry, const char *text, int length,
                           int *position G_GNUC_UNUSED, gpointer user_data G_GNUC_UNUSED)
{
    for (int i = 0; i < length; i++)
        if (!g_ascii_isdigit(text[i])) {
            gtk_widget_error_bell(GTK_WIDGET(entry));
            g_signal_stop_emission_by_name(entry, "insert-text");
            return;
        }
}

/* --- the device ------------------------------------------------------------------------------ */

static void on_devices(GObject *source, GAsyncResult *result, gpointer data)
{
    GCancellable *job = data;
    PenAdvancedView *view = g_object_get_data(G_OBJECT(job), "view");
    g_autoptr(GPtrArray) devices =
        pen_studio_list_devices_finish(pen_app_studio(view->app), result, NULL);
    const char *chosen = pen_app_settings(view->app)->device;
    GtkComboBoxText *combo = GTK_COMBO_BOX_TEXT(view->device);
    gboolean found = FALSE;
    view->filling = TRUE;
    for (guint i = 0; devices && i < devices->len; i++) {
        const PenDeviceInfo *device = devices->pdata[i];
        if (device->unusable)
            continue;
        g_autofree char *label = pen_device_label(devices, i);
        gtk_combo_box_text_append(combo, label, label);
        found = found || !g_strcmp0(label, chosen);
    }
    if (found)
        gtk_combo_box_set_active_id(GTK_COMBO_BOX(combo), chosen);
    view->filling = FALSE;
    pen_app_end_job(view->app, job);
}

static void on_opened(PenApp *app, PenAdvancedView *view)
{
    GCancellable *job = pen_app_begin_job(app);
    g_object_set_data_full(G_OBJECT(job), "view", g_object_ref(view), g_object_unref);
    pen_studio_list_devices_async(pen_app_studio(app), job, on_devices, job);
}

static void on_device_changed(GtkComboBox *combo, PenAdvancedView *view)
{
    const char *id = gtk_combo_box_get_active_id(combo);
    if (view->filling || !id)
        return;
    PenSettings *settings = pen_app_settings(view->app);
    g_free(settings->device);
    settings->device = *id ? g_strdup(id) : NULL;
    if (pen_app_studio(view->app))
        pen_studio_set_device(pen_app_studio(view->app), settings->device);
    pen_app_settings_changed(view->app);
}

/* Down to the settings that were unfolded, once they have their place. */
static gboolean scroll_down(gpointer data)
{
    GtkWidget *scrolled = gtk_widget_get_ancestor(data, GTK_TYPE_SCROLLED_WINDOW);
    if (scrolled) {
        GtkAdjustment *adjustment =
            gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(scrolled));
        gtk_adjustment_set_value(adjustment, gtk_adjustment_get_upper(adjustment));
    }
    g_object_unref(data);
    return G_SOURCE_REMOVE;
}

static void on_expanded(PenAdvancedView *view)
{
    view->unfolding = gtk_expander_get_expanded(GTK_EXPANDER(view));
    on_edited(view);
}

static void pen_advanced_view_size_allocate(GtkWidget *widget, GtkAllocation *allocation)
{
    GTK_WIDGET_CLASS(pen_advanced_view_parent_class)->size_allocate(widget, allocation);
    PenAdvancedView *view = PEN_ADVANCED_VIEW(widget);
    if (view->unfolding)
        g_idle_add_full(G_PRIORITY_LOW, scroll_down, g_object_ref(view), NULL);
    view->unfolding = FALSE;
}

/* --- building -------------------------------------------------------------------------------- */

/* What a style's recipe has changed. */
static void fill_settings(PenAdvancedView *view)
{
    const PenSettings *settings = pen_app_settings(view->app);
    view->filling = TRUE;
    pen_sampler_fields_set(view->sampler, settings->sampler);
    pen_sampler_fields_set(view->schedule, settings->schedule);
    gtk_spin_button_set_value(GTK_SPIN_BUTTON(view->steps), settings->steps);
    gtk_spin_button_set_value(GTK_SPIN_BUTTON(view->guidance), settings->guidance);
    view->filling = FALSE;
}

static GtkWidget *build_speed(PenAdvancedView *view)
{
    static const char *const names[] = {
        [PEN_SPEED_AUTOMATIC] = N_("As the model was made for"),
        [PEN_SPEED_FAST] = N_("Fast: 4 to 8 steps"),
        [PEN_SPEED_USUAL] = N_("As usual"),
    };
    GtkWidget *combo = gtk_combo_box_text_new();
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        gtk_combo_box_text_append_text(GTK_COMBO_BOX_TEXT(combo), _(names[i]));
    gtk_combo_box_set_active(GTK_COMBO_BOX(combo), (int)pen_app_settings(view->app)->speed);
    view->speed = pen_ui_ellipsize(combo);
    gtk_widget_set_tooltip_text(
        view->speed, _("Models and adapters called LCM, Lightning, Turbo, Hyper-SD, DMD2 or TCD were made "
                       "to draw in few steps, and are drawn so by themselves. “Fast” draws others so "
                       "that were made for it, too."));
    return pen_ui_field(_("Speed"), view->speed);
}

static GtkWidget *build(PenAdvancedView *view)
{
    const PenSettings *settings = pen_app_settings(view->app);
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 9);
    gtk_widget_set_margin_top(box, 6);
    gtk_box_pack_start(GTK_BOX(box), build_speed(view), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), pen_sampler_fields_new(&view->sampler, &view->schedule), FALSE,
                       FALSE, 0);
    pen_sampler_fields_set(view->sampler, settings->sampler);
    pen_sampler_fields_set(view->schedule, settings->schedule);
    view->steps = pen_ui_spin(0, 150, 1, settings->steps);
    pen_ui_spin_name_lowest(view->steps, _("Auto"));
    gtk_widget_set_tooltip_text(view->steps, _("More steps take longer and add detail; “Auto”: as "
                                               "suits the model"));
    view->guidance = pen_ui_spin(0, 30, 0.5, settings->guidance);
    pen_ui_spin_name_lowest(view->guidance, _("Auto"));
    gtk_widget_set_tooltip_text(view->guidance,
                                _("How closely the pictures follow the prompt; “Auto”: as "
                                  "suits the model"));
    gtk_box_pack_start(GTK_BOX(box),
                       pen_ui_pair(pen_ui_field(_("Step_s"), view->steps),
                                   pen_ui_field(_("G_uidance"), view->guidance)),
                       FALSE, FALSE, 0);
    view->eta = pen_ui_percent_scale(_("Randomness"), 0, 1);
    gtk_range_set_value(GTK_RANGE(view->eta), settings->eta);
    gtk_widget_set_tooltip_text(
        view->eta, _("How much of their noise the samplers DDIM and TCD take afresh in each step "
                     "(eta)"));
    gtk_box_pack_start(GTK_BOX(box), pen_ui_field(_("_Randomness"), view->eta), FALSE, FALSE, 0);

    view->words = pen_ui_check(_("_Brackets are characters"));
    gtk_widget_set_tooltip_text(view->words,
                                _("Otherwise (word:1.3) makes a word stronger, and [word] weaker"));
    gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(view->words), settings->words);
    view->clip_skip = pen_ui_spin(1, 12, 1, settings->clip_skip);
    gtk_widget_set_tooltip_text(view->clip_skip,
                                _("At which layer from the end the text encoder is read; 1: the "
                                  "last. Many models trained on drawings want 2."));
    gtk_box_pack_start(GTK_BOX(box),
                       pen_ui_pair(view->words, pen_ui_field(_("Clip skip"), view->clip_skip)),
                       FALSE, FALSE, 0);

    view->fixed_seed = pen_ui_check(_("_Keep the seed"));
    view->seed = gtk_entry_new();
    pen_ui_name(view->seed, _("Seed"));
    gtk_entry_set_width_chars(GTK_ENTRY(view->seed), 8);
    gtk_entry_set_input_purpose(GTK_ENTRY(view->seed), GTK_INPUT_PURPOSE_DIGITS);
    gtk_entry_set_max_length(GTK_ENTRY(view->seed), SEED_DIGITS);
    g_signal_connect(view->seed, "insert-text", G_CALLBACK(on_seed_insert), NULL);
    g_autofree char *seed = g_strdup_printf("%" G_GUINT64_FORMAT, settings->seed);
    gtk_entry_set_text(GTK_ENTRY(view->seed), seed);
    g_signal_connect(view->fixed_seed, "toggled", G_CALLBACK(on_fixed_seed), view);
    gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(view->fixed_seed), settings->fixed_seed);
    on_fixed_seed(GTK_TOGGLE_BUTTON(view->fixed_seed), view);
    gtk_box_pack_start(GTK_BOX(box), pen_ui_pair(view->fixed_seed, view->seed), FALSE, FALSE, 0);

    view->device = pen_ui_ellipsize(gtk_combo_box_text_new());
    gtk_combo_box_text_append(GTK_COMBO_BOX_TEXT(view->device), "", _("Chosen by itself"));
    gtk_combo_box_set_active_id(GTK_COMBO_BOX(view->device), "");
    g_signal_connect(view->device, "changed", G_CALLBACK(on_device_changed), view);
    gtk_box_pack_start(GTK_BOX(box), pen_ui_field(_("_Device"), view->device), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), pen_extras_view_new(view->app), FALSE, FALSE, 0);
    g_signal_connect(view->speed, "changed", G_CALLBACK(on_speed), view);
    g_signal_connect_swapped(view->sampler, "changed", G_CALLBACK(on_edited), view);
    g_signal_connect_swapped(view->schedule, "changed", G_CALLBACK(on_edited), view);
    g_signal_connect_swapped(view->steps, "value-changed", G_CALLBACK(on_edited), view);
    g_signal_connect_swapped(view->guidance, "value-changed", G_CALLBACK(on_edited), view);
    g_signal_connect_swapped(view->eta, "value-changed", G_CALLBACK(on_edited), view);
    g_signal_connect_swapped(view->words, "toggled", G_CALLBACK(on_edited), view);
    g_signal_connect_swapped(view->clip_skip, "value-changed", G_CALLBACK(on_edited), view);
    g_signal_connect_swapped(view->fixed_seed, "toggled", G_CALLBACK(on_edited), view);
    g_signal_connect_swapped(view->seed, "changed", G_CALLBACK(on_edited), view);
    return box;
}

static void pen_advanced_view_class_init(PenAdvancedViewClass *class)
{
    GTK_WIDGET_CLASS(class)->size_allocate = pen_advanced_view_size_allocate;
}

static void pen_advanced_view_init(PenAdvancedView *view)
{
}

GtkWidget *pen_advanced_view_new(PenApp *app)
{
    PenAdvancedView *view = g_object_new(PEN_TYPE_ADVANCED_VIEW, "use-underline", TRUE, "label",
                                         _("M_ore settings"), NULL);
    view->app = app;
    gtk_container_add(GTK_CONTAINER(view), build(view));
    gtk_expander_set_expanded(GTK_EXPANDER(view), pen_app_settings(app)->advanced);
    gtk_style_context_add_class(gtk_widget_get_style_context(GTK_WIDGET(view)), "pen-more");
    g_signal_connect(view, "notify::expanded", G_CALLBACK(on_expanded), NULL);
    g_signal_connect_object(app, "opened", G_CALLBACK(on_opened), view, 0);
    g_signal_connect_object(app, "recipe-used", G_CALLBACK(fill_settings), view, G_CONNECT_SWAPPED);
    return GTK_WIDGET(view);
}
