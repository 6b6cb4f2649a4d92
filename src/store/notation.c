// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/notation.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/store/store.h"

/* Marks a candidate that no list has named yet; not PEN_RANK_NONE, which callers know. */
#define UNNAMED G_MAXINT

static gboolean give_rank(int candidate, int rank, int *ranks, int n, GError **error)
{
    if (candidate < 0 || candidate >= n) {
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                    _("There is no candidate %d: this round's are numbered from 0 to %d."),
                    candidate, n - 1);
        return FALSE;
    }
    if (ranks[candidate] != UNNAMED) {
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                    _("Candidate %d is named twice."), candidate);
        return FALSE;
    }
    ranks[candidate] = rank;
    return TRUE;
}

static int *new_ranks(int n)
{
    int *ranks = g_new(int, n);
    for (int i = 0; i < n; i++)
        ranks[i] = UNNAMED;
    return ranks;
}

/* Hands the finished ranking over; who was not named gets rank 0. */
static void deliver(const int *from, int *ranks, int n)
{
    for (int i = 0; i < n; i++)
        ranks[i] = from[i] == UNNAMED ? 0 : from[i];
}

static const char *skip_spaces(const char *p)
{
    while (g_ascii_isspace(*p))
        p++;
    return p;
}

/* A number at `*p`, which moves behind it. Numbers too large to be a candidate stay so. */
static gboolean read_number(const char **p, int *number)
{
    if (!g_ascii_isdigit(**p))
        return FALSE;
    for (*number = 0; g_ascii_isdigit(**p); (*p)++)
        *number = *number < G_MAXINT / 10 - 1 ? *number * 10 + (**p - '0') : G_MAXINT;
    return TRUE;
}

gboolean pen_notation_read_best(int best, int *ranks, int n, GError **error)
{
    g_autofree int *found = new_ranks(n);
    if (!give_rank(best, 1, found, n, error))
        return FALSE;
    deliver(found, ranks, n);
    return TRUE;
}

static void set_order_error(GError **error, const char *order, const char *at)
{
    g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                _("The order “%s” cannot be read at its character %d. Write it like “2>0>1=3”: "
                  "candidates' numbers with “>” for better than and “=” for as good as."),
                order, (int)g_utf8_pointer_to_offset(order, at) + 1);
}

gboolean pen_notation_read_order(const char *order, int *ranks, int n, GError **error)
{
    g_autofree int *found = new_ranks(n);
    g_autofree char *text = g_utf8_make_valid(order, -1);
    /* Ranks count down from n, so the last group still gets at least 1: there are at most n. */
    int rank = n;

    for (const char *p = skip_spaces(text);;) {
        const char *start = p;
        int candidate;
        if (!read_number(&p, &candidate)) {
            set_order_error(error, text, start);
            return FALSE;
        }
        if (!give_rank(candidate, rank, found, n, error))
            return FALSE;
        p = skip_spaces(p);
        if (!*p)
            break;
        if (*p != '>' && *p != '=') {
            set_order_error(error, text, p);
            return FALSE;
        }
        if (*p == '>')
            rank--;
        p = skip_spaces(p + 1);
    }
    deliver(found, ranks, n);
    return TRUE;
}

static gboolean read_votes(const char *list, int rank, int *found, int n, int *n_votes,
                           GError **error)
{
    for (const char *p = list ? list : ""; *p;) {
        int candidate;
        if (g_ascii_isspace(*p) || *p == ',') {
            p++;
            continue;
        }
        if (!read_number(&p, &candidate)) {
            g_autofree char *text = g_utf8_make_valid(list, -1);
            g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                        _("“%s” is not a list of candidates. Write their numbers with commas "
                          "between them, like “0,3”."),
                        text);
            return FALSE;
        }
        if (!give_rank(candidate, rank, found, n, error))
            return FALSE;
        ++*n_votes;
    }
    return TRUE;
}

gboolean pen_notation_read_votes(const char *up, const char *down, int *ranks, int n,
                                 GError **error)
{
    g_autofree int *found = new_ranks(n);
    int n_votes = 0;

    if (!read_votes(up, 1, found, n, &n_votes, error) ||
        !read_votes(down, -1, found, n, &n_votes, error))
        return FALSE;
    if (n_votes == 0) {
        g_set_error_literal(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                            _("Name at least one candidate to vote up or down."));
        return FALSE;
    }
    deliver(found, ranks, n);
    return TRUE;
}

typedef struct {
    int candidate;
    int rank;
} Entry;

static int compare_entries(gconstpointer a, gconstpointer b)
{
    const Entry *left = a, *right = b;
    if (left->rank != right->rank)
        return left->rank > right->rank ? -1 : 1;
    return left->candidate - right->candidate;
}

char *pen_notation_write(const int *ranks, int n)
{
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    for (int i = 0; i < n; i++) {
        if (ranks[i] != PEN_RANK_NONE) {
            Entry entry = { i, ranks[i] };
            g_array_append_val(entries, entry);
        }
    }
    g_array_sort(entries, compare_entries);

    g_autoptr(GString) order = g_string_new(NULL);
    for (guint i = 0; i < entries->len; i++) {
        const Entry *entry = &g_array_index(entries, Entry, i);
        if (i > 0)
            g_string_append_c(order, entry[-1].rank == entry->rank ? '=' : '>');
        g_string_append_printf(order, "%d", entry->candidate);
    }
    return g_strdup(order->str);
}
