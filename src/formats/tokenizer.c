// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/tokenizer.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/formats/formats-resources.h"
#include "src/formats/json.h"

#define MAX_ID 10000000      // a bound on hostile vocabularies, far above any real one
#define MAX_LENGTH 4096      // the same for model_max_length; larger means "not set" in files
#define CLIP_LENGTH 77       // when the configuration does not say
#define MAX_TEXT (16 * 1024) // bytes of a prompt that are looked at
#define WORD_END "</w>"
#define START_TEXT "<|startoftext|>"
#define END_TEXT "<|endoftext|>"

// A merge rule: the pair (left, right) becomes `merged`; lower ranks go first. Kept in an
// open-addressed table, whose free slots have rank G_MAXUINT32.
typedef struct {
    gint32 left, right;
    guint32 rank;
    gint32 merged;
} Merge;

struct _PenTokenizer {
    Merge *merges;
    gsize mask; // slots - 1, slots being a power of two
    gint32 byte_ids[256], last_byte_ids[256];
    char *start_text, *end_text;
    gint32 start, end, pad;
    int max_length, n_tokens;
};

// ------------------------------------------------------------------ merge rules

static Merge *find_slot(const PenTokenizer *self, gint32 left, gint32 right)
{
    guint64 hash =
        ((guint64)(guint32)left << 32 | (guint32)right) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
    gsize slot = (gsize)(hash >> 32) & self->mask;

    while (self->merges[slot].rank != G_MAXUINT32 &&
           (self->merges[slot].left != left || self->merges[slot].right != right))
        slot = (slot + 1) & self->mask;
    return &self->merges[slot];
}

// Whether about all of the vocabulary's tokens of several characters can be made: with a list of
// merges that was cut off, words would be read as their letters, and the picture be another.
static gboolean has_merges(GHashTable *vocabulary, guint n_merges)
{
    GHashTableIter iter;
    gpointer token;
    guint made = 0;
    g_hash_table_iter_init(&iter, vocabulary);
    while (g_hash_table_iter_next(&iter, &token, NULL)) {
        gsize length = strlen(token);
        if (g_str_has_suffix(token, WORD_END))
            length -= strlen(WORD_END);
        made += !g_str_has_prefix(token, "<|") && g_utf8_strlen(token, (gssize)length) > 1;
    }
    return n_merges >= made - made / 10;
}

// `name` stands for the file in messages.
static gboolean load_merges(PenTokenizer *self, GHashTable *vocabulary, GBytes *bytes,
                            const char *name, GError **error)
{
    gsize size;
    const char *text = g_bytes_get_data(bytes, &size);

    gsize n_lines = 0;
    for (gsize i = 0; i < size; i++)
        n_lines += text[i] == '\n';
    gsize slots = 4;
    while (slots < 2 * (n_lines + 2))
        slots *= 2;
    self->mask = slots - 1;
    self->merges = g_new(Merge, slots);
    for (gsize i = 0; i < slots; i++)
        self->merges[i].rank = G_MAXUINT32;

    // The first line is a version comment.
    guint n_merges = 0;
    g_autoptr(GString) merged = g_string_new(NULL);
    const char *const end = text + size;
    const char *line = size ? memchr(text, '\n', size) : NULL;
    for (guint32 number = 2; line && ++line < end; number++) {
        const char *line_end = memchr(line, '\n', end - line);
        const char *next = line_end;
        line_end = line_end ? line_end : end;
        while (line_end > line && g_ascii_isspace(line_end[-1]))
            line_end--;
        if (line_end > line) {
            const char *space = memchr(line, ' ', line_end - line);
            gpointer left, right, both;
            g_autofree char *first = space ? g_strndup(line, space - line) : NULL;
            g_autofree char *second = space ? g_strndup(space + 1, line_end - space - 1) : NULL;
            if (space)
                g_string_printf(merged, "%s%s", first, second);
            if (!space || !g_hash_table_lookup_extended(vocabulary, first, NULL, &left) ||
                !g_hash_table_lookup_extended(vocabulary, second, NULL, &right) ||
                !g_hash_table_lookup_extended(vocabulary, merged->str, NULL, &both)) {
                g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                            _("“%s”, line %u: two tokens of the vocabulary are expected, and their "
                              "merged form must be in it too."),
                            name, number);
                return FALSE;
            }
            *find_slot(self, GPOINTER_TO_INT(left), GPOINTER_TO_INT(right)) =
                (Merge){ GPOINTER_TO_INT(left), GPOINTER_TO_INT(right), number,
                         GPOINTER_TO_INT(both) };
            n_merges++;
        }
        line = next;
    }
    if (!has_merges(vocabulary, n_merges)) {
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                    _("“%s” holds %u merges, too few for the vocabulary beside it: download both "
                      "again."),
                    name, n_merges);
        return FALSE;
    }
    return TRUE;
}

