// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/compare-view.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "plugin/candidate-grid.h"
#include "plugin/paint.h"
#include "plugin/picture.h"
#include "plugin/text-undo.h"
#include "plugin/ui.h"

struct _PenCompareView {
    GtkBox parent;
    PenApp *app;
    GtkWidget *stack, *grid, *empty, *prompt, *next, *style, *hint, *tally, *tally_text;
    GtkWidget *choices[3]; /* buttons: left, right, equal */
    GCancellable *job;     /* of both pictures */
    int pending;           /* pictures that are still being made */
    gboolean swapped;      /* the picture with the style is on the right */
    gboolean chosen;
    gint64 version;    /* of the style, that is compared */
    gint64 comparison; /* as which the choice is stored; also after that was undone */
    int which;         /* and what it was: 0 left, 1 right, 2 equal */
    guint64 seed;
    char *asked; /* the prompt of the pair that is shown */
    PenTally count;
};

G_DEFINE_FINAL_TYPE(PenCompareView, pen_compare_view, GTK_TYPE_BOX)

/* One of the two pictures of a pair; owned by its job. */
typedef struct {
    PenCompareView *view;
    GCancellable *job;
    gboolean with;
} Half;

static PenCandidateCard *card_of(PenCompareView *view, gboolean with)
{
    return pen_candidate_grid_get_card(PEN_CANDIDATE_GRID(view->grid),
                                       with == view->swapped ? 1 : 0);
}

/* The pair says something about the version that is in use. */
static gboolean has_pair(PenCompareView *view, const PenStyle *style)
{
    return pen_candidate_grid_get_n(PEN_CANDIDATE_GRID(view->grid)) == 2 && style &&
           style->current_version == view->version;
}

static gboolean can_choose(PenCompareView *view, const PenStyle *style)
{
    return has_pair(view, style) && !view->pending && !view->chosen &&
           pen_candidate_card_get_state(card_of(view, TRUE)) == PEN_CARD_READY &&
           pen_candidate_card_get_state(card_of(view, FALSE)) == PEN_CARD_READY;
}

/* --- the tally ------------------------------------------------------------------------------- */

static gboolean on_draw_tally(GtkWidget *widget, cairo_t *cr, PenCompareView *view)
{
    double w = gtk_widget_get_allocated_width(widget), h = gtk_widget_get_allocated_height(widget);
    GdkRGBA text;
    gtk_style_context_get_color(gtk_widget_get_style_context(widget),
                                gtk_widget_get_state_flags(widget), &text);
    double total = 0;
    for (int i = 0; i < 3; i++)
        total += view->count.count[i];
    pen_paint_rounded(cr, 0, 0, w, h, h / 2);
    cairo_clip(cr);
    cairo_set_source_rgba(cr, text.red, text.green, text.blue, 0.12);
    cairo_paint(cr);
    if (total == 0)
        return FALSE;
    double with = w * view->count.count[PEN_CHOICE_WITH] / total;
    double without = w * view->count.count[PEN_CHOICE_WITHOUT] / total;
    cairo_rectangle(cr, 0, 0, with, h);
    gdk_cairo_set_source_rgba(cr, &PEN_PAINT_ACCENT);
    cairo_fill(cr);
    cairo_rectangle(cr, w - without, 0, without, h);
    cairo_set_source_rgba(cr, text.red, text.green, text.blue, 0.55);
    cairo_fill(cr);
    return FALSE;
}

/* How likely it is that the style is preferred more often than not, when nothing was known before:
 * the part above one half of Beta(k + 1, n - k + 1), which is that of at most `k` heads in n + 1
 * throws of a coin. */
static double certainty(int k, int n)
{
    double sum = 0;
    for (int i = 0; i <= k; i++)
        sum += exp(lgamma(n + 2) - lgamma(i + 1) - lgamma(n + 2 - i) - (n + 1) * G_LN2);
    return MIN(sum, 1);
}

