// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/round-view.h"

#include <glib/gi18n-lib.h>

#include "plugin/candidate-menu.h"
#include "plugin/choice.h"
#include "plugin/making.h"
#include "plugin/picture-use.h"
#include "plugin/picture.h"
#include "plugin/ui.h"

#define HISTORY 500

struct _PenRoundView {
    GtkBox parent;
    PenApp *app;
    PenRoundPanel *panel;
    GtkWidget *stack, *grid, *empty, *hint;
    GtkWidget *older, *newer, *title, *none, *insert, *more;
    gint64 round;   /* that is shown; 0: none */
    gint64 loading; /* that will be shown once its pictures are read; 0: none */
    GCancellable *load;
    gboolean wanted; /* a round, as soon as the model's numbers are known */
    PenChoiceState choice;

    PenMaking making;
    gboolean ordering;  /* a round was asked for; what it starts from is being read */
    gboolean following; /* the cards of the round that is being made are in the grid */
};

G_DEFINE_FINAL_TYPE(PenRoundView, pen_round_view, GTK_TYPE_BOX)

static PenCandidateGrid *grid_of(PenRoundView *view)
{
    return PEN_CANDIDATE_GRID(view->grid);
}

static PenCandidateCard *card_of(PenRoundView *view, int k)
{
    return pen_candidate_grid_get_card(grid_of(view), k);
}

static gboolean is_ready(PenRoundView *view, int k)
{
    PenCandidateCard *card = card_of(view, k);
    return card && pen_candidate_card_get_state(card) == PEN_CARD_READY;
}

/* --- showing --------------------------------------------------------------------------------- */

static void show_choice(PenRoundView *view)
{
    for (int i = 0; i < view->choice.n && i < pen_candidate_grid_get_n(grid_of(view)); i++)
        pen_candidate_card_set_place(card_of(view, i), view->choice.place[i],
                                     view->choice.made && !view->choice.place[i]);
}

static void show_hint(PenRoundView *view, gboolean any)
{
    const char *text;
    if (!any)
        text = ""; /* the line stays, so that the cards keep their size */
    else if (pen_choice_is_none(&view->choice))
        text = _("None of these. Click a picture to pick it after all.");
    else if (view->choice.made)
        text = _("Shift-click adds the next best, Ctrl-click one that is as good.");
    else
        text = _("Click the picture that you like best, or press its number.");
    gtk_label_set_text(GTK_LABEL(view->hint), text);
}

static gint64 neighbour(PenRoundView *view, int direction)
{
    PenStore *store = pen_app_store(view->app);
    g_autoptr(GPtrArray) rounds = store ? pen_store_list_rounds(store, 0, HISTORY, NULL) : NULL;
    for (guint i = 0; rounds && i < rounds->len; i++) {
        PenRound *round = rounds->pdata[i];
        if (round->id != (view->loading ? view->loading : view->round))
            continue;
        gint64 other = (gint64)i + (direction < 0 ? 1 : -1);
        return other >= 0 && other < rounds->len ? ((PenRound *)rounds->pdata[other])->id : 0;
    }
    return 0;
}

static void update(PenRoundView *view)
{
    int n = pen_candidate_grid_get_n(grid_of(view));
    int current = pen_candidate_grid_get_current(grid_of(view));
    gboolean any = FALSE;
    for (int i = 0; i < n; i++)
        any = any || is_ready(view, i);
    gboolean usable = current >= 0 ? is_ready(view, current) : any;
    gtk_widget_set_sensitive(view->none, view->round && any);
    gtk_widget_set_sensitive(view->insert, usable);
    gtk_widget_set_sensitive(view->more, usable);
    gtk_widget_set_sensitive(view->older, neighbour(view, -1) != 0);
    gtk_widget_set_sensitive(view->newer, neighbour(view, 1) != 0);
    gtk_stack_set_visible_child(GTK_STACK(view->stack), n > 0 ? view->grid : view->empty);
    if (view->round) {
        g_autofree char *number = g_strdup_printf("%" G_GINT64_FORMAT, view->round);
        g_autofree char *title = g_strdup_printf(_("Round %s"), number);
        gtk_label_set_text(GTK_LABEL(view->title), title);
    } else {
        gtk_label_set_text(GTK_LABEL(view->title), "");
    }
    show_choice(view);
    show_hint(view, any);
}

