// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/round-view.h"

#include <glib/gi18n-lib.h>

#include "plugin/choice.h"
#include "plugin/ui.h"

#define HISTORY 500

struct _PenRoundView {
    GtkBox parent;
    PenApp *app;
    PenRoundPanel *panel;
    GtkWidget *stack, *grid, *empty, *hint;
    GtkWidget *older, *newer, *title, *none, *insert, *more;
    gint64 round; /* that is shown; 0: none */
    PenChoiceState choice;
    GHashTable *spots; /* round (gint64 *) -> PenSpot, of this session */

    /* The round that is being made; its cards are shown unless the artist leafed away. */
    GCancellable *job;
    gint64 making;      /* 0 until it is recorded */
    gboolean following; /* its cards are in the grid */
    PenSpot *making_spot;
    double making_shape;        /* height over width */
    GPtrArray *making_pictures; /* GdkPixbuf or NULL */
    gboolean *making_done;
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
        if (round->id != view->round)
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
    g_autoptr(PenPick) pick = store && view->round ? pen_store_get_pick(store, view->round, NULL) : NULL;
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
    view->following = TRUE;
    view->round = view->making;
    pen_candidate_grid_reset(grid_of(view), view->making_pictures->len, view->making_shape);
    for (guint i = 0; i < view->making_pictures->len; i++) {
        GdkPixbuf *picture = view->making_pictures->pdata[i];
        pen_candidate_card_set(card_of(view, i),
                               view->making_done[i] ? PEN_CARD_READY
                               : picture            ? PEN_CARD_MAKING
                                                    : PEN_CARD_WAITING,
                               picture);
    }
    pen_round_view_refresh(view);
}

