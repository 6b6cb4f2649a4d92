// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/undo.h"

#include <glib/gi18n-lib.h>

/* A sentence about an action that was taken back (or done again). */
static char *describe_action(const PenAction *action, gboolean redo)
{
    switch (action->kind) {
    case PEN_ACTION_PICK:
        return g_strdup(redo ? _("The vote counts again.") : _("The vote is taken back."));
    case PEN_ACTION_COMPARISON:
        return g_strdup(redo ? _("The choice counts again.") : _("The choice is taken back."));
    case PEN_ACTION_STRENGTH:
        return g_strdup_printf(
            _("The strength of “%s” is %d %% again."), action->style_name,
            (int)((redo ? action->new_strength : action->old_strength) * 100 + 0.5));
    case PEN_ACTION_RECIPE:
        return g_strdup_printf(_("The recipe of “%s” is as it was."), action->style_name);
    case PEN_ACTION_RENAME:
        return g_strdup_printf(_("The style is called “%s” again."), action->style_name);
    case PEN_ACTION_DELETE:
        return g_strdup_printf(redo ? _("The style “%s” is deleted again.")
                                    : _("The style “%s” is back."),
                               action->style_name);
    case PEN_ACTION_RESTORE:
        return g_strdup_printf(redo ? _("The style “%s” is back.")
                                    : _("The style “%s” is deleted again."),
                               action->style_name);
    case PEN_ACTION_VERSION:
    default:
        return g_strdup_printf(redo ? _("The style “%s” uses the later version again.")
                                    : _("The style “%s” uses its earlier version again."),
                               action->style_name);
    }
}

gboolean pen_undo(PenApp *app, PenActionScope scope, gboolean redo, gint64 *round)
{
    *round = 0;
    PenStore *store = pen_app_store(app);
    if (!store)
        return FALSE;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenAction) action =
        redo ? pen_store_redo_in(store, scope, pen_app_first_action(app), &error)
             : pen_store_undo_in(store, scope, pen_app_first_action(app), &error);
    if (!action) {
        if (g_error_matches(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOTHING))
            pen_app_notify(app, GTK_MESSAGE_INFO,
                           redo ? _("There is nothing to redo.") : _("There is nothing to undo."));
        else
            pen_app_report(app, error);
        return FALSE;
    }
    *round = action->round;
    if (scope == PEN_SCOPE_COMPARISONS)
        pen_app_log_changed(app);
    else if (scope == PEN_SCOPE_STYLES)
        pen_app_styles_changed(app);
    if (scope != PEN_SCOPE_COMPARISONS)
        pen_app_picks_changed(app);
    g_autofree char *text = describe_action(action, redo);
    pen_app_notify(app, GTK_MESSAGE_INFO, text);
    return TRUE;
}

gboolean pen_undo_is_possible(PenApp *app, PenActionScope scope, gboolean redo)
{
    PenStore *store = pen_app_store(app);
    return store && pen_store_can_undo(store, scope, pen_app_first_action(app), redo);
}
