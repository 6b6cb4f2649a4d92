// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/candidate-card.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "plugin/paint.h"

#define RADIUS 6.0
#define RING 4.0
#define STRIP 4     /* the progress along its lower edge */
#define CORNER 30.0 /* what can be clicked in a corner: the star, and the glass */

struct _PenCandidateCard {
    GtkButton parent;
    int number;
    double shape; /* height over width */
    PenCardState state;
    GdkPixbuf *picture;
    PenPaintCache drawn;
    double fraction;
    int place;
    gboolean passed, current, hovered, votable, guess;
};

G_DEFINE_FINAL_TYPE(PenCandidateCard, pen_candidate_card, GTK_TYPE_BUTTON)

enum { ZOOM, STAR, TWICE, N_SIGNALS };
static guint signals[N_SIGNALS];

/* Where the picture is drawn, or would be: as large as fits, its proportions kept, on whole pixels.
 */
static GdkRectangle picture_area(PenCandidateCard *card)
{
    int width = gtk_widget_get_allocated_width(GTK_WIDGET(card)) - 2 * PEN_CARD_MARGIN;
    int height = gtk_widget_get_allocated_height(GTK_WIDGET(card)) - 2 * PEN_CARD_MARGIN;
    double pw = card->picture ? gdk_pixbuf_get_width(card->picture) : 1;
    double ph = card->picture ? gdk_pixbuf_get_height(card->picture) : card->shape;
    double scale = MAX(MIN(width / pw, height / ph), 0);
    GdkRectangle area = { .width = MAX((int)(pw * scale), 1), .height = MAX((int)(ph * scale), 1) };
    area.x = PEN_CARD_MARGIN + (width - area.width) / 2;
    area.y = PEN_CARD_MARGIN + (height - area.height) / 2;
    return area;
}

/* In the upper corner at the picture's start (`end` FALSE) or end. */
static gboolean in_corner(PenCandidateCard *card, gboolean end, double px, double py)
{
    GdkRectangle area = picture_area(card);
    double x = end ? area.x + area.width - CORNER - 6 : area.x;
    return card->picture && px >= x && px <= x + CORNER + 6 && py >= area.y &&
           py <= area.y + CORNER + 6;
}

static char *place_text(PenCandidateCard *card)
{
    switch (card->place) {
    case 1:
        return g_strdup(_("Best"));
    case 2:
        return g_strdup(_("2nd"));
    case 3:
        return g_strdup(_("3rd"));
    default:
        return g_strdup_printf(_("%dth"), card->place);
    }
}

static void draw_glass(cairo_t *cr, double x, double y)
{
    pen_paint_rounded(cr, x, y, CORNER, CORNER, CORNER / 2);
    gdk_cairo_set_source_rgba(cr, &PEN_PAINT_SHADE);
    cairo_fill(cr);
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_set_line_width(cr, 2);
    cairo_arc(cr, x + 13.5, y + 13.5, 5, 0, 2 * G_PI);
    cairo_stroke(cr);
    cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
    cairo_move_to(cr, x + 17.5, y + 17.5);
    cairo_line_to(cr, x + 21.5, y + 21.5);
    cairo_stroke(cr);
}

/* An open star: what is clicked to vote. */
static void draw_star(cairo_t *cr, double x, double y)
{
    pen_paint_rounded(cr, x, y, CORNER, CORNER, CORNER / 2);
    gdk_cairo_set_source_rgba(cr, &PEN_PAINT_SHADE);
    cairo_fill(cr);
    for (int i = 0; i < 10; i++) {
        double radius = i % 2 ? 4 : 9.5, angle = i * G_PI / 5 - G_PI / 2;
        cairo_line_to(cr, x + CORNER / 2 + radius * cos(angle),
                      y + CORNER / 2 + 0.5 + radius * sin(angle));
    }
    cairo_close_path(cr);
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_set_line_width(cr, 1.5);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo_stroke(cr);
}

static gboolean is_guess(PenCandidateCard *card)
{
    return card->guess && !card->place && !card->passed;
}