static void show_tally(PenCompareView *view, const PenStyle *style)
{
    view->count = (PenTally){ 0 };
    if (style && style->current_version)
        pen_store_get_tally(pen_app_store(view->app), style->current_version, &view->count, NULL);
    int with = view->count.count[PEN_CHOICE_WITH], without = view->count.count[PEN_CHOICE_WITHOUT];
    int equal = view->count.count[PEN_CHOICE_NEITHER], decided = with + without;
    g_autoptr(GString) text = g_string_new(NULL);
    if (decided) {
        g_string_append_printf(text, _("With the style %d of %d"), with, decided);
        if (equal)
            g_string_append_printf(text, _(" · equal %d"), equal);
        g_string_append_printf(text, _(" · %d %% sure that the style goes your way"),
                               (int)(certainty(with, decided) * 100 + 0.5));
    } else {
        g_string_append(text, _("No choice yet. About ten tell whether the style goes your way."));
    }
    gtk_label_set_text(GTK_LABEL(view->tally_text), text->str);
    pen_ui_name(view->tally, text->str);
    gtk_widget_queue_draw(view->tally);
}

static void update(PenCompareView *view)
{
    g_autoptr(PenStyle) style = pen_app_load_style(view->app);
    gboolean taught = style && style->current_version;
    gboolean pair = view->job || has_pair(view, style), choice = can_choose(view, style);
    gtk_stack_set_visible_child(GTK_STACK(view->stack), pair ? view->grid : view->empty);
    for (int i = 0; i < 3; i++)
        gtk_widget_set_sensitive(view->choices[i], choice);
    for (int i = 0; i < pen_candidate_grid_get_n(PEN_CANDIDATE_GRID(view->grid)); i++)
        pen_candidate_card_set_place(pen_candidate_grid_get_card(PEN_CANDIDATE_GRID(view->grid), i),
                                     view->chosen && view->which == i,
                                     view->chosen && view->which != i);
    gtk_widget_set_sensitive(view->next, view->job || taught);
    gtk_button_set_label(GTK_BUTTON(view->next), view->job ? _("S_top")
                                                 : pair    ? _("Ne_xt Pair")
                                                           : _("_Compare"));
    g_autofree char *name =
        taught ? g_strdup_printf(_("“%s”, version %d"), style->name, style->current_number)
               : g_strdup("");
    gtk_label_set_text(GTK_LABEL(view->style), name);
    const char *hint;
    g_autofree char *text = NULL;
    if (!taught)
        hint = _("Choose a style that has been taught; then compare it with the bare model here.");
    else if (view->job)
        hint = _("Making two pictures of the same seed…");
    else if (choice)
        hint = _("Which one do you like better? One of them was made with the style.");
    else if (pair && view->chosen)
        hint = text = g_strdup_printf(view->swapped ? _("With “%s”: the right one.")
                                                    : _("With “%s”: the left one."),
                                      style->name);
    else
        hint = "";
    gtk_label_set_text(GTK_LABEL(view->hint), hint);
    show_tally(view, style);
}

/* --- making a pair --------------------------------------------------------------------------- */

static void on_event(const PenStudioEvent *event, gpointer data)
{
    Half *half = data;
    PenCompareView *view = half->view;
    if (view->job != half->job || pen_app_event(view->app, event))
        return;
    PenCandidateCard *card = card_of(view, half->with);
    if (event->kind == PEN_STUDIO_PREVIEW && card) {
        g_autoptr(GdkPixbuf) picture =
            pen_picture_new(event->picture.rgb, event->picture.width, event->picture.height);
        pen_candidate_card_set(card, PEN_CARD_MAKING, picture);
    } else if (event->kind == PEN_STUDIO_PROGRESS && card) {
        pen_candidate_card_set_fraction(card, event->fraction);
    }
}

