// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/window.h"

#include <glib/gi18n-lib.h>
#include <libgimp/gimpui.h>

#include "plugin/columns.h"
#include "plugin/compare-view.h"
#include "plugin/drop.h"
#include "plugin/help.h"
#include "plugin/history-strip.h"
#include "plugin/insert-bar.h"
#include "plugin/insert.h"
#include "plugin/message-bar.h"
#include "plugin/round-panel.h"
#include "plugin/round-view.h"
#include "plugin/shortcuts.h"
#include "plugin/styles-view.h"
#include "plugin/teach-panel.h"
#include "plugin/ui.h"
#include "plugin/undo.h"

struct _PenWindow {
    GtkWindow parent;
    PenApp *app;
    GtkWidget *stack, *create, *panel, *round, *insert, *history, *compare, *styles;
    GtkWidget *overlay, *bar, *undo, *redo;
    GClosure *answer;        /* what the message's button does; or NULL */
    gboolean opening;        /* the first opening of the studio is still to come */
    char *prepared;          /* spec of the model that was made ready last, or is being; or NULL */
    GCancellable *preparing; /* owned by the app; NULL: it is done */
    gboolean closing;        /* hidden, waiting for its jobs to end */
};

G_DEFINE_FINAL_TYPE(PenWindow, pen_window, GTK_TYPE_WINDOW)

/* --- messages -------------------------------------------------------------------------------- */

static void on_message_over(PenApp *app, PenWindow *window)
{
    g_clear_pointer(&window->answer, g_closure_unref);
    pen_message_bar_hide(PEN_MESSAGE_BAR(window->bar));
}

static void on_message(PenApp *app, GtkMessageType type, const char *text, const char *button,
                       GClosure *answer, PenWindow *window)
{
    g_clear_pointer(&window->answer, g_closure_unref);
    window->answer = answer ? g_closure_ref(answer) : NULL;
    pen_message_bar_show(PEN_MESSAGE_BAR(window->bar), type, text, button);
}

static void on_answer(PenMessageBar *bar, PenWindow *window)
{
    GClosure *answer = g_steal_pointer(&window->answer);
    GValue app = G_VALUE_INIT;
    g_value_init(&app, PEN_TYPE_APP);
    g_value_set_object(&app, window->app);
    g_closure_invoke(answer, NULL, 1, &app, NULL);
    g_value_unset(&app);
    g_closure_unref(answer);
}

/* At the foot of the pictures, or of another page. */
static gboolean place_bar(GtkOverlay *overlay, GtkWidget *bar, GdkRectangle *place,
                          PenWindow *window)
{
    GtkWidget *page = gtk_stack_get_visible_child(GTK_STACK(window->stack));
    if (page == window->create)
        page = pen_round_view_get_pictures(PEN_ROUND_VIEW(window->round));
    else if (page == window->compare)
        page = pen_compare_view_get_pictures(PEN_COMPARE_VIEW(window->compare));
    int x = 0, y = 0, width, height;
    if (!page || !gtk_widget_translate_coordinates(page, GTK_WIDGET(overlay), 0, 0, &x, &y))
        return FALSE;
    int room = MAX(gtk_widget_get_allocated_width(page) - 24, 1);
    gtk_widget_get_preferred_width(bar, NULL, &width);
    place->width = MIN(width, room);
    gtk_widget_get_preferred_height_for_width(bar, place->width, NULL, &height);
    place->height = height;
    place->x = x + 12 + (room - place->width) / 2;
    place->y = y + MAX(gtk_widget_get_allocated_height(page) - height - 12, 0);
    return TRUE;
}

/* --- opening --------------------------------------------------------------------------------- */

static void on_prepare_event(const PenStudioEvent *event, gpointer data)
{
    pen_app_event(PEN_WINDOW(data)->app, event);
}

typedef struct {
    PenWindow *window;
    GCancellable *job;
} Preparing;

