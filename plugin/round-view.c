// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/round-view.h"

#include <glib/gi18n-lib.h>

#include "plugin/image.h"
#include "plugin/in-place-view.h"
#include "plugin/picture-use.h"
#include "plugin/picture.h"
#include "plugin/round-bar.h"
#include "plugin/round-keys.h"
#include "plugin/round-line.h"
#include "plugin/round-maker.h"
#include "plugin/ui.h"
#include "src/store/history.h"

struct _PenRoundView {
    GtkBox parent;
    PenApp *app;
    PenRoundPanel *panel;
    PenRoundMaker *maker;
    PenRoundLine *line;
    GtkWidget *stack, *grid, *empty, *bar;
    GtkWidget *in_place;
    GdkPixbuf *placed; /* that is shown at its place, or NULL */
    gint64 round;      /* that is shown; 0: none */
    gint64 loading;    /* that will be shown once its pictures are read; 0: none */
    GCancellable *load;
    gboolean following; /* the cards of the round that is being made are in the grid */
    PenChoiceState choice;
    int guess; /* the candidate that the votes so far speak for; -1: not known */
};

enum { SHOWN, RENEWED, N_SIGNALS };
static guint signals[N_SIGNALS];

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
    for (int i = 0; i < view->choice.n && i < pen_candidate_grid_get_n(grid_of(view)); i++) {
        pen_candidate_card_set_place(card_of(view, i), view->choice.place[i],
                                     view->choice.made && !view->choice.place[i]);
        pen_candidate_card_set_guess(card_of(view, i), i == view->guess);
    }
}

/* While a round that is being made is shown and not yet recorded, the latest is the one before. */
static gint64 neighbour(PenRoundView *view, int direction)
{
    PenStore *store = pen_app_store(view->app);
    gint64 from = view->loading ? view->loading : view->round;
    return store ? pen_store_find_neighbour(store, from, direction) : 0;
}

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

static gboolean is_placed(PenRoundView *view)
{
    return gtk_stack_get_visible_child(GTK_STACK(view->stack)) == view->in_place;
}

/* The cards, or the candidate that is meant at its place. */
static void show_page(PenRoundView *view)
{
    int k = meant(view);
    gboolean at_place =
        k >= 0 && pen_app_image(view->app) && pen_round_bar_wants_place(PEN_ROUND_BAR(view->bar));
    gboolean any = pen_candidate_grid_get_n(grid_of(view)) > 0;
    gtk_stack_set_visible_child(GTK_STACK(view->stack), at_place ? view->in_place
                                                        : any    ? view->grid
                                                                 : view->empty);
    GdkPixbuf *picture = at_place ? pen_candidate_card_get_picture(card_of(view, k)) : NULL;
    if (picture && picture != view->placed)
        pen_in_place_view_show(PEN_IN_PLACE_VIEW(view->in_place), view->round, picture);
    g_set_object(&view->placed, picture);
}

static void update(PenRoundView *view)
{
    int n = pen_candidate_grid_get_n(grid_of(view));
    gboolean any = FALSE;
    for (int i = 0; i < n; i++)
        any = any || is_ready(view, i);
    show_page(view);
    show_choice(view);
    pen_round_bar_show(PEN_ROUND_BAR(view->bar), &(PenRoundBarState){
                                                     .guessed = view->guess >= 0,
                                                     .round = view->round,
                                                     .older = neighbour(view, -1) != 0,
                                                     .newer = neighbour(view, 1) != 0,
                                                     .usable = any,
                                                     .placeable = pen_app_image(view->app) != NULL,
                                                     .meant = meant(view),
                                                     .choice = &view->choice,
                                                 });
    g_signal_emit(view, signals[SHOWN], 0, view->round);
}

static void load_choice(PenRoundView *view)
{
    PenStore *store = pen_app_store(view->app);
    pen_choice_load(&view->choice, store, view->round, pen_candidate_grid_get_n(grid_of(view)));
    g_autoptr(GPtrArray) candidates =
        store && view->round ? pen_store_list_candidates(store, view->round, NULL) : NULL;
    view->guess = candidates ? pen_candidates_get_guess(candidates) : -1;
}

void pen_round_view_refresh(PenRoundView *view)
{
    load_choice(view);
    update(view);
    g_signal_emit(view, signals[RENEWED], 0, view->round);
}

