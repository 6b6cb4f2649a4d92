// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/exif.h"

#include <string.h>

#define EXIF_DIRECTORY 0x8769 // the tag that says where EXIF's own directory is
#define ENTRY_SIZE 12

typedef struct {
    const guint8 *data;
    gsize size;
    gboolean big_endian;
} Block;

// All of them are 0 outside the block.
static guint32 get_16(const Block *block, gsize at)
{
    if (block->size < 2 || at > block->size - 2)
        return 0;
    const guint8 *p = block->data + at;
    return block->big_endian ? (guint32)p[0] << 8 | p[1] : (guint32)p[1] << 8 | p[0];
}

static guint32 get_32(const Block *block, gsize at)
{
    guint32 first = get_16(block, at), second = get_16(block, at + 2);
    return block->big_endian ? first << 16 | second : second << 16 | first;
}

static gboolean begins(const Block *block, const char *start, gsize length)
{
    return block->size >= length && memcmp(block->data, start, length) == 0;
}

static Block part(const Block *block, gsize at, gsize size)
{
    at = MIN(at, block->size);
    return (Block){ block->data + at, MIN(size, block->size - at), block->big_endian };
}

// ------------------------------------------------------------------ where it is

// Segments of a marker, a length and what that counts, up to the picture's own data.
static Block find_in_jpeg(const Block *file)
{
    enum { APP1 = 0xffe1, SCAN = 0xffda };
    gsize at = 2;
    for (guint32 marker; (marker = get_16(file, at)) >= 0xff00 && marker != SCAN;) {
        guint32 length = get_16(file, at + 2);
        Block segment = part(file, at + 4, MAX(length, 2) - 2);
        if (marker == APP1 && begins(&segment, "Exif\0", 6))
            return part(&segment, 6, segment.size);
        if (length < 2)
            break;
        at += 2 + length;
    }
    return (Block){ 0 };
}

// Chunks of a name, a length and so many bytes, filled up to an even number.
static Block find_in_webp(const Block *file)
{
    for (gsize at = 12; at + 8 <= file->size;) {
        guint32 length = get_32(file, at + 4);
        Block name = part(file, at, 4), chunk = part(file, at + 8, length);
        if (begins(&name, "EXIF", 4)) // some programs write JPEG's mark into it
            return begins(&chunk, "Exif\0", 6) ? part(&chunk, 6, chunk.size) : chunk;
        at += 8 + (gsize)length + (length & 1);
    }
    return (Block){ 0 };
}

static Block find_block(const void *data, gsize size)
{
    Block file = { data, size, FALSE }, block = { 0 };
    if (begins(&file, "\xff\xd8", 2)) {
        file.big_endian = TRUE;
        block = find_in_jpeg(&file);
    } else if (begins(&file, "RIFF", 4)) {
        block = find_in_webp(&file);
    }
    block.big_endian = begins(&block, "MM\0*", 4);
    return block.big_endian || begins(&block, "II*\0", 4) ? block : (Block){ 0 };
}

// The place of the tag's entry in the directory, 0 if it has none.
static gsize find_entry(const Block *block, gsize directory, guint32 tag)
{
    guint32 n = directory ? get_16(block, directory) : 0;
    for (guint32 i = 0; i < n; i++) {
        gsize entry = directory + 2 + (gsize)i * ENTRY_SIZE;
        if (entry + ENTRY_SIZE > block->size)
            break;
        if (get_16(block, entry) == tag)
            return entry;
    }
    return 0;
}

// What an entry of bytes holds.
static Block entry_bytes(const Block *block, gsize entry)
{
    enum { BYTE = 1, ASCII = 2, UNDEFINED = 7 };
    guint32 type = get_16(block, entry + 2), count = get_32(block, entry + 4);
    if (!entry || (type != BYTE && type != ASCII && type != UNDEFINED))
        return (Block){ 0 };
    return part(block, count <= 4 ? entry + 8 : get_32(block, entry + 8), count);
}

// ------------------------------------------------------------------ what it says

static char *from_utf8(const Block *text)
{
    return g_utf8_make_valid((const char *)text->data,
                             (gssize)strnlen((const char *)text->data, text->size));
}

// Programs do not agree on the order of bytes, with the block's or without: what is mostly Latin
// letters tells it by its zeros, which are the first bytes of a number in one and the second in the
// other.
static char *from_utf16(const Block *text)
{
    gsize n = text->size / 2, zeros[2] = { 0 };
    for (gsize i = 0; i < 2 * n; i++)
        zeros[i & 1] += text->data[i] == 0;
    if (zeros[0] + zeros[1] == 0) // its mark is wrong
        return from_utf8(text);
    Block units = *text;
    if (zeros[0] != zeros[1])
        units.big_endian = zeros[0] > zeros[1];
    g_autofree gunichar2 *utf16 = g_new(gunichar2, n);
    for (gsize i = 0; i < n; i++)
        utf16[i] = (gunichar2)get_16(&units, 2 * i);
    gsize mark = n && utf16[0] == 0xfeff;
    return g_utf16_to_utf8(utf16 + mark, (glong)(n - mark), NULL, NULL, NULL);
}

static char *from_comment(const Block *comment)
{
    Block text = part(comment, 8, comment->size);
    if (begins(comment, "UNICODE", 8))
        return from_utf16(&text);
    if (begins(comment, "ASCII\0\0", 8) || begins(comment, "\0\0\0\0\0\0\0", 8))
        return from_utf8(&text);
    return from_utf8(comment); // written without the name
}

char *pen_exif_text(const void *file, gsize size, PenExifTag tag)
{
    Block block = find_block(file, size);
    gsize first = get_32(&block, 4);
    gsize own = find_entry(&block, first, EXIF_DIRECTORY);
    gsize entry = find_entry(&block, first, tag);
    if (!entry && own)
        entry = find_entry(&block, get_32(&block, own + 8), tag);
    Block bytes = entry_bytes(&block, entry);
    g_autofree char *text = !bytes.size                    ? NULL
                            : tag == PEN_EXIF_USER_COMMENT ? from_comment(&bytes)
                                                           : from_utf8(&bytes);
    return text && *text ? g_steal_pointer(&text) : NULL;
}
