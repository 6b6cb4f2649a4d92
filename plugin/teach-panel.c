// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/teach-panel.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "plugin/curve.h"
#include "plugin/lesson-view.h"
#include "plugin/own-pictures.h"
#include "plugin/ui.h"

/* So many picks make a difference (docs/learning.md). */
#define ENOUGH 10

struct _PenTeachPanel {
    GtkBox parent;
    PenApp *app;
    GtkWidget *news, *teach, *own, *running, *progress, *progress_text, *curve, *verdict, *lesson;
    GCancellable *job;
    gint64 style;        /* that is being taught */
    int quarters;        /* of it that are done, as was announced */
    GPtrArray *pictures; /* of the artist's own, to be learnt once the style has a name */
};

G_DEFINE_FINAL_TYPE(PenTeachPanel, pen_teach_panel, GTK_TYPE_BOX)

/* The style's run that was stopped, by the artist or by a crash. */
static PenRun *unfinished_run(PenTeachPanel *panel)
{
    PenStore *store = pen_app_store(panel->app);
    gint64 style = pen_app_style(panel->app);
    g_autoptr(PenRun) run =
        store && style ? pen_store_find_unfinished_run(store, style, NULL) : NULL;
    return run && run->state == PEN_RUN_PAUSED ? g_steal_pointer(&run) : NULL;
}

/* A name for how often it agrees; one half is chance. */
static const char *name_level(double level)
{
    return level >= 0.9    ? _("Very sure")
           : level >= 0.75 ? _("Sure")
           : level >= 0.6  ? _("Fairly sure")
                           : _("Not sure yet");
}

/* The lesson's picture takes their place. */
static void show_verdict(PenTeachPanel *panel)
{
    double level = pen_curve_get_level(PEN_CURVE(panel->curve));
    gboolean room = !pen_lesson_view_is_shown(PEN_LESSON_VIEW(panel->lesson));
    gtk_widget_set_visible(panel->verdict, room && !isnan(level));
    gtk_widget_set_visible(panel->curve, room && (!isnan(level) || panel->job));
    if (isnan(level))
        return;
    g_autofree char *text =
        g_strdup_printf(_("%s: it would choose as you did in %d %% of the cases."),
                        name_level(level), (int)(level * 100 + 0.5));
    gtk_label_set_text(GTK_LABEL(panel->verdict), text);
}

/* The curve of the style's latest teaching. */
static void load_curve(PenTeachPanel *panel)
{
    pen_curve_reset(PEN_CURVE(panel->curve));
    PenStore *store = pen_app_store(panel->app);
    gint64 style = pen_app_style(panel->app);
    g_autoptr(GPtrArray) runs = store && style ? pen_store_list_runs(store, style, NULL) : NULL;
    if (runs && runs->len) {
        PenRun *run = runs->pdata[0];
        g_autoptr(GPtrArray) steps = pen_store_list_training_steps(store, run->id, NULL);
        pen_curve_set_steps(PEN_CURVE(panel->curve), run->steps_total);
        for (guint i = 0; steps && i < steps->len; i++) {
            PenTrainingStep *step = steps->pdata[i];
            pen_curve_add(PEN_CURVE(panel->curve), step->step, step->agreement);
        }
    }
    show_verdict(panel);
}

/* Those that teaching would learn: the style's own, or those of the model that no style has yet. */
static int count_new_picks(PenTeachPanel *panel, const PenStyle *style)
{
    PenStudio *studio = pen_app_studio(panel->app);
    const PenModelInfo *model = pen_app_model(panel->app);
    if (style)
        return pen_studio_count_picks(studio, style->id, NULL, TRUE, NULL);
    return model ? pen_store_count_adoptable(pen_app_store(panel->app), model->hash, NULL) : 0;
}

