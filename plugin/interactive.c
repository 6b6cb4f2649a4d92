// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/interactive.h"

#include <glib/gi18n-lib.h>
#include <libgimp/gimpui.h>

#include "plugin/window.h"

#define PRESENT "plug-in-penchant-present"

static GimpValueArray *run_present(GimpProcedure *procedure, GimpProcedureConfig *config,
                                   gpointer data)
{
    g_autoptr(GimpImage) image = NULL;
    g_object_get(config, "image", &image, NULL);
    gboolean shown = pen_window_present(data, image);
    return gimp_procedure_new_return_values(procedure, shown ? GIMP_PDB_SUCCESS : GIMP_PDB_CANCEL,
                                            NULL);
}

/* Lets a later start find this window. */
static void offer_window(GimpPlugIn *plug_in, GtkWidget *window)
{
    g_autoptr(GimpProcedure) procedure = gimp_procedure_new(
        plug_in, PRESENT, GIMP_PDB_PROC_TYPE_TEMPORARY, run_present, window, NULL);
    gimp_procedure_set_documentation(procedure, "Shows the window of Penchant", NULL, NULL);
    gimp_procedure_add_image_argument(procedure, "image", "Image", "What pictures go into", TRUE,
                                      G_PARAM_READWRITE);
    gimp_plug_in_add_temp_procedure(plug_in, procedure);
    gimp_plug_in_persistent_enable(plug_in);
}

static gboolean present_other(GimpImage *image)
{
    GimpPDB *pdb = gimp_get_pdb();
    if (!gimp_pdb_procedure_exists(pdb, PRESENT))
        return FALSE;
    GimpProcedure *procedure = gimp_pdb_lookup_procedure(pdb, PRESENT);
    g_autoptr(GimpProcedureConfig) config =
        procedure ? gimp_procedure_create_config(procedure) : NULL;
    if (!config)
        return FALSE;
    g_object_set(config, "image", image, NULL);
    GimpValueArray *values = gimp_procedure_run_config(procedure, config);
    gboolean shown = values && GIMP_VALUES_GET_ENUM(values, 0) == GIMP_PDB_SUCCESS;
    g_clear_pointer(&values, gimp_value_array_unref);
    return shown;
}

void pen_interactive_run(GimpProcedure *procedure, GimpImage *image)
{
    if (present_other(image))
        return;
    gimp_ui_init("penchant");
    GtkWidget *window = pen_window_new(image);
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_signal_connect_swapped(window, "destroy", G_CALLBACK(g_main_loop_quit), loop);
    gtk_window_present(GTK_WINDOW(window));
    GimpPlugIn *plug_in = gimp_procedure_get_plug_in(procedure);
    /* An image can be closed at any moment: what then fails is dealt with here, without GIMP's box. */
    gimp_plug_in_set_pdb_error_handler(plug_in, GIMP_PDB_ERROR_HANDLER_PLUGIN);
    offer_window(plug_in, window);
    g_main_loop_run(loop);
    gimp_plug_in_remove_temp_procedure(plug_in, PRESENT);
}
