// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/png.h"

#include <glib/gi18n-lib.h>
#include <png.h>
#include <string.h>

#include "src/formats/png-colour.h"

#define MAX_SIDE 65535
#define MAX_PIXELS 64000000
#define MAX_FILE (1u << 30)
#define MAX_TEXT_CHUNK (8u << 20)
#define MAX_CHUNKS 1000

// libpng reports an error through its callback, which must not return: it jumps back to the
// function that called libpng. What that function has in hand lies here, in memory that the jump
// leaves alone.
typedef struct {
    png_structp png;
    png_infop info, end_info;
    GError *error;
    // reading
    const guint8 *input;
    gsize left;
    PenPng *picture;
    PenPngColour *colour; // NULL: the pixels are sRGB
    guint8 *pixels;       // as the file has them, if they are not
    guint8 **rows;
    // writing
    PenFileWriter *file;
} State;

static void on_error(png_structp png, const char *message)
{
    State *state = png_get_error_ptr(png);
    if (!state->error)
        g_set_error_literal(&state->error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID, message);
    png_longjmp(png, 1);
}

static void on_warning(G_GNUC_UNUSED png_structp png, G_GNUC_UNUSED const char *message)
{
}

// ------------------------------------------------------------------ writing

static void on_write(png_structp png, png_bytep data, size_t size)
{
    State *state = png_get_io_ptr(png);
    if (!pen_file_writer_write(state->file, data, size, &state->error))
        png_error(png, "write");
}

static void on_flush(G_GNUC_UNUSED png_structp png)
{
}

// The text as Latin-1 if it has such a form, else NULL.
static char *to_latin1(const char *text)
{
    GString *latin = g_string_new(NULL);
    for (const char *c = text; *c; c = g_utf8_next_char(c)) {
        gunichar character = g_utf8_get_char(c);
        if (character > 0xff || (character >= 0x7f && character < 0xa0)) {
            g_string_free(latin, TRUE);
            return NULL;
        }
        g_string_append_c(latin, (char)character);
    }
    return g_string_free(latin, FALSE);
}

static gboolean write_png(State *state, const guint8 *pixels, guint width, guint height,
                          guint channels, gsize stride, png_text *texts, gsize n_texts)
{
    static const int colour_type[] = {
        [1] = PNG_COLOR_TYPE_GRAY, [3] = PNG_COLOR_TYPE_RGB, [4] = PNG_COLOR_TYPE_RGB_ALPHA
    };
    if (setjmp(png_jmpbuf(state->png)))
        return FALSE;
    png_set_write_fn(state->png, state, on_write, on_flush);
    png_set_IHDR(state->png, state->info, width, height, 8,
                 colour_type[channels], PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_sRGB(state->png, state->info, PNG_sRGB_INTENT_PERCEPTUAL);
    if (n_texts > 0)
        png_set_text(state->png, state->info, texts, (int)n_texts);
    png_write_info(state->png, state->info);
    for (guint y = 0; y < height; y++)
        png_write_row(state->png, pixels + y * stride);
    png_write_end(state->png, state->info);
    return TRUE;
}

// Writes the picture into `file`; `name` is the file's for messages.
static gboolean write_picture(PenFileWriter *file, const char *name, const guint8 *pixels,
                              guint width, guint height, guint channels, gsize stride,
                              const PenPngText *texts, gsize n_texts, GError **error)
{
    g_return_val_if_fail(channels == 1 || channels == 3 || channels == 4, FALSE);
    State state = { .file = file };
    g_autofree png_text *chunks = g_new0(png_text, n_texts + 1);
    g_autoptr(GPtrArray) strings = g_ptr_array_new_with_free_func(g_free);
    for (gsize i = 0; i < n_texts; i++) {
        char *valid = g_utf8_make_valid(texts[i].text, -1);
        char *latin = to_latin1(valid);
        g_ptr_array_add(strings, valid);
        g_ptr_array_add(strings, latin);
        chunks[i].compression = latin ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
        chunks[i].key = (char *)texts[i].key; // libpng only reads it
        chunks[i].text = latin ? latin : valid;
        *(latin ? &chunks[i].text_length : &chunks[i].itxt_length) = strlen(chunks[i].text);
    }

    state.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &state, on_error, on_warning);
    state.info = state.png ? png_create_info_struct(state.png) : NULL;
    gboolean written =
        state.info && write_png(&state, pixels, width, height, channels,
                                stride ? stride : (gsize)width * channels, chunks, n_texts);
    png_destroy_write_struct(&state.png, &state.info);
    if (!written) {
        if (state.error && state.error->domain == G_FILE_ERROR)
            g_propagate_error(error, g_steal_pointer(&state.error));
        else
            g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                        _("“%s” cannot be written: %s."), name,
                        state.error ? state.error->message : _("libpng does not start"));
        g_clear_error(&state.error);
    }
    return written;
}

