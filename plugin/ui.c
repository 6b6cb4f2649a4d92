// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/ui.h"

#include <glib/gi18n-lib.h>

GtkWidget *pen_ui_name(GtkWidget *widget, const char *name)
{
    atk_object_set_name(gtk_widget_get_accessible(widget), name);
    return widget;
}

void pen_ui_announce(GtkWidget *widget, const char *text)
{
    /* Since ATK 2.46. */
    AtkObject *speaker = gtk_widget_get_accessible(widget);
    if (g_signal_lookup("announcement", ATK_TYPE_OBJECT))
        g_signal_emit_by_name(speaker, "announcement", text);
}

typedef struct {
    guint *source;
    PenUiLater func;
    gpointer data;
} Later;

static gboolean do_later(gpointer data)
{
    const Later *later = data;
    *later->source = 0;
    later->func(later->data);
    return G_SOURCE_REMOVE;
}

void pen_ui_later(guint *source, PenUiLater func, gpointer data)
{
    if (*source)
        return;
    Later *later = g_new(Later, 1);
    *later = (Later){ source, func, data };
    /* Before the next drawing, so that nothing flickers. */
    *source = g_idle_add_full(G_PRIORITY_HIGH_IDLE, do_later, later, g_free);
}

void pen_ui_clear(GtkWidget *container)
{
    gtk_container_foreach(GTK_CONTAINER(container), (GtkCallback)(void (*)(void))gtk_widget_destroy,
                          NULL);
}

GtkWidget *pen_ui_label(const char *text, const char *css_class)
{
    GtkWidget *label = gtk_label_new(text);
    gtk_label_set_xalign(GTK_LABEL(label), 0);
    gtk_label_set_line_wrap(GTK_LABEL(label), TRUE);
    if (css_class)
        gtk_style_context_add_class(gtk_widget_get_style_context(label), css_class);
    return label;
}

static GtkWidget *new_caption(const char *mnemonic, GtkWidget *widget)
{
    GtkWidget *label = gtk_label_new_with_mnemonic(mnemonic);
    gtk_label_set_xalign(GTK_LABEL(label), 0);
    gtk_style_context_add_class(gtk_widget_get_style_context(label), "pen-caption");
    gtk_label_set_mnemonic_widget(GTK_LABEL(label), widget);
    return label;
}

GtkWidget *pen_ui_field(const char *mnemonic, GtkWidget *widget)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 3);
    GtkWidget *label = new_caption(mnemonic, widget);
    gtk_box_pack_start(GTK_BOX(box), label, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), widget, TRUE, TRUE, 0);
    pen_ui_name(widget, gtk_label_get_text(GTK_LABEL(label)));
    return box;
}

GtkWidget *pen_ui_heading(const char *mnemonic, GtkWidget *button)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    gtk_box_pack_start(GTK_BOX(box), new_caption(mnemonic, button), TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(box), button, FALSE, FALSE, 0);
    return box;
}

GtkWidget *pen_ui_icon_button(const char *icon, const char *name)
{
    GtkWidget *button = gtk_button_new_from_icon_name(icon, GTK_ICON_SIZE_BUTTON);
    gtk_button_set_relief(GTK_BUTTON(button), GTK_RELIEF_NONE);
    gtk_widget_set_tooltip_text(button, name);
    gtk_widget_set_valign(button, GTK_ALIGN_CENTER);
    return pen_ui_name(button, name);
}

static char *format_percent(GtkScale *scale, double value, gpointer data)
{
    return g_strdup_printf(_("%d %%"), (int)(value * 100 + 0.5));
}

GtkWidget *pen_ui_percent_scale(const char *name, double low, double high)
{
    GtkWidget *scale = gtk_scale_new_with_range(GTK_ORIENTATION_HORIZONTAL, low, high, 0.05);
    gtk_scale_set_value_pos(GTK_SCALE(scale), GTK_POS_RIGHT);
    g_signal_connect(scale, "format-value", G_CALLBACK(format_percent), NULL);
    return pen_ui_name(scale, name);
}