/* The cards of the round that is being made, as far as they are. */
static void follow(PenRoundView *view)
{
    g_cancellable_cancel(view->load);
    view->loading = 0;
    view->following = TRUE;
    view->round = pen_round_maker_get_round(view->maker);
    int n = pen_round_maker_get_n(view->maker);
    pen_candidate_grid_reset(grid_of(view), n, pen_round_maker_get_shape(view->maker));
    for (int i = 0; i < n; i++)
        pen_round_maker_show(view->maker, i, card_of(view, i));
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
    if (pen_round_maker_is_making(view->maker) && id == pen_round_maker_get_round(view->maker)) {
        follow(view);
        return;
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) paths = pen_pictures_of_round(pen_app_store(view->app), id, &error);
    if (!paths) {
        pen_app_report(view->app, error);
        return;
    }
    view->loading = id;
    view->load = g_cancellable_new();
    pen_pictures_load(paths, 0, view->load, on_loaded, view, NULL);
}

gint64 pen_round_view_get_round(PenRoundView *view)
{
    return view->round;
}

void pen_round_view_check(PenRoundView *view)
{
    PenStore *store = pen_app_store(view->app);
    g_autoptr(PenPastRound) there = pen_store_get_past_round(store, view->round, NULL);
    gint64 other = neighbour(view, -1) ? neighbour(view, -1) : neighbour(view, 1);
    if (there || view->following || !view->round) {
        update(view);
    } else if (other) {
        pen_round_view_show_round(view, other);
    } else {
        view->round = 0;
        pen_candidate_grid_reset(grid_of(view), 0, 1);
        pen_round_view_refresh(view);
    }
}

GtkWidget *pen_round_view_get_pictures(PenRoundView *view)
{
    return view->stack;
}

static void on_leaf(PenRoundBar *bar, int direction, PenRoundView *view)
{
    gint64 round = neighbour(view, direction);
    if (round)
        pen_round_view_show_round(view, round);
}

/* --- making a round -------------------------------------------------------------------------- */

/* Shows it at once if it was just asked for. One that stood in line waits until the artist has
 * voted on what is on the screen. */
static void on_begun(PenRoundMaker *maker, gboolean waited, PenRoundView *view)
{
    pen_round_panel_set_running(view->panel, TRUE);
    pen_ui_announce(GTK_WIDGET(view), _("A round is being made."));
    if (waited && pen_candidate_grid_get_n(grid_of(view)) && !view->choice.made) {
        pen_app_notify(view->app, GTK_MESSAGE_INFO,
                       _("The next round is being made. “Later round” shows it."));
        return;
    }
    /* The keyboard stays with the pictures, so that a number votes. */
    gboolean focused = !waited || gtk_container_get_focus_child(GTK_CONTAINER(view->grid));
    follow(view);
    if (focused)
        gtk_widget_grab_focus(GTK_WIDGET(card_of(view, 0)));
}

static void on_recorded(PenRoundMaker *maker, gint64 round, PenRoundView *view)
{
    if (view->following) {
        view->round = round;
        load_choice(view);
    }
    update(view);
    g_signal_emit(view, signals[RENEWED], 0, round);
}

static void on_changed(PenRoundMaker *maker, int k, PenRoundView *view)
{
    if (!view->following)
        return;
    pen_round_maker_show(maker, k, card_of(view, k));
    if (!is_ready(view, k))
        return;
    g_autofree char *text = g_strdup_printf(_("Candidate %d is finished."), k + 1);
    pen_ui_announce(GTK_WIDGET(view), text);
    pen_round_view_refresh(view);
}

static void on_progress(PenRoundMaker *maker, double fraction, const char *text, PenRoundView *view)
{
    pen_round_panel_set_progress(view->panel, fraction, text);
    for (int i = 0; view->following && i < pen_candidate_grid_get_n(grid_of(view)); i++)
        pen_candidate_card_set_fraction(card_of(view, i), fraction);
}

