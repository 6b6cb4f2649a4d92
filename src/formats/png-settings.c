// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/png-settings.h"

#include <math.h>
#include <string.h>

#define NEGATIVE "Negative prompt: "

PenPngSettings *pen_png_settings_new(void)
{
    PenPngSettings *settings = g_new0(PenPngSettings, 1);
    settings->eta = -1;
    settings->candidate = -1;
    return settings;
}

void pen_png_settings_free(PenPngSettings *settings)
{
    if (!settings)
        return;
    g_free(settings->prompt);
    g_free(settings->negative);
    g_free(settings->sampler);
    g_free(settings->model_hash);
    g_free(settings->model);
    g_free(settings->style);
    g_free(settings);
}

// ------------------------------------------------------------------ writing

static void append_value(GString *text, const char *key, const char *value)
{
    if (!value)
        return;
    g_string_append_printf(text, "%s%s: ", text->len ? ", " : "", key);
    if (!*value || strpbrk(value, ",:\n\"")) {
        g_string_append_c(text, '"');
        for (; *value; value++) {
            if (*value == '"' || *value == '\\')
                g_string_append_c(text, '\\');
            if (*value == '\n')
                g_string_append(text, "\\n");
            else
                g_string_append_c(text, *value);
        }
        g_string_append_c(text, '"');
    } else {
        g_string_append(text, value);
    }
}

static void append_number(GString *text, const char *key, double value)
{
    char buffer[G_ASCII_DTOSTR_BUF_SIZE];
    append_value(text, key, g_ascii_formatd(buffer, sizeof buffer, "%.6g", value));
}

char *pen_png_settings_to_text(const PenPngSettings *settings)
{
    g_autoptr(GString) line = g_string_new(NULL);
    if (settings->steps > 0)
        append_number(line, "Steps", settings->steps);
    append_value(line, "Sampler", settings->sampler);
    if (settings->guidance > 0)
        append_number(line, "CFG scale", settings->guidance);
    if (settings->has_seed) {
        g_autofree char *seed = g_strdup_printf("%" G_GUINT64_FORMAT, settings->seed);
        append_value(line, "Seed", seed);
    }
    if (settings->width > 0 && settings->height > 0) {
        g_autofree char *size = g_strdup_printf("%ux%u", settings->width, settings->height);
        append_value(line, "Size", size);
    }
    append_value(line, "Model hash", settings->model_hash);
    append_value(line, "Model", settings->model);
    if (settings->eta >= 0)
        append_number(line, "Eta", settings->eta);
    append_value(line, "Style", settings->style);
    if (settings->candidate >= 0)
        append_number(line, "Candidate", settings->candidate);

    GString *text = g_string_new(settings->prompt);
    if (settings->negative && *settings->negative)
        g_string_append_printf(text, "%s" NEGATIVE "%s", text->len ? "\n" : "", settings->negative);
    if (line->len)
        g_string_append_printf(text, "%s%s", text->len ? "\n" : "", line->str);
    return g_string_free(text, FALSE);
}

// ------------------------------------------------------------------ reading

// Reads `KEY: VALUE` and the comma after it; FALSE where there is none. `key` and `value` are new.
static gboolean read_pair(const char **text, char **key, char **value)
{
    const char *c = *text;
    while (*c == ' ')
        c++;
    const char *begin = c;
    while (*c && *c != ':' && *c != ',' && *c != '"')
        c++;
    if (*c != ':' || c == begin)
        return FALSE;
    const char *end = c++;
    while (*c == ' ')
        c++;

    g_autoptr(GString) read = g_string_new(NULL);
    const char *quoted = c;
    gboolean closed = FALSE;
    if (*quoted == '"') {
        for (quoted++; *quoted && !closed; quoted++) {
            if (*quoted == '"') {
                closed = TRUE;
            } else if (*quoted == '\\' && quoted[1]) {
                quoted++;
                g_string_append_c(read, *quoted == 'n' ? '\n' : *quoted);
            } else {
                g_string_append_c(read, *quoted);
            }
        }
    }
    if (closed) {
        c = quoted;
    } else {
        gsize length = strcspn(c, ",");
        g_string_truncate(read, 0);
        g_string_append_len(read, c, (gssize)length);
        g_strchomp(read->str);
        c += length;
    }
    c += strspn(c, " ");
    if (*c && *c != ',')
        return FALSE;
    *text = *c ? c + 1 : c;
    *key = g_strndup(begin, end - begin);
    *value = g_strdup(read->str);
    return TRUE;
}

// Fills in what the line says; returns the number of pairs, 0 if it is not a line of settings.
static guint read_line(PenPngSettings *settings, const char *line)
{
    guint n = 0;
    while (*line) {
        g_autofree char *key = NULL;
        g_autofree char *value = NULL;
        if (!read_pair(&line, &key, &value))
            return 0;
        n++;
        if (!settings)
            continue;

        double number = g_ascii_strtod(value, NULL);
        char **string = strcmp(key, "Sampler") == 0      ? &settings->sampler
                        : strcmp(key, "Model hash") == 0 ? &settings->model_hash
                        : strcmp(key, "Model") == 0      ? &settings->model
                        : strcmp(key, "Style") == 0      ? &settings->style
                                                         : NULL;
        if (string) {
            g_free(*string);
            *string = g_strdup(value);
        } else if (strcmp(key, "Steps") == 0 && number >= 1 && number <= G_MAXINT) {
            settings->steps = (int)number;
        } else if (strcmp(key, "Candidate") == 0 && number >= 0 && number <= G_MAXINT) {
            settings->candidate = (int)number;
        } else if (strcmp(key, "CFG scale") == 0 && isfinite(number) && number > 0) {
            settings->guidance = number;
        } else if (strcmp(key, "Eta") == 0 && isfinite(number) && number >= 0) {
            settings->eta = number;
        } else if (strcmp(key, "Seed") == 0) {
            settings->has_seed =
                g_ascii_string_to_unsigned(value, 10, 0, G_MAXUINT64, &settings->seed, NULL);
        } else if (strcmp(key, "Size") == 0) {
            g_auto(GStrv) sides = g_strsplit(value, "x", 2);
            guint64 width, height;
            if (g_strv_length(sides) == 2 &&
                g_ascii_string_to_unsigned(sides[0], 10, 1, G_MAXINT, &width, NULL) &&
                g_ascii_string_to_unsigned(sides[1], 10, 1, G_MAXINT, &height, NULL)) {
                settings->width = (guint)width;
                settings->height = (guint)height;
            }
        }
    }
    return n;
}

PenPngSettings *pen_png_settings_from_text(const char *text)
{
    PenPngSettings *settings = pen_png_settings_new();
    g_autofree char *rest = g_strdup(text);

    // The last line counts as settings if it starts as they do or has several pairs.
    g_strchomp(rest);
    char *line = strrchr(rest, '\n');
    line = line ? line + 1 : rest;
    guint n = read_line(NULL, line);
    if (n >= 3 || (n > 0 && g_str_has_prefix(line, "Steps: "))) {
        read_line(settings, line);
        *line = '\0';
    }

    char *negative = g_str_has_prefix(rest, NEGATIVE) ? rest : strstr(rest, "\n" NEGATIVE);
    if (negative) {
        settings->negative = g_strdup(strchr(negative, ':') + 2);
        *negative = '\0';
        g_strchomp(settings->negative);
    }
    if (*g_strchomp(rest))
        settings->prompt = g_strdup(rest);
    return settings;
}
