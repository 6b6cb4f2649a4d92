// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/prompt.h"

#include <math.h>
#include <string.h>

#define ROUND_FACTOR 1.1
#define EMBEDDING "embedding:"

// By the place of its opening one; an end of 0: it is not closed.
typedef struct {
    gsize end, colon; // colon: the last one in it; 0: none
    gboolean bar;
} Bracket;

// What is being read.
typedef struct {
    PenPrompt *prompt;
    const char *text, *at;
    Bracket *brackets;      // of each byte of the text
    GArray *round, *square; // guint: the parts at which brackets that are still open began
} Reader;

static void part_clear(gpointer data)
{
    g_free(((PenPromptPart *)data)->text);
}

static void lora_clear(gpointer data)
{
    PenPromptLora *lora = data;
    g_free(lora->name);
    g_free(lora->written);
}

// ------------------------------------------------------------------ what is found

static void add_part(PenPrompt *prompt, const char *text, gsize length, double weight)
{
    PenPromptPart part = { .text = g_strndup(text, length), .weight = weight };
    g_array_append_val(prompt->parts, part);
}

static void add_break(PenPrompt *prompt)
{
    PenPromptPart part = { .weight = 1 };
    g_array_append_val(prompt->parts, part);
}

static void multiply(PenPrompt *prompt, guint from, double factor)
{
    for (guint i = from; i < prompt->parts->len; i++)
        g_array_index(prompt->parts, PenPromptPart, i).weight *= factor;
}

static void complain(PenPrompt *prompt, const char *text, gsize length)
{
    g_autofree char *written = g_strndup(text, length);
    if (!g_ptr_array_find_with_equal_func(prompt->not_understood, written, g_str_equal, NULL))
        g_ptr_array_add(prompt->not_understood, g_steal_pointer(&written));
}

// ------------------------------------------------------------------ single pieces

// A number from `text` on, with white space around it, and then `end`: the place behind that; else
// NULL.
static const char *read_number(const char *text, char end, double *number)
{
    while (g_ascii_isspace(*text))
        text++;
    gsize length = strspn(text, "+-.0123456789");
    g_autofree char *digits = g_strndup(text, length);
    char *rest;
    *number = g_ascii_strtod(digits, &rest);
    if (length == 0 || *rest)
        return NULL;
    text += length;
    while (g_ascii_isspace(*text))
        text++;
    return *text == end ? text + 1 : NULL;
}

static gboolean is_word(gunichar c)
{
    return g_unichar_isalnum(c) || c == '_';
}

// Whether the ASCII word stands at `at`, as a whole.
static gboolean word_at(const Reader *reader, const char *at, const char *word)
{
    if (!g_str_has_prefix(at, word))
        return FALSE;
    const char *before = g_utf8_find_prev_char(reader->text, at);
    gunichar after = g_utf8_get_char(at + strlen(word));
    return !(before && is_word(g_utf8_get_char(before))) && !(after && is_word(after));
}

static gboolean keyword_at(const Reader *reader)
{
    return word_at(reader, reader->at, "BREAK") || word_at(reader, reader->at, "AND") ||
           (word_at(reader, reader->at, "embedding") && g_str_has_prefix(reader->at, EMBEDDING));
}

// For each bracket that is opened and closed: where, and what stands directly between the two.
static void match_brackets(Reader *reader)
{
    static const char opening[] = "([{", closing[] = ")]}";
    g_autoptr(GArray) open = g_array_new(FALSE, FALSE, sizeof(gsize));
    const char *text = reader->text;
    reader->brackets = g_new0(Bracket, strlen(text) + 1);
    for (gsize i = 0; text[i]; i++) {
        gsize inner = open->len ? g_array_index(open, gsize, open->len - 1) : 0;
        const char *closes = strchr(closing, text[i]);
        if (text[i] == '\\' && text[i + 1]) {
            i++;
        } else if (strchr(opening, text[i])) {
            g_array_append_val(open, i);
        } else if (closes && open->len && text[inner] == opening[closes - closing]) {
            reader->brackets[inner].end = i;
            g_array_set_size(open, open->len - 1);
        } else if (open->len && text[i] == '|') {
            reader->brackets[inner].bar = TRUE;
        } else if (open->len && text[i] == ':') {
            reader->brackets[inner].colon = i;
        }
    }
}

// [a|b], [from:to:when], {a|b}: prompts that change from step to step or from picture to picture.
static gboolean skip_changing(Reader *reader)
{
    const Bracket *bracket = &reader->brackets[reader->at - reader->text];
    double when;
    gboolean timed = *reader->at == '[' && bracket->colon &&
                     read_number(reader->text + bracket->colon + 1, ']', &when);
    if (!bracket->end || !(bracket->bar || timed))
        return FALSE;
    const char *end = reader->text + bracket->end + 1;
    complain(reader->prompt, reader->at, (gsize)(end - reader->at));
    reader->at = end;
    return TRUE;
}

