// SPDX-License-Identifier: GPL-3.0-or-later
#include <glib.h>
#include <string.h>

#include "src/formats/prompt.h"

// The parts as "text*weight|…", BREAK as "/"; loras as "<name*strength>"; what is not understood as
// "?text".
static char *describe(const char *text, PenPromptReading reading)
{
    g_autoptr(PenPrompt) prompt = pen_prompt_new(text, reading);
    GString *result = g_string_new(NULL);
    for (guint i = 0; i < prompt->parts->len; i++) {
        const PenPromptPart *part = &g_array_index(prompt->parts, PenPromptPart, i);
        if (result->len)
            g_string_append_c(result, '|');
        if (!part->text)
            g_string_append_c(result, '/');
        else if (part->weight == 1)
            g_string_append_printf(result, "%s%s", part->embedding ? "@" : "", part->text);
        else
            g_string_append_printf(result, "%s%s*%.4g", part->embedding ? "@" : "", part->text,
                                   part->weight);
    }
    for (guint i = 0; i < prompt->loras->len; i++) {
        const PenPromptLora *lora = &g_array_index(prompt->loras, PenPromptLora, i);
        g_string_append_printf(result, "<%s*%g>", lora->name, lora->strength);
    }
    for (guint i = 0; i < prompt->not_understood->len; i++)
        g_string_append_printf(result, "?%s", (char *)prompt->not_understood->pdata[i]);
    return g_string_free(result, FALSE);
}

typedef struct {
    const char *text, *expected;
} Case;

static void check(const Case *cases, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        g_autofree char *found = describe(cases[i].text, PEN_PROMPT_WEIGHTS);
        g_test_message("%s", cases[i].text);
        g_assert_cmpstr(found, ==, cases[i].expected);
    }
}

static void test_weights(void)
{
    static const Case cases[] = {
        { "a cat", "a cat" },
        { "", "" },
        { "a (cat)", "a |cat*1.1" },
        { "a ((cat)) here", "a |cat*1.21| here" },
        { "a [cat]", "a |cat*0.9091" },
        { "([cat])", "cat" },
        { "(a (b) c:1.3)", "a *1.3|b*1.43| c*1.3" },
        { "(a:0.5)", "a*0.5" },
        { "(a: 1.5 )", "a*1.5" },
        { "(a:-1)", "a*-1" },
        { "(a:.5)(b:+2)", "a*0.5|b*2" },
        { "(ratio 3:2)", "ratio 3*2" },
        { "12:30, a cat", "12:30, a cat" },
        { "(time: noon)", "time: noon*1.1" },
        { "(猫:1.2) ü", "猫*1.2| ü" },
        { "(a b)c", "a b*1.1|c" },
        { "(x:0)", "x*0" },
        { "(a)(b)", "ab*1.1" },
    };
    check(cases, G_N_ELEMENTS(cases));
}

static void test_escapes(void)
{
    static const Case cases[] = {
        { "cat \\(animal\\)", "cat (animal)" },
        { "\\[a\\] \\\\ \\<b>", "[a] \\ <b>" },
        { "(smile \\:\\):1.2)", "smile :)*1.2" },
        { "a\\", "a" },
        { "a_b \\_c", "a_b _c" },
    };
    check(cases, G_N_ELEMENTS(cases));
}

static void test_breaks(void)
{
    static const Case cases[] = {
        { "a BREAK b", "a |/| b" },
        { "(a BREAK b:1.2)", "a *1.2|/| b*1.2" },
        { "BREAKFAST, a break", "BREAKFAST, a break" },
        { "a,BREAK\nb", "a,|/|\nb" },
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        /* A break in brackets has their weight, which nobody asks for. */
        g_autoptr(PenPrompt) prompt = pen_prompt_new(cases[i].text, PEN_PROMPT_WEIGHTS);
        g_assert_cmpuint(prompt->not_understood->len, ==, 0);
    }
    check(cases, G_N_ELEMENTS(cases));
}