static void on_ended(PenRoundMaker *maker, gboolean recorded, PenRoundView *view)
{
    pen_round_panel_set_running(view->panel, FALSE);
    if (recorded) {
        g_signal_emit(view, signals[RENEWED], 0, pen_round_maker_get_round(maker));
        pen_ui_announce(GTK_WIDGET(view), _("The pictures are finished."));
    }
    if (view->following) {
        /* What was not finished is shown as such; in place of an order that failed at once comes
         * what was there before. */
        view->following = FALSE;
        for (int i = 0; i < pen_candidate_grid_get_n(grid_of(view)); i++) {
            if (!is_ready(view, i))
                pen_candidate_card_set(card_of(view, i), PEN_CARD_FAILED, NULL);
        }
        if (!recorded) {
            gint64 before = neighbour(view, -1);
            pen_candidate_grid_reset(grid_of(view), 0, 1);
            if (before)
                pen_round_view_show_round(view, before);
        }
        load_choice(view); /* with the guess, which is known by now */
    }
    update(view);
}

/* --- picking --------------------------------------------------------------------------------- */

static void store_choice(PenRoundView *view)
{
    g_autoptr(GError) error = NULL;
    if (pen_choice_store(&view->choice, pen_app_store(view->app), view->round, &error)) {
        g_autofree char *text = pen_choice_describe(&view->choice);
        pen_ui_announce(GTK_WIDGET(view), text);
        update(view);
    } else {
        pen_app_report(view->app, error);
        pen_round_view_refresh(view);
    }
    pen_app_picks_changed(view->app);
    g_signal_emit(view, signals[RENEWED], 0, view->round);
}

static void vote(PenRoundView *view, int k, PenVote how)
{
    if (view->round && is_ready(view, k) && pen_choice_vote(&view->choice, k, how))
        store_choice(view);
}

static void on_vote(PenCandidateGrid *grid, int k, int how, PenRoundView *view)
{
    vote(view, k, how);
}

/* The keyboard goes to what is seen now. */
static void on_in_place(PenRoundBar *bar, PenRoundView *view)
{
    int k = meant(view);
    update(view);
    if (is_placed(view))
        pen_in_place_view_focus(PEN_IN_PLACE_VIEW(view->in_place));
    else if (k >= 0)
        gtk_widget_grab_focus(GTK_WIDGET(card_of(view, k)));
}

static void on_none(PenRoundBar *bar, PenRoundView *view)
{
    if (!view->round)
        return;
    pen_choice_none(&view->choice);
    store_choice(view);
}

/* The keyboard and the selection go to the card. */
static void select_card(PenRoundView *view, int k)
{
    if (!is_placed(view))
        gtk_widget_grab_focus(GTK_WIDGET(card_of(view, k)));
    pen_candidate_grid_set_current(grid_of(view), k);
}

/* Looks closer, or no longer. */
static void look(PenRoundView *view)
{
    if (is_placed(view))
        pen_in_place_view_toggle(PEN_IN_PLACE_VIEW(view->in_place));
    else
        pen_candidate_grid_set_zoomed(grid_of(view), !pen_candidate_grid_is_zoomed(grid_of(view)));
}

/* To another candidate where one alone is seen; the grid leaves it to GTK. */
static gboolean leaf(PenRoundView *view, int step)
{
    gboolean placed = is_placed(view);
    int k = pen_candidate_grid_get_current(grid_of(view)), n = pen_candidate_grid_get_n(grid_of(view));
    if (k < 0)
        k = meant(view);
    if (k < 0 || !(placed || pen_candidate_grid_is_zoomed(grid_of(view))))
        return FALSE;
    /* At its place only what is finished can be shown. */
    int to = k;
    do
        to = (to + n + step) % n;
    while (placed && to != k && !is_ready(view, to));
    pen_candidate_grid_set_current(grid_of(view), to);
    return TRUE;
}

/* Back to all of them. */
static gboolean leave(PenRoundView *view)
{
    gboolean placed = is_placed(view), zoomed = pen_candidate_grid_is_zoomed(grid_of(view));
    if (placed)
        pen_round_bar_leave_place(PEN_ROUND_BAR(view->bar));
    else if (zoomed)
        pen_candidate_grid_set_zoomed(grid_of(view), FALSE);
    return placed || zoomed;
}

static gboolean has_keyboard(PenRoundView *view)
{
    GtkWidget *focus = gtk_window_get_focus(GTK_WINDOW(gtk_widget_get_toplevel(view->grid)));
    return !focus || gtk_widget_is_ancestor(focus, view->grid) ||
           pen_in_place_view_has_focus(PEN_IN_PLACE_VIEW(view->in_place));
}

