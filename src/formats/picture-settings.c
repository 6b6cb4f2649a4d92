// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/picture-settings.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/formats/exif.h"
#include "src/formats/json.h"
#include "src/formats/png.h"

#define MAX_FILE (1 << 30)

#define NEGATIVE "Negative prompt: "

PenPictureSettings *pen_picture_settings_new(void)
{
    PenPictureSettings *settings = g_new0(PenPictureSettings, 1);
    settings->eta = -1;
    settings->candidate = -1;
    return settings;
}

void pen_picture_settings_free(PenPictureSettings *settings)
{
    if (!settings)
        return;
    g_free(settings->prompt);
    g_free(settings->negative);
    g_free(settings->sampler);
    g_free(settings->schedule);
    g_free(settings->timesteps);
    g_free(settings->model_hash);
    g_free(settings->model);
    g_free(settings->style);
    g_free(settings->adapters);
    g_free(settings->vae);
    g_free(settings->others);
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

char *pen_picture_settings_to_text(const PenPictureSettings *settings)
{
    g_autoptr(GString) line = g_string_new(NULL);
    if (settings->steps > 0)
        append_number(line, "Steps", settings->steps);
    append_value(line, "Sampler", settings->sampler);
    append_value(line, "Timesteps", settings->timesteps);
    if (settings->guidance > 0)
        append_number(line, "CFG scale", settings->guidance);
    if (settings->guidance_rescale > 0)
        append_number(line, "CFG Rescale", settings->guidance_rescale);
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
    if (settings->clip_skip > 1)
        append_number(line, "Clip skip", settings->clip_skip);
    if (settings->words)
        append_value(line, "Emphasis", "None");
    append_value(line, "VAE", settings->vae);
    append_value(line, "Adapters", settings->adapters);
    append_value(line, "Style", settings->style);
    if (settings->style && settings->style_strength > 0)
        append_number(line, "Style strength", settings->style_strength);
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

// Settings that say nothing about how the picture is made, or that are told by others.
static gboolean is_idle(const char *key)
{
    static const char *const idle[] = { "Version",    "Lora hashes",       "TI hashes", "VAE hash",
                                        "Hashes",     "Model hash",        "User",      "RNG",
                                        "Created at", "Civitai resources", NULL };
    return g_strv_contains(idle, key);
}

static char **find_text(PenPictureSettings *settings, const char *key)
{
    return g_str_equal(key, "Sampler")         ? &settings->sampler
           : g_str_equal(key, "Schedule type") ? &settings->schedule
           : g_str_equal(key, "Timesteps")     ? &settings->timesteps
           : g_str_equal(key, "Model hash")    ? &settings->model_hash
           : g_str_equal(key, "Model")         ? &settings->model
           : g_str_equal(key, "Style")         ? &settings->style
           : g_str_equal(key, "Adapters")      ? &settings->adapters
           : g_str_equal(key, "VAE")           ? &settings->vae
                                               : NULL;
}

static int *find_count(PenPictureSettings *settings, const char *key)
{
    return g_str_equal(key, "Steps")       ? &settings->steps
           : g_str_equal(key, "Candidate") ? &settings->candidate
           : g_str_equal(key, "Clip skip") ? &settings->clip_skip
                                           : NULL;
}

static double *find_number(PenPictureSettings *settings, const char *key)
{
    return g_str_equal(key, "CFG scale")        ? &settings->guidance
           : g_str_equal(key, "CFG Rescale")    ? &settings->guidance_rescale
           : g_str_equal(key, "Eta")            ? &settings->eta
           : g_str_equal(key, "Eta DDIM")       ? &settings->eta
           : g_str_equal(key, "Style strength") ? &settings->style_strength
                                                : NULL;
}

// FALSE: there is no place for this setting.
static gboolean take(PenPictureSettings *settings, const char *key, const char *value)
{
    double number = g_ascii_strtod(value, NULL);
    char **text = find_text(settings, key);
    int *count = find_count(settings, key);
    double *real = find_number(settings, key);
    if (text) {
        g_free(*text);
        *text = g_strdup(value);
    } else if (count) {
        if (number >= (count == &settings->candidate ? 0 : 1) && number <= G_MAXINT)
            *count = (int)number;
    } else if (real) {
        if (isfinite(number) && (number > 0 || (number == 0 && real != &settings->guidance)))
            *real = number;
    } else if (g_str_equal(key, "Seed")) {
        settings->has_seed =
            g_ascii_string_to_unsigned(value, 10, 0, G_MAXUINT64, &settings->seed, NULL);
    } else if (g_str_equal(key, "Size")) {
        g_auto(GStrv) sides = g_strsplit(value, "x", 2);
        guint64 width, height;
        if (g_strv_length(sides) == 2 &&
            g_ascii_string_to_unsigned(sides[0], 10, 1, G_MAXINT, &width, NULL) &&
            g_ascii_string_to_unsigned(sides[1], 10, 1, G_MAXINT, &height, NULL)) {
            settings->width = (guint)width;
            settings->height = (guint)height;
        }
    } else if (g_str_equal(key, "Emphasis")) {
        settings->words = g_str_equal(value, "None");
        return !g_str_equal(value, "Ignore"); // brackets are read, and their weights are not
    } else {
        return is_idle(key);
    }
    return TRUE;
}

// Fills in what the line says; returns the number of pairs, 0 if it is not a line of settings.
static guint read_line(PenPictureSettings *settings, const char *line)
{
    g_autoptr(GString) others = g_string_new(NULL);
    guint n = 0;
    while (*line) {
        g_autofree char *key = NULL;
        g_autofree char *value = NULL;
        if (!read_pair(&line, &key, &value))
            return 0;
        n++;
        if (settings && !take(settings, key, value))
            g_string_append_printf(others, "%s%s: %s", others->len ? ", " : "", key, value);
    }
    if (settings && others->len)
        settings->others = g_string_free(g_steal_pointer(&others), FALSE);
    return n;
}

static gboolean is_json_object(const char *text)
{
    while (g_ascii_isspace(*text))
        text++;
    g_autoptr(PenJson) json =
        *text == '{' ? pen_json_parse(text, strlen(text), "", NULL, NULL) : NULL;
    return json && pen_json_is_object(json);
}

PenPictureSettings *pen_picture_settings_from_text(const char *text)
{
    PenPictureSettings *settings = pen_picture_settings_new();
    if (is_json_object(text))
        return settings;
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

gboolean pen_picture_settings_say_something(const PenPictureSettings *settings)
{
    return settings->steps || settings->prompt;
}

// ------------------------------------------------------------------ in a picture

// Where other programs say it in a form of their own: the keyword of a PNG's text.
static const struct {
    const char *key, *program;
} others[] = {
    { "workflow", "ComfyUI" },
    { "prompt", "ComfyUI" },
    { "invokeai_metadata", "InvokeAI" },
    { "invokeai_graph", "InvokeAI" },
    { "sd-metadata", "InvokeAI" },
    { "Dream", "InvokeAI" },
    { "fooocus_scheme", "Fooocus" },
    { PEN_PICTURE_SETTINGS_KEY, "JSON" },
    { "Comment", "NovelAI" },
};

// The program whose form a PNG has; NULL for none.
static const char *program_of_png(const char *path)
{
    g_autoptr(PenPng) png = pen_png_read(path, NULL);
    for (gsize i = 0; png && i < G_N_ELEMENTS(others); i++) {
        const char *text = pen_png_text(png, others[i].key);
        if (text && *text &&
            (!g_str_equal(others[i].program, "NovelAI") ||
             g_strcmp0(pen_png_text(png, "Software"), "NovelAI") == 0))
            return others[i].program;
    }
    return NULL;
}

// ComfyUI writes its texts, with their keywords, into what is for the camera's name.
static const char *program_of_exif(const void *file, gsize size)
{
    static const PenExifTag tags[] = { PEN_EXIF_MAKE, PEN_EXIF_MODEL };
    for (gsize i = 0; i < G_N_ELEMENTS(tags); i++) {
        g_autofree char *text = pen_exif_text(file, size, tags[i]);
        if (text && (g_str_has_prefix(text, "workflow:") || g_str_has_prefix(text, "prompt:")))
            return "ComfyUI";
    }
    g_autofree char *comment = pen_exif_text(file, size, PEN_EXIF_USER_COMMENT);
    return comment && is_json_object(comment) ? "JSON" : NULL;
}

PenPictureSettings *pen_picture_settings_read(const char *path, GError **error)
{
    static const char png_start[] = "\x89PNG\r\n\x1a\n";
    g_autoptr(GBytes) bytes = pen_file_map(path, MAX_FILE, error);
    if (!bytes)
        return NULL;
    gsize size;
    const void *content = g_bytes_get_data(bytes, &size);
    gboolean png = size >= 8 && memcmp(content, png_start, 8) == 0;
    gboolean exif =
        size >= 12 &&
        (memcmp(content, "\xff\xd8\xff", 3) == 0 ||
         (memcmp(content, "RIFF", 4) == 0 && memcmp((const char *)content + 8, "WEBP", 4) == 0));
    g_autofree char *name = g_filename_display_name(path);
    if (!png && !exif) {
        g_set_error(
            error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_UNSUPPORTED,
            _("“%s” is no picture that says how it was made: PNG, JPEG and WebP files can."), name);
        return NULL;
    }

    g_autoptr(GError) inner = NULL;
    g_autofree char *text = png ? pen_png_read_text(path, PEN_PICTURE_SETTINGS_KEY, &inner)
                                : pen_exif_text(content, size, PEN_EXIF_USER_COMMENT);
    g_autoptr(PenPictureSettings) settings = text ? pen_picture_settings_from_text(text) : NULL;
    /* Cameras write comments, too: those are no prompts. */
    if (settings && (png ? pen_picture_settings_say_something(settings) : settings->steps > 0))
        return g_steal_pointer(&settings);
    if (inner && !g_error_matches(inner, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&inner));
        return NULL;
    }
    const char *program = png ? program_of_png(path) : program_of_exif(content, size);
    if (program)
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND,
                    _("“%s” says how it was made in a form that Penchant does not read (%s): "
                      "save it with A1111's settings text, or type the prompt and settings."),
                    name, program);
    else
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND,
                    _("“%s” does not say which settings it was made with."), name);
    return NULL;
}