static gboolean pen_candidate_card_draw(GtkWidget *widget, cairo_t *cr)
{
    PenCandidateCard *card = PEN_CANDIDATE_CARD(widget);
    GdkRGBA text;
    gtk_style_context_get_color(gtk_widget_get_style_context(widget),
                                gtk_widget_get_state_flags(widget), &text);
    GdkRectangle area = picture_area(card);
    int x = area.x, y = area.y, w = area.width, h = area.height;

    if (card->current) {
        double out = RING / 2 + 1;
        pen_paint_rounded(cr, x - out, y - out, w + 2 * out, h + 2 * out, RADIUS + 2);
        gdk_cairo_set_source_rgba(cr, &PEN_PAINT_ACCENT);
        cairo_set_line_width(cr, RING);
        cairo_stroke(cr);
    }

    if (card->picture) {
        pen_paint_picture(widget, cr, card->picture, &card->drawn, x, y, w, h, RADIUS);
    } else {
        pen_paint_rounded(cr, x, y, w, h, RADIUS);
        cairo_set_source_rgba(cr, text.red, text.green, text.blue, 0.08);
        cairo_fill(cr);
    }
    if (card->state == PEN_CARD_MAKING || card->state == PEN_CARD_WAITING) {
        cairo_save(cr);
        cairo_rectangle(cr, x, y + h - STRIP, w, STRIP);
        cairo_clip(cr);
        pen_paint_rounded(cr, x, y, w, h, RADIUS);
        cairo_clip(cr);
        cairo_set_source_rgba(cr, 0, 0, 0, 0.35);
        cairo_paint(cr);
        cairo_rectangle(cr, x, y, w * card->fraction, h);
        gdk_cairo_set_source_rgba(cr, &PEN_PAINT_ACCENT);
        cairo_fill(cr);
        cairo_restore(cr);
    }

    if (card->state == PEN_CARD_FAILED) {
        pen_paint_text(widget, cr, _("Not finished"), x + w / 2.0, y + h / 2.0, PEN_PAINT_CENTRE,
                       &text);
    } else {
        char number[8];
        g_snprintf(number, sizeof number, "%d", card->number);
        pen_paint_pill(widget, cr, number, x + 8, y + h - 8, PEN_PAINT_BOTTOM_LEFT,
                       &PEN_PAINT_SHADE);
    }
    if (card->place) {
        g_autofree char *place = place_text(card);
        g_autofree char *vote = g_strconcat("★ ", place, NULL);
        pen_paint_pill(widget, cr, card->place == 1 ? vote : place, x + 8, y + 8,
                       PEN_PAINT_TOP_LEFT, &PEN_PAINT_ACCENT);
    } else if (card->votable && card->state == PEN_CARD_READY) {
        draw_star(cr, x + 6, y + 6);
    }
    if (card->picture && card->hovered)
        draw_glass(cr, x + w - CORNER - 6, y + 6);
    else if (card->picture && is_guess(card))
        pen_paint_pill(widget, cr, _("Guess"), x + w - 8, y + 8, PEN_PAINT_TOP_RIGHT,
                       &PEN_PAINT_SHADE);
    if (gtk_widget_has_visible_focus(widget) && !card->current)
        gtk_render_focus(gtk_widget_get_style_context(widget), cr, x - 5, y - 5, w + 10, h + 10);
    return FALSE;
}

static gboolean pen_candidate_card_button_press(GtkWidget *widget, GdkEventButton *event)
{
    PenCandidateCard *card = PEN_CANDIDATE_CARD(widget);
    if (event->button == GDK_BUTTON_PRIMARY && in_corner(card, TRUE, event->x, event->y)) {
        if (event->type == GDK_BUTTON_PRESS)
            g_signal_emit(widget, signals[ZOOM], 0);
        return TRUE;
    }
    if (event->button == GDK_BUTTON_PRIMARY && card->votable &&
        in_corner(card, FALSE, event->x, event->y)) {
        if (event->type == GDK_BUTTON_PRESS)
            g_signal_emit(widget, signals[STAR], 0);
        return TRUE;
    }
    if (event->type == GDK_2BUTTON_PRESS && event->button == GDK_BUTTON_PRIMARY &&
        !(event->state & gtk_accelerator_get_default_mod_mask()))
        g_signal_emit(widget, signals[TWICE], 0);
    return GTK_WIDGET_CLASS(pen_candidate_card_parent_class)->button_press_event(widget, event);
}

/* A button takes Space as a click; here it is the larger view. */
static gboolean pen_candidate_card_key_press(GtkWidget *widget, GdkEventKey *event)
{
    if (event->keyval == GDK_KEY_space &&
        !(event->state & gtk_accelerator_get_default_mod_mask())) {
        g_signal_emit(widget, signals[ZOOM], 0);
        return TRUE;
    }
    return GTK_WIDGET_CLASS(pen_candidate_card_parent_class)->key_press_event(widget, event);
}

static gboolean pen_candidate_card_crossing(GtkWidget *widget, GdkEventCrossing *event)
{
    PEN_CANDIDATE_CARD(widget)->hovered = event->type == GDK_ENTER_NOTIFY;
    gtk_widget_queue_draw(widget);
    GtkWidgetClass *parent = GTK_WIDGET_CLASS(pen_candidate_card_parent_class);
    return event->type == GDK_ENTER_NOTIFY ? parent->enter_notify_event(widget, event)
                                           : parent->leave_notify_event(widget, event);
}