// ------------------------------------------------------------------ loading

// `json`: an object of tokens and their numbers.
static GHashTable *read_vocabulary(PenTokenizer *self, const PenJson *json, GError **error)
{
    g_autoptr(GHashTable) vocabulary = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    JsonObjectIter iter;
    const char *token;
    JsonNode *node;
    json_object_iter_init(&iter, json_node_get_object(pen_json_node(json)));
    while (json_object_iter_next(&iter, &token, &node)) {
        gint64 id = JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_INT64
                        ? json_node_get_int(node)
                        : -1;
        if (id < 0 || id > MAX_ID) {
            pen_json_set_error(json, token, error, _("a token's number is expected here."));
            return NULL;
        }
        self->n_tokens = MAX(self->n_tokens, (int)id + 1);
        g_hash_table_insert(vocabulary, g_strdup(token), GINT_TO_POINTER((int)id));
    }
    return g_steal_pointer(&vocabulary);
}

// A special token's text is a string, or an object that holds it as "content".
static gboolean get_special(const PenJson *json, const char *key, char **text, GError **error)
{
    if (!json || !pen_json_has(json, key))
        return TRUE;
    JsonNode *node = json_object_get_member(json_node_get_object(pen_json_node(json)), key);
    if (!JSON_NODE_HOLDS_OBJECT(node))
        return pen_json_get_string(json, key, text, error);
    g_autoptr(PenJson) object = NULL;
    return pen_json_get_object(json, key, &object, error) &&
           pen_json_get_string(object, "content", text, error);
}

static gboolean find_special(GHashTable *vocabulary, const PenJson *config, const PenJson *map,
                             const char *key, const char *usual, char **text, gint32 *id,
                             GError **error)
{
    gpointer value;
    *text = g_strdup(usual);
    if (!get_special(config, key, text, error) || !get_special(map, key, text, error))
        return FALSE;
    if (!**text || !g_hash_table_lookup_extended(vocabulary, *text, NULL, &value)) {
        pen_json_set_error(config, key, error, _("the token “%s” is not in the vocabulary."),
                           *text);
        return FALSE;
    }
    *id = GPOINTER_TO_INT(value);
    return TRUE;
}

// The characters that stand for the 256 bytes in vocabularies: printable Latin-1 for itself, and
// the rest, in order, from U+0100 on (`*other`).
typedef char ByteText[8 + sizeof WORD_END];

static gboolean is_printable(int byte)
{
    return (byte > 32 && byte < 127) || (byte > 160 && byte != 173);
}

static void byte_text(int byte, gunichar *other, ByteText text)
{
    int length = g_unichar_to_utf8(is_printable(byte) ? (gunichar)byte : (*other)++, text);
    text[length] = '\0';
}

static void find_byte_ids(PenTokenizer *self, GHashTable *vocabulary, gint32 unknown)
{
    gunichar other = 0x100;
    for (int byte = 0; byte < 256; byte++) {
        ByteText character;
        gpointer id;
        byte_text(byte, &other, character);
        gboolean found = g_hash_table_lookup_extended(vocabulary, character, NULL, &id);
        self->byte_ids[byte] = found ? GPOINTER_TO_INT(id) : unknown;
        strcat(character, WORD_END);
        found = g_hash_table_lookup_extended(vocabulary, character, NULL, &id);
        self->last_byte_ids[byte] = found ? GPOINTER_TO_INT(id) : unknown;
    }
}

