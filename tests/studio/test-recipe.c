// SPDX-License-Identifier: GPL-3.0-or-later
#include <glib.h>
#include <string.h>

#include "src/studio/recipe.h"

static void assert_becomes(const char *text, const char *wanted)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRecipe) recipe = pen_recipe_parse(text, &error);
    g_assert_no_error(error);
    g_autofree char *again = pen_recipe_to_text(recipe);
    g_assert_cmpstr(again, ==, wanted);
}

static void test_text(void)
{
    assert_becomes(NULL, NULL);
    assert_becomes("{}", NULL);
    assert_becomes("{\"prompt\": \" \", \"sampler\": \"\", \"steps\": 0, \"guidance\": 0}", NULL);
    assert_becomes("{\"prompt\": \"{prompt}\"}", NULL);
    assert_becomes("{\"prompt\": \" ink \\n\"}", "{\"prompt\":\"{prompt}, ink\"}");
    assert_becomes("{\"sampler\": \"DPM++ 2M Karras\"}",
                   "{\"sampler\":\"dpmpp-2m\",\"schedule\":\"karras\"}");
    assert_becomes("{\"sampler\": \"Euler Karras\", \"schedule\": \"SGM Uniform\"}",
                   "{\"sampler\":\"euler\",\"schedule\":\"sgm-uniform\"}");
    assert_becomes("{\"negative_prompt\":\"blurry, \\\"dull\\\"\",\"steps\":150,\"guidance\":0.5,"
                   "\"width\":8,\"height\":4096}",
                   "{\"negative_prompt\":\"blurry, \\\"dull\\\"\",\"steps\":150,\"guidance\":0.5,"
                   "\"width\":8,\"height\":4096}");
    /* What a later Penchant adds does not disturb. */
    assert_becomes("{\"steps\": 5, \"mood\": {\"calm\": [1]}}", "{\"steps\":5}");
}

static void assert_refused(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(pen_recipe_parse(text, &error));
    g_assert_nonnull(error);
    g_assert_cmpuint(strlen(error->message), <, 600);
}

static void test_hostile(void)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "7",
        "null",
        "{\"steps\": 1e9}",
        "{\"steps\": -1}",
        "{\"steps\": 2.5}",
        "{\"steps\": \"many\"}",
        "{\"steps\": 1, \"steps\": 2}",
        "{\"guidance\": NaN}",
        "{\"guidance\": 1e400}",
        "{\"guidance\": 30.5}",
        "{\"width\": 64}",
        "{\"width\": 64, \"height\": 63}",
        "{\"width\": 99999999999999999999, \"height\": 64}",
        "{\"sampler\": \"Rembrandt\"}",
        "{\"schedule\": 3}",
        "{\"prompt\": \"{prompt}{prompt}\"}",
        "{\"prompt\": \"\\ud800\"}",
        "{\"prompt\": \"\xff\"}",
        "{\"prompt\": {\"a\": 1}}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        assert_refused(texts[i]);
    static const char *const endless[] = { "[", "{\"prompt\": \"%s\"}", "{\"sampler\": \"%s\"}",
                                           "{\"schedule\": \"%s\"}" };
    for (gsize i = 0; i < G_N_ELEMENTS(endless); i++) {
        g_autofree char *many = g_strnfill(100000, i ? 'e' : '[');
        g_auto(GStrv) parts = g_strsplit(endless[i], "%s", 2);
        g_autofree char *text = g_strconcat(parts[0], many, parts[1], NULL);
        assert_refused(text);
    }
}

static void test_prompt(void)
{
    static const struct {
        const char *template, *own, *whole;
    } cases[] = {
        { NULL, "a bird", "a bird" },
        { "{prompt}, ink", "a bird", "a bird, ink" },
        { "ink of {prompt}", "a bird", "ink of a bird" },
        { "ink of {prompt}, wet", "", "ink of , wet" },
        { "<lora:wet:0.5> {prompt} (ink:1.2)", "{prompt}", "<lora:wet:0.5> {prompt} (ink:1.2)" },
        { "aXa{prompt}aXa", "aXa", "aXaaXaaXa" }, /* not half of the template twice */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(PenRecipe) recipe = pen_recipe_new();
        recipe->prompt = g_strdup(cases[i].template);
        g_autofree char *whole = pen_recipe_write_prompt(recipe, cases[i].own);
        g_assert_cmpstr(whole, ==, cases[i].whole);
        g_autofree char *twice = pen_recipe_write_prompt(recipe, whole);
        g_assert_cmpstr(twice, ==, whole);
        g_autofree char *own = pen_recipe_read_prompt(recipe, whole);
        g_assert_cmpstr(own, ==, cases[i].own);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/recipe/text", test_text);
    g_test_add_func("/recipe/hostile", test_hostile);
    g_test_add_func("/recipe/prompt", test_prompt);
    return g_test_run();
}