static void on_prepared(GObject *source, GAsyncResult *result, gpointer data)
{
    Preparing *preparing = data;
    PenWindow *window = preparing->window;
    PenApp *app = window->app;
    g_autoptr(GError) error = NULL;
    gboolean ready = pen_studio_prepare_finish(pen_app_studio(app), result, &error);
    pen_app_report(app, error);
    if (window->preparing == preparing->job) {
        window->preparing = NULL;
        if (!ready) /* so that choosing it again tries again */
            g_clear_pointer(&window->prepared, g_free);
    }
    pen_app_end_job(app, preparing->job);
    g_object_unref(window);
    g_free(preparing);
}

/* A model is loaded as soon as it is chosen, so that the first round begins at once; what of it
 * does not fit the device is said then. */
static void prepare(PenWindow *window)
{
    PenApp *app = window->app;
    const PenModelInfo *model = pen_app_model(app);
    if (!model || window->closing || g_strcmp0(model->spec, window->prepared) == 0)
        return;
    g_free(window->prepared);
    window->prepared = g_strdup(model->spec);
    g_cancellable_cancel(window->preparing);
    window->preparing = pen_app_begin_job(app);
    Preparing *preparing = g_new(Preparing, 1);
    *preparing = (Preparing){ g_object_ref(window), window->preparing };
    g_autofree char *spec = pen_app_spec(app);
    pen_studio_prepare_async(pen_app_studio(app), spec, pen_app_style(app), on_prepare_event,
                             window, window->preparing, on_prepared, preparing);
}

/* After the window is on the screen. */
static gboolean open_studio(gpointer data)
{
    PenWindow *window = data;
    if (!window->closing)
        pen_app_open(window->app);
    pen_insert_warm(pen_app_image(window->app));
    g_object_unref(window);
    return G_SOURCE_REMOVE;
}

static gboolean on_first_draw(GtkWidget *widget, cairo_t *cr, gpointer data)
{
    PenWindow *window = PEN_WINDOW(widget);
    if (window->opening) {
        window->opening = FALSE;
        g_idle_add_full(G_PRIORITY_LOW, open_studio, g_object_ref(window), NULL);
    }
    return FALSE;
}

static gboolean on_focus_in(GtkWidget *widget, GdkEvent *event, gpointer data)
{
    PenWindow *window = PEN_WINDOW(widget);
    /* Another process, the command line, may have changed the store as well. */
    pen_round_panel_refresh_images(PEN_ROUND_PANEL(window->panel));
    if (!window->opening)
        pen_insert_warm(pen_app_image(window->app));
    return FALSE;
}

/* --- keys ------------------------------------------------------------------------------------ */

/* What is undone on the page that is seen. */
static PenActionScope scope_of(PenWindow *window)
{
    GtkWidget *page = gtk_stack_get_visible_child(GTK_STACK(window->stack));
    return page == window->compare  ? PEN_SCOPE_COMPARISONS
           : page == window->styles ? PEN_SCOPE_STYLES
                                    : PEN_SCOPE_PICKS;
}

/* Whether it is the insert that is undone next. */
static gboolean undoes_insert(PenWindow *window)
{
    return scope_of(window) == PEN_SCOPE_PICKS && pen_insert_bar_can_undo(window->insert);
}

static void show_undo(PenWindow *window)
{
    PenActionScope scope = scope_of(window);
    gtk_widget_set_sensitive(window->undo, undoes_insert(window) ||
                                               pen_undo_is_possible(window->app, scope, FALSE));
    gtk_widget_set_sensitive(window->redo, pen_undo_is_possible(window->app, scope, TRUE));
}

static void undo(PenWindow *window, gboolean redo)
{
    gint64 round;
    if (!redo && undoes_insert(window)) {
        pen_insert_bar_undo(window->insert);
        return;
    }
    if (!pen_undo(window->app, scope_of(window), redo, &round) || !round)
        return;
    PenRoundView *view = PEN_ROUND_VIEW(window->round);
    if (round != pen_round_view_get_round(view))
        pen_round_view_show_round(view, round);
    else
        pen_round_view_refresh(view);
}