static void load_choice(PenRoundView *view)
{
    pen_choice_init(&view->choice, pen_candidate_grid_get_n(grid_of(view)));
    PenStore *store = pen_app_store(view->app);
    g_autoptr(PenPick) pick =
        store && view->round ? pen_store_get_pick(store, view->round, NULL) : NULL;
    if (pick && pick->n == view->choice.n)
        pen_choice_read(&view->choice, pick);
}

void pen_round_view_refresh(PenRoundView *view)
{
    load_choice(view);
    update(view);
}

/* The cards of the round that is being made, as far as they are. */
static void follow(PenRoundView *view)
{
    g_cancellable_cancel(view->load);
    view->loading = 0;
    view->following = TRUE;
    view->round = view->making.round;
    pen_candidate_grid_reset(grid_of(view), view->making.pictures->len, view->making.shape);
    for (guint i = 0; i < view->making.pictures->len; i++)
        pen_making_show(&view->making, i, card_of(view, i));
    pen_round_view_refresh(view);
}

static void on_loaded(GPtrArray *pictures, gpointer data)
{
    PenRoundView *view = data;
    gint64 id = view->loading;
    view->loading = 0;
    view->following = FALSE;
    view->round = id;
    g_autoptr(PenRound) round = pen_store_get_round(pen_app_store(view->app), id, NULL);
    pen_candidate_grid_reset(grid_of(view), pictures->len,
                             round && round->width ? (double)round->height / round->width : 1);
    for (guint i = 0; i < pictures->len; i++)
        pen_candidate_card_set(card_of(view, i),
                               pictures->pdata[i] ? PEN_CARD_READY : PEN_CARD_FAILED,
                               pictures->pdata[i]);
    pen_round_view_refresh(view);
}

/* What is shown stays until the pictures are there. */
void pen_round_view_show_round(PenRoundView *view, gint64 id)
{
    g_cancellable_cancel(view->load);
    g_clear_object(&view->load);
    view->loading = 0;
    if (view->making.job && id == view->making.round) {
        follow(view);
        return;
    }
    PenStore *store = pen_app_store(view->app);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) candidates = pen_store_list_candidates(store, id, &error);
    if (!candidates) {
        pen_app_report(view->app, error);
        return;
    }
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < candidates->len; i++) {
        const PenCandidate *candidate = candidates->pdata[i];
        g_ptr_array_add(
            paths, candidate->picture_file ? pen_store_path(store, candidate->picture_file) : NULL);
    }
    view->loading = id;
    view->load = g_cancellable_new();
    pen_pictures_load(paths, view->load, on_loaded, view);
}

gint64 pen_round_view_get_round(PenRoundView *view)
{
    return view->round;
}

static void on_older(GtkButton *button, PenRoundView *view)
{
    gint64 round = neighbour(view, -1);
    if (round)
        pen_round_view_show_round(view, round);
}

static void on_newer(GtkButton *button, PenRoundView *view)
{
    gint64 round = neighbour(view, 1);
    if (round)
        pen_round_view_show_round(view, round);
}

/* --- making a round -------------------------------------------------------------------------- */