gboolean pen_round_view_key(PenRoundView *view, GdkEventKey *event)
{
    int k, n = pen_candidate_grid_get_n(grid_of(view));
    PenRoundKey key = pen_round_key_of(event, has_keyboard(view), &k);
    PenVote how = pen_vote_of(event->state);
    int current = pen_candidate_grid_get_current(grid_of(view));
    if (n == 0)
        return FALSE;
    switch (key) {
    case PEN_ROUND_KEY_VOTE:
        if (k < n && how == PEN_VOTE_BEST)
            select_card(view, k);
        if (k < n)
            vote(view, k, how);
        return TRUE;
    case PEN_ROUND_KEY_NONE:
        on_none(NULL, view);
        return TRUE;
    case PEN_ROUND_KEY_MAKE:
        pen_round_line_generate(view->line);
        return TRUE;
    case PEN_ROUND_KEY_GUESS:
        if (view->guess >= 0) {
            select_card(view, view->guess);
            vote(view, view->guess, PEN_VOTE_BEST);
        }
        return TRUE;
    case PEN_ROUND_KEY_TAKE_OUT:
        if (current >= 0 && view->choice.place[current]) {
            pen_choice_take_out(&view->choice, current);
            store_choice(view);
        }
        return TRUE;
    case PEN_ROUND_KEY_LOOK:
        look(view);
        return TRUE;
    case PEN_ROUND_KEY_LEAVE:
        return leave(view);
    case PEN_ROUND_KEY_PREVIOUS:
    case PEN_ROUND_KEY_NEXT:
        return leaf(view, key == PEN_ROUND_KEY_NEXT ? 1 : -1);
    case PEN_ROUND_KEY_NOTHING:
        break;
    }
    return FALSE;
}

/* --- using a picture ------------------------------------------------------------------------- */

void pen_round_view_use(PenRoundView *view, PenMenuEntry how)
{
    int k = meant(view);
    if (k < 0)
        return;
    PenPictureUse use = { view->round, k, pen_candidate_card_get_picture(card_of(view, k)), NULL };
    if (how == PEN_MENU_OPEN) {
        pen_picture_open(view->app, &use);
    } else if (how == PEN_MENU_SAVE) {
        pen_picture_save(view->app, &use, GTK_WIDGET(view));
    } else {
        /* An artist who uses a picture likes it; what was voted for comes before it. */
        if (!view->choice.place[k])
            vote(view, k, PEN_VOTE_NEXT);
        pen_picture_insert(view->app, &use);
    }
}

static void on_insert(PenRoundBar *bar, PenRoundView *view)
{
    pen_round_view_use(view, PEN_MENU_INSERT);
}

void pen_round_view_make_like(PenRoundView *view, gint64 round)
{
    pen_round_line_like(view->line, round, -1);
}

static void on_menu(PenMenuEntry entry, int k, gpointer data)
{
    PenRoundView *view = data;
    switch (entry) {
    case PEN_MENU_BEST:
    case PEN_MENU_NEXT:
    case PEN_MENU_TIE:
        vote(view, k, entry - PEN_MENU_BEST + PEN_VOTE_BEST);
        break;
    case PEN_MENU_ZOOM:
        pen_round_bar_leave_place(PEN_ROUND_BAR(view->bar));
        pen_candidate_grid_set_zoomed(grid_of(view), !pen_candidate_grid_is_zoomed(grid_of(view)));
        break;
    case PEN_MENU_LIKE:
        pen_round_line_like(view->line, view->round, k);
        break;
    case PEN_MENU_INSERT:
    case PEN_MENU_OPEN:
    case PEN_MENU_SAVE:
        pen_round_view_use(view, entry);
        break;
    }
}

static void pop_up(PenRoundView *view, int k, GtkWidget *at, gboolean is_card)
{
    pen_candidate_menu_popup(k, is_ready(view, k), pen_candidate_grid_is_zoomed(grid_of(view)), at,
                             is_card, on_menu, view);
}

static void on_grid_menu(PenCandidateGrid *grid, int k, PenRoundView *view)
{
    pop_up(view, k, GTK_WIDGET(card_of(view, k)), TRUE);
}

static void on_more(PenRoundBar *bar, GtkWidget *button, PenRoundView *view)
{
    int k = meant(view);
    if (k < 0)
        return;
    pen_candidate_grid_set_current(grid_of(view), k);
    pop_up(view, k, button, FALSE);
}