gboolean pen_png_write(const char *path, const guint8 *pixels, guint width, guint height,
                       guint channels, gsize stride, const PenPngText *texts, gsize n_texts,
                       GError **error)
{
    g_autoptr(PenFileWriter) file = pen_file_writer_new(path, error);
    g_autofree char *name = g_filename_display_name(path);
    return file &&
           write_picture(file, name, pixels, width, height, channels, stride, texts, n_texts,
                         error) &&
           pen_file_writer_commit(file, error);
}

GBytes *pen_png_to_bytes(const guint8 *pixels, guint width, guint height, guint channels,
                         gsize stride, const PenPngText *texts, gsize n_texts, GError **error)
{
    g_autoptr(PenFileWriter) file = pen_file_writer_new_in_memory();
    return write_picture(file, "PNG", pixels, width, height, channels, stride, texts, n_texts,
                         error)
               ? pen_file_writer_steal(file)
               : NULL;
}

// ------------------------------------------------------------------ reading

static void on_read(png_structp png, png_bytep data, size_t size)
{
    State *state = png_get_io_ptr(png);
    if (size > state->left)
        png_error(png, _("the file ends too early"));
    memcpy(data, state->input, size);
    state->input += size;
    state->left -= size;
}

static char *from_latin1(const char *text)
{
    GString *utf8 = g_string_new(NULL);
    for (; *text; text++)
        g_string_append_unichar(utf8, (guchar)*text);
    return g_string_free(utf8, FALSE);
}

static void take_texts(State *state, png_infop info)
{
    png_textp texts = NULL;
    int n = 0;
    png_get_text(state->png, info, &texts, &n);
    for (int i = 0; i < n; i++) {
        const char *text = texts[i].text ? texts[i].text : "";
        gboolean utf8 = texts[i].compression >= PNG_ITXT_COMPRESSION_NONE;
        PenPngText taken = { from_latin1(texts[i].key),
                             utf8 ? g_utf8_make_valid(text, -1) : from_latin1(text) };
        g_array_append_val(state->picture->texts, taken);
    }
}

static void read_header(State *state)
{
    png_set_read_fn(state->png, state, on_read);
    png_set_user_limits(state->png, MAX_SIDE, MAX_SIDE);
    png_set_chunk_malloc_max(state->png, MAX_TEXT_CHUNK);
    png_set_chunk_cache_max(state->png, MAX_CHUNKS);
    png_read_info(state->png, state->info);
}