char *pen_ui_time_left(double seconds)
{
    if (!(seconds >= 0) || seconds > 86400 * 7)
        return NULL;
    if (seconds < 60) {
        int n = MAX((int)(seconds + 0.5), 1);
        return g_strdup_printf(ngettext("%d second left", "%d seconds left", n), n);
    }
    if (seconds < 3600) {
        int n = (int)(seconds / 60 + 0.5);
        return g_strdup_printf(ngettext("%d minute left", "%d minutes left", n), n);
    }
    int n = (int)(seconds / 3600 + 0.5);
    return g_strdup_printf(ngettext("%d hour left", "%d hours left", n), n);
}

GtkWidget *pen_ui_ellipsize(GtkWidget *combo)
{
    g_autoptr(GList) cells = gtk_cell_layout_get_cells(GTK_CELL_LAYOUT(combo));
    g_object_set(cells->data, "ellipsize", PANGO_ELLIPSIZE_END, NULL);
    return combo;
}

/* GTK takes a typed number when the field is left; a session can end before that. One that is
 * whole, as it would be written, is taken at once. */
static void on_spin_typed(GtkSpinButton *spin)
{
    double low, high, value = g_strtod(gtk_entry_get_text(GTK_ENTRY(spin)), NULL);
    g_autofree char *written =
        g_strdup_printf("%.*f", (int)gtk_spin_button_get_digits(spin), value);
    gtk_spin_button_get_range(spin, &low, &high);
    if (value >= low && value <= high && value != gtk_spin_button_get_value(spin) &&
        g_str_equal(written, gtk_entry_get_text(GTK_ENTRY(spin))))
        gtk_spin_button_set_value(spin, value);
}

GtkWidget *pen_ui_spin(double low, double high, double step, double value)
{
    GtkWidget *spin = gtk_spin_button_new_with_range(low, high, step);
    gtk_spin_button_set_value(GTK_SPIN_BUTTON(spin), value);
    gtk_widget_set_valign(spin, GTK_ALIGN_START);
    g_signal_connect(spin, "changed", G_CALLBACK(on_spin_typed), NULL);
    return spin;
}

static double spin_lowest(GtkSpinButton *spin)
{
    double lowest;
    gtk_spin_button_get_range(spin, &lowest, NULL);
    return lowest;
}

static gboolean write_lowest(GtkSpinButton *spin, const char *word)
{
    if (gtk_spin_button_get_value(spin) > spin_lowest(spin))
        return FALSE;
    if (strcmp(gtk_entry_get_text(GTK_ENTRY(spin)), word) != 0)
        gtk_entry_set_text(GTK_ENTRY(spin), word);
    return TRUE;
}

static int read_lowest(GtkSpinButton *spin, double *value, const char *word)
{
    if (g_ascii_strcasecmp(gtk_entry_get_text(GTK_ENTRY(spin)), word) != 0)
        return FALSE;
    *value = spin_lowest(spin);
    return TRUE;
}

void pen_ui_spin_name_lowest(GtkWidget *spin, const char *word)
{
    gtk_spin_button_set_numeric(GTK_SPIN_BUTTON(spin), FALSE); /* a word may be typed and shown */
    g_signal_connect(spin, "output", G_CALLBACK(write_lowest), (gpointer)word);
    g_signal_connect(spin, "input", G_CALLBACK(read_lowest), (gpointer)word);
    gtk_spin_button_update(GTK_SPIN_BUTTON(spin));
}

GtkWidget *pen_ui_check(const char *mnemonic)
{
    GtkWidget *check = gtk_check_button_new_with_mnemonic(mnemonic);
    GtkLabel *label = GTK_LABEL(gtk_bin_get_child(GTK_BIN(check)));
    gtk_label_set_line_wrap(label, TRUE);
    gtk_label_set_xalign(label, 0);
    return check;
}

GtkWidget *pen_ui_pair(GtkWidget *left, GtkWidget *right)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
    gtk_box_set_homogeneous(GTK_BOX(box), TRUE);
    gtk_box_pack_start(GTK_BOX(box), left, TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(box), right, TRUE, TRUE, 0);
    return box;
}