static void on_event(const PenStudioEvent *event, gpointer data)
{
    PenRoundView *view = data;
    if (!view->making.job || pen_app_event(view->app, event))
        return;
    switch (event->kind) {
    case PEN_STUDIO_LOADING:
        pen_round_panel_set_progress(view->panel, event->fraction, _("Loading the model…"));
        break;
    case PEN_STUDIO_ROUND:
        view->making.round = event->round;
        if (view->following) {
            view->round = event->round;
            pen_round_view_refresh(view);
        }
        break;
    case PEN_STUDIO_PREVIEW:
    case PEN_STUDIO_CANDIDATE:
        if (pen_making_take(&view->making, event) && view->following) {
            pen_making_show(&view->making, (guint)event->place, card_of(view, event->place));
            if (event->kind == PEN_STUDIO_CANDIDATE)
                update(view);
        }
        break;
    case PEN_STUDIO_PROGRESS: {
        g_autofree char *left = pen_app_time_left(event->seconds_left);
        pen_round_panel_set_progress(view->panel, event->fraction,
                                     left ? left : _("Making the pictures…"));
        for (int i = 0; view->following && i < pen_candidate_grid_get_n(grid_of(view)); i++)
            pen_candidate_card_set_fraction(card_of(view, i), event->fraction);
        break;
    }
    default:
        break;
    }
}

static void on_done(GObject *source, GAsyncResult *result, gpointer data)
{
    PenRoundView *view = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRoundResult) made =
        pen_studio_generate_finish(pen_app_studio(view->app), result, &error);
    gboolean recorded = view->making.round != 0;
    pen_making_end(&view->making, view->app);
    pen_round_panel_set_running(view->panel, FALSE);
    if (!made)
        pen_app_report(view->app, error);
    if (view->following) {
        /* What was not finished is shown as such; an order that failed at once leaves no cards. */
        view->following = FALSE;
        for (int i = 0; i < pen_candidate_grid_get_n(grid_of(view)); i++) {
            if (!is_ready(view, i))
                pen_candidate_card_set(card_of(view, i), PEN_CARD_FAILED, NULL);
        }
        if (!recorded)
            pen_candidate_grid_reset(grid_of(view), 0, 1);
    }
    update(view);
    g_object_unref(view);
}

static void on_ordered(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(PenRoundView) view = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRoundOrder) order = pen_round_panel_order_finish(view->panel, result, &error);
    view->ordering = FALSE;
    if (!order) {
        pen_app_report(view->app, error);
        return;
    }
    pen_making_begin(&view->making, view->app, order);
    pen_round_panel_set_running(view->panel, TRUE);
    pen_round_panel_set_progress(
        view->panel, 0,
        pen_app_is_teaching(view->app) ? _("Waiting until teaching is done…") : _("Preparing…"));
    follow(view);
    /* The pictures get the keyboard, so that a number picks. */
    gtk_widget_grab_focus(GTK_WIDGET(card_of(view, 0)));
    pen_studio_generate_async(pen_app_studio(view->app), &order->request, on_event, view,
                              view->making.job, on_done, g_object_ref(view));
}

static void on_generate(PenRoundPanel *panel, PenRoundView *view)
{
    if (view->making.job || view->ordering || !pen_app_open(view->app))
        return;
    g_autofree char *prompt = pen_round_panel_get_prompt(panel);
    if (!*prompt) {
        pen_app_notify(view->app, GTK_MESSAGE_INFO,
                       _("Write what should be in the picture first."));
        pen_round_panel_focus_prompt(panel);
        return;
    }
    view->wanted = !pen_app_model(view->app);
    if (view->wanted) {
        /* Reads them again if that has failed. */
        pen_app_set_model(view->app, pen_app_settings(view->app)->model);
        return;
    }
    view->ordering = TRUE;
    pen_round_panel_order_async(panel, on_ordered, g_object_ref(view));
}

static void on_model_changed(PenRoundView *view)
{
    if (view->wanted && pen_app_model(view->app))
        on_generate(view->panel, view);
    else if (!pen_app_is_reading_model(view->app))
        view->wanted = FALSE;
}