// `padding`: the token that tokenizer.json pads with, NULL where there is no such file.
static gboolean load_config(PenTokenizer *self, GHashTable *vocabulary, const char *folder,
                            const char *padding, GError **error)
{
    g_autofree char *config_path = g_build_filename(folder, "tokenizer_config.json", NULL);
    g_autofree char *map_path = g_build_filename(folder, "special_tokens_map.json", NULL);
    gboolean without = !g_file_test(config_path, G_FILE_TEST_EXISTS);
    g_autoptr(PenJson) config = without ? pen_json_parse("{}", 2, folder, NULL, error)
                                        : pen_json_load_object(config_path, error);
    g_autoptr(PenJson) map = NULL;
    if (!config)
        return FALSE;
    if (!pen_json_has(config, "added_tokens_decoder") &&
        g_file_test(map_path, G_FILE_TEST_EXISTS)) {
        map = pen_json_load(map_path, error);
        if (!map)
            return FALSE;
    }

    gint32 unknown;
    g_autofree char *unknown_text = NULL;
    g_autofree char *pad_text = NULL;
    const char *end = END_TEXT;
    if (!find_special(vocabulary, config, map, "bos_token", START_TEXT, &self->start_text,
                      &self->start, error) ||
        !find_special(vocabulary, config, map, "eos_token", end, &self->end_text, &self->end,
                      error) ||
        !find_special(vocabulary, config, map, "unk_token", end, &unknown_text, &unknown, error) ||
        !find_special(vocabulary, config, map, "pad_token", padding ? padding : end, &pad_text,
                      &self->pad, error))
        return FALSE;
    find_byte_ids(self, vocabulary, unknown);

    // "Not set" is written as 10^30.
    double length = CLIP_LENGTH;
    if (!pen_json_get_double(config, "model_max_length", &length, error))
        return FALSE;
    self->max_length = length >= 3 && length <= MAX_LENGTH ? (int)length : CLIP_LENGTH;
    return TRUE;
}

// The merges of tokenizer.json, "a b" or ["a", "b"], as the lines of a merges.txt.
static GBytes *merges_as_text(const PenJson *model, GError **error)
{
    JsonNode *node = json_object_get_member(json_node_get_object(pen_json_node(model)), "merges");
    JsonArray *array = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
    g_autoptr(GString) text = g_string_new("#version: 0.2\n");
    for (guint i = 0; array && i < json_array_get_length(array); i++) {
        JsonNode *merge = json_array_get_element(array, i);
        JsonArray *pair = JSON_NODE_HOLDS_ARRAY(merge) ? json_node_get_array(merge) : NULL;
        guint n = pair ? json_array_get_length(pair) : 1;
        for (guint k = 0; k < n; k++) {
            JsonNode *part = pair ? json_array_get_element(pair, k) : merge;
            if (!JSON_NODE_HOLDS_VALUE(part) || json_node_get_value_type(part) != G_TYPE_STRING) {
                array = NULL;
                break;
            }
            g_string_append_printf(text, "%s%s", k ? " " : "", json_node_get_string(part));
        }
        g_string_append_c(text, '\n');
    }
    if (!array) {
        pen_json_set_error(model, "merges", error, _("a list of pairs of tokens is expected."));
        return NULL;
    }
    return g_string_free_to_bytes(g_steal_pointer(&text));
}

static gboolean load_together(PenTokenizer *self, const char *folder, const char *path,
                              GError **error)
{
    g_autofree char *name = g_filename_display_name(path);
    g_autofree char *pad = g_strdup(END_TEXT);
    g_autoptr(PenJson) json = pen_json_load_object(path, error);
    g_autoptr(PenJson) model = NULL, vocab = NULL, padding = NULL;
    if (!json || !pen_json_require(json, error, "model", NULL) ||
        !pen_json_get_object(json, "model", &model, error) ||
        !pen_json_require(model, error, "vocab", "merges", NULL) ||
        !pen_json_get_object(model, "vocab", &vocab, error) ||
        !pen_json_get_object(json, "padding", &padding, error) ||
        (padding && !pen_json_get_string(padding, "pad_token", &pad, error)))
        return FALSE;
    g_autoptr(GHashTable) vocabulary = read_vocabulary(self, vocab, error);
    g_autoptr(GBytes) merges = vocabulary ? merges_as_text(model, error) : NULL;
    return merges && load_merges(self, vocabulary, merges, name, error) &&
           load_config(self, vocabulary, folder, pad, error);
}