GtkWidget *pen_ui_scrolled(GtkWidget *view)
{
    GtkScrolledWindow *scrolled = GTK_SCROLLED_WINDOW(gtk_scrolled_window_new(NULL, NULL));
    gtk_scrolled_window_set_policy(scrolled, GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
    /* A bar that hides would hide that there is more. */
    gtk_scrolled_window_set_overlay_scrolling(scrolled, FALSE);
    gtk_container_add(GTK_CONTAINER(scrolled), view);
    gtk_container_set_focus_vadjustment(GTK_CONTAINER(view),
                                        gtk_scrolled_window_get_vadjustment(scrolled));
    return GTK_WIDGET(scrolled);
}

/* With Shift a digit becomes a sign that depends on the keyboard. */
int pen_ui_digit(const GdkEventKey *event)
{
    if (event->keyval >= GDK_KEY_KP_0 && event->keyval <= GDK_KEY_KP_9)
        return event->keyval - GDK_KEY_KP_0;
    GdkKeymap *keymap = gdk_keymap_get_for_display(gdk_display_get_default());
    GdkKeymapKey *keys = NULL;
    guint *values = NULL;
    int n = 0, digit = -1;
    gdk_keymap_get_entries_for_keycode(keymap, event->hardware_keycode, &keys, &values, &n);
    for (int i = 0; i < n && digit < 0; i++) {
        if (keys[i].group == event->group && values[i] >= GDK_KEY_0 && values[i] <= GDK_KEY_9)
            digit = values[i] - GDK_KEY_0;
    }
    g_free(keys);
    g_free(values);
    return digit;
}

#define ICON_SIZE 96

/* GtkImage would blur a pixbuf on a HiDPI screen; which screen it is may change. */
static void draw_icon(GtkImage *image)
{
    int factor = gtk_widget_get_scale_factor(GTK_WIDGET(image));
    g_autoptr(GdkPixbuf) picture = pen_ui_icon(ICON_SIZE * factor);
    if (!picture)
        return;
    cairo_surface_t *surface = gdk_cairo_surface_create_from_pixbuf(picture, factor, NULL);
    gtk_image_set_from_surface(image, surface);
    cairo_surface_destroy(surface);
}

GtkWidget *pen_ui_placeholder(const char *title, const char *text)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 9);
    gtk_widget_set_valign(box, GTK_ALIGN_CENTER);
    gtk_widget_set_halign(box, GTK_ALIGN_CENTER);
    gtk_container_set_border_width(GTK_CONTAINER(box), 18);
    GtkWidget *icon = gtk_image_new();
    g_signal_connect(icon, "notify::scale-factor", G_CALLBACK(draw_icon), NULL);
    draw_icon(GTK_IMAGE(icon));
    gtk_box_pack_start(GTK_BOX(box), icon, FALSE, FALSE, 0);
    GtkWidget *labels[] = { pen_ui_label(title, "pen-display"), pen_ui_label(text, NULL) };
    for (int i = 0; i < 2; i++) {
        gtk_label_set_max_width_chars(GTK_LABEL(labels[i]), 46);
        gtk_label_set_xalign(GTK_LABEL(labels[i]), 0.5);
        gtk_label_set_justify(GTK_LABEL(labels[i]), GTK_JUSTIFY_CENTER);
        gtk_box_pack_start(GTK_BOX(box), labels[i], FALSE, FALSE, 0);
    }
    return box;
}

static void on_ask_changed(GtkEntry *entry, GtkDialog *dialog)
{
    g_autofree char *text = g_strstrip(g_strdup(gtk_entry_get_text(entry)));
    gtk_dialog_set_response_sensitive(dialog, GTK_RESPONSE_OK, *text != 0);
}

typedef struct {
    GtkWidget *entry;
    PenUiAnswer answered;
    PenUiFile chosen;
    gpointer data;
} Question;

static void destroy_now(gpointer dialog)
{
    gtk_widget_destroy(dialog);
    g_object_unref(dialog);
}

/* Its entry may still be busy with the Enter that it was answered with. */
static void dismiss(GtkDialog *dialog)
{
    gtk_widget_hide(GTK_WIDGET(dialog));
    g_idle_add_once(destroy_now, g_object_ref(dialog));
}