static void on_stop(PenRoundPanel *panel, PenRoundView *view)
{
    if (view->making.job)
        g_cancellable_cancel(view->making.job);
}

/* --- picking --------------------------------------------------------------------------------- */

static void store_choice(PenRoundView *view)
{
    PenStore *store = pen_app_store(view->app);
    g_autoptr(GError) error = NULL;
    gboolean stored;
    if (view->choice.made) {
        int ranks[PEN_CHOICE_MAX];
        pen_choice_write(&view->choice, ranks);
        stored = pen_store_add_pick(store, view->round, ranks, view->choice.n, &error) != 0;
    } else {
        /* Back to nothing: earlier picks of the round must not come back to life either. */
        do {
            g_autoptr(PenAction) action = pen_store_undo_pick(store, view->round, &error);
            stored = action != NULL;
        } while (stored);
        stored = g_error_matches(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOTHING);
    }
    if (stored) {
        update(view);
    } else {
        pen_app_report(view->app, error);
        pen_round_view_refresh(view);
    }
    pen_app_picks_changed(view->app);
}

static void choose(PenRoundView *view, int k, PenChooseHow how)
{
    if (!view->round || !is_ready(view, k))
        return;
    if (how == PEN_CHOOSE_BEST)
        pen_choice_best(&view->choice, k);
    else if (how == PEN_CHOOSE_NEXT)
        pen_choice_next(&view->choice, k);
    else
        pen_choice_tie(&view->choice, k);
    store_choice(view);
}

static void on_choose(PenCandidateGrid *grid, int k, int how, PenRoundView *view)
{
    choose(view, k, how);
}

static void on_none(GtkButton *button, PenRoundView *view)
{
    if (!view->round)
        return;
    pen_choice_none(&view->choice);
    store_choice(view);
}

gboolean pen_round_view_key(PenRoundView *view, GdkEventKey *event)
{
    GdkModifierType modifiers = event->state & gtk_accelerator_get_default_mod_mask();
    int n = pen_candidate_grid_get_n(grid_of(view));
    if (n == 0 || modifiers & GDK_MOD1_MASK)
        return FALSE;
    int current = pen_candidate_grid_get_current(grid_of(view));
    gboolean zoomed = pen_candidate_grid_is_zoomed(grid_of(view));
    int digit = pen_ui_digit(event);
    if (digit > n)
        return TRUE;
    if (digit > 0) {
        /* The focus goes along: else it would bring its own card back when the window gets it
         * again. */
        gtk_widget_grab_focus(GTK_WIDGET(card_of(view, digit - 1)));
        pen_candidate_grid_set_current(grid_of(view), digit - 1);
        choose(view, digit - 1, pen_choose_how(modifiers));
        return TRUE;
    }
    if (digit == 0) {
        on_none(NULL, view);
        return TRUE;
    }
    if (modifiers)
        return FALSE;
    switch (event->keyval) {
    case GDK_KEY_space:
        pen_candidate_grid_set_zoomed(grid_of(view), !zoomed);
        return TRUE;
    case GDK_KEY_Escape:
        if (zoomed)
            pen_candidate_grid_set_zoomed(grid_of(view), FALSE);
        return zoomed;
    case GDK_KEY_Left:
    case GDK_KEY_Up:
    case GDK_KEY_Right:
    case GDK_KEY_Down:
        if (!zoomed)
            return FALSE;
        pen_candidate_grid_set_current(grid_of(view),
                                       event->keyval == GDK_KEY_Left || event->keyval == GDK_KEY_Up
                                           ? (current + n - 1) % n
                                           : (current + 1) % n);
        return TRUE;
    default:
        return FALSE;
    }
}

/* --- using a picture ------------------------------------------------------------------------- */

