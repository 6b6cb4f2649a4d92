// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/learning/ranking.h"

#include <glib/gi18n-lib.h>

G_DEFINE_QUARK(pen - ranking - error - quark, pen_ranking_error)

guint64 pen_ranking_count_pairs(guint n, const int *rank)
{
    guint64 pairs = 0;
    for (guint i = 0; i < n; i++)
        for (guint j = i + 1; j < n; j++)
            pairs += rank[i] != rank[j];
    return pairs;
}

static gboolean check_candidate(guint n, guint64 candidate, GError **error)
{
    if (candidate < n)
        return TRUE;
    g_set_error(error, PEN_RANKING_ERROR, PEN_RANKING_ERROR_INVALID,
                _("The round has no candidate %" G_GUINT64_FORMAT "; choose from 0 to %u."),
                candidate, n - 1);
    return FALSE;
}

gboolean pen_ranking_from_best(guint n, guint best, int *rank, GError **error)
{
    g_return_val_if_fail(n > 0, FALSE);

    if (!check_candidate(n, best, error))
        return FALSE;
    for (guint i = 0; i < n; i++)
        rank[i] = i == best;
    return TRUE;
}

gboolean pen_ranking_from_thumbs(guint n, guint n_up, const guint *up, guint n_down,
                                 const guint *down, int *rank, GError **error)
{
    g_return_val_if_fail(n > 0, FALSE);

    for (guint i = 0; i < n; i++)
        rank[i] = 0;
    for (guint i = 0; i < n_up; i++) {
        if (!check_candidate(n, up[i], error))
            return FALSE;
        rank[up[i]] = 1;
    }
    for (guint i = 0; i < n_down; i++) {
        if (!check_candidate(n, down[i], error))
            return FALSE;
        if (rank[down[i]] > 0) {
            g_set_error(error, PEN_RANKING_ERROR, PEN_RANKING_ERROR_INVALID,
                        _("Candidate %u is marked up and down; choose one."), down[i]);
            return FALSE;
        }
        rank[down[i]] = -1;
    }
    return TRUE;
}

static const char *skip_spaces(const char *at)
{
    while (g_ascii_isspace(*at))
        at++;
    return at;
}

gboolean pen_ranking_from_order(guint n, const char *order, int *rank, GError **error)
{
    g_return_val_if_fail(n > 0, FALSE);

    g_autofree gboolean *seen = g_new0(gboolean, n);
    const char *at = skip_spaces(order);
    guint named = 0;
    int level = 0;

    for (;;) {
        char *end;
        if (!g_ascii_isdigit(*at))
            goto malformed;
        guint64 candidate = g_ascii_strtoull(at, &end, 10);
        if (!check_candidate(n, candidate, error))
            return FALSE;
        if (seen[candidate]) {
            g_set_error(error, PEN_RANKING_ERROR, PEN_RANKING_ERROR_INVALID,
                        _("The order “%s” names candidate %u twice."), order, (guint)candidate);
            return FALSE;
        }
        seen[candidate] = TRUE;
        rank[candidate] = level;
        named++;
        at = skip_spaces(end);
        if (*at == '\0')
            break;
        if (*at != '>' && *at != '=')
            goto malformed;
        level -= *at == '>';
        at = skip_spaces(at + 1);
    }
    if (named < n) {
        g_set_error(error, PEN_RANKING_ERROR, PEN_RANKING_ERROR_INVALID,
                    _("The order “%s” names %u of the round's %u candidates; name each once."),
                    order, named, n);
        return FALSE;
    }
    for (guint i = 0; i < n; i++)
        rank[i] -= level; // the worst is 0
    return TRUE;

malformed:
    g_set_error(error, PEN_RANKING_ERROR, PEN_RANKING_ERROR_INVALID,
                _("The order “%s” is not understood; write it like 2>0>1=3, the best first."),
                order);
    return FALSE;
}