static void on_asked(GtkDialog *dialog, int response, Question *question)
{
    g_autofree char *answer = NULL;
    if (response == GTK_RESPONSE_OK)
        answer = g_strstrip(g_strdup(gtk_entry_get_text(GTK_ENTRY(question->entry))));
    PenUiAnswer answered = question->answered;
    gpointer data = question->data;
    dismiss(dialog);
    if (answer && *answer)
        answered(answer, data);
}

/* GTK lets its own responses choose a file or a folder, not either: to it this one means nothing.
 */
#define RESPONSE_PATH 1

static void on_file_chosen(GtkDialog *dialog, int response, Question *question)
{
    dismiss(dialog);
    if (response == GTK_RESPONSE_ACCEPT || response == RESPONSE_PATH) {
        g_autofree char *path = gtk_file_chooser_get_filename(GTK_FILE_CHOOSER(dialog));
        if (!path && response == RESPONSE_PATH)
            path = gtk_file_chooser_get_current_folder(GTK_FILE_CHOOSER(dialog));
        if (path)
            question->chosen(GTK_FILE_CHOOSER(dialog), path, question->data);
    }
}

static void connect_question(GtkWidget *dialog, GCallback callback, Question *question)
{
    g_signal_connect_data(dialog, "response", callback, question,
                          (GClosureNotify)(void (*)(void))g_free, 0);
}

void pen_ui_ask(GtkWidget *parent, const char *title, const char *label, const char *text,
                const char *button, PenUiAnswer answered, gpointer data)
{
    GtkWidget *dialog =
        gtk_dialog_new_with_buttons(title, GTK_WINDOW(gtk_widget_get_toplevel(parent)),
                                    GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT, _("_Cancel"),
                                    GTK_RESPONSE_CANCEL, button, GTK_RESPONSE_OK, NULL);
    gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_OK);
    gtk_style_context_add_class(gtk_widget_get_style_context(gtk_dialog_get_widget_for_response(
                                    GTK_DIALOG(dialog), GTK_RESPONSE_OK)),
                                GTK_STYLE_CLASS_SUGGESTED_ACTION);
    GtkWidget *entry = gtk_entry_new();
    gtk_entry_set_activates_default(GTK_ENTRY(entry), TRUE);
    gtk_entry_set_width_chars(GTK_ENTRY(entry), 30);
    g_signal_connect(entry, "changed", G_CALLBACK(on_ask_changed), dialog);
    gtk_entry_set_text(GTK_ENTRY(entry), text);
    on_ask_changed(GTK_ENTRY(entry), GTK_DIALOG(dialog));
    GtkWidget *field = pen_ui_field(label, entry);
    gtk_container_set_border_width(GTK_CONTAINER(field), 12);
    gtk_container_add(GTK_CONTAINER(gtk_dialog_get_content_area(GTK_DIALOG(dialog))), field);
    gtk_widget_show_all(field);
    Question *question = g_new0(Question, 1);
    *question = (Question){ .entry = entry, .answered = answered, .data = data };
    connect_question(dialog, G_CALLBACK(on_asked), question);
    gtk_window_present(GTK_WINDOW(dialog));
}

/* `accept`: the response of the button. */
static GtkWidget *new_chooser(GtkWidget *parent, GtkFileChooserAction action, const char *title,
                              const char *button, int accept, PenUiFile chosen, gpointer data)
{
    GtkWidget *dialog =
        gtk_file_chooser_dialog_new(title, GTK_WINDOW(gtk_widget_get_toplevel(parent)), action,
                                    _("_Cancel"), GTK_RESPONSE_CANCEL, button, accept, NULL);
    gtk_window_set_modal(GTK_WINDOW(dialog), TRUE);
    gtk_window_set_destroy_with_parent(GTK_WINDOW(dialog), TRUE);
    gtk_dialog_set_default_response(GTK_DIALOG(dialog), accept);
    /* In place of GTK's list of files that were used lately, which has no model and no adapter. */
    if (action != GTK_FILE_CHOOSER_ACTION_SAVE)
        gtk_file_chooser_set_current_folder(GTK_FILE_CHOOSER(dialog), g_get_home_dir());
    Question *question = g_new0(Question, 1);
    *question = (Question){ .chosen = chosen, .data = data };
    connect_question(dialog, G_CALLBACK(on_file_chosen), question);
    return dialog;
}