static void on_undo(GtkButton *button, PenWindow *window)
{
    undo(window, FALSE);
}

static void on_redo(GtkButton *button, PenWindow *window)
{
    undo(window, TRUE);
}

static void on_help(GtkWidget *button, PenWindow *window)
{
    pen_help_show(window->app, GTK_WINDOW(window));
}

/* While something is typed, it is the text that is undone. */
static gboolean on_control_key(PenWindow *window, guint key, gboolean shift, gboolean typing)
{
    gboolean creating = gtk_stack_get_visible_child(GTK_STACK(window->stack)) == window->create;
    switch (key) {
    case GDK_KEY_z:
        if (!typing)
            undo(window, shift);
        return !typing;
    case GDK_KEY_y:
        if (!typing)
            undo(window, TRUE);
        return !typing;
    case GDK_KEY_question:
    case GDK_KEY_slash:
        pen_shortcuts_show(GTK_WINDOW(window));
        return TRUE;
    case GDK_KEY_w:
        gtk_window_close(GTK_WINDOW(window));
        return TRUE;
    case GDK_KEY_l:
        gtk_stack_set_visible_child(GTK_STACK(window->stack), window->create);
        pen_round_panel_focus_prompt(PEN_ROUND_PANEL(window->panel));
        return TRUE;
    case GDK_KEY_i:
    case GDK_KEY_o:
    case GDK_KEY_s:
        if (creating)
            pen_round_view_use(PEN_ROUND_VIEW(window->round), key == GDK_KEY_i   ? PEN_MENU_INSERT
                                                              : key == GDK_KEY_o ? PEN_MENU_OPEN
                                                                                 : PEN_MENU_SAVE);
        return creating;
    default:
        return FALSE;
    }
}

static gboolean pen_window_key_press(GtkWidget *widget, GdkEventKey *event)
{
    PenWindow *window = PEN_WINDOW(widget);
    GdkModifierType modifiers = event->state & gtk_accelerator_get_default_mod_mask();
    GtkWidget *focus = gtk_window_get_focus(GTK_WINDOW(window));
    gboolean typing = focus && (GTK_IS_EDITABLE(focus) || GTK_IS_TEXT_VIEW(focus));
    if (event->keyval == GDK_KEY_F1) {
        on_help(NULL, window);
        return TRUE;
    }
    if (modifiers == GDK_MOD1_MASK && event->keyval >= GDK_KEY_1 && event->keyval <= GDK_KEY_3) {
        GtkWidget *pages[] = { window->create, window->compare, window->styles };
        gtk_stack_set_visible_child(GTK_STACK(window->stack), pages[event->keyval - GDK_KEY_1]);
        return TRUE;
    }
    if ((modifiers & GDK_CONTROL_MASK) && !(modifiers & GDK_MOD1_MASK) &&
        on_control_key(window, gdk_keyval_to_lower(event->keyval),
                       (modifiers & GDK_SHIFT_MASK) != 0, typing))
        return TRUE;
    if (!typing) {
        GtkWidget *page = gtk_stack_get_visible_child(GTK_STACK(window->stack));
        if (page == window->create && pen_round_view_key(PEN_ROUND_VIEW(window->round), event))
            return TRUE;
        if (page == window->compare &&
            pen_compare_view_key(PEN_COMPARE_VIEW(window->compare), event))
            return TRUE;
    }
    return GTK_WIDGET_CLASS(pen_window_parent_class)->key_press_event(widget, event);
}

/* --- closing --------------------------------------------------------------------------------- */

static gboolean pen_window_configure(GtkWidget *widget, GdkEventConfigure *event)
{
    PenWindow *window = PEN_WINDOW(widget);
    if (window->app) {
        PenSettings *settings = pen_app_settings(window->app);
        settings->maximized = gtk_window_is_maximized(GTK_WINDOW(window));
        if (!settings->maximized) {
            gtk_window_get_size(GTK_WINDOW(window), &settings->width, &settings->height);
            gtk_window_get_position(GTK_WINDOW(window), &settings->x, &settings->y);
        }
        pen_app_settings_changed(window->app);
    }
    return GTK_WIDGET_CLASS(pen_window_parent_class)->configure_event(widget, event);
}

