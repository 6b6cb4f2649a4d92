// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/cli/crew-rounds.h"

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "src/studio/packs/pack.h"

/* How often rank 0 looks whether something has arrived, in microseconds. */
#define LOOK_INTERVAL 2000

/* Draws a round, or looks for it. */
static PenRoundResult *make_round(PenCli *cli, const PenRoundRequest *request, GError **error)
{
    g_auto(PenCliJob) job;
    pen_cli_job_init(&job, cli);
    pen_studio_generate_async(cli->studio, request, NULL, NULL, job.cancellable, pen_cli_job_done,
                              &job);
    return pen_studio_generate_finish(cli->studio, pen_cli_job_wait(&job), error);
}

/* --- those who draw alone -----------------------------------------------------------------------
 */

/* The round as a pack, and out of the copy. */
static GBytes *take_out(PenCli *cli, gint64 round, GError **error)
{
    PenStore *store = pen_studio_store(cli->studio);
    PenPackSelection selection = {
        .kind = PEN_PACK_WHOLE, .own = TRUE, .first = round, .last = round
    };
    PenPackContent content;
    g_autofree char *file = g_build_filename(cli->copy, "round.tar", NULL);
    char *data;
    gsize size;
    if (!pen_studio_write_pack(cli->studio, &selection, file, &content, error) ||
        !g_file_get_contents(file, &data, &size, error))
        return NULL;
    g_autoptr(GBytes) pack = g_bytes_new_take(data, size);
    return pen_store_delete_round(store, round, error) && pen_store_empty_trash(store, -1, error)
               ? g_steal_pointer(&pack)
               : NULL;
}

/* Draws what rank 0 asks for, until it asks for nothing. */
static gboolean follow(PenCli *cli, const PenRoundRequest *common, GError **error)
{
    for (;;) {
        g_autoptr(GBytes) task = cli->crew->receive(cli->crew, 0);
        gsize size;
        const char *data = g_bytes_get_data(task, &size);
        if (size < sizeof(guint64))
            return TRUE;
        PenRoundRequest request = *common;
        g_autofree char *prompt = g_strndup(data + sizeof(guint64), size - sizeof(guint64));
        memcpy(&request.seed, data, sizeof request.seed);
        request.has_seed = TRUE;
        request.prompt = prompt;
        g_autoptr(PenRoundResult) made = make_round(cli, &request, error);
        g_autoptr(GBytes) pack = made ? take_out(cli, made->round, error) : NULL;
        if (!pack)
            return FALSE;
        cli->crew->send(cli->crew, 0, g_bytes_get_data(pack, NULL), g_bytes_get_size(pack));
    }
}

/* --- who leads ----------------------------------------------------------------------------------
 */

typedef struct {
    PenCli *cli;
    const PenRoundRequest *common;
    PenStudioEventFunc event;
    gpointer event_data;
    PenCrewRoundFunc made;
    gpointer data;
    const GArray *rounds; /* PenCrewRound */
    GArray *missing;      /* guint: which of them are to be made */
    guint next;           /* of the missing */
    gint64 first;         /* the id that the first missing one gets */
    guint *at;            /* [size]: which of the missing a process is at, + 1; 0: it is free */
    GAsyncResult *drawn;  /* our own */
    GCancellable *cancellable;
} Lead;

static void lead_clear(Lead *lead)
{
    g_clear_pointer(&lead->missing, g_array_unref);
    g_clear_pointer(&lead->at, g_free);
    g_clear_object(&lead->drawn);
    g_clear_object(&lead->cancellable);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Lead, lead_clear)

static const PenCrewRound *get_missing(const Lead *lead, guint i)
{
    return &g_array_index(lead->rounds, PenCrewRound, g_array_index(lead->missing, guint, i));
}

static PenRoundRequest request_for(const Lead *lead, const PenCrewRound *round)
{
    PenRoundRequest request = *lead->common;
    request.prompt = round->prompt;
    request.has_seed = TRUE;
    request.seed = round->seed;
    return request;
}

static gboolean look_what_is_missing(Lead *lead, GError **error)
{
    for (guint i = 0; i < lead->rounds->len; i++) {
        PenRoundRequest request = request_for(lead, &g_array_index(lead->rounds, PenCrewRound, i));
        request.only_look = TRUE;
        g_autoptr(PenRoundResult) there = make_round(lead->cli, &request, error);
        if (!there || (there->round && !lead->made(there->round, TRUE, lead->data, error)))
            return FALSE;
        if (!there->round)
            g_array_append_val(lead->missing, i);
    }
    lead->first = pen_store_next_round(pen_studio_store(lead->cli->studio), error);
    return lead->first != 0;
}

