// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/prompt-view.h"

#include <glib/gi18n-lib.h>

#include "plugin/text-undo.h"
#include "plugin/ui.h"
#include "src/models/model.h"

#define HISTORY 20
#define COUNT_MS 150 /* after the last letter */

struct _PenPromptView {
    GtkBox parent;
    PenApp *app;
    GtkWidget *text, *placeholder, *history, *count, *few;
    guint counting; /* the count is not of this text yet */
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

/* --- how many words fit, and which are known -------------------------------------------------- */

static gboolean show_count(gpointer data)
{
    PenPromptView *view = data;
    view->counting = 0;
    const PenModelInfo *model = pen_app_model(view->app);
    if (!model) {
        gtk_label_set_text(GTK_LABEL(view->count), "");
        return G_SOURCE_REMOVE;
    }
    g_autofree char *text = pen_prompt_view_get_text(view);
    PenPromptLength length =
        pen_model_info_measure(model, text, pen_app_settings(view->app)->words);
    g_autofree char *numbers = length.cut ? g_strdup_printf(_("too long for %u"), length.room)
                                          : g_strdup_printf(_("%u of %u"), length.used, length.room);
    g_autofree char *hint =
        length.cut ? g_strdup(_("The end of the prompt is left out: the model reads no more words"))
        : length.parts > 1
            ? g_strdup_printf(_("Words, and parts of rare ones, of those that fit; the model reads "
                                "the prompt in %u parts"),
                              length.parts)
            : g_strdup(_("Words, and parts of rare ones, of those that fit"));
    gtk_label_set_text(GTK_LABEL(view->count), numbers);
    gtk_widget_set_tooltip_text(view->count, hint);
    GtkStyleContext *style = gtk_widget_get_style_context(view->count);
    if (length.cut)
        gtk_style_context_add_class(style, "pen-too-long");
    else
        gtk_style_context_remove_class(style, "pen-too-long");
    return G_SOURCE_REMOVE;
}

static void count_soon(PenPromptView *view)
{
    g_clear_handle_id(&view->counting, g_source_remove);
    view->counting = g_timeout_add(COUNT_MS, show_count, view);
}

static void on_model_changed(PenPromptView *view)
{
    const PenModelInfo *model = pen_app_model(view->app);
    count_soon(view);
    if (model)
        gtk_widget_set_visible(view->few, model->words != NULL);
}

static void on_few_clicked(GtkButton *button, PenPromptView *view)
{
    const PenModelInfo *model = pen_app_model(view->app);
    if (!model || !model->words)
        return;
    g_autofree char *words = g_strjoinv(", ", model->words);
    g_autofree char *folder = pen_model_user_folder();
    g_autofree char *text = g_strdup_printf(
        _("This is a small model to try Penchant with. It knows these words:\n\n%s\n\nModels that know "
          "more are Stable Diffusion 1.5, 2.1 and SDXL and what others have made of them, as "
          "artists share them on Hugging Face and Civitai. Drop the .safetensors file on this "
          "window, choose it under “Model”, or put it into %s."),
        words, folder);
    GtkWidget *label = pen_ui_label(text, NULL);
    gtk_label_set_max_width_chars(GTK_LABEL(label), 48);
    gtk_label_set_selectable(GTK_LABEL(label), TRUE);
    gtk_widget_set_can_focus(label, FALSE);
    GtkWidget *popover = gtk_popover_new(GTK_WIDGET(button));
    gtk_container_set_border_width(GTK_CONTAINER(popover), 12);
    gtk_container_add(GTK_CONTAINER(popover), label);
    gtk_widget_show(label);
    g_signal_connect(popover, "closed", G_CALLBACK(gtk_widget_destroy), NULL);
    gtk_popover_popup(GTK_POPOVER(popover));
}

static void on_changed(GtkTextBuffer *buffer, PenPromptView *view)
{
    if (view->app)
        count_soon(view);
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
    g_clear_handle_id(&view->counting, g_source_remove);
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
    view->count = pen_ui_name(gtk_label_new(NULL), _("Words of the prompt"));
    gtk_style_context_add_class(gtk_widget_get_style_context(view->count), "pen-hint");
    gtk_box_pack_end(GTK_BOX(top), view->count, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(view), top, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(view), overlay, FALSE, FALSE, 0);
    view->few = gtk_button_new_with_label(_("A small model: see its words"));
    gtk_button_set_relief(GTK_BUTTON(view->few), GTK_RELIEF_NONE);
    GtkWidget *few = gtk_bin_get_child(GTK_BIN(view->few));
    gtk_label_set_line_wrap(GTK_LABEL(few), TRUE);
    gtk_label_set_xalign(GTK_LABEL(few), 0);
    gtk_style_context_add_class(gtk_widget_get_style_context(view->few), "pen-small");
    gtk_style_context_add_class(gtk_widget_get_style_context(view->few), "pen-hint");
    gtk_widget_show_all(view->few);
    gtk_widget_hide(view->few);
    gtk_widget_set_no_show_all(view->few, TRUE);
    g_signal_connect(view->few, "clicked", G_CALLBACK(on_few_clicked), view);
    gtk_box_pack_start(GTK_BOX(view), view->few, FALSE, FALSE, 0);
}

GtkWidget *pen_prompt_view_new(PenApp *app)
{
    PenPromptView *view = g_object_new(PEN_TYPE_PROMPT_VIEW, NULL);
    view->app = app;
    static const char *const causes[] = { "model-changed", "opened" };
    for (guint i = 0; i < G_N_ELEMENTS(causes); i++)
        g_signal_connect_object(app, causes[i], G_CALLBACK(on_model_changed), view,
                                G_CONNECT_SWAPPED);
    return GTK_WIDGET(view);
}
