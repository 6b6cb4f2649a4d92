// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/help.h"

#include <glib/gi18n-lib.h>

#include "plugin/device-test-view.h"
#include "plugin/shortcuts.h"
#include "plugin/ui.h"

typedef struct {
    const char *title, *text;
} Section;

static const Section sections[] = {
    { N_("A round"), N_("Write what should be in the picture and press Enter. The candidates "
                        "appear at once and become "
                        "sharper while they are made. A click selects a picture; its star or its "
                        "number votes for it. Enter makes the next round, also while one is made; "
                        "every vote is saved at once.") },
    { N_("More than one pick"),
      N_("Shift-click adds the next best, Ctrl-click one that is as good as the last. If you like "
         "none, say “None of These”, from which nothing is learnt. Click the star again, or press "
         "Delete, to take a vote back. A picture that you insert before voting counts as the "
         "best.") },
    { N_("Teaching"), N_("After some rounds press Teach. Penchant changes a small part of the "
                         "model, the style, until it "
                         "agrees with your picks. You can stop at any time and go on later. New "
                         "rounds use the style. About "
                         "ten picks make a difference, more if you teach after five of them and "
                         "again after ten; always picking for the same reason helps more than "
                         "many picks.") },
    { N_("Using a picture"), N_("“Insert as Layer” puts it into your image, on the selection or in "
                                "the middle, as one step that "
                                "GIMP can undo. It can also become an image of its own, or be "
                                "saved as a PNG with its settings.") },
    { N_("Starting from your image"), N_("“Start from” the active layer changes it as much as you "
                                         "allow. From the selection, only what is "
                                         "selected changes; what is around it guides the model.") },
    { N_("Decoder and adapters"),
      N_("“More settings” has room for files of others. An adapter (LoRA) adds a subject or a "
         "manner of drawing to the model, as strongly as you set it; several work together. A "
         "decoder (VAE) of your own changes colours and fine detail. Both must be made for the "
         "model's kind. A style is taught on top of the adapters that its pictures were made with "
         "and keeps them; with more adapters it still draws, but does not learn.") },
    { N_("Compare"), N_("Two pictures of the same seed, one with the style and one without, and "
                        "you are not told which is "
                        "which. The tally says honestly whether the style goes your way.") },
    { N_("When pictures look broken"),
      N_("Noise, black pictures or crashes can be the graphics driver's fault. The test below tells, "
         "and Penchant then does without what computes wrongly.") },
    { N_("Styles"),
      N_("Each teaching makes a new version; you can return to any earlier one. A style's recipe "
         "holds what else belongs to it: words around your prompt, what to avoid, sampler, steps, "
         "guidance and size; choosing the style takes it over. An exported style is one file, which "
         "another Penchant imports with its recipe, and other programs load as a LoRA.") },
};

void pen_help_show(PenApp *app, GtkWindow *parent)
{
    GtkWidget *dialog =
        gtk_dialog_new_with_buttons(_("Penchant Help"), parent, GTK_DIALOG_DESTROY_WITH_PARENT,
                                    _("_Close"), GTK_RESPONSE_CLOSE, NULL);
    gtk_window_set_default_size(GTK_WINDOW(dialog), 520, 620);
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
    gtk_container_set_border_width(GTK_CONTAINER(box), 18);
    for (guint i = 0; i < G_N_ELEMENTS(sections); i++) {
        GtkWidget *title = pen_ui_label(_(sections[i].title), "pen-title");
        gtk_widget_set_margin_top(title, i ? 9 : 0);
        GtkWidget *text = pen_ui_label(_(sections[i].text), NULL);
        gtk_label_set_max_width_chars(GTK_LABEL(text), 60);
        gtk_label_set_selectable(GTK_LABEL(text), TRUE);
        gtk_widget_set_can_focus(text, FALSE);
        gtk_box_pack_start(GTK_BOX(box), title, FALSE, FALSE, 0);
        gtk_box_pack_start(GTK_BOX(box), text, FALSE, FALSE, 0);
    }
    GtkWidget *keys = gtk_button_new_with_mnemonic(_("_Keyboard Shortcuts"));
    gtk_widget_set_halign(keys, GTK_ALIGN_START);
    gtk_widget_set_margin_top(keys, 9);
    gtk_widget_set_margin_start(keys, 18);
    GtkWidget *test = pen_device_test_view_new(app);
    gtk_widget_set_margin_start(test, 18);
    gtk_widget_set_margin_end(test, 18);
    gtk_widget_set_margin_top(test, 6);
    g_signal_connect_swapped(keys, "clicked", G_CALLBACK(pen_shortcuts_show), parent);

    GtkWidget *scrolled = gtk_scrolled_window_new(NULL, NULL);
    gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scrolled), GTK_POLICY_NEVER,
                                   GTK_POLICY_AUTOMATIC);
    gtk_container_add(GTK_CONTAINER(scrolled), box);
    gtk_box_pack_start(GTK_BOX(gtk_dialog_get_content_area(GTK_DIALOG(dialog))), scrolled, TRUE,
                       TRUE, 0);
    gtk_box_pack_start(GTK_BOX(gtk_dialog_get_content_area(GTK_DIALOG(dialog))), keys, FALSE, FALSE,
                       0);
    gtk_box_pack_start(GTK_BOX(gtk_dialog_get_content_area(GTK_DIALOG(dialog))), test, FALSE, FALSE,
                       0);
    g_signal_connect(dialog, "response", G_CALLBACK(gtk_widget_destroy), NULL);
    gtk_widget_show_all(dialog);
    /* Else the page would scroll down to its first button. */
    gtk_widget_grab_focus(
        gtk_dialog_get_widget_for_response(GTK_DIALOG(dialog), GTK_RESPONSE_CLOSE));
}
