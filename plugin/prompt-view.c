// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/prompt-view.h"

#include <glib/gi18n-lib.h>

#include "plugin/text-undo.h"
#include "plugin/ui.h"

#define HISTORY 20

struct _PenPromptView {
    GtkBox parent;
    PenApp *app;
    GtkWidget *text, *placeholder, *history;
    char **recalled; /* NULL until Up is pressed; dropped when the text is edited */
    char *draft;     /* what was being written before the first Up */
    int recall_at;   /* -1: the draft */
    gboolean recalling;
};

G_DEFINE_FINAL_TYPE(PenPromptView, pen_prompt_view, GTK_TYPE_BOX)

static guint activate_signal, changed_signal;

static GtkTextBuffer *buffer_of(PenPromptView *view)
{
    return gtk_text_view_get_buffer(GTK_TEXT_VIEW(view->text));
}

char *pen_prompt_view_get_text(PenPromptView *view)
{
    GtkTextIter start, end;
    gtk_text_buffer_get_bounds(buffer_of(view), &start, &end);
    return g_strstrip(gtk_text_buffer_get_text(buffer_of(view), &start, &end, FALSE));
}

void pen_prompt_view_set_text(PenPromptView *view, const char *text)
{
    gtk_text_buffer_set_text(buffer_of(view), text ? text : "", -1);
}

void pen_prompt_view_focus(PenPromptView *view)
{
    GtkTextIter start, end;
    gtk_widget_grab_focus(view->text);
    gtk_text_buffer_get_bounds(buffer_of(view), &start, &end);
    gtk_text_buffer_select_range(buffer_of(view), &start, &end);
}

static void on_changed(GtkTextBuffer *buffer, PenPromptView *view)
{
    gtk_widget_set_visible(view->placeholder, gtk_text_buffer_get_char_count(buffer) == 0);
    if (!view->recalling) {
        g_clear_pointer(&view->recalled, g_strfreev);
        view->recall_at = -1;
    }
    g_signal_emit(view, changed_signal, 0);
}

static char **load_history(PenPromptView *view)
{
    PenStore *store = pen_app_store(view->app);
    return store ? pen_store_list_prompts(store, HISTORY, NULL) : NULL;
}

/* Goes `step` prompts back in time (negative: forward). FALSE at the ends. */
static gboolean recall(PenPromptView *view, int step)
{
    if (!view->recalled) {
        view->recalled = load_history(view);
        view->recall_at = -1;
        g_free(view->draft);
        view->draft = pen_prompt_view_get_text(view);
    }
    int n = view->recalled ? (int)g_strv_length(view->recalled) : 0;
    int at = view->recall_at + step;
    /* The latest prompt is usually still there. */
    if (step > 0 && at == 0 && n > 1 && g_strcmp0(view->recalled[0], view->draft) == 0)
        at = 1;
    if (at < -1 || at >= n)
        return FALSE;
    view->recall_at = at;
    view->recalling = TRUE;
    pen_prompt_view_set_text(view, at < 0 ? view->draft : view->recalled[at]);
    view->recalling = FALSE;
    return TRUE;
}

static gboolean on_key_press(GtkWidget *widget, GdkEventKey *event, PenPromptView *view)
{
    GdkModifierType modifiers = event->state & gtk_accelerator_get_default_mod_mask();
    if ((event->keyval == GDK_KEY_Return || event->keyval == GDK_KEY_KP_Enter) &&
        (modifiers == 0 || modifiers == GDK_CONTROL_MASK)) {
        /* An input method may be waiting for this Enter. */
        if (gtk_text_view_im_context_filter_keypress(GTK_TEXT_VIEW(widget), event))
            return TRUE;
        g_signal_emit(view, activate_signal, 0);
        return TRUE;
    }
    if (modifiers == 0 && (event->keyval == GDK_KEY_Up || event->keyval == GDK_KEY_Down)) {
        gboolean up = event->keyval == GDK_KEY_Up;
        GtkTextIter iter;
        gtk_text_buffer_get_iter_at_mark(buffer_of(view), &iter,
                                         gtk_text_buffer_get_insert(buffer_of(view)));
        gboolean inside = up ? gtk_text_view_backward_display_line(GTK_TEXT_VIEW(widget), &iter)
                             : gtk_text_view_forward_display_line(GTK_TEXT_VIEW(widget), &iter);
        return !inside && recall(view, up ? 1 : -1);
    }
    return FALSE;
}

static void on_history_chosen(GtkMenuItem *item, PenPromptView *view)
{
    pen_prompt_view_set_text(view, g_object_get_data(G_OBJECT(item), "prompt"));
    gtk_widget_grab_focus(view->text);
}

