// SPDX-License-Identifier: GPL-3.0-or-later

/* The plug-in as GIMP sees it: its procedures, and where its translations are. */

#include "config.h"

#include <glib/gi18n-lib.h>
#include <libgimp/gimp.h>

#include "plugin/procedures.h"

typedef struct {
    GimpPlugIn parent;
} PenPlugIn;

typedef struct {
    GimpPlugInClass parent;
} PenPlugInClass;

static GType pen_plug_in_get_type(void);
G_DEFINE_TYPE(PenPlugIn, pen_plug_in, GIMP_TYPE_PLUG_IN)

static GList *pen_plug_in_query(GimpPlugIn *plug_in)
{
    return pen_procedure_names();
}

/*
 * libgimp only looks for catalogues below the plug-in's own folder, where a build folder has them;
 * an installed Penchant shares one catalogue with the command line.
 */
static gboolean pen_plug_in_set_i18n(GimpPlugIn *plug_in, const char *procedure, char **domain,
                                     char **folder)
{
    g_autofree char *here = g_path_get_dirname(gimp_get_progname());
    g_autofree char *own = g_build_filename(here, "locale", NULL);
    bindtextdomain(GETTEXT_PACKAGE, g_file_test(own, G_FILE_TEST_IS_DIR) ? own : LOCALEDIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    textdomain(GETTEXT_PACKAGE); /* ngettext() looks there */
    return FALSE;
}

static void pen_plug_in_class_init(PenPlugInClass *class)
{
    GimpPlugInClass *plug_in_class = GIMP_PLUG_IN_CLASS(class);
    plug_in_class->query_procedures = pen_plug_in_query;
    plug_in_class->create_procedure = pen_procedure_new;
    plug_in_class->set_i18n = pen_plug_in_set_i18n;
}

static void pen_plug_in_init(PenPlugIn *plug_in)
{
}

GIMP_MAIN(pen_plug_in_get_type())
