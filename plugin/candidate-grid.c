// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/candidate-grid.h"

#include "plugin/ui.h"

#define SPACING 6

struct _PenCandidateGrid {
    GtkContainer parent;
    GPtrArray *cards; /* PenCandidateCard, owned by the container */
    double shape;     /* height over width of the pictures; all of a round have the same */
    int current;
    gboolean zoomed, stars, foot;
};

enum { CLICKED, VOTE, CURRENT_CHANGED, MENU, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(PenCandidateGrid, pen_candidate_grid, GTK_TYPE_CONTAINER)

PenVote pen_vote_of(GdkModifierType state)
{
    if (state & GDK_CONTROL_MASK)
        return PEN_VOTE_TIE;
    return state & GDK_SHIFT_MASK ? PEN_VOTE_NEXT : PEN_VOTE_BEST;
}

/* --- the container --------------------------------------------------------------------------- */

static void pen_candidate_grid_add(GtkContainer *container, GtkWidget *child)
{
    g_ptr_array_add(PEN_CANDIDATE_GRID(container)->cards, child);
    gtk_widget_set_parent(child, GTK_WIDGET(container));
}

static void pen_candidate_grid_remove(GtkContainer *container, GtkWidget *child)
{
    if (g_ptr_array_remove(PEN_CANDIDATE_GRID(container)->cards, child)) {
        gtk_widget_unparent(child);
        gtk_widget_queue_resize(GTK_WIDGET(container));
    }
}

static void pen_candidate_grid_forall(GtkContainer *container, gboolean internals,
                                      GtkCallback callback, gpointer data)
{
    GPtrArray *cards = PEN_CANDIDATE_GRID(container)->cards;
    /* The callback may remove the child it is given. */
    for (guint i = cards->len; i-- > 0;) {
        if (i < cards->len)
            callback(cards->pdata[i], data);
    }
}

static GType pen_candidate_grid_child_type(GtkContainer *container)
{
    return PEN_TYPE_CANDIDATE_CARD;
}

/* The columns with which a picture gets widest. */
static int best_columns(PenCandidateGrid *grid, int width, int height)
{
    int n = grid->cards->len, best = 1;
    double widest = 0;
    for (int columns = 1; columns <= n; columns++) {
        int rows = (n + columns - 1) / columns;
        double w = (double)(width - (columns - 1) * SPACING) / columns;
        double h = (double)(height - (rows - 1) * SPACING) / rows;
        double picture = MIN(w, h / grid->shape);
        if (picture > widest + 0.5) {
            widest = picture;
            best = columns;
        }
    }
    return best;
}

static void pen_candidate_grid_size_allocate(GtkWidget *widget, GtkAllocation *allocation)
{
    PenCandidateGrid *grid = PEN_CANDIDATE_GRID(widget);
    gtk_widget_set_allocation(widget, allocation);
    int n = grid->cards->len;
    if (n == 0)
        return;
    if (grid->zoomed) {
        for (int i = 0; i < n; i++)
            gtk_widget_set_child_visible(grid->cards->pdata[i], i == grid->current);
        gtk_widget_size_allocate(grid->cards->pdata[grid->current], allocation);
        return;
    }
    int columns = best_columns(grid, allocation->width, allocation->height);
    int rows = (n + columns - 1) / columns;
    int w = MAX((allocation->width - (columns - 1) * SPACING) / columns, 1);
    int h = MAX((allocation->height - (rows - 1) * SPACING) / rows, 1);
    /* Cards hug their pictures, and the whole grid is centred. */
    double shape = grid->shape;
    if (h > w * shape + 2 * PEN_CARD_MARGIN)
        h = (int)(w * shape) + 2 * PEN_CARD_MARGIN;
    else if (w > h / shape + 2 * PEN_CARD_MARGIN)
        w = (int)(h / shape) + 2 * PEN_CARD_MARGIN;
    int left_over = allocation->height - rows * h - (rows - 1) * SPACING;
    int top = grid->foot ? left_over : left_over / 2;
    for (int i = 0; i < n; i++) {
        int row = i / columns, in_row = MIN(n - row * columns, columns);
        int left = (allocation->width - in_row * w - (in_row - 1) * SPACING) / 2;
        GtkAllocation child = {
            allocation->x + left + (i % columns) * (w + SPACING),
            allocation->y + top + row * (h + SPACING),
            w,
            h,
        };
        if (gtk_widget_get_direction(widget) == GTK_TEXT_DIR_RTL)
            child.x = 2 * allocation->x + allocation->width - child.x - child.width;
        gtk_widget_set_child_visible(grid->cards->pdata[i], TRUE);
        gtk_widget_size_allocate(grid->cards->pdata[i], &child);
    }
}

static void pen_candidate_grid_preferred_width(GtkWidget *widget, int *minimum, int *natural)
{
    *minimum = 320;
    *natural = 640;
}

static void pen_candidate_grid_preferred_height(GtkWidget *widget, int *minimum, int *natural)
{
    *minimum = 180;
    *natural = 560;
}

static void pen_candidate_grid_finalize(GObject *object)
{
    g_ptr_array_unref(PEN_CANDIDATE_GRID(object)->cards);
    G_OBJECT_CLASS(pen_candidate_grid_parent_class)->finalize(object);
}

static void pen_candidate_grid_class_init(PenCandidateGridClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_candidate_grid_finalize;
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(class);
    widget_class->size_allocate = pen_candidate_grid_size_allocate;
    widget_class->get_preferred_width = pen_candidate_grid_preferred_width;
    widget_class->get_preferred_height = pen_candidate_grid_preferred_height;
    gtk_widget_class_set_accessible_role(widget_class, ATK_ROLE_PANEL);
    GtkContainerClass *container_class = GTK_CONTAINER_CLASS(class);
    container_class->add = pen_candidate_grid_add;
    container_class->remove = pen_candidate_grid_remove;
    container_class->forall = pen_candidate_grid_forall;
    container_class->child_type = pen_candidate_grid_child_type;
    signals[CLICKED] = g_signal_new("clicked", PEN_TYPE_CANDIDATE_GRID, G_SIGNAL_RUN_LAST, 0, NULL,
                                    NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
    signals[VOTE] = g_signal_new("vote", PEN_TYPE_CANDIDATE_GRID, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                 NULL, G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_INT);
    signals[CURRENT_CHANGED] = g_signal_new("current-changed", PEN_TYPE_CANDIDATE_GRID,
                                            G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
    signals[MENU] = g_signal_new("menu", PEN_TYPE_CANDIDATE_GRID, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                 NULL, G_TYPE_NONE, 1, G_TYPE_INT);
}

static void pen_candidate_grid_init(PenCandidateGrid *grid)
{
    grid->cards = g_ptr_array_new();
    grid->current = -1;
    grid->shape = 1;
    gtk_widget_set_has_window(GTK_WIDGET(grid), FALSE);
}

GtkWidget *pen_candidate_grid_new(gboolean stars)
{
    PenCandidateGrid *grid = g_object_new(PEN_TYPE_CANDIDATE_GRID, NULL);
    grid->stars = stars;
    return GTK_WIDGET(grid);
}

void pen_candidate_grid_set_foot(PenCandidateGrid *grid, gboolean foot)
{
    grid->foot = foot;
    gtk_widget_queue_resize(GTK_WIDGET(grid));
}

/* --- the cards ------------------------------------------------------------------------------- */

static int index_of(PenCandidateGrid *grid, GtkWidget *card)
{
    guint k;
    return g_ptr_array_find(grid->cards, card, &k) ? (int)k : -1;
}

static void vote(PenCandidateGrid *grid, GtkWidget *card, PenVote how)
{
    if (grid->stars)
        g_signal_emit(grid, signals[VOTE], 0, index_of(grid, card), (int)how);
}

static void on_clicked(GtkWidget *card, PenCandidateGrid *grid)
{
    GdkModifierType state = 0;
    gtk_get_current_event_state(&state);
    if (grid->stars && pen_vote_of(state) != PEN_VOTE_BEST) {
        vote(grid, card, pen_vote_of(state));
        return;
    }
    gtk_widget_grab_focus(card);
    g_signal_emit(grid, signals[CLICKED], 0, index_of(grid, card));
}

static void on_star(GtkWidget *card, PenCandidateGrid *grid)
{
    gtk_widget_grab_focus(card);
    vote(grid, card, PEN_VOTE_STAR);
}

static void on_twice(GtkWidget *card, PenCandidateGrid *grid)
{
    vote(grid, card, PEN_VOTE_BEST);
}

static void on_zoom(GtkWidget *card, PenCandidateGrid *grid)
{
    gtk_widget_grab_focus(card);
    pen_candidate_grid_set_zoomed(grid, !grid->zoomed);
}

/* What has the keyboard is current. */
static gboolean on_focus_in(GtkWidget *card, GdkEvent *event, PenCandidateGrid *grid)
{
    pen_candidate_grid_set_current(grid, index_of(grid, card));
    return FALSE;
}

static gboolean on_button(GtkWidget *card, GdkEvent *event, PenCandidateGrid *grid)
{
    if (!gdk_event_triggers_context_menu(event))
        return FALSE;
    pen_candidate_grid_set_current(grid, index_of(grid, card));
    g_signal_emit(grid, signals[MENU], 0, index_of(grid, card));
    return TRUE;
}

static gboolean on_popup_menu(GtkWidget *card, PenCandidateGrid *grid)
{
    g_signal_emit(grid, signals[MENU], 0, index_of(grid, card));
    return TRUE;
}

void pen_candidate_grid_reset(PenCandidateGrid *grid, int n, double shape)
{
    pen_candidate_grid_set_zoomed(grid, FALSE);
    pen_ui_clear(GTK_WIDGET(grid));
    grid->current = -1;
    grid->shape = CLAMP(shape, 0.1, 10);
    for (int i = 0; i < n; i++) {
        GtkWidget *card = pen_candidate_card_new(i + 1, grid->shape);
        g_signal_connect(card, "clicked", G_CALLBACK(on_clicked), grid);
        g_signal_connect(card, "zoom", G_CALLBACK(on_zoom), grid);
        g_signal_connect(card, "star", G_CALLBACK(on_star), grid);
        g_signal_connect(card, "twice", G_CALLBACK(on_twice), grid);
        pen_candidate_card_set_votable(PEN_CANDIDATE_CARD(card), grid->stars);
        g_signal_connect(card, "focus-in-event", G_CALLBACK(on_focus_in), grid);
        g_signal_connect(card, "button-press-event", G_CALLBACK(on_button), grid);
        g_signal_connect(card, "popup-menu", G_CALLBACK(on_popup_menu), grid);
        gtk_container_add(GTK_CONTAINER(grid), card);
        gtk_widget_show(card);
    }
    g_signal_emit(grid, signals[CURRENT_CHANGED], 0);
}

int pen_candidate_grid_get_n(PenCandidateGrid *grid)
{
    return grid->cards->len;
}

PenCandidateCard *pen_candidate_grid_get_card(PenCandidateGrid *grid, int k)
{
    return k >= 0 && k < (int)grid->cards->len ? grid->cards->pdata[k] : NULL;
}

int pen_candidate_grid_get_current(PenCandidateGrid *grid)
{
    return grid->current;
}

void pen_candidate_grid_set_current(PenCandidateGrid *grid, int k)
{
    if (k == grid->current || k >= (int)grid->cards->len || (k < 0 && grid->zoomed))
        return;
    grid->current = k;
    for (int i = 0; i < (int)grid->cards->len; i++)
        pen_candidate_card_set_current(grid->cards->pdata[i], i == k);
    if (grid->zoomed) {
        gtk_widget_queue_resize(GTK_WIDGET(grid));
        gtk_widget_grab_focus(grid->cards->pdata[k]);
    }
    g_signal_emit(grid, signals[CURRENT_CHANGED], 0);
}

gboolean pen_candidate_grid_is_zoomed(PenCandidateGrid *grid)
{
    return grid->zoomed;
}

void pen_candidate_grid_set_zoomed(PenCandidateGrid *grid, gboolean zoomed)
{
    if (zoomed && grid->current < 0)
        pen_candidate_grid_set_current(grid, 0);
    zoomed = zoomed && grid->current >= 0;
    if (zoomed == grid->zoomed)
        return;
    grid->zoomed = zoomed;
    gtk_widget_queue_resize(GTK_WIDGET(grid));
    if (zoomed)
        gtk_widget_grab_focus(grid->cards->pdata[grid->current]);
}