static void on_history_clicked(GtkButton *button, PenPromptView *view)
{
    GtkWidget *menu = gtk_menu_new();
    g_auto(GStrv) prompts = load_history(view);
    for (char **prompt = prompts; prompt && *prompt; prompt++) {
        GtkWidget *item = gtk_menu_item_new_with_label(*prompt);
        GtkWidget *label = gtk_bin_get_child(GTK_BIN(item));
        gtk_label_set_ellipsize(GTK_LABEL(label), PANGO_ELLIPSIZE_END);
        gtk_label_set_max_width_chars(GTK_LABEL(label), 60);
        g_object_set_data_full(G_OBJECT(item), "prompt", g_strdup(*prompt), g_free);
        g_signal_connect(item, "activate", G_CALLBACK(on_history_chosen), view);
        gtk_menu_shell_append(GTK_MENU_SHELL(menu), item);
    }
    if (!prompts || !*prompts) {
        GtkWidget *item = gtk_menu_item_new_with_label(_("No prompts yet"));
        gtk_widget_set_sensitive(item, FALSE);
        gtk_menu_shell_append(GTK_MENU_SHELL(menu), item);
    }
    gtk_menu_attach_to_widget(GTK_MENU(menu), GTK_WIDGET(button), NULL);
    g_signal_connect(menu, "selection-done", G_CALLBACK(gtk_widget_destroy), NULL);
    gtk_widget_show_all(menu);
    gtk_menu_popup_at_widget(GTK_MENU(menu), GTK_WIDGET(button), GDK_GRAVITY_SOUTH_EAST,
                             GDK_GRAVITY_NORTH_EAST, NULL);
}

static void pen_prompt_view_finalize(GObject *object)
{
    PenPromptView *view = PEN_PROMPT_VIEW(object);
    g_strfreev(view->recalled);
    g_free(view->draft);
    G_OBJECT_CLASS(pen_prompt_view_parent_class)->finalize(object);
}

static void pen_prompt_view_class_init(PenPromptViewClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_prompt_view_finalize;
    activate_signal = g_signal_new("activate", PEN_TYPE_PROMPT_VIEW, G_SIGNAL_RUN_LAST, 0, NULL,
                                   NULL, NULL, G_TYPE_NONE, 0);
    changed_signal = g_signal_new("changed", PEN_TYPE_PROMPT_VIEW, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                  NULL, G_TYPE_NONE, 0);
}

static void pen_prompt_view_init(PenPromptView *view)
{
    gtk_orientable_set_orientation(GTK_ORIENTABLE(view), GTK_ORIENTATION_VERTICAL);
    gtk_box_set_spacing(GTK_BOX(view), 3);
    view->recall_at = -1;

    view->text = gtk_text_view_new();
    gtk_text_view_set_wrap_mode(GTK_TEXT_VIEW(view->text), GTK_WRAP_WORD_CHAR);
    gtk_text_view_set_accepts_tab(GTK_TEXT_VIEW(view->text), FALSE);
    gtk_text_view_set_left_margin(GTK_TEXT_VIEW(view->text), 6);
    gtk_text_view_set_right_margin(GTK_TEXT_VIEW(view->text), 6);
    gtk_text_view_set_top_margin(GTK_TEXT_VIEW(view->text), 6);
    gtk_text_view_set_bottom_margin(GTK_TEXT_VIEW(view->text), 6);
    g_signal_connect(view->text, "key-press-event", G_CALLBACK(on_key_press), view);
    g_signal_connect(buffer_of(view), "changed", G_CALLBACK(on_changed), view);
    pen_text_undo_add(view->text);

    GtkWidget *scrolled = gtk_scrolled_window_new(NULL, NULL);
    gtk_scrolled_window_set_shadow_type(GTK_SCROLLED_WINDOW(scrolled), GTK_SHADOW_IN);
    gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scrolled), GTK_POLICY_NEVER,
                                   GTK_POLICY_AUTOMATIC);
    /* It grows with what is written, to about ten lines. */
    gtk_scrolled_window_set_min_content_height(GTK_SCROLLED_WINDOW(scrolled), 64);
    gtk_scrolled_window_set_max_content_height(GTK_SCROLLED_WINDOW(scrolled), 200);
    gtk_scrolled_window_set_propagate_natural_height(GTK_SCROLLED_WINDOW(scrolled), TRUE);
    gtk_container_add(GTK_CONTAINER(scrolled), view->text);

    view->placeholder = pen_ui_label(_("What should be in the picture?"), "pen-hint");
    gtk_widget_set_halign(view->placeholder, GTK_ALIGN_START);
    gtk_widget_set_valign(view->placeholder, GTK_ALIGN_START);
    gtk_widget_set_margin_start(view->placeholder, 9);
    gtk_widget_set_margin_top(view->placeholder, 7);
    /* Only the text decides whether it is seen, also where that was set before the window is shown.
     */
    gtk_widget_show(view->placeholder);
    gtk_widget_set_no_show_all(view->placeholder, TRUE);
    GtkWidget *overlay = gtk_overlay_new();
    gtk_container_add(GTK_CONTAINER(overlay), scrolled);
    gtk_overlay_add_overlay(GTK_OVERLAY(overlay), view->placeholder);
    gtk_overlay_set_overlay_pass_through(GTK_OVERLAY(overlay), view->placeholder, TRUE);

    GtkWidget *top = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    GtkWidget *label = gtk_label_new_with_mnemonic(_("_Prompt"));
    gtk_style_context_add_class(gtk_widget_get_style_context(label), "pen-title");
    gtk_label_set_mnemonic_widget(GTK_LABEL(label), view->text);
    pen_ui_name(view->text, _("Prompt"));
    view->history = pen_ui_icon_button("pan-down-symbolic", _("Earlier prompts"));
    g_signal_connect(view->history, "clicked", G_CALLBACK(on_history_clicked), view);
    gtk_box_pack_start(GTK_BOX(top), label, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(top), view->history, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(view), top, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(view), overlay, FALSE, FALSE, 0);
}

GtkWidget *pen_prompt_view_new(PenApp *app)
{
    PenPromptView *view = g_object_new(PEN_TYPE_PROMPT_VIEW, NULL);
    view->app = app;
    return GTK_WIDGET(view);
}