static gboolean load_parts(PenTokenizer *self, const char *folder, const char *vocabulary_path,
                           GError **error)
{
    g_autofree char *merges_path = g_build_filename(folder, "merges.txt", NULL);
    g_autofree char *merges_name = g_filename_display_name(merges_path);
    g_autoptr(PenJson) json = pen_json_load_object(vocabulary_path, error);
    g_autoptr(GHashTable) vocabulary = json ? read_vocabulary(self, json, error) : NULL;
    g_autoptr(GBytes) merges =
        vocabulary ? pen_file_map(merges_path, pen_json_default_limits.size, error) : NULL;
    return merges && load_merges(self, vocabulary, merges, merges_name, error) &&
           load_config(self, vocabulary, folder, NULL, error);
}

PenTokenizer *pen_tokenizer_new(const char *folder, GError **error)
{
    g_autoptr(PenTokenizer) self = g_new0(PenTokenizer, 1);
    g_autofree char *vocabulary = g_build_filename(folder, "vocab.json", NULL);
    g_autofree char *together = g_build_filename(folder, "tokenizer.json", NULL);
    gboolean alone =
        !g_file_test(vocabulary, G_FILE_TEST_EXISTS) && g_file_test(together, G_FILE_TEST_EXISTS);
    return (alone ? load_together(self, folder, together, error)
                  : load_parts(self, folder, vocabulary, error))
               ? g_steal_pointer(&self)
               : NULL;
}

// ------------------------------------------------------------------ CLIP's own vocabulary

static void add_token(PenTokenizer *self, GHashTable *vocabulary, char *token)
{
    g_hash_table_insert(vocabulary, token, GINT_TO_POINTER(self->n_tokens++));
}

// CLIP numbers the characters of the bytes, printable ones first, then the same at a word's end,
// then what each merge makes, in order, then the special tokens.
static GHashTable *number_tokens(PenTokenizer *self, GBytes *merges)
{
    GHashTable *vocabulary = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (int last = 0; last < 2; last++)
        for (int printable = 1; printable >= 0; printable--) {
            gunichar other = 0x100;
            for (int byte = 0; byte < 256; byte++) {
                ByteText character;
                if (is_printable(byte) != printable)
                    continue;
                byte_text(byte, &other, character);
                add_token(self, vocabulary, g_strconcat(character, last ? WORD_END : "", NULL));
            }
        }
    gsize size;
    const char *text = g_bytes_get_data(merges, &size), *end = text + size;
    const char *line = (const char *)memchr(text, '\n', size) + 1; // after a version comment
    for (const char *next; line < end; line = next + 1) {
        const char *space = memchr(line, ' ', (gsize)(end - line));
        next = memchr(space, '\n', (gsize)(end - space));
        add_token(self, vocabulary,
                  g_strdup_printf("%.*s%.*s", (int)(space - line), line, (int)(next - space - 1),
                                  space + 1));
    }
    add_token(self, vocabulary, g_strdup(START_TEXT));
    add_token(self, vocabulary, g_strdup(END_TEXT));
    return vocabulary;
}

PenTokenizer *pen_tokenizer_new_clip(const char *pad)
{
    PenTokenizer *self = g_new0(PenTokenizer, 1);
    g_autoptr(GBytes) merges = g_resource_lookup_data(pen_formats_get_resource(),
                                                      "/penchant/formats/clip-merges.txt", 0, NULL);
    g_autoptr(GHashTable) vocabulary = number_tokens(self, merges);
    gboolean sound = load_merges(self, vocabulary, merges, "clip-merges.txt", NULL);
    g_assert(sound); // it is part of the program
    self->start_text = g_strdup(START_TEXT);
    self->end_text = g_strdup(END_TEXT);
    self->start = GPOINTER_TO_INT(g_hash_table_lookup(vocabulary, START_TEXT));
    self->end = GPOINTER_TO_INT(g_hash_table_lookup(vocabulary, END_TEXT));
    self->pad = GPOINTER_TO_INT(g_hash_table_lookup(vocabulary, pad));
    self->max_length = CLIP_LENGTH;
    find_byte_ids(self, vocabulary, self->end);
    return self;
}

void pen_tokenizer_free(PenTokenizer *self)
{
    if (!self)
        return;
    g_free(self->merges);
    g_free(self->start_text);
    g_free(self->end_text);
    g_free(self);
}

// ------------------------------------------------------------------ merging one piece

// The piece's tokens form a doubly linked list; a heap holds the pairs that may be merged, by rank
// and then place. Pairs that a merge has made stale stay in the heap and are dropped when they come
// up.
typedef struct {
    gint32 id; // -1 once merged into its left neighbour
    int previous, next;
} Symbol;

