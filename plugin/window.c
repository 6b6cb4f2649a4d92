// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/window.h"

#include <glib/gi18n-lib.h>

#include "plugin/compare-view.h"
#include "plugin/help.h"
#include "plugin/insert.h"
#include "plugin/round-panel.h"
#include "plugin/round-view.h"
#include "plugin/styles-view.h"
#include "plugin/teach-panel.h"
#include "plugin/ui.h"

#define MESSAGE_SECONDS 8

struct _PenWindow {
    GtkWindow parent;
    PenApp *app;
    GtkWidget *stack, *create, *panel, *round, *compare, *styles;
    GtkWidget *bar, *bar_icon, *bar_text, *undo, *redo;
    GtkWidget *bar_without;
    char *bar_file; /* that the message is about and that can be left out; or NULL */
    guint bar_timeout;
    gboolean opening; /* the first opening of the studio is still to come */
    gboolean closing; /* hidden, waiting for its jobs to end */
};

G_DEFINE_FINAL_TYPE(PenWindow, pen_window, GTK_TYPE_WINDOW)

/* --- messages -------------------------------------------------------------------------------- */

static gboolean hide_bar(gpointer data)
{
    PenWindow *window = data;
    window->bar_timeout = 0;
    gtk_info_bar_set_revealed(GTK_INFO_BAR(window->bar), FALSE);
    return G_SOURCE_REMOVE;
}

enum { RESPONSE_WITHOUT = 1 };

static void on_message(PenApp *app, GtkMessageType type, const char *text, const char *file,
                       PenWindow *window)
{
    g_free(window->bar_file);
    window->bar_file = g_strdup(file);
    gtk_widget_set_visible(window->bar_without, file != NULL);
    g_clear_handle_id(&window->bar_timeout, g_source_remove);
    gtk_info_bar_set_message_type(GTK_INFO_BAR(window->bar), type);
    gtk_image_set_from_icon_name(GTK_IMAGE(window->bar_icon),
                                 type == GTK_MESSAGE_ERROR     ? "dialog-error-symbolic"
                                 : type == GTK_MESSAGE_WARNING ? "dialog-warning-symbolic"
                                                               : "dialog-information-symbolic",
                                 GTK_ICON_SIZE_BUTTON);
    gtk_label_set_text(GTK_LABEL(window->bar_text), text);
    gtk_info_bar_set_revealed(GTK_INFO_BAR(window->bar), TRUE);
    gtk_widget_show(window->bar);
    /* What went well goes away by itself; what went wrong stays until it is read. */
    if (type == GTK_MESSAGE_INFO)
        window->bar_timeout = g_timeout_add_seconds(MESSAGE_SECONDS, hide_bar, window);
}

static void on_bar_response(GtkInfoBar *bar, int response, PenWindow *window)
{
    g_clear_handle_id(&window->bar_timeout, g_source_remove);
    gtk_info_bar_set_revealed(bar, FALSE);
    if (response == RESPONSE_WITHOUT)
        pen_app_leave_out(window->app, window->bar_file);
}

/* What the message was about is no more. */
static void on_extras_changed(PenApp *app, PenWindow *window)
{
    if (window->bar_file)
        gtk_info_bar_set_revealed(GTK_INFO_BAR(window->bar), FALSE);
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
    PenApp *app = preparing->window->app;
    g_autoptr(GError) error = NULL;
    if (!pen_studio_prepare_finish(pen_app_studio(app), result, &error))
        pen_app_report(app, error);
    pen_app_end_job(app, preparing->job);
    g_object_unref(preparing->window);
    g_free(preparing);
}