static void pen_candidate_card_preferred(GtkWidget *widget, int *minimum, int *natural)
{
    *minimum = 96;
    *natural = 240;
}

static void pen_candidate_card_finalize(GObject *object)
{
    PenCandidateCard *card = PEN_CANDIDATE_CARD(object);
    g_clear_object(&card->picture);
    pen_paint_cache_clear(&card->drawn);
    G_OBJECT_CLASS(pen_candidate_card_parent_class)->finalize(object);
}

static void pen_candidate_card_class_init(PenCandidateCardClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_candidate_card_finalize;
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(class);
    widget_class->draw = pen_candidate_card_draw;
    widget_class->button_press_event = pen_candidate_card_button_press;
    widget_class->key_press_event = pen_candidate_card_key_press;
    widget_class->enter_notify_event = pen_candidate_card_crossing;
    widget_class->leave_notify_event = pen_candidate_card_crossing;
    widget_class->get_preferred_width = pen_candidate_card_preferred;
    widget_class->get_preferred_height = pen_candidate_card_preferred;
    static const char *const names[] = { "zoom", "star", "twice" };
    for (int i = 0; i < N_SIGNALS; i++)
        signals[i] = g_signal_new(names[i], PEN_TYPE_CANDIDATE_CARD, G_SIGNAL_RUN_LAST, 0, NULL,
                                  NULL, NULL, G_TYPE_NONE, 0);
}

static void pen_candidate_card_init(PenCandidateCard *card)
{
    gtk_widget_set_can_focus(GTK_WIDGET(card), TRUE);
    /* The keyboard goes to the card that is selected, which not every click does. */
    gtk_widget_set_focus_on_click(GTK_WIDGET(card), FALSE);
    gtk_widget_set_has_tooltip(GTK_WIDGET(card), FALSE);
}

/* What a screen reader says after the name. */
static void describe(PenCandidateCard *card)
{
    g_autofree char *text = NULL;
    if (card->state == PEN_CARD_FAILED)
        text = g_strdup(_("Not finished"));
    else if (card->state != PEN_CARD_READY)
        text = g_strdup(_("Being made"));
    else if (card->place)
        text = place_text(card);
    else if (is_guess(card))
        text = g_strdup(_("Guess"));
    else
        text = g_strdup(card->passed ? _("Not chosen") : _("Finished"));
    atk_object_set_description(gtk_widget_get_accessible(GTK_WIDGET(card)), text);
}

GtkWidget *pen_candidate_card_new(int number, double shape)
{
    PenCandidateCard *card = g_object_new(PEN_TYPE_CANDIDATE_CARD, NULL);
    card->number = number;
    card->shape = shape;
    g_autofree char *name = g_strdup_printf(_("Candidate %d"), number);
    atk_object_set_name(gtk_widget_get_accessible(GTK_WIDGET(card)), name);
    describe(card);
    return GTK_WIDGET(card);
}

void pen_candidate_card_set(PenCandidateCard *card, PenCardState state, GdkPixbuf *picture)
{
    card->state = state;
    if (g_set_object(&card->picture, picture))
        pen_paint_cache_clear(&card->drawn);
    describe(card);
    gtk_widget_queue_draw(GTK_WIDGET(card));
}

PenCardState pen_candidate_card_get_state(PenCandidateCard *card)
{
    return card->state;
}

GdkPixbuf *pen_candidate_card_get_picture(PenCandidateCard *card)
{
    return card->picture;
}

void pen_candidate_card_set_fraction(PenCandidateCard *card, double fraction)
{
    card->fraction = CLAMP(fraction, 0, 1);
    GtkAllocation place;
    gtk_widget_get_allocation(GTK_WIDGET(card), &place);
    GdkRectangle area = picture_area(card);
    gtk_widget_queue_draw_area(GTK_WIDGET(card), place.x + area.x,
                               place.y + area.y + area.height - STRIP, area.width, STRIP);
}

void pen_candidate_card_set_place(PenCandidateCard *card, int place, gboolean passed)
{
    card->place = place;
    card->passed = passed;
    describe(card);
    gtk_widget_queue_draw(GTK_WIDGET(card));
}

void pen_candidate_card_set_guess(PenCandidateCard *card, gboolean guess)
{
    card->guess = guess;
    describe(card);
    gtk_widget_queue_draw(GTK_WIDGET(card));
}

void pen_candidate_card_set_votable(PenCandidateCard *card, gboolean votable)
{
    card->votable = votable;
    gtk_widget_queue_draw(GTK_WIDGET(card));
}

void pen_candidate_card_set_current(PenCandidateCard *card, gboolean current)
{
    card->current = current;
    gtk_widget_queue_draw(GTK_WIDGET(card));
}
