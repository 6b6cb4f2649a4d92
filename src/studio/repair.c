// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/studio/repair.h"

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#include "src/formats/picture-settings.h"
#include "src/models/model.h"
#include "src/sampling/noise.h"
#include "src/store/repair.h"
#include "src/studio/job.h"

void pen_repair_free(PenRepair *repair)
{
    if (!repair)
        return;
    g_free(repair->moved_to);
    g_strfreev(repair->missing);
    g_free(repair);
}

gboolean pen_repair_database(const char *folder, char **moved_to, GError **error)
{
    g_autoptr(GError) inner = NULL;
    *moved_to = NULL;
    g_autoptr(PenStore) store = pen_store_open(folder, &inner);
    if (store && pen_store_check(store, &inner))
        return TRUE;
    g_clear_pointer(&store, pen_store_close);
    if (g_error_matches(inner, PEN_STORE_ERROR, PEN_STORE_ERROR_CORRUPT))
        return pen_store_move_aside(folder, moved_to, error);
    g_propagate_error(error, g_steal_pointer(&inner));
    return FALSE;
}

/* --- one round ---------------------------------------------------------------------------------
 */

/* What the first picture that says anything says, and when it was made; or NULL. */
static PenPictureSettings *read_settings(PenStore *store, gint64 id, guint n, gint64 *created)
{
    for (guint i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("rounds/%" G_GINT64_FORMAT "/%u.png", id, i);
        g_autofree char *path = pen_store_path(store, name);
        g_autoptr(PenPictureSettings) settings = pen_picture_settings_read(path, NULL);
        GStatBuf info;
        if (settings && settings->steps > 0 && settings->has_seed && settings->width > 0 &&
            g_stat(path, &info) == 0) {
            *created = (gint64)info.st_mtime * G_USEC_PER_SEC;
            return g_steal_pointer(&settings);
        }
    }
    return NULL;
}

/* The model of that name, if it is here and still the same. */
static PenModel *find_model(PenStudio *studio, const PenPictureSettings *settings, char **spec)
{
    *spec = settings->model ? pen_model_find(settings->model, NULL) : NULL;
    g_autoptr(PenModel) model = *spec ? pen_studio_open_model(studio, *spec, NULL) : NULL;
    if (model && settings->model_hash && g_str_has_prefix(model->identity, settings->model_hash))
        return g_steal_pointer(&model);
    return NULL;
}

static gboolean restore(PenStudio *studio, gint64 id, const PenPictureSettings *s, guint n,
                        gint64 created, GError **error)
{
    PenStore *store = studio->store;
    g_autofree char *spec = NULL;
    g_autoptr(PenModel) model = find_model(studio, s, &spec);
    const char *hash = model ? model->identity : s->model_hash ? s->model_hash : "";
    g_autoptr(PenStyle) style = s->style ? pen_store_find_style(store, s->style, NULL) : NULL;
    gboolean teaches = style && g_str_equal(style->model_hash, hash);
    gboolean v = model && pen_schedule_get_prediction(model->schedule) == PEN_PREDICTION_V;
    PenRound round = {
        .id = id,
        .style = teaches ? style->id : 0,
        .style_version = teaches ? style->current_version : 0,
        .style_strength = s->style_strength,
        .prompt = s->prompt ? s->prompt : (char *)"",
        .negative_prompt = s->negative,
        .words = s->words,
        .clip_skip = MAX(s->clip_skip, 1),
        .model_path = model      ? spec
                      : s->model ? s->model
                                 : (char *)"",
        .model_name = s->model ? s->model : (char *)"",
        .model_hash = (char *)hash,
        .width = (int)s->width,
        .height = (int)s->height,
        .steps = s->steps,
        .guidance = s->guidance,
        .guidance_rescale = s->guidance_rescale,
        .eta = MAX(s->eta, 0),
        .seed = s->seed,
        .sampler = s->sampler ? s->sampler : (char *)"",
        .timesteps = s->timesteps,
        .prediction_type = (char *)(v ? "v_prediction" : "epsilon"),
        .created = created,
    };
    g_autofree guint64 *seeds = g_new(guint64, n);
    for (guint i = 0; i < n; i++)
        seeds[i] = pen_noise_derive_seed(s->seed, PEN_STREAM_CANDIDATE, i);
    return pen_store_restore_round(store, &round, seeds, n, error);
}

/* --- all of them -------------------------------------------------------------------------------
 */

PenRepair *pen_studio_repair(PenStudio *studio, gboolean look, GError **error)
{
    PenStore *store = studio->store;
    g_autoptr(PenRepair) repair = g_new0(PenRepair, 1);
    g_autoptr(GArray) lost = pen_store_list_lost_rounds(store, error);
    repair->missing = lost ? pen_store_list_missing_files(store, error) : NULL;
    if (!repair->missing)
        return NULL;
    repair->lost_adapters = pen_store_count_lost_adapters(store, NULL);
    for (guint i = 0; i < lost->len; i++) {
        gint64 id = g_array_index(lost, gint64, i), created = 0;
        guint n = MIN(pen_store_count_lost_candidates(store, id), PEN_ROUND_MAX);
        g_autoptr(PenPictureSettings) settings = read_settings(store, id, n, &created);
        if (!settings) {
            repair->unreadable++;
            continue;
        }
        if (!look && !restore(studio, id, settings, n, created, error))
            return NULL;
        repair->restored++;
    }
    return g_steal_pointer(&repair);
}
