// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/making.h"

#include "plugin/picture.h"

void pen_making_begin(PenMaking *making, PenApp *app, const PenRoundOrder *order)
{
    const PenRoundRequest *request = &order->request;
    *making = (PenMaking){
        .job = pen_app_begin_job(app),
        .shape = (double)request->height / request->width,
        .pictures = pen_pictures_new(),
        .done = g_new0(gboolean, request->count),
    };
    g_ptr_array_set_size(making->pictures, (int)request->count);
}

gboolean pen_making_take(PenMaking *making, const PenStudioEvent *event)
{
    if (event->place < 0 || event->place >= (int)making->pictures->len)
        return FALSE;
    g_clear_object(&making->pictures->pdata[event->place]);
    making->pictures->pdata[event->place] =
        pen_picture_new(event->picture.rgb, (int)event->picture.width, (int)event->picture.height);
    making->done[event->place] = event->kind == PEN_STUDIO_CANDIDATE;
    return TRUE;
}

void pen_making_show(const PenMaking *making, guint k, PenCandidateCard *card)
{
    GdkPixbuf *picture = making->pictures->pdata[k];
    pen_candidate_card_set(card,
                           making->done[k] ? PEN_CARD_READY
                           : picture       ? PEN_CARD_MAKING
                                           : PEN_CARD_WAITING,
                           picture);
}

void pen_making_end(PenMaking *making, PenApp *app)
{
    GCancellable *job = making->job;
    g_clear_pointer(&making->pictures, g_ptr_array_unref);
    g_clear_pointer(&making->done, g_free);
    *making = (PenMaking){ 0 };
    pen_app_end_job(app, job);
}