/* Ends when nothing uses the studio any more. */
static void on_jobs_changed(PenApp *app, PenWindow *window)
{
    if (window->closing && !pen_app_is_busy(app))
        g_idle_add_once((GSourceOnceFunc)(void (*)(void))gtk_widget_destroy, window);
}

/* The window goes at once; jobs are cancelled and keep what they have finished. */
static gboolean pen_window_delete_event(GtkWidget *widget, GdkEventAny *event)
{
    PenWindow *window = PEN_WINDOW(widget);
    if (window->closing)
        return TRUE;
    window->closing = TRUE;
    gtk_widget_hide(widget);
    pen_app_close(window->app);
    on_jobs_changed(window->app, window);
    return TRUE;
}

static void pen_window_destroy(GtkWidget *widget)
{
    PenWindow *window = PEN_WINDOW(widget);
    g_clear_pointer(&window->answer, g_closure_unref);
    g_clear_pointer(&window->prepared, g_free);
    GTK_WIDGET_CLASS(pen_window_parent_class)->destroy(widget);
    g_clear_object(&window->app);
}

/* --- building -------------------------------------------------------------------------------- */

static void on_page(GtkStack *stack, GParamSpec *param, PenWindow *window)
{
    show_undo(window);
    gtk_widget_queue_resize(window->overlay); /* the bar's place */
    if (gtk_stack_get_visible_child(stack) != window->compare)
        return;
    g_autofree char *prompt = pen_round_panel_get_prompt(PEN_ROUND_PANEL(window->panel));
    pen_compare_view_offer_prompt(PEN_COMPARE_VIEW(window->compare), prompt);
}

/* Grows with the font, but leaves the pictures room. */
static int side_width(GtkWidget *side)
{
    PangoContext *context = gtk_widget_get_pango_context(side);
    PangoFontMetrics *metrics =
        pango_context_get_metrics(context, pango_context_get_font_description(context), NULL);
    int width = 42 * pango_font_metrics_get_approximate_char_width(metrics) / PANGO_SCALE;
    pango_font_metrics_unref(metrics);
    return CLAMP(width, 350, 480);
}

/* One was thrown away, or is back. */
static void on_rounds_changed(PenWindow *window)
{
    pen_round_view_check(PEN_ROUND_VIEW(window->round));
    pen_history_strip_refill(PEN_HISTORY_STRIP(window->history));
    show_undo(window);
}

static void on_history_like(PenHistoryStrip *history, gint64 round, PenWindow *window)
{
    pen_round_view_make_like(PEN_ROUND_VIEW(window->round), round);
}

static void on_history_chosen(PenHistoryStrip *history, gint64 round, PenWindow *window)
{
    pen_round_view_show_round(PEN_ROUND_VIEW(window->round), round);
}

static void on_reuse(PenHistoryStrip *history, gint64 id, PenWindow *window)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRound) round = pen_store_get_round(pen_app_store(window->app), id, &error);
    if (!round) {
        pen_app_report(window->app, error);
        return;
    }
    pen_round_panel_reuse(PEN_ROUND_PANEL(window->panel), round);
    pen_app_notify(window->app, GTK_MESSAGE_INFO,
                   _("The next round is made with the settings and the seed of that one."));
}

static void on_dropped_settings(const PenTakenSettings *taken, gpointer data)
{
    PenWindow *window = data;
    gtk_stack_set_visible_child(GTK_STACK(window->stack), window->create);
    pen_round_panel_take(PEN_ROUND_PANEL(window->panel), taken);
}

