// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/lesson-view.h"

#include <glib/gi18n-lib.h>

#include "plugin/picture.h"
#include "plugin/ui.h"

#define SIDE 116 /* two of them fit into the panel */
#define LARGER 384

struct _PenLessonView {
    GtkBox parent;
    PenApp *app;
    GtkWidget *hint, *pictures[2], *captions[2]; /* before, now */
    GdkPixbuf *drawn[2];
    GCancellable *job; /* of both pictures; NULL: none is being drawn */
    gint64 style, versions[2];
    gboolean shown;
};

G_DEFINE_FINAL_TYPE(PenLessonView, pen_lesson_view, GTK_TYPE_BOX)

static guint changed_signal;

/* --- drawing --------------------------------------------------------------------------------- */

/* One of the two pictures; owned by its job. */
typedef struct {
    PenLessonView *view;
    GCancellable *job; /* the later one ends it */
    int which;
} Half;

/* As large as fits into a square, in the screen's pixels. Free with cairo_surface_destroy(). */
static cairo_surface_t *scale(PenLessonView *view, GdkPixbuf *picture, int side)
{
    int per_pixel = gtk_widget_get_scale_factor(GTK_WIDGET(view));
    int width = gdk_pixbuf_get_width(picture), height = gdk_pixbuf_get_height(picture);
    double factor = (double)side * per_pixel / MAX(width, height);
    g_autoptr(GdkPixbuf) scaled =
        gdk_pixbuf_scale_simple(picture, MAX((int)(width * factor + 0.5), 1),
                                MAX((int)(height * factor + 0.5), 1), GDK_INTERP_BILINEAR);
    return gdk_cairo_surface_create_from_pixbuf(scaled, per_pixel, NULL);
}

static void show_picture(PenLessonView *view, int which, GdkPixbuf *picture)
{
    cairo_surface_t *surface = picture ? scale(view, picture, SIDE) : NULL;
    GtkWidget *image = gtk_button_get_image(GTK_BUTTON(view->pictures[which]));
    gtk_image_set_from_surface(GTK_IMAGE(image), surface);
    g_clear_pointer(&surface, cairo_surface_destroy);
    g_set_object(&view->drawn[which], picture);
    gtk_widget_set_sensitive(view->pictures[which], picture != NULL);
}

static void show_hint(PenLessonView *view, const char *text)
{
    gtk_label_set_text(GTK_LABEL(view->hint), text);
}

static void on_event(const PenStudioEvent *event, gpointer data)
{
    Half *half = data;
    PenLessonView *view = half->view;
    if (view->job != half->job || pen_app_event(view->app, event) ||
        event->kind != PEN_STUDIO_PREVIEW)
        return;
    g_autoptr(GdkPixbuf) picture =
        pen_picture_new(event->picture.rgb, (int)event->picture.width, (int)event->picture.height);
    show_picture(view, half->which, picture);
}

static void on_half_done(GObject *source, GAsyncResult *result, gpointer data)
{
    Half *half = data;
    PenLessonView *view = half->view;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRoundResult) made =
        pen_studio_generate_finish(pen_app_studio(view->app), result, &error);
    gboolean wanted = view->job == half->job;
    if (wanted && made) {
        g_autoptr(GdkPixbuf) picture =
            pen_picture_new(made->rgb[0], (int)made->width, (int)made->height);
        show_picture(view, half->which, picture);
    } else if (wanted) {
        pen_app_report(view->app, error);
        pen_lesson_view_end(view); /* one without the other is of no use */
    }
    if (half->which == 1) {
        if (view->job == half->job) {
            view->job = NULL;
            show_hint(view, _("The same picture before and after:"));
            pen_ui_announce(GTK_WIDGET(view), _("The lesson's picture is drawn."));
        }
        pen_app_end_job(view->app, half->job);
    }
    g_object_unref(view);
    g_free(half);
}

