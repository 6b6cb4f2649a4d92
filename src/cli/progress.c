// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/cli/progress.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Cells of the bar, and how often it is drawn. */
#define BAR_WIDTH 24
#define DRAW_INTERVAL (100 * G_TIME_SPAN_MILLISECOND)

struct _PenProgress {
    gboolean shown;
    gboolean drawn; /* there is a bar on the line */
    gboolean utf8;
    gint64 last;
};

PenProgress *pen_progress_new(gboolean shown)
{
    PenProgress *progress = g_new0(PenProgress, 1);
    progress->shown = shown && isatty(STDERR_FILENO);
    progress->utf8 = g_get_charset(NULL);
    return progress;
}

void pen_progress_free(PenProgress *progress)
{
    if (!progress)
        return;
    pen_progress_clear(progress);
    g_free(progress);
}

static guint terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

static char *time_left(double seconds)
{
    if (seconds < 0 || !isfinite(seconds))
        return g_strdup("");
    guint64 s = (guint64)ceil(seconds);
    if (s >= 3600)
        return g_strdup_printf(_(", %u:%02u:%02u left"), (guint)(s / 3600), (guint)(s / 60 % 60),
                               (guint)(s % 60));
    return g_strdup_printf(_(", %u:%02u left"), (guint)(s / 60), (guint)(s % 60));
}

void pen_progress_show(PenProgress *progress, const char *what, double fraction,
                       double seconds_left)
{
    gint64 now = g_get_monotonic_time();
    if (!progress->shown || (progress->drawn && now - progress->last < DRAW_INTERVAL))
        return;
    progress->last = now;
    fraction = CLAMP(fraction, 0, 1);
    g_autofree char *left = time_left(seconds_left);
    g_autofree char *text = g_strdup_printf(" %3.0f %%  %s%s", floor(fraction * 100), what, left);
    g_autoptr(GString) line = g_string_new("\r\033[K");
    guint columns = terminal_columns();
    if (columns > BAR_WIDTH + 2 + g_utf8_strlen(text, -1)) {
        guint full = (guint)(fraction * BAR_WIDTH + 0.5);
        for (guint i = 0; i < BAR_WIDTH; i++)
            g_string_append(line, i < full         ? progress->utf8 ? "█" : "#"
                                  : progress->utf8 ? "░"
                                                   : "-");
    }
    g_autofree char *fitting =
        g_utf8_substring(text, 0, MIN((glong)MAX(columns, 2) - 1, g_utf8_strlen(text, -1)));
    g_string_append(line, fitting);
    fputs(line->str, stderr);
    fflush(stderr);
    progress->drawn = TRUE;
}

void pen_progress_clear(PenProgress *progress)
{
    if (!progress->drawn)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    progress->drawn = FALSE;
}