/* After the window is on the screen. */
static gboolean open_studio(gpointer data)
{
    PenWindow *window = data;
    if (!window->closing && pen_app_open(window->app)) {
        Preparing *preparing = g_new(Preparing, 1);
        *preparing = (Preparing){ g_object_ref(window), pen_app_begin_job(window->app) };
        g_autofree char *spec = pen_app_spec(window->app);
        pen_studio_prepare_async(pen_app_studio(window->app), spec, pen_app_style(window->app),
                                 on_prepare_event, window, preparing->job, on_prepared, preparing);
    }
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

static void undo(PenWindow *window, gboolean redo)
{
    gint64 round;
    if (!pen_app_undo(window->app, redo, &round))
        return;
    PenRoundView *view = PEN_ROUND_VIEW(window->round);
    if (round && round != pen_round_view_get_round(view))
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
    pen_help_show(GTK_WINDOW(window));
}

static gboolean on_control_key(PenWindow *window, guint key, gboolean shift)
{
    gboolean creating = gtk_stack_get_visible_child(GTK_STACK(window->stack)) == window->create;
    switch (key) {
    case GDK_KEY_z:
    case GDK_KEY_Z:
        undo(window, shift);
        return TRUE;
    case GDK_KEY_y:
        undo(window, TRUE);
        return TRUE;
    case GDK_KEY_w:
        gtk_window_close(GTK_WINDOW(window));
        return TRUE;
    case GDK_KEY_l:
        gtk_stack_set_visible_child(GTK_STACK(window->stack), window->create);
        pen_round_panel_focus_prompt(PEN_ROUND_PANEL(window->panel));
        return TRUE;
    case GDK_KEY_i:
        if (creating)
            pen_round_view_insert(PEN_ROUND_VIEW(window->round));
        return creating;
    case GDK_KEY_o:
        if (creating)
            pen_round_view_open(PEN_ROUND_VIEW(window->round));
        return creating;
    case GDK_KEY_s:
        if (creating)
            pen_round_view_save(PEN_ROUND_VIEW(window->round));
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
        on_control_key(window, event->keyval, (modifiers & GDK_SHIFT_MASK) != 0))
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
        if (!settings->maximized)
            gtk_window_get_size(GTK_WINDOW(window), &settings->width, &settings->height);
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
    pen_round_panel_read(PEN_ROUND_PANEL(window->panel));
    pen_app_save_settings(window->app);
    gtk_widget_hide(widget);
    pen_app_cancel_jobs(window->app);
    on_jobs_changed(window->app, window);
    return TRUE;
}

static void pen_window_destroy(GtkWidget *widget)
{
    PenWindow *window = PEN_WINDOW(widget);
    g_clear_handle_id(&window->bar_timeout, g_source_remove);
    g_clear_pointer(&window->bar_file, g_free);
    GTK_WIDGET_CLASS(pen_window_parent_class)->destroy(widget);
    g_clear_object(&window->app);
}

/* --- building -------------------------------------------------------------------------------- */

static void on_page(GtkStack *stack, GParamSpec *param, PenWindow *window)
{
    if (gtk_stack_get_visible_child(stack) != window->compare)
        return;
    g_autofree char *prompt = pen_round_panel_get_prompt(PEN_ROUND_PANEL(window->panel));
    pen_compare_view_offer_prompt(PEN_COMPARE_VIEW(window->compare), prompt);
}

/* GTK gives the bar's cross no name. */
static void name_close_button(GtkWidget *widget, gpointer data)
{
    if (GTK_IS_BUTTON(widget))
        pen_ui_name(widget, _("Close the message"));
    else if (GTK_IS_CONTAINER(widget))
        gtk_container_forall(GTK_CONTAINER(widget), name_close_button, NULL);
}

static GtkWidget *build_bar(PenWindow *window)
{
    window->bar = gtk_info_bar_new();
    gtk_info_bar_set_show_close_button(GTK_INFO_BAR(window->bar), TRUE);
    gtk_info_bar_set_revealed(GTK_INFO_BAR(window->bar), FALSE);
    window->bar_text = pen_ui_label(NULL, NULL);
    gtk_label_set_selectable(GTK_LABEL(window->bar_text), TRUE);
    gtk_widget_set_can_focus(window->bar_text, FALSE);
    window->bar_icon = gtk_image_new();
    GtkWidget *content = gtk_info_bar_get_content_area(GTK_INFO_BAR(window->bar));
    gtk_container_add(GTK_CONTAINER(content), window->bar_icon);
    gtk_container_add(GTK_CONTAINER(content), window->bar_text);
    /* A screen reader speaks it when it changes. */
    atk_object_set_role(gtk_widget_get_accessible(window->bar), ATK_ROLE_ALERT);
    name_close_button(window->bar, NULL);
    window->bar_without =
        gtk_info_bar_add_button(GTK_INFO_BAR(window->bar), _("Do _Without It"), RESPONSE_WITHOUT);
    gtk_widget_set_valign(window->bar_without, GTK_ALIGN_CENTER);
    gtk_widget_set_no_show_all(window->bar_without, TRUE);
    gtk_widget_hide(window->bar_without);
    g_signal_connect(window->bar, "response", G_CALLBACK(on_bar_response), window);
    return window->bar;
}

/* Grows with the font, but leaves the pictures room. */
static int side_width(GtkWidget *side)
{
    PangoContext *context = gtk_widget_get_pango_context(side);
    PangoFontMetrics *metrics =
        pango_context_get_metrics(context, pango_context_get_font_description(context), NULL);
    int width = 36 * pango_font_metrics_get_approximate_char_width(metrics) / PANGO_SCALE;
    pango_font_metrics_unref(metrics);
    return CLAMP(width, 300, 420);
}

static GtkWidget *build_create(PenWindow *window)
{
    window->panel = pen_round_panel_new(window->app);
    window->round = pen_round_view_new(window->app, PEN_ROUND_PANEL(window->panel));

    GtkWidget *scrolled = gtk_scrolled_window_new(NULL, NULL);
    gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scrolled), GTK_POLICY_NEVER,
                                   GTK_POLICY_AUTOMATIC);
    gtk_container_add(GTK_CONTAINER(scrolled), window->panel);
    /* What the keyboard goes to is scrolled to. */
    gtk_container_set_focus_vadjustment(
        GTK_CONTAINER(window->panel),
        gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(scrolled)));
    GtkWidget *side = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
    gtk_widget_set_size_request(side, side_width(side), -1);
    gtk_box_pack_start(GTK_BOX(side), scrolled, TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(side), gtk_separator_new(GTK_ORIENTATION_HORIZONTAL), FALSE, FALSE,
                       0);
    gtk_box_pack_start(GTK_BOX(side), pen_teach_panel_new(window->app), FALSE, FALSE, 0);

    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 0);
    gtk_box_pack_start(GTK_BOX(box), side, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), gtk_separator_new(GTK_ORIENTATION_VERTICAL), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), window->round, TRUE, TRUE, 0);
    gtk_widget_show_all(box);
    return box;
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
    gtk_box_pack_start(GTK_BOX(box), build_bar(window), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), window->stack, TRUE, TRUE, 0);
    gtk_widget_show_all(box);
    gtk_container_add(GTK_CONTAINER(window), box);
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
    g_signal_connect_object(window->app, "message", G_CALLBACK(on_message), window, 0);
    g_signal_connect_object(window->app, "extras-changed", G_CALLBACK(on_extras_changed), window,
                            0);
    g_signal_connect_object(window->app, "jobs-changed", G_CALLBACK(on_jobs_changed), window, 0);
    g_signal_connect_after(window, "draw", G_CALLBACK(on_first_draw), NULL);
    g_signal_connect(window, "focus-in-event", G_CALLBACK(on_focus_in), NULL);
    const PenSettings *settings = pen_app_settings(window->app);
    if (settings->width)
        gtk_window_set_default_size(GTK_WINDOW(window), settings->width, settings->height);
    else
        gtk_window_set_default_size(GTK_WINDOW(window), 1040, 760);
    if (settings->maximized)
        gtk_window_maximize(GTK_WINDOW(window));
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