static void on_half_done(GObject *source, GAsyncResult *result, gpointer data)
{
    Half *half = data;
    PenCompareView *view = half->view;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRoundResult) made =
        pen_studio_generate_finish(pen_app_studio(view->app), result, &error);
    PenCandidateCard *card = card_of(view, half->with);
    if (made && made->n && card) {
        g_autoptr(GdkPixbuf) picture = pen_picture_new(made->rgb[0], made->width, made->height);
        pen_candidate_card_set(card, PEN_CARD_READY, picture);
    } else {
        pen_app_report(view->app, error);
        /* One without the other is of no use. */
        g_cancellable_cancel(half->job);
    }
    if (--view->pending == 0) {
        if (g_cancellable_is_cancelled(half->job))
            pen_candidate_grid_reset(PEN_CANDIDATE_GRID(view->grid), 0, 1);
        pen_app_end_job(view->app, view->job);
        view->job = NULL;
        update(view);
        g_autoptr(PenStyle) style = pen_app_load_style(view->app);
        if (can_choose(view, style) && gtk_widget_get_mapped(view->choices[0]))
            gtk_widget_grab_focus(GTK_WIDGET(card_of(view, !view->swapped)));
    }
    g_object_unref(view);
    g_free(half);
}

static void make_half(PenCompareView *view, gint64 style, gboolean with)
{
    Half *half = g_new(Half, 1);
    *half = (Half){ g_object_ref(view), view->job, with };
    const PenSettings *settings = pen_app_settings(view->app);
    PenRoundRequest request = PEN_ROUND_REQUEST_INIT;
    g_autofree char *spec = pen_app_spec(view->app);
    request.model = spec;
    request.as_is = TRUE;
    g_autofree char *prompt = pen_recipe_write_prompt(settings->recipe, view->asked);
    request.prompt = prompt;
    request.negative_prompt = *settings->negative_prompt ? settings->negative_prompt : NULL;
    request.style = style;
    request.without_style = !with;
    request.count = 1;
    request.width = (guint)settings->recipe->width;
    request.height = (guint)settings->recipe->height;
    pen_settings_ask(settings, &request);
    request.has_seed = TRUE;
    request.seed = view->seed;
    request.keep = FALSE;
    request.previews = TRUE;
    pen_studio_generate_async(pen_app_studio(view->app), &request, on_event, half, view->job,
                              on_half_done, half);
}

static void on_next(GtkWidget *widget, PenCompareView *view)
{
    if (view->job) {
        if (widget == view->next)
            g_cancellable_cancel(view->job);
        return;
    }
    g_autoptr(PenStyle) style = pen_app_load_style(view->app);
    if (!style || !style->current_version)
        return;
    g_autofree char *prompt = g_strstrip(g_strdup(gtk_entry_get_text(GTK_ENTRY(view->prompt))));
    if (!*prompt) {
        pen_app_notify(view->app, GTK_MESSAGE_INFO,
                       _("Write what should be in the picture first."));
        gtk_widget_grab_focus(view->prompt);
        return;
    }
    g_free(view->asked);
    view->asked = g_steal_pointer(&prompt);
    view->version = style->current_version;
    view->swapped = g_random_boolean();
    view->chosen = FALSE;
    view->comparison = 0;
    pen_app_clear_message(view->app);
    view->seed = (guint64)g_random_int() << 16 ^ g_random_int();
    view->pending = 2;
    view->job = pen_app_begin_job(view->app);
    pen_candidate_grid_reset(PEN_CANDIDATE_GRID(view->grid), 2, 1);
    update(view);
    /* Left first, whichever that is, so that the order of making tells nothing. */
    make_half(view, style->id, !view->swapped);
    make_half(view, style->id, view->swapped);
}

/* --- choosing -------------------------------------------------------------------------------- */

/* 0: left, 1: right, 2: equal. */
static void choose(PenCompareView *view, int which)
{
    g_autoptr(PenStyle) style = pen_app_load_style(view->app);
    if (!can_choose(view, style))
        return;
    PenComparison comparison = {
        .style_version = view->version,
        .seed = view->seed,
        .prompt = view->asked,
        .choice = which == 2                                 ? PEN_CHOICE_NEITHER
                  : (which == 1) == (view->swapped != FALSE) ? PEN_CHOICE_WITH
                                                             : PEN_CHOICE_WITHOUT,
    };
    g_autoptr(GError) error = NULL;
    view->comparison = pen_store_add_comparison(pen_app_store(view->app), &comparison, &error);
    if (!view->comparison) {
        pen_app_report(view->app, error);
        return;
    }
    view->which = which;
    pen_app_log_changed(view->app);
    gtk_widget_grab_focus(view->next);
}

