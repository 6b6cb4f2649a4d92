// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/sampler-fields.h"

#include <glib/gi18n-lib.h>

#include "plugin/ui.h"
#include "src/sampling/method.h"

void pen_sampler_fields_set(GtkWidget *combo, const char *id)
{
    if (!id || !gtk_combo_box_set_active_id(GTK_COMBO_BOX(combo), id))
        gtk_combo_box_set_active_id(GTK_COMBO_BOX(combo), "");
}

/* Samplers and schedules have the names that other programs gave them, in every language. */
GtkWidget *pen_sampler_fields_new(GtkWidget **sampler, GtkWidget **schedule)
{
    *sampler = pen_ui_ellipsize(gtk_combo_box_text_new());
    *schedule = pen_ui_ellipsize(gtk_combo_box_text_new());
    gtk_combo_box_text_append(GTK_COMBO_BOX_TEXT(*sampler), "", _("Auto"));
    for (const PenMethod *const *m = pen_methods(); *m; m++)
        gtk_combo_box_text_append(GTK_COMBO_BOX_TEXT(*sampler), pen_method_id(*m),
                                  pen_method_name(*m));
    gtk_combo_box_text_append(GTK_COMBO_BOX_TEXT(*schedule), "", _("Auto"));
    for (guint s = PEN_SPREAD_AUTOMATIC + 1; s < PEN_N_SPREADS; s++)
        gtk_combo_box_text_append(GTK_COMBO_BOX_TEXT(*schedule), pen_spread_id(s),
                                  pen_spread_name(s));
    pen_sampler_fields_set(*sampler, NULL);
    pen_sampler_fields_set(*schedule, NULL);
    gtk_widget_set_tooltip_text(*sampler, _("How a picture is drawn from noise, step by step; "
                                            "“Auto”: as suits the model"));
    gtk_widget_set_tooltip_text(*schedule, _("How the steps are spread from noise to picture; "
                                             "“Auto”: as suits the sampler"));
    return pen_ui_pair(pen_ui_field(_("Sampler"), *sampler),
                       pen_ui_field(_("Schedule"), *schedule));
}
