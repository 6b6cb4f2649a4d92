// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/picture-use.h"

#include <glib/gi18n-lib.h>

#include "plugin/image.h"
#include "plugin/insert.h"
#include "plugin/ui.h"

/* Pixels that take more than a second to make. */
#define LARGE 4000000

static void insertion_clear(gpointer data)
{
    pen_spot_free(((PenInsertion *)data)->spot);
}

void pen_insertion_unref(PenInsertion *insertion)
{
    g_rc_box_release_full(insertion, insertion_clear);
}

GimpLayer *pen_insertion_find_layer(const PenInsertion *insertion)
{
    return gimp_item_id_is_layer(insertion->layer) ? gimp_layer_get_by_id(insertion->layer) : NULL;
}

static char *layer_name(PenApp *app, const PenPictureUse *use)
{
    g_autoptr(PenRound) round = pen_store_get_round(pen_app_store(app), use->round, NULL);
    return pen_image_layer_name(round ? round->prompt : NULL);
}

/* An insert under way: a window that closes waits for it. */
typedef struct {
    PenApp *app;
    GCancellable *job;
    PenPictureUse use; /* its references are counted */
} Inserting;

static Inserting *begin(PenApp *app, const PenPictureUse *use)
{
    Inserting *inserting = g_new(Inserting, 1);
    *inserting = (Inserting){ g_object_ref(app), pen_app_begin_job(app), *use };
    g_object_ref(use->picture);
    if (use->replaces)
        g_rc_box_acquire(use->replaces);
    return inserting;
}

static void end(Inserting *inserting, const GError *error)
{
    if (error)
        pen_app_report(inserting->app, error);
    pen_app_end_job(inserting->app, inserting->job);
    g_object_unref(inserting->app);
    g_object_unref(inserting->use.picture);
    g_clear_pointer(&inserting->use.replaces, pen_insertion_unref);
    g_free(inserting);
}

static void on_opened(GObject *source, GAsyncResult *result, gpointer data)
{
    Inserting *inserting = data;
    g_autoptr(GError) error = NULL;
    GimpImage *image = pen_insert_as_image_finish(result, &error);
    if (image) {
        gimp_display_new(image);
        pen_app_set_image(inserting->app, image);
    }
    end(inserting, error);
}

void pen_picture_open(PenApp *app, const PenPictureUse *use)
{
    g_autofree char *name = layer_name(app, use);
    pen_insert_as_image_async(use->picture, name, on_opened, begin(app, use));
}

static void on_inserted(GObject *source, GAsyncResult *result, gpointer data)
{
    Inserting *inserting = data;
    const PenPictureUse *use = &inserting->use;
    g_autoptr(GError) error = NULL;
    PenSpot *spot;
    GimpLayer *layer = pen_insert_finish(result, &spot, &error);
    if (layer) {
        GimpLayer *replaced = use->replaces ? pen_insertion_find_layer(use->replaces) : NULL;
        if (replaced) {
            gimp_item_set_visible(GIMP_ITEM(replaced), FALSE);
            gimp_displays_flush();
        }
        g_autoptr(PenInsertion) insertion = g_rc_box_new0(PenInsertion);
        insertion->layer = gimp_item_get_id(GIMP_ITEM(layer));
        insertion->round = use->round;
        insertion->place = use->place;
        insertion->spot = spot;
        insertion->area = pen_image_layer_bounds(layer);
        insertion->coarse = spot->place.width > gdk_pixbuf_get_width(use->picture);
        pen_app_inserted(inserting->app, insertion);
    }
    end(inserting, error);
}

void pen_picture_insert(PenApp *app, const PenPictureUse *use)
{
    const PenInsertion *replaces = use->replaces;
    GimpLayer *replaced = replaces ? pen_insertion_find_layer(replaces) : NULL;
    GimpImage *image = replaced ? gimp_item_get_image(GIMP_ITEM(replaced)) : pen_app_image(app);
    if (!image) {
        pen_picture_open(app, use);
        return;
    }
    PenSpot *spot = replaced ? pen_spot_follow(replaces->spot, &replaces->area, replaced,
                                               gdk_pixbuf_get_width(use->picture),
                                               gdk_pixbuf_get_height(use->picture))
                             : pen_spot_for_insert(pen_app_store(app), use->round, image,
                                                   use->picture, pen_app_settings(app));
    g_autofree char *name = layer_name(app, use);
    if ((gint64)spot->place.width * spot->place.height >= LARGE)
        pen_app_notify(app, GTK_MESSAGE_INFO, _("The picture is being inserted; it is large."));
    pen_insert_async(image, spot, use->picture, name, on_inserted, begin(app, use));
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