/* The choice may have been undone, or redone. */
static void on_log_changed(PenCompareView *view)
{
    g_autoptr(GPtrArray) valid =
        view->comparison ? pen_store_list_comparisons(pen_app_store(view->app), view->version, NULL)
                         : NULL;
    view->chosen = FALSE;
    for (guint i = 0; valid && i < valid->len; i++)
        view->chosen = view->chosen || ((PenComparison *)valid->pdata[i])->id == view->comparison;
    update(view);
}

static void on_choice(GtkWidget *button, PenCompareView *view)
{
    for (int i = 0; i < 3; i++) {
        if (view->choices[i] == button) {
            choose(view, i);
            return;
        }
    }
}

static void on_grid_clicked(PenCandidateGrid *grid, int k, PenCompareView *view)
{
    choose(view, k);
}

gboolean pen_compare_view_key(PenCompareView *view, GdkEventKey *event)
{
    PenCandidateGrid *grid = PEN_CANDIDATE_GRID(view->grid);
    if (event->state & gtk_accelerator_get_default_mod_mask())
        return FALSE;
    int digit = pen_ui_digit(event);
    if (digit >= 0 && digit <= 2) {
        choose(view, digit == 0 ? 2 : digit - 1);
        return TRUE;
    }
    if (event->keyval != GDK_KEY_Escape || !pen_candidate_grid_is_zoomed(grid))
        return FALSE;
    pen_candidate_grid_set_zoomed(grid, FALSE);
    return TRUE;
}

void pen_compare_view_offer_prompt(PenCompareView *view, const char *prompt)
{
    if (!*gtk_entry_get_text(GTK_ENTRY(view->prompt)) && prompt)
        gtk_entry_set_text(GTK_ENTRY(view->prompt), prompt);
}

GtkWidget *pen_compare_view_get_pictures(PenCompareView *view)
{
    return view->stack;
}

/* --- building -------------------------------------------------------------------------------- */

