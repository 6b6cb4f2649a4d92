// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/round-bar.h"

#include <glib/gi18n-lib.h>

#include "plugin/ui.h"

struct _PenRoundBar {
    GtkBox parent;
    GtkWidget *hint, *older, *newer, *title, *none, *insert, *in_place, *more;
    GtkWidget *row, *leaf, *uses; /* the two halves stand side by side, or one above the other */
    guint turn_soon;              /* pen_ui_later() */
};

enum { LEAF, NONE, INSERT, IN_PLACE, MORE, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(PenRoundBar, pen_round_bar, GTK_TYPE_BOX)

static const char *hint_for(const PenRoundBarState *state)
{
    if (!state->usable)
        return ""; /* the line stays, so that the pictures keep their size */
    if (pen_choice_is_none(state->choice))
        return _("None of these. Press a picture's number to vote for it after all.");
    if (state->choice->made)
        return _("Enter makes the next round. Shift and a number add the next best, Ctrl and a "
                 "number one that is as good.");
    if (state->guessed)
        return _(
            "Vote for the picture that you like best: press its number or click its star, or Y "
            "if the guess is right.");
    return _("Vote for the picture that you like best: press its number or click its star.");
}

void pen_round_bar_show(PenRoundBar *bar, const PenRoundBarState *state)
{
    gtk_label_set_text(GTK_LABEL(bar->hint), hint_for(state));
    gtk_widget_set_sensitive(bar->older, state->older);
    gtk_widget_set_sensitive(bar->newer, state->newer);
    g_autofree char *number = g_strdup_printf("%" G_GINT64_FORMAT, state->round);
    g_autofree char *title = state->round ? g_strdup_printf(_("Round %s"), number) : g_strdup("");
    gtk_label_set_text(GTK_LABEL(bar->title), title);
    gtk_widget_set_sensitive(bar->none, state->round && state->usable);
    g_autofree char *insert = state->meant >= 0
                                  ? g_strdup_printf(_("_Insert no. %d as Layer"), state->meant + 1)
                                  : g_strdup(_("_Insert as Layer"));
    gtk_button_set_label(GTK_BUTTON(bar->insert), insert);
    gtk_label_set_ellipsize(GTK_LABEL(gtk_bin_get_child(GTK_BIN(bar->insert))),
                            PANGO_ELLIPSIZE_END);
    gtk_widget_set_sensitive(bar->insert, state->meant >= 0);
    gtk_widget_set_sensitive(bar->in_place, state->meant >= 0 && state->placeable);
    gtk_widget_set_sensitive(bar->more, state->meant >= 0);
}

gboolean pen_round_bar_wants_place(PenRoundBar *bar)
{
    return gtk_toggle_button_get_active(GTK_TOGGLE_BUTTON(bar->in_place));
}

void pen_round_bar_leave_place(PenRoundBar *bar)
{
    gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(bar->in_place), FALSE);
}

static void on_in_place(GtkToggleButton *button, PenRoundBar *bar)
{
    g_signal_emit(bar, signals[IN_PLACE], 0);
}

static void on_clicked(GtkWidget *button, PenRoundBar *bar)
{
    if (button == bar->older || button == bar->newer)
        g_signal_emit(bar, signals[LEAF], 0, button == bar->older ? -1 : 1);
    else if (button == bar->more)
        g_signal_emit(bar, signals[MORE], 0, button);
    else
        g_signal_emit(bar, signals[button == bar->none ? NONE : INSERT], 0);
}

/* --- its width ------------------------------------------------------------------------------- */

static gboolean is_turned(PenRoundBar *bar)
{
    return gtk_orientable_get_orientation(GTK_ORIENTABLE(bar->row)) == GTK_ORIENTATION_VERTICAL;
}

/* What the row takes beside its halves. */
static int get_padding(PenRoundBar *bar)
{
    int row, leaf, uses, space = gtk_box_get_spacing(GTK_BOX(bar->row));
    gtk_widget_get_preferred_width(bar->row, NULL, &row);
    gtk_widget_get_preferred_width(bar->leaf, NULL, &leaf);
    gtk_widget_get_preferred_width(bar->uses, NULL, &uses);
    return row - (is_turned(bar) ? MAX(leaf, uses) : leaf + space + uses);
}

static gboolean is_narrow(PenRoundBar *bar)
{
    int leaf, uses, space = gtk_box_get_spacing(GTK_BOX(bar->row));
    gtk_widget_get_preferred_width(bar->leaf, NULL, &leaf);
    gtk_widget_get_preferred_width(bar->uses, NULL, &uses);
    return gtk_widget_get_allocated_width(GTK_WIDGET(bar)) < leaf + space + uses + get_padding(bar);
}

static void turn(gpointer data)
{
    PenRoundBar *bar = data;
    gtk_orientable_set_orientation(GTK_ORIENTABLE(bar->row), is_narrow(bar)
                                                                 ? GTK_ORIENTATION_VERTICAL
                                                                 : GTK_ORIENTATION_HORIZONTAL);
}

