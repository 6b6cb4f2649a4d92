// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/json.h"
#include "src/formats/tokenizer.h"
#include "tests/formats/scratch.h"

#include <string.h>

static PenTokenizer *open_tokenizer(const char *folder)
{
    g_autoptr(GError) error = NULL;
    PenTokenizer *tokenizer = pen_tokenizer_new(folder, &error);
    g_assert_no_error(error);
    return tokenizer;
}

// A JSON list of objects with `text` and the `ids` that the reference makes of it.
static void check_ids(const PenTokenizer *tokenizer, const char *file)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenJson) list = pen_json_load(file, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(pen_json_n_elements(list), >, 10);

    for (guint i = 0; i < pen_json_n_elements(list); i++) {
        g_autoptr(PenJson) item = pen_json_element(list, i);
        g_autofree char *text = NULL;
        g_autoptr(GArray) expected = NULL;
        g_assert_true(pen_json_get_string(item, "text", &text, NULL));
        g_assert_true(pen_json_get_doubles(item, "ids", &expected, NULL));

        gboolean truncated;
        g_autoptr(GArray) ids = pen_tokenizer_encode(tokenizer, text, 0, &truncated);
        g_test_message("%s", text);
        g_assert_cmpuint(ids->len, ==, expected->len);
        for (guint k = 0; k < ids->len; k++)
            g_assert_cmpint(g_array_index(ids, gint32, k), ==,
                            (int)g_array_index(expected, double, k));
        if (ids->len < 77)
            g_assert_false(truncated);
    }
}

static void check_file(const char *folder, const char *file)
{
    g_autoptr(PenTokenizer) tokenizer = open_tokenizer(folder);
    check_ids(tokenizer, file);
}

static void test_golden(void)
{
    check_file(PEN_TEST_DATA "/golden/sd1/model/tokenizer",
               PEN_TEST_DATA "/golden/sd1/tokens.json");
    check_file(PEN_TEST_DATA "/golden/sd2/model/tokenizer",
               PEN_TEST_DATA "/golden/sd2/tokens.json");
}

static void test_unicode(void)
{
    check_file(PEN_TEST_DATA "/golden/sd1/model/tokenizer",
               PEN_TEST_DATA "/formats/tokens-unicode.json");
}

static void test_clip(void)
{
    g_autoptr(PenTokenizer) first = pen_tokenizer_new_clip("<|endoftext|>");
    g_autoptr(PenTokenizer) second = pen_tokenizer_new_clip("!");
    check_ids(first, PEN_TEST_DATA "/golden/tokens-clip.json");
    g_assert_cmpint(pen_tokenizer_n_tokens(first), ==, 49408);
    g_assert_cmpint(pen_tokenizer_max_length(first), ==, 77);
    g_assert_cmpint(pen_tokenizer_start(first), ==, 49406);
    g_assert_cmpint(pen_tokenizer_end(first), ==, 49407);
    g_assert_cmpint(pen_tokenizer_pad(first), ==, 49407);
    g_assert_cmpint(pen_tokenizer_pad(second), ==, 0);
}

static void test_padding(void)
{
    static const struct {
        const char *folder;
        gint32 pad;
    } cases[] = {
        { PEN_TEST_DATA "/golden/sd1/model/tokenizer", 564 },
        { PEN_TEST_DATA "/golden/sd2/model/tokenizer", 0 },
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(PenTokenizer) tokenizer = open_tokenizer(cases[i].folder);
        gint32 ids[77];
        gboolean truncated = TRUE;
        g_assert_cmpint(pen_tokenizer_max_length(tokenizer), ==, 77);
        g_assert_cmpint(pen_tokenizer_n_tokens(tokenizer), ==, 565);
        g_assert_cmpint(pen_tokenizer_pad(tokenizer), ==, cases[i].pad);
        pen_tokenizer_encode_padded(tokenizer, "a cat", ids, &truncated);
        const gint32 begin[] = { 563, 320, 538, 564 };
        g_assert_cmpmem(ids, sizeof begin, begin, sizeof begin);
        for (int k = 4; k < 77; k++)
            g_assert_cmpint(ids[k], ==, cases[i].pad);
        g_assert_false(truncated);
    }
}

static void test_truncation(void)
{
    g_autoptr(PenTokenizer) tokenizer = open_tokenizer(PEN_TEST_DATA "/golden/sd1/model/tokenizer");
    gboolean truncated;
    gint32 ids[77];

    for (int n = 70; n < 80; n++) {
        g_autoptr(GString) text = g_string_new(NULL);
        for (int i = 0; i < n; i++)
            g_string_append(text, "a ");
        pen_tokenizer_encode_padded(tokenizer, text->str, ids, &truncated);
        g_assert_cmpint(truncated, ==, n > 75);
        g_assert_cmpint(ids[MIN(n, 75) + 1], ==, pen_tokenizer_end(tokenizer));
        g_autoptr(GArray) short_ids = pen_tokenizer_encode(tokenizer, text->str, 10, &truncated);
        g_assert_cmpuint(short_ids->len, ==, 10);
        g_assert_true(truncated);
    }

    // Long prompts of every awkward kind are cut, in bounded time, and never in the middle of a
    // character.
    static const char *const units[] = { "a", "\xcc\x81", "\xf0\x9f\x8e\xa8", "\xff", " ", "'s" };
    for (gsize i = 0; i < G_N_ELEMENTS(units); i++) {
        g_autoptr(GString) text = g_string_new(NULL);
        while (text->len < 1000003)
            g_string_append(text, units[i]);
        g_autoptr(GArray) long_ids = pen_tokenizer_encode(tokenizer, text->str, 0, &truncated);
        g_assert_true(truncated);
        g_assert_cmpuint(long_ids->len, <=, 77);
    }
}

