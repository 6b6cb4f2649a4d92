// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/round-maker.h"

#include <glib/gi18n-lib.h>

#include "plugin/picture.h"
#include "plugin/ui.h"

struct _PenRoundMaker {
    GObject parent;
    PenApp *app;
    GPtrArray *line; /* PenRoundOrder */

    /* Of the round that is being made. */
    PenRoundOrder *order; /* NULL: none is */
    GCancellable *job;
    gint64 round;
    GPtrArray *pictures; /* GdkPixbuf or NULL */
    gboolean *done;
};

enum { BEGUN, RECORDED, CHANGED, PROGRESS, ENDED, LINE_CHANGED, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(PenRoundMaker, pen_round_maker, G_TYPE_OBJECT)

static void begin_next(PenRoundMaker *maker, gboolean waited);

/* --- what the studio tells ------------------------------------------------------------------- */

static void tell_progress(PenRoundMaker *maker, double fraction, const char *text)
{
    g_signal_emit(maker, signals[PROGRESS], 0, fraction, text);
}

/* The picture of an event PREVIEW or CANDIDATE. */
static void take_picture(PenRoundMaker *maker, const PenStudioEvent *event)
{
    if (event->place < 0 || event->place >= (int)maker->pictures->len)
        return;
    g_clear_object(&maker->pictures->pdata[event->place]);
    maker->pictures->pdata[event->place] =
        pen_picture_new(event->picture.rgb, (int)event->picture.width, (int)event->picture.height);
    maker->done[event->place] = event->kind == PEN_STUDIO_CANDIDATE;
    g_signal_emit(maker, signals[CHANGED], 0, event->place);
}

static void on_event(const PenStudioEvent *event, gpointer data)
{
    PenRoundMaker *maker = data;
    if (!maker->order || pen_app_event(maker->app, event))
        return;
    if (event->kind == PEN_STUDIO_LOADING) {
        tell_progress(maker, event->fraction, _("Loading the model…"));
    } else if (event->kind == PEN_STUDIO_ROUND) {
        maker->round = event->round;
        g_signal_emit(maker, signals[RECORDED], 0, event->round);
    } else if (event->kind == PEN_STUDIO_PREVIEW || event->kind == PEN_STUDIO_CANDIDATE) {
        take_picture(maker, event);
    } else if (event->kind == PEN_STUDIO_PROGRESS) {
        g_autofree char *left = pen_ui_time_left(event->seconds_left);
        tell_progress(maker, event->fraction, left ? left : _("Making the pictures…"));
    }
}

static void on_done(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(PenRoundMaker) maker = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRoundResult) made =
        pen_studio_generate_finish(pen_app_studio(maker->app), result, &error);
    gboolean recorded = maker->round != 0;
    GCancellable *job = g_steal_pointer(&maker->job);
    g_clear_pointer(&maker->order, pen_round_order_free);
    g_clear_pointer(&maker->pictures, g_ptr_array_unref);
    g_clear_pointer(&maker->done, g_free);
    if (!made)
        pen_app_report(maker->app, error);
    g_signal_emit(maker, signals[ENDED], 0, recorded);
    begin_next(maker, TRUE);
    pen_app_end_job(maker->app, job);
}

/* --- beginning ------------------------------------------------------------------------------- */

static void begin_next(PenRoundMaker *maker, gboolean waited)
{
    if (maker->order || !maker->line->len || pen_app_is_teaching(maker->app) ||
        pen_app_is_closing(maker->app))
        return;
    maker->order = g_ptr_array_steal_index(maker->line, 0);
    const PenRoundRequest *request = &maker->order->request;
    maker->round = 0;
    maker->pictures = pen_pictures_new();
    g_ptr_array_set_size(maker->pictures, (int)request->count);
    maker->done = g_new0(gboolean, request->count);
    maker->job = pen_app_begin_job(maker->app);
    g_signal_emit(maker, signals[LINE_CHANGED], 0);
    g_signal_emit(maker, signals[BEGUN], 0, waited);
    tell_progress(maker, 0, _("Preparing…"));
    pen_studio_generate_async(pen_app_studio(maker->app), request, on_event, maker, maker->job,
                              on_done, g_object_ref(maker));
}