static void update(PenTeachPanel *panel)
{
    gtk_revealer_set_reveal_child(GTK_REVEALER(panel->running), panel->job != NULL);
    gtk_widget_set_sensitive(panel->own, !panel->job);
    gtk_widget_set_visible(panel->own, !pen_lesson_view_is_shown(PEN_LESSON_VIEW(panel->lesson)));
    if (panel->job) {
        gtk_button_set_label(GTK_BUTTON(panel->teach), _("Stop T_eaching"));
        gtk_widget_set_sensitive(panel->teach, TRUE);
        return;
    }
    g_autoptr(PenStyle) style = pen_app_load_style(panel->app);
    g_autoptr(PenRun) run = unfinished_run(panel);
    int picks = count_new_picks(panel, style);
    /* An imported style has nothing that it could be taught again. */
    gboolean more =
        style && style->current_version && picks <= 0 &&
        pen_studio_count_picks(pen_app_studio(panel->app), style->id, NULL, FALSE, NULL) > 0;
    g_autofree char *text = NULL;
    if (run)
        text = g_strdup_printf(_("Teaching “%s” was stopped and can go on."), style->name);
    else if (more)
        text = g_strdup_printf(_("“%s” knows all your votes. Vote on more rounds, or teach it the "
                                 "same again, more firmly."),
                               style->name);
    else if (picks > 0 && style && style->current_version)
        text = g_strdup_printf(ngettext("%d new vote for “%s”", "%d new votes for “%s”", picks),
                               picks, style->name);
    else if (picks > 0)
        text = g_strdup_printf(
            picks < ENOUGH
                ? ngettext("%d vote of about %d. Teaching works already; more votes make it surer.",
                           "%d votes of about %d. Teaching works already; more make it surer.",
                           picks)
                : ngettext("%d vote of about %d: enough to teach.",
                           "%d votes of about %d: enough to teach.", picks),
            picks, ENOUGH);
    else
        text =
            g_strdup_printf(_("Vote for the picture that you like best, in about %d rounds; then "
                              "teach it."),
                            ENOUGH);
    gtk_label_set_text(GTK_LABEL(panel->news), text);
    gtk_button_set_label(GTK_BUTTON(panel->teach), run    ? _("Go on T_eaching")
                                                   : more ? _("T_each More")
                                                          : _("T_each"));
    gtk_widget_set_sensitive(panel->teach, run || more || picks > 0);
}

static void on_lesson_changed(PenTeachPanel *panel)
{
    update(panel);
    show_verdict(panel);
}

/* Now and then, for those who do not see the bar. */
static void announce(PenTeachPanel *panel, double fraction)
{
    int quarters = (int)(fraction * 4);
    if (quarters <= panel->quarters || quarters >= 4)
        return;
    panel->quarters = quarters;
    g_autofree char *text = g_strdup_printf(_("Teaching, %d %% done."), quarters * 25);
    pen_ui_announce(GTK_WIDGET(panel), text);
}

static void on_event(const PenStudioEvent *event, gpointer data)
{
    PenTeachPanel *panel = data;
    if (!panel->job || pen_app_event(panel->app, event))
        return;
    GtkProgressBar *bar = GTK_PROGRESS_BAR(panel->progress);
    GtkLabel *text = GTK_LABEL(panel->progress_text);
    if (event->kind == PEN_STUDIO_LOADING) {
        gtk_label_set_text(text, _("Loading the model…"));
    } else if (event->kind == PEN_STUDIO_PROGRESS) {
        g_autofree char *left = pen_ui_time_left(event->seconds_left);
        gtk_progress_bar_set_fraction(bar, CLAMP(event->fraction, 0, 1));
        gtk_label_set_text(text, left ? left : _("Teaching…"));
        announce(panel, event->fraction);
    } else if (event->kind == PEN_STUDIO_STEP) {
        pen_curve_set_steps(PEN_CURVE(panel->curve), event->steps);
        pen_curve_add(PEN_CURVE(panel->curve), event->step, event->training->agreement);
        show_verdict(panel);
    }
}

static void on_taught(GObject *source, GAsyncResult *result, gpointer data)
{
    PenTeachPanel *panel = data;
    g_autoptr(GError) error = NULL;
    PenTeachResult taught;
    gboolean done = pen_studio_teach_finish(pen_app_studio(panel->app), result, &taught, &error);
    pen_app_set_teaching(panel->app, FALSE);
    pen_app_end_job(panel->app, panel->job);
    panel->job = NULL;
    if (!done) {
        pen_app_report(panel->app, error);
    } else {
        g_autoptr(PenStyle) style =
            pen_store_get_style(pen_app_store(panel->app), taught.style, NULL);
        g_autofree char *text =
            g_strdup_printf(_("“%s” has learnt from your picks and is now version %d. Compare "
                              "shows the difference."),
                            style ? style->name : "", style ? style->current_number : 0);
        pen_app_notify(panel->app, GTK_MESSAGE_INFO, text);
    }
    pen_app_styles_changed(panel->app);
    pen_app_picks_changed(panel->app);
    g_autoptr(PenRun) run =
        done ? pen_store_get_run(pen_app_store(panel->app), taught.run, NULL) : NULL;
    if (run)
        pen_lesson_view_begin(PEN_LESSON_VIEW(panel->lesson), taught.style, run->from_version);
    g_object_unref(panel);
}

