// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/cli/prompt-list.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/formats/file.h"
#include "src/sampling/noise.h"
#include "src/studio/studio.h"

#define MAX_BYTES (64 * 1024 * 1024)

char **pen_prompt_list_load(const char *file, GError **error)
{
    static const char mark[] = "\xef\xbb\xbf"; /* that some editors put before UTF-8 */
    g_autofree char *name = g_filename_display_name(file);
    g_autoptr(GBytes) bytes = pen_file_map(file, MAX_BYTES, error);
    if (!bytes)
        return NULL;
    gsize size;
    const char *data = g_bytes_get_data(bytes, &size), *text = size ? data : "";
    if (!g_utf8_validate_len(text, size, NULL)) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("%s is not text in UTF-8: save it so, with a prompt on each line."), name);
        return NULL;
    }
    gsize skip = size >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0 ? strlen(mark) : 0;
    g_autofree char *copy = g_strndup(text + skip, size - skip);
    g_auto(GStrv) lines = g_strsplit_set(copy, "\r\n", -1);
    g_autoptr(GStrvBuilder) prompts = g_strv_builder_new();
    for (char **line = lines; *line; line++)
        if (*g_strstrip(*line))
            g_strv_builder_add(prompts, *line);
    g_auto(GStrv) list = g_strv_builder_end(prompts);
    if (!*list) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("%s has no prompt in it: write one on each line."), name);
        return NULL;
    }
    return g_steal_pointer(&list);
}

/* The same text is the same number everywhere. */
static guint64 number_of(const char *text)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    guint8 digest[32];
    gsize size = sizeof digest;
    g_checksum_update(checksum, (const guchar *)text, -1);
    g_checksum_get_digest(checksum, digest, &size);
    guint64 number = 0;
    for (guint i = 0; i < 8; i++)
        number = number << 8 | digest[i];
    return number;
}

const char *pen_prompt_list_get(char *const *prompts, guint n, guint64 list_seed, guint64 *seed)
{
    guint length = g_strv_length((char **)prompts), before = 0, all = 0;
    const char *prompt = prompts[n % length];
    for (guint i = 0; i < length; i++)
        if (g_str_equal(prompts[i], prompt)) {
            all++;
            before += i < n % length;
        }
    guint64 own = pen_noise_derive_seed(list_seed, PEN_STREAM_PROMPT_LIST, number_of(prompt));
    *seed =
        pen_noise_derive_seed(own, PEN_STREAM_PROMPT_LIST, (guint64)(n / length) * all + before);
    return prompt;
}