static void pen_round_bar_size_allocate(GtkWidget *widget, GtkAllocation *allocation)
{
    PenRoundBar *bar = PEN_ROUND_BAR(widget);
    GTK_WIDGET_CLASS(pen_round_bar_parent_class)->size_allocate(widget, allocation);
    if (is_narrow(bar) != is_turned(bar))
        pen_ui_later(&bar->turn_soon, turn, bar);
}

static void pen_round_bar_get_preferred_width(GtkWidget *widget, int *minimum, int *natural)
{
    PenRoundBar *bar = PEN_ROUND_BAR(widget);
    GTK_WIDGET_CLASS(pen_round_bar_parent_class)->get_preferred_width(widget, minimum, natural);
    int leaf, uses;
    gtk_widget_get_preferred_width(bar->leaf, &leaf, NULL);
    gtk_widget_get_preferred_width(bar->uses, &uses, NULL);
    *minimum = MAX(leaf, uses) + get_padding(bar);
}

static void pen_round_bar_get_preferred_width_for_height(GtkWidget *widget, int height,
                                                         int *minimum, int *natural)
{
    pen_round_bar_get_preferred_width(widget, minimum, natural);
}

static void pen_round_bar_dispose(GObject *object)
{
    g_clear_handle_id(&PEN_ROUND_BAR(object)->turn_soon, g_source_remove);
    G_OBJECT_CLASS(pen_round_bar_parent_class)->dispose(object);
}

/* --- building -------------------------------------------------------------------------------- */

static void pen_round_bar_class_init(PenRoundBarClass *class)
{
    G_OBJECT_CLASS(class)->dispose = pen_round_bar_dispose;
    GTK_WIDGET_CLASS(class)->size_allocate = pen_round_bar_size_allocate;
    GTK_WIDGET_CLASS(class)->get_preferred_width = pen_round_bar_get_preferred_width;
    GTK_WIDGET_CLASS(class)->get_preferred_width_for_height =
        pen_round_bar_get_preferred_width_for_height;
    signals[LEAF] = g_signal_new("leaf", PEN_TYPE_ROUND_BAR, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                 G_TYPE_NONE, 1, G_TYPE_INT);
    signals[NONE] = g_signal_new("none", PEN_TYPE_ROUND_BAR, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                 G_TYPE_NONE, 0);
    signals[INSERT] = g_signal_new("insert", PEN_TYPE_ROUND_BAR, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                   NULL, G_TYPE_NONE, 0);
    signals[IN_PLACE] = g_signal_new("in-place", PEN_TYPE_ROUND_BAR, G_SIGNAL_RUN_LAST, 0, NULL,
                                     NULL, NULL, G_TYPE_NONE, 0);
    signals[MORE] = g_signal_new("more", PEN_TYPE_ROUND_BAR, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                 G_TYPE_NONE, 1, GTK_TYPE_WIDGET);
}

static void pen_round_bar_init(PenRoundBar *bar)
{
    gtk_orientable_set_orientation(GTK_ORIENTABLE(bar), GTK_ORIENTATION_VERTICAL);
    bar->hint = pen_ui_label(NULL, "pen-hint");
    gtk_label_set_xalign(GTK_LABEL(bar->hint), 0.5);
    gtk_label_set_justify(GTK_LABEL(bar->hint), GTK_JUSTIFY_CENTER);
    gtk_widget_set_margin_top(bar->hint, 6);

    bar->row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    gtk_style_context_add_class(gtk_widget_get_style_context(bar->row), "pen-bar");
    bar->leaf = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    bar->uses = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    gtk_widget_set_halign(bar->uses, GTK_ALIGN_END);
    bar->older = pen_ui_icon_button("go-previous-symbolic", _("Earlier round"));
    bar->newer = pen_ui_icon_button("go-next-symbolic", _("Later round"));
    bar->title = gtk_label_new(NULL);
    bar->none = gtk_button_new_with_mnemonic(_("_None of These"));
    bar->insert = gtk_button_new_with_mnemonic(_("_Insert as Layer"));
    bar->in_place = gtk_toggle_button_new_with_label(_("In Place"));
    gtk_widget_set_tooltip_text(bar->in_place,
                                _("Shows the picture in the image before it is inserted"));
    g_signal_connect(bar->in_place, "toggled", G_CALLBACK(on_in_place), bar);
    bar->more = pen_ui_icon_button("view-more-symbolic", _("More to do with the picture"));
    gtk_button_set_relief(GTK_BUTTON(bar->more), GTK_RELIEF_NORMAL);
    GtkWidget *buttons[] = { bar->older, bar->newer, bar->none, bar->insert, bar->more };
    for (guint i = 0; i < G_N_ELEMENTS(buttons); i++)
        g_signal_connect(buttons[i], "clicked", G_CALLBACK(on_clicked), bar);
    gtk_box_pack_start(GTK_BOX(bar->leaf), bar->older, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(bar->leaf), bar->title, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(bar->leaf), bar->newer, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(bar->leaf), bar->none, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(bar->uses), bar->in_place, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(bar->uses), bar->insert, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(bar->uses), bar->more, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(bar->row), bar->leaf, TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(bar->row), bar->uses, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(bar), bar->hint, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(bar), bar->row, FALSE, FALSE, 0);
}

GtkWidget *pen_round_bar_new(void)
{
    return g_object_new(PEN_TYPE_ROUND_BAR, NULL);
}