static void on_drawn(GObject *source G_GNUC_UNUSED, GAsyncResult *result, gpointer data)
{
    ((Lead *)data)->drawn = g_object_ref(result);
}

/* Gives the next round to a process, or tells it that there is none. */
static void give(Lead *lead, guint to)
{
    PenCrew *crew = lead->cli->crew;
    if (lead->next == lead->missing->len) {
        lead->at[to] = 0;
        if (to)
            crew->send(crew, to, NULL, 0);
        return;
    }
    const PenCrewRound *round = get_missing(lead, lead->next);
    lead->at[to] = ++lead->next;
    if (to) {
        g_autoptr(GByteArray) task = g_byte_array_new();
        g_byte_array_append(task, (const guint8 *)&round->seed, sizeof round->seed);
        g_byte_array_append(task, (const guint8 *)round->prompt, (guint)strlen(round->prompt));
        crew->send(crew, to, task->data, task->len);
        return;
    }
    PenRoundRequest request = request_for(lead, round);
    request.wished_round = lead->first + lead->at[0] - 1;
    pen_studio_generate_async(lead->cli->studio, &request, lead->event, lead->event_data,
                              lead->cancellable, on_drawn, lead);
}

static gboolean take_own(Lead *lead, GError **error)
{
    g_autoptr(GAsyncResult) drawn = g_steal_pointer(&lead->drawn);
    g_autoptr(PenRoundResult) made = pen_studio_generate_finish(lead->cli->studio, drawn, error);
    return made && lead->made(made->round, FALSE, lead->data, error);
}

static gboolean take_pack(Lead *lead, guint from, GError **error)
{
    PenCrew *crew = lead->cli->crew;
    g_autoptr(GBytes) pack = crew->receive(crew, from);
    g_autofree char *file = NULL;
    int fd = g_file_open_tmp("penchant-round-XXXXXX.tar", &file, error);
    if (fd < 0)
        return FALSE;
    g_close(fd, NULL);
    gint64 wished = lead->first + lead->at[from] - 1;
    PenImported imported = { 0 };
    gboolean ok = g_file_set_contents(file, g_bytes_get_data(pack, NULL),
                                      (gssize)g_bytes_get_size(pack), error) &&
                  pen_studio_merge_pack(lead->cli->studio, file, &wished, &imported, error);
    g_unlink(file);
    return ok && lead->made(imported.first, FALSE, lead->data, error);
}

static gboolean anybody_draws(const Lead *lead)
{
    for (guint i = 0; i < lead->cli->crew->size; i++)
        if (lead->at[i])
            return TRUE;
    return FALSE;
}

static gboolean drive(Lead *lead, GError **error)
{
    PenCrew *crew = lead->cli->crew;
    for (guint i = 0; i < crew->size; i++)
        give(lead, i);
    while (anybody_draws(lead)) {
        guint from;
        gboolean idle = !g_main_context_iteration(NULL, FALSE);
        if (lead->drawn) {
            if (!take_own(lead, error))
                return FALSE;
            give(lead, 0);
        } else if (crew->waits(crew, &from)) {
            if (!take_pack(lead, from, error))
                return FALSE;
            give(lead, from);
        } else if (idle) {
            g_usleep(LOOK_INTERVAL);
        }
    }
    return TRUE;
}

gboolean pen_crew_make_rounds(PenCli *cli, const PenRoundRequest *request, const GArray *rounds,
                              PenStudioEventFunc event, gpointer event_data, PenCrewRoundFunc made,
                              gpointer data, GError **error)
{
    if (cli->crew->rank > 0)
        return follow(cli, request, error);
    g_auto(Lead) lead = {
        .cli = cli,
        .common = request,
        .event = event,
        .event_data = event_data,
        .made = made,
        .data = data,
        .rounds = rounds,
        .missing = g_array_new(FALSE, FALSE, sizeof(guint)),
        .at = g_new0(guint, cli->crew->size),
        .cancellable = g_cancellable_new(),
    };
    return look_what_is_missing(&lead, error) && drive(&lead, error);
}