static void build(PenCompareView *view)
{
    GtkWidget *top = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    gtk_style_context_add_class(gtk_widget_get_style_context(top), "pen-bar");
    view->prompt = gtk_entry_new();
    gtk_entry_set_placeholder_text(GTK_ENTRY(view->prompt), _("What should be in the picture?"));
    pen_ui_name(view->prompt, _("Prompt to compare with"));
    g_signal_connect(view->prompt, "activate", G_CALLBACK(on_next), view);
    pen_text_undo_add(view->prompt);
    view->next = gtk_button_new_with_mnemonic(_("_Compare"));
    gtk_style_context_add_class(gtk_widget_get_style_context(view->next),
                                GTK_STYLE_CLASS_SUGGESTED_ACTION);
    g_signal_connect(view->next, "clicked", G_CALLBACK(on_next), view);
    view->style = pen_ui_label(NULL, "pen-title");
    gtk_label_set_line_wrap(GTK_LABEL(view->style), FALSE);
    gtk_label_set_ellipsize(GTK_LABEL(view->style), PANGO_ELLIPSIZE_END);
    gtk_label_set_max_width_chars(GTK_LABEL(view->style), 28);
    gtk_box_pack_start(GTK_BOX(top), view->style, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(top), view->prompt, TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(top), view->next, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(view), top, FALSE, FALSE, 0);

    view->hint = pen_ui_label(NULL, NULL);
    gtk_label_set_xalign(GTK_LABEL(view->hint), 0.5);
    gtk_label_set_justify(GTK_LABEL(view->hint), GTK_JUSTIFY_CENTER);
    gtk_widget_set_margin_top(view->hint, 6);
    gtk_box_pack_start(GTK_BOX(view), view->hint, FALSE, FALSE, 0);

    view->grid = pen_candidate_grid_new(FALSE);
    pen_candidate_grid_set_foot(PEN_CANDIDATE_GRID(view->grid), TRUE);
    pen_ui_name(view->grid, _("The pair"));
    gtk_widget_set_margin_start(view->grid, 12);
    gtk_widget_set_margin_end(view->grid, 12);
    g_signal_connect(view->grid, "clicked", G_CALLBACK(on_grid_clicked), view);
    view->empty = pen_ui_placeholder(
        _("Does the style go your way?"),
        _("You will see two pictures and not be told which one the style made."));
    view->stack = gtk_stack_new();
    gtk_container_add(GTK_CONTAINER(view->stack), view->empty);
    gtk_container_add(GTK_CONTAINER(view->stack), view->grid);
    gtk_box_pack_start(GTK_BOX(view), view->stack, TRUE, TRUE, 0);

    GtkWidget *buttons = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    gtk_widget_set_halign(buttons, GTK_ALIGN_CENTER);
    gtk_style_context_add_class(gtk_widget_get_style_context(buttons), "pen-bar");
    view->choices[0] = gtk_button_new_with_mnemonic(_("_Left"));
    view->choices[2] = gtk_button_new_with_mnemonic(_("_Equal"));
    view->choices[1] = gtk_button_new_with_mnemonic(_("_Right"));
    GtkWidget *in_order[] = { view->choices[0], view->choices[2], view->choices[1] };
    for (int i = 0; i < 3; i++) {
        g_signal_connect(in_order[i], "clicked", G_CALLBACK(on_choice), view);
        gtk_widget_set_size_request(in_order[i], 110, -1);
        gtk_box_pack_start(GTK_BOX(buttons), in_order[i], FALSE, FALSE, 0);
    }
    gtk_box_pack_start(GTK_BOX(view), buttons, FALSE, FALSE, 0);

    GtkWidget *bottom = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
    gtk_style_context_add_class(gtk_widget_get_style_context(bottom), "pen-panel");
    view->tally = gtk_drawing_area_new();
    gtk_widget_set_size_request(view->tally, 360, 10);
    gtk_widget_set_halign(view->tally, GTK_ALIGN_CENTER);
    g_signal_connect(view->tally, "draw", G_CALLBACK(on_draw_tally), view);
    view->tally_text = pen_ui_label(NULL, "pen-hint");
    gtk_label_set_xalign(GTK_LABEL(view->tally_text), 0.5);
    gtk_box_pack_start(GTK_BOX(bottom), view->tally, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(bottom), view->tally_text, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(view), bottom, FALSE, FALSE, 0);
    gtk_widget_show_all(GTK_WIDGET(view));
}

static void pen_compare_view_finalize(GObject *object)
{
    g_free(PEN_COMPARE_VIEW(object)->asked);
    G_OBJECT_CLASS(pen_compare_view_parent_class)->finalize(object);
}

static void pen_compare_view_class_init(PenCompareViewClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_compare_view_finalize;
}

static void pen_compare_view_init(PenCompareView *view)
{
    gtk_orientable_set_orientation(GTK_ORIENTABLE(view), GTK_ORIENTATION_VERTICAL);
}

GtkWidget *pen_compare_view_new(PenApp *app)
{
    PenCompareView *view = g_object_new(PEN_TYPE_COMPARE_VIEW, NULL);
    view->app = app;
    build(view);
    update(view);
    g_signal_connect_object(app, "opened", G_CALLBACK(update), view, G_CONNECT_SWAPPED);
    g_signal_connect_object(app, "log-changed", G_CALLBACK(on_log_changed), view,
                            G_CONNECT_SWAPPED);
    g_signal_connect_object(app, "styles-changed", G_CALLBACK(update), view, G_CONNECT_SWAPPED);
    return GTK_WIDGET(view);
}