/* The candidate that is meant: the current one, else the best, else the first that is finished. */
static int meant(PenRoundView *view)
{
    int k = pen_candidate_grid_get_current(grid_of(view));
    if (k < 0)
        k = pen_choice_get_best(&view->choice);
    for (int i = 0; k < 0 && i < pen_candidate_grid_get_n(grid_of(view)); i++)
        k = is_ready(view, i) ? i : -1;
    return is_ready(view, k) ? k : -1;
}

static gboolean find_use(PenRoundView *view, PenPictureUse *use)
{
    int k = meant(view);
    if (k < 0)
        return FALSE;
    *use = (PenPictureUse){ view->round, k, pen_candidate_card_get_picture(card_of(view, k)) };
    return TRUE;
}

void pen_round_view_insert(PenRoundView *view)
{
    PenPictureUse use;
    if (find_use(view, &use))
        pen_picture_insert(view->app, &use);
}

void pen_round_view_open(PenRoundView *view)
{
    PenPictureUse use;
    if (find_use(view, &use))
        pen_picture_open(view->app, &use);
}

void pen_round_view_save(PenRoundView *view)
{
    PenPictureUse use;
    if (find_use(view, &use))
        pen_picture_save(view->app, &use, GTK_WIDGET(view));
}

static void on_menu(PenMenuEntry entry, int k, gpointer data)
{
    PenRoundView *view = data;
    switch (entry) {
    case PEN_MENU_BEST:
    case PEN_MENU_NEXT:
    case PEN_MENU_TIE:
        choose(view, k, entry - PEN_MENU_BEST + PEN_CHOOSE_BEST);
        break;
    case PEN_MENU_ZOOM:
        pen_candidate_grid_set_zoomed(grid_of(view), !pen_candidate_grid_is_zoomed(grid_of(view)));
        break;
    case PEN_MENU_INSERT:
        pen_round_view_insert(view);
        break;
    case PEN_MENU_OPEN:
        pen_round_view_open(view);
        break;
    case PEN_MENU_SAVE:
        pen_round_view_save(view);
        break;
    }
}

static GtkWidget *new_menu(PenRoundView *view, int k, gboolean picks)
{
    return pen_candidate_menu_new(k, is_ready(view, k), pen_candidate_grid_is_zoomed(grid_of(view)),
                                  picks, on_menu, view);
}

static void on_grid_menu(PenCandidateGrid *grid, int k, PenRoundView *view)
{
    GtkWidget *menu = new_menu(view, k, TRUE);
    gtk_menu_attach_to_widget(GTK_MENU(menu), GTK_WIDGET(card_of(view, k)), NULL);
    gtk_menu_popup_at_pointer(GTK_MENU(menu), NULL);
}

static void on_more(GtkButton *button, PenRoundView *view)
{
    int k = meant(view);
    if (k < 0)
        return;
    pen_candidate_grid_set_current(grid_of(view), k);
    GtkWidget *menu = new_menu(view, k, FALSE);
    gtk_menu_attach_to_widget(GTK_MENU(menu), GTK_WIDGET(button), NULL);
    gtk_menu_popup_at_widget(GTK_MENU(menu), GTK_WIDGET(button), GDK_GRAVITY_NORTH_EAST,
                             GDK_GRAVITY_SOUTH_EAST, NULL);
}

/* --- building -------------------------------------------------------------------------------- */

static void on_opened(PenApp *app, PenRoundView *view)
{
    /* Go on where the last session ended. */
    g_autoptr(GPtrArray) rounds = pen_store_list_rounds(pen_app_store(app), 0, 1, NULL);
    if (rounds && rounds->len && !view->making.job)
        pen_round_view_show_round(view, ((PenRound *)rounds->pdata[0])->id);
    else
        update(view);
}

