// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/cli/cli.h"
#include "src/formats/file.h"
#include "src/learning/ranking.h"
#include "src/models/model-config.h"

G_DEFINE_QUARK(pen - cli - error - quark, pen_cli_error)

gboolean pen_cli_usage_error(GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (error)
        *error = g_error_new_valist(PEN_CLI_ERROR, PEN_CLI_ERROR_USAGE, format, args);
    va_end(args);
    return FALSE;
}

void pen_cli_print(PenCli *cli, const char *format, ...)
{
    if (cli->json || cli->copy)
        return;
    pen_progress_clear(cli->progress);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

void pen_cli_note(PenCli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    if (cli->json) {
        JsonObject *object = pen_cli_object("notice");
        json_object_set_string_member(object, "message", text);
        pen_cli_emit(cli, object);
    } else if (!cli->quiet) {
        pen_progress_clear(cli->progress);
        g_printerr("%s\n", text);
    }
}

void pen_cli_warn(PenCli *cli, const char *text)
{
    if (cli->copy) /* rank 0 says it */
        return;
    pen_progress_clear(cli->progress);
    if (cli->json) {
        JsonObject *object = pen_cli_object("warning");
        json_object_set_string_member(object, "message", text);
        pen_cli_emit(cli, object);
    } else {
        g_printerr("%s\n", text);
    }
}

JsonObject *pen_cli_object(const char *type)
{
    JsonObject *object = json_object_new();
    json_object_set_string_member(object, "type", type);
    return object;
}

void pen_cli_emit(PenCli *cli, JsonObject *object)
{
    if (cli->json && !cli->copy) {
        g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
        json_node_set_object(node, object);
        g_autofree char *text = json_to_string(node, FALSE);
        pen_progress_clear(cli->progress);
        puts(text);
        fflush(stdout);
    }
    json_object_unref(object);
}

void pen_cli_set_number(JsonObject *object, const char *member, double value)
{
    if (isfinite(value))
        json_object_set_double_member(object, member, value);
    else
        json_object_set_null_member(object, member);
}

void pen_cli_add_number(JsonArray *array, double value)
{
    if (isfinite(value))
        json_array_add_double_element(array, value);
    else
        json_array_add_null_element(array);
}

char *pen_cli_time(gint64 time)
{
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(time / G_USEC_PER_SEC);
    g_autoptr(GDateTime) local = utc ? g_date_time_to_local(utc) : NULL;
    return local ? g_date_time_format(local, "%Y-%m-%d %H:%M") : g_strdup("?");
}

int pen_cli_exit_code(const GError *error)
{
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return 130;
    if (error->domain == PEN_CLI_ERROR || error->domain == G_OPTION_ERROR ||
        error->domain == PEN_MODEL_ERROR || error->domain == PEN_FORMAT_ERROR ||
        error->domain == PEN_SCHEDULE_ERROR ||
        g_error_matches(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID) ||
        g_error_matches(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_MODEL_GONE) ||
        g_error_matches(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND) ||
        g_error_matches(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID) ||
        g_error_matches(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NAME_TAKEN))
        return 2;
    return 1;
}

void pen_cli_report(PenCli *cli, const GError *error)
{
    /* Whatever the message is made of, it stays one line. */
    g_autofree char *text = g_strdelimit(g_strdup(error->message), "\r\n", ' ');
    pen_progress_clear(cli->progress);
    if (cli->crew && cli->crew->rank > 0) {
        if (error->domain != PEN_CLI_ERROR) /* in which rank 0 has the same to say */
            g_printerr("penchant-mpi: process %u on %s%s%s: %s\n", cli->crew->rank, g_get_host_name(),
                       cli->crew->device ? ", device " : "",
                       cli->crew->device ? cli->crew->device : "", text);
        return;
    }
    if (cli->json) {
        JsonObject *object = pen_cli_object("error");
        json_object_set_string_member(object, "message", text);
        json_object_set_int_member(object, "exit_code", pen_cli_exit_code(error));
        pen_cli_emit(cli, object);
    }
    g_printerr("penchant: %s\n", text);
}

gboolean pen_cli_parse_uint64(const char *text, const char *option, guint64 *value, GError **error)
{
    if (g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64, value, NULL))
        return TRUE;
    return pen_cli_usage_error(
        error, _("“%s” is not a whole number for %s: give one from 0 to %" PRId64 "."),
        text, option, G_MAXINT64);
}

gboolean pen_cli_check_target(const char *file, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(file);
    int problem = 0;
    if (g_file_test(file, G_FILE_TEST_IS_DIR))
        problem = EISDIR;
    else if (g_access(folder, W_OK) != 0)
        problem = errno;
    else if (!g_file_test(folder, G_FILE_TEST_IS_DIR))
        problem = ENOTDIR;
    if (!problem)
        return TRUE;
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(problem),
                _("%s cannot be written (%s): choose another file."), file, g_strerror(problem));
    return FALSE;
}