/* The round with its pictures, and the past ones below it. */
static GtkWidget *build_round(PenWindow *window)
{
    window->round = pen_round_view_new(window->app, PEN_ROUND_PANEL(window->panel));
    GtkWidget *history = window->history = pen_history_strip_new(window->app);
    g_signal_connect(history, "chosen", G_CALLBACK(on_history_chosen), window);
    g_signal_connect(history, "reuse", G_CALLBACK(on_reuse), window);
    g_signal_connect(history, "like", G_CALLBACK(on_history_like), window);
    g_signal_connect_object(window->round, "shown", G_CALLBACK(pen_history_strip_set_current),
                            history, G_CONNECT_SWAPPED);
    g_signal_connect_object(window->round, "renewed", G_CALLBACK(pen_history_strip_update), history,
                            G_CONNECT_SWAPPED);
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
    GtkWidget *overlay = gtk_overlay_new();
    gtk_container_add(GTK_CONTAINER(overlay), window->round);
    window->insert = pen_insert_bar_new(window->app);
    gtk_overlay_add_overlay(GTK_OVERLAY(overlay), window->insert);
    gtk_box_pack_start(GTK_BOX(box), overlay, TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(box), gtk_separator_new(GTK_ORIENTATION_HORIZONTAL), FALSE, FALSE,
                       0);
    gtk_box_pack_start(GTK_BOX(box), history, FALSE, FALSE, 0);
    return box;
}

static void on_panel_moved(PenColumns *columns, int width, PenWindow *window)
{
    pen_app_settings(window->app)->panel = width;
    pen_app_settings_changed(window->app);
}

static GtkWidget *build_create(PenWindow *window)
{
    window->panel = pen_round_panel_new(window->app);

    GtkWidget *scrolled = pen_ui_scrolled(window->panel);
    GtkWidget *side = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
    gtk_box_pack_start(GTK_BOX(side), scrolled, TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(side), gtk_separator_new(GTK_ORIENTATION_HORIZONTAL), FALSE, FALSE,
                       0);
    gtk_box_pack_start(GTK_BOX(side), pen_teach_panel_new(window->app), FALSE, FALSE, 0);

    const PenSettings *settings = pen_app_settings(window->app);
    GtkWidget *both = pen_columns_new(side, build_round(window),
                                      settings->panel ? settings->panel : side_width(side));
    g_signal_connect(both, "moved", G_CALLBACK(on_panel_moved), window);
    gtk_widget_show_all(both);
    return both;
}

static void build(PenWindow *window)
{
    window->create = build_create(window);
    window->compare = pen_compare_view_new(window->app);
    window->styles = pen_styles_view_new(window->app);
    window->stack = gtk_stack_new();
    gtk_stack_add_titled(GTK_STACK(window->stack), window->create, "create", _("Create"));
    gtk_stack_add_titled(GTK_STACK(window->stack), window->compare, "compare", _("Compare"));
    gtk_stack_add_titled(GTK_STACK(window->stack), window->styles, "styles", _("Styles"));
    g_signal_connect(window->stack, "notify::visible-child", G_CALLBACK(on_page), window);

    GtkWidget *top = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    gtk_style_context_add_class(gtk_widget_get_style_context(top), "pen-bar");
    GtkWidget *switcher = gtk_stack_switcher_new();
    gtk_stack_switcher_set_stack(GTK_STACK_SWITCHER(switcher), GTK_STACK(window->stack));
    window->undo = pen_ui_icon_button("edit-undo-symbolic", _("Undo"));
    g_signal_connect(window->undo, "clicked", G_CALLBACK(on_undo), window);
    window->redo = pen_ui_icon_button("edit-redo-symbolic", _("Redo"));
    g_signal_connect(window->redo, "clicked", G_CALLBACK(on_redo), window);
    GtkWidget *help = pen_ui_icon_button("help-browser-symbolic", _("Help"));
    g_signal_connect(help, "clicked", G_CALLBACK(on_help), window);
    gtk_box_pack_start(GTK_BOX(top), window->undo, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(top), window->redo, FALSE, FALSE, 0);
    gtk_box_set_center_widget(GTK_BOX(top), switcher);
    gtk_box_pack_end(GTK_BOX(top), help, FALSE, FALSE, 0);

    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
    gtk_box_pack_start(GTK_BOX(box), top, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), gtk_separator_new(GTK_ORIENTATION_HORIZONTAL), FALSE, FALSE,
                       0);
    window->overlay = gtk_overlay_new();
    gtk_container_add(GTK_CONTAINER(window->overlay), window->stack);
    window->bar = pen_message_bar_new();
    gtk_overlay_add_overlay(GTK_OVERLAY(window->overlay), window->bar);
    g_signal_connect(window->bar, "answer", G_CALLBACK(on_answer), window);
    g_signal_connect(window->overlay, "get-child-position", G_CALLBACK(place_bar), window);
    gtk_box_pack_start(GTK_BOX(box), window->overlay, TRUE, TRUE, 0);
    gtk_widget_show_all(box);
    gtk_container_add(GTK_CONTAINER(window), box);
    pen_drop_accept(GTK_WIDGET(window), window->app, on_dropped_settings, window);
}