/* As the round was made, but for the version and what it started from. */
static void draw(PenLessonView *view, const PenRound *round, int which)
{
    Half *half = g_new(Half, 1);
    *half = (Half){ g_object_ref(view), view->job, which };
    PenRoundRequest request = pen_round_request_again(round);
    request.style = view->style;
    request.style_version = view->versions[which];
    request.without_style = view->versions[which] == 0;
    request.previews = TRUE;
    pen_studio_generate_async(pen_app_studio(view->app), &request, on_event, half, view->job,
                              on_half_done, half);
}

static void set_shown(PenLessonView *view, gboolean shown)
{
    view->shown = shown;
    gtk_widget_set_visible(GTK_WIDGET(view), shown);
    g_signal_emit(view, changed_signal, 0);
}

static char *name_version(PenStore *store, gint64 id)
{
    g_autoptr(PenStyleVersion) version = id ? pen_store_get_style_version(store, id, NULL) : NULL;
    return version ? g_strdup_printf(_("Version %d"), version->number)
                   : g_strdup(_("Before any teaching"));
}

static void show_captions(PenLessonView *view)
{
    static const char *const names[] = { N_("Before the lesson"), N_("After the lesson") };
    for (int which = 0; which < 2; which++) {
        g_autofree char *version = name_version(pen_app_store(view->app), view->versions[which]);
        g_autofree char *name = g_strdup_printf("%s: %s", _(names[which]), version);
        gtk_label_set_text(GTK_LABEL(view->captions[which]), version);
        pen_ui_name(view->pictures[which], name);
    }
}

void pen_lesson_view_begin(PenLessonView *view, gint64 style, gint64 before)
{
    PenStore *store = pen_app_store(view->app);
    pen_lesson_view_end(view);
    g_autoptr(PenStyle) row = pen_store_get_style(store, style, NULL);
    g_autoptr(GPtrArray) rounds = pen_store_list_rounds(store, style, 1, NULL);
    if (!row || !rounds || !rounds->len || pen_app_is_closing(view->app))
        return;
    const PenRound *round = rounds->pdata[0];
    view->style = style;
    view->versions[0] = before;
    view->versions[1] = row->current_version;
    for (int which = 0; which < 2; which++)
        show_picture(view, which, NULL);
    show_captions(view);
    show_hint(view, _("Drawing the same picture before and after…"));
    gtk_widget_set_tooltip_text(view->hint, round->prompt);
    view->job = pen_app_begin_job(view->app);
    draw(view, round, 0);
    draw(view, round, 1);
    set_shown(view, TRUE);
}

void pen_lesson_view_end(PenLessonView *view)
{
    if (!view->shown)
        return;
    if (view->job)
        g_cancellable_cancel(view->job);
    view->job = NULL;
    set_shown(view, FALSE);
}

gboolean pen_lesson_view_is_shown(PenLessonView *view)
{
    return view->shown;
}

/* --- answers --------------------------------------------------------------------------------- */

static void on_go_back(PenLessonView *view)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = pen_app_store(view->app);
    g_autofree char *now = name_version(store, view->versions[0]);
    g_autofree char *kept = name_version(store, view->versions[1]);
    pen_lesson_view_end(view);
    if (!pen_store_set_style_version(store, view->style, view->versions[0], &error)) {
        pen_app_report(view->app, error);
        return;
    }
    pen_app_styles_changed(view->app);
    pen_app_picks_changed(view->app);
    g_autofree char *text =
        g_strdup_printf(_("In use again: %s. The Styles page has kept: %s."), now, kept);
    pen_app_notify(view->app, GTK_MESSAGE_INFO, text);
}

/* By another hand: there is no lesson to judge any more. */
static void on_styles_changed(PenLessonView *view)
{
    g_autoptr(PenStyle) style = pen_app_load_style(view->app);
    if (view->shown &&
        (!style || style->id != view->style || style->current_version != view->versions[1]))
        pen_lesson_view_end(view);
}

static void on_picture(GtkWidget *button, PenLessonView *view)
{
    GdkPixbuf *picture = view->drawn[button == view->pictures[1]];
    if (!picture)
        return;
    cairo_surface_t *large = scale(view, picture, LARGER);
    GtkWidget *popover = gtk_popover_new(button);
    gtk_container_add(GTK_CONTAINER(popover), gtk_image_new_from_surface(large));
    cairo_surface_destroy(large);
    gtk_widget_show_all(popover);
    g_signal_connect(popover, "closed", G_CALLBACK(gtk_widget_destroy), NULL);
    gtk_popover_popup(GTK_POPOVER(popover));
}