typedef struct {
    guint32 rank;
    int place;
    gint32 left, right;
} Candidate;

static gboolean goes_before(const Candidate *a, const Candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->place < b->place;
}

static void heap_push(GArray *heap, Candidate candidate)
{
    g_array_append_val(heap, candidate);
    Candidate *items = (Candidate *)(void *)heap->data;
    guint i = heap->len - 1;
    for (; i > 0 && goes_before(&candidate, &items[(i - 1) / 2]); i = (i - 1) / 2)
        items[i] = items[(i - 1) / 2];
    items[i] = candidate;
}

static Candidate heap_pop(GArray *heap)
{
    Candidate *items = (Candidate *)(void *)heap->data;
    Candidate top = items[0], last = items[heap->len - 1];
    g_array_set_size(heap, heap->len - 1);
    guint i = 0;
    for (guint child; (child = 2 * i + 1) < heap->len; i = child) {
        if (child + 1 < heap->len && goes_before(&items[child + 1], &items[child]))
            child++;
        if (!goes_before(&items[child], &last))
            break;
        items[i] = items[child];
    }
    if (heap->len > 0)
        items[i] = last;
    return top;
}

static void push_pair(const PenTokenizer *self, GArray *heap, const Symbol *symbols, int place)
{
    if (place < 0 || symbols[place].next < 0)
        return;
    gint32 left = symbols[place].id, right = symbols[symbols[place].next].id;
    const Merge *merge = find_slot(self, left, right);
    if (merge->rank != G_MAXUINT32)
        heap_push(heap, (Candidate){ merge->rank, place, left, right });
}

static void encode_piece(const PenTokenizer *self, const char *text, gsize size, GArray *ids)
{
    g_autofree Symbol *symbols = g_new(Symbol, size);
    g_autoptr(GArray) heap = g_array_new(FALSE, FALSE, sizeof(Candidate));
    const int n = (int)size;

    for (int i = 0; i < n; i++) {
        guchar byte = text[i];
        symbols[i] = (Symbol){ i + 1 < n ? self->byte_ids[byte] : self->last_byte_ids[byte], i - 1,
                               i + 1 < n ? i + 1 : -1 };
    }
    for (int i = 0; i < n; i++)
        push_pair(self, heap, symbols, i);

    while (heap->len > 0) {
        Candidate pair = heap_pop(heap);
        Symbol *left = &symbols[pair.place];
        if (left->id != pair.left || left->next < 0 || symbols[left->next].id != pair.right)
            continue;
        Symbol *right = &symbols[left->next];
        left->id = find_slot(self, pair.left, pair.right)->merged;
        left->next = right->next;
        right->id = -1;
        if (left->next >= 0)
            symbols[left->next].previous = pair.place;
        push_pair(self, heap, symbols, left->previous);
        push_pair(self, heap, symbols, pair.place);
    }
    for (int i = 0; i >= 0; i = symbols[i].next)
        g_array_append_val(ids, symbols[i].id);
}

// ------------------------------------------------------------------ splitting a text

typedef enum { SPACE, LETTER, NUMBER, OTHER } Class;

static Class classify(gunichar c)
{
    // Unicode's White_Space; g_unichar_isspace() leaves out U+000B and U+0085.
    if ((c >= 9 && c <= 13) || c == 0x85)
        return SPACE;
    switch (g_unichar_type(c)) {
    case G_UNICODE_SPACE_SEPARATOR:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
        return SPACE;
    case G_UNICODE_LOWERCASE_LETTER:
    case G_UNICODE_UPPERCASE_LETTER:
    case G_UNICODE_TITLECASE_LETTER:
    case G_UNICODE_MODIFIER_LETTER:
    case G_UNICODE_OTHER_LETTER:
        return LETTER;
    case G_UNICODE_DECIMAL_NUMBER:
    case G_UNICODE_LETTER_NUMBER:
    case G_UNICODE_OTHER_NUMBER:
        return NUMBER;
    default:
        return OTHER;
    }
}