static void write_text(Scratch *scratch, const char *name, const char *text)
{
    scratch_write(scratch, name, text, strlen(text));
}

#define VOCABULARY "{\"a\": 0, \"b\": 1, \"b</w>\": 2, \"ab</w>\": 3, \"S\": 4, \"E\": 5, \"!\": 6}"

// The special tokens may be objects; the map counts more than an old configuration, less than a new
// one.
static void test_configuration(void)
{
    static const struct {
        const char *config, *map;
        gint32 pad;
        int max_length;
    } cases[] = {
        { "\"pad_token\": \"!\"", NULL, 6, 77 },
        { "\"pad_token\": \"S\"", "{\"pad_token\": \"!\"}", 6, 77 },
        { "\"pad_token\": {\"content\": \"S\"}", "{\"pad_token\": {\"content\": \"!\"}}", 6, 77 },
        { "\"pad_token\": \"S\", \"added_tokens_decoder\": {}", "{\"pad_token\": \"!\"}", 4, 77 },
        { "\"pad_token\": \"S\", \"model_max_length\": 16", NULL, 4, 16 },
        { "\"pad_token\": \"S\", \"model_max_length\": 1000000000000000019884624838656", NULL, 4,
          77 },
        { "\"pad_token\": \"S\", \"model_max_length\": -5", NULL, 4, 77 },
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Scratch) scratch = scratch_new();
        g_autofree char *config = g_strdup_printf(
            "{\"bos_token\": \"S\", \"eos_token\": \"E\", \"unk_token\": \"E\", %s}",
            cases[i].config);
        write_text(scratch, "vocab.json", VOCABULARY);
        write_text(scratch, "merges.txt", "#version: 0.2\r\na b</w>\r\n\r\n");
        write_text(scratch, "tokenizer_config.json", config);
        if (cases[i].map)
            write_text(scratch, "special_tokens_map.json", cases[i].map);
        g_autoptr(PenTokenizer) tokenizer = open_tokenizer(scratch_folder(scratch));
        g_assert_cmpint(pen_tokenizer_pad(tokenizer), ==, cases[i].pad);
        g_assert_cmpint(pen_tokenizer_max_length(tokenizer), ==, cases[i].max_length);
        g_autoptr(GArray) ids = pen_tokenizer_encode(tokenizer, "AB x", 0, NULL);
        const gint32 expected[] = { 4, 3, 5, 5 }; // the unknown x is E as well
        g_assert_cmpmem(ids->data, ids->len * 4, expected, sizeof expected);
    }
}

static void test_refused(void)
{
    static const struct {
        const char *vocabulary, *merges, *config;
    } bad[] = {
        { "[]", "", "{}" },
        { "{\"a\": -1}", "", "{}" },
        { "{\"a\": 1.5}", "", "{}" },
        { "{\"a\": 99999999999}", "", "{}" },
        { "{\"a\": \"b\"}", "", "{}" },
        { "{\"a\": 1, \"a\": 2}", "", "{}" },
        { "{}", "", "{}" },
        { VOCABULARY, "v\na c\n", "{}" },
        { VOCABULARY, "v\na\n", "{}" },
        { VOCABULARY, "v\nb a\n", "{}" },
        { VOCABULARY, "v\n \n \na b", "{}" },
        { VOCABULARY, "", "{}" },
        { VOCABULARY, "", "[]" },
        { VOCABULARY, "", "{\"bos_token\": 1}" },
        { VOCABULARY, "", "{\"bos_token\": \"S\", \"eos_token\": \"Q\"}" },
        { VOCABULARY, "", "{\"bos_token\": \"S\", \"eos_token\": \"\"}" },
        { VOCABULARY, "", NULL },
        { NULL, "", "{}" },
        { VOCABULARY, NULL, "{}" },
    };
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(Scratch) scratch = scratch_new();
        g_autoptr(GError) error = NULL;
        if (bad[i].vocabulary)
            write_text(scratch, "vocab.json", bad[i].vocabulary);
        if (bad[i].merges)
            write_text(scratch, "merges.txt", bad[i].merges);
        if (bad[i].config)
            write_text(scratch, "tokenizer_config.json", bad[i].config);
        g_assert_null(pen_tokenizer_new(scratch_folder(scratch), &error));
        g_assert_nonnull(error);
        g_test_message("%s", error->message);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tokenizer/golden", test_golden);
    g_test_add_func("/tokenizer/unicode", test_unicode);
    g_test_add_func("/tokenizer/clip", test_clip);
    g_test_add_func("/tokenizer/padding", test_padding);
    g_test_add_func("/tokenizer/truncation", test_truncation);
    g_test_add_func("/tokenizer/configuration", test_configuration);
    g_test_add_func("/tokenizer/refused", test_refused);
    return g_test_run();
}