/* --- building -------------------------------------------------------------------------------- */

static GtkWidget *build_picture(PenLessonView *view, int which)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 3);
    GtkWidget *image = gtk_image_new();
    gtk_widget_set_size_request(image, SIDE, SIDE);
    GtkWidget *button = view->pictures[which] = gtk_button_new();
    gtk_button_set_image(GTK_BUTTON(button), image);
    gtk_button_set_always_show_image(GTK_BUTTON(button), TRUE);
    gtk_button_set_relief(GTK_BUTTON(button), GTK_RELIEF_NONE);
    gtk_style_context_add_class(gtk_widget_get_style_context(button), "pen-lesson");
    g_signal_connect(button, "clicked", G_CALLBACK(on_picture), view);
    view->captions[which] = pen_ui_label(NULL, "pen-hint");
    gtk_label_set_xalign(GTK_LABEL(view->captions[which]), 0.5);
    gtk_label_set_line_wrap(GTK_LABEL(view->captions[which]), FALSE);
    gtk_label_set_ellipsize(GTK_LABEL(view->captions[which]), PANGO_ELLIPSIZE_END);
    gtk_box_pack_start(GTK_BOX(box), button, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), view->captions[which], FALSE, FALSE, 0);
    return box;
}

static GtkWidget *new_button(const char *mnemonic, const char *tooltip, GCallback callback,
                             PenLessonView *view)
{
    GtkWidget *button = gtk_button_new_with_mnemonic(mnemonic);
    gtk_widget_set_tooltip_text(button, tooltip);
    g_signal_connect_swapped(button, "clicked", callback, view);
    return button;
}

static void build(PenLessonView *view)
{
    view->hint = pen_ui_label(NULL, NULL);
    gtk_box_pack_start(GTK_BOX(view), view->hint, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(view), pen_ui_pair(build_picture(view, 0), build_picture(view, 1)),
                       FALSE, FALSE, 0);
    GtkWidget *back = new_button(_("Go _Back"), _("Draws as before the lesson; the votes stay"),
                                 G_CALLBACK(on_go_back), view);
    GtkWidget *keep = new_button(_("_Keep"), _("Draws as after the lesson"),
                                 G_CALLBACK(pen_lesson_view_end), view);
    gtk_box_pack_start(GTK_BOX(view), pen_ui_pair(back, keep), FALSE, FALSE, 0);
    gtk_widget_show_all(GTK_WIDGET(view));
    gtk_widget_set_no_show_all(GTK_WIDGET(view), TRUE);
    gtk_widget_hide(GTK_WIDGET(view));
}

static void pen_lesson_view_finalize(GObject *object)
{
    PenLessonView *view = PEN_LESSON_VIEW(object);
    g_clear_object(&view->drawn[0]);
    g_clear_object(&view->drawn[1]);
    G_OBJECT_CLASS(pen_lesson_view_parent_class)->finalize(object);
}

static void pen_lesson_view_class_init(PenLessonViewClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_lesson_view_finalize;
    changed_signal = g_signal_new("changed", PEN_TYPE_LESSON_VIEW, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                  NULL, G_TYPE_NONE, 0);
}

static void pen_lesson_view_init(PenLessonView *view)
{
    gtk_orientable_set_orientation(GTK_ORIENTABLE(view), GTK_ORIENTATION_VERTICAL);
    gtk_box_set_spacing(GTK_BOX(view), 6);
}

GtkWidget *pen_lesson_view_new(PenApp *app)
{
    PenLessonView *view = g_object_new(PEN_TYPE_LESSON_VIEW, NULL);
    view->app = app;
    build(view);
    g_signal_connect_object(app, "styles-changed", G_CALLBACK(on_styles_changed), view,
                            G_CONNECT_SWAPPED);
    return GTK_WIDGET(view);
}