// __name__: a line of a file, chosen by chance.
static gboolean skip_wildcard(Reader *reader)
{
    const char *at = reader->at;
    if (!g_str_has_prefix(at, "__"))
        return FALSE;
    gsize length =
        strspn(at + 2, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/*") + 2;
    while (length > 2 && at[length] == '_' && at[length + 1] != '_')
        length += 1 + strspn(at + length + 1,
                             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/*");
    if (length == 2 || !g_str_has_prefix(at + length, "__"))
        return FALSE;
    complain(reader->prompt, at, length + 2);
    reader->at += length + 2;
    return TRUE;
}

// The strengths behind the name of <lora:NAME:STRENGTH>: one, or one for the text encoder and one
// for the UNet, also with names (te=, unet=). There is one strength here: two that differ are not
// understood.
static gboolean read_strength(char **words, double *strength)
{
    double text = NAN, unet = NAN;
    for (guint i = 0; words[i]; i++) {
        const char *equals = strchr(words[i], '=');
        double number;
        if (!read_number(equals ? equals + 1 : words[i], '\0', &number) || i > 1)
            return FALSE;
        if (!equals || g_str_has_prefix(words[i], "unet="))
            unet = number;
        else if (!g_str_has_prefix(words[i], "te="))
            return FALSE;
        if (i == 0 && (!equals || isnan(unet)))
            text = number;
    }
    *strength = isnan(unet) ? text : unet;
    return isnan(unet) || isnan(text) || unet == text;
}

static gboolean read_tag(Reader *reader)
{
    const char *body = reader->at + 1;
    while (g_ascii_isalnum(*body) || *body == '_')
        body++;
    const char *end = *body == ':' && body > reader->at + 1 ? strchr(body, '>') : NULL;
    if (!end || end == body + 1)
        return FALSE;
    g_autofree char *kind = g_ascii_strdown(reader->at + 1, body - reader->at - 1);
    g_autofree char *content = g_strndup(body + 1, (gsize)(end - body - 1));
    g_auto(GStrv) words = g_strsplit(content, ":", -1);
    PenPromptLora lora = { .strength = 1 };
    /* lyco is the older name of the same. */
    if ((g_str_equal(kind, "lora") || g_str_equal(kind, "lyco")) && *g_strstrip(words[0]) &&
        (!words[1] || read_strength(words + 1, &lora.strength))) {
        lora.name = g_strdup(words[0]);
        lora.written = g_strndup(reader->at, (gsize)(end + 1 - reader->at));
        g_array_append_val(reader->prompt->loras, lora);
    } else {
        complain(reader->prompt, reader->at, (gsize)(end + 1 - reader->at));
    }
    reader->at = end + 1;
    return TRUE;
}

static guint pop(GArray *places)
{
    guint place = g_array_index(places, guint, places->len - 1);
    g_array_set_size(places, places->len - 1);
    return place;
}

// The weight of the round bracket that is closed here.
static gboolean close_weighted(Reader *reader)
{
    double weight;
    const char *end = read_number(reader->at + 1, ')', &weight);
    if (!end || !reader->round->len)
        return FALSE;
    if (fabs(weight) > PEN_PROMPT_MAX_WEIGHT) {
        complain(reader->prompt, reader->at, (gsize)(end - reader->at));
        weight = copysign(PEN_PROMPT_MAX_WEIGHT, weight);
    }
    multiply(reader->prompt, pop(reader->round), weight);
    reader->at = end;
    return TRUE;
}

static void close_bracket(Reader *reader, GArray *places, double factor)
{
    if (places->len)
        multiply(reader->prompt, pop(places), factor);
    else
        complain(reader->prompt, reader->at, 1);
    reader->at++;
}

// embedding:NAME
static gboolean read_embedding(Reader *reader)
{
    if (!word_at(reader, reader->at, "embedding") || !g_str_has_prefix(reader->at, EMBEDDING))
        return FALSE;
    const char *name = reader->at + strlen(EMBEDDING);
    gsize length = strcspn(name, " \t\r\n,:()[]{}<>|");
    if (!length)
        return FALSE;
    add_part(reader->prompt, name, length, 1);
    g_array_index(reader->prompt->parts, PenPromptPart, reader->prompt->parts->len - 1).embedding =
        TRUE;
    reader->at = name + length;
    return TRUE;
}

// A word that is no text.
static gboolean read_keyword(Reader *reader)
{
    if (read_embedding(reader))
        return TRUE;
    if (word_at(reader, reader->at, "BREAK")) {
        add_break(reader->prompt);
        reader->at += strlen("BREAK");
        return TRUE;
    }
    if (!word_at(reader, reader->at, "AND"))
        return FALSE;
    complain(reader->prompt, "AND", 3);
    add_part(reader->prompt, ",", 1, 1);
    reader->at += strlen("AND");
    return TRUE;
}

// ------------------------------------------------------------------ the whole

static void read_text(Reader *reader)
{
    const char *begin = reader->at;
    do
        reader->at = g_utf8_next_char(reader->at);
    while (*reader->at && !strchr("\\()[]{}<:_", *reader->at) && !keyword_at(reader));
    add_part(reader->prompt, begin, (gsize)(reader->at - begin), 1);
}

static void read_piece(Reader *reader)
{
    const char *at = reader->at;
    switch (*at) {
    case '\\': // a character that means nothing now; alone, the backslash itself does
        reader->at++;
        if (*reader->at && strchr("()[]{}<\\_", *reader->at)) {
            add_part(reader->prompt, reader->at, 1, 1);
            reader->at++;
        }
        return;
    case '(':
    case '[':
        if (*at == '[' && skip_changing(reader))
            return;
        g_array_append_val(*at == '(' ? reader->round : reader->square, reader->prompt->parts->len);
        reader->at++;
        return;
    case ')':
        close_bracket(reader, reader->round, ROUND_FACTOR);
        return;
    case ']':
        close_bracket(reader, reader->square, 1 / ROUND_FACTOR);
        return;
    case '{':
    case '}':
        if (*at == '{' && skip_changing(reader))
            return;
        complain(reader->prompt, at, 1);
        reader->at++;
        return;
    case '<':
        if (read_tag(reader))
            return;
        break;
    case ':':
        if (close_weighted(reader))
            return;
        break;
    case '_':
        if (skip_wildcard(reader))
            return;
        break;
    default:
        if (read_keyword(reader))
            return;
    }
    read_text(reader);
}

static void close_open(Reader *reader, GArray *places, const char *bracket, double factor)
{
    if (places->len)
        complain(reader->prompt, bracket, 1);
    while (places->len)
        multiply(reader->prompt, pop(places), factor);
}

// Neighbours of one weight are one text, so that no word is torn.
static void join_parts(GArray *parts)
{
    for (guint i = 0; i + 1 < parts->len;) {
        PenPromptPart *part = &g_array_index(parts, PenPromptPart, i), *next = part + 1;
        if (!part->text || !next->text || part->weight != next->weight || part->embedding ||
            next->embedding) {
            i++;
            continue;
        }
        char *both = g_strconcat(part->text, next->text, NULL);
        g_free(part->text);
        part->text = both;
        g_array_remove_index(parts, i + 1);
    }
}

PenPrompt *pen_prompt_new(const char *text, PenPromptReading reading)
{
    PenPrompt *prompt = g_new0(PenPrompt, 1);
    gsize size = text ? strlen(text) : 0;
    g_autofree char *valid = g_utf8_make_valid(text ? text : "", MIN(size, PEN_PROMPT_MAX_BYTES));
    prompt->cut = size > PEN_PROMPT_MAX_BYTES;

    prompt->reading = reading;
    prompt->parts = g_array_new(FALSE, FALSE, sizeof(PenPromptPart));
    g_array_set_clear_func(prompt->parts, part_clear);
    prompt->loras = g_array_new(FALSE, FALSE, sizeof(PenPromptLora));
    g_array_set_clear_func(prompt->loras, lora_clear);
    prompt->not_understood = g_ptr_array_new_with_free_func(g_free);
    if (reading == PEN_PROMPT_WORDS) {
        add_part(prompt, valid, strlen(valid), 1);
        return prompt;
    }

    Reader reader = { .prompt = prompt, .text = valid, .at = valid };
    g_autoptr(GArray) round = reader.round = g_array_new(FALSE, FALSE, sizeof(guint));
    g_autoptr(GArray) square = reader.square = g_array_new(FALSE, FALSE, sizeof(guint));
    match_brackets(&reader);
    while (*reader.at)
        read_piece(&reader);
    g_free(reader.brackets);
    close_open(&reader, round, "(", ROUND_FACTOR);
    close_open(&reader, square, "[", 1 / ROUND_FACTOR);
    join_parts(prompt->parts);
    return prompt;
}

void pen_prompt_free(PenPrompt *prompt)
{
    if (!prompt)
        return;
    g_array_unref(prompt->parts);
    g_array_unref(prompt->loras);
    g_ptr_array_unref(prompt->not_understood);
    g_free(prompt);
}
