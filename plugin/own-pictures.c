// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/own-pictures.h"

#include <glib/gi18n-lib.h>

#include "plugin/image.h"
#include "plugin/ui.h"

/* Enough for any model, and what GIMP gives at most. */
#define MAX_SIDE 1024

typedef struct {
    PenApp *app;
    GtkWidget *button;
    PenOwnPicturesChosen chosen;
    gpointer data;
} Question;

static Question *copy(const Question *question)
{
    return g_memdup2(question, sizeof *question);
}

static void answer(const Question *question, GPtrArray *pictures, GError *error)
{
    if (pictures)
        question->chosen(pictures, question->data);
    else
        pen_app_report(question->app, error);
}

/* --- a folder --------------------------------------------------------------------------------- */

static void on_folder(GtkFileChooser *chooser, const char *path, gpointer data)
{
    Question *question = g_object_get_data(G_OBJECT(chooser), "question");
    GtkEntry *entry = g_object_get_data(G_OBJECT(chooser), "prompt");
    g_autofree char *prompt = g_strstrip(g_strdup(gtk_entry_get_text(entry)));
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) pictures =
        pen_own_pictures_of_folder(path, *prompt ? prompt : NULL, &error);
    answer(question, pictures, error);
}

static void ask_folder(GtkMenuItem *item, Question *question)
{
    GtkWidget *dialog =
        pen_ui_new_file_dialog(question->button, GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER,
                               _("A Folder of Pictures That You Like"), NULL, _("_Learn"),
                               on_folder, question->app);
    GtkWidget *prompt = gtk_entry_new();
    gtk_entry_set_placeholder_text(GTK_ENTRY(prompt), _("As their names or .txt files say"));
    GtkWidget *field = pen_ui_field(_("What they _show"), prompt);
    gtk_widget_show_all(field);
    gtk_file_chooser_set_extra_widget(GTK_FILE_CHOOSER(dialog), field);
    g_object_set_data(G_OBJECT(dialog), "prompt", prompt);
    g_object_set_data_full(G_OBJECT(dialog), "question", copy(question), g_free);
    gtk_window_present(GTK_WINDOW(dialog));
}

/* --- the open images -------------------------------------------------------------------------- */

/* Over white. */
static PenOwnPicture *read_image(GimpImage *image, const char *prompt)
{
    int width = MIN(gimp_image_get_width(image), MAX_SIDE);
    int height = MIN(gimp_image_get_height(image), MAX_SIDE);
    g_autoptr(GdkPixbuf) seen =
        gimp_image_get_thumbnail(image, width, height, GIMP_PIXBUF_KEEP_ALPHA);
    if (!seen)
        return NULL;
    g_autofree char *label = pen_image_label(image);
    PenOwnPicture *picture = pen_own_picture_new(label, prompt);
    int channels = gdk_pixbuf_get_n_channels(seen), stride = gdk_pixbuf_get_rowstride(seen);
    const guint8 *pixels = gdk_pixbuf_read_pixels(seen);
    picture->width = (guint)gdk_pixbuf_get_width(seen);
    picture->height = (guint)gdk_pixbuf_get_height(seen);
    picture->rgb = g_new(guint8, (gsize)picture->width * picture->height * 3);
    for (guint i = 0; i < picture->width * picture->height; i++) {
        const guint8 *p = pixels + (gsize)(i / picture->width) * (gsize)stride +
                          (i % picture->width) * (guint)channels;
        guint alpha = channels == 4 ? p[3] : 255;
        for (guint c = 0; c < 3; c++)
            picture->rgb[3 * i + c] = (guint8)((p[c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
    return picture;
}

static void on_prompt(const char *prompt, gpointer data)
{
    const Question *question = data;
    g_autofree GimpImage **images = gimp_get_images();
    g_autoptr(GPtrArray) pictures =
        g_ptr_array_new_with_free_func((GDestroyNotify)pen_own_picture_free);
    for (GimpImage **image = images; image && *image; image++) {
        PenOwnPicture *picture = read_image(*image, prompt);
        if (picture)
            g_ptr_array_add(pictures, picture);
    }
    if (pictures->len)
        answer(question, pictures, NULL);
    else
        pen_app_notify(question->app, GTK_MESSAGE_INFO,
                       _("No image is open. Open pictures that you like in GIMP."));
}

static void ask_images(GtkMenuItem *item, Question *question)
{
    /* It lives as long as the button, which outlives the dialog. */
    Question *kept = copy(question);
    g_object_set_data_full(G_OBJECT(question->button), "question", kept, g_free);
    pen_ui_ask(question->button, _("The Open Images"), _("What they _show"), "", _("_Learn"),
               on_prompt, kept);
}

/* --- the menu --------------------------------------------------------------------------------- */

static void add(GtkWidget *menu, const char *label, GCallback callback, const Question *question)
{
    GtkWidget *item = gtk_menu_item_new_with_mnemonic(label);
    g_signal_connect_data(item, "activate", callback, copy(question),
                          (GClosureNotify)(void (*)(void))g_free, 0);
    gtk_menu_shell_append(GTK_MENU_SHELL(menu), item);
}

void pen_own_pictures_ask(PenApp *app, GtkWidget *button, PenOwnPicturesChosen chosen,
                          gpointer data)
{
    const Question question = { app, button, chosen, data };
    GtkWidget *menu = gtk_menu_new();
    add(menu, _("_A Folder…"), G_CALLBACK(ask_folder), &question);
    add(menu, _("The _Open Images…"), G_CALLBACK(ask_images), &question);
    g_signal_connect(menu, "selection-done", G_CALLBACK(gtk_widget_destroy), NULL);
    gtk_widget_show_all(menu);
    gtk_menu_attach_to_widget(GTK_MENU(menu), button, NULL);
    gtk_menu_popup_at_widget(GTK_MENU(menu), button, GDK_GRAVITY_SOUTH_WEST, GDK_GRAVITY_NORTH_WEST,
                             NULL);
}