/* Teaching may be over. */
static void on_jobs_changed(PenRoundMaker *maker)
{
    begin_next(maker, TRUE);
}

void pen_round_maker_add(PenRoundMaker *maker, PenRoundOrder *order)
{
    g_ptr_array_add(maker->line, order);
    begin_next(maker, FALSE);
    if (maker->line->len)
        g_signal_emit(maker, signals[LINE_CHANGED], 0);
}

void pen_round_maker_stop(PenRoundMaker *maker)
{
    if (maker->job)
        g_cancellable_cancel(maker->job);
}

/* --- looking --------------------------------------------------------------------------------- */

guint pen_round_maker_count_waiting(PenRoundMaker *maker)
{
    return maker->line->len;
}

const char *pen_round_maker_get_waiting(PenRoundMaker *maker, guint i)
{
    return ((PenRoundOrder *)maker->line->pdata[i])->prompt;
}

void pen_round_maker_remove_waiting(PenRoundMaker *maker, guint i)
{
    g_ptr_array_remove_index(maker->line, i);
    g_signal_emit(maker, signals[LINE_CHANGED], 0);
}

gboolean pen_round_maker_is_making(PenRoundMaker *maker)
{
    return maker->order != NULL;
}

gint64 pen_round_maker_get_round(PenRoundMaker *maker)
{
    return maker->round;
}

int pen_round_maker_get_n(PenRoundMaker *maker)
{
    return (int)maker->pictures->len;
}

double pen_round_maker_get_shape(PenRoundMaker *maker)
{
    return (double)maker->order->request.height / maker->order->request.width;
}

void pen_round_maker_show(PenRoundMaker *maker, int k, PenCandidateCard *card)
{
    GdkPixbuf *picture = maker->pictures->pdata[k];
    pen_candidate_card_set(card,
                           maker->done[k] ? PEN_CARD_READY
                           : picture      ? PEN_CARD_MAKING
                                          : PEN_CARD_WAITING,
                           picture);
}

/* --- life ------------------------------------------------------------------------------------ */

static void pen_round_maker_finalize(GObject *object)
{
    g_ptr_array_unref(PEN_ROUND_MAKER(object)->line);
    G_OBJECT_CLASS(pen_round_maker_parent_class)->finalize(object);
}

static void pen_round_maker_class_init(PenRoundMakerClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_round_maker_finalize;
    static const struct {
        const char *name;
        guint n;
        GType types[2];
    } kinds[] = {
        { "begun", 1, { G_TYPE_BOOLEAN } }, { "recorded", 1, { G_TYPE_INT64 } },
        { "changed", 1, { G_TYPE_INT } },   { "progress", 2, { G_TYPE_DOUBLE, G_TYPE_STRING } },
        { "ended", 1, { G_TYPE_BOOLEAN } }, { "line-changed", 0, { 0 } },
    };
    for (int i = 0; i < N_SIGNALS; i++)
        signals[i] =
            g_signal_newv(kinds[i].name, PEN_TYPE_ROUND_MAKER, G_SIGNAL_RUN_LAST, NULL, NULL, NULL,
                          NULL, G_TYPE_NONE, kinds[i].n, (GType *)kinds[i].types);
}

static void pen_round_maker_init(PenRoundMaker *maker)
{
    maker->line = g_ptr_array_new_with_free_func((GDestroyNotify)pen_round_order_free);
}

PenRoundMaker *pen_round_maker_new(PenApp *app)
{
    PenRoundMaker *maker = g_object_new(PEN_TYPE_ROUND_MAKER, NULL);
    maker->app = app;
    g_signal_connect_object(app, "jobs-changed", G_CALLBACK(on_jobs_changed), maker,
                            G_CONNECT_SWAPPED);
    return maker;
}