static void test_tags(void)
{
    static const Case cases[] = {
        { "a cat <lora:ink:0.8>", "a cat <ink*0.8>" },
        { "<lora:ink>cat", "cat<ink*1>" },
        { "<LORA:a b:-0.5> <lyco:c:1>", " <a b*-0.5><c*1>" },
        { "<lora:x:0.5:0.5>", "<x*0.5>" },
        { "<lora:x:unet=0.7>", "<x*0.7>" },
        { "<lora:x:te=0.7:unet=0.7>", "<x*0.7>" },
        { "<lora:x:0.5:1>", "?<lora:x:0.5:1>" },
        { "<lora:x:much>", "?<lora:x:much>" },
        { "<lora::1>", "?<lora::1>" },
        { "<hypernet:x:1> a", " a?<hypernet:x:1>" },
        { "<cat-toy>, a < b", "<cat-toy>, a < b" },
        { "(<lora:ink:0.8>a:1.2)", "a*1.2<ink*0.8>" },
        { "(embedding:EasyNegative:1.2), bad", "@EasyNegative*1.2|, bad" },
        { "embedding:a/b.safetensors", "@a/b.safetensors" },
    };
    check(cases, G_N_ELEMENTS(cases));
}

static void test_not_understood(void)
{
    static const Case cases[] = {
        { "a) b", "a b?)" },
        { "a :)", "a :?)" },
        { "a] ] b", "a  b?]" },
        { "(a", "a*1.1?(" },
        { "[a", "a*0.9091?[" },
        { "a [cat:dog:0.5] b", "a  b?[cat:dog:0.5]" },
        { "[cat|(dog:1.2)]s", "s?[cat|(dog:1.2)]" },
        { "[:dog:10]", "?[:dog:10]" },
        { "{red|blue} {x}", " x?{red|blue}?{?}" },
        { "a __colour__ cat", "a  cat?__colour__" },
        { "a AND b", "a , b?AND" },
        { "SAND and LAND", "SAND and LAND" },
        { "(a:99)", "a*10?:99)" },
        { "[a:b]", "a:b*0.9091" },
    };
    check(cases, G_N_ELEMENTS(cases));
}

static void test_words(void)
{
    static const char text[] = "a (cat:1.3) BREAK [b] <lora:x:1> \\( AND";
    g_autofree char *found = describe(text, PEN_PROMPT_WORDS);
    g_assert_cmpstr(found, ==, text);
    g_autofree char *nothing = describe(NULL, PEN_PROMPT_WEIGHTS);
    g_assert_cmpstr(nothing, ==, "");
}

// Any text is read, in time.
static void test_hostile(void)
{
    static const char *const pieces[] = { "(",    "[",  "[a:",  "<lora:", "{",  "\\",
                                          "a:1)", "__", "\xff", "BREAK ", "(a|" };
    for (gsize i = 0; i < G_N_ELEMENTS(pieces); i++) {
        g_autoptr(GString) text = g_string_new(NULL);
        while (text->len < 2 * PEN_PROMPT_MAX_BYTES)
            g_string_append(text, pieces[i]);
        g_autoptr(PenPrompt) prompt = pen_prompt_new(text->str, PEN_PROMPT_WEIGHTS);
        g_assert_true(prompt->cut);
        for (guint k = 0; k < prompt->parts->len; k++) {
            const PenPromptPart *part = &g_array_index(prompt->parts, PenPromptPart, k);
            g_assert_true(!part->text || g_utf8_validate(part->text, -1, NULL));
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/prompt/weights", test_weights);
    g_test_add_func("/prompt/escapes", test_escapes);
    g_test_add_func("/prompt/breaks", test_breaks);
    g_test_add_func("/prompt/tags", test_tags);
    g_test_add_func("/prompt/not-understood", test_not_understood);
    g_test_add_func("/prompt/words", test_words);
    g_test_add_func("/prompt/hostile", test_hostile);
    return g_test_run();
}