static void build(PenRoundView *view)
{
    view->grid = pen_candidate_grid_new();
    pen_ui_name(view->grid, _("Candidates"));
    gtk_widget_set_margin_start(view->grid, 6);
    gtk_widget_set_margin_end(view->grid, 6);
    gtk_widget_set_margin_top(view->grid, 6);
    g_signal_connect(view->grid, "choose", G_CALLBACK(on_choose), view);
    g_signal_connect(view->grid, "menu", G_CALLBACK(on_grid_menu), view);
    g_signal_connect_swapped(view->grid, "current-changed", G_CALLBACK(update), view);
    view->empty =
        pen_ui_placeholder(_("Show Penchant what you like"),
                           _("Write what should be in the picture and press Enter. Pick the "
                             "candidate that you like best; after some rounds, press Teach."));
    view->stack = gtk_stack_new();
    gtk_container_add(GTK_CONTAINER(view->stack), view->empty);
    gtk_container_add(GTK_CONTAINER(view->stack), view->grid);
    gtk_box_pack_start(GTK_BOX(view), view->stack, TRUE, TRUE, 0);

    view->hint = pen_ui_label(NULL, "pen-hint");
    gtk_label_set_xalign(GTK_LABEL(view->hint), 0.5);
    gtk_widget_set_margin_top(view->hint, 6);
    gtk_box_pack_start(GTK_BOX(view), view->hint, FALSE, FALSE, 0);

    GtkWidget *bar = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    gtk_style_context_add_class(gtk_widget_get_style_context(bar), "pen-bar");
    view->older = pen_ui_icon_button("go-previous-symbolic", _("Earlier round"));
    g_signal_connect(view->older, "clicked", G_CALLBACK(on_older), view);
    view->newer = pen_ui_icon_button("go-next-symbolic", _("Later round"));
    g_signal_connect(view->newer, "clicked", G_CALLBACK(on_newer), view);
    view->title = gtk_label_new(NULL);
    view->none = gtk_button_new_with_mnemonic(_("_None of These"));
    g_signal_connect(view->none, "clicked", G_CALLBACK(on_none), view);
    view->insert = gtk_button_new_with_mnemonic(_("_Insert as Layer"));
    g_signal_connect_swapped(view->insert, "clicked", G_CALLBACK(pen_round_view_insert), view);
    view->more = pen_ui_icon_button("view-more-symbolic", _("More to do with the picture"));
    gtk_button_set_relief(GTK_BUTTON(view->more), GTK_RELIEF_NORMAL);
    g_signal_connect(view->more, "clicked", G_CALLBACK(on_more), view);
    gtk_box_pack_start(GTK_BOX(bar), view->older, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(bar), view->title, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(bar), view->newer, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(bar), view->more, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(bar), view->insert, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(bar), view->none, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(view), bar, FALSE, FALSE, 0);
    gtk_widget_show_all(GTK_WIDGET(view));
}

static void pen_round_view_finalize(GObject *object)
{
    PenRoundView *view = PEN_ROUND_VIEW(object);
    g_cancellable_cancel(view->load);
    g_clear_object(&view->load);
    G_OBJECT_CLASS(pen_round_view_parent_class)->finalize(object);
}

static void pen_round_view_class_init(PenRoundViewClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_round_view_finalize;
}

static void pen_round_view_init(PenRoundView *view)
{
    gtk_orientable_set_orientation(GTK_ORIENTABLE(view), GTK_ORIENTATION_VERTICAL);
}

GtkWidget *pen_round_view_new(PenApp *app, PenRoundPanel *panel)
{
    PenRoundView *view = g_object_new(PEN_TYPE_ROUND_VIEW, NULL);
    view->app = app;
    view->panel = panel;
    build(view);
    update(view);
    g_signal_connect_object(panel, "generate", G_CALLBACK(on_generate), view, 0);
    g_signal_connect_object(panel, "stop", G_CALLBACK(on_stop), view, 0);
    g_signal_connect_object(app, "opened", G_CALLBACK(on_opened), view, 0);
    g_signal_connect_object(app, "model-changed", G_CALLBACK(on_model_changed), view,
                            G_CONNECT_SWAPPED);
    return GTK_WIDGET(view);
}