/* --- building -------------------------------------------------------------------------------- */

static void on_opened(PenApp *app, PenRoundView *view)
{
    /* Go on where the last session with this image ended, else where the last one did. */
    GimpImage *image = pen_app_image(app);
    g_autofree char *identity = image ? pen_image_find_identity(image) : NULL;
    gint64 latest =
        identity ? pen_store_get_latest_round_of_image(pen_app_store(app), identity, NULL) : 0;
    if (!latest)
        latest = neighbour(view, -1);
    if (latest && !view->following)
        pen_round_view_show_round(view, latest);
    else
        update(view);
}

static void build(PenRoundView *view)
{
    view->grid = pen_candidate_grid_new(TRUE);
    pen_ui_name(view->grid, _("Candidates"));
    gtk_widget_set_margin_start(view->grid, 6);
    gtk_widget_set_margin_end(view->grid, 6);
    gtk_widget_set_margin_top(view->grid, 6);
    g_signal_connect(view->grid, "vote", G_CALLBACK(on_vote), view);
    g_signal_connect(view->grid, "menu", G_CALLBACK(on_grid_menu), view);
    g_signal_connect_swapped(view->grid, "current-changed", G_CALLBACK(update), view);
    view->empty =
        pen_ui_placeholder(_("Show Penchant what you like"),
                           _("Write what should be in the picture and press Enter. Vote for the "
                             "candidate that you like best; after some rounds, press Teach."));
    view->stack = gtk_stack_new();
    gtk_container_add(GTK_CONTAINER(view->stack), view->empty);
    gtk_container_add(GTK_CONTAINER(view->stack), view->grid);
    view->in_place = pen_in_place_view_new(view->app);
    gtk_container_add(GTK_CONTAINER(view->stack), view->in_place);
    gtk_box_pack_start(GTK_BOX(view), view->stack, TRUE, TRUE, 0);

    view->bar = pen_round_bar_new();
    g_signal_connect(view->bar, "leaf", G_CALLBACK(on_leaf), view);
    g_signal_connect(view->bar, "in-place", G_CALLBACK(on_in_place), view);
    g_signal_connect(view->bar, "none", G_CALLBACK(on_none), view);
    g_signal_connect(view->bar, "insert", G_CALLBACK(on_insert), view);
    g_signal_connect(view->bar, "more", G_CALLBACK(on_more), view);
    gtk_box_pack_start(GTK_BOX(view), view->bar, FALSE, FALSE, 0);
    gtk_widget_show_all(GTK_WIDGET(view));
}

static void pen_round_view_finalize(GObject *object)
{
    PenRoundView *view = PEN_ROUND_VIEW(object);
    g_cancellable_cancel(view->load);
    g_clear_object(&view->load);
    g_object_unref(view->line);
    g_object_unref(view->maker);
    g_clear_object(&view->placed);
    G_OBJECT_CLASS(pen_round_view_parent_class)->finalize(object);
}

static void pen_round_view_class_init(PenRoundViewClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_round_view_finalize;
    signals[SHOWN] = g_signal_new("shown", PEN_TYPE_ROUND_VIEW, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                  NULL, G_TYPE_NONE, 1, G_TYPE_INT64);
    signals[RENEWED] = g_signal_new("renewed", PEN_TYPE_ROUND_VIEW, G_SIGNAL_RUN_LAST, 0, NULL,
                                    NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT64);
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
    view->maker = pen_round_maker_new(app);
    view->line = pen_round_line_new(app, panel, view->maker);
    view->guess = -1;
    build(view);
    update(view);
    g_signal_connect_object(view->maker, "begun", G_CALLBACK(on_begun), view, 0);
    g_signal_connect_object(view->maker, "recorded", G_CALLBACK(on_recorded), view, 0);
    g_signal_connect_object(view->maker, "changed", G_CALLBACK(on_changed), view, 0);
    g_signal_connect_object(view->maker, "progress", G_CALLBACK(on_progress), view, 0);
    g_signal_connect_object(view->maker, "ended", G_CALLBACK(on_ended), view, 0);
    g_signal_connect_object(app, "opened", G_CALLBACK(on_opened), view, 0);
    return GTK_WIDGET(view);
}