static void begin_job(PenTeachPanel *panel)
{
    panel->style = pen_app_style(panel->app);
    panel->quarters = 0;
    gboolean busy = pen_app_is_busy(panel->app);
    pen_app_clear_message(panel->app);
    pen_lesson_view_end(PEN_LESSON_VIEW(panel->lesson));
    panel->job = pen_app_begin_job(panel->app);
    pen_app_set_teaching(panel->app, TRUE);
    gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(panel->progress), 0);
    gtk_label_set_text(GTK_LABEL(panel->progress_text),
                       busy ? _("Waiting for its turn…") : _("Preparing…"));
    update(panel);
}

static void start(PenTeachPanel *panel)
{
    PenTeachSettings settings;
    pen_teach_settings_init(&settings, FALSE);
    g_autoptr(PenRun) run = unfinished_run(panel);
    if (!run)
        pen_curve_reset(PEN_CURVE(panel->curve));
    begin_job(panel);
    show_verdict(panel);
    pen_studio_teach_async(pen_app_studio(panel->app), panel->style, &settings, on_event, panel,
                           panel->job, on_taught, g_object_ref(panel));
}

/* --- pictures of the artist's own ------------------------------------------------------------- */

static void on_learnt(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(PenTeachPanel) panel = data;
    g_autoptr(GError) error = NULL;
    PenOwnPicturesResult done;
    gboolean ok =
        pen_studio_learn_pictures_finish(pen_app_studio(panel->app), result, &done, &error);
    pen_app_set_teaching(panel->app, FALSE);
    pen_app_end_job(panel->app, panel->job);
    panel->job = NULL;
    pen_app_picks_changed(panel->app);
    if (!ok)
        pen_app_report(panel->app, error);
    else if (!pen_app_is_closing(panel->app))
        start(panel);
    update(panel);
}

/* The panel's pictures become votes, which are then taught. */
static void learn(PenTeachPanel *panel)
{
    g_autoptr(GPtrArray) pictures = g_steal_pointer(&panel->pictures);
    begin_job(panel);
    pen_studio_learn_pictures_async(pen_app_studio(panel->app), panel->style, pictures, on_event,
                                    panel, panel->job, on_learnt, g_object_ref(panel));
}

/* The first teaching makes the style that is taught. */
static void on_named(const char *name, gpointer data)
{
    PenTeachPanel *panel = data;
    g_autoptr(GError) error = NULL;
    PenStudio *studio = pen_app_studio(panel->app);
    g_autofree char *spec = pen_app_spec(panel->app);
    gint64 style = pen_studio_create_style(studio, name, spec, &error);
    if (!style || pen_studio_adopt_rounds(studio, style, &error) < 0) {
        pen_app_report(panel->app, error);
        return;
    }
    pen_app_set_style(panel->app, style);
    if (panel->pictures)
        learn(panel);
    else
        start(panel);
}

static void ask_name(PenTeachPanel *panel)
{
    pen_ui_ask(GTK_WIDGET(panel), _("A Style of Your Own"), _("_Name of the style"), _("My style"),
               _("_Teach"), on_named, panel);
}

static void on_pictures(GPtrArray *pictures, gpointer data)
{
    PenTeachPanel *panel = data;
    if (panel->job)
        return;
    g_clear_pointer(&panel->pictures, g_ptr_array_unref);
    panel->pictures = g_ptr_array_ref(pictures);
    if (pen_app_style(panel->app))
        learn(panel);
    else
        ask_name(panel);
}

static void on_own(GtkButton *button, PenTeachPanel *panel)
{
    if (pen_app_studio(panel->app))
        pen_own_pictures_ask(panel->app, GTK_WIDGET(button), on_pictures, panel);
}

static void on_teach(GtkButton *button, PenTeachPanel *panel)
{
    if (panel->job) {
        g_cancellable_cancel(panel->job);
        return;
    }
    g_clear_pointer(&panel->pictures, g_ptr_array_unref);
    if (pen_app_style(panel->app))
        start(panel);
    else
        ask_name(panel);
}