void pen_round_view_show_round(PenRoundView *view, gint64 id)
{
    if (view->job && id == view->making) {
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
    view->following = FALSE;
    view->round = id;
    g_autoptr(PenRound) round = pen_store_get_round(store, id, NULL);
    pen_candidate_grid_reset(grid_of(view), candidates->len,
                             round && round->width ? (double)round->height / round->width : 1);
    for (guint i = 0; i < candidates->len; i++) {
        PenCandidate *candidate = candidates->pdata[i];
        g_autoptr(GdkPixbuf) picture = NULL;
        if (candidate->picture_file) {
            g_autofree char *path = pen_store_path(store, candidate->picture_file);
            picture = gdk_pixbuf_new_from_file(path, NULL);
        }
        pen_candidate_card_set(card_of(view, i), picture ? PEN_CARD_READY : PEN_CARD_FAILED, picture);
    }
    pen_round_view_refresh(view);
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

static GdkPixbuf *copy_picture(const PenPicture *picture)
{
    GdkPixbuf *pixbuf = gdk_pixbuf_new(GDK_COLORSPACE_RGB, FALSE, 8, picture->width, picture->height);
    for (guint y = 0; y < picture->height; y++)
        memcpy(gdk_pixbuf_get_pixels(pixbuf) + (gsize)y * gdk_pixbuf_get_rowstride(pixbuf),
               picture->rgb + (gsize)y * picture->width * 3, (gsize)picture->width * 3);
    return pixbuf;
}

static void on_picture(PenRoundView *view, const PenStudioEvent *event)
{
    if (event->place < 0 || event->place >= (int)view->making_pictures->len)
        return;
    gboolean done = event->kind == PEN_STUDIO_CANDIDATE;
    GdkPixbuf *picture = copy_picture(&event->picture);
    g_clear_object(&view->making_pictures->pdata[event->place]);
    view->making_pictures->pdata[event->place] = picture;
    view->making_done[event->place] = done;
    if (!view->following)
        return;
    pen_candidate_card_set(card_of(view, event->place), done ? PEN_CARD_READY : PEN_CARD_MAKING, picture);
    if (done)
        update(view);
}

static void on_event(const PenStudioEvent *event, gpointer data)
{
    PenRoundView *view = data;
    if (!view->job || pen_app_event(view->app, event))
        return;
    switch (event->kind) {
    case PEN_STUDIO_LOADING:
        pen_round_panel_set_progress(view->panel, event->fraction, _("Loading the model…"));
        break;
    case PEN_STUDIO_ROUND:
        view->making = event->round;
        if (view->following)
            view->round = event->round;
        if (view->making_spot) {
            gint64 *key = g_memdup2(&view->making, sizeof view->making);
            g_hash_table_replace(view->spots, key, g_steal_pointer(&view->making_spot));
        }
        if (view->following)
            pen_round_view_refresh(view);
        break;
    case PEN_STUDIO_PREVIEW:
    case PEN_STUDIO_CANDIDATE:
        on_picture(view, event);
        break;
    case PEN_STUDIO_PROGRESS: {
        g_autofree char *left = pen_app_time_left(event->seconds_left);
        pen_round_panel_set_progress(view->panel, event->fraction, left ? left : _("Making the pictures…"));
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
    gint64 making = view->making;
    pen_app_end_job(view->app, view->job);
    view->job = NULL;
    view->making = 0;
    g_clear_pointer(&view->making_spot, pen_spot_free);
    g_clear_pointer(&view->making_pictures, g_ptr_array_unref);
    g_clear_pointer(&view->making_done, g_free);
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
        if (!making)
            pen_candidate_grid_reset(grid_of(view), 0, 1);
    }
    update(view);
    g_object_unref(view);
}

static void free_picture(gpointer picture)
{
    if (picture)
        g_object_unref(picture);
}

static void on_generate(PenRoundPanel *panel, PenRoundView *view)
{
    if (view->job || !pen_app_open(view->app))
        return;
    g_autofree char *prompt = pen_round_panel_get_prompt(panel);
    if (!*prompt) {
        pen_app_notify(view->app, GTK_MESSAGE_INFO, _("Write what should be in the picture first."));
        pen_round_panel_focus_prompt(panel);
        return;
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRoundOrder) order = pen_round_panel_order(panel, &error);
    if (!order) {
        pen_app_report(view->app, error);
        return;
    }
    view->job = pen_app_begin_job(view->app);
    view->making = 0;
    view->making_spot = g_steal_pointer(&order->spot);
    view->making_pictures = g_ptr_array_new_with_free_func(free_picture);
    g_ptr_array_set_size(view->making_pictures, order->request.count);
    view->making_shape = (double)order->request.height / order->request.width;
    view->making_done = g_new0(gboolean, order->request.count);
    pen_round_panel_set_running(panel, TRUE);
    pen_round_panel_set_progress(panel, 0, _("Preparing…"));
    follow(view);
    /* The pictures get the keyboard, so that a number picks. */
    gtk_widget_grab_focus(GTK_WIDGET(card_of(view, 0)));
    pen_studio_generate_async(pen_app_studio(view->app), &order->request, on_event, view, view->job,
                              on_done, g_object_ref(view));
}

static void on_stop(PenRoundPanel *panel, PenRoundView *view)
{
    if (view->job)
        g_cancellable_cancel(view->job);
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

/* The digit of a key, also with Shift, which makes it a sign that depends on the keyboard. */
static int digit_of(GdkEventKey *event)
{
    if (event->keyval >= GDK_KEY_KP_0 && event->keyval <= GDK_KEY_KP_9)
        return event->keyval - GDK_KEY_KP_0;
    GdkKeymap *keymap = gdk_keymap_get_for_display(gdk_display_get_default());
    GdkKeymapKey *keys = NULL;
    guint *values = NULL;
    int n = 0, digit = -1;
    gdk_keymap_get_entries_for_keycode(keymap, event->hardware_keycode, &keys, &values, &n);
    for (int i = 0; i < n && digit < 0; i++) {
        if (keys[i].group == event->group && values[i] >= GDK_KEY_0 && values[i] <= GDK_KEY_9)
            digit = values[i] - GDK_KEY_0;
    }
    g_free(keys);
    g_free(values);
    return digit;
}

gboolean pen_round_view_key(PenRoundView *view, GdkEventKey *event)
{
    GdkModifierType modifiers = event->state & gtk_accelerator_get_default_mod_mask();
    int n = pen_candidate_grid_get_n(grid_of(view));
    if (n == 0 || modifiers & GDK_MOD1_MASK)
        return FALSE;
    int current = pen_candidate_grid_get_current(grid_of(view));
    gboolean zoomed = pen_candidate_grid_is_zoomed(grid_of(view));
    int digit = digit_of(event);
    if (digit > n)
        return TRUE;
    if (digit > 0) {
        /* The focus goes along: else it would bring its own card back when the window gets it again. */
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

static char *layer_name(PenRoundView *view)
{
    g_autoptr(PenRound) round = pen_store_get_round(pen_app_store(view->app), view->round, NULL);
    return pen_image_layer_name(round ? round->prompt : NULL);
}

void pen_round_view_open(PenRoundView *view)
{
    int k = meant(view);
    if (k < 0)
        return;
    g_autoptr(GError) error = NULL;
    g_autofree char *name = layer_name(view);
    GimpImage *image = pen_image_new(pen_candidate_card_get_picture(card_of(view, k)), name, &error);
    if (!image) {
        pen_app_report(view->app, error);
        return;
    }
    gimp_display_new(image);
    pen_app_set_image(view->app, image);
    pen_round_panel_refresh_images(view->panel);
}

void pen_round_view_insert(PenRoundView *view)
{
    GimpImage *image = pen_app_image(view->app);
    int k = meant(view);
    if (k < 0)
        return;
    if (!image) {
        pen_round_view_open(view);
        return;
    }
    g_autoptr(GError) error = NULL;
    g_autofree char *name = layer_name(view);
    if (!pen_image_insert(image, g_hash_table_lookup(view->spots, &view->round),
                          pen_candidate_card_get_picture(card_of(view, k)), name, &error)) {
        pen_app_report(view->app, error);
        return;
    }
    g_autofree char *file = gimp_image_get_name(image);
    g_autofree char *text = g_strdup_printf(_("Inserted as a layer into %s."), file);
    pen_app_notify(view->app, GTK_MESSAGE_INFO, text);
}

static void on_save_file(GtkFileChooser *chooser, const char *path, gpointer data)
{
    PenRoundView *view = data;
    g_autoptr(GFile) from = g_file_new_for_path(g_object_get_data(G_OBJECT(chooser), "from"));
    g_autoptr(GFile) to = g_file_new_for_path(path);
    g_autoptr(GError) error = NULL;
    if (!g_file_copy(from, to, G_FILE_COPY_OVERWRITE | G_FILE_COPY_TARGET_DEFAULT_PERMS, NULL, NULL, NULL, &error))
        pen_app_report(view->app, error);
}

void pen_round_view_save(PenRoundView *view)
{
    int k = meant(view);
    PenStore *store = pen_app_store(view->app);
    g_autoptr(GPtrArray) candidates =
        store && view->round ? pen_store_list_candidates(store, view->round, NULL) : NULL;
    if (k < 0 || !candidates || k >= (int)candidates->len)
        return;
    PenCandidate *candidate = candidates->pdata[k];
    g_autofree char *name = layer_name(view);
    g_autofree char *file = g_strdup_printf("%s.png", name);
    GtkWidget *dialog = pen_ui_new_file_dialog(GTK_WIDGET(view), _("Save the Picture"), file, _("_Save"),
                                               on_save_file, view);
    g_object_set_data_full(G_OBJECT(dialog), "from", pen_store_path(store, candidate->picture_file), g_free);
    gtk_window_present(GTK_WINDOW(dialog));
}

/* --- the menu -------------------------------------------------------------------------------- */

typedef struct {
    PenRoundView *view;
    int k;
    int what;
} MenuChoice;

enum { MENU_BEST, MENU_NEXT, MENU_TIE, MENU_ZOOM, MENU_INSERT, MENU_OPEN, MENU_SAVE };

static void on_menu_item(GtkMenuItem *item, MenuChoice *choice)
{
    PenRoundView *view = choice->view;
    if (choice->what <= MENU_TIE)
        choose(view, choice->k, choice->what - MENU_BEST + PEN_CHOOSE_BEST);
    else if (choice->what == MENU_ZOOM)
        pen_candidate_grid_set_zoomed(grid_of(view), !pen_candidate_grid_is_zoomed(grid_of(view)));
    else if (choice->what == MENU_INSERT)
        pen_round_view_insert(view);
    else if (choice->what == MENU_OPEN)
        pen_round_view_open(view);
    else
        pen_round_view_save(view);
}

static void add_item(GtkWidget *menu, PenRoundView *view, int k, int what, const char *label)
{
    MenuChoice *choice = g_new(MenuChoice, 1);
    *choice = (MenuChoice){ view, k, what };
    GtkWidget *item = gtk_menu_item_new_with_mnemonic(label);
    g_signal_connect_data(item, "activate", G_CALLBACK(on_menu_item), choice,
                          (GClosureNotify)(void (*)(void))g_free, 0);
    gtk_widget_set_sensitive(item, is_ready(view, k));
    gtk_menu_shell_append(GTK_MENU_SHELL(menu), item);
}

static GtkWidget *new_menu(PenRoundView *view, int k, gboolean picks)
{
    GtkWidget *menu = gtk_menu_new();
    if (picks) {
        add_item(menu, view, k, MENU_BEST, _("This Is the _Best"));
        add_item(menu, view, k, MENU_NEXT, _("This Comes _Next"));
        add_item(menu, view, k, MENU_TIE, _("This Is _as Good as the Last Chosen"));
        gtk_menu_shell_append(GTK_MENU_SHELL(menu), gtk_separator_menu_item_new());
    }
    add_item(menu, view, k, MENU_ZOOM,
             pen_candidate_grid_is_zoomed(grid_of(view)) ? _("Show _All Candidates") : _("_Larger View"));
    if (picks)
        add_item(menu, view, k, MENU_INSERT, _("_Insert as Layer"));
    add_item(menu, view, k, MENU_OPEN, _("_Open as New Image"));
    add_item(menu, view, k, MENU_SAVE, _("_Save…"));
    g_signal_connect(menu, "selection-done", G_CALLBACK(gtk_widget_destroy), NULL);
    gtk_widget_show_all(menu);
    return menu;
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
    if (rounds && rounds->len && !view->job)
        pen_round_view_show_round(view, ((PenRound *)rounds->pdata[0])->id);
    else
        update(view);
}

static GtkWidget *build_empty(GtkWidget *view)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 9);
    gtk_widget_set_valign(box, GTK_ALIGN_CENTER);
    gtk_widget_set_halign(box, GTK_ALIGN_CENTER);
    int factor = gtk_widget_get_scale_factor(view);
    g_autoptr(GdkPixbuf) picture = pen_ui_icon(96 * factor);
    GtkWidget *icon = gtk_image_new();
    if (picture) {
        cairo_surface_t *surface = gdk_cairo_surface_create_from_pixbuf(picture, factor, NULL);
        gtk_image_set_from_surface(GTK_IMAGE(icon), surface);
        cairo_surface_destroy(surface);
    }
    GtkWidget *title = pen_ui_label(_("Show Penchant what you like"), "pen-display");
    GtkWidget *text = pen_ui_label(_("Write what should be in the picture and press Enter. Pick the "
                                     "candidate that you like best; after some rounds, press Teach."),
                                   NULL);
    gtk_label_set_max_width_chars(GTK_LABEL(text), 46);
    gtk_label_set_xalign(GTK_LABEL(title), 0.5);
    gtk_label_set_xalign(GTK_LABEL(text), 0.5);
    gtk_label_set_justify(GTK_LABEL(text), GTK_JUSTIFY_CENTER);
    gtk_box_pack_start(GTK_BOX(box), icon, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), title, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), text, FALSE, FALSE, 0);
    return box;
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
    view->empty = build_empty(GTK_WIDGET(view));
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
    g_hash_table_unref(view->spots);
    G_OBJECT_CLASS(pen_round_view_parent_class)->finalize(object);
}

static void pen_round_view_class_init(PenRoundViewClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_round_view_finalize;
}

static void pen_round_view_init(PenRoundView *view)
{
    gtk_orientable_set_orientation(GTK_ORIENTABLE(view), GTK_ORIENTATION_VERTICAL);
    view->spots = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, (GDestroyNotify)pen_spot_free);
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
    return GTK_WIDGET(view);
}
