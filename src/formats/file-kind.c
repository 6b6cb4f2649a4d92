// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/file-kind.h"

#include <glib/gi18n-lib.h>
#include <string.h>

// Each sentence has the file's name in it.
#define LFS                                                                                        \
    N_("“%s” is a Git LFS pointer, not the file itself: fetch it with “git lfs pull”, or "         \
       "download "                                                                                 \
       "the file alone.")
#define WEB_PAGE                                                                                   \
    N_("“%s” is a web page, not the file itself: download it again, where need be after logging "  \
       "in and accepting the licence.")
#define TEXT N_("“%s” is a text (“%s”), not the file itself: download it again.")
#define PICKLE                                                                                     \
    N_("“%s” is a Python pickle (.ckpt, .pt, .bin), which can hold programs and is not opened: "   \
       "look for the .safetensors file of the same weights, or convert it.")
#define ZIP N_("“%s” is a ZIP archive: unpack it, and choose the .safetensors file in it.")
#define ARCHIVE N_("“%s” is a packed archive: unpack it, and choose the .safetensors file in it.")
#define GGUF                                                                                       \
    N_("“%s” is a GGUF file, which is for other programs: look for the .safetensors file of the "  \
       "same weights.")
#define HDF5                                                                                       \
    N_("“%s” is a Keras file (HDF5), which is for other programs: look for the .safetensors file " \
       "of the same weights.")
#define PICTURE N_("“%s” is a picture: choose the .safetensors file.")
#define EMPTY N_("“%s” is empty: download it again.")
#define ZEROS                                                                                      \
    N_("“%s” begins with zeros in place of its content: its download did not finish; download it " \
       "again.")

static const struct {
    const char *start;
    gsize size;
    const char *sentence;
} starts[] = {
    { "version https://git-lfs", 23, LFS },
    { "version https://hawser.", 23, LFS },
    { "\x80\x02", 2, PICKLE },
    { "\x80\x03", 2, PICKLE },
    { "\x80\x04", 2, PICKLE },
    { "\x80\x05", 2, PICKLE },
    { "GGUF", 4, GGUF },
    { "GGML", 4, GGUF },
    { "lmgg", 4, GGUF },
    { "tjgg", 4, GGUF },
    { "\x89HDF", 4, HDF5 },
    { "\x1f\x8b", 2, ARCHIVE },
    { "7z\xbc\xaf", 4, ARCHIVE },
    { "Rar!", 4, ARCHIVE },
    { "BZh", 3, ARCHIVE },
    { "\xfd"
      "7zXZ",
      5, ARCHIVE },
    { "\x28\xb5\x2f\xfd", 4, ARCHIVE },
    { "\x89PNG", 4, PICTURE },
    { "\xff\xd8\xff", 3, PICTURE },
    { "GIF8", 4, PICTURE },
    { "RIFF", 4, PICTURE }, // WebP
};

static gboolean holds(const char *content, gsize size, const char *part)
{
    gsize length = strlen(part);
    for (gsize i = 0; i + length <= size; i++)
        if (memcmp(content + i, part, length) == 0)
            return TRUE;
    return FALSE;
}

// What begins with "PK" is an archive, or a pickle as PyTorch has packed it since 2020.
static const char *zip_sentence(const char *content, gsize size)
{
    return holds(content, MIN(size, 4096), "data.pkl") ||
                   holds(content, MIN(size, 4096), "/byteorder")
               ? PICKLE
               : ZIP;
}

static const char *markup_sentence(const char *content, gsize size)
{
    while (size && g_ascii_isspace(*content)) {
        content++;
        size--;
    }
    static const char *const tags[] = { "<!doctype", "<html", "<head", "<?xml", "<!--" };
    for (gsize i = 0; i < G_N_ELEMENTS(tags); i++)
        if (size >= strlen(tags[i]) && g_ascii_strncasecmp(content, tags[i], strlen(tags[i])) == 0)
            return WEB_PAGE;
    return NULL;
}

// So many zeros at its beginning are in no format.
static gboolean is_zero(const char *content, gsize size)
{
    gsize n = MIN(size, 512), i = 0;
    while (i < n && content[i] == 0)
        i++;
    return i == n;
}

// The first words of what is nothing but text, in UTF-8 or another encoding that has ASCII's
// letters; NULL for anything else.
static char *text_start(const char *content, gsize size)
{
    gsize n = MIN(size, 512), foreign = 0;
    for (gsize i = 0; i < n; i++) {
        gboolean ascii = g_ascii_isprint(content[i]) || g_ascii_isspace(content[i]);
        if (!ascii && (guchar)content[i] < 0x80)
            return NULL;
        foreign += !ascii;
    }
    if (foreign > n / 4 && !g_utf8_validate(content, (gssize)MIN(size, 16), NULL))
        return NULL;
    g_autofree char *start = g_utf8_make_valid(content, (gssize)MIN(size, 60));
    return g_strdup(g_strstrip(g_strdelimit(start, "\r\n\t", ' ')));
}

gboolean pen_file_kind_explain(const char *name, const void *bytes, gsize size, GError **error)
{
    const char *content = bytes, *sentence = size == 0 ? EMPTY : NULL;
    if (size >= 3 && memcmp(content, "\xef\xbb\xbf", 3) == 0) { // UTF-8's mark
        content += 3;
        size -= 3;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(starts) && !sentence; i++)
        if (size >= starts[i].size && memcmp(content, starts[i].start, starts[i].size) == 0)
            sentence = starts[i].sentence;
    if (!sentence && size >= 4 && memcmp(content, "PK\x03\x04", 4) == 0)
        sentence = zip_sentence(content, size);
    if (!sentence)
        sentence = markup_sentence(content, size);
    if (!sentence && size > 262 && memcmp(content + 257, "ustar", 5) == 0)
        sentence = ARCHIVE;
    if (!sentence && is_zero(content, size))
        sentence = ZEROS;
    if (sentence) {
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_UNSUPPORTED, _(sentence), name);
        return TRUE;
    }
    g_autofree char *text = text_start(content, size);
    if (text)
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_UNSUPPORTED, _(TEXT), name, text);
    return text != NULL;
}