static void on_styles_changed(PenTeachPanel *panel)
{
    if (!panel->job)
        load_curve(panel);
    update(panel);
}

static void pen_teach_panel_finalize(GObject *object)
{
    g_clear_pointer(&PEN_TEACH_PANEL(object)->pictures, g_ptr_array_unref);
    G_OBJECT_CLASS(pen_teach_panel_parent_class)->finalize(object);
}

static void pen_teach_panel_class_init(PenTeachPanelClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_teach_panel_finalize;
}

static void pen_teach_panel_init(PenTeachPanel *panel)
{
    gtk_orientable_set_orientation(GTK_ORIENTABLE(panel), GTK_ORIENTATION_VERTICAL);
    gtk_box_set_spacing(GTK_BOX(panel), 6);
    gtk_style_context_add_class(gtk_widget_get_style_context(GTK_WIDGET(panel)), "pen-panel");

    panel->news = pen_ui_label(NULL, NULL);
    /* The name of a style may be long. */
    gtk_label_set_line_wrap_mode(GTK_LABEL(panel->news), PANGO_WRAP_WORD_CHAR);
    gtk_label_set_max_width_chars(GTK_LABEL(panel->news), 24);
    panel->teach = gtk_button_new_with_mnemonic(_("T_each"));
    gtk_widget_set_tooltip_text(
        panel->teach, _("After teaching you see one picture as it was drawn before, and as it is "
                        "drawn now."));
    g_signal_connect(panel->teach, "clicked", G_CALLBACK(on_teach), panel);
    panel->own = gtk_button_new_with_mnemonic(_("Learn from _Pictures…"));
    gtk_widget_set_tooltip_text(panel->own,
                                _("Pictures that you have already count as your votes"));
    g_signal_connect(panel->own, "clicked", G_CALLBACK(on_own), panel);
    panel->progress = pen_ui_name(gtk_progress_bar_new(), _("Progress of teaching"));
    panel->progress_text = pen_ui_label(NULL, "pen-hint");
    gtk_label_set_line_wrap(GTK_LABEL(panel->progress_text), FALSE);
    gtk_label_set_ellipsize(GTK_LABEL(panel->progress_text), PANGO_ELLIPSIZE_END);
    GtkWidget *progress = gtk_box_new(GTK_ORIENTATION_VERTICAL, 3);
    gtk_box_pack_start(GTK_BOX(progress), panel->progress, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(progress), panel->progress_text, FALSE, FALSE, 0);
    panel->running = gtk_revealer_new();
    gtk_container_add(GTK_CONTAINER(panel->running), progress);
    panel->curve = pen_curve_new();
    panel->verdict = pen_ui_label(NULL, "pen-hint");

    gtk_box_pack_start(GTK_BOX(panel), panel->news, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(panel), panel->teach, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(panel), panel->own, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(panel), panel->running, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(panel), panel->curve, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(panel), panel->verdict, FALSE, FALSE, 0);
    gtk_widget_show_all(GTK_WIDGET(panel));
    gtk_widget_set_no_show_all(panel->curve, TRUE);
    gtk_widget_set_no_show_all(panel->verdict, TRUE);
    gtk_widget_set_no_show_all(panel->own, TRUE);
    gtk_widget_hide(panel->curve);
    gtk_widget_hide(panel->verdict);
}

GtkWidget *pen_teach_panel_new(PenApp *app)
{
    PenTeachPanel *panel = g_object_new(PEN_TYPE_TEACH_PANEL, NULL);
    panel->app = app;
    panel->lesson = pen_lesson_view_new(app);
    g_signal_connect_swapped(panel->lesson, "changed", G_CALLBACK(on_lesson_changed), panel);
    gtk_box_pack_start(GTK_BOX(panel), panel->lesson, FALSE, FALSE, 0);
    update(panel);
    g_signal_connect_object(app, "opened", G_CALLBACK(on_styles_changed), panel, G_CONNECT_SWAPPED);
    g_signal_connect_object(app, "styles-changed", G_CALLBACK(on_styles_changed), panel,
                            G_CONNECT_SWAPPED);
    g_signal_connect_object(app, "model-changed", G_CALLBACK(update), panel, G_CONNECT_SWAPPED);
    g_signal_connect_object(app, "picks-changed", G_CALLBACK(update), panel, G_CONNECT_SWAPPED);
    return GTK_WIDGET(panel);
}
