// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/picture-use.h"

#include <glib/gi18n-lib.h>

#include "plugin/ui.h"

static char *layer_name(PenApp *app, const PenPictureUse *use)
{
    g_autoptr(PenRound) round = pen_store_get_round(pen_app_store(app), use->round, NULL);
    return pen_image_layer_name(round ? round->prompt : NULL);
}

void pen_picture_open(PenApp *app, const PenPictureUse *use)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *name = layer_name(app, use);
    GimpImage *image = pen_image_new(use->picture, name, &error);
    if (!image) {
        pen_app_report(app, error);
        return;
    }
    gimp_display_new(image);
    pen_app_set_image(app, image);
}

void pen_picture_insert(PenApp *app, const PenPictureUse *use)
{
    GimpImage *image = pen_app_image(app);
    if (!image) {
        pen_picture_open(app, use);
        return;
    }
    g_autoptr(GError) error = NULL;
    g_autofree char *name = layer_name(app, use);
    if (!pen_image_insert(image, use->spot, use->picture, name, &error)) {
        pen_app_report(app, error);
        return;
    }
    g_autofree char *file = gimp_image_get_name(image);
    g_autofree char *text = g_strdup_printf(_("Inserted as a layer into %s."), file);
    pen_app_notify(app, GTK_MESSAGE_INFO, text);
}

/* --- saving ---------------------------------------------------------------------------------- */

static void on_copied(GObject *from, GAsyncResult *result, gpointer data)
{
    PenApp *app = g_object_get_data(G_OBJECT(data), "app");
    g_autoptr(GError) error = NULL;
    if (g_file_copy_finish(G_FILE(from), result, &error)) {
        g_autofree char *text =
            g_strdup_printf(_("Saved as %s."), (char *)g_object_get_data(G_OBJECT(from), "to"));
        pen_app_notify(app, GTK_MESSAGE_INFO, text);
    } else {
        pen_app_report(app, error);
    }
    pen_app_end_job(app, data);
}

/* The stored file, which holds the settings of the round too. */
static void on_save_file(GtkFileChooser *chooser, const char *path, gpointer data)
{
    g_autoptr(GFile) from = g_file_new_for_path(g_object_get_data(G_OBJECT(chooser), "from"));
    g_autoptr(GFile) to = g_file_new_for_path(path);
    g_object_set_data_full(G_OBJECT(from), "to", g_strdup(path), g_free);
    /* The job is not the copy's cancellable: a window that closes waits for the file. */
    GCancellable *job = pen_app_begin_job(data);
    g_object_set_data_full(G_OBJECT(job), "app", g_object_ref(data), g_object_unref);
    g_file_copy_async(from, to, G_FILE_COPY_OVERWRITE | G_FILE_COPY_TARGET_DEFAULT_PERMS,
                      G_PRIORITY_DEFAULT, NULL, NULL, NULL, on_copied, job);
}

void pen_picture_save(PenApp *app, const PenPictureUse *use, GtkWidget *parent)
{
    PenStore *store = pen_app_store(app);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) candidates = pen_store_list_candidates(store, use->round, &error);
    if (!candidates || use->place >= (int)candidates->len) {
        pen_app_report(app, error);
        return;
    }
    const PenCandidate *candidate = candidates->pdata[use->place];
    g_autofree char *name = layer_name(app, use);
    g_autofree char *file = g_strdup_printf("%s.png", name);
    GtkWidget *dialog =
        pen_ui_new_file_dialog(parent, GTK_FILE_CHOOSER_ACTION_SAVE, _("Save the Picture"), file,
                               _("_Save"), on_save_file, app);
    g_object_set_data_full(G_OBJECT(dialog), "from", pen_store_path(store, candidate->picture_file),
                           g_free);
    gtk_window_present(GTK_WINDOW(dialog));
}