GtkWidget *pen_ui_new_file_dialog(GtkWidget *parent, GtkFileChooserAction action, const char *title,
                                  const char *name, const char *button, PenUiFile chosen,
                                  gpointer data)
{
    GtkWidget *dialog =
        new_chooser(parent, action, title, button, GTK_RESPONSE_ACCEPT, chosen, data);
    if (name) {
        g_autofree char *plain = g_strdelimit(g_strdup(name), "/\\", '-');
        gtk_file_chooser_set_do_overwrite_confirmation(GTK_FILE_CHOOSER(dialog), TRUE);
        gtk_file_chooser_set_current_name(GTK_FILE_CHOOSER(dialog), plain);
    }
    return dialog;
}

GtkWidget *pen_ui_new_path_dialog(GtkWidget *parent, const char *title, const char *button,
                                  const char *filter, const char *pattern, PenUiFile chosen,
                                  gpointer data)
{
    GtkWidget *dialog = new_chooser(parent, GTK_FILE_CHOOSER_ACTION_OPEN, title, button,
                                    RESPONSE_PATH, chosen, data);
    GtkFileFilter *files = gtk_file_filter_new();
    gtk_file_filter_set_name(files, filter);
    gtk_file_filter_add_pattern(files, pattern);
    gtk_file_chooser_add_filter(GTK_FILE_CHOOSER(dialog), files);
    return dialog;
}

GdkPixbuf *pen_ui_icon(int size)
{
    return gdk_pixbuf_new_from_resource_at_scale("/org/penchant/penchant.svg", size, size, TRUE,
                                                 NULL);
}

void pen_ui_load_css(void)
{
    g_autoptr(GtkCssProvider) provider = gtk_css_provider_new();
    gtk_css_provider_load_from_data(
        provider,
        ".pen-title { font-weight: bold; }"
        ".pen-caption { font-size: 92%; }"
        ".pen-hint { font-size: 92%; opacity: 0.72; }"
        ".pen-too-long { color: #c64600; opacity: 1; font-weight: bold; }"
        ".pen-display { font-size: 150%; font-weight: bold; }"
        ".pen-prompt, .pen-prompt text { padding: 5px; }"
        ".pen-panel { padding: 12px; }"
        ".pen-bar { padding: 6px 12px; }"
        /* GIMP's themes paint a background behind everything, rows included. */
        ".pen-row { padding: 8px; }"
        ".pen-row, .pen-row * { background: none; }"
        ".pen-row:selected { background: alpha(currentColor, 0.16); }"
        ".pen-message { padding: 0; border-radius: 6px; }"
        ".pen-message box { background: none; }"
        ".pen-message > box { padding: 9px 12px; }"
        ".pen-message, .pen-message label, .pen-message image { color: white; }"
        ".pen-message button { color: white; background: alpha(white, 0.16); border: none;"
        "                      box-shadow: none; }"
        ".pen-message image { -gtk-icon-palette: error white, warning white, success white; }"
        ".pen-message.pen-info { background: #2b5f87; }"
        ".pen-message.pen-warning { background: #8a5a00; }"
        ".pen-message.pen-error { background: #a51d2d; }"
        ".pen-past { padding: 3px; border: 2px solid transparent; }"
        ".pen-past.pen-current { border-color: #c64600; }"
        ".pen-star { color: white; background: #c64600; border-radius: 8px; padding: 0 4px;"
        "            font-size: 80%; }"
        ".pen-small { padding: 4px; min-width: 0; min-height: 0; }"
        ".pen-fixed { opacity: 0.72; }"
        ".pen-more > title > arrow { margin-right: 6px; }",
        -1, NULL);
    gtk_style_context_add_provider_for_screen(gdk_screen_get_default(),
                                              GTK_STYLE_PROVIDER(provider),
                                              GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
}