// The length in bytes of the piece at `text`, which is not white space, with nothing beyond `end`.
static gsize piece_length(const char *text, const char *end)
{
    static const char *const contractions[] = { "'s", "'t", "'re", "'ve", "'m", "'ll", "'d" };
    for (gsize i = 0; i < G_N_ELEMENTS(contractions); i++) {
        gsize length = strlen(contractions[i]);
        if ((gsize)(end - text) >= length && memcmp(text, contractions[i], length) == 0)
            return length;
    }
    Class class = classify(g_utf8_get_char(text));
    const char *c = g_utf8_next_char(text);
    while (class != NUMBER && c < end && classify(g_utf8_get_char(c)) == class)
        c = g_utf8_next_char(c);
    return c - text;
}

static void encode_segment(const PenTokenizer *self, const char *text, const char *end, GArray *ids)
{
    while (text < end) {
        if (classify(g_utf8_get_char(text)) == SPACE) {
            text = g_utf8_next_char(text);
            continue;
        }
        gsize length = piece_length(text, end);
        encode_piece(self, text, length, ids);
        text += length;
    }
}

// Unicode's lower case of a character, wherever it stands.
static void append_lower(GString *text, gunichar c)
{
    if (c == 0x130) { // the one letter whose lower case is two
        g_string_append(text, "i\xcc\x87");
        return;
    }
    // GLib knows the case of letters only, not that of Roman numerals and of circled letters.
    if (c >= 0x2160 && c <= 0x216f)
        c += 0x10;
    else if (c >= 0x24b6 && c <= 0x24cf)
        c += 0x1a;
    else
        c = g_unichar_tolower(c);
    g_string_append_unichar(text, c);
}

static char *normalize(const char *text, gboolean *cut)
{
    // Far more than any model looks at; a bound, because composition is not linear in time.
    gsize size = strlen(text);
    *cut = size > MAX_TEXT;
    if (*cut) {
        size = MAX_TEXT;
        while (size > MAX_TEXT - 4 && ((guchar)text[size] & 0xc0) == 0x80)
            size--;
    }
    g_autofree char *valid = g_utf8_make_valid(text, (gssize)size);
    g_autofree char *composed = g_utf8_normalize(valid, -1, G_NORMALIZE_DEFAULT_COMPOSE);
    GString *lower = g_string_sized_new(size);
    for (const char *c = composed; *c; c = g_utf8_next_char(c))
        append_lower(lower, g_utf8_get_char(c));
    return g_string_free(lower, FALSE);
}

GArray *pen_tokenizer_encode(const PenTokenizer *self, const char *text, int max_length,
                             gboolean *truncated)
{
    if (max_length <= 0)
        max_length = self->max_length;
    gboolean cut;
    g_autofree char *normal = normalize(text, &cut);
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(gint32));
    g_array_append_val(ids, self->start);

    const char *segment = normal, *c = normal;
    while (*c) {
        const char *special = g_str_has_prefix(c, self->start_text) ? self->start_text
                              : g_str_has_prefix(c, self->end_text) ? self->end_text
                                                                    : NULL;
        if (!special) {
            c = g_utf8_next_char(c);
            continue;
        }
        encode_segment(self, segment, c, ids);
        g_array_append_val(ids, *(special == self->start_text ? &self->start : &self->end));
        segment = c += strlen(special);
    }
    encode_segment(self, segment, c, ids);

    guint room = (guint)MAX(max_length, 2) - 1;
    cut = cut || ids->len > room;
    if (ids->len > room)
        g_array_set_size(ids, room);
    g_array_append_val(ids, self->end);
    if (truncated)
        *truncated = cut;
    return ids;
}

void pen_tokenizer_encode_padded(const PenTokenizer *self, const char *text, gint32 *ids,
                                 gboolean *truncated)
{
    g_autoptr(GArray) encoded = pen_tokenizer_encode(self, text, 0, truncated);
    for (int i = 0; i < self->max_length; i++)
        ids[i] = i < (int)encoded->len ? g_array_index(encoded, gint32, i) : self->pad;
}

int pen_tokenizer_max_length(const PenTokenizer *self)
{
    return self->max_length;
}

int pen_tokenizer_n_tokens(const PenTokenizer *self)
{
    return self->n_tokens;
}

gint32 pen_tokenizer_start(const PenTokenizer *self)
{
    return self->start;
}

gint32 pen_tokenizer_end(const PenTokenizer *self)
{
    return self->end;
}

gint32 pen_tokenizer_pad(const PenTokenizer *self)
{
    return self->pad;
}