static gboolean read_png(State *state)
{
    PenPng *picture = state->picture;
    if (setjmp(png_jmpbuf(state->png)))
        return FALSE;
    read_header(state);
    picture->width = png_get_image_width(state->png, state->info);
    picture->height = png_get_image_height(state->png, state->info);
    if ((guint64)picture->width * picture->height > MAX_PIXELS)
        png_error(state->png, _("the picture is too large"));

    gboolean deep = png_get_bit_depth(state->png, state->info) == 16;
    state->colour = pen_png_colour_new(state->png, state->info, deep);
    png_set_expand(state->png);
    if (deep && !state->colour)
        png_set_scale_16(state->png);
    else if (deep && G_BYTE_ORDER == G_LITTLE_ENDIAN)
        png_set_swap(state->png);
    png_set_gray_to_rgb(state->png);
    png_set_add_alpha(state->png, 0xffff, PNG_FILLER_AFTER);
    png_set_interlace_handling(state->png);
    png_read_update_info(state->png, state->info);
    gsize pixels = (gsize)picture->width * picture->height;
    gsize stride = (gsize)picture->width * (state->colour && deep ? 8 : 4);
    if (png_get_rowbytes(state->png, state->info) != stride)
        png_error(state->png, _("its pixels are of an unknown kind"));
    picture->rgba = g_try_malloc0(pixels * 4);
    state->pixels = state->colour ? g_try_malloc0(stride * picture->height) : NULL;
    if (!picture->rgba || (state->colour && !state->pixels))
        png_error(state->png, _("there is not enough memory for it"));
    state->rows = g_new(guint8 *, picture->height);
    for (guint y = 0; y < picture->height; y++)
        state->rows[y] = (state->colour ? state->pixels : picture->rgba) + y * stride;
    png_read_image(state->png, state->rows);
    png_read_end(state->png, state->end_info);
    if (state->colour)
        pen_png_colour_run(state->colour, state->pixels, pixels, picture->rgba);
    return TRUE;
}

static gboolean read_texts(State *state)
{
    if (setjmp(png_jmpbuf(state->png)))
        return FALSE;
    read_header(state);
    return TRUE;
}

static void text_clear(gpointer data)
{
    PenPngText *text = data;
    g_free((char *)text->key);
    g_free((char *)text->text);
}

// Reads what `read` reads of a file.
static PenPng *read_file(const char *path, gboolean (*read)(State *state), GError **error)
{
    g_autoptr(GBytes) bytes = pen_file_map(path, MAX_FILE, error);
    if (!bytes)
        return NULL;

    State state = { 0 };
    state.input = g_bytes_get_data(bytes, &state.left);
    state.picture = g_new0(PenPng, 1);
    state.picture->texts = g_array_new(FALSE, FALSE, sizeof(PenPngText));
    g_array_set_clear_func(state.picture->texts, text_clear);
    state.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, on_error, on_warning);
    state.info = state.png ? png_create_info_struct(state.png) : NULL;
    state.end_info = state.png ? png_create_info_struct(state.png) : NULL;
    gboolean done = state.info && state.end_info && read(&state);
    if (done) {
        take_texts(&state, state.info);
        take_texts(&state, state.end_info);
    }
    png_destroy_read_struct(&state.png, &state.info, &state.end_info);
    pen_png_colour_free(state.colour);
    g_free(state.pixels);
    g_free(state.rows);
    if (done)
        return state.picture;

    g_autofree char *name = g_filename_display_name(path);
    g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                _("“%s” cannot be read as a PNG picture: %s."), name,
                state.error ? state.error->message : _("libpng does not start"));
    g_clear_error(&state.error);
    pen_png_free(state.picture);
    return NULL;
}

PenPng *pen_png_read(const char *path, GError **error)
{
    return read_file(path, read_png, error);
}

char *pen_png_read_text(const char *path, const char *key, GError **error)
{
    /* Most programs put their texts before the pixels, and some behind them. */
    g_autoptr(PenPng) head = read_file(path, read_texts, error);
    if (!head)
        return NULL;
    if (pen_png_text(head, key))
        return g_strdup(pen_png_text(head, key));
    g_autoptr(PenPng) whole = read_file(path, read_png, error);
    if (!whole)
        return NULL;
    if (!pen_png_text(whole, key)) {
        g_autofree char *name = g_filename_display_name(path);
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND,
                    _("“%s” does not say which settings it was made with."), name);
    }
    return g_strdup(pen_png_text(whole, key));
}

void pen_png_free(PenPng *png)
{
    if (!png)
        return;
    g_array_unref(png->texts);
    g_free(png->rgba);
    g_free(png);
}

const char *pen_png_text(const PenPng *png, const char *key)
{
    for (guint i = 0; i < png->texts->len; i++) {
        const PenPngText *text = &g_array_index(png->texts, PenPngText, i);
        if (strcmp(text->key, key) == 0)
            return text->text;
    }
    return NULL;
}