static void pen_window_class_init(PenWindowClass *class)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(class);
    widget_class->key_press_event = pen_window_key_press;
    widget_class->delete_event = pen_window_delete_event;
    widget_class->configure_event = pen_window_configure;
    widget_class->destroy = pen_window_destroy;
}

static void pen_window_init(PenWindow *window)
{
    window->app = pen_app_new();
    window->opening = TRUE;
}

GtkWidget *pen_window_new(GimpImage *image)
{
    PenWindow *window = g_object_new(PEN_TYPE_WINDOW, "title", _("Penchant"), NULL);
    g_autoptr(GdkPixbuf) icon = pen_ui_icon(128);
    gtk_window_set_icon(GTK_WINDOW(window), icon);
    pen_ui_load_css();
    pen_app_set_image(window->app, image);
    build(window);
    show_undo(window);
    g_signal_connect_object(window->app, "message", G_CALLBACK(on_message), window, 0);
    g_signal_connect_object(window->app, "message-over", G_CALLBACK(on_message_over), window, 0);
    static const char *const actions[] = { "opened", "picks-changed", "styles-changed",
                                           "log-changed" };
    for (guint i = 0; i < G_N_ELEMENTS(actions); i++)
        g_signal_connect_object(window->app, actions[i], G_CALLBACK(show_undo), window,
                                G_CONNECT_SWAPPED);
    g_signal_connect_object(window->app, "model-changed", G_CALLBACK(prepare), window,
                            G_CONNECT_SWAPPED);
    g_signal_connect_object(window->app, "jobs-changed", G_CALLBACK(on_jobs_changed), window, 0);
    g_signal_connect_object(window->app, "rounds-changed", G_CALLBACK(on_rounds_changed), window,
                            G_CONNECT_SWAPPED);
    g_signal_connect_after(window, "draw", G_CALLBACK(on_first_draw), NULL);
    g_signal_connect(window, "focus-in-event", G_CALLBACK(on_focus_in), NULL);
    const PenSettings *settings = pen_app_settings(window->app);
    if (settings->width)
        gtk_window_set_default_size(GTK_WINDOW(window), settings->width, settings->height);
    else
        gtk_window_set_default_size(GTK_WINDOW(window), 1040, 760);
    if (settings->x >= 0)
        gtk_window_move(GTK_WINDOW(window), settings->x, settings->y);
    if (settings->maximized)
        gtk_window_maximize(GTK_WINDOW(window));
    /* It stays above GIMP's own windows and goes with them. */
    gimp_window_set_transient(GTK_WINDOW(window));
    pen_round_panel_focus_prompt(PEN_ROUND_PANEL(window->panel));
    return GTK_WIDGET(window);
}

gboolean pen_window_present(PenWindow *window, GimpImage *image)
{
    if (window->closing)
        return FALSE;
    if (image)
        pen_app_set_image(window->app, image);
    pen_round_panel_refresh_images(PEN_ROUND_PANEL(window->panel));
    gtk_window_present_with_time(GTK_WINDOW(window), GDK_CURRENT_TIME);
    return TRUE;
}
